"""The models that a server lists, and which of them is asked."""

import json
from typing import TYPE_CHECKING, Any

from harness.common.suggest import nearest
from harness.errors import InfrastructureError, InputError
from harness.model.connection import for_side_questions
from harness.model.refusal import explain

if TYPE_CHECKING:
    from openai import AsyncOpenAI

LENGTH_KEYS = ("max_model_len", "context_length", "max_context_length", "context_window")  # vLLM, gateways, LM Studio


async def list_models(client: "AsyncOpenAI") -> dict[str, int | None]:
    """The models that a server lists, each with its context length if the server says it.

    Raises InfrastructureError for a server that can't be reached or fails, InputError for one that can't be asked, with
    the address that answers instead if the endpoint only lacks its ``/v1``.
    """
    import openai

    address = str(client.base_url).rstrip("/")
    try:
        return _lengths(await _get_models(client, "/models"))
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise explain(address, error.status_code, error.response.content) from error
    except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError) as error:
        raise InfrastructureError(
            f"{client.base_url}: no OpenAI-compatible server answers there ({error.__cause__ or error}); start it, or "
            "correct the checkpoint's endpoint"
        ) from error
    except (openai.APIError, ValueError, KeyError, TypeError, AttributeError) as error:  # not a list of models
        hint = "start it, or correct the checkpoint's endpoint"
        if await _answers_below(client, address):
            hint = f"did you mean {address}/v1?"
        raise InputError(
            f"{client.base_url}: no OpenAI-compatible server answers there ({error.__cause__ or error}); {hint}"
        ) from error


async def _get_models(client: "AsyncOpenAI", path: str) -> Any:
    return json.loads(await for_side_questions(client).get(path, cast_to=bytes))


def _lengths(reply: Any) -> dict[str, int | None]:
    lengths = {}
    for model in reply["data"]:
        said = (model.get(key) for key in LENGTH_KEYS)
        lengths[model["id"]] = next((length for length in said if isinstance(length, int)), None)
    return lengths


async def _answers_below(client: "AsyncOpenAI", address: str) -> bool:
    import openai

    if address.endswith("/v1"):
        return False
    try:
        _lengths(await _get_models(client, f"{address}/v1/models"))
    except (openai.APIError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


async def find_model(client: "AsyncOpenAI", wanted: str | None) -> tuple[str, int | None]:
    """The model to ask for: ``wanted``, or the only one that the server lists; with its context as in `list_models`.

    Raises as `list_models`, and InputError for an unknown model and if none is asked for among several.
    """
    known = await list_models(client)
    if wanted is None and len(known) == 1:
        return next(iter(known.items()))
    served = ", ".join(known) or "no model"
    if wanted is None:
        raise InputError(f"{client.base_url}: serves {served}; name one as the checkpoint's model")
    if wanted not in known:
        raise InputError(f"{client.base_url}: serves {served}, not {wanted!r}{nearest(wanted, known)}")
    return wanted, known[wanted]
