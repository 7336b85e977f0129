"""How the frames of a recording lie in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["JITTER", "Sampling", "sampling"]

#: Frames are evenly spaced if the time between two is not further than this share of a step from whole steps.
JITTER = 0.25


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
    taken = np.maximum(np.rint(steps / middle), 1).astype(np.intp)
    step = float((times[-1] - times[0]) / taken.sum())
    if (np.abs(steps - taken * step) > JITTER * step).any():
        return Sampling(step, places, f"the time between frames varies, from {steps.min():.3g} to {steps.max():.3g} s")
    places[1:] = np.cumsum(taken)
    return Sampling(step, places)
