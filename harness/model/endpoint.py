"""Questions to an OpenAI-compatible server, ours or anybody's: bounded, retried where that can help, never hanging."""

import asyncio
import json
import logging
import math
import re
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from harness.common.suggest import nearest
from harness.core.interfaces import Answer, ContextOverflow, Sampling
from harness.errors import InfrastructureError, InputError

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Completion
    from openai.types.chat import ChatCompletion, ChatCompletionUserMessageParam

log = logging.getLogger(__name__)

RETRIES = 8  # after connection errors, 429 and 5xx: 0.5 to 8 s apart, or when the server says (openai's own rule)
CONNECT_SECONDS = 10.0
SIDE_RETRIES = 2  # for what is not a generation: counting, listing
SIDE_SECONDS = 60.0
# For an endpoint without /tokenize. Code takes 3 to 4 bytes a token with usual vocabularies; this errs to be safe.
BYTES_PER_TOKEN = 2.5
TEMPLATE_TOKENS = 32  # allowed for a chat template, likewise
TOO_LONG = re.compile(
    r"context.{0,10}length|context_length_exceeded|max_model_len|context window|too many tokens", re.I
)
# The question, not the server, is at fault: no other question will fare better.
REFUSED = {401: "refuses the key", 403: "refuses the key", 404: "does not know the model or the path"}


def require_room(prompt_tokens: int, sampling: Sampling, context: int) -> None:
    """Raise ContextOverflow where prompt and answer exceed the context; vLLM would cut the answer without a word."""
    if prompt_tokens + sampling.max_tokens > context:
        raise ContextOverflow(
            f"{prompt_tokens} prompt tokens and {sampling.max_tokens} for the answer exceed the context of {context}"
        )


def estimated_tokens(text: str) -> int:
    """Tokens that ``text`` takes as one user message, rather too many than too few, where nobody can count them."""
    return TEMPLATE_TOKENS + math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


def connect(base_url: str, key: str = "none", seconds: float = 600.0, own: bool = False) -> "AsyncOpenAI":
    """A client for an OpenAI-compatible server; ``seconds`` bounds each request, ``own`` keeps out proxies."""
    import openai

    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=key,
        max_retries=RETRIES,
        timeout=openai.Timeout(seconds, connect=CONNECT_SECONDS),
        http_client=openai.DefaultAsyncHttpxClient(trust_env=not own),
    )


def _for_side_questions(client: "AsyncOpenAI") -> "AsyncOpenAI":
    import openai

    timeout = openai.Timeout(SIDE_SECONDS, connect=CONNECT_SECONDS)
    return client.with_options(max_retries=SIDE_RETRIES, timeout=timeout)


class EndpointModel:
    """A model behind an OpenAI-compatible server. Use it as an asynchronous context manager."""

    def __init__(
        self,
        client: "AsyncOpenAI",
        model: str,
        revision: str,
        *,
        concurrency: int = 64,
        request_seconds: float = 600.0,
        context: int | None = None,
        chat: bool = True,
    ) -> None:
        """Ask ``model``, at most ``concurrency`` questions at a time; closes ``client`` at the end.

        A question with all its retries takes at most ``request_seconds``. ``context``: tokens, asked of the
        server where None. ``chat`` False sends the bare prompt to /completions, for models without a chat
        template.
        """
        self.revision = revision
        self.model = model
        self.base_url = str(client.base_url).rstrip("/")
        self._client = client
        self._side = _for_side_questions(client)
        self._slots = asyncio.Semaphore(concurrency)
        self._seconds = request_seconds
        self._context = context
        self._chat = chat
        self._tokenizes = True  # until the server says otherwise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """Sample ``index`` of ``prompt``, once it is counted to fit; see `harness.core.interfaces.Model`."""
        require_room(await self.count_tokens(prompt), sampling, await self.context_length())
        return await self.ask(prompt, sampling, index)

    async def ask(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """The same without counting first.

        Raises ContextOverflow where the server says so or cut the answer short of max_tokens at the context's
        end, InputError where it refuses the key or the model, InfrastructureError for the rest.
        """
        async with self._slots:
            start = time.monotonic()
            response = await self._send(prompt, sampling, index)
            answer = _read(response, time.monotonic() - start)
        cut = answer.finish_reason == "length" and answer.completion_tokens < sampling.max_tokens
        if cut and answer.prompt_tokens + answer.completion_tokens >= await self.context_length():
            raise ContextOverflow(f"the answer was cut at the context's end, after {answer.completion_tokens} tokens")
        return answer

    async def _send(self, prompt: str, sampling: Sampling, index: int) -> "ChatCompletion | Completion":
        import openai

        common: dict[str, Any] = sampling.model_dump() | {"model": self.model, "n": 1, "seed": sampling.seed + index}
        try:
            async with asyncio.timeout(self._seconds):
                if not self._chat:
                    return cast("Completion", await self._client.completions.create(prompt=prompt, **common))
                message: ChatCompletionUserMessageParam = {"role": "user", "content": prompt}
                return cast("ChatCompletion", await self._client.chat.completions.create(messages=[message], **common))
        except (TimeoutError, openai.APITimeoutError) as error:
            raise InfrastructureError(
                f"{self.base_url} gave no answer within {self._seconds:g} s (serving.request_seconds)"
            ) from error
        except openai.APIError as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> Exception:
        """The project's exception for one of openai's."""
        import openai

        if isinstance(error, openai.APIConnectionError):
            return InfrastructureError(f"{self.base_url} is not reachable ({error.__cause__ or error})")
        if not isinstance(error, openai.APIStatusError):
            return InfrastructureError(f"{self.base_url} does not answer as an OpenAI-compatible server does ({error})")
        if error.status_code in (400, 413, 422) and TOO_LONG.search(error.message):
            return ContextOverflow(error.message)
        if error.status_code in REFUSED:
            return InputError(f"{self.base_url} {REFUSED[error.status_code]}: {error.message}")
        return InfrastructureError(f"{self.base_url} answered {error.status_code}: {error.message}")

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as one user message: the server's count, else a conservative estimate by its bytes."""
        if self._tokenizes:
            question = {"messages": [{"role": "user", "content": text}]} if self._chat else {"prompt": text}
            reply = await self._post_tokenize({"model": self.model, **question})
            if isinstance(reply.get("count"), int):
                return int(reply["count"])
            self._tokenizes = False
            log.warning("%s has no /tokenize: tokens are estimated at %g bytes each", self.base_url, BYTES_PER_TOKEN)
        return estimated_tokens(text)

    async def _post_tokenize(self, body: dict[str, Any]) -> dict[str, Any]:
        """The server's reply, empty where it does not know the request."""
        import openai

        try:
            text = await self._side.post(f"{self.base_url.removesuffix('/v1')}/tokenize", cast_to=str, body=body)
            reply = json.loads(text)
        except (openai.BadRequestError, openai.NotFoundError, openai.PermissionDeniedError, ValueError):
            return {}
        except openai.APIError as error:
            raise self._explain(error) from error
        return reply if isinstance(reply, dict) else {}

    async def context_length(self) -> int:
        """Tokens for prompt and answer together, as given, else as the server lists them.

        Raises InputError where it lists none.
        """
        if self._context is None:
            length = (await list_models(self._client)).get(self.model)
            if length is None:
                raise InputError(
                    f"{self.base_url} does not say how long the context of {self.model} is; "
                    "add server_args: [--max-model-len=N] to the checkpoint"
                )
            self._context = length
        return self._context


async def list_models(client: "AsyncOpenAI") -> dict[str, int | None]:
    """The models that a server lists, with their context lengths where it says them.

    Raises InputError for a server that can't be reached or asked.
    """
    import openai

    try:
        reply = json.loads(await _for_side_questions(client).get("/models", cast_to=str))
        lengths = {model["id"]: model.get("max_model_len") for model in reply["data"]}
    except (openai.APIError, ValueError, KeyError, TypeError, AttributeError) as error:  # not a list of models
        raise InputError(
            f"{client.base_url}: no OpenAI-compatible server answers there ({error.__cause__ or error}); "
            "start it, or correct the checkpoint's endpoint"
        ) from error
    return {name: length if isinstance(length, int) else None for name, length in lengths.items()}


async def find_model(client: "AsyncOpenAI", wanted: str | None) -> str:
    """The model to ask for: ``wanted``, or the only one that the server lists.

    Raises InputError for an unreachable server, an unknown model, and where none is wanted among several.
    """
    known = await list_models(client)
    if wanted is None and len(known) == 1:
        return next(iter(known))
    served = ", ".join(known) or "no model"
    if wanted is None:
        raise InputError(f"{client.base_url}: serves {served}; name one as the checkpoint's model")
    if wanted not in known:
        raise InputError(f"{client.base_url}: serves {served}, not {wanted!r}{nearest(wanted, known)}")
    return wanted


def _read(response: "ChatCompletion | Completion", seconds: float) -> Answer:
    """The answer in a response. Raises InfrastructureError where there is none."""
    choices = getattr(response, "choices", None)
    if not choices:
        raise InfrastructureError("the server's response holds no answer")
    choice, usage = choices[0], response.usage
    message = getattr(choice, "message", None)
    extra = (message.model_extra or {}) if message is not None else {}
    return Answer(
        text=(message.content if message is not None else choice.text) or "",
        finish_reason=choice.finish_reason or "",
        prompt_tokens=usage.prompt_tokens if usage else 0,
        completion_tokens=usage.completion_tokens if usage else 0,
        seconds=round(seconds, 3),
        reasoning=extra.get("reasoning") or extra.get("reasoning_content") or "",
    )
