"""Time courses relative to a level of rest."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facearray.signal.kernels.medians import median

__all__ = ["SCALES", "Scale", "level", "relative"]

Scale = Literal["difference", "percent", "z", "decibel"]

#: How a time course is compared with a level.
SCALES: tuple[Scale, ...] = ("difference", "percent", "z", "decibel")


def level(values: NDArray[np.float64], statistic: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Level and standard deviation (..., 1) of the values of series (..., n_frame) that are not NaN.

    Parameters
    ----------
    values
        Series.
    statistic
        ``"mean"`` or ``"median"``.

    Examples
    --------
    >>> level(np.array([1.0, 2.0, 6.0, np.nan]), "median")
    (array([2.]), array([2.64575131]))
    """
    there = ~np.isnan(values)
    n = there.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, values, 0).sum(axis=-1, keepdims=True) / n
        square = np.where(there, (values - mean) ** 2, 0).sum(axis=-1, keepdims=True)
        sd = np.sqrt(square / np.where(n > 1, n - 1, np.nan))
    return (mean if statistic == "mean" else median(values)), sd


def relative(
    values: NDArray[np.float64], rest: NDArray[np.float64], sd: NDArray[np.float64], scale: Scale
) -> NDArray[np.float64]:
    """Compare values with a level of rest.

    Parameters
    ----------
    values
        Any shape.
    rest
        Level, of a shape that fits.
    sd
        Standard deviation of the frames at rest; used for ``"z"`` alone.
    scale
        ``"difference"``: x - rest. ``"percent"``: 100 (x - rest) / abs(rest). ``"z"``: (x - rest) / sd. ``"decibel"``:
        10 log10(x / rest).

    Returns
    -------
    ndarray
        NaN where the scale does not exist: a rest or standard deviation of 0, a ratio that is not positive.

    Examples
    --------
    >>> relative(np.array([1.0, 10.0, -1.0]), np.array(1.0), np.array(0.5), "decibel")
    array([ 0., 10., nan])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if scale == "difference":
            return values - rest
        if scale == "percent":
            return 100 * (values - rest) / np.where(rest == 0, np.nan, np.abs(rest))
        if scale == "z":
            return (values - rest) / np.where(sd > 1e-10 * np.abs(rest), sd, np.nan)
        ratio = values / np.where(rest == 0, np.nan, rest)
        found: NDArray[np.float64] = 10 * np.log10(np.where(ratio > 0, ratio, np.nan))
        return found
