"""Unified diffs as models write them: with wrong counts or none, with or without ``a/`` and ``b/``, fenced or bare."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading
from harness.reading.embedded_json import unpacked
from harness.reading.endings import Ending
from harness.reading.hunk_lines import SIGNS, hunk_edit
from harness.reading.path_names import is_fence, path_above

NULL = "/dev/null"

_OLD, _NEW = re.compile(r"---[ ]?(?:(?<=[ ])|(?=[ab]/))(.+)"), re.compile(r"\+\+\+[ ]?(?:(?<=[ ])|(?=[ab]/))(.+)")
_INDENTED = re.compile(r"[ \t]+(?:diff --git |--- (?:a/|/dev/null)|@@ -\d)")
_GIT = re.compile(r"diff --git (?:a/)?(\S+) (?:b/)?(\S+)")
_HUNK = re.compile(r"@@(?:[ \t]*-(\d+)(?:,(\d+))?[ \t]+\+\d+(?:,(\d+))?)?.*")
_HEADER = re.compile(
    r"(?:index [0-9a-f]+\.\.|(?:new|deleted) file mode|old mode|new mode|(?:dis)?similarity index|rename |copy ).*"
)
_BINARY = ("Binary files ", "GIT binary patch")
_VERSION = re.compile(r"\d+(?:\.[\w-]+)+.*")  # of git, behind the line of two dashes that ends a mail with a patch

_MARKED = re.compile(r"@@[ \t]*-\d+(?:,\d+)?[ \t]+\+\d+(?:,\d+)?[ \t]*@@.*")  # a hunk's header that is nothing else
_FENCE = re.compile(r"([ \t]*(?:```+|~~~+))[ \t]*(?:u?diff|patch)\b.*", re.IGNORECASE)
_SIGN = re.compile(r"^[ \t]*+(?:diff |---|@@|```|~~~)|@@\\|\\n@@", re.MULTILINE)  # without one a text has no diff
_PACKED = re.compile(
    r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@[^\"\\]{0,200}\\{1,4}n|\"@@[^\"\\]{0,200}\\{1,4}n[-+ ]"
)  # in JSON
_OUTSIDE = re.compile(r"@@|diff |Index:|\*\*\*|---|\+\+\+|</?\w[^<>]*>|[A-Z]+$")  # never a line that lacks its sign
AHEAD = 20  # lines without a sign that may stand ahead of a hunk's first change


@dataclass
class _State:
    """Where the lines that come next belong."""

    old: str = ""
    new: str = ""
    mark: str = ""  # what opened the fence for diffs around the lines, with its indentation; empty without one
    headed: bool = False  # right below the names of files, or in such a fence: signs alone begin a hunk

    @property
    def fenced(self) -> bool:
        """Whether the lines are in a fence for diffs."""
        return bool(self.mark)

    @property
    def path(self) -> str:
        return self.old if self.new == NULL else self.new or self.old


def holds_diff(text: str) -> bool:
    """Whether a text has the headers of a diff or of a hunk, or a fence for diffs."""
    if not _SIGN.search(text):
        return False
    lines = _lines(text)
    named = any(_OLD.match(a) and _NEW.match(b) for a, b in pairwise(lines))
    return named or any(_GIT.match(line) or _MARKED.fullmatch(line) or _FENCE.fullmatch(line) for line in lines)


def read_diffs(text: str, cut: bool = False) -> EditReading:
    """The hunks of all diffs in an answer proper, each as an edit of whole lines."""
    lines, state = _lines(text), _State()
    edits: list[Edit] = []
    problems: list[str] = []
    ending, unfinished, position, floor = Ending(), "", 0, 0
    last = max((number for number, line in enumerate(lines) if line.strip()), default=0)
    while position < len(lines):
        line = lines[position]
        if ending.over(line, bool(edits)):
            break
        if named := _named(lines, position, state):
            state, position = named
            found = _without_hunks(lines, position, state) if _GIT.match(line) else None
            if isinstance(found, Edit):
                edits.append(found)
            elif found:
                problems.append(found)
            continue
        hunk = _HUNK.fullmatch(line) if state.path or state.fenced or _MARKED.fullmatch(line) else None
        if hunk or (state.headed and line[:1] in ("-", "+") and not _HEADER.match(line)):
            if hunk and not state.path:
                state = replace(state, new=path_above(lines, floor, position))
            known, number = len(edits), int(hunk[1] or 0) if hunk and hunk[1] else 0
            sides = (int(hunk[2] or 1), int(hunk[3] or 1)) if hunk and hunk[1] else None
            position = floor = _read(lines, position + bool(hunk), state, number, sides, edits)
            state = replace(state, headed=state.fenced)
            if cut and position > last:
                unfinished = f"the hunk that ends at line {position} was cut"
                del edits[known:]
            continue
        state = _below(lines, position, floor, state)
        position += 1
    return EditReading(tuple(edits), tuple(problems), unfinished)


def _without_hunks(lines: Sequence[str], start: int, state: _State) -> Edit | str | None:
    """What the lines between git's header and the names of files say if no hunk does, or a problem; None for nothing.

    A file is deleted, or made without any text. One that is renamed, copied or no text has a problem in any case.
    """
    header = list(takewhile(_HEADER.match, lines[start:]))
    following = lines[start + len(header)] if start + len(header) < len(lines) else ""
    if any(line.startswith(("rename ", "copy ")) for line in header):
        return f"line {start} renames or copies a file"
    if following.startswith(_BINARY):
        return f"line {start} changes a file that is no text"
    if following.startswith(("---", "+++", "@@")):
        return None
    if any(line.startswith("deleted file mode") for line in header):
        return Edit(state.path, "", "", EditKind.WHOLE)
    return Edit(state.path, "", "") if any(line.startswith("new file mode") for line in header) else None


def _named(lines: Sequence[str], position: int, state: _State) -> tuple[_State, int] | None:
    """The state behind the names of files that stand at a line, and where they end; None if there are none."""
    line, following = lines[position], lines[position + 1] if position + 1 < len(lines) else ""
    if git := _GIT.match(line):
        return _State(git[1], git[2], state.mark, headed=True), position + 1
    old, new = _OLD.match(line), _NEW.match(following)
    if old and new:
        return _State(_name(old[1]), _name(new[1]), state.mark, headed=True), position + 2
    alone = old or _NEW.match(line)
    if alone and state.fenced and following.startswith("@@"):
        return _State("", _name(alone[1]), state.mark, headed=True), position + 1
    return None


def _below(lines: Sequence[str], position: int, floor: int, state: _State) -> _State:
    """The state behind a line that belongs to no hunk."""
    line = lines[position]
    if state.fenced and is_fence(line):
        return _State()
    if opening := _FENCE.fullmatch(line):
        return _State("", path_above(lines, floor, position), opening[1], headed=True)
    return replace(state, headed=state.headed and (state.fenced or not line.strip() or bool(_HEADER.match(line))))


def _lines(text: str) -> list[str]:
    """The lines of an answer, or of the diffs in strings of JSON, without what indents all of a diff."""
    lines = text.split("\n")
    if _PACKED.search(text) and not any(_OLD.match(line) or _MARKED.fullmatch(line) for line in lines):
        lines = unpacked(text, _PACKED, "```diff\n{}\n```").split("\n")
    first = next((line for line in lines if _INDENTED.match(line)), "")
    indent = first[: len(first) - len(first.lstrip())]
    return [line.removeprefix(indent) for line in lines] if indent else lines


def _read(
    lines: Sequence[str], start: int, state: _State, line: int, sides: tuple[int, int] | None, edits: list[Edit]
) -> int:
    """Add the edit of the hunk whose lines begin at ``start``, and return where they end.

    ``sides``: how many lines its header says that it has of the old file and of the new one.
    """
    end = _end(lines, start, state.mark, *(sides or (0, 0)))
    body = list(lines[start:end])
    if sides and (whole := _of_length(body, *sides)):
        body, end = body[:whole], start + whole
    while body and not body[-1]:
        body.pop()
    edit = hunk_edit(state.path, body, line)
    if edit and state.new == NULL:
        edits.append(Edit(state.path, edit.search, "", EditKind.WHOLE))
    elif edit and not edit.search and sides and not sides[0] and line and state.old != NULL:
        edits.append(Edit(state.path, "", edit.replace, EditKind.INSERTED, line))
    elif edit:
        edits.append(edit)
    return end


def _end(lines: Sequence[str], start: int, mark: str, old: int, new: int) -> int:
    """Where the lines of a hunk end that has, as its header says, so many of the old file and of the new one.

    A line without its sign belongs to a hunk that is not yet as long, or that has no change yet.
    """
    end, changed = start, False
    while end < len(lines):
        line = lines[end]
        if line.rstrip() == "--" and end + 1 < len(lines) and _VERSION.fullmatch(lines[end + 1]):
            break
        if _ends(lines, end, mark):
            ahead = (one[:1] for one in lines[end : end + AHEAD] if not changed)
            due = (old > 0 and new > 0) or any(sign in ("+", "-") for sign in takewhile(bool, ahead))
            if not due or is_fence(line) or _OUTSIDE.match(line):
                break
        changed = changed or line[:1] in ("+", "-")
        old, new, end = old - (line[:1] != "+"), new - (line[:1] != "-"), end + 1
    return end


def _of_length(body: Sequence[str], old: int, new: int) -> int:
    """How many lines have so many of the old file and of the new one, if a blank line comes behind them; else 0."""
    for number, line in enumerate(body):
        if (old, new) == (0, 0) and not line:
            return number
        old -= line[:1] != "+"
        new -= line[:1] != "-"
        if old < 0 or new < 0:
            return 0
    return 0


def _ends(lines: Sequence[str], number: int, mark: str) -> bool:
    """Whether a line is none of a hunk; a fence behind a space is a line that stays, unless ``mark`` is that fence."""
    line = lines[number]
    if line.startswith("--- ") and number + 1 < len(lines) and lines[number + 1].startswith("+++ "):
        return True
    return bool(line) and (line[0] not in SIGNS or line.rstrip() == mark)


def _name(text: str) -> str:
    name = text.split("\t")[0].strip().strip('"`')
    return name[2:] if name[:2] in ("a/", "b/") else name
