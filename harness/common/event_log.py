"""The state of long work as JSON lines in a file: for machines that watch it, and for `harness status`.

A line has the time and that of the beginning (seconds since 1970), the event, and the `State`. The event is ``began``,
``progress``, ``alive`` if nothing changed for a while, or ``ended``, then with the error, if there was one. The file is
no record: it may be removed, and a new run begins it anew.
"""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.common.inert import one_line
from harness.common.run_state import State, read_state
from harness.errors import InputError

EVENTS = "events.jsonl"
ALIVE_SECONDS = 60.0  # between two lines, at most
TAIL = 1 << 16  # bytes at the end of the file that hold the last line


class EventLog:
    """The file of one piece of work. Not safe for threads: its one writer takes turns with itself."""

    def __init__(self, path: Path) -> None:
        """Begin the file anew."""
        self._file = path.open("w", encoding="utf-8")
        self._last = State()
        self._began = self._time = time.time()
        self._write("began", State())

    def note(self, state: State) -> None:
        """Write how things stand, if something changed or nothing was written for a while."""
        if state.moved() != self._last.moved():
            self._write("progress", state)
        elif time.time() - self._time >= ALIVE_SECONDS:
            self._write("alive", state)

    def end(self, state: State, error: BaseException | None = None) -> None:
        """Write the last line, with what ended the work before it was done."""
        self._write("ended", state, error=None if error is None else one_line(str(error) or type(error).__name__))
        with suppress(OSError):
            self._file.close()

    def _write(self, event: str, state: State, **more: Any) -> None:
        self._last, self._time = state, time.time()
        times = {"time": round(self._time, 3), "began": round(self._began, 3)}
        line = times | {"event": event, "pid": os.getpid(), "host": socket.gethostname()} | more
        # it is no record: a full disk stops the work where one is written, and its error says what is kept
        with suppress(OSError):
            self._file.write(json.dumps(line | state.document()) + "\n")
            self._file.flush()


def last_event(folder: Path) -> tuple[dict[str, Any], State]:
    """The last line of a folder's event log, and the state in it. Raises InputError if there is none."""
    path = folder / EVENTS
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the output folder of a run")
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            lines = file.read().split(b"\n")[:-1]
        event: dict[str, Any] = json.loads(lines[-1])
        return event, read_state(event)
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: holds no {EVENTS} of a run; nothing says how it stands") from error
