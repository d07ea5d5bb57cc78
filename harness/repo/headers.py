"""Definitions that a grammar lost in broken Python: found by the lines that head them, and by their indentation."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

_HEADER = re.compile(rb"([ \t]*)((?:async[ \t]+)?def|class)[ \t]+([\w\x80-\xff]+)[ \t]*(?:[(\[:].*)?")
_NAME = re.compile(r"\w+")  # letters of every script, which bytes alone do not distinguish
_WIDTH = 8  # of a tab, as Python counts it
_MOST = 5000  # definitions that are looked for in one file: the time grows with their square


@dataclass(frozen=True)
class Definition:
    """A definition in a file. Lines count from 1, both ends included; the bytes' end is not."""

    kind: str  # "class", "function" or "variable"
    name: str  # without the names around it
    owner: str  # the type that a Go method names as its receiver
    start: int  # bytes
    end: int
    first: int  # lines
    header: int
    last: int
    body: int
    signature: str
    decorators: tuple[str, ...]


def lost_definitions(data: bytes, found: Sequence[Definition]) -> Iterator[Definition]:
    """A definition for every line of broken source that heads one, and that is not among those ``found``.

    It goes to the line before the next one that is indented as little, but not beyond the definition around it; and it
    holds every definition that begins in it. A header that stands in a string is taken for one: in broken source
    it is unknown where strings are.
    """
    lines = data.split(b"\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    headed = {(d.header, d.name) for d in found}
    known = list(found)
    most = len(found) + _MOST
    for number, line in enumerate(lines, 1):
        match = _HEADER.fullmatch(line.rstrip())
        if not match or (number, name := match[3].decode("utf-8", "replace")) in headed:
            continue
        if not _NAME.fullmatch(name):
            continue
        if len(known) == most:
            return
        last = _last_line(lines, number, _indentation(match[1]))
        lost = Definition(
            kind="class" if match[2] == b"class" else "function",
            name=name,
            owner="",
            start=starts[number - 1] + len(match[1]),
            end=min(starts[last] - 1, len(data)),
            first=number,
            header=number,
            last=last,
            body=number + 1,
            signature=" ".join(match[0].decode("utf-8", "replace").split()),
            decorators=(),
        )
        known.append(lost := _nested(lost, known))
        yield lost


def _last_line(lines: Sequence[bytes], number: int, indentation: int) -> int:
    """The last line below line ``number`` that is indented more, before the next that is not."""
    last = number
    for below in range(number + 1, len(lines) + 1):
        text = lines[below - 1]
        if not text.strip():
            continue
        if _indentation(text) <= indentation:
            break
        last = below
    return last


def _indentation(line: bytes) -> int:
    expanded = line.expandtabs(_WIDTH)
    return len(expanded) - len(expanded.lstrip())


def _nested(lost: Definition, known: Sequence[Definition]) -> Definition:
    """The same as far as it is inside of the definitions around it, and at least to the end of those in it."""
    inner = [d for d in known if d.kind != "variable"]
    while over := [d for d in inner if lost.start < d.start < lost.end < d.end]:
        lost = replace(lost, end=max(d.end for d in over), last=max(d.last for d in over))
    for around in (d for d in inner if d.start < lost.start < d.end < lost.end):
        lost = replace(lost, end=around.end, last=around.last)
    return replace(lost, body=min(lost.body, lost.last + 1))
