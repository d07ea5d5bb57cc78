"""From what runs left to the paired outcomes of a metric: values in, values out."""

from collections.abc import Mapping
from statistics import fmean

from harness.compare.finished import Arm, Attempted, Part
from harness.core.conditions import Condition
from harness.errors import InputError
from harness.report.similarity import similarity
from harness.statistics.outcomes import Bounds, Cells, PairedOutcomes, Score, pair_up
from harness.statistics.requirement import Metric


def paired(first: Arm, second: Arm, metric: Metric, condition: Condition | None = None) -> PairedOutcomes:
    """Scores of both arms under a condition, or their means over all conditions that the arms were run under.

    Raises InputError if the arms' instances or conditions are not the same, or a similarity lacks the gold patches.
    """
    chosen = _conditions(first, second, condition)
    gold = (first.gold or second.gold or {}) if metric == "similarity" else {}
    one, other = ([arm.parts[c] for c in chosen] for arm in (first, second))
    found = cells(one, metric, gold)
    repositories = {instance_id: repository_of(instance_id) for instance_id in found}
    bounds = [cell_bounds(parts, metric, gold) if metric == "resolve_rate" else {} for parts in (one, other)]
    return pair_up(found, cells(other, metric, gold), repositories, (bounds[0], bounds[1]))


def repository_of(instance_id: str) -> str:
    """``owner/name`` of an instance id such as ``owner__name-1234``."""
    return instance_id.rpartition("-")[0].replace("__", "/", 1) or instance_id


def _conditions(first: Arm, second: Arm, condition: Condition | None) -> list[Condition | None]:
    for arm in (first, second):
        if condition is not None and condition not in arm.parts:
            raise InputError(f"{arm.name}: was not run under {condition}")
    if condition is not None:
        return [condition]
    if first.parts.keys() != second.parts.keys():
        raise InputError(f"{first.name} and {second.name} were run under other conditions; name one that both have")
    return list(first.parts)


def cells(
    parts: list[tuple[Part, ...]], metric: Metric, gold: Mapping[str, str], ungraded: Score = None
) -> dict[str, Cells]:
    """By instance, one sample for each seed: the mean over the conditions, or None if one of them has no grade.

    ``ungraded`` takes the place of a grade that is not there.
    ``parts`` has the seeds' attempts under each condition. Raises InputError if these do not hold the same instances,
    and for a similarity that neither the records nor the gold patches have.
    """
    ids = list(parts[0][0])
    if any(part.keys() != set(ids) for seeds in parts for part in seeds):
        raise InputError("the conditions or seeds of a run do not hold the same instances; let it finish")

    def score(instance_id: str, seed: int) -> Score:
        scores = [_score(seeds[seed][instance_id], metric, gold) for seeds in parts]
        found = [ungraded if value is None else value for value in scores]
        known = [value for value in found if value is not None]
        return fmean(known) if len(known) == len(found) else None

    return {instance_id: tuple((score(instance_id, seed),) for seed in range(len(parts[0]))) for instance_id in ids}


def cell_bounds(parts: list[tuple[Part, ...]], metric: Metric, gold: Mapping[str, str]) -> Bounds:
    """By instance, `cells` with what was not graded as failed, and with it as resolved."""
    failed = cells(parts, metric, gold, 0.0)
    resolved = cells(parts, metric, gold, 1.0) if metric == "resolve_rate" else failed  # others need no grade
    return {instance_id: (low, resolved[instance_id]) for instance_id, low in failed.items()}


def _score(attempted: Attempted, metric: Metric, gold: Mapping[str, str]) -> Score:
    if metric == "empty_rate":
        return float(attempted.scores.empty)
    if metric == "similarity":
        return _similarity(attempted, gold.get(attempted.verdict.instance_id))
    return float(attempted.verdict.resolved) if attempted.graded else None


def _similarity(attempted: Attempted, gold: str | None) -> float:
    if attempted.scores.similarity is not None:
        return attempted.scores.similarity
    if gold is None:
        raise InputError(
            f"{attempted.verdict.instance_id} has neither a similarity nor a gold patch in the runs; "
            "run one of them with `references: [gold]`"
        )
    return similarity(attempted.patch, gold)
