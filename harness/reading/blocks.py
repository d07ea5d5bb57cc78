"""Search/replace blocks: found by their markers, whatever their length, case and dress."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.candidate import Edit
from harness.reading.endings import Ending
from harness.reading.path_names import looks_like_path, path_above, path_of_line

_BEFORE, _BEHIND = r"([ \t]*)(?:>[ \t]|\*\*)?", r"\b[ \t]*(.*?)[ \t]*"
# of dashes and plus signs: what some tools for editing ask for, since markers of a conflict confuse models
_OPEN = re.compile(rf"{_BEFORE}(<{{3,12}}|-{{5,12}})[ \t]*(?:SEARCH|ORIGINAL){_BEHIND}", re.IGNORECASE)
_CLOSE = re.compile(
    r"[ \t]*(?:>[ \t]|\*\*)?(?:>{4,12}[ \t]*(?:(?:REPLACE|UPDATED|END|NEW|SEARCH)\b.*|\*\*)?"
    r"|(?:>{3}|\+{5,12}|<{4,12})[ \t]*(?:REPLACE|UPDATED)\*{0,2})[ \t]*",
    re.IGNORECASE,
)
_DIVIDE = re.compile(r"([ \t]*)(?:>[ \t]|\*\*)?(={3,12})[ \t]*(?:REPLACE|WITH|UPDATED|\*\*)?[ \t]*", re.IGNORECASE)
# the markers of a merge conflict, of which some models make blocks: only if an answer has no others
_OPEN_CONFLICT = re.compile(rf"{_BEFORE}(<{{7}})[ \t]*(?:HEAD|OLD|BEFORE|FIND|CURRENT){_BEHIND}", re.IGNORECASE)
_ESCAPED = re.compile(r"(?:&lt;|&#60;|&#x3c;){3}", re.IGNORECASE)
_QUOTED = re.compile(r"[ \t]*>(?:[ \t]|$)")  # ahead of every line, if an answer is set as a quotation
_POSITION = re.compile(r":(?:start_line|end_line):[ \t]*(\d*)[ \t]*", re.IGNORECASE)
_CLOSE_CONFLICT = re.compile(r"[ \t]*>{7}(?:[ \t]+\S.*)?[ \t]*")


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
    lines = text.split("\n")
    if not any(map(_OPEN.fullmatch, lines)) and _ESCAPED.search(text):
        lines = html.unescape(text).split("\n")
    if any(_QUOTED.match(line) and _OPEN.fullmatch(line) for line in lines):
        lines = [_QUOTED.sub("", line) for line in lines]
    markers = (_OPEN, _CLOSE) if any(map(_OPEN.fullmatch, lines)) else (_OPEN_CONFLICT, _CLOSE_CONFLICT)
    return _Reader(lines, *markers).read(cut)


def holds_blocks(text: str) -> bool:
    """Whether a text has the marker that opens a block."""
    return any(map(_OPEN.fullmatch, text.split("\n")))


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
            path = path_of_line(opening[3]) or path_above(lines, floor, position - 1) or path
            end = self._end(position)
            if end == len(lines) and cut:
                unfinished = f"the block at line {position} was cut"
            else:
                self._add(path, position, end, opening)
            position = end
            floor = end + 1
        return EditReading(tuple(self._edits), tuple(self._problems), unfinished)

    def _end(self, start: int) -> int:
        """Index of the closing marker, or of whatever stands where it should have come before."""
        for position in range(start, len(self._lines)):
            line = self._lines[position]
            if self._closing.fullmatch(line) or self._opening.fullmatch(line):
                return position
        return len(self._lines)

    def _add(self, path: str, position: int, end: int, opening: re.Match[str]) -> None:
        if end == len(self._lines) or not self._closing.fullmatch(self._lines[end]):
            self._problems.append(f"the block at line {position} has no end")
            return
        body, line = _positioned(self._lines[position:end])
        splits = _splits(body, opening[1], len(opening[2]))
        if not splits:
            self._problems.append(f"the block at line {position} has no divider")
        else:
            path = path or _path_within(body)
            self._edits.append(Edit(path, *splits[0], line=line, others=tuple(splits[1:])))


def _positioned(lines: Sequence[str]) -> tuple[Sequence[str], int]:
    """The lines without those that say where the search text begins, and what they say; 0 if there are none."""
    count = line = 0
    while count < len(lines) and (found := _POSITION.fullmatch(lines[count])):
        line, count = line or int(found[1] or 0), count + 1
    if count and count < len(lines) and re.fullmatch(r"-{3,12}", lines[count]):
        count += 1
    return lines[count:], line


def _path_within(lines: Sequence[str]) -> str:
    """The path on a block's own first line, if nothing above the block names one."""
    path = path_of_line(lines[0]) if len(lines) > 1 else ""
    return path if looks_like_path(path) else ""


def _splits(lines: Sequence[str], indent: str, length: int) -> list[tuple[str, str]]:
    """The search text and the replacement at each line that may be the divider.

    That is the one as long as the markers, if one line alone is; headings may be underlined with others.
    """
    found = [(number, _DIVIDE.fullmatch(line)) for number, line in enumerate(lines)]
    dividers = [(number, len(match[2])) for number, match in found if match and match[1] == indent]
    same = [number for number, count in dividers if count == length]
    return [(_joined(lines[:at]), _joined(lines[at + 1 :])) for at in same or [number for number, _ in dividers]]


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
