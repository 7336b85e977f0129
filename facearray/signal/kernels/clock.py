"""One clock in terms of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clock", "fit_clock"]


@dataclass(frozen=True, slots=True)
class Clock:
    """other = offset + (1 + drift) own, in seconds, and how far an event is from that at most."""

    offset: float
    drift: float
    residual: float

    def own(self, other: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give times of the own clock at times of the other."""
        return np.asarray((other - self.offset) / (1 + self.drift), dtype=np.float64)


def fit_clock(own: NDArray[np.floating], other: NDArray[np.floating]) -> Clock:
    """Fit a line by least squares to times (n,) of the same events on both clocks; of one event, an offset only.

    Examples
    --------
    >>> fit_clock(np.array([0.0, 100.0]), np.array([10.0, 110.01]))
    Clock(offset=10.0, drift=0.0001..., residual=0.0...)
    """
    centre, level = own.mean(), other.mean()
    spread = float(((own - centre) ** 2).sum())
    # the difference of the clocks is fitted, because their slope is nearly 1
    difference = other - own - (level - centre)
    drift = float(((own - centre) * difference).sum() / spread) if spread > 0 else 0.0
    offset = float(level - centre - drift * centre)
    residual = float(np.abs(other - offset - (1 + drift) * own).max())
    return Clock(offset, drift, residual)
