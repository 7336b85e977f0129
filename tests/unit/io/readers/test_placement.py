from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facearray.errors import ReadError
from facearray.io.readers.placement import Slots


def place(slots, frame, **columns):
    arrays = {name: np.array(values, bool if name == "has_face" else float) for name, values in columns.items()}
    return slots.place(frame=np.array(frame, float), line=np.arange(2, 2 + len(frame)), **arrays)


@pytest.fixture
def slots():
    return Slots(Path("folder/a.csv"), "frame")


def test_place__rows_without_a_face_are_frames(slots):
    placement = place(slots, [0, 1, 1], face=[4, 4, 5], has_face=[0, 1, 1])
    assert placement.frames.tolist() == [0, 1]
    assert placement.n_faces_found.tolist() == [0, 2]
    assert placement.track_id.tolist() == [[-1, -1], [4, 5]]
    np.testing.assert_array_equal(placement.spread(np.array([1.0, 2.0, 3.0])), [[np.nan] * 2, [2, 3]])
    assert placement.of_frames(np.array([0.1, 0.2, 0.2])).tolist() == [0.1, 0.2]


def test_place__faces_keep_their_slots_in_later_blocks(slots):
    assert place(slots, [0], face=[9]).track_id.tolist() == [[9]]
    assert place(slots, [1, 1], face=[3, 9]).track_id.tolist() == [[9, 3]]


def test_place__rows_need_no_order_within_a_block(slots):
    placement = place(slots, [2, 0, 1])
    assert placement.frames.tolist() == [0, 1, 2]
    assert placement.spread(np.array([2.0, 0.0, 1.0]))[:, 0].tolist() == [0, 1, 2]


def test_place__no_rows(slots):
    placement = place(slots, [])
    assert placement.spread(np.empty((0, 3))).shape == (0, 1, 3)


def test_place__names_rows_that_are_left_out(slots):
    placement = place(slots, [0, 1, 1, np.nan, 1.5, -1])
    assert placement.frames.tolist() == [0, 1]
    assert slots.problems == [
        "a.csv: line 5, column 'frame': found nan; expected whole numbers from 0 on; the row is left out",
        "a.csv: line 6, column 'frame': found 1.5; expected whole numbers from 0 on; the row is left out",
        "a.csv: line 7, column 'frame': found -1; expected whole numbers from 0 on; the row is left out",
        "a.csv: line 4, column 'frame': found frame 1 again; the first row of it is read",
    ]


def test_place__names_frames_that_go_back(slots):
    place(slots, [5, 6])
    with pytest.raises(ReadError, match=r"a\.csv: line 3, column 'frame': found frame 6 after frame 6"):
        place(slots, [7, 6])
