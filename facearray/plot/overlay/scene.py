"""One frame after the other, with what is known of it drawn and what is to be hidden hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from facearray._words import some
from facearray.plot.overlay.canvas import Canvas
from facearray.plot.overlay.face import COLOURS, Face, draw_box, draw_gaze, draw_mesh, draw_pose
from facearray.plot.overlay.hiding import Hiding, blur, blur_all
from facearray.plot.overlay.panel import Panel, place_panels
from facearray.plot.overlay.rows import Row

__all__ = ["Scene"]

#: What is drawn where a face is, from below to above.
_ON_FACE: Mapping[str, Callable[[Canvas, Face], None]] = {
    "mesh": draw_mesh,
    "boxes": draw_box,
    "pose": draw_pose,
    "gaze": draw_gaze,
}


class Scene:
    """Draws the frames of a video, and counts what it does.

    Parameters
    ----------
    row
        What is known of the video.
    size
        Width and height of its frames.
    faces
        Positions of the slots that are drawn.
    elements
        Names of what is drawn on a face.
    bars
        Names of the features that are drawn as bars, in groups.
    hiding
        What is hidden; None for nothing.
    black
        Whether frames are black instead of what they show.

    Attributes
    ----------
    n_drawn, n_hidden, n_hidden_whole
        Frames with a face that is drawn, with a hidden part, and hidden as a whole.
    to_check
        Begin and end in seconds of each span in which fewer faces are hidden than in other frames.
    notes
        Sentences on what is not drawn.
    """

    def __init__(
        self,
        row: Row,
        size: tuple[int, int],
        *,
        faces: Sequence[int],
        elements: Sequence[str],
        bars: Sequence[Sequence[str]],
        hiding: Hiding | None,
        black: bool,
    ) -> None:
        self._row, self._elements, self._hiding, self._black = row, elements, hiding, black
        several = len(row.faces) > 1
        self._looks = {
            position: (f"face {row.faces[position]}" if several else "", COLOURS[position % len(COLOURS)])
            for position in faces
        }
        self._panels: dict[int, Panel] = {}
        self.notes: list[str] = []
        if bars:
            centres = row.centres()[list(faces)].tolist()
            self._panels = dict(zip(faces, place_panels(size, bars, list(self._looks.values()), centres), strict=False))
            if without := [row.faces[position] for position in faces if position not in self._panels]:
                which = f"of face {some(without)} " if several else ""
                self.notes.append(f"bars {which}are not drawn: frames of {size[0]} x {size[1]} have no room for them")
        self.n_drawn = self.n_hidden = self.n_hidden_whole = 0
        self.to_check: list[tuple[float, float]] = []
        self._in_span = False

    def draw(self, pixels: NDArray[np.uint8], number: int, seconds: float) -> NDArray[np.uint8]:
        """Draw a frame.

        Parameters
        ----------
        pixels
            (height, width, 3) of the source; changed.
        number, seconds
            Its position in the video and its time.
        """
        if self._black:
            pixels = np.zeros_like(pixels)
        if self._hiding is not None:
            self._hide(self._hiding, pixels, number, seconds)
        values = self._row.at(number)
        if values is None:
            return pixels
        faces = self._faces(*values)
        if not faces:
            return pixels
        canvas = Canvas(pixels)
        for name, draw in _ON_FACE.items():
            for face in faces.values() if name in self._elements else ():
                draw(canvas, face)
        for position, face in faces.items():
            if position in self._panels:
                self._panels[position].draw(canvas, face.values)
        self.n_drawn += bool(self._elements or self._panels)
        return canvas.pixels

    def _faces(self, features: NDArray[np.float32], landmarks: NDArray[np.float32] | None) -> dict[int, Face]:
        """Return each face that is to be drawn and that something is known of, by position."""
        found = {}
        for position, (name, colour) in self._looks.items():
            points = None if landmarks is None else landmarks[position]
            has_points = points is not None and bool(np.isfinite(points).any())
            if np.isfinite(features[position]).any() or has_points:
                values = dict(zip(self._row.names, features[position].tolist(), strict=True))
                found[position] = Face(values, points if has_points else None, colour, name)
        return found

    def _hide(self, hiding: Hiding, pixels: NDArray[np.uint8], number: int, seconds: float) -> None:
        hidden = hiding(number)
        if hidden.whole:
            blur_all(pixels, float(hidden.cells.max(initial=0.0)))
        else:
            for region, cell in zip(hidden.regions, hidden.cells.tolist(), strict=True):
                blur(pixels, region, cell)
        self.n_hidden += hidden.whole or len(hidden.regions) > 0
        self.n_hidden_whole += hidden.whole
        doubtful = not hidden.whole and len(hidden.regions) < hiding.most_faces
        if doubtful and self._in_span:
            self.to_check[-1] = (self.to_check[-1][0], seconds)
        elif doubtful:
            self.to_check.append((seconds, seconds))
        self._in_span = doubtful
