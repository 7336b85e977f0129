"""Time courses as they could have been if they had nothing to do with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array

__all__ = ["CircularShift", "PhaseRandomization", "Spans", "Surrogates"]


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """From the first to the last value of each of n series: beginnings and lengths (n,)."""

    first: NDArray[np.intp]
    length: NDArray[np.intp]

    @classmethod
    def of(cls, x: NDArray[np.floating]) -> Spans:
        """Find them in series (n, n_time); a series without a value has length 0."""
        there = ~np.isnan(x)
        first = there.argmax(axis=1)
        stop = np.where(there.any(axis=1), x.shape[1] - there[:, ::-1].argmax(axis=1), first)
        return cls(first, stop - first)

    def take(self, rows: slice) -> Spans:
        """Take those of some series."""
        return Spans(self.first[rows], self.length[rows])

    @property
    def are_one(self) -> bool:
        """Whether all series begin and end together."""
        return bool((self.first == self.first[0]).all() and (self.length == self.length[0]).all())


@dataclass(frozen=True, eq=False)
class CircularShift:
    """Every series is shifted in time within its own span; what leaves at the end comes in at the beginning.

    Parameters
    ----------
    spans
        Of the n series.
    least
        Smallest shift (n,) in either direction.
    """

    spans: Spans
    least: NDArray[np.intp]

    def take(self, rows: slice) -> CircularShift:
        """Take that of some series."""
        return CircularShift(self.spans.take(rows), self.least[rows])

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.intp]:
        """Draw shifts (size, n)."""
        high = np.maximum(self.spans.length - self.least + 1, self.least + 1)
        return np.where(self.can_shift, rng.integers(self.least, high, size=(size, len(self.least))), 0)

    @property
    def can_shift(self) -> NDArray[np.bool_]:
        """Which series are long enough to be shifted; the others stay as they are."""
        return self.spans.length >= 2 * self.least

    def apply(self, x: NDArray[np.floating], changes: NDArray[Any]) -> Array:
        """Shift."""
        first, length = self.spans.first[:, None], np.maximum(self.spans.length, 1)[:, None]
        place = np.arange(x.shape[1]) - first
        inside = (place >= 0) & (place < length)
        source = (place - changes[:, :, None]) % length + first
        shifted = np.take_along_axis(np.broadcast_to(x, (len(changes), *x.shape)), source, axis=2)
        return np.where(inside, shifted, x)


@dataclass(frozen=True, eq=False)
class PhaseRandomization:
    """The phases of every series' Fourier components are drawn anew; its spectrum stays, and so its autocorrelation.

    Parameters
    ----------
    spans
        Of the n series, which have no gaps within.
    """

    spans: Spans

    def take(self, rows: slice) -> PhaseRandomization:
        """Take that of some series."""
        return PhaseRandomization(self.spans.take(rows))

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.float32]:
        """Draw phases (size, n, n_frequency), for frequencies from 1 / length on."""
        n_frequencies = int(self.spans.length.max(initial=2)) // 2
        phases = rng.random((size, len(self.spans.length), n_frequencies), dtype=np.float32)
        phases *= np.float32(2 * np.pi)
        return phases

    def apply(self, x: NDArray[np.floating], changes: NDArray[Any]) -> Array:
        """Give the components these phases; the mean is kept."""
        changed = np.broadcast_to(np.asarray(x, dtype=np.float64), (len(changes), *x.shape)).copy()
        for length in np.unique(self.spans.length[self.spans.length > 1]):
            rows = np.flatnonzero(self.spans.length == length)
            within = self.spans.first[rows][:, None] + np.arange(length)
            spectrum = np.fft.rfft(x[rows[:, None], within])
            turned = np.broadcast_to(spectrum, (len(changes), *spectrum.shape)).copy()
            turns = np.exp(1j * changes[:, rows, : spectrum.shape[-1] - 1].astype(np.float64))
            if length % 2 == 0:
                # the highest component of an even number of values has a sign only
                turns[..., -1] = np.where(turns[..., -1].real < 0, -1, 1)
            turned[..., 1:] = np.abs(spectrum[:, 1:]) * turns
            changed[:, rows[:, None], within] = np.fft.irfft(turned, n=length)
        return changed


#: Random changes of series that keep each as it is by itself, and take away what it shares with others.
Surrogates = CircularShift | PhaseRandomization
