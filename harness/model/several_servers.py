"""One checkpoint at several servers: every question about one instance goes to the same one, as long as that is up.

The server of an instance is the one whose name and the instance's together have the highest hash (rendezvous hashing):
it does not depend on the order of the servers, and when one is down or taken away, only its instances move.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from harness.common.hashing import content_key
from harness.core.interfaces import Answer, Sampling
from harness.errors import InfrastructureError, ServerError
from harness.model.activity import Activity, together
from harness.model.endpoint import EndpointModel
from harness.model.manner import Manner
from harness.model.patience import FIRST_PAUSE, LONGEST_PAUSE, Passing, Standing

REST_SECONDS = 30.0  # after a failure, before a server is asked first again
Value = TypeVar("Value")
log = logging.getLogger(__name__)


class Server(Protocol):
    """One of the servers: a `ServedCheckpoint` or an `EndpointModel`."""

    revision: str
    manner: Manner

    @property
    def route(self) -> str:
        """By which its questions go now."""

    @property
    def answers(self) -> int:
        """How many questions it has answered by now."""

    def activity(self) -> Activity:
        """What it is at."""

    async def ask(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """Sample ``index`` of ``prompt``, which is known to fit."""

    def in_force(self, sampling: Sampling) -> dict[str, Any]:
        """Every parameter that an answer is drawn with, the seed apart."""

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as one user message."""

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together."""


def in_order(names: Sequence[str], instance_id: str) -> list[str]:
    """The servers' names, the one that an instance belongs to first, then those that stand in for it."""
    return sorted(names, key=lambda name: content_key(server=name, instance=instance_id))


class Spread:
    """The servers of one checkpoint."""

    def __init__(self, servers: Mapping[str, Server], patience: float = 0.0) -> None:
        """``servers`` by name; ``patience``: seconds for which a question is tried again that none of them answers.

        All serve the same weights in the same manner.
        """
        self._servers = dict(servers)
        self._patience = patience
        self._standing = Standing()
        self._resting: dict[str, float] = {}  # name -> until when, by the monotonic clock
        first = next(iter(self._servers.values()))
        self.revision, self.manner, self.route = first.revision, first.manner, first.route
        self.in_force = first.in_force
        self.context_length = first.context_length

    async def check(self) -> None:
        """Raise InputError if one of the endpoints refuses the key, the model or the path."""
        for server in self._servers.values():
            if isinstance(server, EndpointModel):
                await server.check()

    def activity(self) -> Activity:
        """What all servers are at."""
        return together([server.activity() for server in self._servers.values()])

    def about(self, instance_id: str) -> "Toward":
        """The model for the questions about one instance."""
        return Toward(self, instance_id)

    async def ask(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """An answer to a question that is about no instance."""
        return await self.about("").ask(prompt, sampling, index)

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as one user message, counted by any of the servers."""
        return await self.about("").count_tokens(text)

    async def of(self, instance_id: str, prompt: str, ask: Callable[[Server], Awaitable[Value]]) -> Value:
        """What ``ask`` returns for the first server that answers, tried again for as long as the patience lasts.

        Raises InfrastructureError if none does, and without asking after many failures in a row.
        """
        self._standing.require()
        try:
            value = await self._patiently(instance_id, ask)
        except InfrastructureError as error:
            self._standing.failed(prompt, error)
            raise
        self._standing.answered()
        return value

    async def _patiently(self, instance_id: str, ask: Callable[[Server], Awaitable[Value]]) -> Value:
        """The same, for ``patience`` seconds since the first failure: waiting for a free slot is none."""
        worth, pause, end = self._standing.worth(), FIRST_PAUSE, None
        while True:
            try:
                return await self._from_any(instance_id, ask)
            except Passing as error:
                now = time.monotonic()
                end = end or now + self._patience
                wait = max(error.wait, pause)
                if now + wait >= end or not worth(error):
                    raise
            await asyncio.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _from_any(self, instance_id: str, ask: Callable[[Server], Awaitable[Value]]) -> Value:
        """What ``ask`` returns for the first of the instance's servers that does not fail, those that rest at last.

        Raises the last InfrastructureError if all fail; a Passing one if any of theirs was.
        """
        failures: list[InfrastructureError] = []
        for name in self._order(instance_id):
            server = self._servers[name]
            answered = server.answers
            try:
                return await ask(server)
            except InfrastructureError as error:
                failures.append(error)
                if server.answers == answered and _is_down(error):
                    self._rest(name, error)
        raise next((error for error in failures if isinstance(error, Passing)), failures[-1])

    def _order(self, instance_id: str) -> list[str]:
        now = time.monotonic()
        return sorted(in_order(list(self._servers), instance_id), key=lambda name: self._resting.get(name, 0.0) > now)

    def _rest(self, name: str, error: InfrastructureError) -> None:
        now = time.monotonic()
        if self._resting.get(name, 0.0) <= now:
            log.warning("%s; its instances go to the other servers for %g s", error, REST_SECONDS)
        self._resting[name] = now + REST_SECONDS


def _is_down(error: InfrastructureError) -> bool:
    """Whether a failure says something of the server, rather than of the question: a refused one was answered."""
    return isinstance(error, Passing | ServerError) or isinstance(error.__cause__, TimeoutError)


class Toward:
    """The servers of one checkpoint for the questions about one instance."""

    def __init__(self, spread: Spread, instance_id: str) -> None:
        self._spread = spread
        self._instance_id = instance_id
        self.revision, self.manner, self.route = spread.revision, spread.manner, spread.route
        self.in_force, self.context_length, self.activity = spread.in_force, spread.context_length, spread.activity

    async def ask(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """Sample ``index`` of ``prompt``, which is known to fit."""

        async def ask(server: Server) -> Answer:
            answer = await server.ask(prompt, sampling, index)
            self.route = server.route
            return answer

        return await self._spread.of(self._instance_id, prompt, ask)

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as one user message."""
        return await self._spread.of(self._instance_id, text, lambda server: server.count_tokens(text))
