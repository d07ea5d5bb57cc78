"""The step that a long command is at, on stderr: a changing line on a terminal, now and then a plain one elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.common.inert import inert
from harness.common.inert_console import inert_console, is_live

PLAIN_INTERVAL = 10.0  # seconds between two plain lines, at least


@contextmanager
def shown_steps(first: str, clock: Callable[[], float] = time.monotonic) -> Iterator[Callable[[str], None]]:
    """What takes a line about the step that begins, and shows it. Short commands print nothing off a terminal."""
    console = inert_console(stderr=True)
    if is_live(console):
        with console.status(first) as status:
            yield status.update
        return
    said = clock()

    def say(line: str) -> None:
        nonlocal said
        if clock() - said >= PLAIN_INTERVAL:
            said = clock()
            sys.stderr.write(f"{inert(line)}\n")
            sys.stderr.flush()

    yield say
