"""Effective sample sizes: equal to their definition, and right for processes whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from facearray.stats.kernels.autocorrelation import effective_size


def ar1(rng: np.random.Generator, rho: float, n_series: int, n_time: int) -> np.ndarray:
    noise = rng.standard_normal((n_series, n_time))
    x = noise.copy()
    for t in range(1, n_time):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * noise[:, t]
    return x


def by_definition(x: np.ndarray) -> float:
    """The same with sums over lags."""
    there = ~np.isnan(x)
    n, d = there.sum(), np.where(there, x - np.nanmean(x), 0)
    r = [sum(d[t] * d[t + k] for t in range(len(d) - k)) / (d @ d) for k in range(len(d))] + [0]
    total = 0.0
    for k in range(0, len(d), 2):
        if r[k] + r[k + 1] <= 0:
            break
        total += r[k] + r[k + 1]
    return n / max(1, 2 * total - 1)


@pytest.mark.parametrize("n_time", [2, 3, 24, 101])
@pytest.mark.parametrize("missing", [0, 0.3])
def test_effective_size__equals_its_definition(n_time, missing):
    rng = np.random.default_rng(n_time)
    x = ar1(rng, 0.7, 20, n_time)
    x[rng.random(x.shape) < missing] = np.nan
    x = x[(~np.isnan(x)).sum(axis=1) > 1]
    np.testing.assert_allclose(effective_size(x), [by_definition(row) for row in x], rtol=1e-9)


def test_effective_size__does_not_depend_on_padding_offset_or_scale():
    x = ar1(np.random.default_rng(0), 0.5, 5, 40)
    wanted = effective_size(x)
    np.testing.assert_allclose(effective_size(np.pad(x, ((0, 0), (0, 33)), constant_values=np.nan)), wanted)
    np.testing.assert_allclose(effective_size(1000 - 3 * x), wanted)


def test_effective_size__nothing_to_estimate_from():
    x = np.array([[0.1] * 5, [1, np.nan, np.nan, np.nan, np.nan], [np.nan] * 5])
    assert np.isnan(effective_size(x)).all()


@pytest.mark.parametrize(("rho", "low", "high"), [(0, 0.034, 0.066), (0.5, 0.034, 0.066), (0.9, 0.034, 0.07)])
def test_effective_size__standard_errors_of_long_series_are_right(rho, low, high):
    from scipy import stats

    x = ar1(np.random.default_rng(1), rho, 2000, 1800)
    n_eff = effective_size(x)
    sem = np.sqrt(x.var(axis=1) / (n_eff - 1))
    rejected = np.abs(x.mean(axis=1) / sem) > stats.t.ppf(0.975, n_eff - 1)
    # three binomial standard errors of 2,000 series about .05
    assert low <= rejected.mean() <= high
    exact = 1800 / (1 + 2 * sum((1 - k / 1800) * rho**k for k in range(1, 1800)))
    assert np.median(n_eff) == pytest.approx(exact, rel=0.08)


def test_effective_size__of_short_series_is_too_large():
    x = ar1(np.random.default_rng(2), 0.9, 2000, 24)
    assert np.median(effective_size(x)) > 2 * 24 / (1 + 2 * sum((1 - k / 24) * 0.9**k for k in range(1, 24)))
