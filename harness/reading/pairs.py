"""An old text and the new one, set apart by tags or by fences with a label above each."""

import re
from collections.abc import Iterator, Sequence

from harness.core.candidate import Edit
from harness.reading.blocks import EditReading
from harness.reading.endings import Ending
from harness.reading.path_names import path_above, path_of_line

_OLD = r"old_(?:text|code|str|string)|search|original|find|before"
_NEW = r"new_(?:text|code|str|string)|replace|replacement|patched|modified|updated|after"
# no text may hold what opens another pair: one that never ends is not looked through again and again
_BETWEEN = rf"((?:(?!<(?:{_OLD}|{_NEW})>).)*?)"
_TAGS = (
    re.compile(rf"<({_OLD})>((?:(?!<(?:{_OLD})>).)*?)</\1>\s*<({_NEW})>{_BETWEEN}</\3>", re.DOTALL | re.IGNORECASE),
    re.compile(  # ended by another tag than their own
        rf"<({_OLD})>((?:(?!<(?:{_OLD})>).)*?)</(?:{_OLD}|{_NEW}|old|new|text|code)>"
        rf"\s*<({_NEW})>{_BETWEEN}</(?:{_OLD}|{_NEW}|old|new|text|code)>",
        re.DOTALL,
    ),
    re.compile(
        rf"\[({_OLD})\]((?:(?!\[(?:{_OLD})\]).)*?)\[/\1\]\s*\[({_NEW})\]((?:(?!\[(?:{_OLD}|{_NEW})\]).)*?)\[/\3\]",
        re.DOTALL | re.IGNORECASE,
    ),
)
_ATTRIBUTE = re.compile(r"<\w[^<>]*?\b(?:file|path|file_path|filename|name)=[\"']([^\"'<>]+)[\"'][^<>]*>")
AHEAD = 2000  # characters ahead of a pair in which a tag may name its file
_MARK = re.compile(r"```|~~~")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[^`]*")
_DRESS = r"(?:[^\w\n]|[\d_])*+"
_OLDS = "修改前|原代码|原始代码|old|original|before|search|current|existing|replace|change|find|from|this"
_NEWS = "修改后的代码|修改后|新代码|new|updated?|after|replace(?:d|ment)?|modified|fixed|corrected|changed|with|to|by"
_OLD_LABEL = re.compile(
    rf"{_DRESS}(?:(?:the|this|from|replace|change|find)[ \t]+)*(?:{_OLDS})\b[^.]{{0,40}}", re.IGNORECASE
)
_NEW_LABEL = re.compile(rf"{_DRESS}(?:(?:the|with|to|by|this|and)[ \t]+)*(?:{_NEWS})\b[^.]{{0,40}}", re.IGNORECASE)


def read_pairs(text: str, cut: bool = False) -> EditReading:
    """An edit for each whole pair, in order; those of tags if there are any."""
    if tagged := tuple(_tagged(text)):
        return EditReading(tagged)
    lines = text.split("\n") if _MARK.search(text) else []
    unfinished = "the new text of the last pair was cut" if cut and _is_cut(lines) else ""
    return EditReading(tuple(_fenced(lines)), (), unfinished)


def _tagged(text: str) -> Iterator[Edit]:
    path, floor = "", 0
    tags = next((pattern for pattern in _TAGS if pattern.search(text)), _TAGS[0])
    for found in tags.finditer(text):
        ahead = text[floor : found.start()]
        named = [one[1] for one in _ATTRIBUTE.finditer(ahead[-AHEAD:])]
        lines = ahead.split("\n")
        path = (named[-1] if named else path_above(lines, 0, len(lines))) or path
        yield Edit(path, _as_lines(found[2]), _as_lines(found[4]))
        floor = found.end()


def _as_lines(content: str) -> str:
    content = content.removeprefix("\n").rstrip()
    return f"{content}\n" if content else ""


def _fenced(lines: Sequence[str]) -> Iterator[Edit]:
    ending, begun, path, floor = Ending(), False, "", 0
    fences = list(_fences(lines))
    number = 0
    while number + 1 < len(fences):
        (start, end), (other, last) = fences[number], fences[number + 1]
        if any(ending.over(line, begun) for line in lines[floor:start]):
            return
        above = [line for line in lines[floor:start] if line.strip()]
        between = [line for line in lines[end + 1 : other] if line.strip()]
        number += 1
        labelled = len(between) == 1 and _NEW_LABEL.fullmatch(between[0])
        if not above or not labelled or not _OLD_LABEL.fullmatch(_label(above[-1])):
            floor = end + 1
            continue
        path = path_above(lines, floor, start) or path
        old, new = ("".join(f"{line}\n" for line in lines[a + 1 : b]) for a, b in ((start, end), (other, last)))
        yield Edit(path, old, new)
        begun, floor, number = True, last + 1, number + 1


def _is_cut(lines: Sequence[str]) -> bool:
    """Whether the last fence has no end and a label of a new text, and the one above it a label of an old one."""
    fences = list(_fences([*lines, "```", "~~~"]))
    if len(fences) < 2 or fences[-1][1] < len(lines):
        return False
    (start, end), (other, _) = fences[-2:]
    above, between = ([line for line in part if line.strip()] for part in (lines[:start], lines[end + 1 : other]))
    old = bool(above) and bool(_OLD_LABEL.fullmatch(_label(above[-1])))
    return old and len(between) == 1 and bool(_NEW_LABEL.fullmatch(between[0]))


def _label(line: str) -> str:
    """A label without the sentence's beginning that names the file: In `a.py`, replace."""
    head, comma, rest = line.partition(", ")
    return rest if comma and not _OLD_LABEL.fullmatch(line) and ("`" in head or path_of_line(head)) else line


def _fences(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The lines at which each closed fence begins and ends."""
    start, mark = -1, ""
    for number, line in enumerate(lines):
        if start < 0:
            if found := _FENCE.fullmatch(line):
                start, mark = number, found[1]
        elif line.strip() == mark:
            yield start, number
            start = -1
