from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from facearray.errors import InputError, ReadError
from facearray.io.read import from_recordings
from facearray.io.readers import mediapipe
from facearray.models.geometry import head_pose, pose_features
from facearray.schema import GROUPS, validate

ONE = [{"x": 0.5, "y": 0.25, "z": -0.1}, {"x": 0.25, "y": 0.5, "z": 0.0}]
SHAPES = [{"category_name": "jawOpen", "score": 0.75, "index": 25}, {"category_name": "tongueOut", "score": 0.5}]
MATRIX = [[1, 0, 0, 1], [0, 1, 0, 2], [0, 0, 1, -40], [0, 0, 0, 1]]


@pytest.fixture(scope="module")
def results(mediapipe_landmarker, asset):
    """MediaPipe's own answers for two faces, one and none, as frames of one size."""
    import mediapipe as mp

    options = {"output_face_blendshapes": True, "output_facial_transformation_matrixes": True, "num_faces": 2}
    with mediapipe_landmarker(**options) as landmarker:
        answers = []
        for names in (["single_face.jpg"] * 2, ["single_face.jpg"], ["free-mountain-vector-01.jpg"]):
            picture = np.hstack(
                [np.asarray(Image.open(asset(name)).convert("RGB").resize((600 // len(names), 400))) for name in names]
            )
            answers.append(landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture)))
    return answers


def as_json(result):
    """What people write: the fields of the objects."""
    return {
        "face_landmarks": [[{"x": p.x, "y": p.y, "z": p.z} for p in face] for face in result.face_landmarks],
        "face_blendshapes": [
            [{"category_name": c.category_name, "score": c.score} for c in face] for face in result.face_blendshapes
        ],
        "facial_transformation_matrixes": [matrix.tolist() for matrix in result.facial_transformation_matrixes],
    }


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def read(tmp_path, content):
    (part,) = mediapipe.read(write(tmp_path / "a.json", content))
    return part


def value(part, feature, frame=0, face=0):
    return part.values[frame, face, part.features.index(feature)].item()


def test_from_results__faces_of_each_frame(results):
    part = mediapipe.from_results(results, label="a", width=600, height=400, fps=25)
    assert [len(result.face_landmarks) for result in results] == [2, 1, 0]
    assert part.n_faces_found.tolist() == [2, 1, 0]
    assert part.track_id.tolist() == [[0, 1], [0, -1], [-1, -1]]
    assert np.isfinite(part.landmarks).all(axis=(2, 3)).tolist() == [[True, True], [True, False], [False, False]]
    assert np.isfinite(part.values).all(axis=2).tolist() == [[True, True], [True, False], [False, False]]
    np.testing.assert_allclose(part.timestamp, [0, 0.04, 0.08])


def test_from_results__values_are_those_of_the_objects(results):
    part = mediapipe.from_results(results, label="a", width=600, height=400)
    assert part.features == GROUPS["poses"].features + GROUPS["blendshapes"].features
    for slot in range(2):
        for shape in results[0].face_blendshapes[slot]:
            assert value(part, shape.category_name, face=slot) == pytest.approx(shape.score)
        point = results[0].face_landmarks[slot][4]
        np.testing.assert_allclose(part.landmarks[0, slot, 4], [point.x * 600, point.y * 400, point.z * 600], rtol=1e-6)
        position = results[0].facial_transformation_matrixes[slot][:3, 3]
        np.testing.assert_allclose([value(part, axis, face=slot) for axis in "XYZ"], position, rtol=1e-6)


def test_from_results__poses_are_those_of_our_own_geometry(results):
    part = mediapipe.from_results(results, label="a", width=600, height=400)
    has_face = part.track_id >= 0
    poses = part.values[:, :, [part.features.index(name) for name in GROUPS["poses"].features]][has_face]
    np.testing.assert_allclose(poses, pose_features(head_pose(part.landmarks[has_face], 600, 400)), atol=0.05)


def test_read__json_is_the_same_as_the_objects(results, tmp_path):
    content = {"width": 600, "height": 400, "fps": 25, "video": "clip.mp4", "frames": [as_json(r) for r in results]}
    part = read(tmp_path, content)
    expected = mediapipe.from_results(results, label="clip.mp4", width=600, height=400, fps=25)
    assert (part.label, part.features, part.width, part.fps) == (expected.label, expected.features, 600, 25)
    for name in ("values", "landmarks", "timestamp", "frame_number", "n_faces_found", "track_id"):
        np.testing.assert_array_equal(getattr(part, name), getattr(expected, name))


def test_from_results__become_a_dataset(results):
    recordings = [mediapipe.from_results(results, label=label, width=600, height=400, fps=25) for label in "ba"]
    ds = from_recordings(recordings, tool=mediapipe.title)
    validate(ds)
    assert ds["video"].values.tolist() == ["b", "a"]
    assert ds.attrs["detector"] == "MediaPipe FaceLandmarker"
    assert (ds["fps"] == 25).all()
    assert (ds["status"] == "done").all()
    np.testing.assert_array_equal(ds["features"].sel(video="a"), recordings[1].values)
    np.testing.assert_array_equal(ds["landmarks"].sel(video="b"), recordings[0].landmarks)


def test_from_recordings__says_what_is_wrong():
    one = mediapipe.from_results([], label="a", width=6, height=4)
    with pytest.raises(InputError, match="found the labels 'a' more than once"):
        from_recordings([one, one], tool="t")
    with pytest.raises(InputError, match="found no recordings"):
        from_recordings([], tool="t")


def test_from_results__timestamps(results):
    part = mediapipe.from_results(results, label="a", width=600, height=400, timestamps=[0, 0.5, 2])
    assert part.timestamp.tolist() == [0, 0.5, 2]
    assert np.isnan(part.fps)


def test_from_results__says_all_that_is_wrong():
    with pytest.raises(InputError, match=r"0 x 400 pixels.*0 frames a second.*2 timestamps; expected 1.*found str as"):
        mediapipe.from_results(["?"], label="a", width=0, height=400, fps=0, timestamps=[0, 1])


def test_from_results__without_blendshapes_and_matrices():
    result = SimpleNamespace(
        face_landmarks=[[SimpleNamespace(x=0.5, y=0.5, z=0)]], face_blendshapes=[], facial_transformation_matrixes=None
    )
    part = mediapipe.from_results([result], label="a", width=10, height=20)
    assert part.features == ()
    assert part.landmarks[0, 0].tolist() == [[5, 10, 0]]


def test_sniff__is_true_for_mediapipe_alone(asset, tmp_path):
    assert mediapipe.sniff(b'\n[{"face_landmarks": []}]', tmp_path)
    assert mediapipe.sniff(b'{"faceBlendshapes": []}', tmp_path)
    assert not mediapipe.sniff(asset("sample_affectiva-api-app_output.json").read_bytes(), tmp_path)
    assert not mediapipe.sniff(b"face_landmarks,1", tmp_path)


@pytest.mark.parametrize(
    "frame",
    [
        {"face_landmarks": ONE, "face_blendshapes": SHAPES, "facial_transformation_matrixes": MATRIX},
        {"face_landmarks": [ONE], "face_blendshapes": [SHAPES], "facial_transformation_matrixes": [MATRIX]},
        {
            "face_landmarks": [[[p["x"], p["y"], p["z"]] for p in ONE]],
            "face_blendshapes": [{s["category_name"]: s["score"] for s in SHAPES}],
            "facial_transformation_matrixes": [np.ravel(MATRIX).tolist()],
        },
        {
            "faceLandmarks": [ONE],
            "faceBlendshapes": [{"categories": [{"categoryName": s["category_name"], **s} for s in SHAPES]}],
            # JavaScript has the columns one after the other
            "facialTransformationMatrixes": [{"rows": 4, "columns": 4, "data": np.ravel(MATRIX, "F").tolist()}],
        },
    ],
)
def test_read__forms_of_a_frame(tmp_path, frame):
    part = read(tmp_path, {"width": 100, "height": 200, "frames": [frame]})
    np.testing.assert_allclose(part.landmarks[0, 0], [[50, 50, -10], [25, 100, 0]], rtol=1e-6)
    assert (value(part, "jawOpen"), value(part, "tongueOut"), part.other) == (0.75, 0.5, ("tongueOut",))
    assert [value(part, name) for name in ("Yaw", "X", "Y", "Z")] == [0, 1, 2, -40]


def test_read__points_without_a_size_are_kept_as_parts_of_it(tmp_path):
    part = read(tmp_path, [{"face_landmarks": [ONE]}, {"face_landmarks": []}])
    assert part.landmarks is None
    assert [value(part, name) for name in ("face_landmarks_0_x", "face_landmarks_0_y", "face_landmarks_1_x")] == [
        0.5,
        0.25,
        0.25,
    ]
    assert part.n_faces_found.tolist() == [1, 0]
    assert any("without width and height" in note for note in part.notes)


def test_read__times_and_numbers_of_frames(tmp_path):
    frames = [{"face_landmarks": [], "frame": n, "timestamp_ms": t} for n, t in ((0, 0), (5, 200), (7, 280))]
    part = read(tmp_path, frames)
    assert part.frame_number.tolist() == [0, 5, 7]
    np.testing.assert_allclose(part.timestamp, [0, 0.2, 0.28])
    assert "MediaPipe FaceLandmarker: timestamp_ms → timestamp, taken as ms" in part.notes
    lines = tmp_path / "b.jsonl"
    lines.write_text("\n".join(json.dumps({"face_landmarks": [ONE], "timestamp": t}) for t in (0, 1.5)))
    (part,) = mediapipe.read(lines)
    assert part.timestamp.tolist() == [0, 1.5]


def test_read__what_is_no_number_of_a_face_is_named(tmp_path):
    points = [point | {"visibility": 0.5, "presence": None} for point in ONE]
    part = read(tmp_path, {"frames": [{"face_landmarks": [points], "camera": "left"}], "model": "v2"})
    title = mediapipe.title
    named = {f"{title}: visibility of the points → left out", f"{title}: camera of the frames → left out"}
    assert {"said of all frames: model v2", *named} <= set(part.notes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "found an empty list"),
        ([3], "frame 0: found int"),
        ({"a": 1}, "found no list of frames"),
        ([{"face_landmarks": [[{"x": 1}]]}], "frame 0, face_landmarks: .*'y'"),
        ([{"face_landmarks": []}, {"face_blendshapes": [[{"category_name": "a"}]]}], "frame 1, face_blendshapes"),
        ([{"face_landmarks": [[]]}], "frame 0, face_landmarks"),
        ([{"facial_transformation_matrixes": [[1, 2]]}], "frame 0, facial_transformation_matrixes"),
        ([{"face_landmarks": [ONE]}, {"face_landmarks": [ONE[:1]]}], "a.json: found faces of 1 and of 2 points"),
        ([{"face_landmarks": [], "frame": 1}] * 2, "frame 1: found frame number 1"),
        ([{"face_landmarks": [], "frame": "x"}], "frame 0: number: found 'x'"),
        ([{"face_landmarks": [], "timestamp": "0:01"}], "frame 0: timestamp: found '0:01'"),
        ([{"face_landmarks": [], "frame": 1e12}], r"frame 0: found frame number 1000000000000\.0"),
        ({"frames": [{"face_landmarks": []}], "width": "wide"}, "width: found 'wide'"),
        ({"frames": [{"face_landmarks": []}], "height": float("nan")}, "height: found nan; expected a positive number"),
        ({"frames": [{"face_landmarks": []}], "fps": 0}, "fps: found 0; expected a positive number"),
    ],
)
def test_read__malformed(tmp_path, content, message):
    with pytest.raises(ReadError, match=message):
        read(tmp_path, content)
