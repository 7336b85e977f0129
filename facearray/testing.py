"""For tests of whatever runs on a store: a detector that needs no model files."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facearray.detection.detector import Faces

__all__ = ["FakeDetector"]


@dataclass(frozen=True, kw_only=True)
class FakeDetector:
    """A detector whose numbers can be worked out by hand: it measures how bright a frame is.

    A frame whose mean brightness is at least `threshold` has one face, which fills it. ``AU12`` and ``happiness``
    are the mean brightness, 0 to 1, ``FaceScore`` is 1, and every landmark lies at the centre of the frame.

    Parameters
    ----------
    version
        As of another method, to see what a store makes of it.
    n_landmarks
        Points a face, or None for none.
    threshold
        Brightness below which there is no face.
    seconds
        Time that a frame takes.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.stack([np.zeros((4, 4, 3)), np.full((4, 4, 3), 51)]).astype("uint8")
    >>> faces = FakeDetector()(frames)
    >>> faces.frame, faces.features[:, -1]
    (array([1]), array([0.2], dtype=float32))
    """

    version: str = "1"
    n_landmarks: int | None = 478
    threshold: float = 0.02
    seconds: float = 0.0
    name: str = "fake"
    device: str = "cpu"
    features: tuple[str, ...] = (
        "FaceRectX",
        "FaceRectY",
        "FaceRectWidth",
        "FaceRectHeight",
        "FaceScore",
        "AU12",
        "happiness",
    )
    n_components: None = None
    assets: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, frames: NDArray[np.uint8]) -> Faces:
        """Find the bright frames."""
        time.sleep(self.seconds * len(frames))
        brightness = frames.mean(axis=(1, 2, 3)) / 255
        (frame,) = np.nonzero(brightness >= self.threshold)
        height, width = frames.shape[1:3]
        features = np.zeros((len(frame), len(self.features)), dtype=np.float32)
        features[:, 2:5] = width, height, 1
        features[:, 5:] = brightness[frame, None]
        landmarks = None
        if self.n_landmarks is not None:
            landmarks = np.zeros((len(frame), self.n_landmarks, 3), dtype=np.float32)
            landmarks[..., :2] = width / 2, height / 2
        n_found = (brightness >= self.threshold).astype(np.int16)
        return Faces(frame=frame, n_found=n_found, features=features, landmarks=landmarks)
