"""The second oracle: what a resolved patch breaks beyond the row's own tests, and what is kept of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from doubles import limits_with

from harness.common import retry
from harness.common.journal import Journal
from harness.core.interfaces import CommandResult, Job
from harness.core.verdict import Outcome, Phase, Verdict
from harness.core.whole_suite import SuiteState
from harness.errors import InfrastructureError
from harness.grading.evaluator import Evaluator
from harness.grading.log_grading import read_statuses
from harness.grading.scripts import CommandRunner
from harness.grading.specification import Specification, render_script
from harness.grading.suite_comparison import SuiteSettings, WholeSuites, latest_suites, recalled_suite
from harness.grading.suite_testbed import NoSuiteError, TrackedFiles, suite_testbed
from harness.grading.testbed import Testbed

TREE = "a" * 40
PATHS = ("a.py", "tests/test_a.py", "tests/test_b.py", "tests/deep/test_c.py", "tests/conftest.py", "tests/te st_d.py")
OTHER = "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2 # special\n"
A, B, C = "tests/test_a.py::test_new", "tests/test_b.py::test_b", "tests/deep/test_c.py::test_c"
TESTS = {"a": A, "b": B, "c": C}
Says = Callable[[bytes, int], str | CommandResult]  # patch and number of its run -> output, or all that the tests did


def log_of(**statuses: str) -> str:
    lines = [f"{status} {TESTS[name]}" for name, status in statuses.items()]
    return "\n".join([*lines, f"===== {len(lines)} in 0.01s ====="]) + "\n"


ALL_PASS = log_of(a="PASSED", b="PASSED", c="PASSED")


class Suites:
    """A `Sandbox` that lists `PATHS`, and whose tests end as a function says."""

    def __init__(self, says: Says, touched: tuple[str, ...] = ()) -> None:
        self.says = says
        self.touched = touched
        self.jobs: list[Job] = []
        self.runs: dict[bytes, int] = {}

    def digest(self, image: str) -> str:
        return "sha256:1"

    def run(self, job: Job) -> tuple[CommandResult, ...]:
        self.jobs.append(job)
        if "/harness/command.sh" in job.files:
            return (CommandResult(0, "".join([f"tree {TREE}\n", *(f"file {p}\n" for p in PATHS)]).encode(), 0.1),)
        patch = job.files["/harness/patch.diff"]
        number = self.runs[patch] = self.runs.get(patch, -1) + 1
        said = self.says(patch, number)
        watched = [path.removeprefix("/testbed/") for path in job.commands[0].watched]
        contents = {f"/testbed/{path}": "1f" for path in watched}
        prepared = "".join(f"expected 100644 1f 0 {path}\n" for path in watched)
        preparing = CommandResult(0, prepared.encode(), 0.1, contents=contents)
        if isinstance(said, CommandResult):
            return preparing, said
        failed = "FAILED" in said or "ERROR" in said
        touched = self.touched if b"special" in patch else ()
        return preparing, CommandResult(int(failed), said.encode(), 1.0, contents=contents, touched=touched)


@pytest.fixture
def testbed(instance) -> Testbed:
    script = render_script(instance, "python -m pytest -rA tests/test_a.py")
    return Testbed(instance, Specification(script, "parse_log_pytest", "pass_and_fail"), "image")


@pytest.fixture
def make(tmp_path: Path, monkeypatch):
    """Makes what compares; each call stands for another start in the same folder."""
    monkeypatch.setattr(retry, "RETRY_SECONDS", (0.0, 0.0))
    journals: list[Journal] = []

    def make(sandbox: Suites, folder: str = "run", not_enforced: tuple = (), **settings) -> WholeSuites:
        journal = Journal(tmp_path / folder / "suites.jsonl")
        journals.append(journal)
        limits = limits_with(not_enforced=not_enforced)
        return WholeSuites(
            Evaluator(sandbox, journal, tmp_path / folder / "logs", limits),
            CommandRunner(sandbox, journal, tmp_path / folder / "commands", limits),
            journal,
            lambda *question: read_statuses(*question)[0],
            SuiteSettings(limits, **settings),
            tmp_path / "references",
        )

    yield make
    for journal in journals:
        journal.close()


def resolved(testbed: Testbed, key: str = "v1") -> Verdict:
    return Verdict(
        instance_id=testbed.instance.instance_id,
        outcome=Outcome.RESOLVED,
        phase=Phase.GRADE,
        key=key,
        image_digest="sha256:1",
    )


def breaks_b(patch: bytes, number: int) -> str:
    return log_of(a="PASSED", b="FAILED", c="PASSED") if b"special" in patch else ALL_PASS


def test_the_suite_is_every_test_file_as_the_data_set_has_it(testbed: Testbed) -> None:
    bed, files = suite_testbed(testbed, TrackedFiles(TREE, PATHS), ())
    assert files == 3
    assert "pytest -rA tests/deep/test_c.py tests/test_a.py tests/test_b.py\n" in bed.specification.script
    assert bed.restored == ("tests/deep/test_c.py", "tests/test_b.py")  # the row's own come from its test patch
    assert f"git checkout -q {TREE} --" in bed.specification.script
    assert bed.watched == ("tests/deep/test_c.py", "tests/test_a.py", "tests/test_b.py")


def test_files_under_other_configuration_are_run_by_themselves(testbed: Testbed) -> None:
    """Flask's examples have a conftest.py that imports a package of theirs: no test of Flask's had a result."""
    conftests = ("tests/conftest.py", "examples/x/conftest.py", "examples/x/tests/conftest.py")
    tests = ("tests/test_a.py", "examples/x/tests/test_x.py", "examples/test_y.py", "tests/deep/test_c.py")
    bed, files = suite_testbed(testbed, TrackedFiles(TREE, (*conftests, *tests)), ())
    assert files == 4
    commands = [line for line in bed.specification.script.splitlines() if "pytest -rA" in line]
    assert [command.split(" -rA ")[1] for command in commands] == [
        "examples/test_y.py",
        "examples/x/tests/test_x.py",
        "tests/deep/test_c.py tests/test_a.py",
    ]
    assert f"{commands[-1]}\ntrue\n: '" in bed.specification.script


@pytest.mark.parametrize(
    ("named", "run"),
    [
        (["tests/test_b.py"], "tests/test_b.py"),
        (["tests/deep/*"], "tests/deep/test_c.py"),
        (["tests/test_a.py", "tests/test_[ab].py", "elsewhere.py"], "tests/test_a.py tests/test_b.py"),
    ],
)
def test_named_files_are_run_alone_and_all_are_put_back(testbed: Testbed, named: list[str], run: str) -> None:
    bed, _ = suite_testbed(testbed, TrackedFiles(TREE, PATHS), named)
    assert f"pytest -rA {run}\n" in bed.specification.script
    assert len(bed.restored) == 2


def test_a_file_that_the_test_patch_deletes_is_not_run(instance) -> None:
    gone = "--- a/tests/test_b.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    instance = instance.model_copy(update={"test_patch": instance.test_patch + gone})
    script = render_script(instance, "pytest tests/test_a.py")
    bed = Testbed(instance, Specification(script, "parse_log_pytest", "pass_and_fail"), "image")
    assert (
        "pytest tests/deep/test_c.py tests/test_a.py\n"
        in suite_testbed(bed, TrackedFiles(TREE, PATHS), ())[0].specification.script
    )


def test_what_has_no_suite_says_why(instance, testbed: Testbed) -> None:
    with pytest.raises(NoSuiteError, match="none of its 3 test files"):
        suite_testbed(testbed, TrackedFiles(TREE, PATHS), ["nothing.py"])
    many = tuple(f"tests/test_{number:06}.py" for number in range(8000))
    with pytest.raises(NoSuiteError, match="8001 test files are more than one command takes"):
        suite_testbed(testbed, TrackedFiles(TREE, many), ())
    whole = Testbed(instance, Specification(render_script(instance, "make check"), "parse_log_pytest", ""), "image")
    with pytest.raises(NoSuiteError, match="names no test files"):
        suite_testbed(whole, TrackedFiles(TREE, PATHS), ["tests/test_b.py"])
    assert "make check\n" in suite_testbed(whole, TrackedFiles(TREE, PATHS), ())[0].specification.script


def test_what_passes_with_gold_and_fails_with_the_patch_is_broken(make, testbed: Testbed) -> None:
    sandbox = Suites(breaks_b)
    verdict = make(sandbox).compared(testbed, OTHER, resolved(testbed))
    suite = verdict.whole_suite
    assert verdict.outcome is Outcome.RESOLVED
    assert (suite.state, suite.passing, suite.breaks) == (SuiteState.COMPARED, 3, {B: "FAILED"})
    assert (verdict.resolved, verdict.breaks_nothing, verdict.known) == (True, False, False)
    assert (suite.files, suite.repeats, len(suite.keys)) == (3, 3, 5)  # three of gold, two of the patch
    assert len(sandbox.jobs) == 6


def test_gold_itself_is_run_once_more_and_breaks_nothing(make, testbed: Testbed) -> None:
    sandbox = Suites(breaks_b)
    verdict = make(sandbox).compared(testbed, testbed.instance.patch, resolved(testbed))
    assert verdict.breaks_nothing
    assert len(sandbox.jobs) == 5


@pytest.mark.parametrize("status", ["ERROR", "SKIPPED", None])
def test_a_test_without_a_pass_is_broken(make, testbed: Testbed, status: str | None) -> None:
    def says(patch: bytes, number: int) -> str:
        b = {} if status is None else {"b": status}
        return log_of(a="PASSED", **b, c="PASSED") if b"special" in patch else ALL_PASS

    suite = make(Suites(says)).compared(testbed, OTHER, resolved(testbed)).whole_suite
    assert suite.breaks == {B: status or "no result"}


def test_a_test_that_is_flaky_with_gold_says_nothing(make, testbed: Testbed) -> None:
    def says(patch: bytes, number: int) -> str:
        fails = b"special" in patch or number == 1
        return log_of(a="PASSED", b="FAILED" if fails else "PASSED", c="PASSED")

    suite = make(Suites(says)).compared(testbed, OTHER, resolved(testbed)).whole_suite
    assert (suite.flaky, suite.passing, suite.breaks) == ((B,), 2, {})


def test_what_fails_once_with_the_patch_and_then_passes_is_unsteady(make, testbed: Testbed) -> None:
    def says(patch: bytes, number: int) -> str:
        fails = b"special" in patch and number == 0
        return log_of(a="PASSED", b="FAILED" if fails else "PASSED", c="PASSED")

    suite = make(Suites(says)).compared(testbed, OTHER, resolved(testbed)).whole_suite
    assert (suite.breaks, suite.unsteady, suite.breaks_nothing) == ({}, (B,), True)


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (CommandResult(None, b"", 9.0, timed_out=True), "timeout: stopped after 9 s"),
        (CommandResult(137, b"", 9.0, out_of_memory=True), "out-of-memory: a process was killed for memory"),
        (CommandResult(2, b"usage: pytest\n", 9.0), "no-results: no test result in the log"),
    ],
)
@pytest.mark.parametrize("whose", ["gold", "patch"])
def test_a_suite_that_comes_to_no_results_is_not_run(make, testbed: Testbed, ended, said: str, whose: str) -> None:
    def says(patch: bytes, number: int) -> str | CommandResult:
        return ended if (b"special" in patch) == (whose == "patch") else ALL_PASS

    suite = make(Suites(says)).compared(testbed, OTHER, resolved(testbed)).whole_suite
    where = "with the patch: " if whose == "patch" else "with the gold patch, run 1 of 3: "
    assert (suite.state, suite.detail, suite.breaks_nothing) == (SuiteState.NOT_RUN, where + said, False)


def test_a_reference_in_which_nothing_passes_is_not_run(make, testbed: Testbed) -> None:
    sandbox = Suites(lambda patch, number: log_of(a="FAILED"))
    suite = make(sandbox).compared(testbed, OTHER, resolved(testbed)).whole_suite
    assert (suite.state, suite.detail) == (
        SuiteState.NOT_RUN,
        "no test passes with the gold patch in every run",
    )


def test_writing_to_a_test_file_while_the_tests_run_is_no_comparison(make, testbed: Testbed) -> None:
    """A patch could otherwise rewrite the other test files when it is imported."""
    sandbox = Suites(lambda patch, number: ALL_PASS, touched=("/testbed/tests/test_b.py",))
    suite = make(sandbox).compared(testbed, OTHER, resolved(testbed)).whole_suite
    assert suite.state is SuiteState.NOT_RUN
    assert suite.detail == "with the patch: test file put back: tests/test_b.py"


def test_only_what_is_resolved_is_compared(make, testbed: Testbed) -> None:
    sandbox = Suites(breaks_b)
    verdict = resolved(testbed).model_copy(update={"outcome": Outcome.UNRESOLVED})
    assert make(sandbox).compared(testbed, OTHER, verdict) == verdict
    assert sandbox.jobs == []


def test_a_second_start_asks_nothing_twice(make, testbed: Testbed) -> None:
    first = make(Suites(breaks_b)).compared(testbed, OTHER, resolved(testbed))
    sandbox = Suites(breaks_b)
    again = make(sandbox).compared(testbed, OTHER, resolved(testbed))
    assert (again.whole_suite, sandbox.jobs) == (first.whole_suite, [])


def test_the_reference_is_shared_between_run_folders(make, testbed: Testbed) -> None:
    make(Suites(breaks_b)).compared(testbed, OTHER, resolved(testbed))
    sandbox = Suites(breaks_b)
    suite = make(sandbox, "another").compared(testbed, OTHER, resolved(testbed)).whole_suite
    assert suite.breaks == {B: "FAILED"}
    assert len(sandbox.jobs) == 3  # the files, and the patch twice


@pytest.mark.parametrize("settings", [{"files": ("tests/test_a.py",)}, {"repeats": 1}, {"not_enforced": ("memory",)}])
def test_other_settings_are_another_question(make, testbed: Testbed, settings: dict) -> None:
    make(Suites(breaks_b)).compared(testbed, OTHER, resolved(testbed))
    sandbox = Suites(breaks_b)
    suite = make(sandbox, **settings).compared(testbed, OTHER, resolved(testbed)).whole_suite
    assert sandbox.jobs
    assert suite.files == (1 if "files" in settings else 3)


def test_what_the_machine_ended_is_not_kept(make, testbed: Testbed) -> None:
    def gone(patch: bytes, number: int) -> str:
        raise InfrastructureError("daemon gone")

    suite = make(Suites(gone)).compared(testbed, OTHER, resolved(testbed)).whole_suite
    assert (suite.state, "daemon gone" in suite.detail) == (SuiteState.UNDONE, True)
    assert make(Suites(breaks_b)).compared(testbed, OTHER, resolved(testbed)).whole_suite.breaks == {B: "FAILED"}


def test_a_log_that_is_gone_breaks_nothing(make, testbed: Testbed, tmp_path: Path) -> None:
    """Without its log a recorded run would read as one in which no test has a result."""
    make(Suites(breaks_b)).compared(testbed, OTHER, resolved(testbed))
    for log in (tmp_path / "run" / "logs").glob("*.log"):
        log.unlink()
    suite = make(Suites(breaks_b)).compared(testbed, OTHER, resolved(testbed, "v2")).whole_suite
    assert (suite.state, suite.breaks) == (SuiteState.UNDONE, {})
    assert "is gone" in suite.detail


def test_regrading_recalls_the_latest_comparison(make, testbed: Testbed, tmp_path: Path) -> None:
    make(Suites(breaks_b)).compared(testbed, OTHER, resolved(testbed))
    with Journal(tmp_path / "run" / "suites.jsonl") as journal:
        assert recalled_suite(latest_suites(journal), resolved(testbed)).whole_suite.breaks == {B: "FAILED"}
        assert recalled_suite(latest_suites(journal), resolved(testbed, "v2")).whole_suite is None
