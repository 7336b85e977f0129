"""Pearson correlations of many time courses that may miss values, by matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array

__all__ = ["Counts", "Series", "paired_products", "products", "standardize"]

Counts = NDArray[np.int32]

#: Where a sum of squares falls below this share of what it is computed from, rounding may have taken its digits.
_CANCELLED = 1e-6

#: What rounding leaves of the sum of squares of a constant series, as a share of n mean².
_ROUNDING = 1e-20

#: Values that are held at once where pairs are computed one by one.
_CELLS = 2**21


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Time courses (..., n, n_time) less their means, and of length 1.

    Attributes
    ----------
    values
        0 where there is no value; NaN throughout a series that is constant.
    there
        1 where there is a value and 0 elsewhere; None if nothing is missing.
    """

    values: Array
    there: Array | None

    @property
    def mask(self) -> Array:
        """Which values are there, as numbers."""
        return np.ones_like(self.values) if self.there is None else self.there

    def until(self, stop: int) -> Series:
        """Cut behind some time."""
        if stop == self.values.shape[-1]:
            return self
        # without its end a series is no longer centred, which a mask makes up for
        return Series(self.values[..., :stop], self.mask[..., :stop])


def standardize(x: NDArray[np.floating]) -> Series:
    """Take their means and lengths from time courses (..., n, n_time); NaN is a missing value.

    This is done in float64, so that float32 values with a large mean lose no digits in the products that follow.
    """
    values = x.astype(np.float64)
    gaps = np.isnan(values)
    n: Any = x.shape[-1]
    there = None
    with np.errstate(invalid="ignore", divide="ignore"):
        if gaps.any():
            n = n - gaps.sum(axis=-1, keepdims=True)
            values[gaps] = 0
            there = (~gaps).astype(np.float64)
        mean = values.sum(axis=-1, keepdims=True) / n
        values -= mean
        if there is not None:
            values[gaps] = 0
        square = np.einsum("...t,...t->...", values, values)[..., None]
        values *= np.where(square > _ROUNDING * n * mean**2, 1 / np.sqrt(square), np.nan)
    return Series(values, there)


def products(a: Series, b: Series | None = None) -> tuple[Array, Counts]:
    """Correlate every series of one set with every series of another, each pair over the times that it shares.

    Parameters
    ----------
    a, b
        Time courses (..., n_a, n_time) and (..., n_b, n_time); without ``b``, all pairs of ``a``.

    Returns
    -------
    r
        Correlations (..., n_a, n_b); NaN where a series is constant over the shared times, or they are fewer than 2.
    n
        Numbers of shared times.

    Notes
    -----
    Over the times that series x and y share, with masks m and k,

    r = (Σxy - Σxk Σmy / n) / sqrt((Σx²k - (Σxk)² / n) (Σmy² - (Σmy)² / n)), n = Σmk,

    and every sum is an element of a product of two matrices. As means were taken away before, the subtractions lose
    digits only where the shared part of a series is nearly constant beside the whole; such pairs are computed again
    one by one.
    """
    b = a if b is None else b
    x, y = a.values, b.values
    r = x @ _turned(y)
    if a.there is None and b.there is None:
        return np.clip(r, -1, 1, out=r), np.full(r.shape, x.shape[-1], dtype=np.int32)
    mask_a, mask_b = a.mask, b.mask
    # sums of ones are exact in float32, up to 16 million
    n = np.rint(mask_a.astype(np.float32) @ _turned(mask_b.astype(np.float32))).astype(np.int32)
    sum_a, square_a = x @ _turned(mask_b), (x * x) @ _turned(mask_b)
    if b is a:
        sum_b, square_b = _turned(sum_a), _turned(square_a)
    else:
        sum_b, square_b = mask_a @ _turned(y), mask_a @ _turned(y * y)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 / n
        rest_a, rest_b = square_a - sum_a * sum_a * share, square_b - sum_b * sum_b * share
        r -= sum_a * sum_b * share
        r /= np.sqrt(rest_a * rest_b)
        doubtful = (rest_a <= _CANCELLED * square_a) | (rest_b <= _CANCELLED * square_b)
    r[n < 2] = np.nan
    _again(r, a, b, np.nonzero(doubtful & (n > 1)))
    return np.clip(r, -1, 1, out=r), n


def _turned(x: NDArray[Any]) -> NDArray[Any]:
    return x.swapaxes(-1, -2)


def _again(r: Array, a: Series, b: Series, where: tuple[NDArray[np.intp], ...]) -> None:
    """Correlate some pairs one by one, for which the means of the shared times are taken away first."""
    if not len(where[0]):
        return
    mask_a, mask_b = a.mask > 0, b.mask > 0
    step = max(1, _CELLS // a.values.shape[-1])
    for start in range(0, len(where[0]), step):
        here = tuple(index[start : start + step] for index in where)
        of_a, of_b = here[:-1], (*here[:-2], here[-1])
        r[here] = paired_products(a.values[of_a], b.values[of_b], mask_a[of_a] & mask_b[of_b])


def paired_products(a: NDArray[np.floating], b: NDArray[np.floating], both: NDArray[np.bool_]) -> Array:
    """Correlate each series (..., n_time) of one set with the one in its place in the other, over given times."""
    pair = standardize(np.where(both, np.stack([a, b]), np.nan))
    r: Array = np.einsum("...t,...t->...", *pair.values)
    return np.clip(r, -1, 1)
