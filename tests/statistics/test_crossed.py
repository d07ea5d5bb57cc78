"""The crossed statistics: against values worked out otherwise, and against what crossed random effects do."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from harness.statistics import crossed as module
from harness.statistics.crossed import RESAMPLES, Resampler, crossed_difference, estimate

SEEDS, INSTANCES = 5, 40


def crossed(random, between_seeds, between_instances, noise, arms=2):
    """Scores of arms without a true difference: instances shared by the arms, seeds and the instances' answer to
    an arm its own."""
    return [
        0.5
        + between_seeds * random.standard_normal((SEEDS, 1))
        + between_instances * random.standard_normal((1, INSTANCES))
        + noise * random.standard_normal((SEEDS, INSTANCES))
        for _ in range(arms)
    ]


@pytest.fixture(scope="module")
def resampler():
    return Resampler(INSTANCES)


@pytest.fixture
def quick(monkeypatch):
    """One of fewer draws, for simulations that look at p values."""
    monkeypatch.setattr(module, "RESAMPLES", 300)
    return Resampler(INSTANCES)


def test_the_seeds_interval_is_the_textbooks(resampler):
    scores = np.random.default_rng(0).random((SEEDS, INSTANCES))
    found = estimate(resampler, scores, 0)
    low, high = stats.t.interval(0.95, SEEDS - 1, scores.mean(), stats.sem(scores.mean(axis=1)))
    assert found.mean == pytest.approx(scores.mean())
    assert found.half_width == pytest.approx((high - low) / 2)
    assert found.seed_means == pytest.approx(tuple(scores.mean(axis=1)))


def test_the_bootstrap_takes_in_both_instances_and_seeds(resampler):
    """Resampling the instances alone would give the second matrix no width, the seeds alone the first none."""
    random = np.random.default_rng(1)
    for scores in (
        np.tile(random.random((1, INSTANCES)), (SEEDS, 1)),
        np.tile(random.random((SEEDS, 1)), (1, INSTANCES)),
    ):
        axis = 0 if scores[0].std() else 1
        draws = resampler.means(scores, 0)
        sample = scores.mean(axis=axis)
        assert draws.std() == pytest.approx(sample.std() / np.sqrt(len(sample)), rel=0.05)
        assert len(draws) == RESAMPLES


@pytest.mark.parametrize(
    ("between_seeds", "between_instances", "least", "most"), [(0.1, 0, 0.8, 0.91), (0.05, 0.16, 0.87, 0.97)]
)
def test_how_often_the_bootstrap_covers_the_truth(quick, between_seeds, between_instances, least, most):
    """Less often than it says, above all where five seeds are all that varies: the study's page says so."""
    random = np.random.default_rng(3)
    found = [estimate(quick, crossed(random, between_seeds, between_instances, 0.02)[0], 0) for _ in range(200)]
    assert least <= np.mean([one.bootstrap.low <= 0.5 <= one.bootstrap.high for one in found]) <= most


def test_only_the_crossed_test_keeps_its_level_where_instances_and_seeds_both_vary(quick):
    """A test that held seeds or instances fixed would find differences between arms that have none."""
    random = np.random.default_rng(2)
    found = [crossed_difference(quick, *crossed(random, 0.05, 0.16, 0.02), (0, 1)) for _ in range(200)]
    assert np.mean([difference.p < 0.05 for difference in found]) <= 0.05
    assert np.mean([difference.p_instances < 0.05 for difference in found]) > 0.09
    assert np.mean([difference.p_seeds < 0.05 for difference in found]) > 0.09
    covered = [difference.interval.low <= 0 <= difference.interval.high for difference in found]
    assert covered == [difference.p >= 0.05 for difference in found]


def test_a_true_difference_as_large_as_detectable_is_found_as_often_as_said(quick):
    """With variance from seeds alone, counted once; what is counted twice makes the test more careful."""
    random = np.random.default_rng(3)
    size = 0.1
    found = []
    for _ in range(200):
        first, other = crossed(random, 0.05, 0.0, 0.01)
        found.append(crossed_difference(quick, first + size, other, (0, 1)))
    detectable = np.median([difference.detectable(0.05) for difference in found])
    power = np.mean([difference.p < 0.05 for difference in found])
    assert detectable == pytest.approx(size, rel=0.15)
    assert 0.7 < power < 0.92


def test_the_seed_test_is_exact(resampler):
    """Five seeds above five others: one of 252 ways to share them out, or two for both sides."""
    first = np.linspace(0.6, 0.7, SEEDS)[:, None] * np.ones((1, INSTANCES))
    other = np.linspace(0.3, 0.4, SEEDS)[:, None] * np.ones((1, INSTANCES))
    assert crossed_difference(resampler, first, other, (0, 1)).p_seeds == pytest.approx(2 / 252)


def test_ties_count_as_reached(resampler):
    """Floats alone would tell some ways to share these means out from what is seen, which they equal."""
    counts = (290, 250, 245, 291, 241), (272, 244, 257, 268, 265)
    first, other = (np.array(numbers)[:, None] / 600 * np.ones((1, INSTANCES)) for numbers in counts)
    assert crossed_difference(resampler, first, other, (0, 1)).p_seeds == pytest.approx(exact_p(*counts))


def exact_p(first, other):
    """Two-sided p over every way to share whole numbers out, as scipy doubles the smaller tail."""
    everything, seen = (*first, *other), sum(first) - sum(other)
    ways = [2 * sum(chosen) - sum(everything) for chosen in combinations(everything, len(first))]
    tails = (sum(way <= seen for way in ways), sum(way >= seen for way in ways))
    return min(1, 2 * min(tails) / len(ways))


def test_the_sign_test_agrees_with_scipy(resampler):
    differences = np.random.default_rng(4).normal(0.03, 0.1, INSTANCES)
    wanted = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=RESAMPLES, random_state=0, vectorized=True
    )
    assert resampler.sign_test(differences) == pytest.approx(wanted.pvalue, abs=0.015)


def test_equal_arms_differ_by_nothing(resampler):
    scores = np.ones((SEEDS, INSTANCES))
    found = crossed_difference(resampler, scores, scores, (0, 1))
    assert (found.mean, found.p, found.p_instances, found.p_seeds) == (0, 1, 1, 1)
    assert crossed_difference(resampler, scores, 0 * scores, (0, 1)).p == 0


def test_a_single_seed_gives_no_p_over_seeds(resampler):
    scores = np.random.default_rng(5).random((1, INSTANCES))
    found = crossed_difference(resampler, scores, scores / 2, (0, 1))
    assert (found.p, found.p_seeds, found.interval, found.detectable(0.05)) == (None, None, None, None)
    assert found.p_instances < 0.001
    assert estimate(resampler, scores, 0).half_width is None
