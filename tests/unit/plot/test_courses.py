"""Rasters and trajectories: what is drawn of one video is what is stored of it."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest

from facearray.errors import InputError, SchemaError
from facearray.plot import raster, trajectory


def test_raster__shows_the_values_of_the_chosen_video(ds):
    picture = ds.fex.plot.raster("aus")
    assert isinstance(picture, hv.DynamicMap)
    assert picture.kdims[0].values == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    mesh = picture["b.mp4"].QuadMesh.I
    wanted = ds.features.isel(video=1, face=0, frame=slice(22)).sel(feature=["AU12", "AU06"]).values.T
    np.testing.assert_array_equal(mesh.dimension_values("value", flat=False), wanted)
    options = hv.Store.lookup_options("bokeh", picture["b.mp4"], "plot").kwargs
    assert options["yticks"] == [(0, "AU12"), (1, "AU06")]
    assert (options["title"], options["xlabel"]) == ("b.mp4", "time (s)")


def test_raster__columns_begin_when_their_frame_is_shown(ds):
    mesh = raster(ds.isel(video=[1]), "aus").QuadMesh.I
    np.testing.assert_allclose(mesh.interface.coords(mesh, 0, edges=True), np.arange(23) / 25)


def test_raster__many_frames_are_averaged_and_it_says_so(ds):
    picture = raster(ds.isel(video=[0]), "AU12", max_columns=10)
    wanted = ds.features.isel(video=0, face=0).sel(feature="AU12").values.reshape(10, 3)
    np.testing.assert_allclose(picture.QuadMesh.I.dimension_values("value"), np.nanmean(wanted, axis=1), rtol=1e-6)
    options = hv.Store.lookup_options("bokeh", picture, "plot").kwargs
    assert options["xlabel"] == "time (s); a column is the mean of 3 frames"


def test_raster__limits(ds):
    def limits(picture):
        return hv.Store.lookup_options("bokeh", picture.QuadMesh.I, "plot").kwargs["clim"]

    one = ds.isel(video=[0])
    yaw = one.features.sel(feature="Yaw").compute()
    assert limits(raster(one, "AU12")) == (0, 1)
    assert limits(raster(one, "Yaw")) == (yaw.min().item(), yaw.max().item())
    assert limits(raster(one, "Yaw", limits=(-90, 90))) == (-90, 90)
    with pytest.raises(InputError, match=r"found limits=\(90, -90\); expected two numbers, the smaller one first"):
        raster(one, "Yaw", limits=(90, -90))


def test_raster__mistakes(ds):
    with pytest.raises(InputError, match="found features in no unit, degree; expected one unit"):
        raster(ds, "AU12,Yaw")
    with pytest.raises(InputError, match="found max_columns=0"):
        raster(ds, max_columns=0)
    with pytest.raises(SchemaError, match="expected frame and feature"):
        raster(ds.features.mean("frame"))


def test_trajectory__joins_frames_that_have_both(ds):
    picture = trajectory(ds.isel(video=[1]), "Yaw", "Pitch")
    values = ds.features.isel(video=1, face=0, frame=slice(22)).sel(feature=["Yaw", "Pitch"]).values
    there = np.isfinite(values).all(axis=1)
    first = np.flatnonzero(there[:-1] & there[1:])
    ways = picture.Segments.I
    for i, (begin, end) in enumerate((("x", "x_end"), ("y", "y_end"))):
        np.testing.assert_array_equal(ways.dimension_values(begin), values[first, i])
        np.testing.assert_array_equal(ways.dimension_values(end), values[first + 1, i])
    np.testing.assert_allclose(ways.dimension_values("time"), first / 25)
    last = np.flatnonzero(there)[-1]
    assert picture.Scatter.End.dimension_values("x").tolist() == [values[last, 0]]
    options = hv.Store.lookup_options("bokeh", picture, "plot").kwargs
    assert (options["xlabel"], options["ylabel"]) == ("Yaw (degree)", "Pitch (degree)")


def test_trajectory__menu_and_mistakes(ds):
    assert trajectory(ds, "Yaw", "Pitch").kdims[0].values == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    with pytest.raises(InputError, match="did you mean 'Yaw'"):
        trajectory(ds, "Yow", "Pitch")
    for y in ("poses", "Yaw"):
        with pytest.raises(SchemaError, match="expected two different features"):
            trajectory(ds, "Yaw", y)
