"""Inference about symmetric matrices whose rows are the units: pairs that share a unit are not independent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array

__all__ = ["GroupMeans", "MatrixCorrelation", "Resamples", "resampled_means", "without_missing"]


def _off_diagonal(matrices: Array) -> tuple[Array, Array]:
    """Values (m, n, n) with 0 on the diagonal and where there is none, and which are there."""
    there = ~np.isnan(matrices)
    there[:, np.arange(matrices.shape[1]), np.arange(matrices.shape[1])] = False
    return np.where(there, matrices, 0.0), there.astype(np.float64)


def _own_pairs(parts: Array, member: Array) -> Array:
    """Sum over the pairs within each group, both ways round: (n_group, m, d) for the members (n_group, n, d)."""
    return np.stack([np.einsum("mid,id->md", parts @ rows, rows) for rows in member])


def _mean(total: Array, n: Array) -> Array:
    """Divide sums by counts; NaN where there is nothing to count."""
    return np.asarray(np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0))


@dataclass(frozen=True, eq=False)
class GroupMeans:
    """Means of a symmetric matrix within and between groups of its rows.

    Parameters
    ----------
    matrices
        m matrices (m, n, n); NaN is a missing pair, and the diagonal does not count.
    n_groups
        Groups, numbered from 0.
    """

    matrices: Array
    n_groups: int
    _values: Array = field(init=False)
    _there: Array = field(init=False)
    _patterns: Array = field(init=False)
    _pattern: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        values, there = _off_diagonal(self.matrices)
        _, first, pattern = np.unique(
            there.reshape(len(there), -1).astype(bool), axis=0, return_index=True, return_inverse=True
        )
        for name, value in {
            "_values": values,
            "_there": there,
            "_patterns": there[first],
            "_pattern": pattern.reshape(-1),
        }.items():
            object.__setattr__(self, name, value)

    def means(self, groups: NDArray[Any]) -> tuple[Array, Array]:
        """Means and counts (d, m, n_group, n_group) of the pairs, for groups (d, n) of the rows; each pair once."""
        member = (groups[:, :, None] == np.arange(self.n_groups)).astype(np.float64)
        columns = member.swapaxes(0, 1).reshape(groups.shape[1], -1)
        sums, counts = (
            np.einsum("dig,midh->dmgh", member, (part @ columns).reshape(*part.shape[:2], *member.shape[::2]))
            for part in (self._values, self._there)
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            means = sums / counts
        halved = np.where(np.eye(self.n_groups, dtype=bool), counts / 2, counts)
        return means, halved

    def contrasts(self, groups: NDArray[Any]) -> Array:
        """Differences (d, n_contrast, m): all pairs within groups less all between, then each two groups' own pairs.

        Every row has a group.
        """
        member = (np.arange(self.n_groups)[:, None, None] == groups.T).astype(np.float64)
        sums = _own_pairs(self._values, member)
        # matrices that miss the same pairs, as all do that miss none, share their counts
        counts = _own_pairs(self._patterns, member)[:, self._pattern]
        total, n = (part.sum(axis=(1, 2))[:, None] for part in (self._values, self._there))
        within = _mean(sums.sum(axis=0), counts.sum(axis=0))
        between = _mean(total - sums.sum(axis=0), n - counts.sum(axis=0))
        own = _mean(sums, counts)
        first, second = np.triu_indices(self.n_groups, 1)
        return np.moveaxis(np.concatenate([(within - between)[None], own[first] - own[second]]), -1, 0)

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        """Compute the sizes (d, n_contrast m) of the contrasts; NaN where a group has no pair."""
        return np.abs(self.contrasts(arrangements)).reshape(len(arrangements), -1)


@dataclass(frozen=True, eq=False)
class MatrixCorrelation:
    """Correlations of the pairs of m matrices (m, n, n) with those of another one (n, n) with its rows in other orders.

    A pair that one of the two does not have is left out.
    """

    matrices: Array
    other: Array
    two_sided: bool = True

    def r(self, orders: NDArray[np.intp]) -> Array:
        """Pearson's r (d, m)."""
        i, j = np.triu_indices(self.matrices.shape[1], 1)
        fixed, moved = self.matrices[:, i, j], self.other[orders[:, i], orders[:, j]]
        there, k = ~np.isnan(fixed), ~np.isnan(moved)
        n = k.astype(float) @ there.T.astype(float)
        # centred, so that the sums lose no digits
        with np.errstate(invalid="ignore"):
            y = np.where(there, fixed - np.nanmean(fixed, axis=1, keepdims=True), 0)
            x = np.where(k, moved - np.nanmean(self.other[np.triu_indices(len(self.other), 1)]), 0)
        sum_x, sum_y = x @ there.T, k @ y.T
        with np.errstate(invalid="ignore", divide="ignore"):
            rest_x, rest_y = x**2 @ there.T - sum_x**2 / n, k @ (y**2).T - sum_y**2 / n
            r = (x @ y.T - sum_x * sum_y / n) / np.sqrt(rest_x * rest_y)
            # what rounding leaves of what does not vary is no variation
            enough = (rest_x > 1e-12 * (x**2 @ there.T)) & (rest_y > 1e-12 * (k @ (y**2).T))
        return np.where(enough & (n > 2), np.clip(r, -1, 1), np.nan)

    def __call__(self, arrangements: NDArray[np.intp]) -> Array:
        """Compute their sizes."""
        r = self.r(arrangements)
        return np.abs(r) if self.two_sided else r


@dataclass(frozen=True)
class Resamples:
    """Samples of n units with replacement: how often each is in a sample."""

    n: int

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Draw counts (size, n)."""
        drawn = rng.integers(0, self.n, size=(size, self.n))
        counts = np.zeros((size, self.n))
        np.add.at(counts, (np.arange(size)[:, None], drawn), 1)
        return counts


def resampled_means(matrices: Array, counts: Array) -> Array:
    """Means (d, m) of the pairs of m matrices (m, n, n) in samples of their rows, given how often each is in it (d, n).

    A pair of a unit with itself, or with another draw of itself, is left out (Chen et al. 2016).
    """
    values, there = _off_diagonal(matrices)
    total, n = (np.einsum("di,mij,dj->dm", counts, part, counts, optimize=True) for part in (values, there))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / n)


def without_missing(matrix: Array) -> NDArray[np.intp]:
    """Find rows of a symmetric matrix (n, n) among which no pair is missing.

    The row that misses most is left out, of several the last one, until nothing is missing.

    Examples
    --------
    >>> without_missing(np.array([[1, 0.2, np.nan], [0.2, 1, np.nan], [np.nan, np.nan, 1]]))
    array([0, 1])
    """
    missing = np.isnan(matrix)
    np.fill_diagonal(missing, val=False)
    rows = np.arange(len(matrix))
    while missing.any():
        count = missing.sum(axis=1)
        worst = len(count) - 1 - int(np.argmax(count[::-1]))
        kept = np.delete(np.arange(len(rows)), worst)
        rows, missing = rows[kept], missing[np.ix_(kept, kept)]
    return rows
