"""Requests as they leave, and what comes of those without a reply."""

from base64 import b64encode

import pytest
from aiohttp import web
from fake_openai import listening

from harness.model import connection
from harness.model.connection import NoConnection, NoReplyInTime, StatusError, connect, retried


class Echo:
    """Says what it was sent; fails with the statuses that it is given first."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.seen: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if self.statuses:
            return web.Response(status=self.statuses.pop(0), text="no", headers={"X-Word": "w" * 20_000})
        return web.Response(body=await request.read())

    def app(self) -> web.Application:
        app = web.Application(client_max_size=1 << 24)
        app.router.add_route("*", "/{tail:.*}", self.answer)
        return app


async def test_a_question_is_json_with_the_key_and_may_be_large() -> None:
    echo, body = Echo(), {"prompt": "\u00e9" * 700_000}
    async with listening(echo.app()) as root, connect(f"{root}/v1/", "secret", own=True) as client:
        assert b"\\u00e9" in await client.post("/x", body)
        assert (await client.get(f"{root}/other")).url == f"{root}/other"
    assert [str(request.rel_url) for request in echo.seen] == ["/v1/x", "/other"]
    assert {request.headers["Authorization"] for request in echo.seen} == {"Bearer secret"}
    assert echo.seen[0].headers["Content-Type"] == "application/json"


async def test_a_status_comes_with_what_the_server_said() -> None:
    async with listening(Echo(503).app()) as root, connect(root, own=True) as client:
        with pytest.raises(StatusError) as caught:
            await client.get("/x")
    assert (caught.value.status, caught.value.body, len(caught.value.headers["x-word"])) == (503, b"no", 20_000)


async def test_no_reply_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        if request.path == "/drop":
            assert request.transport is not None
            request.transport.close()
        await connection.asyncio.sleep(1)
        return web.Response()

    app = web.Application()
    app.router.add_get("/{tail}", hang)
    async with listening(app) as root, connect(root, own=True) as client:
        with pytest.raises(NoReplyInTime):
            await client.get("/hang", 0.1)
        with pytest.raises(NoConnection):
            await client.get("/drop")
    async with connect("http://127.0.0.1:9", own=True) as client:
        with pytest.raises(NoConnection, match=r"^Connection refused$"):
            await client.get("/")


@pytest.mark.parametrize(("statuses", "requests"), [((503, 503, 502), 3), ((400,), 1)])
async def test_only_what_may_pass_is_tried_again(monkeypatch, statuses: tuple[int, ...], requests: int) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.01)
    echo = Echo(*statuses)
    async with listening(echo.app()) as root, connect(root, own=True) as client:
        with pytest.raises(StatusError, match=str(statuses[-1])):
            await retried(lambda: client.get("/x"), 2)
        assert len(echo.seen) == requests
        echo.statuses = [503, 429]
        assert (await retried(lambda: client.get("/x"), 2)).body == b""
        assert len(echo.seen) == requests + 3


@pytest.mark.parametrize(
    ("named", "own", "proxied"),
    [
        ({"http_proxy": "http://u:p%40@PROXY"}, False, True),
        ({"all_proxy": "PROXY"}, False, True),
        ({"http_proxy": "http://PROXY"}, True, False),
        ({"http_proxy": "http://PROXY", "no_proxy": "127.0.0.1"}, False, False),
    ],
)
async def test_the_environments_proxy_is_asked(monkeypatch, named: dict[str, str], own: bool, proxied: bool) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    echo, proxy = Echo(), Echo()
    async with listening(echo.app()) as root, listening(proxy.app()) as second:
        for name, value in named.items():
            monkeypatch.setenv(name, value.replace("PROXY", second.removeprefix("http://")))
        async with connect(root, own=own) as client:
            await client.post("/x", {})
    assert (len(echo.seen), len(proxy.seen)) == ((0, 1) if proxied else (1, 0))
    assert [request.headers["Authorization"] for request in (*echo.seen, *proxy.seen)] == ["Bearer none"]
    assert ("Proxy-Authorization" in (*echo.seen, *proxy.seen)[0].headers) == ("u:" in named.get("http_proxy", ""))
    if "u:" in named.get("http_proxy", ""):
        said = b64encode(b"u:p@").decode()
        assert proxy.seen[0].headers["Proxy-Authorization"] == f"Basic {said}"
