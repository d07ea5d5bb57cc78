"""Making a prompt fit into the context of the model that is asked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from harness.core.interfaces import Model, Sampling


@dataclass(frozen=True)
class Fitted:
    """The largest prompt that fits."""

    prompt: str
    parts: int  # how many of the parts are in it


async def fit_prompt(model: Model, sampling: Sampling, render: Callable[[int], str], parts: int) -> Fitted | None:
    """The prompt with the most parts, of at most ``parts``, that leaves ``sampling.max_tokens`` for the answer.

    ``render(n)`` is the prompt with the first n parts; it grows with n, and is made in a thread.
    None if not even ``render(0)`` fits.
    """
    room = await model.context_length() - sampling.max_tokens
    fitting: Fitted | None = None
    low, high, count = 0, parts, parts  # try all of it first: it mostly fits
    while low <= high:
        prompt = await asyncio.to_thread(render, count)
        if await model.count_tokens(prompt) <= room:
            fitting, low = Fitted(prompt, count), count + 1
        else:
            high = count - 1
        count = (low + high) // 2
    return fitting
