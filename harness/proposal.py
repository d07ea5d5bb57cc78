"""What the stages before the tests made of one instance, and the result it becomes with its verdict."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.candidate import Candidate
from harness.config import CheckpointConfig, Condition
from harness.evaluate.predictions import Prediction
from harness.instance import Instance
from harness.localize.files import FileLocalization
from harness.location import Location
from harness.report.metrics import Attempt
from harness.report.similarity import similarity
from harness.report.write import Result
from harness.validate.select import Selection
from harness.verdict import Verdict


@dataclass(frozen=True)
class Proposal:
    """One instance under one checkpoint and condition, up to the selected patch."""

    checkpoint: CheckpointConfig
    packing_metrics: dict[str, float]
    condition: Condition
    instance: Instance
    locations: Sequence[Location]
    localization: FileLocalization | None  # what the model localized; None under the ground-truth conditions
    candidates: Sequence[Candidate]
    selection: Selection

    def result(self, verdict: Verdict) -> Result:
        """The attempt with its scores, its patch and the trail that led to it."""
        costs: list[Candidate | FileLocalization] = [*self.candidates]
        if self.localization:
            costs.append(self.localization)
        patch = self.selection.patch
        attempt = Attempt(
            checkpoint=self.checkpoint.name,
            packing=self.checkpoint.packing,
            packing_metrics=self.packing_metrics,
            condition=self.condition,
            instance_id=self.instance.instance_id,
            verdict=verdict,
            similarity=similarity(patch, self.instance.patch),
            empty=not patch,
            candidate_reasons=dict(Counter(c.reason.value for c in self.candidates if c.reason)),
            prompt_tokens=sum(cost.prompt_tokens for cost in costs),
            completion_tokens=sum(cost.completion_tokens for cost in costs),
            model_seconds=sum(cost.seconds for cost in costs),
        )
        return Result(attempt, patch, self._trail())

    def _trail(self) -> dict[str, Any]:
        selected = self.selection
        return {
            "localization": asdict(self.localization) if self.localization else None,
            "locations": [asdict(location) for location in self.locations],
            "candidates": [candidate.model_dump(mode="json", exclude={"vote"}) for candidate in self.candidates],
            "selected": selected.candidate.index if selected.candidate else None,
            "votes": selected.votes,
            "voters": selected.voters,
        }


def reference_result(instance: Instance, prediction: Prediction, verdict: Verdict) -> Result:
    """A prediction that no stage of ours made, with its verdict."""
    patch = prediction.model_patch or ""
    attempt = Attempt(
        checkpoint=prediction.model_name_or_path,
        packing=None,
        packing_metrics={},
        condition=None,
        instance_id=instance.instance_id,
        verdict=verdict,
        similarity=similarity(patch, instance.patch),
        empty=not patch.strip(),
        candidate_reasons={},
        prompt_tokens=0,
        completion_tokens=0,
        model_seconds=0.0,
    )
    return Result(attempt, patch, {})
