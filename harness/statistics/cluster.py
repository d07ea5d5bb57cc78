"""Differences that cluster by repository, for the claim about other repositories: values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from harness.statistics.paired import Values
from harness.statistics.share import Interval

FEWEST = 6  # clusters; with five, no pattern of signs reaches a p below 0.05
ENUMERATED = 12  # clusters up to which every pattern of signs is tried
DRAWS = 4095  # patterns beyond that, with `SEED`
SEED = 20_260_301
_STEPS = 30  # halvings in search of a bound: to a billionth of the range


@dataclass(frozen=True)
class Clustered:
    """A mean difference tested over other clusters."""

    interval: Interval  # two-sided
    p: float  # of no difference
    clusters: int


class WildBootstrap:
    """The wild cluster bootstrap-t of a mean, the null imposed, with Rademacher's signs.

    Cameron, Gelbach and Miller, Review of Economics and Statistics 90 (2008) 414-427, section III: residuals under the
    null change their sign cluster by cluster; the t statistic, over the cluster-robust error, is compared with what
    all patterns of signs make of it.
    """

    def __init__(self, differences: Values, clusters: Sequence[str]) -> None:
        """Take the differences and the cluster of each. Raises ValueError for fewer than `FEWEST` clusters."""
        names, member = np.unique(np.array(clusters), return_inverse=True)
        if len(names) < FEWEST:
            raise ValueError(f"{len(names)} clusters are too few; it takes {FEWEST}")
        self._mean = float(differences.mean())
        self._sums, self._sizes = np.bincount(member, differences), np.bincount(member).astype(np.float64)
        signs = _patterns(len(names))
        self._signed_sums, self._signed_sizes = signs @ self._sums, signs @ self._sizes
        self._signed_products, self._signed_squares = signs @ (self._sums * self._sizes), signs @ self._sizes**2

    def p(self, null: float) -> float:
        """Two-sided p of that true mean: the share of patterns that reach the seen statistic, itself among them."""
        means = (self._signed_sums - null * self._signed_sizes) / self._sizes.sum()
        products = self._signed_products - null * self._signed_squares
        residuals = ((self._sums - null * self._sizes) ** 2).sum()
        squares = residuals - 2 * means * products + means**2 * (self._sizes**2).sum()
        statistics = means**2 / np.maximum(squares, 1e-12 * max(residuals, 1e-12))
        return float((statistics >= statistics[0] * (1 - 1e-9)).mean())

    def interval(self, confidence: float) -> Interval:
        """True means that the test at 1 - ``confidence`` does not reject, between -1 and 1."""
        return Interval(self._bound(-1.0, 1 - confidence), self._bound(1.0, 1 - confidence))

    def _bound(self, rejected: float, level: float) -> float:
        """The edge of what is kept between the mean and an end, which is the bound if it is kept itself."""
        kept = self._mean
        if self.p(rejected) > level:
            return rejected
        for _ in range(_STEPS):
            middle = (kept + rejected) / 2
            if self.p(middle) > level:
                kept = middle
            else:
                rejected = middle
        return kept


def other_clusters(differences: Values, clusters: Sequence[str], confidence: float) -> Clustered | None:
    """The mean difference over other clusters, by `WildBootstrap`.

    None for fewer than `FEWEST` clusters, and for differences that are all equal: neither shows how clusters vary.
    """
    count = len(set(clusters))
    if count < FEWEST or not np.ptp(differences):
        return None
    bootstrap = WildBootstrap(differences, clusters)
    return Clustered(bootstrap.interval(confidence), bootstrap.p(0.0), count)


def _patterns(clusters: int) -> NDArray[np.float64]:
    """(patterns, clusters) signs, the unchanged one first; a pattern and its negative count as one."""
    if clusters <= ENUMERATED:
        return np.array([(1.0, *signs) for signs in product((1.0, -1.0), repeat=clusters - 1)])
    drawn = np.random.default_rng(SEED).choice(np.array([-1.0, 1.0]), (DRAWS, clusters))
    return np.vstack([np.ones(clusters), drawn])
