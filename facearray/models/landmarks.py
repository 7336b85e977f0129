"""The 478 points of a face: MediaPipe's face mesh network."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facearray import assets
from facearray.models.bundle import read_member
from facearray.models.crops import Squares, crop, to_frame
from facearray.models.geometry import N_LANDMARKS
from facearray.models.runtime import TORCH, Graph, Runtime

__all__ = ["SQUARE_SCALE", "FaceMesh"]

#: Side of the square that the network looks at, as a multiple of the longer side of the face box.
SQUARE_SCALE = 1.5

_SIZE = 256
_MEMBER = "face_landmarks_detector.tflite"

#: Faces that go through the network together; more do not fit the processor's cache.
_FACES_AT_ONCE = 8


class FaceMesh:
    """Places the points of faces, one face to a square.

    Parameters
    ----------
    graph
        The network.

    References
    ----------
    Kartynnik et al. (2019). Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs. arXiv:1907.06724
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    @classmethod
    def load(cls, runtime: Runtime = TORCH) -> Self:
        """Make the network with its weights.

        Raises
        ------
        AssetError
            If the file cannot be had or is malformed.
        """
        return cls(runtime.graph(read_member(assets.path("face_landmarker.task"), _MEMBER), _MEMBER))

    def __call__(self, frames: Tensor, squares: Squares) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Place the points.

        Parameters
        ----------
        frames
            (n_frame, height, width, 3) uint8.
        squares
            Where the faces are.

        Returns
        -------
        landmarks
            (n, 478, 3) in pixels of the frame; z in the same scale (up to a factor that grows with the
            tilt of the head in frames that are not square), smaller is nearer to the camera.
        presence
            (n,) probability that there is a face in the square.
        """
        points, presence = [np.empty((0, N_LANDMARKS, 3), np.float32)], [np.empty(0, np.float32)]
        with torch.inference_mode():
            for start in range(0, len(squares), _FACES_AT_ONCE):
                some = squares[start : start + _FACES_AT_ONCE]
                mesh, logit, _ = self._graph(crop(frames, some, _SIZE, border="replicate").div_(255))
                points.append(mesh.cpu().numpy().reshape(-1, N_LANDMARKS, 3))
                presence.append(logit.cpu().numpy().ravel())
        places = np.concatenate(points).astype(np.float64) / _SIZE
        depth = places[:, :, 2] * _depth_scale(squares, width=frames.shape[2], height=frames.shape[1])[:, None]
        landmarks = np.concatenate([to_frame(places[:, :, :2], squares), depth[:, :, None]], axis=2, dtype=np.float32)
        return landmarks, 1 / (1 + np.exp(-np.concatenate(presence).astype(np.float64)))


def _depth_scale(squares: Squares, width: int, height: int) -> NDArray[np.float64]:
    """Pixels to a unit of depth.

    This would be the side of the square, but MediaPipe takes it in coordinates that are relative to width and height
    of the frame, where a turned square is no square. Its poses rest on that, so it is kept.
    """
    scale: NDArray[np.float64] = squares.size * np.hypot(
        np.cos(squares.rotation), np.sin(squares.rotation) * width / height
    )
    return scale
