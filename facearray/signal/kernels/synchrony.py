"""How far two time courses go along with each other, window by window, at several lags or frequencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.comparison import fisher_z
from facearray.stats.kernels.correlation import correlate, correlate_paired

__all__ = [
    "Coherence",
    "LaggedCorrelation",
    "Measure",
    "Windows",
    "coherence_of",
    "lagged_correlation",
    "lagged_correlation_of_all",
    "lead",
]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of two series.

    Attributes
    ----------
    length, step
        Places of a window, and from the beginning of one to that of the next.
    max_lag
        Places that the second series' windows are moved by at most, in both directions. All windows, moved or not, lie
        within the series, so that every lag has the same times of the first.
    min_valid
        Smallest share of a window's places that both have to share.
    """

    length: int
    step: int
    max_lag: int
    min_valid: float

    def count(self, n_places: int) -> int:
        """Count the windows of series of some places."""
        return max(0, (n_places - 2 * self.max_lag - self.length) // self.step + 1)

    @property
    def lags(self) -> NDArray[np.intp]:
        """How much later (n_lag,) the second series' windows begin."""
        return np.arange(-self.max_lag, self.max_lag + 1)

    def of(self, x: NDArray[np.floating], lag: int = 0) -> NDArray[np.floating]:
        """Give the windows (n_window, length) of a series, moved by a lag."""
        n = self.count(len(x))
        first = self.max_lag + lag
        part = x[first : first + (n - 1) * self.step + self.length] if n else x[:0]
        if not n:
            return np.empty((0, self.length))
        return np.lib.stride_tricks.sliding_window_view(part, self.length)[:: self.step]


def lagged_correlation(x: NDArray[np.floating], y: NDArray[np.floating], windows: Windows) -> Array:
    """Correlate windows of one series with those of another at every lag: r (n_window, n_lag).

    NaN where the two share too few values, or one does not vary.

    Examples
    --------
    >>> x = np.array([0.0, 3.0, 1.0, 2.0, 5.0, 4.0, 1.0])
    >>> lagged_correlation(x[1:], x[:-1], Windows(length=4, step=1, max_lag=1, min_valid=1)).round(2)
    array([[0.14, 0.21, 1.  ]])
    """
    mine = windows.of(x)
    found = np.full((len(mine), len(windows.lags)), np.nan)
    for i, lag in enumerate(windows.lags.tolist()):
        r, n = correlate_paired(mine, windows.of(y, lag))
        found[:, i] = np.where(_enough(n, windows), r, np.nan)
    return found


def lagged_correlation_of_all(
    x: NDArray[np.floating], y: NDArray[np.floating], windows: Windows
) -> NDArray[np.float32]:
    """Correlate every window of one series with every window of another at every lag: r (n_lag, n_window, n_window)."""
    mine = windows.of(x)
    found = np.full((len(windows.lags), len(mine), len(mine)), np.nan, dtype=np.float32)
    for i, lag in enumerate(windows.lags.tolist()):
        r, n = correlate(mine, windows.of(y, lag))
        found[i] = np.where(_enough(n, windows), r, np.nan)
    return found


def _enough(n: NDArray[np.integer], windows: Windows) -> NDArray[np.bool_]:
    return np.asarray(n >= max(3, np.ceil(windows.min_valid * windows.length - 1e-9)))


class Measure(Protocol):
    """Gives how far two series go along with each other when the second one's windows are put into other orders."""

    def __call__(self, orders: NDArray[np.intp]) -> Array:
        """From orders (d, n_window) to one value (d, n_part) a lag or frequency."""


@dataclass(frozen=True, eq=False)
class LaggedCorrelation:
    """Mean over windows of Fisher's z at every lag.

    Parameters
    ----------
    z
        (n_lag, n_window, n_window), of windows of the first series with windows of the second.
    """

    z: NDArray[np.float32]

    @classmethod
    def of(cls, r: NDArray[np.float32], *, absolute: bool) -> LaggedCorrelation:
        """Make it of correlations; if absolute, their sign counts for nothing."""
        z = np.empty_like(r)
        for of_lag, of_r in zip(z, r, strict=True):
            of_lag[...] = fisher_z(of_r.astype(np.float64))
        return cls(np.abs(z, out=z) if absolute else z)

    def __call__(self, orders: NDArray[np.intp]) -> Array:
        """Average."""
        first = np.arange(orders.shape[1])
        return np.stack([_mean(z[first, orders].astype(np.float64)) for z in self.z], axis=-1)


def lead(parts: Array) -> Array:
    """How far (d,) the first series leads, from z (d, n_lag).

    The mean over lags at which the second series is later, less that over those at which it is earlier; NaN without
    lags.

    Examples
    --------
    >>> lead(np.array([[0.1, 0.2, 0.6]]))
    array([0.5])
    """
    n = parts.shape[1] // 2
    return np.asarray(_mean(parts[:, n + 1 :]) - _mean(parts[:, :n]))


@dataclass(frozen=True, eq=False)
class Coherence:
    """Magnitude-squared coherence of spectra (n_window, n_frequency) of two series."""

    x: NDArray[np.complex128]
    y: NDArray[np.complex128]

    def __call__(self, orders: NDArray[np.intp]) -> Array:
        """Average over windows."""
        found = np.full((len(orders), self.x.shape[1]), np.nan)
        if not len(self.x):
            return found
        power = (np.abs(self.x) ** 2).mean(axis=0) * (np.abs(self.y) ** 2).mean(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            for i, order in enumerate(orders):
                cross = (self.x * self.y[order].conj()).mean(axis=0)
                found[i] = np.where(power > 0, np.abs(cross) ** 2 / power, np.nan)
        return found

    @property
    def phase(self) -> Array:
        """Phase (n_frequency,) by which the second series is behind the first."""
        if not len(self.x):
            return np.full(self.x.shape[1], np.nan)
        return np.asarray(np.angle((self.x * self.y.conj()).mean(axis=0)))


def coherence_of(x: NDArray[np.floating], y: NDArray[np.floating], windows: Windows) -> Coherence:
    """Prepare the coherence of two series, from the windows in which neither misses a value.

    Windows are freed of their mean and tapered with Hann's function, as in Welch's method; the frequencies are those of
    `numpy.fft.rfft` but 0.
    """
    a, b = windows.of(x), windows.of(y)
    whole = ~(np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1))
    taper = np.hanning(windows.length + 1)[:-1]
    spectra = (
        np.fft.rfft((part - part.mean(axis=1, keepdims=True)) * taper, axis=1)[:, 1:]
        for part in (a[whole].astype(np.float64), b[whole].astype(np.float64))
    )
    return Coherence(*spectra)


def _mean(values: Array) -> Array:
    there = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(there, values, 0).sum(axis=-1) / there.sum(axis=-1))
