"""Unified diffs in git's own format: made from known line changes, and read.

Nothing is compared here: whoever changed lines knows which, so that making a diff costs what the change
costs, not what the file does. A patch is always valid Unicode: where a hunk would show bytes that are not
UTF-8, the file's change is written as git's binary patch, which is plain ASCII.
"""

import io
import re
import zlib
from base64 import b85encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING

from harness.errors import PatchError

if TYPE_CHECKING:
    from unidiff.patch import Hunk as UnidiffHunk

CONTEXT = 3  # lines around a change
NO_NEWLINE = b"\n\\ No newline at end of file\n"
NULL = "/dev/null"

_PLAIN = re.compile(rb'[^\x00-\x1f"\\\x7f-\xff]*')
_ESCAPED = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)


@dataclass(frozen=True)
class Replacement:
    """Lines of a file and what stands in their place."""

    start: int  # index of the first line replaced, from 0
    end: int  # index after the last; equal to ``start`` where lines are only put in
    lines: tuple[bytes, ...]  # each with its line ending, but for a last line that has none


@dataclass(frozen=True)
class Hunk:
    """One hunk of a diff."""

    old_start: int  # from 1; where the old side is empty, the line before it
    new_start: int  # likewise of the new side
    lines: tuple[str, ...]  # with their leading " ", "+", "-" or "\\", without line feeds

    def changed(self) -> Iterator[tuple[int, int]]:
        """Runs of changed lines as (first old line from 1, number of old lines); 0 where lines are only put in."""
        # an insertion into an empty side counts from the line before it
        number = self.old_start if any(line[:1] in (" ", "-") for line in self.lines) else self.old_start + 1
        first, removed, added = number, 0, 0
        for line in (*self.lines, " "):
            if line.startswith("-"):
                removed += 1
            elif line.startswith("+"):
                added += 1
            elif not line.startswith("\\"):
                if removed or added:
                    yield first, removed
                number += removed + 1
                first, removed, added = number, 0, 0


@dataclass(frozen=True)
class FileDiff:
    """What a diff does to one file."""

    old_path: str | None  # None: the file is new
    new_path: str | None  # None: the file is deleted
    hunks: tuple[Hunk, ...]

    @property
    def path(self) -> str:
        """The file's path after the change, before it where the file is deleted."""
        return self.new_path or self.old_path or ""


def split_lines(data: bytes) -> list[bytes]:
    """The lines of a file with their endings, cut after line feeds only."""
    return list(io.BytesIO(data))


def replaced(lines: Sequence[bytes], replacements: Sequence[Replacement]) -> bytes:
    """The file after the replacements, which are in order and do not overlap."""
    parts, position = [], 0
    for replacement in replacements:
        parts += [*lines[position : replacement.start], *replacement.lines]
        position = replacement.end
    return b"".join([*parts, *lines[position:]])


def change_patch(path: str, lines: Sequence[bytes], replacements: Sequence[Replacement]) -> str:
    """The patch that makes these replacements (in order, apart, at least one) in a file with these lines."""
    names = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    hunks = b"".join(_hunks(lines, replacements))
    return _text(names, "", names, hunks) or _binary(names, "", b"".join(lines), replaced(lines, replacements))


def creation_patch(path: str, content: bytes) -> str:
    """The patch that makes a new regular file."""
    names = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    mode = "new file mode 100644\n"
    if not content:
        return f"diff --git {names[0]} {names[1]}\n{mode}index {'0' * 40}..{_object(b'')}\n"
    hunks = b"".join(_hunks((), (Replacement(0, 0, tuple(split_lines(content))),)))
    return _text(names, mode, (NULL, names[1]), hunks) or _binary(names, mode, None, content)


def deletion_patch(path: str, content: bytes, mode: str) -> str:
    """The patch that deletes a regular file of that content (not empty) and git mode."""
    names = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    header = f"deleted file mode {mode}\n"
    lines = split_lines(content)
    hunks = b"".join(_hunks(lines, (Replacement(0, len(lines), ()),)))
    return _text(names, header, (names[0], NULL), hunks) or _binary(names, header, content, None)


def parse_patch(patch: str) -> tuple[FileDiff, ...]:
    """The files of a unified diff, in its order. Raises PatchError where it is none."""
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    try:
        files = PatchSet(io.StringIO(patch))
    except UnidiffParseError as error:
        raise PatchError(f"not a unified diff: {str(error).splitlines()[0]}") from error
    return tuple(
        FileDiff(_path(file.source_file), _path(file.target_file), tuple(_hunk(hunk) for hunk in file))
        for file in files
    )


def _hunk(hunk: "UnidiffHunk") -> Hunk:
    lines = (f"{line.line_type}{line.value}".removesuffix("\n") for line in hunk if line.line_type)
    return Hunk(hunk.source_start, hunk.target_start, tuple(lines))


def _text(names: tuple[str, str], mode: str, sides: tuple[str, str], hunks: bytes) -> str | None:
    try:
        body = hunks.decode()
    except UnicodeDecodeError:
        return None
    # git ends a name that holds a space with a tab, so that a date cannot be mistaken for a part of it
    old, new = (f"{side}\t" if " " in side and not side.startswith('"') else side for side in sides)
    return f"diff --git {names[0]} {names[1]}\n{mode}--- {old}\n+++ {new}\n{body}"


def _hunks(lines: Sequence[bytes], replacements: Sequence[Replacement]) -> Iterator[bytes]:
    shift = 0
    for group in _groups(replacements):
        first, last = max(0, group[0].start - CONTEXT), min(len(lines), group[-1].end + CONTEXT)
        body, position = [], first
        for replacement in group:
            body += [_line(b" ", line) for line in lines[position : replacement.start]]
            body += [_line(b"-", line) for line in lines[replacement.start : replacement.end]]
            body += [_line(b"+", line) for line in replacement.lines]
            position = replacement.end
        body += [_line(b" ", line) for line in lines[position:last]]
        growth = sum(len(r.lines) - (r.end - r.start) for r in group)
        old, new = _range_of(first, last - first), _range_of(first + shift, last - first + growth)
        yield f"{_header(old, new)}\n".encode() + b"".join(body)
        shift += growth


def _groups(replacements: Sequence[Replacement]) -> list[list[Replacement]]:
    groups: list[list[Replacement]] = []
    for replacement in replacements:
        if groups and replacement.start - groups[-1][-1].end <= 2 * CONTEXT:
            groups[-1].append(replacement)
        else:
            groups.append([replacement])
    return groups


def _range_of(index: int, count: int) -> str:
    """A range from the index of its first line; an empty one is named by the line before it."""
    return _range(index + 1 if count else index, count)


def _range(first: int, count: int) -> str:
    return f"{first}" if count == 1 else f"{first},{count}"


def _header(old: str, new: str) -> str:
    return f"@@ -{old} +{new} @@"


def _line(sign: bytes, line: bytes) -> bytes:
    return sign + (line if line.endswith(b"\n") else line + NO_NEWLINE)


def _binary(names: tuple[str, str], mode: str, old: bytes | None, new: bytes | None) -> str:
    packed = zlib.compress(new or b"")
    rows = [packed[start : start + 52] for start in range(0, len(packed), 52)]
    # a row's first character is its length: A-Z for 1 to 26 bytes, a-z for 27 to 52
    body = "".join(f"{chr(len(r) + (64 if len(r) <= 26 else 70))}{b85encode(r, pad=True).decode()}\n" for r in rows)
    index = "..".join("0" * 40 if side is None else _object(side) for side in (old, new))
    size = len(new or b"")
    return f"diff --git {names[0]} {names[1]}\n{mode}index {index}\nGIT binary patch\nliteral {size}\n{body}\n"


def _object(content: bytes) -> str:
    """Git's name for a file of that content."""
    return sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


def _quoted(path: str) -> str:
    data = path.encode("utf-8", "surrogateescape")
    if _PLAIN.fullmatch(data):
        return path
    return '"' + "".join(_ESCAPED.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in data) + '"'


def _path(name: str) -> str | None:
    """The path behind a name in a diff's header, without its ``a/`` or ``b/``."""
    if name == NULL:
        return None
    name = unquoted(name.strip())
    return name[2:] if name[:2] in ("a/", "b/") else name


def unquoted(name: str) -> str:
    """A name as a diff's header has it, without git's quotation marks and escapes."""
    if not name.startswith('"'):
        return name
    return _ESCAPE.sub(_unescape, name[1:-1].encode()).decode("utf-8", "surrogateescape")


def _unescape(found: re.Match[bytes]) -> bytes:
    code = found[1]
    if len(code) == 3:
        return bytes([int(code, 8)])
    return next((bytes([byte]) for byte, escaped in _ESCAPED.items() if escaped[1:].encode() == code), code)
