"""Which frames of a face stand out from the others of the same face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facearray.signal.kernels.medians import median

__all__ = ["robust_z", "speed"]

#: The median absolute deviation of normal values, in their standard deviations.
_NORMAL = 0.6744897501960817


def robust_z(values: NDArray[np.float64], least: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Distance of values (n, n_frame) from the median of their series, in robust standard deviations.

    Parameters
    ----------
    values
        Series; NaN where there is no value.
    least
        Least standard deviation (n,) that a series is taken to have, so that one that hardly varies does not make every
        small change stand out.

    Returns
    -------
    ndarray
        abs(x - median) / (median of abs(x - median) / 0.6745).

    Examples
    --------
    >>> robust_z(np.array([[1.0, 2.0, 3.0, 4.0, 50.0]]), 0.1).round(1)
    array([[ 1.3,  0.7,  0. ,  0.7, 31.7]])
    """
    distance = np.abs(values - median(values))
    scale = np.fmax(median(distance) / _NORMAL, np.reshape(least, (-1, 1)))
    z: NDArray[np.float64] = distance / scale
    return z


def speed(angles: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Speed (n_frame,) at which a head came to turn as it does, in degrees a second.

    Parameters
    ----------
    angles
        (n_angle, n_frame) in degrees; frames without all of them are passed over.
    times
        Times (n_frame,) in seconds, which increase.

    Returns
    -------
    ndarray
        Of the fastest of the angles since the last frame that has all; NaN for the first one of these.

    Examples
    --------
    >>> speed(np.array([[0.0, 1.0, np.nan, -179.0]]), np.array([0.0, 0.5, 1.0, 1.5]))
    array([ nan,   2.,  nan, 180.])
    """
    out = np.full(len(times), np.nan)
    frames = np.flatnonzero(~np.isnan(angles).any(axis=0))
    # the short way round
    turned = (np.diff(angles[:, frames], axis=1) + 180) % 360 - 180
    out[frames[1:]] = np.abs(turned).max(axis=0) / np.diff(times[frames])
    return out
