"""Whether a model's context has room for what a run asks of it, found out before anything is asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.config.schema import RunConfig
from harness.core.interfaces import Sampling
from harness.errors import InputError
from harness.model.tokens import PromptTokens

REPAIR = "sampling.repair"


class Measured(Protocol):
    """What a model says of lengths."""

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as the model is asked it."""
        ...

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together."""
        ...


@dataclass(frozen=True)
class LocalLengths:
    """The lengths of a local checkpoint, which need no server."""

    tokens: PromptTokens
    context: int

    async def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as the model is asked it."""
        return self.tokens.count(text)

    async def context_length(self) -> int:
        """Tokens that prompt and answer may take together."""
        return self.context


def stage_samplings(config: RunConfig) -> dict[str, Sampling]:
    """The sampling parameters of every stage that a run asks in, by their keys in the run file."""
    localization, validation = config.localization, config.validation
    localized = "model" in config.conditions
    asked = {
        REPAIR: (True, config.sampling.repair),
        "sampling.localize": (localized, config.sampling.localize),
        "localization.folders.sampling": (localized and localization.folders.enabled, localization.folders.sampling),
        "localization.elements.sampling": (localized and localization.elements.enabled, localization.elements.sampling),
        "localization.lines.sampling": (localized and localization.lines.samples > 0, localization.lines.sampling),
        "validation.regression.strike": (validation.regression.enabled, validation.regression.strike),
        "validation.reproduction.sampling": (validation.reproduction.samples > 0, validation.reproduction.sampling),
    }
    return {key: sampling for key, (on, sampling) in asked.items() if on}


async def check_lengths(
    name: str, model: Measured, samplings: Mapping[str, Sampling], issues: Sequence[str], repairs: Sequence[str]
) -> None:
    """Raises InputError, naming the checkpoint and every stage, if no issue fits beside a stage's answer.

    ``repairs``: the issues' repair prompts before any source is in them.
    """
    context = await model.context_length()
    problems = []
    for key, sampling in samplings.items():
        room = context - sampling.max_tokens
        if room <= 0:
            problems.append(f"{key}.max_tokens of {sampling.max_tokens} leaves no room for a prompt")
        elif issues and not await _any_fits(model, repairs if key == REPAIR else issues, room):
            problems.append(f"{key}.max_tokens of {sampling.max_tokens} leaves {room} tokens, too few for any issue")
    if problems:
        raise InputError(
            f"checkpoint {name}: its context has {context} tokens: {'; '.join(problems)}; lower max_tokens, or give "
            "the checkpoint more context"
        )


async def _any_fits(model: Measured, texts: Sequence[str], room: int) -> bool:
    for text in sorted(texts, key=len):
        if await model.count_tokens(text) <= room:
            return True
    return False
