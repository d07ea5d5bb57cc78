"""Whether a piece of work is done now, or all that it needed was found finished in a journal.

The journals' readers say when something is not there and has to be done (`not_found`); whoever started the piece of
work hears of it (`watched`). In between lie tasks and threads that need not know: a context variable goes with them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Work:
    """One piece of work under watch."""

    def __init__(self) -> None:
        self.found = True  # whether everything it needed by now was found finished


_watched: ContextVar[Work | None] = ContextVar("watched", default=None)


@contextmanager
def watched() -> Iterator[Work]:
    """What is started inside, in this task or thread or in one that takes its context over, is this piece of work."""
    work = Work()
    token = _watched.set(work)
    try:
        yield work
    finally:
        _watched.reset(token)


def not_found() -> None:
    """Something has to be done, or is being done for somebody else: the work under watch was not found finished."""
    work = _watched.get()
    if work is not None:
        work.found = False
