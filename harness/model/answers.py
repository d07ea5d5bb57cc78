"""Reading what a model answered. The text is data: it is never evaluated, and none makes these functions raise."""

import re
from dataclasses import dataclass

from harness.core.candidate import Edit

# the tags of most models, of Kimi-Dev and of Magistral
_THINKING = re.compile(
    r"\s*(?:<(think|thinking)>.*?(?:</\1>|\Z)|◁think▷.*?(?:◁/think▷|\Z)|\[THINK\].*?(?:\[/THINK\]|\Z))", re.DOTALL
)
# without an opening tag (some chat templates put it into the prompt) only a tag that ends its line counts,
# so that source code about thinking tags is not taken for thinking
_THOUGHT = re.compile(r".*?(?:</think(?:ing)?>|◁/think▷|\[/THINK\])[ \t]*(?:\n|\Z)", re.DOTALL)

_OPEN = re.compile(r"([ \t]*)<{5,9} ?SEARCH[ \t]*")
_CLOSE = re.compile(r"[ \t]*>{5,9} ?REPLACE[ \t]*")
_DIVIDE = re.compile(r"([ \t]*)={5,9}[ \t]*")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")

_NAMED_FENCE = re.compile(
    r"""[`~]* (?: [\w+-]* [ \t:="]+ (?: (?:file|filename|path|title) [=:] ["']? )? )?
    ( [\w.+-]* [/.] [\w./+-]* ) ["' \t]*""",
    re.VERBOSE,
)

_BULLET = re.compile(r"(?:[-*+]|\d+[.)])[ \t]+")
_HEADING = re.compile(
    r"#+[ \t]*(?:(?:file|filename|path)[ \t]*:[ \t]*)?|(?:file|filename|path)[ \t]*:[ \t]*", re.IGNORECASE
)
_QUOTED = re.compile(r"`([^`\s]+)`")
_FOLLOWED = re.compile(r"(\S+?)(?::[ \t]|[ \t]+[-–—(])")  # noqa: RUF001 - the dashes that models write
_LABELLED = re.compile(r"(?:in[ \t]+)?([^\s:]+):?[ \t]+(\S+)", re.IGNORECASE)
_POSITION = re.compile(r":\d+(?:-\d+)?$")
_WORD = re.compile(r"\w[\w.+-]*")  # a file such as LICENSE, where a path is expected
_PATH = re.compile(r".*/.*|.*\.\w+|[A-Z]\w*file")


@dataclass(frozen=True)
class EditReading:
    """The blocks of one answer, and one line on each that could not be read."""

    edits: tuple[Edit, ...]
    problems: tuple[str, ...]


def without_thinking(text: str) -> str:
    """The answer proper: line feeds only, valid Unicode, and nothing of what came in thinking tags before it."""
    text = text.replace("\r\n", "\n").encode("utf-8", "replace").decode()
    while thinking := _THINKING.match(text):
        text = text[thinking.end() :]
    thought = _THOUGHT.match(text)
    return text[thought.end() :] if thought else text


def read_file_names(text: str) -> tuple[str, ...]:
    """File names in the order given, each once: one a line, from the fenced blocks where these hold any."""
    lines = without_thinking(text).split("\n")
    fenced, inside = [], False
    for line in lines:
        if _FENCE.match(line):
            inside = not inside
        elif inside:
            fenced.append(line)
    names = [name for name in map(_path_in, fenced) if name] or [name for name in map(_path_in, lines) if name]
    return tuple(dict.fromkeys(names))


def read_edits(text: str) -> EditReading:
    """The search/replace blocks of an answer, in order, fenced or bare.

    A block's file stands on the line above it, or above the fence that it opens; where none does, it is the file
    of the block before. Markers and divider stand on lines of their own, equally indented.
    """
    lines = without_thinking(text).split("\n")
    edits: list[Edit] = []
    problems: list[str] = []
    path, position = "", 0
    while position < len(lines):
        opening = _OPEN.fullmatch(lines[position])
        position += 1
        if not opening:
            continue
        path = _path_above(lines, position - 1) or path
        end = _block_end(lines, position)
        block = _split_block(lines[position:end], opening[1])
        if end == len(lines) or not _CLOSE.fullmatch(lines[end]):
            problems.append(f"the block at line {position} has no end")
        elif block is None:
            problems.append(f"the block at line {position} has no divider, or several")
        elif not path:
            problems.append(f"the block at line {position} names no file")
        else:
            edits.append(Edit(path, *block))
        position = end
    return EditReading(tuple(edits), tuple(problems))


def _block_end(lines: list[str], start: int) -> int:
    """Index of the closing marker, or of whatever stands where it should have come before."""
    for position in range(start, len(lines)):
        if _CLOSE.fullmatch(lines[position]) or _OPEN.fullmatch(lines[position]):
            return position
    return len(lines)


def _split_block(lines: list[str], indent: str) -> tuple[str, str] | None:
    dividers = [i for i, line in enumerate(lines) if (found := _DIVIDE.fullmatch(line)) and found[1] == indent]
    if len(dividers) != 1:
        return None
    return _joined(lines[: dividers[0]]), _joined(lines[dividers[0] + 1 :])


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _path_above(lines: list[str], position: int) -> str:
    """The path on the line above a block, or on the fence that opens it (```python:src/a.py)."""
    for above in reversed(lines[max(0, position - 4) : position]):
        if _CLOSE.fullmatch(above):
            break
        if fence := _FENCE.match(above):
            if named := _NAMED_FENCE.fullmatch(above, fence.end()):
                return named[1]
        elif above.strip():
            return _path_in(above) or (above.strip() if _WORD.fullmatch(above.strip()) else "")
    return ""


def _path_in(line: str) -> str:
    """The path that a line consists of or clearly sets apart, or an empty string."""
    if _OPEN.fullmatch(line) or _CLOSE.fullmatch(line) or _FENCE.match(line):
        return ""
    line = _BULLET.sub("", line.strip(), count=1)
    if quoted := _QUOTED.search(line):
        return _POSITION.sub("", quoted[1])
    heading = _HEADING.match(line)
    line = line[heading.end() if heading else 0 :]
    if (labelled := _LABELLED.fullmatch(line)) and not _PATH.fullmatch(labelled[1]) and _PATH.fullmatch(labelled[2]):
        line = labelled[2]
    elif followed := _FOLLOWED.match(line):
        line = followed[1]
    line = _POSITION.sub("", line.strip(" \t*_\"',:"))
    return line if _PATH.fullmatch(line) and (heading or not re.search(r"\s", line)) else ""
