"""Bars of summaries: heights, error bars and points are the numbers of the summary."""

from __future__ import annotations

import itertools

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from facearray import schema
from facearray.errors import InputError, SchemaError
from facearray.plot import bars


def elements(picture, kind):
    return [element for element in picture if isinstance(element, kind)]


def test_bars__heights_and_error_bars_are_those_of_the_summary(ds):
    summary = ds.fex.summarize(("mean", "sem"), by="condition")
    picture = summary.fex.plot.bars(features=["AU06", "AU12"], group="condition", error="sem", hline=0.5)
    rectangles = elements(picture, hv.Rectangles)
    assert [r.label for r in rectangles] == ["bad", "good"]
    for drawn, errors, name in zip(rectangles, elements(picture, hv.ErrorBars), ["bad", "good"], strict=True):
        one = summary.sel(condition=name, feature=["AU06", "AU12"]).isel(face=0)
        np.testing.assert_allclose(drawn.dimension_values("mean"), one["mean"])
        np.testing.assert_allclose(drawn.dimension_values("mean_height"), one["mean"])
        np.testing.assert_array_equal(drawn.dimension_values("zero"), 0)
        assert drawn.dimension_values("feature").tolist() == ["AU06", "AU12"]
        np.testing.assert_allclose(errors.dimension_values("mean"), one["mean"])
        np.testing.assert_allclose(errors.dimension_values("below"), one["sem"])
        np.testing.assert_allclose(errors.dimension_values("above"), one["sem"])
        middle = (drawn.dimension_values("left") + drawn.dimension_values("right")) / 2
        np.testing.assert_allclose(errors.dimension_values("position"), middle)
    assert [line.data for line in elements(picture, hv.HLine)] == [0.5]


def test_bars__groups_do_not_overlap(ds):
    first, second = elements(bars(ds.fex.summarize(by="condition", features="aus")), hv.Rectangles)
    assert (first.dimension_values("right") <= second.dimension_values("left") + 1e-12).all()
    assert second.dimension_values("right")[0] < first.dimension_values("left")[1]


def test_bars__of_detections_draws_every_video_in_its_group(ds):
    picture = ds.fex.plot.bars(features="aus", group="condition")
    of_videos = ds.fex.summarize(by="video", features="aus")["mean"].isel(face=0)
    summary = ds.fex.summarize(("mean", "sem"), by="condition", features="aus")
    for points, bar, name in zip(
        elements(picture, hv.Scatter), elements(picture, hv.Rectangles), ["bad", "good"], strict=True
    ):
        np.testing.assert_allclose(bar.dimension_values("mean"), summary["mean"].sel(condition=name).isel(face=0))
        wanted = of_videos.sel(video=(of_videos.condition == name).to_numpy())
        np.testing.assert_allclose(points.dimension_values("mean"), wanted.values.ravel())
        assert points.dimension_values("video").tolist() == np.repeat(wanted.video.values, 2).tolist()
        assert points.dimension_values("feature").tolist() == ["AU06", "AU12"] * 2


def test_bars__one_video_of_a_summary_by_video(ds):
    means = ds.fex.summarize(by="video")
    picture = means.fex.plot.bars(features="aus", video="b.mp4", title="b", ylabel="intensity")
    (bar,) = elements(picture, hv.Rectangles)
    np.testing.assert_allclose(bar.dimension_values("mean"), means["mean"].sel(video="b.mp4").fex.aus.isel(face=0))
    options = hv.Store.lookup_options("bokeh", picture, "plot").kwargs
    assert (options["title"], options["ylabel"]) == ("b", "intensity")


def test_bars__a_variable_by_itself(ds):
    means = ds.fex.summarize(by="condition")["mean"]
    (first, _) = elements(means.fex.plot.bars(features="AU12"), hv.Rectangles)
    np.testing.assert_allclose(first.dimension_values("mean"), means.sel(condition="bad", feature="AU12"))


def test_bars__points_given_beside_a_summary(ds):
    summary = ds.fex.summarize(("mean", "sem"), by="condition", features="AU12")
    of_videos = ds.fex.summarize(by="video")
    first, _ = elements(summary.fex.plot.bars(points=of_videos), hv.Scatter)
    wanted = of_videos["mean"].sel(video=["b.mp4", "d.mp4"], feature="AU12").isel(face=0)
    np.testing.assert_allclose(first.dimension_values("mean"), wanted)
    with pytest.raises(InputError, match="unknown coordinate of the points 'condition'"):
        summary.fex.plot.bars(points=of_videos.drop_vars("condition"))


def test_bars__one_panel_a_unit_and_face(ds, recordings):
    layout = ds.fex.summarize(by="condition").fex.plot.bars()
    assert [elements(panel, hv.Rectangles)[0].dimension_values("feature").tolist() for panel in layout] == [
        ["Pitch", "Yaw"],
        ["AU06", "AU12"],
        ["happiness"],
    ]
    two = recordings({"a": 9, "b": 9}, n_faces=2)
    panels = two.fex.summarize().fex.plot.bars(features="AU12")
    titles = [hv.Store.lookup_options("bokeh", panel, "plot").kwargs["title"] for panel in panels]
    assert titles == ["aus · face 0", "aus · face 1"]


def test_bars__without_error_bars(ds):
    summary = ds.fex.summarize(("mean", "sem"), by="condition", features="aus")
    assert elements(summary.fex.plot.bars(error=False), hv.ErrorBars) == []


@pytest.mark.parametrize("features", ["facebox", "aus", "emotions", ["AU01", "AU02"]])
@pytest.mark.parametrize("group", [None, "condition"])
def test_bars__names_do_not_run_into_each_other(recordings, features, group):
    ds = recordings({"a": 3, "b": 3}, features=schema.feature_names("facebox", "aus", "emotions"))
    picture = bars(ds.assign_coords(condition=("video", ["good news", "bad news"])), features=features, group=group)
    drawn = hv.render(next(iter(picture)) if isinstance(picture, hv.Layout) else picture, backend="matplotlib")
    drawn.canvas.draw()
    names = drawn.axes[0].get_xticklabels()
    boxes = sorted((name.get_window_extent() for name in names), key=lambda box: box.x0)
    apart = all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    # turned ones are above each other
    assert apart or {name.get_rotation() for name in names} <= {45.0, 90.0}


def test_bars__mistakes(ds):
    summary = ds.fex.summarize(("mean", "std"), by="condition", features="aus")
    with pytest.raises(InputError, match=r"unknown variable of the summary 'sem'.*known: mean, std"):
        summary.fex.plot.bars(error="sem")
    with pytest.raises(InputError, match=r"did you mean 'AU12'"):
        summary.fex.plot.bars(features="AU13")
    with pytest.raises(InputError, match=r"did you mean 'condition'"):
        summary.fex.plot.bars(group="conditions")
    with pytest.raises(InputError, match="summary without videos"):
        summary.fex.plot.bars(video="a.mp4")
    with pytest.raises(InputError, match=r"did you mean 'a.mp4'"):
        ds.fex.summarize(by="video").fex.plot.bars(video="a.mp")
    with pytest.raises(SchemaError, match="expected feature, and besides it face and one to group by"):
        bars(ds.features.isel(face=0))


def heights(layout, backend):
    """Lengths of the vertical axes, from the top."""
    drawn = hv.render(layout, backend=backend)
    if backend == "matplotlib":
        return [float(np.diff(axes.get_ylim())[0]) for axes in drawn.axes]
    plots = sorted(drawn.children, key=lambda child: child[1])
    return [plot.y_range.end - plot.y_range.start for plot, *_ in plots]


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_panels__of_different_units_have_scales_of_their_own(recordings, backend):
    ds = recordings(dict.fromkeys("abcd", 5), features=("Yaw", "AU06"))
    ds["features"] = ds.features * xr.where(ds.feature == "Yaw", 1000, 1).astype("f4")
    ds = ds.assign_coords(condition=("video", ["good", "bad", "good", "bad"]))
    effects = ds.fex.ttest("condition", y="Yaw,AU06").fex.plot.coefficients()
    for layout in (ds.fex.plot.bars(group="condition"), ds.fex.plot.distribution("Yaw,AU06"), effects):
        of_degrees, of_shares = heights(layout, backend)
        assert of_degrees > 50 * of_shares


def test_panels__of_one_unit_share_their_scale(recordings):
    two = recordings({"a": 9, "b": 9}, features=("AU06", "AU12"), n_faces=2)
    two["features"] = two.features * xr.DataArray(np.array([1, 100], "f4"), dims="face")
    first, second = heights(two.fex.summarize().fex.plot.bars(), "matplotlib")
    assert first == second
