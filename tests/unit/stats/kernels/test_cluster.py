"""Cluster-robust inference against statsmodels, and against the published formulas written out with full matrices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import statsmodels.api as sm

from facearray.stats.kernels.cluster import cluster_fit, cluster_sums, wild_bootstrap
from facearray.stats.kernels.ols import two_sided_p


def inverse_power(matrix: np.ndarray, power: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    roots = np.array([v**-power if v > 1e-9 else 0.0 for v in values])
    return vectors @ np.diag(roots) @ vectors.T


def published(X: np.ndarray, y: np.ndarray, cluster: np.ndarray, power: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors and degrees of freedom of Pustejovsky & Tipton (2018), sections 2.2 and 4, for OLS.

    With a power of 1 they are those of CR3.
    """
    n, k = X.shape
    M = np.linalg.inv(X.T @ X)
    identity_less_hat = np.eye(n) - X @ M @ X.T
    e = identity_less_hat @ y
    labels = np.unique(cluster)
    adjusted, variance = {}, np.zeros((k, k))
    for label in labels:
        rows = cluster == label
        adjusted[label] = inverse_power(identity_less_hat[np.ix_(rows, rows)], power)
        score = M @ X[rows].T @ adjusted[label] @ e[rows]
        variance += np.outer(score, score)
    df = np.empty(k)
    for j, c in enumerate(np.eye(k)):
        p = [identity_less_hat[:, cluster == g] @ adjusted[g] @ X[cluster == g] @ M @ c for g in labels]
        products = np.array([[a @ b for b in p] for a in p])
        df[j] = np.trace(products) ** 2 / (products**2).sum()
    return np.sqrt(np.diag(variance)), df


@pytest.fixture(params=["balanced", "unbalanced", "treatment of clusters", "a cluster's own regressor"])
def data(request) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(9), 6) if request.param == "balanced" else rng.integers(0, 9, 54)
    X = np.column_stack([np.ones(54), rng.normal(size=54) + rng.normal(size=9)[cluster]])
    if request.param == "treatment of clusters":
        X = np.column_stack([X, cluster < 3])
    if request.param == "a cluster's own regressor":
        X = np.column_stack([X, cluster == 2])
    return X.astype(float), rng.normal(size=(54, 3)) + rng.normal(size=(9, 1))[cluster], cluster


def test_cluster_fit__cr1_is_statsmodels(data):
    X, Y, cluster = data
    fit = cluster_fit(cluster_sums(X, Y, cluster), "CR1")
    for i in range(3):
        robust = sm.OLS(Y[:, i], X).fit().get_robustcov_results("cluster", groups=cluster, use_t=True)
        np.testing.assert_allclose(fit.beta[:, i], robust.params, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(fit.se[:, i], robust.bse, rtol=1e-7, atol=1e-10)
        used = robust.bse > 1e-8
        p = two_sided_p(fit.beta / fit.se, fit.df)[:, i]
        np.testing.assert_allclose(p[used], robust.pvalues[used], rtol=1e-6)


@pytest.mark.parametrize(("kind", "power"), [("CR2", 0.5), ("CR3", 1.0)])
def test_cluster_fit__is_the_published_formula(data, kind, power):
    X, Y, cluster = data
    fit = cluster_fit(cluster_sums(X, Y, cluster), kind)
    for i in range(3):
        se, df = published(X, Y[:, i], cluster, power)
        np.testing.assert_allclose(fit.se[:, i], se, rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(fit.df[se > 1e-8, i], df[se > 1e-8], rtol=1e-6)


def test_cluster_fit__one_row_a_cluster_with_equal_groups_is_welch():
    # Pustejovsky & Tipton: CR2 of two groups of independent rows is the t-test for unequal variances.
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(1)
    x = np.repeat([0.0, 1.0], [8, 12])
    y = rng.normal(size=20) * (1 + x)
    fit = cluster_fit(cluster_sums(np.column_stack([np.ones(20), x]), y[:, None], np.arange(20)), "CR2")
    theirs = ttest_ind(y[x == 1], y[x == 0], equal_var=False)
    np.testing.assert_allclose((fit.beta / fit.se)[1, 0], theirs.statistic, rtol=1e-9)


def test_cluster_fit__no_residual_variance_and_undetermined_coefficients():
    X = np.column_stack([np.ones(20), np.arange(20), np.arange(20)]).astype(float)
    y = np.random.default_rng(0).normal(size=20)
    fit = cluster_fit(cluster_sums(X, np.column_stack([y, np.full(20, 3.0)]), np.arange(20) // 3), "CR2")
    assert np.isnan(fit.beta[1:]).all()
    assert np.isfinite(fit.se[0, 0])
    assert np.isnan(fit.se[:, 1]).all()


def brute_wild_p(X: np.ndarray, y: np.ndarray, cluster: np.ndarray, j: int, b: float = 0.0) -> float:
    """All Rademacher weights, each refitted by statsmodels."""
    labels = np.unique(cluster)
    others = np.delete(X, j, axis=1)
    null = sm.OLS(y - b * X[:, j], others).fit()

    def squared_t(outcome: np.ndarray) -> float:
        fit = sm.OLS(outcome, X).fit().get_robustcov_results("cluster", groups=cluster)
        return ((fit.params[j] - b) / fit.bse[j]) ** 2

    observed = squared_t(y)
    drawn = []
    for weights in itertools.product([-1, 1], repeat=len(labels)):
        w = np.array(weights)[np.searchsorted(labels, cluster)]
        drawn.append(squared_t(b * X[:, j] + null.fittedvalues + w * null.resid))
    return float(np.mean(np.array(drawn) >= observed * (1 - 1e-9)))


def test_wild_bootstrap__all_weights_are_brute_force():
    rng = np.random.default_rng(8)
    cluster = rng.integers(0, 6, 40)
    X = np.column_stack([np.ones(40), rng.normal(size=40) + cluster, rng.normal(size=40)])
    y = X @ [0, 0.3, 0.1] + rng.normal(size=40)
    result = wild_bootstrap(cluster_sums(X, y[:, None], cluster), n_draws=999, weights="rademacher")
    assert result.exact
    assert result.n_draws == 64
    for j in (1, 2):
        assert result.p[j, 0] == pytest.approx(brute_wild_p(X, y, cluster, j), abs=1e-12)
    low, high = result.ci_low[1, 0], result.ci_high[1, 0]
    for inside, outside in ((low + 0.01, low - 0.01), (high - 0.01, high + 0.01)):
        assert brute_wild_p(X, y, cluster, 1, inside) > 0.05 >= brute_wild_p(X, y, cluster, 1, outside)


def test_wild_bootstrap__draws_follow_the_seed_and_resemble_cr2():
    rng = np.random.default_rng(8)
    cluster = rng.integers(0, 30, 200)
    X = np.column_stack([np.ones(200), rng.normal(size=200)])
    Y = rng.normal(size=(200, 2)) + 0.15 * X[:, [1]]
    sums = cluster_sums(X, Y, cluster)
    one, same, other = (wild_bootstrap(sums, n_draws=1999, weights="webb", seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.p, same.p)
    assert (one.p != other.p).any()
    assert one.n_draws == 1999
    assert not one.exact
    fit = cluster_fit(sums, "CR2")
    np.testing.assert_allclose(one.p[1], two_sided_p(fit.beta / fit.se, fit.df)[1], atol=0.03)
    assert ((one.ci_low[1] > 0) | (one.ci_high[1] < 0)).tolist() == (one.p[1] <= 0.05).tolist()


def test_wild_bootstrap__weights_of_webb_have_mean_zero_and_variance_one():
    from facearray.stats.kernels.cluster import _POINTS

    for points in _POINTS.values():
        assert points.mean() == pytest.approx(0)
        assert (points**2).mean() == pytest.approx(1)
