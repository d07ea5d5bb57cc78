"""The state of long work as JSON lines in a file: for machines that watch it, and for `harness status`.

A line has the time (seconds since 1970), the event and every stage. The event is ``began``, ``progress``, ``alive`` if
nothing changed for a while, or ``ended``. The file is no record: it may be removed, and a new run begins it anew.
"""

import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import InputError

EVENTS = "events.jsonl"
ALIVE_SECONDS = 60.0  # between two lines, at most
TAIL = 1 << 16  # bytes at the end of the file that hold the last line


@dataclass(frozen=True)
class StageState:
    """One kind of work at a moment."""

    name: str
    done: int
    total: int
    known: int  # of those done: found finished
    seconds_left: float | None
    running: tuple[str, ...]  # the oldest first


class EventLog:
    """The file of one piece of work. Not safe for threads: its one writer takes turns with itself."""

    def __init__(self, path: Path) -> None:
        """Begin the file anew."""
        self._file = path.open("w", encoding="utf-8")
        self._last: tuple[StageState, ...] = ()
        self._time = time.time()
        self._write("began", ())

    def note(self, stages: tuple[StageState, ...]) -> None:
        """Write how things stand, if something changed or nothing was written for a while."""
        counts = tuple((stage.name, stage.done, stage.total, stage.running) for stage in stages)
        before = tuple((stage.name, stage.done, stage.total, stage.running) for stage in self._last)
        if counts != before:
            self._write("progress", stages)
        elif time.time() - self._time >= ALIVE_SECONDS:
            self._write("alive", stages)

    def end(self, stages: tuple[StageState, ...]) -> None:
        """Write the last line."""
        self._write("ended", stages)
        self._file.close()

    def _write(self, event: str, stages: tuple[StageState, ...]) -> None:
        self._last, self._time = stages, time.time()
        line = {"time": round(self._time, 3), "event": event, "pid": os.getpid(), "host": socket.gethostname()}
        self._file.write(json.dumps(line | {"stages": [asdict(stage) for stage in stages]}) + "\n")
        self._file.flush()


def last_event(folder: Path) -> dict[str, Any]:
    """The last line of a folder's event log. Raises InputError if there is none."""
    path = folder / EVENTS
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the output folder of a run")
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            lines = file.read().split(b"\n")[:-1]
        event: dict[str, Any] = json.loads(lines[-1])
        event["stages"] = [StageState(**stage | {"running": tuple(stage["running"])}) for stage in event["stages"]]
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: holds no {EVENTS} of a run; nothing says how it stands") from error
    return event
