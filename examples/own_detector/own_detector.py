"""A detector of one's own: the region of a frame that has the colour of skin. Put your model in its place."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from facearray.detectors import Faces


class SkinDetector:
    """Takes the pixels whose colour is that of skin for a face, if there are enough of them.

    Parameters
    ----------
    min_share
        Share of a frame's pixels from which on they are a face.
    """

    name = "skin"
    version = "1"  # with another version, facearray does not go on with a store that this one made
    device = "cpu"
    features = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", "redness")
    other = MappingProxyType({"redness": ("", "mean of red less green in the face, -1 to 1")})  # beyond the vocabulary
    n_landmarks = None
    n_components = None
    assets = MappingProxyType({})  # SHA-256 of model files, by name

    def __init__(self, min_share: float = 0.02) -> None:
        self.min_share = min_share

    def __call__(self, frames: NDArray[np.uint8]) -> Faces:
        """Describe the face of each (height, width, 3) RGB frame; a frame's values depend on that frame only."""
        found = [self._face(frame) for frame in frames]
        rows = [face for face in found if face is not None]
        return Faces(
            frame=np.array([i for i, face in enumerate(found) if face is not None], np.intp),
            n_found=np.array([face is not None for face in found], np.int16),
            features=np.array(rows, np.float32).reshape(len(rows), len(self.features)),
        )

    def _face(self, frame: NDArray[np.uint8]) -> tuple[float, ...] | None:
        red, green, blue = np.moveaxis(frame.astype(np.int16), 2, 0)
        # Kovac, Peer and Solina (2003). Human skin colour clustering for face detection, without its rule on contrast.
        is_skin = (red > 95) & (green > 40) & (blue > 20) & (red - green > 15) & (red > blue)
        if is_skin.mean() < self.min_share:
            return None
        rows, columns = np.nonzero(is_skin)
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        redness = (red - green)[is_skin].mean() / 255
        return columns.min(), rows.min(), width, height, is_skin.sum() / (width * height), redness
