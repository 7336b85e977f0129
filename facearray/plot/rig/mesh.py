"""The face that is drawn: the canonical mesh with open eyes and mouth, its outlines, and distances over its skin."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.models.geometry import N_VERTICES, canonical_mesh

__all__ = ["BROW", "LIPS", "RIGHT_EYE", "Eye", "Skin", "mirrored", "skin"]


@dataclass(frozen=True, slots=True)
class Eye:
    """Vertices of an eye of the subject's right side, each row from the outer to the inner corner.

    Attributes
    ----------
    outer, inner
        Corners.
    upper, lower
        Edges of the lids without the corners; those at one place are above each other.
    upper_fold, lower_fold
        Skin of the lids, the row next to the edge.
    """

    outer: int
    inner: int
    upper: tuple[int, ...]
    lower: tuple[int, ...]
    upper_fold: tuple[int, ...]
    lower_fold: tuple[int, ...]

    @property
    def opening(self) -> tuple[int, ...]:
        """The outline that is open."""
        return (self.outer, *self.upper, self.inner, *self.lower[::-1])


RIGHT_EYE = Eye(
    outer=33,
    inner=133,
    upper=(246, 161, 160, 159, 158, 157, 173),
    lower=(7, 163, 144, 145, 153, 154, 155),
    upper_fold=(247, 30, 29, 27, 28, 56, 190),
    lower_fold=(25, 110, 24, 23, 22, 26, 112),
)


#: Outline of the right brow.
BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)


@dataclass(frozen=True, slots=True)
class Lips:
    """Vertices of the lips, each row from the subject's right to the left corner.

    Attributes
    ----------
    outer_upper, outer_lower
        Outline of the red.
    inner_upper, inner_lower
        Where the lips meet; those at one place are above each other.
    middle
        The rows in between.
    """

    outer_upper: tuple[int, ...]
    outer_lower: tuple[int, ...]
    inner_upper: tuple[int, ...]
    inner_lower: tuple[int, ...]
    middle: tuple[int, ...]

    @property
    def opening(self) -> tuple[int, ...]:
        """The outline that opens."""
        return (*self.inner_upper, *self.inner_lower[-2:0:-1])

    @property
    def red(self) -> tuple[int, ...]:
        """All vertices of the lips."""
        rows = (self.outer_upper, self.outer_lower, self.inner_upper, self.inner_lower, self.middle)
        return tuple(dict.fromkeys(vertex for row in rows for vertex in row))


LIPS = Lips(
    outer_upper=(61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    outer_lower=(61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
    inner_upper=(78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    inner_lower=(78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
    middle=(
        *(76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306),
        *(62, 183, 42, 41, 38, 12, 268, 271, 272, 407, 292),
        *(77, 90, 180, 85, 16, 315, 404, 320, 307),
        *(96, 89, 179, 86, 15, 316, 403, 319, 325),
    ),
)


@dataclass(frozen=True, slots=True)
class Skin:
    """The mesh without what would close the eyes and the mouth.

    Attributes
    ----------
    vertices
        (468, 3) in cm of the canonical face: x to the image's right, y up, z towards the camera.
    triangles
        (n, 3) vertices, counter-clockwise seen from the front.
    mirror
        (468,) the vertex on the other side; one in the midline is its own.
    edges
        (n_edge, 2) vertices, each edge once in either direction, in ascending order.
    distance
        (468, 468) in cm along the edges: from lip to lip it goes around the corner of the mouth.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.intp]
    mirror: NDArray[np.intp]
    edges: NDArray[np.intp]
    distance: NDArray[np.float64]


@functools.cache
def skin() -> Skin:
    """Return the skin; computed once, its arrays are read-only."""
    mesh = canonical_mesh()
    vertices = mesh.vertices
    flipped = vertices * (-1.0, 1.0, 1.0)
    mirror = np.linalg.norm(vertices[:, None] - flipped[None], axis=-1).argmin(axis=1)
    triangles = mesh.triangles
    for opening in (RIGHT_EYE.opening, tuple(mirror[list(RIGHT_EYE.opening)].tolist()), LIPS.opening):
        triangles = triangles[~np.isin(triangles, opening).all(axis=1)]
    pairs = ([0, 1], [1, 2], [2, 0], [1, 0], [2, 1], [0, 2])
    edges = np.unique(np.concatenate([triangles[:, pair] for pair in pairs]), axis=0)
    made = Skin(vertices, triangles, mirror, edges, _distances(vertices, edges))
    for array in (made.triangles, made.mirror, made.edges, made.distance):
        array.flags.writeable = False
    return made


def mirrored(points: tuple[int, ...]) -> tuple[int, ...]:
    """Vertices at the same places of the other side."""
    return tuple(skin().mirror[list(points)].tolist())


def _distances(vertices: NDArray[np.float64], edges: NDArray[np.intp]) -> NDArray[np.float64]:
    """Shortest ways along the edges: each vertex asks its neighbours until nothing gets shorter."""
    start, end = edges.T
    place = np.arange(len(edges)) - np.searchsorted(start, start)
    neighbours = np.repeat(np.arange(N_VERTICES)[:, None], place.max() + 1, axis=1)
    length = np.zeros(neighbours.shape)
    neighbours[start, place] = end
    length[start, place] = np.linalg.norm(vertices[start] - vertices[end], axis=1)
    distance = np.full((N_VERTICES, N_VERTICES), np.inf)
    np.fill_diagonal(distance, 0.0)
    while True:
        ways = [distance[nearby] + way[:, None] for nearby, way in zip(neighbours.T, length.T, strict=True)]
        shorter = np.min([distance, *ways], axis=0)
        if np.array_equal(shorter, distance):
            return distance
        distance = shorter
