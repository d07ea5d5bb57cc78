"""One instance as data of a page: issue, gold patch, and what became of it in every part."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.common.inert import inert, one_line
from harness.core.verdict import Verdict
from harness.page.attempt_facts import Part
from harness.page.log_parts import excerpts, part_count
from harness.page.page_texts import shown
from harness.page.run_attempts import Whole
from harness.page.run_records import RunRecords
from harness.report.suite_line import suite_line

TESTS_LISTED = 50  # of each kind; the rest is counted


def instance_details(records: RunRecords, parts: Sequence[Part], instance_id: str) -> dict[str, Any]:
    """Everything about an instance but prompts, answers and logs; attempts are None if they are not there."""
    row = records.instances.get(instance_id, {})
    found = [records.read(part, instance_id) for part in parts]
    return {
        "id": instance_id,
        "commit": row.get("base_commit", ""),
        "issue": shown(str(row.get("problem_statement", ""))),
        "gold": shown(records.gold(instance_id)),
        "testPatch": shown(str(row.get("test_patch", ""))),
        "attempts": [
            _attempt(records, part, whole) if whole else None for part, whole in zip(parts, found, strict=True)
        ],
    }


def _attempt(records: RunRecords, part: Part, whole: Whole) -> dict[str, Any]:
    verdict, trail = whole.verdict, whole.trail
    facts = records.parts[part][verdict.instance_id]
    candidates = trail.get("candidates") or []
    failed = [*verdict.fail_to_pass_failure, *verdict.pass_to_pass_failure]
    logged = bool(verdict.key) and whole.log.is_file()
    return {
        "outcome": verdict.outcome.value,
        "phase": verdict.phase.value,
        "detail": one_line(verdict.detail)[:1000],
        "lost": facts.loss.reason if facts.loss else "",
        "flags": [one_line(flag)[:1000] for flag in verdict.flags],
        "suite": one_line(suite_line(verdict.whole_suite))[:1000] if verdict.whole_suite else "",
        "breaks": [inert(f"{test}: {how}")[:1000] for test, how in _breaks(verdict)[:TESTS_LISTED]],
        "patch": shown(whole.patch),
        "votes": _votes(trail),
        "candidates": len(candidates),
        "patches": sum(bool(candidate.get("patch")) for candidate in candidates),
        "seconds": verdict.seconds,
        "tests": _tests(verdict),
        "excerpts": [excerpt._asdict() for excerpt in excerpts(whole.log, failed)] if logged else [],
        "log": {"key": verdict.key, "parts": part_count(whole.log), "bytes": whole.log.stat().st_size}
        if logged
        else None,
        "staged": bool(candidates or trail.get("answers")),
    }


def _log(key: str, log: Path) -> dict[str, Any]:
    return {"key": key, "parts": part_count(log), "bytes": log.stat().st_size}


def _votes(trail: Mapping[str, Any]) -> str:
    if trail.get("selected") is None:
        return ""
    of = f"{trail.get('votes')} of {trail.get('voters')} votes"
    return one_line(f"candidate {trail['selected']} is selected: {of}; pool: {trail.get('pool')}")


def _breaks(verdict: Verdict) -> list[tuple[str, str]]:
    return list(verdict.whole_suite.breaks.items()) if verdict.whole_suite else []


def _tests(verdict: Verdict) -> list[dict[str, Any]]:
    kinds = (
        ("FAIL_TO_PASS", verdict.fail_to_pass_success, verdict.fail_to_pass_failure),
        ("PASS_TO_PASS", verdict.pass_to_pass_success, verdict.pass_to_pass_failure),
    )
    return [
        {
            "kind": kind,
            "passed": len(passed),
            "failed": len(failed),
            "names": [inert(name)[:1000] for name in failed[:TESTS_LISTED]],
        }
        for kind, passed, failed in kinds
        if passed or failed
    ]
