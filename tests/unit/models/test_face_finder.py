from __future__ import annotations

import numpy as np

from facearray.models.face_finder import distinct

SQUARE = np.array([[0.0, 0, 0], [10, 0, 0], [10, 10, 0], [0, 10, 0]])


def meshes(*places: tuple[float, float, float]) -> np.ndarray:
    """Squares: x, y and size of each."""
    return np.stack([SQUARE * size / 10 + (x, y, 0) for x, y, size in places])


def kept(frame: list[int], *places: tuple[float, float, float]) -> list[int]:
    return distinct(np.array(frame), meshes(*places)).tolist()


def test_distinct__first_of_those_that_coincide() -> None:
    assert kept([0, 0, 0], (0, 0, 10), (1, 1, 10), (30, 0, 10)) == [0, 2]


def test_distinct__half_of_the_smaller_is_the_limit() -> None:
    assert kept([0, 0], (0, 0, 10), (4.9, 0, 10)) == [0]
    assert kept([0, 0], (0, 0, 10), (5.1, 0, 10)) == [0, 1]


def test_distinct__small_mesh_within_a_large_one() -> None:
    assert kept([0, 0], (0, 0, 10), (4, 4, 2)) == [0]
    assert kept([0, 0], (4, 4, 2), (0, 0, 10)) == [0]


def test_distinct__goes_by_what_is_kept_not_by_chains() -> None:
    assert kept([0, 0, 0], (0, 0, 10), (4, 0, 10), (8, 0, 10)) == [0, 2]


def test_distinct__frames_apart() -> None:
    assert kept([1, 0, 1], (0, 0, 10), (0, 0, 10), (0, 0, 10)) == [0, 1]


def test_distinct__none() -> None:
    assert distinct(np.empty(0, int), np.empty((0, 478, 3))).tolist() == []
