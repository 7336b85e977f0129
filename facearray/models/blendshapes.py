"""The 52 ARKit blendshapes of a face from its mesh: MediaPipe's blendshape network."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from facearray import assets
from facearray.models.bundle import read_member
from facearray.models.runtime import TORCH, Graph, Runtime

__all__ = ["BlendshapeNet"]

_MEMBER = "face_blendshapes.tflite"

#: The points that the network was trained on: ``kLandmarksSubsetIdxs`` in MediaPipe's ``face_blendshapes_graph.cc``.
_POINTS = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80),
    *(81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153),
    *(154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249),
    *(251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314),
    *(317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382),
    *(384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, *range(468, 478)),
)


class BlendshapeNet:
    """Estimates blendshapes, in the order of the feature group ``blendshapes``.

    Parameters
    ----------
    graph
        The network.
    device
        Where it is.

    References
    ----------
    Grishchenko et al. (2023). Blendshapes GHUM: Real-time Monocular Facial Blendshape Prediction. arXiv:2309.05782
    """

    def __init__(self, graph: Graph, device: str = "cpu") -> None:
        self._graph = graph
        self._device = device

    @classmethod
    def load(cls, runtime: Runtime = TORCH) -> Self:
        """Make the network with its weights.

        Raises
        ------
        AssetError
            If the file cannot be had or is malformed.
        """
        graph = runtime.graph(read_member(assets.path("face_landmarker.task"), _MEMBER), _MEMBER)
        return cls(graph, runtime.device)

    def __call__(self, landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Estimate the (n, 52) blendshapes, 0 to 1, of faces with (n, 478, 3) points in pixels."""
        if len(landmarks) == 0:
            return np.empty((0, 52), np.float32)
        points = torch.from_numpy(np.ascontiguousarray(landmarks[:, _POINTS, :2], np.float32))
        with torch.inference_mode():
            (values,) = self._graph(points.to(self._device))
        result: NDArray[np.float32] = values.cpu().numpy()
        return result
