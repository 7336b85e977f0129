"""Detectors by name."""

from __future__ import annotations

from facearray.detection.detector import Detector
from facearray.errors import unknown_names

__all__ = ["load_detector"]

_NAMES = ("mediapipe",)


def load_detector(
    name: str, *, device: str = "auto", landmarks: bool = True, embedding: bool = False, max_faces: int | None = 1
) -> Detector:
    """Make a detector; its model files are fetched if they are not on this machine.

    Parameters
    ----------
    name
        Which detector: ``"mediapipe"``.
    device
        Where inference runs, as for :func:`facearray.detection.devices.resolve_device`.
    landmarks
        Whether it returns the points of the face mesh.
    embedding
        Whether it returns identity embeddings.
    max_faces
        How many faces of a frame it describes, the largest first; None for all.

    Raises
    ------
    InputError
        If there is no such detector or device.
    AssetError
        If a model file cannot be had.
    """
    if name not in _NAMES:
        raise unknown_names("detector", [name], _NAMES)
    from facearray.detection.mediapipe import MediaPipeDetector

    return MediaPipeDetector(device=device, landmarks=landmarks, embedding=embedding, max_faces=max_faces)
