"""Clusters and their masses, compared with scipy's labels, with enumeration by hand, and with MNE-Python."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import t as student
from scipy.stats import ttest_1samp, ttest_ind

from facearray.stats.kernels.cluster_mass import find_clusters, grid_neighbours, largest_masses, mass_test
from facearray.stats.kernels.resampling import Labels, SignFlip, Signs, TwoSample

MNE = json.loads((Path(__file__).parents[3] / "reference" / "mne_clusters.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("shape", "axes"), [((40,), [0]), ((30, 4), [0]), ((9, 8), [0, 1]), ((3, 7, 6), [1, 2])])
@pytest.mark.parametrize("two_sided", [True, False])
def test_find_clusters__are_those_of_scipy(shape, axes, two_sided):
    rng = np.random.default_rng(0)
    t = rng.normal(size=(20, *shape))
    neighbours, flat = grid_neighbours(shape, axes), t.reshape(20, -1)
    structure = np.zeros((3,) * len(shape))
    for axis in [None, *axes]:
        place = [slice(1, 2)] * len(shape)
        if axis is not None:
            place[axis] = slice(None)
        structure[tuple(place)] = 1
    largest = largest_masses(flat, neighbours, np.array(0.7), two_sided=two_sided)
    for i in range(20):
        masses = []
        found = find_clusters(flat[i], neighbours, np.array(0.7), two_sided=two_sided)
        number = found.number.reshape(shape)
        for side in [t[i] > 0.7, t[i] < -0.7][: 1 + two_sided]:
            labels, n = ndimage.label(side, structure)
            masses += [t[i][labels == k].sum() for k in range(1, n + 1)]
            for k in range(1, n + 1):
                (mine,) = np.unique(number[labels == k])
                np.testing.assert_array_equal(number == mine, labels == k)
        np.testing.assert_allclose(np.sort(found.mass), np.sort(masses))
        assert (np.diff(np.abs(found.mass)) <= 0).all()
        np.testing.assert_allclose(largest[i], np.abs(masses).max())


def test_find_clusters__none_and_what_is_not_finite():
    neighbours = grid_neighbours((5,), [0])
    assert find_clusters(np.zeros(5), neighbours, np.array(1.0)).mass.size == 0
    found = find_clusters(np.array([3, np.nan, 3, np.inf, 3]), neighbours, np.array(1.0))
    assert found.number.tolist() == [1, 0, 2, 0, 3]
    assert largest_masses(np.zeros((2, 5)), neighbours, np.array(1.0)).tolist() == [0, 0]


def test_grid_neighbours__linked_features():
    pairs = grid_neighbours((2, 3), [0], [(1, 0, 2)])
    assert sorted(map(tuple, pairs.tolist())) == [(0, 2), (0, 3), (1, 4), (2, 5), (3, 5)]


def test_mass_test__sign_flips_by_hand():
    rng = np.random.default_rng(1)
    y = rng.normal(size=(6, 12)) + 0.8
    neighbours, threshold = grid_neighbours((12,), [0]), np.full(12, 2.0)
    observed = ttest_1samp(y, 0).statistic
    found = mass_test(SignFlip(y, signed=True), observed, Signs(6), neighbours, threshold, n_permutations=1)
    largest, every = [], []
    for signs in itertools.product([1, -1], repeat=6):
        t = ttest_1samp(y * np.array(signs)[:, None], 0).statistic
        every.append(np.abs(t))
        masses = [0.0]
        for side in (t > 2, t < -2):
            labels, n = ndimage.label(side)
            masses += [abs(t[labels == k].sum()) for k in range(1, n + 1)]
        largest.append(max(masses))
    assert len(found.p)
    wanted = [(np.array(largest) >= abs(m) - 1e-9).mean() for m in found.clusters.mass]
    np.testing.assert_allclose(found.p, wanted)
    np.testing.assert_allclose(found.points.p, (np.array(every) >= np.abs(observed) - 1e-9).mean(axis=0))
    maxima = np.array(every).max(axis=1)
    np.testing.assert_allclose(found.points.p_max, [(maxima >= abs(t) - 1e-9).mean() for t in observed])


def test_mass_test__labels_in_blocks_by_hand():
    rng = np.random.default_rng(2)
    y = rng.normal(size=(8, 10))
    y[:4] += 1
    first = np.array([1, 1, 0, 0, 1, 0, 1, 0], float)
    blocks = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    neighbours, threshold = grid_neighbours((10,), [0]), np.full(10, 1.0)
    statistic = TwoSample(y, equal_var=True, signed=True)
    observed = ttest_ind(y[first == 1], y[first == 0]).statistic
    np.testing.assert_allclose(statistic(first[None])[0], observed)
    found = mass_test(statistic, observed, Labels(first, blocks), neighbours, threshold, n_permutations=1)
    largest = []
    for a in itertools.combinations(range(4), 2):
        for b in itertools.combinations(range(4, 8), 2):
            mask = np.isin(np.arange(8), [*a, *b])
            t = ttest_ind(y[mask], y[~mask]).statistic
            largest.append(largest_masses(t[None], neighbours, threshold)[0])
    assert found.points.n_arrangements == len(largest) == 36
    np.testing.assert_allclose(found.p, [(np.array(largest) >= abs(m) - 1e-9).mean() for m in found.clusters.mass])


def test_mass_test__a_point_without_a_statistic_in_an_arrangement_is_in_no_cluster_of_it():
    rng = np.random.default_rng(3)
    y = rng.normal(size=(10, 6))
    y[:5] += 2
    y[2:8, 5] = np.nan  # the last point often has one group only
    statistic = TwoSample(y, signed=True)
    first = (np.arange(10) < 5).astype(float)
    neighbours = grid_neighbours((6,), [0])
    found = mass_test(
        statistic, statistic(first[None])[0], Labels(first), neighbours, np.full(6, 2.0), n_permutations=1
    )
    assert found.p.min() < 0.02


# MNE-Python


def of_mne(name, number, mass, p):
    """Check that clusters are the same points with the same mass; give p of both."""
    theirs = MNE[name]
    assert len(theirs) == len(mass)
    pairs = []
    for cluster in theirs:
        points = tuple(np.array(cluster["points"]).T)
        (mine,) = np.unique(number[points])
        assert (number == mine).sum() == len(points[0])
        np.testing.assert_allclose(mass[mine - 1], cluster["mass"], rtol=1e-9)
        pairs.append((p[mine - 1], cluster["p"]))
    return np.array(pairs).T


@pytest.mark.parametrize("name", MNE["neighbours"])
def test_mass_test__one_sample_equals_mne_with_all_sign_flips(name):
    y = np.array(MNE["one"])
    n, *shape = y.shape
    neighbours = grid_neighbours(shape, [0], [(1, a, b) for a, b in MNE["neighbours"][name]])
    statistic, threshold = SignFlip(y.reshape(n, -1), signed=True), np.full(np.prod(shape), student.ppf(0.975, n - 1))
    found = mass_test(statistic, statistic(np.ones((1, n)))[0], Signs(n), neighbours, threshold, n_permutations=1)
    mine, theirs = of_mne(f"one sample, {name}", found.clusters.number.reshape(shape), found.clusters.mass, found.p)
    assert found.points.exact
    assert len(mine) > 2
    # of the 512 pairs of sign flips that differ, MNE uses all but one
    left_out = np.rint(mine * 512) - np.rint(theirs * 511)
    np.testing.assert_allclose(theirs * 511, np.rint(theirs * 511), atol=1e-9)
    assert set(left_out) <= {0, 1}


@pytest.mark.parametrize("name", MNE["neighbours"])
@pytest.mark.parametrize("test", ["Student", "Welch"])
def test_mass_test__two_samples_equal_mne_but_for_its_draws(name, test):
    first, second = np.array(MNE["first"]), np.array(MNE["second"])
    y = np.concatenate([first, second])
    n, *shape = y.shape
    neighbours = grid_neighbours(shape, [0], [(1, a, b) for a, b in MNE["neighbours"][name]])
    statistic = TwoSample(y.reshape(n, -1), equal_var=test == "Student", signed=True)
    labels = (np.arange(n) < len(first)).astype(float)
    threshold = np.full(np.prod(shape), student.ppf(0.975, n - 2))
    found = mass_test(statistic, statistic(labels[None])[0], Labels(labels), neighbours, threshold, n_permutations=1)
    number, mass = found.clusters.number.reshape(shape), found.clusters.mass
    of_mne(f"two samples, {test}, {name}, both sides", number, mass, found.p)
    assert len(mass) > 4
    # p of one side, as MNE has no other
    one_sided = find_clusters(statistic(labels[None])[0], neighbours, threshold, two_sided=False)
    null = [largest_masses(statistic(part), neighbours, threshold, two_sided=False) for part in Labels(labels).all()]
    p = (np.concatenate(null)[:, None] >= one_sided.mass - 1e-9).mean(axis=0)
    number = one_sided.number.reshape(shape)
    mine, theirs = of_mne(f"two samples, {test}, {name}, greater", number, one_sided.mass, p)
    error = np.sqrt(mine * (1 - mine) / MNE["n_permutations"])
    assert (np.abs(mine - theirs) <= 4 * error + 1 / MNE["n_permutations"]).all()
