"""The gate for the checkpoint's claim that may stop early: values in, values out.

A group sequential test of the paired difference, with the baseline's and earlier checkpoints' scores as covariates.
"""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from harness.statistics.order import FEWEST, Plan, Sides, Stopped, prefix, reason, sides, turned
from harness.statistics.outcomes import Score
from harness.statistics.requirement import Decision
from harness.statistics.share import Interval
from harness.statistics.spending import boundaries, looks

EVERY = 25  # instances between two looks, from `FEWEST` on
EXPLAINED = 0.6  # residual variance over the difference's that looks are planned for, with a history; 1 without
RIDGE = 1e-4  # keeps covariates that say the same apart
FLOOR = 0.5  # over the number of instances: the least variance, as no spread is no certainty


def checkpoint_gate(plan: Plan, done: Mapping[str, Score]) -> Stopped:
    """Where the gate stands on the candidate's outcomes so far; None is what the machine failed on for good.

    It looks at 50, 75, ... and all instances of the plan's order, and only at beginnings of it that are done, so that
    the order in which outcomes come changes nothing. The first look that decides is the last. Raises InputError for
    what is no score, and for instances that are not the plan's.
    """
    candidate, total = prefix(plan, done), len(plan.order)
    if total < FEWEST:
        return _open(plan, f"{total} instances decide nothing; it takes {FEWEST}", len(candidate))
    at = tuple(look for look in looks(total, FEWEST, EVERY) if look <= len(candidate))
    last = _open(plan, f"{len(candidate)} of {total} instances are done, the first look is at {FEWEST}", 0)
    quantiles = _quantiles(total, 1 + bool(plan.earlier), plan.requirement.confidence)[: len(at)]
    against, for_it = (_estimates(known, at, bool(plan.earlier)) for known in sides(plan, candidate))
    for look, quantile, (low, error), (high, other) in zip(at, quantiles, against, for_it, strict=True):
        bounds = turned(plan, low - quantile * error, high + quantile * other)
        decision = plan.requirement.decide(bounds)
        middle = (low + high) / 2 if plan.requirement.at_least else -(low + high) / 2
        last = Stopped(decision, reason(decision, look, total), middle, bounds, look, total)
        if decision is not Decision.NOT_DECIDED:
            break
    return last


def _estimates(known: Sides, at: tuple[int, ...], history: bool) -> list[tuple[float, float]]:
    """(estimate, standard error) of the mean difference after each number of instances.

    The difference estimator, mean_n(d) - beta' (mean_n(g) - mean_N(g)) with d the differences and g the covariates,
    beta by least squares on what was seen; its variance is S_r^2 (1/n - 1/N) + S_d^2 / N, as known covariates of all N
    leave the difference's variance over other instances (Cochran, Sampling Techniques, 1977, sections 7.2-7.4).
    """
    covariates = np.column_stack([known.baseline, known.history] if history else [known.baseline])
    total, width, n = len(covariates), covariates.shape[1], np.array(at, dtype=np.int64)
    done = len(known.candidate)
    values = np.column_stack([known.candidate - known.baseline[:done], covariates[:done]])
    sums, products = (np.cumsum(part, axis=0)[n - 1] for part in (values, values[:, :, None] * values[:, None, :]))
    means = sums / n[:, None]
    moments = (products - n[:, None, None] * means[:, :, None] * means[:, None, :]) / (n - 1)[:, None, None]
    within, along, spread = moments[:, 1:, 1:], moments[:, 1:, :1], moments[:, 0, 0]
    beta = np.linalg.solve(within + RIDGE * np.eye(width), along)
    explained = (np.swapaxes(beta, 1, 2) @ (2 * along - within @ beta))[:, 0, 0]
    residual = (spread - explained) * (n - 1) / (n - 1 - width)
    variance = np.maximum(residual, FLOOR / n) * (1 / n - 1 / total) + np.maximum(spread, FLOOR / n) / total
    moved = ((means[:, 1:] - covariates.mean(axis=0))[:, None, :] @ beta)[:, 0, 0]
    return list(zip((means[:, 0] - moved).tolist(), np.sqrt(variance).tolist(), strict=True))


@lru_cache(maxsize=64)
def _quantiles(total: int, covariates: int, confidence: float) -> tuple[float, ...]:
    """Student's quantiles at the looks' error, spent by the information that was planned for."""
    ratio = EXPLAINED if covariates > 1 else 1.0
    at = looks(total, FEWEST, EVERY)
    information = tuple(1 / (ratio * (1 / look - 1 / total) + 1 / total) for look in at)
    tails = stats.norm.sf(boundaries(information, 1 - confidence))
    found: NDArray[np.float64] = stats.t.isf(tails, np.array(at) - 1 - covariates)
    return tuple(found.tolist())


def _open(plan: Plan, why: str, looked: int) -> Stopped:
    return Stopped(Decision.NOT_DECIDED, why, None, Interval(-1.0, 1.0), looked, len(plan.order))
