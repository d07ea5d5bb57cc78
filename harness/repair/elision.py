"""Edits that leave lines out: "..." in the search text and, in the same places, in the replacement.

The parts between the dots are met one by one, each in one place, in order. Lines that the dots stand for stay.
"""

import dataclasses
import re
from collections.abc import Sequence

from harness.core.candidate import Edit, Grade, Reason
from harness.core.location import Interval
from harness.repair.match import EditRefused, Match, SourceFile, match_edit

PARTS = 50  # between lines of dots, which are met one by one

_DOTS = re.compile(r"\s*(?:(?:#+|//+|--|/\*+|<!--|%|;+)\s*)?(?:\.\.\.|…).*")
_OF_THE_REST = re.compile(r"\b(?:existing|rest|unchanged|remain\w*|same|previous|other|omitted|as before)\b", re.I)
_COMMENTED_DOTS = re.compile(r"\s*(?:#+|//+|--|/\*+|<!--|%|;+)\s*(?:\.\.\.|…).*")


def match_lines(edit: Edit, file: SourceFile, shown: Sequence[Interval]) -> list[Match]:
    """Where an edit goes in: in one place as it stands, or part by part if "..." stands for lines of the file.

    Raises EditRefused if it goes in nowhere, or in several places.
    """
    try:
        match = match_edit(edit, file, shown)
    except EditRefused as refused:
        if refused.reason is not Reason.NO_MATCH or not any(map(_DOTS.fullmatch, _lines(edit.search))):
            raise
        return _match_parts(edit, file, shown)
    if _shortened(edit):
        raise EditRefused(Reason.ELISION, "the replacement has ... in the place of lines that the search text has")
    return [match]


def _shortened(edit: Edit) -> bool:
    """Whether the replacement has a new comment of dots, and lacks lines: it would delete what the dots stand for."""
    search, replace = _lines(edit.search), _lines(edit.replace)
    dots = [line for line in replace if _COMMENTED_DOTS.fullmatch(line) and line not in search]
    lost = bool(set(search) - set(replace)) and any(map(_OF_THE_REST.search, dots))
    return lost or (bool(dots) and len(replace) < len(search))


def leaves_out(new: str, old: Sequence[str]) -> bool:
    """Whether a whole file has dots for lines of the one that it is written for, in a comment or on a line alone."""
    known, lines = set(old), _lines(new)
    dots = [line for line in lines if _DOTS.fullmatch(line) and line not in known]
    return any(map(_OF_THE_REST.search, dots)) or (bool(dots) and len(lines) < len(old))


def _match_parts(edit: Edit, file: SourceFile, shown: Sequence[Interval]) -> list[Match]:
    searches, replaces = _parts(edit.search), _parts(edit.replace)
    if len(searches) > PARTS:
        raise EditRefused(Reason.ELISION, f"the search text has {len(searches) - 1} lines of ...")
    if len(searches) != len(replaces):
        raise EditRefused(Reason.ELISION, "... stands for lines in the search text but not in the replacement")
    matches: list[Match] = []
    position = 0
    for search, replace in zip(searches, replaces, strict=True):
        if not search:
            if replace:
                raise EditRefused(Reason.ELISION, "the replacement has lines beside ... where the search text has none")
            continue
        match = _match_part(Edit(edit.path, search, replace), file, _after(position, shown, len(file.lines)))
        if match is None:
            continue
        if match.start < position:
            raise EditRefused(Reason.ELISION, "the parts between ... stand in another order in the file")
        position = match.end
        matches.append(dataclasses.replace(match, grade=Grade.ELIDED))
    if not matches:
        raise EditRefused(Reason.ELISION, "nothing but ... is left to search for")
    return matches


def _match_part(part: Edit, file: SourceFile, shown: Sequence[Interval]) -> Match | None:
    """Where one part goes in; None for lines that are in several places but would not change in any."""
    try:
        return match_edit(part, file, shown)
    except EditRefused as refused:
        if refused.reason is Reason.AMBIGUOUS_MATCH and part.search == part.replace:
            return None
        raise


def _after(position: int, shown: Sequence[Interval], length: int) -> list[Interval]:
    """What of the shown intervals lies behind the first ``position`` lines."""
    cut = [(max(first, position + 1), last) for first, last in shown or ((1, length),)]
    return [(first, last) for first, last in cut if first <= last]


def _parts(text: str) -> list[str]:
    """The lines between lines of dots, blank lines beside these left out."""
    parts: list[list[str]] = [[]]
    for line in _lines(text):
        if _DOTS.fullmatch(line):
            parts.append([])
        else:
            parts[-1].append(line)
    last = len(parts) - 1
    return [_joined(part, after_dots=index > 0, before_dots=index < last) for index, part in enumerate(parts)]


def _joined(lines: list[str], after_dots: bool, before_dots: bool) -> str:
    start, end = 0, len(lines)
    while after_dots and start < end and not lines[start].strip():
        start += 1
    while before_dots and start < end and not lines[end - 1].strip():
        end -= 1
    return "".join(f"{line}\n" for line in lines[start:end])


def _lines(text: str) -> list[str]:
    return text.split("\n")[:-1]
