"""Clusters of neighbouring points whose statistics pass a threshold, and how large they are by chance.

Points lie on a grid, such as windows of time by features. A cluster is a set of neighbours on the same side of the
threshold, and its mass the sum of their statistics (Maris & Oostenveld 2007, Journal of Neuroscience Methods 164).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array
from facearray.stats.kernels.resampling import Draws, PermutationResult, Statistic, permutation_test

__all__ = ["ClusterTest", "Clusters", "find_clusters", "grid_neighbours", "largest_masses", "mass_test"]

Index = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Clusters:
    """The k clusters of m points.

    Attributes
    ----------
    number
        Cluster (m,) of each point, from 1 on, the one of the largest mass first; 0 for a point in none.
    mass
        Sum (k,) of the statistics in each; negative below.
    """

    number: Index
    mass: Array


def grid_neighbours(shape: Sequence[int], axes: Iterable[int], linked: Iterable[tuple[int, int, int]] = ()) -> Index:
    """Pairs (k, 2) of neighbouring points of a grid, which are numbered as in a flattened array.

    Parameters
    ----------
    shape
        Of the grid.
    axes
        Axes along which each point is the neighbour of the next.
    linked
        (axis, i, j): all points at ``i`` of an axis are neighbours of those at ``j``, at the same place otherwise.

    Examples
    --------
    >>> grid_neighbours((2, 2), [0]).tolist()
    [[0, 2], [1, 3]]
    """
    place = np.arange(math.prod(shape)).reshape(shape)
    pairs = [(place.take(range(shape[a] - 1), a), place.take(range(1, shape[a]), a)) for a in axes]
    pairs += [(place.take([i], axis), place.take([j], axis)) for axis, i, j in linked]
    stacked = [np.stack([a.ravel(), b.ravel()], axis=1) for a, b in pairs]
    return np.concatenate(stacked) if stacked else np.zeros((0, 2), dtype=np.intp)


def _components(above: Mask, neighbours: Index) -> tuple[Index, Index, Index]:
    """Row, point and component of everything above in (d, m), neighbours in a row being in one component."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, points = np.nonzero(above)
    node = np.zeros(above.shape, dtype=np.intp)
    node[rows, points] = np.arange(len(rows))
    at, pair = np.nonzero(above[:, neighbours[:, 0]] & above[:, neighbours[:, 1]])
    ends = node[at, neighbours[pair, 0]], node[at, neighbours[pair, 1]]
    graph = coo_array((np.ones(len(at), dtype=np.int8), ends), shape=(len(rows), len(rows)))
    _, component = connected_components(graph, directed=False)
    return rows, points, component


def _sides(t: Array, threshold: Array, *, two_sided: bool) -> list[Mask]:
    """Points (d, m) above the threshold, and those below its negative; what is not finite is in no cluster."""
    finite = np.isfinite(t)
    with np.errstate(invalid="ignore"):
        above = [t > threshold, t < -threshold] if two_sided else [t > threshold]
    return [side & finite for side in above]


def find_clusters(t: Array, neighbours: Index, threshold: Array, *, two_sided: bool = True) -> Clusters:
    """Find the clusters of statistics (m,).

    Parameters
    ----------
    t
        Statistics; one that is NaN or infinite is in no cluster.
    neighbours
        Pairs (k, 2) of points.
    threshold
        (m,) or a number, which has to be passed.
    two_sided
        Whether there are clusters below the negative threshold, too.

    Examples
    --------
    >>> found = find_clusters(np.array([3.0, 2.5, 0.0, -4.0]), grid_neighbours((4,), [0]), np.array(2.0))
    >>> found.number.tolist(), found.mass.tolist()
    ([1, 1, 0, 2], [5.5, -4.0])
    """
    number = np.zeros(len(t), dtype=np.intp)
    masses: list[Array] = []
    n = 0
    for side in _sides(t[None], threshold, two_sided=two_sided):
        _, points, component = _components(side, neighbours)
        number[points] = n + component + 1
        masses.append(np.bincount(component, weights=t[points]).astype(np.float64))
        n += len(masses[-1])
    mass = np.concatenate(masses)
    order = np.argsort(-np.abs(mass), kind="stable")
    rank = np.zeros(n + 1, dtype=np.intp)
    rank[order + 1] = np.arange(1, n + 1)
    return Clusters(rank[number], mass[order])


def largest_masses(t: Array, neighbours: Index, threshold: Array, *, two_sided: bool = True) -> Array:
    """Largest absolute mass (d,) of the clusters in each of d rows of statistics (d, m); 0 where there is none."""
    largest = np.zeros(len(t))
    for side in _sides(t, threshold, two_sided=two_sided):
        rows, points, component = _components(side, neighbours)
        mass = np.bincount(component, weights=t[rows, points])
        row = np.zeros(len(mass), dtype=np.intp)
        row[component] = rows
        np.maximum.at(largest, row, np.abs(mass))
    return largest


@dataclass(frozen=True)
class _WithMasses:
    """|t| (d, m) of all points, and the largest mass once for each of k observed clusters: (d, m + k)."""

    statistic: Statistic
    neighbours: Index
    threshold: Array
    n_clusters: int

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        t = self.statistic(arrangements)
        mass = largest_masses(t, self.neighbours, self.threshold)
        return np.concatenate([np.abs(t), np.repeat(mass[:, None], self.n_clusters, axis=1)], axis=1)


@dataclass(frozen=True, slots=True)
class ClusterTest:
    """Clusters, the p value (k,) of each, and those of the points alone."""

    clusters: Clusters
    p: Array
    points: PermutationResult

    def of_points(self, values: Array, outside: float) -> Array:
        """Give each point (m,) the value (k,) of its cluster."""
        return np.append(outside, values)[self.clusters.number]


def mass_test(
    statistic: Statistic,
    observed: Array,
    arrangements: Draws,
    neighbours: Index,
    threshold: Array,
    *,
    n_permutations: int,
    seed: int = 0,
    client: Any = None,
) -> ClusterTest:
    """Compare the masses of clusters with the largest mass in other arrangements of the units.

    Parameters
    ----------
    statistic
        Gives the statistic, with its sign, of each of m points for a chunk of arrangements.
    observed
        (m,) its values for the data as they are; NaN where there is none.
    arrangements, n_permutations, seed, client
        As for `facearray.stats.kernels.resampling.permutation_test`.
    neighbours
        Pairs (k, 2) of points.
    threshold
        (m,) above which, or below the negative of which, neighbours form clusters.

    Returns
    -------
    ClusterTest
        p of a cluster is the share of arrangements in which the largest mass of any cluster is at least as large, the
        observed arrangement included: it holds for all clusters together.
    """
    clusters = find_clusters(observed, neighbours, threshold)
    k, m = len(clusters.mass), len(observed)
    result = permutation_test(
        _WithMasses(statistic, neighbours, threshold, k),
        np.concatenate([np.abs(observed), np.abs(clusters.mass)]),
        arrangements,
        n_permutations=n_permutations,
        seed=seed,
        client=client,
        family=np.arange(m + k) < m,
    )
    points = replace(result, p=result.p[:m], p_max=result.p_max[:m], n_counted=result.n_counted[:m])
    return ClusterTest(clusters, result.p[m:], points)
