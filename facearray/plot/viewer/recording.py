"""One video of a store: its frames, features and points, read when they are shown."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray import intervals, schema

__all__ = ["BLOCK", "Recording"]

#: Frames of one block of points.
BLOCK = 256

_BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")

#: Rate of frames without times.
_DEFAULT_RATE = 25.0


class Recording:
    """The real frames of one video.

    Attributes
    ----------
    label, source, status, error
        Of the video, as texts.
    width, height
        Size of its frames in pixels; 0 where unknown.
    duration
        In seconds; NaN where unknown.
    has_times
        Whether the frames have times; without, they are counted at 25 a second.
    seconds, number
        (n,) times and positions in the decoded stream of the real frames.

    Parameters
    ----------
    ds
        Detections of a store; of the row only the times are read.
    row
        Position of the video.
    table
        Annotated intervals of this video, as for `facearray.intervals.annotate`, or None.

    Raises
    ------
    InputError
        If the intervals do not fit the video.
    """

    def __init__(self, ds: xr.Dataset, row: int, table: pd.DataFrame | None = None) -> None:
        one = ds.isel(video=[row])
        number = one["frame_number"].isel(video=0).to_numpy()
        real = np.flatnonzero(number >= 0)
        # consecutive in a store; a range is read without the padding behind it
        frames: Any = slice(int(real[0]), int(real[-1]) + 1) if len(real) else slice(0, 0)
        if len(real) != frames.stop - frames.start:
            frames = real
        one = one.isel(frame=frames)
        self.number = number[frames].astype(np.int64)
        times = one["timestamp"].isel(video=0).to_numpy().astype(np.float64)
        self.has_times = len(times) > 0 and bool(np.isfinite(times).all())
        self.seconds = times if self.has_times else self.number / _DEFAULT_RATE
        self._lazy: Any = one
        self._intervals: list[str] = []
        if table is not None and len(table):
            known = set(one.coords)
            self._lazy = intervals.annotate(one, table)
            self._intervals = [str(name) for name in self._lazy.coords if name not in known]
        self.label, self.source, self.status, self.error = (
            str(one[name].to_numpy()[0]) for name in ("video", "source", "status", "error")
        )
        self.width, self.height = (int(one[name].to_numpy()[0]) for name in ("width", "height"))
        self.duration = float(one["duration"].to_numpy()[0])

    @property
    def n_frames(self) -> int:
        """Real frames."""
        return len(self.number)

    @cached_property
    def ds(self) -> xr.Dataset:
        """Features of the video, in memory, and everything about its frames; without points."""
        names = [name for name in ("landmarks", "embedding") if name in self._lazy]
        loaded: xr.Dataset = self._lazy.drop_vars(names).load()
        return loaded

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """Features of each group, in the order of the schema."""
        found: dict[str, list[str]] = {}
        for name, group in zip(self._lazy["feature"].to_numpy(), self._lazy["group"].to_numpy(), strict=True):
            found.setdefault(str(group), []).append(str(name))
        first = [name for name in schema.GROUPS if name in found]
        return {name: found[name] for name in dict.fromkeys([*first, *found])}

    @property
    def interval_names(self) -> list[str]:
        """Coordinates with annotated intervals."""
        texts = [
            str(name)
            for name, values in self._lazy.coords.items()
            if values.dims in (("video", "frame"), ("video", "frame", "face")) and values.dtype.kind in "TUO"
        ]
        return list(dict.fromkeys([*self._intervals, *texts]))

    def interval_at(self, position: int) -> dict[str, str]:
        """Labels at a frame, by the names of their intervals; those of the first face."""
        found = {}
        for name in self.interval_names:
            values = self.ds[name].isel(video=0, frame=position)
            text = str(values.isel(face=0).item() if "face" in values.dims else values.item())
            if text:
                found[name] = text
        return found

    def values_at(self, position: int, features: list[str], face: int) -> dict[str, float]:
        """Values of features of a face at a frame; NaN where there is none."""
        values = self.ds["features"].isel(video=0, frame=position, face=face).sel(feature=features)
        return dict(zip(features, values.to_numpy().astype(float).tolist(), strict=True))

    def overlay(self, block: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return boxes (n, face, 4: x y width height) and points (n, face, landmark, 2) of a block of frames.

        In pixels of the source's frames; NaN where there is none. Without landmarks there are 0 of them.
        """
        part = self._lazy.isel(video=0, frame=slice(block * BLOCK, (block + 1) * BLOCK))
        known = {str(name) for name in part["feature"].to_numpy()}
        n, n_face = part.sizes["frame"], part.sizes["face"]
        boxes = np.full((n, n_face, 4), np.nan, np.float32)
        if known >= set(_BOX):
            values = self.ds["features"].isel(video=0, frame=slice(block * BLOCK, (block + 1) * BLOCK))
            boxes = _float32(values.sel(feature=list(_BOX)).transpose("frame", "face", "feature"))
        if "landmarks" not in part:
            return boxes, np.empty((n, n_face, 0, 2), np.float32)
        points = part["landmarks"].isel(axis=slice(0, 2)).transpose("frame", "face", "landmark", "axis")
        return boxes, _float32(points)


def _float32(values: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray(values.to_numpy(), dtype="<f4")
