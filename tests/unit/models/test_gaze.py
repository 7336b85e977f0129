from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facearray.errors import InputError
from facearray.models.gaze import (
    CLOSED,
    IRIS_DISTANCE,
    MAX_ROTATION,
    eye_directions,
    eyeball_centres,
    gaze_features,
)
from facearray.models.geometry import canonical_mesh, head_pose
from facearray.models.mesh_measures import resting_landmarks

ANGLES = [(pitch, yaw) for pitch in (-20, -5, 0, 12, 25) for yaw in (-35, -10, 0, 8, 30)]
FOCAL = 360 / 2 / np.tan(np.radians(63) / 2)  # pixels, of MediaPipe's camera for a frame of 360 lines


def direction(pitch: float, yaw: float) -> np.ndarray:
    """Unit vector whose projections on the planes of the axes have these angles in degrees; positive: down, right."""
    vector = np.array([np.tan(np.radians(yaw)), -np.tan(np.radians(pitch)), 1.0])
    return vector / np.linalg.norm(vector)


def head(right: tuple[float, float], left: tuple[float, float]) -> np.ndarray:
    """The canonical face (478, 3), in cm and its own axes, whose eyes look in directions given as (pitch, yaw)."""
    vertices = canonical_mesh().vertices
    irises = eyeball_centres(vertices[None])[0] + IRIS_DISTANCE * np.array([direction(*right), direction(*left)])
    return np.concatenate([vertices, np.repeat(irises, 5, axis=0)])


def seen(points: np.ndarray, rotation: np.ndarray | None = None, scale: float = 30.0) -> np.ndarray:
    """Landmarks of a head that is turned, seen from far away; what the network says of the irises' depth is wrong."""
    turned = points @ (np.eye(3) if rotation is None else rotation).T
    landmarks = turned * (scale, -scale, -scale) + (320, 180, 0)
    landmarks[468:, 2] = 1e3
    return landmarks[None]


def poses(rotation: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = rotation
    return pose[None]


def turn(axes: str, *degrees: float) -> np.ndarray:
    return Rotation.from_euler(axes, degrees, degrees=True).as_matrix()


@pytest.fixture(autouse=True)
def _needs_the_canonical_mesh(asset):
    asset("face_landmarker.task")


@pytest.mark.parametrize(("pitch", "yaw"), ANGLES)
def test_gaze__known_rotations_of_the_eyes_are_recovered(pitch, yaw):
    landmarks = seen(head((pitch, yaw), (pitch, yaw)))
    np.testing.assert_allclose(eye_directions(landmarks)[0], [direction(pitch, yaw)] * 2, atol=1e-9)
    np.testing.assert_allclose(gaze_features(eye_directions(landmarks), np.eye(4)[None]), [[pitch, yaw]], atol=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_gaze__eyes_in_a_turned_head_of_any_size(seed):
    rng = np.random.default_rng(seed)
    pitch, yaw = rng.uniform(-20, 20, 2)
    rotation = Rotation.from_euler("xyz", rng.uniform(-25, 25, 3), degrees=True).as_matrix()
    landmarks = seen(head((pitch, yaw), (pitch, yaw)), rotation, scale=rng.uniform(4, 60))
    found = eye_directions(landmarks)
    np.testing.assert_allclose(found[0], [direction(pitch, yaw)] * 2, atol=1e-9)
    x, y, z = rotation @ direction(pitch, yaw)
    expected = np.degrees([np.arctan(-y / z), np.arctan(x / z)])
    np.testing.assert_allclose(gaze_features(found, poses(7 * rotation))[0], expected, atol=1e-6)


@pytest.mark.parametrize(("axis", "column"), [("x", 0), ("y", 1)])
@pytest.mark.parametrize("angle", [-25, -10, 10, 25])
def test_gaze__turning_the_head_turns_the_gaze_by_as_much(axis, column, angle):
    points, rotation = head((6, -11), (6, -11)), turn(axis, angle)
    found = gaze_features(eye_directions(seen(points, rotation)), poses(rotation))[0]
    assert found[column] == pytest.approx((6, -11)[column] + angle, abs=1e-6)


@pytest.mark.parametrize(("axis", "column"), [("x", 0), ("y", 1)])
@pytest.mark.parametrize("angle", [-20, -10, 10, 20])
def test_gaze__follows_a_head_before_a_camera(axis, column, angle):
    def gaze(rotation: np.ndarray) -> np.ndarray:
        points = head((3, 5), (3, 5)) @ rotation.T + (0, 0, -70)
        pixels = points[:, :2] * (FOCAL, -FOCAL) / -points[:, 2:] + (320, 180)
        depth = -FOCAL * points[:, 2:] / np.mean(-points[:468, 2])
        landmarks = np.concatenate([pixels, depth], axis=1)[None]
        return gaze_features(eye_directions(landmarks), head_pose(landmarks, 640, 360))[0]

    # MediaPipe's pose neglects perspective in its first pass
    assert gaze(turn(axis, angle))[column] - gaze(np.eye(3))[column] == pytest.approx(angle, abs=0.8)


def test_gaze__mirroring_turns_yaw_and_keeps_pitch(mirror):
    rng = np.random.default_rng(3)
    for _ in range(5):
        right, left = rng.uniform(-15, 15, (2, 2))
        landmarks = seen(head(right, left), turn("xyz", *rng.uniform(-20, 20, 3)))
        pose = head_pose(landmarks, 640, 360)
        flipped = landmarks[:, mirror] * (-1, 1, 1) + (640, 0, 0)
        found = gaze_features(eye_directions(flipped), head_pose(flipped, 640, 360))
        expected = gaze_features(eye_directions(landmarks), pose) * (1, -1)
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_gaze__is_between_those_of_the_eyes():
    found = gaze_features(eye_directions(seen(head((0, 12), (0, -4)))), np.eye(4)[None])[0]
    np.testing.assert_allclose(found, [0, 4], atol=0.1)


def _closed(landmarks: np.ndarray, *pairs: tuple[int, int]) -> np.ndarray:
    shut = landmarks.copy()
    for upper, lower in pairs:
        shut[:, upper] = shut[:, lower] - (0, 1, 0)
    return shut


RIGHT_LIDS, LEFT_LIDS = ((159, 145), (158, 153), (160, 144)), ((386, 374), (385, 380), (387, 373))


def test_gaze__closed_eyes_look_nowhere():
    open_eyes = seen(head((5, 20), (5, 10)))
    directions = eye_directions(_closed(open_eyes, *RIGHT_LIDS))
    assert np.isnan(directions[0, 0]).all()
    np.testing.assert_allclose(gaze_features(directions, np.eye(4)[None]), [[5, 10]], atol=1e-6)
    both = eye_directions(_closed(open_eyes, *RIGHT_LIDS, *LEFT_LIDS))
    assert np.isnan(gaze_features(both, np.eye(4)[None])).all()


def test_eye_directions__lids_decide_at_the_documented_opening():
    open_eyes = seen(head((0, 0), (0, 0)))
    width = np.linalg.norm(open_eyes[0, 33, :2] - open_eyes[0, 133, :2])
    for share, is_open in ((CLOSED * 0.9, False), (CLOSED * 1.2, True)):
        landmarks = open_eyes.copy()
        for upper, lower in RIGHT_LIDS:
            landmarks[0, upper] = landmarks[0, lower] - (0, share * width, 0)
        assert np.isfinite(eye_directions(landmarks)[0, 0]).all() == is_open


def test_eye_directions__iris_where_no_eye_can_look():
    for yaw, is_seen in ((MAX_ROTATION - 2, True), (MAX_ROTATION + 2, False)):
        found = eye_directions(seen(head((0, yaw), (0, 0))))
        assert np.isfinite(found[0]).all(axis=1).tolist() == [is_seen, True]
    outside = seen(head((0, 0), (0, 0)))
    outside[0, 468, 0] += 2 * IRIS_DISTANCE * 30
    assert np.isfinite(eye_directions(outside)[0]).all(axis=1).tolist() == [False, True]


def test_eye_directions__missing_points_make_that_face_nan():
    faces = np.concatenate([seen(head((0, 9), (0, 9)))] * 3)
    faces[0, 200, 1] = np.nan
    faces[2] = np.nan
    found = gaze_features(eye_directions(faces), np.tile(np.eye(4), (3, 1, 1)))
    assert np.isnan(found[[0, 2]]).all()
    np.testing.assert_allclose(found[1], [0, 9], atol=1e-6)


def test_gaze_features__missing_pose_is_nan():
    directions = np.tile([0.0, 0.0, 1.0], (2, 2, 1))
    found = gaze_features(directions, np.stack([np.eye(4), np.full((4, 4), np.nan)]))
    np.testing.assert_array_equal(found, [[0, 0], [np.nan, np.nan]])


def test_gaze__no_face():
    assert gaze_features(eye_directions(np.empty((0, 478, 3))), np.empty((0, 4, 4))).shape == (0, 2)


def test_gaze__other_shapes():
    with pytest.raises(InputError, match=r"found landmarks of shape \(1, 468, 3\)"):
        eye_directions(np.zeros((1, 468, 3)))
    with pytest.raises(InputError, match=r"found directions of shape \(1, 3\); expected \(n, 2, 3\)"):
        gaze_features(np.zeros((1, 3)), np.eye(4)[None])
    with pytest.raises(InputError, match=r"found poses of shape \(4, 4\); expected \(1, 4, 4\)"):
        gaze_features(np.zeros((1, 2, 3)), np.eye(4))


def test_eyeball_centres__lie_behind_the_lids():
    centres = eyeball_centres(resting_landmarks()[None, :468] * (1, -1, -1))[0]
    np.testing.assert_allclose(centres[0] * (-1, 1, 1), centres[1], atol=1e-6)
    vertices = canonical_mesh().vertices
    assert vertices[33, 0] < centres[0, 0] < vertices[133, 0]
    for lid in (159, 145):
        assert 0.8 < vertices[lid, 2] - centres[0, 2] < 1.6  # an eyeball's radius is 1.2 cm
