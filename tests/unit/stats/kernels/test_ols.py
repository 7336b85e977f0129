"""Ordinary least squares against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from facearray.stats.kernels.ols import basis_of_gram, basis_of_rows, ols, two_sided_p


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


@pytest.fixture
def data(rng) -> tuple[np.ndarray, np.ndarray]:
    X = np.column_stack([np.ones(40), rng.normal(size=(40, 2)) * [1, 100] + [0, 2000]])
    return X, rng.normal(size=(40, 5)) * np.abs(X[:, [1]])


@pytest.mark.parametrize("hc3", [False, True])
def test_ols__is_statsmodels(data, hc3):
    X, Y = data
    fit = ols(X, Y, hc3=hc3)
    for i in range(Y.shape[1]):
        theirs = sm.OLS(Y[:, i], X).fit()
        np.testing.assert_allclose(fit.beta[:, i], theirs.params, rtol=1e-9)
        np.testing.assert_allclose(fit.se[:, i], theirs.HC3_se if hc3 else theirs.bse, rtol=1e-9)
        np.testing.assert_allclose(fit.residual[:, i], theirs.resid, atol=1e-10)
        if not hc3:
            p = two_sided_p(fit.beta / fit.se, fit.df)[:, i]
            np.testing.assert_allclose(p, theirs.pvalues, rtol=1e-8)
    assert (fit.df == 37).all()
    assert (fit.n == 40).all()


@pytest.mark.parametrize("hc3", [False, True])
def test_ols__a_missing_value_stays_in_its_outcome(data, hc3):
    X, Y = data
    gaps = Y.copy()
    gaps[[3, 8], 1] = np.nan
    gaps[[3, 8, 30], 2] = np.nan
    gaps[:, 3] = np.nan
    fit, whole = ols(X, gaps, hc3=hc3), ols(X, Y, hc3=hc3)
    np.testing.assert_allclose(fit.beta[:, [0, 4]], whole.beta[:, [0, 4]], rtol=1e-12)
    np.testing.assert_allclose(fit.se[:, [0, 4]], whole.se[:, [0, 4]], rtol=1e-12)
    for i in (1, 2):
        there = ~np.isnan(gaps[:, i])
        theirs = sm.OLS(gaps[there, i], X[there]).fit()
        np.testing.assert_allclose(fit.beta[:, i], theirs.params, rtol=1e-9)
        np.testing.assert_allclose(fit.se[:, i], theirs.HC3_se if hc3 else theirs.bse, rtol=1e-9)
        np.testing.assert_array_equal(np.isnan(fit.residual[:, i]), ~there)
    assert fit.n.tolist() == [40, 38, 37, 0, 40]
    assert np.isnan(fit.beta[:, 3]).all()
    assert np.isnan(fit.se[:, 3]).all()


def test_ols__collinear_design_counts_its_rank(data):
    X, Y = data
    doubled = np.column_stack([X, X[:, 1] + X[:, 2]])
    fit, whole = ols(doubled, Y), ols(X, Y)
    assert np.isnan(fit.beta[1:]).all()
    np.testing.assert_allclose(fit.beta[0], whole.beta[0], rtol=1e-8)
    np.testing.assert_allclose(fit.se[0], whole.se[0], rtol=1e-8)
    assert (fit.df[0] == 37).all()
    np.testing.assert_allclose(fit.residual, whole.residual, atol=1e-9)


def test_ols__no_residual_variance_gives_no_standard_error(data):
    X, Y = data
    Y = np.column_stack([np.full(40, 0.1), X @ [1, 2, 3], Y[:, 0], np.zeros(40)])
    for hc3 in (False, True):
        fit = ols(X, Y, hc3=hc3)
        assert np.isnan(fit.se[:, [0, 1, 3]]).all()
        assert np.isfinite(fit.se[:, 2]).all()
        np.testing.assert_allclose(fit.beta[:, 1], [1, 2, 3], rtol=1e-6)


def test_ols__as_many_rows_as_coefficients(rng):
    fit = ols(rng.normal(size=(3, 3)), rng.normal(size=(3, 2)))
    assert np.isfinite(fit.beta).all()
    assert np.isnan(fit.se).all()
    assert np.isnan(two_sided_p(fit.beta / fit.se, fit.df)).all()


def test_ols__hc3_of_a_row_with_leverage_one_is_unknown(rng):
    X = np.column_stack([np.ones(10), np.arange(10) == 4])
    assert np.isnan(ols(X.astype(float), rng.normal(size=(10, 1)), hc3=True).se).all()


def test_ols__inputs_are_not_changed(data):
    X, Y = data
    before = X.copy(), Y.copy()
    X.flags.writeable = Y.flags.writeable = False
    ols(X, Y)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(Y, before[1])


def test_basis__of_cross_products_is_that_of_rows(data):
    X, _ = data
    of_rows, of_gram = basis_of_rows(X)[1], basis_of_gram(X.T @ X, len(X))
    for basis in (of_rows, of_gram):
        U = X @ basis.to_coefficients
        np.testing.assert_allclose(U.T @ U, np.eye(3), atol=1e-8)
    collinear = np.column_stack([X, X[:, 1]])
    assert basis_of_gram(collinear.T @ collinear, 40).estimable.tolist() == [True, False, True, False]
    assert basis_of_rows(np.zeros((4, 1)))[1].rank == 0


@given(
    scale=st.floats(1e-3, 1e3),
    shift=st.floats(-1e3, 1e3),
    seed=st.integers(0, 2**16),
)
def test_ols__affine_change_of_the_outcome_leaves_t(scale, shift, seed):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(12), rng.normal(size=12)])
    Y = rng.normal(size=(12, 2))
    one, other = ols(X, Y), ols(X, scale * Y + shift)
    np.testing.assert_allclose((other.beta / other.se)[1], (one.beta / one.se)[1], rtol=1e-5, atol=1e-7)


def test_two_sided_p__is_the_t_distribution():
    from scipy.stats import t

    values, df = np.array([0.0, 1.3, -40.0, 3.0, np.nan, 1.0]), np.array([5.0, 2.5, 30.0, 0.0, 4.0, np.nan])
    p = two_sided_p(values, df)
    np.testing.assert_allclose(p[:3], 2 * t.sf(np.abs(values[:3]), df[:3]), rtol=1e-10)
    assert np.isnan(p[3:]).all()


def test_ols__hc3_says_how_many_degrees_of_freedom_it_has(rng):
    X = np.column_stack([np.ones(14), np.arange(14) < 4, rng.normal(size=14)]).astype(float)
    fit = ols(X, rng.normal(size=(14, 2)), hc3=True)
    M = np.eye(14) - X @ np.linalg.pinv(X)
    for j in range(3):
        # the variance is e'De, a quadratic form in the errors
        D = np.diag((np.linalg.pinv(X)[j] / np.diag(M)) ** 2)
        form = M @ D @ M
        np.testing.assert_allclose(fit.robust_df[j], np.trace(form) ** 2 / np.trace(form @ form), rtol=1e-9)


def test_ols__spread_in_two_groups(rng):
    x = (np.arange(14) < 4).astype(float)
    X = np.column_stack([np.ones(14), rng.normal(size=14), 3 - 2 * x])
    Y = rng.normal(size=(14, 3)) * (1 + 2 * x)[:, None]
    fit = ols(X, Y)
    rare, other = fit.residual[:4], fit.residual[4:]
    wanted = np.sqrt((rare**2).sum(axis=0) / 3 / ((other**2).sum(axis=0) / 9))
    np.testing.assert_allclose(fit.spread[2], wanted, rtol=1e-9)
    assert np.isnan(fit.spread[:2]).all()


def test_ols__without_residuals_everything_else_is_the_same(rng):
    X, Y = np.column_stack([np.ones(3000), rng.normal(size=3000)]), rng.normal(size=(3000, 50))
    Y[5, 3] = np.nan
    for hc3 in (False, True):
        kept, dropped = ols(X, Y, hc3=hc3), ols(X, Y, hc3=hc3, residuals=False)
        assert dropped.residual is None
        for name in ("beta", "se", "df", "n"):
            np.testing.assert_array_equal(getattr(kept, name), getattr(dropped, name))
