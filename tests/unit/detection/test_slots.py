from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from facearray.detection.detector import Faces
from facearray.detection.slot_rules import slot_rule
from facearray.detection.slots import check_place, slot_filler
from facearray.errors import InputError

BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
DETECTOR = SimpleNamespace(name="made up", features=("AU12", *BOX), n_landmarks=None)
PEOPLE = np.eye(3, dtype=np.float32)


def faces(*frames, n_found=None, embedding=False, **more) -> Faces:
    """Faces as (value, x[, size, who]), by frame."""
    rows = [(frame, value, x, *rest) for frame, row in enumerate(frames) for value, x, *rest in row]
    features = np.array([(r[1], r[2], 0, *([r[3] if len(r) > 3 else 10] * 2)) for r in rows], np.float32).reshape(-1, 5)
    who = PEOPLE[[r[4] for r in rows]] if embedding else None
    counts = [len(row) for row in frames] if n_found is None else n_found
    return Faces(np.array([r[0] for r in rows], np.intp), np.array(counts, np.int16), features, embedding=who, **more)


def filled(found: Faces, *, split=None, detector=DETECTOR, max_faces=2, rule="first", embedding=False):
    """Values, tracks and counts by frame and slot; frames come in batches of ``split``."""
    n = len(found.n_found)
    with slot_filler(detector, rule=rule, max_faces=max_faces, embedding=embedding) as filler:
        blocks = []
        for start in range(0, n, split or n):
            stop = min(n, start + (split or n))
            rows = (found.frame >= start) & (found.frame < stop)
            part = Faces(
                found.frame[rows] - start,
                found.n_found[start:stop],
                *(None if v is None else v[rows] for v in (found.features, found.landmarks, found.embedding)),
            )
            number = np.arange(start, stop, dtype=np.int32)
            blocks += filler.add(number, number / 25, part)
        blocks += filler.finish()
    joined = {
        name: np.concatenate([getattr(block, name) for block in blocks])
        for name in ("frame_number", "timestamp", "n_faces_found", "track_id", "features")
    }
    np.testing.assert_array_equal(joined["frame_number"], np.arange(n))
    np.testing.assert_array_equal(joined["timestamp"], np.arange(n) / 25)
    np.testing.assert_array_equal(joined["n_faces_found"], found.n_found)
    assert ((joined["track_id"] >= 0) == np.isfinite(joined["features"][..., 0])).all()
    return np.nan_to_num(joined["features"][..., 0], nan=-1).tolist(), joined["track_id"].tolist(), blocks


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_faces", "embedding", "rule"),
    [(1, False, "largest"), (1, True, "first"), (2, False, "first"), (2, True, "first")],
)
def test_slot_rule__auto(max_faces, embedding, rule):
    assert slot_rule("auto", max_faces=max_faces, embedding=embedding) == rule
    assert slot_rule("dominant", max_faces=max_faces, embedding=embedding) == "dominant"


def test_slot_rule__unknown():
    with pytest.raises(InputError, match=r"unknown rule for slots 'domnant' \(did you mean 'dominant'\?\)"):
        slot_rule("domnant", max_faces=1, embedding=False)


def test_slot_filler__detector_that_says_no_place():
    nowhere = SimpleNamespace(name="blind", features=("AU12",), n_landmarks=None)
    for check in (check_place, lambda d: slot_filler(d, rule="first", max_faces=2, embedding=False)):
        with pytest.raises(InputError, match="detector 'blind' with neither landmarks nor FaceRectX"):
            check(nowhere)
    found = Faces(np.array([0, 0, 2]), np.array([2, 0, 1], np.int16), np.array([[1], [2], [3]], np.float32))
    values, tracks, _ = filled(found, detector=nowhere, rule="largest")
    assert values == [[1, 2], [-1, -1], [3, -1]]
    assert tracks == [[0, 1], [-1, -1], [0, -1]]


# --- by size ----------------------------------------------------------------------------------------------------------


def test_largest__by_size_in_each_frame():
    found = faces([(1, 0), (2, 30)], [], [(3, 30), (4, 0)], n_found=[2, 0, 5])
    values, tracks, _ = filled(found, rule="largest")
    assert values == [[1, 2], [-1, -1], [3, 4]]
    assert tracks == [[0, 1], [-1, -1], [1, 0]]


def test_largest__one_slot():
    values, tracks, _ = filled(faces([(1, 0), (2, 30)], [(3, 30), (4, 0)]), rule="largest", max_faces=1)
    assert values == [[1], [3]]
    assert tracks == [[0], [1]]


# --- by person --------------------------------------------------------------------------------------------------------


def test_first__a_slot_keeps_its_track():
    found = faces([(1, 0), (2, 30)], [(3, 31), (4, 1)], [(5, 32)], [(6, 1), (7, 32)])
    values, tracks, _ = filled(found)
    assert values == [[1, 2], [4, 3], [-1, 5], [6, 7]]
    assert tracks == [[0, 1], [0, 1], [-1, 1], [0, 1]]


def test_first__who_does_not_fit_is_counted_only():
    values, _, _ = filled(faces([(1, 0), (2, 30), (3, 60)], [(3, 60), (2, 30)]))
    assert values == [[1, 2], [-1, 2]]


def test_first__embedding_brings_a_person_back():
    a, b = (1, 0, 10, 0), (2, 0, 10, 1)
    found = faces([a], [], [b], [(3, 50, 10, 0)], embedding=True)
    assert filled(found, embedding=True)[0] == [[1, -1], [-1, -1], [-1, 2], [3, -1]]
    assert filled(found, embedding=False)[0] == [[1, -1], [-1, -1], [2, -1], [-1, 3]]


def test_dominant__by_area_over_all_frames():
    found = faces([(1, 0)], [(1, 0), (2, 30)], [(2, 30)], [(2, 30)])
    assert filled(found, rule="dominant")[0] == [[-1, 1], [2, 1], [2, -1], [2, -1]]
    assert filled(found, rule="dominant", max_faces=1)[0] == [[-1], [2], [2], [2]]


@pytest.mark.parametrize("rule", ["largest", "first", "dominant"])
@pytest.mark.parametrize("embedding", [False, True])
def test_slots__do_not_depend_on_the_batch(rule, embedding):
    rng = np.random.default_rng(1)
    frames = [
        sorted(
            ((frame * 10 + k, 40 * k + rng.normal(), 10 + rng.normal(), k) for k in range(3) if rng.random() < 0.7),
            key=lambda face: -face[2],
        )
        for frame in range(60)
    ]
    found = faces(*frames, embedding=True)
    whole = filled(found, rule=rule, embedding=embedding)[:2]
    for split in (1, 7, 32):
        assert filled(found, split=split, rule=rule, embedding=embedding)[:2] == whole
    assert filled(found, rule=rule, embedding=embedding)[:2] == whole


def test_slots__landmarks_and_embeddings_go_along():
    landmarks = np.arange(2 * 4 * 3, dtype=np.float32).reshape(2, 4, 3)
    found = faces([(1, 0, 10, 0), (2, 30, 10, 1)], [], embedding=True, landmarks=landmarks)
    for rule in ("largest", "first"):
        (block,) = filled(found, rule=rule, max_faces=3)[2]
        np.testing.assert_array_equal(block.landmarks[0, :2], landmarks)
        np.testing.assert_array_equal(block.embedding[0, :2], PEOPLE[:2])
        assert (block.landmarks.shape, block.embedding.shape) == ((2, 3, 4, 3), (2, 3, 3))
        assert np.isnan(block.landmarks[0, 2]).all()
        assert np.isnan(block.landmarks[1]).all()


def test_slots__place_by_the_landmarks():
    meshes = SimpleNamespace(name="meshes", features=("AU12",), n_landmarks=2)
    landmarks = np.array([[[0, 0, 0], [10, 10, 0]], [[30, 0, 0], [40, 10, 0]]], np.float32)
    features = np.array([[1], [2], [3], [4]], np.float32)
    found = Faces(
        np.array([0, 0, 1, 1]), np.array([2, 2], np.int16), features, np.concatenate([landmarks, landmarks[::-1]])
    )
    assert filled(found, detector=meshes)[0] == [[1, 2], [4, 3]]


@pytest.mark.parametrize("rule", ["largest", "first", "dominant"])
def test_slots__no_face_at_all(rule):
    values, tracks, (block,) = filled(faces([], [], []), rule=rule)
    assert values == [[-1, -1]] * 3
    assert tracks == [[-1, -1]] * 3
    assert block.landmarks is None
