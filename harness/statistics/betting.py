"""The gate for the table's claim that may stop early, exact given the shuffle: values in, values out.

Bets on draws without replacement, as in Waudby-Smith and Ramdas, "Confidence sequences for sampling without
replacement" (2020, arXiv 2006.04347) and "Estimating means of bounded random variables by betting" (2024, arXiv
2010.09686), with a control variate from the baseline's and earlier checkpoints' scores as in Shekhar et al. (2023,
arXiv 2305.06884).
"""

from collections.abc import Mapping
from dataclasses import replace
from math import inf, log

import numpy as np

from harness.errors import InputError
from harness.statistics.order import FEWEST, Plan, Sides, Stopped, prefix, reason, sides, turned
from harness.statistics.outcomes import Score
from harness.statistics.paired import Values
from harness.statistics.requirement import Decision
from harness.statistics.share import Interval

BET = 0.5  # the most that is staked, as a share of the wealth for an excess of 1
SAFE = 0.9  # of the stake at which the worst draw would take all
PRIOR = 30.0  # instances that the first predictions, the history's shares, weigh

# second moments of (1, baseline, history) that go with the prior: half of the instances resolved, the shares in accord
_MOMENTS = np.array([[1.0, 0.5, 0.5], [0.5, 0.5, 0.4], [0.5, 0.4, 0.4]])
_HALF = np.array([0.5, 0.0, 0.0])  # weights that predict 1/2
_CORNERS = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])  # all instances lie between


def table_gate(plan: Plan, done: Mapping[str, Score]) -> Stopped:
    """Where the gate stands on the candidate's outcomes so far; None is what the machine failed on for good.

    It looks at 50 instances of the plan's order and after every further one, and only at beginnings of it that are
    done. The first look that decides is the last. Raises InputError for scores other than 0 and 1, and for
    instances that are not the plan's.
    """
    candidate, total = prefix(plan, done), len(plan.order)
    if any(score not in (0, 1, None) for score in (*candidate, *plan.baseline.values())):
        raise InputError(f"{plan.requirement.text}: the table's claim needs one sample of each instance, scored 0 or 1")
    why = f"{len(candidate)} of {total} instances are done, the first look is at {FEWEST}"
    last = Stopped(Decision.NOT_DECIDED, why, None, Interval(-1.0, 1.0), 0, total)
    if total < FEWEST:
        return replace(last, why=f"{total} instances decide nothing; it takes {FEWEST}")
    known = sides(plan, candidate)
    against = _Bettor(known[0], plan.requirement.confidence)
    for_it = against if known[1] is known[0] else _Bettor(known[1], plan.requirement.confidence)
    for look in range(1, len(candidate) + 1):
        against.draw()
        if for_it is not against:
            for_it.draw()
        if look < FEWEST:
            continue
        bounds = turned(plan, against.low, for_it.high)
        decision = plan.requirement.decide(bounds)
        if decision is not Decision.NOT_DECIDED or look == len(candidate):
            middle = (against.estimate + for_it.estimate) / 2 * (1 if plan.requirement.at_least else -1)
            return Stopped(decision, reason(decision, look, total), middle, bounds, look, total)
    return last


class _Bettor:
    """Log wealth of bets on the candidate's total over all instances, for every total at once.

    Against "fewer than T" and "T or more", each a fair game or a losing one if it is true; wealth of 1 / error
    refutes it (Ville 1939).
    """

    def __init__(self, known: Sides, confidence: float) -> None:
        """Take the values in the order of the draws, and the confidence of each of the two bounds."""
        self._known, self._enough = known, -log(1 - confidence)
        self._rows = np.column_stack([np.ones(len(known.baseline)), known.baseline, known.history])
        self._totals = np.arange(len(self._rows) + 1.0)
        self._more, self._fewer = np.zeros(len(self._totals)), np.zeros(len(self._totals))
        self._moments = PRIOR * _MOMENTS + 1e-3 * np.eye(3)
        self._products = self._moments @ np.array([0.0, 0.0, 1.0])
        self._rest, self._drawn, self._seen = self._rows.sum(axis=0), 0, 0.0
        self._least, self._most = 0.0, float(len(self._rows))

    @property
    def low(self) -> float:
        """The lower bound of the candidate's mean less the baseline's."""
        return self._difference(self._least)

    @property
    def high(self) -> float:
        """The upper bound."""
        return self._difference(self._most)

    @property
    def estimate(self) -> float:
        """What was seen and the prediction of the rest, less the baseline's mean."""
        return self._difference(self._seen + float(self._rest @ self._weights()))

    def draw(self) -> None:
        """Bet on the next instance and look at it."""
        row, outcome = self._rows[self._drawn], float(self._known.candidate[self._drawn])
        left, weights = len(self._rows) - self._drawn, self._weights()
        predictions, mean = _CORNERS @ weights, float(self._rest @ weights) / left
        value = outcome - float(row @ weights) + mean  # its mean over the draws is the mean of what is left
        fewer, more = (self._totals - 1 - self._seen) / left, (self._totals - self._seen) / left
        worst, best = mean - predictions.max(), mean + 1 - predictions.min()
        self._more += np.log1p(_stake(fewer - worst) * (value - fewer))
        self._fewer += np.log1p(_stake(best - more) * (more - value))
        self._drawn, self._seen, self._rest = self._drawn + 1, self._seen + outcome, self._rest - row
        self._moments = self._moments + np.outer(row, row)
        self._products = self._products + row * outcome
        self._bound(left - 1)

    def _bound(self, left: int) -> None:
        self._more[self._totals <= self._seen] = inf
        self._fewer[self._totals > self._seen + left] = inf
        self._least = max(self._least, float(self._totals[self._more >= self._enough].max(initial=0.0)))
        fewest = float(self._totals[self._fewer >= self._enough].min(initial=len(self._rows) + 1.0))
        self._most = min(self._most, fewest - 1)

    def _weights(self) -> Values:
        """Least squares on the prior and what was seen, drawn towards 1/2 so far that predictions are shares."""
        weights = np.linalg.solve(self._moments, self._products)
        excess = float(np.abs(_CORNERS @ weights - 0.5).max())
        kept = min(1.0, 0.5 / excess) if excess else 1.0
        shares: Values = weights * kept + _HALF * (1 - kept)
        return shares

    def _difference(self, total: float) -> float:
        return (total - float(self._known.baseline.sum())) / len(self._rows)


def _stake(loss: Values) -> Values:
    """What to stake if the worst draw costs so much of it: `BET`, or less so that some wealth is left."""
    staked: Values = np.minimum(BET, SAFE / np.maximum(loss, 1e-9))
    return staked
