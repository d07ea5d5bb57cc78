"""The one actor that knows of all nodes: which tries run where, who has which image, who may pull one now."""

import asyncio
from collections import defaultdict

from harness.cluster.values import Begun, Picture


class Conductor:
    """An asynchronous actor: its methods take turns at their awaits alone, so nothing here needs a lock."""

    def __init__(self) -> None:
        self._running: dict[str, dict[str, float]] = {}  # node -> token -> seconds, as the node said last
        self._nodes: dict[str, tuple[str, ...]] = {}  # token -> the nodes that began it
        self._images: dict[str, set[str]] = defaultdict(set)  # digest -> nodes
        self._known: dict[str, set[str]] = defaultdict(set)  # image name -> nodes
        self._pulls: dict[str, list[str]] = defaultdict(list)  # image name -> nodes that pull it now
        self._changed = asyncio.Condition()

    async def runs(self, node: str, tries: dict[str, float]) -> None:
        """A node runs these tries, for so many seconds by now, and no others."""
        self._running[node] = tries
        for token in tries:
            nodes = self._nodes.get(token, ())
            if nodes[-1:] != (node,):
                self._nodes[token] = (*nodes, node)

    async def has(self, node: str, images: dict[str, str]) -> None:
        """A node has these images: digests by their names."""
        for name, digest in images.items():
            self._images[digest].add(node)
            self._known[name].add(node)

    async def pull(self, node: str, name: str) -> None:
        """Wait until the node may pull an image: with each node that has it one more may at a time."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._pulls[name]) < max(1, len(self._known[name])))
            self._pulls[name].append(node)

    async def pulled(self, node: str, name: str) -> None:
        """The pull is over, well or not."""
        async with self._changed:
            if node in self._pulls[name]:
                self._pulls[name].remove(node)
            self._changed.notify_all()

    async def lost(self, node: str) -> None:
        """A node is gone, and what it had and did with it."""
        self._running.pop(node, None)
        async with self._changed:
            for nodes in (*self._images.values(), *self._known.values()):
                nodes.discard(node)
            for name, pulling in self._pulls.items():
                self._pulls[name] = [other for other in pulling if other != node]
            self._changed.notify_all()

    async def picture(self, under_way: set[str]) -> Picture:
        """How things stand now with these tries; what was known of others is forgotten."""
        self._nodes = {token: nodes for token, nodes in self._nodes.items() if token in under_way}
        begun = {
            token: Begun(self._nodes[token], seconds)
            for tries in self._running.values()
            for token, seconds in tries.items()
            if token in self._nodes
        }
        return Picture(begun, {digest: frozenset(nodes) for digest, nodes in self._images.items()})
