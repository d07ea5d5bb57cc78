"""Intervals of a rate, and pass@k."""

from math import comb

import pytest
from statsmodels.stats.proportion import proportion_confint

from harness.statistics.share import pass_at_k, ungraded_bounds, wilson


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # by the formula (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n), z = 1.959964
    [(0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (1, 4, 0.04559, 0.69936), (81, 263, 0.25533, 0.36621)],
)
def test_wilson(successes: int, trials: int, low: float, high: float) -> None:
    found = wilson(successes, trials)
    assert found.low == pytest.approx(low, abs=1e-4)
    assert found.high == pytest.approx(high, abs=1e-4)


def test_wilson_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="n"):
        wilson(0, 0)


def test_wilson_is_that_of_statsmodels() -> None:
    for successes, trials in ((0, 7), (3, 7), (120, 500)):
        assert wilson(successes, trials, 0.9) == pytest.approx(
            proportion_confint(successes, trials, alpha=0.1, method="wilson"), abs=1e-12
        )


def test_the_bounds_of_a_share_are_all_ungraded_failed_and_all_succeeded() -> None:
    assert ungraded_bounds(2, 3, 10) == (0.2, 0.5)
    assert ungraded_bounds(2, 0, 10) == (0.2, 0.2)
    for wrong in ((0, 0, 0), (2, 3, 4), (0, -1, 4)):
        with pytest.raises(ValueError, match="ungraded"):
            ungraded_bounds(*wrong)


def test_pass_at_k_is_the_share_of_draws_that_hold_a_resolving_one():
    assert pass_at_k(5, 2, 3) == pytest.approx(1 - 1 / 10)
    assert pass_at_k(4, 1, 1) == 0.25
    assert (pass_at_k(4, 0, 4), pass_at_k(4, 1, 4)) == (0.0, 1.0)
    n, c, k = 9, 3, 4
    assert pass_at_k(n, c, k) == pytest.approx(sum(comb(c, i) * comb(n - c, k - i) for i in range(1, k)) / comb(n, k))
    with pytest.raises(ValueError, match="pass@3"):
        pass_at_k(2, 1, 3)
