import base64
import io
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from doubles import ScriptedSandbox, limits_with

from harness.common import retry
from harness.common.journal import Journal
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult, Job
from harness.core.verdict import Outcome, Phase, Verdict
from harness.errors import SandboxError
from harness.grading.evaluator import Evaluator
from harness.grading.job import PATCH_PATH, PATCH_REFUSED
from harness.grading.patch_checks import MAX_PATCH_BYTES, UNREADABLE
from harness.grading.specification import END_MARKER, START_MARKER, Specification
from harness.grading.testbed import Testbed

PASSING = "PASSED tests/test_a.py::test_new\nPASSED tests/test_a.py::test_old\n== 2 passed in 0.01s ==\n"
INTACT = {"/testbed/tests/test_a.py": "1f"}
APPLIED = CommandResult(0, b"expected 100644 1f 0 tests/test_a.py\nApplied patch a.py cleanly.\n", 0.1, contents=INTACT)
TESTED = CommandResult(0, PASSING.encode(), 2.0, contents=INTACT)


def bed(instance: Instance, script: str = f"{START_MARKER}\n{END_MARKER}") -> Testbed:
    return Testbed(instance, Specification(script, "parse_log_pytest", "pass_and_fail"), "image")


@pytest.fixture
def make(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(retry, "RETRY_SECONDS", (0.0, 0.0))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    journals = []

    def evaluator(sandbox: ScriptedSandbox, **limits) -> Evaluator:
        journals.append(Journal(tmp_path / "journal.jsonl"))
        return Evaluator(sandbox, journals[-1], tmp_path / "logs", limits_with(**limits))

    yield evaluator
    for journal in journals:
        journal.close()


def test_an_empty_patch_starts_no_container(make, instance: Instance) -> None:
    sandbox = ScriptedSandbox()
    for patch in (None, "", " \n"):
        verdict = make(sandbox).evaluate(bed(instance), patch)
        assert (verdict.outcome, verdict.known) == (Outcome.EMPTY_PATCH, True)
    assert sandbox.jobs == []


def test_a_verdict_is_journaled_and_never_asked_again(make, instance: Instance) -> None:
    sandbox = ScriptedSandbox(APPLIED, TESTED)
    first = make(sandbox).evaluate(bed(instance), "a patch")
    assert first.outcome is Outcome.RESOLVED
    assert first.test_seconds == 2.0
    again = make(sandbox)
    found = again.evaluate(bed(instance), "a patch")
    assert (found, first.known) == (first.model_copy(update={"known": True}), False)
    assert [job.digest for job in sandbox.jobs] == [first.image_digest] == [sandbox.id]
    log = again.log_path(first).read_text()
    assert log.endswith(f"{START_MARKER} {first.nonce}\n{PASSING}{END_MARKER} {first.nonce}\n")


def test_whatever_determines_a_verdict_makes_it_another_question(make, row) -> None:
    sandbox = ScriptedSandbox(APPLIED, TESTED)
    instance = Instance.model_validate(row())
    make(sandbox).evaluate(bed(instance), "a patch")
    make(sandbox).evaluate(bed(instance), "another patch")
    make(sandbox).evaluate(bed(instance, f"{START_MARKER}\nother\n{END_MARKER}"), "a patch")
    make(sandbox, seconds=1.0).evaluate(bed(instance), "a patch")
    make(sandbox, not_enforced=("memory",)).evaluate(bed(instance), "a patch")
    make(sandbox).evaluate(bed(Instance.model_validate(row(PASS_TO_PASS="[]"))), "a patch")
    sandbox.id = "sha256:2"
    make(sandbox).evaluate(bed(instance), "a patch")
    assert len(sandbox.jobs) == 7
    make(sandbox, not_enforced=()).evaluate(bed(instance), "a patch")
    assert len(sandbox.jobs) == 7


def test_equal_questions_under_way_are_asked_once(make, instance: Instance) -> None:
    sandbox = ScriptedSandbox(APPLIED, TESTED)
    sandbox.gate.clear()
    evaluator = make(sandbox)
    verdicts: list[Verdict] = []
    threads = [
        threading.Thread(target=lambda: verdicts.append(evaluator.evaluate(bed(instance), "patch"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    sandbox.gate.set()
    for thread in threads:
        thread.join()
    assert len(sandbox.jobs) == 1
    assert len(verdicts) == 8
    assert {verdict.outcome for verdict in verdicts} == {Outcome.RESOLVED}
    assert [verdict.known for verdict in verdicts].count(False) >= 1  # a thread that comes late finds it


def test_a_failing_machine_is_tried_again_and_then_reported_but_never_journaled(make, instance: Instance) -> None:
    flaky = ScriptedSandbox(APPLIED, TESTED, failures=2)
    assert make(flaky).evaluate(bed(instance), "patch").outcome is Outcome.RESOLVED
    broken = ScriptedSandbox(failures=99)
    verdict = make(broken).evaluate(bed(instance), "patch two")
    assert verdict.outcome is Outcome.INFRASTRUCTURE
    assert (verdict.detail, verdict.known) == ("daemon gone", False)
    mended = ScriptedSandbox(APPLIED, TESTED)
    assert make(mended).evaluate(bed(instance), "patch two").outcome is Outcome.RESOLVED


@pytest.mark.parametrize(
    ("results", "outcome", "phase"),
    [
        ((CommandResult(PATCH_REFUSED, b"error: patch failed: a.py:1", 0.1),), Outcome.PATCH_FAILED, Phase.PATCH),
        ((APPLIED, CommandResult(None, b"", 9.0, timed_out=True)), Outcome.TIMEOUT, Phase.TESTS),
        ((APPLIED, CommandResult(137, b"", 9.0, out_of_memory=True)), Outcome.OUT_OF_MEMORY, Phase.TESTS),
        ((APPLIED, CommandResult(None, b"", 9.0, ended_container=True)), Outcome.NO_RESULTS, Phase.TESTS),
        ((CommandResult(None, b"", 9.0, ended_container=True),), Outcome.NO_RESULTS, Phase.SETUP),
        ((CommandResult(97, b"no test patch", 9.0),), Outcome.NO_RESULTS, Phase.SETUP),
        ((CommandResult(None, b"", 9.0, timed_out=True),), Outcome.TIMEOUT, Phase.SETUP),
        ((APPLIED, CommandResult(0, b"nothing", 9.0, contents=INTACT)), Outcome.NO_RESULTS, Phase.GRADE),
        ((APPLIED, CommandResult(0, PASSING.encode(), 9.0)), Outcome.NO_RESULTS, Phase.GRADE),
    ],
)
def test_every_failure_has_its_name(make, instance: Instance, results, outcome, phase) -> None:
    verdict = make(ScriptedSandbox(*results)).evaluate(bed(instance), "patch")
    assert (verdict.outcome, verdict.phase) == (outcome, phase)
    assert verdict.detail


def test_the_base_state_is_tested_without_a_patch(make, instance: Instance) -> None:
    sandbox = ScriptedSandbox(APPLIED, TESTED)
    assert make(sandbox).evaluate_base(bed(instance)).outcome is Outcome.RESOLVED
    assert PATCH_PATH not in sandbox.jobs[0].files


@pytest.mark.parametrize(("command", "phase"), [(None, Phase.PREPARE), (0, Phase.SETUP), (1, Phase.TESTS)])
def test_where_the_machine_failed_is_told(make, instance: Instance, monkeypatch, command, phase) -> None:
    sandbox = ScriptedSandbox()

    def fail(job: Job) -> tuple[CommandResult, ...]:
        raise SandboxError("daemon gone", command)

    monkeypatch.setattr(sandbox, "run", fail)
    verdict = make(sandbox).evaluate(bed(instance), "patch")
    assert (verdict.outcome, verdict.phase) == (Outcome.INFRASTRUCTURE, phase)


def test_a_refused_patch_starts_no_container(make, instance: Instance) -> None:
    sandbox = ScriptedSandbox()
    verdict = make(sandbox).evaluate(bed(instance), "x" * (MAX_PATCH_BYTES + 1))
    assert (verdict.outcome, verdict.phase) == (Outcome.PATCH_FAILED, Phase.PATCH)
    assert "are not taken" in verdict.detail
    assert sandbox.jobs == []


def told(*paths: str, link: str = "") -> CommandResult:
    """Preparing, with what docker/changes.sh reports of new files and of a link to /etc."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        listed = "".join(f"./{path}\0" for path in paths)
        for name, text in {"before": "", "blobs": "", "folders": "", "paths": listed, "twins": ""}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        for path in paths:
            member = tarfile.TarInfo(f"./{path}")
            if path == link:
                member.type, member.linkname = tarfile.SYMTYPE, "/etc"
            archive.addfile(member)
    changes = b"changes " + base64.b64encode(buffer.getvalue())
    first, rest = APPLIED.output.split(b"\n", 1)
    return replace(APPLIED, output=b"\n".join([first, changes, rest]))


def test_flags_come_from_what_was_applied(make, instance: Instance) -> None:
    evaluator = make(ScriptedSandbox(told("conftest.py"), TESTED))
    verdict = evaluator.evaluate(bed(instance), "any text at all")
    assert (verdict.outcome, verdict.flags) == (Outcome.RESOLVED, ("test configuration: conftest.py",))
    assert b"changes " not in evaluator.log_path(verdict).read_bytes()
    unread = make(ScriptedSandbox(APPLIED, TESTED)).evaluate(bed(instance), "another")
    assert unread.flags == (UNREADABLE,)


def test_what_was_applied_may_be_refused(make, instance: Instance) -> None:
    verdict = make(ScriptedSandbox(told("way", link="way"), TESTED)).evaluate(bed(instance), "a link")
    assert (verdict.outcome, verdict.phase) == (Outcome.PATCH_FAILED, Phase.PATCH)
    assert "symbolic link out of the repository: way" in verdict.detail
    sandbox = ScriptedSandbox(told("a.py"), TESTED)
    verdict = make(sandbox).evaluate(bed(instance), "  --- a/b.py\n  +++ b/b.py\n  @@ -1 +1 @@\n  -x\n  +y\n")
    assert verdict.outcome is Outcome.PATCH_FAILED
    assert "that nothing applied: b/b.py" in verdict.detail


def test_twins_share_a_verdict_and_each_has_it_under_its_own_id(make, row) -> None:
    """Two instances with one image, the same tests and the same patch: the second had the first one's id."""
    sandbox = ScriptedSandbox(APPLIED, TESTED)
    one, other = (Instance.model_validate(row(instance_id=f"owner__name-{n}")) for n in (1, 2))
    evaluator = make(sandbox)
    verdicts = [evaluator.evaluate(bed(instance), "a patch") for instance in (one, other)]
    again = make(sandbox)
    verdicts += [again.evaluate(bed(instance), "a patch") for instance in (other, one)]
    assert [verdict.instance_id[-1] for verdict in verdicts] == ["1", "2", "2", "1"]
    assert len({verdict.key for verdict in verdicts}) == len(sandbox.jobs) == 1
