"""Filters and smoothers of time courses, which leave missing values missing and never let them spread."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facearray.sampling import Sampling
from facearray.signal.kernels.gaps import bridge, patterns
from facearray.signal.kernels.medians import median

__all__ = ["butterworth", "gaussian", "moving_median", "on_grid", "savitzky_golay"]

#: Width at half maximum of a Gaussian, in its standard deviations.
_FWHM = 2 * np.sqrt(2 * np.log(2))

#: Values of the windows that are sorted at once.
_MAX_VALUES = 2**20


def on_grid(
    values: NDArray[np.float64], sampling: Sampling, function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Apply a function of equally spaced series (n, n_place) to series (n, n_frame) that lack some places."""
    if not sampling.has_gaps:
        return function(values)
    grid = np.full((len(values), sampling.n_places), np.nan)
    grid[:, sampling.places] = values
    return function(grid)[:, sampling.places]


def _bridged(
    values: NDArray[np.float64], function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Apply a function to series without gaps, from the first value to the last, and put gaps back."""
    out = None
    for rows, frames in patterns(values):
        changed = function(bridge(values[rows], frames))
        if changed.shape == values.shape and len(frames) == values.shape[1]:
            return changed
        out = np.full_like(values, np.nan) if out is None else out
        out[rows if isinstance(rows, slice) else rows[:, None], frames] = changed[:, frames - frames[0]]
    return np.full_like(values, np.nan) if out is None else out


def butterworth(
    values: NDArray[np.float64], rate: float, high_pass: float | None, low_pass: float | None, order: int
) -> NDArray[np.float64]:
    """Filter equally spaced series (n, n_frame) forwards and backwards, so that nothing is delayed.

    Parameters
    ----------
    values
        Series. Gaps are bridged by straight lines for the filter, and are gaps again in the result.
    rate
        Frames a second.
    high_pass, low_pass
        Cut-offs in Hz below half of the rate; None for none. There the amplitude is halved: by 3 dB each way.
    order
        Of the filter in one direction.
    """
    from scipy import signal

    if low_pass is None and high_pass is None:
        return values
    sos = _sections(rate, high_pass, low_pass, order)
    # scipy's own choice, which a short series has no room for
    padding = 3 * (2 * len(sos) + 1 - min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum()))

    def run(series: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = signal.sosfiltfilt(sos, series, axis=-1, padlen=min(padding, series.shape[-1] - 1))
        return found

    return _bridged(values, run)


@functools.lru_cache(maxsize=64)
def _sections(rate: float, high_pass: float | None, low_pass: float | None, order: int) -> NDArray[np.float64]:
    """Second-order sections (n, 6) of a filter, which many videos share."""
    from scipy import signal

    kind, cut_offs = {
        (True, False): ("highpass", high_pass),
        (False, True): ("lowpass", low_pass),
        (True, True): ("bandpass", (high_pass, low_pass)),
    }[high_pass is not None, low_pass is not None]
    sections: NDArray[np.float64] = signal.butter(order, cut_offs, kind, fs=rate, output="sos")
    return sections


def savitzky_golay(values: NDArray[np.float64], width: int, degree: int) -> NDArray[np.float64]:
    """Replace each value of equally spaced series (n, n_frame) by that of a polynomial fitted to its neighbours.

    Gaps are bridged by straight lines for the fit, and are gaps again in the result. At the ends, and where there are
    fewer values than the window is wide, the polynomial is that of the first or last window that fits.

    Parameters
    ----------
    values
        Series.
    width
        Of the window in frames; an odd number.
    degree
        Of the polynomial; less than `width`.
    """
    from scipy import signal

    def run(series: NDArray[np.float64]) -> NDArray[np.float64]:
        n = series.shape[-1]
        fits = min(width, n if n % 2 else n - 1)
        if fits <= degree:
            return series
        found: NDArray[np.float64] = signal.savgol_filter(series, fits, degree, axis=-1, mode="interp")
        return found

    return _bridged(values, run)


def gaussian(values: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Average each value of equally spaced series (n, n_frame) with its neighbours, by weights of a Gaussian.

    Parameters
    ----------
    values
        Series. Missing values have no weight, and stay missing.
    width
        Full width at half maximum in frames.
    """
    from scipy import ndimage

    there = ~np.isnan(values)
    total, weight = (
        ndimage.gaussian_filter1d(part, width / _FWHM, axis=-1, mode="constant", truncate=4.0)
        for part in (np.where(there, values, 0), there.astype(np.float64))
    )
    found: NDArray[np.float64] = np.divide(total, weight, out=np.full_like(values, np.nan), where=there)
    return found


def moving_median(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Replace each value of series (n, n_frame) by the median of those within a window around it.

    Parameters
    ----------
    values
        Series. Missing values do not count, and stay missing. At the ends the window is cut off.
    width
        Of the window in frames; an odd number.
    """
    half = width // 2
    out = np.full_like(values, np.nan)
    padded = np.pad(values, ((0, 0), (half, half)), constant_values=np.nan)
    step = max(1, _MAX_VALUES // max(1, values.shape[1] * width))
    for start in range(0, len(values), step):
        windows = np.lib.stride_tricks.sliding_window_view(padded[start : start + step], width, axis=-1)
        out[start : start + step] = median(windows)[..., 0]
    out[np.isnan(values)] = np.nan
    return out
