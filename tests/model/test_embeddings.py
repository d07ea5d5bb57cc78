"""What an embeddings endpoint may send in the place of vectors."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from fake_openai import listening

from harness.config.localization_keys import EmbeddingsConfig
from harness.errors import InfrastructureError
from harness.model import connection
from harness.model.embeddings import embed
from harness.repo.blob_cache import derived_store


@asynccontextmanager
async def serving(body: str) -> AsyncIterator[str]:
    async def embeddings(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/v1/embeddings", embeddings)
    async with listening(app) as address:
        yield f"{address}/v1"


async def test_vectors_are_in_the_order_of_the_texts(tmp_path: Path) -> None:
    body = '{"data": [{"index": 1, "embedding": [2, 0]}, {"index": 0, "embedding": [1, 0]}]}'
    async with serving(body) as url:
        with derived_store(tmp_path) as store:
            assert await embed(EmbeddingsConfig(endpoint=url, model="m"), ["a", "b"], store) == [[1, 0], [2, 0]]


@pytest.mark.parametrize(
    "body",
    [
        "<html>busy</html>", "[]", "null", '"x"', "{}", '{"data": null}', '{"data": []}', '{"data": [null]}',
        '{"data": [{"index": 0}]}', '{"data": [{"index": null, "embedding": [1]}, {"index": 1, "embedding": [1]}]}',
        '{"data": [{"index": 0, "embedding": ["x"]}]}', '{"data": [{"index": 0, "embedding": "AAAA"}]}',
        '{"data": [{"index": 0, "embedding": [null]}]}', '{"error": {"message": "no"}}',
    ],
)  # fmt: skip
async def test_a_reply_without_vectors_is_the_machines_failure(tmp_path: Path, monkeypatch, body: str) -> None:
    """Some of these were a traceback: the library hands on what it could not read."""
    monkeypatch.setattr(connection, "RETRIES", 0)
    async with serving(body) as url:
        with derived_store(tmp_path) as store, pytest.raises(InfrastructureError, match=f"embeddings at {url}"):
            await embed(EmbeddingsConfig(endpoint=url, model="m"), ["a"], store)
