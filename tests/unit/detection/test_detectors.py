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


def test_load_detector__embedding() -> None:
    with pytest.raises(InputError, match="found embedding=True; expected False"):
        load_detector("mediapipe", embedding=True)


def test_load_detector__device() -> None:
    with pytest.raises(InputError, match="found device='tpu'"):
        load_detector("mediapipe", device="tpu")
