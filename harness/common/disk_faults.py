"""What a disk refuses, in one line: which file, why, and what to do."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = ".tmp"  # ends the name of a file that is being written; a killed process leaves it behind

FULL = {
    errno.ENOSPC: "the disk is full; free some space on it",
    errno.EDQUOT: "the disk quota is used up; free some space, or have it raised",
    errno.EFBIG: "the file would become larger than allowed; raise the limit (`ulimit -f`)",
}
FORBIDDEN = {
    errno.EROFS: "its file system is read-only; make it writable, or name another place",
    errno.EACCES: "its permissions forbid it; change them, or name another place",
    errno.EPERM: "the system forbids it; change that, or name another place",
    errno.ENOENT: "it is not there, or its folder was removed; put it back, or name another",
    errno.ENOTDIR: "a part of its path is a file; name another place",
    errno.EISDIR: "it is a folder; name a file",
    errno.ENAMETOOLONG: "its name is too long; name another place",
}
FAILING = {
    errno.EIO: "the disk fails; look into the system's log",
    errno.ESTALE: "the file server lost it; mount it again",
    errno.ENODEV: "the disk is gone; mount it again",
    errno.ENXIO: "the disk is gone; mount it again",
}
LEAST_BYTES = 64 << 10  # a disk with less room counts as full
WORDS = FULL | FORBIDDEN | FAILING


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Have an OSError that names no file, or an unfinished one, name ``path``.

    What is raised by writing to an open file names none.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None and not str(error.filename).endswith(UNFINISHED):
            raise
        # numpy's error has no number: it says how much of an array was written
        number = error.errno or (errno.ENOSPC if is_full(path.parent) else errno.EIO)
        raise OSError(number, os.strerror(number), str(path)) from error


def is_full(folder: Path) -> bool:
    """Whether the disk that a folder lies on, or would, has no room for a file worth the name."""
    left = os.statvfs(next(place for place in (folder, *folder.absolute().parents) if place.is_dir()))
    return left.f_bavail * left.f_frsize < LEAST_BYTES


def explained(error: OSError) -> str:
    """The error in one line: the file, what is wrong, what to do, and what notes were added to it."""
    words = WORDS.get(error.errno or 0)
    text = str(error) if words is None else f"{error.filename}: {words}" if error.filename is not None else words
    return "; ".join([text, *getattr(error, "__notes__", ())])


def is_for_the_user(error: OSError) -> bool:
    """Whether it is an input or a setting that must be changed, and not the machine that failed."""
    return error.errno in FORBIDDEN
