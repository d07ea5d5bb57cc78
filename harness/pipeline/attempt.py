"""What the stages before the tests made of one instance, and the result it becomes with its verdict."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from harness.config.schema import CheckpointConfig
from harness.core.candidate import Candidate
from harness.core.conditions import Condition
from harness.core.instance import Instance
from harness.core.interfaces import NO_COST, Cost, Snapshot, with_cost_columns
from harness.core.location import Location
from harness.core.verdict import Outcome, Phase, Verdict
from harness.errors import HarnessError
from harness.localize.stages import Localization
from harness.model.ask import READ_BEFORE_CUT
from harness.pipeline.work import Work
from harness.report.checkpoint_cost import total_seconds
from harness.report.similarity import similarity
from harness.report.stage_scores import StageScores, count_resolving, localization_hits
from harness.report.summary import Attempt
from harness.report.write import Result
from harness.validate.check import Plan, Validation
from harness.validate.select import Selection


@dataclass(frozen=True)
class Trial:
    """What the containers said of a proposal."""

    validation: Validation
    selection: Selection
    verdict: Verdict  # on the selected patch
    verdicts: Mapping[int, Verdict] | None  # on every patch, by candidate; None if the run file does not ask for it
    containers: Mapping[str, float] = field(default_factory=dict)  # seconds of what ran for it; see `Work`


@dataclass(frozen=True)
class Proposal:
    """One instance under one checkpoint and condition, as far as the model was needed."""

    checkpoint: CheckpointConfig
    packing_metrics: dict[str, float]
    condition: Condition
    instance: Instance
    snapshot: Snapshot
    locations: Sequence[Location]
    localization: Localization | None  # what the model localized; None under the ground-truth conditions
    candidates: Sequence[Candidate]
    plan: Plan
    asking: Work = field(default_factory=Work)  # what was asked for it, and ran by now
    kept_as: str = ""  # see `KeptAttempts`; empty: it is not kept

    def result(self, trial: Trial) -> Result:
        """The attempt with its scores, its patch and the trail that led to it."""
        cost = self._cost()
        patch = trial.selection.patch
        attempt = Attempt(
            checkpoint=self.checkpoint.name,
            strategy=self.checkpoint.strategy,
            packing_metrics=self.packing_metrics,
            condition=self.condition,
            instance_id=self.instance.instance_id,
            verdict=trial.verdict,
            similarity=similarity(patch, self.instance.patch),
            empty=not patch,
            candidate_reasons=self._reasons(),
            prompt_tokens=cost.prompt_tokens,
            completion_tokens=cost.completion_tokens,
            model_seconds=cost.seconds,
            cut_prompt=any(candidate.left_out for candidate in self.candidates),
            read_before_cut=self._read_before_cut(),
            ran_seconds=total_seconds({**self.asking.containers, **trial.containers}),
        )
        return Result(attempt, patch, self._trail(trial), self._scores(trial))

    def _cost(self) -> Cost:
        """What all requests took."""
        located = self.localization.costs() if self.localization else ()
        return sum((*(candidate.cost for candidate in self.candidates), *self.plan.costs(), *located), NO_COST)

    def _read_before_cut(self) -> dict[str, int]:
        """How many answers of each stage were cut and read all the same."""
        repaired = (("repair", note) for candidate in self.candidates for note in candidate.notes)
        noted = (*(self.localization.notes() if self.localization else ()), *repaired, *self.plan.notes())
        return dict(Counter(stage for stage, note in noted if note == READ_BEFORE_CUT))

    def _reasons(self) -> dict[str, int]:
        return dict(Counter(candidate.reason.value for candidate in self.candidates if candidate.reason))

    def _scores(self, trial: Trial) -> StageScores:
        located = localization_hits(self.instance, self.snapshot, self.locations) if self.localization else {}
        unresolved = self.localization.unresolved() if self.localization else {}
        scores = StageScores(located, unresolved, len(self.candidates), self._reasons(), trial.selection.pool.value)
        if trial.verdicts is None:
            return scores
        graded, resolving = count_resolving(len(self.candidates), trial.verdicts)
        failed = trial.verdict.outcome is Outcome.INFRASTRUCTURE
        return replace(scores, selected=None if failed else trial.verdict.resolved, graded=graded, resolving=resolving)

    def _trail(self, trial: Trial) -> dict[str, Any]:
        selected = trial.selection
        return {
            "localization": _localization_trail(self.localization) if self.localization else None,
            "locations": [asdict(location) for location in self.locations],
            "candidates": [
                with_cost_columns(candidate.model_dump(mode="json", exclude={"vote"})) for candidate in self.candidates
            ],
            "selected": selected.candidate.index if selected.candidate else None,
            "pool": selected.pool.value,
            "votes": selected.votes,
            "voters": selected.voters,
            "validation": trial.validation.trail(),
            "verdicts": {index: verdict.outcome.value for index, verdict in (trial.verdicts or {}).items()},
            "answers": self.asking.answers(),
        }


def _localization_trail(localization: Localization) -> dict[str, Any]:
    trail = asdict(localization)
    return trail | {"files": with_cost_columns(trail["files"])}


def unanswered(
    checkpoint: CheckpointConfig,
    packing_metrics: dict[str, float],
    condition: Condition,
    instance: Instance,
    why: HarnessError,
) -> Result:
    """The result of an attempt whose questions the model's server did not answer: the machine's failure, no score."""
    detail = " ".join(str(why).split())
    verdict = Verdict(
        instance_id=instance.instance_id, outcome=Outcome.INFRASTRUCTURE, phase=Phase.MODEL, detail=detail
    )
    attempt = Attempt(
        checkpoint=checkpoint.name,
        strategy=checkpoint.strategy,
        packing_metrics=packing_metrics,
        condition=condition,
        instance_id=instance.instance_id,
        verdict=verdict,
        similarity=None,
        empty=False,
        candidate_reasons={},
        prompt_tokens=0,
        completion_tokens=0,
        model_seconds=0.0,
    )
    return Result(attempt, "", {})
