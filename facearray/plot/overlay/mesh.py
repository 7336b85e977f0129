"""Which points of a face are joined by lines."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.models.geometry import canonical_mesh
from facearray.plot.rig.mesh import BROW, LIPS, RIGHT_EYE, mirrored

__all__ = ["EYES", "IRISES", "Joints", "joints", "mesh_contours"]

# of 68 points, as iBUG numbers them: from one to another along the jaw, brows, nose; around eyes and lips
_OPEN_68 = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36))
_CLOSED_68 = (range(36, 42), range(42, 48), range(48, 60), range(60, 68))

#: Centre of each iris and the points around it, where there are 478.
IRISES = ((468, (469, 470, 471, 472)), (473, (474, 475, 476, 477)))

#: Points whose middle is where an eye looks from, by the number of points; of the right and of the left eye.
EYES = {
    478: ((468,), (473,)),
    468: ((33, 133, 159, 145), (263, 362, 386, 374)),
    68: (tuple(range(36, 42)), tuple(range(42, 48))),
}


@dataclass(frozen=True, slots=True)
class Joints:
    """Lines between points of a face.

    Attributes
    ----------
    net
        (n, 2) indices of points that are joined by fine lines.
    contours
        (n, 2) indices of points that are joined by strong ones.
    """

    net: NDArray[np.intp]
    contours: NDArray[np.intp]


@functools.cache
def joints(n_landmarks: int) -> Joints | None:
    """Return the lines of a mesh of 468 or 478 points or of 68 points; None for other numbers of points.

    Raises
    ------
    AssetError
        If the file with the triangles of the mesh cannot be had.
    """
    if n_landmarks == 68:
        lines = [_along(part) for part in _OPEN_68] + [_around(part) for part in _CLOSED_68]
        return Joints(np.empty((0, 2), np.intp), np.concatenate(lines))
    if n_landmarks not in (468, 478):
        return None
    triangles = canonical_mesh().triangles
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    net, count = np.unique(edges, axis=0, return_counts=True)
    # the edge of the face is where a line belongs to one triangle only
    return Joints(net, np.concatenate([net[count == 1], *map(_around, mesh_contours())]))


def mesh_contours() -> list[tuple[int, ...]]:
    """Vertices around the eyes, the brows, the red of the lips and where the lips meet.

    Raises
    ------
    AssetError
        As for `joints`.
    """
    lips = (*LIPS.outer_upper, *LIPS.outer_lower[-2:0:-1])
    sides = (RIGHT_EYE.opening, BROW)
    return [*sides, *map(mirrored, sides), lips, LIPS.opening]


def _along(points: Sequence[int]) -> NDArray[np.intp]:
    return np.column_stack([points[:-1], points[1:]]).astype(np.intp)


def _around(points: Sequence[int]) -> NDArray[np.intp]:
    return np.column_stack([points, np.roll(points, -1)]).astype(np.intp)
