"""Serving places: where a checkpoint's questions are answered, and who may take that place next.

A place is given to those who wait for it in the order in which they came. Servers of ours stand on devices of this
machine, or, without any, take turns: one is asked, and those ahead of their turn load meanwhile. On a cluster they
stand on its nodes, and its scheduler says whose turn it is.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, Self

from harness.config.schema import CheckpointConfig
from harness.model.devices import Spot
from harness.model.memory import GIB, machine_memory
from harness.model.reloading import KeptServers
from harness.model.server_host import Host

RECORDED = "recorded answers"
MARGIN = GIB  # of memory that is left to everything else
log = logging.getLogger(__name__)


@dataclass
class Claim:
    """The memory of one server."""

    expected: int  # bytes that it takes at most
    resident: Callable[[], int]  # bytes that it holds now

    def outstanding(self) -> int:
        """Bytes that it may still take."""
        return max(0, self.expected - self.resident())


@dataclass
class Place:
    """One checkpoint's place: a spot for each of its servers, and its turn to ask them."""

    spots: Sequence[Spot] = (Spot(),)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    claims: list[Claim] = field(default_factory=list)  # of all servers that share this machine's memory
    memory: Callable[[], tuple[int, int]] = machine_memory
    kept: KeptServers | None = None  # servers that wait for the next checkpoint, if they are to
    ahead: str = ""  # what became of loading ahead of the turn; empty: the turn was free
    _own: list[Claim] = field(default_factory=list)
    _entry: asyncio.Lock = field(default_factory=asyncio.Lock)
    _has_turn: bool = False

    async def take_turn(self) -> None:
        """Wait until this checkpoint may ask. It keeps its turn up to its end."""
        async with self._entry:
            if not self._has_turn:
                await self.turn.acquire()
                self._has_turn = True

    async def may_start(self, name: str, claim: Claim) -> None:
        """Wait until a server may start: at once if it is the checkpoint's turn, or if memory has room for it beside.

        Else when its turn comes, and the servers before it are gone.
        """
        if not self._has_turn and self.turn.locked():
            available = self.memory()[1] - sum(other.outstanding() for other in self.claims) - MARGIN
            figures = f"{claim.expected / GIB:.1f} GiB expected, {max(available, 0) / GIB:.1f} GiB free"
            self.ahead = f"loaded: {figures}"
            if available < claim.expected:
                self.ahead = f"waited: {figures}"
                log.warning("%s is not loaded ahead, since memory has no room for it: %s", name, figures)
                await self.take_turn()
        else:
            await self.take_turn()
        self._own.append(claim)
        self.claims.append(claim)

    def leave(self) -> None:
        """Pass the turn on, and give back the memory."""
        for claim in self._own:
            self.claims.remove(claim)
        self._own.clear()
        if self._has_turn:
            self._has_turn = False
            self.turn.release()


class Cluster(Protocol):
    """The nodes on which servers of ours may run."""

    most: int  # servers, or devices of servers, at a time

    def reserved(self, servers: int, devices: int) -> AbstractAsyncContextManager[Sequence[Host]]:
        """Wait for room for one checkpoint's servers, each on so many devices; a host for each, kept for the block."""
        ...


class Places:
    """The serving places of a run: servers of ours here or on a cluster, and each endpoint elsewhere."""

    def __init__(
        self, devices: Sequence[str] = (), ahead: int = 0, reload: bool = False, cluster: Cluster | None = None
    ) -> None:
        """As many servers as ``devices`` hold; without any, one that is asked and ``ahead`` that load beside it.

        With ``reload`` a server waits for the next checkpoint when its own is done; see `harness.model.reloading`.
        With a ``cluster`` all servers of ours run there.
        """
        self.most = cluster.most if cluster else max(1, len(devices)) + ahead  # servers that load or answer at a time
        self._cluster = cluster
        self._kept = KeptServers() if reload else None
        self._devices = list(devices)
        self._free = list(devices)
        self._numbers: set[int] = set()  # of spots in use
        self._left = asyncio.Event()
        self._entry = asyncio.Lock()  # the first in line waits for enough devices, the others for it
        self._room = asyncio.Semaphore(1 + ahead)
        self._turn = asyncio.Lock()
        self._claims: list[Claim] = []
        self._elsewhere: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the servers that wait."""
        if self._kept is not None:
            await self._kept.end()

    @asynccontextmanager
    async def take(self, checkpoint: CheckpointConfig, devices: int = 1) -> AsyncIterator[Place]:
        """Wait for the checkpoint's place, and keep it for the block. ``devices``: of each of its servers."""
        async with AsyncExitStack() as held:
            if checkpoint.answers is not None:
                await held.enter_async_context(self._elsewhere[RECORDED])
                yield Place()
            elif checkpoint.addresses:
                for address in sorted(checkpoint.addresses):  # in one order, so that no two wait for each other
                    await held.enter_async_context(self._elsewhere[address])
                yield Place()
            else:
                yield await held.enter_async_context(self._ours(checkpoint.replicas, devices))

    def _ours(self, servers: int, devices: int) -> AbstractAsyncContextManager[Place]:
        if self._cluster is not None:
            return self._on_nodes(self._cluster, servers, devices)
        return self._on_devices(servers, devices) if self._devices else self._by_turns(servers)

    @asynccontextmanager
    async def _on_nodes(self, cluster: Cluster, servers: int, devices: int) -> AsyncIterator[Place]:
        async with cluster.reserved(servers, devices) as hosts:
            spots = self._spots([()] * servers)
            place = Place([replace(spot, host=host) for spot, host in zip(spots, hosts, strict=True)])
            try:
                yield place
            finally:
                self._end(place)

    @asynccontextmanager
    async def _on_devices(self, servers: int, devices: int) -> AsyncIterator[Place]:
        async with self._entry:
            while len(self._free) < servers * devices:
                self._left.clear()
                await self._left.wait()
            taken = [self._free.pop(0) for _ in range(servers * devices)]
        groups = [tuple(taken[first : first + devices]) for first in range(0, len(taken), devices)]
        place = Place(self._spots(groups), kept=self._kept)
        try:
            yield place
        finally:
            self._end(place)
            self._free = sorted(self._free + taken, key=self._devices.index)
            self._left.set()

    @asynccontextmanager
    async def _by_turns(self, servers: int) -> AsyncIterator[Place]:
        async with self._room:
            place = Place(self._spots([()] * servers), self._turn, self._claims, kept=self._kept)
            try:
                yield place
            finally:
                self._end(place)

    def _spots(self, groups: Sequence[tuple[str, ...]]) -> list[Spot]:
        spots = []
        for group in groups:
            number = next(number for number in range(len(self._numbers) + 1) if number not in self._numbers)
            self._numbers.add(number)
            spots.append(Spot(number, group))
        return spots

    def _end(self, place: Place) -> None:
        place.leave()
        self._numbers -= {spot.number for spot in place.spots}
