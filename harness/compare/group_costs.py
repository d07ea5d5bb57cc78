"""What a group of seeds took and cost: values in, values out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.compare.finished import Attempted
from harness.compare.groups_of_run import FinishedGroup
from harness.compare.run_table import Totals


@dataclass(frozen=True)
class Costs:
    """What a group took, over all its seeds and conditions, a question of several counted once.

    None for what the records do not say. Records of an earlier version count such a question for each condition.
    """

    prompt_tokens: int | None
    completion_tokens: int | None
    model_seconds: float | None  # summed over requests
    test_seconds: float  # summed over evaluation scripts
    resolved: int
    gpu_seconds: float | None = None  # of servers of ours
    container_seconds: float | None = None
    cost: float | None = None  # by the runs' price lists
    cost_per_resolved: float | None = None
    currency: str | None = None


def group_costs(found: FinishedGroup) -> Costs:
    """The costs of a group's seeds together."""
    attempts = [one for seeds in found.arm.parts.values() for part in seeds for one in part.values()]
    resolved = sum(one.verdict.resolved for one in attempts)
    cost, currency = _of_one_currency(found.totals)
    prompt, completion = (
        _known(found.totals, attempts, once, each)
        for once, each in (
            (lambda total: total.prompt_tokens, lambda one: one.scores.prompt_tokens),
            (lambda total: total.completion_tokens, lambda one: one.scores.completion_tokens),
        )
    )
    return Costs(
        prompt_tokens=None if prompt is None else int(prompt),
        completion_tokens=None if completion is None else int(completion),
        model_seconds=_known(
            found.totals, attempts, lambda total: total.model_seconds, lambda one: one.scores.model_seconds
        ),
        test_seconds=sum(one.verdict.test_seconds for one in attempts),
        resolved=resolved,
        gpu_seconds=_sum([total.gpu_seconds for total in found.totals]),
        container_seconds=_sum([total.container_seconds for total in found.totals]),
        cost=cost,
        cost_per_resolved=cost / resolved if cost is not None and resolved else None,
        currency=currency,
    )


def _known(
    totals: Sequence[Totals],
    attempts: Sequence[Attempted],
    once: Callable[[Totals], float | None],
    each: Callable[[Attempted], float | None],
) -> float | None:
    """The sum over the seeds, or over all attempts if the run's table does not say."""
    found = _sum([once(total) for total in totals])
    return _sum([each(one) for one in attempts]) if found is None else found


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _of_one_currency(totals: Sequence[Totals]) -> tuple[float | None, str | None]:
    """The whole cost and its currency; None if a seed has no cost, or they differ in their currency."""
    currencies = {total.currency for total in totals}
    cost = _sum([total.cost for total in totals])
    return (cost, currencies.pop()) if cost is not None and len(currencies) == 1 else (None, None)
