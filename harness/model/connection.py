"""Requests to an OpenAI-compatible server: bounded in time, over as many connections as there are questions."""

import asyncio
import io
import json
import os
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from harness import __version__
from harness.common.open_files import open_files
from harness.errors import InputError
from harness.model.patience import FIRST_PAUSE, LONGEST_PAUSE, asked_wait

if TYPE_CHECKING:
    import aiohttp

RETRIES = 8  # of what is not asked with patience of its own
CONNECT_SECONDS = 10.0
KEEP_SECONDS = 4.0  # of an idle connection: less than uvicorn's 5, so that no question meets one that is being closed
SIDE_RETRIES = 2  # for what is not a generation: counting, listing
SIDE_SECONDS = 60.0
LONGEST_WAIT = 60.0  # seconds that a server may ask for before a retry here
HEADER_BYTES = 1 << 16  # of one line: gateways set long ones
PASSING = (408, 409, 425, 429)  # and every status from 500 on: another try may fare better

Value = TypeVar("Value")


class RequestError(Exception):
    """A request that has no reply to read."""


class NoConnection(RequestError):
    """The server can't be reached, hangs up, or does not speak HTTP."""


class NoReplyInTime(NoConnection):
    """The server said nothing for as long as it may."""


class StatusError(RequestError):
    """A reply whose status says that something is wrong."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body
        self.headers = headers


@dataclass(frozen=True)
class Reply:
    """A reply that went well."""

    body: bytes
    url: str  # that it came from
    redirects: tuple[int, ...] = field(default=())  # the statuses on the way there


class Connection:
    """Requests to one server, as many at a time as files may be open. Use it as an asynchronous context manager."""

    def __init__(self, base_url: str, key: str, seconds: float, own: bool) -> None:
        """Made by `connect`."""
        self.base_url = base_url.rstrip("/")
        self.most = open_files() // 2  # connections; the other half is for Docker, git and files
        # with each question, not with the session: a proxy is sent what goes with the session
        named = urlsplit(base_url).username is not None  # the address holds what to say instead of a key
        self._headers = {} if named else {"Authorization": f"Bearer {key}"}
        self._seconds = seconds
        self._proxy = {} if own else _proxy(base_url)
        self._opened: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; a request opens new ones."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    @cached_property
    def _library(self) -> Any:
        import aiohttp  # on demand: a command that asks nobody need not wait for it

        return aiohttp

    def _session(self) -> "aiohttp.ClientSession":
        if self._opened is None:
            library = self._library
            self._opened = library.ClientSession(
                connector=library.TCPConnector(limit=self.most, keepalive_timeout=KEEP_SECONDS),
                cookie_jar=library.DummyCookieJar(),
                headers={"User-Agent": f"harness/{__version__}"},
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
            )
        assert self._opened is not None
        return self._opened

    async def get(self, path: str, seconds: float | None = None) -> Reply:
        """The reply to a GET of ``path``, which may be an address; see `post`."""
        return await self._request("GET", path, None, seconds)

    async def post(self, path: str, body: Mapping[str, Any], seconds: float | None = None) -> bytes:
        """The body of the reply to ``body``, which is sent as JSON.

        ``seconds`` for which the server may say nothing, in the place of the connection's own. Raises StatusError for
        a status from 400 on, NoConnection for whatever else there is no reply for.
        """
        sent = json.dumps(body).encode()
        return (await self._request("POST", path, sent, seconds)).body

    async def _request(self, method: str, path: str, sent: bytes | None, seconds: float | None) -> Reply:
        library = self._library
        silence = self._seconds if seconds is None else seconds
        timeout = library.ClientTimeout(total=None, sock_connect=min(CONNECT_SECONDS, silence), sock_read=silence)
        options: dict[str, Any] = {"timeout": timeout, "headers": self._headers, **self._proxy}
        if sent is not None:  # as a file, since the library warns of bytes that are many
            options["data"] = io.BytesIO(sent)
            options["headers"] = {**self._headers, "Content-Type": "application/json"}
        url = path if "://" in path else self.base_url + path
        try:
            async with self._session().request(method, url, **options) as response:
                body = await response.read()
        except TimeoutError as error:
            raise NoReplyInTime(f"no reply in {silence:g} s") from error
        except (library.ClientError, OSError, ValueError) as error:
            raise NoConnection(_words(error)) from error
        if response.status >= 400:
            raise StatusError(response.status, body, response.headers)
        return Reply(body, str(response.url), tuple(step.status for step in response.history))


def _words(error: Exception) -> str:
    """What a failure says, without the library's own words around the system's."""
    inner = getattr(error, "os_error", error)  # of what can't be connected
    if isinstance(inner, ConnectionError) and inner.errno:
        return os.strerror(inner.errno)
    return str(inner) or type(inner).__name__


def _proxy(url: str) -> dict[str, Any]:
    """A request's options for the proxy that the environment names for ``url``."""
    parts, named = urlsplit(url), getproxies()
    address = named.get(parts.scheme) or named.get("all")
    if not address or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return {}
    proxy = urlsplit(address if "://" in address else f"http://{address}")
    if proxy.username is None:
        return {"proxy": proxy.geturl()}
    said = b64encode(f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()).decode()
    bare = proxy._replace(netloc=proxy.netloc.rpartition("@")[2])
    # aiohttp makes Proxy-Authorization of it, with a tunnel and without
    return {"proxy": bare.geturl(), "proxy_headers": {"Authorization": f"Basic {said}"}}


def connect(base_url: str, key: str = "none", seconds: float = 600.0, own: bool = False) -> Connection:
    """A client for an OpenAI-compatible server, which may say nothing for ``seconds``; ``own`` keeps out proxies."""
    return Connection(base_url, key, seconds, own)


async def retried(ask: Callable[[], Awaitable[Value]], retries: int) -> Value:
    """What ``ask`` returns, tried again up to ``retries`` times if another try may fare better. Raises RequestError."""
    pause = FIRST_PAUSE
    for _ in range(retries):
        wait = pause
        try:
            return await ask()
        except StatusError as error:
            if error.status < 500 and error.status not in PASSING:
                raise
            wait = max(pause, min(asked_wait(error.headers), LONGEST_WAIT))
        except NoConnection:
            pass
        await asyncio.sleep(wait)
        pause = min(2 * pause, LONGEST_PAUSE)
    return await ask()


def read_key(whose: str, variable: str | None) -> str:
    """The key in an environment variable, ``none`` if no variable is named.

    Raises InputError, without the key, for a variable that is not set and for a text that no header can hold.
    """
    if variable is None:
        return "none"
    if not variable.isidentifier():
        raise InputError(f"{whose}: api_key_env is the name of an environment variable, such as MY_KEY, and no key")
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(f"{whose}: the environment variable {variable} is not set")
    if not key.isascii() or not key.isprintable():
        raise InputError(f"{whose}: the environment variable {variable} holds characters that no key has; set it again")
    return key
