"""Effect sizes against the distributions and published values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from facearray.stats.kernels.effects import effect_size


@pytest.mark.parametrize(("d", "df", "n"), [(0.5, 38, 10), (-3.0, 6, 7), (0.0, 18, 5), (2.5, 18, 5)])
def test_effect_size__limits_put_the_statistic_at_the_quantiles(d, df, n):
    effect = effect_size(np.array(d), np.array(df), np.array(n), level=0.9)
    t = d * np.sqrt(n)
    assert stats.nct.cdf(t, df, effect.ci_low * np.sqrt(n)) == pytest.approx(0.95, abs=1e-5)
    assert stats.nct.cdf(t, df, effect.ci_high * np.sqrt(n)) == pytest.approx(0.05, abs=1e-5)


def test_effect_size__interval_is_symmetric_around_no_effect():
    effect = effect_size(np.array(0.0), np.array(18), np.array(5))
    assert effect.ci_low == pytest.approx(-effect.ci_high)


@pytest.mark.parametrize("df", [2, 10, 30, 300])
def test_effect_size__g_is_unbiased(df):
    """The mean of d = T / sqrt(n) over the noncentral t distribution, times the factor, is the true effect."""
    true, n = 0.7, 8
    root = np.sqrt(n)
    mean = stats.nct.mean(df, true * root) / root
    assert mean > true
    assert effect_size(np.array(mean), np.array(df), np.array(n)).g == pytest.approx(true, rel=1e-4)


def test_effect_size__nan_and_no_degrees_of_freedom():
    effect = effect_size(np.array([np.nan, 1.0, 1.0]), np.array([5.0, 0.0, 1.0]), np.array([4.0, 4.0, 4.0]))
    assert np.isnan(effect.d[:2]).all()
    assert np.isnan(effect.ci_low[:2]).all()
    assert np.isnan(effect.g).all()
    assert effect.d[2] == 1
