from __future__ import annotations

import numpy as np

from facearray.detection.detector import Faces
from facearray.detection.slots import largest_face


def faces(frame, n_found, **more):
    features = np.arange(len(frame) * 2, dtype=np.float32).reshape(-1, 2)
    return Faces(np.array(frame, dtype=np.intp), np.array(n_found, dtype=np.int16), features, **more)


def test_largest_face__takes_the_first_of_each_frame():
    slots = largest_face(faces([0, 0, 2], [2, 0, 5]))
    np.testing.assert_array_equal(slots.features[:, 0], [[0, 1], [np.nan, np.nan], [4, 5]])
    np.testing.assert_array_equal(slots.track_id, [[0], [-1], [0]])
    np.testing.assert_array_equal(slots.n_faces_found, [2, 0, 5])


def test_largest_face__spreads_landmarks_and_embedding():
    landmarks = np.ones((1, 478, 3), dtype=np.float32)
    embedding = np.ones((1, 128), dtype=np.float32)
    slots = largest_face(faces([1], [0, 1], landmarks=landmarks, embedding=embedding))
    assert slots.landmarks.shape == (2, 1, 478, 3)
    assert slots.embedding.shape == (2, 1, 128)
    assert np.isnan(slots.landmarks[0]).all()
    assert (slots.landmarks[1] == 1).all()


def test_largest_face__no_face_at_all():
    slots = largest_face(faces([], [0, 0, 0]))
    assert slots.features.shape == (3, 1, 2)
    assert np.isnan(slots.features).all()
    assert (slots.track_id == -1).all()
    assert slots.landmarks is None
