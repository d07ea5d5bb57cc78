"""Whether a candidate's finished results meet what is required of them: values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.finished import Arm
from harness.compare.run_changes import require_one_dataset, settings_changes
from harness.compare.scores import paired
from harness.errors import InputError
from harness.statistics.compare import Claim
from harness.statistics.gate import Judged, fixed_gate
from harness.statistics.requirement import Decision, Requirement

EXIT_STATUS = {Decision.HOLDS: 0, Decision.BROKEN: 1, Decision.NOT_DECIDED: 3}  # 2 is for what can't be compared


@dataclass(frozen=True)
class RunGate:
    """A candidate held against a baseline."""

    baseline: Arm
    candidate: Arm
    judged: tuple[Judged, ...]
    order: str = ""  # of a run that may have stopped early: what determined it, and how far it went

    @property
    def decision(self) -> Decision:
        """Broken if one requirement is, holds if all do, and not decided otherwise."""
        found = {one.decision for one in self.judged}
        if Decision.BROKEN in found:
            return Decision.BROKEN
        return Decision.HOLDS if found == {Decision.HOLDS} else Decision.NOT_DECIDED

    @property
    def exit_status(self) -> int:
        """Of the command: 0 holds, 1 broken, 3 not decided."""
        return EXIT_STATUS[self.decision]


def gate_runs(
    baseline: Arm, candidate: Arm, requirements: Sequence[Requirement], claim: Claim = "checkpoint"
) -> RunGate:
    """Hold the candidate against the baseline, requirement by requirement.

    Raises InputError for no requirement, and for runs that can't be compared: of other instances, rows or conditions,
    or under other settings that determine results.
    """
    if not requirements:
        raise InputError("a gate needs a requirement; give --require")
    require_one_dataset(baseline, candidate)
    require_one_setting(baseline, candidate)
    judged = [fixed_gate(one, paired(baseline, candidate, one.metric, one.condition), claim) for one in requirements]
    return RunGate(baseline, candidate, tuple(judged))


def require_one_setting(baseline: Arm, candidate: Arm) -> None:
    """Raises InputError if settings that determine results differ."""
    if changes := settings_changes(baseline, candidate):
        shown = "; ".join(f"{change.place} is {change.first}, then {change.second}" for change in changes[:3])
        more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
        raise InputError(f"the runs' settings differ: {shown}{more}; run the candidate under the baseline's settings")
