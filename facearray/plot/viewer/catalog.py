"""What is in a store: labels and states of all videos, and one video at a time; nothing else is read."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._words import counted
from facearray.errors import InputError, unknown_names
from facearray.io.paths import natural_key
from facearray.plot.viewer.films import Bounded
from facearray.plot.viewer.recording import Recording

__all__ = ["ORDERS", "STATES", "Catalog", "Opened"]

STATES = ("all", "done", "failed", "pending")

#: Orders of the list.
ORDERS = ("as stored", "by name", "shortest first", "longest first")

#: Opened videos that are kept.
_RECORDINGS = 8

_NEEDED = ("video", "feature", "group", "frame_number", "timestamp", "n_frames", "duration", "width", "height")


@dataclass(frozen=True, slots=True)
class Opened:
    """A store as it is at a moment.

    Attributes
    ----------
    ds
        Its Dataset, lazy.
    run
        ``"running"``, ``"interrupted"`` or ``"ended"``.
    """

    ds: xr.Dataset
    run: str = "ended"


class Catalog:
    """The videos of a store, and their state when it was opened or refreshed; safe among threads.

    Attributes
    ----------
    ds
        The Dataset; only coordinates of videos, features and faces are in memory.
    run
        Whether a run is writing: ``"running"``, ``"interrupted"`` or ``"ended"``.
    labels, states, errors, sources
        Texts of each video.
    n_frames, duration
        Frames and seconds of each video.
    version
        Raised whenever a refresh has found something new.

    Parameters
    ----------
    name
        What the store is called.
    read
        Opens it.
    annotations
        Annotated intervals, as for `facearray.intervals.annotate`, or None.

    Raises
    ------
    InputError
        If the annotations are not such a table, or of videos that there are not.
    SchemaError
        If what is opened does not follow the schema.
    """

    def __init__(self, name: str, read: Callable[[], Opened], *, annotations: pd.DataFrame | None = None) -> None:
        self.name = name
        self._read = read
        self._annotations = annotations
        self._lock = threading.Lock()
        self._recordings: Bounded[Recording] = Bounded(_RECORDINGS)
        self._rates: dict[int, float] = {}
        self.version = 0
        self._take(read())
        if annotations is not None:
            _check_annotations(annotations, self.labels)

    def refresh(self) -> bool:
        """Open the store anew, and say whether anything is different."""
        opened = self._read()
        with self._lock:
            before = (self.run, self.labels, self.states.tolist(), self.n_frames.tolist())
            self._take(opened)
            changed = before != (self.run, self.labels, self.states.tolist(), self.n_frames.tolist())
            if changed:
                self.version += 1
                self._recordings.clear()
                self._rates.clear()
        return changed

    def _take(self, opened: Opened) -> None:
        ds = opened.ds
        schema.validate(ds, variables=[*_NEEDED, "status", "error", "source", "features", "n_faces_found"])
        small = {name: c.load() for name, c in ds.coords.items() if c.dims in (("video",), ("feature",), ("face",))}
        self.ds = ds.assign_coords(small)
        self.run = opened.run
        self.labels = [str(label) for label in ds["video"].to_numpy().tolist()]
        self._folded = [label.casefold() for label in self.labels]
        self.states = np.array([str(state) for state in self.ds["status"].to_numpy().tolist()], dtype=object)
        self.errors = [str(error) for error in self.ds["error"].to_numpy().tolist()]
        self.sources = [str(source) for source in self.ds["source"].to_numpy().tolist()]
        self.n_frames = self.ds["n_frames"].to_numpy()
        self.duration = self.ds["duration"].to_numpy()

    def sentence(self) -> str:
        """Say in one line what there is."""
        count = Counter(self.states.tolist())
        states = ", ".join(f"{count[state]:,} {state}" for state in STATES[1:] if count[state])
        said = counted(len(self.labels), "video") + (f": {states}" if states else "")
        endings = {"running": "; a run is writing", "interrupted": "; the run that was writing it is dead"}
        return said + endings.get(self.run, "")

    def search(self, text: str = "", *, state: str = "all", order: str = ORDERS[0]) -> NDArray[np.intp]:
        """Rows of the videos whose labels hold all words of a text, in some order.

        Raises
        ------
        InputError
            If there is no such state or order.
        """
        if state not in STATES:
            raise unknown_names("state", [state], STATES)
        if order not in ORDERS:
            raise unknown_names("order", [order], ORDERS)
        words = text.casefold().split()
        keep = np.ones(len(self.labels), bool) if state == "all" else np.asarray(self.states == state, bool)
        if words:
            keep &= np.array([all(word in label for word in words) for label in self._folded], bool)
        rows = np.flatnonzero(keep)
        if order == "by name":
            return np.array(sorted(rows.tolist(), key=lambda row: natural_key(self.labels[row])), np.intp)
        if order != ORDERS[0]:
            length = self.n_frames[rows].astype(np.int64)
            return rows[np.argsort(length if order == "shortest first" else -length, kind="stable")]
        return rows

    def entries(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Return what the list shows of videos, as JSON values."""
        return [
            {
                "row": row,
                "label": self.labels[row],
                "status": str(self.states[row]),
                "error": self.errors[row],
                "frames": int(self.n_frames[row]),
                "seconds": float(self.duration[row]) if np.isfinite(self.duration[row]) else None,
            }
            for row in map(int, rows)
        ]

    def detection_rates(self, rows: Sequence[int]) -> dict[int, float]:
        """Share of the real frames with a face, of videos that have frames; they are read once."""
        wanted = [int(row) for row in rows if self.n_frames[row] > 0]
        absent = [row for row in wanted if row not in self._rates]
        if absent:
            found = self._with_face(absent, slice(0, int(self.n_frames[absent].max())))
            # of a saved selection the frames may be anywhere
            rest = [row for row in absent if found[row][1] < self.n_frames[row]]
            found |= self._with_face(rest, slice(None)) if rest else {}
            self._rates |= {row: n / n_real if n_real else float("nan") for row, (n, n_real) in found.items()}
        return {row: self._rates[row] for row in wanted}

    def _with_face(self, rows: list[int], frames: slice) -> dict[int, tuple[int, int]]:
        """Frames with a face, and real frames, of each video."""
        part = self.ds[["n_faces_found", "frame_number"]].isel(video=rows, frame=frames)
        real = part["frame_number"].transpose("video", "frame").to_numpy() >= 0
        found = (part["n_faces_found"].transpose("video", "frame").to_numpy() > 0) & real
        return dict(zip(rows, zip(found.sum(axis=1).tolist(), real.sum(axis=1).tolist(), strict=True), strict=True))

    def recording(self, row: int) -> Recording:
        """Open one video.

        Raises
        ------
        InputError
            If there is no such row, or its annotations do not fit.
        """
        if not 0 <= row < len(self.labels):
            raise InputError(f"found row {row}; expected one of the {counted(len(self.labels), 'video')}")
        found = self._recordings.get(row)
        if found is None:
            table = self._annotations
            if table is not None:
                table = table[table["video"].astype(str) == self.labels[row]]
            found = Recording(self.ds, row, table)
            self._recordings.put(row, found)
        return found


def _check_annotations(table: pd.DataFrame, labels: Sequence[str]) -> None:
    needed = ("video", "start", "end", "label")
    absent = [column for column in needed if column not in table.columns]
    if absent:
        raise unknown_names("column of the annotations", absent, [str(column) for column in table.columns])
    unknown = sorted(set(table["video"].astype(str)) - set(labels))
    if unknown:
        raise unknown_names("video of the annotations", unknown, labels)
