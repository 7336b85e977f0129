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
class Mask:
    """Which values of series (..., n, n_time) are there, and what sums over a part of the times need.

    Attributes
    ----------
    there
        1 where there is a value and 0 elsewhere.
    counted
        The same in float32: sums of ones are exact, up to 16 million.
    squares
        Squares of the standardized values.
    """

    there: Array
    counted: NDArray[np.float32]
    squares: Array

    @classmethod
    def of(cls, there: NDArray[np.bool_], values: Array) -> Mask:
        """Make the mask of standardized values."""
        return cls(there.astype(np.float64), there.astype(np.float32), values * values)

    def until(self, stop: int) -> Mask:
        """Cut behind some time."""
        return Mask(self.there[..., :stop], self.counted[..., :stop], self.squares[..., :stop])


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Time courses (..., n, n_time) less their means, and of length 1.

    Attributes
    ----------
    values
        0 where there is no value; NaN throughout a series that is constant.
    gaps
        What is there; None if nothing is missing.
    """

    values: Array
    gaps: Mask | None

    @property
    def mask(self) -> Mask:
        """What is there, whether or not anything is missing."""
        return self.gaps or Mask.of(np.ones(self.values.shape, dtype=bool), self.values)

    def until(self, stop: int) -> Series:
        """Cut behind some time."""
        if stop == self.values.shape[-1]:
            return self
        # without its end a series is no longer centred, which a mask makes up for
        return Series(self.values[..., :stop], self.mask.until(stop))


def standardize(x: NDArray[np.floating]) -> Series:
    """Take their means and lengths from time courses (..., n, n_time); NaN is a missing value.

    This is done in float64, so that float32 values with a large mean lose no digits in the products that follow.
    """
    values = x.astype(np.float64)
    gaps = np.isnan(values)
    n: Any = x.shape[-1]
    is_complete = not gaps.any()
    with np.errstate(invalid="ignore", divide="ignore"):
        if not is_complete:
            n = n - gaps.sum(axis=-1, keepdims=True)
            values[gaps] = 0
        mean = values.sum(axis=-1, keepdims=True) / n
        values -= mean
        if not is_complete:
            values[gaps] = 0
        square = np.einsum("...t,...t->...", values, values)[..., None]
        values *= np.where(square > _ROUNDING * n * mean**2, 1 / np.sqrt(square), np.nan)
        return Series(values, None if is_complete else Mask.of(~gaps, values))


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
    r = a.values @ _turned(b.values)
    if a.gaps is None and b.gaps is None:
        return np.clip(r, -1, 1, out=r), np.full(r.shape, a.values.shape[-1], dtype=np.int32)
    mask_a = a.mask
    mask_b = mask_a if b is a else b.mask
    n = np.rint(mask_a.counted @ _turned(mask_b.counted)).astype(np.float64)
    sum_a, rest_a = a.values @ _turned(mask_b.there), mask_a.squares @ _turned(mask_b.there)
    if b is a:
        sum_b, rest_b = _turned(sum_a), _turned(rest_a).copy()
    else:
        sum_b, rest_b = mask_a.there @ _turned(b.values), mask_a.there @ _turned(mask_b.squares)
    with np.errstate(invalid="ignore", divide="ignore"):
        r -= sum_a * sum_b / n
        doubtful = _subtract(rest_a, sum_a * sum_a / n)
        doubtful |= _subtract(rest_b, sum_b * sum_b / n)
        rest_a *= rest_b
        r /= np.sqrt(rest_a, out=rest_a)
    r[n < 2] = np.nan
    doubtful &= n > 1
    if doubtful.any():
        _again(r, a, b, np.nonzero(doubtful))
    return np.clip(r, -1, 1, out=r), n.astype(np.int32)


def _subtract(square: Array, of_mean: Array) -> NDArray[np.bool_]:
    """Take what the mean makes up from sums of squares, in place; and say where rounding may have taken the digits."""
    doubtful: NDArray[np.bool_] = of_mean >= (1 - _CANCELLED) * square
    square -= of_mean
    return doubtful


def _turned(x: NDArray[Any]) -> NDArray[Any]:
    return x.swapaxes(-1, -2)


def _again(r: Array, a: Series, b: Series, where: tuple[NDArray[np.intp], ...]) -> None:
    """Correlate some pairs one by one, for which the means of the shared times are taken away first."""
    mask_a, mask_b = a.mask.there > 0, b.mask.there > 0
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
