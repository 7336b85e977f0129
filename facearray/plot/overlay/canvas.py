"""Drawing on one frame: lines that are smooth, rectangles, texts."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Canvas", "Colour", "font_of", "text_width"]

#: Red, green, blue.
Colour = tuple[int, int, int]

#: How many times finer than the frame lines are drawn before they are averaged.
FINER = 2

#: Ends of lines that lie further outside of the frame than this many times its size are no places.
_FAR = 2.0


class Canvas:
    """A frame that is drawn on; coordinates are in pixels, whole numbers at the edges between pixels.

    Parameters
    ----------
    pixels
        (height, width, 3) RGB; left as it is.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._image = Image.fromarray(pixels)
        self._draw = ImageDraw.Draw(self._image)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """What the frame looks like now (height, width, 3)."""
        return np.asarray(self._image)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self._image.size

    def lines(self, ends: NDArray[np.floating], colour: Colour, *, width: float = 1.0, opacity: float = 1.0) -> None:
        """Draw straight lines; where they cross, none shines through.

        Parameters
        ----------
        ends
            (n, 2, 2) x and y of both ends; lines with an end that is no place are left out.
        colour
            Their colour.
        width
            In pixels.
        opacity
            0 to 1.
        """
        xy = self._places(ends)
        if not len(xy):
            return
        margin = int(width) + 1
        corner, mask = self._mask(xy, margin)
        if mask is None:
            return
        draw = ImageDraw.Draw(mask)
        thick = max(1, round(width * FINER))
        for line in np.floor((xy - corner) * FINER).astype(np.int64).reshape(-1, 4).tolist():
            draw.line(line, fill=255, width=thick)
        self._stamp(mask, corner, colour, opacity)

    def dots(self, centres: NDArray[np.floating], colour: Colour, *, radius: float = 1.0, opacity: float = 1.0) -> None:
        """Draw filled circles.

        Parameters
        ----------
        centres
            (n, 2) x and y; those that are no places are left out.
        colour, opacity
            As for `lines`.
        radius
            In pixels.
        """
        xy = self._places(np.repeat(centres[:, None], 2, axis=1))[:, :1]
        if not len(xy):
            return
        corner, mask = self._mask(xy, int(radius) + 2)
        if mask is None:
            return
        draw = ImageDraw.Draw(mask)
        for x, y in ((xy[:, 0] - corner) * FINER).tolist():
            draw.circle((x, y), radius * FINER, fill=255)
        self._stamp(mask, corner, colour, opacity)

    def rectangle(
        self, left: float, top: float, right: float, bottom: float, colour: Colour, *, width: int | None = None
    ) -> None:
        """Draw a rectangle, filled or, with a width in pixels, its outline; its edges lie inside."""
        x0, y0, x1, y1 = round(left), round(top), round(right) - 1, round(bottom) - 1
        if x1 < x0 or y1 < y0:
            return
        if width is None:
            self._draw.rectangle((x0, y0, x1, y1), fill=colour)
        else:
            self._draw.rectangle((x0, y0, x1, y1), outline=colour, width=width)

    def text(self, left: float, top: float, text: str, colour: Colour, *, size: float) -> None:
        """Write text whose upper left corner is at a place."""
        self._draw.text((round(left), round(top)), text, fill=colour, font=font_of(size))

    def paste(self, picture: Image.Image, left: int, top: int) -> None:
        """Lay a picture that may be transparent over the frame."""
        self._image.paste(picture, (left, top), picture)

    def _places(self, ends: NDArray[np.floating]) -> NDArray[np.float64]:
        xy = np.asarray(ends, np.float64)
        limit = _FAR * max(self.size)
        with np.errstate(invalid="ignore"):
            return xy[(np.abs(xy) <= limit).all(axis=(1, 2))]

    def _mask(self, xy: NDArray[np.float64], margin: int) -> tuple[NDArray[np.float64], Image.Image | None]:
        """Make an empty mask of the part of the frame that holds places, and return its corner."""
        low = np.maximum(np.floor(xy.min(axis=(0, 1))) - margin, 0)
        high = np.minimum(np.ceil(xy.max(axis=(0, 1))) + margin, self.size)
        if (high <= low).any():
            return low, None
        width, height = (FINER * (high - low)).astype(int).tolist()
        return low, Image.new("L", (width, height))

    def _stamp(self, mask: Image.Image, corner: NDArray[np.float64], colour: Colour, opacity: float) -> None:
        mask = mask.reduce(FINER)
        if opacity < 1:
            mask = mask.point(_faded(opacity))
        self._image.paste(colour, (int(corner[0]), int(corner[1])), mask)


def text_width(text: str, size: float) -> int:
    """Width of a text in pixels."""
    return int(np.ceil(font_of(size).getlength(text)))


@functools.cache
def font_of(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Letters of a size in pixels."""
    return ImageFont.load_default(size)


@functools.cache
def _faded(opacity: float) -> list[int]:
    return [round(opacity * level) for level in range(256)]
