"""From a test log to a verdict, by the benchmark's own parsers and grading rules (``swebench`` 5.x).

The invariant: a test counts as passed only when the log says that it passed, and a log whose results
contradict the test command's exit status is not graded at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.core.instance import Instance
from harness.core.verdict import Outcome
from harness.grading.specification import END_MARKER, START_MARKER, Specification
from harness.grading.swebench_rules import (
    PARSER_REGISTRY,
    SUITE_RAN,
    EvalType,
    ResolvedStatus,
    TestSpec,
    get_eval_tests_report,
    get_resolution_status,
)

GRADER = "4"  # part of every verdict's key: raise it when the same log may get another verdict
PASSING = ("PASSED", "XFAIL")


@dataclass(frozen=True)
class LogGrade:
    """What a log says of an instance's tests."""

    outcome: Outcome  # RESOLVED, UNRESOLVED or NO_RESULTS
    detail: str = ""
    fail_to_pass_success: tuple[str, ...] = ()
    fail_to_pass_failure: tuple[str, ...] = ()
    pass_to_pass_success: tuple[str, ...] = ()
    pass_to_pass_failure: tuple[str, ...] = ()
    cut_ids_matched: tuple[str, ...] = ()
    cut_ids_ambiguous: tuple[str, ...] = ()


def log_text(log: bytes) -> str:
    """Return a log as the official grading reads it: undecodable bytes replaced, every kind of line end as a line feed.

    That grading opens the log as a text file with universal newlines, so a lone carriage return ends a line, too.
    """
    return log.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def grader_version() -> str:
    """Names everything that turns a log into a verdict: this module and the parsers' release."""
    from importlib.metadata import version

    return f"{GRADER}/swebench-{version('swebench')}"


def grade(instance: Instance, specification: Specification, log: str, exit_status: int | None) -> LogGrade:
    """Grade one log. ``exit_status`` is the test command's, as the container engine reported it.

    FAIL_TO_PASS and PASS_TO_PASS must both hold whole for RESOLVED. Raises KeyError for a parser that
    the installed ``swebench`` does not have.
    """
    statuses, problem = read_statuses(instance, specification, log, exit_status)
    if problem:
        return LogGrade(Outcome.NO_RESULTS, problem)
    expected = {"FAIL_TO_PASS": list(instance.fail_to_pass), "PASS_TO_PASS": list(instance.pass_to_pass)}
    report = get_eval_tests_report(statuses, expected, eval_type=EvalType(specification.eval_type))
    resolved = get_resolution_status(report) == ResolvedStatus.FULL.value
    matched, ambiguous = cut_ids((*instance.fail_to_pass, *instance.pass_to_pass), statuses)
    return LogGrade(
        outcome=Outcome.RESOLVED if resolved else Outcome.UNRESOLVED,
        cut_ids_matched=matched,
        cut_ids_ambiguous=ambiguous,
        fail_to_pass_success=tuple(report["FAIL_TO_PASS"]["success"]),
        fail_to_pass_failure=tuple(report["FAIL_TO_PASS"]["failure"]),
        pass_to_pass_success=tuple(report["PASS_TO_PASS"]["success"]),
        pass_to_pass_failure=tuple(report["PASS_TO_PASS"]["failure"]),
    )


def cut_ids(expected: Iterable[str], statuses: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids that the data set cut in the middle of a parameter, in two lists: those whose tests agree, and the others.

    The benchmark's rules let such an id stand for all tests that begin like it, if these all hold or all fail; if
    they do not agree it counts as failed. Ids that the log has whole, or that no test begins like, are in neither.
    """
    matched: list[str] = []
    ambiguous: list[str] = []
    for cut in expected:
        if cut in statuses or cut.count("[") <= cut.count("]"):
            continue
        held = {status in PASSING for name, status in statuses.items() if name.startswith(cut)}
        if held:
            (matched if len(held) == 1 else ambiguous).append(cut)
    return tuple(matched), tuple(ambiguous)


def official_spec(instance: Instance, specification: Specification) -> TestSpec:
    """An instance as the benchmark's own parsers and grading take it."""
    return TestSpec(
        instance_id=instance.instance_id,
        image=instance.image or "",
        eval_script_list=[],
        repo=instance.repo,
        version=instance.version,
        FAIL_TO_PASS=list(instance.fail_to_pass),
        PASS_TO_PASS=list(instance.pass_to_pass),
        log_parser=specification.log_parser,
        eval_type=specification.eval_type,
    )


def read_statuses(
    instance: Instance, specification: Specification, log: str, exit_status: int | None
) -> tuple[dict[str, str], str]:
    """Status by test id, and the reason why the log can't be graded (empty when it can)."""
    if START_MARKER not in log:
        return {}, "the tests never started: the evaluation script failed before them"
    if END_MARKER not in log:
        return {}, "the tests ended their own evaluation script before its end"
    parse = PARSER_REGISTRY[specification.log_parser]
    # The script ends right after the last end marker, so one that the tests print does not close the region.
    region = log.split(START_MARKER, 1)[1].rsplit(END_MARKER, 1)[0]
    spec = official_spec(instance, specification)
    statuses = parse(region, spec) or parse(log, spec)
    if not statuses and not SUITE_RAN.search(log):
        return {}, "no test result in the log"
    failed = any(status in ("FAILED", "ERROR") for status in statuses.values())
    if exit_status not in (None, 0) and statuses and not failed:
        return {}, f"the test command exited with status {exit_status}, but its log shows no failure"
    return statuses, ""
