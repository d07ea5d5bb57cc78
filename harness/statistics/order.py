"""What a gate that may stop early fixes before its first look, and how far it has come: values in, values out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from harness.errors import InputError
from harness.statistics.outcomes import Score
from harness.statistics.paired import Values
from harness.statistics.requirement import Decision, Requirement
from harness.statistics.share import Interval

FEWEST = 50  # instances; fewer decide nothing


@dataclass(frozen=True)
class Plan:
    """The question, the order of the instances and what is known of them.

    Scores are those of the requirement's metric. Raises InputError for an instance that the baseline or an earlier
    checkpoint was not run on, or that comes twice in the order, and for scores that are none.
    """

    requirement: Requirement
    order: tuple[str, ...]  # of instance ids, see `shuffled`
    baseline: Mapping[str, Score]
    earlier: tuple[Mapping[str, Score], ...] = ()  # checkpoints before the baseline

    def __post_init__(self) -> None:
        if len(set(self.order)) < len(self.order):
            raise InputError("an instance comes twice in the order; a gate needs every instance once")
        for scores in (self.baseline, *self.earlier):
            if missing := [instance_id for instance_id in self.order if instance_id not in scores]:
                raise InputError(f"{missing[0]} was not run by the baseline or an earlier checkpoint; name runs of it")
            check_scores(scores)


@dataclass(frozen=True)
class Sides:
    """A plan's values in its order, so turned that more is better, with what was not graded put in."""

    baseline: Values  # (instances,)
    history: Values  # (instances,): the smoothed share of known checkpoints, the baseline among them, that scored
    candidate: Values  # (prefix,)


@dataclass(frozen=True)
class Stopped:
    """Where a gate stands: decided, or not."""

    decision: Decision
    why: str
    estimate: float | None  # of the candidate's mean less the baseline's; None before the first look
    bounds: Interval  # each with the requirement's confidence, however often was looked
    looked: int  # instances that the decision rests on
    total: int


def shuffled(instance_ids: Collection[str], seed: int) -> tuple[str, ...]:
    """The instances in an order that the seed alone determines, whatever order they come in: by SHA-256."""
    return tuple(sorted(instance_ids, key=lambda name: sha256(f"{seed}/{name}".encode()).digest()))


def prefix(plan: Plan, done: Mapping[str, Score]) -> tuple[Score, ...]:
    """Scores of the longest part of the order's beginning that is done; what is done beyond it is not looked at.

    Raises InputError for a score that is none, or of an instance that the plan does not have.
    """
    check_scores(done)
    if strangers := done.keys() - set(plan.order):
        raise InputError(f"{min(strangers)} is not in the gate's order; compare runs on the same instances")
    found = []
    for instance_id in plan.order:
        if instance_id not in done:
            break
        found.append(done[instance_id])
    return tuple(found)


def sides(plan: Plan, candidate: Sequence[Score]) -> tuple[Sides, Sides]:
    """The values with all that was not graded against the candidate, then with it in the candidate's favour.

    One value twice if all was graded.
    """
    against = _sides(plan, candidate, 1.0, 0.0)
    if None not in candidate and None not in [plan.baseline[name] for name in plan.order]:
        return against, against
    return against, _sides(plan, candidate, 0.0, 1.0)


def turned(plan: Plan, low: float, high: float) -> Interval:
    """Bounds of the difference as the metric has it, from bounds on sides if more is better."""
    return Interval(low, high) if plan.requirement.at_least else Interval(-high, -low)


def reason(decision: Decision, look: int, total: int) -> str:
    """Why a look at so many instances decides, or does not."""
    if decision is not Decision.NOT_DECIDED:
        return f"decided after {look} of {total} instances"
    return f"open after {look} of {total} instances" if look < total else f"all {total} instances leave it open"


def check_scores(scores: Mapping[str, Score]) -> None:
    """Raises InputError for a score that is no number between 0 and 1, and not None either."""
    for instance_id, score in scores.items():
        if score is not None and not 0 <= score <= 1:  # nan fails this, too
            raise InputError(f"{instance_id}: {score} is no score; one lies between 0 and 1")


def _sides(plan: Plan, candidate: Sequence[Score], baseline_fill: float, candidate_fill: float) -> Sides:
    more = plan.requirement.at_least

    def values(scores: Sequence[Score], fill: float) -> Values:
        found = np.array(scores, dtype=np.float64)
        return np.where(np.isnan(found), fill, found if more else 1 - found)

    baseline = values([plan.baseline[name] for name in plan.order], baseline_fill)
    known = [values([scores[name] for name in plan.order], 0.5) for scores in plan.earlier]
    history = (np.sum([baseline, *known], axis=0) + 0.5) / (len(known) + 2)
    return Sides(baseline, history, values(candidate, candidate_fill))
