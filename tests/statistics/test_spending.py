"""Boundaries of repeated looks, held against the normal law in several dimensions."""

import numpy as np
import pytest
from scipy import stats

from harness.statistics.spending import boundaries, looks


@pytest.mark.parametrize("information", [(0.2, 0.4, 0.7, 1.0), (3.0, 10.0, 11.0)])
@pytest.mark.parametrize("error", [0.05, 0.01])
def test_by_each_look_as_much_is_spent_as_the_square_of_the_information(information, error):
    """Correlations of a score process: the root of the ratio of the information."""
    found, amounts = boundaries(information, error), np.array(information)
    correlation = np.sqrt(np.minimum.outer(amounts, amounts) / np.maximum.outer(amounts, amounts))
    for count in range(1, len(found) + 1):
        law = stats.multivariate_normal(
            np.zeros(count), correlation[:count, :count], seed=1, maxpts=400_000, abseps=1e-6
        )
        kept = law.cdf(np.array(found[:count]))
        spent = error * (amounts[count - 1] / amounts[-1]) ** 2
        assert 1 - kept == pytest.approx(spent, abs=2e-5)


def test_a_single_look_is_the_plain_test():
    assert boundaries((7.0,), 0.05) == pytest.approx((stats.norm.ppf(0.95),))


def test_many_looks_are_still_exact():
    """Twenty looks at a random walk."""
    steps = np.random.default_rng(0).standard_normal((100_000, 20)).cumsum(axis=1) / np.sqrt(np.arange(1, 21))
    crossed = (steps > boundaries(tuple(map(float, range(1, 21))), 0.05)).any(axis=1)
    assert crossed.mean() == pytest.approx(0.05, abs=0.0025)


def test_where_a_gate_looks():
    assert looks(500, 50, 25) == (*range(50, 500, 25), 500)
    assert looks(50, 50, 25) == (50,)
    assert looks(60, 50, 25) == (50, 60)
    assert looks(49, 50, 25) == ()
