"""Trends, confounds and scales taken out of time courses, from the values that there are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facearray.signal.kernels.gaps import of_pattern, patterns

__all__ = ["detrend", "regress_out", "standardize"]

#: What rounding leaves of a constant series, relative to its size.
_ROUNDING = 1e-10


def detrend(values: NDArray[np.float64], times: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    """Subtract from each series (n, n_frame) the polynomial in time that fits its values best.

    A series with fewer values than the polynomial has coefficients is left with none: nothing can be told from it.

    Parameters
    ----------
    values
        Series; NaN where there is no value.
    times
        Times (n_frame,) in seconds, in any steps.
    degree
        0 for the mean, 1 for a straight line.

    Examples
    --------
    >>> detrend(np.array([[1.0, 2.0, np.nan, 4.0]]), np.arange(4.0), 1).round(6) + 0
    array([[ 0.,  0., nan,  0.]])
    """
    powers = _powers(times, degree)
    out = None
    for rows, frames in patterns(values):
        if len(frames) < degree + 1:
            continue
        residuals = _residuals(of_pattern(values, rows, frames), powers[:, frames])
        if residuals.shape == values.shape:
            return residuals
        out = np.full_like(values, np.nan) if out is None else out
        out[rows if isinstance(rows, slice) else rows[:, None], frames] = residuals
    return np.full_like(values, np.nan) if out is None else out


def regress_out(values: NDArray[np.float64], confounds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract from each series (n, n_frame) what follows confounds, and keep its mean.

    Parameters
    ----------
    values
        Series; NaN where there is no value.
    confounds
        Series (n_confound, n_frame). A frame in which one of them is missing has no value in the result.
    """
    if not len(confounds):
        return values
    known = ~np.isnan(confounds).any(axis=0)
    if not known.all():
        values = np.where(known, values, np.nan)
    out = None
    for rows, frames in patterns(values):
        x = confounds[:, frames]
        x = x - x.mean(axis=1, keepdims=True)
        # a confound that does not vary here says nothing
        varies = (x**2).sum(axis=1) > _ROUNDING**2 * (confounds[:, frames] ** 2).sum(axis=1)
        residuals = _residuals(of_pattern(values, rows, frames), x[varies])
        if residuals.shape == values.shape:
            return residuals
        out = np.full_like(values, np.nan) if out is None else out
        out[rows if isinstance(rows, slice) else rows[:, None], frames] = residuals
    return np.full_like(values, np.nan) if out is None else out


def standardize(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give each series (n, n_frame) mean 0 and standard deviation 1; one that does not vary has no values then."""
    there = ~np.isnan(values)
    n = there.sum(axis=-1, keepdims=True)
    is_whole = bool(there.all())
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (values if is_whole else np.where(there, values, 0)).sum(axis=-1, keepdims=True) / n
        centred: NDArray[np.float64] = values - mean
        known = centred if is_whole else np.where(there, centred, 0)
        sd = np.sqrt(np.einsum("st,st->s", known, known)[:, None] / (n - 1))
        varies = sd > _ROUNDING * (np.abs(mean) + sd)
        centred /= np.where(varies, sd, np.nan)
    return centred


def _powers(times: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    span = times - times[0]
    scale = span[-1] or 1.0
    # powers of numbers from -1 to 1 do not run out of digits
    return np.polynomial.legendre.legvander(2 * span / scale - 1, degree).T


def _residuals(values: NDArray[np.float64], regressors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take the part within the span of regressors (k, n_frame) out of complete series (n, n_frame)."""
    if not len(regressors):
        return values
    length = np.sqrt((regressors**2).sum(axis=1, keepdims=True))
    _, sizes, basis = np.linalg.svd(regressors / np.where(length > 0, length, 1), full_matrices=False)
    # collinear regressors have fewer directions
    basis = basis[sizes > _ROUNDING * sizes[0]]
    residuals: NDArray[np.float64] = (values @ basis.T) @ basis
    np.subtract(values, residuals, out=residuals)
    return residuals
