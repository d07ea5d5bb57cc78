"""Folders of finished runs, as the pipeline leaves them."""

from dataclasses import replace

from harness.common.run_folder import RunFolder, freeze
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.exclusions import open_soundness
from harness.report.stage_scores import Hits, StageScores
from harness.report.summary import Attempt
from harness.report.write import Result, write_results

SETTINGS = {
    "dataset": {"path": "rows.jsonl"},
    "sampling": {"samples": 4},
    "evaluation": {"workers": 2, "timeout": 60.0},
    "conditions": ["gt-location", "gt-file"],
}


def patch(number, text):
    name = f"m{number}.py"
    return (
        f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-x = 1\n+x = {text}\n" if text else ""
    )


def result(checkpoint, condition, number, outcome):
    phase = Phase.PATCH if outcome is Outcome.EMPTY_PATCH else Phase.GRADE
    name = f"owner__{'ab'[number % 2]}-{number}"
    verdict = Verdict(instance_id=name, outcome=outcome, phase=phase)
    text = patch(number, "" if outcome is Outcome.EMPTY_PATCH else "2")
    return Result(Attempt(checkpoint, None, {}, condition, name, verdict, None, not text, {}, 1, 1, 1.0), text, {})


def write_run(path, checkpoints, count=60, settings=SETTINGS, dataset="rows-1", conditions=("gt-location", "gt-file")):
    """A run's folder as the pipeline leaves it; ``checkpoints``: name -> function of an instance's number."""
    results = [result("gold", None, number, Outcome.RESOLVED) for number in range(count)]
    results += [
        result(name, condition, number, ending(number))
        for name, ending in checkpoints.items()
        for condition in conditions
        for number in range(count)
    ]
    with RunFolder(path) as folder:
        named = [{"name": name, "path": f"/weights/{name}"} for name in checkpoints]
        freeze(path / "frozen.yaml", {**settings, "checkpoints": named, "output": str(path)}, {"dataset": dataset})
        write_results(folder, results, lambda verdict: path / "none.log", open_soundness(None))
    return path


def among(*numbers):
    return lambda number: Outcome.RESOLVED if number in numbers else Outcome.UNRESOLVED


def staged(checkpoint, condition, number, outcome, metrics, similarity):
    """An attempt of a checkpoint whose candidates were all tested."""
    made = result(checkpoint["name"], condition, number, outcome)
    attempt = replace(
        made.attempt,
        strategy=checkpoint.get("strategy"),
        packing_metrics=metrics,
        similarity=similarity,
        prompt_tokens=100,
        completion_tokens=10,
    )
    resolved = outcome is Outcome.RESOLVED
    located = {("file", k): Hits(int(k > 1), 1, k) for k in (1, 3, 5)} if condition == "model" else {}
    scores = StageScores(located, {}, 4, {"no-match": 1}, "all", resolved, 4, 2 * resolved)
    return replace(made, attempt=attempt, stages=scores)


def write_ablation_run(path, checkpoints, ending, count=60, conditions=("model", "gt-location", "gt-file"), **more):
    """A run of checkpoints given as in a run file; ``ending``: outcome of (checkpoint, condition, number)."""
    metrics = {"trained_tokens_billion": 73.0, "fragmentation_pieces_percent": 30.2, "padding_percent": 0.01}
    results = [result("gold", None, number, Outcome.RESOLVED) for number in range(count)]
    results += [
        staged(checkpoint, condition, number, ending(checkpoint, condition, number), metrics, 0.25)
        for checkpoint in checkpoints
        for condition in conditions
        for number in range(count)
    ]
    settings = {**SETTINGS, "conditions": list(conditions), "checkpoints": list(checkpoints), "output": str(path)}
    with RunFolder(path) as folder:
        freeze(path / "frozen.yaml", {**settings, **more}, {"dataset": "rows-1"})
        write_results(folder, results, lambda verdict: path / "none.log", open_soundness(None))
    return path
