"""The checkpoints that a training writes: which of them are whole, in which order they come, kept on the disk."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from harness.common.error_line import error_line
from harness.common.files import write_json
from harness.errors import InputError

QUEUE = "watch.json"
TRIES = 3  # of a checkpoint for which the machine fails


class State(StrEnum):
    """What is known of a checkpoint."""

    GROWING = "growing"  # training may write to it still
    QUEUED = "queued"
    RUNNING = "running"  # also what a watch left that was killed: it is taken up again
    DONE = "done"
    FAILED = "failed"  # it can't be evaluated, or the machine failed too often
    GONE = "gone"  # removed before its turn


@dataclass(frozen=True)
class Entry:
    """One checkpoint of the queue."""

    name: str
    path: str
    state: State = State.GROWING
    changed: float = 0.0  # when its files were last written, in seconds since 1970
    arrived: float = 0.0  # when one was last written here: a copy may keep the times of what it was made from
    content: str = ""  # number and sizes of its files
    tries: int = 0
    why: str = ""  # it failed


@dataclass(frozen=True)
class Whole:
    """When a checkpoint counts as whole: a file in it says so, or nothing in it has changed for a time."""

    marker: str | None
    quiet_seconds: float

    def holds(self, entry: Entry, now: float) -> bool:
        """Whether that is so for a checkpoint as it was last looked at."""
        if self.marker is not None:
            return (Path(entry.path) / self.marker).exists()
        return now - max(entry.changed, entry.arrived) >= self.quiet_seconds


def looked_at(entry: Entry, marker: str | None = None) -> Entry:
    """The entry with what its folder holds now; gone if it holds nothing, growing if it had been gone.

    The ``marker`` is left out: it may be there by name first, and be written later.
    """
    files = _files(Path(entry.path))
    if marker is not None:
        files = [file for file in files if file != Path(entry.path) / marker]
    states = [status for status in map(_status, files) if status is not None]
    if not states:
        return entry if entry.state is State.DONE else replace(entry, state=State.GONE)
    return replace(
        entry,
        state=State.GROWING if entry.state is State.GONE else entry.state,
        changed=max(status.st_mtime for status in states),
        arrived=max(status.st_ctime for status in states),
        content=f"{len(states)} files, {sum(status.st_size for status in states)} bytes",
    )


def _files(folder: Path) -> list[Path]:
    return [Path(place) / name for place, _, names in os.walk(folder) for name in names]


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # removed meanwhile
        return None


def updated(known: Mapping[str, Entry], found: Mapping[str, str], whole: Whole, now: float) -> dict[str, Entry]:
    """The queue after a look at the disk; ``found`` maps the checkpoints that are there to their folders."""
    entries = dict(known)
    for name, path in found.items():
        # A watch that starts in another folder, or after a move, finds it elsewhere.
        entries[name] = replace(entries.get(name) or Entry(name, path), path=path)
    return {name: _moved(entry, looked_at(entry, whole.marker), whole, now) for name, entry in entries.items()}


def _moved(before: Entry, seen: Entry, whole: Whole, now: float) -> Entry:
    # Weights of one shape have one size: the times alone say that others were written over them.
    same = (seen.content, seen.changed) == (before.content, before.changed)
    if seen.state is State.GONE or (same and seen.state in (State.DONE, State.FAILED)):
        return seen
    state = State.QUEUED if whole.holds(seen, now) else State.GROWING
    return replace(seen, state=state, tries=seen.tries if same else 0)


def begun_anew(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The queue as a watch that starts takes it up: what failed is tried again, since whoever starts it mended that."""
    return {
        name: replace(entry, state=State.GROWING, tries=0) if entry.state is State.FAILED else entry
        for name, entry in entries.items()
    }


def next_of(entries: Iterable[Entry], newest_first: bool) -> Entry | None:
    """Whose turn it is: those that failed before come after all others."""
    waiting = [entry for entry in entries if entry.state is State.QUEUED]
    sign = -1 if newest_first else 1
    return min(waiting, key=lambda entry: (entry.tries, sign * entry.changed, entry.name), default=None)


def after_failure(entry: Entry, why: str) -> Entry:
    """The entry after the machine failed on it once more."""
    tries = entry.tries + 1
    return replace(entry, tries=tries, why=why, state=State.QUEUED if tries < TRIES else State.FAILED)


def read_queue(folder: Path) -> dict[str, Entry]:
    """The queue that an output folder keeps; empty if it keeps none. Raises InputError for one that can't be read."""
    path = folder / QUEUE
    if not path.is_file():
        return {}
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))["checkpoints"]
        return {line["name"]: Entry(**{**line, "state": State(line["state"])}) for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: can't be read ({error_line(error)}); remove it, and the watch begins anew"
        ) from error


def write_queue(folder: Path, entries: Sequence[Entry]) -> None:
    """Keep the queue, whole."""
    write_json(folder / QUEUE, {"schema": 1, "checkpoints": [asdict(entry) for entry in entries]})
