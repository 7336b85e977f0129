from __future__ import annotations

import shutil
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest

import facearray as fa
from facearray.detection import detectors as detectors_module
from facearray.detection.detector import Detector
from facearray.detection.detectors import load_detector
from facearray.errors import AssetError, DetectorError, InputError
from facearray.testing import FakeDetector


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


def test_load_detector__model_file_that_was_changed_since(asset, tmp_path, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    for name in load_detector("mediapipe", device="cpu").assets:
        shutil.copy(asset(name), folder)
    monkeypatch.setenv("FACEARRAY_ASSETS", str(folder))
    load_detector("mediapipe", device="cpu")
    file = folder / "face_expression_model.bin"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(AssetError, match=r"(?s)not the registered ones:.*face_expression_model\.bin"):
        fa.detect_frames(np.zeros((8, 8, 3), np.uint8), device="cpu")


# --- plug-ins ---------------------------------------------------------------------------------------------------------


def good(**options):
    return FakeDetector(version=str(sorted(options)))


def takes_some(device, landmarks=True):
    return FakeDetector(device="cpu" if device == "auto" else device, n_landmarks=3 if landmarks else None)


def raises():
    raise KeyError("weights")


def returns_nothing():
    return None


def misspells():
    return FakeDetector(features=("AU12", "hapiness"))


not_callable = 3


@pytest.fixture
def plug(monkeypatch):
    """Return a function that makes (name, attribute of this module) known as detectors."""
    monkeypatch.setitem(sys.modules, "plugged", sys.modules[__name__])

    def plug(*named: tuple[str, str]) -> None:
        entries = [
            EntryPoint(name, value if ":" in value else f"plugged:{value}", detectors_module.GROUP)
            for name, value in named
        ]
        monkeypatch.setattr(detectors_module, "entry_points", lambda group: [e for e in entries if e.group == group])

    return plug


def test_load_detector__plugin_gets_the_options_that_it_takes(plug):
    plug(("mine", "good"), ("other", "takes_some"))
    assert fa.detectors.list() == sorted({*detectors_module.BUILT_IN, "mine", "other"})
    every = ["compile", "device", "embedding", "landmarks", "max_faces", "runtime"]
    assert fa.detectors.load("mine").version == str(every)
    assert load_detector("other", device="cuda:1", landmarks=False, max_faces=5) == FakeDetector(
        device="cuda:1", n_landmarks=None
    )


def test_load_detector__options_that_a_plugin_has_not(plug):
    plug(("mine", "takes_some"))
    message = "found compile=True; detector 'mine' has no such option; found runtime='litert'; detector 'mine' has no"
    with pytest.raises(InputError, match=message):
        load_detector("mine", compile=True, runtime="litert")


@pytest.mark.parametrize(
    ("attribute", "error", "message"),
    [
        ("raises", DetectorError, "detector 'mine' cannot be made: KeyError: 'weights'"),
        ("returns_nothing", InputError, "'NoneType' is no detector"),
        ("misspells", InputError, r"unknown feature 'hapiness' \(did you mean 'happiness'"),
        ("not_callable", DetectorError, "which cannot be called; expected a class or function"),
        ("gone", DetectorError, "detector 'mine' of package unknown cannot be loaded: AttributeError"),
        ("no_such_module:make", DetectorError, "cannot be loaded: ModuleNotFoundError: .*no_such_module"),
    ],
)
def test_load_detector__faults_of_a_plugin_are_named(plug, attribute, error, message):
    plug(("mine", attribute))
    with pytest.raises(error, match=message):
        load_detector("mine")


def test_load_detector__two_packages_of_one_name(plug):
    plug(("mine", "good"), ("mine", "raises"))
    with pytest.raises(InputError, match=r"found detector 'mine' in several packages .*expected one"):
        load_detector("mine")


def test_load_detector__a_plugin_does_not_replace_what_is_built_in(plug, asset):
    plug(("mediapipe", "good"))
    assert load_detector("mediapipe", device="cpu").name == "mediapipe"


# --- runtimes ---------------------------------------------------------------------------------------------------------


def test_load_detector__runtime_is_part_of_the_version(asset):
    pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")
    versions = {
        name: load_detector("mediapipe", device="cpu", runtime=name).version for name in ("torch", "litert", "auto")
    }
    assert versions == {"torch": "2", "litert": "2+litert", "auto": "2+litert"}


def test_load_detector__runtime_that_is_not_installed(asset, monkeypatch):
    monkeypatch.setattr("facearray.detection.devices.find_spec", lambda name: None)
    assert load_detector("mediapipe", device="cpu").version == "2"
    with pytest.raises(InputError, match=r"no package ai-edge-litert; install it: facearray\[litert\]"):
        load_detector("mediapipe", device="cpu", runtime="litert")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "lite"}, r"unknown runtime 'lite' \(did you mean 'litert'\?\); known: auto, litert, torch"),
        ({"runtime": "litert", "compile": True}, "found runtime='litert' and compile=True; expected one of them"),
    ],
)
def test_load_detector__runtime_that_cannot_be(asset, options, message):
    with pytest.raises(InputError, match=message):
        load_detector("mediapipe", device="cpu", **options)


@pytest.mark.parametrize("options", [{"device": "cuda"}, {"runtime": "torch"}, {"compile": True}])
def test_detect__options_come_too_late_for_a_detector_that_is_made(options):
    (name, value), *_ = options.items()
    with pytest.raises(
        InputError, match=f"found {name}={value!r} for a detector 'fake' that is made already, on 'cpu'"
    ):
        fa.detect_frames(np.zeros((8, 8, 3), np.uint8), detector=FakeDetector(), **options)
