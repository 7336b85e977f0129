"""Which points of a face are joined by lines."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EYES", "IRISES", "Joints", "joints"]

#: Closed lines along the edges of the mesh: eyes, brows, outer and inner edge of the lips.
_MESH_CONTOURS = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466),
    (70, 63, 105, 66, 107, 55, 65, 52, 53, 46),
    (300, 293, 334, 296, 336, 285, 295, 282, 283, 276),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191),
)

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
    from facearray.models.geometry import canonical_mesh

    triangles = canonical_mesh().triangles
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    net, count = np.unique(edges, axis=0, return_counts=True)
    # the edge of the face is where a line belongs to one triangle only
    return Joints(net, np.concatenate([net[count == 1], *map(_around, _MESH_CONTOURS)]))


def _along(points: Sequence[int]) -> NDArray[np.intp]:
    return np.column_stack([points[:-1], points[1:]]).astype(np.intp)


def _around(points: Sequence[int]) -> NDArray[np.intp]:
    return np.column_stack([points, np.roll(points, -1)]).astype(np.intp)
