"""t-tests of detections against scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from facearray.errors import InputError, SchemaError
from facearray.stats.regress import regress
from facearray.stats.ttest import ttest
from facearray.stats.units import unit_values

ALL = ["Yaw", "AU12", "happiness"]
NAMES = ["t", "p", "df", "ci_low", "ci_high"]


@pytest.fixture
def ds(recordings) -> xr.Dataset:
    rng = np.random.default_rng(9)
    lengths = dict(zip([f"v{i:02d}" for i in rng.permutation(16)], rng.integers(6, 25, 16).tolist(), strict=True))
    ds = recordings(lengths, n_faces=2)
    return ds.assign_coords(
        condition=("video", rng.permutation(np.repeat(["good", "bad"], [9, 7]))),
        task=("video", np.tile(["rest", "talk"], 8)),
        subject=("video", np.repeat([f"s{i}" for i in range(8)], 2)),
        site=("video", np.repeat(["Aachen", "Bonn", "Celle", "Essen"], 4)),
    )


def values(ds: xr.Dataset, **coordinate: str) -> np.ndarray:
    """Means (n, n_face, n_feature) of the videos that have a value of a coordinate, in the order of their labels."""
    ((name, level),) = coordinate.items()
    units = unit_values(ds, features=ALL)
    return units.values[units.coords[name] == level]


def assert_is(result: xr.Dataset, theirs) -> None:
    interval = theirs.confidence_interval(0.95)
    for name, wanted in zip(
        NAMES, (theirs.statistic, theirs.pvalue, theirs.df, interval.low, interval.high), strict=True
    ):
        np.testing.assert_allclose(result[name], np.broadcast_to(wanted, result[name].shape), rtol=1e-9, err_msg=name)


def test_ttest__one_sample_is_scipy(ds):
    result = ttest(ds, y=ALL, popmean=0.45)
    means = unit_values(ds, features=ALL).values
    theirs = stats.ttest_1samp(means, 0.45)
    for name, wanted in zip(["t", "p"], [theirs.statistic, theirs.pvalue], strict=True):
        np.testing.assert_allclose(result[name], wanted, rtol=1e-9)
    interval = theirs.confidence_interval(0.95)
    np.testing.assert_allclose(result.ci_low + 0.45, interval.low, rtol=1e-9)
    np.testing.assert_allclose(result.ci_high + 0.45, interval.high, rtol=1e-9)
    np.testing.assert_allclose(result.d, (means.mean(0) - 0.45) / means.std(0, ddof=1), rtol=1e-9)
    assert result.attrs["test"] == "one-sample t-test"
    assert (result.n == 16).all()


@pytest.mark.parametrize("equal_var", [True, False])
def test_ttest__two_samples_are_scipy(ds, equal_var):
    result = ttest(ds, "condition", y=ALL, equal_var=equal_var)
    good, bad = values(ds, condition="good"), values(ds, condition="bad")
    assert_is(result, stats.ttest_ind(good, bad, equal_var=equal_var))
    assert result.attrs["contrast"] == "good - bad"
    pooled = np.sqrt((8 * good.var(0, ddof=1) + 6 * bad.var(0, ddof=1)) / 14)
    np.testing.assert_allclose(result.d, (good.mean(0) - bad.mean(0)) / pooled, rtol=1e-9)
    assert (result.d_ci_low < result.g).all()
    assert (result.d_ci_high > result.g).all()
    np.testing.assert_allclose(result["mean"].sel(condition="good"), good.mean(0))
    np.testing.assert_allclose(result["std"].sel(condition="bad"), bad.std(0, ddof=1))
    assert (result.n_group.sel(condition="good") == 9).all()


def test_ttest__student_is_the_regression_on_a_contrast(ds):
    result = ttest(ds, "condition", y=ALL, equal_var=True, permutations=9)
    slope = regress(ds, "condition", ALL, permutations=9).sel(term="condition[T.good]")
    np.testing.assert_allclose(result.t, slope.t, rtol=1e-8)
    np.testing.assert_allclose(result.p, slope.p)
    assert result.attrs["n_permutations"] == 11440


def test_ttest__groups_choose_levels_and_direction(ds):
    result = ttest(ds, "site", y=ALL, groups=("Celle", "Aachen"))
    assert_is(result, stats.ttest_ind(values(ds, site="Celle"), values(ds, site="Aachen"), equal_var=False))
    assert len(result.attrs["excluded"]) == 8
    assert result.attrs["n"] == 8


def test_ttest__pairs_are_scipy(ds):
    result = ttest(ds, "task", y=ALL, paired="subject")
    units = unit_values(ds, features=ALL)
    talk, rest = (
        np.array(
            [units.values[(units.coords["subject"] == f"s{i}") & (units.coords["task"] == task)][0] for i in range(8)]
        )
        for task in ("talk", "rest")
    )
    assert_is(result, stats.ttest_rel(talk, rest))
    assert (result.n == 8).all()
    np.testing.assert_allclose(result.d, (talk - rest).mean(0) / (talk - rest).std(0, ddof=1))
    np.testing.assert_allclose(result["mean"].sel(task="talk"), talk.mean(0))
    shuffled = ds.isel(video=np.random.default_rng(2).permutation(16))
    xr.testing.assert_allclose(ttest(shuffled, "task", y=ALL, paired="subject").drop_attrs(), result.drop_attrs())


def test_ttest__several_units_of_a_pair_are_averaged_and_half_pairs_excluded(ds):
    ds = ds.assign_coords(subject=("video", np.array(list("aaaabbbbccccddde"))))
    result = ttest(ds, "task", y=ALL, paired="subject", popmean=0.01)
    units = unit_values(ds, features=ALL)
    subject, task = units.coords["subject"], units.coords["task"]
    sides = [
        np.array([units.values[(subject == s) & (task == t)].mean(axis=0) for s in "abcd"]) for t in ("talk", "rest")
    ]
    theirs = stats.ttest_1samp(sides[0] - sides[1], 0.01)
    np.testing.assert_allclose(result.t, theirs.statistic, rtol=1e-8)
    assert result.attrs["excluded"] == ["subject e: not in both groups"]


def test_ttest__missing_values_stay_in_their_feature(ds):
    gaps = ds.features.copy()
    gaps[{"video": 3, "feature": 1}] = np.nan
    with_gaps = ds.assign(features=gaps)
    for options in (
        {"by": "condition"},
        {"by": "condition", "permutations": 5},
        {"by": "task", "paired": "subject"},
        {},
    ):
        result, whole = (ttest(d, y=ALL, **options) for d in (with_gaps, ds))
        others = {"feature": ["Yaw", "happiness"]}
        xr.testing.assert_allclose(result.sel(others).drop_attrs(), whole.sel(others).drop_attrs())
        assert (result.n.sel(feature="AU12") == whole.n.sel(feature="AU12") - 1).all()
    found = ttest(with_gaps, "condition", y=ALL)
    good, bad = values(with_gaps, condition="good"), values(with_gaps, condition="bad")
    assert_is(found, stats.ttest_ind(good, bad, equal_var=False, nan_policy="omit"))


def test_ttest__sign_flips_are_all_used(ds):
    result = ttest(ds, "task", y=ALL, paired="subject", permutations=1, correction="max_t")
    units = unit_values(ds, features=ALL)
    _talk, _rest = (
        units.values[np.argsort(units.coords["subject"][units.coords["task"] == t])] for t in ("talk", "rest")
    )
    by = {t: units.values[units.coords["task"] == t] for t in ("talk", "rest")}
    order = {t: np.argsort(units.coords["subject"][units.coords["task"] == t]) for t in by}
    difference = (by["talk"][order["talk"]] - by["rest"][order["rest"]])[:, 0]
    flips = np.array(list(itertools.product([1, -1], repeat=8)))
    t = np.abs(np.array([stats.ttest_1samp(difference * s[:, None], 0).statistic for s in flips]))
    np.testing.assert_allclose(result.p.isel(face=0), (t >= t[0] - 1e-9).mean(axis=0))
    np.testing.assert_allclose(result.p_adjusted.isel(face=0), (t.max(axis=1)[:, None] >= t[0] - 1e-9).mean(axis=0))
    assert result.attrs["permutations_exact"] == 1
    assert result.attrs["p_min"] == 1 / 256


def test_ttest__permutations_within_blocks(ds):
    ds = ds.assign_coords(arm=("video", np.tile(["x", "y", "x", "x"], 4)))
    result = ttest(ds, "arm", y=ALL, permutations=1, blocks="site")
    assert result.attrs["n_permutations"] == 4**4


def test_ttest__same_for_any_order_chunks_and_padding(ds, padded):
    for options in ({}, {"permutations": 300, "correction": "max_t"}):
        wanted = ttest(ds, "condition", y=ALL, **options).drop_attrs()
        shuffled = ds.isel(video=np.random.default_rng(0).permutation(16))
        for other in (shuffled, padded(ds, 30), ds.chunk(video=3, frame=5)):
            xr.testing.assert_allclose(ttest(other, "condition", y=ALL, **options).drop_attrs(), wanted)


def test_ttest__correction_is_over_the_features_of_a_face(ds):
    result = ttest(ds, "condition", y=ALL, correction="bonferroni")
    np.testing.assert_allclose(result.p_adjusted, np.minimum(result.p * 3, 1))
    assert result.attrs["family"] == "the 3 features of each face"


def test_ttest__no_variance_and_too_few_values(ds):
    constant = ds.features.copy()
    constant[{"feature": 1}] = constant[{"feature": 1}] * 0 + 0.1
    for options in ({"by": "condition"}, {"by": "condition", "equal_var": True}, {}, {"permutations": 3}):
        result = ttest(ds.assign(features=constant), y=ALL, **options)
        assert np.isnan(result.p.sel(feature="AU12")).all()
        assert np.isfinite(result.p.sel(feature=["Yaw", "happiness"])).all()
        assert result.attrs["notes"] == ["no variance: AU12"]
    lonely = ds.assign_coords(condition=("video", np.array(["x"] + ["y"] * 15)))
    result = ttest(lonely, "condition", y=ALL)
    assert np.isnan(result.p).all()
    assert result.attrs["notes"][0].startswith("too few units with a value")
    assert np.isfinite(ttest(lonely, "condition", y=ALL, equal_var=True).p).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "frame"}, "found unit='frame'; the frames of a video are no independent observations"),
        ({"paired": "subject"}, "found groups or paired without by"),
        ({"by": "condition", "popmean": 1.0}, "found popmean with two groups"),
        ({"popmean": float("nan")}, "found popmean=nan; expected a finite number"),
        ({"equal_var": True}, "found equal_var with one sample or pairs"),
        ({"blocks": "site", "permutations": 5}, "found blocks with one sample or pairs"),
        ({"by": "condition", "blocks": "site"}, "found blocks or correction='max_t' without permutations"),
        ({"correction": "max_t"}, "found blocks or correction='max_t' without permutations"),
        ({"permutations": -2}, "found permutations=-2"),
        ({"confidence": 1.0}, "found confidence=1.0"),
        ({"by": "site", "groups": ["Bonn", "Bonn"]}, "expected two different levels"),
        ({"by": "site"}, "found 4 levels of 'site' .Aachen, Bonn, Celle, Essen.; expected two"),
        ({"by": "site", "groups": ["Bon", "Celle"]}, "unknown level of 'site' 'Bon' .did you mean 'Bonn'"),
        ({"by": ["site", "task"]}, "expected the name of one coordinate"),
        ({"by": "sit"}, "unknown coordinate of videos 'sit' .did you mean 'site'"),
        ({"by": "task", "unit": "subject"}, "found several values of 'task' within a subject"),
        ({"correction": "holmes"}, "unknown correction 'holmes' .did you mean 'holm'"),
        ({"by": "condition", "paired": True}, "found paired=True; expected the name of a coordinate"),
        ({"by": "condition", "paired": "video"}, "found no video with values in both groups, 'good' and 'bad'"),
    ],
)
def test_ttest__input_that_does_not_fit(ds, options, message):
    with pytest.raises(InputError, match=message):
        ttest(ds, y=ALL, **options)


def test_ttest__one_group_and_units_without_a_block(ds):
    one = ds.isel(video=(ds.condition == "good").values)
    with pytest.raises(InputError, match=r"found one level of 'condition' \(good\) among the units that have values"):
        ttest(one, "condition", y=ALL)
    site = ds.site.values.astype(object)
    site[2] = None
    with pytest.raises(InputError, match="found units without site: v"):
        ttest(ds.assign_coords(site=("video", site)), "condition", y=ALL, permutations=3, blocks="site")
    with pytest.raises(SchemaError):
        ttest(ds.drop_vars("frame_number"), y=ALL)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_ttest__units_of_measurement_do_not_matter(ds, scale, shift):
    wide = ds.assign(features=ds.features.astype("f8"))
    result, wanted = (ttest(d, "condition", y=ALL) for d in (wide.assign(features=wide.features * scale + shift), wide))
    for name in ("t", "p", "d", "g"):
        np.testing.assert_allclose(result[name], wanted[name], rtol=1e-5)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    order=st.permutations(range(16)),
    chunks=st.tuples(st.integers(1, 16), st.integers(1, 30)) | st.none(),
    n_padding=st.integers(0, 60),
    dtype=st.sampled_from(["f4", "f8"]),
    options=st.sampled_from([{"by": "condition"}, {"by": "task", "paired": "subject"}, {"popmean": 0.4}]),
    permutations=st.sampled_from([0, 99]),
)
def test_ttest__nothing_but_the_values_matters(ds, padded, order, chunks, n_padding, dtype, options, permutations):
    wanted = ttest(ds, y=ALL, permutations=permutations, **options).drop_attrs()
    other = padded(ds.isel(video=list(order)), n_padding).assign(features=lambda d: d.features.astype(dtype))
    if chunks:
        other = other.chunk(video=chunks[0], frame=chunks[1])
    xr.testing.assert_allclose(
        ttest(other, y=ALL, permutations=permutations, **options).drop_attrs(), wanted, rtol=1e-8
    )


def test_ttest__unequal_spread_in_unequal_groups_is_flagged(ds):
    few = ds.assign_coords(arm=("video", np.where(np.arange(16) < 4, "x", "y")))
    far = 1 + 9 * (np.arange(16) < 4)
    spread = few.assign(features=few.features * far[:, None, None, None])
    for options in ({"equal_var": True}, {"permutations": 99}):
        (note,) = ttest(spread, "arm", y=ALL, **options).attrs["notes"]
        assert note.startswith("groups of different size whose variances differ at least 4-fold")
        assert ttest(spread, "condition", y=ALL, **options).attrs["notes"] == []
    assert ttest(spread, "arm", y=ALL).attrs["notes"] == []
