"""The models that a server lists, and which of them is asked."""

import re
from collections.abc import Iterator
from typing import Any

from harness.common.inert import one_line
from harness.common.suggest import nearest
from harness.errors import HarnessError, InfrastructureError, InputError
from harness.model import connection
from harness.model.connection import SIDE_SECONDS, Connection, RequestError, StatusError, retried
from harness.model.refusal import error_in, explain, words_of
from harness.model.response import BadReply, read_count, read_json

LENGTH_KEYS = ("max_model_len", "context_length", "max_context_length", "context_window")  # vLLM, gateways, LM Studio
NAMED = 10  # models that a message names
REWRITING = (301, 302, 303)  # redirects after which a question arrives without its text
NO_LIST = (404, 405, 501)


class NoModelList(InputError):
    """The server has no list of models; it may answer all the same."""


async def list_models(client: Connection) -> dict[str, int | None]:
    """The models that a server lists, each with its context length if the server says it.

    Raises InfrastructureError for a server that can't be reached or fails, InputError for one that can't be asked, with
    the address that answers instead if there is one near by, and NoModelList for one that has no list at all.
    """
    address = client.base_url
    try:
        return await _get_models(client, "/models")
    except StatusError as error:
        raise await _unlisted(client, error) from error
    except RequestError as error:
        raise InfrastructureError(_no_server(address, str(error))) from error
    except BadReply as error:
        raise InputError(_no_server(address, str(error), await _other_address(client))) from error


async def _get_models(client: Connection, path: str) -> dict[str, int | None]:
    reply = await retried(lambda: client.get(path, SIDE_SECONDS), connection.SIDE_RETRIES)
    value = read_json(reply.body)
    if refusal := error_in(value):
        said = explain(client.base_url, *refusal)
        raise said if isinstance(said, HarnessError) else BadReply(str(said))
    models = read_models(value)
    if any(status in REWRITING for status in reply.redirects):
        target = reply.url.removesuffix("/models")
        raise InputError(f"{client.base_url}: the server redirects to {target}; give that as the checkpoint's endpoint")
    return models


def read_models(value: Any) -> dict[str, int | None]:
    """The models in a reply, in its order, each with its context length if it is there. Raises BadReply for no list."""
    listed = value.get("data") if isinstance(value, dict) else value
    if listed is None and isinstance(value, dict) and "data" in value:  # a list of none, from a server in Go
        return {}
    models = [model for model in listed if _is_named(model)] if isinstance(listed, list) else []
    if not models and listed != []:
        raise BadReply("the reply lists no models")
    return {model["id"]: _length(model) for model in models}


def _is_named(model: Any) -> bool:
    return isinstance(model, dict) and isinstance(model.get("id"), str)


def _length(model: dict[str, Any]) -> int | None:
    lengths = [*(read_count(model, key) for key in LENGTH_KEYS), read_count(model.get("meta"), "n_ctx")]  # llama.cpp
    return next(filter(None, lengths), None)


async def _unlisted(client: Connection, error: StatusError) -> HarnessError:
    """The exception for a status that came in the place of the list."""
    address, status, body = client.base_url, error.status, error.body
    said = f"{status}: {words_of(body)}"
    if status in NO_LIST:
        other = await _other_address(client)
        return (InputError if other else NoModelList)(_no_server(address, said, other))
    refusal = explain(address, status, body)
    if isinstance(refusal, InputError):
        return refusal
    passing = status >= 500 or status in (408, 409, 425, 429)
    return (InfrastructureError if passing else InputError)(_no_server(address, said))


def _no_server(address: str, problem: str, other: str | None = None) -> str:
    hint = f"did you mean {other}?" if other else "start it, or correct the checkpoint's endpoint"
    return f"{address}: no OpenAI-compatible server answers there ({problem}); {hint}"


async def _other_address(client: Connection) -> str | None:
    """An address near by under which the server lists its models."""
    for address in _near(client.base_url):
        try:
            await _get_models(client, f"{address}/models")
        except (RequestError, HarnessError):
            continue
        return address
    return None


def _near(address: str) -> Iterator[str]:
    """The address without the path of a question, and with the ``/v1`` that it may lack or has twice."""
    root = re.sub(r"(?:/(?:chat|completions|models|embeddings))*/*$", "", address)
    once = re.sub(r"(?:/v1)+$", "/v1", root)
    found = (once, *(() if once.endswith("/v1") else (f"{once}/v1",)))
    return (other for other in found if other != address)


async def find_model(client: Connection, wanted: str | None) -> tuple[str, int | None]:
    """The model to ask for: ``wanted``, or the only one that the server lists; with its context as in `list_models`.

    A server that lists none has to be believed. Raises as `list_models`, and InputError for an unknown model and if
    none is asked for among several.
    """
    try:
        known = await list_models(client)
    except NoModelList as error:
        if wanted is None:
            raise InputError(f"{error}; if it lists no models, name one as the checkpoint's model") from error
        known = {}
    if wanted is None and len(known) == 1:
        return next(iter(known.items()))
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    served = one_line(", ".join(list(known)[:NAMED]) + more) or "no model"
    if wanted is None:
        raise InputError(f"{client.base_url}: serves {served}; name one as the checkpoint's model")
    if known and wanted not in known:
        raise InputError(f"{client.base_url}: serves {served}, not {wanted!r}{nearest(wanted, known)}")
    return wanted, known.get(wanted)
