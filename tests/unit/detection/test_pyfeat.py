"""The adapter for py-feat, on a stand-in with the return type and columns of py-feat 2.1.5.

``make test-pyfeat`` runs it on py-feat's own classes.
"""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

import facearray as fa
from facearray.detection import pyfeat
from facearray.detection.contract import check_detector, run_detector
from facearray.detection.detectors import load_detector
from facearray.errors import DetectorError, InputError
from facearray.schema import FEATURES, GROUPS

BOX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
POSE = ["Pitch", "Roll", "Yaw", "X", "Y", "Z"]
POINTS = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
MESH = [f"mesh_{axis}_{i}" for axis in "xyz" for i in range(478)]
GAZE = ["gaze_pitch", "gaze_yaw", "gaze_angle"]
IDENTITY = [f"Identity_{i}" for i in range(1, 513)]
AUS = list(GROUPS["aus"].features)
EMOTIONS_2 = ["Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger"]
SIZE = ["FrameHeight", "FrameWidth"]

#: Measures in the order in which each class returns them.
COLUMNS = {
    "Detectorv2": [
        *(*BOX, *POINTS, *POSE, *AUS, *EMOTIONS_2, "valence", "arousal", *GAZE, *IDENTITY, *MESH),
        *(*GROUPS["blendshapes"].features, *SIZE),
    ],
    "Detectorv1": [*BOX, *POINTS, *POSE, *AUS, *GROUPS["emotions"].features, *IDENTITY, *GAZE, *SIZE],
}


class Fex(pd.DataFrame):
    """A table with attributes, as py-feat's."""

    _metadata = ("au_columns", "detector")

    @property
    def _constructor(self):
        return Fex


class StandIn(torch.nn.Module):
    """Finds as many faces in a frame as its first pixel says, the small ones first; no two values are alike."""

    columns: list[str]

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()
        self.device = device
        self.net = torch.nn.Linear(2, 1)
        self.calls: list[tuple[tuple[int, ...], int]] = []

    def detect(self, inputs, data_type="image", batch_size=1, progress_bar=True, **kwargs):
        assert (data_type, progress_bar, inputs.dtype) == ("tensor", False, torch.uint8)
        self.calls.append((tuple(inputs.shape), batch_size))
        rows = []
        for frame, picture in enumerate(inputs):
            n = int(picture[0, 0, 0])
            for face in range(max(n, 1)):
                values = row(self.columns, int(picture[1, 0, 0]), face) if n else np.full(len(self.columns), np.nan)
                table = dict(zip(self.columns, values, strict=True))
                table |= {
                    "FaceScore": 0.9 if n else 0.0,
                    "FrameHeight": picture.shape[1],
                    "FrameWidth": picture.shape[2],
                }
                rows.append({**table, "input": "tensor", "frame": frame, "Identity": f"Person_{face}"})
        found = Fex(rows)
        found.detector = type(self).__name__
        return found


def row(columns: list[str], seed: int, face: int) -> NDArray[np.float64]:
    values = np.random.default_rng([seed, face]).uniform(0.1, 0.9, len(columns))
    values[:4] = 10 * face, 5, 20 + 10 * face, 30 + 10 * face
    return values


Detectorv2 = type("Detectorv2", (StandIn,), {"columns": COLUMNS["Detectorv2"]})
Detectorv1 = type("Detectorv1", (StandIn,), {"columns": COLUMNS["Detectorv1"]})


def frames(*counts: int) -> NDArray[np.uint8]:
    """Frames in which the stand-in finds so many faces; each has other values."""
    pictures = np.zeros((len(counts), 16, 24, 3), np.uint8)
    pictures[:, 0, 0, 0] = counts
    pictures[:, 0, 0, 1] = np.arange(len(counts)) + 1
    return pictures


@pytest.fixture
def feat(monkeypatch):
    """py-feat, in so far as it is used."""
    module = ModuleType("feat")
    module.Detectorv1, module.Detectorv2 = Detectorv1, Detectorv2
    monkeypatch.setitem(sys.modules, "feat", module)
    monkeypatch.setattr(pyfeat, "version", lambda name: "2.1.5")
    return module


#: Name of our detector, and of py-feat's class.
BOTH = pytest.mark.parametrize(("name", "kind"), [("pyfeat", "Detectorv2"), ("pyfeat-v1", "Detectorv1")])


@BOTH
def test_detector__says_what_it_gives(feat, name, kind):
    detector = load_detector(name, device="cpu", embedding=True)
    check_detector(detector)
    assert (detector.name, detector.version, detector.device) == (name, "2.1.5+facearray.1", "cpu")
    assert (detector.n_landmarks, detector.n_components) == (478 if kind == "Detectorv2" else 68, 512)
    groups = ["facebox", "aus", "emotions", "gaze"] + (["affect", "blendshapes"] if kind == "Detectorv2" else [])
    expected = {name for group in groups for name in GROUPS[group].features} | {"Pitch", "Roll", "Yaw"}
    assert {name for name in detector.features if name in FEATURES} == expected
    own = {"pose_X", "pose_Y", "pose_Z", "gaze_angle"} | (set(POINTS) if kind == "Detectorv2" else set())
    assert set(detector.other) == set(detector.features) - expected == own
    assert list(detector.assets) == ["net"]
    assert len(detector.assets["net"]) == 64


@BOTH
def test_detector__translates_every_column(feat, name, kind):
    columns = COLUMNS[kind]
    found = run_detector(load_detector(name, device="cpu", embedding=True), frames(1))
    given = dict(zip(columns, row(columns, 1, 0), strict=True)) | {"FaceScore": 0.9}
    left = set(columns) - {"FrameHeight", "FrameWidth"}
    values = dict(zip(load_detector(name, device="cpu").features, found.features[0].tolist(), strict=True))

    def same(feature: str, column: str, factor: float = 1.0) -> None:
        assert values[feature] == pytest.approx(factor * given[column], rel=1e-6), feature
        left.discard(column)

    degrees = 180 / np.pi
    for feature, sign in {"Pitch": -1, "Roll": 1, "Yaw": -1, "gaze_pitch": -1, "gaze_yaw": -1, "gaze_angle": 1}.items():
        same(feature, feature, sign * degrees)
    for axis in "XYZ":
        same(f"pose_{axis}", axis)
    renamed = dict(
        zip(["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"], EMOTIONS_2, strict=True)
    )
    for feature, column in renamed.items():
        same(feature, column if kind == "Detectorv2" else feature)
    for feature in [
        *BOX,
        *AUS,
        *(["valence", "arousal", *GROUPS["blendshapes"].features] if kind == "Detectorv2" else []),
    ]:
        same(feature, feature)
    norm = np.linalg.norm([given[column] for column in IDENTITY])
    np.testing.assert_allclose(found.embedding[0], [given[column] / norm for column in IDENTITY], rtol=1e-5)
    left -= set(IDENTITY)
    form, axes, n = ("mesh_{}_{}", "xyz", 478) if kind == "Detectorv2" else ("{}_{}", "xy", 68)
    for k, axis in enumerate(axes):
        wanted = [given[form.format(axis, i)] * (given["FaceRectWidth"] if axis == "z" else 1) for i in range(n)]
        np.testing.assert_allclose(found.landmarks[0, :, k], wanted, rtol=1e-6)
        left -= {form.format(axis, i) for i in range(n)}
    if kind == "Detectorv2":
        for column in POINTS:
            same(column, column)
    else:
        assert np.isnan(found.landmarks[..., 2]).all()
    assert left == set()


def test_detector__faces_by_frame_and_size(feat):
    detector = load_detector("pyfeat", device="cpu")
    faces = run_detector(detector, frames(2, 0, 3))
    np.testing.assert_array_equal(faces.frame, [0, 0, 2, 2, 2])
    np.testing.assert_array_equal(faces.n_found, [2, 0, 3])
    width = faces.features[:, detector.features.index("FaceRectWidth")]
    np.testing.assert_array_equal(width, [30, 20, 40, 30, 20])
    assert detector._detector.calls[-1] == ((3, 3, 16, 24), 3)
    assert faces.embedding is None


def test_detector__nothing_there(feat):
    detector = load_detector("pyfeat", device="cpu", landmarks=False)
    for pictures in (frames(0, 0), frames()):
        faces = run_detector(detector, pictures)
        assert (faces.features.shape, faces.n_found.tolist()) == ((0, len(detector.features)), [0] * len(pictures))
        assert faces.landmarks is None


def test_detect_frames__with_py_feat(feat):
    ds = fa.detect_frames(frames(1, 0, 2), detector="pyfeat", device="cpu", fps=25, max_faces=2)
    assert ds.n_faces_found.values.tolist() == [[1, 0, 2]]
    assert ds.attrs["detector_version"] == "2.1.5+facearray.1"
    point = ds.sel(feature="x_30")
    assert (point.group.item(), point.unit.item(), point.description.item()) == (
        "other",
        "px",
        "column x_30 of py-feat",
    )
    assert ds.sel(feature="gaze_angle").unit.item() == "degree"


def test_detector__other_weights_are_another_detector(feat):
    torch.manual_seed(0)
    one = load_detector("pyfeat", device="cpu")
    torch.manual_seed(0)
    assert load_detector("pyfeat", device="cpu").assets == one.assets
    assert load_detector("pyfeat", device="cpu").assets != one.assets


# --- what may be wrong ------------------------------------------------------------------------------------------------


def test_load_detector__py_feat_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "feat", None)
    with pytest.raises(InputError, match=r"found no py-feat that loads .*install facearray\[pyfeat\]"):
        load_detector("pyfeat", device="cpu")


@pytest.mark.parametrize("release", ["0.6.2", "2.1.0", "2.1"])
def test_load_detector__py_feat_is_too_old(feat, monkeypatch, release):
    monkeypatch.setattr(pyfeat, "version", lambda name: release)
    with pytest.raises(InputError, match=f"found py-feat {release}; expected 2.1.5 or later"):
        load_detector("pyfeat-v1", device="cpu")


def test_load_detector__weights_that_cannot_be_fetched(feat, monkeypatch):
    def offline(device):
        raise OSError("the hub cannot be reached")

    monkeypatch.setattr(feat, "Detectorv2", offline)
    with pytest.raises(DetectorError, match="detector 'pyfeat' cannot be made: OSError: the hub cannot be reached"):
        load_detector("pyfeat", device="cpu")


def test_load_detector__device_and_options(feat):
    with pytest.raises(InputError, match="found device='tpu'"):
        load_detector("pyfeat", device="tpu")
    with pytest.raises(InputError, match="found compile=True; detector 'pyfeat' has no such option"):
        load_detector("pyfeat", device="cpu", compile=True)


def test_detector__table_of_something_else(feat, monkeypatch):
    monkeypatch.setattr(StandIn, "detect", lambda self, inputs, **options: pd.DataFrame({"frame": [0]}))
    with pytest.raises(DetectorError, match=r"found a table without the columns FaceRectX, .*FaceRectHeight"):
        load_detector("pyfeat", device="cpu")


def test_detector__no_embeddings(feat, monkeypatch):
    monkeypatch.setattr(Detectorv1, "columns", [c for c in COLUMNS["Detectorv1"] if not c.startswith("Identity_")])
    with pytest.raises(InputError, match="found embedding=True; detector 'pyfeat-v1' returns no columns Identity_1"):
        load_detector("pyfeat-v1", device="cpu", embedding=True)
