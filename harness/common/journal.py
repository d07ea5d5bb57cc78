"""Append-only records of finished work: what is in the journal is never done again.

A record is one JSON line with its key, a hash of everything that determines it. A line is on disk
(written in one call, then fsync) before `put` returns, so a process killed at any moment loses at
most the record it had not yet reported. A torn last line, left by such a death, is cut off on opening.
"""

import errno
import json
import logging
import os
import threading
from pathlib import Path
from typing import Any, Self

from harness.common.disk_faults import naming
from harness.errors import InputError

log = logging.getLogger(__name__)

Record = dict[str, Any]


class Journal:
    """One JSONL file of records, held in memory by key while open. Safe for threads, not for processes."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises InputError if a line before the last is damaged."""
        self.path = path
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._load()
        self._file = path.open("ab", buffering=0)

    def _load(self) -> None:
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            log.warning("%s: dropped a torn last line of %d bytes", self.path, len(data) - whole)
            os.truncate(self.path, whole)
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                record = json.loads(line)
                self._records[record["key"]] = record
            except (ValueError, KeyError, TypeError) as error:
                raise InputError(
                    f"{self.path}: line {number} is damaged ({error}); remove that line and run again"
                ) from error

    def get(self, key: str) -> Record | None:
        """The record of that key, or None."""
        return self._records.get(key)

    def records(self) -> list[Record]:
        """Every record that counts, oldest key first."""
        with self._lock:
            return list(self._records.values())

    def put(self, key: str, record: Record) -> None:
        """Write the record under its key and return when it is on disk. A later record of one key wins.

        Raises OSError if the disk is full; what was written of the line is then taken back.
        """
        with self._lock:
            self._write(key, record)

    def add(self, key: str, record: Record) -> None:
        """Write the record unless one of that key is there, and return when it is on disk; see `put`.

        Several threads that add the same record at once write it once.
        """
        with self._lock:
            if key not in self._records:
                self._write(key, record)

    def _write(self, key: str, record: Record) -> None:
        line = (json.dumps({"key": key, **record}, ensure_ascii=True) + "\n").encode()
        with naming(self.path):
            written = self._file.write(line)
            if written != len(line):
                self._file.truncate(self._file.tell() - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        self._records[key] = {"key": key, **record}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._records)

    def close(self) -> None:
        """Close the file; the records stay readable."""
        self._file.close()
