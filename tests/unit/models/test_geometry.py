from __future__ import annotations

import struct
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facearray.errors import AssetError, InputError
from facearray.models import _protobuf, geometry

METADATA = "geometry_pipeline_metadata_landmarks.binarypb"


# --- protocol buffers -------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | float | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | 5) + struct.pack("<f", value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def test_fields__every_wire_type():
    message = _field(1, 300) + _field(2, 1.5) + _field(16, b"abc") + _varint(3 << 3 | 1) + bytes(range(8))
    assert list(_protobuf.fields(message)) == [
        (1, 300),
        (2, struct.pack("<f", 1.5)),
        (16, b"abc"),
        (3, bytes(range(8))),
    ]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"\x80", "an integer without an end"),
        (b"\x08", "an integer without an end"),
        (b"\x08" + b"\xff" * 11, "an integer without an end"),
        (b"\x0a\x05abc", "a field of 5 bytes at byte 2 of 5"),
        (b"\x0d\x00", "a field of 4 bytes"),
        (b"\x0b", "wire type 3"),
    ],
)
def test_fields__malformed(message, reason):
    with pytest.raises(ValueError, match=reason):
        list(_protobuf.fields(message))


def test_floats_and_varints__packed_or_single():
    assert _protobuf.floats(struct.pack("<2f", 1, -2)) == (1, -2)
    assert _protobuf.varints(7) == (7,)
    assert _protobuf.varints(_varint(7) + _varint(300)) == (7, 300)


@pytest.mark.parametrize("value", [3, b"abc"])
def test_floats__malformed(value):
    with pytest.raises(ValueError, match="not of 32-bit floats"):
        _protobuf.floats(value)


def test_varints__malformed():
    with pytest.raises(ValueError, match="an integer without an end"):
        _protobuf.varints(b"\x01\x80")


# --- the canonical mesh -----------------------------------------------------------------------------------------------


@pytest.fixture
def mesh(asset) -> geometry.CanonicalMesh:
    return geometry.read_canonical_mesh(asset("face_landmarker.task"))


def _bundle(folder: Path, mesh_message: bytes, *weights: bytes, member: str = METADATA) -> Path:
    path = folder / "some.task"
    message = _field(1, mesh_message) + b"".join(_field(2, weight) for weight in weights)
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(member, message)
    return path


def _weight(index: int, weight: float) -> bytes:
    return _field(1, index) + _field(2, weight)


MESH = _field(3, struct.pack("<2340f", *range(2340))) + _field(4, b"".join(map(_varint, (0, 1, 2, 467, 4, 5))))
WEIGHTS = (_weight(0, 0.5), _weight(1, 0.25), _weight(467, 1.0))


def test_canonical_mesh__is_a_face_at_rest(mesh):
    assert mesh.vertices.shape == (468, 3)
    assert np.count_nonzero(mesh.weights) == 33
    forehead, nose_tip, chin = mesh.vertices[[10, 1, 152]]
    assert forehead[1] > nose_tip[1] > chin[1]
    assert nose_tip[2] > max(forehead[2], chin[2])
    right_eye, left_eye = mesh.vertices[[33, 263]]
    np.testing.assert_allclose(right_eye * (-1, 1, 1), left_eye, atol=1e-5)
    assert 8 < left_eye[0] - right_eye[0] < 10


def test_canonical_mesh__triangles_form_one_surface(mesh):
    edges = np.sort(mesh.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    counts = np.unique(edges, axis=0, return_counts=True)[1]
    assert counts.max() == 2
    assert set(mesh.triangles.ravel()) == set(range(468))


def test_canonical_mesh__read_once_by_many_threads(monkeypatch, asset):
    reads = []

    def slow(path):
        reads.append(path)
        threading.Event().wait(0.05)
        return real(path)

    real = geometry.read_canonical_mesh
    geometry._canonical_mesh.cache_clear()
    monkeypatch.setattr(geometry, "read_canonical_mesh", slow)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: geometry.canonical_mesh(), range(4)))
    assert len(reads) == 1
    assert all(f is found[0] for f in found)


def test_canonical_mesh__cannot_be_changed(mesh):
    for array in (mesh.vertices, mesh.triangles, mesh.weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_read_canonical_mesh__packed_or_not(tmp_path):
    packed = geometry.read_canonical_mesh(_bundle(tmp_path, MESH, *WEIGHTS))
    single = b"".join(_field(3, float(i)) for i in range(2340)) + b"".join(_field(4, i) for i in (0, 1, 2, 467, 4, 5))
    other = geometry.read_canonical_mesh(_bundle(tmp_path, single, *WEIGHTS))
    np.testing.assert_array_equal(packed.vertices, np.arange(2340.0).reshape(468, 5)[:, :3])
    np.testing.assert_array_equal(packed.triangles, [[0, 1, 2], [467, 4, 5]])
    np.testing.assert_array_equal(packed.weights[[0, 1, 2, 467]], [0.5, 0.25, 0, 1])
    np.testing.assert_array_equal(packed.vertices, other.vertices)
    np.testing.assert_array_equal(packed.triangles, other.triangles)


@pytest.mark.parametrize(
    ("mesh_message", "weights", "reason"),
    [
        (MESH[:-1], WEIGHTS, "a field of"),
        (b"", WEIGHTS, "0 coordinates"),
        (MESH + _field(3, 1.0), WEIGHTS, "2341 coordinates"),
        (MESH + _field(3, b"abc"), WEIGHTS, "32-bit floats"),
        (_field(3, struct.pack("<2340f", *[np.nan] * 2340)) + _field(4, 0) * 3, WEIGHTS, "2340 coordinates"),
        (MESH + _field(4, 1), WEIGHTS, "7 corners"),
        (MESH + _field(4, b"\x00\x01\xd4\x03"), WEIGHTS, "up to vertex 468"),
        (_field(3, struct.pack("<2340f", *range(2340))), WEIGHTS, "0 corners"),
        (MESH, (), "unusable weights"),
        (MESH, (*WEIGHTS, _weight(468, 1.0)), r"weights \(1.0,\) of landmark 468"),
        (MESH, (*WEIGHTS, _field(2, 1.0)), "of landmark None"),
        (MESH, (*WEIGHTS, _field(1, b"ab") + _field(2, 1.0)), "of landmark b'ab'"),
        (MESH, (*WEIGHTS, _field(1, 3)), r"weights \(\) of landmark 3"),
        (MESH, (*WEIGHTS, _field(1, 3) + _field(2, struct.pack("<2f", 1, 2))), r"weights \(1.0, 2.0\) of landmark 3"),
        (MESH, (*WEIGHTS, _weight(3, -1.0)), "unusable weights"),
        (MESH, (*WEIGHTS, _weight(3, float("inf"))), "unusable weights"),
    ],
)
def test_read_canonical_mesh__malformed(tmp_path, mesh_message, weights, reason):
    with pytest.raises(AssetError, match=rf"cannot read the canonical face mesh from some\.task: found .*{reason}"):
        geometry.read_canonical_mesh(_bundle(tmp_path, mesh_message, *weights))


def test_read_canonical_mesh__number_in_place_of_the_mesh(tmp_path):
    path = tmp_path / "some.task"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr(METADATA, _field(1, 5))
    with pytest.raises(AssetError, match="the number 5 in place of a message"):
        geometry.read_canonical_mesh(path)


def test_read_canonical_mesh__other_files(tmp_path):
    with pytest.raises(AssetError, match="There is no item named"):
        geometry.read_canonical_mesh(_bundle(tmp_path, MESH, *WEIGHTS, member="other"))
    path = tmp_path / "text.task"
    path.write_text("no archive")
    with pytest.raises(AssetError, match="not a zip file"):
        geometry.read_canonical_mesh(path)


# --- fitting ----------------------------------------------------------------------------------------------------------


def _similarities(rng: np.random.Generator, n: int) -> np.ndarray:
    matrix = np.tile(np.eye(4), (n, 1, 1))
    matrix[:, :3, :3] = Rotation.random(n, rng=rng).as_matrix() * rng.uniform(0.2, 5, (n, 1, 1))
    matrix[:, :3, 3] = rng.normal(size=(n, 3)) * 10
    return matrix


def _apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ np.swapaxes(matrix[..., :3, :3], -2, -1) + matrix[..., None, :3, 3]


def test_similarity__recovers_exact_ones():
    rng = np.random.default_rng(0)
    points, matrix = rng.normal(size=(9, 3)), _similarities(rng, 20)
    np.testing.assert_allclose(geometry.similarity(points, _apply(matrix, points)), matrix, atol=1e-9)
    back = geometry.similarity(_apply(matrix, points), points)
    np.testing.assert_allclose(back @ matrix, np.tile(np.eye(4), (20, 1, 1)), atol=1e-9)


def test_similarity__rotation_agrees_with_scipy_and_weights_count():
    rng = np.random.default_rng(1)
    X, Y, w = rng.normal(size=(12, 3)), rng.normal(size=(12, 3)), rng.uniform(0, 2, 12)
    mx, my = np.average(X, axis=0, weights=w), np.average(Y, axis=0, weights=w)
    rotation = Rotation.align_vectors(Y - my, X - mx, weights=w)[0].as_matrix()
    found = geometry.similarity(X, Y, w)
    scale = np.linalg.norm(found[:3, 0])
    np.testing.assert_allclose(found[:3, :3] / scale, rotation, atol=1e-9)

    def cost(s: float, t: np.ndarray) -> float:
        return float((w * ((Y - s * X @ rotation.T - t) ** 2).sum(axis=1)).sum())

    best = cost(scale, found[:3, 3])
    for step in (1e-3, -1e-3):
        assert best < cost(scale + step, found[:3, 3])
        assert all(best < cost(scale, found[:3, 3] + step * axis) for axis in np.eye(3))


def test_similarity__never_mirrors():
    points = np.random.default_rng(2).normal(size=(10, 3))
    found = geometry.similarity(points, points * (-1, 1, 1))
    assert np.linalg.det(found[:3, :3]) > 0


def test_similarity__unusable_sides_are_nan_and_leave_others_alone():
    rng = np.random.default_rng(3)
    points = rng.normal(size=(5, 3))
    target = np.stack([points, np.full_like(points, 2), np.full_like(points, np.nan), points])
    target[3, 1, 2] = np.inf
    found = geometry.similarity(points, target)
    np.testing.assert_allclose(found[0], np.eye(4), atol=1e-12)
    assert np.isnan(found[1:]).all()


# --- pose -------------------------------------------------------------------------------------------------------------


def _project(mesh: geometry.CanonicalMesh, pose: np.ndarray, width: int, height: int) -> np.ndarray:
    """A pinhole camera with MediaPipe's field of view; z keeps the depth's differences in the scale of the head."""
    points = _apply(pose, mesh.vertices)
    focal = height / 2 / np.tan(np.radians(63) / 2)
    depth = -points[..., 2]
    pixels = np.stack(
        [
            width / 2 + focal * points[..., 0] / depth,
            height / 2 - focal * points[..., 1] / depth,
            focal * depth / depth.mean(axis=-1, keepdims=True),
        ],
        axis=-1,
    )
    iris = np.repeat(pixels[:, :1], 10, axis=1)
    return np.concatenate([pixels, iris], axis=1)


def _poses(angles: np.ndarray, position: np.ndarray) -> np.ndarray:
    poses = np.tile(np.eye(4), (len(angles), 1, 1))
    pitch, roll, yaw = angles.T
    poses[:, :3, :3] = Rotation.from_euler("xyz", np.column_stack([pitch, yaw, roll]), degrees=True).as_matrix()
    poses[:, :3, 3] = position
    return poses


@pytest.mark.parametrize(("width", "height"), [(640, 360), (480, 800)])
def test_head_pose__recovers_a_projected_head(mesh, width, height):
    rng = np.random.default_rng(4)
    angles = rng.uniform(-25, 25, (30, 3))
    position = rng.uniform((-6, -6, -90), (6, 6, -60), (30, 3))
    poses = _poses(angles, position)
    found = geometry.pose_features(geometry.head_pose(_project(mesh, poses, width, height), width, height))
    # the first of MediaPipe's two passes neglects perspective, so even a perfect mesh is not recovered exactly
    np.testing.assert_allclose(found[:, :3], angles, atol=3)
    np.testing.assert_allclose(found[:, 3:] / position[:, 2:], position / position[:, 2:], atol=0.06)


def test_head_pose__faces_do_not_depend_on_one_another(mesh):
    rng = np.random.default_rng(5)
    faces = _project(mesh, _poses(rng.uniform(-20, 20, (6, 3)), np.array([0, 0, -50])), 640, 360)
    together = geometry.head_pose(faces, 640, 360)
    faces[2, 400, 1] = np.nan
    faces[4] = 7.0
    found = geometry.head_pose(faces, 640, 360)
    assert np.isnan(found[[2, 4]]).all()
    np.testing.assert_allclose(found[[0, 1, 3, 5]], together[[0, 1, 3, 5]], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(geometry.head_pose(faces[:1], 640, 360)[0], together[0], rtol=1e-12, atol=1e-12)


def test_head_pose__iris_points_play_no_part(mesh):
    faces = _project(mesh, _poses(np.zeros((1, 3)), np.array([0, 0, -50])), 640, 360)
    expected = geometry.head_pose(faces, 640, 360)
    faces[:, 468:] = np.nan
    np.testing.assert_array_equal(geometry.head_pose(faces, 640, 360), expected)


def test_head_pose__no_face(asset):
    assert geometry.head_pose(np.empty((0, 478, 3)), 640, 360).shape == (0, 4, 4)


@pytest.mark.parametrize("shape", [(478, 3), (1, 468, 3), (1, 478, 2)])
def test_head_pose__landmarks_of_another_shape(shape):
    with pytest.raises(InputError, match=r"found landmarks of shape .*; expected \(n, 478, 3\)"):
        geometry.head_pose(np.zeros(shape), 640, 360)


@pytest.mark.parametrize(("width", "height"), [(0, 360), (640, 0), (640, -1)])
def test_head_pose__frame_without_extent(width, height):
    with pytest.raises(InputError, match="expected positive sizes"):
        geometry.head_pose(np.zeros((1, 478, 3)), width, height)


def test_pose_features__are_the_angles_of_scipy():
    rng = np.random.default_rng(6)
    matrix = _similarities(rng, 200)
    found = geometry.pose_features(matrix)
    scale = np.cbrt(np.linalg.det(matrix[:, :3, :3]))[:, None, None]
    pitch, yaw, roll = Rotation.from_matrix(matrix[:, :3, :3] / scale).as_euler("xyz", degrees=True).T
    np.testing.assert_allclose(found[:, :3], np.column_stack([pitch, roll, yaw]), atol=1e-6)
    np.testing.assert_array_equal(found[:, 3:], matrix[:, :3, 3])


@pytest.mark.parametrize(
    ("column", "point", "moves"),
    [
        (0, (0, 0, 1), (0, -1, 0)),  # Pitch: the nose goes down
        (1, (1, 0, 0), (0, 1, 0)),  # Roll: the image's right goes up
        (2, (0, 0, 1), (1, 0, 0)),  # Yaw: the nose goes to the image's right
    ],
)
def test_pose_features__signs_are_those_of_the_schema(column, point, moves):
    angles = np.zeros((1, 3))
    angles[0, column] = 90
    if column == 2:
        angles[0, column] = 89.999
    pose = _poses(angles, np.zeros(3))
    np.testing.assert_allclose(pose[0, :3, :3] @ point, moves, atol=1e-4)
    np.testing.assert_allclose(geometry.pose_features(pose)[0, :3], angles[0], atol=1e-6)


def test_pose_features__missing_pose():
    found = geometry.pose_features(np.stack([np.eye(4), np.full((4, 4), np.nan)]))
    np.testing.assert_array_equal(found[0], np.zeros(6))
    assert np.isnan(found[1]).all()


def test_pose_features__other_shape():
    with pytest.raises(InputError, match=r"found poses of shape \(4, 4\); expected \(n, 4, 4\)"):
        geometry.pose_features(np.eye(4))


@pytest.mark.parametrize(
    ("name", "n_expected"), [("single_face.jpg", 1), ("multi_face.jpg", 2), ("WolfgangLanger_Pexels.mp4", 5)]
)
def test_head_pose__is_that_of_mediapipe(asset, mediapipe_landmarker, name, n_expected):
    found, expected = [], []
    for frame in _frames(asset(name)):
        height, width = frame.shape[:2]
        landmarks, matrices = _mediapipe(mediapipe_landmarker, frame)
        found.append(geometry.head_pose(landmarks, width, height))
        expected.append(matrices)
    found, expected = np.concatenate(found), np.concatenate(expected)
    assert len(expected) == n_expected
    size = np.abs(expected).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found / size, expected / size, atol=1e-5)
    np.testing.assert_allclose(found[:, :3, :3], expected[:, :3, :3], atol=1e-3)


def _frames(path: Path) -> list[np.ndarray]:
    if path.suffix == ".jpg":
        from PIL import Image

        return [np.asarray(Image.open(path).convert("RGB"))]
    import imageio_ffmpeg

    stream = imageio_ffmpeg.read_frames(path, input_params=["-hide_banner"], output_params=["-frames:v", "200"])
    width, height = next(stream)["size"]
    frames = list(stream)[::40]
    return [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames]


def _mediapipe(landmarker_of, frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import mediapipe as mp

    with landmarker_of(output_facial_transformation_matrixes=True, num_faces=5) as landmarker:
        result = landmarker.detect(mp.Image(mp.ImageFormat.SRGB, np.ascontiguousarray(frame)))
    height, width = frame.shape[:2]
    landmarks = np.array([[(p.x, p.y, p.z) for p in face] for face in result.face_landmarks])
    return landmarks * (width, height, width), np.array(result.facial_transformation_matrixes)
