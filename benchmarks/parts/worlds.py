"""Simulated checkpoints on simulated instances, whose true rates are known."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from harness.statistics.outcomes import Cells, Pair, PairedOutcomes

LEVEL = -1.0  # log odds of an instance of middle difficulty: about 40% are resolved
VERIFIED = (231, 75, 44, 34, 32, 22, 22, 19, 10, 8, 2, 1)  # instances of SWE-bench Verified's repositories

Vector = NDArray[np.float64]
_POINTS, _WEIGHTS = np.polynomial.hermite_e.hermegauss(120)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


@dataclass(frozen=True)
class World:
    """What varies, each the standard deviation of a normal law of log odds."""

    difficulty: float = 4.0  # between instances; two equal checkpoints then disagree on a sixth of them
    seeds: float = 0.0  # between trainings of an arm
    luck: float = 0.0  # of one training on one instance
    repositories: float = 0.0  # of the arms' difference, between repositories

    def rate(self, shift: Vector | float) -> Vector:
        """True share of resolved instances of checkpoints whose log odds are shifted by this much."""
        spread = np.hypot(self.difficulty, self.luck)
        rates: Vector = expit(LEVEL + np.asarray(shift)[..., None] + spread * _POINTS) @ _WEIGHTS
        return rates

    def over_trainings(self) -> float:
        """True share over all trainings."""
        return float(self.rate(self.seeds * _POINTS) @ _WEIGHTS)


@lru_cache(maxsize=64)
def shift_of(world: World, difference: float) -> float:
    """The shift of log odds that changes the true rate by this difference."""
    base = float(world.rate(0.0))
    return float(brentq(lambda shift: float(world.rate(shift)) - base - difference, -20, 20)) if difference else 0.0


def scores(random: np.random.Generator, chances: Vector) -> Vector:
    """0 or 1 by these chances."""
    found: Vector = (random.random(chances.shape) < chances).astype(np.float64)
    return found


def draw_arm(
    random: np.random.Generator, world: World, difficulty: Vector, shift: Vector | float, shape: tuple[int, int]
) -> tuple[Vector, Vector]:
    """(scores, shifts): of (instances, seeds, samples), and each seed's own shift, for instances this difficult."""
    seeds, samples = shape
    shifts = world.seeds * random.standard_normal(seeds)
    luck = world.luck * random.standard_normal((len(difficulty), seeds))
    odds = LEVEL + world.difficulty * difficulty[:, None] + np.reshape(shift, (-1, 1)) + shifts + luck
    return scores(random, np.repeat(expit(odds)[:, :, None], samples, axis=2)), shifts


def paired(first: Vector, second: Vector, repositories: Vector | None = None) -> PairedOutcomes:
    """Scores of (instances, seeds, samples) as the comparison takes them; nan becomes what was not graded."""
    names = ["r"] * len(first) if repositories is None else [f"r-{number}" for number in repositories]
    arms = zip(names, _cells(first), _cells(second), strict=True)
    return PairedOutcomes(tuple(Pair(f"i-{number}", *pair) for number, pair in enumerate(arms)))


def _cells(grid: Vector) -> list[Cells]:
    objects = np.where(np.isnan(grid), None, grid.astype(object)) if np.isnan(grid).any() else grid
    return [tuple(map(tuple, seeds)) for seeds in objects.tolist()]
