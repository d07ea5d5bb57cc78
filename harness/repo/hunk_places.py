"""Where the hunks of a diff go: found by their lines as ``git apply`` finds them, whatever line their headers name.

Git 2.39, apply.c: hunks go in one after another. Each is looked for at the line that its header names for the new file,
then one line further down, one up, two down, and so on; a place that an earlier hunk wrote is taken.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.repo.diff import Hunk

NO_NEWLINE = "\\"


def place_hunks(lines: Sequence[bytes], hunks: Sequence[Hunk]) -> tuple[Hunk, ...]:
    """The hunks with the line of ``lines`` at which each goes in; one that git would refuse keeps its own."""
    image = [_Line(line, number) for number, line in enumerate(lines)]
    placed = []
    for hunk in hunks:
        old, new = list(_side(hunk, "-")), list(_side(hunk, "+"))
        position = _find(image, hunk, old)
        if position is None:
            placed.append(hunk)
            continue
        if old:
            placed.append(dataclasses.replace(hunk, old_start=(image[position].number or 0) + 1))
        else:  # an empty side is named by the line before it
            before = [line.number + 1 for line in image[:position] if line.number is not None]
            placed.append(dataclasses.replace(hunk, old_start=before[-1] if before else 0))
        image[position : position + len(old)] = [_Line(line, None) for line in new]
    return tuple(placed)


@dataclass(frozen=True)
class _Line:
    """A line of the file as the hunks so far made it."""

    text: bytes
    number: int | None  # index in the file before the patch; None if a hunk wrote it


def _side(hunk: Hunk, sign: str) -> Iterator[bytes]:
    """The lines of a hunk as they are before it ("-") or after it ("+"), with their endings."""
    for line, following in zip(hunk.lines, (*hunk.lines[1:], ""), strict=True):
        if line[:1] in (" ", sign) or not line:
            ending = "" if following.startswith(NO_NEWLINE) else "\n"
            yield f"{line[1:]}{ending}".encode("utf-8", "surrogateescape")


def _find(image: Sequence[_Line], hunk: Hunk, old: Sequence[bytes]) -> int | None:
    context = [line[:1] in (" ", "") for line in hunk.lines if not line.startswith(NO_NEWLINE)]
    # git: a hunk that begins at line 1 begins the file, one without lines of context behind it ends the file
    begins, ends = hunk.old_start <= 1, not (context and context[-1])
    last = len(image) - len(old)
    if begins or ends:
        places = {0 if begins else last, last if ends else 0}
        return places.pop() if len(places) == 1 and _fits(image, 0 if begins else last, old) else None
    start = min(max(0, hunk.new_start - 1), len(image))
    return next((place for place in _outwards(start, len(image)) if _fits(image, place, old)), None)


def _outwards(start: int, length: int) -> Iterator[int]:
    """Every place in a file of that many lines, those near to ``start`` first and of equals the one further down."""
    yield start
    for distance in range(1, length + 1):
        yield from (place for place in (start + distance, start - distance) if 0 <= place <= length)


def _fits(image: Sequence[_Line], place: int, old: Sequence[bytes]) -> bool:
    there = image[place : place + len(old)] if place >= 0 else ()
    return len(there) == len(old) and all(
        line.number is not None and line.text == text for line, text in zip(there, old, strict=True)
    )
