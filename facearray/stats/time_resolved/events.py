"""Values of units at times before and after events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._columns import seconds, text_values
from facearray._words import some
from facearray.epochs import SAME_SHARE, window_sums
from facearray.errors import InputError, unknown_names
from facearray.stats.frames import feature_labels, without_values
from facearray.stats.time_resolved.windows import TimeAxis, TimeValues, check_axis, check_frames, iter_courses
from facearray.stats.units import (
    face_labels,
    label_coordinates,
    reduced_coordinates,
    unit_levels,
    without_value,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EventRequest", "EventValues", "event_values"]

_REQUIRED = ("video", "onset")

#: Columns that say which event a row is, and so cannot tell groups of events apart.
_PLACE = (*_REQUIRED, "face", "trial")

_MAX_PROBLEMS = 20

#: Durations that differ by less than this share of a step are the same.
_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class EventRequest:
    """Which times around events, of which features, are reduced to values of units."""

    before: float
    after: float
    step: float
    by: str | None
    unit: str
    features: list[str]
    baseline: tuple[float, float] | None
    min_valid: float

    @property
    def axis(self) -> TimeAxis:
        """Windows relative to the event."""
        n = round((self.before + self.after) / self.step)
        return TimeAxis(np.asarray(self.step * np.arange(n) - self.before, dtype=np.float64), self.step, self.step)

    def check(self) -> None:
        """Check that durations fit together.

        Raises
        ------
        InputError
            With all problems.
        """
        check_axis(step=self.step)
        problems = [
            f"found {name}={value}; expected 0 or a multiple of step={self.step:g} in seconds, so that no window holds "
            "times before and after the event"
            for name, value in (("before", self.before), ("after", self.after))
            if not (np.isfinite(value) and value >= 0 and _whole(value / self.step))
        ]
        if not problems and not self.axis.n:
            problems.append("found before=0 and after=0; expected some time around events")
        if self.baseline is not None and not _is_interval(self.baseline):
            problems.append(f"found baseline={self.baseline!r}; expected where it begins and ends, as in (-0.5, 0)")
        if not 0 <= self.min_valid <= 1:
            problems.append(f"found min_valid={self.min_valid}; expected a share from 0 to 1")
        if self.unit == "frame":
            problems.append("found unit='frame'; expected 'video' or a coordinate on video")
        if self.by in ("time", "face", "feature"):
            problems.append(f"found by={self.by!r}; expected another name, which is no dim of the result")
        if problems:
            raise InputError("; ".join(problems))


def _is_interval(baseline: Any) -> bool:
    try:
        begin, end = (float(edge) for edge in baseline)
    except (TypeError, ValueError):
        return False
    return -np.inf < begin < end < np.inf


def _whole(ratio: float) -> bool:
    return abs(ratio - round(ratio)) < _SAME * max(1.0, abs(ratio))


@dataclass(frozen=True, slots=True, eq=False)
class EventValues:
    """Means over the events of units, or over those of one level of units.

    Attributes
    ----------
    values
        One row a unit; if `within`, one row a unit and level.
    n_events
        Events (n_row, n_window, n_face, n_feature) that each value is the mean of; trials, where there are trials.
    n_found
        Events in the table.
    within
        Whether the levels are those of events, so that a unit has several.
    """

    values: TimeValues
    n_events: NDArray[np.intp]
    n_found: int
    within: bool

    @property
    def attrs(self) -> dict[str, Any]:
        """What a result says about them."""
        return self.values.attrs | {"n_events_found": self.n_found}


@dataclass(frozen=True, slots=True, eq=False)
class _Events:
    """Rows of the table as arrays: positions of video and face (-1 for all), times, and level and trial as texts."""

    video: NDArray[np.intp]
    onset: NDArray[np.float64]
    face: NDArray[np.intp]
    level: NDArray[Any]
    trial: NDArray[Any]

    def take(self, kept: NDArray[Any]) -> _Events:
        return _Events(*(getattr(self, name)[kept] for name in ("video", "onset", "face", "level", "trial")))


def event_values(ds: xr.Dataset, table: pd.DataFrame, request: EventRequest) -> EventValues:
    """Average the values around the events of each unit.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature) and times.
    table
        One row an event.
    request
        What is asked for.

    Raises
    ------
    InputError
        About all rows of the table that cannot be used; if a name is unknown, or no event is left.
    SchemaError
        If a time is unknown.
    """
    request.check()
    within = _levels_are_of_events(ds, table, request)
    events = _read(ds, table, request.by if within else None)
    recordings = check_frames(ds, request.step, "step", np.unique(events.video))
    excluded = dict(without_value(ds, request.unit, unit_levels(ds, request.unit)[1]))
    first, frame = recordings.first[events.video], np.nan_to_num(recordings.frame[events.video])
    end = recordings.last[events.video] + frame
    _check_onsets(ds, events, end)
    with np.errstate(invalid="ignore"):
        inside = (events.onset - request.before >= first - frame) & (events.onset + request.after <= end + frame)
    _count(excluded, ds, events.take(~inside), "whose window leaves the recording")
    unlabelled = inside & (events.level == "") if within else np.zeros(len(inside), dtype=bool)
    _count(excluded, ds, events.take(unlabelled), f"without a value of {request.by}")
    return _averaged(ds, events.take(inside & ~unlabelled), request, excluded, len(events.onset), within=within)


def _check_onsets(ds: xr.Dataset, events: _Events, end: NDArray[np.float64]) -> None:
    """Refuse events that no recording is long enough for, as those in milliseconds are."""
    durations = ds["duration"].to_numpy() if "duration" in ds.coords else np.zeros(0)
    latest = float(np.fmax.reduce([*end, *durations], initial=0.0))
    late = np.flatnonzero(events.onset > latest)
    if len(late):
        labels = ds["video"].to_numpy()[events.video[late]]
        where = [f"{video} at {onset:g} s" for video, onset in zip(labels, events.onset[late], strict=True)]
        raise InputError(
            f"found {len(late)} of {len(events.onset)} events later than the end of every recording, {latest:g} s "
            f"({some(where)}); expected onsets in seconds of timestamp; divide milliseconds by 1000, or leave these "
            "rows out"
        )


def _count(excluded: dict[str, str], ds: xr.Dataset, events: _Events, reason: str) -> None:
    """Note events that are left out, one line a video."""
    for video in np.unique(events.video):
        n = int((events.video == video).sum())
        label = str(ds["video"].to_numpy()[video])
        text = f"{n} event{'s' * (n != 1)} {reason}"
        excluded[label] = f"{excluded[label]}, {text}" if label in excluded else text


def _averaged(
    ds: xr.Dataset, events: _Events, request: EventRequest, excluded: dict[str, str], n_found: int, *, within: bool
) -> EventValues:
    names, codes = unit_levels(ds, request.unit)
    levels = sorted(set(events.level.tolist())) if within else [""]
    place = {level: i for i, level in enumerate(levels)}
    axis = request.axis
    shape = (len(names) * len(levels), axis.n, ds.sizes["face"], len(request.features))
    total, coverage, n = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.intp)
    with_events = np.unique(events.video[codes[events.video] >= 0])
    found = {
        video: list(_trials(times, course, events.take(events.video == video), request, axis))
        for video, times, course in iter_courses(ds, request.features, with_events)
    }
    without_baseline = np.zeros(len(codes), dtype=np.intp)
    # in the order of their labels, so that no digit depends on the order of the videos or on chunks
    labels = ds["video"].to_numpy()
    for video in sorted(found, key=lambda i: str(labels[i])):
        for level, trial, covered in found[video]:
            there = ~np.isnan(trial)
            without_baseline[video] += not there.any()
            row = int(codes[video]) * len(levels) + (place[level] if within else 0)
            total[row] += np.where(there, trial, 0)
            coverage[row] += np.where(there, covered, 0)
            n[row] += there
    for video in np.flatnonzero(without_baseline).tolist():
        label, count = str(labels[video]), int(without_baseline[video])
        text = f"{count} event{'s' * (count != 1)} without enough values"
        excluded[label] = f"{excluded[label]}, {text}" if label in excluded else text
    with np.errstate(invalid="ignore"):
        mean, coverage = np.where(n > 0, total / n, np.nan), np.where(n > 0, coverage / n, 0)
    there = ~without_values(mean)
    if not there.any():
        why = "; ".join(f"{label}: {reason}" for label, reason in list(excluded.items())[:5]) or "the table is empty"
        raise InputError(f"found no event with enough values around it ({why}); see before, after and min_valid")
    unit_coords, varying = reduced_coordinates(ds, codes)
    unit = np.repeat(np.arange(len(names)), len(levels))
    coords = {name: array[unit] for name, array in unit_coords.items()}
    if within and request.by is not None:
        coords[request.by] = np.tile(np.array(levels, dtype=object), len(names))
    values = TimeValues(
        values=mean,
        coverage=coverage,
        axis=axis,
        labels=names[unit],
        features=feature_labels(ds, request.features),
        faces=face_labels(ds),
        coords=coords,
        varying=varying,
        n_frames=np.zeros(len(unit), dtype=np.intp),
        excluded=excluded,
        unit=request.unit,
        min_valid=request.min_valid,
        feature_coords=label_coordinates(ds, "feature", features=request.features),
    )
    return EventValues(values.take(there), n[there], n_found, within)


def _trials(
    times: NDArray[np.float64], values: NDArray[np.floating], events: _Events, request: EventRequest, axis: TimeAxis
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Level, values and coverage (n_window, n_face, n_feature) of the trials of a video: means over their events."""
    means, coverage = _epochs(times, values, events.onset, request, axis)
    rows: dict[tuple[str, str], list[int]] = {}
    for i in range(len(events.onset)):
        rows.setdefault((str(events.level[i]), str(events.trial[i]) or f"row {i}"), []).append(i)
        if events.face[i] >= 0:
            means[i][:, np.arange(values.shape[1]) != events.face[i]] = np.nan
    for (level, _), mine in rows.items():
        stacked, covered = means[mine], coverage[mine]
        there = ~np.isnan(stacked)
        n = there.sum(axis=0)
        with np.errstate(invalid="ignore"):
            mean = np.where(there, stacked, 0).sum(axis=0) / n
            yield level, np.where(n > 0, mean, np.nan), np.where(there, covered, 0).sum(axis=0) / np.maximum(n, 1)


def _epochs(
    times: NDArray[np.float64],
    values: NDArray[np.floating],
    onsets: NDArray[np.float64],
    request: EventRequest,
    axis: TimeAxis,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and coverage (n_event, n_window, n_face, n_feature) around events of a video."""
    starts = (onsets[:, None] + axis.starts).ravel()
    means, coverage = (
        array.reshape(len(onsets), axis.n, *array.shape[1:])
        for array in _means(times, values, starts, axis.length, request.min_valid)
    )
    if request.baseline is not None:
        start, stop = request.baseline
        level, _ = _means(times, values, onsets + start, stop - start, request.min_valid)
        means = means - level[:, None]
    return means, coverage


def _means(
    times: NDArray[np.float64], values: NDArray[np.floating], starts: NDArray[np.float64], length: float, share: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sums = window_sums(times, values, starts, length)
    coverage = sums.seconds / length
    with np.errstate(invalid="ignore"):
        return np.where((sums.n > 0) & (coverage >= share - SAME_SHARE), sums.total / sums.n, np.nan), coverage


def _levels_are_of_events(ds: xr.Dataset, table: pd.DataFrame, request: EventRequest) -> bool:
    """Whether `by` is a column of the table, or else a coordinate on videos."""
    if not hasattr(table, "columns"):
        raise InputError(f"found a {type(table).__name__} of events; expected a DataFrame with columns video, onset")
    if absent := [column for column in _REQUIRED if column not in table.columns]:
        raise unknown_names("column of the events", absent, [str(column) for column in table.columns])
    if not len(table):
        raise InputError("found a table without rows; expected an event in each")
    if request.by is None:
        return False
    columns = [str(column) for column in table.columns if column not in _PLACE]
    coordinates = [str(name) for name in ds.coords if ds[name].dims == ("video",)]
    if request.by in columns and request.by in coordinates:
        raise InputError(
            f"found {request.by!r} among the columns of the events and the coordinates on video; expected it in one: "
            "rename the column"
        )
    if request.by not in (*columns, *coordinates):
        raise unknown_names("column of the events or coordinate on video", [request.by], [*columns, *coordinates])
    return request.by in columns


def _read(ds: xr.Dataset, table: pd.DataFrame, by: str | None) -> _Events:
    """Take the events of a table.

    Raises
    ------
    InputError
        About all rows that cannot be used.
    """
    import pandas as pd

    n = len(table)
    labels = pd.Index([str(label) for label in ds["video"].to_numpy()], dtype=object)
    given = [str(label) for label in table["video"]]
    if unknown := sorted(set(given) - set(labels)):
        error = unknown_names("video", unknown, list(labels))
        raise InputError(f"{error}; leave its events out with events[events.video.isin(ds.video.values)], or rename it")
    onset = seconds(table["onset"])
    problems = [
        f"row {row}: found onset {table['onset'].tolist()[row]!r}; expected seconds"
        for row in _where(~np.isfinite(onset))
    ]
    face = np.full(n, -1, dtype=np.intp)
    if "face" in table.columns:
        slots = pd.Index(face_labels(ds))
        face = np.asarray(slots.get_indexer(table["face"].to_numpy()), dtype=np.intp)
        problems += [
            f"row {row}: found face {table['face'].tolist()[row]!r}; expected one of {some(slots)}"
            for row in _where(face < 0)
        ]
    if problems:
        more = f"\n  - and {len(problems) - _MAX_PROBLEMS} more" if len(problems) > _MAX_PROBLEMS else ""
        lines = "\n".join(f"  - {problem}" for problem in problems[:_MAX_PROBLEMS])
        raise InputError(f"the events do not fit the Dataset; correct these rows or leave them out:\n{lines}{more}")
    events = _Events(
        video=np.asarray(labels.get_indexer(given), dtype=np.intp),
        onset=onset,
        face=face,
        level=_texts(table[by], n) if by is not None else _texts((), n),
        trial=_texts(table["trial"], n) if "trial" in table.columns else _texts((), n),
    )
    # so that no digit depends on the order of the rows
    return events.take(np.lexsort((events.level.astype(str), face, onset, events.video)))


def _texts(column: Iterable[Any], n: int) -> NDArray[Any]:
    found = text_values(column).astype(object)
    return found if len(found) == n else np.full(n, "", dtype=object)


def _where(flags: NDArray[np.bool_]) -> list[int]:
    return [int(i) for i in np.flatnonzero(flags)]
