from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from facearray.models.crops import Squares, crop, letterbox, to_frame

MODES = {"zero": "grid-constant", "replicate": "nearest"}


def pictures(n: int, height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, height, width, 3)).astype(np.uint8)


def by_scipy(frame: NDArray[np.uint8], centre, size: float, rotation: float, output: int, border: str) -> NDArray:
    i, j = np.meshgrid(np.arange(output) / output - 0.5, np.arange(output) / output - 0.5)
    x = centre[0] + size * (np.cos(rotation) * i - np.sin(rotation) * j)
    y = centre[1] + size * (np.sin(rotation) * i + np.cos(rotation) * j)
    channels = [
        map_coordinates(frame[:, :, c].astype(float), [y, x], order=1, mode=MODES[border], cval=0) for c in range(3)
    ]
    return np.stack(channels, axis=-1)


SQUARES = {
    "inside": ((30, 20), 16.0, 0.0),
    "turned": ((31.3, 19.8), 20.5, 0.4),
    "turned_far": ((31.3, 19.8), 20.5, -2.5),
    "enlarged": ((30.2, 20.7), 3.0, 0.2),
    "over_the_edge": ((2, 38), 30.0, 0.3),
    "around_all": ((30, 20), 200.0, 0.1),
    "outside": ((-80, 20), 30.0, 0.0),
    "outside_corner": ((200, 300), 30.0, 1.0),
}


@pytest.mark.parametrize("output", [24, 3])  # the second is less than a sixth of some squares
@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("case", SQUARES)
def test_crop__as_scipy(case: str, border: str, output: int) -> None:
    centre, size, rotation = SQUARES[case]
    frames = pictures(3, 40, 60)
    squares = Squares(np.array([2]), np.array([centre], float), np.array([size]), np.array([rotation]))
    found = crop(torch.from_numpy(frames), squares, output, border=border)
    expected = by_scipy(frames[2], centre, size, rotation, output, border)
    # values are rounded, and float32 places may round the other way
    assert np.abs(found[0].numpy() - expected).max() < 0.51
    assert (found == found.round()).all()


@pytest.mark.parametrize("border", MODES)
@pytest.mark.parametrize("output", [8, 1])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 1), (30, 1), (1, 30), (9, 2)])
def test_crop__tiny_frame(shape: tuple[int, int], output: int, border: str) -> None:
    frames = pictures(1, *shape)
    squares = Squares.upright([0], [[shape[1] / 2, shape[0] / 2]], [40.0])
    found = crop(torch.from_numpy(frames), squares, output, border=border)
    expected = by_scipy(frames[0], (shape[1] / 2, shape[0] / 2), 40.0, 0.0, output, border)
    assert np.abs(found[0].numpy() - expected).max() < 0.51


def test_crop__any_number_from_any_frame() -> None:
    frames = torch.from_numpy(pictures(3, 40, 60))
    squares = Squares.upright([2, 0, 2], [[30, 20], [10, 12], [11, 12]], [16, 20, 8])
    together = crop(frames, squares, 16, border="zero")
    for k in range(3):
        assert torch.equal(together[k : k + 1], crop(frames, squares[k : k + 1], 16, border="zero"))
    assert crop(frames, squares[:0], 16, border="zero").shape == (0, 16, 16, 3)


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (33, 33), (1, 1), (1, 50), (50, 1), (300, 200)])
def test_letterbox__as_scipy(shape: tuple[int, int]) -> None:
    frames = pictures(4, *shape)
    found = letterbox(torch.from_numpy(frames), np.array([1, 3]), 32)
    for k, frame in enumerate((1, 3)):
        expected = by_scipy(frames[frame], (shape[1] / 2, shape[0] / 2), max(shape), 0.0, 32, "zero")
        assert np.abs(found[k].numpy() - expected).max() < 0.51


def test_letterbox__no_frame() -> None:
    assert letterbox(torch.from_numpy(pictures(4, 4, 6)), np.array([], int), 8).shape == (0, 8, 8, 3)


def test_to_frame__where_crop_looked() -> None:
    x, y = np.meshgrid(np.arange(200.0), np.arange(100.0))
    frames = torch.from_numpy(np.stack([x, y, 0 * x], axis=-1).astype(np.uint8)[None])
    squares = Squares(np.zeros(1, int), np.array([[91.0, 47.0]]), np.array([32.0]), np.array([0.6]))
    elements = np.array([[[3, 5], [17, 2], [31, 31]]])
    found = to_frame(elements / 32, squares)
    picture = crop(frames, squares, 32, border="zero")[0].numpy()
    for (column, row), place in zip(elements[0], found[0], strict=True):
        np.testing.assert_allclose(picture[row, column, :2], place, atol=0.51)


def test_squares__turn_clockwise() -> None:
    squares = Squares(np.zeros(1, int), np.zeros((1, 2)), np.array([2.0]), np.array([np.pi / 2]))
    np.testing.assert_allclose(to_frame(np.array([[[1.0, 0.5]]]), squares), [[[0.0, 1.0]]], atol=1e-12)
