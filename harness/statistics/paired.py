"""Two arms on the same instances: bounds and tests of the difference of their means. Values in, values out.

A difference is always the second arm's less the first's.
"""

from dataclasses import dataclass
from math import copysign, inf, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

from harness.statistics.share import Interval

KEPT = 0.5  # instances of each sign that a t interval adds: no spread in what was seen is no certainty
_EDGE = 1e-9  # distance of the search from differences of -1 and 1, at which the score is not defined

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Discordance:
    """Instances that one of two single-sample arms alone resolved, of all ``instances``."""

    first: int  # resolved by the first arm alone
    second: int  # resolved by the second arm alone
    instances: int


def tango_score(seen: Discordance, difference: float) -> float:
    """The score statistic of one true ``difference`` between -1 and 1, standard normal if it is true.

    Tango, Statistics in Medicine 17 (1998) 891-908, section 3: the variance is taken at the maximum of the likelihood
    under that difference.
    """
    n, b, c = seen.instances, seen.second, seen.first
    linear = (2 * n - b + c) * difference - b - c
    root = sqrt(max(0.0, linear**2 + 8 * n * c * difference * (1 - difference)))
    share = (root - linear) / (4 * n)  # of instances that the first arm alone resolves
    variance = n * (2 * share + difference * (1 - difference))
    excess = b - c - n * difference
    if variance > 1e-12:
        return excess / sqrt(variance)
    return copysign(inf, excess) if excess else 0.0


def tango_bounds(seen: Discordance, confidence: float) -> Interval:
    """Two one-sided bounds of the difference, each with this confidence: Tango's (1998) score interval."""
    quantile, estimate = float(stats.norm.ppf(confidence)), (seen.second - seen.first) / seen.instances
    low, high = -1.0, 1.0
    if estimate > -1 + _EDGE and tango_score(seen, -1 + _EDGE) > quantile:
        low = brentq(lambda d: tango_score(seen, d) - quantile, -1 + _EDGE, estimate, xtol=1e-10)
    if estimate < 1 - _EDGE and tango_score(seen, 1 - _EDGE) < -quantile:
        high = brentq(lambda d: tango_score(seen, d) + quantile, estimate, 1 - _EDGE, xtol=1e-10)
    return Interval(float(low), float(high))


def tango_p(seen: Discordance) -> float:
    """Two-sided p of no difference by the same score, which is McNemar's (1947) without continuity correction."""
    return float(2 * stats.norm.sf(abs(tango_score(seen, 0.0))))


def exact_mcnemar(seen: Discordance) -> float:
    """Two-sided p of no difference by the binomial law of the discordant instances; 1 if there are none.

    Exact and careful: its true error is 3 to 4% at a level of 5%.
    """
    discordant = seen.first + seen.second
    return float(stats.binomtest(seen.second, discordant).pvalue) if discordant else 1.0


def error_of_mean(differences: Values) -> float:
    """Standard error of the mean of at least two differences between -1 and 1, half an instance of each sign kept.

    The differences are per instance, each a mean over samples. Adds `KEPT` instances of +1 and of -1 to the sum of
    squares, so that equal differences do not pass for certainty.
    """
    count = len(differences)
    squares = float(((differences - differences.mean()) ** 2).sum()) + 2 * KEPT
    return sqrt(squares / (count - 1) / count)


def t_bounds(estimate: float, error: float, freedom: float, confidence: float) -> Interval:
    """Two one-sided bounds, each with this confidence, by Student's t; an infinite freedom is the normal law."""
    half_width = float(stats.t.ppf(confidence, freedom)) * error
    return Interval(estimate - half_width, estimate + half_width)


def t_p(estimate: float, error: float, freedom: float) -> float:
    """Two-sided p of no difference by Student's t, for an ``error`` above 0."""
    return float(2 * stats.t.sf(abs(estimate) / error, freedom))
