"""Verdicts on what another harness tested: from its logs where they are there, never from its word unasked."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.common.hashing import content_hash
from harness.core.instance import Instance
from harness.core.verdict import Outcome, Phase, Verdict
from harness.errors import InputError
from harness.exchange.foreign_files import text_of
from harness.exchange.foreign_run import LISTS, Evidence, ForeignRun
from harness.grading.judge import Weigh
from harness.grading.official_log import OfficialLog, official_verdict, read_official, what_the_runner_says
from harness.grading.specification import log_specification

BY_REPORT = "by a report: "  # how the flag of an outcome begins that no log shows


@dataclass(frozen=True)
class Graded:
    """One instance, graded again."""

    verdict: Verdict
    log: str | None = None  # what the verdict rests on
    disagreement: str = ""  # of log and report, in one line; empty if they agree or one is not there


def grade_again(
    run: ForeignRun, instances: Sequence[Instance], weigh: Weigh, trust_reports: bool, threads: int
) -> list[Graded]:
    """A verdict for every instance, in their order. Raises InputError for a row whose logs nobody can read."""

    def graded(instance: Instance) -> Graded:
        return _graded(run, instance, weigh, trust_reports)

    with ThreadPoolExecutor(threads, "grade") as pool:
        return list(pool.map(graded, instances))


def _graded(run: ForeignRun, instance: Instance, weigh: Weigh, trust_reports: bool) -> Graded:
    name = instance.instance_id
    found = run.evidence.get(name, Evidence())
    if name in run.lost:
        return _by_report(run, instance, found, "it was submitted, but its patch is not there", trust_reports)
    if name not in run.patches:
        return Graded(_ended(instance, Outcome.EMPTY_PATCH, Phase.PATCH, f"{run.source} has no prediction for it"))
    patch = run.patches[name]
    if not patch.strip():
        return Graded(_ended(instance, Outcome.EMPTY_PATCH, Phase.PATCH, ""))
    if found.patch is not None and found.patch.strip() != patch.strip():
        return _by_report(run, instance, found, "its log is of another patch than its prediction", False)
    if found.runner_log and (end := what_the_runner_says(text_of(found.runner_log))):
        return _with_log(_ended(instance, *end), patch, _read(found))
    log = _log_of(found)
    if log is None:
        return _by_report(run, instance, found, "there is no log of its tests", trust_reports)
    verdict = official_verdict(instance, log_specification(instance), log, weigh)
    return _with_log(verdict, patch, log.text, _disagreement(verdict, found))


def _with_log(verdict: Verdict, patch: str, log: str | None, disagreement: str = "") -> Graded:
    """The verdict with its log under a key of its own."""
    key = content_hash(verdict.instance_id, patch, log)[:32] if log is not None else ""
    return Graded(verdict.model_copy(update={"key": key}), log, disagreement)


def _ended(instance: Instance, outcome: Outcome, phase: Phase, detail: str) -> Verdict:
    return Verdict(instance_id=instance.instance_id, outcome=outcome, phase=phase, detail=detail)


def _by_report(run: ForeignRun, instance: Instance, found: Evidence, why: str, trusted: bool) -> Graded:
    """What a report says where no log can; not graded if reports are not trusted, or there is none."""
    said = "" if found.resolved is None else f"; a report says {_word(found.resolved)}"
    if not trusted or found.resolved is None:
        return Graded(_ended(instance, Outcome.INFRASTRUCTURE, Phase.PREPARE, f"not graded: {why}{said}"))
    outcome = Outcome.RESOLVED if found.resolved else Outcome.UNRESOLVED
    verdict = _ended(instance, outcome, Phase.GRADE, f"{why}{said}")
    return Graded(verdict.model_copy(update={"flags": (f"{BY_REPORT}{why} in {run.source}",)}))


def _word(resolved: bool) -> str:
    return "resolved" if resolved else "not resolved"


def _log_of(found: Evidence) -> OfficialLog | None:
    if found.log is not None:
        return read_official(_bytes(found.log))
    return read_official(found.output.encode("utf-8", "replace")) if found.output is not None else None


def _read(found: Evidence) -> str | None:
    """The tests' output if there is any, or else what the harness said."""
    log = _log_of(found)
    if log is not None:
        return log.text
    return text_of(found.runner_log) if found.runner_log else None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error


def _disagreement(verdict: Verdict, found: Evidence) -> str:
    """In one line what its report there says otherwise; empty if that says the same, or nothing."""
    if found.resolved is not None and found.resolved != verdict.resolved:
        return f"its report says {_word(found.resolved)}, its log {verdict.outcome.value}"
    other = [
        test
        for place, ours in LISTS.items()
        for test in set(getattr(verdict, ours)) ^ found.tests.get(place, frozenset())
    ]
    if not found.tests or not other or verdict.outcome not in (Outcome.RESOLVED, Outcome.UNRESOLVED):
        return ""
    shown = ", ".join(sorted(set(other))[:3])
    return f"{len(set(other))} tests stand in other lists of its report than its log shows ({shown})"
