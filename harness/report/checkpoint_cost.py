"""What one checkpoint took, each answer and each container counted once: values in, values out.

Conditions share questions: one greedy localization serves two of them, and two may show the same source. The row of
each condition has the cost of all that it needed, so the rows of a checkpoint add up to more than its server did.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.core.interfaces import NO_COST, Answer
from harness.core.server_time import ServerTime
from harness.core.verdict import Verdict
from harness.report.money import Money

Span = tuple[float, float]


@dataclass(frozen=True)
class CheckpointCost:
    """The cost of distinct answers and containers; None for what was not measured."""

    answers: int
    prompt_tokens: int
    completion_tokens: int
    model_seconds: float  # summed over requests, of which many run at once
    wall_seconds: float  # in which the server had at least one of them under way; 0 if no record says when
    server_seconds: float | None = None  # in which servers of ours were there for it, their start included
    gpu_seconds: float | None = None  # of the GPUs that these held
    container_seconds: float | None = None  # of evaluations and scripts
    resolved: int = 0  # attempts, under all conditions together
    money: Money | None = None  # by the run file's price list, if it has one

    @property
    def per_resolved(self) -> float | None:
        """What each resolved attempt cost; None if none resolves, or nothing has a price."""
        total = self.money.total if self.money else None
        return None if total is None or not self.resolved else total / self.resolved


def checkpoint_cost(answers: Collection[Answer]) -> CheckpointCost:
    """The cost of answers that are distinct already."""
    cost = sum((answer.cost for answer in answers), NO_COST)
    return CheckpointCost(
        len(answers),
        cost.prompt_tokens,
        cost.completion_tokens,
        round(cost.seconds, 3),
        round(_covered(_spans(answers)), 3),
    )


def with_servers(
    cost: CheckpointCost, answers: Collection[Answer], servers: Sequence[ServerTime], gpus: int
) -> CheckpointCost:
    """The cost with the time of its servers, each of which holds ``gpus`` GPUs.

    A server that a kill ended left no record of its time: that of its answers counts instead.
    """
    known = [(server.began, server.began + server.seconds) for server in servers]
    lost = _covered([*known, *_spans(answers)]) - _covered(known)
    seconds = lost + sum(server.seconds for server in servers)
    used = lost * gpus + sum(server.seconds * server.gpus for server in servers)
    return replace(cost, server_seconds=round(seconds, 3), gpu_seconds=round(used, 3))


def container_times(verdict: Verdict) -> dict[str, float]:
    """Seconds of everything that ran for a verdict, by what makes each distinct."""
    parts = (verdict.control, verdict.whole_suite)
    further = {" ".join(part.keys): part.seconds for part in parts if part and part.keys}
    return ({verdict.key: verdict.seconds} if verdict.key else {}) | further


def total_seconds(times: Mapping[str, float]) -> float:
    """The sum, in milliseconds' precision."""
    return round(sum(times.values()), 3)


def _spans(answers: Iterable[Answer]) -> list[Span]:
    return [(answer.began, answer.began + answer.seconds) for answer in answers if answer.began]


def _covered(spans: Iterable[Span]) -> float:
    """Length of the union of spans."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total
