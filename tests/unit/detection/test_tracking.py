from __future__ import annotations

import numpy as np
import pytest

from facearray.detection.tracking import MAX_GAP, Tracker

#: Embeddings of three people: 0.6 apart from one another.
PEOPLE = np.eye(3) * np.sqrt(0.18) + np.sqrt((1 - 0.18) / 3) * 0.98
PEOPLE /= np.linalg.norm(PEOPLE, axis=1, keepdims=True)


def box(x: float, y: float = 0.0, size: float = 10.0) -> list[float]:
    """A box around a centre."""
    return [x - size / 2, y - size / 2, size, size]


def follow(frames, times=None, embeddings=None) -> list[list[int]]:
    """Tracks of the boxes of each frame, at 25 frames a second."""
    tracker = Tracker()
    times = np.arange(len(frames)) / 25 if times is None else times
    embeddings = [None] * len(frames) if embeddings is None else embeddings
    return [
        tracker.update(np.array(boxes).reshape(-1, 4), time, None if e is None else np.array(e).reshape(len(boxes), -1))
        for boxes, time, e in zip(frames, times, embeddings, strict=True)
    ]


def simulate(paths, *, seen, shuffle=True, noise=0.02, people=None, seed=0):
    """Tracks of people on paths (n_frame, n_person) of centres, in the order of the people; -1 where not seen."""
    rng = np.random.default_rng(seed)
    tracker = Tracker()
    found = np.full(paths.shape, -1)
    for frame, (places, there) in enumerate(zip(paths, seen, strict=True)):
        who = np.flatnonzero(there)
        if shuffle:
            rng.shuffle(who)
        boxes = np.array([box(places[k] + rng.normal(0, noise * 10), rng.normal(0, noise * 10)) for k in who])
        embeddings = None
        if people is not None:
            embeddings = people[who] + rng.normal(0, 0.08, (len(who), people.shape[1]))
            embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        found[frame, who] = tracker.update(boxes.reshape(-1, 4), frame / 25, embeddings)
    return found


def test_tracker__faces_that_stay():
    assert follow([[box(0), box(30)], [box(31), box(1)], [box(2), box(32)]]) == [[0, 1], [1, 0], [0, 1]]


def test_tracker__new_ones_in_the_order_of_the_faces():
    assert follow([[box(50)], [box(20), box(50), box(80)]]) == [[0], [1, 0, 2]]


@pytest.mark.parametrize("seed", range(20))
def test_tracker__people_who_pass_each_other(seed):
    time = np.linspace(0, 1, 76)[:, None]
    paths = np.concatenate([60 * time, 60 - 60 * time], axis=1)
    apart = np.abs(paths[:, 0] - paths[:, 1])
    seen = np.ones(paths.shape, bool)
    seen[apart < 6, 1] = False  # the second is behind the first
    assert 5 < (~seen).sum() < 20
    found = simulate(paths, seen=seen, seed=seed)
    for person in range(2):
        assert set(found[seen[:, person], person]) == {found[0, person]}


@pytest.mark.parametrize("seed", range(20))
def test_tracker__people_who_turn_back_at_each_other_need_embeddings(seed):
    paths = (
        np.concatenate([30 - np.abs(np.linspace(-30, 30, 76)), 32 + np.abs(np.linspace(-30, 30, 76))]).reshape(2, -1).T
    )
    seen = np.ones(paths.shape, bool)
    seen[np.abs(paths[:, 0] - paths[:, 1]) < 6, 1] = False
    found = simulate(paths, seen=seen, people=PEOPLE[:2], seed=seed)
    for person in range(2):
        assert set(found[seen[:, person], person]) == {found[0, person]}


def test_tracker__occlusion():
    seen = np.ones((60, 2), bool)
    seen[20:40, 1] = False
    found = simulate(np.full((60, 2), [0.0, 30.0]), seen=seen)
    assert set(found[seen[:, 1], 1]) == {found[0, 1]}


def test_tracker__who_is_gone_for_long_is_another_track():
    frames = int(25 * MAX_GAP)
    assert follow([[box(0)], *[[]] * (frames - 1), [box(0)]])[-1] == [0]
    assert follow([[box(0)], *[[]] * frames, [box(0)]])[-1] == [1]


def test_tracker__frames_that_are_seconds_apart():
    times = np.arange(6) * 7.0
    assert follow([[box(0)]] * 6, times) == [[0]] * 6
    assert follow([[box(0)], [], [box(0)], [], [], [box(0)]], times) == [[0], [], [0], [], [], [1]]


def test_tracker__times_that_start_anew():
    assert follow([[box(0)]] * 4, [5.0, 5.04, 0.0, 0.04]) == [[0]] * 4


def test_tracker__jump_is_another_track():
    assert follow([[box(0)], [box(30)]]) == [[0], [1]]
    assert follow([[box(0)], [box(0, size=30)]]) == [[0], [1]]


def test_tracker__fast_motion():
    places = np.cumsum(np.full(25, 4.0))  # four tenths of the face in each frame
    assert follow([[box(x)] for x in places]) == [[0]] * 25


def test_tracker__another_person_at_the_same_place():
    embeddings = [PEOPLE[0]] * 3 + [PEOPLE[1]] * 3
    assert follow([[box(0)]] * 6, embeddings=embeddings) == [[0]] * 3 + [[1]] * 3
    assert follow([[box(0)]] * 6) == [[0]] * 6


def test_tracker__all_pairs_at_once():
    # the nearest for the first alone would leave the second without a track
    assert follow([[box(0), box(6)], [box(5), box(11)]]) == [[0, 1], [0, 1]]


def test_tracker__embedding_that_is_missing_says_nothing():
    nothing = np.full(3, np.nan)
    assert follow([[box(0)]] * 4, embeddings=[nothing, PEOPLE[0], nothing, PEOPLE[0]]) == [[0]] * 4
    assert follow([[box(0)]] * 4, embeddings=[PEOPLE[0], nothing, PEOPLE[1], PEOPLE[1]]) == [[0], [0], [1], [1]]


def test_tracker__box_that_is_missing():
    nothing = [np.nan] * 4
    assert follow([[box(0), nothing], [nothing, box(0)], [box(0)]]) == [[0, 1], [2, 0], [0]]


def test_tracker__what_a_track_was():
    tracker = Tracker()
    for x in (0.0, 2.0):
        tracker.update(np.array([box(x, size=3)]), x / 25, PEOPLE[:1])
    tracker.update(np.empty((0, 4)), 3 / 25, PEOPLE[:0])
    (track,) = tracker.tracks
    assert (track.first, track.last, track.n_frames, track.area) == (0, 1, 2, 18.0)
    np.testing.assert_array_equal(track.first_box, box(0, size=3))
    np.testing.assert_array_equal(track.box, box(2, size=3))
    np.testing.assert_allclose(track.mean_embedding(), PEOPLE[0])


def test_tracker__order_of_later_frames_does_not_matter():
    rng = np.random.default_rng(3)
    paths = rng.uniform(0, 40, 4) * 3 + np.cumsum(rng.normal(0, 0.5, (80, 4)), axis=0)
    seen = rng.random((80, 4)) < 0.8
    plain, shuffled = (simulate(paths, seen=seen, noise=0, shuffle=s) for s in (False, True))
    same = (plain[seen][:, None] == plain[seen]) == (shuffled[seen][:, None] == shuffled[seen])
    assert same.all()
