"""Bounds and tests of a paired difference, held against other ways to work them out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.weightstats import DescrStatsW

from harness.statistics.paired import (
    Discordance,
    error_of_mean,
    exact_mcnemar,
    t_bounds,
    t_p,
    tango_bounds,
    tango_p,
    tango_score,
)


def table(seen):
    return [[0, seen.first], [seen.second, seen.instances - seen.first - seen.second]]


def numeric_score(seen, difference):
    """Tango's statistic with the maximum of the likelihood found by search, not by the formula."""

    def loss(share):  # that the first alone resolves; the second alone: share + difference
        cells = (share, share + difference, 1 - 2 * share - difference)
        counts = (seen.first, seen.second, seen.instances - seen.first - seen.second)
        return -sum(count * np.log(max(cell, 1e-300)) for count, cell in zip(counts, cells, strict=True))

    edges = max(0.0, -difference), (1 - difference) / 2
    share = optimize.minimize_scalar(loss, bounds=edges, method="bounded", options={"xatol": 1e-12}).x
    variance = seen.instances * (2 * share + difference - difference**2)
    return (seen.second - seen.first - seen.instances * difference) / np.sqrt(variance)


@pytest.mark.parametrize("seen", [Discordance(3, 9, 40), Discordance(30, 12, 300), Discordance(1, 7, 21)])
@pytest.mark.parametrize("difference", [-0.2, -0.05, 0.0, 0.03, 0.3])
def test_tangos_score_is_taken_at_the_maximum_of_the_likelihood(seen, difference):
    assert tango_score(seen, difference) == pytest.approx(numeric_score(seen, difference), abs=1e-4)


def test_tangos_interval_of_a_published_example():
    """Airway hyper-responsiveness before and after a transplantation, 1 of 21 before alone and 7 after alone.

    Bentur et al. 2009, as worked out by Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014) 2850-2875.
    """
    assert tango_bounds(Discordance(7, 1, 21), 0.975) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_tangos_interval_without_discordance_has_a_closed_form():
    z = stats.norm.ppf(0.975)
    assert tango_bounds(Discordance(0, 0, 50), 0.975)[1] == pytest.approx(z**2 / (50 + z**2))


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.8, 0.95, 0.99]))
def test_tangos_bounds_are_ordered_mirrored_and_in_accord_with_p(first, second, rest, confidence):
    seen = Discordance(first, second, first + second + rest + 1)
    low, high = tango_bounds(seen, confidence)
    estimate = (second - first) / seen.instances
    assert -1 <= low <= estimate <= high <= 1
    assert low < high
    assert tango_bounds(Discordance(second, first, seen.instances), confidence) == pytest.approx((-high, -low))
    if abs(tango_p(seen) - 2 * (1 - confidence)) > 1e-6:
        assert (low > 0 or high < 0) == (tango_p(seen) < 2 * (1 - confidence))


def test_mcnemars_tests_are_those_of_statsmodels():
    for seen in (Discordance(3, 9, 40), Discordance(8, 8, 40), Discordance(0, 5, 30), Discordance(21, 40, 500)):
        assert exact_mcnemar(seen) == pytest.approx(mcnemar(table(seen), exact=True).pvalue)
        assert tango_p(seen) == pytest.approx(mcnemar(table(seen), exact=False, correction=False).pvalue)
    assert exact_mcnemar(Discordance(0, 0, 9)) == tango_p(Discordance(0, 0, 9)) == 1.0


def test_t_is_the_textbooks_with_an_instance_kept_of_the_two_signs_together():
    differences = np.random.default_rng(0).choice([-1.0, -0.5, 0.0, 0.5, 1.0], 60)
    count, textbook = len(differences), DescrStatsW(differences)
    variance = textbook.std_mean**2 + 1 / (count - 1) / count
    error = error_of_mean(differences)
    assert error == pytest.approx(np.sqrt(variance))
    estimate = differences.mean()
    low, high = t_bounds(estimate, textbook.std_mean, count - 1, 0.975)
    assert (low, high) == pytest.approx(textbook.tconfint_mean(0.05))
    assert t_p(estimate, textbook.std_mean, count - 1) == pytest.approx(textbook.ttest_mean(0.0)[1])


def test_equal_differences_are_no_certainty():
    assert error_of_mean(np.zeros(20)) == pytest.approx(np.sqrt(1 / 19 / 20))
