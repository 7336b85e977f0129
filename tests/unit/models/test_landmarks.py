from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from facearray.models.crops import Squares
from facearray.models.face_detection import SHORT_RANGE, FaceDetector
from facearray.models.landmarks import SQUARE_SCALE, FaceMesh


def fake_mesh(points: NDArray, logit: float = 0.0) -> FaceMesh:
    """A mesh network that answers the same to every picture."""

    def graph(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        n = len(pictures)
        mesh = torch.from_numpy(points.astype(np.float32)).reshape(1, 1, 1, -1).expand(n, -1, -1, -1)
        return mesh, torch.full((n, 1, 1, 1), logit), torch.zeros(n, 1)

    return FaceMesh(graph)


def test_face_mesh__in_pixels_of_the_frame() -> None:
    points = np.zeros((478, 3))
    points[:3] = [[128, 128, 0], [256, 128, 64], [128, 256, -64]]
    squares = Squares(np.array([0]), np.array([[50.0, 40.0]]), np.array([20.0]), np.array([np.pi / 2]))
    landmarks, presence = fake_mesh(points)(torch.zeros(1, 100, 100, 3, dtype=torch.uint8), squares)
    np.testing.assert_allclose(landmarks[0, :3], [[50, 40, 0], [50, 50, 5], [40, 40, -5]], atol=1e-5)
    np.testing.assert_allclose(presence, 0.5)


def test_face_mesh__depth_of_a_turned_square_in_a_wide_frame() -> None:
    points = np.full((478, 3), 256.0)
    quarter = Squares(np.array([0]), np.array([[50.0, 40.0]]), np.array([20.0]), np.array([np.pi / 2]))
    landmarks, _ = fake_mesh(points)(torch.zeros(1, 50, 100, 3, dtype=torch.uint8), quarter)
    np.testing.assert_allclose(landmarks[0, 0, 2], 40.0, rtol=1e-6)


def test_face_mesh__no_face() -> None:
    landmarks, presence = fake_mesh(np.zeros((478, 3)))(
        torch.zeros(1, 9, 9, 3, dtype=torch.uint8), Squares.upright([], np.empty((0, 2)), [])
    )
    assert (landmarks.shape, presence.shape) == ((0, 478, 3), (0,))


@pytest.fixture(scope="module")
def face(asset: Callable[[str], Path]) -> tuple[NDArray[np.uint8], Squares]:
    frame = np.array(Image.open(asset("single_face.jpg")).convert("RGB"))[None]
    detections = FaceDetector.load(SHORT_RANGE)(torch.from_numpy(frame), np.array([0]))
    return frame, detections.squares(SQUARE_SCALE)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_face_mesh__turns_with_the_picture(turns: int, face: tuple[NDArray[np.uint8], Squares]) -> None:
    frame, square = face
    side = min(frame.shape[1:3])
    frame = np.ascontiguousarray(frame[:, :side, :side])
    mesh = FaceMesh.load()
    upright, _ = mesh(torch.from_numpy(frame), square)

    centre, expected = square.centre, upright[0, :, :2]
    for _ in range(turns):  # a quarter counter-clockwise
        centre = np.column_stack([centre[:, 1], side - 1 - centre[:, 0]])
        expected = np.column_stack([expected[:, 1], side - 1 - expected[:, 0]])
    turned = Squares(square.frame, centre, square.size, square.rotation - turns * np.pi / 2)
    found, presence = mesh(torch.from_numpy(np.rot90(frame, turns, axes=(1, 2)).copy()), turned)

    np.testing.assert_allclose(found[0, :, :2], expected, atol=0.05)
    assert presence[0] > 0.99


def test_face_mesh__presence_tells_a_face_from_none(face: tuple[NDArray[np.uint8], Squares]) -> None:
    frame, square = face
    mesh = FaceMesh.load()
    assert mesh(torch.from_numpy(frame), square)[1][0] > 0.99
    assert mesh(torch.from_numpy(np.full_like(frame, 90)), square)[1][0] < 0.1
