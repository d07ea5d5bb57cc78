"""Lists of models as servers and gateways send them, and what comes in the place of one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from fake_openai import listening

from harness.errors import HarnessError, InfrastructureError, InputError
from harness.model import connection
from harness.model.connection import connect
from harness.model.listing import find_model, list_models, read_models
from harness.model.response import BadReply

MODEL = {"id": "org/m", "object": "model", "created": 1.5, "max_model_len": 8192}


@pytest.fixture(autouse=True)
def _one_try(monkeypatch):
    monkeypatch.setattr(connection, "SIDE_RETRIES", 0)


@asynccontextmanager
async def serving(reply: web.Response, path: str = "/v1") -> AsyncIterator[str]:
    """A server with ``reply`` in the place of its list below ``path``; the address without it."""

    async def models(_: web.Request) -> web.Response:
        # aiohttp sends a response object only once
        headers = {name: value for name, value in reply.headers.items() if name == "Location"}
        return web.Response(body=reply.body, status=reply.status, content_type=reply.content_type, headers=headers)

    async def good(_: web.Request) -> web.Response:
        return web.json_response({"data": [MODEL]})

    app = web.Application()
    app.add_routes([web.get(f"{path}/models", models), web.get("/moved/v1/models", good)])
    async with listening(app) as address:
        yield address


async def found(address: str, wanted: str | None = None) -> str:
    async with connect(address, own=True) as client:
        return (await find_model(client, wanted))[0]


@pytest.mark.parametrize(
    ("value", "models"),
    [
        ({"object": "list", "data": [MODEL]}, {"org/m": 8192}),
        ([MODEL], {"org/m": 8192}),  # Together
        ({"data": [{"name": "x"}, 1, MODEL]}, {"org/m": 8192}),
        ({"data": [{"id": "/models/m", "context_length": 4096.0}]}, {"/models/m": 4096}),
        ({"data": [{"id": "m", "max_model_len": "8192"}]}, {"m": 8192}),
        ({"data": [{"id": "m", "max_model_len": 0, "context_window": 4096}]}, {"m": 4096}),
        ({"data": [{"id": "m", "meta": {"n_ctx_train": 32768, "n_ctx": 8192}}]}, {"m": 8192}),  # llama.cpp
        ({"models": [{"name": "m"}], "data": [{"id": "m", "meta": None}]}, {"m": None}),
        ({"data": [{"id": "m", "max_model_len": True, "context_length": -1}]}, {"m": None}),
        ({"data": []}, {}),
        ({"data": None}, {}),  # Ollama without a model
    ],
)
def test_a_list_is_read_whatever_its_shape(value: Any, models: dict[str, int | None]) -> None:
    assert read_models(value) == models


@pytest.mark.parametrize("value", [None, 1, "x", {}, {"data": 1}, {"data": [1]}, {"data": [{"id": 1}]}, {"models": []}])
def test_what_lists_no_models_is_refused(value: Any) -> None:
    with pytest.raises(BadReply):
        read_models(value)


def said(status: int, value: Any) -> web.Response:
    return web.json_response(value, status=status)


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (said(402, {"error": {"message": "Insufficient credits"}}), InputError, "402: Insufficient credits"),
        (
            said(400, [{"error": {"code": 400, "message": "API key not valid."}}]),
            InputError,
            "refuses the key: API key",
        ),
        (said(200, {"error": {"message": "Invalid API key", "code": 401}}), InputError, "refuses the key: Invalid API"),
        (said(200, {"detail": "Model is loading"}), InfrastructureError, "Model is loading"),
        (said(503, {"error": {"message": "Loading model"}}), InfrastructureError, "503: Loading model"),
        (said(429, {"error": {"message": "slow down"}}), InfrastructureError, "429: slow down"),
        (said(405, {"detail": "Method Not Allowed"}), InputError, "405: Method Not Allowed.*name one as"),
        (web.Response(text="<html><title>Sign in</title></html>", content_type="text/html"), InputError, "Sign in"),
    ],
)
async def test_a_server_without_a_list_is_quoted(reply: web.Response, kind: type[HarnessError], words: str) -> None:
    async with serving(reply) as root:
        with pytest.raises(kind, match=words) as caught:
            await found(f"{root}/v1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_that_would_lose_the_questions_names_its_target(status: int) -> None:
    async with serving(web.Response(status=status, headers={"Location": "/moved/v1/models"})) as root:
        if status == 307:
            assert await found(f"{root}/v1") == "org/m"
        else:
            with pytest.raises(InputError, match=f"redirects to {root}/moved/v1; give that as"):
                await found(f"{root}/v1")


@pytest.mark.parametrize("tail", ["/v1", "/v1/", "/v1//"])
async def test_slashes_at_an_addresss_end_count_for_nothing(tail: str) -> None:
    async with serving(said(200, {"data": [MODEL]})) as root:
        assert await found(root + tail) == "org/m"


@pytest.mark.parametrize(
    "tail", ["/v1/chat/completions", "/v1/completions", "/v1/models", "/v1/v1", "/chat/completions", ""]
)
async def test_the_address_that_was_meant_is_proposed(tail: str) -> None:
    async with serving(said(200, {"data": [MODEL]})) as root:
        with pytest.raises(InputError, match=rf"did you mean {root}/v1\?"):
            await found(root + tail)
    async with serving(said(200, {"data": [MODEL]}), "/api") as root:
        with pytest.raises(InputError, match=rf"did you mean {root}/api\?"):
            await found(f"{root}/api/chat/completions")


async def test_a_long_list_is_named_in_part() -> None:
    async with serving(said(200, {"data": [{"id": f"org/model-{n}\n"} for n in range(400)]})) as root:
        with pytest.raises(InputError, match=r"org/model-9 and 390 more, not 'org/model-x'; did you mean") as caught:
            await found(f"{root}/v1", "org/model-x")
        assert len(str(caught.value)) < 500
        assert await found(f"{root}/v1", "org/model-3\n") == "org/model-3\n"


@pytest.mark.parametrize("reply", [said(404, {}), said(501, {}), said(200, {"data": []})])
async def test_a_server_that_lists_none_is_believed_if_a_model_is_named(reply: web.Response) -> None:
    async with serving(reply) as root:
        assert await found(f"{root}/v1", "m") == "m"
        with pytest.raises(InputError, match="name one as the checkpoint's model"):
            await found(f"{root}/v1")


async def test_the_list_itself_is_of_use_without_a_choice() -> None:
    async with serving(said(200, [MODEL, {"id": "other"}])) as root, connect(f"{root}/v1", own=True) as client:
        assert await list_models(client) == {"org/m": 8192, "other": None}
