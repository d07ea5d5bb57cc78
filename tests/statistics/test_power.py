"""Detectable differences and needed samples, held against statsmodels and against the variance they promise."""

import pytest
from statsmodels.stats.power import NormalIndPower, TTestPower

from harness.statistics.power import POWER, detectable, samples_needed


def test_what_is_detectable_is_found_as_often_as_said():
    """The usual sum of quantiles is near the power of the noncentral t, from tens of instances on."""
    for count in (30, 300):
        size = detectable(1 / count**0.5, count - 1, 0.975)  # in standard deviations
        assert TTestPower().power(size, count, 0.05) == pytest.approx(POWER, abs=0.01)


def test_samples_are_as_many_as_bring_the_error_down():
    within, between, instances, gap = 0.3, 0.05, 300, 0.05
    count = samples_needed(within, between, instances, gap, 0.95)

    def power(samples):
        spread = (between + within / samples) ** 0.5
        return NormalIndPower().power(gap / spread, instances, 0.05, ratio=0, alternative="larger")

    assert power(count) >= POWER > power(count - 1)


def test_no_number_of_samples_makes_up_for_too_few_instances():
    assert samples_needed(0.3, 0.05, 50, 0.02, 0.95) is None
    assert samples_needed(0.0, 0.0, 50, 0.02, 0.95) == 1
