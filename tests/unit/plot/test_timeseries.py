"""Time courses: what is drawn, and what thinning keeps."""

from __future__ import annotations

import itertools

import holoviews as hv
import numpy as np
import pytest
import xarray as xr
from bokeh.models import LegendItem
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from facearray import concat, schema
from facearray.errors import InputError, SchemaError
from facearray.plot import timeseries
from facearray.plot._style import COLOURS, DASHES
from facearray.plot._thin import thin

FEATURES = ["Pitch", "AU01", "AU12", "X"]


@pytest.fixture
def ds() -> xr.Dataset:
    """Two videos of 6 and 4 frames; in the first, frames 2 and 4 have no face."""
    values = np.random.default_rng(0).random((2, 8, 1, len(FEATURES))).astype("f4")
    frame_number = np.array([[0, 1, 2, 3, 4, 5, -1, -1], [0, 1, 2, 3, -1, -1, -1, -1]])
    values[frame_number < 0] = np.nan
    values[0, [2, 4]] = np.nan
    return xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values)},
        coords={
            "video": ["a.mp4", "b.mp4"],
            "feature": FEATURES,
            "frame_number": (("video", "frame"), frame_number),
            "timestamp": (("video", "frame"), np.where(frame_number < 0, np.nan, frame_number / 25)),
        },
    )


def curves(panel: hv.Overlay) -> dict[str, hv.Curve]:
    return {element.label: element for element in panel if isinstance(element, hv.Curve)}


def test_timeseries__draws_seconds_and_values_with_gaps(ds):
    (panel,) = timeseries(ds.isel(video=0), "aus")
    drawn = curves(panel)
    assert list(drawn) == ["AU01", "AU12"]
    np.testing.assert_allclose(drawn["AU12"].dimension_values("time"), np.arange(6) / 25)
    np.testing.assert_array_equal(drawn["AU12"].dimension_values("aus"), ds.features.values[0, :6, 0, 2])


def test_timeseries__draws_a_value_between_gaps_as_a_dot(ds):
    (panel,) = timeseries(ds.isel(video=0), "AU12")
    (dots,) = [element for element in panel if isinstance(element, hv.Scatter)]
    np.testing.assert_allclose(dots.dimension_values("time"), [3 / 25, 5 / 25])


def test_timeseries__one_panel_a_unit_in_the_order_of_the_request(ds):
    layout = timeseries(ds.isel(video=0), "aus,poses")
    measures = [next(iter(panel)).vdims[0] for panel in layout]
    assert [(measure.name, measure.unit) for measure in measures] == [
        ("aus", None),
        ("poses", "degree"),
        ("poses", "cm"),
    ]


def test_timeseries__several_videos_are_read_when_they_are_shown(ds):
    (panel,) = timeseries(ds, "AU12")
    assert isinstance(panel, hv.DynamicMap)
    assert panel.kdims[0].name == "video"
    assert panel.kdims[0].values == ["a.mp4", "b.mp4"]
    np.testing.assert_array_equal(
        curves(panel["b.mp4"])["AU12"].dimension_values("aus"), ds.features.values[1, :4, 0, 2]
    )


def test_timeseries__several_faces_can_be_chosen(ds):
    two = xr.concat([ds.features, ds.features + 1], "face").isel(video=[1])
    (panel,) = timeseries(two, "AU12")
    assert panel.kdims[0].name == "face"
    np.testing.assert_allclose(curves(panel[1])["AU12"].dimension_values("aus"), ds.features.values[1, :4, 0, 2] + 1)


def test_timeseries__says_how_it_thins(ds):
    options = hv.Store.lookup_options("bokeh", timeseries(ds.isel(video=0), "AU12", max_points=3)[0][()], "plot").kwargs
    assert options["xlabel"] == "time (s); of every 6 frames the lowest and the highest value"
    options = hv.Store.lookup_options("bokeh", timeseries(ds.isel(video=0), "AU12")[0], "plot").kwargs
    assert options["xlabel"] == "time (s)"


def test_timeseries__every_au_looks_different_and_neighbours_do_in_grey():
    n = len(schema.feature_names("aus"))
    looks = [(COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)]) for i in range(n)]
    assert len(set(looks)) == n
    assert all(one[1] != other[1] for one, other in itertools.pairwise(looks))


def test_timeseries__can_be_rendered(ds):
    figure = hv.render(timeseries(ds.isel(video=0), "aus,poses"), backend="bokeh")
    assert {item.label.value for item in figure.select({"type": LegendItem})} == {"AU01", "AU12", "Pitch", "X"}


@pytest.mark.parametrize("max_points", [2, 0, -1])
def test_timeseries__too_few_points_are_refused(ds, max_points):
    with pytest.raises(InputError, match=f"found max_points={max_points}; expected at least 3"):
        timeseries(ds, max_points=max_points)


def test_timeseries__unknown_feature(ds):
    with pytest.raises(InputError, match="did you mean 'AU12'"):
        timeseries(ds, "AU13")


def test_timeseries__without_frames_or_times_or_with_other_dims_is_refused(ds):
    with pytest.raises(SchemaError, match="found dims video, face, feature; expected frame and feature"):
        timeseries(ds.features.mean("frame"))
    with pytest.raises(SchemaError, match="found no 'timestamp'"):
        timeseries(ds.drop_vars("timestamp"))
    with pytest.raises(SchemaError, match="besides these only video and face"):
        timeseries(ds.features.expand_dims("draw"))
    with pytest.raises(SchemaError, match="found a Dataset of mean"):
        timeseries(ds.rename(features="mean"))


courses = arrays(np.float32, st.integers(1, 300), elements=st.floats(-5, 5, width=32) | st.just(np.nan))


@given(courses, st.integers(3, 60))
def test_thin__keeps_the_extremes_and_the_bound(values, max_points):
    kept = thin(values, max_points)
    assert len(kept) <= max_points
    assert (np.diff(kept) > 0).all()
    if not np.isnan(values).all():
        assert np.nanmin(values[kept]) == np.nanmin(values)
        assert np.nanmax(values[kept]) == np.nanmax(values)
    assert np.isnan(values[kept]).any() == np.isnan(values).any()


@given(courses)
def test_thin__short_series_are_left_alone(values):
    np.testing.assert_array_equal(thin(values, len(values) + 2), np.arange(len(values)))


def test_thin__a_gap_longer_than_a_bin_stays_a_gap():
    values = np.sin(np.arange(10_000.0))
    values[4000:4100] = np.nan
    kept = thin(values, 600)
    assert np.isnan(values[kept[(kept >= 4000) & (kept < 4100)]]).all()
    assert ((kept >= 4000) & (kept < 4100)).any()


def test_timeseries__means_of_groups_and_their_bands_are_those_of_scipy(recordings):
    ds = recordings({f"{i}": 12 - i for i in range(6)}, features=("AU12",))
    ds = ds.assign_coords(condition=("video", list("xyxyxx")))
    (panel,) = timeseries(ds, "AU12", by="condition", confidence=0.9)
    values = ds.features.sel(feature="AU12").isel(face=0).values.astype(float)
    for name, rows in (("x", [0, 2, 4, 5]), ("y", [1, 3])):
        curve = next(e for e in panel if isinstance(e, hv.Curve) and e.label == name)
        np.testing.assert_allclose(curve.dimension_values("time"), np.arange(12) / 25)
        there = np.isfinite(values[rows])
        np.testing.assert_array_equal(curve.dimension_values("n"), there.sum(axis=0))
        for t in range(12):
            of_videos = values[rows, t][there[:, t]]
            found = curve.dimension_values("mean_AU12")[t]
            np.testing.assert_allclose(found, of_videos.mean() if len(of_videos) else np.nan)
    bands = {}
    for area in (e for e in panel if isinstance(e, hv.Area)):
        columns = [area.dimension_values(name) for name in ("time", "low_AU12", "high_AU12")]
        bands |= {round(t * 25): (low, high) for t, low, high in zip(*columns, strict=True)}
    # only the group of four has three videos at a time
    for t in range(12):
        of_videos = values[[0, 2, 4, 5], t]
        of_videos = of_videos[np.isfinite(of_videos)]
        assert (t in bands) == (len(of_videos) >= 3)
        if t in bands:
            wanted = stats.t.interval(0.9, len(of_videos) - 1, of_videos.mean(), stats.sem(of_videos))
            np.testing.assert_allclose(bands[t], wanted)


def test_timeseries__means_average_the_frames_of_a_fast_video_first(recordings):
    slow, fast = (
        recordings({"slow": 5}, features=("AU12",), fps=10),
        recordings({"fast": 9}, features=("AU12",), fps=20),
    )
    ds = concat([slow, fast]).assign_coords(condition=("video", ["x", "x"]))
    (panel,) = timeseries(ds, "AU12", by="condition")
    curve = next(e for e in panel if isinstance(e, hv.Curve))
    assert len(curve) == 5
    a, b = slow.features.values[0, 2, 0, 0], fast.features.values[0, 3:5, 0, 0]
    # bin 2 is centred at 0.2 s: frame 2 of the slow video, frames 3 (0.15 s) and 4 of the fast one
    np.testing.assert_allclose(curve.dimension_values("mean_AU12")[2], np.mean([a, b.mean()]), rtol=1e-6)


def test_timeseries__a_line_a_video(ds):
    (panel,) = timeseries(ds, "AU12", lines="video")
    drawn = curves(panel)
    assert list(drawn) == ["a.mp4", "b.mp4"]
    np.testing.assert_array_equal(drawn["b.mp4"].dimension_values("AU12"), ds.features.values[1, :4, 0, 2])


def test_timeseries__annotated_stretches_are_bands(ds):
    labels = np.array([["", "ann", "ann", "", "bob", "ann", "", ""], [""] * 8], dtype=np.dtypes.StringDType())
    ds = ds.assign_coords(speaker=(("video", "frame"), labels))
    (panel,) = timeseries(ds.isel(video=[0]), "AU12", intervals="speaker")
    bands = {e.label: e for e in panel if isinstance(e, hv.Rectangles)}
    assert list(bands) == ["ann", "bob"]
    np.testing.assert_allclose(bands["ann"].dimension_values("time"), [1 / 25, 5 / 25])
    np.testing.assert_allclose(bands["ann"].dimension_values("end"), [3 / 25, 6 / 25])
    np.testing.assert_allclose(bands["bob"].dimension_values("time"), [4 / 25])


def test_timeseries__options_that_contradict_each_other(ds):
    ds = ds.assign_coords(condition=("video", ["x", "y"]), speaker=(("video", "frame"), np.full((2, 8), "ann")))
    with pytest.raises(InputError, match="found intervals='speaker' in panels of several videos"):
        timeseries(ds, "AU12", intervals="speaker", by="condition")
    with pytest.raises(InputError, match="found by='condition' with lines='video'"):
        timeseries(ds, "AU12", lines="video", by="condition")
    with pytest.raises(InputError, match="did you mean 'speaker'"):
        timeseries(ds, "AU12", intervals="speakers")
    with pytest.raises(InputError, match="did you mean 'condition'"):
        timeseries(ds, "AU12", by="conditions")
    with pytest.raises(InputError, match="expected a coordinate that groups several videos"):
        timeseries(ds, "AU12", by="video")
    with pytest.raises(InputError, match="unknown kind of lines 'videos'"):
        timeseries(ds, "AU12", lines="videos")
    with pytest.raises(InputError, match="found confidence=95"):
        timeseries(ds, "AU12", by="condition", confidence=95)
