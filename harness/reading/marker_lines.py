"""The lines of an answer with each marker of a block on a line of its own, and one divider in each block."""

import re
from collections.abc import Sequence
from itertools import pairwise

from harness.reading.path_names import is_fence, looks_like_path, path_of_line

BEFORE, BEHIND = r"([ \t]*)(?:>[ \t]|\*\*)?", r"\b[ \t]*(.*)"
# of dashes and plus signs: what some tools for editing ask for, since markers of a conflict confuse models
OPEN = re.compile(rf"{BEFORE}(<{{3,12}}|-{{5,12}})[ \t]*(?:SEARCH|ORIGINAL){BEHIND}", re.IGNORECASE)
CLOSE = re.compile(
    r"[ \t]*(?:>[ \t]|\*\*)?(?:>{4,12}[ \t]*(?:(?:REPLACE|UPDATED|END|NEW|SEARCH)\b.*|\*\*)?"
    r"|(?:>{3}|\+{5,12}|<{4,12})[ \t]*(?:REPLACE|UPDATED)(?:\*{0,2}|[ \t]*>{1,12}))[ \t]*",
    re.IGNORECASE,
)
# behind a divider and one space: a comment, something in brackets or words on what comes; source is indented by none
_WITH = r"WITH(?=:?[ \t]*$|[ ](?:THE|THIS|NEW)\b)"
_NAMED = rf"(?:REPLACE(?:D|MENT)?|NEW|UPDATED|AFTER|FIXED|CHANGED|MODIFIED|CORRECTED|{_WITH})\b"
_REMARK = (
    r"[ \t](?:(?://|(?:#+|--|;+|%|<?-+>?|=+>|[\u2190\u2192])(?!\S)).*|/\*.*\*/|<!--.*-->"
    rf"|\([\w ,.:/'-]+\)|\[[\w ,.:/'-]+\]|{_NAMED}[\w ./'-]*+:?)"
)
DIVIDE = re.compile(
    rf"([ \t]*)(?:>[ \t]|\*\*)?(={{3,12}})"
    rf"(?:[ \t]*+(?:(?:REPLACE|WITH|UPDATED)(?:[ \t]*={{3,12}})?|\*\*)?|{_REMARK})[ \t]*",
    re.IGNORECASE,
)
# the markers of a merge conflict, of which some models make blocks: only if an answer has no others
_SIDE = r"(?:HEAD|OLD|BEFORE|FIND|CURRENT)"
OPEN_CONFLICT = re.compile(rf"{BEFORE}(<{{7}})[ \t]*{_SIDE}{BEHIND}", re.IGNORECASE)
OPEN_ANY = re.compile(r"([ \t]*)(<{7})[ \t]+(\S.*)")  # with whatever name of a side
CLOSE_CONFLICT = re.compile(r"[ \t]*>{7}(?:[ \t]+\S.*)?[ \t]*")

# between search text and replacement, instead of a divider: the one is closed, and the other opened
_CLOSE_SEARCH = re.compile(r"[ \t]*>{4,12}[ \t]*(?:SEARCH|ORIGINAL)[ \t]*", re.IGNORECASE)
_OPEN_REPLACE = re.compile(r"[ \t]*<{4,12}[ \t]*(?:REPLACE|UPDATED)[ \t]*", re.IGNORECASE)
_QUOTED = re.compile(r"([ \t]*)`([<>=+-]{5,12}[ \t]*\w{0,10})`[ \t]*")
_CLOSE_NAMED = re.compile(r"[ \t]*>{5,9}[ \t]+\w[\w ]{0,30}")  # by a word of the model's own
_CLOSE_GLUED = re.compile(r"(.*[^\s>`\"'])>{5,9}[ \t]*(?:REPLACE|UPDATED)[ \t]*")
_DIVIDE_GLUED = re.compile(r"(.*[^\s=])?(?<!=)={7}(?!=)(.*\S)?[ \t]*")


def marked_lines(lines: Sequence[str]) -> list[str]:
    """The lines, block by block, with markers as `blocks` reads them.

    A marker in backticks, at the end of a line of source or with another word is one if its block lacks it.
    """
    lines = _opened_once(
        [f"{m[1]}{m[2]}" if "`" in line and (m := _QUOTED.fullmatch(line)) else line for line in lines]
    )
    starts = [number for number, line in enumerate(lines) if OPEN.fullmatch(line)]
    kept = lines[: starts[0]] if starts else lines
    for start, end in pairwise([*starts, len(lines)]):
        kept += _block(lines[start:end])
    return kept


def conflicts(lines: Sequence[str]) -> bool:
    """Whether the lines hold a whole conflict, its sides named in whatever way."""
    expected = [OPEN_ANY, DIVIDE, CLOSE_CONFLICT]
    for line in lines:
        if expected and expected[0].fullmatch(line):
            del expected[0]
    return not expected


def _opened_once(lines: list[str]) -> list[str]:
    """The lines without an opening marker behind which nothing but a path or a fence comes ahead of the next one."""
    starts = [number for number, line in enumerate(lines) if OPEN.fullmatch(line)]
    for start, end in pairwise(starts):
        if not any(line.strip() and not is_fence(line) and not _names(line) for line in lines[start + 1 : end]):
            marker = OPEN.fullmatch(lines[start])
            lines[start] = marker[3] if marker else ""
    return lines


def _names(line: str) -> bool:
    return looks_like_path(path_of_line(line))


def _block(lines: list[str]) -> list[str]:
    """One block, from its opening marker to the next one."""
    lines = _divided(_closed(lines))
    end = next((number for number, line in enumerate(lines) if CLOSE.fullmatch(line)), len(lines))
    if any(map(DIVIDE.fullmatch, lines[:end])):
        return lines
    glued = [number for number in range(1, end) if _DIVIDE_GLUED.fullmatch(lines[number])]
    if len(glued) != 1 or not (found := _DIVIDE_GLUED.fullmatch(lines[glued[0]])):
        return lines
    remark = DIVIDE.fullmatch(f"======={found[2] or ''}")
    parts = [found[1], "=======", "" if remark else found[2]]
    return [*lines[: glued[0]], *(part for part in parts if part), *lines[glued[0] + 1 :]]


def _closed(lines: list[str]) -> list[str]:
    """The lines with a closing marker, if one stands among them in another form."""
    if any(map(CLOSE.fullmatch, lines)):
        return lines
    for number, line in enumerate(lines):
        if number and _CLOSE_NAMED.fullmatch(line):
            return [*lines[:number], ">>>>>>> REPLACE", *lines[number + 1 :]]
        if glued := _CLOSE_GLUED.fullmatch(line):
            return [*lines[:number], glued[1], ">>>>>>> REPLACE", *lines[number + 1 :]]
    return lines


def _divided(lines: list[str]) -> list[str]:
    """The lines with one divider where a search text, closed or not, or a divider meets an opened replacement.

    An opened replacement that nothing closes is a closing marker with its signs the wrong way round.
    """
    marks = [number for number, line in enumerate(lines) if CLOSE.fullmatch(line)]
    opened = next((number for number in marks if _OPEN_REPLACE.fullmatch(lines[number])), None)
    if opened is None or opened == marks[-1] or _OPEN_REPLACE.fullmatch(lines[marks[marks.index(opened) + 1]]):
        return lines
    above = next(number for number in reversed(range(opened)) if lines[number].strip())
    if _CLOSE_SEARCH.fullmatch(lines[above]):
        return [*lines[:above], "=" * lines[above].strip().count(">"), *lines[opened + 1 :]]
    if DIVIDE.fullmatch(lines[above]):
        return [*lines[: above + 1], *lines[opened + 1 :]]
    if marks[0] < opened or any(map(DIVIDE.fullmatch, lines[:opened])):
        return lines
    return [*lines[:opened], "=" * lines[opened].strip().count("<"), *lines[opened + 1 :]]
