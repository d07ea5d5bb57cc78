"""The wild cluster bootstrap, held against a plain one and against simulated repositories."""

from itertools import product

import numpy as np
import pytest

from harness.statistics.cluster import WildBootstrap, other_clusters

VERIFIED = (231, 75, 44, 34, 32, 22, 22, 19, 10, 8, 2, 1)  # instances of its repositories


def plain_p(differences, clusters, null):
    """The same test, instance by instance and sign by sign."""
    names = sorted(set(clusters))

    def statistic(values):
        residuals = values - values.mean()
        sums = [residuals[[c == name for c in clusters]].sum() for name in names]
        return abs(values.mean() - null) / np.sqrt(np.square(sums).sum())

    seen, reached = statistic(differences), []
    for signs in product((1, -1), repeat=len(names)):
        sign = dict(zip(names, signs, strict=True))
        drawn = null + np.array([sign[c] for c in clusters]) * (differences - null)
        reached.append(statistic(drawn) >= seen * (1 - 1e-9))
    return np.mean(reached)


@pytest.mark.parametrize("null", [0.0, 0.1, -0.3])
def test_the_bootstrap_is_the_plain_one(null):
    random = np.random.default_rng(0)
    clusters = [name for name, size in zip("abcdef", (9, 7, 4, 3, 2, 1), strict=True) for _ in range(size)]
    differences = random.choice([-1.0, 0.0, 1.0], len(clusters))
    assert WildBootstrap(differences, clusters).p(null) == pytest.approx(plain_p(differences, clusters, null))


def test_the_interval_is_what_the_test_keeps():
    random = np.random.default_rng(1)
    clusters = [str(number % 9) for number in range(120)]
    differences = random.choice([-1.0, 0.0, 0.0, 1.0], 120)
    low, high = (bootstrap := WildBootstrap(differences, clusters)).interval(0.95)
    assert low < differences.mean() < high
    for inside, outside in ((low + 1e-4, low - 1e-4), (high - 1e-4, high + 1e-4)):
        assert bootstrap.p(inside) > 0.05 >= bootstrap.p(outside)


def test_repositories_that_differ_are_no_difference_of_arms():
    """The t test of instances finds one in a third of such tables, this one in a twentieth."""
    random, found = np.random.default_rng(2), []
    clusters = [str(number) for number, size in enumerate(VERIFIED) for _ in range(size)]
    for _ in range(400):
        means = np.repeat(0.06 * random.standard_normal(len(VERIFIED)), VERIFIED)
        differences = np.sign(random.random(len(clusters)) - 0.5 + means) * (random.random(len(clusters)) < 0.2)
        found.append(WildBootstrap(differences, clusters).p(0.0) <= 0.05)
    assert np.mean(found) < 0.08


def test_too_few_repositories_and_no_spread_say_nothing():
    clusters = [str(number % 6) for number in range(60)]
    assert other_clusters(np.zeros(60), clusters, 0.95) is None
    assert other_clusters(np.arange(60.0) / 60, [str(number % 5) for number in range(60)], 0.95) is None
    many = other_clusters(np.tile([0.0, 1.0], 30), [str(number % 20) for number in range(60)], 0.95)
    assert many.clusters == 20
