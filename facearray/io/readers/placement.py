"""Rows of faces, one after another as tools write them, as arrays over frames and slots."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import ReadError
from facearray.schema import FEATURES

__all__ = ["Placement", "Slots", "schema_order"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where some rows of a file belong.

    Attributes
    ----------
    frames
        (n_frame,) int32 frame numbers, ascending.
    n_faces_found
        (n_frame,) int16 rows of each frame that are faces.
    track_id
        (n_frame, n_slot) int32 face that is in the slot; -1 where there is none.
    """

    frames: NDArray[np.int32]
    n_faces_found: NDArray[np.int16]
    track_id: NDArray[np.int32]
    _rows: NDArray[np.intp]
    _faces: NDArray[np.intp]
    _frame: NDArray[np.intp]
    _slot: NDArray[np.intp]

    def spread(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Return (n_row, ...) values as (n_frame, n_slot, ...); NaN where there is no face."""
        spread = np.full((*self.track_id.shape, *values.shape[1:]), np.nan, np.float32)
        spread[self._frame, self._slot] = values[self._faces]
        return spread

    def of_frames(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return (n_row,) values as (n_frame,): those of a row of the frame."""
        return values[self._rows]


class Slots:
    """Finds frame and slot of rows, block by block; a face keeps its slot, and slots fill in order of appearance.

    Parameters
    ----------
    path
        The file, for messages.
    column
        Name of the column that frames are numbered by, for messages.

    Attributes
    ----------
    problems
        A sentence for every row that was left out.

    Examples
    --------
    >>> slots = Slots(Path("a.csv"), "frame")
    >>> placement = slots.place(
    ...     frame=np.array([0.0, 0.0, 1.0]), line=np.array([2, 3, 4]), face=np.array([7.0, 2.0, 2.0])
    ... )
    >>> placement.spread(np.array([0.1, 0.2, 0.3])).round(1).tolist()[1]
    [nan, 0.30000001192092896]
    """

    def __init__(self, path: Path, column: str) -> None:
        self.problems: list[str] = []
        self._path, self._column = path, column
        self._slot_of: dict[int, int] = {}
        self._last = -1

    def place(
        self,
        *,
        frame: NDArray[np.float64],
        line: NDArray[np.int64],
        face: NDArray[np.float64] | None = None,
        has_face: NDArray[np.bool_] | None = None,
    ) -> Placement:
        """Place rows whose frames are later than those of the rows before.

        Parameters
        ----------
        frame
            (n_row,) frame numbers from 0.
        line
            (n_row,) lines of the file.
        face
            (n_row,) numbers that tell faces apart over time; by default there is one face.
        has_face
            (n_row,) whether a row is a face; a row that is none still is a frame. All are by default.

        Raises
        ------
        ReadError
            If a frame is not later than those placed before.
        """
        faces = np.zeros(len(frame)) if face is None else face
        is_face = np.ones(len(frame), bool) if has_face is None else has_face
        rows = self._usable(frame, faces, line)
        numbers, first, position = np.unique(frame[rows].astype(np.int64), return_index=True, return_inverse=True)
        if len(numbers) and numbers[0] <= self._last:
            at = int(line[rows[first[0]]])
            raise ReadError(
                f"{self._where(at)}: found frame {numbers[0]} after frame {self._last}; expected them sorted"
            )
        self._last = int(numbers[-1]) if len(numbers) else self._last
        shown = is_face[rows]
        identities = faces[rows].astype(np.int64)
        for identity in dict.fromkeys(identities[shown].tolist()):
            self._slot_of.setdefault(identity, len(self._slot_of))
        slot = np.array([self._slot_of[identity] for identity in identities[shown].tolist()], np.intp)
        track_id = np.full((len(numbers), max(1, len(self._slot_of))), -1, np.int32)
        track_id[position[shown], slot] = identities[shown]
        return Placement(
            frames=numbers.astype(np.int32),
            n_faces_found=np.bincount(position[shown], minlength=len(numbers)).astype(np.int16),
            track_id=track_id,
            _rows=rows[first],
            _faces=rows[shown],
            _frame=position[shown],
            _slot=slot,
        )

    def _usable(
        self, frame: NDArray[np.float64], face: NDArray[np.float64], line: NDArray[np.int64]
    ) -> NDArray[np.intp]:
        """Rows with whole numbers that no row before them has."""
        with np.errstate(invalid="ignore"):
            is_whole = (frame >= 0) & (frame < 2**31) & (frame % 1 == 0) & (face % 1 == 0)
        for i in np.flatnonzero(~is_whole):
            self._fault(line[i], f"found {frame[i]:g}; expected whole numbers from 0 on; the row is left out")
        rows = np.flatnonzero(is_whole)
        _, first = np.unique(np.stack([frame[rows], face[rows]]), axis=1, return_index=True)
        repeated = np.setdiff1d(np.arange(len(rows)), first)
        for i in rows[repeated]:
            self._fault(line[i], f"found frame {frame[i]:g} again; the first row of it is read")
        return np.delete(rows, repeated)

    def _fault(self, line: int, what: str) -> None:
        self.problems.append(f"{self._where(line)}: {what}")

    def _where(self, line: int) -> str:
        return f"{self._path.name}: line {line}, column {self._column!r}"


def schema_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sort features of the schema as it has them, and put all others behind, as they are.

    Examples
    --------
    >>> schema_order(["p_0", "AU12", "Yaw", "AU45"])
    ('Yaw', 'AU12', 'p_0', 'AU45')
    """
    given = list(dict.fromkeys(names))
    return (*(name for name in FEATURES if name in given), *(name for name in given if name not in FEATURES))
