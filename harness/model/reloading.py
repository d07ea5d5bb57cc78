"""One vLLM server for several checkpoints of one kind: weights are read into the running server, without a restart.

vLLM's own reload can be silently wrong (on its CPU build it is where embeddings are tied), so it is trusted only after
a check: what a server's own weights made of a text is noted when it starts; then the weights of the checkpoint before
are read into it, and have to make of that text what they made of it in a server of their own.
"""

import json
import logging
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.common.hashing import content_key
from harness.errors import ServerError
from harness.model.checkpoint import determining_files, file_hash
from harness.model.connection import RequestError, connect
from harness.model.devices import Spot
from harness.model.server import VllmServer

DEVELOPMENT = {"VLLM_SERVER_DEV_MODE": "1"}  # without it the server offers no reload
TEXT = "def mean(values):\n    return sum(values) / len(values)\n\n# An empty list ends in ZeroDivisionError.\n" * 2
SAFETENSORS, INDEX = ".safetensors", ".safetensors.index.json"
TOLERANCE = 1e-3  # in a token's log probability
Reading = tuple[float, ...]  # log probabilities of the tokens of `TEXT` and of the most likely one behind them

log = logging.getLogger(__name__)


@dataclass
class KeptServer:
    """A server that stays when its checkpoint is done."""

    server: VllmServer
    kind: str | None  # of the checkpoints whose weights it can take; None: of no others
    weights: Path  # that it started with
    reading: Reading | None = None  # of those; None if it can't be read


@dataclass
class KeptServers:
    """The servers of a run that wait for the next checkpoint."""

    waiting: list[KeptServer] = field(default_factory=list)
    trusted: dict[str | None, bool] = field(default_factory=dict)  # by kind, once it was checked

    async def take(self, spot: Spot) -> KeptServer | None:
        """The server that waits at just that spot; those that stand in its way end."""
        here = [kept for kept in self.waiting if _meet(kept.server.spot, spot)]
        self.waiting = [kept for kept in self.waiting if kept not in here]
        found = next((kept for kept in here if kept.server.spot.devices == spot.devices), None)
        for kept in here:
            if kept is not found:
                await kept.server.stop()
        return found

    async def end(self) -> None:
        """Stop them."""
        while self.waiting:
            await self.waiting.pop().server.stop()


def _meet(one: Spot, other: Spot) -> bool:
    """Whether two spots are the same, or share a device."""
    return bool({*one.devices} & {*other.devices}) if one.devices else one == other


class Lease:
    """A server for one checkpoint: the one that waits there, if it can take the weights and is trusted, or a new one.

    An asynchronous context manager that gives the started server, which waits for the next checkpoint afterwards.
    """

    def __init__(self, new: VllmServer, weights: Path, kind: str | None, kept: KeptServers | None) -> None:
        """``new`` is started if no server in ``kept`` can take the ``weights``; ``kind``: see `weights_kind`."""
        self.server = new
        self.reloaded = False
        self._kept = kept or KeptServers()
        self._now = KeptServer(new, kind, weights)

    async def __aenter__(self) -> VllmServer:
        """Raises InputError and ServerError like `VllmServer`."""
        before = await self._kept.take(self.server.spot)
        if before and await self._takes(before):
            return self.server
        await self.server.__aenter__()
        try:
            await self._compare(before)
        except BaseException:
            await self.server.stop()
            raise
        return self.server

    async def _takes(self, before: KeptServer) -> bool:
        """Whether a server that waits has taken the weights; it ends if not."""
        if before.kind == self._now.kind and self._kept.trusted.get(before.kind):
            try:
                await _reload(before.server, self._now.weights)
            except ServerError as error:
                log.warning("%s; a new server is started", error)
            except BaseException:
                await before.server.stop()
                raise
            else:
                self._now = before
                self.server, self.reloaded = before.server, True
                return True
        await before.server.stop()
        return False

    async def _compare(self, before: KeptServer | None) -> None:
        """Note what the new server makes of the text, and find out once for a kind whether reloading can be trusted."""
        now, trusted = self._now, self._kept.trusted
        if now.kind is None or not trusted.get(now.kind, True):
            return
        now.reading = await _read(now.server)
        if now.kind in trusted or before is None or before.kind != now.kind or before.reading == now.reading:
            return
        trusted[now.kind] = await _can_be_trusted(now, before)
        if not trusted[now.kind]:
            log.warning(
                "serving.switch: reload is not used: the weights in %s don't answer in the server of %s as they did in "
                "one of their own", before.weights, now.server.name,
            )  # fmt: skip
            await now.server.stop()
            await now.server.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        now = self._now
        if error is None and now.kind and not now.server.ended and self._kept.trusted.get(now.kind, True):
            self._kept.waiting.append(now)
        else:
            await now.server.stop()


async def _can_be_trusted(now: KeptServer, before: KeptServer) -> bool:
    """Whether a server answers with the weights of another as that one did, and with its own again afterwards."""
    if before.reading is None or now.reading is None:
        return False
    try:
        for weights, expected in ((before.weights, before.reading), (now.weights, now.reading)):
            await _reload(now.server, weights)
            if not _equal(await _read(now.server), expected):
                return False
    except ServerError as error:
        log.warning("%s", error)
        return False
    return True


def _equal(found: Reading | None, expected: Reading) -> bool:
    return (
        found is not None
        and len(found) == len(expected)
        and all(abs(one - other) <= TOLERANCE for one, other in zip(found, expected, strict=True))
    )


async def _reload(server: VllmServer, weights: Path) -> None:
    """Read other weights into a server, and forget what it kept of prompts. Raises ServerError."""
    called = {"method": "reload_weights", "kwargs": {"weights_path": str(weights)}}
    try:
        async with connect(server.base_url.removesuffix("/v1"), server.key, own=True) as client:
            await client.post("/collective_rpc", called)
            said = json.loads(await client.post("/reset_prefix_cache", {}))
    except (RequestError, ValueError) as error:
        raise ServerError(f"{server.name}: its server did not take the weights in {weights} ({error})") from error
    if not isinstance(said, dict) or said.get("success") is not True:
        raise ServerError(f"{server.name}: its server keeps what it read with the weights before {weights}")


async def _read(server: VllmServer) -> Reading | None:
    """What a server makes of `TEXT`; None if it does not say so."""
    question: dict[str, Any] = {"model": server.name, "prompt": TEXT, "max_tokens": 1, "temperature": 0}
    try:
        async with connect(server.base_url, server.key, own=True) as client:
            reply = json.loads(await client.post("/completions", {**question, "echo": True, "logprobs": 1}))
        found = reply["choices"][0]["logprobs"]["token_logprobs"]
        return tuple(float(value) for value in found if value is not None)
    except (RequestError, ValueError, LookupError, TypeError) as error:
        log.warning("%s: its server does not say how likely a text is (%s)", server.name, error)
        return None


def weights_kind(weights: Path, args: Sequence[str]) -> str | None:
    """What two checkpoints have in common if one server can take the weights of both; None if no other can be so.

    That is every file but the weights that an answer depends on, the server's arguments, and the weights' names, shapes
    and types, which safetensors files alone say.
    """
    files = {file.name: file for file in determining_files(weights) if not file.name.endswith(INDEX)}
    tensors = {name: _tensors(file) for name, file in files.items() if file.suffix == SAFETENSORS}
    fixed = {name: file_hash(file) for name, file in files.items() if file.suffix != SAFETENSORS}
    if not tensors or None in tensors.values():
        return None
    return content_key(fixed=fixed, arguments=list(args), tensors=tensors)


def _tensors(file: Path) -> dict[str, Any] | None:
    """Type and shape of each tensor of a safetensors file, as its header has them; None if it can't be read."""
    with suppress(OSError, ValueError, struct.error, AttributeError, KeyError, TypeError), file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(min(length, file.stat().st_size)))
        return {name: [t["dtype"], t["shape"]] for name, t in header.items() if name != "__metadata__"}
    return None
