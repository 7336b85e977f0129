"""The default detector: MediaPipe's face networks in torch, with action units and expressions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from facearray import assets
from facearray.detection.detector import Faces
from facearray.detection.devices import Kind, resolve_device, resolve_runtime
from facearray.errors import InputError
from facearray.schema import GROUPS, feature_names

if TYPE_CHECKING:
    from torch import Tensor

    from facearray.models.blendshapes import BlendshapeNet
    from facearray.models.crops import Squares
    from facearray.models.emotions import EmotionNet
    from facearray.models.face_detection import Detections
    from facearray.models.face_finder import FaceFinder, Found
    from facearray.models.identity import IdentityNet

__all__ = ["MediaPipeDetector"]

#: Of the method. What computes the networks is added to it, since it changes the last digits.
VERSION = "2"

#: Faces that go through a network together; more do not fit the processor's cache.
_FACES_AT_ONCE = 8

_FILES = (
    "face_landmarker.task",
    "face_detection_back.tflite",
    "face_expression_model-weights_manifest.json",
    "face_expression_model.bin",
)
_IDENTITY_FILES = ("face_recognition_model-weights_manifest.json", "face_recognition_model.bin")


class MediaPipeDetector:
    """Describes the faces of each frame by MediaPipe's networks.

    With ``max_faces=1`` a frame goes through the short-range face detector first. Only where that finds no face or is
    not sure, a detector for smaller and tilted faces has a look, too, and is preferred where it finds one. The mesh
    network then places 478 points in a square around the largest face, or around the next where it does not find the
    largest to be one.

    Otherwise both detectors look at every frame, and the mesh network at everything that they find. A face that the
    short-range detector is sure of is taken from it, so that it has the values that it has with ``max_faces=1``.
    Detections whose meshes coincide are one face.

    Blendshapes, the head's pose and the direction of gaze (:mod:`facearray.models.gaze`) follow from the points, action
    units from points and blendshapes (:mod:`facearray.models.au_table`), and the seven expressions and the identity
    from the picture. Every frame is on its own: nothing is taken from the frames before it. The values of a face depend
    neither on which other faces are described nor on the batch. The face detectors look at the frame as a whole,
    though, so that its box depends a little on everything that is in the frame: see :doc:`/detector`.

    Networks are loaded by :meth:`load` or at the first call. Threads can share a detector.

    Parameters
    ----------
    device
        Where inference runs, as for :func:`facearray.detection.devices.resolve_device`.
    landmarks
        Whether the points of the mesh are returned.
    embedding
        Whether identity embeddings are returned.
    max_faces
        How many faces of a frame are described, the largest first; None for all. The others are counted. With 1,
        faces that are smaller than the largest are counted by the detector that found it, without a look by the mesh
        network.
    runtime
        What computes the networks, as for :func:`facearray.detection.devices.resolve_runtime`.
    compile
        Whether torch compiles the networks first, as :mod:`facearray.models.compiled` says.

    Raises
    ------
    InputError
        If there is no such device or runtime, or `max_faces` is less than 1.
    AssetError
        If a model file cannot be had.
    """

    name = "mediapipe"
    version: str
    features = feature_names("facebox", "poses", "aus", "emotions", "gaze", "blendshapes")
    n_components: int | None
    n_landmarks: int | None
    assets: Mapping[str, str]

    def __init__(
        self,
        *,
        device: str = "auto",
        landmarks: bool = True,
        embedding: bool = False,
        max_faces: int | None = 1,
        runtime: str = "auto",
        compile: bool = False,  # noqa: A002 - torch's name
    ) -> None:
        from facearray.models.geometry import N_LANDMARKS
        from facearray.models.identity import N_COMPONENTS

        if max_faces is not None and max_faces < 1:
            raise InputError(f"found max_faces={max_faces}; expected a whole number of at least 1, or None for all")
        files = _FILES + _IDENTITY_FILES if embedding else _FILES
        assets.pull(files)
        self.device = resolve_device(device)
        self.runtime = resolve_runtime(runtime, self.device, compile=compile)
        kind: Kind | Literal["compiled"] = "compiled" if compile else self.runtime
        self.version = VERSION if kind == "torch" else f"{VERSION}+{kind}"
        self.n_landmarks = N_LANDMARKS if landmarks else None
        self.n_components = N_COMPONENTS if embedding else None
        self.assets = MappingProxyType({name: assets.sha256(name) for name in files})
        self.max_faces = max_faces
        self._kind = kind
        self._loaded: _Networks | None = None
        self._loading = threading.Lock()

    def load(self) -> None:
        """Load the networks, unless they are loaded; the first call does it too.

        Raises
        ------
        AssetError
            If a model file is malformed.
        InputError
            If torch cannot compile here.
        """
        self.networks  # noqa: B018

    @property
    def networks(self) -> _Networks:
        """What it computes with, loaded when first asked for."""
        with self._loading:
            if self._loaded is None:
                self._loaded = _Networks.load(self._kind, self.device, with_identity=self.n_components is not None)
            return self._loaded

    def __call__(self, frames: NDArray[np.uint8]) -> Faces:
        """Describe the faces of each (height, width, 3) RGB frame.

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
            embedding=self._embedding(pictures, faces.frame, landmarks),
        )

    def _find(self, frames: Tensor) -> Found:
        """Find the faces that are to be described."""
        from facearray.models.face_finder import Found

        if self.max_faces == 1:
            return self.networks.finder.largest(frames)
        found = self.networks.finder.all(frames)
        if self.max_faces is None:
            return found
        frame = found.faces.frame
        is_described = np.arange(len(frame)) - np.searchsorted(frame, frame) < self.max_faces
        return Found(found.faces[is_described], found.landmarks[is_described], found.n_found)

    def _features(self, frames: Tensor, faces: Detections, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        from facearray.models.au_table import estimate
        from facearray.models.gaze import eye_directions, gaze_features
        from facearray.models.geometry import head_pose, pose_features

        height, width = frames.shape[1:3]
        blendshapes, pose = self.networks.blendshapes(landmarks), head_pose(landmarks, width, height)
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
        from facearray.models.crops import Squares
        from facearray.models.emotions import INPUT_SIZE, face_squares

        squares = Squares.upright(rows, *face_squares(landmarks))
        return _look_at(frames, squares, self.networks.emotions, INPUT_SIZE, len(GROUPS["emotions"].features))

    def _embedding(
        self, frames: Tensor, rows: NDArray[np.intp], landmarks: NDArray[np.float32]
    ) -> NDArray[np.float32] | None:
        from facearray.models.crops import Squares
        from facearray.models.identity import INPUT_SIZE, N_COMPONENTS, identity_squares

        network = self.networks.identity
        if network is None:
            return None
        squares = Squares(rows, *identity_squares(landmarks))
        return _look_at(frames, squares, network, INPUT_SIZE, N_COMPONENTS)


@dataclass(frozen=True, slots=True)
class _Networks:
    """The networks of a detector."""

    finder: FaceFinder
    blendshapes: BlendshapeNet
    emotions: EmotionNet
    identity: IdentityNet | None

    @classmethod
    def load(cls, kind: Kind | Literal["compiled"], device: str, *, with_identity: bool) -> Self:
        from facearray.models.blendshapes import BlendshapeNet
        from facearray.models.emotions import EmotionNet
        from facearray.models.face_finder import FaceFinder
        from facearray.models.identity import IdentityNet
        from facearray.models.runtime import Runtime

        runtime = Runtime(kind, device)
        return cls(
            FaceFinder.load(runtime),
            BlendshapeNet.load(runtime),
            EmotionNet.load(runtime),
            IdentityNet.load(runtime) if with_identity else None,
        )


def _look_at(
    frames: Tensor, squares: Squares, network: Callable[[Tensor], Tensor], size: int, n_outputs: int
) -> NDArray[np.float32]:
    """Return outputs (n, n_outputs) of a network for squares, black where they leave the frame."""
    import torch

    from facearray.models.crops import crop

    parts = [np.empty((0, n_outputs), np.float32)]
    with torch.inference_mode():
        for start in range(0, len(squares), _FACES_AT_ONCE):
            pictures = crop(frames, squares[start : start + _FACES_AT_ONCE], size, border="zero").permute(0, 3, 1, 2)
            parts.append(network(pictures).cpu().numpy())
    return np.concatenate(parts)
