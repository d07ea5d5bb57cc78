"""What one checkpoint's answers took together, each counted once: values in, values out.

Conditions share questions: one greedy localization serves two of them, and two may show the same source. The row of
each condition has the cost of all that it needed, so the rows of a checkpoint add up to more than its server did.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from harness.core.interfaces import NO_COST, Answer


@dataclass(frozen=True)
class CheckpointCost:
    """The cost of distinct answers."""

    answers: int
    prompt_tokens: int
    completion_tokens: int
    model_seconds: float  # summed over requests, of which many run at once
    wall_seconds: float  # in which the server had at least one of them under way; 0 if no record says when


def checkpoint_cost(answers: Collection[Answer]) -> CheckpointCost:
    """The cost of answers that are distinct already."""
    cost = sum((answer.cost for answer in answers), NO_COST)
    spans = ((answer.began, answer.began + answer.seconds) for answer in answers if answer.began)
    return CheckpointCost(
        len(answers), cost.prompt_tokens, cost.completion_tokens, round(cost.seconds, 3), round(_covered(spans), 3)
    )


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Length of the union of spans."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
