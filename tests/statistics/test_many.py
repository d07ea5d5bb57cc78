"""Holm's correction."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from harness.statistics.many import holm


def test_holm_is_holms():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_is_that_of_statsmodels():
    values = np.random.default_rng(0).random(20) ** 3
    assert holm(values.tolist()) == pytest.approx(multipletests(values, method="holm")[1])
