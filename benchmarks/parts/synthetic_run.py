"""A finished run's folder of any size, without models and containers: what a page is measured on."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.common.files import write_jsonl
from harness.common.line_files import pack
from harness.common.run_folder import RunFolder, freeze, journal_path
from harness.core.candidate import Candidate, Reason
from harness.core.conditions import Condition
from harness.core.interfaces import with_cost_columns
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.exclusions import open_soundness
from harness.report.stage_scores import StageScores
from harness.report.summary import Attempt
from harness.report.write import INSTANCES, Result, write_results

CONDITIONS: tuple[Condition, ...] = ("model", "gt-location", "gt-file")
REPOSITORIES = ("django/django", "sympy/sympy", "scikit-learn/scikit-learn", "pallets/flask", "psf/requests",
                "astropy/astropy", "pydata/xarray", "sphinx-doc/sphinx")  # fmt: skip
ENDS = (Outcome.RESOLVED, Outcome.UNRESOLVED, Outcome.EMPTY_PATCH, Outcome.TIMEOUT, Outcome.INFRASTRUCTURE)
WORDS = ("the", "field", "of", "query", "lost", "when", "empty", "value", "meets", "default", "form", "model")
TESTS = 40  # of PASS_TO_PASS


def write_synthetic_run(path: Path, instances: int, checkpoints: int, candidates: int, longest: int) -> str:
    """Write the records of a run under all three conditions; returns the id of the instance with the longest log.

    That log has ``longest`` bytes, every other some kilobytes. Equal arguments make equal runs.
    """
    chance = random.Random(0)
    rows = [_row(chance, number) for number in range(instances)]
    names = [f"packing-{number}" for number in range(checkpoints)]
    logs = path.parent / f"{path.name}-logs"
    logs.mkdir()
    results = list(_results(chance, rows, names, candidates, logs))
    longest_of = next(r.attempt.verdict for r in results if r.attempt.verdict.fail_to_pass_failure)
    _write_log(logs / longest_of.key, longest_of, longest)
    with RunFolder(path) as folder:
        write_results(folder, results, lambda verdict: logs / verdict.key, open_soundness(None))
    answers = journal_path(path, "answers")
    answers.parent.mkdir()
    with answers.open("wb") as journal:
        for record in _answers(chance, results, names):
            journal.write(pack(answers, json.dumps(record).encode() + b"\n"))
    write_jsonl(path / INSTANCES, rows)
    settings = {"checkpoints": [{"name": name, "strategy": name} for name in names], "conditions": list(CONDITIONS)}
    digests = {str(row["instance_id"]): f"sha256:{number:064x}" for number, row in enumerate(rows)}
    freeze(path / "frozen.yaml", settings, {"dataset": "synthetic", "instances": instances, "images": digests})
    return longest_of.instance_id


def _text(chance: random.Random, lines: int) -> str:
    return "\n".join(" ".join(chance.choices(WORDS, k=12)) for _ in range(lines))


def _row(chance: random.Random, number: int) -> dict[str, object]:
    repo = chance.choice(REPOSITORIES)
    return {
        "instance_id": f"{repo.replace('/', '__')}-{10_000 + number}",
        "repo": repo,
        "base_commit": f"{number:040x}",
        "problem_statement": _text(chance, 25),
        "patch": _patch(chance),
        "test_patch": _patch(chance),
    }


def _patch(chance: random.Random) -> str:
    path, line = f"package/{chance.choice(WORDS)}.py", chance.randrange(1, 900)
    context = [f"    {' '.join(chance.choices(WORDS, k=7))}" for _ in range(8)]
    body = (
        [f" {one}" for one in context[:3]] + [f"-{context[3]}", f"+{context[4]}"] + [f" {one}" for one in context[5:]]
    )
    return (
        f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -{line},7 +{line},7 @@\n"
        + "\n".join(body)
        + "\n"
    )


def _results(
    chance: random.Random, rows: Sequence[dict[str, object]], names: Sequence[str], candidates: int, logs: Path
) -> Iterator[Result]:
    ability = {name: 0.25 + 0.04 * number for number, name in enumerate(names)}
    ease = {str(row["instance_id"]): chance.uniform(-0.3, 0.3) for row in rows}
    for name in names:
        for condition in CONDITIONS:
            for row in rows:
                instance_id = str(row["instance_id"])
                solved = min(0.95, max(0.02, ability[name] + ease[instance_id]))
                rest = [(1 - solved) * share for share in (0.7, 0.2, 0.08, 0.02)]
                [outcome] = chance.choices(ENDS, [solved, *rest])
                yield _result(chance, name, condition, instance_id, outcome, candidates, logs)


def _result(
    chance: random.Random,
    name: str,
    condition: Condition,
    instance_id: str,
    outcome: Outcome,
    candidates: int,
    logs: Path,
) -> Result:
    patch = "" if outcome is Outcome.EMPTY_PATCH else _patch(chance)
    tests = tuple(f"tests/test_package.py::TestCase::test_{number}" for number in range(TESTS))
    verdict = Verdict(
        instance_id=instance_id,
        outcome=outcome,
        phase=Phase.GRADE if patch else Phase.PATCH,
        key=f"{chance.getrandbits(128):032x}" if patch else "",
        seconds=chance.uniform(2, 60),
        fail_to_pass_failure=tests[:2] if outcome is Outcome.UNRESOLVED else (),
        fail_to_pass_success=tests[:2] if outcome is Outcome.RESOLVED else (),
        pass_to_pass_success=tests[2:],
    )
    if patch:
        _write_log(logs / verdict.key, verdict, chance.randrange(3_000, 12_000))
    listed = [_candidate(chance, index, patch) for index in range(candidates)]
    resolving = sum(chance.random() < 0.5 for _ in range(candidates)) if outcome is Outcome.RESOLVED else 0
    keys = [("localize_files", 0), *(("repair", index) for index in range(candidates))]
    trail = {
        "locations": [{"path": "package/form.py", "intervals": [[1, 40]]}],
        "candidates": listed,
        "selected": 0 if patch else None,
        "pool": "all",
        "votes": 3,
        "voters": candidates,
        "answers": [{"stage": s, "index": n, "key": f"{name}.{condition}.{instance_id}.{s}.{n}"} for s, n in keys],
    }
    stages = StageScores(candidates=candidates, graded=candidates, resolving=resolving, selected=verdict.resolved)
    attempt = Attempt(name, name, {}, condition, instance_id, verdict, 0.4, not patch, {}, 4000, 500, 9.0)
    return Result(attempt, patch, trail, stages)


def _candidate(chance: random.Random, index: int, patch: str) -> dict[str, object]:
    mine = patch if index == 0 or not patch else _patch(chance)
    reason = None if mine else chance.choice((Reason.NO_MATCH, Reason.NO_EDITS, Reason.SYNTAX_ERROR))
    made = Candidate(index=index, patch=mine, reason=reason, detail="" if mine else "the file does not hold it")
    return dict(with_cost_columns(made.model_dump(mode="json", exclude={"vote"})))


def _write_log(path: Path, verdict: Verdict, size: int) -> None:
    line = "tests/test_package.py::TestCase::test_{} PASSED of the field of a query set that is lost in the form\n"
    count = size // len(line)
    with path.open("w") as log:
        log.writelines(line.format(number) for number in range(count))
        for test in verdict.fail_to_pass_failure:
            name = test.partition("::")[2].replace("::", ".")
            log.write(f"_______ {name} _______\n>       assert found == 3\nE       assert 2 == 3\nFAILED {test}\n")


def _answers(chance: random.Random, results: Sequence[Result], names: Sequence[str]) -> Iterator[dict[str, object]]:
    """Answers of every stage. Prompts of the ground-truth conditions are the same for every checkpoint."""
    text = _text(chance, 400)
    for result in results:
        attempt = result.attempt
        shared = attempt.condition != "model"
        if not shared or attempt.checkpoint == names[0]:
            for stage in ("localize_files", "repair"):
                yield {
                    "key": _prompt(attempt, stage),
                    "kind": "prompt",
                    "text": f"{stage} {attempt.instance_id}\n{text}",
                }
        for answer in result.trail["answers"]:
            said = {"text": _text(chance, 8), "finish_reason": "stop", "prompt_tokens": 4000, "completion_tokens": 120}
            yield {"key": answer["key"], "kind": "answer", "prompt": _prompt(attempt, answer["stage"]), "answer": said}


def _prompt(attempt: Attempt, stage: str) -> str:
    asker = attempt.checkpoint if attempt.condition == "model" else "any"
    return f"{asker}.{attempt.condition}.{attempt.instance_id}.{stage}"
