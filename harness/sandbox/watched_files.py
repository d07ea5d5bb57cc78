"""Watched files of a container: what they hold, read by the engine, and whether they were ever written to.

A file that was overwritten and put back holds what it held. So before a command that could do so begins, its watched
files go to another owner, with a time long ago that nobody can guess: Python takes bytecode for that of a file by the
file's time. All capabilities are gone, so root in the container may write to them
through its group, but can't set their owner or a chosen time; the folders around them are sticky, so that files of
another owner can't be moved out of the way and back. Whatever is done to a file, it shows in its owner or its time.
Nothing can be written where Python looks for the bytecode of these files.
"""

import base64
import hashlib
import io
import posixpath
import secrets
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker.models.containers import Container

WATCHED_BYTES = 64 << 20  # a watched file that is longer counts as none
OWNER = 65534  # nobody; the group stays root's
EARLIEST, LATEST = 946684800, 1262304000  # 2000 to 2010 UTC, in seconds; before anything that runs here was written
FILE_MODE, FOLDER_MODE, BYTECODE_MODE = 0o664, 0o1775, 0o555
BYTECODE = "__pycache__"
TOLD = b"\nharness: watched files\n"


@dataclass(frozen=True)
class WatchedFile:
    """A regular file or a symbolic link as the engine reads it."""

    member: tarfile.TarInfo
    content: bytes  # of a link its target

    @property
    def object_id(self) -> str:
        """Git's name for the content."""
        return hashlib.sha1(b"blob %d\0%b" % (len(self.content), self.content), usedforsecurity=False).hexdigest()

    def untouched(self, moment: int, owned: bool = True) -> bool:
        """Whether nobody wrote to the file since it was shielded with that time.

        ``owned`` False: the engine does not say whose it is.
        """
        return int(self.member.mtime) == moment and (not owned or self.member.uid == OWNER)


def new_moment() -> int:
    """A time for shielded files, in seconds, that nobody can guess."""
    return EARLIEST + secrets.randbelow(LATEST - EARLIEST)


def told_files(output: bytes) -> tuple[bytes, dict[str, WatchedFile]]:
    """A command's output without what it reported of files at its end (docker/prepare.sh), and these, by absolute path.

    It may lie about them: what counts is what they hold once they are shielded, and that is what it reported. So only
    regular files can be reported; links are not shielded.
    """
    said, found, told = output.rpartition(TOLD)
    if not found:
        return output, {}
    files = {}
    for line in told.decode("utf-8", "surrogateescape").split("\n"):  # not splitlines: paths may hold U+2028
        try:
            mode, text, path = line.split(" ", 2)
            content = base64.b64decode(text, validate=True)
            member = tarfile.TarInfo(path.lstrip("/"))
            member.mode = int(mode, 8)
        except ValueError:  # cut, or written between by somebody else
            continue
        files[path] = WatchedFile(member, content)
    return said, files


def read_files(container: "Container", paths: Iterable[str]) -> dict[str, WatchedFile]:
    """The files that are there, by their absolute paths; nothing that lies in the container takes part."""
    from docker.errors import NotFound

    found = {}
    for path in paths:
        try:
            chunks, _ = container.get_archive(path)
        except NotFound:
            continue
        file = _unpacked(chunks)
        if file:
            found[path] = file
    return found


def shield(
    container: "Container", files: Mapping[str, WatchedFile], root: str, moment: int, above: bool = False
) -> frozenset[str]:
    """Have these files hold what they hold here, and every writing to them show from now on; return those shielded.

    ``moment`` becomes their time.

    Links are left as they are, and so are the folders above ``root`` but for ``above``: where the engine does not say
    whose a file is, nobody may put another folder in the place of ``root``.
    """
    files = {path: file for path, file in files.items() if file.member.isfile()}
    if files:
        container.put_archive("/", _shielding(files, "/" if above else root, moment))
    return frozenset(files)


def _unpacked(chunks: Iterable[bytes]) -> WatchedFile | None:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > WATCHED_BYTES:
            return None
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.next()
        if member is None or not (member.isfile() or member.issym()):
            return None
        file = None if member.issym() else archive.extractfile(member)
        return WatchedFile(member, file.read() if file else member.linkname.encode("utf-8", "surrogateescape"))


def _shielding(files: Mapping[str, WatchedFile], root: str, moment: int) -> bytes:
    """A tar archive of the files and of the folders around them up to ``root``, all of another owner."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in sorted({folder for path in files for folder in folders_up_to(path, root)}):
            archive.addfile(_entry(folder, tarfile.DIRTYPE, FOLDER_MODE, moment))
        for folder in sorted({posixpath.dirname(path) for path in files if path.endswith(".py")}):
            archive.addfile(_entry(f"{folder}/{BYTECODE}", tarfile.DIRTYPE, BYTECODE_MODE, moment))
        for path, file in files.items():
            # what may be run stays so
            entry = _entry(path, tarfile.REGTYPE, FILE_MODE | (file.member.mode & 0o111), moment)
            entry.size = len(file.content)
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()[: archive.offset]  # as in `exec.packed`


def folders_up_to(path: str, root: str) -> Iterator[str]:
    """The folders that a file lies in, the nearest first, and `root` last."""
    folder = posixpath.dirname(path)
    while folder != root and folder.startswith(f"{root.rstrip('/')}/"):
        yield folder
        folder = posixpath.dirname(folder)
    yield root


def _entry(path: str, kind: bytes, mode: int, moment: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(path.lstrip("/") or "./")
    entry.type, entry.mode, entry.uid, entry.mtime = kind, mode, OWNER, moment
    return entry
