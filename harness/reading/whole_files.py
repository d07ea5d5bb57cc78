"""Whole files: a path, and a fence with all that the file shall hold."""

import re

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading
from harness.reading.endings import Ending
from harness.reading.path_names import is_headed, looks_like_path, path_above

_FENCE = re.compile(r"(```+|~~~+)[^`]*")


def read_whole_files(text: str, cut: bool = False, asked: bool = True) -> EditReading:
    """Each fence that a path heads, as the whole content of that file.

    ``asked``: the answer was to be whole files. If it was not, a fence below a sentence that speaks of a file may be an
    example: it counts for a file that is there, and makes no new one.
    """
    lines = text.split("\n")
    edits: list[Edit] = []
    ending, position, floor, unfinished = Ending(), 0, 0, ""
    while position < len(lines):
        if ending.over(lines[position], bool(edits)):
            break
        opening = _FENCE.fullmatch(lines[position])
        position += 1
        if not opening:
            continue
        end = position
        while end < len(lines) and lines[end].rstrip() != opening[1]:
            end += 1
        path = path_above(lines, floor, position)
        if end == len(lines):
            unfinished = f"the file at line {position} was cut" if cut else ""
        elif looks_like_path(path) and any(map(str.strip, lines[position:end])):  # an empty fence deletes nothing
            content = "".join(f"{line}\n" for line in lines[position:end])
            headed = asked or is_headed(lines[floor:position], path)
            edits.append(Edit(path, "", content, EditKind.WHOLE if headed else EditKind.REWRITTEN))
        position = floor = end + 1
    return EditReading(tuple(edits), (), unfinished)
