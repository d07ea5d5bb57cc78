"""The study's checkpoints behind an OpenAI-compatible address, each asked in a dialect.

The harness asks here as it asks any endpoint. What comes is a prompt without a dialect. The wrapper draws the dialect,
puts its words in, has the checkpoint answer greedily, and puts back only those words that the head defines; an answer
in other words reaches the harness as it is, holds no edit there, and becomes an empty patch.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast, get_args

from aiohttp import web

from lab.heads.dialects import Asking, dialect_of
from lab.score import LoadedCheckpoint
from lab.training.train import chosen_device

GATHER_SECONDS = 0.1  # that a question waits for others, to be answered in one batch
CONTEXT = 2048  # tokens that the checkpoints were made for
SEPARATOR = "/"  # between a checkpoint's name and how it is asked, in the name of a model


@dataclass(frozen=True)
class _Question:
    model: str
    prompt: str  # without a dialect
    room: int  # tokens of the answer, at most


class Endpoint:
    """Serves checkpoints on a free port while the block lasts; one checkpoint is loaded at a time."""

    def __init__(self, checkpoints: Mapping[str, Path]) -> None:
        """``checkpoints``: folders by name."""
        self._checkpoints = checkpoints
        self._loaded: tuple[str, LoadedCheckpoint] | None = None
        self._waiting: list[tuple[_Question, asyncio.Future[tuple[str, bool, int]]]] = []
        self._answers: dict[tuple[str, str], tuple[str, bool]] = {}  # by checkpoint and prompt in a dialect
        self._busy: asyncio.Lock | None = None
        self._loop = asyncio.new_event_loop()
        self._address: Future[str] = Future()
        self._ended = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="endpoint", daemon=True)

    @property
    def url(self) -> str:
        """The base address."""
        return self._address.result()

    def __enter__(self) -> Self:
        self._thread.start()
        self._address.result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def models(self) -> list[str]:
        """The names that can be asked for."""
        return [f"{name}{SEPARATOR}{asking}" for name in self._checkpoints for asking in get_args(Asking)]

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._run())
        except OSError as error:
            self._address.set_exception(error)
        finally:
            self._loop.close()

    async def _run(self) -> None:
        self._busy = asyncio.Lock()
        app = web.Application()
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/completions", self._complete)
        app.router.add_post("/tokenize", self._tokenize)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._address.set_result(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        await self._ended.wait()
        await runner.cleanup()

    async def _list(self, _: web.Request) -> web.Response:
        data = [{"id": name, "object": "model", "max_model_len": CONTEXT} for name in self.models()]
        return web.json_response({"object": "list", "data": data})

    async def _tokenize(self, request: web.Request) -> web.Response:
        question = _read(await request.json(), self.models())
        model = await self._model(question.model)
        return web.json_response({"count": model.count(_spoken(question))})

    async def _complete(self, request: web.Request) -> web.Response:
        question = _read(await request.json(), self.models())
        future: asyncio.Future[tuple[str, bool, int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        await asyncio.sleep(GATHER_SECONDS)
        assert self._busy is not None
        async with self._busy:
            if not future.done():
                await self._answer_waiting(question.model)
        text, ended, tokens = future.result()
        choice = {"index": 0, "text": text, "finish_reason": "stop" if ended else "length"}
        usage = {"prompt_tokens": tokens, "completion_tokens": 0}
        return web.json_response({"object": "text_completion", "choices": [choice], "usage": usage})

    async def _answer_waiting(self, model: str) -> None:
        """Answer all questions that wait for a model, in one go."""
        mine = [pair for pair in self._waiting if pair[0].model == model]
        self._waiting = [pair for pair in self._waiting if pair[0].model != model]
        checkpoint = await self._model(model)
        name, asking = _parts(model)
        spoken = [_spoken(question) for question, _ in mine]
        new = {text: question.room for text, (question, _) in zip(spoken, mine, strict=True)}
        new = {text: room for text, room in new.items() if (name, text) not in self._answers}
        said = await asyncio.to_thread(checkpoint.answers, list(new), list(new.values()))
        self._answers |= {(name, text): answer for text, answer in zip(new, said, strict=True)}
        for text, (question, future) in zip(spoken, mine, strict=True):
            answer, ended = self._answers[name, text]
            dialect = dialect_of(question.prompt, asking)
            understood = dialect.understood(answer, any_words=asking == "forgiving")
            future.set_result((understood, ended, checkpoint.count(text)))

    async def _model(self, model: str) -> LoadedCheckpoint:
        name, _ = _parts(model)
        if self._loaded is None or self._loaded[0] != name:
            loaded = await asyncio.to_thread(LoadedCheckpoint, self._checkpoints[name], chosen_device("auto"))
            self._loaded = name, loaded
        return self._loaded[1]


def _read(body: Any, models: Sequence[str]) -> _Question:
    """The question in a request's body; the harness's empty one, which checks a key, and sampled ones are refused."""
    prompt, model = body.get("prompt"), body.get("model")
    if model not in models:
        raise web.HTTPNotFound(text=f"model {model} does not exist")
    if not prompt or body.get("temperature", 0):
        raise web.HTTPBadRequest(text="a prompt is needed, and temperature 0")
    return _Question(model, prompt, int(body.get("max_tokens", 1)))


def _spoken(question: _Question) -> str:
    return dialect_of(question.prompt, _parts(question.model)[1]).spoken(question.prompt)


def _parts(model: str) -> tuple[str, Asking]:
    name, _, asking = model.rpartition(SEPARATOR)
    return name, cast(Asking, asking)
