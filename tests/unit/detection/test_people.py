from __future__ import annotations

import numpy as np
import pytest

from facearray.detection.people import slots_of_people, slots_of_tracks
from facearray.detection.tracking import Track

#: Embeddings of three people: more than 0.6 apart from one another.
PEOPLE = np.eye(3) + 0.8
PEOPLE /= np.linalg.norm(PEOPLE, axis=1, keepdims=True)


def track(
    first: int, last: int, *, x: float = 0.0, to: float | None = None, size: float = 10.0, who: int | None = None
):
    """A track that begins at one place and ends at another; ``who`` has its embedding."""
    n = last - first + 1
    first_box, box = (np.array([place, 0, size, size]) for place in (x, x if to is None else to))
    made = Track(first, last, first_box, box, last / 25, n_frames=n, area=n * size**2)
    if who is not None:
        made.embedding = PEOPLE[who] * n
    return made


def of_tracks(tracks, n_slots=2, *, dominant=False):
    return slots_of_tracks(tracks, n_slots, dominant=dominant).tolist()


def of_people(tracks, n_slots=2, *, dominant=False):
    return slots_of_people(tracks, n_slots, dominant=dominant).tolist()


def test_slots_of_tracks__in_the_order_of_appearance():
    assert of_tracks([track(0, 9), track(0, 9, x=30), track(3, 9, x=60)], 3) == [0, 1, 2]


def test_slots_of_tracks__more_than_there_are_slots():
    tracks = [track(0, 9), track(0, 9, x=30), track(3, 9, x=60), track(9, 12, x=90), track(10, 12, x=60)]
    assert of_tracks(tracks) == [0, 1, -1, -1, 0]


def test_slots_of_tracks__back_at_the_place_of_the_last():
    tracks = [track(0, 9), track(0, 9, x=30, to=50), track(40, 49, x=52), track(41, 49, x=2)]
    assert of_tracks(tracks) == [0, 1, 1, 0]
    assert of_tracks(tracks, 4) == [0, 1, 1, 0]


def test_slots_of_tracks__unused_before_used():
    assert of_tracks([track(0, 9), track(20, 29, x=50)]) == [0, 1]


def test_slots_of_tracks__gone_longest():
    tracks = [track(0, 9), track(0, 5, x=30), track(20, 29, x=90)]
    assert of_tracks(tracks) == [0, 1, 1]


def test_slots_of_tracks__no_two_at_one_time():
    rng = np.random.default_rng(0)
    firsts = np.sort(rng.integers(0, 300, 80))
    tracks = [track(int(f), int(f + rng.integers(0, 60)), x=float(rng.uniform(0, 200))) for f in firsts]
    for dominant in (False, True):
        slots = np.array(of_tracks(tracks, 3, dominant=dominant))
        taken = np.zeros((3, 400), int)
        for slot, one in zip(slots, tracks, strict=True):
            if slot >= 0:
                taken[slot, one.first : one.last + 1] += 1
            elif not dominant:
                assert (taken[:, one.first] > 0).all()  # at that time there was no room
        assert taken.max() == 1
        assert (slots == -1).any()


def test_slots_of_tracks__brief_ones_last():
    tracks = [track(0, 1, x=30), track(5, 200), track(210, 211, x=60), track(100, 101, x=90)]
    tracks.sort(key=lambda one: one.first)
    assert of_tracks(tracks, 1) == [0, 0, -1, 0]
    assert of_tracks(tracks, 2) == [0, 0, 1, 0]
    assert of_tracks(tracks[:1]) == [0]


def test_slots_of_people__brief_ones_last():
    tracks = [track(0, 1, who=0), track(5, 200, who=1), track(250, 260, who=2)]
    assert of_people(tracks, 2) == [-1, 0, 1]
    assert of_people(tracks, 3) == [2, 0, 1]
    # in all it is there for longer
    assert of_people([*tracks, track(270, 290, who=0)], 2) == [0, 1, -1, 0]


def test_slots_of_tracks__dominant():
    tracks = [track(0, 9), track(0, 99, x=30), track(20, 89), track(95, 120)]
    assert of_tracks(tracks, dominant=True) == [1, 0, 1, 1]
    assert of_tracks(tracks, 1, dominant=True) == [-1, 0, -1, -1]
    assert of_tracks([track(0, 9), track(0, 9, x=30, size=11)], 1, dominant=True) == [-1, 0]


def test_slots_of_people__back_after_a_while_at_another_place():
    tracks = [track(0, 9, who=0), track(0, 50, x=30, who=1), track(40, 60, x=90, who=0), track(70, 80, who=1)]
    assert of_people(tracks) == [0, 1, 0, 1]


def test_slots_of_people__another_person_keeps_out_of_a_slot():
    assert of_people([track(0, 9, who=0), track(20, 29, who=1), track(40, 49, who=2), track(60, 69, who=1)]) == [
        0,
        1,
        -1,
        1,
    ]


def test_slots_of_people__two_at_one_time_are_two():
    assert of_people([track(0, 9, who=0), track(5, 14, x=30, who=0), track(20, 29, who=0)]) == [0, 1, 0]


def test_slots_of_people__dominant():
    tracks = [track(0, 9, who=0), track(0, 30, x=30, who=1), track(20, 29, who=2), track(40, 90, who=2)]
    assert of_people(tracks, 3, dominant=True) == [2, 1, 0, 0]
    assert of_people(tracks, 1, dominant=True) == [-1, -1, 0, 0]
    assert of_people(tracks, 3) == [0, 1, 2, 2]


def test_slots_of_people__without_embedding_is_a_person_of_its_own():
    assert of_people([track(0, 9, who=0), track(20, 29), track(40, 49, who=0)]) == [0, 1, 0]
    assert of_people([track(0, 9), track(20, 29)]) == [0, 1]


@pytest.mark.parametrize("dominant", [False, True])
def test_slots__nobody(dominant):
    assert of_tracks([], dominant=dominant) == of_people([], dominant=dominant) == []
