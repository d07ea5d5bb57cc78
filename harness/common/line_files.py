"""Files of lines that grow at their end: plain, or, if the name ends in ``.gz``, every line a gzip member of its own.

``zcat`` reads such a file as the lines. A member's header states its length (RFC 1952, section 2.3.1.1, has room for
that), so that a line is read without those before it, and what a death tore is known as torn.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from harness.errors import InputError

GZIP = ".gz"
LEVEL = 6
_DEFLATED, _EXTRA, _UNKNOWN = 8, 4, 255  # of a header: the method, a field of our own, the operating system
_MEMBER = struct.pack("<2s2BI2BH2sH", b"\x1f\x8b", _DEFLATED, _EXTRA, 0, 0, _UNKNOWN, 8, b"HL", 4)
_LENGTH = struct.Struct("<I")  # bytes of the whole member; stands behind `_MEMBER`
_ENDING = struct.Struct("<2I")  # CRC-32 and length of the line
HEADER = len(_MEMBER) + _LENGTH.size


class Line(NamedTuple):
    """A line and where it lies."""

    offset: int  # bytes, in the file
    length: int  # bytes that it takes there
    data: bytes  # with its newline


def pack(path: Path, line: bytes) -> bytes:
    """The bytes by which a file of that name holds a line."""
    if path.suffix != GZIP:
        return line
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = deflate.compress(line) + deflate.flush()
    length = HEADER + len(body) + _ENDING.size
    return _MEMBER + _LENGTH.pack(length) + body + _ENDING.pack(zlib.crc32(line), len(line) & 0xFFFFFFFF)


def unpack(path: Path, data: bytes) -> bytes:
    """The line that a file of that name holds by these bytes. Raises ValueError if they are no whole line."""
    if path.suffix != GZIP:
        return data
    if not data.startswith(_MEMBER) or len(data) < HEADER + _ENDING.size:
        raise ValueError("no header of a line")
    try:
        line = zlib.decompress(data[HEADER : -_ENDING.size], -zlib.MAX_WBITS)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if _ENDING.unpack(data[-_ENDING.size :]) != (zlib.crc32(line), len(line) & 0xFFFFFFFF):
        raise ValueError("its checksum is another")
    return line


def stored_lines(path: Path, file: IO[bytes], offset: int = 0) -> Iterator[Line]:
    """The whole lines from ``offset`` on. A torn last one is left out: the file ends behind the last line given.

    Raises InputError for damage that others follow on.
    """
    file.seek(offset)
    if path.suffix == GZIP:
        yield from _members(path, file, offset)
        return
    for line in file:
        if not line.endswith(b"\n"):
            return
        yield Line(offset, len(line), line)
        offset += len(line)


def _members(path: Path, file: IO[bytes], offset: int) -> Iterator[Line]:
    while head := file.read(HEADER):
        stated = _LENGTH.unpack(head[len(_MEMBER) :])[0] if len(head) == HEADER else 0
        data = head + file.read(max(stated - len(head), 0))
        try:
            line = unpack(path, data)
        except ValueError as error:
            if _torn(file, offset):
                return
            raise damaged(path, file, offset, str(error)) from error
        yield Line(offset, len(data), line)
        offset += len(data)


def _torn(file: IO[bytes], offset: int) -> bool:
    """Whether what stands there is the beginning of a line, or what a disk leaves in its place, and the last."""
    file.seek(offset)
    rest = file.read()
    written = rest.rstrip(b"\0")
    return written.startswith(_MEMBER[: len(written)]) and rest.find(_MEMBER, 1) < 0


def damaged(path: Path, file: IO[bytes], offset: int, problem: str) -> InputError:
    """The error that names a damaged line, and how to go on without it."""
    file.seek(0)
    data = file.read()
    if path.suffix != GZIP:
        return InputError(
            f"{path}: line {data.count(bytes([10]), 0, offset) + 1} is damaged ({problem}); "
            "remove that line and run again"
        )
    following = data.find(_MEMBER, offset + 1)
    if offset == 0 and not data.startswith(_MEMBER) and following < 0:
        plain = path.with_suffix("")
        return InputError(
            f"{path}: what begins at byte {offset} was not written by this program ({problem}); if it is gzip, "
            f"gunzip it to {plain.name} and run again"
        )
    rest = f"; tail -c +{following + 1} {path.name}" if following >= 0 else ""
    return InputError(
        f"{path}: the line at byte {offset} is damaged ({problem}); leave it out and run again: in its folder, "
        f"(head -c {offset} {path.name}{rest}) >mended && mv mended {path.name}"
    )


def read_whole(path: Path) -> bytes:
    """All lines of a file. Raises InputError like `stored_lines`."""
    if path.suffix != GZIP:
        return path.read_bytes()
    with path.open("rb") as file:
        return b"".join(line.data for line in stored_lines(path, file))
