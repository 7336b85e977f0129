"""CSV of py-feat: real files of both versions against pandas and against the mesh itself, and made-up ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from facearray.errors import ReadError
from facearray.io.readers import HEAD_BYTES, columns, pyfeat
from facearray.io.recording import Recording
from facearray.models.geometry import head_pose, pose_features
from facearray.schema import FEATURES

SHARED = Path(__file__).parents[5] / "shared" / "data" / "good_bad_news"
NEWS = sorted(SHARED.glob("0*.csv"))
needs_news = pytest.mark.skipif(not NEWS, reason="the detections of the good-news data are not beside the repository")

BOX = {"FaceRectX": 10.0, "FaceRectY": 20.0, "FaceRectWidth": 200.0, "FaceRectHeight": 200.0, "FaceScore": 0.9}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(rows: list[Mapping[str, Any]], **common: Any) -> Path:
        path = tmp_path / "detections.csv"
        pd.DataFrame([{**BOX, **common, **row} for row in rows]).to_csv(path, index=False)
        return path

    return write


def read_one(path: Path) -> Recording:
    (recording,) = pyfeat.read(path)
    return recording


def feature(recording: Recording, name: str) -> np.ndarray:
    return recording.values[:, :, recording.features.index(name)]


@pytest.mark.parametrize("file", ["001.csv", "002.csv"])
def test_read__version_0_equals_pandas(asset, file):
    recording, table = read_one(asset(file)), pd.read_csv(asset(file))
    assert (recording.label, recording.version) == (file.replace("csv", "mp4"), "0.x")
    assert recording.frame_number.tolist() == table.frame.tolist()
    kept = [name for name in FEATURES if name in table]
    assert recording.features == tuple(kept)
    expected = table[kept].assign(Pitch=-table.Pitch, Roll=-table.Roll, Yaw=-table.Yaw).to_numpy(np.float32)
    np.testing.assert_array_equal(recording.values[:, 0], expected)
    assert recording.landmarks is not None
    for axis, letter in enumerate("xy"):
        points = table[[f"{letter}_{i}" for i in range(68)]].to_numpy(np.float32)
        np.testing.assert_array_equal(recording.landmarks[:, 0, :, axis], points)
    assert np.isnan(recording.landmarks[..., 2]).all()
    assert np.isnan(recording.timestamp).all()
    assert recording.problems == ()


def test_read__turns_the_head_of_version_0_as_its_points_are_turned(asset):
    recording = read_one(asset("002.csv"))
    assert recording.landmarks is not None
    eyes = recording.landmarks[:, 0, 42:48].mean(axis=1) - recording.landmarks[:, 0, 36:42].mean(axis=1)
    counter_clockwise = np.degrees(np.arctan2(-eyes[:, 1], eyes[:, 0]))
    assert np.corrcoef(counter_clockwise, feature(recording, "Roll")[:, 0])[0, 1] > 0.9


@needs_news
def test_read__both_versions_turn_the_same_head_alike(asset):
    for file in ("001.csv", "002.csv"):
        old, new = read_one(asset(file)), read_one(SHARED / file)
        common = np.isin(old.frame_number, new.frame_number)
        assert common.sum() == len(new.frame_number)
        for angle, least in (("Pitch", 0.9), ("Roll", 0.9), ("Yaw", 0.6)):
            assert np.corrcoef(feature(old, angle)[common, 0], feature(new, angle)[:, 0])[0, 1] > least


@needs_news
def test_read__version_2_equals_pandas():
    emotions = {"Happy": "happiness", "Sad": "sadness"}
    for path in NEWS:
        recording, table = read_one(path), pd.read_csv(path)
        table = table.rename(columns=emotions).rename(
            columns={n: n.lower() for n in ("Neutral", "Surprise", "Fear", "Disgust", "Anger")}
        )
        same = [
            n
            for n in recording.features
            if n in table and n not in ("Pitch", "Roll", "Yaw", "gaze_pitch", "gaze_yaw", "gaze_angle")
        ]
        assert len(same) == 5 + 20 + 7 + 2 + 52 + 136
        index = [recording.features.index(n) for n in same]
        np.testing.assert_array_equal(recording.values[:, 0, index], table[same].to_numpy(np.float32))
        for n, factor in {"Pitch": 1, "Roll": 1, "Yaw": -1, "gaze_pitch": -1, "gaze_yaw": 1, "gaze_angle": 1}.items():
            np.testing.assert_allclose(feature(recording, n)[:, 0], factor * np.degrees(table[n]), rtol=1e-6)
        assert (recording.width, recording.height, recording.embedding) == (1080, 1080, None)
        assert recording.problems == ()


@needs_news
def test_read__version_2_turns_the_head_as_its_mesh_is_turned(asset):
    assert asset("face_landmarker.task")
    pose, found = [], []
    for path in NEWS:
        recording = read_one(path)
        pose.append(pose_features(head_pose(recording.landmarks[:, 0], recording.width, recording.height))[:, :3])
        found.append(np.stack([feature(recording, n)[:, 0] for n in ("Pitch", "Roll", "Yaw")], axis=1))
    for angle in range(3):
        slope = np.polyfit(np.concatenate(pose)[:, angle], np.concatenate(found)[:, angle], 1)[0]
        assert 0.9 < slope < 1.2


def test_read__makes_a_recording_of_every_input(write):
    path = write(
        [{"input": "b.mp4", "frame": 0}, {"input": "b.mp4", "frame": 1}, {"input": "C:\\x\\a.mp4", "frame": 0}],
        AU12=0.5,
    )
    assert [(r.label, len(r.frame_number)) for r in pyfeat.read(path)] == [("b.mp4", 2), ("C:/x/a.mp4", 1)]


def test_read__without_input_is_named_after_the_file(write):
    assert read_one(write([{"frame": 0}], AU12=0.5)).label == "detections.csv"


def test_read__faces_of_a_frame_and_frames_without_a_face(write):
    nothing = dict.fromkeys((*BOX, "AU12"), np.nan)
    rows = [
        {"frame": 0, "AU12": 0.1},
        {"frame": 0, "AU12": 0.2},
        {"frame": 4, **nothing, "FaceScore": 0.0},
        {"frame": 8, **nothing},
        {"frame": 12, "AU12": 0.3},
    ]
    recording = read_one(write(rows))
    assert recording.frame_number.tolist() == [0, 4, 8, 12]
    assert recording.n_faces_found.tolist() == [2, 0, 0, 1]
    assert recording.track_id.tolist() == [[0, 1], [-1, -1], [-1, -1], [0, -1]]
    np.testing.assert_allclose(feature(recording, "AU12"), [[0.1, 0.2], [np.nan] * 2, [np.nan] * 2, [0.3, np.nan]])
    assert np.isnan(feature(recording, "FaceScore")[1:3]).all()


def test_read__identities_are_tracks(write):
    rows = [
        {"frame": f, "Identity": who, "AU12": v}
        for f, who, v in [(0, "Person_4", 0), (0, "Person_2", 1), (1, "Person_2", 2), (1, None, 3)]
    ]
    assert read_one(write(rows)).track_id.tolist() == [[4, 2], [2, 1]]


def test_read__mesh_becomes_landmarks_in_pixels(write):
    mesh = {f"mesh_{axis}_{i}": value for axis, value in (("x", 50.0), ("y", 60.0), ("z", 0.25)) for i in range(478)}
    points = {f"{axis}_{i}": 7.0 for axis in "xy" for i in range(68)}
    recording = read_one(write([{"frame": 0, **mesh, **points}], X=1.0, Y=2.0, Z=3.0))
    assert recording.landmarks is not None
    assert recording.landmarks.shape == (1, 1, 478, 3)
    assert np.unique(recording.landmarks, axis=2).tolist() == [[[[50.0, 60.0, 50.0]]]]
    assert recording.other == ("pose_X", "pose_Y", "pose_Z", *points)
    assert dict(recording.units)["x_0"] == "px"
    assert not {"X", "Y", "Z"} & set(recording.features)


def test_read__mesh_without_the_width_of_the_box_has_no_depth(write, tmp_path):
    mesh = {f"mesh_{axis}_{i}": value for axis, value in (("x", 50.0), ("y", 60.0), ("z", 0.25)) for i in range(478)}
    table = pd.read_csv(write([{"frame": 0, **mesh}])).drop(columns="FaceRectWidth")
    table.to_csv(tmp_path / "a.csv", index=False)
    recording = read_one(tmp_path / "a.csv")
    assert recording.landmarks is not None
    np.testing.assert_array_equal(recording.landmarks[0, 0, 0], [50.0, 60.0, np.nan])
    assert recording.problems == (
        "a.csv: line 1, column 'FaceRectWidth': found no such column; expected it beside its like",
    )


@pytest.mark.parametrize("column", ["AU12", "Happy", "Yaw", "x_3", "mesh_z_7", "gaze_yaw", "FaceScore"])
@needs_news
def test_read__names_a_column_that_is_missing_beside_its_like(tmp_path, column):
    pd.read_csv(NEWS[0]).drop(columns=column).to_csv(tmp_path / "a.csv", index=False)
    problem = f"a.csv: line 1, column {column!r}: found no such column; expected it beside its like"
    assert read_one(tmp_path / "a.csv").problems == (problem,)
    assert read_one(NEWS[0]).problems == ()


def test_read__mesh_of_the_mediapipe_detector(write):
    mesh = {f"{axis}_{i}": value for i in range(478) for axis, value in (("x", 50.0), ("y", 60.0), ("z", 64.0))}
    recording = read_one(write([{"frame": 0, **mesh}], FrameWidth=640.0, FrameHeight=480.0, jawOpen=0.5))
    assert recording.landmarks is not None
    assert np.unique(recording.landmarks, axis=2).tolist() == [[[[50.0, 60.0, 50.0]]]]
    assert recording.other == ()


def test_read__identity_columns_become_a_unit_embedding(write):
    rows = [
        {"frame": 0, "Identity_1": 3.0, "Identity_2": 4.0},
        {"frame": 1, "Identity_1": np.nan, "Identity_2": np.nan},
    ]
    embedding = read_one(write(rows, AU12=0.1)).embedding
    np.testing.assert_allclose(embedding, [[[0.6, 0.8]], [[np.nan, np.nan]]], rtol=1e-6)


def test_read__keeps_unknown_numbers_and_names_unknown_texts(write):
    recording = read_one(write([{"frame": 0}, {"frame": 1}], Contempt=0.25, AU45=0.5, mood="good"))
    assert {"Contempt", "AU45"} <= set(recording.other)
    assert dict(recording.descriptions)["AU45"] == "column AU45 of py-feat"
    assert any("column 'mood': found text ('good')" in problem for problem in recording.problems)


def test_read__repeated_rows_are_left_out_and_named(write):
    rows = [{"frame": f, "AU12": v} for f, v in [(0, 0.1), (0, 0.2), (1, 0.3), (0, 0.1), (0, 0.2), (1, 0.3)]]
    recording = read_one(write(rows))
    np.testing.assert_allclose(feature(recording, "AU12"), [[0.1, 0.2], [0.3, np.nan]])
    assert [p for p in recording.problems if "found a row again" in p] == [
        f"detections.csv: line {line}, column 'frame': found a row again; it is left out" for line in (5, 6, 7)
    ]


def test_read__without_frames_is_an_error(write):
    with pytest.raises(ReadError, match=r"detections\.csv: line 1: found no column 'frame'"):
        list(pyfeat.read(write([{"AU12": 0.1}])))


def test_read__parts_make_the_whole(asset, monkeypatch):
    whole = read_one(asset("001.csv"))
    monkeypatch.setattr(columns, "BLOCK_BYTES", 5000)
    parts = list(pyfeat.read(asset("001.csv")))
    assert len(parts) > 5
    assert {(part.label, part.features) for part in parts} == {(whole.label, whole.features)}
    np.testing.assert_array_equal(np.concatenate([part.values for part in parts]), whole.values)
    np.testing.assert_array_equal(np.concatenate([part.frame_number for part in parts]), whole.frame_number)


def test_read__any_order_of_columns(asset, tmp_path):
    table = pd.read_csv(asset("001.csv"))
    table[sorted(table.columns, reverse=True)].to_csv(tmp_path / "001.csv", index=False)
    whole, shuffled = read_one(asset("001.csv")), read_one(tmp_path / "001.csv")
    assert shuffled.features == whole.features
    np.testing.assert_array_equal(shuffled.values, whole.values)
    np.testing.assert_array_equal(shuffled.landmarks, whole.landmarks)


@pytest.mark.parametrize(
    "head", [b"", b"frame,a\n", b"frame, face_id, timestamp, confidence, success, AU12_r\n", b"{}"]
)
def test_sniff__leaves_others_alone(head):
    assert len(head) < HEAD_BYTES
    assert not pyfeat.sniff(head, Path("a.csv"))
