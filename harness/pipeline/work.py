"""Whether a piece of work needed anything done now, gathered from the values that it was given.

Answers, verdicts and what scripts did carry `known`: whether they were found in a journal. An attempt counts as known
in the display only if all of them are.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, TypeVar

from harness.core.interfaces import Answer, Model, Sampling
from harness.core.verdict import Outcome, Verdict
from harness.model.prompts import Prompt
from harness.report.checkpoint_cost import container_times


class Journaled(Protocol):
    """A value that comes from a journal or is made now."""

    @property
    def known(self) -> bool:
        """Whether nothing had to be done for it."""
        ...


Value = TypeVar("Value", bound=Journaled)


@dataclass(frozen=True, order=True)
class Asked:
    """One answer that a piece of work was given, as its record can be found again."""

    stage: str
    index: int
    key: str  # of its record in the journal; empty if it has none


class Work:
    """One piece of work: known as long as everything that it needed was."""

    def __init__(self, begun: Callable[[], object] = lambda: None) -> None:
        """``begun`` is called with every question to the model, before it is asked."""
        self.begun = begun
        self.known = True
        self._asked: dict[Asked, Answer] = {}
        self.whole = True  # nothing of it failed
        self.routes: frozenset[str] = frozenset()  # by which the model was asked
        self.records: set[str] = set()  # keys of the verdicts and of what scripts did
        self.containers: dict[str, float] = {}  # seconds of what ran for it, by what makes each distinct

    def answers(self) -> list[dict[str, Any]]:
        """Every answer that this work was given, by stage and index, as JSON for a reader."""
        return [asdict(asked) for asked in sorted(self._asked)]

    def distinct(self, owner: str) -> dict[object, Answer]:
        """The same answers by what makes them distinct: the record's key, or ``owner`` and the place of one without."""
        return {asked.key or (owner, asked): answer for asked, answer in self._asked.items()}

    def note(self, asked: Asked, answer: Answer) -> None:
        """Keep which answer this work was given, without its text."""
        self._asked[asked] = replace(answer, text="", reasoning="")

    async def of(self, asked: Awaitable[Value]) -> Value:
        """Return the value of ``asked``, which this work needs. What fails was not known."""
        try:
            value = await asked
        except BaseException:
            self.known = self.whole = False
            raise
        self.known = self.known and value.known
        return value

    async def judged(self, asked: Awaitable[Verdict]) -> Verdict:
        """Return a verdict, as `of` does, and keep what its containers took."""
        verdict = await self.of(asked)
        self.containers |= container_times(verdict)
        self.records |= {verdict.key} if verdict.key else set()
        self.whole = self.whole and verdict.outcome is not Outcome.INFRASTRUCTURE
        return verdict

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
        self._work.begun()
        answer = await self._work.of(self._model.answer(prompt, sampling, index))
        self._work.note(Asked(prompt.stage if isinstance(prompt, Prompt) else "", index, answer.key), answer)
        return answer

    async def count_tokens(self, text: str) -> int:
        return await self._model.count_tokens(text)

    async def context_length(self) -> int:
        return await self._model.context_length()
