"""Pearson correlations of many time courses that may miss values, by matrix products."""

from __future__ import annotations

import math
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

#: Pairs whose sums are combined at once: six arrays of them fit into the cache of a processor.
_STRIP = 2**15

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
    def empty(cls, shape: tuple[int, ...]) -> Mask:
        """Make room for a mask."""
        return cls(np.empty(shape), np.empty(shape, dtype=np.float32), np.empty(shape))

    @classmethod
    def whole(cls, values: Array) -> Mask:
        """Make the mask of standardized values none of which is missing."""
        return cls(np.ones(values.shape), np.ones(values.shape, dtype=np.float32), values * values)

    @property
    def parts(self) -> tuple[Array, NDArray[np.float32], Array]:
        """All of it."""
        return self.there, self.counted, self.squares

    def rows(self, rows: slice) -> Mask:
        """Take those of some series."""
        return Mask(self.there[..., rows, :], self.counted[..., rows, :], self.squares[..., rows, :])

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
        return self.gaps or Mask.whole(self.values)

    def rows(self, rows: slice) -> Series:
        """Take some of the series."""
        return Series(self.values[..., rows, :], None if self.gaps is None else self.gaps.rows(rows))

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
    n_time = x.shape[-1]
    is_complete = not np.isnan(x).any()
    values, mask = np.empty(x.shape), None if is_complete else Mask.empty(x.shape)
    flat = (math.prod(x.shape[:-1]), n_time)
    rows = [part.reshape(flat) for part in (x, values, *(mask.parts if mask else ()))]
    step = max(1, _STRIP // max(1, n_time))
    # some rows at a time, which stay in the cache of a processor from one step to the next
    for start in range(0, flat[0], step):
        of_x, here, *of_mask = (part[start : start + step] for part in rows)
        here[:] = of_x
        _standardize(here, *of_mask)
    return Series(values, mask)


def _standardize(
    values: Array, there: Array | None = None, counted: NDArray[np.float32] | None = None, squares: Array | None = None
) -> None:
    """Take means and lengths from rows (n, n_time) in place, and fill the mask of those that miss something."""
    n: Any = values.shape[-1]
    gaps = None
    with np.errstate(invalid="ignore", divide="ignore"):
        if there is not None and counted is not None:
            gaps = np.isnan(values)
            there[:] = counted[:] = ~gaps
            n = there.sum(axis=-1, keepdims=True)
            np.copyto(values, 0, where=gaps)
        mean = values.sum(axis=-1, keepdims=True) / n
        values -= mean
        if gaps is not None:
            np.copyto(values, 0, where=gaps)
        square = np.einsum("nt,nt->n", values, values)[..., None]
        values *= np.where(square > _ROUNDING * n * mean**2, 1 / np.sqrt(square), np.nan)
        if squares is not None:
            np.multiply(values, values, out=squares)


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
    n = mask_a.counted @ _turned(mask_b.counted)
    sum_a, square_a = a.values @ _turned(mask_b.there), mask_a.squares @ _turned(mask_b.there)
    if b is a:
        # in rows, as all that follows goes by rows
        sum_b, square_b = (np.ascontiguousarray(_turned(part)) for part in (sum_a, square_a))
    else:
        sum_b, square_b = mask_a.there @ _turned(b.values), mask_a.there @ _turned(mask_b.squares)
    counts = np.empty(n.shape, dtype=np.int32)
    step = max(1, _STRIP * r.shape[-2] // max(1, r.size))
    for start in range(0, r.shape[-2], step):
        rows = (..., slice(start, start + step), slice(None))
        doubtful = _combine(*(part[rows] for part in (r, n, sum_a, sum_b, square_a, square_b)))
        if doubtful is not None:
            _again(r[rows], a.rows(rows[1]), b, np.nonzero(doubtful))
        counts[rows] = n[rows]
    return r, counts


def _combine(
    r: Array, n: NDArray[np.float32], sum_a: Array, sum_b: Array, square_a: Array, square_b: Array
) -> NDArray[np.bool_] | None:
    """Make correlations of sums of products, in place; say where rounding may have taken the digits, if anywhere."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = 1 / n.astype(np.float64)
        of_means = np.empty_like(share)

        def product(one: Array, other: Array) -> Array:
            # the same whichever comes first, so that a matrix of all pairs is symmetric to the last digit
            np.multiply(one, other, out=of_means)
            return np.multiply(of_means, share, out=of_means)

        r -= product(sum_a, sum_b)
        doubtful = _subtract(square_a, product(sum_a, sum_a))
        doubtful |= _subtract(square_b, product(sum_b, sum_b))
        square_a *= square_b
        r /= np.sqrt(square_a, out=square_a)
    np.clip(r, -1, 1, out=r)
    few = n < 2
    if few.any():
        r[few] = np.nan
        doubtful &= ~few
    return doubtful if doubtful.any() else None


def _subtract(square: Array, of_mean: Array) -> NDArray[np.bool_]:
    """Take what the mean makes up from sums of squares, in place; and say where rounding may have taken the digits."""
    square -= of_mean
    # a sum of squares is 1 at most, so that most of what is small can be told by itself
    doubtful: NDArray[np.bool_] = square <= _CANCELLED
    if doubtful.any():
        doubtful &= _CANCELLED * of_mean >= (1 - _CANCELLED) * square
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
