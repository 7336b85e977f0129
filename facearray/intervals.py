"""Annotated intervals (speaking turns, trials, coded behaviour) as a label for every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray._columns import check_new_names, seconds, shown, text_values, video_labels
from facearray.errors import InputError, SchemaError, unknown_names
from facearray.sampling import frame_step

__all__ = ["annotate"]

_REQUIRED = ("video", "start", "end", "label")
_MAX_PROBLEMS = 20
_STRING = np.dtypes.StringDType()


def annotate(
    ds: xr.Dataset | xr.DataArray, table: pd.DataFrame, *, name: str | None = None
) -> xr.Dataset | xr.DataArray:
    """Label the frames that lie in annotated intervals.

    Parameters
    ----------
    ds
        Detections, or anything else that has their coordinates ``timestamp`` and ``frame_number``. It is not changed.
    table
        One row an interval, with the columns ``video``, ``start`` and ``end`` in seconds of ``timestamp``, and
        ``label``; further ``face``, the number of a person's slot, if they are about persons, and ``tier`` if there are
        several sets of annotations, each of which becomes a coordinate. `read_annotations` makes such tables of the
        files of annotation programs. Other columns are ignored, and so is the order of the rows.
    name
        Name of the coordinate; by default the tier's, and ``annotation`` where there is none.

    Returns
    -------
    object
        ``ds`` with a coordinate of texts, dims (video, frame), or (video, frame, face) where the table has faces. A
        frame is labelled if its presentation time lies in [start, end); others, and padding, have an empty text. An
        entry that starts where it ends, a point event, labels the one frame that is on the screen at that time.

    Raises
    ------
    InputError
        About all rows that cannot be used: a video or face that ``ds`` does not have, a missing or empty value, an
        end before the start, an interval outside of the recording by more than one frame, an interval that is there
        twice or overlaps another one of its tier. Also if ``name`` is given for several tiers, or if a coordinate of
        that name exists.
    SchemaError
        If ``ds`` has no labelled ``video`` dim, no times, or frames whose time is unknown in a video of the table.

    Notes
    -----
    The recording lasts from 0 to the coordinate ``duration``; where that is unknown, to the end of the last frame.
    Annotations of a part of the recording that has been cut off from ``ds`` are therefore no error. Programs often
    round times to milliseconds, so that an interval that was drawn from frame to frame may miss its first one:
    subtract half a frame from ``start`` and ``end`` to be safe.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import xarray as xr
    >>> dims, time = ("video", "frame"), np.array([[0.0, 0.5, 1.0, 1.5]])
    >>> number = np.arange(4)[None]
    >>> ds = xr.Dataset(coords={"video": ["a.mp4"], "timestamp": (dims, time), "frame_number": (dims, number)})
    >>> turns = pd.DataFrame({"video": ["a.mp4"], "start": [0.5], "end": [1.5], "label": ["ann"]})
    >>> annotate(ds, turns, name="speaker").speaker.values.tolist()
    [['', 'ann', 'ann', '']]
    """
    problems = _Problems(table)
    entries = _entries(ds, table, problems)
    names = _names_of_tiers(entries, name)
    check_new_names(ds, list(names.values()))
    frames = _Frames.of(ds, np.unique(entries.video))
    _check_range(entries, frames, problems)
    problems.raise_if_any()
    dims = ("video", "frame") if entries.face is None else ("video", "frame", "face")
    shape = tuple(ds.sizes[dim] for dim in dims)
    coordinates = {}
    for tier, label in names.items():
        values = np.full(shape, "", dtype=_STRING)
        _fill(values, entries.of_tier(tier), frames, problems)
        coordinates[label] = (dims, values)
    problems.raise_if_any()
    return ds.assign_coords(coordinates)


@dataclass(frozen=True, slots=True)
class _Entries:
    """Rows of the table as arrays: their own positions, positions of video and face, times, texts."""

    row: NDArray[np.intp]
    video: NDArray[np.intp]
    face: NDArray[np.intp] | None
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    label: NDArray[Any]
    tier: NDArray[Any]

    def take(self, which: NDArray[Any]) -> _Entries:
        face = None if self.face is None else self.face[which]
        return _Entries(
            self.row[which],
            self.video[which],
            face,
            self.start[which],
            self.end[which],
            self.label[which],
            self.tier[which],
        )

    def of_tier(self, tier: str) -> _Entries:
        return self.take(np.flatnonzero(self.tier == tier))

    def targets(self) -> Iterator[tuple[tuple[int, ...], _Entries]]:
        """Entries of each video, or of each face in it, by start and end."""
        face = np.zeros_like(self.video) if self.face is None else self.face
        order = np.lexsort((self.end, self.start, face, self.video))
        both = np.stack([self.video[order], face[order]])
        edges = np.flatnonzero((both[:, 1:] != both[:, :-1]).any(0)) + 1
        for group in np.split(order, edges) if len(order) else []:
            position = (int(self.video[group[0]]),)
            yield position if self.face is None else (*position, int(self.face[group[0]])), self.take(group)


class _Problems:
    """Collects what is wrong with rows of the table, for one error about all of them."""

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table
        self._lines: dict[str, None] = {}

    def add(self, row: int, problem: str) -> None:
        values = self._table.iloc[int(row)]
        where = "".join(f", face {values['face']}" for column in ["face"] if column in values)
        what = f"{values['video']!r}{where}, {values['start']} to {values['end']} s, {values['label']!r}"
        self._lines.setdefault(f"row {int(row)} ({what}): {problem}")

    def raise_if_any(self) -> None:
        if not self._lines:
            return
        lines = list(self._lines)
        more = f"  - and {len(lines) - _MAX_PROBLEMS} more\n" if len(lines) > _MAX_PROBLEMS else ""
        raise InputError(
            "the annotations do not fit the Dataset; expected intervals of its videos that do not overlap:\n"
            + "".join(f"  - {line}\n" for line in lines[:_MAX_PROBLEMS])
            + more
            + "correct these rows or leave them out (table.drop); annotations that may overlap need a column 'tier' or "
            "'face' that tells them apart"
        )


def _entries(ds: xr.Dataset | xr.DataArray, table: pd.DataFrame, problems: _Problems) -> _Entries:
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"found a {type(table).__name__}; expected a DataFrame with columns {', '.join(_REQUIRED)}")
    if absent := [column for column in _REQUIRED if column not in table.columns]:
        raise unknown_names("column of the table", absent, [str(column) for column in table.columns])
    labels = video_labels(ds)
    given = pd.Index([str(label) for label in table["video"]], dtype=object)
    if unknown := sorted(set(given) - set(labels)):
        error = unknown_names("video", unknown, list(labels))
        raise InputError(f"{error}; leave its rows out with table[table.video.isin(ds.video.values)], or rename it")
    face = _faces(ds, table["face"], problems) if "face" in table.columns else None
    tier = text_values(table["tier"]) if "tier" in table.columns else np.full(len(table), "", dtype=_STRING)
    entries = _Entries(
        row=np.arange(len(table)),
        video=labels.get_indexer(given),
        face=face,
        start=seconds(table["start"]),
        end=seconds(table["end"]),
        label=text_values(table["label"]),
        tier=tier,
    )
    for column, absent_here in (
        ("start", ~np.isfinite(entries.start)),
        ("end", ~np.isfinite(entries.end)),
        ("label", entries.label == ""),
    ):
        for row in np.flatnonzero(absent_here).tolist():
            problems.add(row, f"found no {column}; expected {'a text' if column == 'label' else 'seconds'}")
    for row in np.flatnonzero(entries.end < entries.start).tolist():
        problems.add(row, "it ends before it starts")
    problems.raise_if_any()
    return entries


def _faces(ds: xr.Dataset | xr.DataArray, column: pd.Series, problems: _Problems) -> NDArray[np.intp]:
    if "face" not in ds.dims:
        raise SchemaError(
            "found no dim 'face'; expected one; leave the column 'face' out, or annotate before selecting"
        )
    slots = ds.indexes["face"] if "face" in ds.indexes else pd.RangeIndex(ds.sizes["face"])
    positions = slots.get_indexer(seconds(column))
    for row in np.flatnonzero(positions < 0).tolist():
        problems.add(row, f"there is no such face; expected one of {shown(slots.tolist())}")
    return np.asarray(positions, dtype=np.intp)


def _names_of_tiers(entries: _Entries, name: str | None) -> dict[str, str]:
    tiers = sorted(set(entries.tier.tolist())) or [""]
    if name is None:
        return {tier: tier or "annotation" for tier in tiers}
    if len(tiers) > 1:
        raise InputError(
            f"found tiers {shown(tiers)} with name={name!r}; expected one tier; select one, or leave the name out to "
            "get a coordinate for each"
        )
    return {tiers[0]: name}


@dataclass(frozen=True, slots=True)
class _Frames:
    """Presentation times of the annotated videos, NaN in padding, and where their recordings end."""

    row: dict[int, int]
    time: NDArray[np.float64]
    step: NDArray[np.float64]
    stop: NDArray[np.float64]

    @classmethod
    def of(cls, ds: xr.Dataset | xr.DataArray, videos: NDArray[np.intp]) -> _Frames:
        if absent := [name for name in ("timestamp", "frame_number") if name not in ds.coords]:
            raise SchemaError(f"found no {shown(absent)}; expected times of frames; annotate the detections themselves")
        number = ds["frame_number"].isel(video=videos).transpose("video", "frame").to_numpy()
        time = ds["timestamp"].isel(video=videos).transpose("video", "frame").to_numpy()
        unknown = ((number >= 0) & np.isnan(time)).any(1)
        if unknown.any():
            labels = [str(label) for label in ds["video"].to_numpy()[videos[unknown]]]
            raise SchemaError(
                f"found frames without a time in {shown(labels)}; expected seconds; give the frame rate with "
                "fps= to facearray.read or facearray.detect_frames, or set it: "
                "ds.assign_coords(timestamp=(ds.frame_number / fps).where(ds.frame_number >= 0))"
            )
        time = np.where(number >= 0, time, np.nan)
        step = np.array([frame_step(np.sort(row[~np.isnan(row)])) for row in time])
        stop = np.array([np.nanmax(row, initial=0.0) for row in time]) + step
        if "duration" in ds.coords:
            duration = ds["duration"].isel(video=videos).to_numpy()
            stop = np.where(np.isfinite(duration), np.fmax(duration, stop - step), stop)
        return cls({int(video): i for i, video in enumerate(videos)}, time, step, stop)


def _check_range(entries: _Entries, frames: _Frames, problems: _Problems) -> None:
    rows = np.array([frames.row[int(video)] for video in entries.video], dtype=np.intp)
    stop, step = frames.stop[rows], frames.step[rows]
    for i in np.flatnonzero((entries.start < -step) | (entries.end > stop + step)):
        problems.add(entries.row[i], f"it is out of range; the recording lasts from 0 to {stop[i]:.3f} s")


def _fill(values: NDArray[Any], entries: _Entries, frames: _Frames, problems: _Problems) -> None:
    for (video, *faces), mine in entries.targets():
        target = values[video, :, faces[0]] if faces else values[video]
        _check_overlaps(mine, problems)
        row = frames.row[video]
        time = frames.time[row]
        is_point = mine.start == mine.end
        # NaN in padding compares false
        spans = mine.take(np.flatnonzero(~is_point))
        if len(spans.row):
            i = np.searchsorted(spans.start, np.where(np.isnan(time), -np.inf, time), side="right") - 1
            inside = (i >= 0) & (time < spans.end[i])
            target[inside] = spans.label[i[inside]]
        _fill_points(target, mine.take(np.flatnonzero(is_point)), time, frames.step[row], problems)


def _fill_points(
    target: NDArray[Any], points: _Entries, time: NDArray[np.float64], step: float, problems: _Problems
) -> None:
    """Label the frames on the screen at the times of the points: the last one that has begun."""
    shown_at = np.flatnonzero(~np.isnan(time))
    shown_at = shown_at[np.argsort(time[shown_at], kind="stable")]
    begin = time[shown_at]
    end = np.append(begin[1:], begin[-1:] + step)
    for row, moment, label in zip(points.row, points.start, points.label, strict=True):
        i = int(np.searchsorted(begin, moment, side="right")) - 1
        if i < 0 or moment > end[i]:
            continue
        if target[shown_at[i]] != "":
            problems.add(row, f"its frame has the label {str(target[shown_at[i]])!r} already")
        target[shown_at[i]] = label


def _check_overlaps(entries: _Entries, problems: _Problems) -> None:
    """Name every entry that begins before all earlier ones of its video, tier and face have ended."""
    latest = 0
    for i in range(1, len(entries.row)):
        same_time = entries.start[i] == entries.start[i - 1] and entries.end[i] == entries.end[i - 1]
        if same_time and entries.label[i] == entries.label[i - 1]:
            problems.add(entries.row[i], f"it is a duplicate of row {entries.row[i - 1]}")
        elif same_time or entries.start[i] < entries.end[latest]:
            problems.add(entries.row[i], f"it overlaps row {entries.row[i - 1 if same_time else latest]}")
        if entries.end[i] > entries.end[latest]:
            latest = i
