"""One attempt's stages as data of a page: prompts, answers, candidates and votes, in the order they came about."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.common.inert import one_line
from harness.compare.show_attempt import Records
from harness.core.candidate import Candidate
from harness.page.page_texts import shown
from harness.report.attempt_text import REPAIR, AnswerKey, Trail


def stage_details(trail: Trail, records: Records) -> dict[str, Any]:
    """What a reader unfolds below an attempt; a prompt of several answers is there once, by its key."""
    answers = [_answer(answer, records) for answer in trail.answers]
    repairs = {
        answer.index: said for answer, said in zip(trail.answers, answers, strict=True) if answer.stage == REPAIR
    }
    before = [said for said in answers if said["stage"].startswith("localize")]
    behind = [said for said in answers if said["stage"] != REPAIR and said not in before]
    prompts = {said["prompt"] for said in answers if said["prompt"]}
    return {
        "prompts": {key: shown(str(records[key].get("text", ""))) for key in sorted(prompts) if key in records},
        "before": before,
        "locations": [_location(place) for place in trail.locations],
        "notes": _notes(trail.localization or {}),
        "candidates": [_candidate(candidate, trail, repairs.get(candidate.index)) for candidate in trail.candidates],
        "behind": behind,
    }


def _answer(answer: AnswerKey, records: Records) -> dict[str, Any]:
    record = records.get(answer.key, {})
    found = record.get("answer")
    said: Mapping[str, Any] = found if isinstance(found, dict) else {}
    return {
        "stage": one_line(answer.stage),
        "index": answer.index,
        "key": answer.key,
        "prompt": str(record.get("prompt") or ""),
        "reasoning": shown(str(said.get("reasoning") or "")),
        "text": shown(str(said.get("text") or "")) if record else None,
        "ended": one_line(said.get("finish_reason", "")),
        "tokens": [said.get("prompt_tokens"), said.get("completion_tokens")],
    }


def _location(place: Mapping[str, Any]) -> str:
    intervals = ", ".join("-".join(map(str, interval)) for interval in place.get("intervals") or ())
    return one_line(f"{place.get('path')}{': ' + intervals if intervals else ''}")


def _notes(localization: Mapping[str, Any]) -> list[str]:
    return [
        one_line(f"{stage}: {name}: {found[name]}")[:1000]
        for stage, found in localization.items()
        if isinstance(found, dict)
        for name in ("reason", "detail", "unresolved", "left_out")
        if found.get(name)
    ]


def _candidate(candidate: Candidate, trail: Trail, said: Mapping[str, Any] | None) -> dict[str, Any]:
    notes: Sequence[str] = (*candidate.notes, *([f"changes {candidate.effect.value}"] if candidate.effect else []))
    return {
        "index": candidate.index,
        "selected": candidate.index == trail.selected,
        "reason": candidate.reason.value if candidate.reason else "",
        "detail": one_line(candidate.detail)[:1000],
        "notes": [one_line(note) for note in notes],
        "leftOut": [one_line(place) for place in candidate.left_out],
        "duplicateOf": candidate.duplicate_of,
        "patch": shown(candidate.patch),
        "outcome": trail.verdicts.get(candidate.index, ""),
        "answer": said,
    }
