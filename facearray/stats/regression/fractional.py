"""Fractional logit models of shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facearray._words import some
from facearray.errors import InputError
from facearray.stats.kernels.fractional import clustered, fractional_logit, robust
from facearray.stats.kernels.ols import complete_rows
from facearray.stats.regression.estimates import FEWEST_CLUSTERS, Estimates, Options, cluster_kind, few_clusters, limits

__all__ = ["check_shares", "fit_fractional"]

#: In fewer rows, p of outcomes with a fitted share within `EDGE` of 0 or 1 may be too small.
FEW_ROWS = 50
EDGE = 0.15


def check_shares(Y: NDArray[np.float64], names: list[str]) -> None:
    """Check that outcomes (n, m) are from 0 to 1.

    Raises
    ------
    InputError
        Naming those that are not.
    """
    with np.errstate(invalid="ignore"):
        wrong = ((Y < 0) | (Y > 1)).any(axis=0)
    if wrong.any():
        found = Y[:, wrong]
        raise InputError(
            f"found values from {np.nanmin(found):g} to {np.nanmax(found):g} of {some(np.array(names)[wrong])}; "
            "expected values from 0 to 1 with link='logit', such as action units: leave the others out, or rescale them"
        )


def fit_fractional(
    X: NDArray[np.float64], Y: NDArray[np.float64], cluster: NDArray[np.intp] | None, options: Options
) -> Estimates:
    """Fit shares (n, m) on a design (n, k), in clusters (n,) where the covariance asks for them."""
    k, m = X.shape[1], Y.shape[1]
    result = Estimates.empty(k, m)
    result.effect, result.residual = np.full((k, m), np.nan), np.full(Y.shape, np.nan)
    result.separated, result.edge = np.zeros(m, dtype=bool), np.zeros(m, dtype=bool)
    result.uncertain = np.zeros((k, m), dtype=bool)
    if cluster is not None:
        result.n_clusters, result.few_treated = np.zeros(m, dtype=np.int64), np.zeros((k, m), dtype=bool)
    for rows, columns in complete_rows(Y):
        result.n[columns] = rows.sum()
        if not rows.any():
            continue
        x = X[rows]
        groups = None if cluster is None else cluster[rows]
        if groups is not None and result.n_clusters is not None and result.few_treated is not None:
            result.n_clusters[columns], few = few_clusters(x, groups)
            result.few_treated[:, columns] = few[:, None]
            if result.n_clusters[columns[0]] < FEWEST_CLUSTERS:
                continue
        fit = fractional_logit(x, Y[np.ix_(rows, columns)])
        found = robust(fit) if groups is None else clustered(fit, x, groups, cluster_kind(options.cov))
        result.beta[:, columns], result.se[:, columns], result.df[:, columns] = found.beta, found.se, found.df
        result.effect[:, columns] = fit.effect
        result.residual[np.ix_(rows, columns)] = np.where(fit.separated, np.nan, fit.residual)
        result.separated[columns] = fit.separated
        near = np.minimum(fit.mean, 1 - fit.mean).min(axis=0) < EDGE
        result.edge[columns] = near & ~fit.separated & (len(x) < FEW_ROWS)
    result.p, result.ci_low, result.ci_high = limits(result.beta, result.se, result.df, options)
    return result
