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
_COMMENT = re.compile(r"\s*(?:pass\s+)?(?:#+|//+|--|/\*+|<!--|%+|;+)(.*?)(?:\*/|-->)?\s*")
_WORD = re.compile(r"[^\W_]+(?:_\w+)?|_\w+")
# A comment of these words and no others stands for the rest of a piece of source; one of the first is among them.
_REST = (
    "rest|remainder|remaining|remains?|existing|unchanged|unmodified|untouched|omitted|original|previous|others?|same"
    "|before|shown|intact|identical"
)
_SPEECH = (
    "the|of|this|that|your|all|any|and|or|in|is|are|as|it|its|be|to|for|with|here|above|below|not|no|changed?|changes"
    "|code|lines?|logic|implementations?|body|contents?|file|functions?|methods?|class|classes|module|sections?|blocks?"
    "|parts?|handlers|imports?|definitions|statements|tests?|cases|properties|attributes|fields|items|entries|keep|kept"
    "|leave|left|continues?|includes?|insert|copy|goe?s?|stays?|brevity|clarity|etc|exactly|still|from|previously"
)
_SPOKEN = re.compile(f"(?:{_REST}|{_SPEECH})", re.IGNORECASE)
_OF_REST = re.compile(f"(?:{_REST})", re.IGNORECASE)
MOST_WORDS = 12  # of such a comment


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
    """Whether the replacement has a new comment of dots or on the rest, and lacks lines: it would delete these."""
    search, replace = _lines(edit.search), _lines(edit.replace)
    known = set(search)
    new = [line for line in replace if line not in known]
    dots = [line for line in new if _COMMENTED_DOTS.fullmatch(line)]
    lost = {line for line in search if line.strip()} - set(replace)
    if lost and any(map(_OF_THE_REST.search, dots)):
        return True
    fewer = len(replace) < len(search)
    return (fewer and bool(dots)) or ((fewer or len(lost) > 1) and any(map(_is_of_the_rest, new)))


def leaves_out(new: str, old: Sequence[str]) -> bool:
    """Whether a whole file has dots, or a comment on the rest, for lines of the one that it is written for."""
    known, lines = set(old), _lines(new)
    added = [line for line in lines if line not in known]
    dots = [line for line in added if _DOTS.fullmatch(line)]
    if any(map(_OF_THE_REST.search, dots)):
        return True
    return len(lines) < len(old) and (bool(dots) or any(map(_is_of_the_rest, added)))


def _is_of_the_rest(line: str) -> bool:
    """Whether a line is a comment that stands for the rest of a piece of source: it says that, and nothing else."""
    found = _COMMENT.fullmatch(line)
    words = _WORD.findall(found[1]) if found else []
    spoken = [word for word in words if "_" not in word]  # names of functions may be among them
    few = len(words) <= MOST_WORDS and all(map(_SPOKEN.fullmatch, spoken))
    return few and any(map(_OF_REST.fullmatch, spoken))


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
