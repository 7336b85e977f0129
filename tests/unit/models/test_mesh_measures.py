from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facearray.errors import InputError
from facearray.models.geometry import canonical_mesh
from facearray.models.mesh_measures import MEASURES, RIGID_POINTS, measure, resting_landmarks

INDEX = {name: i for i, name in enumerate(MEASURES)}


@pytest.fixture
def rest(asset) -> np.ndarray:
    return resting_landmarks()


@pytest.fixture
def faces(rest) -> np.ndarray:
    return rest + np.random.default_rng(0).normal(scale=0.2, size=(8, 478, 3))


def _move(landmarks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n = len(landmarks)
    rotation = Rotation.from_euler("xyz", rng.uniform(-25, 25, (n, 3)), degrees=True).as_matrix()
    return landmarks @ rotation * rng.uniform(5, 60, (n, 1, 1)) + rng.normal(scale=300, size=(n, 1, 3))


def test_resting_landmarks__irises_are_in_the_eyes(rest):
    np.testing.assert_array_equal(rest[:468], canonical_mesh().vertices * (1, -1, -1))
    for iris, (outer, inner, upper, lower) in {468: (33, 133, 159, 145), 473: (263, 362, 386, 374)}.items():
        assert min(rest[[outer, inner], 0]) < rest[iris, 0] < max(rest[[outer, inner], 0])
        assert rest[upper, 1] < rest[iris, 1] < rest[lower, 1]


def test_measure__pose_place_and_size_change_nothing(faces):
    np.testing.assert_allclose(measure(_move(faces, np.random.default_rng(1))), measure(faces), atol=1e-9)


def test_measure__mirroring_swaps_the_sides(faces, mirror):
    mirrored = faces[:, mirror] * (-1, 1, 1)
    np.testing.assert_allclose(measure(mirrored), measure(faces)[:, :, ::-1], atol=1e-4)


def test_measure__resting_face_is_alike_on_both_sides(rest):
    right, left = measure(rest[None])[0].T
    np.testing.assert_allclose(right, left, atol=1e-4)


def test_measure__are_cm_in_the_stated_direction(rest):
    def change(points: tuple[int, ...], by: tuple[float, float, float]) -> np.ndarray:
        moved = rest.copy()
        moved[list(points)] += np.multiply(by, (1, -1, -1))
        return measure(moved[None])[0] - measure(rest[None])[0]

    raised = change((55, 107, 65), (0, 1.5, 0))
    np.testing.assert_allclose(raised[INDEX["brow_in"]], [1.5, 0], atol=1e-9)
    np.testing.assert_allclose(raised[INDEX["chin"]], 0, atol=1e-9)
    np.testing.assert_allclose(change((291,), (0, 0, -0.5))[INDEX["corner_z"]], [0, -0.5], atol=1e-9)
    np.testing.assert_allclose(change((280, 425, 330), (0.4, 0, 0))[INDEX["cheek_x"]], [0, 0.8], atol=1e-9)
    np.testing.assert_allclose(change((152, 148, 377), (0, -2, 0))[INDEX["chin"]], [2, 2], atol=1e-9)
    gaze = change((468, 473), (0, 0.1, 0))
    np.testing.assert_allclose(gaze[INDEX["upper_lid"]], [-0.06, -0.06], atol=1e-9)


def test_measure__missing_points_make_that_face_nan(faces):
    expected = measure(faces)
    faces[1, 477, 2] = np.nan
    faces[5] = np.nan
    faces[6, 200, 0] = np.inf
    found = measure(faces)
    assert np.isnan(found[[1, 5, 6]]).all()
    others = [0, 2, 3, 4, 7]
    np.testing.assert_allclose(found[others], expected[others], rtol=0, atol=1e-12)


def test_measure__no_face(asset):
    assert measure(np.empty((0, 478, 3))).shape == (0, len(MEASURES), 2)


def test_measure__other_shape():
    with pytest.raises(InputError, match=r"found landmarks of shape \(1, 468, 3\); expected \(n, 478, 3\)"):
        measure(np.zeros((1, 468, 3)))


def test_measures__name_only_points_that_are_mirror_pairs(mirror):
    for item in MEASURES.values():
        for _, part in item.parts:
            if part.left and part.right:
                right = mirror[np.array(part.right)]
                np.testing.assert_array_equal(right, part.left, err_msg=item.name)
    assert {int(mirror[point]) for point in RIGID_POINTS} == set(RIGID_POINTS)
