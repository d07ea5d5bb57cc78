import pytest

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.grading.job import marked
from harness.grading.log_flags import run_flags
from harness.grading.log_grading import LogGrade
from harness.grading.specification import Specification

SPECIFICATION = Specification("", "parse_log_pytest", "pass_and_fail")
NEW, OLD = "tests/test_a.py::test_new", "tests/test_a.py::test_old"
CLOSE = "===== 2 passed, 1 warning in 0.12s =====\n"


def flags(instance: Instance, text: str, outcome: Outcome = Outcome.RESOLVED) -> list[str]:
    return run_flags(instance, SPECIFICATION, marked(text.encode(), "n").decode(), 0, LogGrade(outcome))


def test_honest_logs_earn_no_flag(instance: Instance) -> None:
    assert flags(instance, f"PASSED {NEW}\nPASSED {OLD}\n{CLOSE}") == []
    assert flags(instance, f"PASSED {NEW}\nPASSED {NEW}\nXFAIL {NEW}\nPASSED {OLD}\n{CLOSE}") == []
    # what ends no line for the parsers ends none here
    for sign in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029":
        assert flags(instance, f"page{sign}FAILED {NEW} - one of a log\nPASSED {NEW}\nPASSED {OLD}\n{CLOSE}") == []


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        (f"PASSED {NEW}\nPASSED {OLD}\n", "no closing line"),
        (f"FAILED {NEW} - truth\nPASSED {OLD}\n{CLOSE}PASSED {NEW}\n", f"contradictory results: {NEW}"),
        (f"PASSED {NEW}\nPASSED {OLD}\n{CLOSE}FAILED {NEW} - truth\n", f"contradictory results: {NEW}"),
    ],
)
def test_output_that_does_not_fit_together(instance: Instance, text: str, flag: str) -> None:
    assert any(found.startswith(flag) for found in flags(instance, text))
    assert flags(instance, text, Outcome.UNRESOLVED) == []


@pytest.mark.parametrize(
    "closing",
    [
        "\x1b[32m\x1b[1m======== 2 passed\x1b[0m\x1b[32m in 0.12s\x1b[0m\x1b[32m ========\x1b[0m",
        "\x1b[33m=== \x1b[32m2 passed\x1b[0m, \x1b[33m\x1b[1m1 warning\x1b[0m\x1b[33m in 1.20s (0:00:01)\x1b[0m ===",
        "2 passed, 1 skipped in 0.12s",
        "Ran 2 tests in 0.002s",
        "=========== tests finished: 2 passed, in 0.33 seconds ============",
        " tests finished: 212 passed, 1 failed, 12 skipped, 10 expected to fail, 1 exceptions, in 1010.21 seconds ",
        "tests finished: 212 passed, 12 skipped, 10 expected to fail, in 1010.21 seconds",
    ],
)
def test_every_runner_s_closing_line_is_known(instance: Instance, closing: str) -> None:
    assert flags(instance, f"PASSED {NEW}\nPASSED {OLD}\n{closing}\n") == []


DJANGO = Specification("", "parse_log_django", "pass_and_fail")
SHARED = "The form is valid."
HONEST = f"""\
test_form (forms.tests.ATest)
{SHARED} ... FAIL
test_form (forms.tests.BTest)
{SHARED} ... ok
test_new (forms.tests.BTest) ... ok
test_other (forms.tests.DTest) ... FAIL

{{extra}}----------------------------------------------------------------------
Ran {{ran}} tests in 0.012s

FAILED (failures=2)
"""


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        (HONEST.format(ran=4, extra=""), False),
        (HONEST.format(ran=4, extra=f"{SHARED} ... ok\n"), True),
        (HONEST.format(ran=4, extra=f"test_form (forms.tests.CTest)\n{SHARED} ... ok\n"), True),
        (HONEST.format(ran=4, extra="Ran 4 tests in 0.1s\n"), True),
        (HONEST.format(ran=3, extra=""), True),
        (HONEST.format(ran=4, extra="").replace("BTest)\nThe", "ATest)\nThe"), True),
    ],
    ids=["honest", "one printed", "one printed with a name", "two ends", "too few ran", "one test twice"],
)
def test_tests_that_share_a_docstring_do_not_contradict_each_other(row, text: str, flagged: bool) -> None:
    """Each test of the benchmark's Django rows that has a docstring is known by its first line alone."""
    instance = Instance.model_validate(
        row(PASS_TO_PASS=f'["{SHARED}"]', FAIL_TO_PASS='["test_new (forms.tests.BTest)"]')
    )
    found = run_flags(instance, DJANGO, marked(text.encode(), "n").decode(), 1, LogGrade(Outcome.RESOLVED))
    assert any(flag.startswith("contradictory results") for flag in found) is flagged
