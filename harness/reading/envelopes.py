"""The apply-patch envelope: ``*** Begin Patch``, files to update, to add and to delete, ``*** End Patch``."""

import re
from collections.abc import Sequence

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading
from harness.reading.embedded_json import unpacked
from harness.reading.endings import Ending
from harness.reading.hunk_lines import hunk_edit

_KINDS = {
    "update": ("Update", "Modify", "Edit", "Change"),
    "add": ("Add", "Create", "New"),
    "delete": ("Delete", "Remove"),
}
_FILE = re.compile(
    rf"\*\*\*[ ]?({'|'.join(word for words in _KINDS.values() for word in words)}) File: *(\S.*)", re.IGNORECASE
)
_PACKED = re.compile(r"\*\*\* Begin Patch\\{1,4}n")
_MARK = re.compile(r"\*\*\* .*")
_ANCHOR = re.compile(r"@@ ?(.*?)(?: @@)?")
_NUMBERS = re.compile(r"-(\d+)(?:,\d+)? \+\d+(?:,\d+)?(?: @@.*)?")


def holds_envelope(text: str) -> bool:
    """Whether a text has the header of a file in an envelope."""
    return "***" in text and any(map(_FILE.fullmatch, _lines(text)))


def read_envelopes(text: str, cut: bool = False) -> EditReading:
    """The chunks of all files, each as an edit of whole lines."""
    lines = _lines(text)
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
        end = _end(lines, position)
        whole = not (cut and end == len(lines))
        unfinished = unfinished if whole else f"the change that ends at line {end} was cut"
        kind = next(kind for kind, words in _KINDS.items() if found[1].capitalize() in words)
        edits += _edits(kind, found[2].strip(" \t`*"), lines[position:end], whole)
        position = end
    return EditReading(tuple(edits), tuple(problems), unfinished)


def _end(lines: Sequence[str], start: int) -> int:
    """Where the change of one file ends: at the next mark, or at a fence if that mark begins another patch."""
    marked = next((number for number in range(start, len(lines)) if _MARK.fullmatch(lines[number])), len(lines))
    if marked < len(lines) and not lines[marked].startswith("*** Begin Patch"):
        return marked
    return next((number for number in range(start, marked) if lines[number].startswith(("```", "~~~"))), marked)


def _lines(text: str) -> list[str]:
    """The lines of an answer, of the envelopes in strings of JSON, or without what indents an envelope."""
    lines = unpacked(text, _PACKED).split("\n")
    first = next((line for line in lines if line.lstrip().startswith(("*** Begin Patch", "*** Update File"))), "")
    indent = first[: len(first) - len(first.lstrip())]
    return [line.removeprefix(indent) for line in lines] if indent else lines


def _edits(kind: str, path: str, body: Sequence[str], whole: bool) -> list[Edit]:
    """What is asked for one file; the last chunk of one that was cut is not."""
    if kind != "update" and not whole:
        return []
    if kind == "delete":
        return [Edit(path, "", "", EditKind.WHOLE)]
    if kind == "add":
        return [Edit(path, "", _added(body))]
    if len(body) > 1 and body[0].startswith("--- ") and body[1].startswith("+++ "):
        body = body[2:]
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
    numbers = _NUMBERS.fullmatch(anchor)
    edit = hunk_edit(path, lines, int(numbers[1]) if numbers else 0)
    if edit and not numbers and not edit.search and anchor.strip():
        return Edit(path, f"{anchor}\n", f"{anchor}\n{edit.replace}")
    return edit


def _added(lines: Sequence[str]) -> str:
    """The text of a new file: without the plus signs, and with the lines that lack them."""
    last = max((number for number, line in enumerate(lines) if line.strip()), default=-1)
    return "".join(f"{line.removeprefix('+')}\n" for line in lines[: last + 1])
