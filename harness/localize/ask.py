"""What the stages of localization share: asking once, with a reason where nothing came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from harness.core.interfaces import Answer, ContextOverflow, Model, Sampling
from harness.model.fit_prompt import fit_prompt

CUT = ("length", "abort", "content_filter")  # ends of an answer that is not whole, and so not to be read


class PlaceReason(StrEnum):
    """Why a stage after the files located nothing."""

    NOTHING_TO_SHOW = "nothing-to-show"  # the files hold nothing that the stage could ask about
    CONTEXT_OVERFLOW = "context-overflow"
    TRUNCATED = "truncated"  # the answer was cut, so it was not read
    NO_NAMES = "no-names"  # the answer names nothing
    UNRESOLVED = "unresolved"  # nothing that it names is there


@dataclass(frozen=True)
class Cost:
    """What asking took."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0  # wall time of the request


NO_COST = Cost()


@dataclass(frozen=True)
class Question:
    """A prompt that fits, and how many of its parts it shows."""

    prompt: str
    shown: int


async def fit_question(
    model: Model, sampling: Sampling, render: Callable[[int], str], parts: int
) -> Question | PlaceReason:
    """The prompt with as many parts as fit, or why there is none."""
    if not parts:
        return PlaceReason.NOTHING_TO_SHOW
    fitted = await fit_prompt(model, sampling, render, parts)
    return Question(fitted.prompt, fitted.parts) if fitted and fitted.parts else PlaceReason.CONTEXT_OVERFLOW


async def ask(model: Model, sampling: Sampling, prompt: str, index: int = 0) -> tuple[str | PlaceReason, Cost]:
    """The text of one whole answer, or why there is none to read. Raises InfrastructureError like the model."""
    try:
        answer: Answer = await model.answer(prompt, sampling, index)
    except ContextOverflow:
        return PlaceReason.CONTEXT_OVERFLOW, NO_COST
    cost = Cost(answer.prompt_tokens, answer.completion_tokens, answer.seconds)
    return (PlaceReason.TRUNCATED if answer.finish_reason in CUT else answer.text), cost
