"""Stretches of time in which a value is high."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.signal.kernels.spans import Spans

__all__ = ["Found", "Thresholds", "find_events"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as an event.

    Attributes
    ----------
    high, low
        An event is a stretch of values of at least ``low`` that reaches ``high``.
    min_duration
        Shortest event, in seconds.
    merge
        Events that are no further apart, in seconds, are one.
    max_gap
        Missing values for no longer than this, in seconds, do not end an event that goes on behind them.
    """

    high: float
    low: float
    min_duration: float = 0.0
    merge: float = 0.0
    max_gap: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Events of several series, one after the other.

    Attributes
    ----------
    series
        Position (n_event,) of the series of each.
    onset, peak, offset
        Seconds (n_event,): when the first frame begins, the highest one begins, and the last one ends.
    amplitude, mean
        Values (n_event,): the highest, and the mean over the event's time.
    sees_onset, sees_offset
        Whether (n_event,) a lower value is seen before and behind it.
    """

    series: NDArray[np.intp]
    onset: NDArray[np.float64]
    peak: NDArray[np.float64]
    offset: NDArray[np.float64]
    amplitude: NDArray[np.float64]
    mean: NDArray[np.float64]
    sees_onset: NDArray[np.bool_]
    sees_offset: NDArray[np.bool_]


def find_events(x: NDArray[np.floating], spans: Spans, thresholds: Thresholds) -> Found:
    """Find the events of series.

    Parameters
    ----------
    x
        Values (n_series, n_frame); NaN where there is none.
    spans
        Of the frames, in ascending order. The time between two that do not touch is a missing value.
    thresholds
        What counts. Values are compared in their own precision: a float32 of 0.3 reaches 0.3.

    Examples
    --------
    >>> from facearray.signal.kernels.spans import frame_spans
    >>> x = np.array([[0.0, 0.4, 0.8, 0.4, 0.1, 0.4, 0.0]])
    >>> found = find_events(x, frame_spans(np.arange(7.0), np.arange(7)), Thresholds(high=0.5, low=0.3))
    >>> found.onset, found.peak, found.offset
    (array([1.]), array([2.]), array([4.]))
    """
    x, start, end = _with_gaps(x, spans)
    n = x.shape[1]
    missing = np.isnan(x)
    active = x >= x.dtype.type(thresholds.low)
    active = _closed(active, missing, start, end, thresholds.max_gap, spans.rounding)
    active = _closed(active, ~missing, start, end, thresholds.merge, spans.rounding)
    series, first, stop = _runs(active)
    peak = [a + np.nanargmax(x[s, a:b]) for s, a, b in zip(series, first, stop, strict=True)]
    highest = np.array(peak, dtype=np.intp)
    duration = end[stop - 1] - start[first]
    # that of a single frame may be unknown
    long_enough = (duration >= thresholds.min_duration - spans.rounding) | (thresholds.min_duration <= 0)
    keep = long_enough & (x[series, highest] >= x.dtype.type(thresholds.high))
    series, first, stop, highest = series[keep], first[keep], stop[keep], highest[keep]
    seconds = np.where(missing, 0, end - start)
    area = np.concatenate([np.zeros((len(x), 1)), np.cumsum(seconds * np.where(missing, 0, x), axis=1)], axis=1)
    known = np.concatenate([np.zeros((len(x), 1)), np.cumsum(seconds, axis=1)], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (area[series, stop] - area[series, first]) / (known[series, stop] - known[series, first])
    return Found(
        series=series,
        onset=start[first],
        peak=start[highest],
        offset=end[stop - 1],
        amplitude=x[series, highest].astype(np.float64),
        mean=mean,
        sees_onset=(first > 0) & ~missing[series, np.maximum(first - 1, 0)],
        sees_offset=(stop < n) & ~missing[series, np.minimum(stop, n - 1)],
    )


def _with_gaps(
    x: NDArray[np.floating], spans: Spans
) -> tuple[NDArray[np.floating], NDArray[np.float64], NDArray[np.float64]]:
    """Put a missing value wherever frames do not touch."""
    (apart,) = np.nonzero(spans.start[1:] > spans.end[:-1])
    if not len(apart):
        return x, spans.start, spans.end
    return (
        np.insert(x, apart + 1, np.nan, axis=1),
        np.insert(spans.start, apart + 1, spans.end[apart]),
        np.insert(spans.end, apart + 1, spans.start[apart + 1]),
    )


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Find where runs of True (n_series, n) are: their series, first places, and the places behind them."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    series, first = np.nonzero(edges == 1)
    _, stop = np.nonzero(edges == -1)
    return series, first, stop


def _closed(
    active: NDArray[np.bool_],
    closable: NDArray[np.bool_],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    longest: float,
    rounding: float,
) -> NDArray[np.bool_]:
    """Count short gaps between active frames as active, if nothing but closable frames is in them."""
    if longest <= 0:
        return active
    series, first, stop = _runs(~active)
    inside = (first > 0) & (stop < active.shape[1])
    series, first, stop = series[inside], first[inside], stop[inside]
    short = start[stop] - end[first - 1] <= longest + rounding
    closed = active.copy()
    for s, a, b in zip(series[short], first[short], stop[short], strict=True):
        closed[s, a:b] = closable[s, a:b].all()
    return closed
