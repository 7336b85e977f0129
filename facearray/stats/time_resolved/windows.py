"""Values of units in windows of time, which all time-resolved statistics are computed from."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._version import package_version
from facearray._words import some
from facearray.blocks import iter_blocks
from facearray.epochs import SAME_SHARE, window_sums
from facearray.errors import InputError, SchemaError
from facearray.sampling import unrounded
from facearray.stats.frames import feature_labels, without_values
from facearray.stats.units import (
    UnitValues,
    face_labels,
    label_coordinates,
    nothing_left,
    population,
    reduced_coordinates,
    unit_levels,
    without_value,
)

__all__ = ["TimeAxis", "TimeValues", "check_axis", "check_frames", "iter_courses", "make_windows", "window_values"]

#: Times that differ by less than this share of a step are the same.
_SAME = 1e-6

#: A window may be shorter than the distance of frames by this share: 29.97 and 30 frames a second.
_SHORTER = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class TimeAxis:
    """Windows [start, start + length) in seconds, ``step`` apart."""

    starts: NDArray[np.float64]
    length: float
    step: float

    @property
    def n(self) -> int:
        """Number of windows."""
        return len(self.starts)

    @property
    def centres(self) -> NDArray[np.float64]:
        """Middles (n,) of the windows, rounded to nanoseconds."""
        return np.asarray(np.round(self.starts + self.length / 2, 9))

    def coordinates(self, dim: str = "time") -> dict[str, xr.Variable]:
        """Coordinates of the dim of the windows: their middles, and where they begin and end."""
        seconds = {"units": "s"}
        prefix = dim.replace("time", "window", 1)
        return {
            dim: xr.Variable(dim, self.centres, seconds),
            f"{prefix}_start": xr.Variable(dim, np.round(self.starts, 9), seconds),
            f"{prefix}_stop": xr.Variable(dim, np.round(self.starts + self.length, 9), seconds),
        }

    @property
    def attrs(self) -> dict[str, Any]:
        """What a result says about its windows."""
        return {"window": self.length, "window_step": self.step}


@dataclass(frozen=True, slots=True, eq=False)
class TimeValues:
    """One value a unit, window, face and feature.

    Attributes
    ----------
    values
        Means (n_unit, n_window, n_face, n_feature); NaN where too little of the window was seen.
    coverage
        Share of the seconds of the window in which the face has a value, of the same shape.
    axis
        The windows.
    labels, coords, varying, n_frames, excluded, unit, min_valid
        As of `facearray.stats.UnitValues`.
    features, faces
        Labels of the last two axes.
    feature_coords
        Coordinates of the features.
    """

    values: NDArray[np.float64]
    coverage: NDArray[np.float64]
    axis: TimeAxis
    labels: NDArray[Any]
    features: NDArray[Any]
    faces: NDArray[Any]
    coords: Mapping[str, NDArray[Any]]
    varying: tuple[str, ...]
    n_frames: NDArray[np.intp]
    excluded: Mapping[str, str]
    unit: str
    min_valid: float
    feature_coords: Mapping[Hashable, xr.Variable]

    @property
    def flat_names(self) -> list[str]:
        """Names of the values of each window and feature, as in ``AU12 at 0.5 s``."""
        return [f"{feature} at {time:.9g} s" for time in self.axis.centres for feature in self.features]

    @property
    def attrs(self) -> dict[str, Any]:
        """What a result computed from these values says about them."""
        n = len(np.unique(self.labels))
        return {
            "unit": self.unit,
            "n_units": n,
            "unit_statistic": "mean",
            "min_valid": self.min_valid,
            "excluded": [f"{label}: {reason}" for label, reason in self.excluded.items()],
            "population": population(self.unit, n, self.coords),
            "facearray_version": package_version(),
            **self.axis.attrs,
        }

    def flat(self) -> UnitValues:
        """Make units with one feature for every window and feature, in this order."""
        n_units, n_windows, n_faces, n_features = self.values.shape
        values = np.moveaxis(self.values, 2, 1).reshape(n_units, n_faces, n_windows * n_features)
        return UnitValues(
            values=np.ascontiguousarray(values),
            labels=self.labels,
            features=np.array(self.flat_names, dtype=np.dtypes.StringDType()),
            faces=self.faces,
            coords=self.coords,
            varying=self.varying,
            n_frames=self.n_frames,
            n_valid_frames=(~np.isnan(values)).astype(np.intp),
            weights=np.ones(n_units),
            excluded=self.excluded,
            unit=self.unit,
            statistic="mean",
            min_valid=self.min_valid,
        )

    def take(self, units: NDArray[Any]) -> TimeValues:
        """Keep some units."""
        return replace(
            self,
            values=self.values[units],
            coverage=self.coverage[units],
            labels=self.labels[units],
            coords={name: array[units] for name, array in self.coords.items()},
            n_frames=self.n_frames[units],
        )

    def mean_coverage(self) -> NDArray[np.float64]:
        """Mean coverage (n_window, n_face, n_feature) over the units that have a value; NaN where none has."""
        there = ~np.isnan(self.values)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.where(there, self.coverage, 0).sum(axis=0) / there.sum(axis=0))

    def notes(self) -> list[str]:
        """Say where units drop out."""
        n = (~np.isnan(self.values)).any(axis=(2, 3)).sum(axis=0)
        if not len(n) or n.min() == n.max():
            return []
        most, least = int(n.argmax()), int(n.argmin())
        at = self.axis.centres
        rows = "units" if len(np.unique(self.labels)) == len(self.labels) else "means of units"
        return [f"{rows} with a value: {n[most]} at {at[most]:g} s, {n[least]} at {at[least]:g} s; see n"]


def check_axis(**durations: float | None) -> None:
    """Check that durations are positive numbers.

    Raises
    ------
    InputError
        About all that are not.
    """
    wrong = [f"{name}={value}" for name, value in durations.items() if value is not None and not 0 < value < math.inf]
    if wrong:
        raise InputError(f"found {', '.join(wrong)}; expected a positive number of seconds")


@dataclass(frozen=True, slots=True, eq=False)
class _Recordings:
    """First and last time (n_video,), how long a frame lasts, and the number of frames; NaN without frames.

    Also by how many seconds times were rounded, at most.
    """

    first: NDArray[np.float64]
    last: NDArray[np.float64]
    frame: NDArray[np.float64]
    n_frames: NDArray[np.intp]
    rounding: NDArray[np.float64]

    @property
    def end(self) -> NDArray[np.float64]:
        """End (n_video,) of the last frame."""
        return np.asarray(self.last + np.nan_to_num(self.frame))


def _recordings(ds: xr.Dataset, videos: NDArray[np.intp] | None) -> _Recordings:
    if "timestamp" not in ds.coords:
        raise SchemaError(
            "found no 'timestamp'; expected the times of frames in seconds; give the frame rate to facearray.read "
            "with fps="
        )
    n_videos = ds.sizes["video"]
    first, last, frame = (np.full(n_videos, np.nan) for _ in range(3))
    rounding = np.zeros(n_videos)
    n_frames = np.zeros(n_videos, dtype=np.intp)
    unknown = []
    for block in iter_blocks(ds, variables=["timestamp"], videos=videos, split=False, copy=False):
        for video, row, n in zip(block.videos.tolist(), block.data["timestamp"], block.n_frames.tolist(), strict=True):
            times = np.sort(row[:n])
            if np.isnan(times).any():
                unknown.append(video)
                continue
            frames = unrounded(times)
            first[video], last[video], rounding[video] = frames.seconds[0], frames.seconds[-1], frames.rounding
            frame[video], n_frames[video] = frames.step if n > 1 else np.nan, n
    if unknown:
        raise SchemaError(
            f"found frames without a time in {some(ds['video'].to_numpy()[sorted(unknown)])}; expected seconds; give "
            "the frame rate with fps= to facearray.read or facearray.detect_frames"
        )
    return _Recordings(first, last, frame, n_frames, rounding)


def check_frames(ds: xr.Dataset, length: float, name: str, videos: NDArray[np.intp] | None = None) -> _Recordings:
    """Check that windows of a length hold a frame of every video, or of some of them, wherever they are.

    Raises
    ------
    InputError
        If there is no frame, or one lasts longer.
    SchemaError
        If a time is unknown.
    """
    recordings = _recordings(ds, videos)
    if not recordings.n_frames.any():
        raise InputError(nothing_left("frame", {}))
    if not np.isnan(recordings.frame).all():
        slow = int(np.nanargmax(recordings.frame))
        if length < recordings.frame[slow] * (1 - _SHORTER):
            raise InputError(
                f"found {name}={length:g}; expected at least {recordings.frame[slow]:.6g} s, the distance of frames of "
                f"{str(ds['video'].to_numpy()[slow])!r}: values between frames are not made up"
            )
    return recordings


def make_windows(
    ds: xr.Dataset, window: float, step: float | None, start: float | None, stop: float | None
) -> TimeAxis:
    """Cut the time from the first to the last frame of any video into windows.

    Parameters
    ----------
    ds
        Detections; of them only times are read.
    window, step
        Length of windows and the distance of their beginnings, by default half a window, in seconds.
    start, stop
        Where the first window begins, by default the last multiple of the step before any frame; and what no window
        goes beyond, by default the end of the last frame of any video.

    Raises
    ------
    InputError
        If a duration is not positive, a time is no number, a window is shorter than the distance of frames, or there is
        no window.
    SchemaError
        If a time is unknown.
    """
    check_axis(window=window, step=step)
    unknown = [f"{name}={value}" for name, value in (("start", start), ("stop", stop)) if not np.isfinite(value or 0)]
    if unknown:
        raise InputError(f"found {', '.join(unknown)}; expected seconds; leave it out for all that there is")
    step = window / 2 if step is None else step
    recordings = check_frames(ds, window, "window")
    if start is None:
        start = math.floor(float(np.nanmin(recordings.first + recordings.rounding)) / step + _SAME) * step
    # the last window may end with the last frame, whatever the time of either was rounded to
    rounding = 0.0 if stop is not None else recordings.rounding[np.nanargmax(recordings.end)]
    stop = float(np.nanmax(recordings.end)) if stop is None else stop
    n = math.floor((stop + rounding - start - window) / step + _SAME) + 1
    if n < 1:
        raise InputError(
            f"found window={window:g}; expected at most {max(stop - start, 0):g} s, the time from {start:g} to "
            f"{stop:g} s: the longest video has no room for more"
        )
    return TimeAxis(np.asarray(start + step * np.arange(n), dtype=np.float64), window, step)


def iter_courses(
    ds: xr.Dataset, features: list[str], videos: NDArray[np.intp] | None = None
) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.floating]]]:
    """Give the position, the times (n,) and the values (n, n_face, n_feature) of one video after the other."""
    variables = ("features", "timestamp")
    for block in iter_blocks(ds, variables=variables, features=features, videos=videos, split=False, copy=False):
        for i, (video, n) in enumerate(zip(block.videos.tolist(), block.n_frames.tolist(), strict=True)):
            yield video, block.data["timestamp"][i, :n].astype(np.float64), block.data["features"][i, :n]


def window_values(ds: xr.Dataset, axis: TimeAxis, *, unit: str, features: list[str], min_valid: float) -> TimeValues:
    """Reduce the frames in each window to one value a unit, face and feature.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature) and times.
    axis
        The windows.
    unit
        ``"video"``, or a coordinate on ``video``, whose videos' frames are pooled.
    features
        Names.
    min_valid
        Share of a window that has to be covered by frames with a value; of several videos of a unit together.

    Raises
    ------
    InputError
        If the unit is unknown or the frame, or no unit is left.
    """
    if unit == "frame":
        raise InputError(
            "found unit='frame'; expected units that have one value in every window, 'video' or a coordinate on video"
        )
    if not 0 <= min_valid <= 1:
        raise InputError(f"found min_valid={min_valid}; expected a share from 0 to 1")
    names, codes = unit_levels(ds, unit)
    shape = (len(names), axis.n, ds.sizes["face"], len(features))
    total, seconds, n = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.intp)
    n_frames, n_videos = np.zeros(len(names), dtype=np.intp), np.zeros(len(names), dtype=np.intp)
    waiting: dict[int, tuple[int, Any]] = {}
    shared = np.bincount(codes[codes >= 0], minlength=len(names)) > 1

    def add(row: int, length: int, sums: Any) -> None:
        n_frames[row] += length
        n_videos[row] += 1
        total[row] += sums.total
        seconds[row] += sums.seconds
        n[row] += sums.n

    for video, times, course in iter_courses(ds, features):
        if codes[video] < 0:
            continue
        found = window_sums(times, course, axis.starts, axis.length)
        if shared[codes[video]]:
            waiting[video] = (len(times), found)
        else:
            add(int(codes[video]), len(times), found)
    # in the order of their labels, so that no digit depends on the order of the videos or on chunks
    labels = ds["video"].to_numpy()
    for video in sorted(waiting, key=lambda i: str(labels[i])):
        add(int(codes[video]), *waiting[video])
    coverage = seconds / axis.length / np.maximum(n_videos, 1)[:, None, None, None]
    with np.errstate(invalid="ignore"):
        values = np.where((n > 0) & (coverage >= min_valid - SAME_SHARE), total / n, np.nan)
    there = ~without_values(values)
    excluded = {
        str(names[i]): "no frames"
        if not n_frames[i]
        else f"no window with values in the share {min_valid:g} of its seconds"
        for i in np.flatnonzero(~there)
    } | without_value(ds, unit, codes)
    if not there.any():
        raise InputError(nothing_left(unit, excluded))
    coords, varying = reduced_coordinates(ds, codes)
    whole = TimeValues(
        values=values,
        coverage=coverage,
        axis=axis,
        labels=names,
        features=feature_labels(ds, features),
        faces=face_labels(ds),
        coords=coords,
        varying=varying,
        n_frames=n_frames,
        excluded=excluded,
        unit=unit,
        min_valid=min_valid,
        feature_coords=label_coordinates(ds, "feature", features=features),
    )
    return whole.take(there)
