"""What a patch did to the tree of an instance, as the tree itself shows it before anything of the patch runs."""

import base64
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from harness.core.interfaces import CommandResult

MARK = b"changes "  # begins the line of docker/changes.sh
MOST_BYTES = 512 << 20  # of an archive, unpacked
_BLOB, _LINK_MODE = "blob", b"120000"


@dataclass(frozen=True)
class Change:
    """One path that putting the patch in touched. Contents are those of a file, or a symbolic link's target."""

    path: str
    before: bytes | None  # None: git had no such file
    after: bytes | None  # None: there is none now
    link: bool = False  # whether it is a symbolic link now

    @property
    def added(self) -> list[str]:
        """Lines that it holds more often than before."""
        return _more(_lines(self.after), _lines(self.before))

    @property
    def removed(self) -> list[str]:
        """Lines that it holds less often than before."""
        return _more(_lines(self.before), _lines(self.after))


@dataclass(frozen=True)
class Applied:
    """Everything that putting a patch in did."""

    touched: frozenset[str]  # paths from the repository's root, those of files that hold what they held, too
    changes: tuple[Change, ...]  # those of files that hold something else, sorted by path
    packages: frozenset[str] = frozenset()  # folders around them with an __init__.py now
    folders: frozenset[str] = frozenset()  # other folders around them that are there now
    twins: frozenset[str] = frozenset()  # tracked files with a touched module's name, and the row's test files


def take_changes(preparing: CommandResult) -> tuple[bytes, Applied | None]:
    """What preparing printed without the line of docker/changes.sh, and what that says; None if it can't be read.

    The line counts only where nothing of the patch can have printed it: before all else but git's names of test files.
    """
    lines = preparing.output.split(b"\n")
    at = next((n for n, line in enumerate(lines) if not line.startswith(b"expected ")), 0)
    if not lines[at].startswith(MARK):
        return preparing.output, None
    rest = b"\n".join(lines[:at] + lines[at + 1 :])
    try:
        return rest, _read(base64.b64decode(lines[at].removeprefix(MARK), validate=True))
    except (ValueError, KeyError, EOFError, zlib.error, tarfile.TarError):
        return rest, None


def _read(packed: bytes) -> Applied:
    unpacking = zlib.decompressobj(wbits=31)
    data = unpacking.decompress(packed, MOST_BYTES)
    if not unpacking.eof:
        raise ValueError("cut, or too long")
    facts: dict[str, bytes] = {}
    now: dict[str, tuple[bytes, bool]] = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            if member.isdir():
                continue
            content = _content(archive, member)
            if member.name.startswith("./"):
                now[member.name[2:]] = (content, member.issym())
            else:
                facts[member.name] = content
    before = _before(facts["before"], facts["blobs"])
    touched = frozenset(path[2:] for path in _listed(facts["paths"]))
    changes = []
    for path in sorted(touched):
        old, (new, link) = before.get(path), now.get(path, (None, False))
        if old != (new, link) and not (old is None and new is None):
            changes.append(Change(path, old[0] if old else None, new, link))
    folders = [entry.partition(" ")[::2] for entry in _listed(facts["folders"])]
    packages = frozenset(path for kind, path in folders if kind == "package")
    others = frozenset(path for kind, path in folders if kind == "folder")
    return Applied(touched, tuple(changes), packages, others, frozenset(_listed(facts["twins"])))


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.issym():
        return member.linkname.encode("utf-8", "surrogateescape")
    file = archive.extractfile(member)
    return file.read() if file else b""


def _before(tree: bytes, blobs: bytes) -> dict[str, tuple[bytes, bool]]:
    """Path -> content and whether it was a link, from `git ls-tree -z` and `git cat-file --batch` of its objects."""
    found = {}
    objects = _objects(blobs)
    for entry in _listed(tree):
        head, _, path = entry.partition("\t")
        mode, kind, _ = head.split(" ")
        content = next(objects)
        if kind == _BLOB:
            found[path] = (content, mode.encode() == _LINK_MODE)
    return found


def _objects(batch: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        words = batch[at:end].split()
        size = int(words[2]) if len(words) == 3 else -1  # "missing": what a submodule names
        yield batch[end + 1 : end + 1 + max(size, 0)]
        at = end + 1 + size + 1


def _listed(text: bytes) -> list[str]:
    return [entry.decode("utf-8", "surrogateescape") for entry in text.split(b"\0") if entry]


def _lines(content: bytes | None) -> list[str]:
    """The lines as Python reads them: a lone carriage return ends one, too."""
    return re.split(r"\r\n?|\n", (content or b"").decode("utf-8", "surrogateescape"))


def _more(lines: list[str], than: list[str]) -> list[str]:
    left: dict[str, int] = {}
    for line in than:
        left[line] = left.get(line, 0) + 1
    found = []
    for line in lines:
        if left.get(line, 0):
            left[line] -= 1
        else:
            found.append(line)
    return found
