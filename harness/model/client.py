"""The model that the pipeline asks: no question twice, and a server only when there is a question for it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.config.schema import CheckpointConfig, ServingConfig
from harness.core.interfaces import Answer, Sampling
from harness.errors import HarnessError, InfrastructureError
from harness.model.checkpoint import argument, context_length
from harness.model.connection import connect, read_key
from harness.model.endpoint import EndpointModel, require_room
from harness.model.kept_facts import AbsentEndpoint, Seen, TokenCounts, note_seen, seen_before
from harness.model.listing import find_model
from harness.model.manner import read_manner
from harness.model.orphans import reap_servers
from harness.model.prompts import Prompt
from harness.model.recorded import RecordedModel, question
from harness.model.response import read_record
from harness.model.served import ServedCheckpoint
from harness.repo.blob_cache import BlobStore, derived_store

log = logging.getLogger(__name__)


Source = ServedCheckpoint | EndpointModel | AbsentEndpoint


class JournaledModel:
    """A model whose answers are in a journal before they are returned, and are never asked for again."""

    def __init__(self, source: Source, journal: Journal, store: BlobStore) -> None:
        """Ask ``source`` only what ``journal`` does not hold, and count only texts of which ``store`` has no count."""
        self.revision = source.revision
        self._counts = TokenCounts(store, source.revision, source.manner)
        self.routes: set[str] = set()  # by which questions went whose answers were given
        self._source = source
        self._journal = journal
        self._under_way: dict[str, asyncio.Task[Answer]] = {}
        self._about: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settle(self) -> None:
        """Wait for the answers that are under way, so that each is kept although nobody waits for it any more."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def about(self, instance_id: str, condition: str = "") -> Self:
        """The same model; records of what it is asked from now on name the instance and the condition.

        Its answers depend on the question alone, so a question of several conditions has the name of the first.
        """
        bound = copy(self)
        bound._about = {"instance_id": instance_id, "condition": condition}
        return bound

    async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """Sample ``index`` of ``prompt``, from the journal if it is there; see `harness.core.interfaces.Model`.

        A ContextOverflow is not kept: an endpoint's context may be another one next time.
        """
        asked = question(self.revision, prompt, sampling, index, self._source.manner)
        key = content_key(**asked)
        record = self._journal.get(key)
        answer = read_record(record.get("answer")) if record else None
        if record and answer is None:
            log.warning("%s: the record %s holds no answer: asking again", self._journal.path, key)
        if record and answer is not None:
            self.routes |= {record["route"]} if "route" in record else set()
            return replace(answer, known=True, key=key)
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, asked, prompt, sampling))
            self._under_way[key] = task
            task.add_done_callback(partial(self._ended, key))
        return await asyncio.shield(task)

    def _ended(self, key: str, task: "asyncio.Task[Answer]") -> None:
        del self._under_way[key]
        if not task.cancelled():
            # whoever asked may have been cancelled meanwhile; the failure must not be reported as one nobody saw
            task.exception()

    async def _ask(self, key: str, asked: dict[str, Any], prompt: str, sampling: Sampling) -> Answer:
        require_room(await self.count_tokens(prompt), sampling, await self.context_length())
        answer = await self._source.ask(prompt, sampling, asked["index"])
        route = self._source.route
        stage = {"stage": prompt.stage} if isinstance(prompt, Prompt) else {}
        about = {**self._about, **stage, "route": route, "in_force": self._source.in_force(sampling)}
        await asyncio.to_thread(self._write, key, asked | about, prompt, answer)
        self.routes.add(route)
        return replace(answer, key=key)

    def _write(self, key: str, asked: dict[str, Any], prompt: str, answer: Answer) -> None:
        # a prompt's text is kept once, under its own hash, however many samples it has
        self._journal.add(asked["prompt"], {"kind": "prompt", "text": prompt})
        kept = asdict(answer)
        del kept["known"], kept["key"]
        self._journal.put(key, {"kind": "answer", **asked, "answer": kept})

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as one user message, the chat template included."""
        return await self._counts.of(text, self._source.count_tokens)

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together."""
        return await self._source.context_length()


@asynccontextmanager
async def open_model(
    checkpoint: CheckpointConfig, serving: ServingConfig, concurrency: int, folder: Path, journal: Journal
) -> AsyncIterator[JournaledModel | RecordedModel]:
    """The model of a checkpoint, answering from ``journal`` first; its server, if any was needed, ends with the block.

    A local checkpoint's server logs to ``folder``, where servers that a killed run left are ended first.
    An endpoint that can't be reached and could before has the answers and counts of then; to every other question it is
    an InfrastructureError. Recorded answers are looked up as they are, and are not journaled again.
    Raises InputError for a checkpoint, an endpoint or a recording that can't be used, InfrastructureError for an
    endpoint that can't be reached and never was.
    """
    if checkpoint.answers is not None:
        yield await asyncio.to_thread(RecordedModel, checkpoint, serving)
        return
    with derived_store(folder) as store:
        source: Source
        if checkpoint.endpoint is None:
            reap_servers(folder)
            source = await asyncio.to_thread(ServedCheckpoint, checkpoint, serving, concurrency, folder)
        else:
            source = await _open_seen(checkpoint, serving, concurrency, store)
        async with source, JournaledModel(source, journal, store) as model:
            yield model


async def _open_seen(
    checkpoint: CheckpointConfig, serving: ServingConfig, concurrency: int, store: BlobStore
) -> EndpointModel | AbsentEndpoint:
    """A checkpoint's endpoint, or what is known of it from before if it can't be reached."""
    try:
        endpoint = await open_endpoint(checkpoint, serving, concurrency)
    except InfrastructureError as error:
        before = seen_before(store, checkpoint)
        if before is None:
            raise
        log.warning("%s: %s; what it answered before is used", checkpoint.name, error)
        revision = _revision(checkpoint, before.model)
        return AbsentEndpoint(revision, before.context, read_manner(checkpoint), error)
    note_seen(store, checkpoint, Seen(endpoint.model, endpoint.context))
    return endpoint


async def open_endpoint(checkpoint: CheckpointConfig, serving: ServingConfig, concurrency: int) -> EndpointModel:
    """The model of a checkpoint with an endpoint.

    Raises InfrastructureError if it can't be reached, InputError if it refuses the key or does not serve the model.
    """
    given = argument(checkpoint.server_args, "--max-model-len")
    client = connect(checkpoint.endpoint or "", api_key(checkpoint), serving.request_seconds)
    try:
        model, listed = await find_model(client, checkpoint.model)
    except HarnessError:
        await client.close()
        raise
    return EndpointModel(
        client,
        model,
        _revision(checkpoint, model),
        concurrency=concurrency,
        request_seconds=serving.request_seconds,
        context=listed if given is None else context_length(Path(), checkpoint.server_args),
        manner=read_manner(checkpoint),
    )


def _revision(checkpoint: CheckpointConfig, model: str) -> str:
    # without a revision of the user's, the address is all that distinguishes one set of weights from another
    return f"{model}@{checkpoint.revision or checkpoint.endpoint}"


def api_key(checkpoint: CheckpointConfig) -> str:
    """The key for a checkpoint's endpoint, ``none`` if it needs none. Raises InputError for an unset variable."""
    return read_key(f"checkpoint {checkpoint.name}", checkpoint.api_key_env)
