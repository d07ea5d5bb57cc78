import pytest

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.grading.log_grading import grade, log_text, official_spec
from harness.grading.specification import END_MARKER, START_MARKER, Specification

SPECIFICATION = Specification("", "parse_log_pytest", "pass_and_fail")
NEW, OLD = "tests/test_a.py::test_new", "tests/test_a.py::test_old"


def log(*lines: str) -> str:
    return "\n".join(["+ git checkout", f"+ : '{START_MARKER}'", *lines, f"+ : '{END_MARKER}'", ""])


@pytest.mark.parametrize(
    ("text", "status", "outcome"),
    [
        (log(f"PASSED {NEW}", f"PASSED {OLD}"), 0, Outcome.RESOLVED),
        (log(f"PASSED {NEW}", f"FAILED {OLD} - boom"), 1, Outcome.UNRESOLVED),
        (log(f"FAILED {NEW} - boom", f"PASSED {OLD}"), 1, Outcome.UNRESOLVED),
        (log(f"PASSED {OLD}"), 0, Outcome.UNRESOLVED),
        (log(f"SKIPPED {NEW}", f"PASSED {OLD}"), 0, Outcome.UNRESOLVED),
        (log(f"PASSED {NEW}", f"SKIPPED {OLD}"), 0, Outcome.RESOLVED),
        (log(f"PASSED {NEW}", f"PASSED {OLD}"), 1, Outcome.NO_RESULTS),
        (log("nothing of use"), 1, Outcome.NO_RESULTS),
        ("fatal: the test patch does not apply", 97, Outcome.NO_RESULTS),
        (log(f"PASSED {NEW}", f"PASSED {OLD}").replace(END_MARKER, "cut"), 137, Outcome.NO_RESULTS),
    ],
)
def test_outcomes(instance: Instance, text: str, status: int, outcome: Outcome) -> None:
    found = grade(instance, SPECIFICATION, text, status)
    assert found.outcome is outcome
    assert bool(found.detail) == (outcome is Outcome.NO_RESULTS)


def test_tests_are_told_apart(instance: Instance) -> None:
    found = grade(instance, SPECIFICATION, log(f"PASSED {NEW}", f"FAILED {OLD} - boom"), 1)
    assert found.fail_to_pass_success == (NEW,)
    assert found.pass_to_pass_failure == (OLD,)


def test_an_end_marker_printed_by_the_tests_does_not_end_the_log(instance: Instance) -> None:
    text = log(f"PASSED {NEW}", f"PASSED {OLD}", END_MARKER, f"FAILED {OLD} - the truth")
    assert grade(instance, SPECIFICATION, text, 1).outcome is Outcome.UNRESOLVED


def test_verdicts_equal_the_official_grading_of_the_same_log(instance: Instance, tmp_path) -> None:
    from swebench.harness.constants import TEST_EXIT_CODE
    from swebench.harness.grading import get_eval_report
    from swebench.types import TestSpec

    spec = TestSpec(
        instance.instance_id, "", [], "", "", list(instance.fail_to_pass), list(instance.pass_to_pass),
        "parse_log_pytest", "pass_and_fail",
    )  # fmt: skip
    prediction = {"instance_id": instance.instance_id, "model_patch": "x", "model_name_or_path": "m"}
    for new in ("PASSED", "FAILED", "SKIPPED", "XFAIL", "ERROR", None):
        for old in ("PASSED", "FAILED", "SKIPPED", "XFAIL", "ERROR", None):
            for status in (0, 1):
                text = log(*(f"{s} {t}" for s, t in ((new, NEW), (old, OLD)) if s))
                path = tmp_path / "log"
                path.write_text(f"{text}{TEST_EXIT_CODE}: {status}\n")
                official = get_eval_report(spec, prediction, str(path), False)[instance.instance_id]["resolved"]
                ours = grade(instance, SPECIFICATION, text, status).outcome is Outcome.RESOLVED
                assert ours == official, (new, old, status)


@pytest.mark.parametrize(
    ("lines", "matched", "ambiguous", "holds"),
    [
        (("PASSED t.py::t[a", "FAILED t.py::t[a-b]"), (), (), True),
        (("PASSED t.py::t[a-b]",), ("t.py::t[a",), (), True),
        (("PASSED t.py::t[a-b]", "XFAIL t.py::t[a-c]"), ("t.py::t[a",), (), True),
        (("PASSED t.py::t[a-b]", "FAILED t.py::t[a-c]"), (), ("t.py::t[a",), False),
        (("FAILED t.py::t[a-b]",), ("t.py::t[a",), (), False),
        (("PASSED t.py::t[b]",), (), (), False),
    ],
)
def test_cut_ids_stand_for_tests_that_agree_and_are_counted(row, lines, matched, ambiguous, holds: bool) -> None:
    instance = Instance.model_validate(row(PASS_TO_PASS='["t.py::t[a"]'))
    found = grade(instance, SPECIFICATION, log(f"PASSED {NEW}", *lines), None)
    assert (found.cut_ids_matched, found.cut_ids_ambiguous) == (matched, ambiguous)
    assert bool(found.pass_to_pass_success) is holds


@pytest.mark.parametrize("gap", [b"\r", b"\r\n", b"\r\r\n", b"progress 10%\r", b"progress 10%\r\n", b"\n\r"])
def test_a_carriage_return_ends_a_line_as_it_does_for_the_official_grading(instance: Instance, tmp_path, gap) -> None:
    """A progress line that ends in a carriage return used to hide the result behind it."""
    from swebench.harness.constants import TEST_EXIT_CODE
    from swebench.harness.grading import get_eval_report

    text = log(f"PASSED {OLD}", f"@PASSED {NEW}").encode().replace(b"@", gap)
    path = tmp_path / "log"
    path.write_bytes(text + f"{TEST_EXIT_CODE}: 0\n".encode())
    prediction = {"instance_id": instance.instance_id, "model_patch": "x", "model_name_or_path": "m"}
    official = get_eval_report(official_spec(instance, SPECIFICATION), prediction, str(path), False)
    assert official[instance.instance_id]["resolved"]
    assert grade(instance, SPECIFICATION, log_text(text), 0).outcome is Outcome.RESOLVED
