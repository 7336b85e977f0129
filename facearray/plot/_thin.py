"""Long time courses with fewer points: extremes and gaps stay."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["POINTS_PER_BIN", "frames_per_bin", "runs", "thin"]

#: Points that thinning keeps of one bin at most: the lowest, the highest and the first missing.
POINTS_PER_BIN = 3


def thin(values: NDArray[np.floating], max_points: int) -> NDArray[np.intp]:
    """Positions (ascending) that keep the extremes and the gaps of a (n,) series, ``max_points`` at most."""
    n = len(values)
    if n <= max_points:
        return np.arange(n)
    width = frames_per_bin(n, max_points)
    whole = n // width * width
    kept = _extremes(values[:whole].reshape(-1, width))
    if whole < n:
        kept = np.concatenate([kept, whole + _extremes(values[None, whole:])])
    return kept


def frames_per_bin(n: int, max_points: int) -> int:
    """Frames that thinning puts into one bin."""
    return 1 if n <= max_points else -(-n // (max_points // POINTS_PER_BIN))


def runs(same: NDArray[np.generic]) -> Iterator[tuple[int, int]]:
    """Begin and end (exclusive) of the stretches of equal values."""
    edges = np.flatnonzero(same[1:] != same[:-1]) + 1
    bounds = [0, *edges.tolist(), len(same)]
    if len(same):
        yield from itertools.pairwise(bounds)


def _extremes(bins: NDArray[np.floating]) -> NDArray[np.intp]:
    """Positions of the lowest, the highest and the first missing value of each row (n, width), in all of them."""
    # these stop at the first missing value, so that a row without one needs no second look
    lowest, highest = bins.argmin(axis=1), bins.argmax(axis=1)
    first_gap = lowest.copy()
    gaps = np.flatnonzero(np.isnan(bins[np.arange(len(bins)), lowest]))
    missing = np.isnan(bins[gaps])
    lowest[gaps] = np.where(missing, np.inf, bins[gaps]).argmin(axis=1)
    highest[gaps] = np.where(missing, -np.inf, bins[gaps]).argmax(axis=1)
    return np.unique(np.stack([lowest, highest, first_gap]) + bins.shape[1] * np.arange(len(bins)))
