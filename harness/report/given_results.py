"""Results of patches that no stage of ours made: values in, values out."""

from harness.core.instance import Instance
from harness.core.verdict import Outcome, Phase, Verdict
from harness.dataset.predictions import Prediction
from harness.report.similarity import similarity
from harness.report.summary import Attempt
from harness.report.write import Result


def not_submitted(model: str, instance: Instance) -> Result:
    """The result of an instance of the selection for which a model's predictions hold nothing: no patch, no score."""
    verdict = Verdict(instance_id=instance.instance_id, outcome=Outcome.NOT_SUBMITTED, phase=Phase.PREPARE)
    nothing = Prediction(instance_id=instance.instance_id, model_name_or_path=model, model_patch=None)
    return reference_result(instance, nothing, verdict)


def reference_result(instance: Instance, prediction: Prediction, verdict: Verdict) -> Result:
    """A prediction that no stage of ours made, with its verdict."""
    patch = prediction.model_patch or ""
    attempt = Attempt(
        checkpoint=prediction.model_name_or_path,
        strategy=None,
        packing_metrics={},
        condition=None,
        instance_id=instance.instance_id,
        verdict=verdict,
        similarity=similarity(patch, instance.patch),
        empty=not patch.strip() and verdict.outcome is not Outcome.NOT_SUBMITTED,
        candidate_reasons={},
        prompt_tokens=0,
        completion_tokens=0,
        model_seconds=0.0,
    )
    return Result(attempt, patch, {})
