from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from facearray.models.people import SAME_PERSON, group_people


def unit(rng, n, n_people, spread, k=16):
    """Embeddings of some people."""
    centres = rng.normal(size=(n_people, k))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    who = rng.integers(0, n_people, n)
    values = centres[who] + rng.normal(0, spread / np.sqrt(k), (n, k))
    return values / np.linalg.norm(values, axis=1, keepdims=True), who


def numbered(labels):
    """Groups by number, in the order of their first members."""
    first = dict.fromkeys(np.asarray(labels).tolist())
    return [list(first).index(label) for label in np.asarray(labels).tolist()]


def brute_force(values, weights, apart, threshold):
    """Join the nearest groups until none is near: from the definition."""
    groups = [[i] for i in range(len(values))]
    squared = ((values[:, None] - values) ** 2).sum(axis=2)
    never = {frozenset(pair) for pair in apart}
    while True:
        best = (threshold**2, None)
        for a in range(len(groups)):
            for b in range(a):
                if any(frozenset((i, j)) in never for i in groups[a] for j in groups[b]):
                    continue
                w = np.outer(weights[groups[a]], weights[groups[b]])
                distance = (w * squared[np.ix_(groups[a], groups[b])]).sum() / w.sum()
                if distance <= best[0]:
                    best = (distance, (a, b))
        if best[1] is None:
            break
        a, b = best[1]
        groups[b] += groups.pop(a)
    labels = np.empty(len(values), int)
    for number, group in enumerate(groups):
        labels[group] = number
    return numbered(labels)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("threshold", [0.3, 0.6, 1.0, 1.3])
def test_group_people__is_average_linkage(seed, threshold):
    values, _ = unit(np.random.default_rng(seed), 60, 7, 0.9)
    squared = ((values[:, None] - values) ** 2).sum(axis=2)[np.triu_indices(60, 1)]
    expected = fcluster(linkage(squared, "average"), threshold**2, "distance")
    assert group_people(values, threshold=threshold).tolist() == numbered(expected)


@pytest.mark.parametrize("seed", range(6))
def test_group_people__weights_and_pairs_apart(seed):
    rng = np.random.default_rng(seed)
    values, _ = unit(rng, 25, 4, 0.9)
    weights = rng.uniform(0.5, 20, 25)
    apart = rng.integers(0, 25, (30, 2))
    apart = apart[apart[:, 0] != apart[:, 1]].tolist()
    found = group_people(values, weights=weights, apart=apart, threshold=1.1)
    assert found.tolist() == brute_force(values, weights, apart, 1.1)
    assert all(found[a] != found[b] for a, b in apart)
    assert len(set(found.tolist())) < 15


def test_group_people__order_changes_numbers_only():
    rng = np.random.default_rng(0)
    values, who = unit(rng, 40, 5, 0.3)
    order = rng.permutation(40)
    assert group_people(values, threshold=0.7).tolist() == numbered(who)
    assert group_people(values[order], threshold=0.7).tolist() == numbered(who[order])


def test_group_people__threshold():
    angle = 2 * np.arcsin(SAME_PERSON / 2)
    for factor, n in ((0.99, 1), (1.01, 2)):
        values = [[1.0, 0.0], [np.cos(factor * angle), np.sin(factor * angle)]]
        assert len(set(group_people(values).tolist())) == n


def test_group_people__equal_embeddings():
    assert group_people(np.tile([1.0, 0.0], (5, 1))).tolist() == [0] * 5
    assert group_people(np.tile([1.0, 0.0], (4, 1)), apart=[(0, 1), (2, 3)]).tolist() in ([0, 1, 0, 1], [0, 1, 1, 0])


def test_group_people__few():
    assert group_people(np.empty((0, 8))).tolist() == []
    assert group_people([[1.0, 0.0]]).tolist() == [0]
