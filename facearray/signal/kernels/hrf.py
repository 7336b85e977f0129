"""The canonical haemodynamic response."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["LENGTH", "double_gamma"]

#: Seconds after which it is over.
LENGTH = 32.0


def double_gamma(step: float) -> NDArray[np.float64]:
    """Compute SPM's canonical response at steps of some seconds, from 0 to 32 s; the values sum to 1.

    Notes
    -----
    h(t) = g(t; 6) - g(t; 16) / 6 with the gamma density g(t; a) = t^(a - 1) exp(-t) / Gamma(a): a peak near 5 s and an
    undershoot near 15.7 s.

    References
    ----------
    Friston, K. J. et al. (1998). Event-related fMRI: characterizing differential responses. NeuroImage 7, 30-40.

    Examples
    --------
    >>> response = double_gamma(0.1)
    >>> round(float(np.argmax(response)) * 0.1, 1), round(float(np.argmin(response)) * 0.1, 1)
    (5.0, 15.7)
    """
    t = np.arange(math.floor(LENGTH / step) + 1) * step
    peak, undershoot = (t ** (a - 1) * np.exp(-t) / math.gamma(a) for a in (6, 16))
    response = peak - undershoot / 6
    return np.asarray(response / response.sum())
