"""What the stages after the files share: a question that fits the model's context, and why a stage located nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from harness.core.interfaces import Model, Sampling
from harness.model.fit_prompt import fit_prompt


class PlaceReason(StrEnum):
    """Why a stage after the files located nothing."""

    NOTHING_TO_SHOW = "nothing-to-show"  # the files hold nothing that the stage could ask about
    CONTEXT_OVERFLOW = "context-overflow"
    TRUNCATED = "truncated"  # the answer was cut, and nothing before that is whole
    NOT_RECORDED = "not-recorded"  # the recording holds no such answer
    ONLY_REASONING = "only-reasoning"  # the server set all of the answer apart as thinking
    NO_NAMES = "no-names"  # the answer names nothing
    UNRESOLVED = "unresolved"  # nothing that it names is there


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
