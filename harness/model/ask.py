"""Asking a model once: the text of its answer, or why there is none to read, and what that took."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from harness.core.interfaces import NO_COST, Answer, ContextOverflow, Cost, Model, Sampling
from harness.model.recorded import NOT_RECORDED


class Unread(StrEnum):
    """Why there is no answer to read. Each stage has these among its own reasons, under the same names."""

    CONTEXT_OVERFLOW = "context-overflow"  # prompt and answer exceed the model's context
    TRUNCATED = "truncated"  # the answer was cut, so it is not read
    NOT_RECORDED = NOT_RECORDED  # the recording that stands for the model holds no such answer


@dataclass(frozen=True)
class Reply:
    """What came back to one question."""

    text: str  # whole if there is no reason
    reason: Unread | None
    detail: str  # the reason in one line
    cost: Cost

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """An answer as a stage takes it."""
        reason, detail = None, ""
        if answer.finish_reason == NOT_RECORDED:
            reason, detail = Unread.NOT_RECORDED, "the recording holds no answer to this question"
        elif answer.cut:
            reason, detail = Unread.TRUNCATED, f"cut after {answer.completion_tokens} tokens"
        return cls(answer.text, reason, detail, answer.cost)


async def ask(model: Model, sampling: Sampling, prompt: str, index: int = 0) -> Reply:
    """Sample ``index`` of the answers to ``prompt``. Raises InfrastructureError if the model can't be asked."""
    try:
        return Reply.of(await model.answer(prompt, sampling, index))
    except ContextOverflow as overflow:
        return Reply("", Unread.CONTEXT_OVERFLOW, str(overflow), NO_COST)
