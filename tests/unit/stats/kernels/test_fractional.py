"""Fractional logit models against statsmodels, and where there is no estimate."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from facearray.stats.kernels.fractional import clustered, fractional_logit, robust

N = 42


@pytest.fixture(name="X")
def design() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.column_stack([np.ones(N), rng.normal(30, 9, N), np.arange(N) % 2])


@pytest.fixture(name="Y")
def outcomes() -> np.ndarray:
    """Shares without and with values of exactly 0 and 1, of the order of 1e-4, and counts of yes and no."""
    rng = np.random.default_rng(1)
    clipped = np.clip(rng.normal(0.5, 0.5, N), 0, 1)
    return np.column_stack([rng.beta(1, 3, N), clipped, rng.beta(1, 3, N) * 1e-4, rng.random(N) < 0.4]).astype(float)


def theirs(X, y, **options):
    return sm.GLM(y, X, family=sm.families.Binomial()).fit(tol=1e-13, maxiter=200, **options)


def test_fractional_logit__is_statsmodels(X, Y):
    fit = fractional_logit(X, Y)
    for i in range(Y.shape[1]):
        glm = theirs(X, Y[:, i], cov_type="HC0")
        np.testing.assert_allclose(fit.beta[:, i], glm.params, rtol=1e-8)
        np.testing.assert_allclose(robust(fit, leverage=False).se[:, i], glm.bse, rtol=1e-8)
        np.testing.assert_allclose(fit.residual[:, i], glm.resid_response, atol=1e-10)
    assert not fit.separated.any()


def test_robust__divides_residuals_by_their_leverage(X, Y):
    fit = fractional_logit(X, Y)
    for i in range(Y.shape[1]):
        glm = theirs(X, Y[:, i])
        w = glm.mu * (1 - glm.mu)
        bread = np.linalg.inv(X.T @ (X * w[:, None]))
        score = glm.resid_response / (1 - glm.get_hat_matrix_diag())
        meat = (X * score[:, None] ** 2).T @ X
        np.testing.assert_allclose(robust(fit).se[:, i], np.sqrt(np.diag(bread @ meat @ bread)), rtol=1e-8)
    assert (robust(fit).df == N - 3).all()


def test_clustered__is_statsmodels(X, Y):
    fit, cluster = fractional_logit(X, Y), np.arange(N) // 5
    found = clustered(fit, X, cluster, "CR1")
    for i in range(Y.shape[1]):
        glm = theirs(X, Y[:, i], cov_type="cluster", cov_kwds={"groups": cluster})
        np.testing.assert_allclose(found.se[:, i], glm.bse, rtol=1e-7)
    assert (found.df == len(set(cluster)) - 1).all()


@pytest.mark.parametrize(("cov", "kind", "factor"), [("HC0", "CR1", N / (N - 3)), ("HC3", "CR3", 1)])
def test_clustered__of_single_rows_is_the_sandwich(X, Y, cov, kind, factor):
    fit = fractional_logit(X, Y)
    found = clustered(fit, X, np.arange(N), kind)
    wanted = robust(fit, leverage=cov == "HC3")
    np.testing.assert_allclose(found.se, wanted.se * np.sqrt(factor), rtol=1e-7)


def test_fractional_logit__effect_is_the_numerical_derivative_averaged(X, Y):
    fit = fractional_logit(X, Y)
    for i in range(Y.shape[1]):
        glm = theirs(X, Y[:, i])
        for j in range(1, X.shape[1]):
            step = np.zeros(3)
            step[j] = 1e-5
            slope = (glm.predict(X + step) - glm.predict(X - step)).mean() / 2e-5
            np.testing.assert_allclose(fit.effect[j, i], slope, rtol=1e-5)


def test_fractional_logit__no_finite_estimate(X):
    group = X[:, 2]
    Y = np.column_stack([np.zeros(N), np.ones(N), group * 0.5, np.linspace(0.2, 0.8, N), group])
    fit = fractional_logit(X, Y)
    assert fit.separated.tolist() == [True, True, True, False, True]
    for found in (robust(fit), clustered(fit, X, np.arange(N), "CR2")):
        assert np.isnan(found.beta[:, fit.separated]).all()
        assert np.isnan(found.se[:, fit.separated]).all()
        assert np.isfinite(found.se[:, 3]).all()


def test_fractional_logit__constant_and_collinear(X):
    fit = fractional_logit(np.column_stack([X, X[:, 1] + 3]), np.full((N, 1), 0.25))
    np.testing.assert_allclose(fit.mean, 0.25)
    assert fit.no_variance.all()
    assert np.isnan(fit.beta[[0, 1, 3]]).all()
    np.testing.assert_allclose(fit.beta[2], 0, atol=1e-9)
