"""Embeddings of texts from an OpenAI-compatible endpoint, kept by content."""

import array
import json
from collections.abc import Sequence
from hashlib import sha256

from harness.config.localization_keys import EmbeddingsConfig
from harness.errors import InfrastructureError
from harness.model import connection
from harness.model.connection import Connection, RequestError, StatusError, connect, read_key, retried
from harness.model.refusal import words_of
from harness.repo.blob_cache import BlobStore

AT_ONCE = 64  # texts in one request


async def embed(config: EmbeddingsConfig, texts: Sequence[str], store: BlobStore) -> list[list[float]]:
    """A vector for each text, from the store or from the endpoint.

    Raises InputError if the endpoint's key is not set, InfrastructureError if the endpoint does not answer, or
    not with a vector for each text.
    """
    keys = [_key(config, text) for text in texts]
    held = store.get(list(dict.fromkeys(keys)))
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in held}
    if missing:
        made = await _ask(config, list(missing.values()))
        fresh = {key: vector.tobytes() for key, vector in zip(missing, made, strict=True)}
        store.put(fresh)
        held |= fresh
    return [array.array("f", held[key]).tolist() for key in keys]


def _key(config: EmbeddingsConfig, text: str) -> str:
    digest = sha256(text.encode("utf-8", "replace")).hexdigest()
    return f"embedding {config.endpoint} {config.model} {config.revision} {digest}"


async def _ask(config: EmbeddingsConfig, texts: Sequence[str]) -> "list[array.array[float]]":
    vectors: list[array.array[float]] = []
    try:
        async with connect(config.endpoint, embeddings_key(config)) as client:
            for start in range(0, len(texts), AT_ONCE):
                vectors += await _ask_part(client, config.model, texts[start : start + AT_ONCE])
    except StatusError as error:
        said = f"{error.status}: {words_of(error.body)}"
        raise InfrastructureError(f"embeddings at {config.endpoint}: {said}") from error
    except RequestError as error:
        raise InfrastructureError(f"embeddings at {config.endpoint}: {error}") from error
    except (
        LookupError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise InfrastructureError(f"embeddings at {config.endpoint}: the reply holds no vectors") from error
    if len(vectors) != len(texts):
        raise InfrastructureError(f"embeddings at {config.endpoint}: {len(vectors)} vectors for {len(texts)} texts")
    return vectors


async def _ask_part(client: Connection, model: str, texts: Sequence[str]) -> "list[array.array[float]]":
    """The vectors in one reply, in the order of the texts."""
    body = {"model": model, "input": list(texts), "encoding_format": "float"}
    reply = json.loads(await retried(lambda: client.post("/embeddings", body), connection.RETRIES))
    ordered = sorted(reply["data"], key=lambda item: int(item["index"]))
    return [array.array("f", item["embedding"]) for item in ordered]


def embeddings_key(config: EmbeddingsConfig) -> str:
    """The endpoint's key, ``none`` if it needs none. Raises InputError for an unset variable."""
    return read_key("embeddings", config.api_key_env)
