"""Heights, widths and gaps of a face mesh in the centimetres of the canonical face, free of pose and size."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facearray.models.geometry import N_LANDMARKS, N_VERTICES, canonical_mesh, check_landmarks, similarity

__all__ = [
    "MEASURES",
    "RIGID_POINTS",
    "SIDES",
    "Coordinates",
    "Distances",
    "Measure",
    "lay_on_canonical",
    "measure",
    "resting_landmarks",
    "whole_and_sides",
]

#: Points that expressions hardly move. MediaPipe's own points for the pose are not used, for there are wings of the
#: nose, cheeks and the jaw among them.
RIGID_POINTS = (10, 67, 297, 54, 284, 127, 356, 143, 372, 33, 263, 133, 362, 168, 6, 197, 195, 234, 454)

#: The subject's sides, in the order of the last dim of measures.
SIDES = ("right", "left")

# an axis and a point, or two points
_Quantity = tuple[str | int, int]


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Mean coordinate of points; those of ``both`` sides count half for each side."""

    axis: Literal["x", "y", "z"]
    right: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    both: tuple[int, ...] = ()

    def quantities(self, side: str) -> dict[_Quantity, float]:
        """Weights of the coordinates; the mean of the two sides is the mean over all points."""
        own, n = getattr(self, side), len(self.right) + len(self.left) + len(self.both)
        weights = dict.fromkeys(own, 2 / n) | dict.fromkeys(self.both, 1 / n)
        return {(self.axis, point): weight for point, weight in weights.items()}


@dataclass(frozen=True, slots=True)
class Distances:
    """Mean distance between the points of pairs; those of ``both`` sides count half for each side."""

    right: tuple[tuple[int, int], ...] = ()
    left: tuple[tuple[int, int], ...] = ()
    both: tuple[tuple[int, int], ...] = ()

    def quantities(self, side: str) -> dict[_Quantity, float]:
        """Weights of the distances; the mean of the two sides is the mean over all pairs."""
        own, n = getattr(self, side), len(self.right) + len(self.left) + len(self.both)
        return dict.fromkeys(own, 2 / n) | dict.fromkeys(self.both, 1 / n)


@dataclass(frozen=True, slots=True)
class Measure:
    """A weighted sum of mean coordinates and distances.

    Attributes
    ----------
    name, description
        What it is.
    parts
        Factors and what they multiply.
    """

    name: str
    description: str
    parts: tuple[tuple[float, Coordinates | Distances], ...]


def _level(
    name: str, description: str, of: Coordinates, over: Coordinates, *more: tuple[float, Coordinates]
) -> Measure:
    return Measure(name, description, ((1.0, of), (-1.0, over), *more))


def _distance(name: str, description: str, distances: Distances) -> Measure:
    return Measure(name, description, ((1.0, distances),))


_EYE_LINE = Coordinates("y", both=(33, 133, 263, 362))
_NOSE_ROOT = Coordinates("y", both=(168, 6))
_INNER_EYE = Coordinates("y", right=(133,), left=(362,))
_OUTER_EYE = Coordinates("y", right=(33,), left=(263,))
_LIP_CORNERS = Coordinates("y", right=(61,), left=(291,))
_LOWER_LIP = Coordinates("y", right=(84,), left=(314,), both=(17,))

#: Every measure by name, in the order of the values.
MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        m.name: m
        for m in (
            _level(
                "brow_in",
                "inner brow over the inner corner of the eye",
                Coordinates("y", right=(55, 107, 65), left=(285, 336, 295)),
                _INNER_EYE,
            ),
            _level(
                "brow_out",
                "outer brow over the outer corner of the eye",
                Coordinates("y", right=(105, 63, 70, 46), left=(334, 293, 300, 276)),
                _OUTER_EYE,
            ),
            _distance("brow_gap", "between the inner ends of the brows", Distances(both=((55, 285), (107, 336)))),
            _level(
                "oblique",
                "inner brow over the middle of the brow",
                Coordinates("y", right=(107, 55), left=(336, 285)),
                Coordinates("y", right=(105, 52), left=(334, 282)),
            ),
            Measure(
                "upper_lid",
                "upper lid over the eye line, less the part that follows the gaze (.6 of the iris centre's height)",
                (
                    (1.0, Coordinates("y", right=(159, 158, 160), left=(386, 385, 387))),
                    (-0.6, Coordinates("y", right=(468,), left=(473,))),
                    (-0.4, _EYE_LINE),
                ),
            ),
            _level(
                "lower_lid",
                "lower lid over the eye line",
                Coordinates("y", right=(145, 144, 153), left=(374, 373, 380)),
                _EYE_LINE,
            ),
            _distance(
                "aperture",
                "between the lids",
                Distances(
                    right=((159, 145), (158, 153), (160, 144)),
                    left=((386, 374), (385, 380), (387, 373)),
                ),
            ),
            _level(
                "cheek",
                "cheek over the eye line",
                Coordinates("y", right=(50, 101, 118, 205), left=(280, 330, 347, 425)),
                _EYE_LINE,
            ),
            _level(
                "cheek_x",
                "from cheek to cheek (of one side: twice its distance from the midline)",
                Coordinates("x", left=(280, 425, 330)),
                Coordinates("x", right=(50, 205, 101)),
            ),
            _level(
                "ala",
                "wings of the nose over its root",
                Coordinates("y", right=(129, 98, 64), left=(358, 327, 294)),
                _NOSE_ROOT,
            ),
            _level(
                "upper_lip",
                "edge of the upper lip over the root of the nose",
                Coordinates("y", right=(37, 39), left=(267, 269), both=(0,)),
                _NOSE_ROOT,
            ),
            _level(
                "fold",
                "nasolabial fold over the root of the nose",
                Coordinates("y", right=(206, 203, 36), left=(426, 423, 266)),
                _NOSE_ROOT,
            ),
            _level(
                "fold_x",
                "from nasolabial fold to fold (of one side: twice its distance from the midline)",
                Coordinates("x", left=(426, 423, 266)),
                Coordinates("x", right=(206, 203, 36)),
            ),
            _level("corner_y", "lip corners over the root of the nose", _LIP_CORNERS, _NOSE_ROOT),
            _distance("width", "from lip corner to lip corner", Distances(both=((61, 291),))),
            Measure("corner_z", "lip corners forward", ((1.0, Coordinates("z", right=(61,), left=(291,))),)),
            _distance(
                "corner_height", "of the lips near the corners", Distances(right=((40, 91),), left=((270, 321),))
            ),
            _level(
                "corner_rel",
                "lip corners over the middle of the lips",
                _LIP_CORNERS,
                Coordinates("y", both=(0, 17)),
            ),
            _distance("boss", "from the lower lip to the chin boss", Distances(both=((17, 200), (18, 199)))),
            _level(
                "arch",
                "edge of the lower lip over its ends and the lip corners",
                _LOWER_LIP,
                Coordinates("y", right=(146, 61), left=(375, 291)),
            ),
            _distance(
                "upper_thickness",
                "of the red of the upper lip",
                Distances(right=((37, 82),), left=((267, 312),), both=((0, 13),)),
            ),
            _distance(
                "lower_thickness",
                "of the red of the lower lip",
                Distances(right=((84, 87),), left=((314, 317),), both=((17, 14),)),
            ),
            _distance(
                "gap",
                "between the lips",
                Distances(right=((82, 87),), left=((312, 317),), both=((13, 14),)),
            ),
            _level(
                "chin",
                "root of the nose over the chin",
                _NOSE_ROOT,
                Coordinates("y", right=(148,), left=(377,), both=(152,)),
            ),
            _level("lower_lip", "edge of the lower lip over the root of the nose", _LOWER_LIP, _NOSE_ROOT),
        )
    }
)


def lay_on_canonical(landmarks: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bring faces to the pose and size of the canonical face, by the similarity that fits ``RIGID_POINTS`` best.

    Parameters
    ----------
    landmarks
        (n, 478, 3) points in pixels (x right, y down, z away from the camera, in the same scale).

    Returns
    -------
    mesh
        (n, 478, 3) points in cm of the canonical face: x to the image's right, y up, z towards the camera. NaN for a
        face with a missing point.
    fit
        (n, 4, 4) similarities that were applied to (x, -y, -z) of the landmarks.

    Raises
    ------
    InputError
        If the landmarks have another shape.
    """
    points = check_landmarks(landmarks) * np.array([1.0, -1.0, -1.0])
    points[~np.isfinite(points).all(axis=(1, 2))] = np.nan
    rigid = list(RIGID_POINTS)
    fit = similarity(points[:, rigid], canonical_mesh().vertices[rigid])
    return points @ np.swapaxes(fit[:, :3, :3], 1, 2) + fit[:, None, :3, 3], fit


def measure(landmarks: ArrayLike) -> NDArray[np.float64]:
    """Measure faces after bringing them to the pose and size of the canonical face.

    Each face is laid on the canonical mesh by the similarity that fits ``RIGID_POINTS`` best, so rotating, moving or
    scaling it changes nothing.

    Parameters
    ----------
    landmarks
        (n, 478, 3) points in pixels (x right, y down, z away from the camera, in the same scale).

    Returns
    -------
    ndarray
        (n, n_measure, 2) in cm of the canonical face, in the order of ``MEASURES`` and ``SIDES``. The mean of the two
        sides is the measure of the whole face; one that has no sides is there twice. NaN for a face with a missing
        point.

    Raises
    ------
    InputError
        If the landmarks have another shape.
    """
    mesh, _ = lay_on_canonical(landmarks)
    axes, indices, starts, ends, weights = _compiled()
    coordinates = mesh[:, indices, axes]
    distances = np.linalg.norm(mesh[:, starts] - mesh[:, ends], axis=-1)
    values: NDArray[np.float64] = np.concatenate([coordinates, distances], axis=1) @ weights
    return values.reshape(len(mesh), len(MEASURES), len(SIDES))


def whole_and_sides(measures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the measures of the whole face (n, n_measure, 1) before those of its sides (n, n_measure, 2)."""
    return np.concatenate([measures.mean(axis=2, keepdims=True), measures], axis=2)


@functools.cache
def resting_landmarks() -> NDArray[np.float64]:
    """Return the canonical face as landmarks: (478, 3), in cm, with the axes of landmarks (y down, z away).

    The canonical mesh has no irises. Their ten points are put in the middle of each eye's opening (the mean of the
    three upper and three lower points of the lids that are measured), as for a gaze straight ahead; in recordings of
    people who look at the camera the centre of the iris lies there too.
    """
    vertices = canonical_mesh().vertices
    irises = [
        vertices[[159, 158, 160, 145, 144, 153]].mean(axis=0),
        vertices[[386, 385, 387, 374, 373, 380]].mean(axis=0),
    ]
    landmarks = np.concatenate([vertices, np.repeat(irises, (N_LANDMARKS - N_VERTICES) // 2, axis=0)])
    landmarks *= (1.0, -1.0, -1.0)
    landmarks.flags.writeable = False
    return landmarks


@functools.cache
def _compiled() -> tuple[list[int], list[int], list[int], list[int], NDArray[np.float64]]:
    """List the coordinates and distances that measures are made of, with their weights in each measure and side."""
    columns: list[dict[_Quantity, float]] = []
    for item in MEASURES.values():
        for side in SIDES:
            column: dict[_Quantity, float] = {}
            for factor, part in item.parts:
                for quantity, weight in part.quantities(side).items():
                    column[quantity] = column.get(quantity, 0.0) + factor * weight
            columns.append(column)
    used: dict[_Quantity, None] = dict.fromkeys(quantity for column in columns for quantity in column)
    coordinates = [(axis, point) for axis, point in used if isinstance(axis, str)]
    distances = [(start, end) for start, end in used if isinstance(start, int)]
    ordered: list[_Quantity] = [*coordinates, *distances]
    weights = np.array([[column.get(quantity, 0.0) for column in columns] for quantity in ordered])
    axes, points = ["xyz".index(axis) for axis, _ in coordinates], [point for _, point in coordinates]
    return axes, points, [start for start, _ in distances], [end for _, end in distances], weights
