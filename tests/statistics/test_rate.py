"""The interval of one arm's mean, against scipy and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.statistics.rate import rate
from harness.statistics.share import wilson


def test_one_sample_is_wilsons():
    found = rate(np.array([1.0] * 21 + [0.0] * 279).reshape(-1, 1, 1))
    assert (found.method, found.value, found.interval) == ("wilson", 0.07, wilson(21, 300))


def test_means_take_students_t_which_scipy_has_but_for_the_instance_that_is_kept():
    values = np.random.default_rng(1).choice([0, 1 / 3, 2 / 3, 1], 400)
    found = rate(values.reshape(-1, 1, 1))
    low, high = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert found.method == "t"
    assert found.interval == pytest.approx((low, high), abs=5e-4)
    assert found.interval.high - found.interval.low > high - low


def test_three_seeds_are_sampled_as_well():
    grid = np.zeros((50, 3, 1))
    grid[:10], grid[:, 2] = 1.0, 1.0  # one seed resolves everything
    found = rate(grid)
    assert (found.method, found.seeds) == ("seeds-t", (0.2, 0.2, 1.0))
    assert rate(grid[:, :2]).method == "t"
    assert found.interval.low == 0.0


def test_what_was_not_graded_fails_and_its_bound_says_what_it_could_be():
    found = rate(np.array([1.0, 0.0, np.nan, np.nan]).reshape(-1, 1, 1))
    assert (found.value, found.bounds) == (0.25, (0.25, 0.75))


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0, float("nan")]), min_size=1, max_size=30))
def test_the_value_lies_in_its_interval_and_that_between_0_and_1(scores):
    found = rate(np.array(scores).reshape(-1, 1, 1))
    low, high = found.interval
    assert 0 <= low <= found.value + 1e-9
    assert found.value <= high + 1e-9
    assert high <= 1
    assert found.bounds.low <= found.bounds.high


@pytest.mark.parametrize("seeds", [1, 3, 5])
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds):
    """Instances and trainings both vary; with one seed its own weights' true rate is what is covered."""
    random, covered, runs = np.random.default_rng(seeds), 0, 600
    for _ in range(runs):
        chance = random.beta(0.6, 1.4, 150)
        shifts = random.normal(0, 0.06 if seeds > 1 else 0.0, seeds)
        chances = np.clip(chance[:, None, None] + shifts[None, :, None], 0, 1)
        grid = (random.random((150, seeds, 3)) < chances).astype(float).mean(axis=2, keepdims=True)
        low, high = rate(grid).interval
        covered += low <= 0.3 <= high
    assert 0.92 <= covered / runs <= 0.995
