"""Unified diffs as models write them: with wrong counts or none, with or without ``a/`` and ``b/``, fenced or bare."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading
from harness.reading.endings import Ending
from harness.reading.path_names import is_fence

NULL = "/dev/null"

_OLD, _NEW = re.compile(r"--- (.+)"), re.compile(r"\+\+\+ (.+)")
_GIT = re.compile(r"diff --git (?:a/)?(\S+) (?:b/)?(\S+)")
_HUNK = re.compile(r"@@(?:[ \t]*-(\d+)(?:,\d+)?[ \t]+\+\d+(?:,\d+)?)?.*")
_HEADER = re.compile(r"(?:index [0-9a-f]+\.\.|(?:new|deleted) file mode|old mode|new mode|similarity index|rename ).*")


@dataclass
class _State:
    """The files that the headers above a hunk name."""

    old: str = ""
    new: str = ""

    @property
    def path(self) -> str:
        return self.old if self.new == NULL else self.new or self.old


def holds_diff(text: str) -> bool:
    """Whether a text has the headers of a diff."""
    lines = text.split("\n")
    named = any(_OLD.match(a) and _NEW.match(b) for a, b in pairwise(lines))
    return named or any(_GIT.match(line) for line in lines)


def read_diffs(text: str, cut: bool = False) -> EditReading:
    """The hunks of all diffs in an answer proper, each as an edit of whole lines."""
    lines, state = text.split("\n"), _State()
    edits: list[Edit] = []
    ending, unfinished, position = Ending(), "", 0
    while position < len(lines):
        line = lines[position]
        if ending.over(line, bool(edits)):
            break
        following = lines[position + 1] if position + 1 < len(lines) else ""
        if git := _GIT.match(line):
            state = _State(git[1], git[2])
        elif (old := _OLD.match(line)) and (new := _NEW.match(following)):
            state = _State(_name(old[1]), _name(new[1]))
            position += 1
        elif state.path and (hunk := _HUNK.fullmatch(line)):
            known = len(edits)
            position = _read(lines, position + 1, state, int(hunk[1] or 0), edits)
            if cut and position == len(lines):
                unfinished = f"the hunk that ends at line {position} was cut"
                del edits[known:]
            continue
        elif state.path and line[:1] in ("-", "+") and not _HEADER.match(line):
            position = _read(lines, position, state, 0, edits)
            continue
        position += 1
    return EditReading(tuple(edits), (), unfinished)


def _read(lines: Sequence[str], start: int, state: _State, line: int, edits: list[Edit]) -> int:
    """Add the edit of the hunk whose lines begin at ``start``, and return where they end."""
    end = start
    while end < len(lines) and not _ends(lines, end):
        end += 1
    body = list(lines[start:end])
    while body and not body[-1]:
        body.pop()
    old, new = list(_side(body, "-")), list(_side(body, "+"))
    if old != new:
        if state.new == NULL:
            edits.append(Edit(state.path, "", "", EditKind.WHOLE))
        else:
            edits.append(Edit(state.path, "".join(old), "".join(new), line=line))
    return end


def _ends(lines: Sequence[str], number: int) -> bool:
    line = lines[number]
    if line.startswith("--- ") and number + 1 < len(lines) and lines[number + 1].startswith("+++ "):
        return True
    return bool(line) and (line[0] not in " +-\\\t" or is_fence(line))


def _side(body: Sequence[str], sign: str) -> Iterator[str]:
    for line in body:
        if not line or line[0] in (" ", "\t", sign):
            yield f"{line if line[:1] == '	' else line[1:]}\n"


def _name(text: str) -> str:
    name = text.split("\t")[0].strip().strip('"`')
    return name[2:] if name[:2] in ("a/", "b/") else name
