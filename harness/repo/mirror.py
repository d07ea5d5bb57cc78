"""Bare git repositories on this machine: the one place that runs git on the host."""

import errno
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from harness.common.disk_faults import explained, is_full
from harness.errors import InfrastructureError, InputError, PatchError
from harness.repo.touched import index_of, named_paths

if TYPE_CHECKING:
    from git import Git

# A user's or a machine's own git settings must not change what a tree holds or what applies to it.
ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C.UTF-8",
}
# A base commit has no parent and a fixed date, author and message: its hash follows from its files alone.
IDENTITY = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "harness"), ("EMAIL", "harness@localhost"), ("DATE", "946684800 +0000"))
}
BASE_MESSAGE = "Base state"
# of a remote side: it answered, and has no such repository or commit
UNKNOWN = ("not our ref", "not found", "does not appear to be a git repository", "unadvertised object")
# A remote side that sends nothing for so many seconds is given up.
STALLED = {
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "http.lowSpeedLimit",  # bytes a second
    "GIT_CONFIG_VALUE_0": "1",
    "GIT_CONFIG_KEY_1": "http.lowSpeedTime",
    "GIT_CONFIG_VALUE_1": "60",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One blob of a tree."""

    mode: str  # "100644", "100755", "120000"
    object: str


class BareRepository:
    """A bare git repository. Safe for threads; close it when done."""

    def __init__(self, path: Path) -> None:
        """``path`` is the repository's folder, which must exist (`create` makes it)."""
        self.path = path
        self._reading = threading.Lock()
        self._lines: dict[bytes, tuple[str, Entry] | None] = {}  # of trees: commits of one project share most of them

    @classmethod
    def create(cls, path: Path) -> Self:
        """The repository at ``path``, made if it is missing."""
        repository = cls(path)
        if not (path / "HEAD").is_file():
            path.mkdir(parents=True, exist_ok=True)
            repository.git("init", "--quiet", "--bare", "--template=", "--initial-branch=main")
        return repository

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the reading process, if one runs."""
        with self._reading:
            if reader := self.__dict__.pop("_reader", None):
                reader.clear_cache()

    def git(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        decode: bool = True,
        stdin: BinaryIO | None = None,
    ) -> Any:
        """The output of one git command, without its last line end: text, or bytes if not ``decode``.

        Raises InfrastructureError with git's own message when it fails.
        """
        from git.exc import CommandError

        try:
            return self._new_git().execute(
                ["git", *arguments],
                env=dict(env or {}),
                istream=stdin,
                stdout_as_string=decode,
                strip_newline_in_stdout=decode,
            )
        except CommandError as error:
            full = f"; {explained(OSError(errno.ENOSPC, '', str(self.path)))}" if is_full(self.path) else ""
            raise InfrastructureError(f"{self.path}: git {arguments[0]} failed: {_message(error)}{full}") from error

    def _new_git(self) -> "Git":
        from git import Git

        git = Git(self.path)
        # naming the folder outright keeps git from refusing one that belongs to another user
        git.update_environment(**ENVIRONMENT, GIT_DIR=str(self.path.absolute()))
        return git

    @cached_property
    def _reader(self) -> "Git":
        return self._new_git()

    def resolve(self, name: str) -> str | None:
        """The commit that a hash or a reference names, None if the repository does not hold it."""
        from git.exc import CommandError

        try:
            return str(self._new_git().rev_parse("--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"))
        except CommandError:
            return None

    def tree(self, commit: str) -> str:
        """Hash of a commit's root tree."""
        return str(self.git("rev-parse", "--verify", f"{commit}^{{tree}}"))

    def entries(self, commit: str) -> dict[str, Entry]:
        """The blobs of a commit by path, in git's order (submodules have none and are left out)."""
        listing: bytes = self.git("ls-tree", "-r", "-z", "--full-tree", commit, decode=False)
        found = (
            self._lines.get(line) or self._lines.setdefault(line, _entry(line)) for line in listing.split(b"\0")[:-1]
        )
        return dict(entry for entry in found if entry is not None)

    def read(self, name: str) -> bytes:
        """The bytes of one blob, through one ``cat-file --batch`` process that stays alive."""
        with self._reading:
            data: bytes = self._reader.get_object_data(name)[3]
        return data

    def apply_problem(self, entries: Mapping[str, Entry], patch: str, *options: str) -> str:
        """Empty when ``git apply`` (with ``options``) takes ``patch`` on these files, else git's message."""
        touched = {path: entries[path] for path in named_paths(patch) & entries.keys()}
        with tempfile.TemporaryDirectory() as folder:
            index = Path(folder) / "index"
            index.write_bytes(index_of({path: (entry.mode, entry.object) for path, entry in touched.items()}))
            try:
                self._apply(patch, Path(folder), {"GIT_INDEX_FILE": str(index)}, "--check", *options)
            except PatchError as error:
                return str(error)
        return ""

    def _apply(self, patch: str, folder: Path, index: Mapping[str, str], *options: str) -> None:
        from git.exc import CommandError

        file = folder / "patch.diff"
        file.write_bytes(patch.encode("utf-8", "surrogateescape"))
        try:
            self._new_git().execute(["git", "apply", "--cached", *options, str(file.absolute())], env=dict(index))
        except CommandError as error:
            raise PatchError(_message(error)) from error

    def commit_folder(self, folder: Path, undo: Sequence[str] = ()) -> str:
        """A commit without parent of every file below ``folder``, with the patches in ``undo`` taken back out.

        Modes and symbolic links are kept; the hash depends on the files alone. Raises PatchError when a
        patch does not come out.
        """
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": f"{scratch}/index"}
            self.git("--work-tree", str(folder.absolute()), "add", "--all", "--force", ":/", env=index)
            for patch in undo:
                self._apply(patch, Path(scratch), index, "--reverse")
            tree = self.git("write-tree", env=index)
        return str(self.git("commit-tree", tree, "-m", BASE_MESSAGE, env=IDENTITY))

    def fetch_head(self, source: Path, reference: str) -> None:
        """Take over the commit that another repository has checked out, without its history, as a reference."""
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1")
        self.git("fetch", *options, f"file://{source.absolute()}", f"+HEAD:{reference}")

    def take_files(self, source: Path | str, commit: str, reference: str) -> str:
        """Take over the files of another repository's commit, without its history; ``reference`` names what came.

        ``source`` is a folder or a URL, ``commit`` a full hash there. Gives a commit without parent, as
        `commit_folder` makes it. Raises InputError if the source is no repository or does not hold the
        commit, InfrastructureError if it does not answer.
        """
        place = f"file://{source.absolute()}" if isinstance(source, Path) else source
        options = ("--quiet", "--no-tags", "--no-write-fetch-head")
        with tempfile.TemporaryDirectory() as scratch, BareRepository.create(Path(scratch) / "fetched.git") as fetched:
            # the history is cut off in the scratch repository: what is marked as cut here would bind all of ours
            try:
                fetched.git("fetch", *options, "--depth=1", "--", place, f"+{commit}:refs/upstream", env=STALLED)
            except InfrastructureError as error:
                said = str(error).removeprefix(f"{fetched.path}: ")
                if any(sign in said for sign in UNKNOWN):
                    raise InputError(f"{source} does not hold commit {commit} ({said})") from error
                raise InfrastructureError(f"{source}: {said}") from error
            alone = str(fetched.git("commit-tree", f"{commit}^{{tree}}", "-m", BASE_MESSAGE, env=IDENTITY))
            fetched.point("refs/heads/main", alone)
            self.git("fetch", *options, f"file://{fetched.path.absolute()}", f"+{alone}:{reference}")
        return alone

    def point(self, reference: str, commit: str) -> None:
        """Make a reference name a commit."""
        self.git("update-ref", reference, commit)

    def export(self, commit: str, folder: Path) -> None:
        """Make ``folder`` a repository of its own: the commit's files, and ``.git`` with that one commit."""
        folder.mkdir(parents=True, exist_ok=True)
        inside = {"GIT_DIR": str(folder.absolute() / ".git")}
        self.git("init", "--quiet", "--template=", "--initial-branch=main", env=inside)
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--update-head-ok")
        self.git("fetch", *options, f"file://{self.path.absolute()}", f"{commit}:refs/heads/main", env=inside)
        self.git("reset", "--quiet", "--hard", env=inside | {"GIT_WORK_TREE": str(folder.absolute())})

    def objects(self, name: str) -> set[str]:
        """Hashes of everything that a commit or a tree holds, its own among them."""
        return set(self.git("rev-list", "--objects", "--no-object-names", name).split())

    def pack(self, objects: Iterable[str], folder: Path) -> None:
        """Write a pack of just these objects, with its index, into ``folder``, which is made if it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile() as names:
            names.write("".join(f"{name}\n" for name in sorted(objects)).encode("ascii"))
            names.seek(0)
            self.git("pack-objects", "--quiet", str(folder.absolute() / "pack"), stdin=names)

    def repack(self) -> None:
        """Pack all objects together, as deltas of each other."""
        self.git("repack", "-a", "-d", "--quiet")


def _entry(line: bytes) -> tuple[str, Entry] | None:
    """Path and entry of a line of ``ls-tree``; None for what is no blob."""
    facts, _, path = line.partition(b"\t")
    mode, kind, name = facts.decode("ascii").split(" ")
    return (path.decode("utf-8", "surrogateescape"), Entry(mode, name)) if kind == "blob" else None


def _message(error: Any) -> str:
    """What git wrote to stderr, without GitPython's wrapping."""
    text = error.stderr.strip().removeprefix("stderr: '").removesuffix("'").strip()
    return text or f"exit status {error.status}"
