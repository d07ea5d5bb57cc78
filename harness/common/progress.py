"""Progress of long work on stderr: a live display on a terminal, now and then a plain line elsewhere.

The display is rich's, with rich's bars. The tasks of `rich.progress` are not used: they know no work that was found
finished, which must not quicken the estimate, and not what runs now; and off a terminal they print nothing on the way.
"""

import logging
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from harness.common.event_log import EventLog, StageState
from harness.common.inert import inert
from harness.common.inert_console import inert_console

PLAIN_INTERVAL = 5.0  # seconds between two plain lines, at least
LEAST_INTERVAL = 0.2  # seconds between two looks at what changed
NAMES_SHOWN = 2  # of the things that run now
NAMES_LOGGED = 8  # likewise, in an event log
ALIVE_LINES = 60.0  # seconds after which a plain line comes although nothing changed
BAR, NARROW_BAR, NARROW = 20, 8, 110  # columns of a bar; and on a terminal with fewer columns than that
PACE_SECONDS, PACE_SAMPLES = 120.0, 10  # the pace is that of so long, and of so many moments when something was done


class Stage:
    """One kind of work: how many things are done, how many there are, and which run now. Safe for threads."""

    def __init__(self, name: str, total: int, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        """Made by `Progress.stage`; ``changed`` is called after every change, outside the lock."""
        self.name = name
        self._total = total
        self._done = 0
        self._known = 0  # of those done: found finished, not worked on now
        self._running: dict[str, int] = {}  # name -> how often, in the order in which they began
        self._pace: deque[tuple[float, int]] = deque()  # (time, done) since work began, the older ones dropped
        self._clock = clock
        self._changed = changed
        self._lock = threading.Lock()

    def add(self, count: int = 1) -> None:
        """Count things as done."""
        with self._lock:
            self._begin()
            self._count(count)
        self._changed()

    def count(self, known: bool) -> None:
        """Count one thing as done: by now, or long before if it was ``known``."""
        if known:
            self.skip()
        else:
            self.add()

    def skip(self, count: int = 1) -> None:
        """Count things as done that were found finished."""
        with self._lock:
            self._count(count)
            self._known += count
        self._changed()

    def grow(self, count: int) -> None:
        """More work of this kind turned up."""
        with self._lock:
            self._total += count
        self._changed()

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Show ``name`` as what runs now. It does not count as done by that: see `add`."""
        name = inert(name)
        with self._lock:
            self._begin()
            self._running[name] = self._running.get(name, 0) + 1
        self._changed()
        try:
            yield
        finally:
            with self._lock:
                self._running[name] -= 1
                if not self._running[name]:
                    del self._running[name]
            self._changed()

    def _begin(self) -> None:
        if not self._pace:
            self._pace.append((self._clock(), self._done))

    def _count(self, count: int) -> None:
        self._done += count
        if not self._pace:  # what is found finished before work begins says nothing of its pace
            return
        now = self._clock()
        if len(self._pace) > 1 and now - self._pace[-1][0] < 1:
            now, _ = self._pace.pop()
        self._pace.append((now, self._done))
        while len(self._pace) > PACE_SAMPLES and self._pace[1][0] <= now - PACE_SECONDS:
            self._pace.popleft()

    def counts(self) -> tuple[int, int]:
        """(done, total) now."""
        with self._lock:
            return self._done, self._total

    def known(self) -> int:
        """How many of those done were found finished."""
        with self._lock:
            return self._known

    def seconds_left(self) -> float | None:
        """Seconds that the rest takes at the latest pace; None before the first thing is done since work began.

        What is found finished among the rest counts in that pace: a run that knows most answers is quick.
        """
        with self._lock:
            if not self._pace or self._done == self._pace[0][1]:
                return None
            began, before = self._pace[0]
            return (self._clock() - began) / (self._done - before) * max(self._total - self._done, 0)

    def runs_now(self) -> str:
        """Names of what runs now, the oldest first, shortened: ``a, b and 3 more``."""
        with self._lock:
            names = list(self._running)
        more = len(names) - NAMES_SHOWN
        shown = ", ".join(names[:NAMES_SHOWN])
        return f"{shown} and {more} more" if more > 0 else shown

    def state(self) -> StageState:
        """All of it now, as an event log has it."""
        left, (done, total) = self.seconds_left(), self.counts()
        with self._lock:
            running = tuple(islice(self._running, NAMES_LOGGED))
        return StageState(self.name, done, total, self.known(), None if left is None else round(left, 1), running)


class Progress:
    """Shows stages while it is entered. Log lines that go to stderr come out above the live display."""

    def __init__(
        self,
        stream: TextIO | None = None,
        interval: float = PLAIN_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
        events: Path | None = None,
    ) -> None:
        """``stream`` is stderr if not given; plain lines come at least ``interval`` seconds apart.

        ``events``: a file for an `EventLog`.
        """
        self._events = EventLog(events) if events else None
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._stream = stream if stream is not None else sys.stderr
        self._console = inert_console(self._stream)
        self._interval = interval
        self._clock = clock
        self._stages: list[Stage] = []
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._exit = ExitStack()
        self._last_line = ""
        self._last_time = float("-inf")

    def stage(self, name: str, total: int = 0) -> Stage:
        """A new stage, shown below those before it; `Stage.grow` raises its total later."""
        stage = Stage(name, total, self._clock, self._changed)
        with self._lock:
            self._stages.append(stage)
        return stage

    def __enter__(self) -> Self:
        if self._stream.isatty() and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(
                console=self._console, get_renderable=self._picture, refresh_per_second=4, redirect_stdout=False
            )
            handlers = _handlers_on(self._stream)
            self._exit.enter_context(self._live)
            self._exit.enter_context(_redirected(handlers, sys.stderr))
        self._watching.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()
        self._ended.set()
        self._watching.join()
        if self._live is None:
            self._write_line(last=True)
        self._live = None
        if self._events:
            self._events.end(self._states())

    def _watch(self) -> None:
        """See to it that what is shown and logged is never older than the interval, whatever changes or does not."""
        while not self._ended.wait(max(self._interval, LEAST_INTERVAL)):
            if self._live is None:
                self._write_line(last=False, alive=self._clock() - self._last_time >= ALIVE_LINES)
            if self._events:
                self._events.note(self._states())

    def _states(self) -> tuple[StageState, ...]:
        with self._lock:
            stages = list(self._stages)
        return tuple(stage.state() for stage in stages)

    def _changed(self) -> None:
        if self._live is None:
            self._write_line(last=False)

    def _write_line(self, last: bool, alive: bool = False) -> None:
        with self._lock:
            now = self._clock()
            if not last and now - self._last_time < self._interval:
                return
            line = " | ".join(filter(None, map(_describe, self._stages)))
            if line and (line != self._last_line or alive):
                self._stream.write(line + "\n")
                self._stream.flush()
                self._last_line, self._last_time = line, now

    def _picture(self) -> Table:
        with self._lock:
            stages = list(self._stages)
        grid = Table.grid(padding=(0, 1), expand=True)  # so that names alone give way
        grid.add_column(no_wrap=True)
        grid.add_column(width=NARROW_BAR if self._console.width < NARROW else BAR)
        for _ in range(3):
            grid.add_column(justify="right", no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis", style="dim", ratio=1)
        for stage in stages:
            done, total = stage.counts()
            bar = ProgressBar(total=max(total, 1), completed=done)
            grid.add_row(stage.name, bar, f"{done}/{total}", _known(stage), _time_left(stage), stage.runs_now())
        return grid


def _handlers_on(stream: TextIO) -> list["logging.StreamHandler[TextIO]"]:
    """Root log handlers that write to ``stream``."""
    return [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is stream
    ]


@contextmanager
def _redirected(handlers: list["logging.StreamHandler[TextIO]"], stream: TextIO) -> Iterator[None]:
    """Let the handlers write to ``stream``, which the live display has put in stderr's place, for a while."""
    before = [(handler, handler.stream) for handler in handlers]
    for handler in handlers:
        handler.setStream(stream)
    try:
        yield
    finally:
        for handler, original in before:
            handler.setStream(original)


def _describe(stage: Stage) -> str:
    done, total = stage.counts()
    names = stage.runs_now()
    more = "".join(f", {told}" for told in (_known(stage), _time_left(stage)) if told)
    return f"{stage.name} {done}/{total}" + (f" ({names})" if names else "") + more


def _known(stage: Stage) -> str:
    return f"{stage.known()} known" if stage.known() else ""


def _time_left(stage: Stage) -> str:
    done, total = stage.counts()
    seconds = stage.seconds_left()
    return f"{duration(seconds)} left" if seconds is not None and done < total else ""


def duration(seconds: float) -> str:
    """``45s``, ``3m 20s`` or ``2h 05m``: what a reader needs of a time span."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
