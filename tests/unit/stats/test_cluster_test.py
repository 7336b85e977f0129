"""Tests of means over time by clusters."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.stats import t as student

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.stats import cluster_test, clusters, describe, ttest

OPTIONS = {"window": 0.5, "step": 0.5}
WHOLE = {"permutations": 99, **OPTIONS}


def windows(ds, length=5, n=None):
    """The frames of each window, as Datasets of their own."""
    return [ds.isel(frame=slice(i, i + length)) for i in range(0, ds.sizes["frame"] - length + 1, length)][:n]


@pytest.mark.parametrize("options", [{"by": "condition"}, {"by": "condition", "equal_var": True}, {}, {"popmean": 0.3}])
def test_cluster_test__each_window_is_a_t_test(courses, options):
    ds = courses([30] * 12, n_faces=2, effect=1)
    result = cluster_test(ds, **options, **WHOLE)
    assert result.difference.dims == ("time", "face", "feature")
    np.testing.assert_allclose(result.time, [0.25, 0.75, 1.25, 1.75, 2.25, 2.75])
    for w, part in enumerate(windows(ds)):
        wanted = ttest(part, **options)
        for name in ("difference", "se", "t", "df", "ci_low", "ci_high", "n"):
            np.testing.assert_allclose(result[name][w], wanted[name], rtol=1e-9, err_msg=name)
        alone = ttest(part, **options, permutations=99)
        np.testing.assert_allclose(result.p[w], alone.p)


def test_cluster_test__pairs(courses):
    ds = courses([30] * 12, effect=1)
    result = cluster_test(ds, "condition", paired="person", **OPTIONS)
    for w, part in enumerate(windows(ds)):
        wanted = ttest(part, "condition", paired="person", permutations=1)
        np.testing.assert_allclose(result.t[w], wanted.t, rtol=1e-9)
        np.testing.assert_allclose(result.p[w], wanted.p)
    assert result.attrs["n_permutations"] == 64
    assert result.attrs["paired"] == "person"


def test_cluster_test__clusters(courses):
    ds = courses([40] * 16, effect=1.5)
    result = cluster_test(ds, "condition", **OPTIONS)
    table = clusters(result)
    first = table.iloc[0]
    assert (first.feature, first.start, first.stop) == ("AU12", 1, 4)
    inside = (result.cluster == first.cluster).squeeze()
    assert first["size"] == 6 == int(inside.sum())
    np.testing.assert_allclose(first.mass, result.t.squeeze().where(inside).sum())
    assert first.p == result.p_adjusted.where(result.cluster == first.cluster).min() < 0.01
    assert (result.p_adjusted.where(result.cluster == 0, 1) == 1).all()
    assert first.peak == result.time[int(result.t.sel(feature="AU12").squeeze().argmax("time"))]
    assert "AU12, 1 to 4 s (mass = " in describe(result)
    assert "does not say when a difference begins or ends" in describe(result)
    assert len(clusters(cluster_test(ds, "condition", cluster_threshold=99.0, **WHOLE))) == 0


def test_cluster_test__threshold_and_neighbours(courses):
    ds = courses([40] * 16, effect=1.5)
    ds["features"] = ds.features.where(ds.feature != "AU06", ds.features.sel(feature="AU12") + 0.1 * ds.features)
    joined = cluster_test(ds, "condition", neighbours=[("AU12", "AU06")], **WHOLE)
    assert clusters(joined).feature[0] == "AU12,AU06"
    apart = clusters(cluster_test(ds, "condition", **WHOLE))
    np.testing.assert_allclose(clusters(joined).mass[0], apart.mass[:2].sum())
    assert (joined.cluster > 0).sum() == (np.abs(joined.t) > student.ppf(0.975, 14)).sum()
    low = cluster_test(ds, "condition", cluster_alpha=0.5, **WHOLE)
    assert (low.cluster > 0).sum() == (np.abs(low.t) > student.ppf(0.75, 14)).sum()
    named = cluster_test(ds, "condition", cluster_threshold=student.ppf(0.75, 14), **WHOLE)
    xr.testing.assert_equal(named, low)


def test_cluster_test__the_same_whatever_holds_the_data(courses, padded):
    ds = courses([40, 33, 28, 40, 36, 31, 40, 27, 40, 40], n_faces=2, effect=1)
    wanted = cluster_test(ds, "condition", **WHOLE)
    shuffled = ds.isel(video=np.random.default_rng(0).permutation(10))
    for other in (
        ds.chunk(video=3, frame=7),
        ds.chunk(),
        padded(ds, 9),
        padded(ds, 9).chunk(video=4, frame=11),
        shuffled,
    ):
        xr.testing.assert_identical(cluster_test(other, "condition", **WHOLE), wanted)


def test_cluster_test__units_of_several_videos_do_not_depend_on_their_order(courses):
    ds = courses([40, 33, 28, 40, 36, 31, 40, 27, 40, 40, 30, 30]).chunk(video=1)
    wanted = cluster_test(ds, unit="person", **WHOLE)
    xr.testing.assert_identical(cluster_test(ds.isel(video=slice(None, None, -1)), unit="person", **WHOLE), wanted)
    # frames of both videos are pooled, as far as both are there
    both = ds.isel(video=[0, 1], frame=slice(0, 5)).features.mean(["video", "frame"])
    alone = cluster_test(ds.isel(video=[0, 1, 0, 1]).assign_coords(video=list("abcd")), unit="person", **WHOLE)
    np.testing.assert_allclose(alone.difference[0], both)


def test_cluster_test__videos_that_end_are_counted(courses):
    ds = courses([40] * 6 + [22] * 4, effect=1)
    result = cluster_test(ds, "condition", **WHOLE)
    # the fifth window has 2 of 5 frames of the short videos, less than min_valid
    assert result.n.sel(feature="AU12").squeeze().values.tolist() == [10, 10, 10, 10, 6, 6, 6, 6]
    np.testing.assert_allclose(result.coverage, 1)
    assert any("10 at 0.25 s, 6 at 2.25 s" in note for note in result.attrs["notes"])
    fewer = cluster_test(ds, "condition", min_valid=0.4, **WHOLE)
    assert fewer.n.sel(feature="AU12").squeeze().values.tolist() == [10, 10, 10, 10, 10, 6, 6, 6]
    np.testing.assert_allclose(fewer.coverage[4], (6 + 4 * 0.4) / 10)


def test_cluster_test__rates_and_gaps(courses):
    slow = courses([20] * 4, fps=5.0, seed=1)
    fast = courses([80] * 4, fps=20.0, seed=2).assign_coords(video=list("abcd"))
    ds = fa.concat([slow, fast])
    result = cluster_test(ds, window=1.0, step=1.0, permutations=9)
    means = [
        np.concatenate(
            [
                slow.features.isel(frame=slice(5 * w, 5 * w + 5)).mean("frame"),
                fast.features.isel(frame=slice(20 * w, 20 * w + 20)).mean("frame"),
            ]
        ).mean(axis=0)
        for w in range(4)
    ]
    np.testing.assert_allclose(result.difference, means)
    with pytest.raises(InputError, match=r"found window=0\.1; expected at least 0\.2 s, the distance of frames of '00"):
        cluster_test(ds, window=0.1)
    # frames that were never decoded are as missing as those without a face
    holes = fast.isel(frame=np.r_[0:5, 40:80])
    assert cluster_test(holes, window=1.0, step=1.0, permutations=9).n.sel(
        feature="AU12"
    ).squeeze().values.tolist() == [
        0,
        0,
        4,
        4,
    ]
    lost = fast.assign(features=fast.features.where((fast.timestamp < 0.25) | (fast.timestamp >= 2)))
    found = cluster_test(lost, window=1.0, step=1.0, permutations=9, min_valid=0.25)
    assert found.n.sel(feature="AU12").squeeze().values.tolist() == [4, 0, 4, 4]
    assert found.coverage.sel(feature="AU12").squeeze().values.tolist()[0] == pytest.approx(0.25)


def test_cluster_test__what_cannot_be_tested_is_nan_and_noted(courses):
    ds = courses([40] * 8, features=("AU12", "AU06", "AU01", "AU02"), effect=2)
    features = ds.features.copy()
    features[..., 1] = 3.0  # constant
    features[..., 2] = np.nan
    features[:, 20:, 0, 3] = features[:, 20:, 0, 3].where(ds.condition == "good")  # one group only
    result = cluster_test(ds.assign(features=features), "condition", **OPTIONS).squeeze()
    assert result.t.sel(feature=["AU06", "AU01"]).isnull().all()
    assert result.p_adjusted.sel(feature=["AU06", "AU01"]).isnull().all()
    assert result.n.sel(feature="AU01").values.tolist() == [0] * 8
    assert result.t.sel(feature="AU02").isnull().values.tolist() == [False] * 4 + [True] * 4
    assert result.p_adjusted.sel(feature="AU12").values[2:].max() < 0.05
    assert any(note.startswith("too few units") and "AU01, AU02" in note for note in result.attrs["notes"])
    assert any(note.startswith("no variance") and "AU06" in note for note in result.attrs["notes"])


def test_cluster_test__one_common_frame(courses):
    ds = courses([10] * 6)
    only = ds.assign(features=ds.features.where(ds.frame_number == 4))
    with pytest.raises(InputError, match=r"no window with values in the share 0\.5 of its seconds"):
        cluster_test(only, **WHOLE)
    found = cluster_test(only, min_valid=0.2, **WHOLE)
    np.testing.assert_allclose(found.difference[0, 0], ds.features.isel(frame=4, face=0).mean("video"))
    assert found.n[1].max() == 0


def test_cluster_test__a_client_changes_nothing(courses):
    from distributed import Client

    ds = courses([30] * 24)
    options = {"permutations": 600, "seed": 3, **OPTIONS}
    with Client(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as client:
        shared = cluster_test(ds, "condition", client=client, **options)
    xr.testing.assert_identical(shared, cluster_test(ds, "condition", **options))
    assert not shared.attrs["permutations_exact"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": -1}, r"found window=-1; expected a positive number of seconds"),
        ({"window": 0.5, "step": -0.5}, r"found step=-0\.5; expected a positive"),
        ({"window": float("nan")}, "found window=nan"),
        ({"window": 9.0}, r"found window=9; expected at most 3 s"),
        ({"window": 0.5, "start": 2.0, "stop": 2.2}, r"expected at most 0\.2 s"),
        ({"y": "AU21"}, r"'AU21' \(did you mean 'AU12'"),
        ({"by": "conditon"}, "did you mean 'condition'"),
        ({"by": "condition", "groups": ["goood", "bad"]}, "did you mean 'good'"),
        ({"neighbours": [("AU12", "AU60")]}, r"unknown feature in neighbours 'AU60' \(did you mean 'AU06'"),
        ({"neighbours": [("AU12", "AU12")]}, "'AU12' with itself"),
        ({"cluster_alpha": 0}, "found cluster_alpha=0; expected a level"),
        ({"cluster_threshold": -1}, "found cluster_threshold=-1"),
        ({"cluster_threshold": 2.0, "cluster_alpha": 0.01}, "found cluster_alpha=0.01 and cluster_threshold=2.0"),
        ({"popmean": float("nan")}, "found popmean=nan; expected a finite number"),
        ({"start": float("nan")}, "found start=nan; expected seconds"),
        ({"stop": float("inf")}, "found stop=inf; expected seconds"),
        ({"permutations": 0}, "found permutations=0"),
        ({"popmean": 1, "by": "condition"}, "found popmean with two groups"),
        ({"groups": ["good", "bad"]}, "found groups or paired without by"),
        ({"unit": "frame"}, "found unit='frame'; expected units that have one value in every window"),
        ({"unit": "persn"}, "did you mean 'person'"),
        ({"min_valid": 2}, "found min_valid=2"),
        ({"confidence": 95}, "found confidence=95"),
    ],
)
def test_cluster_test__errors(courses, options, message):
    with pytest.raises(InputError, match=message):
        cluster_test(courses([30] * 6), **{**WHOLE, **options})


def test_cluster_test__times_are_needed(courses):
    ds = courses([30] * 6)
    with pytest.raises(SchemaError, match="found no 'timestamp'"):
        cluster_test(ds.drop_vars("timestamp"), **WHOLE)
    unknown = ds.assign_coords(timestamp=ds.timestamp.where((ds.video != "02.mp4") | (ds.frame_number != 3)))
    with pytest.raises(SchemaError, match=r"found frames without a time in 02\.mp4"):
        cluster_test(unknown, **WHOLE)


def test_clusters__of_something_else(courses):
    with pytest.raises(InputError, match="found no clusters; expected a result of cluster_test"):
        clusters(ttest(courses([30] * 6)))


def test_cluster_test__start_and_overlap(courses):
    ds = courses([40] * 6)
    result = cluster_test(ds, window=1.0, step=0.25, start=0.5, stop=2.0, permutations=9)
    np.testing.assert_allclose(result.window_start, [0.5, 0.75, 1.0])
    np.testing.assert_allclose(result.window_stop, [1.5, 1.75, 2.0])
    late = ds.isel(frame=slice(17, None))
    np.testing.assert_allclose(cluster_test(late, window=0.5, permutations=9).window_start[0], 1.5)


def test_cluster_test__becomes_a_table(courses):
    table = cluster_test(courses([30] * 6), **WHOLE).fex.to_dataframe(layout="long")
    assert len(table) == 6 * 2
    assert {"time", "feature", "t", "p_adjusted", "cluster", "n", "coverage"} <= set(table)
