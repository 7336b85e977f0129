"""The row writer: one video's frames, in whole chunks of its own row."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np
import zarr
from numpy.typing import ArrayLike, NDArray
from zarr.core.sync import sync
from zarr.storage import LocalStore

from facearray.errors import CapacityError, InputError, StructureError
from facearray.io.location import store_errors
from facearray.schema import COORDS, DATA_VARS, Variable

__all__ = ["RowWriter", "row_variables"]

#: Seconds between two checks before chunks that go to another machine, where a check takes as long as a chunk.
CHECK_EVERY = 2.0

#: The variable of which a chunk is written before those of the others, and deleted after them. It never holds its fill
#: value, so where it has no chunk, none of the others has one.
FIRST = "frame_number"


def row_variables() -> tuple[Variable, ...]:
    """Variables that the writer of a row fills: those with a ``frame`` dim, first the one that every frame has."""
    variables = [v for v in (*COORDS.values(), *DATA_VARS.values()) if "frame" in v.dims]
    return tuple(sorted(variables, key=lambda v: v.name != FIRST))


class RowWriter:
    """Writes the frames of one video; a context manager.

    Blocks of frames are gathered into chunks, and only whole chunks are written, so that memory is bounded by one
    chunk of each array however long the video is. What the row held before is deleted on entering; if the block is
    left through an exception, what was written is deleted, so that a row is complete or absent.

    Parameters
    ----------
    group
        The store's group, opened for writing.
    row
        Position of the video.
    check
        Raises if the row belongs to another writer by now. Called before anything is deleted or written; then the row
        is left as it is, because whatever it holds may be the other's.

    Raises
    ------
    StructureError
        If the store has no such row, or a chunk of some array holds frames of several videos: whoever writes part of
        a chunk reads, merges and writes all of it, and of two who do that at once, one loses its values.
    """

    def __init__(self, group: zarr.Group, row: int, *, check: Callable[[], object] | None = None) -> None:
        self.row = row
        self.n_frames = 0
        self._check_owner = check
        self._checked = -CHECK_EVERY
        self._check_every = 0.0 if isinstance(group.store, LocalStore) else CHECK_EVERY
        arrays = {v.name: group.get(v.name) for v in row_variables()}
        self._buffers = {name: _Buffer(array, row) for name, array in arrays.items() if isinstance(array, zarr.Array)}
        self._open = False
        problems = [problem for buffer in self._buffers.values() for problem in buffer.problems()]
        if problems:
            raise StructureError(f"row {row} of {group.store_path} cannot be written: " + "; ".join(sorted(problems)))

    @property
    def capacity(self) -> int:
        """Frames that there is room for."""
        return min(buffer.array.shape[1] for buffer in self._buffers.values())

    def __enter__(self) -> RowWriter:
        self.clear()
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        complete = False
        try:
            if kind is None:
                self._before_writing()
                for buffer in self._buffers.values():
                    buffer.flush()
                complete = True
        finally:
            if not complete:
                self.clear()

    def write(
        self,
        frame_number: ArrayLike,
        timestamp: ArrayLike,
        n_faces_found: ArrayLike,
        features: ArrayLike,
        track_id: ArrayLike,
        landmarks: ArrayLike | None = None,
        embedding: ArrayLike | None = None,
    ) -> None:
        """Add the next frames.

        Parameters
        ----------
        frame_number, timestamp, n_faces_found
            (n_frame,)
        features
            (n_frame, n_face, n_feature); NaN where there is no face or no value.
        track_id
            (n_frame, n_face); -1 where there is no face.
        landmarks
            (n_frame, n_face, n_landmark, 3), if and only if the store has landmarks.
        embedding
            (n_frame, n_face, n_component), if and only if the store has embeddings.

        Raises
        ------
        InputError
            With every array whose shape or dtype does not fit, and if a frame number is negative.
        CapacityError
            If there are more frames than the store has room for.
        """
        if not self._open:
            raise InputError(f"row {self.row} is not open for writing; use `with store.row({self.row}) as writer:`")
        given = {
            "frame_number": frame_number,
            "timestamp": timestamp,
            "n_faces_found": n_faces_found,
            "features": features,
            "track_id": track_id,
            "landmarks": landmarks,
            "embedding": embedding,
        }
        block = {name: np.asarray(value) for name, value in given.items() if value is not None}
        n_frames = self._check(block)
        if self.n_frames + n_frames > self.capacity:
            raise CapacityError(self.row, self.capacity, self.n_frames + n_frames)
        if any(buffer.is_full_with(n_frames) for buffer in self._buffers.values()):
            self._before_writing()
        for name, buffer in self._buffers.items():
            buffer.add(block[name])
        self.n_frames += n_frames

    def clear(self) -> None:
        """Delete everything that the row holds."""
        self._before_deleting()
        if self._buffers[FIRST].may_have_chunks():
            for buffer in reversed(self._buffers.values()):
                buffer.clear()
        for buffer in self._buffers.values():
            buffer.restart()
        self.n_frames = 0

    def _before_deleting(self) -> None:
        if self._check_owner is not None:
            self._check_owner()
            self._checked = time.monotonic()

    def _before_writing(self) -> None:
        # The clock goes on while a process is stopped, so one that wakes up after a while checks first.
        if time.monotonic() - self._checked >= self._check_every:
            self._before_deleting()

    def _check(self, block: dict[str, NDArray[Any]]) -> int:
        """Return the frames in a block whose arrays all fit."""
        n_frames = block["frame_number"].size
        problems = []
        for name in sorted({*block, *self._buffers}):
            if name not in block:
                problems.append(f"found no {name}; the store has {name}")
            elif name not in self._buffers:
                problems.append(f"found {name}; the store has none")
            else:
                array = self._buffers[name].array
                expected = (n_frames, *array.shape[2:])
                if block[name].shape != expected:
                    problems.append(f"found {name} of shape {block[name].shape}; expected {expected}")
                if not np.can_cast(block[name].dtype, array.dtype, casting="same_kind"):
                    problems.append(f"found {name} of {block[name].dtype}; expected {array.dtype}")
        if n_frames and not problems and block["frame_number"].min() < 0:
            problems.append("found a negative frame_number; expected positions from 0, since -1 means padding")
        if problems:
            raise InputError(f"row {self.row}: the block does not fit the store: " + "; ".join(problems))
        return n_frames


class _Buffer:
    """The chunk of one array that is being filled."""

    def __init__(self, array: zarr.Array[Any], row: int) -> None:
        self.array = array
        self._row = row
        self._values = np.full(array.chunks[1:], array.fill_value, dtype=array.dtype)
        self._start = 0
        self._filled = 0

    def problems(self) -> list[str]:
        name, shape, chunks = self.array.basename, self.array.shape, self.array.shards or self.array.chunks
        problems = []
        if not 0 <= self._row < shape[0]:
            problems.append(f"found {shape[0]} rows in {name!r}")
        if chunks[0] != 1:
            problems.append(f"found chunks of {chunks[0]} videos in {name!r}; expected 1")
        if chunks != self.array.chunks:
            problems.append(f"found shards {chunks} of several chunks in {name!r}; expected none")
        if chunks[2:] != shape[2:]:
            problems.append(f"found chunks {chunks} in {name!r}; expected {shape[2:]} after the frames")
        return problems

    def is_full_with(self, n_frames: int) -> bool:
        return self._filled + n_frames >= len(self._values)

    def add(self, values: NDArray[Any]) -> None:
        while len(values):
            n = min(len(values), len(self._values) - self._filled)
            np.copyto(self._values[self._filled : self._filled + n], values[:n], casting="same_kind")
            self._filled += n
            values = values[n:]
            if self._filled == len(self._values):
                self.flush()

    def flush(self) -> None:
        """Write the chunk, padded with the fill value, and start the next."""
        if not self._filled:
            return
        stop = min(self._start + len(self._values), self.array.shape[1])
        with store_errors(self.array.store):
            self.array[self._row, self._start : stop] = self._values[: stop - self._start]
        self._start += len(self._values)
        self._empty()

    def may_have_chunks(self) -> bool:
        """Whether the row has a chunk; on a disk this is not looked up, because deleting costs no more."""
        return isinstance(self.array.store, LocalStore) or sync(self._has_chunks())

    async def _has_chunks(self) -> bool:
        with store_errors(self.array.store):
            async for _ in self.array.store.list_prefix(self._folder + "/"):
                return True
            return False

    @property
    def _folder(self) -> str:
        return f"{self.array.path}/c/{self._row}"

    def clear(self) -> None:
        with store_errors(self.array.store):
            sync(self.array.store.delete_dir(self._folder))

    def restart(self) -> None:
        self._start = 0
        self._empty()

    def _empty(self) -> None:
        self._values[...] = self.array.fill_value
        self._filled = 0
