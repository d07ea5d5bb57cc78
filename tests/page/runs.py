"""A finished run's folder made by the code that a run uses, and what a page's data files hold."""

import base64
import gzip
import json
import re
from pathlib import Path

from harness.common.files import write_jsonl
from harness.common.run_folder import RunFolder, freeze
from harness.core.candidate import Candidate, Edit, Reason
from harness.core.interfaces import with_cost_columns
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.exclusions import open_soundness
from harness.report.attempts_file import attempts_file
from harness.report.summary import Attempt
from harness.report.write import INSTANCES, Result, write_results

TEST = "tests/test_m.py::test_x"
PATCH = "diff --git a/m.py b/m.py\n--- a/m.py\n+++ b/m.py\n@@ -1,2 +1,2 @@\n-x = 1\n+x = 2\n y = 1\n"
LOG = f"collected 1 item\n___ test_x ___\n>   assert x == 3\nE   assert 2 == 3\nFAILED {TEST} - assert 2 == 3\n"
EVIL = (
    "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\x1b]0;t\x07\u202e"
)
PLACES = ("model", "gt-file")


def attempt(checkpoint, condition, name, outcome, patch=PATCH, log="", **trail):
    """A result as the pipeline makes it, and its log."""
    empty = not patch
    phase = Phase.PATCH if empty else Phase.GRADE
    failed = () if outcome is Outcome.RESOLVED or empty else (TEST,)
    key = "" if empty else f"{checkpoint}{condition}{name}".encode().hex()
    verdict = Verdict(
        instance_id=name,
        outcome=outcome,
        phase=phase,
        key=key,
        fail_to_pass_failure=failed,
        detail=trail.pop("detail", ""),
    )
    made = Attempt(checkpoint, "pad", {}, condition, name, verdict, 0.5, empty, {}, 1, 1, 1.0)
    return Result(made, patch, trail), log


def candidates(patch, text=""):
    """A trail with a candidate that has a patch, one that has none, and the answers of both."""
    edits = (Edit(path="m.py", search=text, replace="x = 2\n"),)
    made = [
        Candidate(index=0, patch=patch, edits=edits)
        if patch
        else Candidate(index=0, reason=Reason.NO_MATCH, detail=text),
        Candidate(index=1, reason=Reason.NO_EDITS, detail=text, notes=("read-before-cut",)),
    ]
    listed = [with_cost_columns(one.model_dump(mode="json", exclude={"vote"})) for one in made]
    answers = [{"stage": "localize_files", "index": 0, "key": "a0"}, {"stage": "repair", "index": 0, "key": "a1"}]
    return {
        "candidates": listed,
        "selected": 0 if patch else None,
        "pool": "all",
        "votes": 1,
        "voters": 1,
        "answers": answers,
    }


def write_run(path: Path, results, rows, answer="the answer", prompt="mend it", verdict_log=LOG):
    """A finished run's folder."""
    logs = path.parent / f"{path.name}-logs"
    logs.mkdir(exist_ok=True)
    for result, log in results:
        if result.attempt.verdict.key:
            (logs / result.attempt.verdict.key).write_text(log or verdict_log, errors="surrogateescape")
    with RunFolder(path) as folder, folder.journal("answers") as journal:
        write_results(folder, [r for r, _ in results], lambda verdict: logs / verdict.key, open_soundness(None))
        journal.add("p0", {"kind": "prompt", "text": prompt})
        for key in ("a0", "a1"):
            said = {
                "text": answer,
                "finish_reason": "stop",
                "reasoning": answer,
                "prompt_tokens": 3,
                "completion_tokens": 4,
            }
            journal.put(key, {"kind": "answer", "prompt": "p0", "answer": said})
    write_jsonl(path / INSTANCES, rows)
    freeze(path / "frozen.yaml", {"checkpoints": [{"name": "a"}, {"name": "b"}]}, {"dataset": "d"})
    return path


def two_checkpoints(path: Path, row, text="x should be 2", count=3, **texts):
    """Checkpoints a and b: b breaks the first instance, fixes the second, and both fail on the others."""
    names = [f"owner__name-{number}" for number in range(1, count + 1)]
    results = [attempt("gold", None, name, Outcome.RESOLVED) for name in names]
    for checkpoint, solved in (("a", names[0]), ("b", names[1])):
        for condition in PLACES:
            for name in names:
                outcome = Outcome.RESOLVED if name == solved else Outcome.UNRESOLVED
                made = texts.get("patch", PATCH)
                results.append(
                    attempt(checkpoint, condition, name, outcome, made, detail=text, **candidates(made, text))
                )
    rows = [row(instance_id=name, problem_statement=text, patch=texts.get("patch", PATCH)) for name in names]
    return write_run(path, results, rows, answer=text, prompt=text, verdict_log=texts.get("log", LOG))


def value_of(script: bytes):
    """What a data file hands to the page."""
    found = re.fullmatch(rb'harnessPage\.receive\(("[^"]*"), "([A-Za-z0-9+/=]*)"\);\n', script)
    return json.loads(gzip.decompress(base64.b64decode(found[2])))


def begin(path: Path, results):
    """The folder of a run that was stopped after these results."""
    path.mkdir(exist_ok=True)
    try:
        with attempts_file(path) as ended:
            for result, _ in results:
                ended.add(result)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        return path
