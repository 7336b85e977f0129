from __future__ import annotations

import pytest

from facearray.detection.detector import Detector
from facearray.detection.detectors import load_detector
from facearray.errors import InputError


def test_load_detector__mediapipe(asset) -> None:
    detector = load_detector("mediapipe", device="cpu", landmarks=False, embedding=False)
    assert isinstance(detector, Detector)
    assert (detector.name, detector.device, detector.n_landmarks, detector.n_components) == (
        "mediapipe",
        "cpu",
        None,
        None,
    )


def test_load_detector__unknown() -> None:
    with pytest.raises(InputError, match=r"unknown detector 'mediapip' \(did you mean 'mediapipe'\?\)"):
        load_detector("mediapip")


def test_load_detector__embedding(asset) -> None:
    detector = load_detector("mediapipe", device="cpu", embedding=True, max_faces=None)
    assert detector.n_components == 128
    assert set(detector.assets) > set(load_detector("mediapipe", device="cpu").assets)


def test_load_detector__no_faces() -> None:
    with pytest.raises(InputError, match="found max_faces=0; expected a whole number of at least 1, or None"):
        load_detector("mediapipe", max_faces=0)


def test_load_detector__device() -> None:
    with pytest.raises(InputError, match="found device='tpu'"):
        load_detector("mediapipe", device="tpu")
