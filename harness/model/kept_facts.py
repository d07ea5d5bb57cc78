"""What a run's models said of lengths, kept in its folder: a finished run needs no endpoint."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, NoReturn, Self
from weakref import WeakValueDictionary

from harness.common.hashing import content_hash, content_key
from harness.config.schema import CheckpointConfig
from harness.core.interfaces import Answer, Sampling
from harness.errors import InfrastructureError
from harness.model.activity import Activity
from harness.model.manner import Manner
from harness.model.prompts import Prompt
from harness.repo.blob_cache import BlobStore


class TokenCounts:
    """Tokens of texts, by the text's hash and what counts them. A text is counted once, in this run or an earlier one.

    An estimate of a server that counts nothing is kept like a count: other prompts would have other answers.
    """

    def __init__(self, store: BlobStore, counter: str) -> None:
        """``counter`` names the model, and how a text is put to it."""
        self._store = store
        self._prefix = f"tokens {counter} "
        self._known: dict[str, int] | None = None  # None before the store was looked into
        self._looking = asyncio.Lock()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # of texts being counted
        self._unkept: dict[str, bytes] = {}
        self._group: asyncio.Task[None] | None = None  # that will keep what is unkept
        self._keeping = asyncio.Lock()  # counts that come meanwhile are kept together

    async def of(self, text: str, count: Callable[[str], Awaitable[int]]) -> int:
        """Tokens of ``text``, which ``count`` is asked for if nobody has counted it yet."""
        digest = text.digest if isinstance(text, Prompt) else content_hash(text)
        turn = self._turns.setdefault(digest, asyncio.Lock())
        async with turn:
            known = self._known if self._known is not None else await self._counted()
            if digest not in known:
                tokens = await count(text)
                await self._keep(digest, tokens)
                known[digest] = tokens
            return known[digest]

    async def _counted(self) -> dict[str, int]:
        async with self._looking:
            if self._known is None:
                held = await asyncio.to_thread(self._store.beginning, self._prefix)
                self._known = {key.removeprefix(self._prefix): int(tokens) for key, tokens in held.items()}
            return self._known

    async def _keep(self, digest: str, tokens: int) -> None:
        self._unkept[self._prefix + digest] = b"%d" % tokens
        if self._group is None:
            self._group = asyncio.create_task(self._keep_group())
        await asyncio.shield(self._group)

    async def _keep_group(self) -> None:
        async with self._keeping:
            items, self._unkept, self._group = self._unkept, {}, None
            await asyncio.to_thread(self._store.put, items)


@dataclass(frozen=True)
class Seen:
    """What an endpoint listed when it was last reached."""

    model: str
    context: int | None  # tokens, None if it did not say


def _place(checkpoint: CheckpointConfig) -> str:
    return f"endpoint {content_key(url=checkpoint.endpoint or checkpoint.name, model=checkpoint.model)}"


def note_seen(store: BlobStore, checkpoint: CheckpointConfig, seen: Seen) -> None:
    """Keep what a checkpoint's endpoint lists, in the place of what it listed before."""
    if seen_before(store, checkpoint) != seen:
        store.overwrite({_place(checkpoint): json.dumps(asdict(seen)).encode()})


def seen_before(store: BlobStore, checkpoint: CheckpointConfig) -> Seen | None:
    """What a checkpoint's endpoint listed in an earlier run into the same folder; None if there was none."""
    key = _place(checkpoint)
    held = store.get([key])
    return Seen(**json.loads(held[key])) if held else None


class AbsentEndpoint:
    """An endpoint that can't be reached now: what is known of it is as it was, and every question fails."""

    def __init__(self, revision: str, context: int | None, manner: Manner, why: InfrastructureError) -> None:
        self.revision = revision
        self.manner = manner
        self.route = ""
        self._context = context
        self._why = why

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to close."""

    def activity(self) -> Activity:
        """None: no question is in flight."""
        return Activity()

    async def ask(self, prompt: str, sampling: Sampling, index: int) -> Answer:  # noqa: ARG002 - of nobody
        """Raise InfrastructureError."""
        self._fail()

    async def count_tokens(self, text: str) -> int:  # noqa: ARG002 - likewise
        """Raise InfrastructureError."""
        self._fail()

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together, as the endpoint said. Raises InfrastructureError."""
        if self._context is None:
            self._fail()
        return self._context

    def in_force(self, sampling: Sampling) -> dict[str, Any]:
        """Every parameter that an answer would be drawn with."""
        return {**self.manner.extra_body, **sampling.parameters()}

    def _fail(self) -> NoReturn:
        raise InfrastructureError(str(self._why)) from self._why
