"""The adapter on py-feat's own classes, with random weights; `make test-pyfeat` runs this in an environment of its own.

py-feat's weights come from a hub, which a test does not ask. What the networks say is therefore noise, and where faces
are is told to the classes; but tables, columns, dtypes and their translation are theirs.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn

import facearray as fa
from facearray.detection.contract import check_detector, run_detector
from facearray.detection.pyfeat import PyFeatDetector

pytestmark = pytest.mark.skipif(importlib.util.find_spec("feat") is None, reason="needs py-feat: make test-pyfeat")

#: Options of Detectorv1 without those parts whose models are no networks, and cannot be random.
WITHOUT = {"au_model": None, "emotion_model": None}


#: Operators that torchvision's library has, and its Python code asks for when it is imported.
OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    *(
        f"{name}(Tensor x) -> Tensor"
        for name in "qnms ps_roi_align ps_roi_pool qroi_align roi_align roi_pool deform_conv2d".split()
    ),
    *(f"_{name}_backward(Tensor x) -> Tensor" for name in "ps_roi_align ps_roi_pool roi_align roi_pool".split()),
)


def fit_torchvision() -> torch.library.Library | None:
    """Let torchvision be imported beside a torch of another build, where its library does not load.

    The one operator that is called, suppression of faces that overlap, is replaced as where faces are is told anyway.
    """
    folder = Path(importlib.util.find_spec("torchvision").origin).parent
    try:
        for library in folder.glob("_C*.so"):  # its name differs between releases
            torch.ops.load_library(str(library))
    except OSError:
        operators = torch.library.Library("torchvision", "DEF")
        for schema in OPERATORS:
            operators.define(schema)
        return operators
    return None


def replace_decoder() -> None:
    """Let py-feat be imported where torchcodec finds no FFmpeg: frames are decoded already."""
    try:
        importlib.import_module("torchcodec.decoders")
    except (ImportError, OSError, RuntimeError):
        for name in ("torchcodec", "torchcodec.decoders"):
            sys.modules[name] = Mock()


@pytest.fixture(scope="module")
def feat():
    """py-feat, which neither fetches nor loads weights."""
    kept = fit_torchvision()
    replace_decoder()
    with pytest.MonkeyPatch.context() as patch:
        import huggingface_hub
        import safetensors.torch

        patch.setattr(huggingface_hub, "hf_hub_download", lambda *args, **options: "random")
        patch.setattr(safetensors.torch, "load_file", lambda *args, **options: {})
        feat = importlib.import_module("feat")
        utils, inference = importlib.import_module("feat.utils"), importlib.import_module("feat.multitask.inference")
        patch.setattr(utils, "hf_hub_download_with_fallback", lambda *args, **options: "random")
        heads = {"use_head_v3": True, "drop_mefl": True, "mesh_normalized": True}  # of the network that is published
        config = {"n_au": 20, "n_emotion": 7, "n_blendshape": 52, **heads}
        patch.setattr(inference, "_load_multitask_weights", lambda path: (config, {}))
        nothing_missing = nn.modules.module._IncompatibleKeys([], [])
        patch.setattr(nn.Module, "load_state_dict", lambda self, *args, **options: nothing_missing)
        patch.setattr(torch, "load", lambda *args, **options: {"state_dict": {}})
        for name, module in list(sys.modules.items()):
            if name.startswith("feat.") and hasattr(module, "hf_hub_download"):
                patch.setattr(module, "hf_hub_download", lambda *args, **options: "random")
            if name.startswith("feat.") and hasattr(module, "load_file"):
                patch.setattr(module, "load_file", lambda *args, **options: {})
        torch.manual_seed(0)
        yield feat
    del kept


def adapted(detector, name: str) -> PyFeatDetector:
    """Adapt a detector that finds one face in bright frames, two in brighter ones, always at the same places."""

    def faces(frames: torch.Tensor) -> list[list[list[float]]]:
        boxes = [[20.0, 20.0, 80.0, 90.0, 0.9], [100.0, 10.0, 180.0, 110.0, 0.8]]
        return [boxes[: int(frame.mean() // 60)] for frame in frames]

    setattr(detector, "face_detector" if hasattr(detector, "face_detector") else "facepose_detector", faces)
    return PyFeatDetector(detector, name=name, release="2.1.5", device="cpu", embedding=True)


@pytest.fixture(scope="module", params=["Detectorv2", "Detectorv1"])
def detector(request: pytest.FixtureRequest, feat):
    made = getattr(feat, request.param)(device="cpu", **(WITHOUT if request.param == "Detectorv1" else {}))
    return adapted(made, request.param)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(low, low + 30, (120, 200, 3), dtype=np.uint8) for low in (65, 0, 125)])


def test_detector__says_what_it_gives(detector):
    check_detector(detector)
    is_v2 = detector.name == "Detectorv2"
    assert (detector.n_landmarks, detector.n_components) == (478 if is_v2 else 68, 512)
    groups = ["facebox", "aus", "emotions", "gaze", *(["affect", "blendshapes"] if is_v2 else [])]
    expected = {name for group in groups for name in fa.schema.GROUPS[group].features} | {"Pitch", "Roll", "Yaw"}
    assert expected == set(detector.features) - set(detector.other)


def test_detector__faces(detector, frames):
    faces = run_detector(detector, frames)
    np.testing.assert_array_equal(faces.frame, [0, 2, 2])
    np.testing.assert_array_equal(faces.n_found, [1, 0, 2])
    box = faces.features[:, [detector.features.index(f"FaceRect{part}") for part in ("X", "Y", "Width", "Height")]]
    centre = box[:, :2] + box[:, 2:] / 2
    np.testing.assert_allclose(centre, [[50, 55], [140, 60], [50, 55]], atol=2)
    assert np.isfinite(faces.landmarks[..., :2]).all()
    np.testing.assert_allclose(np.linalg.norm(faces.embedding, axis=1), 1, atol=1e-5)


def test_detect_frames(detector, frames):
    ds = fa.detect_frames(frames, detector=detector, max_faces=2, embedding=True)
    fa.schema.validate(ds)
    assert ds.n_faces_found.values.tolist() == [[1, 0, 2]]
