"""Watched files of a job whose container is an overlay of two folders on this machine: what was written, and the image.

Nothing runs in the container while they are looked at. Links on the way to a file are not followed: it counts as none.
"""

import os
import posixpath
import stat
import tarfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox.watched_files import (
    BYTECODE,
    BYTECODE_MODE,
    FILE_MODE,
    FOLDER_MODE,
    OWNER,
    WATCHED_BYTES,
    WatchedFile,
    folders_up_to,
)

OPAQUE = ("user.overlay.opaque", "trusted.overlay.opaque")  # on a folder that hides the image's


@dataclass(frozen=True)
class Overlay:
    """A job's files: its own ones over the image's."""

    upper: Path
    lower: Path
    group: int  # of the machine, which is root's in the container

    def read(self, paths: Iterable[str]) -> dict[str, WatchedFile]:
        """The files that are there, by their absolute paths in the container."""
        found = ((path, self._found(path)) for path in paths)
        return {path: file for path, file in found if file is not None}

    def shield(self, files: Mapping[str, WatchedFile], root: str, moment: int) -> frozenset[str]:
        """As `harness.sandbox.watched_files.shield` does in an engine's container; only root may give files away."""
        files = {path: file for path, file in files.items() if file.member.isfile()}
        folders = {folder: FOLDER_MODE for path in files for folder in folders_up_to(path, root)}
        folders |= {f"{posixpath.dirname(path)}/{BYTECODE}": BYTECODE_MODE for path in files if path.endswith(".py")}
        done = {}
        for path, file in files.items():
            if self._lay(path, file):
                done[self._own(path)] = FILE_MODE | (file.member.mode & 0o111)
        for folder, mode in sorted(folders.items()):
            if self._make_folder(folder):
                done[self._own(folder)] = mode
        for place, mode in done.items():
            os.chown(place, OWNER, self.group)
            place.chmod(mode)
            os.utime(place, (moment, moment))
        return frozenset(path for path in files if self._own(path) in done)

    def _own(self, path: str) -> Path:
        return self.upper / path.lstrip("/")

    def _lay(self, path: str, file: WatchedFile) -> bool:
        """Put a file in among the job's own; whether that was possible."""
        if not self._make_folder(posixpath.dirname(path)):
            return False
        place = self._own(path)
        with suppress(FileNotFoundError):
            place.unlink()
        place.write_bytes(file.content)
        return True

    def _make_folder(self, path: str) -> bool:
        """Have a folder among the job's own, over the image's; False if something else is in its place."""
        place = self.upper
        for part in path.strip("/").split("/"):
            place = place / part
            with suppress(FileExistsError):
                place.mkdir()
            if not stat.S_ISDIR(place.lstat().st_mode):
                return False
        return True

    def _found(self, path: str) -> WatchedFile | None:
        upper: Path | None = self.upper
        lower: Path | None = self.lower
        *folders, name = path.strip("/").split("/")
        for folder in folders:
            lower = _folder(lower, folder)
            if (own := _mode(upper, folder)) is not None:
                if upper is None or not stat.S_ISDIR(own):
                    return None
                upper = upper / folder
                lower = None if _opaque(upper) else lower
            else:
                upper = None
        for place in (upper, lower):
            mode = _mode(place, name)
            if place is not None and mode is not None:
                return _read(place / name, path)
        return None


def _mode(folder: Path | None, name: str) -> int | None:
    if folder is None:
        return None
    try:
        return (folder / name).lstat().st_mode
    except FileNotFoundError:
        return None


def _folder(above: Path | None, name: str) -> Path | None:
    mode = _mode(above, name)
    return above / name if above is not None and mode is not None and stat.S_ISDIR(mode) else None


def _opaque(folder: Path) -> bool:
    for name in OPAQUE:
        with suppress(OSError):
            if os.getxattr(folder, name, follow_symlinks=False) == b"y":
                return True
    return False


def _read(place: Path, path: str) -> WatchedFile | None:
    """A regular file or a link; anything else, such as the mark of a file that was deleted, is none."""
    about = place.lstat()
    member = tarfile.TarInfo(path.lstrip("/"))
    member.mode, member.uid, member.mtime = stat.S_IMODE(about.st_mode), about.st_uid, int(about.st_mtime)
    if stat.S_ISLNK(about.st_mode):
        member.type = tarfile.SYMTYPE
        return WatchedFile(member, os.fsencode(place.readlink()))
    if not stat.S_ISREG(about.st_mode) or about.st_size > WATCHED_BYTES:
        return None
    return WatchedFile(member, place.read_bytes())
