"""Whole files: a path, and a fence or a tag with all that the file shall hold."""

import re
from collections.abc import Iterator, Sequence

from harness.core.candidate import Edit, EditKind
from harness.reading.blocks import EditReading
from harness.reading.call_keys import PATH, pattern
from harness.reading.endings import Ending
from harness.reading.heredocs import heredoc_paths, read_heredocs
from harness.reading.path_names import MARKUP, is_fence, is_headed, looks_like_path, path_above, path_of_line

_FENCE = re.compile(r"(```+|~~~+)[^`]*")
_KEYS = pattern(*PATH, "name")
_NAMES = r"file|document|boltAction|\w{0,20}(?:create|write|update|full)\w{0,20}file\w{0,20}"
_TAG = re.compile(
    rf"(?<![^\n])[ \t]*(?:<boltArtifact[^<>\n]{{0,200}}>\s*)?<({_NAMES})\b"
    rf"(?:[^<>\n]{{0,200}}?\b(?:{_KEYS})=[\"']([^\"'<>\n]{{1,400}})[\"'][^<>\n]{{0,200}})?>",
    re.IGNORECASE,
)
_MARKUP_FENCE = re.compile(r"[`~]+[ \t]*(?:markdown|md|mdx|rst)\b.*", re.IGNORECASE)
_COMMENT = re.compile(r"[ \t]*(?:#+|//+|/\*+|<!--|--|%+|;+)[ \t]")
_PATH = re.compile(rf"\s*<({_KEYS})>[ \t]*([^<>\n]+?)[ \t]*</\1>\s*", re.IGNORECASE)
_CONTENT = re.compile(r"\s*<(contents?|source|code|text)>")
_DATA = re.compile(r"\s*<!\[CDATA\[")


def read_whole_files(text: str, cut: bool = False, asked: bool = True) -> EditReading:
    """Each fence that a path heads, and what stands between tags with one, as the whole content of that file.

    ``asked``: the answer was to be whole files. If it was not, a fence below a sentence that speaks of a file may be an
    example: it counts for a file that is there, and makes no new one.
    """
    tagged = list(_tagged(text))
    if tagged:
        whole = tuple(edit for edit, closed in tagged if closed)
        return EditReading(whole, (), "" if tagged[-1][1] or not cut else f"the file {tagged[-1][0].path} was cut")
    lines = text.split("\n")
    if "<<" in text and heredoc_paths(lines) and not _is_script(lines):
        return read_heredocs(lines, cut)
    if "```" not in text and "~~~" not in text:
        return EditReading(())
    edits: list[Edit] = []
    ending, position, floor, unfinished = Ending(), 0, 0, ""
    while position < len(lines):
        if ending.over(lines[position], bool(edits)):
            break
        opening = _FENCE.fullmatch(lines[position])
        position += 1
        if not opening:
            continue
        end = _end(lines, floor, position, opening[1])
        if end == len(lines):
            unfinished = f"the file at line {position} was cut" if cut else ""
        elif any(map(str.strip, lines[position:end])):  # an empty fence deletes nothing
            edits += _fenced(lines, floor, position, end, asked)
        position = floor = end + 1
    return EditReading(tuple(edits), (), unfinished)


def _end(lines: Sequence[str], floor: int, start: int, mark: str) -> int:
    """Where a fence ends; one around Markdown may hold others, which begin with the name of a language."""
    nests = path_above(lines, floor, start).endswith(MARKUP) or _MARKUP_FENCE.fullmatch(lines[start - 1])
    depth = 0
    for end in range(start, len(lines)):
        line = lines[end].rstrip()
        if line == mark and not depth:
            return end
        if nests and line.startswith(mark):
            depth += 1 if line[len(mark) :].strip("`~ ") else -1
    return len(lines)


def _is_script(lines: Sequence[str]) -> bool:
    """Whether a command of a shell that writes a file stands in a fence that another path heads: it is part of that."""
    start, floor = -1, 0
    for number, line in enumerate(lines):
        if not is_fence(line):
            continue
        if start >= 0 and (written := heredoc_paths(lines[start + 1 : number])):
            path = path_above(lines, floor, start + 1)
            if path and path not in written and is_headed(lines[floor : start + 1], path):
                return True
        start, floor = (number, floor) if start < 0 else (-1, number + 1)
    return False


def _fenced(lines: Sequence[str], floor: int, start: int, end: int, asked: bool) -> Iterator[Edit]:
    """The file that the lines of a fence are, if a path heads it or a comment with one begins it."""
    path = path_above(lines, floor, start)
    headed = asked or is_headed(lines[floor:start], path)
    if not looks_like_path(path) and _COMMENT.match(lines[start]):
        path, headed = path_of_line(lines[start]), False
    if looks_like_path(path):
        content = "".join(f"{line}\n" for line in lines[start:end])
        yield Edit(path, "", content, EditKind.WHOLE if headed else EditKind.REWRITTEN)


def _tagged(text: str) -> Iterator[tuple[Edit, bool]]:
    """The files between tags that name them, and whether the end of each is there."""
    position = 0
    while opening := _TAG.search(text, position):
        position = opening.end()
        path = opening[2]
        if not path and (named := _PATH.match(text, position)):
            path, position = named[2], named.end()
        end = text.find(f"</{opening[1]}>", position)
        if not path or not looks_like_path(path.strip()):
            continue
        content = _content(text[position : end if end >= 0 else len(text)])
        if content.strip():  # an empty tag deletes nothing
            yield Edit(path.strip(), "", content, EditKind.WHOLE), end >= 0
        position = end if end >= 0 else len(text)


def _content(body: str) -> str:
    """What a file holds, without a tag, a fence or the mark of XML around all of it."""
    if (tag := _CONTENT.match(body)) and (end := body.rfind(f"</{tag[1]}>")) >= 0:
        body = body[tag.end() : end]
    if (data := _DATA.match(body)) and (end := body.rfind("]]>")) >= 0:
        body = body[data.end() : end]
    body = body.removeprefix("\n")
    lines = body.rstrip().split("\n")
    if len(lines) > 1 and is_fence(lines[0]) and lines[-1].strip() in ("```", "~~~"):
        lines = lines[1:-1]
    return "".join(f"{line}\n" for line in lines)
