"""An ``.eval`` log of inspect_ai, written by its own library: one sample for each instance."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.compare.finished import Attempted
from harness.exchange.libraries import library
from harness.exchange.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Mapping

SCORE = "resolved"
CORRECT, INCORRECT, NONE = "C", "I", "N"  # inspect's own letters; N: no answer that could be scored


def write_inspect_log(one: Outgoing, folder: Path) -> list[str]:
    """Write one checkpoint's log. Raises InputError if inspect_ai is not installed."""
    log, scorer, model = (library(f"inspect_ai.{part}", "inspect") for part in ("log", "scorer", "model"))
    samples = [_sample(one, name, attempted, log, scorer, model) for name, attempted in one.part.items()]
    graded = len(one.part) - len(one.ungraded)
    spec = log.EvalSpec(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task="swe_bench" + (f"_{one.condition}" if one.condition else ""),
        dataset=log.EvalDataset(
            name=str(one.settings.get("dataset", "")), samples=len(one.part), sample_ids=list(one.part)
        ),
        model=one.name,
        config=log.EvalConfig(),
        metadata=one.settings,
    )
    metrics = {
        name: log.EvalMetric(name=name, value=value) for name, value in {"accuracy": one.rate, **one.numbers}.items()
    }
    score = log.EvalScore(
        name=SCORE, scorer=SCORE, metrics=metrics, scored_samples=graded, unscored_samples=len(one.ungraded)
    )
    results = log.EvalResults(total_samples=len(one.part), completed_samples=graded, scores=[score])
    folder.mkdir(parents=True, exist_ok=True)
    document = log.EvalLog(status="success", eval=spec, results=results, samples=samples)
    log.write_eval_log(document, str(folder / f"{one.title}.eval"), format="eval")
    return []


def _sample(one: Outgoing, name: str, attempted: Attempted, log: Any, scorer: Any, model: Any) -> Any:
    row: Mapping[str, Any] = one.rows.get(name, {})
    verdict = attempted.verdict
    value = CORRECT if verdict.resolved else INCORRECT if attempted.graded else NONE
    metadata = {"outcome": verdict.outcome.value, "flags": list(verdict.flags), "repo": row.get("repo")}
    failed = (*verdict.fail_to_pass_failure, *verdict.pass_to_pass_failure)
    score = scorer.Score(
        value=value,
        answer=attempted.patch,
        explanation=verdict.detail or (f"failed: {', '.join(failed[:20])}" if failed else verdict.outcome.value),
        metadata=metadata,
    )
    return log.EvalSample(
        id=name,
        epoch=1,
        input=str(row.get("problem_statement", "")),
        target=str(row.get("patch", "")),
        output=model.ModelOutput.from_content(one.name, attempted.patch),
        scores={SCORE: score},
        metadata=metadata | attempted.scores.model_dump(mode="json", include={"similarity", "candidates", "pool"}),
    )
