"""A snapshot in memory, for what has no repository: generated packages, and tests without git."""

from collections.abc import Mapping
from hashlib import sha1


class MemorySnapshot:
    """A `Snapshot` of given files; git is not asked whether a patch applies."""

    commit = tree = "0" * 40

    def __init__(self, files: Mapping[str, bytes], links: Mapping[str, bytes] | None = None) -> None:
        """``files`` and symbolic ``links`` by path; a link's bytes are where it leads."""
        self._files = dict(files)
        self._links = dict(links or {})

    def paths(self) -> tuple[str, ...]:
        """Every regular file's path, sorted."""
        return tuple(sorted(self._files))

    def read(self, path: str) -> bytes:
        """The bytes of one file. Raises KeyError for an unknown path."""
        return {**self._files, **self._links}[path]

    def mode(self, path: str) -> str:
        """Git's mode of one file. Raises KeyError for an unknown path."""
        self.read(path)
        return "120000" if path in self._links else "100644"

    def blob(self, path: str) -> str:
        """A hash of one file's bytes. Raises KeyError for an unknown path."""
        return sha1(self.read(path), usedforsecurity=False).hexdigest()

    def release(self) -> None:
        """There is nothing that could be read again."""

    def check_applies(self, patch: str) -> str:  # noqa: ARG002 - the seam names it
        """Empty: nothing is checked."""
        return ""
