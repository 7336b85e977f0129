"""Time courses at other times: weights that never overshoot, averages over stretches of time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facearray.sampling import unrounded
from facearray.signal.kernels.gaps import of_pattern, patterns

__all__ = ["STATISTICS", "Cells", "bin_statistic", "nearest", "new_times", "resample"]

#: Frames that follow each other are joined by a line if they are not further apart than this many steps: where a frame
#: was left out, the picture did not change, or the computer had no time; where several were, nothing is known.
_JOINED = 2.5

#: Where less of a weight than this lies on frames with a value, there is no value.
_COVERED = 0.5

#: Rates that differ by less than this share are one rate.
_SAME_RATE = 0.01

#: What the values of a bin can be reduced to.
STATISTICS = ("mean", "median", "std", "min", "max")


def new_times(first: float, last: float, step: float) -> NDArray[np.float64]:
    """Make times from the first one on in equal steps, as long as they are not behind the last.

    Examples
    --------
    >>> new_times(1.0, 1.3, 0.1).round(6)
    array([1. , 1.1, 1.2, 1.3])
    """
    return first + step * np.arange(int(np.floor((last - first) / step + 1e-6)) + 1, dtype=np.float64)


def resample(
    values: NDArray[np.float64], times: NDArray[np.float64], step: float, at: NDArray[np.float64], new_step: float
) -> NDArray[np.float64]:
    """Find the values of series (n, n_frame) at other times.

    Frames are joined by straight lines. Where the new steps are longer than the old ones, these lines are averaged
    with weights that fall linearly from the new time to the one before and the one after it; near the ends of the
    recording the weights reach less far, equally to both sides. Weights are positive and sum to 1, so that the result
    stays within the range of the values nearby; a straight line stays a straight line.

    Parameters
    ----------
    values
        Series; NaN where there is no value.
    times
        Times (n_frame,) of the frames, which increase, in any steps.
    step
        Seconds that a frame lasts: the typical time between two.
    at
        Times (n_new,) of the result, not before the first frame and not behind the last.
    new_step
        Seconds between them.

    Returns
    -------
    ndarray
        Values (n, n_new); NaN where less than half of the weight is on times with a value: within half a step of a
        frame that has one, or between two neighbouring ones.
    """
    from scipy import sparse

    out = np.full((len(values), len(at)), np.nan)
    reach = new_step if new_step > step * (1 + _SAME_RATE) else 0.0
    half_width = np.minimum(reach, np.maximum(np.minimum(at - times[0], times[-1] - at), 0))
    for rows, frames in patterns(values):
        row, column, weight = _weights(frames, times, step, at, half_width, max(_JOINED * step, new_step))
        matrix = sparse.csr_array((weight, (row, column)), shape=(len(at), len(frames)))
        covered = np.asarray(matrix.sum(axis=1))
        found = (matrix @ np.ascontiguousarray(of_pattern(values, rows, frames).T)).T
        enough = covered >= _COVERED - 1e-9
        out[rows] = np.where(enough, found / np.where(enough, covered, 1), np.nan)
    return out


def _weights(
    frames: NDArray[np.intp],
    times: NDArray[np.float64],
    step: float,
    at: NDArray[np.float64],
    half_width: NDArray[np.float64],
    joined_within: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Weights of the known frames in the average around each new time, as positions in both and values.

    The signal is cut into segments: a line between neighbours that both have a value; a constant for half a step where
    a frame has no such neighbour.
    """
    known = times[frames]
    joined = (np.diff(frames) == 1) & (np.diff(known) <= joined_within)
    left = np.concatenate([[True], ~joined])
    right = np.concatenate([~joined, [True]])
    i = np.arange(len(frames))
    # of each segment its ends, and the frame whose value it has there
    start = np.concatenate([known[:-1][joined], known[left] - step / 2, known[right]])
    stop = np.concatenate([known[1:][joined], known[left], known[right] + step / 2])
    first = np.concatenate([i[:-1][joined], i[left], i[right]])
    second = np.concatenate([i[1:][joined], i[left], i[right]])
    order = np.argsort(start, kind="stable")
    start, stop, first, second = start[order], stop[order], first[order], second[order]

    tiny = 1e-9 * step
    low = np.searchsorted(np.maximum.accumulate(stop), at - half_width - tiny, side="left")
    high = np.searchsorted(start, at + half_width + tiny, side="right")
    count = np.maximum(high - low, 0)
    row = np.repeat(np.arange(len(at)), count)
    segment = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    a, b, t, h = start[segment], stop[segment], at[row], half_width[row]
    to_second, total = _shares(a, b, t, h, tiny)
    return (
        np.concatenate([row, row]),
        np.concatenate([first[segment], second[segment]]),
        np.concatenate([total - to_second, to_second]),
    )


def _shares(
    a: NDArray[np.float64], b: NDArray[np.float64], t: NDArray[np.float64], h: NDArray[np.float64], tiny: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight of the values at the ends of segments [a, b] in triangular averages of half-width h around t.

    Returns that of the value at b, and that of both.
    """
    wide = h > tiny
    width = np.where(wide, h, 1)
    va, vb = np.clip((a - t) / width, -1, 1), np.clip((b - t) / width, -1, 1)
    total = _mass(vb) - _mass(va)
    moment = width * (_moment(vb) - _moment(va))
    length = np.maximum(b - a, tiny)
    to_second = np.clip((moment + (t - a) * total) / length, 0, total)
    # a width of nothing is the line itself, at t; where segments meet both count by half, which is the same value
    inside = np.where((t >= a - tiny) & (t <= b + tiny), 1.0, 0.0)
    share = np.clip((t - a) / length, 0, 1)
    return np.where(wide, to_second, inside * share), np.where(wide, total, inside)


def _mass(v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of 1 - abs(x) from -1 to v."""
    return np.asarray(np.where(v < 0, (1 + v) ** 2 / 2, 1 - (1 - v) ** 2 / 2))


def _moment(v: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of x (1 - abs(x)) from -1 to v."""
    return v**2 / 2 - np.abs(v) ** 3 / 3 - 1 / 6


def nearest(times: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.intp]:
    """Positions of the frames whose times, which increase, are nearest to others; of two the earlier one."""
    right = np.searchsorted(times, at).clip(1, max(1, len(times) - 1))
    right = np.minimum(right, len(times) - 1)
    left = np.maximum(right - 1, 0)
    found: NDArray[np.intp] = np.where(at - times[left] <= times[right] - at + 1e-9, left, right)
    return found


class Cells:
    """Stretches of time of equal length, and which frames lie in each.

    Parameters
    ----------
    times
        Times (n_frame,) of frames, in ascending order.
    seconds
        Length of a stretch; the first one begins with the first frame.
    """

    def __init__(self, times: NDArray[np.float64], seconds: float) -> None:
        # a frame on an edge belongs to the stretch that begins there, whatever a file rounds times to
        frames = unrounded(times)
        early = min(frames.rounding, seconds / 2)
        self.place = np.floor((frames.seconds - frames.seconds[0] + early) / seconds + 1e-6).astype(np.intp)
        self.n = int(self.place[-1]) + 1
        self.centres: NDArray[np.float64] = times[0] + seconds * (np.arange(self.n) + 0.5)
        self.starts = np.searchsorted(self.place, np.arange(self.n))
        self.n_frames = np.bincount(self.place, minlength=self.n)


def bin_statistic(values: NDArray[np.float64], cells: Cells, statistic: str, min_valid: float) -> NDArray[np.float64]:
    """Reduce the values of series (n, n_frame) within each cell.

    Parameters
    ----------
    values
        Series; NaN where there is no value.
    cells
        Where the frames are.
    statistic
        One of `STATISTICS`; a standard deviation has the denominator n - 1.
    min_valid
        Smallest share of a cell's frames with a value.

    Returns
    -------
    ndarray
        (n, n_cell); NaN where too few frames have a value.
    """
    there = ~np.isnan(values)
    n = _sums(there.astype(np.float64), cells)
    if statistic == "mean":
        found = _means(values, there, n, cells)
    elif statistic == "std":
        centred = values - _means(values, there, n, cells)[:, cells.place]
        found = np.sqrt(_sums(np.where(there, centred**2, 0), cells) / np.maximum(n - 1, 1))
    elif statistic == "median":
        found = _medians(values, n.astype(np.intp), cells)
    elif statistic == "min":
        found = _least(np.where(there, values, np.inf), cells)
    else:
        found = -_least(np.where(there, -values, np.inf), cells)
    needed = np.maximum(min_valid * cells.n_frames, 2 if statistic == "std" else 1)
    return np.where(n >= needed - 1e-9, found, np.nan)


def _sums(values: NDArray[np.float64], cells: Cells) -> NDArray[np.float64]:
    out = np.zeros((len(values), cells.n))
    full = cells.n_frames > 0
    out[:, full] = np.add.reduceat(values, cells.starts[full], axis=1)
    return out


def _means(
    values: NDArray[np.float64], there: NDArray[np.bool_], n: NDArray[np.float64], cells: Cells
) -> NDArray[np.float64]:
    return _sums(np.where(there, values, 0), cells) / np.maximum(n, 1)


def _medians(values: NDArray[np.float64], n: NDArray[np.intp], cells: Cells) -> NDArray[np.float64]:
    # within each cell in ascending order, NaN behind everything else
    order = np.lexsort((values, np.broadcast_to(cells.place, values.shape)), axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    last = values.shape[1] - 1
    low, high = (np.minimum(cells.starts + i, last) for i in (np.maximum(n - 1, 0) // 2, n // 2))
    middle = np.stack([np.take_along_axis(ordered, places, axis=1) for places in (low, high)])
    found: NDArray[np.float64] = middle.mean(axis=0)
    return found


def _least(values: NDArray[np.float64], cells: Cells) -> NDArray[np.float64]:
    out = np.full((len(values), cells.n), np.inf)
    full = cells.n_frames > 0
    out[:, full] = np.minimum.reduceat(values, cells.starts[full], axis=1)
    return out
