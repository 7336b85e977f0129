from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from facearray.errors import AssetError, InputError
from facearray.models.geometry import canonical_mesh
from facearray.models.identity import INPUT_SIZE, N_COMPONENTS, IdentityNet, identity_squares
from facearray.models.tfjs import read_weights

REFERENCE = Path(__file__).parents[2] / "reference" / "face_recognition_net.json"


@pytest.fixture(scope="module")
def net(asset) -> IdentityNet:
    return IdentityNet.load()


@pytest.fixture(scope="module")
def weights(asset) -> dict[str, np.ndarray]:
    name = "face_recognition_model"
    return read_weights(asset(f"{name}-weights_manifest.json"), asset(f"{name}.bin"))


@pytest.fixture(scope="module")
def faces(asset) -> torch.Tensor:
    inputs = runpy.run_path(str(REFERENCE.with_name("face_api_nets.py")))["inputs"](INPUT_SIZE)
    assert list(inputs) == [row["name"] for row in json.loads(REFERENCE.read_text())]
    return torch.from_numpy(np.stack(list(inputs.values()))).permute(0, 3, 1, 2).float()


# --- the network ------------------------------------------------------------------------------------------------------


def test_identity_net__is_that_of_face_api_js(net, faces):
    expected = np.array([row["descriptor"] for row in json.loads(REFERENCE.read_text())])
    assert expected.shape == (10, N_COMPONENTS)
    with torch.inference_mode():
        np.testing.assert_allclose(net.descriptors(faces).numpy(), expected, atol=1e-5)
        found = net(faces).numpy()
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-5)
    apart = np.linalg.norm(found[:5, None] - found[:5], axis=2)[np.triu_indices(5, 1)]
    assert (apart > 0.3).all()  # five people


def test_identity_net__unit_norm(net, faces):
    found = net(faces)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(len(faces)))
    assert not found.requires_grad


def test_identity_net__faces_do_not_depend_on_the_batch(net, faces):
    torch.testing.assert_close(net(faces), torch.cat([net(face[None]) for face in faces]), atol=1e-6, rtol=0)


def test_identity_net__no_face(net):
    assert net(torch.empty(0, 3, INPUT_SIZE, INPUT_SIZE)).shape == (0, N_COMPONENTS)


def test_identity_net__missing_pixels_make_that_face_nan(net, faces):
    broken = faces[:3].clone()
    broken[1, 0, 50, 50] = torch.nan
    found = net(broken)
    assert found[1].isnan().all()
    assert not found[[0, 2]].isnan().any()


@pytest.mark.parametrize("shape", [(3, 150, 150), (1, 150, 150, 3), (1, 3, 149, 150)])
def test_identity_net__faces_of_another_shape(net, shape):
    with pytest.raises(InputError, match=r"found faces of shape .*; expected \(n, 3, 150, 150\)"):
        net(torch.zeros(shape))


def test_identity_net__weights_of_another_network(weights):
    wrong = dict(weights)
    wrong["conv64_1/conv1/conv/bias"] = np.zeros(3, np.float32)
    wrong["conv64_9/conv1/scale/biases"] = wrong.pop("conv256_2/conv2/scale/biases")
    wrong["fc"] = wrong["fc"].T
    with pytest.raises(AssetError) as caught:
        IdentityNet(wrong)
    message = str(caught.value)
    assert "these are not the weights of the identity network" in message
    assert "units.conv64_1.conv1.conv.bias: found (3,); expected (64,)" in message
    assert "fc.weight: found (256, 128); expected (128, 256)" in message
    assert "units.conv256_2.conv2.offset: found nothing; expected (256,)" in message
    assert "units.conv64_9.conv1.offset: found (256,); expected nothing" in message
    assert "face_recognition_model" in message


# --- the frame around a face ------------------------------------------------------------------------------------------


@pytest.fixture
def landmarks(asset) -> np.ndarray:
    """The canonical face, 20 pixels a cm, in the middle of a picture of 640 x 360; no irises."""
    face = np.full((1, 478, 3), np.nan)
    face[0, :468] = canonical_mesh().vertices * (20, -20, -20) + (320, 180, 0)
    return face


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
