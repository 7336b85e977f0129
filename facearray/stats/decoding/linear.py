"""Weights of linear models in the units of the features, and the activation patterns that belong to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from facearray.errors import InputError
from facearray.stats.kernels.ols import Array

__all__ = ["activation_pattern", "weights"]

_KNOWN = (
    "StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, SimpleImputer, PCA, TruncatedSVD, FactorAnalysis and "
    "selections of features"
)


def weights(fitted: Any, X: Array, classes: int) -> Array:
    """Weights (p, k) of a fitted model or pipeline on features as they are.

    Parameters
    ----------
    fitted
        The model.
    X
        (n, p) values, for the scale of each feature.
    classes
        Number of classes, 0 for a regression; k is 1 unless there are more than two.

    Raises
    ------
    InputError
        If the model is not linear in the features.
    """
    before, last = _parts(fitted)
    coef = getattr(last, "coef_", None)
    if coef is None:
        raise InputError(
            f"found {type(last).__name__}, which has no weights (coef_); expected a linear model, such as "
            "LinearDiscriminantAnalysis, LogisticRegression or Ridge, for coef and pattern"
        )
    rows = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    if len(rows) != (classes if classes > 2 else 1):
        raise InputError(
            f"found {len(rows)} rows of weights in {type(last).__name__} for {classes} classes; expected one a class: "
            "use a model that compares each class with the others, for coef and pattern"
        )
    return _slopes(before, X) @ rows.T


def _parts(fitted: Any) -> tuple[list[Any], Any]:
    """Take apart the steps before the last, and the last, of pipelines and searches in one another."""
    if hasattr(fitted, "best_estimator_"):
        return _parts(fitted.best_estimator_)
    if not hasattr(fitted, "steps"):
        return [], fitted
    *steps, (_, last) = fitted.steps
    nested, last = _parts(last)
    before = [part for _, step in steps if step not in (None, "passthrough") for part in _flat(step)]
    return [*before, *nested], last


def _flat(step: Any) -> list[Any]:
    before, last = _parts(step)
    return [*before, last]


def _slopes(steps: list[Any], X: Array) -> Array:
    """Change (p, q) of the steps' output for a change of each feature by 1."""
    strange = [type(step).__name__ for step in steps if not _is_affine(step)]
    if strange:
        raise InputError(
            f"found {', '.join(strange)} before the model; expected steps that are linear in each feature ({_KNOWN}), "
            "so that weights can be given for the features, for coef and pattern"
        )
    centre = np.nan_to_num(np.nanmean(X, axis=0))
    spread = np.nanstd(X, axis=0)
    size = np.where(spread > 0, spread, 1.0)
    points = np.vstack([centre, centre + np.diag(size)])
    for step in steps:
        points = step.transform(points)
    slopes: Array = (points[1:] - points[0]) / size[:, None]
    return slopes


def _is_affine(step: Any) -> bool:
    from sklearn import decomposition as dc
    from sklearn import preprocessing as pp
    from sklearn.feature_selection import SelectorMixin
    from sklearn.impute import SimpleImputer

    if isinstance(step, pp.MinMaxScaler):
        return not step.clip
    if isinstance(step, SimpleImputer):
        return not step.add_indicator
    always = (
        pp.StandardScaler,
        pp.MaxAbsScaler,
        pp.RobustScaler,
        dc.PCA,
        dc.TruncatedSVD,
        dc.FactorAnalysis,
        SelectorMixin,
    )
    return isinstance(step, always)


def activation_pattern(X: Array, w: Array) -> Array:
    """Covariance of each feature with the output of each column of weights, over the output's variance: (p, k).

    Parameters
    ----------
    X
        (n, p) values. A missing one is left out together with its unit.
    w
        (p, k) weights.

    Returns
    -------
    ndarray
        cov(X) w / var(X w); NaN where the output does not vary.

    References
    ----------
    Haufe, S. et al. (2014). On the interpretation of weight vectors of linear models in multivariate neuroimaging.
    NeuroImage 87, 96-110.
    """
    whole = X[~np.isnan(X).any(axis=1)]
    centred = whole - whole.mean(axis=0)
    output = centred @ w
    variance = (output**2).sum(axis=0)
    rounding = (np.abs(centred) @ np.abs(w)).max(axis=0, initial=0) * 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(variance > rounding**2, centred.T @ output / variance, np.nan)
