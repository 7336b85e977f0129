"""Times of frames that increase, whatever those of the source do."""

from __future__ import annotations

import math

__all__ = ["Clock"]


class Clock:
    """Gives each frame its own time, and another only where the source has it that time does not pass.

    Where times start anew, as in joined recordings, they go on, the first of them as far after the last as that was
    after the one before it. A frame with the time of the frame before is shown a tick later.

    Parameters
    ----------
    tick
        The shortest time that there is, in seconds.

    Examples
    --------
    >>> clock = Clock(0.01)
    >>> [round(clock(seconds), 2) for seconds in (1.0, 1.5, 1.5, 2.0, 0.0, 0.1)]
    [1.0, 1.5, 1.51, 2.0, 2.49, 2.59]
    """

    def __init__(self, tick: float) -> None:
        self._tick = self._step = tick
        self._before = self._last = -math.inf
        self._offset = 0.0

    def __call__(self, seconds: float) -> float:
        """Return the time of the next frame, whose time in the source is given."""
        at = seconds + self._offset
        if seconds < self._before:
            self._offset += self._last + self._step - at
            at = self._last + self._step
        elif at <= self._last:
            at = self._last + self._tick
        elif self._last > -math.inf:
            self._step = at - self._last
        self._before, self._last = seconds, at
        return at
