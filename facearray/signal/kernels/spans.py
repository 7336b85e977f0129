"""From when to when frames are on the screen, and what that makes of their values in stretches of time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.sampling import frame_step

__all__ = ["Spans", "frame_spans", "stretch_means"]

#: Durations that differ by less than this share of a frame are the same. Many files round times to milliseconds, and 3
#: frames at 29.97 a second are 0.1001 s.
_ROUNDING = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Frames in time: each is on the screen in [start, end).

    Attributes
    ----------
    start, end
        Seconds (n_frame,). A frame ends where the next one begins, unless frames between the two are missing.
    step
        Typical seconds from frame to frame; NaN for a single one whose duration nothing tells.
    """

    start: NDArray[np.float64]
    end: NDArray[np.float64]
    step: float

    @property
    def rounding(self) -> float:
        """Seconds by which durations may differ and be the same."""
        return _ROUNDING * self.step if self.step > 0 else 0.0


def frame_spans(times: NDArray[np.floating], number: NDArray[np.integer], fps: float = np.nan) -> Spans:
    """Find out how long frames are on the screen.

    Parameters
    ----------
    times
        Presentation times (n_frame,) in seconds, in ascending order.
    number
        Positions (n_frame,) in the source: where they go on by more than usual, frames are missing, and the one before
        them counts for a typical step only. A frame of a video with a variable rate lasts until the next.
    fps
        Rate that tells how long a single frame lasts.

    Examples
    --------
    >>> frame_spans(np.array([0.0, 0.1, 0.4, 0.5]), np.array([0, 1, 4, 5])).end.round(3)
    array([0.1, 0.2, 0.5, 0.6])
    """
    start = np.asarray(times, dtype=np.float64)
    if len(start) < 2:
        return Spans(start, start + 1 / fps, 1 / fps)
    ahead, step = np.diff(number), frame_step(start)
    end = np.append(start[1:], start[-1] + step)
    missing = ahead > np.median(ahead)
    end[:-1][missing] = np.minimum(end[:-1], start[:-1] + step)[missing]
    return Spans(start, end, step)


def stretch_means(
    x: NDArray[np.floating], spans: Spans, begin: NDArray[np.floating], stop: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average values over stretches of time, each frame as long as it is on the screen.

    Parameters
    ----------
    x
        Values (..., n_frame); NaN where there is none.
    spans
        Of the frames.
    begin, stop
        Seconds (n_stretch,) in any order; stretches may overlap.

    Returns
    -------
    means
        (..., n_stretch) in float64; NaN where no frame with a value is on the screen.
    share
        Share (..., n_stretch) of each stretch in which there is one.

    Notes
    -----
    Of stretches as long as a frame this is what linear interpolation at their beginnings gives; longer ones average
    over their frames, so that nothing faster than they are turns into something slower.

    Examples
    --------
    >>> spans = frame_spans(np.arange(4.0), np.arange(4))
    >>> stretch_means(np.array([0.0, 2.0, 4.0, np.nan]), spans, np.array([0.5, 2.5]), np.array([1.5, 3.5]))
    (array([1., 4.]), array([1. , 0.5]))
    """
    from scipy.sparse import csr_array

    n, m = len(spans.start), len(begin)
    # the frames of a stretch follow each other
    first = np.searchsorted(spans.end, begin, side="right")
    last = np.maximum(np.searchsorted(spans.start, stop, side="left"), first)
    counts = last - first
    edges = np.concatenate([[0], np.cumsum(counts)])
    stretch = np.repeat(np.arange(m), counts)
    frame = np.arange(edges[-1]) - np.repeat(edges[:-1] - first, counts)
    seconds = np.minimum(spans.end[frame], stop[stretch]) - np.maximum(spans.start[frame], begin[stretch])
    weights = csr_array((np.maximum(seconds, 0), frame, edges), shape=(m, n))
    flat = np.asarray(x, dtype=np.float64).reshape(-1, n)
    there = ~np.isnan(flat)
    total = (weights @ np.where(there, flat, 0).T).T
    known = (weights @ there.T.astype(np.float64)).T
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(known > 0, total / known, np.nan)
        share = known / (stop - begin)
    shape = (*x.shape[:-1], m)
    return means.reshape(shape), np.minimum(share, 1).reshape(shape)
