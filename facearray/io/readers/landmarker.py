"""Faces of one frame as MediaPipe's FaceLandmarker describes them: in its objects, or in JSON that was made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from facearray.errors import ReadError

__all__ = ["PARTS", "Face", "faces_of_mapping", "faces_of_result", "first_of", "is_result", "more_of_points"]

_T = TypeVar("_T")

#: What the parts of a result are called in Python and in JavaScript.
_LANDMARKS = ("face_landmarks", "faceLandmarks")
_BLENDSHAPES = ("face_blendshapes", "faceBlendshapes")
_MATRICES = ("facial_transformation_matrixes", "facialTransformationMatrixes")
PARTS = (*_LANDMARKS, *_BLENDSHAPES, *_MATRICES)


@dataclass(slots=True)
class Face:
    """A face.

    Attributes
    ----------
    landmarks
        (n_landmark, 3) points in parts of the frame's size, or None.
    blendshapes
        Scores by name.
    matrix
        (4, 4) pose in cm, or None.
    """

    landmarks: NDArray[np.float64] | None = None
    blendshapes: Mapping[str, float] = field(default_factory=dict)
    matrix: NDArray[np.float64] | None = None


def is_result(result: object) -> bool:
    """Say whether an object has what a ``FaceLandmarkerResult`` has."""
    return all(hasattr(result, part) for part, _ in (_LANDMARKS, _BLENDSHAPES, _MATRICES))


def faces_of_result(result: Any) -> list[Face]:
    """Return the faces of a result object."""
    faces = [Face(np.array([(p.x, p.y, p.z) for p in points], np.float64)) for points in result.face_landmarks]
    for face, shapes in zip(faces, result.face_blendshapes or (), strict=False):
        face.blendshapes = {shape.category_name: shape.score for shape in shapes}
    for face, matrix in zip(faces, result.facial_transformation_matrixes or (), strict=False):
        face.matrix = np.asarray(matrix, np.float64)
    return faces


def faces_of_mapping(frame: Mapping[str, Any], where: str) -> list[Face]:
    """Return the faces of a frame that was read from JSON.

    Raises
    ------
    ReadError
        Saying where (``where``, then the part) something else is than FaceLandmarker returns.
    """
    points = _parsed(frame, _LANDMARKS, _is_point_list, _landmarks, where)
    shapes = _parsed(frame, _BLENDSHAPES, _is_shape_list, _blendshapes, where)
    matrices = _parsed(frame, _MATRICES, _is_matrix, _matrix, where)
    faces = [Face() for _ in range(max(len(points), len(shapes), len(matrices)))]
    for face, landmarks in zip(faces, points, strict=False):
        face.landmarks = landmarks
    for face, scores in zip(faces, shapes, strict=False):
        face.blendshapes = scores
    for face, matrix in zip(faces, matrices, strict=False):
        face.matrix = matrix
    return faces


def _parsed(
    frame: Mapping[str, Any],
    keys: tuple[str, str],
    is_one: Callable[[Any], bool],
    parse: Callable[[Any], _T],
    where: str,
) -> list[_T]:
    """Return one part of a frame, for each of its faces; a face alone may stand without a list around it."""
    value = first_of(frame, keys, None)
    if value is None or (isinstance(value, Sequence) and len(value) == 0):
        return []
    try:
        return [parse(one) for one in ([value] if is_one(value) else value)]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ReadError(
            f"{where}, {keys[0]}: found something else than FaceLandmarker returns ({error!r}); expected a list with "
            "one item a face"
        ) from error


def _is_point_list(value: Any) -> bool:
    return isinstance(value[0], Mapping) or not isinstance(value[0][0], Mapping | Sequence)


def more_of_points(frame: Mapping[str, Any]) -> set[str]:
    """Return what a frame says of its points besides where they are; FaceLandmarker itself leaves that empty."""
    points = first_of(frame, _LANDMARKS, None) or [[]]
    first = points[0] if isinstance(points[0], Mapping) else next(iter(points[0]), None)
    if not isinstance(first, Mapping):
        return set()
    return {key for key, value in first.items() if key not in ("x", "y", "z") and value}


def _landmarks(points: Any) -> NDArray[np.float64]:
    rows = [(p["x"], p["y"], p["z"]) if isinstance(p, Mapping) else p for p in points]
    array = np.array(rows, np.float64)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(f"points of shape {array.shape}")
    return array


def _is_shape_list(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    first = value[0]
    return isinstance(first, Mapping) and ("category_name" in first or "categoryName" in first)


def _blendshapes(shapes: Any) -> dict[str, float]:
    if isinstance(shapes, Mapping) and "categories" not in shapes:
        return {str(name): float(score) for name, score in shapes.items()}
    items = shapes["categories"] if isinstance(shapes, Mapping) else shapes
    return {
        item["category_name"] if "category_name" in item else item["categoryName"]: float(item["score"])
        for item in items
    }


def _is_matrix(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return not isinstance(value[0], Mapping) and np.shape(value) in ((4, 4), (16,))


def _matrix(value: Any) -> NDArray[np.float64]:
    """Return a matrix as rows; a flat one of JavaScript has its columns one after the other."""
    array = np.array(value["data"] if isinstance(value, Mapping) else value, np.float64)
    if array.size != 16:
        raise ValueError(f"a matrix of shape {array.shape}")
    matrix = array.reshape(4, 4)
    # the last row of a transformation is 0 0 0 1, and its translation is not 0
    return matrix.T if array.ndim == 1 and np.any(matrix[3, :3]) else matrix


def first_of(mapping: Mapping[str, Any], keys: Sequence[str], default: Any) -> Any:
    """Return the value of the first key that has one."""
    return next((mapping[key] for key in keys if mapping.get(key) is not None), default)
