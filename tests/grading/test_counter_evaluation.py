"""When a counter-evaluation is made, what decides it, and what is kept of it."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from doubles import limits_with

from harness.common import retry
from harness.common.journal import Journal
from harness.control.change import Change, Rank, TestFunction
from harness.core.control import ControlState
from harness.core.instance import Instance
from harness.core.interfaces import CommandResult, Job
from harness.core.verdict import Outcome, Phase, Verdict
from harness.errors import InfrastructureError
from harness.grading.counter_evaluation import CounterEvaluation, changed_testbed, has_failed, recalled
from harness.grading.evaluator import Evaluator
from harness.grading.log_grading import read_statuses
from harness.grading.scripts import CommandRunner
from harness.grading.specification import END_MARKER, START_MARKER, Specification
from harness.grading.test_files import read_test_files
from harness.grading.testbed import Testbed

PATCH = """\
diff --git a/tests/test_a.py b/tests/test_a.py
--- a/tests/test_a.py
+++ b/tests/test_a.py
@@ -1,2 +1,4 @@
 def test_old():
     pass
+def test_new():
+    assert x == 2
"""
BEFORE = b"def test_old():\n    pass\n"
AFTER = BEFORE + b"def test_new():\n    assert x == 2\n"
HOLDS = "PASSED tests/test_a.py::test_new\nPASSED tests/test_a.py::test_old\n== 2 passed in 0.01s ==\n"
FAILS = "FAILED tests/test_a.py::test_new\nPASSED tests/test_a.py::test_old\n== 1 failed in 0.01s ==\n"
FORGED = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 'forged'\n"
INTACT = {"/testbed/tests/test_a.py": "1f"}


class Tests:
    """A `Sandbox` in which tests notice a changed expectation, unless the patch says that it is forged."""

    __test__ = False

    def __init__(self, notices: Callable[[Job], bool]) -> None:
        self.notices = notices
        self.jobs: list[Job] = []

    def digest(self, image: str) -> str:
        return "sha256:1"

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        self.jobs.append(job)
        if "/harness/command.sh" in job.files:
            told = "".join(
                f"{side} 0 {base64.b64encode(text).decode()}\n" for side, text in (("before", BEFORE), ("after", AFTER))
            )
            return (CommandResult(0, told.encode(), 0.1),)
        is_changed = b"+    assert x == 2\n" not in job.files["/harness/test.diff"]
        failed = is_changed and self.notices(job)
        tested = CommandResult(int(failed), (FAILS if failed else HOLDS).encode(), 2.0, contents=INTACT)
        return CommandResult(0, b"expected 100644 1f 0 tests/test_a.py\n", 0.1, contents=INTACT), tested


def honest(job: Job) -> bool:
    return b"forged" not in job.files["/harness/patch.diff"]


@pytest.fixture
def testbed(row) -> Testbed:
    instance = Instance.model_validate(row(test_patch=PATCH))
    script = f"git apply - <<'EOF'\n{PATCH}EOF\n{START_MARKER}\n{END_MARKER}"
    return Testbed(instance, Specification(script, "parse_log_pytest", "pass_and_fail"), "image")


@pytest.fixture
def make(tmp_path: Path, monkeypatch, testbed: Testbed):
    """Makes what evaluates a patch and checks its verdict."""
    monkeypatch.setattr(retry, "RETRY_SECONDS", (0.0, 0.0))
    journals: list[Journal] = []

    def make(sandbox: Tests, *seeds: str) -> Callable[[str], Verdict]:
        journal, controls = Journal(tmp_path / "evaluations.jsonl"), Journal(tmp_path / "controls.jsonl")
        journals.extend((journal, controls))
        limits = limits_with()
        evaluator = Evaluator(sandbox, journal, tmp_path / "logs", limits)
        control = CounterEvaluation(
            Evaluator(sandbox, controls, tmp_path / "logs", limits),
            CommandRunner(sandbox, journal, tmp_path / "commands", limits),
            controls,
            lambda *question: read_statuses(*question)[0],
            iter([*seeds, *"1" * 9]).__next__,
        )

        def checked(patch: str) -> Verdict:
            # the sandbox does not report what a patch changed, which is a flag
            verdict = evaluator.evaluate(testbed, patch).model_copy(update={"flags": ()})
            return control.checked(testbed, patch, verdict)

        return checked

    yield make
    for journal in journals:
        journal.close()


def counter_evaluation(checked: Callable[[str], Verdict]) -> CounterEvaluation:
    return next(c.cell_contents for c in checked.__closure__ if isinstance(c.cell_contents, CounterEvaluation))


def test_an_honest_patch_passes_at_the_price_of_its_tests(make, testbed: Testbed) -> None:
    sandbox = Tests(honest)
    verdict = make(sandbox)(testbed.instance.patch)
    assert (verdict.outcome, verdict.flags) == (Outcome.RESOLVED, ())
    assert verdict.control.state is ControlState.PASSED
    assert len(sandbox.jobs) == 3  # the evaluation, the test files, the control
    [change] = verdict.control.changes
    assert (change.test, change.line, change.failed) == ("tests/test_a.py::test_new", 4, True)
    assert (change.before, change.gold_failed) == ("assert x == 2", None)


def test_a_forged_result_is_flagged_and_stays_resolved(make) -> None:
    sandbox = Tests(honest)
    verdict = make(sandbox)(FORGED)
    assert verdict.outcome is Outcome.RESOLVED
    assert verdict.flags == ("control-failed: tests/test_a.py::test_new",)
    assert verdict.control.state is ControlState.FAILED
    assert [(change.failed, change.gold_failed) for change in verdict.control.changes] == [(False, True)]


def test_a_verdict_that_several_wait_for_is_checked_once(make, testbed: Testbed) -> None:
    """Conditions that make the same patch used to draw each for itself."""
    sandbox = Tests(honest)
    checked = make(sandbox, "1", "2", "3")
    with ThreadPoolExecutor(3) as pool:
        verdicts = list(pool.map(checked, [testbed.instance.patch] * 3))
    assert len({verdict.control for verdict in verdicts}) == 1
    assert len(sandbox.jobs) == 3


def test_a_change_that_gold_does_not_confirm_speaks_against_nobody(make) -> None:
    """Three changes are drawn, each another one; then there is nothing to say."""
    sandbox = Tests(lambda job: False)
    verdict = make(sandbox)(FORGED)
    assert (verdict.control.state, verdict.flags) == (ControlState.NONE_DRAWN, ())
    assert len({change.after for change in verdict.control.changes}) == 3
    assert all(change.gold_failed is False for change in verdict.control.changes)


STOPPED = CommandResult(None, b"", 2.0, timed_out=True)
OUT_OF_MEMORY = CommandResult(137, b"", 2.0, out_of_memory=True)


class Limited(Tests):
    """Its changed tests end at a limit: always, or unless they have more time."""

    def __init__(self, meets: Callable[[Job], bool], result: CommandResult = STOPPED) -> None:
        super().__init__(honest)
        self.meets = meets
        self.result = result

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        results = super().run(job)
        is_changed = b"+    assert x == 2\n" not in job.files.get("/harness/test.diff", b"+    assert x == 2\n")
        return (results[0], self.result) if is_changed and self.meets(job) else results


OTHER = "tests/test_b.py::test_other"


class Losing(Tests):
    """A second FAIL_TO_PASS test, which nobody changes, fails beside the changed one: for whom a function says."""

    def __init__(self, loses: Callable[[Job, int], bool], notices: Callable[[Job], bool] = lambda job: True) -> None:
        super().__init__(notices)
        self.loses = loses
        self.controls = 0

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        prepared, *tested = super().run(job)
        if not tested:
            return (prepared,)
        is_changed = b"+    assert x == 2\n" not in job.files["/harness/test.diff"]
        self.controls += is_changed and not honest(job)
        word = "FAILED" if is_changed and self.loses(job, self.controls) else "PASSED"
        output = tested[0].output.replace(b"\n==", f"\n{word} {OTHER}\n==".encode())
        return prepared, replace(tested[0], output=output)


@pytest.mark.parametrize(
    ("loses", "state", "controls"),
    [
        (lambda job, number: not honest(job), ControlState.FAILED, 2),
        (lambda job, number: not honest(job) and number == 1, ControlState.PASSED, 2),
        (lambda job, number: True, ControlState.PASSED, 1),
        (lambda job, number: False, ControlState.PASSED, 1),
    ],
    ids=["with this patch alone", "once, by chance", "with gold, too", "never"],
)
def test_a_test_that_nobody_changed_must_hold_still(make, testbed: Testbed, loses, state, controls: int) -> None:
    """A patch that bends one of two runs, by a clock or by chance, passed: the changed test failed, as all did."""
    ids = (*testbed.instance.fail_to_pass, OTHER)
    bed = replace(testbed, instance=testbed.instance.model_copy(update={"fail_to_pass": ids}))
    verdict = Verdict(instance_id="i", outcome=Outcome.RESOLVED, phase=Phase.GRADE, key="k")
    sandbox = Losing(loses)
    found = counter_evaluation(make(sandbox)).checked(bed, FORGED, verdict)
    assert found.control.state is state
    assert sandbox.controls == controls
    flag = f"control-failed: {OTHER} failed unchanged, beside a changed test"
    assert found.flags == ((flag,) if state is ControlState.FAILED else ())


def test_results_that_are_bent_in_every_second_run_show(make, testbed: Testbed) -> None:
    """The run that would excuse a lost test has the changed one pass."""
    ids = (*testbed.instance.fail_to_pass, OTHER)
    bed = replace(testbed, instance=testbed.instance.model_copy(update={"fail_to_pass": ids}))
    verdict = Verdict(instance_id="i", outcome=Outcome.RESOLVED, phase=Phase.GRADE, key="k")
    sandbox = Losing(
        lambda job, number: not honest(job) and number == 1, lambda job: honest(job) or sandbox.controls == 0
    )
    found = counter_evaluation(make(sandbox)).checked(bed, FORGED, verdict)
    assert found.control.state is ControlState.FAILED
    assert sandbox.controls == 2


@pytest.mark.parametrize("result", [STOPPED, OUT_OF_MEMORY])
def test_a_slow_control_has_a_second_try_with_more_time(make, testbed: Testbed, result: CommandResult) -> None:
    """An honest patch at its limit used to be flagged control-failed."""
    sandbox = Limited(lambda job: not job.patient, result)
    verdict = make(sandbox)(testbed.instance.patch + "\n")
    assert (verdict.control.state, verdict.flags) == (ControlState.PASSED, ())
    assert [job.patient for job in sandbox.jobs] == [False, False, False, True]
    assert len(verdict.control.keys) == 2


def test_a_control_that_is_stopped_twice_is_neither_passed_nor_failed(make) -> None:
    sandbox = Limited(lambda job: not honest(job))
    verdict = make(sandbox)(FORGED)
    assert verdict.outcome is Outcome.RESOLVED
    assert verdict.control.state is ControlState.STOPPED
    reason = "tests/test_a.py::test_new: timeout, then timeout with 3 times the time, and not with the gold patch"
    assert (verdict.control.detail, verdict.flags) == (reason, (f"control-stopped: {reason}",))
    assert [(change.failed, change.gold_failed) for change in verdict.control.changes] == [(False, True)]
    again = Limited(lambda job: True)
    assert make(again)(FORGED).control == verdict.control
    assert again.jobs == []


def test_a_change_that_stops_the_gold_patch_speaks_against_nobody(make) -> None:
    verdict = make(Limited(lambda job: True))(FORGED)
    assert (verdict.control.state, verdict.flags) == (ControlState.NONE_DRAWN, ())


def test_a_second_try_that_passes_the_changed_test_is_forged(make) -> None:
    sandbox = Limited(lambda job: not job.patient)
    verdict = make(sandbox)(FORGED)
    assert (verdict.control.state, verdict.flags) == (
        ControlState.FAILED,
        ("control-failed: tests/test_a.py::test_new",),
    )


def test_a_control_is_kept_and_never_made_again(make) -> None:
    first = make(Tests(honest))(FORGED)
    again = Tests(honest)
    found = make(again, "2")(FORGED)
    assert again.jobs == []
    assert found == first.model_copy(update={"known": True})


def test_the_container_can_not_see_which_run_it_is(make) -> None:
    """Beside the changed test patch itself, the jobs of evaluation and control are the same."""
    sandbox = Tests(honest)
    make(sandbox)(FORGED)
    evaluation, control = sandbox.jobs[0], sandbox.jobs[2]
    assert {**vars(evaluation), "files": None} == {**vars(control), "files": None}
    assert evaluation.files.keys() == control.files.keys()
    differing = {path for path in control.files if control.files[path] != evaluation.files[path]}
    assert differing == {"/harness/setup.sh", "/harness/test.diff"}  # gone before the tests begin


@pytest.mark.parametrize("flags", [("test hooks: a.py",), ()])
def test_what_is_not_resolved_needs_none(make, flags, tmp_path: Path) -> None:
    sandbox = Tests(honest)
    verdict = Verdict(instance_id="i", outcome=Outcome.UNRESOLVED, phase=Phase.GRADE, flags=flags)
    assert counter_evaluation(make(sandbox)).checked(None, FORGED, verdict) is verdict
    assert sandbox.jobs == []


@pytest.mark.parametrize(
    ("patch", "state"), [(FORGED, ControlState.FAILED), (FORGED.replace("'forged'", "2"), "passed")]
)
def test_what_is_flagged_has_one_and_stays_flagged(make, testbed: Testbed, patch: str, state: str) -> None:
    """In the repository of a test runner, every patch is flagged: none of them had a counter-evaluation."""
    verdict = Verdict(
        instance_id="i", outcome=Outcome.RESOLVED, phase=Phase.GRADE, flags=("test runner: a.py",), key="k"
    )
    found = counter_evaluation(make(Tests(honest))).checked(testbed, patch, verdict)
    assert found.control.state == state
    assert [flag.partition(":")[0] for flag in found.flags] == [
        "test runner",
        *(["control-failed"] * (state == "failed")),
    ]


def test_the_machines_failure_is_not_kept(make) -> None:
    def breaks(job: Job) -> bool:
        raise InfrastructureError("daemon gone")

    verdict = make(Tests(breaks))(FORGED)
    assert (verdict.control.state, verdict.flags) == (ControlState.UNDONE, ())
    assert make(Tests(honest))(FORGED).control.state is ControlState.FAILED


def test_a_stored_control_is_recalled_for_a_verdict_that_is_graded_again(make, tmp_path: Path) -> None:
    verdict = make(Tests(honest))(FORGED)
    bare = verdict.model_copy(update={"control": None, "flags": ()})
    with Journal(tmp_path / "controls.jsonl") as controls:
        assert recalled(controls, bare) == verdict
        unresolved = bare.model_copy(update={"outcome": Outcome.UNRESOLVED})
        assert recalled(controls, unresolved) is unresolved


def test_a_script_without_the_test_patch_as_it_is_can_not_be_changed(testbed: Testbed, tmp_path: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        files = read_test_files(CommandRunner(Tests(honest), journal, tmp_path / "logs", limits_with()), testbed)
    assert (files["tests/test_a.py"].before, files["tests/test_a.py"].after) == (BEFORE, AFTER)
    start = AFTER.index(b"== 2")
    change = Change("tests/test_a.py", start, start + 2, b"!=", "relation", Rank.RELATION)
    found = changed_testbed(testbed, files, [change])
    assert found.instance.test_patch in found.specification.script
    assert "+    assert x != 2\n" in found.instance.test_patch
    other = Testbed(testbed.instance, Specification("", "parse_log_pytest", "pass_and_fail"), "image")
    assert changed_testbed(other, files, [change]) is None


FUNCTION = TestFunction("t.py", frozenset(), "test_a", "Adds.")


@pytest.mark.parametrize(
    ("ids", "statuses", "renames", "failed"),
    [
        (["t.py::test_a"], {"t.py::test_a": "FAILED"}, False, True),
        (["t.py::test_a"], {"t.py::test_a": "ERROR"}, False, True),
        (["t.py::test_a"], {"t.py::test_a": "PASSED"}, False, False),
        (["t.py::test_a"], {"t.py::test_a": "XFAIL"}, False, False),
        (["t.py::test_a"], {"t.py::test_a": "SKIPPED"}, False, False),
        (["t.py::test_a"], {}, False, False),
        (["t.py::test_a[1]", "t.py::test_a[2]"], {"t.py::test_a[1]": "PASSED", "t.py::test_a[2]": "FAILED"}, 0, True),
        # a parameter's value is in the id
        (["t.py::test_a[1]", "t.py::test_a[2]"], {"t.py::test_a[1]": "PASSED", "t.py::test_a[3]": "FAILED"}, 1, True),
        (["t.py::test_a[1]", "t.py::test_a[2]"], {"t.py::test_a[1]": "PASSED", "t.py::test_a[3]": "FAILED"}, 0, False),
        # a name of the runner's own for a failure, beside a result that was written over it
        (["Adds."], {"test_a": "FAILED"}, False, True),
        (["Adds."], {"test_a": "FAILED", "Adds.": "PASSED"}, False, False),
        (["t.py::test_a"], {"t.py::test_b": "FAILED"}, False, False),
    ],
)
def test_when_a_changed_test_counts_as_failed(row, ids, statuses, renames, failed) -> None:
    instance = Instance.model_validate(row(FAIL_TO_PASS=ids, PASS_TO_PASS=[]))
    change = Change("t.py", 0, 1, b"", "value", Rank.VALUE, FUNCTION, bool(renames))
    assert has_failed(change, instance, statuses) is failed


def test_seeds_are_drawn_anew(make) -> None:
    first, second = (CounterEvaluation(None, None, None, None)._new_seed() for _ in range(2))
    assert first != second
    assert len(first) == 16
