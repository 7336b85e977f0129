"""Correlations of time courses at several lags and in sliding windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.correlation import Method, correlate, correlate_paired
from facearray.stats.kernels.ols import Array
from facearray.stats.kernels.products import Counts, Series, products, standardize

__all__ = ["Comparison", "Found", "fisher_mean", "fisher_z"]


class Found(NamedTuple):
    """Correlations, the numbers of times behind them, and the lags at which they are found, in steps."""

    r: Array
    n: Counts
    lag: Counts


_Correlate = Callable[[NDArray[np.floating], NDArray[np.floating]], tuple[Array, Counts]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """How time courses are compared.

    Parameters
    ----------
    method
        As for `correlate`.
    min_overlap
        Fewest shared times of a correlation; with fewer it is NaN.
    max_lag
        The strongest correlation at any lag up to this, in either direction, is kept.
    window, step
        Length of sliding windows and the distance of their beginnings; None for the whole series.
    one_sided
        Whether the strongest is the largest, instead of the one furthest from 0.
    """

    method: Method = "pearson"
    min_overlap: int = 3
    max_lag: int = 0
    window: int | None = None
    step: int = 1
    one_sided: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether there is one correlation a pair, over all times and without a lag."""
        return self.max_lag == 0 and self.window is None

    def prepare(self, x: NDArray[np.floating]) -> NDArray[np.floating] | Series:
        """Do what has to be done once for a series, however many others it is compared with."""
        return standardize(x) if self.is_plain and self.method == "pearson" else x

    def of_pairs(self, a: NDArray[np.floating] | Series, b: NDArray[np.floating] | Series | None = None) -> Found:
        """Compare all series of one prepared set with all of another, or with each other: (..., [window,] n_a, n_b)."""
        if isinstance(a, Series):
            r, n = products(a, b if isinstance(b, Series) else None)
            r[n < self.min_overlap] = np.nan
            return Found(r, n, np.zeros(n.shape, dtype=np.int32))
        other = None if b is None or isinstance(b, Series) else b
        if self.is_plain:
            r, n = correlate(a, other, method=self.method)
            r[n < self.min_overlap] = np.nan
            return Found(r, n, np.zeros(n.shape, dtype=np.int32))
        return self._compare(a, a if other is None else other, lambda x, y: correlate(x, y, method=self.method), -3)

    def of_rows(self, a: NDArray[np.floating], b: NDArray[np.floating]) -> Found:
        """Compare each series of one set with the one in its place in another: (..., [window,] n)."""
        return self._compare(a, b, lambda x, y: correlate_paired(x, y, method=self.method), -2)

    def windows(self, n_time: int) -> Iterator[slice]:
        """Give the times of each window."""
        if self.window is None:
            yield slice(0, n_time)
            return
        for start in range(0, n_time - self.window + 1, self.step):
            yield slice(start, start + self.window)

    def _compare(self, a: NDArray[np.floating], b: NDArray[np.floating], correlate_: _Correlate, axis: int) -> Found:
        parts = [self._strongest(a[..., w], b[..., w], correlate_) for w in self.windows(a.shape[-1])]
        if self.window is None:
            return parts[0]
        return Found(*(np.stack(arrays, axis=axis) for arrays in zip(*parts, strict=True)))

    def _strongest(self, a: NDArray[np.floating], b: NDArray[np.floating], correlate_: _Correlate) -> Found:
        best: Found | None = None
        # from 0 outwards, so that of equal ones the nearest is kept
        for lag in sorted(range(-self.max_lag, self.max_lag + 1), key=abs):
            late, early = max(lag, 0), max(-lag, 0)
            n_time = a.shape[-1] - abs(lag)
            r, n = correlate_(a[..., early : early + n_time], b[..., late : late + n_time])
            r[n < self.min_overlap] = np.nan
            if best is None:
                best = Found(r, n, np.zeros(n.shape, dtype=np.int32))
                continue
            with np.errstate(invalid="ignore"):
                stronger = r > best.r if self.one_sided else np.abs(r) > np.abs(best.r)
            stronger |= np.isnan(best.r) & ~np.isnan(r)
            best.r[stronger], best.n[stronger], best.lag[stronger] = r[stronger], n[stronger], lag
        assert best is not None  # noqa: S101
        return best


def fisher_z(r: Array) -> Array:
    """Transform correlations to atanh(r); that of 1 is taken of the largest number below 1, 18.7."""
    most = np.nextafter(1, 0)
    return np.asarray(np.arctanh(np.clip(r, -most, most)))


def fisher_mean(r: Array, axis: int = -1) -> Array:
    """Average correlations as `fisher_z`, and turn the mean back; NaN is left out.

    Examples
    --------
    >>> fisher_mean(np.array([0.1, np.nan, 0.9])).round(3).item()
    0.656
    """
    there = ~np.isnan(r)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = fisher_z(np.where(there, r, 0)).sum(axis=axis) / there.sum(axis=axis)
    return np.asarray(np.tanh(z))
