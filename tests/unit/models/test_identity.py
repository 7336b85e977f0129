from __future__ import annotations

import numpy as np
import pytest
import torch

from facearray.errors import InputError
from facearray.models.identity import N_COMPONENTS, IdentityNet, identity_squares


@pytest.fixture(scope="module")
def net(asset) -> IdentityNet:
    return IdentityNet.load()


@pytest.fixture(scope="module")
def reference(face_api_reference):
    return face_api_reference("face_recognition")


# --- the network ------------------------------------------------------------------------------------------------------


def test_identity_net__is_that_of_face_api_js(net, reference):
    rows, faces = reference
    expected = np.array([row["descriptor"] for row in rows])
    assert expected.shape == (10, N_COMPONENTS)
    with torch.inference_mode():
        np.testing.assert_allclose(net.descriptors(faces).numpy(), expected, atol=1e-5)
        found = net(faces).numpy()
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    apart = np.linalg.norm(found[:5, None] - found[:5], axis=2)[np.triu_indices(5, 1)]
    assert (apart > 0.3).all()  # five people


def test_identity_net__unit_norm(net, reference):
    found = net(reference[1])
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(found)))


# --- the frame around a face ------------------------------------------------------------------------------------------


def test_identity_squares__are_as_dlib_cuts_them(landmarks):
    # dlib aligns eyes and mouth with a mean face that has a quarter of its size around it
    mean_face = {"right": (0.250, 0.210), "left": (0.735, 0.210), "mouth": (0.492, 0.790)}
    expected = {name: (np.array(place) + 0.25) / 1.5 for name, place in mean_face.items()}
    centre, size, rotation = identity_squares(landmarks)
    corners = {"right": (33, 133), "left": (263, 362), "mouth": (61, 291)}
    for name, points in corners.items():
        middle = landmarks[0, points, :2].mean(axis=0)
        np.testing.assert_allclose((middle - centre[0]) / size[0] + 0.5, expected[name], atol=0.06)
    np.testing.assert_allclose(rotation, 0, atol=0.01)


def test_identity_squares__follow_the_face(landmarks):
    centre, size, rotation = identity_squares(landmarks)
    turn = np.radians(30)
    matrix = 2 * np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    found = identity_squares(landmarks @ matrix.T + (30, -10, 5))
    np.testing.assert_allclose(found[0], centre @ matrix[:2, :2].T + (30, -10))
    np.testing.assert_allclose(found[1], size * 2)
    np.testing.assert_allclose(found[2], rotation + turn)


def test_identity_squares__missing_face(landmarks):
    found = identity_squares(np.concatenate([landmarks, np.full_like(landmarks, np.nan)]))
    for values in found:
        assert np.isfinite(values[0]).all()
        assert np.isnan(values[1]).all()


def test_identity_squares__no_face():
    assert [values.shape for values in identity_squares(np.empty((0, 478, 3)))] == [(0, 2), (0,), (0,)]


def test_identity_squares__other_shape():
    with pytest.raises(InputError, match="found landmarks of shape"):
        identity_squares(np.zeros((478, 3)))
