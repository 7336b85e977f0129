"""What is fast and what is slow in evenly sampled series that may miss values."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["REACH", "Spectrum", "count_lobes", "morlet", "welch", "width"]

Array = NDArray[np.float64]

#: A wavelet ends so many standard deviations of its envelope from its middle.
REACH = 4.0


class Spectrum(NamedTuple):
    """Power densities (..., n_frequency), and the windows (...) that they are means of."""

    power: Array
    n_windows: NDArray[np.intp]


def welch(
    x: NDArray[np.floating], step: float, length: int, ahead: int, detrend: Literal["constant", "linear"] = "constant"
) -> Spectrum:
    """Average the periodograms of windows that miss no value (Welch's method).

    Parameters
    ----------
    x
        Series (..., n_place); NaN where there is none.
    step
        Seconds from place to place.
    length, ahead
        Places of a window, and from one window to the next.
    detrend
        What is taken out of each window.

    Returns
    -------
    Spectrum
        One-sided densities, in squared units of ``x`` by Hz, at the frequencies of `numpy.fft.rfft`; NaN where no
        window is complete.

    References
    ----------
    Welch, P. D. (1967). The use of fast Fourier transform for the estimation of power spectra. IEEE Transactions on
    Audio and Electroacoustics 15, 70-73.
    """
    power = np.zeros((*x.shape[:-1], length // 2 + 1))
    n = np.zeros(x.shape[:-1], dtype=np.intp)
    taper = np.hanning(length + 1)[:-1]
    scale = step / (taper**2).sum()
    place = np.arange(length) - (length - 1) / 2
    for first in range(0, x.shape[-1] - length + 1, ahead):
        window = x[..., first : first + length].astype(np.float64)
        whole = ~np.isnan(window).any(axis=-1)
        part = window[whole]
        part = part - part.mean(axis=-1, keepdims=True)
        if detrend == "linear":
            part = part - (part @ place / (place @ place))[..., None] * place
        density = np.abs(np.fft.rfft(part * taper)) ** 2 * scale
        # all but the mean and the highest frequency of an even number of places are there twice
        density[..., 1 : (length + 1) // 2] *= 2
        power[whole] += density
        n[whole] += 1
    with np.errstate(invalid="ignore"):
        return Spectrum(power / np.where(n > 0, n, np.nan)[..., None], n)


def width(frequency: float, n_cycles: float) -> float:
    """Seconds from end to end of a wavelet.

    Examples
    --------
    >>> round(width(1.0, 3.0), 2)
    3.82
    """
    return 2 * REACH * n_cycles / (2 * np.pi * frequency)


def morlet(
    x: NDArray[np.floating], step: float, frequency: float, n_cycles: float, min_valid: float
) -> NDArray[np.complex128]:
    """Convolve series with a complex Morlet wavelet.

    Parameters
    ----------
    x
        Series (..., n_place) of which the mean is taken out first; NaN where there is no value.
    step
        Seconds from place to place.
    frequency
        Of the wavelet, in Hz.
    n_cycles
        Its cycles in 2 pi standard deviations of its envelope: more are finer in frequency and coarser in time.
    min_valid
        Smallest share of a wavelet's weight on values; elsewhere, as at the ends, the result is NaN.

    Returns
    -------
    ndarray
        Its absolute value is the amplitude of a wave of that frequency, its angle the phase, its real part the wave.

    Notes
    -----
    w(t) is proportional to exp(-t^2 / (2 s^2)) (exp(2 pi i f t) - k) with s = n_cycles / (2 pi f), cut at 4 s, and k so
    that its sum is 0. Missing values count as the mean.

    Examples
    --------
    >>> t = np.arange(0, 10, 0.05)
    >>> found = morlet(0.3 * np.cos(2 * np.pi * t), 0.05, 1.0, 3.0, 0.9)
    >>> np.abs(found[100]).round(3), np.angle(found[100]).round(3)
    (np.float64(0.3), np.float64(0.0))
    """
    from scipy.signal import oaconvolve

    deviation = n_cycles / (2 * np.pi * frequency)
    n = int(REACH * deviation / step)
    t = np.arange(-n, n + 1) * step
    envelope = np.exp(-(t**2) / (2 * deviation**2))
    envelope /= envelope.sum()
    wave = np.exp(2j * np.pi * frequency * t)
    wave -= (envelope * wave).sum()
    # of what is left at the frequency itself
    wavelet = envelope * wave / np.abs((envelope * wave * np.exp(-2j * np.pi * frequency * t)).sum()) * 2
    there = ~np.isnan(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, x, 0).sum(axis=-1, dtype=np.float64) / there.sum(axis=-1)
    centred = np.where(there, x - mean[..., None], 0)
    shape = (1,) * (x.ndim - 1) + (-1,)
    middle = slice(n, n + x.shape[-1])
    found = oaconvolve(centred, wavelet.reshape(shape), mode="full", axes=-1)[..., middle]
    known = oaconvolve(there.astype(np.float64), envelope.reshape(shape), mode="full", axes=-1)[..., middle]
    return np.asarray(np.where(there & (known >= min_valid - 1e-9), found, np.nan))


def count_lobes(x: NDArray[np.floating], step: float, frequency: float, edges: NDArray[np.float64]) -> NDArray[np.intp]:
    """Count half waves by their size.

    Parameters
    ----------
    x
        Series (n_series, n_place) that go around 0; NaN where there is no value.
    step
        Seconds from place to place.
    frequency
        Of their waves, in Hz. The size of a half wave is its area times pi times the frequency: the amplitude of a
        sine wave that has this area.
    edges
        Of the bins (n_bin + 1,), in ascending order.

    Returns
    -------
    ndarray
        (n_series, 2, n_bin), half waves above 0 first. One that is cut off by the beginning, the end or a missing value
        does not count.

    Examples
    --------
    >>> t = np.arange(0, 5, 0.01)
    >>> count_lobes(0.3 * np.sin(2 * np.pi * t)[None], 0.01, 1.0, np.array([0.1, 0.2, 0.5]))[0].tolist()
    [[0, 5], [0, 4]]
    """
    n_series, n = x.shape
    sign = np.sign(np.where(np.isnan(x), 0, x)).astype(np.int8)
    missing = np.isnan(x)
    kind = np.where(missing, 2, sign).ravel()
    series = np.repeat(np.arange(n_series), n)
    begins = np.flatnonzero((np.diff(kind, prepend=3) != 0) | (np.diff(series, prepend=-1) != 0))
    stops = np.append(begins[1:], kind.size)
    area = np.add.reduceat(np.where(missing, 0, np.abs(x)).ravel(), begins) if kind.size else np.zeros(0)
    inside = (begins % n > 0) & (stops % n > 0) if n else np.zeros(0, dtype=bool)
    # neither end of it touches a missing value
    before, behind = kind[np.maximum(begins - 1, 0)], kind[np.minimum(stops, kind.size - 1)]
    whole = inside & (np.abs(kind[begins]) == 1) & (before != 2) & (behind != 2)
    size = area * step * np.pi * frequency
    bins = np.searchsorted(edges, size, side="right") - 1
    counted = whole & (bins >= 0) & (bins < len(edges) - 1)
    found = np.zeros((n_series, 2, len(edges) - 1), dtype=np.intp)
    np.add.at(found, (series[begins][counted], (kind[begins][counted] < 0).astype(np.intp), bins[counted]), 1)
    return found
