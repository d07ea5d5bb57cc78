"""Questions to an OpenAI-compatible server, ours or anybody's: bounded, retried where that can help, never hanging."""

import asyncio
import json
import logging
import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from harness.core.interfaces import Answer, ContextOverflow, Sampling
from harness.errors import InfrastructureError, InputError
from harness.model.connection import for_side_questions
from harness.model.listing import list_models
from harness.model.refusal import Refused, error_in, explain
from harness.model.response import KNOWN, BadReply, read_json, read_response

if TYPE_CHECKING:
    from openai import AsyncOpenAI

log = logging.getLogger(__name__)

# For an endpoint without /tokenize. Code takes 3 to 4 bytes a token with usual vocabularies; this errs to be safe.
BYTES_PER_TOKEN = 2.5
TEMPLATE_TOKENS = 32  # allowed for a chat template, likewise
REPLY_PAUSES = (0.5, 1.0, 2.0)  # seconds before another try after a reply that holds no answer


def require_room(prompt_tokens: int, sampling: Sampling, context: int) -> None:
    """Raise ContextOverflow where prompt and answer exceed the context; vLLM would cut the answer without a word."""
    if prompt_tokens + sampling.max_tokens > context:
        raise ContextOverflow(
            f"{prompt_tokens} prompt tokens and {sampling.max_tokens} for the answer exceed the context of {context}"
        )


def estimated_tokens(text: str) -> int:
    """Tokens that ``text`` takes as one user message, rather too many than too few, where nobody can count them."""
    return TEMPLATE_TOKENS + math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


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
        self._side = for_side_questions(client)
        self._slots = asyncio.Semaphore(concurrency)
        self._seconds = request_seconds
        self._context = context
        self._chat = chat
        self._tokenizes = True  # until the server says otherwise
        self._ends: set[str] = set()  # words for an answer's end that nobody here knows

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
        common = sampling.parameters() | {"model": self.model, "n": 1, "seed": sampling.seed + index}
        async with self._slots:
            answer = await self._generate(common | self._asked(prompt))
        self._note_end(answer.finish_reason)
        cut = answer.finish_reason == "length" and answer.completion_tokens < sampling.max_tokens
        if cut and answer.prompt_tokens + answer.completion_tokens >= await self.context_length():
            raise ContextOverflow(f"the answer was cut at the context's end, after {answer.completion_tokens} tokens")
        return answer

    def _asked(self, prompt: str) -> dict[str, Any]:
        """A prompt as the fields of a request."""
        return {"messages": [{"role": "user", "content": prompt}]} if self._chat else {"prompt": prompt}

    def _note_end(self, word: str) -> None:
        if word not in KNOWN and word not in self._ends:
            self._ends.add(word)
            log.warning("%s ends answers with the unknown reason %r: they count as whole", self.model, word)

    async def _generate(self, body: dict[str, Any]) -> Answer:
        """The answer, asked for again if a reply holds none."""
        import openai

        try:
            async with asyncio.timeout(self._seconds):
                for pause in REPLY_PAUSES:
                    try:
                        return await self._send(body)
                    except BadReply as error:
                        log.warning("%s: %s; asking again in %g s", self.base_url, error, pause)
                        await asyncio.sleep(pause)
                return await self._send(body)
        except (TimeoutError, openai.APITimeoutError) as error:
            raise InfrastructureError(
                f"{self.base_url} gave no answer within {self._seconds:g} s (serving.request_seconds)"
            ) from error
        except BadReply as error:
            raise InfrastructureError(
                f"{self.base_url} does not answer as an OpenAI-compatible server does: {error}"
            ) from error
        except openai.APIError as error:
            raise self._explain(error) from error

    async def _send(self, body: dict[str, Any]) -> Answer:
        """The answer in one reply. Raises BadReply if it holds none, and what openai raises."""
        start = time.monotonic()
        path = "/chat/completions" if "messages" in body else "/completions"
        value = read_json(await self._client.post(path, cast_to=bytes, body=body))
        if refusal := error_in(value):
            error = explain(self.base_url, *refusal)
            passing = isinstance(error, InfrastructureError) and not isinstance(error, Refused)
            raise BadReply(str(error)) if passing else error
        return read_response(value, body["max_tokens"], time.monotonic() - start)

    def _explain(self, error: Exception) -> Exception:
        """The project's exception for one of openai's."""
        import openai

        if isinstance(error, openai.APIConnectionError):
            return InfrastructureError(f"{self.base_url} is not reachable ({error.__cause__ or error})")
        if isinstance(error, openai.APIStatusError):
            return explain(self.base_url, error.status_code, error.response.content)
        return InfrastructureError(f"{self.base_url} does not answer as an OpenAI-compatible server does ({error})")

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as one user message: the server's count, else a conservative estimate by its bytes."""
        if self._tokenizes:
            reply = await self._post_tokenize({"model": self.model, **self._asked(text)})
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
