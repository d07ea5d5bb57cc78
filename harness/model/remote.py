"""A checkpoint that is served elsewhere: at one address, or at several that have the same weights."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from harness.config.schema import CheckpointConfig
from harness.config.serving_keys import ServingConfig
from harness.errors import InfrastructureError, InputError
from harness.model.checkpoint import argument, context_length
from harness.model.connection import Connection, connect, read_key
from harness.model.endpoint import EndpointModel
from harness.model.kept_facts import AbsentEndpoint, Seen, note_seen, seen_before
from harness.model.listing import find_model
from harness.model.manner import read_manner
from harness.model.several_servers import Spread
from harness.repo.blob_cache import BlobStore

log = logging.getLogger(__name__)


async def open_seen(
    checkpoint: CheckpointConfig, serving: ServingConfig, concurrency: int, store: BlobStore, opened: AsyncExitStack
) -> EndpointModel | AbsentEndpoint | Spread:
    """The model of a checkpoint with addresses, or what ``store`` knows of it from before if none can be reached."""
    try:
        return await open_endpoints(checkpoint, serving, concurrency, opened, partial(note_seen, store, checkpoint))
    except InfrastructureError as error:
        before = seen_before(store, checkpoint)
        if before is None:
            raise
        log.warning("%s: %s; what it answered before is used", checkpoint.name, error)
        revision = endpoint_revision(checkpoint, before.model)
        return AbsentEndpoint(revision, before.context, read_manner(checkpoint), error)


async def open_endpoints(
    checkpoint: CheckpointConfig,
    serving: ServingConfig,
    concurrency: int,
    opened: AsyncExitStack,
    note: Callable[[Seen], None] = lambda _: None,
) -> EndpointModel | Spread:
    """The model of a checkpoint with addresses, to be closed with ``opened``; ``note`` is told what they list.

    Of several addresses, those that can't be reached now may be later. Raises InfrastructureError if none can be
    reached, InputError if one refuses the key or does not serve the model, or if they do not agree.
    """
    clients = {url: connect(url, api_key(checkpoint), serving.request_seconds) for url in checkpoint.addresses}
    for client in clients.values():
        opened.push_async_callback(client.close)
    listed = await _list_all(clients, checkpoint.model)
    model = _agreed(listed, 0, "serve different models", "name one as the checkpoint's model")
    if argument(checkpoint.server_args, "--max-model-len") is None:
        context = _agreed(listed, 1, "have contexts of different lengths", "add server_args: [--max-model-len=N]")
    else:
        context = context_length(Path(), checkpoint.server_args)
    note(Seen(model, context))
    endpoints = {
        url: EndpointModel(
            client, model, endpoint_revision(checkpoint, model), concurrency=concurrency,
            request_seconds=serving.request_seconds, context=context, manner=read_manner(checkpoint),
            one_of_many=len(clients) > 1,
        )
        for url, client in clients.items()
    }  # fmt: skip
    return next(iter(endpoints.values())) if len(endpoints) == 1 else Spread(endpoints, serving.request_seconds)


def endpoint_revision(checkpoint: CheckpointConfig, model: str) -> str:
    """What identifies the weights behind a checkpoint's addresses.

    Without a revision of the user's, the address is all that distinguishes one set of weights from another; of a list,
    which may grow and shrink, it is the checkpoint's name.
    """
    return f"{model}@{checkpoint.revision or checkpoint.endpoint or checkpoint.name}"


async def _list_all(clients: dict[str, Connection], wanted: str | None) -> dict[str, tuple[str, int | None]]:
    """The model to ask for and its context, at each address that can be reached."""
    found = await asyncio.gather(*(find_model(client, wanted) for client in clients.values()), return_exceptions=True)
    listed, unreachable = {}, []
    for url, said in zip(clients, found, strict=True):
        if isinstance(said, InfrastructureError):
            unreachable.append(said)
        elif isinstance(said, BaseException):
            raise said
        else:
            listed[url] = said
    if not listed:
        raise unreachable[0]
    for error in unreachable:
        log.warning("%s; the checkpoint's other endpoints are asked", error)
    return listed


def _agreed(listed: Mapping[str, tuple[Any, ...]], part: int, problem: str, remedy: str) -> Any:
    """What all servers say, so that prompts and answers are the same whichever is asked."""
    said = {url: values[part] for url, values in listed.items()}
    if len(set(said.values())) > 1:
        shown = ", ".join(f"{value} at {url}" for url, value in said.items())
        raise InputError(f"the endpoints {problem} ({shown}); {remedy}")
    return next(iter(said.values()))


def api_key(checkpoint: CheckpointConfig) -> str:
    """The key for a checkpoint's endpoint, ``none`` if it needs none. Raises InputError for an unset variable."""
    return read_key(f"checkpoint {checkpoint.name}", checkpoint.api_key_env)
