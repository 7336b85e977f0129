from __future__ import annotations

import numpy as np
import pytest
import torch

from facearray.errors import InputError
from facearray.models.emotions import EmotionNet, face_squares
from facearray.schema import GROUPS

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
def reference(face_api_reference):
    return face_api_reference("face_expression")


# --- the network ------------------------------------------------------------------------------------------------------


def test_emotion_net__is_that_of_face_api_js(net, reference):
    rows, faces = reference
    with torch.inference_mode():
        logits, probabilities = net.logits(faces).numpy(), net(faces).numpy()
    np.testing.assert_allclose(logits, [row["logits"] for row in rows], atol=1e-4)
    expected = [[row["probabilities"][THEIR_NAMES[name]] for name in NAMES] for row in rows]
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert len({NAMES[i] for i in probabilities.argmax(axis=1)}) >= 4


def test_emotion_net__probabilities_sum_to_one(net, reference):
    found = net(reference[1])
    assert found.shape == (len(reference[1]), 7)
    torch.testing.assert_close(found.sum(dim=1), torch.ones(len(found)))


# --- the frame around a face ------------------------------------------------------------------------------------------


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
