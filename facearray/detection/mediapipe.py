"""The default detector: MediaPipe's face networks in torch, with action units and expressions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facearray import assets
from facearray.detection.detector import Faces
from facearray.detection.devices import resolve_device
from facearray.errors import InputError
from facearray.schema import GROUPS, feature_names

if TYPE_CHECKING:
    from torch import Tensor

    from facearray.models.face_detection import Detections

__all__ = ["MediaPipeDetector"]

#: Squares with a lower probability of holding a face are dropped.
MIN_PRESENCE = 0.5

#: Score below which a face of the short-range detector may be a misplaced box around a small face. From 0.8 on, meshes
#: were within 0.06 of the distance between the eyes of where they belong, below it up to that whole distance off.
MIN_SURE_SCORE = 0.8

#: Largest distance of a keypoint from the mesh, as a part of the square's side, at which a detection of the wide-range
#: detector counts. Lettering that both networks took for a face had 0.11 and more, whatever its score and presence;
#: real faces at most 0.09 at a tenth of the frame's longer side, and mostly less than 0.1 at a fifteenth.
MAX_KEYPOINT_DISTANCE = 0.1

#: Points of the mesh where the detectors have their first keypoints: right and left eye, nose tip, mouth.
_IRISES_AND_NOSE, _LIPS = (468, 473, 4), (13, 14)

#: Faces that go through the expression network together; more do not fit the processor's cache.
_FACES_AT_ONCE = 8

_FILES = (
    "face_landmarker.task",
    "face_detection_back.tflite",
    "face_expression_model-weights_manifest.json",
    "face_expression_model.bin",
)


class MediaPipeDetector:
    """Describes the largest face of each frame by MediaPipe's networks.

    A frame goes through the short-range face detector first. Only where that finds no face or is not sure, a detector
    for smaller and tilted faces has a look, too, and is preferred where it finds one. The mesh network then places 478
    points in a square around the largest face, or around the next where it does not find the largest to be one.
    Blendshapes, the head's pose and the direction of gaze (:mod:`facearray.models.gaze`) follow from the points, action
    units from points and blendshapes (:mod:`facearray.models.au_table`), and the seven expressions from the picture.
    Every frame is on its own: nothing is taken from the frames before it.

    Threads can share a detector.

    Parameters
    ----------
    device
        Where inference runs, as for :func:`facearray.detection.devices.resolve_device`.
    landmarks
        Whether the points of the mesh are returned.

    Raises
    ------
    InputError
        If there is no such device.
    AssetError
        If a model file cannot be had.
    """

    name = "mediapipe"
    version = "2"
    features = feature_names("facebox", "poses", "aus", "emotions", "gaze", "blendshapes")
    n_components: int | None = None
    n_landmarks: int | None
    assets: Mapping[str, str]

    def __init__(self, *, device: str = "auto", landmarks: bool = True) -> None:
        from facearray.models.blendshapes import BlendshapeNet
        from facearray.models.emotions import EmotionNet
        from facearray.models.face_detection import SHORT_RANGE, WIDE_RANGE, FaceDetector
        from facearray.models.geometry import N_LANDMARKS
        from facearray.models.landmarks import FaceMesh

        assets.pull(_FILES)
        self.device = resolve_device(device)
        self.n_landmarks = N_LANDMARKS if landmarks else None
        self.assets = MappingProxyType({name: assets.sha256(name) for name in _FILES})
        self._short_range = FaceDetector.load(SHORT_RANGE, self.device)
        self._wide_range = FaceDetector.load(WIDE_RANGE, self.device)
        self._mesh = FaceMesh.load(self.device)
        self._blendshapes = BlendshapeNet.load(self.device)
        self._emotions = EmotionNet.load().to(self.device)

    def __call__(self, frames: NDArray[np.uint8]) -> Faces:
        """Describe the largest face of each (height, width, 3) RGB frame.

        Raises
        ------
        InputError
            If the frames have another shape or dtype.
        """
        import torch

        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape[1:3]:
            found = f"{frames.dtype} frames of shape {frames.shape}"
            raise InputError(f"found {found}; expected uint8 frames of shape (n, height, width, 3)")
        pictures = torch.from_numpy(np.require(frames, requirements=["C", "W"])).to(self.device)
        faces, landmarks, n_found = self._find(pictures)
        return Faces(
            frame=faces.frame,
            n_found=n_found.astype(np.int16),
            features=self._features(pictures, faces, landmarks),
            landmarks=None if self.n_landmarks is None else landmarks,
        )

    def _find(self, frames: Tensor) -> tuple[Detections, NDArray[np.float32], NDArray[np.intp]]:
        """Find the largest face of each frame that has any, its landmarks, and the number of faces in every frame."""
        short = self._short_range(frames, np.arange(len(frames)))
        faces, landmarks, n_found = self._confirm(frames, short, is_strict=False)
        open_frames = np.setdiff1d(np.arange(len(frames)), faces.frame[faces.score >= MIN_SURE_SCORE])
        wide = self._wide_range(frames, open_frames)
        wide_faces, wide_landmarks, n_wide = self._confirm(frames, wide, is_strict=True)
        n_found[wide_faces.frame] = n_wide[wide_faces.frame]
        is_kept = ~np.isin(faces.frame, wide_faces.frame)
        return *_joined([(faces[is_kept], landmarks[is_kept]), (wide_faces, wide_landmarks)]), n_found

    def _confirm(
        self, frames: Tensor, detections: Detections, *, is_strict: bool
    ) -> tuple[Detections, NDArray[np.float32], NDArray[np.intp]]:
        """Find the largest detection of each frame that is a face, its landmarks, and how many may be faces.

        Only detections that are larger than the face, or in frames without one, are known not to be faces.
        """
        from facearray.models.geometry import N_LANDMARKS
        from facearray.models.landmarks import SQUARE_SCALE

        n_found = np.bincount(detections.frame, minlength=len(frames))
        found = [(detections[:0], np.empty((0, N_LANDMARKS, 3), np.float32))]
        remaining = detections
        while len(remaining):
            is_largest = np.diff(remaining.frame, prepend=-1) > 0
            largest = remaining[is_largest]
            landmarks, presence = self._mesh(frames, largest.squares(SQUARE_SCALE))
            is_face = presence >= MIN_PRESENCE
            if is_strict:
                is_face &= _keypoint_distance(largest, landmarks) <= MAX_KEYPOINT_DISTANCE
            found.append((largest[is_face], landmarks[is_face]))
            n_found[largest.frame[~is_face]] -= 1
            remaining = remaining[~is_largest & np.isin(remaining.frame, largest.frame[~is_face])]
        return *_joined(found), n_found

    def _features(self, frames: Tensor, faces: Detections, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        from facearray.models.au_table import estimate
        from facearray.models.gaze import eye_directions, gaze_features
        from facearray.models.geometry import head_pose, pose_features

        height, width = frames.shape[1:3]
        blendshapes, pose = self._blendshapes(landmarks), head_pose(landmarks, width, height)
        groups: list[NDArray[np.floating]] = [
            faces.box,
            faces.score[:, None],
            pose_features(pose),
            estimate(blendshapes, landmarks),
            self._expressions(frames, faces.frame, landmarks),
            gaze_features(eye_directions(landmarks), pose),
            blendshapes,
        ]
        return np.concatenate(groups, axis=1, dtype=np.float32)

    def _expressions(
        self, frames: Tensor, rows: NDArray[np.intp], landmarks: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        import torch

        from facearray.models.crops import Squares, crop
        from facearray.models.emotions import INPUT_SIZE, face_squares

        squares = Squares.upright(rows, *face_squares(landmarks))
        parts = [np.empty((0, len(GROUPS["emotions"].features)), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(rows), _FACES_AT_ONCE):
                some = squares[start : start + _FACES_AT_ONCE]
                pictures = crop(frames, some, INPUT_SIZE, border="zero").permute(0, 3, 1, 2)
                parts.append(self._emotions(pictures).cpu().numpy())
        return np.concatenate(parts)


def _joined(
    found: list[tuple[Detections, NDArray[np.float32]]],
) -> tuple[Detections, NDArray[np.float32]]:
    """Put faces that were found in several rounds, each in other frames, in the order of the frames."""
    from facearray.models.face_detection import Detections

    faces = Detections.concatenate([some for some, _ in found])
    order = np.argsort(faces.frame)
    return faces[order], np.concatenate([landmarks for _, landmarks in found])[order]


def _keypoint_distance(faces: Detections, landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Largest distance of the detector's eyes, nose and mouth from those of the mesh, in sides of the square."""
    from facearray.models.landmarks import SQUARE_SCALE

    lips = landmarks[:, _LIPS, :2].mean(axis=1, keepdims=True)
    points = np.concatenate([landmarks[:, _IRISES_AND_NOSE, :2], lips], axis=1)
    distances = np.linalg.norm(points - faces.keypoints[:, : points.shape[1]], axis=2)
    largest: NDArray[np.float64] = distances.max(axis=1) / faces.squares(SQUARE_SCALE).size
    return largest
