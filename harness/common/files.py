"""Files that appear whole or not at all, and are on disk when they do."""

import errno
import json
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import yaml

from harness.common.disk_faults import UNFINISHED, naming

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # hundreds of digests take seconds without


@contextmanager
def finished_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that gets its name when it is whole and on disk; on an error the old one stays.

    Folders above it are made. Several threads and processes may write the same file: one of them wins. An OSError names
    ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}{UNFINISHED}")
    try:
        with naming(path):
            with unfinished.open("wb") as file:
                yield file
            put_in_place(unfinished, path)
    except BaseException:
        with suppress(OSError):  # what went wrong first counts
            unfinished.unlink(missing_ok=True)
        raise


def put_in_place(unfinished: Path, path: Path) -> None:
    """Give a whole file of the same file system its name; both its content and its name are on disk afterwards."""
    sync(unfinished)
    unfinished.replace(path)
    try:
        sync(path.parent)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that sync no folder
            raise


def sync(path: Path) -> None:
    """Wait until what was written to a file or folder is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old content or the new, never a part; see `finished_file`."""
    with finished_file(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def json_text(value: Any) -> str:
    """JSON as every command prints it. Raises ValueError for a number that JSON does not have."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole."""
    write_whole(path, json.dumps(value, indent=1, sort_keys=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, whole."""
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))
