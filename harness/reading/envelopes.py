"""The apply-patch envelope: ``*** Begin Patch``, files to update, to add and to delete, ``*** End Patch``."""

import json
import re
from collections.abc import Sequence

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading
from harness.reading.endings import Ending
from harness.reading.path_names import is_fence

_FILE = re.compile(r"\*\*\* (Update|Add|Delete) File: *(.+?) *")
_PACKED = re.compile(r"\*\*\* Begin Patch\\n")
_STRING = re.compile(r'"(?:[^"\\]|\\["\\/bfnrtu])*+"')
_MARK = re.compile(r"\*\*\* .*")
_ANCHOR = re.compile(r"@@ ?(.*?)(?: @@)?")


def holds_envelope(text: str) -> bool:
    """Whether a text has the header of a file in an envelope."""
    return any(map(_FILE.fullmatch, _unpacked(text).split("\n")))


def read_envelopes(text: str, cut: bool = False) -> EditReading:
    """The chunks of all files, each as an edit of whole lines."""
    lines = _unpacked(text).split("\n")
    edits: list[Edit] = []
    problems: list[str] = []
    ending, position, unfinished = Ending(), 0, ""
    while position < len(lines):
        if ending.over(lines[position], bool(edits)):
            break
        found = _FILE.fullmatch(lines[position])
        position += 1
        if not found:
            if lines[position - 1].startswith("*** Move to:"):
                problems.append(f"line {position} moves a file")
            continue
        end = position
        while end < len(lines) and not (_MARK.fullmatch(lines[end]) or is_fence(lines[end])):
            end += 1
        whole = not (cut and end == len(lines))
        unfinished = unfinished if whole else f"the change that ends at line {end} was cut"
        edits += _edits(found[1], found[2], lines[position:end], whole)
        position = end
    return EditReading(tuple(edits), tuple(problems), unfinished)


def _unpacked(text: str) -> str:
    """The envelopes that are strings of JSON, such as a call's parameter; without any, the text."""
    if not _PACKED.search(text):
        return text
    strings = [json.loads(found[0], strict=False) for found in _STRING.finditer(text) if _PACKED.search(found[0])]
    return "\n".join(strings) if strings else text


def _edits(kind: str, path: str, body: Sequence[str], whole: bool) -> list[Edit]:
    """What is asked for one file; the last chunk of one that was cut is not."""
    if kind != "Update" and not whole:
        return []
    if kind == "Delete":
        return [Edit(path, "", "", EditKind.WHOLE)]
    if kind == "Add":
        return [Edit(path, "", "".join(f"{line[1:]}\n" for line in body if line[:1] == "+"))]
    chunks: list[tuple[str, list[str]]] = [("", [])]
    for line in body:
        if anchor := _ANCHOR.fullmatch(line) if line.startswith("@@") else None:
            chunks.append((anchor[1], []))
        else:
            chunks[-1][1].append(line)
    return [edit for anchor, lines in (chunks if whole else chunks[:-1]) if (edit := _edit(path, anchor, lines))]


def _edit(path: str, anchor: str, lines: list[str]) -> Edit | None:
    """The edit of one chunk; lines that are only put in go behind the line that its anchor names."""
    while lines and not lines[-1]:
        lines.pop()
    old = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
    new = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
    if old == new:
        return None
    if not old and anchor.strip():
        return Edit(path, f"{anchor}\n", f"{anchor}\n{new}")
    return Edit(path, old, new)
