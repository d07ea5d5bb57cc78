"""Progress of long work on stderr: a live display on a terminal, now and then a plain line elsewhere.

The display is rich's, with rich's bars. The tasks of `rich.progress` are not used: they know no work that was found
finished, which must not quicken the estimate, and not what runs now; and off a terminal they print nothing on the way.
"""

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Group
from rich.live import Live

from harness.common.event_log import EventLog
from harness.common.inert_console import inert_console, is_live
from harness.common.live_picture import picture
from harness.common.run_state import Part, State, part_words, stage_words
from harness.common.stage import Stage, Waits

PLAIN_INTERVAL = 5.0  # seconds between two plain lines, at least
PLAIN_SHARE = 1 / 60  # of the time that the work has taken by now, likewise: a long run's log stays short
LEAST_INTERVAL, LOOK_INTERVAL = 0.2, 1.0  # seconds between two looks at what changed: at least, at most
ALIVE_LINES = 60.0  # seconds after which a plain line comes although nothing changed


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
        self._began = clock()
        self._stages: list[Stage] = []
        self._passed: list[Stage] = []  # of them, those that are over
        self._probes: dict[str, Callable[[], Part]] = {}
        self._parts: tuple[Part, ...] = ()  # as they were at the latest look
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._exit = ExitStack()
        self._last_moved: tuple[object, ...] = ()
        self._last_time = float("-inf")

    def stage(self, name: str, total: int = 0, waits: Waits | None = None, after: Stage | None = None) -> Stage:
        """A new stage, shown below those before it; `Stage.grow` raises its total later."""
        stage = Stage(name, total, self._clock, self._changed, waits, after)
        with self._lock:
            self._stages.append(stage)
        return stage

    @contextmanager
    def passing(self, name: str, total: int = 0) -> Iterator[Stage]:
        """A stage for the length of the block; it is shown after it until there is another one."""
        stage = self.stage(name, total)
        yield stage
        with self._lock:
            self._passed.append(stage)

    @contextmanager
    def watching(self, name: str, probe: Callable[[], Part]) -> Iterator[None]:
        """Show what ``probe`` says of a part for the length of the block; its totals stay known after it.

        ``probe`` is asked about once a second, by a thread of the display's own.
        """
        with self._lock:
            self._probes[name] = probe
        try:
            yield
        finally:
            last = replace(probe(), counts="", doing="", detail="", levels={})
            with self._lock:
                self._probes[name] = lambda: last
                if not last.totals:
                    del self._probes[name]
                self._parts = tuple(part for part in self._parts if part.name != name)

    @contextmanager
    def doing(self, what: str, detail: Callable[[], str] = str) -> Iterator[None]:
        """Show what the work as a whole is at, for the length of the block; ``detail`` says how far it is."""
        began = self._clock()
        with self.watching("now", lambda: Part("now", "", what, self._clock() - began, detail())):
            self.look()
            yield

    def __enter__(self) -> Self:
        if is_live(self._console):
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
        self._ended.set()
        self._watching.join()
        state = self.look()
        self._exit.close()
        if self._live is None:
            self._write_line(last=True)
        self._live = None
        if self._events:
            self._events.end(state, error)

    def look(self) -> State:
        """How all of it stands now."""
        with self._lock:
            stages, probes = list(self._stages), list(self._probes.values())
        for stage in stages:
            stage.look()
        self._parts = tuple(probe() for probe in probes)
        return self.state()

    def state(self) -> State:
        """The stages as they stand now, and the parts as they did at the latest look."""
        with self._lock:
            return self._state()

    def _state(self) -> State:
        shown = [stage for stage in self._stages if stage not in self._passed] or self._stages
        return State(tuple(stage.state() for stage in shown), self._parts)

    def _watch(self) -> None:
        """See to it that what is shown and logged is never older than the interval, whatever changes or does not."""
        noted = self._clock()
        while not self._ended.wait(min(max(self._interval, LEAST_INTERVAL), LOOK_INTERVAL)):
            state = self.look()
            if self._live is None:
                self._write_line(last=False)
            if self._events and self._clock() - noted >= self._interval:
                noted = self._clock()
                self._events.note(state)

    def _changed(self) -> None:
        if self._live is None:
            self._write_line(last=False)

    def _write_line(self, last: bool) -> None:
        with self._lock:
            now = self._clock()
            since = now - self._last_time
            if not last and since < max(self._interval, min((now - self._began) * PLAIN_SHARE, ALIVE_LINES)):
                return
            state = self._state()
            if not state.stages and now - self._began < self._interval:
                return  # what is refused at once is told in one line
            line = " | ".join(filter(None, (*map(stage_words, state.stages), *map(part_words, state.parts))))
            if line and (state.moved() != self._last_moved or since >= ALIVE_LINES):
                self._stream.write(f"{time.strftime('%H:%M:%S')} {line}\n")
                self._stream.flush()
                self._last_moved, self._last_time = state.moved(), now

    def _picture(self) -> Group:
        return picture(self.state(), self._console.width)


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
