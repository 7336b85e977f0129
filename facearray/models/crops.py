"""Square cut-outs of frames, rotated ones too, and the way back from a cut-out to its frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["Squares", "crop", "letterbox", "to_frame"]

#: Pixels from one element to the next beyond which it is faster to read the pixels around each than all of a square.
_SPARSE = 6


@dataclass(frozen=True, slots=True)
class Squares:
    """Squares in the frames of a batch.

    Attributes
    ----------
    frame
        (n,) position of the frame in the batch.
    centre
        (n, 2) x and y of the centre in pixels.
    size
        (n,) side in pixels.
    rotation
        (n,) radians by which the square is turned, clockwise in the picture.
    """

    frame: NDArray[np.intp]
    centre: NDArray[np.float64]
    size: NDArray[np.float64]
    rotation: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Take some of the squares."""
        return type(self)(self.frame[rows], self.centre[rows], self.size[rows], self.rotation[rows])

    @classmethod
    def upright(cls, frame: ArrayLike, centre: ArrayLike, size: ArrayLike) -> Self:
        """Squares that are not turned."""
        frame = np.asarray(frame, np.intp)
        return cls(frame, np.asarray(centre, np.float64), np.asarray(size, np.float64), np.zeros(len(frame)))

    @property
    def axes(self) -> NDArray[np.float64]:
        """(n, 2, 2) matrices from places in a square, in units of its side, to pixels of the frame."""
        cos, sin = np.cos(self.rotation) * self.size, np.sin(self.rotation) * self.size
        return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)


def crop(frames: Tensor, squares: Squares, output: int, *, border: Literal["zero", "replicate"]) -> Tensor:
    """Cut squares out of frames by bilinear interpolation.

    Element ``i`` of a row of the result is taken at ``i / output`` of the square's side, as OpenCV's
    ``warpPerspective`` does when the corners of the square become the corners of the result. Only the part of a frame
    around the square is read, and of a large square only the pixels that count.

    Parameters
    ----------
    frames
        (n_frame, height, width, 3) uint8.
    squares
        What to cut out.
    output
        Side of the result in elements.
    border
        What lies outside of a frame: zeros, or the nearest pixel.

    Returns
    -------
    Tensor
        (n, output, output, 3) float32 of whole numbers from 0 to 255, on the device of the frames.

    Examples
    --------
    >>> frames = torch.arange(16, dtype=torch.uint8).reshape(1, 4, 4, 1).expand(1, 4, 4, 3)
    >>> squares = Squares.upright(frame=[0], centre=[[2.0, 2.0]], size=[4.0])
    >>> crop(frames, squares, 2, border="zero")[0, :, :, 0]
    tensor([[ 0.,  2.],
            [ 8., 10.]])
    """
    result = torch.empty(len(squares), output, output, 3, device=frames.device)
    grid = torch.empty(2, output, output, device=frames.device)  # in planes, each of which is filled at once
    steps = squares.axes / output
    starts = squares.centre - squares.axes.sum(2) / 2
    height, width = frames.shape[1:3]
    windows = [_window(start, step * output, width, height) for start, step in zip(starts, steps, strict=True)]
    is_sparse = [width > 1 and window.size > (_SPARSE * output) ** 2 for window in windows]
    # New memory for each square, of megabytes, would take longer than what is done with it.
    largest = max((window.size for window, sparse in zip(windows, is_sparse, strict=True) if not sparse), default=0)
    scratch = torch.empty(largest, 3, device=frames.device)
    for k, (frame, window) in enumerate(zip(squares.frame.tolist(), windows, strict=True)):
        start = starts[k] - window.origin
        if is_sparse[k]:
            _fill(grid, steps[k], start)
            cover = _cover(grid, window.origin, width, height) if border == "zero" else None
            pixels, padding = _corners(frames[frame], grid, window.origin), "border"
        else:
            # grid_sample wants places from -1 to 1, the outer edges of the first and the last pixel.
            _fill(grid, 2 * steps[k] / window.extent[:, None], (2 * start + 1) / window.extent - 1)
            pixels = scratch[: window.size].view(*window.shape, 3).copy_(frames[frame, window.rows, window.columns])
            cover, padding = None, "zeros" if border == "zero" else "border"
        sample = functional.grid_sample(
            pixels.permute(2, 0, 1)[None], grid.permute(1, 2, 0)[None], "bilinear", padding, align_corners=False
        )
        if cover is not None:
            sample.mul_(cover)
        # Rounding while the layout changes takes four times as long as one after the other.
        result[k] = sample[0].round_().permute(1, 2, 0)
    return result


def _fill(grid: Tensor, step: NDArray[np.float64], start: NDArray[np.float64]) -> None:
    """Fill planes (2, output, output) with x and y of places that begin at a start and are a step apart."""
    ramp = torch.arange(grid.shape[1], dtype=torch.float32, device=grid.device)
    for axis in (0, 1):
        down = ramp * float(step[axis, 1]) + float(start[axis])
        torch.add(ramp * float(step[axis, 0]), down[:, None], out=grid[axis])


def _cover(grid: Tensor, origin: NDArray[np.intp], width: int, height: int) -> Tensor:
    """Part (output, output) of each place's value that comes from the frame; the rest are the zeros beyond its edge."""
    first, last = -origin, np.array([width, height]) - 1 - origin
    inside = [
        torch.minimum(grid[axis] + float(1 - first[axis]), float(last[axis] + 1) - grid[axis]).clamp_(0, 1)
        for axis in (0, 1)
    ]
    return inside[0].mul_(inside[1])


def _corners(picture: Tensor, grid: Tensor, origin: NDArray[np.intp]) -> Tensor:
    """Read only the four pixels around each place, so that the cost does not grow with the square.

    Parameters
    ----------
    picture
        (height, width, 3) uint8, at least two pixels wide.
    grid
        (2, output, output) x and y of the places in pixels from the origin; becomes their places in the result, as
        grid_sample wants them.
    origin
        (2,) x and y in pixels of the picture.

    Returns
    -------
    Tensor
        (2 · output, 2 · output, 3) two by two pixels for each place; beyond the picture's edge those at the edge.
    """
    height, width = picture.shape[:2]
    output = grid.shape[1]
    last = np.array([width, height]) - 1 - origin
    for axis in (0, 1):
        grid[axis].clamp_(float(-origin[axis]), float(last[axis]))
    cell = grid.floor()
    cell[0].clamp_(max=float(last[0] - 1))
    grid.sub_(cell)
    column, row = (plane.long().add_(int(first)) for plane, first in zip(cell, origin, strict=True))
    above = column + row * width
    below = column + (row + 1).clamp_(max=height - 1) * width
    # Neighbours in a row lie side by side: one read gives both.
    pairs = picture.reshape(-1).as_strided((height * width - 1, 6), (3, 1))
    pixels = pairs.index_select(0, torch.stack([above, below], 1).view(-1)).float()
    ramp = (2 * torch.arange(output, dtype=torch.float32, device=grid.device) + 0.5) / output - 1
    grid.div_(output)
    grid[0].add_(ramp)
    grid[1].add_(ramp[:, None])
    return pixels.view(2 * output, 2 * output, 3)


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of a frame: its columns and rows, at least one of each."""

    columns: slice
    rows: slice

    @property
    def origin(self) -> NDArray[np.intp]:
        return np.array([self.columns.start, self.rows.start])

    @property
    def extent(self) -> NDArray[np.intp]:
        return np.array([self.columns.stop, self.rows.stop]) - self.origin

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def size(self) -> int:
        return math.prod(self.shape)


def _window(start: NDArray[np.float64], axes: NDArray[np.float64], width: int, height: int) -> _Window:
    """Return what a square touches of a frame."""
    corners = start + np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) @ axes.T
    lengths = np.array([width, height])
    first = np.clip(np.floor(corners.min(0)), 0, lengths - 1)
    last = np.clip(np.floor(corners.max(0)) + 2, first + 1, lengths)
    return _Window(*(slice(int(low), int(high)) for low, high in zip(first, last, strict=True)))


def letterbox(frames: Tensor, rows: NDArray[np.intp], output: int) -> Tensor:
    """Shrink or enlarge whole frames into the middle of a square, with zeros beside them.

    The same as :func:`crop` of the upright square around each frame, at a cost that hardly depends on its size.

    Parameters
    ----------
    frames
        (n_frame, height, width, 3) uint8.
    rows
        (n,) which of the frames.
    output
        Side of the result in elements.

    Returns
    -------
    Tensor
        (n, output, output, 3) float32 of whole numbers from 0 to 255.

    Examples
    --------
    >>> frames = torch.full((1, 2, 4, 3), 8, dtype=torch.uint8)
    >>> letterbox(frames, np.array([0]), 4)[0, :, :, 0]
    tensor([[0., 0., 0., 0.],
            [8., 8., 8., 8.],
            [8., 8., 8., 8.],
            [0., 0., 0., 0.]])
    """
    height, width = frames.shape[1:3]
    side = max(height, width)
    lines, above, below, from_above, inside_y = _neighbours(height, side, output, frames.device)
    columns, left, right, from_left, inside_x = _neighbours(width, side, output, frames.device)
    pixels = frames.reshape(-1, 3)
    first_line = torch.from_numpy(rows * height).to(frames.device)[:, None]

    def read(y: Tensor, x: Tensor) -> Tensor:
        places = ((first_line + y) * width)[:, :, None] + x
        return pixels.index_select(0, places.reshape(-1)).float().view(len(rows), len(y), len(x) * 3)

    # Weights are written out for the three channels, since broadcasting over so short an axis is slow.
    from_left, inside_x = from_left.repeat_interleave(3), inside_x.repeat_interleave(3)
    upper = torch.lerp(read(above, left), read(above, right), from_left)
    lower = torch.lerp(read(below, left), read(below, right), from_left)
    values = torch.lerp(upper, lower, from_above[:, None]).mul_(inside_y[:, None] * inside_x).round_()
    result = torch.zeros(len(rows), output, output, 3, device=frames.device)
    result[:, lines, columns] = values.view(len(rows), len(above), len(left), 3)
    return result


def _neighbours(
    length: int, side: int, output: int, device: torch.device
) -> tuple[slice, Tensor, Tensor, Tensor, Tensor]:
    """Elements that the frame covers; of these the pixels before and after, the distance from the former, the cover."""
    position = np.arange(output) * (side / output) + (length - side) / 2
    # Between the last pixel and the zeros beyond it the value falls over the width of a pixel.
    inside = np.minimum(position + 1, length - position).clip(0, 1)
    covered = np.flatnonzero(inside)
    part = slice(covered[0], covered[-1] + 1) if len(covered) else slice(0, 0)
    clamped = position[part].clip(0, length - 1)
    before = np.floor(clamped)
    after = np.minimum(before + 1, length - 1)
    first, second = (torch.from_numpy(value.astype(np.int64)).to(device) for value in (before, after))
    weight, cover = (
        torch.from_numpy(value.astype(np.float32)).to(device) for value in (clamped - before, inside[part])
    )
    return part, first, second, weight, cover


def to_frame(points: NDArray[np.floating], squares: Squares) -> NDArray[np.float64]:
    """Turn places in squares into pixels of their frames.

    Parameters
    ----------
    points
        (n, k, 2) x and y in units of the square's side from its upper left corner.
    squares
        The n squares.

    Returns
    -------
    ndarray
        (n, k, 2) x and y in pixels.

    Examples
    --------
    >>> squares = Squares.upright(frame=[0], centre=[[20.0, 10.0]], size=[8.0])
    >>> to_frame(np.array([[[0.0, 0.0], [1.0, 0.5]]]), squares)
    array([[[16.,  6.],
            [24., 10.]]])
    """
    return (points - 0.5) @ squares.axes.transpose(0, 2, 1) + squares.centre[:, None]
