"""Correlations between time courses that may miss values: of all pairs, and of each with the others' average."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array
from facearray.stats.kernels.products import Counts, paired_products, products, standardize
from facearray.stats.kernels.ranks import kendall, paired_kendall, paired_spearman, rank_series, spearman

__all__ = ["METHODS", "Method", "average_of_others", "correlate", "correlate_paired"]

Method = Literal["pearson", "spearman", "kendall"]

METHODS: tuple[str, ...] = get_args(Method)


def correlate(
    a: NDArray[np.floating], b: NDArray[np.floating] | None = None, *, method: Method = "pearson"
) -> tuple[Array, Counts]:
    """Correlate every series of one set with every series of another, each pair over the times that it shares.

    Parameters
    ----------
    a, b
        Time courses (n_a, n_time) and (n_b, n_time); NaN is a missing value. Without ``b``, all pairs of ``a``. For
        Pearson's r there may be leading dims.
    method
        ``"pearson"``, ``"spearman"`` (of ranks among the shared times of each pair) or ``"kendall"`` (tau-b).

    Returns
    -------
    r
        Correlations (n_a, n_b); NaN where one of the series is constant over the shared times, or there are fewer than
        2 of them.
    n
        Numbers of shared times.

    Examples
    --------
    >>> r, n = correlate(np.array([[1.0, 2.0, 4.0, 9.0], [3.0, 1.0, np.nan, 7.0]]))
    >>> r.round(3), n
    (array([[1.   , 0.901],
           [0.901, 1.   ]]), array([[4, 3],
           [3, 3]], dtype=int32))
    """
    if method == "kendall":
        return kendall(a, a if b is None else b)
    if method == "spearman":
        if np.isnan(a).any() or (b is not None and np.isnan(b).any()):
            return spearman(a, a if b is None else b)
        a, b = rank_series(a), None if b is None else rank_series(b)
    return products(standardize(a), None if b is None else standardize(b))


def correlate_paired(
    a: NDArray[np.floating], b: NDArray[np.floating], *, method: Method = "pearson"
) -> tuple[Array, Counts]:
    """Correlate each series (n, n_time) of one set with the one in its place in the other: r (n,) and n (n,)."""
    both = ~(np.isnan(a) | np.isnan(b))
    if method == "pearson":
        r = paired_products(a, b, both)
    else:
        r = (paired_spearman if method == "spearman" else paired_kendall)(a, b)
    return r, both.sum(axis=-1, dtype=np.int32)


def average_of_others(x: NDArray[np.floating]) -> Array:
    """Average, for each series (..., n, n_time), the other series after each is given mean 0 and variance 1.

    Only times at which two others or more have a value get an average, the rest NaN. A constant series is no part of
    any average.

    Examples
    --------
    >>> average_of_others(np.array([[1.0, 2.0], [2.0, 4.0], [9.0, 7.0], [5.0, 5.0]])).round(2).tolist()
    [[0.0, 0.0], [0.0, 0.0], [-1.0, 1.0], [-0.33, 0.33]]
    """
    series = standardize(x)
    there = ~(np.isnan(x) | np.isnan(series.values))
    z = np.where(there, series.values, 0) * np.sqrt(there.sum(axis=-1, keepdims=True))
    n = there.sum(axis=-2, keepdims=True) - there
    total = z.sum(axis=-2, keepdims=True) - z
    return np.where(n > 1, total / np.maximum(n, 1), np.nan)
