"""Where the head is and how it is turned: MediaPipe's face geometry in numpy."""

from __future__ import annotations

import functools
import math
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facearray import assets
from facearray.errors import AssetError, InputError
from facearray.models import _protobuf
from facearray.models.bundle import read_member

__all__ = [
    "N_LANDMARKS",
    "N_VERTICES",
    "CanonicalMesh",
    "canonical_mesh",
    "check_landmarks",
    "head_pose",
    "pose_features",
    "read_canonical_mesh",
    "similarity",
]

#: Points of the landmark network: the mesh, then five for each iris.
N_LANDMARKS = 478

#: Points of the mesh proper.
N_VERTICES = 468

#: Vertical field of view that MediaPipe assumes for every camera, in degrees.
VERTICAL_FIELD_OF_VIEW = 63.0

#: Distance of the image plane that depths start from, in cm.
NEAR = 1.0

_METADATA = "geometry_pipeline_metadata_landmarks.binarypb"
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class CanonicalMesh:
    """A face at rest that looks at the camera: x to the image's right, y up, z towards the camera, in cm.

    Attributes
    ----------
    vertices
        (468, 3) points, in the order of the landmarks.
    triangles
        (n_triangle, 3) indices of vertices.
    weights
        (468,) weights of the points in fitting the head's pose; most are 0.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.intp]
    weights: NDArray[np.float64]


def canonical_mesh() -> CanonicalMesh:
    """Return the mesh that comes with MediaPipe's face landmarker; read once, its arrays are read-only.

    Raises
    ------
    AssetError
        If the model file cannot be had or is malformed.
    """
    with _LOCK:  # functools.cache alone lets several threads read at once
        return _canonical_mesh()


@functools.cache
def _canonical_mesh() -> CanonicalMesh:
    return read_canonical_mesh(assets.path("face_landmarker.task"))


def read_canonical_mesh(task: Path) -> CanonicalMesh:
    """Read the canonical mesh out of a face landmarker bundle.

    Parameters
    ----------
    task
        The bundle: a zip archive with a member ``geometry_pipeline_metadata_landmarks.binarypb``, a
        ``GeometryPipelineMetadata`` message.

    Raises
    ------
    AssetError
        If the file is no such bundle, or the mesh in it is malformed.
    """
    content = read_member(task, _METADATA)
    try:
        return _parse_metadata(content)
    except ValueError as error:
        raise AssetError(
            f"cannot read the canonical face mesh from {task.name}: found {error}; expected {_METADATA} with "
            f"{N_VERTICES} vertices; the file is damaged or of another kind; fetch it again"
        ) from error


def head_pose(landmarks: ArrayLike, width: int, height: int) -> NDArray[np.float64]:
    """Estimate the pose of heads: the transformation of the canonical mesh into the camera's frame.

    This is MediaPipe's face geometry step: the depth of the mesh, known up to scale, is fixed in two passes by
    fitting the canonical mesh to it, and the final fit is the pose. It takes the camera to have a vertical field of
    view of 63 degrees and its optical axis in the middle of the frame, so distances are rough.

    Parameters
    ----------
    landmarks
        (n, 478, 3) points in pixels of the frame, z in the same scale.
    width, height
        Size of the frame in pixels.

    Returns
    -------
    ndarray
        (n, 4, 4) matrices in cm, x to the image's right, y up, z towards the camera; they hold a scale near 1. NaN for
        a face with a missing point, or with all points in one place.

    Raises
    ------
    InputError
        If the landmarks have another shape or the frame has no extent.

    References
    ----------
    https://github.com/google-ai-edge/mediapipe, ``tasks/cc/vision/face_geometry/libs/geometry_pipeline.cc``
    """
    points = check_landmarks(landmarks)
    if not (width > 0 and height > 0):
        raise InputError(f"found a frame of {width} x {height} pixels; expected positive sizes")
    mesh = canonical_mesh()
    screen = _on_near_plane(points[:, :N_VERTICES], width, height)
    depth_offset = screen[:, :, 2].mean(axis=1)[:, None]
    basis = np.flatnonzero(mesh.weights)
    screen, vertices, weights = screen[:, basis], mesh.vertices[basis], mesh.weights[basis]

    def fit(metric: NDArray[np.float64]) -> NDArray[np.float64]:
        return similarity(vertices, metric * (1.0, 1.0, -1.0), weights)

    def unproject(scale: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            depth = (screen[:, :, 2] - depth_offset + NEAR) / scale[:, None]
        return np.stack([screen[:, :, 0] * depth / NEAR, screen[:, :, 1] * depth / NEAR, depth], axis=-1)

    scale = _scale(fit(screen))
    scale = scale * _scale(fit(unproject(scale)))
    pose = fit(unproject(scale))
    pose[~np.isfinite(points[:, :N_VERTICES]).all(axis=(1, 2))] = np.nan
    return pose


def pose_features(matrix: ArrayLike) -> NDArray[np.float64]:
    """Angles and position of poses, in the order of the feature group ``poses``.

    Parameters
    ----------
    matrix
        (n, 4, 4) poses as from :func:`head_pose`; the scale in them is ignored.

    Returns
    -------
    ndarray
        (n, 6): Pitch, Roll and Yaw in degrees, so that the rotation is Rz(Roll) Ry(Yaw) Rx(Pitch) with right-handed
        angles, then X, Y and Z. Positive are nose down, counter-clockwise in the image and nose to the image's right.
        NaN for a pose with NaN. At a Yaw of exactly 90 degrees Pitch and Roll are not determined apart.

    Raises
    ------
    InputError
        If the matrices have another shape.

    Examples
    --------
    >>> pose_features(np.diag([2.0, 2.0, 2.0, 1.0])[None])
    array([[0., 0., 0., 0., 0., 0.]])
    """
    poses = np.asarray(matrix, np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise InputError(f"found poses of shape {poses.shape}; expected (n, 4, 4)")
    with np.errstate(invalid="ignore", divide="ignore"):
        rotation = poses[:, :3, :3] / _scale(poses)[:, None, None]
    pitch = np.arctan2(rotation[:, 2, 1], rotation[:, 2, 2])
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    yaw = np.arctan2(0.0 - rotation[:, 2, 0], np.hypot(rotation[:, 2, 1], rotation[:, 2, 2]))
    return np.column_stack([np.degrees(angle) for angle in (pitch, roll, yaw)] + [poses[:, :3, 3]])


def similarity(source: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Fit rotation, uniform scale and translation from one set of points to another by weighted least squares.

    Parameters
    ----------
    source, target
        (..., n_point, 3) points that correspond; leading dims broadcast.
    weights
        (n_point,) weights; by default all alike.

    Returns
    -------
    ndarray
        (..., 4, 4) matrices without reflection. NaN where a point is missing or all points of a side are in one place.

    References
    ----------
    Umeyama, S. (1991). Least-squares estimation of transformation parameters between two point patterns. IEEE
    Transactions on Pattern Analysis and Machine Intelligence, 13(4), 376-380.

    Examples
    --------
    >>> square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> similarity(square, 2 * square + [5, 0, 0])[:3, 3].round(6)
    array([5., 0., 0.])
    """
    X, Y = np.broadcast_arrays(np.asarray(source, np.float64), np.asarray(target, np.float64))
    w = np.ones(X.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    w = (w / w.sum())[:, None]
    centre_x, centre_y = (w * X).sum(axis=-2), (w * Y).sum(axis=-2)
    with np.errstate(invalid="ignore"):
        X, Y = X - centre_x[..., None, :], Y - centre_y[..., None, :]
    spread_x, spread_y = (w * X**2).sum(axis=(-2, -1)), (w * Y**2).sum(axis=(-2, -1))
    usable = _is_extended(spread_x, centre_x) & _is_extended(spread_y, centre_y)
    covariance = np.swapaxes(w * Y, -2, -1) @ X
    covariance[~usable] = np.eye(3)
    U, _, Vt = np.linalg.svd(covariance)
    U[..., 2] *= np.sign(np.linalg.det(U) * np.linalg.det(Vt))[..., None]
    rotation = U @ Vt
    scale = (rotation * covariance).sum(axis=(-2, -1)) / np.where(usable, spread_x, np.nan)
    matrix = np.zeros((*X.shape[:-2], 4, 4))
    matrix[..., :3, :3] = scale[..., None, None] * rotation
    matrix[..., :3, 3] = centre_y - (matrix[..., :3, :3] @ centre_x[..., None])[..., 0]
    matrix[..., 3, 3] = np.where(usable, 1.0, np.nan)
    matrix[~usable] = np.nan
    return matrix


def _is_extended(spread: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether points differ by more than rounding."""
    rounding = np.finfo(np.float64).eps ** 2 * 16 * (centre**2).sum(axis=-1)
    return np.asarray((spread > rounding) & np.isfinite(spread))


def check_landmarks(landmarks: ArrayLike) -> NDArray[np.float64]:
    """Landmarks of faces in double precision.

    Raises
    ------
    InputError
        If their shape is not (n, 478, 3).
    """
    points = np.asarray(landmarks, np.float64)
    if points.ndim != 3 or points.shape[1:] != (N_LANDMARKS, 3):
        raise InputError(f"found landmarks of shape {points.shape}; expected (n, {N_LANDMARKS}, 3)")
    return points


def _on_near_plane(points: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Pixels to cm on the plane at the distance NEAR: x right, y up, from the optical axis."""
    cm_per_pixel = 2 * NEAR * math.tan(math.radians(VERTICAL_FIELD_OF_VIEW) / 2) / height
    centre, scale = np.array([width / 2, height / 2, 0.0]), np.array([1.0, -1.0, 1.0]) * cm_per_pixel
    screen: NDArray[np.float64] = (points - centre) * scale
    return screen


def _scale(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    scale: NDArray[np.float64] = np.linalg.norm(matrix[..., :3, 0], axis=-1)
    return scale


def _parse_metadata(message: bytes) -> CanonicalMesh:
    mesh, weights = b"", np.zeros(N_VERTICES)
    for number, value in _protobuf.fields(message):
        if number == 1:
            mesh = _message(value)
        elif number == 2:
            index, weight = _parse_weight(_message(value))
            weights[index] = weight
    if np.count_nonzero(weights) < 3 or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError("unusable weights of the landmarks")
    vertices, triangles = _parse_mesh(mesh)
    for array in (vertices, triangles, weights):
        array.flags.writeable = False
    return CanonicalMesh(vertices, triangles, weights)


def _parse_weight(message: bytes) -> tuple[int, float]:
    reference = dict(_protobuf.fields(message))
    index, weight = reference.get(1), _protobuf.floats(reference.get(2, b""))
    if not isinstance(index, int) or index >= N_VERTICES or len(weight) != 1:
        raise ValueError(f"weights {weight} of landmark {index!r}")
    return index, weight[0]


def _parse_mesh(message: bytes) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    coordinates: list[float] = []
    indices: list[int] = []
    for number, value in _protobuf.fields(message):
        if number == 3:
            coordinates += _protobuf.floats(value)
        elif number == 4:
            indices += _protobuf.varints(value)
    # a vertex is a position and a place in the texture: x y z u v
    if len(coordinates) != 5 * N_VERTICES or not np.isfinite(coordinates).all():
        raise ValueError(f"{len(coordinates)} coordinates")
    if not indices or len(indices) % 3 or max(indices) >= N_VERTICES:
        raise ValueError(f"{len(indices)} corners of triangles, up to vertex {max(indices, default=None)}")
    return np.array(coordinates).reshape(-1, 5)[:, :3].copy(), np.array(indices, np.intp).reshape(-1, 3)


def _message(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError(f"the number {value} in place of a message")
    return value
