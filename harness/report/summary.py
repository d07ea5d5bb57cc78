"""From single attempts to the rows of the result tables: values in, values out.

The resolve rate's denominator is every instance, whatever happened to it: an infrastructure failure counts as
not resolved, so the rate is the lower of its two bounds. The upper bound and the rate without infrastructure failures
stand beside it under their own names.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from harness.core.conditions import Condition
from harness.core.control import ControlState
from harness.core.verdict import Outcome, Verdict
from harness.core.whole_suite import SuiteState
from harness.errors import InfrastructureError
from harness.report.checkpoint_cost import CheckpointCost, container_times, total_seconds
from harness.statistics.share import Interval, ungraded_bounds, wilson


@dataclass(frozen=True)
class Attempt:
    """What became of one instance under one checkpoint and condition; the row of a reference has no condition."""

    checkpoint: str  # or the reference's name: "gold", "empty"
    strategy: str | None  # packing strategy of the checkpoint's corpus
    packing_metrics: Mapping[str, float]
    condition: Condition | None
    instance_id: str
    verdict: Verdict
    similarity: float | None  # to the gold patch; None if it is not defined
    empty: bool  # no patch came out
    candidate_reasons: Mapping[str, int]  # why candidates made no patch -> how many of them
    prompt_tokens: int
    completion_tokens: int
    model_seconds: float
    route: str = ""  # by which the model was asked: "chat", "completions", both, or not known
    batch_invariant: bool = False  # whether its answers do not depend on what else was asked at the time
    cut_prompt: bool = False  # a repair prompt had no room for all that was located
    read_before_cut: Mapping[str, int] = field(default_factory=dict)  # stage -> answers that were cut, and read
    checkpoint_cost: CheckpointCost | None = None  # of all attempts of the checkpoint together
    ran_seconds: float | None = None  # of all containers that ran for it; those of its verdict if not given

    @property
    def container_seconds(self) -> float:
        """Seconds of all containers that ran for it, each counted once."""
        given = self.ran_seconds
        return total_seconds(container_times(self.verdict)) if given is None else given


@dataclass(frozen=True)
class SummaryRow:
    """All attempts of one checkpoint under one condition. Shares are between 0 and 1, times in seconds."""

    checkpoint: str
    strategy: str | None
    packing_metrics: Mapping[str, float]
    condition: Condition | None
    instances: int
    resolved: int
    infrastructure: int  # instances on which the machine failed
    interval: Interval  # of resolve_rate, Wilson, 95%
    applied: int
    empty: int
    similarity: float | None  # mean over the instances that have one
    similarity_instances: int
    prompt_tokens: int
    completion_tokens: int
    model_seconds: float
    test_seconds: float
    outcomes: Mapping[str, int]
    reasons: Mapping[str, int]
    route: str = ""  # by which the model was asked: "chat", "completions", both, or not known
    batch_invariant: bool = False  # whether its answers do not depend on what else was asked at the time
    cut_prompts: int = 0  # instances with a repair prompt that had no room for all that was located
    read_before_cut: Mapping[str, int] = field(default_factory=dict)  # stage -> answers that were cut, and read
    checkpoint_cost: CheckpointCost | None = None  # of all rows of the checkpoint together
    container_seconds: float = 0.0  # of evaluations and scripts
    controls: Mapping[ControlState, int] = field(default_factory=dict)  # counter-evaluations by how they ended
    control_seconds: float = 0.0
    suites: Mapping[SuiteState, int] = field(default_factory=dict)  # whole suites by how they ended
    clean: int = 0  # resolved, and a whole suite found nothing that the patch breaks
    breaking: int = 0  # resolved, and it found something
    suite_seconds: float = 0.0

    @property
    def resolve_rate(self) -> float:
        """Resolved over all instances: the score."""
        return self.resolved / self.instances

    @property
    def bounds(self) -> Interval:
        """The resolve rate if all that the machine failed on had failed, and if all of it had resolved."""
        return ungraded_bounds(self.resolved, self.infrastructure, self.instances)

    @property
    def graded(self) -> int:
        """Instances on which the machine did not fail."""
        return self.instances - self.infrastructure

    @property
    def resolve_rate_graded(self) -> float | None:
        """Resolved over `graded`; None if the machine failed on every instance."""
        return self.resolved / self.graded if self.graded else None

    @property
    def applied_share(self) -> float:
        """Share of all instances whose patch was put in."""
        return self.applied / self.instances

    @property
    def empty_share(self) -> float:
        """Share of all instances for which no patch came out."""
        return self.empty / self.instances


def require_whole(rows: Iterable[SummaryRow]) -> None:
    """Raise InfrastructureError, naming the rows, if the machine failed on any of their instances."""
    lacking = [row for row in rows if row.infrastructure]
    if lacking:
        places = ", ".join(
            f"{row.checkpoint}{f' {row.condition}' if row.condition else ''} {row.infrastructure} of {row.instances}"
            for row in lacking
        )
        raise InfrastructureError(
            f"the machine failed, not the model, and these have no verdict: {places}; "
            "the warnings above and verdicts.jsonl say why; run the same command again to do only what is missing"
        )


def summarise(attempts: Iterable[Attempt]) -> list[SummaryRow]:
    """One row for each checkpoint and condition, in the order in which they first come.

    Raises ValueError if a group holds one instance twice, which would bend its denominator.
    """
    groups: dict[tuple[str, Condition | None], list[Attempt]] = {}
    for attempt in attempts:
        groups.setdefault((attempt.checkpoint, attempt.condition), []).append(attempt)
    return [_summarise_group(group) for group in groups.values()]


def _summarise_group(group: Sequence[Attempt]) -> SummaryRow:
    first = group[0]
    if len({attempt.instance_id for attempt in group}) < len(group):
        raise ValueError(f"an instance comes twice under {first.checkpoint}, condition {first.condition}")
    outcomes = Counter(attempt.verdict.outcome.value for attempt in group)
    resolved = sum(attempt.verdict.resolved for attempt in group)
    similarities = [attempt.similarity for attempt in group if attempt.similarity is not None]
    controls = [attempt.verdict.control for attempt in group if attempt.verdict.control]
    suites = [attempt.verdict.whole_suite for attempt in group if attempt.verdict.whole_suite]
    reasons: Counter[str] = Counter()
    before_cut: Counter[str] = Counter()
    for attempt in group:
        reasons.update(attempt.candidate_reasons)
        before_cut.update(attempt.read_before_cut)
    return SummaryRow(
        checkpoint=first.checkpoint,
        strategy=first.strategy,
        packing_metrics=first.packing_metrics,
        condition=first.condition,
        instances=len(group),
        resolved=resolved,
        infrastructure=outcomes[Outcome.INFRASTRUCTURE.value],
        interval=wilson(resolved, len(group)),
        applied=sum(attempt.verdict.applied for attempt in group),
        empty=sum(attempt.empty for attempt in group),
        similarity=fmean(similarities) if similarities else None,
        similarity_instances=len(similarities),
        prompt_tokens=sum(attempt.prompt_tokens for attempt in group),
        completion_tokens=sum(attempt.completion_tokens for attempt in group),
        model_seconds=sum(attempt.model_seconds for attempt in group),
        test_seconds=sum(attempt.verdict.test_seconds for attempt in group),
        outcomes=dict(outcomes.most_common()),
        reasons=dict(reasons.most_common()),
        route=first.route,
        batch_invariant=first.batch_invariant,
        cut_prompts=sum(attempt.cut_prompt for attempt in group),
        read_before_cut=dict(before_cut),
        checkpoint_cost=first.checkpoint_cost,
        container_seconds=round(sum(attempt.container_seconds for attempt in group), 3),
        controls=Counter(control.state for control in controls),
        control_seconds=round(sum(control.seconds for control in controls), 3),
        suites=Counter(suite.state for suite in suites),
        clean=sum(attempt.verdict.breaks_nothing for attempt in group),
        breaking=sum(bool(suite.breaks) for suite in suites),
        suite_seconds=round(sum(suite.seconds for suite in suites), 3),
    )
