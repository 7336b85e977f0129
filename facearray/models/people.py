"""Which identity embeddings are of one person."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SAME_PERSON", "group_people"]

#: Largest distance of mean embeddings that still count as one person's; :doc:`/detector` has the figures behind it.
SAME_PERSON = 0.37


def group_people(
    embeddings: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    apart: Iterable[tuple[int, int]] = (),
    threshold: float = SAME_PERSON,
) -> NDArray[np.intp]:
    """Put embeddings together that are of one person: average linkage, with pairs that must not be together.

    The two nearest groups are joined as long as they are not further apart than the threshold. The distance of two
    groups is the root of the mean squared distance of their members, which for embeddings of unit norm follows from
    the groups' means: memory grows with the number of embeddings, time with its square.

    Parameters
    ----------
    embeddings
        (n, n_component) of unit norm.
    weights
        (n,) how much each counts in its group; all alike by default.
    apart
        Pairs of positions that are of different people.
    threshold
        Distance up to which groups are joined.

    Returns
    -------
    ndarray
        (n,) number of each one's person, from 0 in the order of their first embeddings.

    References
    ----------
    Müllner (2011). Modern hierarchical, agglomerative clustering algorithms. arXiv:1109.2378 (the chain of nearest
    neighbours)

    Examples
    --------
    >>> angles = np.radians([0, 90, 10, 95, 12])
    >>> group_people(np.column_stack([np.cos(angles), np.sin(angles)]), apart=[(2, 4)])
    array([0, 1, 0, 1, 2])
    """
    means = np.array(embeddings, np.float64)
    n = len(means)
    counts = np.ones(n) if weights is None else np.array(weights, np.float64)
    rivals: list[set[int]] = [set() for _ in range(n)]
    for a, b in apart:
        rivals[a].add(b)
        rivals[b].add(a)
    group = np.arange(n)
    is_open = np.ones(n, np.bool_)
    for seed in range(n):
        chain = [seed] if is_open[seed] else []
        while chain:
            top = chain[-1]
            # rounding can bring it below 0
            squared = np.where(is_open, (2 - 2 * means @ means[top]).clip(min=0), np.inf)
            squared[[top, *rivals[top]]] = np.inf
            nearest = int(squared.argmin())
            if squared[nearest] > threshold**2:
                # No group comes nearer when others are joined, so this one is complete.
                is_open[top] = False
                chain.pop()
            elif len(chain) > 1 and squared[nearest] == squared[chain[-2]]:
                _join(chain.pop(), chain.pop(), means, counts, rivals, group, is_open)
            else:
                chain.append(nearest)
    first = np.unique(group, return_index=True)[1]
    order: NDArray[np.intp] = np.searchsorted(np.sort(first), _first_of(group))
    return order


def _join(
    a: int,
    b: int,
    means: NDArray[np.float64],
    counts: NDArray[np.float64],
    rivals: list[set[int]],
    group: NDArray[np.intp],
    is_open: NDArray[np.bool_],
) -> None:
    """Put group b into group a."""
    means[a] = np.average(means[[a, b]], axis=0, weights=counts[[a, b]])
    counts[a] += counts[b]
    for rival in rivals[b]:
        rivals[rival].discard(b)
        rivals[rival].add(a)
    rivals[a] |= rivals[b]
    group[group == b] = a
    is_open[b] = False


def _first_of(group: NDArray[np.intp]) -> NDArray[np.intp]:
    """Position of the first member of each one's group."""
    first, inverse = np.unique(group, return_index=True, return_inverse=True)[1:]
    return first[inverse]
