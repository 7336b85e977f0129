"""The frames of a Dataset, read block by block and laid out as rows of a table, and put together again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.io.exporters.form import FRAME_DIMS, Form, is_text, missing_text
from facearray.schema import FRAMES_PER_CHUNK

__all__ = ["BLOCK_BYTES", "Assembler", "Block", "blocks", "face_rows", "present_faces"]

#: Bytes of one block of frames, all variables together.
BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Block:
    """Some real frames of one video.

    Attributes
    ----------
    video
        Position of the video.
    label
        Its label.
    values
        Dataset without a ``video`` dim of the variables that have a ``frame`` dim, in memory.
    """

    video: int
    label: str
    values: xr.Dataset

    @property
    def n_frames(self) -> int:
        """Frames in the block."""
        return self.values.sizes["frame"]


def blocks(ds: xr.Dataset, form: Form, video: int) -> Iterator[Block]:
    """Read the real frames of one video, a bounded number at a time; at least one block, if an empty one.

    Parameters
    ----------
    ds
        The Dataset.
    form
        What it is.
    video
        Position of the video.
    """
    # As data variables of an unlabelled Dataset nothing is read but what is asked for, and all in one go.
    rows = xr.Dataset({name: _ordered(ds.variables[name]) for name in form.frame_variables}).isel(video=video)
    real = np.asarray(rows["frame_number"].values) >= 0
    step = _frames_at_a_time(rows)
    found = False
    for start in range(0, len(real), step):
        positions = np.flatnonzero(real[start : start + step])
        if len(positions):
            found = True
            block = rows.isel(frame=slice(start, start + step)).load()
            yield Block(video, form.labels[video], block if len(positions) == step else block.isel(frame=positions))
    if not found:
        yield Block(video, form.labels[video], rows.isel(frame=slice(0, 0)).load())


def _ordered(variable: xr.Variable) -> xr.Variable:
    first = [dim for dim in FRAME_DIMS if dim in variable.dims]
    return variable.transpose(*first, ...)


def _frames_at_a_time(rows: xr.Dataset) -> int:
    """Frames whose values fit into the memory set aside: whole chunks, or a part that divides them."""
    per_frame = sum(
        math.prod(size for dim, size in v.sizes.items() if dim != "frame") * v.dtype.itemsize
        for v in rows.variables.values()
    )
    n_frames = FRAMES_PER_CHUNK
    while n_frames > 1 and n_frames * per_frame > BLOCK_BYTES:
        n_frames //= 2
    return n_frames * max(1, BLOCK_BYTES // (n_frames * per_frame)) if n_frames == FRAMES_PER_CHUNK else n_frames


def present_faces(block: xr.Dataset) -> NDArray[np.bool_]:
    """Which slots of a block's frames get a row: those that hold anything, and the first where none does.

    Returns
    -------
    numpy.ndarray
        (n_frame, n_face)
    """
    present = np.zeros((block.sizes["frame"], block.sizes["face"]), dtype=bool)
    for name, variable in block.variables.items():
        if "face" in variable.dims:
            values = variable.values
            present |= _there(str(name), values).any(axis=tuple(range(2, values.ndim)))
    present[:, :1] |= ~present.any(axis=1, keepdims=True)
    return present


def _there(name: str, values: NDArray[Any]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_]
    if is_text(values.dtype):
        found = ~missing_text(values) & (values != "")
    elif values.dtype.kind in "fmM":
        found = ~np.isnat(values) if values.dtype.kind in "mM" else ~np.isnan(values)
    elif name == "track_id":
        found = values != -1
    else:
        # Any other number may mean something, so that its slot is kept; false means nothing.
        found = values if values.dtype.kind == "b" else np.ones(values.shape, dtype=bool)
    return found


def face_rows(block: Block) -> dict[str, NDArray[Any]]:
    """Lay a block out with one row for every frame and face.

    Returns
    -------
    dict
        ``face``, the slot of each row, and every variable with shape (n_row, …), the dots being the dims that
        are not those of rows.
    """
    frame, face = np.nonzero(present_faces(block.values))
    found: dict[str, NDArray[Any]] = {"face": face.astype(np.int32)}
    for name, variable in block.values.variables.items():
        found[str(name)] = variable.values[(frame, face) if "face" in variable.dims else frame]
    return found


class Assembler:
    """Puts frames that were read from a table back into arrays.

    Parameters
    ----------
    form
        What the Dataset is.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._arrays = form.empty()

    def put_rows(self, video: int, rows: Mapping[str, NDArray[Any]]) -> None:
        """Take all rows of a video, one for every frame and face, in order."""
        number, face = rows["frame_number"], rows["face"]
        starts = np.ones(len(number), dtype=bool)
        starts[1:] = (np.diff(number) != 0) | (np.diff(face) <= 0)
        frame = np.cumsum(starts) - 1
        for name, form in self._form.frame_variables.items():
            target = self._target(name, video)
            target[(frame, face) if "face" in form.dims else frame] = rows[name]

    def put_frames(self, video: int, frames: Mapping[str, NDArray[Any]]) -> None:
        """Take all frames of a video: arrays with dims (frame[, face], …)."""
        for name, values in frames.items():
            self._target(name, video)[: len(values)] = values

    def dataset(self) -> xr.Dataset:
        """Return what was put in."""
        return self._form.dataset(self._arrays)

    def _target(self, name: str, video: int) -> NDArray[Any]:
        """View of a video's values with dims (frame[, face], …)."""
        dims = self._form.variables[name].dims
        order = [dims.index(dim) for dim in FRAME_DIMS if dim in dims]
        order += [i for i, dim in enumerate(dims) if dim not in FRAME_DIMS]
        view: NDArray[Any] = self._arrays[name].transpose(order)[video]
        return view
