"""Medians of what is there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["median"]


def median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median (..., 1) of the values (..., n) that are not NaN; NaN where there is none.

    Examples
    --------
    >>> median(np.array([[1.0, np.nan, 2.0, 6.0], [np.nan, np.nan, 1.0, 2.0]]))
    array([[2. ],
           [1.5]])
    """
    n = (~np.isnan(values)).sum(axis=-1, keepdims=True)
    # NaN is sorted behind everything else
    ordered = np.sort(values, axis=-1)
    low, high = np.maximum(n - 1, 0) // 2, np.minimum(n // 2, values.shape[-1] - 1)
    middle = np.take_along_axis(ordered, low, axis=-1) + np.take_along_axis(ordered, high, axis=-1)
    return np.where(n > 0, middle / 2, np.nan)
