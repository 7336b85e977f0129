"""Results over time: what is drawn are the numbers of the results."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from facearray.errors import InputError
from facearray.plot import coefficients, decoding, generalization, over_time, save
from facearray.stats import (
    cluster_test,
    clusters,
    decode_over_time,
    event_average,
    event_test,
    regress_over_time,
)

WINDOWS = {"window": 0.5, "step": 0.5}
AROUND = {"before": 0.4, "after": 0.8, "step": 0.2}


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Twelve videos of three seconds, some shorter; good news makes AU12 rise after one second."""
    rng = np.random.default_rng(0)
    n_frames = np.where(np.arange(12) < 2, 15, 30)
    number = np.tile(np.arange(30), (12, 1))
    real = number < n_frames[:, None]
    good = np.arange(12) % 2 == 0
    values = rng.normal(size=(12, 30, 1, 2))
    values[..., 0] += 3 * (good[:, None] & (number >= 10))[..., None]
    dims = ("video", "frame")
    return xr.Dataset(
        {"features": ((*dims, "face", "feature"), np.where(real[..., None, None], values, np.nan))},
        coords={
            "video": [f"{i:02}.mp4" for i in range(12)],
            "feature": ["AU12", "AU06"],
            "frame_number": (dims, np.where(real, number, -1)),
            "timestamp": (dims, np.where(real, number / 10, np.nan)),
            "condition": ("video", np.where(good, "good", "bad")),
        },
    )


@pytest.fixture(scope="module")
def events(ds) -> pd.DataFrame:
    return pd.DataFrame({"video": ds.video.values, "onset": 0.6})


def lines(picture) -> list[hv.Curve]:
    """Courses of a panel, without what they are compared with."""
    return [curve for curve in picture.traverse(lambda c: c, ["Curve"]) if len(curve.vdims) > 1]


def option(picture, name):
    return hv.Store.lookup_options("bokeh", picture, "plot").kwargs[name]


def check_line(curve, wanted):
    np.testing.assert_allclose(curve.dimension_values(0), wanted.time)
    np.testing.assert_allclose(curve.dimension_values(1), wanted)


def check_band(picture, low, high):
    bands = picture.traverse(lambda a: a, ["Area"])
    there = np.isfinite(low.values)
    for i, wanted in ((1, low), (2, high)):
        np.testing.assert_allclose(np.concatenate([b.dimension_values(i) for b in bands]), wanted.values[there])


def test_over_time__difference_interval_and_clusters(ds):
    result = cluster_test(ds, "condition", **WINDOWS)
    picture = over_time(result, "AU12")
    one = result.sel(feature="AU12").isel(face=0)
    (curve,) = lines(picture)
    check_line(curve, one.difference)
    np.testing.assert_array_equal(curve.dimension_values("n"), one.n)
    check_band(picture, one.ci_low, one.ci_high)
    (bars,) = picture.traverse(lambda s: s, ["Segments"])
    table = clusters(result).query("feature == 'AU12' and p <= .05")
    assert len(table) == len(bars) == 1
    np.testing.assert_allclose(bars.dimension_values("time"), table.start)
    np.testing.assert_allclose(bars.dimension_values("stop"), table.stop)
    np.testing.assert_allclose(bars.dimension_values("p"), table.p)
    assert option(picture, "title") == "AU12; bars: p ≤ 0.05"
    assert option(picture, "ylabel") == "good - bad"
    assert option(picture, "xlim") == (0, 3)
    low, high = option(picture, "ylim")
    assert low < bars.dimension_values(1)[0] < one.ci_low.min()
    assert high > one.ci_high.max()
    both = result.fex.plot.over_time()
    assert [option(panel, "title") for panel in both] == ["AU12; bars: p ≤ 0.05", "AU06; no p ≤ 0.05"]


def test_over_time__alpha_decides_what_is_marked(ds):
    result = cluster_test(ds, "condition", **WINDOWS)
    assert over_time(result, "AU12", alpha=0).traverse(lambda s: s, ["Segments"]) == []
    # two clusters that touch are two bars
    two = result.assign(
        cluster=result.cluster.copy(data=np.where(result.time.values < 2, 1, 2)[:, None, None] + [[0, 9]])
    )
    two = two.assign(p_adjusted=result.p_adjusted * 0 + 0.01)
    (bars,) = over_time(two, "AU12").traverse(lambda s: s, ["Segments"])
    np.testing.assert_allclose(bars.dimension_values("time"), [0, 2])
    np.testing.assert_allclose(bars.dimension_values("stop"), [2, 3])


def test_over_time__regression_marks_windows(ds):
    result = regress_over_time(ds, "condition", permutations=199, correction="max_t", **WINDOWS)
    picture = over_time(result, "AU12")
    one = result.sel(feature="AU12", term="condition[T.good]").isel(face=0)
    check_line(lines(picture)[0], one.beta)
    check_band(picture, one.ci_low, one.ci_high)
    (bars,) = picture.traverse(lambda s: s, ["Segments"])
    inside = [
        (start, stop) for start, stop in zip(bars.dimension_values("time"), bars.dimension_values("stop"), strict=True)
    ]
    found = [any(start <= t < stop for start, stop in inside) for t in one.time.values]
    np.testing.assert_array_equal(found, one.p_adjusted <= 0.05)
    assert 0 < sum(found) < len(found)
    check_line(lines(over_time(result, "AU12", term="Intercept"))[0], result.beta.sel(term="Intercept")[:, 0, 0])


def test_over_time__averages_and_tests_of_events(ds, events):
    average = event_average(ds, events, by="condition", **AROUND)
    picture = over_time(average, "AU12")
    for curve, label in zip(lines(picture), ["bad", "good"], strict=True):
        assert curve.label == label
        check_line(curve, average["mean"].sel(condition=label, feature="AU12").isel(face=0))
    assert option(picture, "xlabel") == "time from the event (s)"
    assert option(picture, "show_legend")
    tested = event_test(ds, events, "condition", **AROUND)
    check_line(lines(over_time(tested, "AU12"))[0], tested.difference.sel(feature="AU12").isel(face=0))


def test_over_time__aligned_courses_are_averaged_over_trials_and_then_over_videos(ds, events):
    twice = pd.concat([events, events.iloc[:5].assign(onset=0.8)])
    aligned = ds.fex.align(twice, before=0.2, after=0.3)
    picture = aligned.fex.plot.over_time("AU06")
    values = aligned.features.sel(feature="AU06").isel(face=0).mean("trial")
    check_line(lines(picture)[0], values.mean("video"))
    half = stats.t.ppf(0.975, 11) * values.std("video", ddof=1) / np.sqrt(12)
    check_band(picture, values.mean("video") - half, values.mean("video") + half)


@pytest.fixture(scope="module")
def decoded(ds) -> dict[bool, xr.Dataset]:
    options = {"model": LinearDiscriminantAnalysis(), "cv": 2, "permutations": 39, **WINDOWS}
    sets = {"smile": "AU12", "cheek": "AU06"}
    return {g: decode_over_time(ds, "condition", sets, generalize=g, **options) for g in (False, True)}


def test_over_time__scores_and_chance(decoded):
    result = decoded[False]
    picture = over_time(result)
    for curve, label in zip(lines(picture), ["smile", "cheek"], strict=True):
        check_line(curve, result.score.sel(feature_set=label))
    assert picture.HLine.I.data == result.chance[0, 0] == 0.5
    (bars,) = picture.traverse(lambda s: s, ["Segments"])
    assert (result.p_adjusted.sel(feature_set="smile", time=slice(bars.dimension_values("time")[0])) > 0.05).all()
    assert (option(picture, "title"), option(picture, "ylabel")) == ("condition; bars: p ≤ 0.05", "accuracy")
    # where videos end, chance may differ from window to window
    some = result.assign(chance=result.chance + 0.1 * (result.time > 1))
    drawn = [c for c in over_time(some).traverse(lambda c: c, ["Curve"]) if len(c.vdims) == 1]
    np.testing.assert_allclose(drawn[0].dimension_values(1), some.chance[0])


def test_generalization__rows_are_trained_and_columns_tested(decoded):
    result = decoded[True]
    # what is trained late holds early, and not the other way round
    result = result.assign(score=result.score + 0.01 * (result.time > 1.6) * (result.time_test < 1.6))
    picture = generalization(result, feature_set="smile")
    one = result.sel(feature_set="smile")
    image = picture.Image.I
    assert [d.name for d in image.kdims] == ["tested_at", "trained_at"]
    np.testing.assert_allclose(image.dimension_values("score", flat=False), one.score)
    np.testing.assert_allclose(image.dimension_values("n", flat=False), one.n)
    np.testing.assert_allclose(image.dimension_values(0, expanded=False), one.time_test)
    np.testing.assert_allclose(image.dimension_values(1, expanded=False), one.time)
    assert option(image, "clabel") == "accuracy (chance 0.5)"
    assert option(image, "clim") == (one.score.min(), one.score.max())
    assert (option(picture, "xlabel"), option(picture, "ylabel")) == ("tested at (s)", "trained at (s)")
    other = generalization(
        result.assign(chance=result.chance + 0.1 * (result.time > 1)), limits=(0, 1), feature_set="smile"
    )
    assert option(other.Image.I, "clim") == (0, 1)
    assert option(other.Image.I, "clabel") == "accuracy (chance 0.5 to 0.6)"


def test_generalization__outlines_what_is_significant():
    p = np.ones((4, 4))
    p[1:3, 2] = 0.01
    middles = np.arange(4) + 0.5
    result = xr.Dataset(
        {"score": (("time", "time_test"), p), "p_adjusted": (("time", "time_test"), p)},
        {"time": middles, "time_test": middles},
    )
    outline = generalization(result).Segments.I
    sides = set(zip(*(outline.dimension_values(i).tolist() for i in range(4)), strict=True))
    assert sides == {(2, 1, 3, 1), (2, 3, 3, 3), (2, 1, 2, 2), (2, 2, 2, 3), (3, 1, 3, 2), (3, 2, 3, 3)}
    assert option(generalization(result), "title").endswith("outlined: p ≤ 0.05")
    assert option(generalization(result, alpha=0.001), "title").endswith("no p ≤ 0.001")


def test_over_time__both_backends(decoded, tmp_path):
    for name, picture in (("a", over_time(decoded[False])), ("b", generalization(decoded[True], feature_set="cheek"))):
        assert save(picture, tmp_path / f"{name}.png", dpi=40).stat().st_size
        assert save(picture, tmp_path / f"{name}.html").stat().st_size


def test_over_time__nothing_and_one_window(tmp_path):
    nothing = xr.Dataset(
        {"difference": (("time", "feature"), [[np.nan], [np.nan]])}, {"time": [0.25, 0.75], "feature": ["AU12"]}
    )
    one = xr.Dataset(
        {"score": (("feature_set", "time", "time_test"), [[[0.5]]])},
        {"time": [0.5], "time_test": [0.5], "feature_set": ["aus"]},
        {"window_step": 1.0},
    )
    for name, picture in (("a", over_time(nothing)), ("b", generalization(one))):
        save(picture, tmp_path / f"{name}.png", dpi=40)
        save(picture, tmp_path / f"{name}.html")
    with pytest.raises(InputError, match=r"found no score in any pair of windows"):
        generalization(one * np.nan)


def test_over_time__mistakes(ds, decoded, events):
    with pytest.raises(InputError, match=r"expected the result of .fex.cluster_test.*timeseries"):
        over_time(ds)
    with pytest.raises(InputError, match=r"expected one a window: draw them with .fex.plot.generalization"):
        over_time(decoded[True])
    with pytest.raises(InputError, match=r"found features='AU12' with scores of feature sets"):
        over_time(decoded[False], "AU12")
    with pytest.raises(InputError, match=r"found alpha=5; expected a share"):
        over_time(decoded[False], alpha=5)
    with pytest.raises(InputError, match=r"found term='condition' and a result without terms"):
        over_time(event_average(ds, events, **AROUND), term="condition")
    with pytest.raises(InputError, match=r"unknown feature or group 'AU13' .did you mean 'AU12'"):
        over_time(event_average(ds, events, **AROUND), "AU13")
    with pytest.raises(InputError, match=r"generalize=True; .fex.plot.over_time"):
        generalization(decoded[False])
    with pytest.raises(InputError, match=r"found 2 feature sets; expected one: choose with feature_set='smile'"):
        generalization(decoded[True])
    with pytest.raises(InputError, match=r"not equally spaced along 'time'"):
        generalization(decoded[True].isel(time=[0, 1, 3]), feature_set="smile")
    with pytest.raises(InputError, match=r"draw them with .fex.plot.generalization"):
        decoding(decoded[True])
    with pytest.raises(InputError, match=r"draw them over time with .fex.plot.over_time"):
        coefficients(cluster_test(ds, "condition", **WINDOWS))
