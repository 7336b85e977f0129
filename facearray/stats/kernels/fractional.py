"""Fractional logit models: shares from 0 to 1 as outcomes, for many outcomes at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.cluster import ClusterFit, Kind, cluster_fit, cluster_sums
from facearray.stats.kernels.ols import Array, Basis, basis_of_rows, has_no_variance

__all__ = ["FractionalFit", "clustered", "fractional_logit", "robust"]

#: Newton's method has converged when no fitted logit changes by more.
_TOLERANCE = 1e-10
_MAX_STEPS = 60

#: Shares nearer to 0 or 1 than this mean that the fit runs away.
_EDGE = 1e-8


@dataclass(frozen=True, slots=True)
class FractionalFit:
    """Quasi-likelihood fit of m outcomes that miss no rows.

    Attributes
    ----------
    basis
        Of the design.
    U
        (n, r): the design in its basis.
    beta
        (k, m): coefficients on the logit scale; NaN where the data do not determine them.
    mean
        (n, m): fitted shares.
    residual
        (n, m): outcome minus fitted share.
    separated
        (m,): whether there is no finite estimate, because all outcomes of some rows are 0 or all are 1.
    """

    basis: Basis
    U: Array
    beta: Array
    mean: Array
    residual: Array
    separated: NDArray[np.bool_]

    @property
    def weight(self) -> Array:
        """Variance (n, m) of the outcomes, up to a factor: mean times 1 - mean."""
        weight: Array = self.mean * (1 - self.mean)
        return weight

    @property
    def effect(self) -> Array:
        """Average (k, m) over the rows of the derivative of the share by each regressor."""
        effect: Array = self.beta * self.weight.mean(axis=0)
        return effect

    @property
    def no_variance(self) -> NDArray[np.bool_]:
        """Whether the residuals (m,) are rounding errors, or there is no estimate."""
        return has_no_variance(self.residual, self.mean + self.residual) | self.separated


def fractional_logit(X: Array, Y: Array) -> FractionalFit:
    """Fit E(y) = 1 / (1 + exp(-X b)) to every outcome by Bernoulli quasi-likelihood (Papke & Wooldridge 1996 [1]_).

    The estimate is consistent whatever the distribution of the outcomes is, as long as their mean is right; outcomes
    of exactly 0 and 1 are no exception.

    Parameters
    ----------
    X
        (n, k) design, without missing values.
    Y
        (n, m) outcomes from 0 to 1, without missing values.

    Returns
    -------
    FractionalFit
        By Newton's method, for all outcomes at once.

    References
    ----------
    .. [1] L. E. Papke and J. M. Wooldridge, "Econometric methods for fractional response variables with an application
       to 401(k) plan participation rates", Journal of Applied Econometrics 11 (1996), 619-632.

    Examples
    --------
    >>> X = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    >>> fit = fractional_logit(X, np.array([[0.1], [0.3], [0.4], [0.6]]))
    >>> fit.beta.round(4).ravel().tolist()
    [-1.3863, 1.3863]
    """
    U, basis = basis_of_rows(X)
    products = (U[:, :, None] * U[:, None, :]).reshape(len(U), -1)
    logit = np.zeros(Y.shape)
    mean = (Y + 0.5) / 2
    working = np.log(mean / (1 - mean))
    coordinates = np.zeros((basis.rank, Y.shape[1]))
    moving = np.ones(Y.shape[1], dtype=bool)
    for step in range(_MAX_STEPS):
        now = np.flatnonzero(moving)
        if not now.size:
            break
        weight = mean[:, now] * (1 - mean[:, now])
        # the first step is a weighted fit of transformed outcomes, the others are Newton's
        target = weight * working[:, now] if step == 0 else Y[:, now] - mean[:, now]
        hessian = (products.T @ weight).T.reshape(-1, basis.rank, basis.rank)
        # rows that have run away have no weight left; they are sorted out below
        hessian += 1e-14 * np.eye(basis.rank)
        change = np.linalg.solve(hessian, (U.T @ target).T[:, :, None])[:, :, 0].T
        change *= np.minimum(1, 10 / np.maximum(np.abs(U @ change).max(axis=0, initial=0), 10))
        coordinates[:, now] += change
        logit[:, now] = np.clip(U @ coordinates[:, now], -40, 40)
        mean[:, now] = 1 / (1 + np.exp(-logit[:, now]))
        moving[now] = np.abs(U @ change).max(axis=0, initial=0) > _TOLERANCE
        moving &= ~((mean < _EDGE) | (mean > 1 - _EDGE)).any(axis=0)
    separated = moving | ((mean < _EDGE) | (mean > 1 - _EDGE)).any(axis=0)
    beta = np.where(basis.estimable[:, None] & ~separated, basis.to_coefficients @ coordinates, np.nan)
    return FractionalFit(basis, U, beta, mean, Y - mean, separated)


def robust(fit: FractionalFit, *, leverage: bool = True) -> ClusterFit:
    """Sandwich standard errors for independent rows.

    Parameters
    ----------
    fit
        From `fractional_logit`.
    leverage
        Whether residuals are divided by 1 less the leverage that their row has in the last step of the fit (HC3,
        MacKinnon & White 1985), without which the errors are too small in few rows (HC0).

    Returns
    -------
    ClusterFit
        With n - rank degrees of freedom.
    """
    weight, B = fit.weight, fit.basis.to_coefficients
    se = np.full(fit.beta.shape, np.nan)
    for i in np.flatnonzero(~fit.no_variance):
        U, w = fit.U, weight[:, i]
        inverse = np.linalg.inv((U * w[:, None]).T @ U)
        score = fit.residual[:, i]
        if leverage:
            free = 1 - w * np.einsum("ij,jk,ik->i", U, inverse, U)
            score = np.where(free > 1e-10, score / np.where(free > 1e-10, free, 1), np.nan)
        se[:, i] = np.sqrt((((U @ inverse @ B.T) * score[:, None]) ** 2).sum(axis=0))
    se[~fit.basis.estimable] = np.nan
    df = np.where(np.isnan(fit.beta), np.nan, len(fit.U) - fit.basis.rank)
    return ClusterFit(fit.beta, se, df)


def clustered(fit: FractionalFit, X: Array, cluster: NDArray[np.integer], kind: Kind) -> ClusterFit:
    """Cluster-robust standard errors, those of the weighted least squares that the last step of the fit is.

    Parameters
    ----------
    fit
        From `fractional_logit` of the design ``X`` (n, k).
    X
        That design.
    cluster
        Cluster (n,) of each row.
    kind
        As for `facearray.stats.kernels.cluster.cluster_fit`.
    """
    se, df = np.full(fit.beta.shape, np.nan), np.full(fit.beta.shape, np.nan)
    for i in np.flatnonzero(~fit.no_variance):
        root = np.sqrt(fit.weight[:, i])
        logit = np.log(fit.mean[:, i] / (1 - fit.mean[:, i]))
        outcome = root * logit + fit.residual[:, i] / root
        found = cluster_fit(cluster_sums(X * root[:, None], outcome[:, None], cluster), kind)
        se[:, i], df[:, i] = found.se[:, 0], found.df[:, 0]
    return ClusterFit(fit.beta, se, df)
