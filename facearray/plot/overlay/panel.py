"""Bars of a face's action units and expressions at the edge of the frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from facearray.plot.overlay.canvas import Canvas, Colour, font_of, text_width

__all__ = ["Bars", "Panel", "place_panels"]

#: Rows of small frames are this high, or lower if they have to be; letters in lower ones could not be read.
LOW_ROW, LOWEST_ROW = 11, 8

#: The part of the frame's width that panels may cover together.
_SHARE = 0.5

#: Height of letters by that of a row, and of a row by that of the frame.
_LETTERS, _ROW = 0.82, 1 / 42

#: What is between the groups of bars, in rows.
_GAP = 0.5

#: Length of a bar, in rows.
_LENGTH = 4.5

_GROUND = (12, 12, 12, 165)
_TRACK = (70, 70, 70, 255)
_WRITING = (235, 235, 235, 255)
_FAINT = (130, 130, 130, 255)


@dataclass(frozen=True, slots=True)
class Bars:
    """How bars are laid out, the same for every face.

    Attributes
    ----------
    width, height
        Size of a panel in pixels.
    row
        Height of a row in pixels.
    begin, end
        Where bars begin and end, in pixels from the left edge of the panel.
    tops
        Feature → upper edge of its row, in pixels from the upper edge of the panel.
    """

    width: int
    height: int
    row: int
    begin: int
    end: int
    tops: Mapping[str, int]

    @classmethod
    def fit(cls, height: int, groups: Sequence[Sequence[str]], *, titled: bool) -> Bars | None:
        """Lay features out, in groups with a gap between them; None where a frame is too low for them.

        Parameters
        ----------
        height
            Of the frame.
        groups
            Names of the features.
        titled
            Whether there is a row above them.
        """
        n_rows = sum(map(len, groups)) + _GAP * (len(groups) - 1) + titled
        row = int(min(max(height * _ROW, LOW_ROW), height / (n_rows + 0.5)))
        if row < LOWEST_ROW or not any(groups):
            return None
        pad = _pad(row)
        begin = 2 * pad + max(text_width(name, _LETTERS * row) for group in groups for name in group)
        tops: dict[str, int] = {}
        top = pad + titled * float(row)
        for group in groups:
            tops |= {name: round(top + i * row) for i, name in enumerate(group)}
            top += (len(group) + _GAP) * row
        end = begin + round(_LENGTH * row)
        return cls(end + pad, round(top - _GAP * row) + pad, row, begin, end, tops)

    def edges(self, name: str) -> tuple[int, int]:
        """Upper and lower edge of a feature's bar, in pixels from the upper edge of the panel."""
        pad = max(1, round(0.18 * self.row))
        return self.tops[name] + pad, self.tops[name] + self.row - pad

    def length(self, value: float) -> int:
        """Pixels of the bar of a value from 0 to 1; what is outside is drawn as the nearer end, NaN not at all."""
        return 0 if np.isnan(value) else round(float(np.clip(value, 0, 1)) * (self.end - self.begin))


@dataclass(frozen=True, slots=True)
class Panel:
    """The bars of one face.

    Attributes
    ----------
    bars
        How they are laid out.
    left
        Left edge of the panel in pixels; it begins at the upper edge of the frame.
    title
        What stands above the bars; empty for nothing.
    colour
        Of the title and the bars.
    """

    bars: Bars
    left: int
    title: str
    colour: Colour
    _grounds: dict[frozenset[str], Image.Image] = field(default_factory=dict, repr=False, compare=False)

    def draw(self, canvas: Canvas, values: Mapping[str, float]) -> None:
        """Lay the bars of a frame's values over it."""
        bars = self.bars
        picture = self._ground(frozenset(name for name in bars.tops if np.isnan(values.get(name, np.nan)))).copy()
        draw = ImageDraw.Draw(picture)
        for name in bars.tops:
            if length := bars.length(values.get(name, np.nan)):
                top, bottom = bars.edges(name)
                draw.rectangle((bars.begin, top, bars.begin + length - 1, bottom - 1), fill=(*self.colour, 255))
        canvas.paste(picture, self.left, 0)

    def _ground(self, missing: frozenset[str]) -> Image.Image:
        """Draw what is the same in all frames in which the same values are missing; kept, as letters take long."""
        if missing not in self._grounds:
            # there are few patterns of missing values, but nothing keeps data from having many
            if len(self._grounds) > 64:
                self._grounds.clear()
            self._grounds[missing] = self._drawn_ground(missing)
        return self._grounds[missing]

    def _drawn_ground(self, missing: frozenset[str]) -> Image.Image:
        bars = self.bars
        picture = Image.new("RGBA", (bars.width, bars.height), _GROUND)
        draw = ImageDraw.Draw(picture)
        font = font_of(_LETTERS * bars.row)
        if self.title:
            draw.text((_pad(bars.row), _pad(bars.row)), self.title, fill=(*self.colour, 255), font=font)
        for name, place in bars.tops.items():
            top, bottom = bars.edges(name)
            draw.text((_pad(bars.row), place), name, fill=_FAINT if name in missing else _WRITING, font=font)
            draw.rectangle((bars.begin, top, bars.end - 1, bottom - 1), fill=_TRACK)
        return picture


def place_panels(
    size: tuple[int, int],
    groups: Sequence[Sequence[str]],
    faces: Sequence[tuple[str, Colour]],
    centres: Sequence[float],
) -> list[Panel]:
    """Find places for the bars of faces: of one face at the edge that it is further from, of several at both.

    Parameters
    ----------
    size
        Width and height of the frame.
    groups
        Names of the features, in groups with a gap between them.
    faces
        Title and colour of each face.
    centres
        Where each face is, from the left edge; NaN where that is not known.

    Returns
    -------
    list of Panel
        Of as many of the first faces as there is room for.
    """
    bars = Bars.fit(size[1], groups, titled=any(title for title, _ in faces))
    if bars is None:
        return []
    n = min(len(faces), int(_SHARE * size[0] / bars.width))
    if n == 1:
        lefts = [0 if centres[0] > size[0] / 2 else size[0] - bars.width]
    else:
        columns = [i * bars.width for i in range(-(-n // 2))]
        columns += [size[0] - i * bars.width for i in range(n // 2, 0, -1)]
        order = np.argsort(centres[:n], kind="stable")
        lefts = [columns[place] for place in np.argsort(order, kind="stable").tolist()]
    return [Panel(bars, left, *face) for left, face in zip(lefts, faces[:n], strict=True)]


def _pad(row: int) -> int:
    return max(2, row // 4)
