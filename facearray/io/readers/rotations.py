"""Head rotations of other tools in the schema's angles."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["head_angles", "rotation_xyz"]


def rotation_xyz(x: ArrayLike, y: ArrayLike, z: ArrayLike) -> NDArray[np.float64]:
    """Compose (n, 3, 3) rotations Rx(x) Ry(y) Rz(z) of right-handed angles in radians.

    Examples
    --------
    >>> (rotation_xyz([0.0], [0.0], [np.pi / 2])[0] @ [1, 0, 0]).round(6).tolist()
    [0.0, 1.0, 0.0]
    """
    a, b, c = (np.asarray(angle, np.float64) for angle in (x, y, z))
    sin_a, sin_b, sin_c = np.sin(a), np.sin(b), np.sin(c)
    cos_a, cos_b, cos_c = np.cos(a), np.cos(b), np.cos(c)
    rows = [
        [cos_b * cos_c, -cos_b * sin_c, sin_b],
        [cos_a * sin_c + sin_a * sin_b * cos_c, cos_a * cos_c - sin_a * sin_b * sin_c, -sin_a * cos_b],
        [sin_a * sin_c - cos_a * sin_b * cos_c, sin_a * cos_c + cos_a * sin_b * sin_c, cos_a * cos_b],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def head_angles(matrix: ArrayLike) -> NDArray[np.float64]:
    """Angles of rotations in the schema's frame: x to the image's right, y up, z towards the camera.

    Parameters
    ----------
    matrix
        (n, 3, 3) rotations, with or without a uniform scale, of a face that at rest looks at the camera.

    Returns
    -------
    ndarray
        (n, 3): Pitch, Roll and Yaw in degrees, so that the rotation is Rz(Roll) Ry(Yaw) Rx(Pitch).

    Examples
    --------
    >>> nose_down = rotation_xyz([np.radians(10)], [0.0], [0.0])
    >>> head_angles(nose_down).round(6)
    array([[10.,  0.,  0.]])
    """
    R = np.asarray(matrix, np.float64)
    pitch = np.arctan2(R[:, 2, 1], R[:, 2, 2])
    roll = np.arctan2(R[:, 1, 0], R[:, 0, 0])
    yaw = np.arctan2(0.0 - R[:, 2, 0], np.hypot(R[:, 2, 1], R[:, 2, 2]))
    angles: NDArray[np.float64] = np.degrees(np.stack([pitch, roll, yaw], axis=1))
    return angles
