"""Other frames for a Dataset: measurements at new times, and everything else that is known of frames moved along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._columns import missing_form
from facearray.errors import SchemaError
from facearray.sampling import frame_step
from facearray.signal._apply import Frames, Output, Result, map_videos
from facearray.signal.kernels.resampling import nearest

__all__ = ["replace_frames"]

#: Changes courses (n_series, n_frame) of the measurement of some name into those of the new frames.
Change = Callable[[NDArray[np.float64], Frames, str], NDArray[np.float64]]


def replace_frames(
    ds: xr.Dataset,
    n_frames: NDArray[np.integer],
    rate: float,
    new_times: Callable[[Frames], NDArray[np.float64]],
    change: Change,
) -> xr.Dataset:
    """Make a Dataset of other frames.

    Parameters
    ----------
    ds
        Detections. They are not changed.
    n_frames
        New frames (n_video,) of each video.
    rate
        New frames a second.
    new_times
        From the frames of a video to the times (n_new,) of the new ones.
    change
        What makes the courses of measurements those of the new frames. Embeddings get back their unit length.

    Returns
    -------
    xarray.Dataset
        With ``frame`` as long as the longest video needs. ``frame_number`` counts the new frames from 0. Other
        coordinates of frames are those of the nearest old frame, as long as it is not further away than half of the
        longer step, else missing.

    Raises
    ------
    SchemaError
        If something has a dim ``frame`` but no ``video``.
    """
    n_new = int(n_frames.max(initial=0))
    here = {str(name): variable for name, variable in ds.variables.items() if "frame" in variable.dims}
    if wrong := sorted(name for name, variable in here.items() if variable.dims[:2] != ("video", "frame")):
        raise SchemaError(
            f"found {', '.join(wrong)} with a dim 'frame' but not (video, frame, ...); expected the frames of a video; "
            "drop them first with ds.drop_vars"
        )
    number, time = schema.COORDS["frame_number"], schema.COORDS["timestamp"]

    def base(frames: Frames) -> Result:
        at = new_times(frames)
        return np.arange(len(at)), at

    outputs = [Output(("frame",), v.numpy_dtype, v.fill_value) for v in (number, time)]
    basis = map_videos(ds, base, outputs, inputs=(), sizes={"frame": n_new})
    found = dict(zip((number.name, time.name), basis, strict=True))
    for name in [name for name in here if name not in found]:
        is_measured = name in ds.data_vars and here[name].dtype.kind == "f"
        found[name] = _measurement(ds, name, n_new, change) if is_measured else _nearest(ds, name, n_new, new_times)
    for name, variable in found.items():
        variable.attrs = ds.variables[name].attrs
    new = ds.drop_vars(list(here)).assign({n: v for n, v in found.items() if n in ds.data_vars})
    per_video = {
        "n_frames": n_frames.astype(schema.COORDS["n_frames"].numpy_dtype),
        "fps": np.full(len(n_frames), rate),
    }
    known = {name: ("video", values, ds[name].attrs if name in ds.coords else {}) for name, values in per_video.items()}
    return new.assign_coords({n: v for n, v in found.items() if n in ds.coords} | known)


def _measurement(ds: xr.Dataset, name: str, n_new: int, change: Change) -> xr.Variable:
    def changed(frames: Frames) -> Result:
        values = frames.data[name]
        courses = values.reshape(-1, values.shape[-1]).astype(np.float64)
        found = change(courses, frames, name)
        found = found.reshape(*values.shape[:-1], found.shape[-1])
        if name == "embedding":
            norm = np.sqrt((found**2).sum(axis=-2, keepdims=True))
            found = found / np.where(norm > 0, norm, np.nan)
        return (found,)

    variable = ds.variables[name]
    output = Output.like(variable)
    (result,) = map_videos(ds, changed, [output], inputs=[name], sizes={"frame": n_new})
    return result


def _nearest(ds: xr.Dataset, name: str, n_new: int, new_times: Callable[[Frames], NDArray[np.float64]]) -> xr.Variable:
    variable = ds.variables[name]
    dtype, fill = (variable.dtype, False) if variable.dtype == bool else missing_form(name, variable.dtype)

    def moved(frames: Frames) -> Result:
        at = new_times(frames)
        position = nearest(frames.times, at)
        values: NDArray[Any] = frames.data[name][..., position].astype(dtype)
        steps = [frame_step(times) for times in (frames.times, at) if len(times) > 1]
        far = np.abs(frames.times[position] - at) > max(steps, default=np.inf) / 2 * (1 + 1e-6)
        values[..., far] = fill
        return (values,)

    output = Output(tuple(map(str, variable.dims[1:])), dtype, fill)
    (result,) = map_videos(ds, moved, [output], inputs=[name], sizes={"frame": n_new})
    return result
