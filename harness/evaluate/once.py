"""Questions to a sandbox: the same one never asked twice at a time, and asked again while the machine fails."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from harness.errors import InfrastructureError
from harness.work import not_found

log = logging.getLogger(__name__)

Value = TypeVar("Value")

RETRY_SECONDS = (1.0, 5.0, 20.0)  # pauses before another try after the machine failed


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
        not_found()
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


def retried(name: str, attempt: Callable[[], Value]) -> Value:
    """What ``attempt`` gives, tried again with growing pauses; ``name`` says in the log whose attempt it is.

    Raises the last try's InfrastructureError where the machine fails again and again.
    """
    for pause in RETRY_SECONDS:
        try:
            return attempt()
        except InfrastructureError as error:
            log.warning("%s: %s; trying again in %g s", name, error, pause)
            time.sleep(pause)
    return attempt()
