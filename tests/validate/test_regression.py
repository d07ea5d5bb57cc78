import pytest
from benches import NOT_APPLIED, ScriptedBench, printed
from doubles import ScriptedModel

from harness.config.schema import RegressionConfig
from harness.core.interfaces import CUT, Answer
from harness.core.location import Location
from harness.model.prompts import Prompts
from harness.repo.memory_snapshot import MemorySnapshot
from harness.validate.regression import (
    Regression,
    RegressionReason,
    count_failures,
    find_regression,
    pick_test_files,
    read_test_names,
)

SNAPSHOT = MemorySnapshot({"a.py": b"", "tests/test_a.py": b"", "tests/test_other.py": b""})
BASE = printed("PASSED tests/test_a.py::one", "PASSED tests/test_a.py::two", "FAILED tests/test_a.py::bad", status=1)


async def find(instance, answer, run, context: int = 100_000, files: int = 1) -> tuple[Regression, ScriptedBench]:
    scripted = ScriptedBench(instance, lambda *_: run)
    model = ScriptedModel([answer], context)
    config = RegressionConfig(enabled=True, files=files)
    locations = [Location("a.py")]
    found = await find_regression(model, Prompts("agentless"), config, scripted.bench, SNAPSHOT, locations)
    return found, scripted


async def test_tests_that_pass_on_the_base_less_those_that_the_model_strikes_out(instance):
    found, scripted = await find(instance, "Only this:\n```\ntests/test_a.py::two\ntests/test_a.py::bad\n```", BASE)
    assert found.tests == ("tests/test_a.py::one",)
    assert found.struck == ("tests/test_a.py::two",)
    assert found.reason is None
    assert found.files == ("tests/test_a.py",)
    assert found.cost.prompt_tokens > 0
    [(script, patch)] = scripted.runs
    assert patch == ""
    assert "git checkout HEAD -- tests/test_a.py\n" in script.text
    assert "test_new" not in script.text, "the hidden test must not come in"


@pytest.mark.parametrize("end", CUT)
async def test_a_cut_answer_strikes_out_nothing_and_says_so(instance, end):
    cut = Answer("tests/test_a.py::two", end, 9, 9, 0.1)
    found, _ = await find(instance, cut, BASE)
    assert len(found.tests) == 2
    assert found.unread == "cut after 9 tokens"


async def test_no_room_to_ask_leaves_every_test(instance):
    found, _ = await find(instance, "", BASE, context=1100)
    assert len(found.tests) == 2
    assert "no room" in found.unread


@pytest.mark.parametrize(
    ("answer", "run", "reason"),
    [
        ("tests/test_a.py::one\ntests/test_a.py::two", BASE, RegressionReason.ALL_STRUCK),
        ("", printed("FAILED tests/test_a.py::bad", status=1), RegressionReason.NO_PASSING_TESTS),
        ("", printed("collection error", status=2), RegressionReason.NO_PASSING_TESTS),
        ("", None, RegressionReason.INFRASTRUCTURE),
    ],
)
async def test_every_lack_of_tests_has_its_reason(instance, answer, run, reason):
    found, _ = await find(instance, answer, run)
    assert (found.tests, found.reason) == ((), reason)
    assert found.detail


async def test_a_file_that_ends_the_run_of_all_leaves_the_most_relevant_one(instance):
    """pytest runs nothing where one of several files can't be collected: seen in pytest's own example scripts."""

    def collect(script, patch):
        return printed("ERROR tests/test_other.py", status=2) if "test_other" in script.text else BASE

    scripted = ScriptedBench(instance, collect)
    found = await find_regression(
        ScriptedModel(["none"]),
        Prompts("compact"),
        RegressionConfig(enabled=True, files=2),
        scripted.bench,
        SNAPSHOT,
        [Location("a.py")],
    )
    assert (found.files, len(found.tests)) == (("tests/test_a.py",), 2)
    assert len(scripted.runs) == 2
    assert found.script == scripted.runs[1][0]


async def test_a_repository_without_test_files(instance):
    scripted = ScriptedBench(instance, lambda *_: BASE)
    snapshot = MemorySnapshot({"a.py": b""})
    found = await find_regression(
        ScriptedModel([""]), Prompts("compact"), RegressionConfig(enabled=True), scripted.bench, snapshot, ()
    )
    assert found.reason is RegressionReason.NO_TEST_FILES
    assert scripted.runs == []


def test_test_files_are_picked_by_the_localized_files_and_the_issue(instance):
    bench = ScriptedBench(instance, lambda *_: BASE).bench
    paths = ["tests/test_config.py", "tests/test_views.py", "tests/test_zebra.py", "tests/deep/test_views.py"]
    assert pick_test_files(bench, [Location("src/views.py")], paths, 2) == [paths[1], paths[3]]
    asked = instance.model_copy(update={"problem_statement": "The zebra is wrong."})
    bench = ScriptedBench(asked, lambda *_: BASE).bench
    assert pick_test_files(bench, [], paths, 1) == [paths[2]]


@pytest.mark.parametrize(
    ("run", "failures"),
    [
        (printed("PASSED tests/test_a.py::one", "PASSED tests/test_a.py::two"), 0),
        (printed("PASSED tests/test_a.py::one", "FAILED tests/test_a.py::two", status=1), 1),
        (printed("PASSED tests/test_a.py::one"), 1),
        (printed("ERROR collecting", status=2), 2),
        (NOT_APPLIED, 2),
        (None, None),
    ],
)
async def test_failures_of_a_patch(instance, run, failures):
    tests = Regression(("tests/test_a.py::one", "tests/test_a.py::two"))
    scripted = ScriptedBench(instance, lambda *_: run)
    assert await count_failures(scripted.bench, tests, "a patch") == failures
    assert scripted.runs == [(tests.script, "a patch")]


def test_names_are_read_as_they_were_given_and_nothing_else():
    tests = ["test_x (mod.Case)", "a::b", "a::c"]
    text = "<think>a::c</think>\n1. `a::b`\n - test_x (mod.Case)\na::c is fine\na::unknown"
    assert read_test_names(text, tests) == ("test_x (mod.Case)", "a::b")
