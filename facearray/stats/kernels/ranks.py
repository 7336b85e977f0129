"""Rank correlations of many time courses that may miss values: Spearman's and Kendall's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array
from facearray.stats.kernels.products import Counts, paired_products

__all__ = ["kendall", "paired_kendall", "paired_spearman", "rank_series", "spearman"]

#: Values that are held at once.
_CELLS = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class _Sorted:
    """Series (n, n_time) in ascending order, NaN last.

    Attributes
    ----------
    order
        Times (n, n_time) of the values.
    first, last
        Positions (n, n_time) at which the values that are equal to each begin and end.
    """

    order: NDArray[np.intp]
    first: NDArray[np.intp]
    last: NDArray[np.intp]

    @classmethod
    def of(cls, x: NDArray[np.floating]) -> _Sorted:
        order = np.argsort(x, axis=-1, kind="stable")
        values = np.take_along_axis(x, order, axis=-1)
        position = np.broadcast_to(np.arange(x.shape[-1]), x.shape)
        new = np.ones(x.shape, dtype=bool)
        new[:, 1:] = values[:, 1:] != values[:, :-1]
        ends = np.ones(x.shape, dtype=bool)
        ends[:, :-1] = new[:, 1:]
        first = np.maximum.accumulate(np.where(new, position, 0), axis=-1)
        last = np.minimum.accumulate(np.where(ends, position, x.shape[-1])[:, ::-1], axis=-1)[:, ::-1]
        return cls(order, first, last)

    def take(self, rows: slice) -> _Sorted:
        return _Sorted(self.order[rows], self.first[rows], self.last[rows])

    def ranks(self, among: NDArray[np.bool_]) -> Array:
        """Ranks from 1 among some times (m, n_time) of each series, or of the one that there is; ties are averaged."""
        counted = np.zeros((len(among), among.shape[1] + 1))
        order = np.broadcast_to(self.order, among.shape)
        np.cumsum(np.take_along_axis(among, order, axis=-1), axis=-1, out=counted[:, 1:])
        below = np.take_along_axis(counted, np.broadcast_to(self.first, among.shape), axis=-1)
        until = np.take_along_axis(counted, np.broadcast_to(self.last + 1, among.shape), axis=-1)
        ranks = np.empty(among.shape)
        np.put_along_axis(ranks, order, (below + until + 1) / 2, axis=-1)
        return ranks


def rank_series(x: NDArray[np.floating]) -> Array:
    """Ranks (n, n_time) of the values of each series among themselves; NaN stays."""
    there = ~np.isnan(x)
    return np.where(there, _Sorted.of(x).ranks(there), np.nan)


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[Array, Counts]:
    """Pearson's r of the ranks among the shared times of each pair of series, (n_a, n_b), and their numbers.

    A series is sorted once; for every pair its values are only counted in this order.
    """
    r, n = np.full((len(a), len(b)), np.nan), np.zeros((len(a), len(b)), dtype=np.int32)
    sorted_a, sorted_b = _Sorted.of(a), _Sorted.of(b)
    there_a, there_b = ~np.isnan(a), ~np.isnan(b)
    step = max(1, _CELLS // a.shape[-1])
    for i in range(len(a)):
        # within one set, pairs with earlier series are known already
        for start in range(i if a is b else 0, len(b), step):
            part = slice(start, start + step)
            both = there_a[i] & there_b[part]
            ranks_a, ranks_b = sorted_a.take(slice(i, i + 1)).ranks(both), sorted_b.take(part).ranks(both)
            r[i, part], n[i, part] = paired_products(ranks_a, ranks_b, both), both.sum(axis=-1)
    if a is b:
        lower = np.tril_indices(len(a), -1)
        r[lower], n[lower] = r.T[lower], n.T[lower]
    return r, n


def paired_spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> Array:
    """Spearman's r of each series (n, n_time) of one set with the one in its place in the other."""
    both = ~(np.isnan(a) | np.isnan(b))
    return paired_products(_Sorted.of(a).ranks(both), _Sorted.of(b).ranks(both), both)


def kendall(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[Array, Counts]:
    """Kendall's tau-b of each pair of series, (n_a, n_b), and the numbers of times that they share.

    The signs of the steps from every time to every later one are multiplied and added up: for steps of one length that
    is a product of matrices, of whole numbers that float32 holds exactly. A step without a change is a tie; steps to
    and from a missing value are 0 on both sides.
    """
    agree, moves_a, moves_b = (np.zeros((len(a), len(b))) for _ in range(3))
    for lag in range(1, a.shape[-1]):
        sign_a, both_a = _steps(a, lag)
        sign_b, both_b = (sign_a, both_a) if b is a else _steps(b, lag)
        agree += sign_a @ sign_b.T
        moves_a += np.abs(sign_a) @ both_b.T
        moves_b += both_a @ np.abs(sign_b).T
    n = (~np.isnan(a)).astype(np.float32) @ (~np.isnan(b)).astype(np.float32).T
    return _tau(agree, moves_a, moves_b), np.rint(n).astype(np.int32)


def paired_kendall(a: NDArray[np.floating], b: NDArray[np.floating]) -> Array:
    """Kendall's tau-b of each series (n, n_time) of one set with the one in its place in the other."""
    agree, moves_a, moves_b = (np.zeros(len(a)) for _ in range(3))
    for lag in range(1, a.shape[-1]):
        (sign_a, both_a), (sign_b, both_b) = _steps(a, lag), _steps(b, lag)
        agree += (sign_a * sign_b).sum(axis=-1)
        moves_a += (np.abs(sign_a) * both_b).sum(axis=-1)
        moves_b += (both_a * np.abs(sign_b)).sum(axis=-1)
    return _tau(agree, moves_a, moves_b)


def _steps(x: NDArray[np.floating], lag: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Signs of the steps of some length, and which of them are between two values."""
    later, earlier = x[:, lag:], x[:, :-lag]
    both = ~(np.isnan(later) | np.isnan(earlier))
    return (later > earlier).astype(np.float32) - (later < earlier).astype(np.float32), both.astype(np.float32)


def _tau(agree: Array, moves_a: Array, moves_b: Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(agree / np.sqrt(moves_a * moves_b), -1, 1)
