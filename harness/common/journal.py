"""Append-only records of finished work: what is in the journal is never done again.

A record is one JSON line with its key, a hash of everything that determines it; a file whose name ends in ``.gz``
holds it compressed (see `harness.common.line_files`). A line is on disk (written, then fsync) before `put` returns, so
a process killed at any moment loses at most the records it had not yet reported. Lines that come while the disk is busy
are written together: a slow disk costs time, not records a second. A torn last line, left by a death, is cut off on
opening. In memory is where each record lies, not the record.
"""

import errno
import json
import logging
import os
import threading
import zlib
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Self

from harness.common.disk_faults import naming
from harness.common.line_files import damaged, pack, stored_lines, unpack

log = logging.getLogger(__name__)

Record = dict[str, Any]

OPENING, CLOSING = b'{"key": "', b"}\n"  # of every line that a journal writes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies in its file, and what tells it from any other of its key."""

    offset: int  # bytes
    length: int  # in the file
    checksum: int  # CRC-32 of the line


def _under_way() -> "Future[None]":
    """A future that nobody can cancel any more."""
    future = Future[None]()
    future.set_running_or_notify_cancel()
    return future


@dataclass(frozen=True)
class _Line:
    """A line on its way to the disk."""

    key: str
    text: bytes
    written: "Future[None]" = field(default_factory=_under_way)


def _made(key: str, record: Record) -> _Line:
    return _Line(key, (json.dumps({"key": key, **record}, ensure_ascii=True) + "\n").encode())


class Journal:
    """One JSONL file of records, found by key while open. Safe for threads, not for processes."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; a name that ends in ``.gz`` is of a compressed one.

        Raises InputError if a line before the last is damaged.
        """
        self.path = path
        self._lock = threading.Lock()  # of the places, and of the lines that wait
        self._places: dict[str, Place] = {}
        self._waiting: list[_Line] = []
        self._writing = False  # whether the writer's thread will see what waits
        self._writer = ThreadPoolExecutor(1, "journal")  # starts with the first record
        path.parent.mkdir(parents=True, exist_ok=True)
        self._load()
        self._file = path.open("a+b", buffering=0)

    def _load(self) -> None:
        if not self.path.exists():
            return
        end = 0
        with self.path.open("rb") as file:
            for offset, length, line in stored_lines(self.path, file):
                self._places[self._key(line, offset)] = Place(offset, length, zlib.crc32(line))
                end = offset + length
            torn = file.seek(0, os.SEEK_END) - end
        if torn:
            log.warning("%s: dropped a torn last line of %d bytes", self.path, torn)
            os.truncate(self.path, end)

    def _key(self, line: bytes, offset: int) -> str:
        """The key of a line; what its form does not rule out is not parsed before it is used."""
        end = line.find(b'"', len(OPENING))
        if line.startswith(OPENING) and line.endswith(CLOSING) and b"\\" not in line[:end]:
            return line[len(OPENING) : end].decode("utf-8", "replace")
        key = self._parsed(line, offset)["key"]
        return str(key)

    def _parsed(self, line: bytes, offset: int) -> Record:
        try:
            record: Record = json.loads(line)
            hash(record["key"])
        except (ValueError, KeyError, TypeError) as error:
            with self.path.open("rb") as file:
                raise damaged(self.path, file, offset, str(error)) from error
        return record

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def checksum(self, key: str) -> int | None:
        """What tells the record of that key from any other that it had or will have; None if there is no record."""
        place = self._places.get(key)
        return None if place is None else place.checksum

    def get(self, key: str) -> Record | None:
        """The record of that key, or None. Raises InputError for a damaged one."""
        place = self._places.get(key)
        return None if place is None else self._read(place)

    def _read(self, place: Place) -> Record:
        data = os.pread(self._file.fileno(), place.length, place.offset)
        try:
            line = unpack(self.path, data)
        except ValueError as error:
            with self.path.open("rb") as file:
                raise damaged(self.path, file, place.offset, str(error)) from error
        return self._parsed(line, place.offset)

    def records(self) -> Iterator[Record]:
        """Every record that counts, oldest key first."""
        with self._lock:
            places = list(self._places.values())
        return map(self._read, places)

    def put(self, key: str, record: Record) -> None:
        """Write the record under its key and return when it is on disk. A later record of one key wins.

        Raises OSError if the disk is full; what was written of the line is then taken back.
        """
        self.put_all({key: record})

    def put_all(self, records: dict[str, Record], once: Collection[str] = ()) -> None:
        """The same for several records, which one wait for the disk is enough for; see `begin`."""
        for written in self.begin(records, once):
            written.result()

    def begin(self, records: dict[str, Record], once: Collection[str] = ()) -> "list[Future[None]]":
        """Bring the records on their way to the disk: one future for each, done when it is there.

        Of a key in ``once`` a record that is there, or on its way, stays: many threads that bring it write it once.
        Quick enough for an event loop: what takes longer is left to the writer's thread.
        """
        # what is there already, such as a prompt of many samples, is not made into a line
        wanted = {key: record for key, record in records.items() if key not in once or key not in self._places}
        made = {key: _made(key, record) for key, record in wanted.items()}
        with self._lock:
            waiting = {line.key: line for line in self._waiting}
            kept = [waiting[key] for key in made if key in once and key in waiting]
            new = [line for line in made.values() if line.key not in once or not self._is_there(line.key, waiting)]
            self._waiting += new
            if new and not self._writing:
                self._writing = True
                self._writer.submit(self._write_waiting)
        return [line.written for line in (*kept, *new)]

    def _is_there(self, key: str, waiting: Collection[str]) -> bool:
        return key in self._places or key in waiting

    def add(self, key: str, record: Record) -> None:
        """Write the record unless one of that key is there, and return when it is on disk; see `put_all`."""
        self.put_all({key: record}, once=(key,))

    def _write_waiting(self) -> None:
        """Write what waits, and what has come meanwhile, until nothing waits."""
        while lines := self._next_lines():
            failure = None
            try:
                places = self._write(lines)
            except Exception as error:  # noqa: BLE001 - whoever waits for these lines has to hear of it
                failure, places = error, []
            with self._lock:
                self._places |= {line.key: place for line, place in zip(lines, places, strict=False)}
                del self._waiting[: len(lines)]  # until now, so that nobody adds one of them again
            for line in lines:
                line.written.set_exception(failure) if failure else line.written.set_result(None)

    def _next_lines(self) -> list[_Line]:
        with self._lock:
            self._writing = bool(self._waiting)
            return list(self._waiting)

    def _write(self, lines: list[_Line]) -> list[Place]:
        held = [pack(self.path, line.text) for line in lines]
        begin, data = os.fstat(self._file.fileno()).st_size, b"".join(held)
        with naming(self.path):
            written = self._file.write(data)
            if written != len(data):
                self._file.truncate(begin)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        offsets = accumulate(map(len, held), initial=begin)
        return [
            Place(start, end - start, zlib.crc32(line.text))
            for (start, end), line in zip(pairwise(offsets), lines, strict=True)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._places)

    def close(self) -> None:
        """Close the file when what is on its way is there; its records can't be read any more."""
        self._writer.shutdown()
        self._file.close()
