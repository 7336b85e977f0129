"""LiteRT behind the interface of the torch graphs: the same numbers, from any thread, in any batch."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from facearray.detection.mediapipe import MediaPipeDetector
from facearray.errors import AssetError, InputError
from facearray.models.blendshapes import BlendshapeNet
from facearray.models.bundle import read_member
from facearray.models.emotions import EmotionNet
from facearray.models.face_detection import SHORT_RANGE, WIDE_RANGE
from facearray.models.litert import LiteRTGraph
from facearray.models.mesh_measures import resting_landmarks
from facearray.models.runtime import TORCH, Runtime
from facearray.models.tflite import load_tflite

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
LITERT = Runtime("litert")


@pytest.fixture(scope="module")
def meshes(asset) -> bytes:
    return read_member(asset("face_landmarker.task"), "face_landmarks_detector.tflite")


@pytest.mark.parametrize("variant", [SHORT_RANGE, WIDE_RANGE], ids=["short", "wide"])
def test_graph__detectors_as_torch(variant, asset):
    data = variant.read()
    x = torch.rand(2, variant.size, variant.size, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        for found, expected in zip(LiteRTGraph(data, "a")(x), load_tflite(data, "a")(x), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=5e-4)


def test_graph__mesh_as_torch(meshes):
    x = torch.rand(2, 256, 256, 3, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for found, expected in zip(LiteRTGraph(meshes, "a")(x), load_tflite(meshes, "a")(x), strict=True):
            torch.testing.assert_close(found.flatten(1), expected.flatten(1), rtol=0, atol=1e-3)


def test_graph__same_values_in_any_batch_and_thread(meshes):
    graph = LiteRTGraph(meshes, "mesh")
    x = torch.rand(5, 256, 256, 3, generator=torch.Generator().manual_seed(0))
    together = graph(x)
    with ThreadPoolExecutor(3) as pool:
        parts = list(pool.map(graph, [x[:1], x[1:3], x[3:], x[:1], x[1:3], x[3:]]))
    for start in (0, 3):
        for output, whole in enumerate(together):
            assert torch.equal(torch.cat([part[output] for part in parts[start : start + 3]]), whole)


def test_graph__memory_of_earlier_results_is_their_own(meshes):
    graph = LiteRTGraph(meshes, "mesh")
    first = graph(torch.zeros(1, 256, 256, 3))[0]
    kept = first.clone()
    graph(torch.ones(1, 256, 256, 3))
    assert torch.equal(first, kept)


def test_graph__no_samples(meshes):
    assert LiteRTGraph(meshes, "mesh")(torch.zeros(0, 256, 256, 3))[0].shape[0] == 0


def test_graph__wrong_shape(meshes):
    with pytest.raises(ValueError, match=r"found inputs of shape \(\(8, 8, 3\),\); expected \(\(256, 256, 3\),\)"):
        LiteRTGraph(meshes, "mesh")(torch.zeros(1, 8, 8, 3))


def test_graph__damaged_file(meshes):
    for data in (b"", b"no model", meshes[: len(meshes) // 2]):
        with pytest.raises(AssetError, match=r"mesh\.tflite: LiteRT cannot read it"):
            LiteRTGraph(data, "mesh.tflite")


def test_graph__package_that_does_not_load(meshes, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match=r"found no LiteRT that loads .*facearray\[litert\], or use runtime='torch'"):
        LiteRTGraph(meshes, "mesh")


def test_blendshapes__as_torch(asset):
    points = (resting_landmarks()[None] * 30 + np.random.default_rng(0).normal(size=(3, 478, 3))).astype(np.float32)
    found, expected = (BlendshapeNet.load(runtime)(points) for runtime in (LITERT, TORCH))
    assert found.shape == expected.shape == (3, 52)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_emotion_net__as_torch(asset):
    faces = 255 * torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        found, expected = (EmotionNet.load(runtime)(faces) for runtime in (LITERT, TORCH))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_detector__as_torch(asset):
    by = {
        name: MediaPipeDetector(device="cpu", runtime=name, embedding=True, max_faces=None)
        for name in ("litert", "torch")
    }
    assert (by["torch"].version, by["litert"].version) == ("2", "2+litert")
    for picture in ("multi_face.jpg", "0-f15-hao-ph.jpg"):
        frame = np.array(Image.open(asset(picture)).convert("RGB"))[None]
        found, expected = by["litert"](frame), by["torch"](frame)
        np.testing.assert_array_equal(found.frame, expected.frame)
        np.testing.assert_allclose(found.landmarks, expected.landmarks, rtol=0, atol=0.01)
        np.testing.assert_allclose(found.features, expected.features, rtol=0, atol=0.01)
        np.testing.assert_allclose(found.embedding, expected.embedding, rtol=0, atol=1e-3)
