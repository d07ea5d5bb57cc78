"""A model at the HTTP boundary: an OpenAI-compatible server on a real socket, whose replies a test writes down."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

NO_TEMPLATE = "As of transformers v4.44, default chat template is no longer allowed"

Reply = Callable[[dict[str, Any]], Awaitable[web.Response]]


def completion(
    text: str = "yes", finish: str = "stop", prompt: int = 7, tokens: int = 1, **message: Any
) -> web.Response:
    """An answer as chat completions give it."""
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
    usage = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
    return web.json_response({"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage})


def failure(status: int, message: str = "no") -> web.Response:
    """An error reply that asks to be retried at once."""
    body = {"error": {"message": message, "type": "Error", "code": status}}
    return web.json_response(body, status=status, headers={"retry-after-ms": "1"})


class FakeOpenAI:
    """Gives ``replies`` one after another, the last one for ever; notes the questions that came."""

    def __init__(
        self,
        *replies: web.Response | Reply,
        context: int | None = 100,
        tokenizes: bool = True,
        template: bool = True,
    ) -> None:
        self.replies = list(replies) or [_default]
        self.context = context
        self.tokenizes = tokenizes
        self.template = template  # whether the model has a chat template
        self.counted: list[dict[str, Any]] = []
        self.models = ["tiny"]
        self.refuses = 400  # status of the reply to an empty question
        self.questions: list[dict[str, Any]] = []
        self.most_at_once = 0
        self.base_url = ""
        self._at_once = 0

    async def _chat(self, request: web.Request) -> web.Response:
        question = await request.json()
        if not question.get("messages") and not question.get("prompt"):
            return failure(self.refuses, "nothing was asked")
        self.questions.append(question)
        if "messages" in question and not self.template:
            return failure(400, NO_TEMPLATE)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return _copy(reply) if isinstance(reply, web.Response) else await reply(question)
        finally:
            self._at_once -= 1

    async def _models(self, _: web.Request) -> web.Response:
        listed = [{"id": name, "object": "model", "max_model_len": self.context} for name in self.models]
        return web.json_response({"object": "list", "data": listed})

    async def _tokenize(self, request: web.Request) -> web.Response:
        if not self.tokenizes:
            return failure(404)
        question = await request.json()
        self.counted.append(question)
        if "messages" in question and not self.template:
            return failure(400, NO_TEMPLATE)
        text = question.get("prompt") or " ".join(message["content"] for message in question["messages"])
        return web.json_response({"count": len(text.split()) + 3 * ("messages" in question)})

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeOpenAI"]:
        """Listen on a free port for the length of the block."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/tokenize", self._tokenize)
        async with listening(app) as address:
            self.base_url = f"{address}/v1"
            yield self


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """The address of an application that listens on a free port for the length of the block."""
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _copy(reply: web.Response) -> web.Response:
    # aiohttp sends a response object only once
    headers = {name: value for name, value in reply.headers.items() if name == "retry-after-ms"}
    return web.Response(body=reply.body, status=reply.status, content_type=reply.content_type, headers=headers)


async def _default(_: dict[str, Any]) -> web.Response:
    return completion()
