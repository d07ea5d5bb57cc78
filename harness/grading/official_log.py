"""Test logs that the official harness wrote, graded as that harness grades them.

Its logs have markers without a nonce, the test command's exit status in a line of their own, and marks of steps that
failed. Whatever the tests printed among these is read as the official grading reads it: nothing better can be known.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.core.instance import Instance
from harness.core.verdict import Outcome, Phase, Verdict
from harness.grading.judge import Weigh
from harness.grading.log_grading import log_text
from harness.grading.specification import END_MARKER, START_MARKER, Specification
from harness.grading.swebench_rules import (
    APPLY_PATCH_FAIL,
    RESET_FAILED,
    TESTS_ERROR,
    TESTS_TIMEOUT,
    parse_test_exit_code,
)

# What stands in a log of tests that did not come to their end.
ENDS: Mapping[str, tuple[Outcome, Phase, str]] = {
    APPLY_PATCH_FAIL: (Outcome.PATCH_FAILED, Phase.PATCH, "the patch did not apply"),
    RESET_FAILED: (Outcome.NO_RESULTS, Phase.SETUP, "the repository could not be reset"),
    TESTS_ERROR: (Outcome.NO_RESULTS, Phase.TESTS, "the tests ended with an error of their own"),
    TESTS_TIMEOUT: (Outcome.TIMEOUT, Phase.TESTS, "the tests took too long"),
}
TIMED_OUT = re.compile(r"Timeout error: \d+ seconds exceeded\.\s*\Z")  # ends the log of tests that were stopped
STOPPED = re.compile(r"Test timed out after [\d.]+ seconds")  # in what the harness says of its own work
REFUSED = re.compile(rf"{re.escape(APPLY_PATCH_FAIL)}:")


@dataclass(frozen=True)
class OfficialLog:
    """A log of tests, in parts as the official grading takes it."""

    text: str
    exit_status: int | None

    @property
    def end(self) -> tuple[Outcome, Phase, str] | None:
        """How the evaluation ended if it came to no results; None if the log is to be graded."""
        found = next((end for mark, end in ENDS.items() if mark in self.text), None)
        return found or (ENDS[TESTS_TIMEOUT] if TIMED_OUT.search(self.text) else None)

    @property
    def marked(self) -> str:
        """The log with one pair of markers, around what the official grading takes for the tests' output."""
        before, start, rest = self.text.partition(START_MARKER)
        if not start or END_MARKER not in self.text:
            return self.text
        region = rest.partition(START_MARKER)[0].partition(END_MARKER)[0]
        behind = rest[len(region) :].replace(START_MARKER, "").replace(END_MARKER, "")
        return f"{before.replace(END_MARKER, '')}{START_MARKER}{region}{END_MARKER}{behind}"


def read_official(log: bytes) -> OfficialLog:
    """A log as it lies in ``test_output.txt``: plain, or as the one JSON string that ``sb-cli`` writes."""
    text = log_text(log)
    if text.startswith('"'):
        try:
            dumped = json.loads(text)
        except ValueError:
            dumped = None
        text = log_text(dumped.encode("utf-8", "replace")) if isinstance(dumped, str) else text
    return OfficialLog(text, parse_test_exit_code(text))


def what_the_runner_says(text: str) -> tuple[Outcome, Phase, str] | None:
    """How an evaluation ended by ``run_instance.log``, if it came to no tests' end; None if nothing there says so."""
    if REFUSED.search(text):
        return ENDS[APPLY_PATCH_FAIL]
    return ENDS[TESTS_TIMEOUT] if STOPPED.search(text) else None


def official_verdict(instance: Instance, specification: Specification, log: OfficialLog, weigh: Weigh) -> Verdict:
    """The verdict that a log comes to by the benchmark's rules."""
    if log.end is not None:
        outcome, phase, detail = log.end
        return Verdict(instance_id=instance.instance_id, outcome=outcome, phase=phase, detail=detail)
    found, evidence = weigh(instance, specification, log.marked, log.exit_status, ())
    return Verdict(
        instance_id=instance.instance_id,
        phase=Phase.GRADE,
        exit_status=log.exit_status,
        flags=tuple(evidence),
        **vars(found),
    )
