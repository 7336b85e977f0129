"""Which parts of a frame may show a face, and blurring them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["CELLS", "DRIFT", "GROW", "Hidden", "Hiding", "Sightings", "blur", "blur_all"]

#: What a face is grown by on each side, as a part of the larger of its width and height: hair, ears and chin lie
#: outside of what detectors call a face.
GROW = 0.4

#: What it is grown by more for each second between a frame and the nearest in which the face was found.
DRIFT = 0.6

#: Patches of one colour that the larger side of a face has after blurring.
CELLS = 4

#: The same for the larger side of a frame that is blurred as a whole.
_CELLS_OF_FRAME = 14


@dataclass(frozen=True, slots=True)
class Hidden:
    """What of a frame is hidden.

    Attributes
    ----------
    regions
        (n, 4) left, top, right, bottom edge of each part, in pixels.
    cells
        (n,) pixels of a patch in each.
    whole
        Whether all of it is.
    unsure
        Whether a face may be where nothing says that it is.
    """

    regions: NDArray[np.float64]
    cells: NDArray[np.float64]
    whole: bool
    unsure: bool


@dataclass(frozen=True, slots=True)
class Sightings:
    """Where the faces of a video were found, in the frames that were looked at.

    Attributes
    ----------
    number
        (n,) positions of these frames in the video, ascending.
    seconds
        (n,) their times.
    edges
        (n, face, 4) left, top, right, bottom edge of each face; NaN where it was not found.
    lost
        (n,) whether more faces were found than there are edges for.
    """

    number: NDArray[np.integer]
    seconds: NDArray[np.float64]
    edges: NDArray[np.float64]
    lost: NDArray[np.bool_]

    def time_of(self, number: int) -> float:
        """Time of a frame by those of the frames that were looked at: on a line between them, and beyond them."""
        if not len(self.number):
            return 0.0
        span = int(self.number[-1]) - int(self.number[0])
        step = (self.seconds[-1] - self.seconds[0]) / span if span else np.inf
        outside = number - np.clip(number, self.number[0], self.number[-1])
        return float(np.interp(number, self.number, self.seconds) + (outside * step if outside else 0.0))

    def seen(self) -> NDArray[np.bool_]:
        """(n, face) whether a face was found."""
        return np.asarray(np.isfinite(self.edges).all(axis=2))

    def last_seen(self) -> NDArray[np.intp]:
        """(n, face) the frame itself or the last one before it in which a face was found; -1 where there is none."""
        index = np.where(self.seen(), np.arange(len(self.number))[:, None], -1)
        return np.maximum.accumulate(index, axis=0)

    def next_seen(self) -> NDArray[np.intp]:
        """(n, face) the frame itself or the next one in which a face was found; n where there is none."""
        n = len(self.number)
        index = np.where(self.seen(), np.arange(n)[:, None], n)
        return np.minimum.accumulate(index[::-1], axis=0)[::-1]


class Hiding:
    """Says what to hide in each frame.

    A face that was found is hidden where it was found, grown by ``GROW``. In frames without it, or that nobody looked
    at, it is hidden where it was last and where it is next, as long as either is no further away than `hold`; the
    region is grown more the longer ago it is. All of a frame is hidden where a face was found of which is not known
    where it is; and, unless `keep_unsure`, where a face is out of sight for longer and comes back, or no face is known.

    Parameters
    ----------
    sightings
        Where the faces were found.
    hold
        Seconds.
    keep_unsure
        Whether frames in which a face may be missed are left as they are.

    Attributes
    ----------
    most_faces
        The most faces that were found in one frame.
    """

    def __init__(self, sightings: Sightings, *, hold: float, keep_unsure: bool = False) -> None:
        self._sightings = sightings
        self._last, self._next = sightings.last_seen(), sightings.next_seen()
        self._hold, self._keep_unsure = hold, keep_unsure
        self.most_faces = int(sightings.seen().sum(axis=1).max(initial=0))

    def __call__(self, number: int) -> Hidden:
        """Return what to hide in the frame at a position in the video."""
        found = self._sightings
        n = len(found.number)
        seconds = found.time_of(number)
        after = int(np.searchsorted(found.number, number))
        looked_at = after < n and int(found.number[after]) == number
        before = after if looked_at else after - 1
        around = [i for i in {before, after} if 0 <= i < n]
        regions: list[NDArray[np.float64]] = []
        sizes: list[float] = []
        comes_back = False
        for face in range(found.edges.shape[1]):
            first = int(self._last[before, face]) if before >= 0 else -1
            second = int(self._next[after, face]) if after < n else n
            edges, away = self._near(face, first, second, seconds)
            if len(edges):
                low, high = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
                size = float((edges[:, 2:] - edges[:, :2]).max())
                margin = (GROW + DRIFT * away) * size
                regions.append(np.concatenate([low - margin, high + margin]))
                sizes.append(size)
            elif first >= 0 and second < n:
                comes_back = True
        lost = bool(found.lost[around].any())
        unsure = comes_back or not regions
        return Hidden(
            np.array(regions).reshape(-1, 4),
            np.array(sizes) / CELLS,
            whole=lost or (unsure and not self._keep_unsure),
            unsure=unsure,
        )

    def _near(self, face: int, first: int, second: int, seconds: float) -> tuple[NDArray[np.float64], float]:
        """Edges of a face in the frames next to one, and how many seconds the nearer is away."""
        found = self._sightings
        if first == second:
            return found.edges[[first], face], 0.0
        times = [(seconds - found.seconds[first], first)] if first >= 0 else []
        times += [(found.seconds[second] - seconds, second)] if second < len(found.number) else []
        nearest = min((max(0.0, float(away)) for away, _ in times), default=np.inf)
        if nearest > self._hold:
            return np.empty((0, 4)), 0.0
        # Both, where the gap can be bridged: the face goes from one place to the other.
        bridged = len(times) == 2 and sum(float(away) for away, _ in times) <= 2 * self._hold
        kept = [i for away, i in times if bridged or away <= self._hold]
        return found.edges[kept, face], nearest


def blur(pixels: NDArray[np.uint8], region: NDArray[np.floating], cell: float) -> None:
    """Blur a part of a frame, in place, so that patches of a size are of about one colour.

    Parameters
    ----------
    pixels
        (height, width, 3).
    region
        Left, top, right and bottom edge; what is outside of the frame does not count.
    cell
        Size of a patch in pixels.
    """
    height, width = pixels.shape[:2]
    left, top = (int(np.clip(np.floor(edge), 0, n)) for edge, n in zip(region[:2], (width, height), strict=True))
    right, bottom = (int(np.clip(np.ceil(edge), 0, n)) for edge, n in zip(region[2:], (width, height), strict=True))
    if right <= left or bottom <= top:
        return
    part = pixels[top:bottom, left:right]
    n_cells = [max(1, int(n // max(1.0, cell))) for n in (right - left, bottom - top)]
    small = Image.fromarray(part).resize((n_cells[0], n_cells[1]), Image.Resampling.BOX)
    part[:] = np.asarray(small.resize((right - left, bottom - top), Image.Resampling.BICUBIC))


def blur_all(pixels: NDArray[np.uint8], cell: float = 0.0) -> None:
    """Blur a whole frame, in place, by patches of a size or larger ones if the frame is large."""
    height, width = pixels.shape[:2]
    blur(pixels, np.array([0, 0, width, height]), max(cell, max(height, width) / _CELLS_OF_FRAME))
