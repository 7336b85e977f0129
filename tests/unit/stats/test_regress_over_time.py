"""Regression in windows of time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from facearray.errors import InputError
from facearray.stats import adjust, clusters, describe, regress, regress_over_time

OPTIONS = {"window": 0.5, "step": 0.5}


def windows(ds, length=5):
    return [ds.isel(frame=slice(i, i + length)) for i in range(0, ds.sizes["frame"] - length + 1, length)]


@pytest.mark.parametrize(
    ("X", "options"),
    [
        ("condition", {}),
        ("condition,age", {"cov": "HC3"}),
        ("condition * age", {}),
        ("condition", {"cluster": "person"}),
        ("condition,age", {"contrasts": {"condition": {"good": 1, "bad": -1}}}),
    ],
)
def test_regress_over_time__each_window_is_a_regression(courses, X, options):
    ds = courses([30] * 14, n_faces=2, effect=1)
    result = regress_over_time(ds, X, **options, **OPTIONS)
    assert result.beta.dims == ("term", "time", "face", "feature")
    for w, part in enumerate(windows(ds)):
        wanted = regress(part, X, **options)
        assert result.term.values.tolist() == wanted.term.values.tolist()
        for name in ("beta", "se", "t", "df", "p", "ci_low", "ci_high", "n"):
            np.testing.assert_allclose(result[name][:, w], wanted[name], rtol=1e-7, err_msg=name)
    assert "Intercept" not in describe(result)


def test_regress_over_time__permutations_and_families(courses):
    ds = courses([30] * 12, effect=3)
    options = {"permutations": 1, **OPTIONS}
    result = regress_over_time(ds, "condition", correction="max_t", **options)
    alone = [regress(part, "condition", permutations=1, correction="max_t") for part in windows(ds)]
    for w, wanted in enumerate(alone):
        np.testing.assert_allclose(result.p[:, w], wanted.p)
    # the largest of all windows and features, which is never smaller than that of the features of one window
    assert (result.p_adjusted >= xr.concat([a.p_adjusted for a in alone], "time")).sel(term="condition[T.good]").all()
    term = result.sel(term="condition[T.good]")
    strongest = term.where(np.abs(term.t) == np.abs(term.t).max())
    np.testing.assert_allclose(strongest.p_adjusted.min(), term.p_adjusted.min())
    holm = regress_over_time(ds, "condition", correction="holm", **OPTIONS).sel(term="condition[T.good]")
    np.testing.assert_allclose(holm.p_adjusted.values.ravel(), adjust(holm.p.values.ravel(), "holm"))
    assert "windows of 2 features within each term" in result.attrs["family"]
    assert "AU12 in " in describe(result)
    assert ", adjusted p " in describe(result)
    assert "adjusted" not in describe(regress_over_time(ds, "condition", **OPTIONS))


@pytest.mark.parametrize("X", ["condition", "condition,age"])
def test_regress_over_time__clusters_are_those_of_t(courses, X):
    ds = courses([40] * 12, effect=1.5)
    result = regress_over_time(ds, X, correction="cluster", permutations=199, **OPTIONS)
    term = result.sel(term="condition[T.good]", face=0)
    table = clusters(result)
    assert table.term[0] == "condition[T.good]"
    first = term.cluster == table.cluster[0]
    np.testing.assert_allclose(table.mass[0], term.t.where(first).sum())
    assert table.p[0] == term.p_adjusted.where(first).max() <= 0.05
    from scipy.stats import t as student

    beyond = np.abs(term.t) > student.ppf(0.975, 12 - 1 - len(X.split(",")))
    np.testing.assert_array_equal(term.cluster > 0, beyond)
    assert result.cluster.sel(term="Intercept").max() == 0
    assert result.p_adjusted.sel(term="Intercept").isnull().all()
    assert "condition[T.good], " in describe(result)


def test_regress_over_time__one_regressor_is_the_test_of_two_groups(courses):
    from facearray.stats import cluster_test

    ds = courses([40] * 12, effect=1.5)
    one = regress_over_time(ds, "condition", correction="cluster", permutations=1, **OPTIONS)
    two = cluster_test(ds, "condition", equal_var=True, **OPTIONS)
    term = one.sel(term="condition[T.good]")
    for name in ("t", "p", "p_adjusted", "cluster", "cluster_mass"):
        np.testing.assert_allclose(term[name], two[name], rtol=1e-8)


def test_regress_over_time__the_same_whatever_holds_the_data(courses, padded):
    ds = courses([40, 33, 28, 40, 36, 31, 40, 27, 40, 40], effect=1)
    options = {"permutations": 99, "correction": "cluster", **OPTIONS}
    wanted = regress_over_time(ds, "condition", **options)
    for other in (ds.chunk(video=3, frame=7), padded(ds, 9), ds.isel(video=slice(None, None, -1))):
        xr.testing.assert_identical(regress_over_time(other, "condition", **options), wanted)


def test_regress_over_time__traps(courses):
    ds = courses([40] * 6 + [22] * 6, features=("AU12", "AU06", "AU01"), effect=2)
    features = ds.features.copy()
    features[..., 1], features[..., 2] = 3.0, np.nan
    ds = ds.assign(features=features)
    for options in ({}, {"permutations": 99}, {"permutations": 99, "correction": "cluster"}):
        result = regress_over_time(ds, "condition,age", **options, **OPTIONS).sel(face=0)
        assert result.n.sel(feature="AU12", term="age").values.tolist() == [12] * 4 + [6] * 4
        assert result.n.sel(feature="AU01").max() == 0
        assert result.t.sel(feature=["AU06", "AU01"], term="age").isnull().all()
        assert result.t.sel(feature="AU12").notnull().all()
    assert any("12 at 0.25 s, 6 at 2.25 s" in note for note in result.attrs["notes"])


def test_regress_over_time__a_table_of_regressors(courses):
    ds = courses([30] * 8)
    table = pd.DataFrame({"score": np.arange(8.0)}, index=ds.video.values)
    wanted = regress_over_time(ds.assign_coords(score=("video", table.score)), "score", **OPTIONS)
    np.testing.assert_allclose(regress_over_time(ds, table[::-1], **OPTIONS).beta, wanted.beta)


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        ("AU12", {}, "found features among the regressors: 'AU12'; expected what is the same in all windows"),
        ("condition + AU12", {}, "found features among the regressors"),
        ("conditon", {}, "did you mean 'condition'"),
        ("condition", {"correction": "cluster"}, "found correction='cluster' without permutations"),
        ("condition", {"correction": "max_t"}, "found correction='max_t' without permutations"),
        ("condition", {"correction": "clusters"}, r"unknown correction 'clusters' \(did you mean 'cluster'"),
        ("condition", {"cluster_alpha": 0.01}, "without correction='cluster'"),
        ("condition", {"unit": "frame"}, "found unit='frame'; expected units that have one value in every window"),
        ("condition", {"cov": "wild", "cluster": "person"}, "found cov='wild'"),
        ("condition", {"window": -1.0}, "found window=-1"),
        ("condition", {"cluster": "person", "permutations": 9}, "found permutations with cluster"),
    ],
)
def test_regress_over_time__errors(courses, X, options, message):
    with pytest.raises(InputError, match=message):
        regress_over_time(courses([30] * 12), X, **{**OPTIONS, **options})
