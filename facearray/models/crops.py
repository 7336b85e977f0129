"""Square cut-outs of frames, rotated ones too, and the way back from a cut-out to its frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["Squares", "crop", "letterbox", "to_frame"]


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
    around the square is read.

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
    ramp = torch.arange(output, dtype=torch.float32, device=frames.device)
    padding = "zeros" if border == "zero" else "border"
    grid = torch.empty(2, output, output, device=frames.device)  # in planes, each of which is filled at once
    steps = squares.axes / output
    starts = squares.centre - squares.axes.sum(2) / 2
    for k, frame in enumerate(squares.frame.tolist()):
        (left, right), (top, bottom) = _window(starts[k], steps[k] * output, frames.shape[2], frames.shape[1])
        window = frames[frame, top:bottom, left:right].float()
        # grid_sample wants places from -1 to 1, the outer edges of the first and the last pixel.
        origin, extent = np.array([left, top]), np.array([right - left, bottom - top])
        step = 2 * steps[k] / extent[:, None]
        start = (2 * (starts[k] - origin) + 1) / extent - 1
        for axis in (0, 1):
            down = ramp * float(step[axis, 1]) + float(start[axis])
            torch.add(ramp * float(step[axis, 0]), down[:, None], out=grid[axis])
        sample = functional.grid_sample(
            window.permute(2, 0, 1)[None], grid.permute(1, 2, 0)[None], "bilinear", padding, align_corners=False
        )
        # Rounding while the layout changes takes four times as long as one after the other.
        result[k] = sample[0].round_().permute(1, 2, 0)
    return result


def _window(
    start: NDArray[np.float64], axes: NDArray[np.float64], width: int, height: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Columns and rows of a frame that a square touches; at least one of each."""
    corners = start + np.array([[0, 0], [0, 1], [1, 0], [1, 1]]) @ axes.T
    lengths = np.array([width, height])
    first = np.clip(np.floor(corners.min(0)), 0, lengths - 1)
    last = np.clip(np.floor(corners.max(0)) + 2, first + 1, lengths)
    (left, top), (right, bottom) = first.astype(int).tolist(), last.astype(int).tolist()
    return (left, right), (top, bottom)


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
