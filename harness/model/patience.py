"""Asking again for as long as a question may take, and giving a server up that answers no question any more."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from harness.errors import InfrastructureError

FIRST_PAUSE = 0.5  # seconds before the second try; each pause after it is twice as long
LONGEST_PAUSE = 30.0
JITTER = 0.25  # of a pause, so that many questions do not come back at the same moment
TRIES_ALONE = 6  # of a question that fails while the server answers others
ANSWERED_BESIDE = 20  # other questions answered since its first try: the failure is the question's own
FAILURES_IN_A_ROW = 10  # different questions that failed, and none answered in between: the server is given up

Value = TypeVar("Value")


class Passing(InfrastructureError):
    """A failure that may be over at the next try."""

    def __init__(self, message: str, wait: float = 0.0, busy: bool = False) -> None:
        """``wait``: seconds that the server asks for. ``busy``: it has too much to do, which no question can help."""
        super().__init__(message)
        self.wait = wait
        self.busy = busy


async def with_patience(
    attempt: Callable[[], Awaitable[Value]], seconds: float, worth: Callable[[Passing], bool] = lambda _: True
) -> Value:
    """Return what ``attempt`` returns, which is tried again after a Passing failure for ``seconds`` in all.

    ``worth`` says whether another try is. Raises the last failure, TimeoutError if not even the first try is over in
    time, and whatever else ``attempt`` raises.
    """
    pause = FIRST_PAUSE
    failure: Passing | None = None
    while True:
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                return await attempt()
        except TimeoutError:
            if failure is None:
                raise
            raise failure from None
        except Passing as error:
            failure = error
            wait = max(error.wait, pause * (1 + JITTER * random.random()))
            seconds -= time.monotonic() - started + wait
            if seconds <= 0 or not worth(error):
                raise
        await asyncio.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE)


def asked_wait(headers: Mapping[str, str]) -> float:
    """Seconds to wait that a reply's ``Retry-After`` asks for (RFC 9110, 10.2.3: seconds or a date); 0 if none."""
    said = headers.get("retry-after", "")
    try:
        return max(0.0, min(float(said), 1e6))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


class Standing:
    """Whether a server answers: of all its questions together, where patience looks at one."""

    def __init__(
        self, tries: int = TRIES_ALONE, beside: int = ANSWERED_BESIDE, in_a_row: float = FAILURES_IN_A_ROW
    ) -> None:
        """A question is tried ``tries`` times and until ``beside`` others were answered since its first."""
        self.answers = 0  # by now
        self._tries, self._beside, self._in_a_row = tries, beside, in_a_row
        self._failed: dict[str, InfrastructureError] = {}  # by question, since the last answer

    def answered(self) -> None:
        """Note that a question was answered."""
        self.answers += 1
        self._failed.clear()

    def failed(self, question: str, error: InfrastructureError) -> None:
        """Note that a question ended without an answer; samples of one prompt are one question."""
        self._failed[question] = error

    def require(self) -> None:
        """Raise InfrastructureError if so many questions failed in a row that none is worth asking."""
        if len(self._failed) >= self._in_a_row:
            last = list(self._failed.values())[-1]
            raise InfrastructureError(f"not asked after {len(self._failed)} failures in a row: {last}") from last

    def worth(self) -> Callable[[Passing], bool]:
        """Whether another try of one question is: not if it keeps failing while the server answers the others."""
        tries, before = 0, self.answers

        def again(error: Passing) -> bool:
            nonlocal tries
            tries += 1
            return error.busy or tries < self._tries or self.answers - before < self._beside

        return again
