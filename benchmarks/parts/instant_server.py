"""An OpenAI-compatible server that answers at once: what a run costs when neither model nor network take any time.

    python instant_server.py MODEL...        (prints its port; ends when its standard input is closed)

An answer follows from prompt and seed alone. Most repairs are edits of lines that the prompt shows, in a few variants,
so that candidates vote together; the rest are the failures of real answers.
"""

import asyncio
import random
import re
import sys
import zlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

CONTEXT = 32_768
BYTES_PER_TOKEN = 4
PIECE = re.compile(
    r"^File (\S+?)(?:, lines \d+ to \d+ of \d+)?:\n<source>\n(.*?)\n</source>$", re.MULTILINE | re.DOTALL
)
NAMED = re.compile(r"`(\S+\.py)`")
STATEMENT = re.compile(r"^( +)(?:return\b|\w+ = ).*[\w)\]]$")
WHY = (
    "The value is computed before the argument is known, so that the default stands where the caller's choice should. "
)
# share of answers: an edit, text that is not there, broken Python, prose
KINDS, SHARES = ("edit", "absent", "broken", "prose"), (70, 12, 8, 10)


def answer_to(prompt: str, seed: int) -> str:
    """The answer to a prompt of any stage."""
    chance = random.Random(zlib.crc32(prompt.encode()) * 1000 + seed)
    pieces = PIECE.findall(prompt)
    if not pieces:
        return "```\n" + "\n".join(dict.fromkeys(NAMED.findall(prompt))) + "\n```"
    [kind] = chance.choices(KINDS, SHARES)
    text = WHY * chance.randrange(2, 7)
    return text if kind == "prose" else f"{text}\n\n{_block(chance, pieces, kind)}"


def _block(chance: random.Random, pieces: list[tuple[str, str]], kind: str) -> str:
    path, source = chance.choice(pieces)
    lines = source.split("\n")
    places = [n for n, line in enumerate(lines) if n > 1 and STATEMENT.match(line)] or [len(lines) - 1]
    at = places[chance.randrange(min(3, len(places)))]  # the first few, so that candidates meet
    before, line = lines[at - 2 : at], lines[at]
    indent = line[: len(line) - len(line.lstrip())]
    added = f"{indent}def :" if kind == "broken" else f"{indent}noted = {chance.randrange(3)}"
    search = [*before, f"{line} gone" if kind == "absent" else line]
    return "\n".join([path, "<<<<<<< SEARCH", *search, "=======", *before, added, line, ">>>>>>> REPLACE"])


async def read_question(request: web.Request) -> dict[str, Any]:
    """The body of a request for an answer; the request without a message, which checks the key, is refused."""
    question: dict[str, Any] = await request.json()
    if not question["messages"]:
        raise web.HTTPBadRequest
    return question


def reply_to(question: dict[str, Any]) -> web.Response:
    """The reply to a request for an answer."""
    prompt = question["messages"][-1]["content"]
    text = answer_to(prompt, question["seed"])
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": _tokens(prompt), "completion_tokens": _tokens(text)}
    return web.json_response({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage})


async def _chat(request: web.Request) -> web.Response:
    return reply_to(await read_question(request))


async def _tokenize(request: web.Request) -> web.Response:
    return web.json_response({"count": _tokens((await request.json())["messages"][-1]["content"])})


def _tokens(text: str) -> int:
    return len(text) // BYTES_PER_TOKEN + 8


async def serve(models: Sequence[str], chat: Callable[[web.Request], Awaitable[web.StreamResponse]] = _chat) -> None:
    """Serve on a free port, which is printed, until standard input is closed; ``chat`` answers the questions."""

    async def listed(_: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "max_model_len": CONTEXT} for name in models]
        return web.json_response({"object": "list", "data": data})

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/tokenize", _tokenize)
    app.router.add_get("/v1/models", listed)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
