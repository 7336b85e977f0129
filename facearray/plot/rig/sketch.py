"""A drawn face as plain arrays, quick enough to follow a cursor."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facearray.errors import InputError
from facearray.plot.rig.deform import IRIS, points
from facearray.plot.rig.mesh import BROW, LIPS, RIGHT_EYE, mirrored, skin
from facearray.plot.rig.table import MOVEMENTS

__all__ = ["Sketch", "sketch"]

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """A face from the front, in cm of the canonical face: x to the image's right, y up.

    Paint ``polygons`` of eyes and mouth, irises within the eyes, then the triangles, then brows and lines.

    Attributes
    ----------
    points
        (478, 2).
    triangles
        (852, 3) points of each triangle of the skin, the same for every face; eyes and mouth are left open.
    shade
        (852,) brightness of each, 0 to 1.
    polygons
        (n, 2) by name: ``right_eye left_eye mouth upper_lip lower_lip right_brow left_brow``.
    irises
        (2, 3) x, y and radius of the right and left iris; cut them by the outlines of the eyes.
    """

    points: _Array
    triangles: NDArray[np.intp]
    shade: _Array
    polygons: Mapping[str, _Array]
    irises: _Array


def sketch(values: ArrayLike, gaze: ArrayLike = (0.0, 0.0)) -> Sketch:
    """Make a face from action units, as arrays.

    Parameters
    ----------
    values
        (20,) intensities in the order of the feature group ``aus``, or (20, 2) of the subject's right and left side.
        They are cut to 0 and 1; NaN does not move.
    gaze
        Pitch and yaw in degrees, positive down and to the image's right.

    Returns
    -------
    Sketch
        The face.

    Raises
    ------
    InputError
        If the shape of the values is another one.

    Examples
    --------
    >>> face = sketch(np.zeros(20))
    >>> face.points.shape, sorted(face.polygons)[0]
    ((478, 2), 'left_brow')
    """
    given = np.asarray(values, np.float64)
    n = len(MOVEMENTS)
    if given.shape not in ((n,), (n, 2)):
        raise InputError(f"found values of shape {given.shape}; expected ({n},), or ({n}, 2) of both sides")
    intensities = np.clip(np.nan_to_num(given if given.ndim == 2 else np.repeat(given[:, None], 2, axis=1)), 0.0, 1.0)
    face = points(intensities, gaze)
    triangles = skin().triangles
    start, end, other = (face[triangles[:, i]] for i in range(3))
    across = np.cross(end - start, other - start)
    length = np.linalg.norm(across, axis=1)
    light = (across @ _LIGHT) / np.where(length > 0, length, 1.0)
    flat = face[:, :2]
    irises = np.column_stack([flat[[468, 473]], np.full(2, IRIS)])
    polygons = {name: flat[rows] for name, rows in _outlines().items()}
    return Sketch(flat, triangles, 0.5 + 0.5 * np.clip(light, 0.0, 1.0), polygons, irises)


_LIGHT = np.array([-0.33, 0.52, 0.79])


@functools.cache
def _outlines() -> dict[str, list[int]]:
    upper, lower = (*LIPS.outer_upper, *LIPS.inner_upper[::-1]), (*LIPS.outer_lower, *LIPS.inner_lower[::-1])
    rows = {
        "right_eye": RIGHT_EYE.opening,
        "left_eye": mirrored(RIGHT_EYE.opening),
        "mouth": LIPS.opening,
        "upper_lip": upper,
        "lower_lip": lower,
        "right_brow": BROW,
        "left_brow": mirrored(BROW),
    }
    return {name: list(row) for name, row in rows.items()}
