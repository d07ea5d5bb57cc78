import pytest

from harness.core.instance import Instance
from harness.core.interfaces import CommandResult
from harness.core.verdict import Outcome
from harness.grading.job import FileIds
from harness.grading.judge import changed_files, judge, weigh
from harness.grading.specification import Specification
from harness.grading.testbed import Testbed

SPECIFICATION = Specification("", "parse_log_pytest", "pass_and_fail")
NEW, OLD = "tests/test_a.py::test_new", "tests/test_a.py::test_old"
CLOSE = "===== 2 passed, 1 warning in 0.12s =====\n"


@pytest.mark.parametrize(
    ("expected", "present", "after", "said"),
    [
        ({"t": "1"}, {"t": "1"}, {"/testbed/t": "1"}, []),
        ({"t": "1"}, {"t": "2"}, {"/testbed/t": "1"}, ["t was not restored"]),
        ({"t": "1"}, {"t": "1"}, {"/testbed/t": "2"}, ["t changed while the tests ran"]),
        ({"t": "1"}, {"t": "1"}, {}, ["t changed while the tests ran"]),
        ({"other": "1"}, {}, {}, []),
        ({"other": "1"}, {}, {"/testbed/t": "2"}, ["t changed while the tests ran"]),
        (None, {"t": "1"}, {"/testbed/t": "2"}, ["t changed while the tests ran"]),
        (None, {"t": "1"}, {"/testbed/t": "1"}, []),
    ],
)
def test_files_that_changed(expected, present, after, said) -> None:
    assert changed_files(["t"], FileIds(expected, present), after) == said


def test_a_progress_line_that_ends_in_a_carriage_return_hides_no_result(instance: Instance) -> None:
    contents = {"/testbed/tests/test_a.py": "1f"}
    preparing = CommandResult(0, b"expected 100644 1f 0 tests/test_a.py\n", 0.1, contents=contents)
    output = f"working 50%\rPASSED {NEW}\r\nPASSED {OLD}\n{CLOSE}".encode()
    verdict = judge(
        Testbed(instance, SPECIFICATION, "image"),
        (preparing, CommandResult(0, output, 1.0, contents=contents)),
        "n",
        (),
        weigh,
    )
    assert (verdict.outcome, verdict.flags) == (Outcome.RESOLVED, ())
