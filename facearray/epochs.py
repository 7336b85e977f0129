"""Time courses cut into windows by the frames' own times: one value a window, and how much of it was seen.

Windows may overlap, frames may come at any rate, and both may have gaps: nothing is made up between frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.sampling import FrameTimes, unrounded

__all__ = ["SAME_SHARE", "WindowSums", "frame_durations", "window_sums"]

#: A frame that is this share of a window before its edge is on it: sums of decimal numbers differ by less.
EDGE = 1e-6

#: Shares of a window that differ by less are the same: how long frames last is not known better where a file rounds.
SAME_SHARE = 1e-3

#: A frame lasts until the next one, but not longer than so many usual distances of frames: more is a gap.
LONGEST = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class WindowSums:
    """What is known of the values (n_frame, ...) in each of w windows.

    Attributes
    ----------
    total
        Sum (w, ...) of the values in the window.
    n
        Number (w, ...) of frames with a value.
    seconds
        How long (w, ...) these frames last together, at most the length of the window.
    """

    total: NDArray[np.float64]
    n: NDArray[np.intp]
    seconds: NDArray[np.float64]


def frame_durations(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long frames (n,) at ascending times last: until the next one, unless that is a gap.

    A frame alone lasts no time that is known, 0.

    Examples
    --------
    >>> frame_durations(np.array([0.0, 0.5, 1.0, 4.0])).tolist()
    [0.5, 0.5, 1.0, 0.5]
    """
    return _durations(unrounded(times))


def _durations(frames: FrameTimes) -> NDArray[np.float64]:
    if not len(frames.seconds):
        return np.zeros(0)
    return np.append(np.minimum(np.diff(frames.seconds), LONGEST * frames.step), frames.step)


def window_sums(
    times: NDArray[np.float64], values: NDArray[np.floating], starts: NDArray[np.float64], length: float
) -> WindowSums:
    """Sum the values of the frames in each window [start, start + length).

    Windows of as many evenly spaced frames hold as many, whatever a file rounds times to.

    Parameters
    ----------
    times
        Times (n,) of frames, in any order, without NaN.
    values
        Their values (n, ...); NaN where there is none.
    starts
        Where windows (w,) begin, in any order; they may overlap.
    length
        Of every window, in the unit of ``times``.

    Examples
    --------
    >>> found = window_sums(np.array([0.0, 0.5, 1.0]), np.array([1.0, 2.0, np.nan]), np.array([0.0, 0.5]), 1.0)
    >>> found.total.tolist(), found.n.tolist(), found.seconds.tolist()
    ([3.0, 2.0], [2, 1], [1.0, 0.5])
    """
    if len(times) > 1 and (np.diff(times) < 0).any():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    frames = unrounded(times)
    early = EDGE * length + frames.rounding
    first, stop = (np.searchsorted(frames.seconds, edges - early) for edges in (starts, starts + length))
    there = ~np.isnan(values)
    lasting = _durations(frames).reshape(-1, *[1] * (values.ndim - 1))
    seconds = _sums(np.where(there, lasting, 0.0), first, stop)
    return WindowSums(
        total=_sums(np.where(there, values, 0).astype(np.float64), first, stop),
        n=_sums(there.astype(np.intp), first, stop),
        seconds=np.minimum(seconds, length),
    )


def _sums(values: NDArray[Any], first: NDArray[np.intp], stop: NDArray[np.intp]) -> NDArray[Any]:
    """Sum (w, ...) the rows [first, stop) of values (n, ...)."""
    # one row more, as a window may end behind the last frame
    padded = np.concatenate([values, np.zeros((1, *values.shape[1:]), values.dtype)])
    edges = np.stack([first, stop], axis=1).ravel()
    sums: NDArray[Any] = np.add.reduceat(padded, edges, axis=0)[::2]
    sums[first == stop] = 0
    return sums
