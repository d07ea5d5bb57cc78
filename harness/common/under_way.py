"""Names of what is under way at a moment."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.common.inert import inert

NAMES_SHOWN = 2  # of the things that are under way


class UnderWay:
    """What is under way now, the oldest first. Safe for threads."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}  # name -> how often, in the order in which they began
        self._lock = threading.Lock()

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Count ``name`` as under way for the length of the block."""
        name = inert(name)
        with self._lock:
            self._names[name] = self._names.get(name, 0) + 1
        try:
            yield
        finally:
            with self._lock:
                self._names[name] -= 1
                if not self._names[name]:
                    del self._names[name]

    def names(self) -> tuple[str, ...]:
        """Each name once, the oldest first."""
        with self._lock:
            return tuple(self._names)

    def __len__(self) -> int:
        with self._lock:
            return sum(self._names.values())


def shortened(names: Sequence[str]) -> str:
    """The first names in one line: ``a, b and 3 more``."""
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown} and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else shown
