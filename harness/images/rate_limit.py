"""Turns at a registry: so many at a time, so many in an hour, and none while it asks us to wait."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

HOUR = 3600.0


class Gate:
    """Lets pulls begin, for one registry. Safe for threads."""

    def __init__(
        self, at_a_time: int, per_hour: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """At most ``at_a_time`` run together, and at most ``per_hour`` begin within any hour."""
        self._free = at_a_time
        self._clock = clock
        self._begun: deque[float] | None = deque([-math.inf] * per_hour, maxlen=per_hour) if per_hour else None
        self._held_until = -math.inf
        self._closed = False
        self._changed = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until one may begin, and hold the turn. Raises CancelledError when the gate is closed meanwhile."""
        with self._changed:
            while (seconds := self.wait_now()) > 0:
                self._changed.wait(None if math.isinf(seconds) else seconds)
            self._free -= 1
            if self._begun is not None:
                self._begun.append(self._clock())
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def wait_now(self) -> float:
        """Seconds until the next may begin as things stand now, infinite if one must end first."""
        self.check()
        if self._free < 1:
            return math.inf
        earliest = max(self._held_until, self._begun[0] + HOUR if self._begun else -math.inf)
        return max(earliest - self._clock(), 0.0)

    def hold(self, seconds: float) -> None:
        """Let nothing begin for so long."""
        with self._changed:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def close(self) -> None:
        """Let nothing begin any more; whoever waits is ended."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def check(self) -> None:
        """Raises CancelledError if the gate is closed."""
        if self._closed:
            raise CancelledError
