"""Logs that real runners printed of honest, noisy tests: none of them earns a flag.

Each file in ``honest/`` begins with a line of JSON: the parser's name, and the exit status of the test command. All of
pytest's forms (colours, widths, verbosity, xdist, sugar, coverage, random order, live logs), unittest, Django, SymPy,
and cargo.
"""

import json
from pathlib import Path

import pytest

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.grading.judge import weigh
from harness.grading.log_grading import PASSING, log_text, read_statuses
from harness.grading.specification import END_MARKER, START_MARKER, Specification

LOGS = sorted((Path(__file__).parent / "honest").glob("*.log"))


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_an_honest_log_earns_no_flag(path: Path, row) -> None:
    head, _, output = path.read_bytes().partition(b"\n")
    facts = json.loads(head)
    text = f"{START_MARKER} 1\n{log_text(output)}\n{END_MARKER} 1\n"
    specification = Specification("", facts["parser"], "pass_and_fail")
    statuses, problem = read_statuses(Instance.model_validate(row()), specification, text, facts["exit_status"])
    assert not problem
    passing = [test for test, status in statuses.items() if status in PASSING]
    assert passing
    instance = Instance.model_validate(row(FAIL_TO_PASS=passing[:1], PASS_TO_PASS=passing[1:]))
    found, flags = weigh(instance, specification, text, facts["exit_status"], ())
    assert found.outcome is Outcome.RESOLVED
    assert flags == []


def test_a_runner_without_a_closing_line_of_its_own_is_not_asked_for_one(row) -> None:
    """Every honest log of the other languages' runners used to be flagged."""
    log = f"{START_MARKER} 1\n--- PASS: TestA (0.00s)\n--- PASS: TestB (0.00s)\nok  \tx\t0.1s\n{END_MARKER} 1\n"
    instance = Instance.model_validate(row(FAIL_TO_PASS=["TestA"], PASS_TO_PASS=["TestB"]))
    found, flags = weigh(instance, Specification("", "parse_log_gotest", "pass_and_fail"), log, 0, ())
    assert (found.outcome, flags) == (Outcome.RESOLVED, [])


def test_there_are_logs_of_all_these_runners() -> None:
    assert len(LOGS) >= 25
