"""Boundaries of a test that looks several times: values in, values out."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq

POWER_OF_TIME = 2  # of the information fraction by which the error is spent
_NODES, _REACH = 256, 8.0  # of the quadrature, and its lower end in standard deviations
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(_NODES)

Vector = NDArray[np.float64]


@lru_cache(maxsize=64)
def boundaries(information: tuple[float, ...], error: float) -> tuple[float, ...]:
    """One-sided boundaries of the z statistic at looks with this much (rising) information.

    By each look, error x (information / last information)^2 is spent: Lan and DeMets, Biometrika 70 (1983) 659-663,
    with the power family of Kim and DeMets, Biometrika 74 (1987) 149-154. The law of the score process, which has
    independent normal increments, is integrated from look to look over what has not crossed (Armitage, McPherson and
    Rowe, Journal of the Royal Statistical Society A 132 (1969) 235-244).
    """
    fractions = np.array(information) / information[-1]
    spent = error * fractions**POWER_OF_TIME
    found: list[float] = []
    points, masses = np.zeros(1), np.ones(1)  # the score process before the first look
    steps, targets = np.diff(fractions, prepend=0.0), np.diff(spent, prepend=0.0)
    for spread, step, target in zip(np.sqrt(fractions), np.sqrt(steps), targets, strict=True):
        edge = _edge(points, masses, step, spread, target)
        found.append(edge / float(spread))
        points, masses = _carried(points, masses, step, -_REACH * spread, edge)
    return tuple(found)


def _edge(points: Vector, masses: Vector, step: float, spread: float, target: float) -> float:
    """The value that the score process exceeds with chance ``target`` after its next step."""

    def excess(edge: float) -> float:
        return float(masses @ stats.norm.sf((edge - points) / step)) - target

    return float(brentq(excess, -_REACH * spread, 2 * _REACH * spread, xtol=1e-12))


def _carried(points: Vector, masses: Vector, step: float, low: float, high: float) -> tuple[Vector, Vector]:
    """The process after a step, on quadrature points between the two ends."""
    after = low + (high - low) * (_POINTS + 1) / 2
    density = stats.norm.pdf((after[:, None] - points[None, :]) / step) @ masses / step
    return after, density * _WEIGHTS * (high - low) / 2


def looks(total: int, first: int, step: int) -> tuple[int, ...]:
    """Numbers of instances to look at: ``first``, then every ``step``, and all; none for fewer than ``first``."""
    return (*range(first, total, step), total) if total >= first else ()
