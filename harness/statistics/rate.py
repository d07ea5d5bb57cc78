"""The mean score of one arm with its interval: values in, values out."""

from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np

from harness.statistics.crossed import satterthwaite
from harness.statistics.fit import FEWEST_SEEDS, binary, instance_means
from harness.statistics.outcomes import Grid
from harness.statistics.paired import error_of_mean, t_bounds
from harness.statistics.share import CONFIDENCE, Interval, wilson

RateMethod = Literal["wilson", "t", "seeds-t"]

RATE_METHODS: dict[RateMethod, str] = {
    "wilson": "one sample on every instance: Wilson's score interval",
    "t": "means over conditions, samples or fewer than three seeds: Student's t on the instances' means",
    "seeds-t": "three seeds or more: Student's t over instances and seeds, Satterthwaite's degrees of freedom",
}


@dataclass(frozen=True)
class Rate:
    """A mean of scores between 0 and 1; what was not graded counts as 0, and as 1 in the upper of `bounds`."""

    value: float
    interval: Interval  # two-sided
    method: RateMethod
    bounds: Interval  # the mean if all that was not graded had failed, and if all of it had succeeded
    seeds: tuple[float, ...]  # the mean of each seed
    instances: int


def rate(grid: Grid, at_best: Grid | None = None, confidence: float = CONFIDENCE) -> Rate:
    """The mean of an arm's scores (instances, seeds, samples), nan for what was not graded.

    Scores that are means of which a part was not graded come as two grids: with 0 in the part's place, and with 1
    (``at_best``).

    With three seeds or more the interval is over other instances and other seeds; with fewer it speaks of these
    checkpoints. Spread over instances has half an instance of each sign kept, as in `error_of_mean`.
    """
    best = grid if at_best is None else at_best
    failed, resolved = np.where(np.isnan(grid), 0.0, grid), np.where(np.isnan(best), 1.0, best)
    means, count = instance_means(failed), len(failed)
    value, by_seed = float(means.mean()), failed.mean(axis=(0, 2))
    bounds = Interval(value, float(instance_means(resolved).mean()))
    seeds = tuple(map(float, by_seed))
    if failed.shape[1:] == (1, 1) and binary(failed):
        interval = wilson(int(failed.sum()), count, confidence)
        return Rate(value, interval, "wilson", bounds, seeds, count)
    error, freedom = (error_of_mean(means), float(count - 1)) if count > 1 else (inf, 1.0)
    method: RateMethod = "t"
    if len(seeds) >= FEWEST_SEEDS and count > 1:
        over_seeds = float(by_seed.var(ddof=1)) / len(seeds), len(seeds) - 1
        error, freedom = satterthwaite([(error**2, count - 1), over_seeds])
        method = "seeds-t"
    low, high = t_bounds(value, error, freedom, (1 + confidence) / 2)
    return Rate(value, Interval(max(0.0, low), min(1.0, high)), method, bounds, seeds, count)
