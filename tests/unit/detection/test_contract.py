"""Detectors that keep their promises, and all ways not to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facearray.detection.contract import check_detector, load_networks, run_detector
from facearray.detection.detector import Faces
from facearray.errors import AssetError, DetectorError, InputError
from facearray.testing import FakeDetector

FRAMES = np.full((3, 4, 6, 3), 51, np.uint8)
GOOD = FakeDetector()(FRAMES)


class Returns(FakeDetector):
    """Returns what it is told."""

    def __init__(self, faces, **fields):
        super().__init__(**fields)
        object.__setattr__(self, "faces", faces)

    def __call__(self, frames):
        return self.faces


def changed(name: str, index: tuple, value: float) -> Faces:
    array = getattr(GOOD, name).copy()
    array[index] = value
    return replace(GOOD, **{name: array})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "found name=''; expected a text that is not empty"),
        ({"version": 2}, "found version=2"),
        ({"device": None}, "found device=None"),
        ({"features": ()}, r"found features=\(\); expected a tuple of names"),
        ({"features": "AU12"}, "found features='AU12'"),
        ({"features": ("AU12", "AU12")}, "each once"),
        ({"features": ("AU12", "AU1")}, r"unknown feature 'AU1' \(did you mean 'AU01'\?\).*other = "),
        ({"n_landmarks": 0}, "found n_landmarks=0; expected a whole number of at least 1, or None"),
        ({"n_landmarks": True}, "found n_landmarks=True"),
        ({"assets": None}, "found assets=None; expected a mapping"),
        ({"assets": {"net.pt": 3}}, "found assets="),
    ],
)
def test_check_detector__wrong(fields, message):
    with pytest.raises(InputError, match=message):
        check_detector(FakeDetector(**fields))


@pytest.mark.parametrize("other", [("redness",), {"redness": "how red"}, {"redness": ("", 3)}])
def test_check_detector__other_that_describes_nothing(other):
    detector = FakeDetector(features=("redness",))
    object.__setattr__(detector, "other", other)
    with pytest.raises(InputError, match=r"found other=.*expected a mapping of feature names to \(unit, description\)"):
        check_detector(detector)


def test_check_detector__measures_of_its_own():
    detector = FakeDetector(features=("AU12", "redness"))
    object.__setattr__(detector, "other", {"redness": ("", "how red it is")})
    check_detector(detector)


def test_check_detector__everything_at_once():
    with pytest.raises(InputError) as caught:
        check_detector(object())
    text = str(caught.value)
    names = ("name", "version", "device", "features", "n_landmarks", "n_components", "assets", "nothing to call")
    assert all(f"found no {name}" in text or f"found {name}" in text for name in names)


class Loads(FakeDetector):
    """Raises what it is told when it is loaded."""

    def __init__(self, error):
        super().__init__()
        object.__setattr__(self, "error", error)

    def load(self):
        raise self.error


def test_load_networks__names_what_was_raised():
    load_networks(FakeDetector())  # nothing to load
    with pytest.raises(DetectorError, match="detector 'fake' cannot be loaded: KeyError: 'weights'; expected load"):
        load_networks(Loads(KeyError("weights")))
    with pytest.raises(AssetError, match="no such file"):
        load_networks(Loads(AssetError("no such file")))


def test_run_detector__keeps_what_is_right():
    faces = run_detector(FakeDetector(), FRAMES)
    for name in ("frame", "n_found", "features", "landmarks"):
        np.testing.assert_array_equal(getattr(faces, name), getattr(GOOD, name))


def test_run_detector__casts_to_the_dtypes_of_the_store():
    loose = Faces(
        frame=[0, 1, 2],
        n_found=GOOD.n_found.astype(np.int64),
        features=torch.from_numpy(GOOD.features.astype(np.float64)),
        landmarks=torch.from_numpy(GOOD.landmarks),
    )
    faces = run_detector(Returns(loose), FRAMES)
    assert (faces.frame.dtype, faces.n_found.dtype) == (np.intp, np.int16)
    assert faces.features.dtype == faces.landmarks.dtype == np.float32
    np.testing.assert_array_equal(faces.features, GOOD.features)


def test_run_detector__a_measure_may_be_missing():
    faces = changed("features", (1, 5), np.nan)
    np.testing.assert_array_equal(run_detector(Returns(faces), FRAMES).features, faces.features)


@pytest.mark.parametrize(
    ("faces", "message"),
    [
        (None, "found a NoneType; expected facearray.detectors.Faces"),
        ({"features": 1}, "found a dict"),
        (replace(GOOD, frame=np.array([[0], [1], [2]])), r"found frame of shape \(3, 1\)"),
        (replace(GOOD, frame=np.array([0, 2, 1])), "expected ascending ones below 3"),
        (replace(GOOD, frame=np.array([0, 1, 3])), "below 3"),
        (replace(GOOD, frame=np.array([0, 1, 1.5])), "found frame that is no array of int64"),
        (replace(GOOD, features=GOOD.features[:, 1:]), r"features of shape \(3, 6\); expected \(3, 7\)"),
        (replace(GOOD, features=np.array([["a"]])), "found features that is no array of float32"),
        (replace(GOOD, landmarks=None), r"landmarks of shape None; expected \(3, 478, 3\)"),
        (replace(GOOD, embedding=np.ones((3, 4))), r"embedding of shape \(3, 4\); expected None"),
        (replace(GOOD, n_found=np.zeros(3, np.int16)), "n_found below the number of described faces in frames 0, 1, 2"),
        (changed("features", (1, 5), np.inf), "found infinite features in frames 1; expected NaN"),
        (changed("features", 2, np.nan), r"faces without any measure \(all NaN\) in frames 2"),
        (changed("features", (0, 1), np.nan), "NaN in FaceRectX, .* in frames 0"),
        (changed("landmarks", 1, np.nan), r"faces without a landmark \(all NaN\) in frames 1"),
    ],
)
def test_run_detector__broken_contract(faces, message):
    with pytest.raises(DetectorError, match=f"detector 'fake' broke its contract.*{message}"):
        run_detector(Returns(faces), FRAMES)


def test_run_detector__embeddings_of_unit_norm():
    embedding = np.eye(3, 4, dtype=np.float32)
    embedding[1] = np.nan
    detector = Returns(replace(GOOD, embedding=embedding), n_components=4)
    np.testing.assert_array_equal(run_detector(detector, FRAMES).embedding, embedding)
    wrong = Returns(replace(GOOD, embedding=1.1 * embedding), n_components=4)
    with pytest.raises(DetectorError, match="embeddings that are not of unit norm in frames 0, 2"):
        run_detector(wrong, FRAMES)


def test_run_detector__names_what_the_detector_raised():
    class Broken(FakeDetector):
        def __call__(self, frames):
            raise RuntimeError("too bright")

    with pytest.raises(DetectorError, match="raised RuntimeError on 3 frames of 6x4: too bright"):
        run_detector(Broken(), FRAMES)
