"""Search/replace blocks: found by their markers, whatever their length, case and dress."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core.candidate import Edit
from harness.reading.endings import next_question
from harness.reading.path_names import path_above, path_of_line

_BEFORE, _BEHIND = r"([ \t]*)(?:>[ \t]|\*\*)?", r"\b[ \t]*(.*?)[ \t]*"
_OPEN = re.compile(rf"{_BEFORE}(<{{4,12}})[ \t]*(?:SEARCH|ORIGINAL){_BEHIND}", re.IGNORECASE)
_CLOSE = re.compile(r"[ \t]*(?:>[ \t]|\*\*)?>{4,12}[ \t]*(?:(?:REPLACE|UPDATED)\b.*|\*\*)?[ \t]*", re.IGNORECASE)
_DIVIDE = re.compile(r"([ \t]*)(?:>[ \t]|\*\*)?(={4,12})[ \t]*(?:REPLACE|WITH|UPDATED|\*\*)?[ \t]*", re.IGNORECASE)
# the markers of a merge conflict, of which some models make blocks: only if an answer has no others
_OPEN_CONFLICT = re.compile(rf"{_BEFORE}(<{{7}})[ \t]*(?:HEAD|OLD|BEFORE|FIND|CURRENT){_BEHIND}", re.IGNORECASE)
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
    if not any(map(_OPEN.fullmatch, lines)) and "&lt;&lt;&lt;&lt;" in text:
        lines = html.unescape(text).split("\n")
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

    def read(self, cut: bool) -> EditReading:
        """All blocks."""
        lines, path, position, floor, unfinished = self._lines, "", 0, 0, ""
        while position < len(lines):
            if self._edits and next_question(lines[position]):
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
        elif not (splits := _splits(self._lines[position:end], opening[1], len(opening[2]))):
            self._problems.append(f"the block at line {position} has no divider")
        else:
            self._edits.append(Edit(path, *splits[0], others=tuple(splits[1:])))


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
