"""Asking a model once: the text of its answer, or why there is none to read, and what that took."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from harness.core.interfaces import NO_COST, Answer, ContextOverflow, Cost, Model, Sampling
from harness.model.prompts import Prompt
from harness.model.recorded import NOT_RECORDED
from harness.reading.thinking import without_thinking

READ_BEFORE_CUT = "read-before-cut"  # the answer was cut, and what was whole before that was read
MISSING_SETTING = (
    "the server put the whole answer into its reasoning: its --reasoning-parser probably does not fit the model; "
    "name the model's own, or none, or switch its thinking by chat_template_kwargs"
)


class Unread(StrEnum):
    """Why there is no answer to read. Each stage has these among its own reasons, under the same names."""

    CONTEXT_OVERFLOW = "context-overflow"  # prompt and answer exceed the model's context
    TRUNCATED = "truncated"  # the answer was cut: only what is whole before that is read
    NOT_RECORDED = NOT_RECORDED  # the recording that stands for the model holds no such answer
    ONLY_REASONING = "only-reasoning"  # the server set all of the answer apart as thinking


@dataclass(frozen=True)
class Reply:
    """What came back to one question."""

    text: str  # whole if there is no reason, up to the cut if it is truncated
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
        elif answer.reasoning.strip() and not without_thinking(answer.text).strip():
            reason, detail = Unread.ONLY_REASONING, MISSING_SETTING
        return cls(answer.text, reason, detail, answer.cost)

    @property
    def cut(self) -> bool:
        """Whether the answer has no end of its own."""
        return self.reason is Unread.TRUNCATED

    @property
    def whole_lines(self) -> str:
        """The text without a last line that may be cut."""
        return self.text[: self.text.rfind("\n") + 1] if self.cut else self.text

    @property
    def notes(self) -> tuple[str, ...]:
        """What a record says beside what was read."""
        return (READ_BEFORE_CUT,) if self.cut else ()


async def ask(model: Model, sampling: Sampling, prompt: str, index: int = 0) -> Reply:
    """Sample ``index`` of the answers to ``prompt``. Raises InfrastructureError if the model can't be asked."""
    if isinstance(prompt, Prompt) and prompt.stop and sampling.stop is None:
        sampling = sampling.model_copy(update={"stop": prompt.stop})
    try:
        return Reply.of(await model.answer(prompt, sampling, index))
    except ContextOverflow as overflow:
        return Reply("", Unread.CONTEXT_OVERFLOW, str(overflow), NO_COST)
