"""A local checkpoint behind a vLLM server of its own."""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Answer, Sampling
from harness.errors import HarnessError, InputError, ServerError
from harness.model.activity import Activity
from harness.model.checkpoint import (
    check_checkpoint,
    context_length,
    defaults_in_force,
    served_revision,
    server_arguments,
)
from harness.model.connection import connect
from harness.model.devices import BATCH_INVARIANT
from harness.model.endpoint import EndpointModel
from harness.model.manner import read_manner
from harness.model.memory import expected_bytes, machine_memory
from harness.model.reloading import DEVELOPMENT, Lease, weights_kind
from harness.model.server import VllmServer
from harness.model.server_times import gpu_count, timed
from harness.model.serving_places import Claim, Place
from harness.model.tokens import PromptTokens

log = logging.getLogger(__name__)

CACHE_SPACE = "VLLM_CPU_KVCACHE_SPACE"
STARTING = "starting vLLM"
STARTS = 3  # of one checkpoint's server in a run: a server that keeps dying is given up


class ServedCheckpoint:
    """A local checkpoint behind a vLLM server of its own, which the first question starts.

    Counting tokens and the context length need no server.
    """

    def __init__(
        self,
        checkpoint: CheckpointConfig,
        serving: ServingConfig,
        concurrency: int,
        folder: Path,
        place: Place | None = None,
        replica: int = 0,
    ) -> None:
        """Check and read the checkpoint, whose server number ``replica`` stands at its ``place``.

        Raises InputError if it can't be served.
        """
        weights = checkpoint.weights
        if weights is None:
            raise InputError(f"checkpoint {checkpoint.name} has no path to serve")
        check_checkpoint(weights)
        args = server_arguments(checkpoint, serving)
        self._name = checkpoint.name
        self.revision = served_revision(checkpoint, args, serving.batch_invariant)
        self.manner = read_manner(checkpoint)
        self._defaults = defaults_in_force(weights, args)
        self._tokens = PromptTokens(weights, args, self.manner)
        self.route = self._tokens.route
        self._context = context_length(weights, args)
        self._place = place or Place()
        kind = weights_kind(weights, args) if self._place.kept and checkpoint.adapter is None else None
        environment = {**({BATCH_INVARIANT: "1"} if serving.batch_invariant else {}), **(DEVELOPMENT if kind else {})}
        self._make_server = partial(
            VllmServer, weights, checkpoint.name, args, folder, serving.port, serving.startup_seconds,
            checkpoint.adapter, self._place.spots[replica], f"@{replica + 1}" if replica else "",
            environment,
        )  # fmt: skip
        self._lease = partial(Lease, weights=weights, kind=kind, kept=self._place.kept)
        self._timed = partial(timed, folder=folder, revision=self.revision, gpus=gpu_count(args))
        self._expects = partial(expected_bytes, weights, args, os.environ.get(CACHE_SPACE))
        self._claimed = False
        self._latest: VllmServer | None = None  # started, or about to be
        self._concurrency = concurrency
        self._request_seconds = serving.request_seconds
        self._running = AsyncExitStack()
        self._starting = asyncio.Lock()
        self._starts_left = STARTS
        self._server: VllmServer | None = None
        self._endpoint: EndpointModel | None = None
        self._failure: HarnessError | None = None
        self._compared = False
        self.answers = 0  # by now
        self._doing: tuple[str, float] | None = None  # what it does before it answers, and since when
        self._starts: tuple[float, ...] = ()  # seconds of each

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.aclose()

    def activity(self) -> Activity:
        """What the server is at: whether it starts, and its last line then, or what it answers."""
        doing, latest = self._doing, self._latest
        if doing is not None:
            said = latest.said() if latest and doing[0] == STARTING else ""
            return Activity(0, doing[0], time.monotonic() - doing[1], said, self._starts)
        answering = self._endpoint.activity() if self._endpoint else Activity()
        return replace(answering, starts=self._starts, prefix_cache=latest.prefix_cache() if latest else None)

    @contextmanager
    def _at(self, what: str) -> Iterator[None]:
        self._doing = (what, time.monotonic())
        try:
            yield
        finally:
            self._doing = None

    async def ask(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """Sample ``index`` of ``prompt``, which is known to fit; see `harness.core.interfaces.Model`.

        A server that dies before it has answered is started again, a few times in all. Raises ServerError, with
        the reason from its log, if it does not start or dies once more.
        """
        expected = None if self._compared else await self.count_tokens(prompt)
        server, answer = await self._ask_until_answered(prompt, sampling, index)
        if expected not in (None, answer.prompt_tokens) and not self._compared:
            log.warning(
                "%s: the server read a prompt as %d tokens that the checkpoint's own tokenizer splits into %d; "
                "it may have loaded another tokenizer than the checkpoint was trained with",
                server.name, answer.prompt_tokens, expected,
            )  # fmt: skip
        self._compared = True
        self.answers += 1
        return answer

    async def _ask_until_answered(self, prompt: str, sampling: Sampling, index: int) -> tuple[VllmServer, Answer]:
        while True:
            server, endpoint = await self._ready()
            try:
                return server, await _unless_ended(server, endpoint.ask(prompt, sampling, index))
            except ServerError:
                continue  # `_ready` starts it again, or raises when that was done often enough

    def in_force(self, sampling: Sampling) -> dict[str, Any]:
        """Every parameter that an answer is drawn with, the seed apart; what is not there has no effect."""
        return {**self._defaults, **self.manner.extra_body, **sampling.parameters()}

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as the model is asked it, the chat template included."""
        return await asyncio.to_thread(self._tokens.count, text)

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together."""
        return self._context

    async def _ready(self) -> tuple[VllmServer, EndpointModel]:
        async with self._starting:
            if self._failure is not None:
                raise self._failure
            if self._server is None or self._endpoint is None or self._server.ended:
                self._server, self._endpoint = await self._start()
            with self._at("waiting for its turn"):
                await self._place.take_turn()
            return self._server, self._endpoint

    async def _start(self) -> tuple[VllmServer, EndpointModel]:
        await self._running.aclose()
        self._starts_left -= 1
        try:
            if self._server is not None and self._starts_left < 0:
                raise self._server.failure(f"{STARTS} times")
            if self._server is not None:
                log.warning("%s; starting it again", self._server.failure("while answering"))
            server = await self._start_server()
        except HarnessError as error:
            self._failure = error
            raise
        client = connect(server.base_url, server.key, seconds=self._request_seconds, own=True)
        endpoint = EndpointModel(
            client,
            server.name,
            self.revision,
            concurrency=self._concurrency,
            request_seconds=self._request_seconds,
            context=self._context,
            manner=self.manner,
            route=self.route,
        )
        return server, await self._running.enter_async_context(endpoint)

    async def _start_server(self) -> VllmServer:
        server = self._make_server()
        if not self._claimed:
            claim = Claim(self._expects(machine_memory()[0]), lambda: self._latest.resident() if self._latest else 0)
            with self._at("waiting for room to start"):
                await self._place.may_start(server.name, claim)
            self._claimed = True
        self._latest = server
        self._latest = server
        lease, began = self._lease(server), time.monotonic()
        with self._at(STARTING):
            timed_lease = self._timed(lease, where=partial(self._where, lease))
            self._latest = await self._running.enter_async_context(timed_lease)
        self._starts += (time.monotonic() - began,)
        return self._latest

    def _where(self, lease: Lease) -> dict[str, Any]:
        return {
            "checkpoint": self._name, "log": lease.server.log.name, "devices": list(lease.server.spot.devices),
            "ahead": self._place.ahead, "reloaded": lease.reloaded,
        }  # fmt: skip


async def _unless_ended(server: VllmServer, question: Coroutine[Any, Any, Answer]) -> Answer:
    """The question's answer, or ServerError as soon as the server has ended without one."""
    asking, ending = asyncio.create_task(question), asyncio.create_task(server.wait_ended())
    try:
        await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise server.failure("while answering")
        return asking.result()
    finally:
        asking.cancel()
        ending.cancel()
        await asyncio.gather(asking, ending, return_exceptions=True)
