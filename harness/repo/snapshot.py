"""Snapshots: the files of a repository at a commit, read from git's object store, and where they are found.

A row's ``base_commit`` is a hash of the upstream history. A mirror holds it; a rebuilt repository
does not, and finds the base state by the instance's id instead.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

from harness.common.suggest import nearest
from harness.core.instance import Instance
from harness.core.interfaces import Repository, Snapshot
from harness.errors import InputError
from harness.repo.mirror import BareRepository, Entry

REGULAR = ("100644", "100755")
PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")
REFERENCES = "refs/instances"


class GitSnapshot:
    """The `Snapshot` of a commit in a bare repository."""

    def __init__(self, repository: BareRepository, commit: str) -> None:
        """``commit`` is a full hash that the repository holds."""
        self.commit = commit
        self.tree = repository.tree(commit)
        self._repository = repository
        # No `cached_property`: that of Python 3.11 lets one thread compute at a time, whatever the object.
        self._listed: dict[str, Entry] | None = None
        self._regular: tuple[str, ...] | None = None

    @property
    def _entries(self) -> dict[str, Entry]:
        if (listed := self._listed) is None:
            listed = self._listed = self._repository.entries(self.commit)
        return listed

    def paths(self) -> tuple[str, ...]:
        """Every regular file's path, sorted; symbolic links and submodules are left out."""
        if (regular := self._regular) is None:
            regular = tuple(sorted(path for path, entry in self._entries.items() if entry.mode in REGULAR))
            self._regular = regular
        return regular

    def read(self, path: str) -> bytes:
        """The bytes of one file (of a symbolic link: its target). Raises KeyError for an unknown path."""
        return self._repository.read(self._entries[path].object)

    def mode(self, path: str) -> str:
        """Git's mode of one file. Raises KeyError for an unknown path."""
        return self._entries[path].mode

    def blob(self, path: str) -> str:
        """Git's hash of one file's bytes. Raises KeyError for an unknown path."""
        return self._entries[path].object

    def release(self) -> None:
        """Let the list of files go; it is read again if it is wanted."""
        self._listed = self._regular = None

    def check_applies(self, patch: str) -> str:
        """Empty when ``git apply`` takes the patch on this snapshot, else git's message."""
        return self._repository.apply_problem(self._entries, patch)


class BareRepositories:
    """The bare repositories of one folder, ``<owner>__<name>.git`` each, opened once. Close them when done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[Path, BareRepository] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes that read from the repositories."""
        for repository in self._open.values():
            repository.close()

    def find(self, project: str) -> BareRepository | None:
        """The repository of ``owner/name``, None if there is none. Raises InputError for a bad name."""
        path = project_path(self.folder, project)
        if not (path / "HEAD").is_file():
            return None
        return self._open.setdefault(path, BareRepository(path))


class RebuiltRepository(BareRepositories):
    """The `Repository` of base states made by `harness images build`: found by instance id."""

    def snapshot(self, instance: Instance) -> Snapshot:
        """The instance's base state. Raises InputError if it was not rebuilt here."""
        repository = self.find(instance.repo)
        commit = repository and repository.resolve(f"{REFERENCES}/{instance.instance_id}")
        if not repository or not commit:
            raise InputError(
                f"{instance.instance_id}: no rebuilt base state in {self.folder}; run `harness images build`"
            )
        return GitSnapshot(repository, commit)


class MirrorRepository(BareRepositories):
    """The `Repository` of git mirrors (``git clone --mirror``), read at the row's base commit."""

    def snapshot(self, instance: Instance) -> Snapshot:
        """The instance's base state. Raises InputError if no mirror holds the base commit."""
        repository = self.find(instance.repo)
        if repository is None:
            known = [path.name.removesuffix(".git").replace("__", "/") for path in self.folder.glob("*__*.git")]
            hint = nearest(instance.repo, known)
            raise InputError(f"{instance.instance_id}: no mirror of {instance.repo} in {self.folder}{hint}")
        commit = repository.resolve(instance.base_commit)
        if commit is None:
            raise InputError(
                f"{instance.instance_id}: {repository.path} does not hold commit {instance.base_commit}; fetch it there"
            )
        return GitSnapshot(repository, commit)


class OpenRepository(Repository, Protocol):
    """A `Repository` that has processes of its own."""

    def close(self) -> None:
        """End the processes."""
        ...


class FirstRepository:
    """The `Repository` that asks several kinds in turn; the first that holds the instance answers. It closes them."""

    def __init__(self, kinds: Sequence[OpenRepository]) -> None:
        self._kinds = kinds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every kind."""
        for kind in self._kinds:
            kind.close()

    def snapshot(self, instance: Instance) -> Snapshot:
        """The instance's base state. Raises InputError with every kind's reason if none holds it."""
        reasons = []
        for kind in self._kinds:
            try:
                return kind.snapshot(instance)
            except InputError as error:
                reasons.append(str(error))
        raise InputError(" | ".join(reasons))


def project_path(folder: Path, project: str) -> Path:
    """Where the bare repository of ``owner/name`` lies in a folder. Raises InputError for a bad name."""
    if not PROJECT.fullmatch(project):
        raise InputError(f"{project!r} is not a repository's owner/name")
    return folder / f"{project.replace('/', '__')}.git"


def rebuilt_folder(cache: Path) -> Path:
    """Where rebuilt repositories lie in the cache folder."""
    return cache / "repos"


def mirrors_folder(cache: Path) -> Path:
    """Where git mirrors lie in the cache folder."""
    return cache / "mirrors"


def open_repository(cache: Path, *others: OpenRepository) -> FirstRepository:
    """What this machine holds of the instances. Close it when its snapshots were read, and the ``others`` with it.

    Rebuilt base states come first, then mirrors in ``<cache>/mirrors``, then the ``others``.
    """
    return FirstRepository((RebuiltRepository(rebuilt_folder(cache)), MirrorRepository(mirrors_folder(cache)), *others))
