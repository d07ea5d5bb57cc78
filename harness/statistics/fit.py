"""Which method a design of outcomes asks for, and what it makes of them: values in, values out."""

from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np

from harness.statistics.crossed import satterthwaite
from harness.statistics.outcomes import Grid
from harness.statistics.paired import Discordance, Values, error_of_mean, t_bounds, t_p, tango_bounds, tango_p
from harness.statistics.share import Interval

Method = Literal["tango", "paired-t", "min-f"]

FEWEST_SEEDS = 3  # of each arm, from which on min F' says something of other trainings
REASONS: dict[Method, str] = {
    "tango": "one sample of each arm on every instance: Tango's score interval of the paired difference",
    "paired-t": "values between 0 and 1, or several samples: paired t on the instances' mean differences",
    "min-f": "three seeds or more of each arm: min F' over instances and seeds, Satterthwaite's degrees of freedom",
}


@dataclass(frozen=True)
class Fit:
    """A mean difference with what its bounds are made of."""

    estimate: float
    error: float  # standard error, infinite for a single instance
    freedom: float
    discordance: Discordance | None  # for Tango's interval, which then takes the place of Student's t

    def bounds(self, confidence: float) -> Interval:
        """Two one-sided bounds, each with this confidence, between -1 and 1."""
        if self.discordance:
            return tango_bounds(self.discordance, confidence)
        low, high = t_bounds(self.estimate, self.error, self.freedom, confidence)
        return Interval(max(-1.0, low), min(1.0, high))

    def p(self) -> float:
        """Two-sided p of no difference; below 1 - c if and only if the two-sided interval at c excludes 0."""
        return tango_p(self.discordance) if self.discordance else t_p(self.estimate, self.error, self.freedom)


def choose(first: Grid, second: Grid) -> Method:
    """The method for two arms on the same instances; seeds without any grade do not count."""
    if min(_seeds(first), _seeds(second)) >= FEWEST_SEEDS:
        return "min-f"
    single = first.shape[1:] == second.shape[1:] == (1, 1)
    return "tango" if single and binary(first) and binary(second) else "paired-t"


def fit(method: Method, first: Grid, second: Grid) -> Fit:
    """Apply the method to instances that each have a grade under both arms."""
    differences = instance_means(second) - instance_means(first)
    estimate, count = float(differences.mean()), len(differences)
    error, freedom = (error_of_mean(differences), float(count - 1)) if count > 1 else (inf, 1.0)
    if method == "tango":
        seen = Discordance(int((differences < 0).sum()), int((differences > 0).sum()), count)
        return Fit(estimate, error, inf, seen)
    if method == "min-f" and count > 1:
        means = _seed_means(first), _seed_means(second)
        seeds = [(float(found.var(ddof=1)) / len(found), len(found) - 1) for found in means]
        error, freedom = satterthwaite([(error**2, count - 1), *seeds])
    return Fit(estimate, error, freedom, None)


def binary(grid: Grid) -> bool:
    """Whether every score that is there is 0 or 1."""
    return bool(np.isin(grid[~np.isnan(grid)], (0.0, 1.0)).all())


def instance_means(grid: Grid) -> Values:
    """Of each instance, over its seeds' means of what was graded; nan for an instance without any grade."""
    return _mean(_mean(grid, 2), 1)


def variances(first: Grid, second: Grid) -> tuple[float, float] | None:
    """(within, between): what samples of the same weights, and the instances' true differences, vary by.

    ``within`` is the sum over the arms of the mean variance between samples of one instance; ``between`` is what the
    variance of the mean differences has beyond it, at least 0. None if an arm has several seeds, or an instance
    fewer than two graded samples.
    """
    arms = first[:, 0, :], second[:, 0, :]
    counts = [(~np.isnan(arm)).sum(axis=1) for arm in arms]
    if first.shape[1] > 1 or second.shape[1] > 1 or min(int(found.min()) for found in counts) < 2 or len(first) < 2:
        return None
    spreads = [np.nanvar(arm, axis=1, ddof=1) for arm in arms]
    noise = sum(float((spread / count).mean()) for spread, count in zip(spreads, counts, strict=True))
    seen = float((instance_means(second) - instance_means(first)).var(ddof=1))
    return sum(float(spread.mean()) for spread in spreads), max(0.0, seen - noise)


def _seeds(grid: Grid) -> int:
    return int((~np.isnan(grid)).any(axis=(0, 2)).sum())


def _seed_means(grid: Grid) -> Values:
    """Of each seed with a grade; instances that a seed has no grade on do not move its mean."""
    cells, means = _mean(grid, 2), instance_means(grid)
    deviations = _mean(cells - means[:, None], 0)
    moved: Values = float(means.mean()) + deviations[~np.isnan(deviations)]
    return moved


def _mean(values: Values, axis: int) -> Values:
    """Mean of what is no nan along the axis; nan if nothing is left."""
    counts = (~np.isnan(values)).sum(axis=axis)
    sums: Values = np.nansum(values, axis=axis)
    means: Values = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means
