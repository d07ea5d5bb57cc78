"""Questions to an OpenAI-compatible server, ours or anybody's: bounded, retried if that can help, never hanging."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from harness.core.interfaces import Answer, ContextOverflow, Sampling
from harness.errors import InfrastructureError, InputError
from harness.model.activity import Activity
from harness.model.connection import SIDE_SECONDS, Connection, NoReplyInTime, RequestError, StatusError
from harness.model.manner import CHAT, COMPLETIONS, PLAIN, Manner
from harness.model.patience import FIRST_PAUSE, Passing, Standing, with_patience
from harness.model.refusal import explain, lacks_template, words_of
from harness.model.response import KNOWN, BadReply, read_reply
from harness.model.taken_fields import SEED, SEEDLESS, TakenFields

log = logging.getLogger(__name__)

PATHS = {CHAT: "/chat/completions", COMPLETIONS: "/completions"}
# For an endpoint without /tokenize. Code takes 3 to 4 bytes a token with usual vocabularies; this errs to be safe.
BYTES_PER_TOKEN = 2.5
TEMPLATE_TOKENS = 32  # allowed for a chat template, likewise
TRIES_OF_MANY = 3  # of a question at one of several servers
TOKENIZE_TRIES = 3  # before a server that has counted no text is said to count none


class NotCounted(Passing):
    """The server did not count a text's tokens, and may do so at another try."""


def require_room(prompt_tokens: int, sampling: Sampling, context: int) -> None:
    """Raise ContextOverflow if prompt and answer exceed the context; vLLM would cut the answer without a word."""
    if prompt_tokens + sampling.max_tokens > context:
        raise ContextOverflow(
            f"{prompt_tokens} prompt tokens and {sampling.max_tokens} for the answer exceed the context of {context}"
        )


def estimated_tokens(text: str) -> int:
    """Tokens that ``text`` takes as one user message, rather too many than too few, if nobody can count them."""
    return TEMPLATE_TOKENS + math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)


class EndpointModel:
    """A model behind an OpenAI-compatible server. Use it as an asynchronous context manager."""

    def __init__(
        self,
        client: Connection,
        model: str,
        revision: str,
        *,
        concurrency: int = 64,
        request_seconds: float = 600.0,
        context: int | None = None,
        manner: Manner = PLAIN,
        route: str | None = None,
        one_of_many: bool = False,
    ) -> None:
        """Ask ``model``, at most ``concurrency`` questions at a time; closes ``client`` at the end.

        A question with all its retries takes at most ``request_seconds``. ``context``: tokens for prompt and answer
        together, if they are known. ``route``: the one that goes with the model's own template, if that is known here.
        ``one_of_many``: others can be asked the same, so a question that fails is left to them soon, and this server is
        never given up.
        """
        self.revision = revision
        self.model = model
        self.base_url = client.base_url
        self._client = client
        self._standing = Standing(TRIES_OF_MANY, 0, math.inf) if one_of_many else Standing()
        self._one_of_many = one_of_many
        self._slots = asyncio.Semaphore(concurrency)
        self._seconds = request_seconds
        self.context = context
        self.manner = manner
        self._own_template = route is not None
        self._route = route or manner.route(has_template=True)  # until the server says that there is no template
        self._fields = TakenFields()
        self._tokenizes: bool | None = None  # not known before the first count
        self._ends: set[str] = set()  # words for an answer's end that nobody here knows
        self._in_flight = 0
        self._trouble: tuple[float, str] | None = None  # since when no question was answered, and the latest failure

    @property
    def answers(self) -> int:
        """How many questions it has answered by now."""
        return self._standing.answers

    def activity(self) -> Activity:
        """What the server is at."""
        if self._trouble is None:
            return Activity(self._in_flight)
        since, why = self._trouble
        return Activity(self._in_flight, "asking again", time.monotonic() - since, why)

    @property
    def route(self) -> str:
        """By which its questions go now, and whether without a seed."""
        return f"{self._route} {SEEDLESS}" if self._fields.seedless else self._route

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.close()

    async def check(self) -> None:
        """Raise InputError if the server refuses the key, the model or the path.

        A list of models may be open to everybody, so this sends a question without a message, which nothing answers.
        """
        empty: dict[str, Any] = {"prompt": ""} if self._route == COMPLETIONS else {"messages": []}
        try:
            body = {"model": self.model, "max_tokens": 1, **empty}
            await self._client.post(PATHS[self._route], body, SIDE_SECONDS)
        except StatusError as error:
            refusal = self._explain(error)
            if isinstance(refusal, InputError) and not lacks_template(error.status, error.body):
                raise refusal from error
        except RequestError as error:
            log.debug("%s: %s", self.base_url, error)

    async def ask(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        """Sample ``index`` of ``prompt``, which is known to fit; see `harness.core.interfaces.Model`.

        Raises ContextOverflow if the server says so or cut the answer short of max_tokens at the context's
        end, InfrastructureError for the rest: also if it refuses the key or the model, which the run's start had
        asked, and without asking after many failures in a row.
        """
        common = sampling.parameters() | {"model": self.model, "n": 1, "seed": sampling.seed + index}
        async with self._slots:
            self._standing.require()
            self._in_flight += 1
            try:
                answer = await self._generate(prompt, {**self.manner.extra_body, **common})
            except InfrastructureError as error:
                self._standing.failed(prompt, error)
                raise
            finally:
                self._in_flight -= 1
        self._standing.answered()
        self._note_end(answer.finish_reason)
        cut = answer.finish_reason == "length" and answer.completion_tokens < sampling.max_tokens
        if cut and answer.prompt_tokens + answer.completion_tokens >= await self.context_length():
            raise ContextOverflow(f"the answer was cut at the context's end, after {answer.completion_tokens} tokens")
        return answer

    def in_force(self, sampling: Sampling) -> dict[str, Any]:
        """Every parameter that an answer is drawn with, as far as it is known here; of the seed, that it is refused."""
        seedless = {SEED: None} if self._fields.seedless else {}
        return {**self.manner.extra_body, **sampling.parameters(), **seedless}

    def _question(self, prompt: str) -> dict[str, Any]:
        return self.manner.question(prompt, self._route, self._own_template)

    def _do_without_template(self) -> None:
        """Ask by /completions from now on. Raises InputError if the run file needs a chat template."""
        route = self.manner.route(has_template=False)
        if self._route != route:
            log.warning(
                "%s: %s has no chat template: prompts go to /completions as they are", self.base_url, self.model
            )
        self._route = route

    def _note_end(self, word: str) -> None:
        if word not in KNOWN and word not in self._ends:
            self._ends.add(word)
            log.warning("%s ends answers with the unknown reason %r: they count as whole", self.model, word)

    async def _generate(self, prompt: str, common: dict[str, Any]) -> Answer:
        try:
            return await with_patience(lambda: self._send(prompt, common), self._seconds, self._standing.worth())
        except TimeoutError as error:
            raise InfrastructureError(
                f"{self.base_url} gave no answer within {self._seconds:g} s (serving.request_seconds)"
            ) from error
        except InputError as error:
            raise InfrastructureError(str(error)) from error
        except BadReply as error:
            raise InfrastructureError(
                f"{self.base_url} does not answer as an OpenAI-compatible server does: {error}"
            ) from error

    async def _send(self, prompt: str, common: dict[str, Any]) -> Answer:
        """The answer in one reply. Raises Passing if it may come at another try."""
        start = time.monotonic()
        try:
            body = await self._post(prompt, common)
            seconds = time.monotonic() - start
            answer = read_reply(self.base_url, body, common["max_tokens"], seconds)
        except Passing as error:
            self._trouble = (self._trouble[0] if self._trouble else start, str(error))
            raise
        self._trouble = None
        return replace(answer, began=round(time.time() - seconds, 3))

    async def _post(self, prompt: str, common: dict[str, Any]) -> bytes:
        question, sent = self._question(prompt), self._fields.of(common)
        try:
            return await self._client.post(PATHS[self._route], sent | question)
        except StatusError as error:
            if self._learn(sent, error.status, error.body):
                return await self._post(prompt, common)
            if "prompt" in question or not lacks_template(error.status, error.body):
                raise self._explain(error) from error
        except RequestError as error:
            raise self._explain(error) from error
        self._do_without_template()
        return await self._post(prompt, common)

    def _learn(self, sent: Mapping[str, Any], status: int, body: bytes) -> bool:
        """Whether an error refuses a field that the question can do without; the user is told once."""
        before = self._fields.of(sent)
        name = self._fields.learn(sent, status, body)
        if name and self._fields.of(sent) != before:
            what = "its samples can't be drawn again" if name == SEED else "which changes no answer"
            log.warning("%s does not take %s (%s): asked without it, %s", self.base_url, name, words_of(body), what)
        return bool(name)

    def _explain(self, error: RequestError) -> Exception:
        """What a request without a reply to read means for the question."""
        if isinstance(error, StatusError):
            return explain(self.base_url, error.status, error.body, error.headers)
        if isinstance(error, NoReplyInTime):
            return Passing(f"{self.base_url} gave no answer in time")
        return Passing(f"{self.base_url} is not reachable ({error})")

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as the model is asked it: the server's count, else a careful estimate by its bytes."""
        for _ in range(0 if self._tokenizes is False else TOKENIZE_TRIES):
            count = await self._try_count(text)
            if count is not None:
                self._tokenizes = True
                return count
            await asyncio.sleep(FIRST_PAUSE)
        if self._tokenizes is None:
            self._tokenizes = False
            log.warning("%s has no /tokenize: tokens are estimated at %g bytes each", self.base_url, BYTES_PER_TOKEN)
        return estimated_tokens(self.manner.system + text)

    async def _try_count(self, text: str) -> int | None:
        """The server's count, asked for with patience; None if a server that never counted does not do it.

        One that has counted goes on to be asked: estimates among counts would make other prompts.
        """
        seconds = self._seconds if self._tokenizes else min(self._seconds, SIDE_SECONDS)
        try:
            worth = self._standing.worth() if self._one_of_many else lambda _: True
            return await with_patience(lambda: self._tokenize(text), seconds, worth)
        except NotCounted as error:
            if self._tokenizes:
                raise
            log.debug("%s", error)
            return None
        except TimeoutError as error:
            raise InfrastructureError(f"{self.base_url} counted no tokens within {seconds:g} s") from error

    async def _tokenize(self, text: str) -> int | None:
        """The server's count in one reply, None if it says that it does not know the request."""
        question = self._question(text)
        url = f"{self.base_url.removesuffix('/v1')}/tokenize"
        count, said = None, "no number"
        try:
            body = {"model": self.model, **question}
            reply = json.loads(await self._client.post(url, body, SIDE_SECONDS))
            count = reply.get("count") if isinstance(reply, dict) else None
        except StatusError as error:
            if "prompt" not in question and lacks_template(error.status, error.body):
                self._do_without_template()
                return await self._tokenize(text)
            if error.status == 401:  # the run's start had asked with this key
                raise InfrastructureError(str(self._explain(error))) from error
            if error.status in (408, 429, 503):
                raise self._explain(error) from error
            said = f"status {error.status}"
            if error.status >= 500 and error.status != 501:
                raise NotCounted(f"{url}: {said}") from error
        except RequestError as error:
            raise self._explain(error) from error
        except ValueError:
            said = "a reply that is not JSON"
        if not isinstance(count, int) and self._tokenizes:
            raise NotCounted(f"{url}: {said}, although it counted before")
        return count if isinstance(count, int) else None

    async def context_length(self) -> int:
        """Tokens for prompt and answer together. Raises InputError if they are not known."""
        if self.context is None:
            raise InputError(
                f"{self.base_url} does not say how long the context of {self.model} is; "
                "add server_args: [--max-model-len=N] to the checkpoint"
            )
        return self.context
