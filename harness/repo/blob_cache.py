"""What was derived from the contents of files, kept across instances and runs under the hash of the content."""

import fcntl
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from harness.errors import InfrastructureError

AT_ONCE = 500  # keys in one query; SQLite takes at least 999


class BlobStore:
    """Bytes by key in one SQLite file that threads and processes share. Close it when done."""

    def __init__(self, path: Path) -> None:
        """``path`` is made if it is missing. Raises InfrastructureError if it can't be used."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.Lock()
        try:
            self._open()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _open(self) -> None:
        # turning a new file to write-ahead logging is the one thing for which SQLite does not wait its turn
        with self.path.with_name(f"{self.path.name}.lock").open("a") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            self._database = sqlite3.connect(self.path, timeout=60.0, check_same_thread=False)
            self._database.execute("pragma journal_mode = wal")
            # a lost entry is made again: nothing here is worth waiting for the disk
            self._database.execute("pragma synchronous = off")
            self._database.execute("create table if not exists blobs (key text primary key, data blob) without rowid")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def get(self, keys: Sequence[str]) -> dict[str, bytes]:
        """What is held of the keys."""
        held: dict[str, bytes] = {}
        with self._lock:
            try:
                for start in range(0, len(keys), AT_ONCE):
                    part = keys[start : start + AT_ONCE]
                    marks = ",".join("?" * len(part))
                    held |= self._database.execute(f"select key, data from blobs where key in ({marks})", part)
            except sqlite3.Error as error:
                raise self._failure(error) from error
        return held

    def beginning(self, prefix: str) -> dict[str, bytes]:
        """What is held under all keys that begin with ``prefix``, which is not empty."""
        after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        with self._lock:
            try:
                within = "key >= ? and key < ?"
                return dict(self._database.execute(f"select key, data from blobs where {within}", (prefix, after)))
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def put(self, items: Mapping[str, bytes]) -> None:
        """Keep the items; a key's content never changes, so that one that is held stays as it is."""
        with self._lock:
            try:
                with self._database:
                    self._database.executemany("insert or ignore into blobs values (?, ?)", items.items())
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def overwrite(self, items: Mapping[str, bytes]) -> None:
        """Keep the items in the place of what is held under their keys."""
        with self._lock:
            try:
                with self._database:
                    self._database.executemany("insert or replace into blobs values (?, ?)", items.items())
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> InfrastructureError:
        return InfrastructureError(f"{self.path}: {error}; remove the file, it is only a cache")


def derived_store(folder: Path) -> BlobStore:
    """The store in a folder: the cache folder's, which all runs of this machine share, or one run's own."""
    return BlobStore(folder / "derived.sqlite3")
