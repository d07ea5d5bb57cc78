"""A client for an OpenAI-compatible server: bounded in time, trying again if that can help."""

import os
from typing import TYPE_CHECKING

from harness.common.open_files import open_files
from harness.errors import InputError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

RETRIES = 8  # of what is not asked with patience of its own (openai's rule: after connection errors, 429 and 5xx)
CONNECT_SECONDS = 10.0
SIDE_RETRIES = 2  # for what is not a generation: counting, listing
SIDE_SECONDS = 60.0


def connect(base_url: str, key: str = "none", seconds: float = 600.0, own: bool = False) -> "AsyncOpenAI":
    """A client for an OpenAI-compatible server; ``seconds`` bounds each request, ``own`` keeps out proxies."""
    import openai

    most = open_files() // 2  # the other half is for Docker, git and files
    limits = type(openai.DEFAULT_CONNECTION_LIMITS)(max_connections=most, max_keepalive_connections=most)
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=key,
        max_retries=RETRIES,
        timeout=openai.Timeout(seconds, connect=CONNECT_SECONDS),
        http_client=openai.DefaultAsyncHttpxClient(trust_env=not own, limits=limits),
    )


def for_side_questions(client: "AsyncOpenAI") -> "AsyncOpenAI":
    """The same client for what is not a generation: fewer tries, less time."""
    import openai

    timeout = openai.Timeout(SIDE_SECONDS, connect=CONNECT_SECONDS)
    return client.with_options(max_retries=SIDE_RETRIES, timeout=timeout)


def read_key(whose: str, variable: str | None) -> str:
    """The key in an environment variable, ``none`` if no variable is named.

    Raises InputError, without the key, for a variable that is not set and for a text that no header can hold.
    """
    if variable is None:
        return "none"
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError(f"{whose}: the environment variable {variable} is not set")
    if not key.isascii() or not key.isprintable():
        raise InputError(f"{whose}: the environment variable {variable} holds characters that no key has; set it again")
    return key
