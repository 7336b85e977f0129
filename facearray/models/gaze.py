"""Where eyes look: the irises on an eyeball model, in the head's frame and in the camera's."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facearray.errors import InputError
from facearray.models.geometry import canonical_mesh
from facearray.models.mesh_measures import SIDES, lay_on_canonical

__all__ = [
    "CLOSED",
    "IRIS_DISTANCE",
    "IRIS_HEIGHT",
    "MAX_ROTATION",
    "eye_directions",
    "eyeball_centres",
    "gaze_features",
]

#: From the centre of an eye's rotation to the centre of its iris' outline, in cm: the eye turns about a point 1.35 cm
#: behind the front of the cornea (Park and Park 1933), which stands 0.26 cm out of the outline (a cap of 0.78 cm radius
#: over an iris of 1.17 cm).
IRIS_DISTANCE = 1.1

#: Height of the iris over the line through the eye's corners, in cm, when it looks straight ahead. Of the canonical
#: face the middle of the eye's opening is only 0.01 over that line, which would have everybody look up by 9 degrees:
#: of eight people in the sample recordings who look at the camera, the iris was 0.14 to 0.28 over it, median 0.18.
IRIS_HEIGHT = 0.18

#: Opening of the lids, as a part of the eye's width, below which an eye is closed and its iris a guess. In the sample
#: recordings the blink blendshape was over .5 at all openings below it, and under .3 from .16 on.
CLOSED = 0.1

#: Degrees that an eye turns at most; an iris that lies further out is misplaced (a hidden eye of a head in profile).
MAX_ROTATION = 55.0

# of the right and of the left eye; lids: points of the upper, then the lower ones under them
_IRISES = np.array([468, 473])
_CORNERS = np.array([[33, 133], [263, 362]])
_LIDS = np.array([[[159, 158, 160], [145, 153, 144]], [[386, 385, 387], [374, 380, 373]]])


def eyeball_centres(mesh: ArrayLike) -> NDArray[np.float64]:
    """Centres of the eyes' rotation, from the corners of the eyes.

    Parameters
    ----------
    mesh
        (n, 468 or more, 3) points in the pose and size of the canonical mesh: x to the image's right, y up, z towards
        the camera, in cm.

    Returns
    -------
    ndarray
        (n, 2, 3) in cm, in the order of ``SIDES``.

    Notes
    -----
    The iris of an eye at rest is taken to lie before the middle between the corners as the middle of the eye's opening
    does on the canonical mesh, but ``IRIS_HEIGHT`` over it, and the centre ``IRIS_DISTANCE`` behind.
    """
    points = np.asarray(mesh, np.float64)
    corners: NDArray[np.float64] = points[:, _CORNERS].mean(axis=2) + _from_corners()
    return corners


def eye_directions(landmarks: ArrayLike) -> NDArray[np.float64]:
    """Direction that each eye looks in, in the head's frame.

    Parameters
    ----------
    landmarks
        (n, 478, 3) points in pixels (x right, y down, z away from the camera, in the same scale). The depth of the
        irises is not used, as the landmark network does not measure it.

    Returns
    -------
    ndarray
        (n, 2, 3) unit vectors in the order of ``SIDES``: x to the image's right, y up, z forward, of a head that faces
        the camera. NaN for an eye that is closed (its lids are open by less than ``CLOSED`` of its width) or whose
        iris is not where an eye can turn it (``MAX_ROTATION``), and for a face with a missing point.

    Raises
    ------
    InputError
        If the landmarks have another shape.

    Notes
    -----
    The face is laid on the canonical mesh by `facearray.models.mesh_measures.lay_on_canonical`. A line through the iris
    on the picture, straight away from the camera, meets the sphere around the eye's centre where the iris is.

    References
    ----------
    Park, R. S. & Park, G. E. (1933). The center of ocular rotation in the horizontal plane. American Journal of
    Physiology 104, 545-552.

    Examples
    --------
    >>> from facearray.models.mesh_measures import resting_landmarks  # doctest: +SKIP
    >>> at_rest = 30 * resting_landmarks()[None] + (320, 180, 0)  # doctest: +SKIP
    >>> eye_directions(at_rest).round(1)[0].tolist()  # doctest: +SKIP
    [[0.0, -0.2, 1.0], [0.0, -0.2, 1.0]]
    """
    mesh, fit = lay_on_canonical(landmarks)
    # the third column is where the camera's z axis points, seen from the head
    sight = fit[:, None, :3, 2] / np.linalg.norm(fit[:, None, :3, 2], axis=-1, keepdims=True)
    offset = (mesh[:, _IRISES] - eyeball_centres(mesh)) / IRIS_DISTANCE
    across = offset - (offset * sight).sum(axis=-1, keepdims=True) * sight
    with np.errstate(invalid="ignore"):
        directions: NDArray[np.float64] = across + np.sqrt(1.0 - (across**2).sum(axis=-1, keepdims=True)) * sight
        unseen = (_openings(mesh) < CLOSED) | (directions[..., 2] < np.cos(np.radians(MAX_ROTATION)))
    directions[unseen] = np.nan
    return directions


def gaze_features(directions: ArrayLike, pose: ArrayLike) -> NDArray[np.float64]:
    """Angles of gaze in the camera's frame, in the order of the feature group ``gaze``.

    Parameters
    ----------
    directions
        (n, 2, 3) unit vectors as from :func:`eye_directions`.
    pose
        (n, 4, 4) poses of the heads as from `facearray.models.geometry.head_pose`.

    Returns
    -------
    ndarray
        (n, 2) gaze_pitch and gaze_yaw in degrees. Positive are down and to the image's right; both are 0 for a gaze
        along the camera's axis, towards it. NaN where no eye has a direction or the pose is missing.

    Raises
    ------
    InputError
        If an array has another shape.

    Notes
    -----
    The directions of both eyes, or of the one that has any, are averaged and turned by the head's rotation to
    (x, y, z); then gaze_yaw = atan2(x, z) and gaze_pitch = atan2(-y, z), as OpenFace defines its angles. A head that
    turns about the camera's vertical axis changes gaze_yaw by as much, one that nods changes gaze_pitch.

    References
    ----------
    Baltrusaitis, T., Zadeh, A., Lim, Y. C. & Morency, L.-P. (2018). OpenFace 2.0: Facial behavior analysis toolkit.
    13th IEEE International Conference on Automatic Face & Gesture Recognition, 59-66.

    Examples
    --------
    >>> straight = np.array([[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]])
    >>> gaze_features(straight, np.eye(4)[None])
    array([[0., 0.]])
    >>> to_the_right = np.array([[[1.0, 0.0, 1.0], [1.0, 0.0, 1.0]]]) / np.sqrt(2)
    >>> gaze_features(to_the_right, np.eye(4)[None]).round(6)
    array([[ 0., 45.]])
    """
    eyes, poses = np.asarray(directions, np.float64), np.asarray(pose, np.float64)
    if eyes.ndim != 3 or eyes.shape[1:] != (len(SIDES), 3):
        raise InputError(f"found directions of shape {eyes.shape}; expected (n, {len(SIDES)}, 3)")
    if poses.shape != (len(eyes), 4, 4):
        raise InputError(f"found poses of shape {poses.shape}; expected ({len(eyes)}, 4, 4)")
    seen = np.asarray(np.isfinite(eyes).all(axis=-1))
    total = np.where(seen[..., None], eyes, 0.0).sum(axis=1)
    total[~seen.any(axis=1)] = np.nan
    x, y, z = (poses[:, :3, :3] @ total[..., None])[..., 0].T
    angles: NDArray[np.float64] = np.degrees(np.column_stack([np.arctan2(0.0 - y, z), np.arctan2(x, z)]))
    return angles


def _openings(mesh: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure how far the lids are open (n, 2), as a part of the width of the eye."""
    lids, corners = mesh[:, _LIDS], mesh[:, _CORNERS]
    opening = np.linalg.norm(lids[:, :, 0] - lids[:, :, 1], axis=-1).mean(axis=-1)
    ratio: NDArray[np.float64] = opening / np.linalg.norm(corners[:, :, 0] - corners[:, :, 1], axis=-1)
    return ratio


@functools.cache
def _from_corners() -> NDArray[np.float64]:
    """From the middle between the corners of an eye to its centre (2, 3), in cm."""
    vertices = canonical_mesh().vertices
    offset: NDArray[np.float64] = vertices[_LIDS].mean(axis=(1, 2)) - vertices[_CORNERS].mean(axis=1)
    offset[:, 1] = IRIS_HEIGHT
    offset[:, 2] -= IRIS_DISTANCE
    offset.flags.writeable = False
    return offset
