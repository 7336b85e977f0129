"""Missing values within time courses: series that miss the same frames, and values between known ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facearray.sampling import sampling

__all__ = ["METHODS", "Interpolation", "between", "bridge", "fill", "gap_lengths", "of_pattern", "patterns"]

Interpolation = Literal["linear", "nearest", "previous", "pchip", "akima", "spline"]

#: Gaps are this share of a frame longer than they may be before they are too long: 3 frames at 29.97 a second are
#: 0.1001 s, and the rate of a short recording is not known better.
_ROUNDING = 0.02

#: How values between known ones are found.
METHODS: tuple[Interpolation, ...] = ("linear", "nearest", "previous", "pchip", "akima", "spline")


def patterns(values: NDArray[np.floating]) -> Iterator[tuple[NDArray[np.intp] | slice, NDArray[np.intp]]]:
    """Group series (n, n_frame) that have values in the same frames: their positions, and these frames.

    Series without any value are left out.
    """
    there = ~np.isnan(values)
    if (there == there[:1]).all():
        if there.any():
            yield slice(None), np.flatnonzero(there[0])
        return
    groups: dict[bytes, list[int]] = {}
    for i, row in enumerate(np.packbits(there, axis=1)):
        groups.setdefault(row.tobytes(), []).append(i)
    for rows in groups.values():
        frames = np.flatnonzero(there[rows[0]])
        if len(frames):
            yield np.array(rows), frames


def of_pattern(
    values: NDArray[np.float64], rows: NDArray[np.intp] | slice, frames: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Values of the series and frames of one of the `patterns`; without a copy where these are all."""
    if isinstance(rows, slice) and len(frames) == values.shape[1]:
        return values
    return values[rows][:, frames]


def bridge(values: NDArray[np.float64], frames: NDArray[np.intp]) -> NDArray[np.float64]:
    """Cut equally spaced series (n, n_frame) to their first and last value, gaps between joined by straight lines.

    Parameters
    ----------
    values
        Series that all have values in the same frames.
    frames
        These frames, in ascending order.
    """
    first, stop = int(frames[0]), int(frames[-1]) + 1
    if stop - first == len(frames):
        return values[:, first:stop]
    return between(values[:, frames], frames.astype(np.float64), np.arange(first, stop, dtype=np.float64), "linear")


def between(
    known: NDArray[np.float64], known_times: NDArray[np.float64], times: NDArray[np.float64], method: Interpolation
) -> NDArray[np.float64]:
    """Interpolate series (n, n_known) at times within the range of the known ones, which increase.

    ``"pchip"`` and ``"akima"`` are piecewise cubic and do not swing past neighbouring values, or hardly; ``"spline"``
    is a cubic spline, smooth and free to swing. From two known values all of them are a straight line.

    Examples
    --------
    >>> between(np.array([[0.0, 2.0]]), np.array([0.0, 1.0]), np.array([0.25]), "linear")
    array([[0.5]])
    """
    if method in ("pchip", "akima", "spline") and len(known_times) > 2:
        from scipy import interpolate

        kinds = {
            "pchip": interpolate.PchipInterpolator,
            "akima": interpolate.Akima1DInterpolator,
            "spline": interpolate.CubicSpline,
        }
        found: NDArray[np.float64] = kinds[method](known_times, known, axis=-1)(times)
        return found
    right = np.searchsorted(known_times, times, side="left").clip(1, max(1, len(known_times) - 1))
    left = right - 1
    right = np.minimum(right, len(known_times) - 1)
    span = known_times[right] - known_times[left]
    share = np.divide(times - known_times[left], span, out=np.zeros(len(times)), where=span > 0)
    if method == "nearest":
        share = np.rint(share)
    elif method == "previous":
        share = np.floor(share)
    line: NDArray[np.float64] = known[:, left] * (1 - share) + known[:, right] * share
    return line


def gap_lengths(frames: NDArray[np.intp], times: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Seconds (n_frame,) for which there is no value around each frame; 0 for a frame with one, infinite at the ends.

    Parameters
    ----------
    frames
        Frames with a value, in ascending order.
    times
        Of all frames.
    step
        Seconds that a frame lasts: a gap of k frames lasts k of them.
    """
    lengths = np.full(len(times), np.inf)
    lengths[frames] = 0
    inside = np.arange(frames[0], frames[-1] + 1)
    right = np.searchsorted(frames, inside)
    left = np.maximum(right - 1, 0)
    is_gap = frames[right] != inside
    spans = times[frames[right]] - times[frames[left]] - step
    # frames that follow each other too fast are a gap, too
    lengths[inside[is_gap]] = np.maximum(spans[is_gap], _ROUNDING * step)
    return lengths


def fill(
    values: NDArray[np.float64], times: NDArray[np.float64], step: float, max_gap: float, method: Interpolation
) -> NDArray[np.bool_]:
    """Fill short gaps of series (n, n_frame) in place.

    Nothing is filled before the first value of a series and behind its last one.

    Parameters
    ----------
    values
        Series; NaN where there is no value.
    times
        Times (n_frame,) that increase, in seconds.
    step
        Seconds that a frame lasts, where frames are not evenly spaced.
    max_gap
        Longest gap that is filled, in seconds without a value.
    method
        One of `METHODS`.

    Returns
    -------
    ndarray
        Whether (n, n_frame) a value is filled in.

    Examples
    --------
    >>> values = np.array([[0.0, np.nan, 2.0, np.nan, np.nan, 5.0, np.nan]])
    >>> fill(values, np.arange(7.0), 1.0, 1.0, "linear").sum(), values
    (np.int64(1), array([[ 0.,  1.,  2., nan, nan,  5., nan]]))
    """
    filled = np.zeros(values.shape, dtype=bool)
    places = sampling(times)
    # gaps of as many frames are as long, whatever times were rounded to
    even = times
    if not places.problem and len(times) > 1:
        even, step = places.places.astype(np.float64) * places.step, places.step
    for rows, frames in patterns(values):
        lengths = gap_lengths(frames, even, step)
        here = np.flatnonzero((lengths > 0) & (lengths < max_gap + _ROUNDING * step))
        if not len(here):
            continue
        group = values[rows]
        group[:, here] = between(group[:, frames], times[frames], times[here], method)
        values[rows] = group
        if isinstance(rows, slice):
            filled[:, here] = True
        else:
            filled[np.ix_(rows, here)] = True
    return filled
