"""Shares: the interval of a rate, its bounds, and pass@k. Values in, values out."""

from math import comb
from typing import NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """A confidence interval of a share or of a difference of shares, as parts of 1."""

    low: float
    high: float

    @property
    def negated(self) -> "Interval":
        """The interval of the opposite difference."""
        return Interval(-self.high, -self.low)


def wilson(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a binomial share, without continuity correction.

    Raises ValueError for no trials, or for more successes than trials.
    """
    from scipy.stats import binomtest

    found = binomtest(successes, trials).proportion_ci(confidence_level=confidence, method="wilson")
    return Interval(float(found.low), float(found.high))


def ungraded_bounds(successes: int, ungraded: int, trials: int) -> Interval:
    """The share if every ungraded trial had failed, and if every one had succeeded. An ordering uses the lower.

    Raises ValueError for no trials, or for more successes and ungraded trials than trials.
    """
    if trials < 1 or min(successes, ungraded) < 0 or successes + ungraded > trials:
        raise ValueError(f"{successes} successes and {ungraded} ungraded of {trials} trials have no share")
    return Interval(successes / trials, (successes + ungraded) / trials)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that at least one of k candidates drawn from n without replacement is among the c that resolve.

    The unbiased estimator 1 - C(n - c, k) / C(n, k) of Chen et al. 2021 (arXiv 2107.03374). Raises ValueError for
    more draws than candidates.
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} is not defined for {c} of {n} candidates")
    return 1 - comb(n - c, k) / comb(n, k)
