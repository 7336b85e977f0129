"""Permutation tests against brute force and scipy."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from facearray.stats.kernels import resampling
from facearray.stats.kernels.resampling import (
    FreedmanLane,
    Labels,
    Orders,
    SignFlip,
    Signs,
    Slope,
    TwoSample,
    permutation_test,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def rows(arrangements) -> list[tuple]:
    return [tuple(row) for chunk in arrangements.all() for row in chunk]


@pytest.mark.parametrize(
    "arrangements",
    [
        Signs(5),
        Orders(5),
        Orders(6, np.array([1, 0, 1, 0, 1, 1])),
        Labels(np.array([1.0, 0, 0, 1, 0, 0, 0])),
        Labels(np.array([1.0, 0, 1, 1, 0, 1, 1])),
        Labels(np.array([1.0, 0, 0, 1, 0, 0, 0]), np.array([0, 0, 0, 1, 1, 1, 1])),
        Labels(np.array([1.0, 0, 2, 5])),
        Labels(np.array([1.0, 0, 1, 0]), np.array([0, 1, 0, 1])),
    ],
)
def test_arrangements__all_are_there_once_and_draws_are_among_them(arrangements, rng):
    listed = rows(arrangements)
    assert len(listed) == len(set(listed)) == arrangements.count()
    drawn = {tuple(row) for row in arrangements.draw(rng, 200)}
    assert drawn <= set(listed)
    if arrangements.count() < 50:
        assert drawn == set(listed)


def test_arrangements__the_first_question_of_the_field_is_enumerated():
    assert Labels(np.repeat([0.0, 1.0], 10)).count() == 184_756 <= resampling.MAX_ARRANGEMENTS
    assert Labels(np.repeat([0.0, 1.0], 500_000)).count() > resampling.MAX_ARRANGEMENTS
    assert Orders(10**6).count() > resampling.MAX_ARRANGEMENTS
    assert Signs(10**6).count() > resampling.MAX_ARRANGEMENTS


def test_arrangements__draws_are_uniform(rng):
    drawn = Orders(4).draw(rng, 24_000)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert stats.chisquare(counts).pvalue > 1e-3
    assert len(counts) == 24


@pytest.mark.parametrize("equal_var", [True, False])
def test_two_sample__exact_is_scipy(rng, equal_var):
    y, x = rng.normal(size=(9, 2)), np.repeat([1.0, 0.0], [4, 5])
    statistic = TwoSample(y, equal_var)
    result = permutation_test(statistic, statistic(x[None])[0], Labels(x), n_permutations=0)
    assert result.exact
    assert result.n_arrangements == math.comb(9, 4)
    for i in range(2):
        theirs = stats.permutation_test(
            (y[:4, i], y[4:, i]),
            lambda a, b, axis: np.abs(stats.ttest_ind(a, b, axis=axis, equal_var=equal_var).statistic),
            alternative="greater",
            vectorized=True,
            n_resamples=np.inf,
        )
        assert result.p[i] == pytest.approx(theirs.pvalue)


def test_two_sample__statistic_is_scipy_with_missing_values(rng):
    y = rng.normal(size=(12, 3)) + 5
    y[2, 1] = y[9, 2] = np.nan
    x = np.repeat([1.0, 0.0], [5, 7])
    for equal_var in (True, False):
        theirs = stats.ttest_ind(y[:5], y[5:], equal_var=equal_var, nan_policy="omit").statistic
        np.testing.assert_allclose(TwoSample(y, equal_var)(x[None])[0], np.abs(theirs))


def test_sign_flip__exact_is_brute_force(rng):
    y = rng.normal(size=(7, 2)) + 0.5
    statistic = SignFlip(y)
    result = permutation_test(statistic, statistic(np.ones((1, 7)))[0], Signs(7), n_permutations=0)
    flips = np.array(list(itertools.product([-1, 1], repeat=7)))
    t = np.array([np.abs(stats.ttest_1samp(s[:, None] * y, 0).statistic) for s in flips])
    observed = np.abs(stats.ttest_1samp(y, 0).statistic)
    np.testing.assert_allclose(result.p, (t >= observed - 1e-9).mean(axis=0))
    np.testing.assert_allclose(result.p_max, (t.max(axis=1)[:, None] >= observed - 1e-9).mean(axis=0))


def test_slope__is_statsmodels_with_missing_values(rng):
    y, x = rng.normal(size=(15, 2)), rng.normal(size=15)
    y[4, 1] = np.nan
    t = Slope(y)(np.stack([x, x[::-1]]))
    for row, values in enumerate((x, x[::-1])):
        for i in range(2):
            fit = sm.OLS(y[:, i], sm.add_constant(values), missing="drop").fit()
            assert t[row, i] == pytest.approx(abs(fit.tvalues[1]))


def test_freedman_lane__exact_is_brute_force(rng):
    y, x, z = rng.normal(size=(6, 2)), rng.normal(size=6), sm.add_constant(rng.normal(size=6))
    y[:, 1] += x
    y[3, 1] = np.nan
    statistic = FreedmanLane(y, x, z)
    observed = statistic(np.arange(6)[None])[0]
    result = permutation_test(statistic, observed, Orders(6), n_permutations=0)
    for i in range(2):
        there = ~np.isnan(y[:, i])
        yi, xi, zi = y[there, i], x[there], z[there]
        null, design = sm.OLS(yi, zi).fit(), np.column_stack([zi, xi])
        t = [
            abs(sm.OLS(null.fittedvalues + null.resid[list(order)], design).fit().tvalues[2])
            for order in itertools.permutations(range(there.sum()))
        ]
        assert observed[i] == pytest.approx(abs(sm.OLS(yi, design).fit().tvalues[2]))
        assert result.p[i] == pytest.approx(np.mean(np.array(t) >= observed[i] - 1e-9))


def test_permutation_test__draws_are_the_same_for_any_chunk_and_come_near_the_exact_p(rng, monkeypatch):
    y, x = rng.normal(size=(12, 3)) + np.repeat([0.8, 0.0], 6)[:, None], np.repeat([1.0, 0.0], 6)
    statistic = TwoSample(y)
    observed = statistic(x[None])[0]
    exact = permutation_test(statistic, observed, Labels(x), n_permutations=0)
    monkeypatch.setattr(resampling, "MAX_ARRANGEMENTS", 1)
    one, same, other = (
        permutation_test(statistic, observed, Labels(x), n_permutations=2000, seed=s) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.p, same.p)
    assert (one.p != other.p).any()
    assert one.n_arrangements == 2000
    np.testing.assert_allclose(one.p, exact.p, atol=0.04)
    np.testing.assert_allclose(one.p_max, exact.p_max, atol=0.04)
    assert one.p_min == 1 / 2001
    assert exact.p_min == 1 / 924


def test_permutation_test__a_dask_client_changes_nothing(rng, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(resampling, "MAX_ARRANGEMENTS", 1)
    y, x = rng.normal(size=(12, 2)), np.repeat([1.0, 0.0], 6)
    statistic = TwoSample(y)
    observed = statistic(x[None])[0]
    alone = permutation_test(statistic, observed, Labels(x), n_permutations=700)
    with distributed.Client(processes=False, n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        shared = permutation_test(statistic, observed, Labels(x), n_permutations=700, client=client)
    np.testing.assert_array_equal(alone.p, shared.p)
    np.testing.assert_array_equal(alone.p_max, shared.p_max)
    assert shared.n_arrangements == 700


def test_permutation_test__an_outcome_without_a_statistic_is_left_out(rng):
    y, x = rng.normal(size=(8, 2)), np.repeat([1.0, 0.0], 4)
    statistic = TwoSample(y)
    observed = statistic(x[None])[0]
    result = permutation_test(statistic, np.array([observed[0], np.nan]), Labels(x), n_permutations=0)
    assert np.isnan(result.p[1])
    assert np.isnan(result.p_max[1])
    assert result.p_max[0] == result.p[0]


def test_permutation_test__undefined_statistics_count_as_larger():
    y = np.array([[5.0], [5.5], [1.0], [np.nan], [np.nan], [2.0]])
    x = np.repeat([1.0, 0.0], 3)
    statistic = TwoSample(y)
    t = np.concatenate([statistic(chunk) for chunk in Labels(x).all()])
    assert np.isinf(t).any()
    result = permutation_test(statistic, statistic(x[None])[0], Labels(x), n_permutations=0)
    assert result.p[0] >= np.isinf(t).mean()
