from __future__ import annotations

import numpy as np
import pytest

from facearray.io.readers.rotations import head_angles, rotation_xyz
from facearray.models.geometry import pose_features


def test_head_angles__agree_with_those_of_the_detector():
    angles = np.random.default_rng(0).uniform(-1.5, 1.5, (50, 3))
    poses = np.zeros((50, 4, 4))
    poses[:, :3, :3], poses[:, 3, 3] = 1.7 * rotation_xyz(*angles.T), 1
    np.testing.assert_allclose(head_angles(poses[:, :3, :3]), pose_features(poses)[:, :3], atol=1e-9)


@pytest.mark.parametrize(
    ("about", "start", "end"), [(0, [0, 1, 0], [0, 0, 1]), (1, [0, 0, 1], [1, 0, 0]), (2, [1, 0, 0], [0, 1, 0])]
)
def test_rotation_xyz__is_right_handed(about, start, end):
    angles = np.zeros((3, 1))
    angles[about] = np.pi / 2
    np.testing.assert_allclose(rotation_xyz(*angles)[0] @ start, end, atol=1e-12)


def test_rotation_xyz__turns_about_z_first():
    a, b, c = ([x] for x in (0.1, 0.2, 0.3))
    parts = [rotation_xyz(a, [0], [0]), rotation_xyz([0], b, [0]), rotation_xyz([0], [0], c)]
    np.testing.assert_allclose(rotation_xyz(a, b, c), parts[0] @ parts[1] @ parts[2], atol=1e-12)
