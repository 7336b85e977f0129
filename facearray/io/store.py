"""The store: created, opened, grown and finished here, written row by row through :class:`RowWriter`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store as ZarrStore
from zarr.core.sync import sync
from zarr.storage import LocalStore

from facearray.errors import InputError, MismatchError, StructureError
from facearray.io.arrays import dims, open_array, text_values, values
from facearray.io.existing import consolidate, find_group, incomplete, make_room
from facearray.io.journal import Journal
from facearray.io.layout import (
    INCOMPLETE,
    SCHEMA_ATTR,
    Layout,
    create_arrays,
    frame_capacity,
    structural_differences,
)
from facearray.io.lease import no_store, not_made
from facearray.io.location import StoreLike, address, open_zarr_store, store_errors
from facearray.io.reading import open_store, per_video_coordinates
from facearray.io.rows import RowWriter, row_variables
from facearray.io.saving import save
from facearray.schema import FRAMES_PER_CHUNK, VIDEOS_PER_CHUNK

__all__ = ["Layout", "RowWriter", "Store", "StoreLike", "frame_capacity", "open_store", "save"]


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _writing(method: Callable[Concatenate[Store, _P], _R]) -> Callable[Concatenate[Store, _P], _R]:
    """Name the store in errors of its disk or network."""

    @wraps(method)
    def wrapper(self: Store, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with store_errors(self._group.store):
            return method(self, *args, **kwargs)

    return wrapper


class Store:
    """A store opened for writing.

    Any process may open one and write rows; creating, appending, resizing and finishing are for the one client that
    holds the lease. Made by :meth:`create` and :meth:`open`.
    """

    def __init__(self, group: zarr.Group) -> None:
        self._group = group

    @classmethod
    def create(
        cls,
        store: StoreLike,
        layout: Layout,
        rows: Sequence[tuple[str, str]],
        capacity: int,
        *,
        journal: str | os.PathLike[str] | None = None,
        storage_options: Mapping[str, Any] | None = None,
        overwrite: bool = False,
    ) -> Store:
        """Create a store: metadata, labels and sources only, whatever its size.

        The journal, if there is one from a store that was here before, is emptied.

        Parameters
        ----------
        store
            Path or URL, or a Zarr store object.
        layout
            Its structure.
        rows
            (label, source) of every video.
        capacity
            Frames to reserve for each video; see :func:`frame_capacity`.
        journal
            Path or URL of the journal; by default ``<store>.run``.
        storage_options
            Options of the file system that a URL names.
        overwrite
            Whether a store that is here already is deleted; one whose creation was interrupted is in any case.

        Raises
        ------
        InputError
            If there is a store already and it is not to be overwritten, a label is empty or there twice, or the
            capacity is not a multiple of the frames in a chunk.
        StructureError
            If there is something else, which is never deleted.
        """
        _check_labels([], rows)
        _check_capacity(capacity)
        place = open_zarr_store(store, storage_options)
        with store_errors(place):
            make_room(place, overwrite=overwrite)
            if journal is not None or not isinstance(store, ZarrStore):
                Journal.beside(store, journal=journal, storage_options=storage_options).erase()
            attrs = layout.attrs()
            group = zarr.create_group(place, zarr_format=3, attributes=dict(attrs) | {INCOMPLETE: "yes"})
            create_arrays(group, layout, len(rows), capacity)
            created = cls(group)
            created._write_from("source", 0, [source for _, source in rows])
            created._write_from("video", 0, [label for label, _ in rows])
            group.attrs.put(dict(attrs))
            return created

    @classmethod
    def open(cls, store: StoreLike, *, storage_options: Mapping[str, Any] | None = None) -> Store:
        """Open a store for writing.

        Raises
        ------
        InputError
            If there is nothing here.
        StructureError
            If there is something else than a store, or one that is being created, or whose creation was interrupted.
        """
        place = open_zarr_store(store, storage_options)
        group = find_group(place)
        if group is None:
            raise no_store(store, storage_options=storage_options)
        if SCHEMA_ATTR not in group.attrs:
            raise MismatchError(f"{address(store)}: found a Zarr group that facearray did not make; expected a store")
        if incomplete(group):
            raise not_made(store, storage_options=storage_options)
        return cls(zarr.open_group(place, mode="r+", zarr_format=3, use_consolidated=False))

    @staticmethod
    def exists(store: StoreLike, *, storage_options: Mapping[str, Any] | None = None) -> bool:
        """Whether there is a store to go on with; one whose creation was interrupted is none.

        Raises
        ------
        StructureError
            If there is something else than a store.
        """
        group = find_group(open_zarr_store(store, storage_options, read_only=True))
        if group is None or incomplete(group):
            return False
        if SCHEMA_ATTR not in group.attrs:
            raise MismatchError(
                f"{address(store)}: found a Zarr group that facearray did not make; expected a store or nothing"
            )
        return True

    @cached_property
    def labels(self) -> list[str]:
        """Labels of the videos, in the order of their rows."""
        labels: list[str] = values(self._array("video")).tolist()
        # An append that was interrupted leaves empty labels, or none where other arrays have grown already.
        return labels[: labels.index("")] if "" in labels else labels

    @property
    def sources(self) -> list[str]:
        """Where the videos were read from, in the order of their rows."""
        sources: list[str] = values(self._array("source"), 0, self.n_rows).tolist()
        return sources

    @property
    def n_rows(self) -> int:
        """Number of videos."""
        return len(self.labels)

    @property
    def capacity(self) -> int:
        """Frames that there is room for in every row."""
        return min(self._array(name).shape[1] for name in self._row_arrays())

    @cached_property
    def layout(self) -> Layout:
        """Structure, detector and options.

        Raises
        ------
        StructureError
            If the store was saved from a Dataset, so that its values are no longer what a detector gave.
        """
        return Layout.from_group(self._group)

    def check(self, layout: Layout) -> None:
        """Make sure that the store has a structure, detector and options.

        Raises
        ------
        MismatchError
            With every difference, those first that are options of a run.
        """
        problems = self.layout.differences(layout) or structural_differences(self._group, layout)
        if problems:
            raise MismatchError(
                f"{self._address}: the store is not what this run would write:\n"
                + "".join(f"  - {p}\n" for p in problems)
                + "run with the same detector and options, write to another store, or start again with overwrite "
                "(overwrite=True, --overwrite)"
            )

    def row(self, row: int, *, check: Callable[[], object] | None = None) -> RowWriter:
        """Return the writer of a row.

        Parameters
        ----------
        row
            Position of the video.
        check
            Raises if this process may not write any more; called before anything is deleted or written.

        Raises
        ------
        StructureError
            If there is no such row, or an array's chunks hold several videos.
        """
        return RowWriter(
            zarr.open_group(self._group.store, mode="r+", zarr_format=3, use_consolidated=False), row, check=check
        )

    @_writing
    def append(self, rows: Sequence[tuple[str, str]], capacity: int) -> None:
        """Add videos after the last row; only for the client.

        Interrupted at any point, the store has the rows it had, and appending again makes it as if nothing happened.

        Parameters
        ----------
        rows
            (label, source) of every new video.
        capacity
            Frames to reserve for each; a store that has more keeps what it has.

        Raises
        ------
        InputError
            If a label is empty or there already, or the capacity is not a multiple of the frames in a chunk.
        """
        _check_labels(self.labels, rows)
        _check_capacity(capacity)
        old = self.n_rows
        sources = [*self._tail("source"), *(source for _, source in rows)]
        labels = [*self._tail("video"), *(label for label, _ in rows)]
        self.reopen()
        self._grow(old + len(rows), capacity, leave_out="video")
        self._write_from("source", old, sources)
        # The labels come last: what has a label is a row.
        self._resize("video", {"video": old + len(rows)})
        self._write_from("video", old, labels)
        del self.labels

    @_writing
    def set_sources(self, sources: Mapping[int, str]) -> None:
        """Note where rows are read from now; only for the client.

        Parameters
        ----------
        sources
            Row → source.
        """
        array = self._array("source")
        for start in sorted({row // VIDEOS_PER_CHUNK * VIDEOS_PER_CHUNK for row in sources}):
            stop = min(start + VIDEOS_PER_CHUNK, self.n_rows)
            stored = values(array, start, stop).tolist()
            array[start:stop] = text_values([sources.get(row, stored[row - start]) for row in range(start, stop)])

    @_writing
    def resize(self, capacity: int) -> None:
        """Make room for longer videos; only for the client. A store never shrinks.

        Raises
        ------
        InputError
            If the capacity is not a multiple of the frames in a chunk.
        """
        _check_capacity(capacity)
        self.reopen()
        self._grow(self.n_rows, capacity)

    @_writing
    def reopen(self) -> None:
        """Mark the store as unfinished: readers then take the state of its rows from the journal.

        Consolidated metadata would be out of date after the next change, and readers would trust it.
        """
        group = zarr.open_group(self._group.store, mode="r+", zarr_format=3, use_consolidated=False)
        self._group = group.update_attributes({})

    def coordinates(self, journal: Journal) -> dict[str, NDArray[Any]]:
        """Return n_frames, fps, width, height, duration, status and error of every row, by its journal."""
        return per_video_coordinates(self.n_rows, lambda name: values(self._array(name), 0, self.n_rows), journal)

    def states(self, journal: Journal) -> dict[int, str]:
        """Return ``"done"`` or ``"failed"`` by row; rows that are pending are not in it."""
        return {row: str(state) for row, state in enumerate(self.coordinates(journal)["status"]) if state != "pending"}

    @_writing
    def finalize(self, journal: Journal) -> None:
        """Write the per-video coordinates and consolidate the metadata; only for the client.

        Equal rows make equal stores, byte for byte, whatever happened while they were written.

        Raises
        ------
        StructureError
            If the journal holds rows that the store does not have, or more frames than there is room for.
        """
        journal.check_labels(self.labels)
        beyond = sorted(row for row in journal.states() if row >= self.n_rows)
        if beyond:
            raise StructureError(
                f"{self._address}: found {len(beyond)} rows in the journal from {beyond[0]} on; expected only the "
                f"{self.n_rows} rows of the store; the journal belongs to another store"
            )
        coordinates = self.coordinates(journal)
        self._grow(self.n_rows, self.capacity)
        too_long = np.flatnonzero(coordinates["n_frames"] > self.capacity)
        if len(too_long):
            raise StructureError(
                f"{self._address}: found n_frames of row {too_long[0]} at {coordinates['n_frames'][too_long[0]]}; "
                f"expected at most the capacity, {self.capacity}; delete its marker in {journal.folder.address} and "
                "run again"
            )
        for name, column in coordinates.items():
            self._array(name)[:] = column
        consolidate(self._group.store)

    @property
    def _address(self) -> str:
        return address(self._group.store)

    def _array(self, name: str) -> zarr.Array[Any]:
        return open_array(self._group.store, name)

    def _row_arrays(self) -> list[str]:
        return [v.name for v in row_variables() if v.name in self._group]

    def _tail(self, name: str) -> list[str]:
        """Texts of the last chunk, which an append rewrites whole."""
        start = self.n_rows // VIDEOS_PER_CHUNK * VIDEOS_PER_CHUNK
        tail: list[str] = values(self._array(name), start, self.n_rows).tolist()
        return tail

    def _write_from(self, name: str, row: int, texts: Sequence[str]) -> None:
        """Write the texts of all rows from the beginning of a row's chunk on."""
        if texts:
            self._array(name)[row // VIDEOS_PER_CHUNK * VIDEOS_PER_CHUNK :] = text_values(list(texts))

    def _grow(self, n_rows: int, capacity: int, *, leave_out: str = "") -> None:
        self._remove_leftovers()
        capacity = max(capacity, *(self._array(name).shape[1] for name in self._row_arrays()))
        for name, array in self._group.arrays():
            if "video" in dims(array) and name != leave_out:
                self._resize(name, {"video": n_rows, "frame": capacity})

    def _resize(self, name: str, sizes: Mapping[str, int]) -> None:
        array = self._array(name)
        shape = tuple(sizes.get(d, n) for d, n in zip(dims(array), array.shape, strict=True))
        if shape != array.shape:
            # Rows are taken away only from an append that was interrupted: no frames were written to them. Zarr would
            # go through all possible chunks to find those to delete, so it is not asked to where there are many.
            sync(array.async_array.resize(shape, delete_outside_chunks="frame" not in dims(array)))

    def _remove_leftovers(self) -> None:
        """Delete temporary files of writes by the client that was killed; rows remove theirs themselves."""
        store = self._group.store
        if not isinstance(store, LocalStore):
            return
        _unlink(store.root.glob("*.partial"))
        row_arrays = self._row_arrays()
        for name in self._group.array_keys():
            _unlink((store.root / name).glob("*.partial"))
            if name not in row_arrays:
                _unlink((store.root / name / "c").glob("*.partial"))


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _check_labels(known: Sequence[str], rows: Sequence[tuple[str, str]]) -> None:
    seen = set(known)
    problems = []
    for label, source in rows:
        if not label:
            problems.append(f"found an empty label for {Path(source).name!r}")
        elif label in seen:
            problems.append(f"found label {label!r} twice")
        seen.add(label)
    if problems:
        raise InputError("every video needs a label of its own: " + "; ".join(sorted(set(problems))))


def _check_capacity(capacity: int) -> None:
    if capacity < 1 or capacity % FRAMES_PER_CHUNK:
        raise InputError(f"found capacity {capacity}; expected a multiple of {FRAMES_PER_CHUNK}: use frame_capacity")
