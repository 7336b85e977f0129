"""Mean time courses of groups of videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.plot import _style
from facearray.plot._courses import band_and_line
from facearray.plot._style import look
from facearray.sampling import frame_step
from facearray.stats.units import levels, video_coordinate

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["group_panels", "mean_courses"]

SIZE = (800, 260)

#: Videos that a band needs: with two of them it would be a dozen standard errors wide.
FEWEST = 3

#: Times halfway between two bins belong to the later one, however they are rounded.
HALF = 0.5 + 1e-6

#: Most points of a mean; longer recordings get wider bins.
MAX_BINS = 2000


@dataclass(frozen=True, slots=True, eq=False)
class MeanCourses:
    """Means over videos: seconds (n_bin,), ``mean low high n`` (n_group, n_bin, n_feature), names of the groups."""

    seconds: NDArray[np.float64]
    groups: list[str]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[np.intp]


def mean_courses(array: xr.DataArray, by: str, confidence: float) -> MeanCourses:
    """Average (video, frame, feature) values over the videos of each group, bin of time by bin of time."""
    from scipy.special import stdtrit

    names, codes = levels(video_coordinate(array.to_dataset(name="features"), by))
    seconds = array["timestamp"].transpose("video", "frame").to_numpy()
    step = _step(seconds)
    last = np.nanmax(seconds, initial=0.0)
    n_bins = int(np.floor(last / step + HALF)) + 1 if np.isfinite(last) else 1
    shape = (len(names), n_bins, array.sizes["feature"])
    n, total, square = np.zeros(shape, dtype=np.intp), np.zeros(shape), np.zeros(shape)
    for video in np.flatnonzero(codes >= 0).tolist():
        there = np.flatnonzero(np.isfinite(seconds[video]))
        if not len(there):
            continue
        # padding is not read
        part = array.isel(video=video, frame=slice(int(there[0]), int(there[-1]) + 1))
        values = part.transpose("frame", "feature").to_numpy()[there - there[0]].astype(np.float64)
        bins = np.floor(seconds[video][there] / step + HALF).astype(np.intp)
        of_bins = _bin_means(values, bins, n_bins)
        has = ~np.isnan(of_bins)
        of_bins = np.where(has, of_bins, 0)
        # Welford's update, one video at a time
        group = codes[video]
        n[group] += has
        before = of_bins - total[group]
        total[group] += np.where(has, before / np.maximum(n[group], 1), 0)
        square[group] += np.where(has, before * (of_bins - total[group]), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.asarray(np.where(n > 0, total, np.nan), dtype=np.float64)
        half: NDArray[np.float64] = stdtrit(np.maximum(n - 1, 1), 0.5 + confidence / 2) * np.sqrt(square / (n - 1) / n)
    half = np.asarray(np.where(n >= FEWEST, half, np.nan), dtype=np.float64)
    low, high = np.asarray(mean - half, dtype=np.float64), np.asarray(mean + half, dtype=np.float64)
    return MeanCourses(np.arange(n_bins, dtype=np.float64) * step, [str(name) for name in names], mean, low, high, n)


def _step(seconds: NDArray[np.float64]) -> float:
    """Seconds between frames of the slowest video, or more where that would be too many bins."""
    steps = [frame_step(row[np.isfinite(row)]) for row in seconds]
    longest = float(np.nanmax(seconds, initial=0.0))
    return max(max([step for step in steps if step > 0], default=1.0), longest / MAX_BINS)


def _bin_means(values: NDArray[np.float64], bins: NDArray[np.intp], n_bins: int) -> NDArray[np.float64]:
    """Average the frames (n, n_feature) of each bin; NaN where none has a value."""
    there = ~np.isnan(values)
    total, n = np.zeros((n_bins, values.shape[1])), np.zeros((n_bins, values.shape[1]))
    np.add.at(total, bins, np.where(there, values, 0))
    np.add.at(n, bins, there)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(n > 0, total / n, np.nan))


def group_panels(array: xr.DataArray, by: str, confidence: float) -> hv.Layout:
    """Draw one panel a feature and face."""
    if "video" not in array.dims or by == "video":
        raise InputError(f"found by={by!r}; expected a coordinate that groups several videos, such as 'condition'")
    faces = array["face"].to_numpy().tolist() if "face" in array.dims else [None]
    panels = []
    for face in faces:
        courses = mean_courses(array if face is None else array.isel(face=faces.index(face)), by, confidence)
        for i, name in enumerate(array["feature"].to_numpy().tolist()):
            title = name if len(faces) == 1 else f"{name} · face {face}"
            panels.append(_panel(courses, i, title, _style.with_unit(name, _style.field(array, name, "unit"))))
    return _style.column(panels)


def _panel(courses: MeanCourses, i: int, title: str, ylabel: str) -> Any:
    import holoviews as hv

    elements = []
    for g, group in enumerate(courses.groups):
        mean, low, high = (part[g, :, i] for part in (courses.mean, courses.low, courses.high))
        further = {"group": np.full(len(mean), group, dtype=object), "n": courses.n[g, :, i]}
        elements += band_and_line(title, "mean", courses.seconds, mean, (low, high), g, label=group, further=further)
    return look(
        hv.Overlay(elements),
        size=SIZE,
        title=title,
        xlabel="time (s)",
        ylabel=ylabel,
        legend_position="right",
        bokeh={"click_policy": "hide"},
    )
