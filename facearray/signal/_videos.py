"""The real frames of one video after the other, for what does not come out as an array of a known shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema, selectors
from facearray.blocks import iter_blocks
from facearray.errors import InputError
from facearray.signal._apply import Frames, feature_positions
from facearray.signal._times import check_one, count_frames, iter_times, known, require_times
from facearray.signal.kernels.spans import Spans, frame_spans
from facearray.stats.intersubject.grid import Grid, make_grid

__all__ = [
    "check_detections",
    "chosen_positions",
    "common_grid",
    "each_video",
    "recorded_spans",
    "refuse_features_without_values",
    "spans_of",
]


def check_detections(ds: xr.Dataset) -> None:
    """Make sure that there are features, frames and times.

    Raises
    ------
    SchemaError
        If something is missing.
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    require_times(ds)


def chosen_positions(ds: xr.Dataset, features: str | Iterable[str] | None) -> NDArray[np.intp]:
    """Positions along ``feature`` of groups and names, in the order of ``ds``; of all features for None."""
    found = feature_positions(ds, features)
    return np.arange(ds.sizes["feature"]) if found is None else found


def recorded_spans(ds: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the times (n_video,) of the first and the last frame of every video; NaN without frames.

    Nothing but times is read.

    Raises
    ------
    InputError
        If times are unknown or do not increase.
    """
    count_frames(ds, known, len)
    first, last = (np.full(ds.sizes["video"], np.nan) for _ in range(2))
    for video, times in iter_times(ds):
        first[video], last[video] = times[0], times[-1]
    return first, last


def common_grid(ds: xr.Dataset, rate: float | None) -> Grid:
    """Find the places of the frames of all videos on one time axis, of the rate that they share or of another one.

    Raises
    ------
    InputError
        If times are unknown or do not increase, or there is no common rate.
    """
    n_frames = count_frames(ds, known, len)
    if rate is None and n_frames.max(initial=0) < 2:
        raise InputError(
            "found no video with two frames or more, so that the frame rate is unknown; expected one; leave out "
            "pictures, or pass rate="
        )
    return make_grid(ds, "time", rate)


def each_video(ds: xr.Dataset, features: str | Iterable[str]) -> Iterator[tuple[int, Frames]]:
    """Read the videos, a few at a time and every one once; the longest come first, those without a frame not at all.

    Parameters
    ----------
    ds
        Detections.
    features
        As for `facearray.selectors.select`.

    Yields
    ------
    tuple
        Position of the video, and its frames with ``features`` (n_face, n_feature, n_frame) in the order of the
        request.
    """
    labels = [str(label) for label in ds["video"].to_numpy()]
    names = selectors.feature_names(ds, features)
    for block in iter_blocks(
        ds, variables=("features", "timestamp", "frame_number"), features=names, split=False, copy=False
    ):
        for i, (video, n) in enumerate(zip(block.videos.tolist(), block.n_frames.tolist(), strict=True)):
            times, number = (block.data[name][i, :n] for name in ("timestamp", "frame_number"))
            values = np.moveaxis(block.data["features"][i, :n], 0, -1)
            yield video, Frames(labels[video], times, number, {"features": values})


def spans_of(frames: Frames, fps: float = np.nan) -> Spans:
    """Find out how long the frames of a video are on the screen.

    Raises
    ------
    InputError
        If times are unknown or do not increase.
    """
    check_one(frames.video, frames.times, known)
    return frame_spans(frames.times, frames.number, fps)


def refuse_features_without_values(names: Iterable[str], seen: NDArray[np.bool_]) -> None:
    """Refuse features that have no value in any frame, which would look like features in which nothing happens.

    Raises
    ------
    InputError
        That names them.
    """
    empty = [name for name, any_value in zip(names, seen.tolist(), strict=True) if not any_value]
    if empty:
        raise InputError(
            f"found no value of {', '.join(map(repr, empty))} in any frame; expected some; leave "
            f"{'it' if len(empty) == 1 else 'them'} out, or use a detector that measures "
            f"{'it' if len(empty) == 1 else 'them'}"
        )
