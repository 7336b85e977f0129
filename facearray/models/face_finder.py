"""The faces of frames and their points: two detectors of different reach, and the mesh that confirms what they find."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from facearray.models.face_detection import (
    MIN_OVERLAP,
    SHORT_RANGE,
    WIDE_RANGE,
    Detections,
    FaceDetector,
    box_overlap,
)
from facearray.models.geometry import N_LANDMARKS
from facearray.models.landmarks import SQUARE_SCALE, FaceMesh
from facearray.models.runtime import TORCH, Runtime

__all__ = ["MIN_SURE_SCORE", "FaceFinder", "Found", "distinct"]

#: Squares with a lower probability of holding a face are dropped.
MIN_PRESENCE = 0.5

#: Score below which a face of the short-range detector may be a misplaced box around a small face. From 0.8 on, meshes
#: were within 0.06 of the distance between the eyes of where they belong, below it up to that whole distance off.
MIN_SURE_SCORE = 0.8

#: Largest distance of a keypoint from the mesh, as a part of the square's side, at which a detection of the wide-range
#: detector counts. Lettering that both networks took for a face had 0.11 and more, whatever its score and presence;
#: real faces at most 0.09 at a tenth of the frame's longer side, and mostly less than 0.1 at a fifteenth.
MAX_KEYPOINT_DISTANCE = 0.1

#: Share of the smaller of two meshes' bounding boxes that the other covers from which on both are of one face. Meshes
#: that two detectors led to on one face shared 0.97 and more, 0.78 from a box twice too large; those of different
#: people in a group picture shared nothing.
MAX_SHARED = 0.5

#: Points of the mesh where the detectors have their first keypoints: right and left eye, nose tip, mouth.
_IRISES_AND_NOSE, _LIPS = (468, 473, 4), (13, 14)


class Found(NamedTuple):
    """Faces in the frames of a batch, in the order of the frames, the largest of a frame first.

    Attributes
    ----------
    faces
        The n faces.
    landmarks
        (n, 478, 3) their points in pixels of the frame.
    n_found
        (n_frame,) faces in each frame, those included that are not described.
    """

    faces: Detections
    landmarks: NDArray[np.float32]
    n_found: NDArray[np.intp]


class FaceFinder:
    """Finds faces in frames and places their points; what it finds in a frame depends on that frame only.

    Parameters
    ----------
    short_range, wide_range
        The detectors: the first for faces that are large in the frame, the second for smaller and tilted ones at
        several times the cost.
    mesh
        The network that places the points.
    """

    def __init__(self, short_range: FaceDetector, wide_range: FaceDetector, mesh: FaceMesh) -> None:
        self.short_range = short_range
        self.wide_range = wide_range
        self.mesh = mesh

    @classmethod
    def load(cls, runtime: Runtime = TORCH) -> Self:
        """Make a finder with the weights of its networks.

        Raises
        ------
        AssetError
            If a file cannot be had or is malformed.
        """
        short_range, wide_range = (FaceDetector.load(variant, runtime) for variant in (SHORT_RANGE, WIDE_RANGE))
        return cls(short_range, wide_range, FaceMesh.load(runtime))

    def largest(self, frames: Tensor) -> Found:
        """Find the largest face of each frame that has any.

        The wide-range detector has a look only where the short-range one finds no face or is not sure, and is
        preferred where it finds one. Faces that are smaller than the largest are counted by the detector that found
        it, unconfirmed.

        Parameters
        ----------
        frames
            (n_frame, height, width, 3) uint8.
        """
        short = self._largest_confirmed(frames, self.short_range(frames, _all(frames)), is_strict=False)
        open_frames = np.setdiff1d(_all(frames), short.faces.frame[short.faces.score >= MIN_SURE_SCORE])
        wide = self._largest_confirmed(frames, self.wide_range(frames, open_frames), is_strict=True)
        n_found = short.n_found
        n_found[wide.faces.frame] = wide.n_found[wide.faces.frame]
        is_kept = ~np.isin(short.faces.frame, wide.faces.frame)
        faces, landmarks = _joined([(short.faces[is_kept], short.landmarks[is_kept]), (wide.faces, wide.landmarks)])
        return Found(faces, landmarks, n_found)

    def all(self, frames: Tensor) -> Found:
        """Find every face of each frame.

        Both detectors look at every frame. A face that the short-range one is sure of is taken from it, so that its
        values are those that :meth:`largest` gives it; then come the faces of the wide-range one, then those that the
        short-range one is not sure of. Detections whose meshes coincide are one face.

        Parameters
        ----------
        frames
            (n_frame, height, width, 3) uint8.
        """
        short, short_landmarks = self._confirmed(frames, self.short_range(frames, _all(frames)), is_strict=False)
        is_sure = short.score >= MIN_SURE_SCORE
        wide = self.wide_range(frames, _all(frames))
        wide = wide[~_is_over(wide, short[is_sure])]
        wide, wide_landmarks = self._confirmed(frames, wide, is_strict=True)
        in_order_of_trust = [
            (short[is_sure], short_landmarks[is_sure]),
            (wide, wide_landmarks),
            (short[~is_sure], short_landmarks[~is_sure]),
        ]
        faces = Detections.concatenate([some for some, _ in in_order_of_trust])
        landmarks = np.concatenate([some for _, some in in_order_of_trust])
        kept = distinct(faces.frame, landmarks)
        kept = kept[np.lexsort((-faces.box[kept, 2:].prod(axis=1), faces.frame[kept]))]
        n_found = np.bincount(faces.frame[kept], minlength=len(frames))
        return Found(faces[kept], landmarks[kept], n_found)

    def _confirmed(
        self, frames: Tensor, detections: Detections, *, is_strict: bool
    ) -> tuple[Detections, NDArray[np.float32]]:
        """Those of the detections that are faces, and their landmarks."""
        landmarks, is_face = self._look(frames, detections, is_strict=is_strict)
        return detections[is_face], landmarks[is_face]

    def _largest_confirmed(self, frames: Tensor, detections: Detections, *, is_strict: bool) -> Found:
        """Find the largest detection of each frame that is a face, and how many may be faces.

        Only detections that are larger than the face, or in frames without one, are known not to be faces.
        """
        n_found = np.bincount(detections.frame, minlength=len(frames))
        found = [(detections[:0], np.empty((0, N_LANDMARKS, 3), np.float32))]
        remaining = detections
        while len(remaining):
            is_largest = np.diff(remaining.frame, prepend=-1) > 0
            largest = remaining[is_largest]
            landmarks, is_face = self._look(frames, largest, is_strict=is_strict)
            found.append((largest[is_face], landmarks[is_face]))
            n_found[largest.frame[~is_face]] -= 1
            remaining = remaining[~is_largest & np.isin(remaining.frame, largest.frame[~is_face])]
        return Found(*_joined(found), n_found)

    def _look(
        self, frames: Tensor, detections: Detections, *, is_strict: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Place the points of detections, and say which of them are faces."""
        landmarks, presence = self.mesh(frames, detections.squares(SQUARE_SCALE))
        is_face: NDArray[np.bool_] = presence >= MIN_PRESENCE
        if is_strict:
            is_face &= _keypoint_distance(detections, landmarks) <= MAX_KEYPOINT_DISTANCE
        return landmarks, is_face


def distinct(frame: NDArray[np.intp], landmarks: NDArray[np.floating]) -> NDArray[np.intp]:
    """Take each face once: of those whose meshes coincide, the first.

    Parameters
    ----------
    frame
        (n,) frame of each mesh.
    landmarks
        (n, n_landmark, 3) points of the meshes, those that are trusted more first.

    Returns
    -------
    ndarray
        Positions of the faces, in ascending order.

    Examples
    --------
    >>> square = np.array([[0.0, 0, 0], [10, 10, 0]])
    >>> distinct(np.array([0, 0, 0]), np.stack([square, square + (2, 0, 0), square + (8, 0, 0)]))
    array([0, 2])
    """
    low, high = landmarks[:, :, :2].min(axis=1), landmarks[:, :, :2].max(axis=1)
    area = (high - low).prod(axis=1)
    kept: list[int] = []
    for row in range(len(frame)):
        others = np.array([other for other in kept if frame[other] == frame[row]], np.intp)
        common = (np.minimum(high[row], high[others]) - np.maximum(low[row], low[others])).clip(min=0).prod(axis=1)
        if not (common > MAX_SHARED * np.minimum(area[row], area[others])).any():
            kept.append(row)
    return np.array(kept, np.intp)


def _all(frames: Tensor) -> NDArray[np.intp]:
    return np.arange(len(frames))


def _is_over(detections: Detections, faces: Detections) -> NDArray[np.bool_]:
    """Which detections have the box of one of the faces."""
    is_over = np.zeros(len(detections), np.bool_)
    for row, (frame, box) in enumerate(zip(detections.frame, detections.box, strict=True)):
        boxes = faces.box[faces.frame == frame].reshape(-1, 2, 2)
        is_over[row] = (box_overlap(box.reshape(2, 2), boxes) > MIN_OVERLAP).any()
    return is_over


def _joined(
    found: list[tuple[Detections, NDArray[np.float32]]],
) -> tuple[Detections, NDArray[np.float32]]:
    """Put faces that were found in several rounds, each in other frames, in the order of the frames."""
    faces = Detections.concatenate([some for some, _ in found])
    order = np.argsort(faces.frame)
    return faces[order], np.concatenate([landmarks for _, landmarks in found])[order]


def _keypoint_distance(faces: Detections, landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Largest distance of the detector's eyes, nose and mouth from those of the mesh, in sides of the square."""
    lips = landmarks[:, _LIPS, :2].mean(axis=1, keepdims=True)
    points = np.concatenate([landmarks[:, _IRISES_AND_NOSE, :2], lips], axis=1)
    distances = np.linalg.norm(points - faces.keypoints[:, : points.shape[1]], axis=2)
    largest: NDArray[np.float64] = distances.max(axis=1) / faces.squares(SQUARE_SCALE).size
    return largest
