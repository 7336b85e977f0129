from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from facearray.models.blendshapes import BlendshapeNet
from facearray.models.face_detection import SHORT_RANGE, FaceDetector
from facearray.models.landmarks import SQUARE_SCALE, FaceMesh
from facearray.schema import feature_names


@pytest.fixture(scope="module")
def net(asset: Callable[[str], Path]) -> BlendshapeNet:
    return BlendshapeNet.load()


@pytest.fixture(scope="module")
def landmarks(asset: Callable[[str], Path]) -> dict[str, NDArray[np.float32]]:
    """Points of faces that were told which expression to make."""
    files = {"surprise": "0-f1-su-ph.jpg", "happiness": "0-f15-hao-ph.jpg"}
    found = {}
    for expression, name in files.items():
        frame = torch.from_numpy(np.array(Image.open(asset(name)).convert("RGB"))[None])
        detections = FaceDetector.load(SHORT_RANGE)(frame, np.array([0]))
        found[expression] = FaceMesh.load()(frame, detections.squares(SQUARE_SCALE))[0]
    return found


def test_blendshape_net__posed_expressions(net: BlendshapeNet, landmarks: dict[str, NDArray[np.float32]]) -> None:
    names = feature_names("blendshapes")
    surprise, happiness = (dict(zip(names, net(landmarks[name])[0], strict=True)) for name in ("surprise", "happiness"))
    assert surprise["jawOpen"] > 0.3
    assert surprise["browInnerUp"] > 0.3
    assert surprise["mouthSmileLeft"] < 0.2
    assert happiness["mouthSmileLeft"] > 0.6
    assert happiness["mouthSmileRight"] > 0.6


def test_blendshape_net__place_and_scale_do_not_matter(
    net: BlendshapeNet, landmarks: dict[str, NDArray[np.float32]]
) -> None:
    points = landmarks["surprise"]
    np.testing.assert_allclose(net(points * 0.7 + 40), net(points), atol=2e-3)


def test_blendshape_net__depth_does_not_matter(net: BlendshapeNet, landmarks: dict[str, NDArray[np.float32]]) -> None:
    points = landmarks["surprise"]
    np.testing.assert_array_equal(net(points * np.float32([1, 1, 0])), net(points))


def test_blendshape_net__no_face(net: BlendshapeNet) -> None:
    assert net(np.empty((0, 478, 3), np.float32)).shape == (0, 52)
