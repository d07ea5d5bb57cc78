"""Search/replace blocks: found by their markers, whatever their length, case and dress."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from harness.core.candidate import Edit
from harness.reading.embedded_json import unpacked
from harness.reading.endings import Ending
from harness.reading.marker_lines import (
    CLOSE,
    CLOSE_CONFLICT,
    DIVIDE,
    OPEN,
    OPEN_ANY,
    OPEN_CONFLICT,
    conflicts,
    marked_lines,
)
from harness.reading.path_names import looks_like_path, named_above, path_of_line

_BASE = re.compile(r"[ \t]*\|{7}(?:[ \t].*)?")  # of a merge conflict with the common ancestor
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[\w.+-]*[ \t]*")
_SIGNS = re.compile(r"[ \t]*[-<>=+|]{3,}[ \t]*|\W*(?:REPLACE|UPDATED|END)\W*", re.IGNORECASE)  # like a closing marker
_PACKED = re.compile(r"(?:<{5,9}|-{5,9}) SEARCH\\n")  # within a string of JSON
_SIGN = re.compile(  # without one of these a text has no block; it is looked for in a hundredth of the time
    r"[<-]{3}[ \t]*+(?:SEARCH|ORIGINAL|HEAD|OLD|BEFORE|FIND|FIRST|CURRENT)|(?:&lt;|&#60;|&#x3c;){3}"
    r"|(?<![^\n])[ \t]*+<{7}[ \t]",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"(?:&lt;|&#60;|&#x3c;){3}", re.IGNORECASE)
_QUOTED = re.compile(r"[ \t]*>(?:[ \t]|$)")  # ahead of every line, if an answer is set as a quotation
_POSITION = re.compile(r":?(?:start_line|end_line):[ \t]*(\d*)[ \t]*", re.IGNORECASE)
_RULE = re.compile(r"-{3,12}(?=\s*\Z)|-{7}")  # below a position, mostly on a line of its own
_WORD = re.compile(r".*?(?:SEARCH|ORIGINAL)\b", re.IGNORECASE)
_TAG = re.compile(r".*<(diff|content|changes?|edit|patch)>(?:<!\[CDATA\[)?[ \t]*")
READINGS = 60  # of one block with several dividers; more are no doubt that the file could settle


@dataclass(frozen=True)
class EditReading:
    """The edits of one answer, and one line on each that could not be read."""

    edits: tuple[Edit, ...]
    problems: tuple[str, ...] = ()
    unfinished: str = ""  # the edit at which the answer was cut, in a line


def read_blocks(text: str, cut: bool = False) -> EditReading:
    """The blocks of an answer proper, in order, up to where another question begins.

    ``cut``: the answer has no end of its own, so that a last block without one is unfinished and no problem.
    """
    if not _SIGN.search(text):
        return EditReading(())
    lines = text.split("\n")
    if not any(map(OPEN.fullmatch, lines)):
        text = unpacked(text, _PACKED)
        lines = (html.unescape(text) if _ESCAPED.search(text) else text).split("\n")
    if any(_QUOTED.match(line) and OPEN.fullmatch(line) for line in lines):
        lines = [_QUOTED.sub("", line) for line in lines]
    lines = marked_lines(lines)
    return _Reader(lines, *_markers(lines)).read(cut)


def _markers(lines: Sequence[str]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What opens and closes blocks: of a merge conflict only if an answer has no others."""
    if any(map(OPEN.fullmatch, lines)):
        return OPEN, CLOSE
    named = any(map(OPEN_CONFLICT.fullmatch, lines)) or not conflicts(lines)
    return OPEN_CONFLICT if named else OPEN_ANY, CLOSE_CONFLICT


def holds_blocks(text: str) -> bool:
    """Whether a text has the marker that opens a block."""
    lines = text.split("\n") if _SIGN.search(text) else []
    return any(map(OPEN.fullmatch, lines)) or conflicts(lines)


class _Reader:
    """Reads the blocks of one answer between markers of one kind."""

    def __init__(self, lines: Sequence[str], opening: re.Pattern[str], closing: re.Pattern[str]) -> None:
        self._lines, self._opening, self._closing = lines, opening, closing
        self._edits: list[Edit] = []
        self._problems: list[str] = []
        self._ending = Ending()

    def read(self, cut: bool) -> EditReading:
        """All blocks."""
        lines, path, position, floor, unfinished = self._lines, "", 0, 0, ""
        while position < len(lines):
            if self._ending.over(lines[position], bool(self._edits)):
                break
            opening = self._opening.fullmatch(lines[position])
            position += 1
            if not opening:
                continue
            above = named_above(lines, floor, position - 1)
            path = path_of_line(opening[3]) or (path if above is None else above)
            end = self._end(position, floor)
            if end == len(lines) and cut:
                unfinished = f"the block at line {position} was cut"
            else:
                self._add(path, position, end, opening)
            position = end
            floor = end + 1
        return EditReading(tuple(self._edits), tuple(self._problems), unfinished)

    def _end(self, start: int, floor: int) -> int:
        """Index of the closing marker, or of what ends the block without one.

        That is the end of the fence that the block opens, or what stands where the marker should have come before.
        """
        fence = self._fence_around(start - 1, floor)
        fenced = len(self._lines)
        for position in range(start, len(self._lines)):
            line = self._lines[position]
            if self._closing.fullmatch(line):
                return position
            if self._opening.fullmatch(line):
                return min(position, fenced)
            if fence and (line.strip() == fence or (fence[0] == "<" and line.lstrip().startswith(fence))):
                fenced = min(position, fenced)
        return fenced

    def _fence_around(self, opening: int, floor: int) -> str:
        """What ends the fence or tag that begins right above an opening marker, or its path; empty without."""
        for line in reversed(self._lines[max(floor, opening - 2) : opening]):
            if found := _FENCE.fullmatch(line):
                return found[1]
            if found := _TAG.fullmatch(line):
                return f"</{found[1]}>"
        return ""

    def _add(self, path: str, position: int, end: int, opening: re.Match[str]) -> None:
        body, line = _positioned(self._lines[position:end])
        closed = end < len(self._lines) and bool(self._closing.fullmatch(self._lines[end]))
        if not closed:
            body = _without_blank_end(body)
        dividers = _dividers(body, opening[1], len(opening[2]))
        splits = _splits(body, dividers) if len(dividers) <= READINGS else []
        if len(dividers) > READINGS:
            self._problems.append(f"the block at line {position} has {len(dividers)} dividers")
        elif not closed and not self._ends_by_itself(end, splits):
            self._problems.append(f"the block at line {position} has no end")
        elif not splits:
            self._problems.append(f"the block at line {position} has no divider")
        else:
            path = path or _path_within(body)
            (search, new), *others = splits
            if not search and not others and not path_of_line(opening[3]) and (word := _WORD.match(opening[0])):
                others = [(f"{opening[0][word.end() :]}\n", new)] if opening[3] else []
            if not search and not others:
                new = _outdented(new, opening[1])
            self._edits.append(Edit(path, search, new, line=line, others=tuple(others)))

    def _ends_by_itself(self, end: int, splits: Sequence[tuple[str, str]]) -> bool:
        """Whether a block without its marker is whole: its fence ends, or the answer does, and no prose is in it."""
        searched = {search for search, new in splits if new}  # what an empty replacement ends has no other marker
        replacement = splits[0][1] if len(searched) == 1 else ""
        if not replacement or _SIGNS.fullmatch(replacement.splitlines()[-1]):
            return False
        if end < len(self._lines):
            return bool(_FENCE.fullmatch(self._lines[end]) or self._lines[end].lstrip().startswith("</"))
        return "\n\n" not in replacement


def _outdented(text: str, indent: str) -> str:
    """The text of a new file without the indentation of its block's markers, as in an item of a list."""
    lines = text.splitlines(keepends=True)
    inside = all(line.startswith(indent) for line in lines if line.strip())
    return "".join(line.removeprefix(indent) for line in lines) if indent and inside else text


def _without_blank_end(lines: Sequence[str]) -> Sequence[str]:
    last = max((number for number, line in enumerate(lines) if line.strip()), default=-1)
    return lines[: last + 1]


def _positioned(lines: Sequence[str]) -> tuple[Sequence[str], int]:
    """The lines without those that say where the search text begins, and what they say; 0 if there are none."""
    count = line = 0
    while count < len(lines) and (found := _POSITION.fullmatch(lines[count])):
        line, count = line or int(found[1] or 0), count + 1
    ruled = _RULE.match(lines[count]) if count and count < len(lines) else None
    if count and not ruled and not lines[0].startswith(":"):
        return lines, 0
    if not ruled:
        return lines[count:], line
    behind = lines[count][ruled.end() :]
    return [*([behind] if behind.strip() else []), *lines[count + 1 :]], line


def _path_within(lines: Sequence[str]) -> str:
    """The path on a block's own first line, if nothing above the block names one."""
    path = path_of_line(lines[0]) if len(lines) > 1 else ""
    return path if looks_like_path(path) else ""


def _splits(lines: Sequence[str], at: list[int]) -> list[tuple[str, str]]:
    """The search text and the replacement at each of the lines ``at`` that may be the divider.

    Headings may be underlined or overlined like it. A divider that is there twice comes first, be it in the middle, at
    the beginning or at the end: the file tells whether one of both is a heading's.
    """
    first = [at[0] + 1, 0] if len(at) > 1 and not any(map(str.strip, lines[: at[0]])) else [0]
    last = [at[-1], len(lines)] if len(at) > 1 and not any(map(str.strip, lines[at[-1] + 1 :])) else [len(lines)]
    splits: list[tuple[str, str]] = []
    for start, end in product(first, last):
        inside = [number for number in at if start <= number < end]
        twice = [(one, other) for one, other in pairwise(inside) if not any(map(str.strip, lines[one + 1 : other]))]
        for one, other in (*twice, *((one, one) for one in inside)):
            replacement = _positioned(lines[other + 1 : end])[0]
            splits.append((_joined(_searched(lines[start:one])), _joined(replacement)))
    return list(dict.fromkeys(splits))


def _dividers(lines: Sequence[str], indent: str, length: int) -> list[int]:
    """Where the dividers of a block are: those as long as its markers, all others only without one of these."""
    found = [(number, DIVIDE.fullmatch(line)) for number, line in enumerate(lines)]
    dividers = [(number, len(match[2])) for number, match in found if match and match[1] == indent]
    return [number for number, count in dividers if count == length] or [number for number, _ in dividers]


def _searched(lines: Sequence[str]) -> Sequence[str]:
    """What is searched for: of a conflict with the common ancestor, the side above it."""
    base = next((number for number, line in enumerate(lines) if _BASE.fullmatch(line)), None)
    return lines if base is None else lines[:base]


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
