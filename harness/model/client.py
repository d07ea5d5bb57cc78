"""The model that the pipeline asks: no question twice, and a server only when there is a question for it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from copy import copy
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.common.hashing import content_key
from harness.common.journal import Journal
from harness.common.loop_threads import in_own_thread
from harness.common.run_state import Part
from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.core.interfaces import Answer, Sampling
from harness.model.activity import Activity, Tally
from harness.model.endpoint import EndpointModel, require_room
from harness.model.kept_facts import AbsentEndpoint, TokenCounts
from harness.model.orphans import reap_servers
from harness.model.prompts import Prompt
from harness.model.recorded import RecordedModel, question
from harness.model.remote import open_seen
from harness.model.response import read_record
from harness.model.served import ServedCheckpoint
from harness.model.serving_places import Place
from harness.model.several_servers import Spread, Toward
from harness.repo.blob_cache import BlobStore, derived_store

log = logging.getLogger(__name__)


Source = ServedCheckpoint | EndpointModel | AbsentEndpoint | Spread | Toward


class JournaledModel:
    """A model whose answers are in a journal before they are returned, and are never asked for again."""

    def __init__(self, source: Source, journal: Journal, store: BlobStore) -> None:
        """Ask ``source`` only what ``journal`` does not hold, and count only texts of which ``store`` has no count."""
        self.revision = source.revision
        self.identity = content_key(revision=source.revision, asked=source.manner.said())  # of what answers are from
        self._counts = TokenCounts(store, self.identity)
        self.routes: set[str] = set()  # by which questions went whose answers were given
        self._source = source
        self._journal = journal
        self._under_way: dict[str, asyncio.Task[Answer]] = {}
        self._tally = Tally()
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

    def activity(self) -> Activity:
        """What the servers are at."""
        return self._source.activity()

    def part(self, name: str) -> Part:
        """The answers by now and what the servers are at, for whoever watches."""
        return self._tally.part(name, self.activity(), len(self._under_way))

    async def settle(self) -> None:
        """Wait for the answers that are under way, so that each is kept although nobody waits for it any more."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def about(self, instance_id: str, condition: str = "") -> Self:
        """The same model; records of what it is asked from now on name the instance and the condition.

        Its answers depend on the question alone, so a question of several conditions has the name of the first.
        """
        bound = copy(self)
        if isinstance(self._source, Spread):
            bound._source = self._source.about(instance_id)
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
            self._tally.found()
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
        self._tally.answered(answer)
        route = self._source.route
        stage = {"stage": prompt.stage} if isinstance(prompt, Prompt) else {}
        about = {**self._about, **stage, "route": route, "in_force": self._source.in_force(sampling)}
        on_the_way = self._begin(key, asked | about, prompt, answer)
        for written in on_the_way:  # most lie in one write: the first one waits for all of them
            written.result() if written.done() else await asyncio.wrap_future(written)
        self.routes.add(route)
        return replace(answer, key=key)

    def _begin(self, key: str, asked: dict[str, Any], prompt: str, answer: Answer) -> list[Future[None]]:
        kept = asdict(answer)
        del kept["known"], kept["key"]
        # a prompt's text is kept once, under its own hash, however many samples it has
        records = {
            asked["prompt"]: {"kind": "prompt", "text": prompt},
            key: {"kind": "answer", **asked, "answer": kept},
        }
        return self._journal.begin(records, once=(asked["prompt"],))

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as one user message, the chat template included."""
        return await self._counts.of(text, self._source.count_tokens)

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together."""
        return await self._source.context_length()


@asynccontextmanager
async def open_model(
    checkpoint: CheckpointConfig,
    serving: ServingConfig,
    concurrency: int,
    folder: Path,
    journal: Journal,
    place: Place | None = None,
) -> AsyncIterator[JournaledModel | RecordedModel]:
    """The model of a checkpoint, answering from ``journal`` first; its servers, if any was needed, end with the block.

    A local checkpoint's servers stand at ``place`` and log to ``folder``, where servers that a killed run left are
    ended first. An endpoint that can't be reached and could before has the answers and counts of then; to every other
    question it is an InfrastructureError. Of several, one has to be reachable. Recorded answers are looked up as they
    are, and are not journaled again. Raises InputError for a checkpoint, an endpoint or a recording that can't be used,
    InfrastructureError for an endpoint that can't be reached and never was.
    """
    if checkpoint.answers is not None:
        yield await in_own_thread(partial(RecordedModel, checkpoint, serving))
        return
    with derived_store(folder) as store:
        async with AsyncExitStack() as opened:
            source: Source
            if checkpoint.addresses:
                source = await open_seen(checkpoint, serving, concurrency, store, opened)
            else:
                reap_servers(folder)
                source = await _open_served(checkpoint, serving, concurrency, folder, place or Place(), opened)
            yield await opened.enter_async_context(JournaledModel(source, journal, store))


async def _open_served(
    checkpoint: CheckpointConfig,
    serving: ServingConfig,
    concurrency: int,
    folder: Path,
    place: Place,
    opened: AsyncExitStack,
) -> ServedCheckpoint | Spread:
    servers = {}
    for replica in range(len(place.spots)):
        server = await in_own_thread(
            partial(ServedCheckpoint, checkpoint, serving, concurrency, folder, place, replica)
        )
        servers[f"replica {replica + 1}"] = await opened.enter_async_context(server)
    return Spread(servers) if len(servers) > 1 else server
