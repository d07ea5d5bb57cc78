"""Every estimate and comparison that the study shows, computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.core.conditions import Condition
from harness.errors import InputError
from harness.statistics.crossed import Difference, Estimate, Resampler, Scores, crossed_difference, estimate
from harness.statistics.many import holm
from harness.statistics.share import CONFIDENCE
from lab.arms import BASELINE
from lab.study.study import ORDINARY, Record, Study, subset_of

Measure = Literal["resolved", "similarity", "empty"]
View = Condition | Literal["average"]  # average: over the conditions with equal weights, "AVG" of arXiv 2603.00729

MEASURES: tuple[Measure, ...] = get_args(Measure)
LEVEL = 1 - CONFIDENCE
Cells = NDArray[np.float64]  # (seeds, conditions, instances)


@dataclass(frozen=True)
class Comparison:
    """An arm held against another one, as one of a family of comparisons."""

    arm: str
    other: str
    difference: Difference  # arm less other
    adjusted: float | None  # p by Holm over the family; None if a single seed allows no p
    detectable: float | None  # least true difference that the family's first step would find, see `Difference`

    @property
    def shown(self) -> bool:
        """Whether the difference holds over new instances and new seeds at once."""
        return self.adjusted is not None and self.adjusted < LEVEL


@dataclass(frozen=True)
class Analysis:
    """What the tables and the page are filled from: all but ``subsets`` is of the main instances, see `main_ids`."""

    baseline: str | None  # None if the study does not have it
    estimates: Mapping[tuple[str, View, Measure], Estimate]  # by arm
    subsets: Mapping[tuple[str, str], Estimate]  # by arm and subset of the instances: resolved, average
    subset_sizes: Mapping[str, int]  # instances
    against_baseline: Mapping[tuple[View, Measure], tuple[Comparison, ...]]  # each a family
    pairs: tuple[Comparison, ...]  # all, of resolved, average: a family


def analyse(study: Study) -> Analysis:
    """Compute everything; the same study produces the same numbers. Raises InputError if attempts are missing."""
    ids = main_ids(study)
    cells = {measure: _cells(study, measure, ids) for measure in MEASURES}
    resampler = Resampler(len(ids))
    numbers = {arm: number for number, arm in enumerate(study.arms)}
    views = views_of(study)

    def scores(arm: str, view: View, measure: Measure) -> Scores:
        return _viewed(cells[measure][arm], study.conditions, view)

    def family(pairs: Sequence[tuple[str, str]], view: View, measure: Measure) -> tuple[Comparison, ...]:
        found = [
            crossed_difference(resampler, scores(a, view, measure), scores(b, view, measure), (numbers[a], numbers[b]))
            for a, b in pairs
        ]
        return corrected(pairs, found)

    baseline = BASELINE if BASELINE in numbers else None
    against = [(arm, baseline) for arm in study.arms if arm != baseline] if baseline else []
    return Analysis(
        baseline=baseline,
        estimates={
            (arm, view, measure): estimate(resampler, scores(arm, view, measure), number)
            for arm, number in numbers.items()
            for view in views
            for measure in MEASURES
        },
        subsets=_subsets(study),
        subset_sizes={name: len(ids) for name, ids in subset_ids(study).items()},
        against_baseline={(view, measure): family(against, view, measure) for view in views for measure in MEASURES},
        pairs=family(list(combinations(study.arms, 2)), "average", "resolved"),
    )


def views_of(study: Study) -> tuple[View, ...]:
    """The average first, then every condition."""
    return ("average", *study.conditions)


def corrected(pairs: Sequence[tuple[str, str]], found: Sequence[Difference]) -> tuple[Comparison, ...]:
    """The differences of pairs of arms as one family of comparisons."""
    known = [difference.p for difference in found if difference.p is not None]
    adjusted = iter(holm(known))
    return tuple(
        Comparison(
            arm=arm,
            other=other,
            difference=difference,
            adjusted=None if difference.p is None else next(adjusted),
            detectable=difference.detectable(LEVEL / max(1, len(known))),
        )
        for (arm, other), difference in zip(pairs, found, strict=True)
    )


def main_ids(study: Study) -> tuple[str, ...]:
    """The ordinary held-out instances, by which arms are compared; all if there are none of that kind."""
    return subset_ids(study).get(ORDINARY, study.instance_ids)


def subset_ids(study: Study) -> Mapping[str, tuple[str, ...]]:
    """The instances of each subset, in the study's order."""
    found: dict[str, tuple[str, ...]] = {}
    for instance_id in study.instance_ids:
        name = subset_of(instance_id)
        found[name] = (*found.get(name, ()), instance_id)
    return found


def _cells(study: Study, measure: Measure, instance_ids: Sequence[str]) -> dict[str, Cells]:
    """By arm, the measure of every attempt at these instances."""
    places = {instance_id: place for place, instance_id in enumerate(instance_ids)}
    conditions = {condition: place for place, condition in enumerate(study.conditions)}
    seeds = {arm: {c.seed: place for place, c in enumerate(study.of(arm))} for arm in study.arms}
    cells = {arm: np.full((len(seeds[arm]), len(conditions), len(places)), np.nan) for arm in study.arms}
    for record in study.records:
        if record.instance_id not in places:
            continue
        place = seeds[record.arm][record.seed], conditions[record.condition], places[record.instance_id]
        cells[record.arm][place] = _value(record, measure)
    for arm, found in cells.items():
        if missing := int(np.isnan(found).sum()):
            raise InputError(f"the study lacks {missing} attempts of {arm}; make it again from its runs")
    return cells


def _value(record: Record, measure: Measure) -> float:
    return float({"resolved": record.resolved, "similarity": record.similarity, "empty": record.empty}[measure])


def _viewed(cells: Cells, conditions: Sequence[Condition], view: View) -> Scores:
    scores: Scores = cells.mean(axis=1) if view == "average" else cells[:, conditions.index(view), :]
    return scores


def _subsets(study: Study) -> dict[tuple[str, str], Estimate]:
    """Resolve rates of each subset, averaged over the conditions; nothing if all instances are of one."""
    subsets = subset_ids(study)
    if len(subsets) == 1:
        return {}
    estimates = {}
    for name, ids in subsets.items():
        resampler, cells = Resampler(len(ids)), _cells(study, "resolved", ids)
        for number, arm in enumerate(study.arms):
            scores = _viewed(cells[arm], study.conditions, "average")
            estimates[arm, name] = estimate(resampler, scores, number)
    return estimates
