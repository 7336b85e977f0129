"""The frames of a Dataset, a few videos at a time: what all statistics and all cleaning read through.

Padding is never read twice nor handed on, memory is bounded, and every row is read once, so that the cost follows the
frames that there are and not the length of the longest video.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema, selectors
from facearray.errors import InputError, SchemaError, unknown_names

__all__ = ["MAX_BYTES", "Block", "iter_blocks", "real_frame_counts"]

#: Bytes of the variables in one block.
MAX_BYTES = 64 * 2**20

FRAME_DIMS = ("video", "frame")

#: In one block no video is shorter than this share of the longest, so that little of a block is padding.
SHORTEST = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Frames of some videos.

    Attributes
    ----------
    videos
        Positions (n,) of the videos in the Dataset.
    n_frames
        Real frames (n,) of each video in this block.
    start
        Real frames of the video before this block; 0 unless the video is too long for one block, which then has this
        video alone.
    data
        Arrays (n, n_frames.max(), ...) by variable. Row ``i`` has its real frames, in their order, at
        ``[:n_frames[i]]``, and the variable's fill value after them (NaN for measurements).
    """

    videos: NDArray[np.intp]
    n_frames: NDArray[np.intp]
    start: int
    data: Mapping[str, NDArray[Any]]

    def owned(self) -> Block:
        """Make the same block, with copies of the arrays that are views of others."""
        data = {name: values if values.base is None else values.copy() for name, values in self.data.items()}
        return replace(self, data=data)

    def read_only(self) -> Block:
        """Make the same block, with arrays that cannot be changed."""
        data = {name: values.view() for name, values in self.data.items()}
        for values in data.values():
            values.flags.writeable = False
        return replace(self, data=data)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Where the real frames of every video are: in ``[first, stop)``, and at ``scattered[row]`` if not all of it."""

    first: NDArray[np.intp]
    stop: NDArray[np.intp]
    n_frames: NDArray[np.intp]
    scattered: dict[int, NDArray[np.intp]]

    def record(self, videos: NDArray[np.intp], real: NDArray[np.bool_]) -> None:
        """Keep what is found in (n, n_stored) frames."""
        for video in videos.tolist() if self.scattered else ():
            self.scattered.pop(video, None)
        if real.all():
            self.n_frames[videos], self.first[videos], self.stop[videos] = real.shape[1], 0, real.shape[1]
            return
        self.n_frames[videos] = real.sum(axis=1)
        self.first[videos] = real.argmax(axis=1)
        self.stop[videos] = np.where(real.any(axis=1), real.shape[1] - real[:, ::-1].argmax(axis=1), 0)
        for row in np.flatnonzero((self.stop - self.first > self.n_frames)[videos]).tolist():
            self.scattered[int(videos[row])] = np.flatnonzero(real[row])

    def are_whole(self, videos: NDArray[np.intp], first: int, stop: int) -> bool:
        """Whether all stored frames between two are real, in all of some videos."""
        if self.scattered and not self.scattered.keys().isdisjoint(videos.tolist()):
            return False
        return bool((self.first[videos] <= first).all() and (self.stop[videos] >= stop).all())

    def positions(self, videos: NDArray[np.intp], first: int, stop: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Real frames (n,) of videos between two stored frames, and where they are behind the first of these.

        The places are (n, longest); what stands behind a video's last frame means nothing.
        """
        begin = np.maximum(self.first[videos], first)
        n_frames = np.maximum(np.minimum(self.stop[videos], stop) - begin, 0)
        apart = {
            i: places[(places >= first) & (places < stop)]
            for i, video in enumerate(videos.tolist() if self.scattered else ())
            if (places := self.scattered.get(video)) is not None
        }
        for i, places in apart.items():
            n_frames[i] = len(places)
        positions = np.minimum((begin - first)[:, None] + np.arange(n_frames.max(initial=0)), stop - first - 1)
        for i, places in apart.items():
            positions[i, : len(places)] = places - first
        return n_frames, positions


def iter_blocks(
    ds: xr.Dataset,
    *,
    variables: Iterable[str] = ("features",),
    features: str | Iterable[str] | None = None,
    videos: NDArray[np.integer] | None = None,
    max_bytes: int = MAX_BYTES,
    split: bool = True,
    copy: bool = True,
) -> Iterator[Block]:
    """Iterate over the real frames of a Dataset.

    A frame is real if its ``frame_number`` is not negative. Of each video only the range of its real frames is read,
    and once, whether the arrays are in memory, dask-backed under any chunking, or read lazily from a store. The
    longest videos come first; videos without a real frame do not come at all.

    Parameters
    ----------
    ds
        Detections, or a selection of them.
    variables
        Names of data variables and coordinates with dims (video, frame, ...).
    features
        Features to read of the variable ``features``, as for `facearray.selectors.select`; all by default.
    videos
        Positions of the videos to read; all by default. Unlike a selection of ``ds``, this copies no padding.
    max_bytes
        Size of a block. A single frame, and one dask block of several videos, is read whole whatever its size.
    split
        Whether a video that is larger than ``max_bytes`` comes in several blocks, one after the other; if not, it
        comes whole, and memory is bounded by the longest video.
    copy
        Whether the arrays are the caller's to change. If not, they are read-only, and views of arrays in memory where
        these have nothing but real frames.

    Yields
    ------
    Block
        The next videos.

    Raises
    ------
    SchemaError
        If ``ds`` has no ``frame_number`` or a variable has other dims.
    InputError
        If a variable or a feature is unknown, or ``max_bytes`` is not positive.

    Notes
    -----
    For a Dataset that was opened without dask, ``n_frames`` says where to look: if as many real frames are there, and
    none follows, the rest of the row is padding and is not read. In all other cases ``frame_number`` is read whole.

    Examples
    --------
    >>> number = np.array([[0, 1, -1], [0, -1, -1]])
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), np.ones((2, 3, 1, 1), "f4"))},
    ...     coords={"frame_number": (("video", "frame"), number), "video": ["a", "b"], "feature": ["AU12"]},
    ... )
    >>> [(block.videos.tolist(), block.data["features"].shape) for block in iter_blocks(ds)]
    [([0], (1, 2, 1, 1)), ([1], (1, 1, 1, 1))]
    """
    if max_bytes < 1:
        raise InputError(f"found max_bytes={max_bytes}; expected a positive number")
    arrays = _arrays(ds, list(variables), features)
    rows = _find_rows(ds, videos)
    n_cells = max(1, max_bytes // max(1, sum(array.frame_bytes for array in arrays.values())))
    for together in _read_together(rows, arrays, n_cells):
        first, stop = int(rows.first[together].min()), int(rows.stop[together].max())
        if split and len(together) == 1:
            blocks = _pieces(arrays, rows, together, first, stop, n_cells)
        else:
            blocks = _blocks(_load(arrays, together, first, stop), rows, together, first, stop, n_cells)
        for block in blocks:
            yield block.owned() if copy else block.read_only()


def real_frame_counts(ds: xr.Dataset) -> NDArray[np.intp]:
    """Count the real frames of each video.

    A frame is real if its ``frame_number`` is not negative. A frame without a face is; padding is not.

    Parameters
    ----------
    ds
        Detections.

    Returns
    -------
    ndarray
        Counts (n_video,).

    Raises
    ------
    SchemaError
        If ``ds`` has no ``frame_number`` with dims (video, frame).

    Examples
    --------
    >>> number = np.array([[0, 1, -1], [0, -1, -1]])
    >>> real_frame_counts(xr.Dataset(coords={"frame_number": (("video", "frame"), number)})).tolist()
    [2, 1]
    """
    return _find_rows(ds).n_frames


@dataclass(frozen=True, slots=True, eq=False)
class _Array:
    """A variable with dims (video, frame, ...), and which positions of its last dim are wanted, if not all."""

    variable: xr.Variable
    last: slice | NDArray[np.intp] | None = None

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...] | None:
        """Sizes of the dask blocks along each dim, if it has any."""
        chunks: tuple[tuple[int, ...], ...] | None = self.variable.chunks
        return chunks

    @property
    def frame_bytes(self) -> int:
        """Bytes of what is wanted of one frame."""
        shape = self.variable.shape[2:]
        if self.last is not None:
            shape = (*shape[:-1], len(np.arange(shape[-1])[self.last]))
        return int(self.variable.dtype.itemsize * math.prod(shape))

    def window(self, videos: slice | NDArray[np.intp], frames: slice) -> xr.Variable:
        """Cut to some frames of some videos, unread; of an array in memory nothing else is copied."""
        if self.last is None:
            return self.variable[videos, frames]
        dims = self.variable.dims
        return self.variable[{dims[0]: videos, dims[1]: frames, dims[-1]: self.last}]


def _arrays(ds: xr.Dataset, names: list[str], features: str | Iterable[str] | None) -> dict[str, _Array]:
    """Variables with dims (video, frame, ...), cut to the features."""
    schema.validate(ds, variables=["frame_number", *(name for name in names if name in schema.DATA_VARS)])
    unknown = [name for name in names if name not in ds.variables]
    if unknown:
        raise unknown_names("variable", unknown, [str(name) for name in ds.variables])
    found = {name: ds.variables[name] for name in names}
    wrong = [f"{name!r} with dims {array.dims}" for name, array in found.items() if array.dims[:2] != FRAME_DIMS]
    if wrong:
        raise SchemaError(f"found {', '.join(wrong)}; expected dims ('video', 'frame', ...)")
    arrays = {name: _Array(variable) for name, variable in found.items()}
    if features is not None and "features" in arrays:
        place = {str(name): i for i, name in enumerate(ds.variables["feature"].to_numpy())}
        chosen = [place[name] for name in selectors.feature_names(ds, features)]
        arrays["features"] = _Array(found["features"], _simplest(chosen, len(place)))
    return arrays


def _simplest(positions: list[int], n: int) -> slice | NDArray[np.intp] | None:
    """Positions as what copies least: None for all of n, a slice for neighbours."""
    first = positions[0]
    if positions != list(range(first, first + len(positions))):
        return np.array(positions)
    return slice(first, first + len(positions)) if len(positions) < n else None


def _find_rows(ds: xr.Dataset, videos: NDArray[np.integer] | None = None) -> _Rows:
    """Find the real frames, reading of each row no more than has to be looked at."""
    schema.validate(ds, variables=["frame_number"])
    number = ds.variables["frame_number"]
    n_videos, n_stored = number.shape
    empty = np.zeros(n_videos, dtype=np.intp)
    rows = _Rows(empty, empty.copy(), empty.copy(), {})
    n_cells = max(1, MAX_BYTES // number.dtype.itemsize)
    expected = _expected_frames(ds)
    # one frame more, which shows that the video ends where it should
    look = np.minimum(expected + 1, n_stored)
    if videos is not None:
        look[np.setdiff1d(np.arange(n_videos), videos)] = 0
    for group in _of_like_length(look, n_cells):
        real = _load_real(number, group, int(look[group].max()))
        rows.record(group, real)
        at_end = real[np.arange(len(group)), look[group] - 1]
        whole = look[group] == n_stored
        sure = whole | ((rows.n_frames[group] == expected[group]) & ~at_end)
        for again in _of_like_length(np.where(sure, 0, n_stored), n_cells):
            rows.record(group[again], _load_real(number, group[again], n_stored))
    return rows


def _load_real(number: xr.Variable, videos: NDArray[np.intp], stop: int) -> NDArray[np.bool_]:
    return np.asarray(_load({"frame_number": _Array(number)}, videos, 0, stop)["frame_number"] >= 0)


def _expected_frames(ds: xr.Dataset) -> NDArray[np.intp]:
    """How many frames each row should begin with; all stored ones where looking at all of them costs nothing more."""
    number = ds.variables["frame_number"]
    n_videos, n_stored = number.shape
    in_store = number.chunks is None and not number._in_memory
    if not in_store or "n_frames" not in ds.coords or ds["n_frames"].dims != ("video",):
        return np.full(n_videos, n_stored, dtype=np.intp)
    expected: NDArray[np.intp] = np.clip(ds["n_frames"].to_numpy(), 0, n_stored).astype(np.intp)
    return expected


def _read_together(rows: _Rows, arrays: Mapping[str, _Array], n_cells: int) -> Iterator[NDArray[np.intp]]:
    """Videos that are read at once: some of like length, or those of one dask block."""
    length = rows.stop - rows.first
    blocks = max((a.chunks[0] for a in arrays.values() if a.chunks is not None), key=max, default=(1,))
    if max(blocks, default=1) == 1:
        yield from _of_like_length(length, n_cells)
        return
    for videos in np.split(np.arange(len(length)), np.cumsum(blocks)[:-1]):
        if (length[videos] > 0).any():
            yield videos[length[videos] > 0]


def _of_like_length(length: NDArray[np.intp], n_cells: int) -> Iterator[NDArray[np.intp]]:
    """Positions in ascending order, the longest group first: as many of like length as fit, none of length 0."""
    order = np.argsort(-length, kind="stable")[: np.count_nonzero(length)]
    start = 0
    while start < len(order):
        longest = length[order[start]]
        fit = order[start : start + max(1, n_cells // longest)]
        alike = int(np.searchsorted(-length[fit], -SHORTEST * longest, side="right"))
        yield np.sort(fit[:alike])
        start += alike


def _pieces(
    arrays: Mapping[str, _Array], rows: _Rows, video: NDArray[np.intp], first: int, stop: int, n_cells: int
) -> Iterator[Block]:
    """Read one video, in pieces that begin and end with chunks of the store or dask blocks."""
    chunks = next((a.chunks[1] for a in arrays.values() if a.chunks is not None), None)
    step = n_cells // schema.FRAMES_PER_CHUNK * schema.FRAMES_PER_CHUNK or n_cells
    edges = np.cumsum(chunks) if chunks is not None else np.arange(step, stop + step, step)
    start = 0
    while first < stop:
        ahead = edges[edges > first]
        within = ahead[ahead <= first + n_cells]
        end = stop if stop - first <= n_cells else min(stop, int(within[-1] if within.size else ahead[0]))
        for block in _blocks(_load(arrays, video, first, end), rows, video, first, end, end - first, start):
            yield block
            start += int(block.n_frames[0])
        first = end


def _load(arrays: Mapping[str, _Array], videos: NDArray[np.intp], first: int, stop: int) -> dict[str, NDArray[Any]]:
    """Read the stored frames ``[first, stop)`` of videos in ascending order."""
    consecutive = len(videos) == videos[-1] - videos[0] + 1
    rows = slice(int(videos[0]), int(videos[-1]) + 1) if consecutive else videos
    windows = {name: array.window(rows, slice(first, stop)) for name, array in arrays.items()}
    if all(window.chunks is None and window._in_memory for window in windows.values()):
        return {name: window.values for name, window in windows.items()}
    # together, because what several variables are computed from is then computed once
    parts = xr.Dataset(dict(enumerate(windows.values()))).compute()
    return {name: parts.variables[i].values for i, name in enumerate(windows)}


def _blocks(
    loaded: Mapping[str, NDArray[Any]],
    rows: _Rows,
    videos: NDArray[np.intp],
    first: int,
    stop: int,
    n_cells: int,
    start: int = 0,
) -> Iterator[Block]:
    """Cut what was read into blocks of videos of like length, without the frames that are not real."""
    if rows.are_whole(videos, first, stop):
        step = max(1, n_cells // max(1, stop - first))
        for i in range(0, len(videos), step):
            here = slice(i, i + step)
            n_frames = np.full(len(videos[here]), stop - first, dtype=np.intp)
            yield Block(videos[here], n_frames, start, {name: values[here] for name, values in loaded.items()})
        return
    # of videos whose real frames begin with the first one here, rows are copied as they are
    from_first = not rows.scattered and bool((rows.first[videos] <= first).all())
    if from_first:
        n_frames, positions = np.maximum(np.minimum(rows.stop[videos], stop) - first, 0), None
    else:
        n_frames, positions = rows.positions(videos, first, stop)
    for part in _of_like_length(n_frames, n_cells):
        longest = int(n_frames[part].max())
        padding = np.arange(longest) >= n_frames[part][:, None]
        data = {}
        for name, values in loaded.items():
            data[name] = (
                values[part, :longest] if positions is None else values[part[:, None], positions[part, :longest]]
            )
            data[name][padding] = _fill_value(name, values.dtype)
        yield Block(videos[part], n_frames[part], start, data)


def _fill_value(name: str, dtype: np.dtype) -> float | int | str:
    known = {**schema.DATA_VARS, **schema.COORDS}.get(name)
    if known is not None:
        return known.fill_value
    return float("nan") if dtype.kind == "f" else np.zeros((), dtype).item()
