"""Statistics of a crossed design: every seed's checkpoint of an arm meets every instance. Values in, values out.

Scores are matrices (seeds x instances) of numbers between 0 and 1. Arms share their instances and not their
checkpoints, so instances are paired between arms and seeds are samples of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.share import CONFIDENCE, Interval

SEED = 20_260_301  # of every random draw here
RESAMPLES = 10_000
POWER = 0.8  # of the detectable difference
TAILS = (100 * (1 - CONFIDENCE) / 2, 100 * (1 + CONFIDENCE) / 2)

Scores = NDArray[np.float64]  # (seeds, instances)
Draws = NDArray[np.float64]  # resampled means


@dataclass(frozen=True)
class Estimate:
    """A mean score and how far it can be trusted."""

    mean: float
    bootstrap: Interval  # percentiles, instances and seeds both resampled
    half_width: float | None  # of the t interval of the seeds' means, on these very instances; None for one seed
    seed_means: tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """One arm's mean score less another's, over new instances and new seeds."""

    mean: float
    interval: Interval | None  # t, of both kinds of variance; this and all below None if an arm has one seed
    bootstrap: Interval  # percentiles, instances resampled together for both arms, seeds for each alone
    p: float | None  # of no difference, by the same t
    p_instances: float  # sign permutation of the instances' differences: other instances, these very checkpoints
    p_seeds: float | None  # permutation of the seeds' means between the arms: other seeds, these very instances
    error: float | None  # standard error
    freedom: float | None  # its degrees of freedom, Satterthwaite

    def detectable(self, level: float) -> float | None:
        """The least true difference that a test at this level would find with `POWER`, the errors being as seen."""
        if self.error is None or self.freedom is None:
            return None
        quantiles = stats.t.ppf(1 - level / 2, self.freedom) + stats.t.ppf(POWER, self.freedom)
        return float(quantiles * self.error)


class Resampler:
    """Draws of instances and seeds, the same for every score, so that differences can be taken draw by draw."""

    def __init__(self, instances: int) -> None:
        """Draw ``instances`` of as many, `RESAMPLES` times; likewise the signs of permutations."""
        random = np.random.default_rng([SEED, 0])
        self._instances = _weights(random, instances)
        self._signs = random.choice(np.array([-1.0, 1.0]), (RESAMPLES, instances))

    def means(self, scores: Scores, arm: int) -> Draws:
        """Means of the resampled scores of the arm with that number (two-way bootstrap, Owen 2007)."""
        seeds = _weights(np.random.default_rng([SEED, 1 + arm]), len(scores))
        means: Draws = ((seeds @ scores) * self._instances).sum(axis=1)
        return means

    def sign_test(self, differences: NDArray[np.float64]) -> float:
        """Two-sided p of the mean of paired differences under random signs; the seen signs count as one draw."""
        seen = abs(differences.sum())
        reached = np.abs(self._signs @ differences) >= seen - 1e-9
        return float((1 + reached.sum()) / (1 + RESAMPLES))


def estimate(resampler: Resampler, scores: Scores, arm: int) -> Estimate:
    """Mean of an arm's scores with both intervals."""
    by_seed = scores.mean(axis=1)
    half_width = None
    if len(by_seed) > 1:
        quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(by_seed) - 1)
        half_width = float(quantile * by_seed.std(ddof=1) / sqrt(len(by_seed)))
    bootstrap = _percentiles(resampler.means(scores, arm))
    return Estimate(float(scores.mean()), bootstrap, half_width, tuple(map(float, by_seed)))


def crossed_difference(resampler: Resampler, first: Scores, other: Scores, arms: tuple[int, int]) -> Difference:
    """The first arm's mean less the other's, tested for instances, for seeds, and for both at once.

    The last takes the difference over the root of the summed variances of its mean over instances and of each arm's
    mean over seeds, with Satterthwaite's degrees of freedom: Clark's (1973) min F' for crossed random effects, seeds
    unpaired. What seed and instance vary in together is counted in both, which makes it careful from five seeds on.
    """
    paired = first.mean(axis=0) - other.mean(axis=0)
    by_seed = first.mean(axis=1), other.mean(axis=1)
    mean = float(paired.mean())
    draws = resampler.means(first, arms[0]) - resampler.means(other, arms[1])
    error = freedom = p = p_seeds = interval = None
    if min(map(len, by_seed)) > 1 and len(paired) > 1:
        error, freedom = crossed_error((paired, *by_seed))
        p = float(2 * stats.t.sf(abs(mean) / error, freedom)) if error else float(abs(mean) < 1e-12)
        half_width = stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * error
        interval = Interval(float(mean - half_width), float(mean + half_width))
        p_seeds = _seed_test(*by_seed)
    return Difference(mean, interval, _percentiles(draws), p, resampler.sign_test(paired), p_seeds, error, freedom)


def crossed_error(samples: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """(standard error, degrees of freedom) of a sum of the samples' means, each with at least two members."""
    return satterthwaite([(float(sample.var(ddof=1)) / len(sample), len(sample) - 1) for sample in samples])


def satterthwaite(variances: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """(standard error, degrees of freedom) of a sum of independent terms, each with its variance and freedom.

    The degrees of freedom are Satterthwaite's (1946); infinite if no term varies.
    """
    total = sum(variance for variance, _ in variances)
    if not total:
        return 0.0, inf
    return sqrt(total), total**2 / sum(variance**2 / freedom for variance, freedom in variances)


def _seed_test(first: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Two-sided p: every way to share the seeds' means out between the arms, or `RESAMPLES` of them if fewer."""
    found = stats.permutation_test(
        (first, other), _mean_difference, vectorized=True, n_resamples=RESAMPLES, random_state=SEED
    )
    return float(found.pvalue)


def _mean_difference(first: NDArray[np.float64], other: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    difference: NDArray[np.float64] = first.mean(axis=axis) - other.mean(axis=axis)
    return difference.round(9)  # else what ties with the seen difference can fall below it


def _weights(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """(RESAMPLES, count): how often each of ``count`` was drawn with replacement, over ``count``."""
    weights: NDArray[np.float64] = random.multinomial(count, np.full(count, 1 / count), RESAMPLES) / count
    return weights


def _percentiles(draws: Draws) -> Interval:
    low, high = np.percentile(draws, TAILS)
    return Interval(float(low), float(high))
