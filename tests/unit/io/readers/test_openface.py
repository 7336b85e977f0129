from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from facearray.errors import ReadError
from facearray.io.readers import openface
from facearray.io.readers.notes import note
from facearray.schema import FEATURES, GROUPS

#: Pairs of points of the 68 that mirror each other.
MIRRORED = [(0, 16), (17, 26), (31, 35), (36, 45), (39, 42), (48, 54)]


@pytest.fixture(scope="module")
def table(asset):
    return pd.read_csv(asset("OpenFace_Test.csv"), skipinitialspace=True)


@pytest.fixture(scope="module")
def parts(asset):
    return list(openface.read(asset("OpenFace_Test.csv")))


def values(parts, feature):
    return np.concatenate([part.values[:, 0, part.features.index(feature)] for part in parts])


def of_frames(parts, name):
    return np.concatenate([getattr(part, name) for part in parts])


def points(table, axes):
    return np.stack([table[[f"{axis}_{i}" for i in range(68)]].to_numpy() for axis in axes], axis=-1)


def write(path, rows, names=("frame", "face_id", "timestamp", "confidence", "success", "AU12_r", "AU12_c")):
    path.write_text("\n".join([", ".join(names), *(", ".join(map(str, row)) for row in rows)]) + "\n")
    return path


def test_sniff__is_true_for_openface_alone(asset):
    for name in ("OpenFace_Test.csv", "001.csv", "Feat_Test.csv", "iMotions_Test_v6.txt"):
        path = asset(name)
        assert openface.sniff(path.read_bytes()[:65536], path) == name.startswith("OpenFace")


def test_read__frames_and_times(parts, table):
    np.testing.assert_array_equal(of_frames(parts, "frame_number"), table["frame"] - 1)
    np.testing.assert_allclose(of_frames(parts, "timestamp"), table["timestamp"])
    assert (of_frames(parts, "n_faces_found") == 1).all()
    assert {part.label for part in parts} == {"OpenFace_Test.csv"}


@pytest.mark.parametrize("unit", ["AU01", "AU04", "AU12", "AU26", "AU45"])
def test_read__intensities_are_divided_by_5(parts, table, unit):
    np.testing.assert_allclose(values(parts, unit), table[f"{unit}_r"] / 5, rtol=1e-6)


def test_read__blinks_are_not_closed_eyes(parts):
    assert "AU45" in parts[0].other
    assert "AU43" not in parts[0].features


def test_read__nothing_is_dropped(parts, table):
    taken_over = {"frame", "timestamp", "success", "confidence"}
    taken_over |= {f"pose_{kind}{axis}" for kind in "RT" for axis in "xyz"}
    taken_over |= {name for name in table if re.fullmatch(r"AU\d+_r|[xy]_\d+", name)}
    assert set(parts[0].other) == set(table) - taken_over | {"AU45"}
    for name in ("AU28_c", "gaze_0_z", "p_scale", "p_33", "X_0", "Z_67"):
        np.testing.assert_allclose(values(parts, name), table[name], rtol=1e-6)
    assert dict(parts[0].units)["Z_67"] == "mm"


def test_read__features_are_in_the_order_of_the_schema(parts):
    known = [name for name in parts[0].features if name in FEATURES]
    assert known == [name for name in FEATURES if name in known]
    assert set(GROUPS["poses"].features) | {"gaze_yaw", "gaze_pitch", "FaceScore"} <= set(known)


def test_read__position_is_that_of_the_points(parts, table):
    # the head's origin is within the cloud of its points, so both differ by less than a head
    centre = points(table, "XYZ").mean(axis=1) / 10
    position = np.stack([values(parts, name) for name in "XYZ"], axis=1)
    np.testing.assert_allclose(position, centre * (1, -1, -1), atol=3)
    assert (position[:, 2] < -50).all()


def test_read__pose_turns_a_face_that_looks_at_the_camera_into_the_points(parts, table):
    pitch, roll, yaw = (np.radians(values(parts, name).astype(float)) for name in ("Pitch", "Roll", "Yaw"))
    # the schema's own definition: Rz(Roll) Ry(Yaw) Rx(Pitch), x right, y up, z towards the camera
    turned = np.stack([about("z", r) @ about("y", y) @ about("x", p) for p, r, y in zip(pitch, roll, yaw, strict=True)])
    seen = points(table, "XYZ") * (1, -1, -1)
    seen -= seen.mean(axis=1, keepdims=True)
    at_rest = np.einsum("nji,npj->npi", turned, seen)
    lateral = np.mean([at_rest[:, right] - at_rest[:, left] for left, right in MIRRORED], axis=0).mean(axis=0)
    np.testing.assert_allclose(lateral / np.linalg.norm(lateral), [1, 0, 0], atol=0.01)
    nose = (at_rest[:, 30] - at_rest[:, [0, 16]].mean(axis=1)).mean(axis=0)
    assert nose[2] > 4 * abs(nose[1])
    # a face has one shape at rest, whichever way it was turned
    assert at_rest.std(axis=0).mean() < 0.5 * seen.std(axis=0).mean()


def about(axis, angle):
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[[i, i, j, j], [i, j, i, j]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    return matrix


@pytest.mark.parametrize("seed", range(5))
def test_read__pose_of_any_turn(tmp_path, seed):
    pitch, yaw, roll = angles = np.random.default_rng(seed).uniform(-80, 80, 3)
    turned = np.linalg.multi_dot(
        [about(axis, np.radians(x)) for axis, x in zip("zyx", (roll, yaw, pitch), strict=True)]
    )
    # the same turn with y down and z away from the camera, taken apart as Rx Ry Rz
    R = np.diag([1, -1, -1]) @ turned @ np.diag([1, -1, -1])
    theirs = (np.arctan2(-R[1, 2], R[2, 2]), np.arcsin(R[0, 2]), np.arctan2(-R[0, 1], R[0, 0]))
    names = ("frame", "timestamp", "confidence", "success", *openface._ANGLES, *openface._POSITION)
    (part,) = openface.read(write(tmp_path / "a.csv", [(1, 0, 1, 1, *theirs, 10, 20, 600)], names))
    found = [values([part], name).item() for name in ("Pitch", "Yaw", "Roll", "X", "Y", "Z")]
    np.testing.assert_allclose(found, [*angles, 1, -2, -60], atol=1e-4)


def test_read__gaze_is_that_of_the_mean_of_both_eyes(parts, table):
    x, y, z = (table[[f"gaze_0_{axis}", f"gaze_1_{axis}"]].mean(axis=1) for axis in "xyz")
    np.testing.assert_allclose(np.tan(np.radians(values(parts, "gaze_yaw"))), -x / z, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.tan(np.radians(values(parts, "gaze_pitch"))), -y / z, rtol=1e-4, atol=1e-6)


def test_read__gaze_angles_go_before_directions(tmp_path):
    names = ("frame", "timestamp", "confidence", "success", "gaze_angle_x", "gaze_angle_y", *openface._GAZE)
    path = write(tmp_path / "a.csv", [(1, 0, 1, 1, np.pi / 6, -np.pi / 4, *[0.5] * 6)], names)
    (part,) = openface.read(path)
    assert values([part], "gaze_yaw").item() == pytest.approx(30)
    assert values([part], "gaze_pitch").item() == pytest.approx(-45)
    assert set(openface._GAZE) == set(part.other)


def test_read__landmarks_are_pixels_with_depth_in_the_same_scale(parts, table):
    landmarks = of_frames(parts, "landmarks")[:, 0]
    np.testing.assert_allclose(landmarks[:, :, :2], points(table, "xy"), rtol=1e-6)
    # OpenFace fits a scaled orthographic model too, whose scale is pixels per mm
    depth = table[[f"Z_{i}" for i in range(68)]].to_numpy()
    depth = (depth - depth.mean(axis=1, keepdims=True)) * table[["p_scale"]].to_numpy()
    np.testing.assert_allclose(landmarks[:, :, 2], depth, rtol=0.01, atol=0.05)
    assert (landmarks[:, 30, 2] < landmarks[:, [0, 16], 2].min(axis=1)).all()  # the nose is nearest


def test_read__landmarks_without_points_in_mm_have_no_depth(tmp_path):
    names = ("frame", "timestamp", "confidence", "success", *openface._POINTS_2D)
    (part,) = openface.read(write(tmp_path / "a.csv", [(1, 0, 1, 1, *range(136))], names))
    np.testing.assert_array_equal(part.landmarks[0, 0, :, 1], np.arange(68, 136))
    assert np.isnan(part.landmarks[0, 0, :, 2]).all()


def test_read__a_frame_that_failed_keeps_no_values(tmp_path):
    rows = [(1, 0, 0.0, 0.9, 1, 5, 1), (2, 0, 0.04, 0.1, 0, 4, 1), (3, 0, 0.08, 0.9, 1, 2.5, 0)]
    parts = list(openface.read(write(tmp_path / "a.csv", rows)))
    assert of_frames(parts, "n_faces_found").tolist() == [1, 0, 1]
    assert of_frames(parts, "track_id")[:, 0].tolist() == [0, -1, 0]
    np.testing.assert_allclose(values(parts, "AU12"), [1, np.nan, 0.5])
    np.testing.assert_allclose(values(parts, "FaceScore"), [0.9, np.nan, 0.9], rtol=1e-6)


def test_read__a_frame_that_failed_may_hold_anything(tmp_path, asset):
    header, first, *_ = asset("OpenFace_Test.csv").read_text().splitlines()
    n_more = len(header.split(",")) - 4
    path = tmp_path / "a.csv"
    for anything in ("0", "inf", "nan"):
        path.write_text("\n".join([header, first, ",".join(["2", "0.04", "0", "0", *[anything] * n_more])]) + "\n")
        parts = list(openface.read(path))
        assert np.isnan(of_frames(parts, "landmarks")[1]).all()
        assert np.isnan(of_frames(parts, "values")[1]).all()
        assert np.isfinite(of_frames(parts, "landmarks")[0]).all()


def test_read__faces_keep_their_slots(tmp_path):
    rows = [(1, 3, 0, 1, 1, 1, 0), (1, 0, 0, 1, 1, 2, 0), (2, 0, 0.1, 1, 1, 3, 0), (3, 0, 0.2, 1, 1, 4, 0)]
    parts = list(openface.read(write(tmp_path / "a.csv", rows)))
    AU12 = np.concatenate([part.values[:, :, part.features.index("AU12")] for part in parts])
    np.testing.assert_allclose(AU12, [[0.2, 0.4], [np.nan, 0.6], [np.nan, 0.8]], rtol=1e-6)
    assert of_frames(parts, "track_id").tolist() == [[3, 0], [-1, 0], [-1, 0]]
    assert of_frames(parts, "n_faces_found").tolist() == [2, 1, 1]


def test_read__faces_of_a_picture(tmp_path):
    path = write(tmp_path / "a.csv", [(0, 0.9, 5), (1, 0.8, 2)], ("face", "confidence", "AU12_r"))
    (part,) = openface.read(path)
    assert part.frame_number.tolist() == [0]
    assert np.isnan(part.timestamp).all()
    np.testing.assert_allclose(part.values[0, :, part.features.index("AU12")], [1, 0.4], rtol=1e-6)


def test_read__frames_may_count_from_0(tmp_path):
    rows = [(0, 0, 0, 1, 1, 1, 1), (1, 0, 0.1, 1, 1, 1, 1)]
    assert of_frames(list(openface.read(write(tmp_path / "a.csv", rows))), "frame_number").tolist() == [0, 1]


def test_read__names_missing_columns(tmp_path):
    path = write(tmp_path / "a.csv", [(1, 2)], ("frame", "confidence"))
    with pytest.raises(ReadError, match=r"a\.csv: line 1: found no column 'timestamp', 'success'"):
        list(openface.read(path))


def test_read__names_repeated_frames_and_reads_the_first(tmp_path):
    rows = [(1, 0, 0.0, 1, 1, 1, 1), (2, 0, 0.1, 1, 1, 2, 1), (2, 0, 0.1, 1, 1, 3, 1)]
    parts = list(openface.read(write(tmp_path / "a.csv", rows)))
    np.testing.assert_allclose(values(parts, "AU12"), [0.2, 0.4], rtol=1e-6)
    assert [problem for problem in parts[-1].problems if "found frame" in problem] == [
        "a.csv: line 4, column 'frame': found frame 1 again; the first row of it is read"
    ]


@pytest.mark.parametrize("column", ["pose_Rx", "AU12_r", "AU28_c", "x_5", "Z_67", "gaze_1_z"])
def test_read__names_a_column_that_is_missing_beside_its_like(asset, tmp_path, column):
    table = pd.read_csv(asset("OpenFace_Test.csv"), skipinitialspace=True).drop(columns=column)
    table.to_csv(tmp_path / "a.csv", index=False)
    problem = f"a.csv: line 1, column {column!r}: found no such column; expected it beside its like"
    assert [part.problems for part in openface.read(tmp_path / "a.csv")] == [(problem,)]
    assert next(openface.read(asset("OpenFace_Test.csv"))).problems == ()


def test_read__times_without_frames_are_an_error(asset, tmp_path):
    table = pd.read_csv(asset("OpenFace_Test.csv"), skipinitialspace=True).drop(columns="frame")
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(ReadError, match=r"a\.csv: line 1: found no column 'frame'"):
        list(openface.read(tmp_path / "a.csv"))


def test_read__names_a_row_that_was_cut_off(asset, tmp_path):
    path = tmp_path / "cut.csv"
    path.write_bytes(asset("OpenFace_Test.csv").read_bytes()[:-500])
    parts = list(openface.read(path))
    assert of_frames(parts, "frame_number").tolist() == list(range(99))
    assert any(problem.startswith("cut.csv: line 101, column ") for problem in parts[-1].problems)


def test_conversions__are_noted_for_what_a_file_has(tmp_path, parts):
    (part,) = openface.read(write(tmp_path / "a.csv", [(0, 1, 5)], ("face", "confidence", "AU12_r")))
    assert len(part.notes) == 2
    assert set(part.notes) < {note(openface.title, *conversion) for conversion in openface.conversions}
    assert not any(sentence.startswith("OpenFace 2: gaze_angle") for sentence in parts[0].notes)
