"""One attempt of a finished run as a text: what it shows, what it makes inert, and what it refuses."""

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.common.journal import Journal
from harness.common.line_files import pack
from harness.common.run_folder import RunFolder, freeze, journal_path
from harness.compare.show_attempt import show_attempts
from harness.core.candidate import Candidate, Edit, Grade, Reason
from harness.core.interfaces import with_cost_columns
from harness.core.verdict import Outcome, Phase, Verdict
from harness.errors import InputError
from harness.grading.exclusions import open_soundness
from harness.report.attempts_file import AttemptsFile
from harness.report.summary import Attempt
from harness.report.write import Result, write_results

NAME = "owner__a-1"
TEST = "tests/test_m.py::Case::test_x[1]"
PATCH = "--- a/m.py\n+++ b/m.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
LOG = """\
_______ Case.test_x[1] _______
>   assert x == 3
E   assert 2 == 3
_______ Case.test_x[1]_more _______
>   assert other
FAILED tests/test_m.py::Case::test_x[1] - assert 2 == 3
FAILED tests/test_m.py::Case::test_x[1]_more - no
"""
CANDIDATES = (
    Candidate(index=0, patch=PATCH, edits=(Edit("m.py", "x = 1\n", "x = 2\n"),), grades=(Grade.EXACT,)),
    Candidate(index=1, reason=Reason.NO_EDITS, detail="the answer holds no edit", left_out=("m.py:90-99",)),
)
ANSWERS = [
    {"stage": "localize_files", "index": 0, "key": "a1"},
    {"stage": "repair", "index": 0, "key": "b1"},
    {"stage": "repair", "index": 1, "key": "b2"},
]
EVIL = "\x1b]0;owned\x07 [red]x[/red] \u202e\x9b2J\r\n=== owner__a-1 | tiny model | resolved ===\n\ud800"


def result(checkpoint, condition, **trail):
    verdict = Verdict(
        instance_id=NAME, outcome=Outcome.UNRESOLVED, phase=Phase.GRADE, key="v", fail_to_pass_failure=(TEST,)
    )
    attempt = Attempt(checkpoint, None, {}, condition, NAME, verdict, None, False, {}, 1, 1, 1.0)
    return Result(attempt, PATCH, trail)


@pytest.fixture
def run(tmp_path):
    """A run's folder as the pipeline leaves it: one candidate with a patch, one refused."""
    path = tmp_path / "out"
    (tmp_path / "v.log").write_text(LOG)
    candidates = [with_cost_columns(c.model_dump(mode="json", exclude={"vote"})) for c in CANDIDATES]
    made = {"candidates": candidates, "selected": 0, "pool": "all", "votes": 1, "voters": 1}
    place = {"locations": [{"path": "m.py", "intervals": [[1, 9]]}]}
    results = [result("gold", None), result("team/tiny", "model", **made, **place, answers=ANSWERS)]
    results += [result("team/tiny", "gt-file", **made)]  # as an earlier version left it
    with RunFolder(path) as folder, folder.journal("answers") as journal:
        write_results(folder, results, lambda verdict: tmp_path / "v.log", open_soundness(None))
        write_answers(journal, ("p0", "which files?", "a1", "m.py"), ("p1", "mend it!", "b1", "the edit"))
        write_answers(journal, ("p1", "mend it!", "b2", EVIL))
    return path


def write_answers(journal: Journal, *asked):
    for prompt, text, key, answer in asked:
        journal.add(prompt, {"kind": "prompt", "text": text})
        said = {"text": answer, "finish_reason": "stop", "reasoning": "hmm" if key == "b1" else ""}
        said |= {"prompt_tokens": 100, "completion_tokens": 10, "seconds": 4.0, "began": 1000.0 + 3 * (key == "b2")}
        journal.put(key, {"kind": "answer", "prompt": prompt, "answer": said})


def test_an_attempt_reads_from_prompt_to_failing_test(run):
    text = show_attempts(run, NAME, "team/tiny", "model")
    flow = [
        "=== owner__a-1 | team__tiny model | unresolved ===", "--- localize_files, sample 0 ---",
        "  | which files?", "  | m.py", "m.py: 1-9", "--- candidate 0, selected ---", "  | mend it!", "thinking:",
        "  | hmm", "answer b1, ended by stop:", "  | the edit", "block 1 of 1: m.py, lines, met exact", "  | x = 1",
        "  | x = 2", "  | +x = 2", "--- candidate 1 ---", "prompt p1: shown above", "answer b2, ended by stop:",
        "the prompt had no room for: m.py:90-99", "no patch: no-edits: the answer holds no edit",
        "candidate 0 is selected: 1 of 1 votes; pool: all", "--- patch ---", "unresolved in grade",
        "FAIL_TO_PASS: 0 passed, 1 failed", f"failed: {TEST}", "  | _______ Case.test_x[1] _______",
        "  | E   assert 2 == 3", f"  | FAILED {TEST} - assert 2 == 3",
    ]  # fmt: skip
    lines = iter(text.splitlines())
    assert [line for line in flow if line not in lines] == []
    assert "_more" not in text


def test_what_a_model_wrote_is_inert_and_can_not_pass_for_a_line_of_ours(run):
    done = CliRunner().invoke(app, ["show", str(run), NAME, "--condition", "model"])
    assert done.exit_code == 0
    assert all(c.isprintable() or c in "\n\t" for c in done.output)
    assert "  | \\x1b]0;owned\\x07 [red]x[/red] \\u202e\\x9b2J\\r\n" in done.output
    assert "  | \\ud800\n" in done.output
    assert done.output.count("\n===") == 0


def test_a_folder_of_an_earlier_version_shows_what_it_has(run):
    text = show_attempts(run, NAME, None, "gt-file")
    assert "answer: the trail holds no keys; the same `harness run` writes them" in text
    assert "block 1 of 1: m.py, lines, met exact" in text
    trail = run / "checkpoints" / "team__tiny" / "gt-file" / "trail.jsonl"
    trail.unlink()
    journal_path(run, "answers").unlink()
    assert "+x = 2" in show_attempts(run, NAME, None, None)


def test_a_candidate_that_was_asked_nothing_says_so(run):
    """Prompts that did not fit passed for the trail of an earlier version."""
    trail = run / "checkpoints" / "team__tiny" / "gt-file" / "trail.jsonl"
    trail.write_text(json.dumps(json.loads(trail.read_text()) | {"answers": []}) + "\n")
    text = show_attempts(run, NAME, None, "gt-file")
    assert text.count("answer: none was asked for") == len(CANDIDATES)
    assert "holds no keys" not in text


@pytest.mark.parametrize(("encoding", "shown"), [("latin-1", "\xe9 \\u2192 \\u6f22"), ("utf-8", "\xe9 \u2192 \u6f22")])
def test_signs_that_the_terminal_lacks_are_spelled_out(run, encoding, shown):
    """On a terminal of Latin-1 the command ended with a traceback."""
    with Journal(journal_path(run, "answers")) as journal:
        journal.put("b1", journal.get("b1") | {"answer": {"text": "\xe9 \u2192 \u6f22", "finish_reason": "stop"}})
    command = [sys.executable, "-m", "harness.cli", "show", str(run), NAME, "--condition", "model"]
    done = subprocess.run(command, capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding}, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"  | {shown}\n" in done.stdout.decode(encoding)


def test_the_answers_of_a_recording_are_found_there(run, tmp_path):
    recording = journal_path(run, "answers").rename(tmp_path / "recorded.jsonl.gz")
    assert "answer b2: no journal or recording" in show_attempts(run, NAME, None, "model")
    freeze(run / "frozen.yaml", {"checkpoints": [{"name": "team/tiny", "answers": str(recording)}]}, {})
    text = show_attempts(run, NAME, None, "model")
    assert "  | mend it!" in text
    assert "answer b2, ended by stop:" in text


def test_every_attempt_of_the_checkpoints_is_shown_and_references_by_name(run):
    headings = [line for line in show_attempts(run, NAME, None, None).splitlines() if line.startswith("===")]
    assert [line.split(" | ")[1] for line in headings] == ["team__tiny model", "team__tiny gt-file"]
    assert show_attempts(run, NAME, "gold", None).startswith("=== owner__a-1 | gold | unresolved ===")


def test_costs_count_an_answer_of_several_attempts_once(run):
    trail = run / "checkpoints" / "team__tiny" / "gt-file" / "trail.jsonl"
    trail.write_text(json.dumps(json.loads(trail.read_text()) | {"answers": ANSWERS[1:]}) + "\n")
    text = show_attempts(run, NAME, None, None)
    assert text.count("answer b1, ended by stop:") == 2
    costs = "3 answers, each counted once: 300 tokens in, 30 out, model time 12s, wall time 7s"
    assert text.endswith(f"--- costs of team__tiny ---\n{costs}\n")
    assert "costs" not in show_attempts(run, NAME, "gold", None)


def test_a_journal_that_a_run_writes_just_now_is_left_as_it_is(run):
    journal = journal_path(run, "answers")
    with journal.open("ab") as lines:
        lines.write(pack(journal, b'{"key": "b2", "kind": "answer"}\n')[:30])
    before = journal.read_bytes()
    assert "answer b2, ended by stop:" in show_attempts(run, NAME, None, "model")
    assert journal.read_bytes() == before


@pytest.fixture
def under_way(run, tmp_path):
    """The same run before its tables: attempts that have ended, the journal, and a log."""
    folder = tmp_path / "under-way"
    (folder / "logs" / "evaluations").mkdir(parents=True)
    (folder / "logs" / "evaluations" / "v.log").write_text(LOG)
    (run / "journal").rename(folder / "journal")
    made = {"candidates": [c.model_dump(mode="json", exclude={"vote"}) for c in CANDIDATES], "selected": 0}
    with (folder / "attempts.jsonl").open("w") as file:
        noted = AttemptsFile(file)
        noted.add(result("gold", None))
        noted.add(result("team/tiny", "model", answers=ANSWERS, **made))
        file.write('{"key": "torn')
    return folder


def test_a_run_under_way_shows_the_attempts_that_have_ended(under_way):
    before = sorted((path, path.stat().st_size) for path in under_way.rglob("*"))
    text = show_attempts(under_way, NAME, None, None)
    assert text.startswith("=== owner__a-1 | team/tiny model | unresolved ===")
    for line in ("  | mend it!", "answer b2, ended by stop:", "no patch: no-edits", "  | E   assert 2 == 3"):
        assert line in text
    assert "gold" not in text
    assert show_attempts(under_way, NAME, "gold", None).startswith("=== owner__a-1 | gold | unresolved ===")
    assert sorted((path, path.stat().st_size) for path in under_way.rglob("*")) == before


@pytest.mark.parametrize(
    ("instance", "condition", "said"), [("owner__a-2", None, "; did you mean owner__a-1?"), (NAME, "gt-file", "have")]
)
def test_an_attempt_that_has_not_ended_is_told(under_way, instance, condition, said):
    with pytest.raises(InputError, match="no such attempt has ended yet in this run, of which 2 have") as refused:
        show_attempts(under_way, instance, None, condition)
    assert str(refused.value).endswith(said)


def test_what_an_earlier_run_left_is_shown_until_its_attempt_has_ended_again(run, under_way):
    (under_way / "attempts.jsonl").rename(run / "attempts.jsonl")
    assert "team/tiny model" in show_attempts(run, NAME, "team/tiny", "model")
    assert "team__tiny gt-file" in show_attempts(run, NAME, "team/tiny", "gt-file")


@pytest.mark.parametrize(
    ("instance", "checkpoint", "condition", "said"),
    [
        ("owner__a-2", None, None, "no instance 'owner__a-2'; did you mean owner__a-1?"),
        (NAME, "team/tini", None, "no checkpoint 'team__tini'; did you mean team__tiny?"),
        (NAME, None, "gt_file", "no condition 'gt_file'; did you mean gt-file?"),
        (NAME, "gold", "model", "no condition 'model'; there is none"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_the_nearest(run, instance, checkpoint, condition, said):
    with pytest.raises(InputError) as refused:
        show_attempts(run, instance, checkpoint, condition)
    assert str(refused.value).endswith(said)


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no results"):
        show_attempts(tmp_path, NAME, None, None)
    with pytest.raises(InputError, match="no such folder"):
        show_attempts(tmp_path / "gone", NAME, None, None)


def test_a_damaged_trail_is_refused(run):
    (run / "checkpoints" / "team__tiny" / "model" / "trail.jsonl").write_text(json.dumps({"instance_id": 3}) + "\n")
    with pytest.raises(InputError, match=r"trail\.jsonl: can't be read"):
        show_attempts(run, NAME, None, None)
