"""How the frames of a recording lie in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["JITTER", "FrameTimes", "Sampling", "frame_step", "sampling", "unrounded"]

#: Frames are evenly spaced if the time between two is not further than this share of a step from whole steps.
JITTER = 0.25

#: Times are exact if they are not further than this share of a step from their places.
_EXACT = 1e-6

#: Longer steps than so many usual ones are pauses.
_PAUSE = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Sampling:
    """Frames on a grid of equal steps.

    Attributes
    ----------
    step
        Seconds between neighbouring places; NaN for a single frame, and where times are unknown.
    places
        Place (n_frame,) of each frame, from 0; places without a frame are frames that were left out.
    problem
        Why the frames have no places, in words; empty if they have.
    """

    step: float
    places: NDArray[np.intp]
    problem: str = ""

    @property
    def n_places(self) -> int:
        """Places from the first frame to the last."""
        return int(self.places[-1]) + 1

    @property
    def has_gaps(self) -> bool:
        """Whether frames were left out."""
        return self.n_places != len(self.places)


def sampling(times: NDArray[np.floating]) -> Sampling:
    """Find the grid on which the times (n_frame,) of frames lie, in seconds.

    Rounding of times to milliseconds and a clock that drifts are no problem; frames that were left out are empty
    places.

    Examples
    --------
    >>> found = sampling(np.array([0.0, 0.04, 0.12]))
    >>> found.step, found.places.tolist()
    (0.04, [0, 1, 3])
    >>> sampling(np.array([0.0, 0.04, 0.1, 0.14])).problem
    'the time between frames varies, from 0.04 to 0.06 s'
    """
    n = len(times)
    places = np.arange(n)
    if n and not np.isfinite(times).all():
        return Sampling(np.nan, places, f"the time of {int((~np.isfinite(times)).sum())} of {n} frames is unknown")
    if n < 2:
        return Sampling(np.nan, places)
    steps = np.diff(times)
    if (steps <= 0).any():
        first = int(np.argmax(steps <= 0))
        return Sampling(np.nan, places, f"times do not increase ({times[first]:g} s, then {times[first + 1]:g} s)")
    # of an even number the lower one in the middle: a step that there is
    middle = np.sort(steps)[(n - 2) // 2]
    # which of the steps of a file that rounds times is one of their mean
    middle = steps[np.abs(steps - middle) <= JITTER * middle].mean()
    taken = np.maximum(np.rint(steps / middle), 1).astype(np.intp)
    step = float((times[-1] - times[0]) / taken.sum())
    if (np.abs(steps - taken * step) > JITTER * step).any():
        return Sampling(step, places, f"the time between frames varies, from {steps.min():.3g} to {steps.max():.3g} s")
    places[1:] = np.cumsum(taken)
    return Sampling(step, places)


@dataclass(frozen=True, slots=True, eq=False)
class FrameTimes:
    """When frames were shown, whatever their times were rounded to.

    Attributes
    ----------
    seconds
        Times (n_frame,).
    rounding
        By how many seconds they differ from those that were given, at most: what is not further apart is the same time.
    step
        Seconds that a frame lasts: the step of evenly spaced frames, else the mean of steps without pauses; 0 where
        there are no two times.
    """

    seconds: NDArray[np.float64]
    rounding: float
    step: float


def unrounded(times: NDArray[np.floating]) -> FrameTimes:
    """Put the times (n_frame,) of evenly spaced frames back to where they were before a file rounded them.

    Many files have milliseconds, in which the steps of 30 frames a second are 33 or 34: stretches of as many frames
    would hold one more or less. Times that no straight line comes near, of a variable rate or a clock that drifts, stay
    as they are, and so do those that are exact.

    Examples
    --------
    >>> found = unrounded(np.array([0.0, 0.033, 0.067, 0.1, 0.133, 0.167]))
    >>> found.seconds.round(4).tolist(), round(found.rounding, 4)
    ([-0.0001, 0.0333, 0.0666, 0.1, 0.1334, 0.1668], 0.0004)
    """
    given = np.asarray(times, dtype=np.float64)
    found = sampling(given)
    if found.problem or len(given) < 2:
        return FrameTimes(given, 0.0, _mean_step(given))
    place = found.places - found.places.mean()
    middle = float(given.mean())
    step = float(place @ (given - middle) / (place @ place))
    seconds = middle + step * place
    rounding = float(np.abs(seconds - given).max())
    if rounding > JITTER * step:
        return FrameTimes(given, 0.0, found.step)
    return FrameTimes(given, 0.0, step) if rounding <= _EXACT * step else FrameTimes(seconds, rounding, step)


def frame_step(times: NDArray[np.floating]) -> float:
    """Find how many seconds a frame lasts, from times (n_frame,) in ascending order; 0 where that is unknown.

    Examples
    --------
    >>> frame_step(np.array([0.0, 0.5, 1.0, 4.0])), frame_step(np.array([0.0, 1.0, 2.4]))
    (0.5, 1.2)
    """
    return unrounded(times).step


def _mean_step(times: NDArray[np.float64]) -> float:
    steps = np.diff(times)
    steps = steps[steps > 0]
    return float(steps[steps <= _PAUSE * np.median(steps)].mean()) if len(steps) else 0.0
