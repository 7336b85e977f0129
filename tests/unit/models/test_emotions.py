from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch

from facearray.errors import AssetError, InputError
from facearray.models.emotions import INPUT_SIZE, EmotionNet, face_squares
from facearray.models.geometry import canonical_mesh
from facearray.models.tfjs import read_weights
from facearray.schema import GROUPS

REFERENCE = Path(__file__).parents[2] / "reference" / "face_expression_net.json"
NAMES = GROUPS["emotions"].features
THEIR_NAMES = {
    "anger": "angry",
    "disgust": "disgusted",
    "fear": "fearful",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprised",
    "neutral": "neutral",
}


@pytest.fixture(scope="module")
def net(asset) -> EmotionNet:
    return EmotionNet.load()


@pytest.fixture(scope="module")
def weights(asset) -> dict[str, np.ndarray]:
    name = "face_expression_model"
    return read_weights(asset(f"{name}-weights_manifest.json"), asset(f"{name}.bin"))


@pytest.fixture(scope="module")
def faces(asset) -> torch.Tensor:
    inputs = runpy.run_path(str(REFERENCE.with_name("face_api_nets.py")))["inputs"](INPUT_SIZE)
    assert list(inputs) == [row["name"] for row in json.loads(REFERENCE.read_text())]
    return torch.from_numpy(np.stack(list(inputs.values()))).permute(0, 3, 1, 2).float()


# --- the network ------------------------------------------------------------------------------------------------------


def test_emotion_net__is_that_of_face_api_js(net, faces):
    rows = json.loads(REFERENCE.read_text())
    with torch.inference_mode():
        logits, probabilities = net.logits(faces).numpy(), net(faces).numpy()
    np.testing.assert_allclose(logits, [row["logits"] for row in rows], atol=1e-4)
    expected = [[row["probabilities"][THEIR_NAMES[name]] for name in NAMES] for row in rows]
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert len({NAMES[i] for i in probabilities.argmax(axis=1)}) >= 4


def test_emotion_net__probabilities_sum_to_one(net, faces):
    found = net(faces)
    assert found.shape == (len(faces), 7)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(len(faces)))
    assert not found.requires_grad


def test_emotion_net__faces_do_not_depend_on_the_batch(net, faces):
    torch.testing.assert_close(net(faces), torch.cat([net(face[None]) for face in faces]), atol=1e-5, rtol=0)


def test_emotion_net__no_face(net):
    assert net(torch.empty(0, 3, INPUT_SIZE, INPUT_SIZE)).shape == (0, 7)


def test_emotion_net__missing_pixels_make_that_face_nan(net, faces):
    broken = faces.clone()
    broken[1, 0, 50, 50] = torch.nan
    found = net(broken)
    assert found[1].isnan().all()
    assert not found[[0, 2]].isnan().any()


@pytest.mark.parametrize("shape", [(3, 112, 112), (1, 112, 112, 3), (1, 3, 111, 112)])
def test_emotion_net__faces_of_another_shape(net, shape):
    with pytest.raises(InputError, match=r"found faces of shape .*; expected \(n, 3, 112, 112\)"):
        net(torch.zeros(shape))


def test_emotion_net__weights_of_another_network(weights):
    wrong = dict(weights)
    wrong["dense2/conv1/bias"] = np.zeros(3, np.float32)
    wrong["fc/weights"] = wrong["fc/weights"].T
    wrong["dense9/conv0/bias"] = wrong.pop("dense3/conv3/bias")
    with pytest.raises(AssetError) as caught:
        EmotionNet(wrong)
    message = str(caught.value)
    assert "blocks.2.conv1.filter.bias: found (3,); expected (128,)" in message
    assert "classifier.weight: found (256, 7); expected (7, 256)" in message
    assert "blocks.3.conv3.filter.bias: found nothing; expected (256,)" in message
    assert "blocks.9.conv0.filter.bias: found (256,); expected nothing" in message


# --- the frame around a face ------------------------------------------------------------------------------------------


@pytest.fixture
def landmarks(asset) -> np.ndarray:
    """The canonical face, 20 pixels a cm, in the middle of a picture of 640 x 360; no irises."""
    face = np.full((1, 478, 3), np.nan)
    face[0, :468] = canonical_mesh().vertices * (20, -20, -20) + (320, 180, 0)
    return face


def test_face_squares__hold_jaw_and_brows_with_a_margin(landmarks):
    centre, size = face_squares(landmarks)
    jaw, chin, brow = np.ptp(landmarks[0, [234, 454], 0]), landmarks[0, 152, 1], landmarks[0, [105, 334], 1].min()
    np.testing.assert_allclose(size, [1.2 * max(jaw, chin - brow)], rtol=0.02)
    np.testing.assert_allclose(centre[0, 0], 320, atol=0.1)
    assert centre[0, 1] - size[0] / 2 < brow < chin < centre[0, 1] + size[0] / 2


def test_face_squares__follow_the_face(landmarks):
    centre, size = face_squares(landmarks)
    moved_centre, moved_size = face_squares(landmarks * 2 + (30, -10, 5))
    np.testing.assert_allclose(moved_centre, centre * 2 + (30, -10))
    np.testing.assert_allclose(moved_size, size * 2)


def test_face_squares__missing_face(landmarks):
    centre, size = face_squares(np.concatenate([landmarks, np.full_like(landmarks, np.nan)]))
    assert np.isfinite(centre[0]).all()
    assert np.isnan(centre[1]).all()
    assert np.isnan(size[1])


def test_face_squares__no_face():
    centre, size = face_squares(np.empty((0, 478, 3)))
    assert centre.shape == (0, 2)
    assert size.shape == (0,)


def test_face_squares__other_shape():
    with pytest.raises(InputError, match="found landmarks of shape"):
        face_squares(np.zeros((478, 3)))
