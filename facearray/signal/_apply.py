"""How a function of the time courses of one video becomes one of a Dataset.

A function is given the real frames of one video, frame last, and never sees padding, another video, or labels of dims.
Arrays in memory are computed at once; dask-backed ones, and those that are read lazily from a store, become dask-backed
results, in which a task is some whole videos.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema, selectors

__all__ = ["Frames", "Output", "Result", "feature_positions", "is_lazy", "map_videos"]

#: Of one variable in one task, padding included; what is computed on the way takes a few times as much.
BLOCK_BYTES = 32 * 2**20

#: What a function of the frames of one video returns: an array for each output.
Result = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The real frames of one video.

    Attributes
    ----------
    video
        Its label.
    times
        Presentation times (n_frame,) in seconds; NaN where they are unknown.
    number
        Positions (n_frame,) in the source's decoded stream.
    data
        Arrays by variable. Those with a dim ``frame`` have it last: ``features`` is (n_face, n_feature, n_frame). They
        are views of the input and are not to be changed.
    """

    video: str
    times: NDArray[np.float64]
    number: NDArray[np.integer]
    data: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Output:
    """What a function computes of each video.

    Attributes
    ----------
    dims
        Dims of the result but ``video``, in the order of the schema; the function returns ``frame``, if it is among
        them, last.
    dtype
        Of the result.
    fill
        What the result holds in padding, and for videos without a real frame.
    """

    dims: tuple[str, ...]
    dtype: Any = np.float32
    fill: Any = np.nan

    @classmethod
    def like(cls, variable: xr.Variable) -> Output:
        """Make the output that takes the place of a measurement (video, ...)."""
        return cls(tuple(map(str, variable.dims[1:])), variable.dtype)


def map_videos(
    ds: xr.Dataset,
    function: Callable[[Frames], Result],
    outputs: Sequence[Output],
    *,
    inputs: Iterable[str] = ("features",),
    others: Mapping[str, xr.Variable] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> tuple[xr.Variable, ...]:
    """Compute something of each video.

    Parameters
    ----------
    ds
        Detections. They are not changed.
    function
        From the frames of a video to one array an output. If ``sizes`` has no ``frame``, an output's last axis has
        the video's real frames, which are put back where they are in ``ds``; else it has any number of frames up to
        ``sizes["frame"]``, which are put to the beginning. It is not called for a video without a real frame. It has
        to be picklable where a cluster computes.
    outputs
        What it returns.
    inputs
        Names of variables and coordinates of ``ds`` with dims (video, ...) that it needs.
    others
        Further arrays (video, ...) that it needs, by name.
    sizes
        Sizes of dims of the outputs that ``ds`` does not have, or has in another size.

    Returns
    -------
    tuple of xarray.Variable
        Dims (video, *output.dims); in memory, or dask-backed if any input is dask-backed or not in memory.
    """
    variables = {name: ds.variables[name] for name in inputs} | dict(others or {})
    number = ds.variables["frame_number"]
    times = ds.variables["timestamp"] if "timestamp" in ds.coords else None
    lengths = {str(dim): size for dim, size in ds.sizes.items()} | dict(sizes or {})
    task = _Task(
        function=function,
        names=tuple(variables),
        frame_last=tuple("frame" in v.dims for v in variables.values()),
        outputs=tuple(outputs),
        shapes=tuple(tuple(lengths[dim] for dim in output.dims) for output in outputs),
        keeps_frames="frame" not in (sizes or {}),
        has_times=times is not None,
    )
    labels = np.array([str(label) for label in ds["video"].to_numpy()], dtype=object)
    arrays = [xr.Variable("video", labels), number, *([] if times is None else [times]), *variables.values()]
    if any(is_lazy(array) for array in arrays):
        found = _in_dask(task, arrays, lengths)
    else:
        found = _as_tuple(task(*(array.values for array in arrays)))
    return tuple(xr.Variable(("video", *output.dims), array) for output, array in zip(outputs, found, strict=True))


def feature_positions(ds: xr.Dataset, features: str | Iterable[str] | None) -> NDArray[np.intp] | None:
    """Positions along ``feature`` of groups and names, in the order of ``ds``; None for all of them."""
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    if features is None:
        return None
    names = [str(name) for name in ds["feature"].to_numpy()]
    chosen = np.sort([names.index(name) for name in selectors.feature_names(ds, features)])
    return None if len(chosen) == len(names) else chosen


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Applies a function to some videos, one after the other."""

    function: Callable[[Frames], Result]
    names: tuple[str, ...]
    frame_last: tuple[bool, ...]
    outputs: tuple[Output, ...]
    shapes: tuple[tuple[int, ...], ...]
    keeps_frames: bool
    has_times: bool

    def __call__(
        self, labels: NDArray[Any], number: NDArray[Any], *arrays: NDArray[Any]
    ) -> tuple[NDArray[Any], ...] | NDArray[Any]:
        """Compute the outputs (n_video, ...)."""
        found = tuple(
            np.full((len(labels), *shape), output.fill, dtype=output.dtype)
            for output, shape in zip(self.outputs, self.shapes, strict=True)
        )
        for i in range(len(labels)):
            real = _real_frames(number[i])
            if real is None:
                continue
            frames = self._frames(labels[i], number[i], [array[i] for array in arrays], real)
            for output, into, result in zip(self.outputs, found, self.function(frames), strict=True):
                _put(into[i], output, result, real if self.keeps_frames else None)
        return found if len(found) > 1 else found[0]

    def _frames(
        self, label: str, number: NDArray[Any], arrays: list[NDArray[Any]], real: slice | NDArray[np.intp]
    ) -> Frames:
        unknown = np.full(len(number), np.nan)
        times = arrays.pop(0) if self.has_times else unknown
        data = {
            name: np.moveaxis(array[real], 0, -1) if is_course else array
            for name, array, is_course in zip(self.names, arrays, self.frame_last, strict=True)
        }
        return Frames(str(label), times[real].astype(np.float64), number[real], data)


def _real_frames(number: NDArray[Any]) -> slice | NDArray[np.intp] | None:
    """Where the real frames of a video are: a slice if they follow each other; None if there are none."""
    places = np.flatnonzero(number >= 0)
    if not len(places):
        return None
    first, stop = int(places[0]), int(places[-1]) + 1
    return slice(first, stop) if stop - first == len(places) else places


def _put(into: NDArray[Any], output: Output, result: NDArray[Any], real: slice | NDArray[np.intp] | None) -> None:
    """Write one output of one video."""
    if "frame" not in output.dims:
        into[...] = result
        return
    axis = output.dims.index("frame")
    target = np.moveaxis(into, axis, -1)
    target[..., slice(result.shape[-1]) if real is None else real] = result


def _as_tuple(found: Any) -> tuple[Any, ...]:
    """Put what comes alone where there is one output into a tuple."""
    return found if isinstance(found, tuple) else (found,)


def is_lazy(variable: xr.Variable) -> bool:
    """Whether values are dask-backed, or in a store and not yet read."""
    return variable.chunks is not None or not variable._in_memory


def _in_dask(task: _Task, arrays: Sequence[xr.Variable], lengths: Mapping[str, int]) -> tuple[Any, ...]:
    """Compute with dask, a block being whole videos."""
    import dask.array as da

    blocks = _video_blocks(arrays, task)
    signature = ",".join(f"({','.join(map(str, a.dims[1:]))})" for a in arrays)
    # dims get names of their own, because an output may have one in another size than an input
    results = ",".join(f"({','.join(f'new_{dim}' for dim in output.dims)})" for output in task.outputs)
    number = arrays[1]
    found = da.apply_gufunc(  # type: ignore[no-untyped-call]
        task,
        f"{signature}->{results}",
        *(_chunked(array, number, blocks) for array in arrays),
        output_dtypes=[np.dtype(output.dtype) for output in task.outputs],
        output_sizes={f"new_{dim}": lengths[dim] for output in task.outputs for dim in output.dims},
    )
    return _as_tuple(found)


def _video_blocks(arrays: Sequence[xr.Variable], task: _Task) -> tuple[int, ...]:
    """How many videos are computed together: as in the input, but not more than fit into a task."""
    n = arrays[0].size
    size = max(
        max(array[:1].size * array.dtype.itemsize for array in arrays[1:]),
        max(
            math.prod(shape) * np.dtype(output.dtype).itemsize
            for output, shape in zip(task.outputs, task.shapes, strict=True)
        ),
    )
    most = max(1, BLOCK_BYTES // max(1, size))
    chunks = max((a.chunks[0] for a in arrays if a.chunks is not None), key=len, default=None)
    if chunks is None:
        chunks = (n,)
    return tuple(min(most, size - start) for size in chunks for start in range(0, size, most)) or (0,)


def _chunked(variable: xr.Variable, number: xr.Variable, blocks: tuple[int, ...]) -> Any:
    """Make a dask array whose blocks are whole videos."""
    import dask.array as da

    chunks = (blocks, *((size,) for size in variable.shape[1:]))
    if variable.chunks is not None:
        return variable.data.rechunk(chunks)
    stored: Any = variable.values if variable._in_memory else _Stored(variable, number)
    # A name of its own spares dask from hashing all values.
    name = f"signal-{uuid.uuid4().hex}"
    return da.from_array(stored, chunks=chunks, name=name, asarray=True)  # type: ignore[no-untyped-call]


class _Stored:
    """A variable (video, ...) that is read from a store, of each video no more than its real frames."""

    def __init__(self, variable: xr.Variable, number: xr.Variable) -> None:
        self.variable, self.number = variable, number
        self.shape, self.dtype, self.ndim = variable.shape, variable.dtype, variable.ndim

    def __getitem__(self, key: tuple[slice, ...]) -> NDArray[Any]:
        videos, *others = key
        if "frame" not in self.variable.dims:
            return np.asarray(self.variable[key].values)
        real = self.number[videos].values >= 0
        stop = int(np.flatnonzero(real.any(axis=0)).max(initial=-1)) + 1
        # padding is never looked at but for its negative frame numbers
        fill = {"f": np.nan, "i": -1}.get(self.dtype.kind, np.zeros((), self.dtype)[()])
        out = np.full((len(real), *self.shape[1:]), fill, dtype=self.dtype)
        out[:, :stop] = self.variable[videos, :stop].values
        return out[(slice(None), *others)]
