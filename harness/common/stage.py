"""One kind of long work: what is done of it, what runs, and how long the rest takes."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from harness.common.under_way import UnderWay

NAMES_LOGGED = 8  # of the things that run now, at most, in a stage's state
PACE_SECONDS, PACE_SAMPLES = 120.0, 10  # the pace is that of so long, and of so many moments when something was done


@dataclass(frozen=True)
class StageState:
    """One kind of work at a moment."""

    name: str
    done: int
    total: int
    known: int  # of those done: found finished
    seconds_left: float | None  # None: not known
    running: tuple[str, ...]  # the oldest first


def no_wait() -> float:
    """Nothing makes the work wait."""
    return 0.0


@dataclass(frozen=True)
class Waits:
    """What a stage's work has to wait for, such as a server that starts."""

    now: Callable[[], bool]  # whether all of it waits
    to_come: Callable[[], float | None] = no_wait  # seconds of waiting before it is done; None if they are not known


UNTIMED = Waits(lambda: False, lambda: None)  # of things so unequal that no pace says anything


class Stage:
    """How many things are done, how many there are, and which run now. Safe for threads."""

    def __init__(
        self,
        name: str,
        total: int,
        clock: Callable[[], float],
        changed: Callable[[], None],
        waits: Waits | None = None,
        after: Self | None = None,
    ) -> None:
        """Made by `Progress.stage`; ``changed`` is called after every change, outside the lock.

        ``after``: the stage whose work this one goes on with, and which it can't be done before.
        """
        self.name = name
        self._total = total
        self._done = 0
        self._known = 0  # of those done: found finished
        self._skipped = 0  # of those known: without even a look at what they rest on
        self._expected = 0  # how many will have been known in the end, as far as that is foreseen
        self._running = UnderWay()
        self._pace: deque[tuple[float, int]] = deque()  # (time, done by work) since work began, the older ones dropped
        self._waits = waits
        self._after = after
        self._waited = 0.0  # seconds, up to the latest look
        self._waiting_since: float | None = None
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
        """Count one thing as done, of which everything may have been ``known``: looking at that is work, too."""
        with self._lock:
            self._known += known
            if not known:
                self._begin()
            self._count(1)
        self._changed()

    def skip(self, count: int = 1) -> None:
        """Count things as done that were found finished, which took no time."""
        with self._lock:
            self._done += count
            self._known += count
            self._skipped += count
        self._changed()

    def expect(self, count: int) -> None:
        """So many things in all are going to be found finished: the time left is that of the others."""
        with self._lock:
            self._expected = count

    def grow(self, count: int) -> None:
        """More work of this kind turned up."""
        with self._lock:
            self._total += count
        self._changed()

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Show ``name`` as what runs now. It does not count as done by that: see `add`."""
        with self._lock:
            self._begin()
        try:
            with self._running.during(name):
                self._changed()
                yield
        finally:
            self._changed()

    def look(self) -> None:
        """Take notice of whether the work waits: a pace is that of work alone. To be called every second or so."""
        if self._waits is None:
            return
        waits, now = self._waits.now(), self._clock()
        with self._lock:
            if self._waiting_since is not None:
                self._waited += now - self._waiting_since
            self._waiting_since = now if waits else None

    def _now(self) -> float:
        """Seconds on a clock that stands still while the work waits."""
        now = self._clock() if self._waiting_since is None else self._waiting_since
        return now - self._waited

    def _begin(self) -> None:
        if not self._pace:
            self._pace.append((self._now(), self._done - self._skipped))

    def _count(self, count: int) -> None:
        self._done += count
        if not self._pace:  # what is known before work begins says nothing of its pace
            return
        now = self._now()
        if len(self._pace) > 1 and now - self._pace[-1][0] < 1:
            now, _ = self._pace.pop()
        self._pace.append((now, self._done - self._skipped))
        while len(self._pace) > PACE_SAMPLES and self._pace[1][0] <= now - PACE_SECONDS:
            self._pace.popleft()

    def seconds_left(self) -> float | None:
        """Seconds that the rest takes at the latest pace, with the waiting that is to come.

        None if that is not known: before the first thing is done since work began, and if it is not known of what
        comes before. What is known among the rest counts in that pace: a run that knows most answers is quick.
        """
        with self._lock:
            done, rest = self._done - self._skipped, self._total - self._done
            rest = max(0, rest - max(0, self._expected - self._known))
            if not rest and self._done == self._total:
                return 0.0
            if not self._pace or done == self._pace[0][1]:
                return None
            began, before = self._pace[0]
            left = (self._now() - began) / (done - before) * rest
        waiting = self._waits.to_come() if self._waits else 0.0
        earlier = self._after.seconds_left() if self._after else 0.0
        return None if waiting is None or earlier is None else max(left + waiting, earlier)

    def state(self) -> StageState:
        """All of it now."""
        left = self.seconds_left()
        running = self._running.names()[:NAMES_LOGGED]
        with self._lock:
            known = None if left is None else round(left, 1)
            return StageState(self.name, self._done, self._total, self._known, known, running)
