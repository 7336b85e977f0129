"""Means, differences, bootstrap, Mantel test and order of matrices of correlations."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from scipy.cluster import hierarchy

from facearray.errors import InputError, SchemaError
from facearray.stats import isc_bootstrap, isc_difference, isc_mean, isc_order, mantel
from facearray.stats.kernels.matrices import GroupMeans, Resamples, resampled_means, without_missing


def pairs(r, conditions="aabb", labels=None) -> xr.Dataset:
    r = np.asarray(r, dtype=float)
    n = r.shape[1]
    dims = ("video", "video_other")
    return xr.Dataset(
        {"r": (dims if r.ndim == 2 else (*dims, "feature"), r)},
        coords={
            "video": np.array(labels or [f"{i:02}" for i in range(n)], dtype=np.dtypes.StringDType()),
            "video_other": np.array(labels or [f"{i:02}" for i in range(n)], dtype=np.dtypes.StringDType()),
            "condition": ("video", list(conditions)),
        },
        attrs={"test": "pearson, pairwise"},
    )


def random_pairs(seed, n, conditions, n_missing=0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    r = np.corrcoef(rng.normal(size=(n, 12)))
    for _ in range(n_missing):
        i, j = rng.choice(n, 2, replace=False)
        r[i, j] = r[j, i] = np.nan
    return pairs(r, conditions)


def z_of(ds: xr.Dataset, which) -> list[float]:
    """Fisher's z of the pairs of different videos for which the two conditions are accepted."""
    conditions = ds.condition.values
    return [
        np.arctanh(ds.r.values[i, j])
        for i, j in itertools.combinations(range(len(conditions)), 2)
        if which(conditions[i], conditions[j]) and not np.isnan(ds.r.values[i, j])
    ]


def test_isc_mean__by_hand():
    ds = random_pairs(0, 7, "aaabbcc", n_missing=3)
    found = isc_mean(ds, "condition")
    assert found.r.dims == ("condition", "condition_other")
    for a, b in itertools.product("abc", repeat=2):
        z = z_of(ds, lambda x, y, a=a, b=b: {x, y} == {a, b} and (x != y or a == b))
        cell = found.sel(condition=a, condition_other=b)
        assert cell.n_pairs.item() == len(z)
        assert cell.r.item() == pytest.approx(np.tanh(np.mean(z))) or (not z and np.isnan(cell.r.item()))
    whole = isc_mean(ds)
    z = z_of(ds, lambda x, y: True)
    assert (whole.r.item(), whole.n_pairs.item()) == (pytest.approx(np.tanh(np.mean(z))), len(z))


def test_isc_mean__features_stay_and_videos_without_a_group_do_not_count():
    one, two = random_pairs(1, 5, "aabbb"), random_pairs(2, 5, "aabbb")
    both = xr.concat([one, two], pd.Index(["AU12", "AU06"], name="feature"), data_vars=["r"])
    groups = np.array(["a", "a", "b", "b", None], dtype=object)
    both = both.drop_vars("condition").assign_coords(condition=("video", groups))
    found = isc_mean(both, "condition")
    assert found.r.dims == ("condition", "condition_other", "feature")
    assert found.n_pairs.sel(condition="b", condition_other="b", feature="AU12").item() == 1
    alone = two.isel(video=slice(4), video_other=slice(4))
    np.testing.assert_allclose(found.r.sel(feature="AU06"), isc_mean(alone, "condition").r)


def test_isc_mean__a_video_that_is_there_twice_is_no_infinity():
    r = np.array([[1, 1, 0.5], [1, 1, 0.5], [0.5, 0.5, 1]])
    assert 0.99 < isc_mean(pairs(r, "aab")).r.item() <= 1
    assert isc_mean(pairs(r, "aab"), "condition").r.sel(condition="a", condition_other="b").item() == pytest.approx(0.5)


def test_isc_difference__exact_p_by_hand():
    ds = random_pairs(3, 7, "aaabbbb", n_missing=2)

    def contrasts(conditions):
        one = ds.assign_coords(condition=("video", list(conditions)))
        within = np.mean(z_of(one, lambda x, y: x == y))
        between = np.mean(z_of(one, lambda x, y: x != y))
        own = [np.mean(z_of(one, lambda x, y, g=g: x == y == g)) for g in "ab"]
        return np.array([within - between, own[0] - own[1]])

    observed = contrasts("aaabbbb")
    every = [
        contrasts(["a" if i in chosen else "b" for i in range(7)]) for chosen in itertools.combinations(range(7), 3)
    ]
    wanted = (np.abs(every) >= np.abs(observed) - 1e-12).mean(axis=0)
    found = isc_difference(ds, "condition")
    assert found.contrast.values.tolist() == ["within - between", "a - b"]
    np.testing.assert_allclose(found.difference, observed)
    np.testing.assert_allclose(found.p, wanted)
    assert found.attrs["n_permutations"] == 35
    assert found.attrs["permutations_exact"] == 1


def test_isc_difference__order_of_videos_does_not_matter_and_blocks_hold():
    rng = np.random.default_rng(4)
    ds = random_pairs(4, 24, "ab" * 12).assign_coords(subject=("video", np.repeat(list("uvwxyz"), 4)))
    wanted = isc_difference(ds, "condition", n_permutations=500)
    order = rng.permutation(24)
    shuffled = isc_difference(ds.isel(video=order, video_other=order), "condition", n_permutations=500)
    np.testing.assert_allclose(shuffled.p, wanted.p)
    assert wanted.attrs["permutations_exact"] == 0
    within = isc_difference(ds, "condition", blocks="subject", n_permutations=500)
    # 6 choices in each of 6 blocks
    assert within.attrs["n_permutations"] == 6**6
    assert not within.p.equals(wanted.p)


def test_isc_difference__corrects_for_the_features_within_a_contrast():
    ds = xr.concat(
        [random_pairs(seed, 8, "aaaabbbb", n_missing=seed % 2 * 3) for seed in range(4)],
        pd.Index(["AU01", "AU02", "AU04", "AU05"], name="feature"),
        data_vars=["r"],
    )
    found = isc_difference(ds, "condition", correction="holm")
    for i in range(4):
        alone = isc_difference(ds.isel(feature=i), "condition")
        np.testing.assert_allclose(found.difference.isel(feature=i), alone.difference)
        np.testing.assert_allclose(found.p.isel(feature=i), alone.p)
        assert "p_adjusted" not in alone
    for contrast in found.contrast.values:
        p = found.p.sel(contrast=contrast).values
        rank = np.argsort(np.argsort(p))
        steps = np.sort(p) * np.array([4, 3, 2, 1])
        np.testing.assert_allclose(
            found.p_adjusted.sel(contrast=contrast), np.minimum(np.maximum.accumulate(steps), 1)[rank]
        )
    with pytest.raises(InputError, match="did you mean 'holm'"):
        isc_difference(ds, "condition", correction="hol")


def test_isc_difference__of_three_groups():
    found = isc_difference(random_pairs(5, 9, "aaabbbccc"), "condition", n_permutations=200)
    assert found.contrast.values.tolist() == ["within - between", "a - b", "a - c", "b - c"]
    assert ((found.p > 0) & (found.p <= 1)).all()


def test_group_means__are_those_of_every_arrangement():
    ds = random_pairs(6, 8, "aabbaabb")
    r = ds.r.values.copy()
    np.fill_diagonal(r, np.nan)
    groups = np.random.default_rng(0).integers(0, 3, (20, 8))
    means, counts = GroupMeans(r[None], 3).means(groups)
    for d, (g, h) in itertools.product(range(20), itertools.product(range(3), repeat=2)):
        values = [
            r[i, j] for i, j in itertools.combinations(range(8), 2) if sorted(groups[d, [i, j]]) == sorted([g, h])
        ]
        assert counts[d, 0, g, h] == len(values)
        if values:
            assert means[d, 0, g, h] == pytest.approx(np.mean(values))


@pytest.mark.parametrize(
    ("conditions", "by", "message"),
    [("aaaa", "condition", "found 1 groups"), ("abbb", "condition", "of 1, 3 videos"), ("aabb", "sex", "unknown")],
)
def test_isc_difference__needs_two_groups_of_two(conditions, by, message):
    with pytest.raises(InputError, match=message):
        isc_difference(random_pairs(7, 4, conditions), by)


def test_isc_difference__refuses_what_has_no_pairs():
    with pytest.raises(SchemaError, match="found no correlations of pairs"):
        isc_mean(xr.Dataset({"r": ("video", [0.1])}, coords={"video": ["a"]}))


def test_bootstrap__drops_self_pairs():
    rng = np.random.default_rng(8)
    z = np.arctanh(np.corrcoef(rng.normal(size=(6, 20))) * 0.9)
    z[1, 4] = z[4, 1] = np.nan
    counts = Resamples(6).draw(rng, 40)
    assert (counts.sum(axis=1) == 6).all()
    assert counts.max() > 2
    found = resampled_means(z[None], counts)[:, 0]
    for one, count in zip(found, counts.astype(int), strict=True):
        drawn = np.repeat(np.arange(6), count)
        values = [z[i, j] for i, j in itertools.combinations(drawn, 2) if i != j]
        assert one == pytest.approx(np.nanmean(values))


def test_isc_bootstrap__covers_the_mean_and_is_reproducible():
    ds = random_pairs(9, 10, "a" * 10, n_missing=2)
    found = isc_bootstrap(ds, n_draws=500)
    assert found.r.item() == pytest.approx(isc_mean(ds).r.item())
    assert found.ci_low < found.r < found.ci_high
    order = np.random.default_rng(0).permutation(10)
    again = isc_bootstrap(ds.isel(video=order, video_other=order), n_draws=500)
    xr.testing.assert_allclose(again, found)
    wider = isc_bootstrap(ds, n_draws=500, confidence=0.99)
    assert wider.ci_low < found.ci_low
    assert not isc_bootstrap(ds, n_draws=500, seed=1).equals(found)


def test_isc_bootstrap__needs_three_videos():
    with pytest.raises(InputError, match="found 2 videos with a correlation"):
        isc_bootstrap(random_pairs(10, 2, "aa"))


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_mantel__exact_p_by_hand(method):
    rng = np.random.default_rng(11)
    ds = random_pairs(11, 6, "aabbcc", n_missing=1)
    other = rng.normal(size=(6, 6))
    other += other.T
    other[2, 5] = other[5, 2] = np.nan
    r = ds.r.values
    if method == "spearman":
        # ranks of all pairs of a matrix, which an order of the videos does not change
        r, other = ranked(r), ranked(other)
    i, j = np.triu_indices(6, 1)

    def of(order):
        x, y = r[i, j], other[np.ix_(order, order)][i, j]
        there = ~(np.isnan(x) | np.isnan(y))
        return np.corrcoef(x[there], y[there])[0, 1]

    observed = of(np.arange(6))
    every = np.array([of(list(order)) for order in itertools.permutations(range(6))])
    found = mantel(ds, pd.DataFrame(other, ds.video.values, ds.video.values), method=method)
    assert found.r.item() == pytest.approx(observed)
    assert found.p.item() == pytest.approx((np.abs(every) >= abs(observed) - 1e-12).mean())
    greater = mantel(ds, pd.DataFrame(other, ds.video.values, ds.video.values), method=method, alternative="greater")
    assert greater.p.item() == pytest.approx((every >= observed - 1e-12).mean())


def ranked(matrix) -> np.ndarray:
    i, j = np.triu_indices(len(matrix), 1)
    out = np.full(matrix.shape, np.nan)
    out[i, j] = out[j, i] = scipy.stats.rankdata(matrix[i, j], nan_policy="omit")
    return out


def test_mantel__takes_labels_and_not_positions():
    ds = random_pairs(12, 8, "aabbaabb")
    distance = pd.DataFrame(1 - ds.r.values, ds.video.values, ds.video.values)
    order = np.random.default_rng(0).permutation(8)
    found = mantel(ds, distance.iloc[order, order], n_permutations=99)
    assert found.r.item() == pytest.approx(-1)
    of_array = mantel(ds, (1 - ds.r).isel(video=order), n_permutations=99)
    assert of_array.p.item() == found.p.item()


def test_mantel__says_what_is_wrong():
    ds = random_pairs(13, 4, "aabb")
    table = pd.DataFrame(np.eye(4), ds.video.values, ds.video.values)
    with pytest.raises(InputError, match="unknown video of the other matrix '03'"):
        mantel(ds, table.drop(index="03"))
    with pytest.raises(InputError, match="differs across its diagonal"):
        mantel(ds, table + np.arange(4))
    with pytest.raises(InputError, match="found a ndarray"):
        mantel(ds, table.to_numpy())
    assert np.isnan(mantel(ds, table * 0).r.item())


def test_isc_order__is_that_of_scipy():
    ds = random_pairs(14, 9, "aabbaabbc")
    for linkage in ("complete", "average"):
        found = isc_order(ds, linkage)
        distance = scipy.spatial.distance.squareform(1 - ds.r.values, checks=False)
        tree = hierarchy.linkage(distance, linkage, optimal_ordering=True)
        assert found.values.tolist() == hierarchy.leaves_list(tree).tolist()
        assert found.attrs["linkage"] == linkage
        assert found.video.values.tolist() == ds.video.values[found.values].tolist()


def test_isc_order__missing_pairs_stay_out():
    r = np.corrcoef(np.random.default_rng(15).normal(size=(5, 20)))
    r[1, :] = r[:, 1] = np.nan
    r[3, 4] = r[4, 3] = np.nan
    found = isc_order(pairs(r, "aabbb"))
    assert sorted(found.values.tolist()) == [0, 1, 2, 3, 4]
    assert found.values[3:].tolist() == [1, 4]
    assert found.attrs["excluded"] == ["01: no correlation with others", "04: no correlation with others"]
    assert without_missing(r).tolist() == [0, 2, 3]


def test_isc_order__of_one_matrix():
    both = xr.concat([random_pairs(1, 4, "aabb"), random_pairs(2, 4, "aabb")], pd.Index(["x", "y"], name="feature"))
    with pytest.raises(InputError, match="found a matrix for each of feature"):
        isc_order(both)
    with pytest.raises(InputError, match="unknown linkage"):
        isc_order(random_pairs(1, 4, "aabb"), "weighted")
