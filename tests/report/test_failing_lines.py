"""Which lines of a log belong to a failing test, in the logs of several runners."""

import pytest

from harness.report.failing_lines import LINES, failing_lines

UNITTEST = """\
test_x (app.tests.Case) ... FAIL
test_xy (app.tests.Case) ... FAIL
======================================================================
FAIL: test_x (app.tests.Case) (i=3)
----------------------------------------------------------------------
Traceback (most recent call last):
AssertionError: 1 != 2

======================================================================
FAIL: test_xy (app.tests.Case)
----------------------------------------------------------------------
other
----------------------------------------------------------------------
Ran 2 tests
"""
COLLECTING = """\
____________ ERROR collecting tests/test_m.py ____________
E   ImportError: no x
=========== short test summary info ===========
ERROR tests/test_m.py
"""
SETUP = "_____ ERROR at setup of Case.test_x _____\nE   no fixture\n===== 1 error =====\n"
SYMPY = "_____ sympy/core/tests/test_m.py:test_x _____\nAssertionError\n====== tests finished ======\n"


@pytest.mark.parametrize(
    ("log", "test", "shown"),
    [
        (UNITTEST, "test_x (app.tests.Case)", ["test_x (app.tests.Case) ... FAIL", "AssertionError: 1 != 2"]),
        (UNITTEST, "test_xy (app.tests.Case)", ["test_xy (app.tests.Case) ... FAIL", "other"]),
        (COLLECTING, "tests/test_m.py::test_x", ["E   ImportError: no x"]),
        (SETUP, "tests/test_m.py::Case::test_x", ["E   no fixture"]),
        (SYMPY, "test_x", ["AssertionError"]),
    ],
)
def test_a_report_begins_at_its_heading_and_ends_at_the_next(log, test, shown):
    lines = failing_lines(log.split("\n"), test)
    assert [line for line in shown if line not in lines] == []
    others = {"other", "AssertionError: 1 != 2", "Ran 2 tests", "===== 1 error =====", "ERROR tests/test_m.py"}
    assert others.isdisjoint(set(lines) - set(shown))


def test_a_long_report_is_cut_and_a_test_that_the_log_lacks_has_none():
    log = ["____ test_x ____", *("line" for _ in range(100))]
    assert len(failing_lines(log, "m.py::test_x")) == LINES
    assert failing_lines(log, "m.py::test_y") == []
