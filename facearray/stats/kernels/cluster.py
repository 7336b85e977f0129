"""Cluster-robust inference for linear models with many outcomes.

All of it works on sums over the rows of each cluster, so that memory grows with the number of clusters and not with
the number of rows. With U_g the rows of cluster g in an orthonormal basis of the design, everything that CR2 needs of
the n_g x n_g hat matrix of a cluster is in the r x r matrix U_g'U_g.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array, Basis, basis_of_gram

__all__ = ["ClusterFit", "Sums", "WildResult", "cluster_fit", "cluster_sums", "wild_bootstrap"]

Kind = Literal["CR1", "CR2", "CR3"]

#: Weights of Webb (2023): six points with mean 0 and variance 1.
_WEBB = np.sqrt(np.array([0.5, 1.0, 1.5]))
_POINTS = {"rademacher": np.array([-1.0, 1.0]), "webb": np.concatenate([-_WEBB[::-1], _WEBB])}
_DRAWS_PER_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the rows of each of G clusters, for outcomes that miss the same rows.

    Attributes
    ----------
    gram
        (G, k, k): X'X of each cluster; clusters without rows are left out.
    cross
        (G, k, m): X'Y.
    square
        (m,): sum of squares of Y over all rows.
    totals
        (G, k): sum of X.
    sizes
        (G,): rows of each cluster.
    """

    gram: Array
    cross: Array
    square: Array
    totals: Array
    sizes: NDArray[np.int64]

    @property
    def n(self) -> int:
        """Rows of all clusters."""
        return int(self.sizes.sum())


@dataclass(frozen=True, slots=True)
class ClusterFit:
    """Coefficients with cluster-robust standard errors, each (k, m); NaN where the data do not determine them."""

    beta: Array
    se: Array
    df: Array


def cluster_sums(X: Array, Y: Array, cluster: NDArray[np.integer]) -> Sums:
    """Sum the products of rows of a design (n, k) and outcomes (n, m), neither with missing values, by cluster (n,)."""
    order = np.argsort(cluster, kind="stable")
    bounds = np.flatnonzero(np.diff(cluster[order])) + 1
    parts = [(X[rows], Y[rows]) for rows in np.split(order, bounds)]
    return Sums(
        gram=np.array([x.T @ x for x, _ in parts]),
        cross=np.array([x.T @ y for x, y in parts]),
        square=np.einsum("ij,ij->j", Y, Y),
        totals=np.array([x.sum(axis=0) for x, _ in parts]),
        sizes=np.array([len(x) for x, _ in parts]),
    )


@dataclass(frozen=True, slots=True)
class _InBasis:
    """The sums in an orthonormal basis of the design: C = U_g'U_g (G, r, r), and U_g'e_g of the residuals (G, r, m)."""

    basis: Basis
    C: Array
    beta: Array
    scores: Array
    no_variance: NDArray[np.bool_]


def _in_basis(sums: Sums) -> _InBasis:
    basis = basis_of_gram(sums.gram.sum(axis=0), sums.n)
    B = basis.to_coefficients
    C = B.T @ sums.gram @ B
    cross = B.T @ sums.cross
    coordinates = cross.sum(axis=0)
    rest = sums.square - np.einsum("ij,ij->j", coordinates, coordinates)
    no_variance = rest <= 1e-13 * sums.square
    return _InBasis(basis, C, B @ coordinates, cross - C @ coordinates, no_variance)


def cluster_fit(sums: Sums, kind: Kind) -> ClusterFit:
    """Fit a linear model with standard errors that allow any dependence within clusters.

    Parameters
    ----------
    sums
        Of at least two clusters.
    kind
        - ``"CR2"``: bias-reduced with an independent working model and degrees of freedom by Satterthwaite's
          approximation (Bell & McCaffrey 2002 [1]_; Pustejovsky & Tipton 2018 [2]_)
        - ``"CR3"``: the same with residuals that are larger still, close to the jackknife that leaves out one cluster
          after the other; with one row a cluster, HC3
        - ``"CR1"``: the sandwich times G/(G-1) (n-1)/(n-r), with G - 1 degrees of freedom

    Returns
    -------
    ClusterFit
        Standard errors are NaN for outcomes that the design explains without residuals.

    References
    ----------
    .. [1] R. M. Bell and D. F. McCaffrey, "Bias reduction in standard errors for linear regression with multi-stage
       samples", Survey Methodology 28 (2002), 169-181.
    .. [2] J. E. Pustejovsky and E. Tipton, "Small-sample methods for cluster-robust variance estimation and
       hypothesis testing in fixed effects models", Journal of Business & Economic Statistics 36 (2018), 672-683.
    """
    at = _in_basis(sums)
    n_cluster = len(at.C)
    R = at.basis.to_coefficients.T
    if kind == "CR1":
        correction = n_cluster / (n_cluster - 1) * (sums.n - 1) / (sums.n - at.basis.rank)
        variance = correction * ((R.T @ at.scores) ** 2).sum(axis=0)
        df = np.full(at.beta.shape[0], n_cluster - 1.0)
    else:
        adjust = _inverse_power(at.C, 1 / 2 if kind == "CR2" else 1)
        variance = ((R.T @ adjust @ at.scores) ** 2).sum(axis=0)
        df = _satterthwaite(at.C, adjust, R)
    undetermined = ~at.basis.estimable[:, None]
    return ClusterFit(
        beta=np.where(undetermined, np.nan, at.beta),
        se=np.where(undetermined | at.no_variance, np.nan, np.sqrt(variance)),
        df=np.where(undetermined, np.nan, np.broadcast_to(df[:, None], at.beta.shape)),
    )


def _inverse_power(C: Array, power: float) -> Array:
    """(I - C)^(-power) of each matrix (G, r, r); generalised where the cluster alone determines a direction."""
    values, vectors = np.linalg.eigh(C)
    free = 1 - values
    usable = free > 1e-10
    inverse = np.where(usable, np.where(usable, free, 1.0) ** -power, 0.0)
    adjust: Array = (vectors * inverse[:, None, :]) @ np.swapaxes(vectors, 1, 2)
    return adjust


def _satterthwaite(C: Array, adjust: Array, R: Array) -> Array:
    """Degrees of freedom (k,) of the variance estimators, whose directions in the basis are the columns of R (r, k).

    The estimator is a quadratic form with matrix diag(d) - VV', one row of V a cluster; its first two moments give
    the degrees of freedom (trace)^2 / trace of the square.
    """
    directions = adjust @ R
    V = C @ directions
    d = (directions * V).sum(axis=1)
    length = (V**2).sum(axis=1)
    inner = np.einsum("grk,gsk->krs", V, V)
    first = (d - length).sum(axis=0)
    second = (d**2 - 2 * d * length).sum(axis=0) + (inner**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(second > 0, first**2 / second, np.nan)


@dataclass(frozen=True, slots=True)
class WildResult:
    """p values and confidence limits (k, m) of a bootstrap of ``n_draws`` weight vectors, all of them if ``exact``."""

    p: Array
    ci_low: Array
    ci_high: Array
    n_draws: int
    exact: bool


def wild_bootstrap(
    sums: Sums, *, n_draws: int, weights: Literal["rademacher", "webb"], level: float = 0.95, seed: int = 0
) -> WildResult:
    """Test each coefficient by the wild cluster bootstrap-t with the null hypothesis imposed.

    Residuals of the model without the regressor are multiplied by one random weight a cluster (Cameron, Gelbach &
    Miller 2008 [1]_); statistics are t with CR1 standard errors. Confidence limits are the values that the same test
    does not reject.

    Parameters
    ----------
    sums
        Of the clusters, in an order that does not depend on how the rows were stored.
    n_draws
        Random weight vectors. Where there are no more different ones than that, each is used once.
    weights
        Their distribution: ±1, or Webb's six points [2]_, which have more different vectors for few clusters.
    level
        Of the confidence limits.
    seed
        Of the draws.

    Returns
    -------
    WildResult
        p = b / m where all weight vectors were used, else (1 + b) / (1 + m), with b the number of statistics at least
        as large as the observed one. NaN where the data do not determine a coefficient.

    References
    ----------
    .. [1] A. C. Cameron, J. B. Gelbach and D. L. Miller, "Bootstrap-based improvements for inference with clustered
       errors", Review of Economics and Statistics 90 (2008), 414-427.
    .. [2] M. D. Webb, "Reworking wild bootstrap-based inference for clustered errors", Canadian Journal of Economics
       56 (2023), 839-858.
    """
    at = _in_basis(sums)
    points = _POINTS[weights]
    exact = len(points) ** len(at.C) <= n_draws
    drawn = np.concatenate(list(_weight_chunks(points, len(at.C), n_draws, seed, exact=exact)))
    # The observed statistic is that of weights 1, computed like the others so that ties are ties.
    W = np.concatenate([np.ones((1, len(at.C))), drawn])
    p, low, high = (np.full(at.beta.shape, np.nan) for _ in range(3))
    for j in np.flatnonzero(at.basis.estimable):
        outcome, regressor = _null_residuals(sums, at.basis, int(j))
        q = at.C @ at.basis.to_coefficients[j]
        slope = _numerator_and_scores(W, regressor[:, :, 0], at.basis.to_coefficients[j], q)
        for i in np.flatnonzero(~at.no_variance):
            start = _numerator_and_scores(W, outcome[:, :, i], at.basis.to_coefficients[j], q)
            test = _CoefficientTest.of(at.beta[j, i], start, slope, exact=exact)
            p[j, i] = test.p(0.0)
            low[j, i], high[j, i] = test.limit(1 - level, -1.0), test.limit(1 - level, 1.0)
    return WildResult(p, low, high, len(drawn), exact)


def _weight_chunks(points: Array, n_cluster: int, n_draws: int, seed: int, *, exact: bool) -> Iterator[Array]:
    if exact:
        digits = np.arange(len(points) ** n_cluster)[:, None] // len(points) ** np.arange(n_cluster)
        yield points[digits % len(points)]
        return
    for chunk, start in enumerate(range(0, n_draws, _DRAWS_PER_CHUNK)):
        rng = np.random.default_rng([seed, chunk])
        yield points[rng.integers(len(points), size=(_DRAWS_PER_CHUNK, n_cluster))][: n_draws - start]


def _null_residuals(sums: Sums, basis: Basis, j: int) -> tuple[Array, Array]:
    """U_g'e_g of the outcomes (G, r, m) and of regressor j (G, r, 1), of their residuals on the other regressors.

    Of the model whose coefficient j is held at b, the residuals are those of the outcome less b times the regressor's.
    """
    others = np.delete(np.arange(len(basis.estimable)), j)
    total = sums.gram.sum(axis=0)[np.ix_(others, others)]
    B = basis_of_gram(total, sums.n).to_coefficients

    def residual_sums(cross: Array) -> Array:
        rest = cross - sums.gram[:, :, others] @ (B @ (B.T @ cross[:, others].sum(axis=0)))
        in_basis: Array = basis.to_coefficients.T @ rest
        return in_basis

    return residual_sums(sums.cross), residual_sums(sums.gram[:, :, [j]])


def _numerator_and_scores(W: Array, z: Array, direction: Array, q: Array) -> tuple[Array, Array]:
    """Coefficient (d,) and scores (d, G) of residuals with U_g'e_g = z (G, r), times weights W (d, G)."""
    s = z @ direction
    return W @ s, W * s - (W @ z) @ q.T


@dataclass(frozen=True, slots=True)
class _CoefficientTest:
    """Test of one coefficient against any value b; t^2 of each draw is (n0 - b n1)^2 / (a - 2 b c + b^2 d)."""

    beta: float
    n0: Array
    n1: Array
    a: Array
    c: Array
    d: Array
    exact: bool

    @classmethod
    def of(
        cls, beta: float, start: tuple[Array, Array], slope: tuple[Array, Array], *, exact: bool
    ) -> _CoefficientTest:
        (n0, s0), (n1, s1) = start, slope
        a, c, d = (np.einsum("dg,dg->d", x, y) for x, y in ((s0, s0), (s0, s1), (s1, s1)))
        return cls(float(beta), n0, n1, a, c, d, exact)

    def p(self, b: float) -> float:
        """Test the hypothesis that the coefficient is b."""
        squares = self._variance(b)
        with np.errstate(divide="ignore", invalid="ignore"):
            t2 = np.where(squares > 0, (self.n0 - b * self.n1) ** 2 / squares, np.inf)
        larger = int((t2[1:] >= t2[0] * (1 - 1e-9)).sum())
        n_draws = len(t2) - 1
        return larger / n_draws if self.exact else (1 + larger) / (1 + n_draws)

    def limit(self, alpha: float, sign: float) -> float:
        """Find the rejected value nearest to the estimate on one side; infinite where there is none."""
        step = float(np.sqrt(self._variance(self.beta)[0]))
        inside, outside = self.beta, self.beta + sign * step
        for _ in range(12):
            if self.p(outside) <= alpha:
                break
            step *= 2
            inside, outside = outside, self.beta + sign * step
        else:
            return sign * np.inf
        for _ in range(30):
            middle = (inside + outside) / 2
            inside, outside = (inside, middle) if self.p(middle) <= alpha else (middle, outside)
        return (inside + outside) / 2

    def _variance(self, b: float) -> Array:
        return self.a - 2 * b * self.c + b**2 * self.d
