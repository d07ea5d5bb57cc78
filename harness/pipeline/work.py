"""Whether a piece of work needed anything done now, gathered from the values that it was given.

Answers, verdicts and what scripts did carry `known`: whether they were found in a journal. An attempt counts as known
in the display only if all of them are.
"""

from collections.abc import Awaitable
from typing import Protocol, TypeVar

from harness.core.interfaces import Answer, Model, Sampling


class Journaled(Protocol):
    """A value that comes from a journal or is made now."""

    @property
    def known(self) -> bool:
        """Whether nothing had to be done for it."""
        ...


Value = TypeVar("Value", bound=Journaled)


class Work:
    """One piece of work: known as long as everything that it needed was."""

    def __init__(self) -> None:
        self.known = True

    async def of(self, asked: Awaitable[Value]) -> Value:
        """Return the value of ``asked``, which this work needs. What fails was not known."""
        try:
            value = await asked
        except BaseException:
            self.known = False
            raise
        self.known = self.known and value.known
        return value

    def asking(self, model: Model) -> Model:
        """Return the same model, whose answers count as needed by this work."""
        return _Asking(model, self)


class _Asking:
    """A `Model` whose answers one piece of work needs."""

    def __init__(self, model: Model, work: Work) -> None:
        self.revision = model.revision
        self._model = model
        self._work = work

    async def answer(self, prompt: str, sampling: Sampling, index: int) -> Answer:
        return await self._work.of(self._model.answer(prompt, sampling, index))

    async def count_tokens(self, text: str) -> int:
        return await self._model.count_tokens(text)

    async def context_length(self) -> int:
        return await self._model.context_length()
