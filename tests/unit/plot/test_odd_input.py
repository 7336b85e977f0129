"""Every picture of what is hostile, long, foreign, single, many, short or empty."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from facearray import plot
from facearray.errors import InputError
from facearray.plot import save
from facearray.plot._matrix import MOST_RECTANGLES
from facearray.plot._style import short, ticks

FEATURES = ("FaceScore", "Pitch", "Yaw", "AU06", "AU12", "happiness")
HOSTILE = "</script><script>alert(1)</script>{0}{x}$\\frac$%s@{y}.mp4"
LABELS = [HOSTILE, "<img src=x onerror=alert(1)>'\"&", "x" * 300 + ".mp4", "笑顔 улыбка ابتسامة e\u0301 😀.mp4"]


def isc_result(ds: xr.Dataset) -> xr.Dataset:
    n = ds.sizes["video"]
    names = ds["video"].to_numpy()
    r = np.corrcoef(np.random.default_rng(0).normal(size=(n, 9))).reshape(n, n)
    return xr.Dataset({"r": (("video", "video_other"), r)}, {"video": names, "video_other": names})


PICTURES: dict[str, Callable[[xr.Dataset], Any]] = {
    "bars": lambda ds: plot.bars(ds, features="aus", group="condition"),
    "coefficients": lambda ds: plot.coefficients(ds.fex.regress("condition")),
    "cooccurrence": lambda ds: plot.cooccurrence(ds, linkage="average"),
    "distribution": lambda ds: plot.distribution(ds, by="condition"),
    "embedding": lambda ds: plot.embedding(ds, colour="condition"),
    "groups": lambda ds: plot.timeseries(ds, "aus", by="condition"),
    "isc": lambda ds: plot.isc(isc_result(ds)),
    "landmarks": lambda ds: plot.landmarks(ds.isel(video=[0])),
    "lines": lambda ds: plot.timeseries(ds, "AU12", lines="video"),
    "quality": lambda ds: plot.quality(ds),
    "raster": lambda ds: plot.raster(ds.isel(video=[0])),
    "timeseries": lambda ds: plot.timeseries(ds.isel(video=[0]), "aus,Yaw"),
    "trajectory": lambda ds: plot.trajectory(ds.isel(video=[0]), "Yaw", "Pitch"),
}


def drawn(picture: Any, tmp_path, name: str) -> str:
    """Draw with both backends, and return the page."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        save(picture, tmp_path / f"{name}.png", dpi=40)
    return save(picture, tmp_path / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture
def made(recordings) -> Callable[..., xr.Dataset]:
    def make(labels: list[str], n_frames: int = 12, conditions: tuple[str, str] = ("good", "bad")) -> xr.Dataset:
        lengths = dict.fromkeys(labels, n_frames)
        ds = recordings(lengths, features=FEATURES, n_landmarks=4)
        return ds.assign_coords(condition=("video", [conditions[i % 2] for i in range(len(labels))]))

    return make


@pytest.mark.parametrize("name", PICTURES)
def test_labels__are_texts(made, tmp_path, name):
    ds = made(LABELS, conditions=(LABELS[0], LABELS[3]))
    page = drawn(PICTURES[name](ds), tmp_path, name)
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


@pytest.mark.parametrize("name", sorted(set(PICTURES) - {"coefficients", "embedding"}))
def test_one_video(made, tmp_path, name):
    drawn(PICTURES[name](made(["one.mp4"])), tmp_path, name)


@pytest.mark.parametrize("name", PICTURES)
def test_one_frame(made, tmp_path, name):
    ds = made(list("abcdef"), n_frames=2).isel(frame=[1])
    drawn(PICTURES[name](ds), tmp_path, name)


@pytest.mark.parametrize("name", sorted(set(PICTURES) - {"lines"}))
def test_500_videos(made, tmp_path, name):
    ds = made([f"{i:03}.mp4" for i in range(500)], n_frames=2)
    picture = PICTURES[name](ds)
    drawn(picture, tmp_path, name)
    parts = picture if isinstance(picture, hv.Layout) else [picture]
    for part in parts:
        shown = hv.Store.lookup_options("bokeh", part, "plot").kwargs.get("xticks")
        assert not isinstance(shown, list) or len(shown) <= 60


@pytest.mark.parametrize(
    "name", ["cooccurrence", "groups", "isc", "landmarks", "lines", "quality", "raster", "timeseries", "trajectory"]
)
def test_nothing_but_missing_values(made, tmp_path, name):
    ds = made(list("abcd"))
    ds = ds.assign(features=ds.features * np.nan, landmarks=ds.landmarks * np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        drawn(PICTURES[name](ds), tmp_path, name)


@pytest.mark.parametrize("n", [3, MOST_RECTANGLES + 1])
def test_nothing_but_missing_values__of_a_matrix(tmp_path, n):
    names = [f"{i}.mp4" for i in range(n)]
    r = xr.Dataset({"r": (("video", "video_other"), np.full((n, n), np.nan))}, {"video": names, "video_other": names})
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        drawn(plot.isc(r), tmp_path, "isc")


@pytest.mark.parametrize("name", ["bars", "coefficients", "distribution", "embedding"])
def test_nothing_but_missing_values__cannot_be_summarized(made, name):
    ds = made(list("abcdef"))
    with pytest.raises(InputError, match=r"expected at least two|found no (video|frame) with enough valid frames"):
        PICTURES[name](ds.assign(features=ds.features * np.nan))


UNKNOWN = {
    "bars": lambda ds: plot.bars(ds, features="AU13"),
    "cooccurrence": lambda ds: plot.cooccurrence(ds, "AU13"),
    "distribution": lambda ds: plot.distribution(ds, "AU13"),
    "embedding": lambda ds: plot.embedding(ds, "AU13"),
    "raster": lambda ds: plot.raster(ds, "AU13"),
    "timeseries": lambda ds: plot.timeseries(ds, "AU13"),
    "trajectory": lambda ds: plot.trajectory(ds, "AU13", "Yaw"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_feature(made, name):
    with pytest.raises(InputError, match=r"unknown feature or group 'AU13' .did you mean 'AU12'"):
        UNKNOWN[name](made(list("ab")))


def test_short__keeps_both_ends_on_one_line():
    assert short("a" * 28) == "a" * 28
    assert short("begin" + "x" * 100 + "end.mp4") == "beginxxxxxxxx…xxxxxxxend.mp4"
    assert short("two\nlines\t here") == "two lines here"
    assert short("") == " "


def test_ticks__of_many_names_are_few():
    assert ticks(["a", "b"]) == [(0, "a"), (1, "b")]
    assert [i for i, _ in ticks([str(i) for i in range(500)])] == list(range(0, 500, 9))
