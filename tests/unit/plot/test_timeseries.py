"""Time courses: what is drawn, and what thinning keeps."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest
import xarray as xr
from bokeh.models import LegendItem
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facearray import schema
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


def test_timeseries__every_au_looks_different():
    aus = schema.feature_names("aus")
    assert len(COLOURS) * len(DASHES) >= len(aus)


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
