"""Time courses around events, on a time axis that begins at the event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray._columns import check_new_names, column_values, missing_form, seconds, shown, video_labels
from facearray.errors import InputError, unknown_names
from facearray.schema import COORDS, DATA_VARS, DIMS
from facearray.signal._apply import Frames, Output, Result, map_videos
from facearray.signal._checks import Problems
from facearray.signal._steps import recorded
from facearray.signal._times import refuse_milliseconds
from facearray.signal._videos import check_detections, chosen_positions, common_grid, recorded_spans, spans_of
from facearray.signal.kernels.spans import stretch_means
from facearray.stats.units import label_coordinates

__all__ = ["align"]

_MOST_SHOWN = 20

_TEXT = np.dtypes.StringDType()


@recorded
def align(
    ds: xr.Dataset,
    table: pd.DataFrame,
    *,
    before: float,
    after: float,
    rate: float | None = None,
    features: str | Iterable[str] | None = None,
    min_valid: float = 0.5,
) -> xr.Dataset:
    """Cut time courses to stretches around events, such as the onsets of stimuli, with the event at 0.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    table
        One row an event: ``video``, ``onset`` in seconds of ``timestamp`` (or a duration), and, if they have names,
        ``trial``; else the events of each video are numbered from 0 in the order of their onsets. Other columns become
        coordinates; those with names of the data model, such as ``duration``, with ``event_`` in front. Tables of
        `facearray.signal.events` fit.
    before, after
        Seconds before and behind the onset, to the nearest multiple of 1 / `rate`.
    rate
        Values a second; by default the frame rate, which all videos have to share.
    features
        Groups and names, as for `facearray.selectors.select`; all by default.
    min_valid
        Smallest share of a value's time in which there has to be a face.

    Returns
    -------
    xarray.Dataset
        ``features`` with dims (video, trial, time, face, feature); ``time`` in seconds from the onset, from -`before`
        to `after`. NaN where a video does not have the trial, the recording does not reach, or the face is missing.
        Coordinates on ``video`` are kept, and ``onset`` and the other columns of the table are on (video, trial).
        Means over trials or videos at each time are ``.mean(["video", "trial"])``.

    Raises
    ------
    InputError
        About all rows that cannot be used: an unknown video, an onset that is missing or further from the recording
        than the stretch is long, a trial that a video has twice. Also if a name is unknown, an option cannot be used,
        `before` or `after` is 10 or more and longer than every recording, as milliseconds are, videos have different
        frame rates and no `rate` is given, or a frame's time is unknown.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    Notes
    -----
    The value at time t is the mean from t to t + 1 / `rate` of what is on the screen. At the frame rate that is the
    frame itself, if the onset falls on one, and else what linear interpolation between two frames gives; at a lower
    rate frames are averaged. Nothing is extrapolated.

    Examples
    --------
    >>> dims, smile = ("video", "frame"), np.arange(6, dtype="f4")
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), smile[None, :, None, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["AU12"],
    ...         "frame_number": (dims, np.arange(6)[None]),
    ...         "timestamp": (dims, np.arange(6)[None] / 2),
    ...     },
    ... )
    >>> stimuli = pd.DataFrame({"video": ["a", "a"], "onset": [1.0, 2.25], "trial": ["joke", "news"]})
    >>> align(ds, stimuli, before=0.5, after=0.5).features.squeeze().to_pandas()
    time   -0.5  0.0  0.5
    trial
    joke    1.0  2.0  3.0
    news    3.5  4.5  5.0
    """
    problems = Problems()
    problems.not_negative(before=before, after=after)
    problems.positive(rate=rate)
    if not 0 < min_valid <= 1:
        problems.add(f"found min_valid={min_valid!r}; expected a share above 0, up to 1")
    problems.raise_if_any()
    check_detections(ds)
    chosen = chosen_positions(ds, features)
    refuse_milliseconds(ds, before=before, after=after)
    step = 1 / rate if rate is not None else common_grid(ds, None).step
    places = np.arange(-round(before / step), round(after / step) + 1)
    videos, trials, labels = _rows(ds, table)
    onsets = np.full((ds.sizes["video"], len(labels)), np.nan)
    onsets[videos, trials] = seconds(table["onset"])
    _check_onsets(ds, table, videos, places[0] * step, (places[-1] + 1) * step)

    def cut(frames: Frames) -> Result:
        mine = frames.data["onsets"]
        found = np.full((len(mine), len(places), len(frames.data["features"]), len(chosen)), np.nan)
        (there,) = np.nonzero(~np.isnan(mine))
        begin = (mine[there, None] + places * step).ravel()
        means, share = stretch_means(frames.data["features"][:, chosen], spans_of(frames), begin, begin + step)
        means = np.where(share >= min_valid * (1 - 1e-6), means, np.nan)
        found[there] = np.moveaxis(means.reshape(*means.shape[:2], len(there), len(places)), (2, 3), (0, 1))
        return (found,)

    dims = ("trial", "time", "face", "feature")
    sizes = {"trial": len(labels), "time": len(places), "feature": len(chosen)}
    output = Output(dims, ds["features"].dtype)
    (values,) = map_videos(ds, cut, [output], others={"onsets": xr.Variable(("video", "trial"), onsets)}, sizes=sizes)
    names = [str(name) for name in ds["feature"].to_numpy()[chosen]]
    coords: dict[Any, Any] = {
        **label_coordinates(ds, "video", "face", "feature", features=names),
        **_columns(ds, table, videos, trials, onsets.shape),
        "trial": labels,
        # rounded, so that 3 * 0.1 is found as 0.3
        "time": ("time", np.round(places * step, 9), {"units": "s"}),
        "onset": (("video", "trial"), onsets, {"units": "s"}),
    }
    return xr.Dataset({"features": values}, coords, ds.attrs)


def _rows(ds: xr.Dataset, table: pd.DataFrame) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[Any]]:
    """Position of the video and of the trial of each row, and the labels of the trials."""
    if not isinstance(table, pd.DataFrame):
        raise InputError(f"found a {type(table).__name__}; expected a DataFrame with the columns video and onset")
    if absent := [column for column in ("video", "onset") if column not in table.columns]:
        raise unknown_names("column of the table", absent, [str(column) for column in table.columns])
    if table.empty:
        raise InputError("found a table without rows; expected an event in each")
    known = video_labels(ds)
    given = pd.Index([str(label) for label in table["video"]], dtype=object)
    if unknown := sorted(set(given) - set(known)):
        error = unknown_names("video", unknown, list(known))
        raise InputError(f"{error}; leave its rows out with table[table.video.isin(ds.video.values)], or rename it")
    videos = np.asarray(known.get_indexer(given), dtype=np.intp)
    onset = seconds(table["onset"])
    if (~np.isfinite(onset)).any():
        rows = np.flatnonzero(~np.isfinite(onset)).tolist()
        raise InputError(f"found no onset in rows {shown(rows)}; expected seconds; leave these rows out")
    if "trial" not in table.columns:
        order = pd.Series(onset).groupby(videos).rank(method="first")
        trials = np.asarray(order.to_numpy(dtype=np.intp) - 1)
        return videos, trials, np.arange(trials.max() + 1)
    names = column_values(table["trial"])
    labels, first, trials = np.unique(names, return_index=True, return_inverse=True)
    # in the order of the table
    order = np.argsort(first, kind="stable")
    trials = np.argsort(order)[trials]
    twice = pd.DataFrame({"video": given, "trial": names}).duplicated(keep="first").to_numpy()
    if twice.any():
        found = [f"{given[row]}: {names[row]}" for row in np.flatnonzero(twice)]
        raise InputError(
            f"found trials more than once in a video, {shown(found)}; expected every name once; give repetitions names "
            "of their own, or drop the column 'trial' to have them numbered"
        )
    labels = labels[order]
    return videos, trials, labels.astype(_TEXT) if labels.dtype.kind in "OUT" else labels


def _check_onsets(ds: xr.Dataset, table: pd.DataFrame, videos: NDArray[np.intp], begin: float, stop: float) -> None:
    """Refuse events of which nothing is recorded."""
    first, last = (times[videos] for times in recorded_spans(ds))
    onset = seconds(table["onset"])
    outside = np.isnan(first) | (onset + stop <= first) | (onset + begin > last)
    problems = Problems()
    for i in np.flatnonzero(outside).tolist():
        span = "no frame" if np.isnan(first[i]) else f"{first[i]:.3f} to {last[i]:.3f} s"
        problems.add(
            f"row {i} ({table['video'].iloc[i]!r}, onset {onset[i]:g} s): found nothing recorded around it; the video "
            f"has {span}; correct the onset, in seconds of timestamp, or leave the row out"
        )
    problems.raise_if_any()


def _columns(
    ds: xr.Dataset, table: pd.DataFrame, videos: NDArray[np.intp], trials: NDArray[np.intp], shape: tuple[int, ...]
) -> dict[str, Any]:
    """Make coordinates on (video, trial) of the other columns."""
    others = [column for column in table.columns if column not in ("video", "onset", "trial")]
    names = [f"event_{column}" if column in {*COORDS, *DATA_VARS, *DIMS, "time"} else column for column in others]
    check_new_names(ds, names)
    found = {}
    for column, name in zip(others, names, strict=True):
        values = column_values(table[column])
        dtype, fill = missing_form(column, values.dtype)
        whole = np.full(shape, fill, dtype=dtype)
        whole[videos, trials] = values
        found[name] = (("video", "trial"), whole)
    return found
