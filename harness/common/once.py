"""Work by key: the same question is never worked on twice at a time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Once(Generic[Value]):
    """Answers by key: one that is known, one on its way for another thread, or one that is worked out now."""

    def __init__(self, known: Callable[[str], Value | None]) -> None:
        """``known`` looks a finished answer up by its key."""
        self._known = known
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[Value]] = {}

    def get(self, key: str, work: Callable[[], Value]) -> Value:
        """The answer of that key; ``work`` makes it, and records it where ``known`` finds it, before it returns."""
        with self._lock:
            value = self._known(key)
            if value is not None:
                return value
            first = key not in self._under_way
            future = self._under_way.setdefault(key, Future())
        if not first:
            return future.result()
        try:
            value = work()
            future.set_result(value)
            return value
        except BaseException as error:
            # whoever waits for the same answer has to hear of it, whatever it is
            future.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
