"""What a test log that an evaluation left behind says of every test."""

from collections.abc import Callable, Mapping

from harness.core.instance import Instance
from harness.core.verdict import Verdict
from harness.grading.evaluator import Evaluator
from harness.grading.job import read_log
from harness.grading.log_grading import log_text
from harness.grading.specification import Specification
from harness.grading.testbed import Testbed

Statuses = Callable[[Instance, Specification, str, int | None], Mapping[str, str]]  # as `LogWorkers.statuses`


def kept_statuses(evaluator: Evaluator, statuses: Statuses, testbed: Testbed, verdict: Verdict) -> Mapping[str, str]:
    """Status by test id of an evaluation; none if its tests never began, or its log can't be read."""
    log = evaluator.log_path(verdict)
    region = read_log(log.read_bytes(), verdict.nonce) if verdict.nonce and log.is_file() else None
    if region is None:
        return {}
    return statuses(testbed.instance, testbed.specification, log_text(region), verdict.exit_status)
