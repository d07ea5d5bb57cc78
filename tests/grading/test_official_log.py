"""Logs of the official harness get the verdict that its own grading gives them, whatever stands in them."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from swebench.harness.grading import get_eval_report

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.grading.judge import weigh
from harness.grading.log_grading import official_spec
from harness.grading.official_log import official_verdict, read_official
from harness.grading.specification import Specification, log_specification

SPECIFICATION = Specification("", "parse_log_pytest", "pass_and_fail")
NEW, OLD = "tests/test_a.py::test_new", "tests/test_a.py::test_old"
PIECES = (
    ">>>>> Start Test Output",
    ">>>>> End Test Output",
    "+ : '>>>>> Start Test Output'",
    "+ : '>>>>> End Test Output'",
    f"PASSED {NEW}",
    f"FAILED {NEW} - assert 0",
    f"PASSED {OLD}",
    f"FAILED {OLD}",
    f"ERROR {OLD}",
    f"SKIPPED {NEW}",
    ">>>>> Test Exit Code: 0",
    ">>>>> Test Exit Code: 1",
    ">>>>> Applied Patch",
    ">>>>> Patch Apply Failed",
    ">>>>> Tests Timed Out",
    "1 passing",
    "a line\rof its own",
)


def theirs(instance: Instance, text: str) -> tuple[bool, dict[str, dict[str, list[str]]]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "test_output.txt"
        path.write_bytes(text.encode())
        prediction = {"instance_id": instance.instance_id, "model_name_or_path": "m", "model_patch": "p"}
        report = get_eval_report(official_spec(instance, SPECIFICATION), prediction, str(path), True)
    found = report[instance.instance_id]
    return found["resolved"], found.get("tests_status", {})


def same(instance: Instance, text: str) -> None:
    verdict = official_verdict(instance, SPECIFICATION, read_official(text.encode()), weigh)
    resolved, lists = theirs(instance, text)
    assert verdict.resolved is resolved
    graded = verdict.outcome in (Outcome.RESOLVED, Outcome.UNRESOLVED)
    assert graded is bool(lists)
    if graded:
        assert list(verdict.fail_to_pass_success) == lists["FAIL_TO_PASS"]["success"]
        assert list(verdict.pass_to_pass_failure) == lists["PASS_TO_PASS"]["failure"]


@given(pieces=some.lists(some.sampled_from(PIECES), max_size=12))
@settings(max_examples=400, deadline=None)
def test_the_verdict_is_that_of_the_official_grading(pieces: Sequence[str]) -> None:
    same(make_instance(), "\n".join(pieces) + "\n")


def make_instance() -> Instance:
    return Instance(
        instance_id="owner__name-1",
        repo="owner/name",
        base_commit="0" * 40,
        patch="p",
        test_patch="t",
        problem_statement="",
        FAIL_TO_PASS=(NEW,),
        PASS_TO_PASS=(OLD,),
    )


@pytest.mark.parametrize(
    "text",
    [
        f">>>>> Start Test Output\nPASSED {NEW}\nPASSED {OLD}\n" + ">>>>> End Test Output\n" * 2 + f"FAILED {OLD}\n",
        f"PASSED {NEW}\nPASSED {OLD}\n>>>>> Start Test Output\n>>>>> End Test Output\n",
        f">>>>> End Test Output\n>>>>> Start Test Output\nPASSED {NEW}\nPASSED {OLD}\n",
        f">>>>> Start Test Output\nPASSED {NEW}\n>>>>> Start Test Output\nFAILED {NEW}\n>>>>> End Test Output\n",
    ],
)
def test_markers_that_come_twice_are_read_as_there(text: str) -> None:
    same(make_instance(), text)


def test_a_classic_row_s_logs_are_read_by_its_repository_s_parser(row) -> None:
    flask = Instance.model_validate(row(repo="pallets/flask", version="2.0"))
    assert log_specification(flask).log_parser == "parse_log_flask"
    own = Instance.model_validate(row(log_parser="parse_log_cargo", eval_type="fail_only"))
    assert log_specification(own) == Specification("", "parse_log_cargo", "fail_only")
