"""When something happens in a face: stretches in which a feature is high."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray import selectors
from facearray.signal._checks import Problems
from facearray.signal._times import refuse_milliseconds
from facearray.signal._videos import check_detections, each_video, refuse_features_without_values, spans_of
from facearray.signal.kernels.events import Found, Thresholds, find_events

__all__ = ["events", "face_labels", "frame_rates", "smiles", "thresholds"]

COLUMNS = ("video", "face", "feature", "onset", "peak", "offset", "duration", "amplitude", "mean", "complete")


def events(
    ds: xr.Dataset,
    features: str | Iterable[str] | Mapping[str, Iterable[str]] = "aus",
    *,
    high: float = 0.5,
    low: float = 0.3,
    min_duration: float = 0.0,
    merge: float = 0.0,
    max_gap: float = 0.0,
) -> pd.DataFrame:
    """List the events of features: stretches of frames that stay above one threshold and reach another.

    With two thresholds a value that trembles around one of them is one event and not many.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). They are read once, a few videos at a time.
    features
        Groups and names, as for `facearray.selectors.select`; or a mapping from a name to features that have to be
        high at the same time, such as ``{"AU06+AU12": ["AU06", "AU12"]}``: events of the smallest of them.
    high
        Threshold that an event reaches, in the unit of the feature; 0.5 suits intensities and probabilities.
    low
        Threshold below which it is over; not above `high`.
    min_duration
        Shortest event, in seconds.
    merge
        Events of which the second begins not later than this after the end of the first, in seconds, are one. Values
        between them are seen and lower.
    max_gap
        A face that is missing for no longer than this, in seconds, does not end an event that goes on behind the gap.

    Returns
    -------
    DataFrame
        One row an event, sorted by video as in ``ds``, face, feature and time, with the columns

        - ``video``, ``face``, ``feature``: labels
        - ``onset``, ``peak``, ``offset``: seconds of ``timestamp`` at which its first frame begins, its highest frame
          begins (the first of several), and its last frame ends
        - ``duration``: seconds from onset to offset
        - ``amplitude``, ``mean``: the highest value, and the mean over the event's time
        - ``complete``: whether a value below `low` is seen right before and behind it; if not, it was cut by the
          beginning or end of the video or by a missing face, and lasted at least that long

        Its ``attrs`` have the thresholds.

    Raises
    ------
    InputError
        If a name is unknown, a threshold or duration cannot be used (one of 10 or more that is longer than every
        recording, as milliseconds are), a feature has no value in any frame, or a frame's time is unknown.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    Notes
    -----
    A frame is on the screen from its time to that of the next; where the source left frames out, for a typical step,
    and what follows is missing. Durations that differ by less than a tenth of a frame are the same, because files round
    times. In this order: frames of at least `low`; short gaps without a face; `merge`;
    `min_duration` and `high`. `facearray.intervals.annotate` takes the table as intervals:
    ``table.rename(columns={"onset": "start", "offset": "end", "feature": "label"})``.

    References
    ----------
    Canny, J. (1986). A computational approach to edge detection. IEEE Transactions on Pattern Analysis and Machine
    Intelligence 8, 679-698 (two thresholds).

    Examples
    --------
    >>> dims, smile = ("video", "frame"), np.array([0.0, 0.4, 0.8, 0.4, 0.1, 0.4, 0.0], "f4")
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), smile[None, :, None, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["AU12"],
    ...         "frame_number": (dims, np.arange(7)[None]),
    ...         "timestamp": (dims, np.arange(7)[None] / 4),
    ...     },
    ... )
    >>> events(ds)[["video", "feature", "onset", "peak", "offset", "duration"]]
      video feature  onset  peak  offset  duration
    0     a    AU12   0.25   0.5     1.0      0.75
    """
    limits = thresholds(high=high, low=low, min_duration=min_duration, merge=merge, max_gap=max_gap)
    check_detections(ds)
    refuse_milliseconds(ds, min_duration=min_duration, merge=merge, max_gap=max_gap)
    rows, columns = _requested(ds, features)
    labels, faces, rates = ds["video"].to_numpy(), face_labels(ds), frame_rates(ds)
    names = np.array(list(rows), dtype=object)
    seen = np.zeros(len(names), dtype=bool)
    parts: dict[int, pd.DataFrame] = {}
    for video, frames in each_video(ds, columns):
        values = np.stack([frames.data["features"][:, places].min(axis=1) for places in rows.values()], axis=1)
        seen |= ~np.isnan(values).all(axis=(0, 2))
        found = find_events(values.reshape(-1, values.shape[-1]), spans_of(frames, rates[video]), limits)
        face, feature = np.divmod(found.series, len(names))
        parts[video] = _table(str(labels[video]), faces[face], names[feature], found)
    refuse_features_without_values(names, seen)
    tables = [parts[video] for video in sorted(parts) if len(parts[video])]
    empty = _table("", faces[:0], names[:0], Found(*(np.zeros(0, kind) for kind in _KINDS)))
    table = pd.concat(tables, ignore_index=True) if tables else empty
    table.attrs = {
        "high": high,
        "low": low,
        "min_duration": min_duration,
        "merge": merge,
        "max_gap": max_gap,
        "facearray_version": version("facearray"),
    }
    return table


def smiles(
    ds: xr.Dataset,
    *,
    high: float = 0.5,
    low: float = 0.3,
    min_duration: float = 0.5,
    merge: float = 0.2,
    max_gap: float = 0.0,
) -> pd.DataFrame:
    """List the episodes in which lip corners are pulled and cheeks raised at the same time, AU12 and AU06.

    The rows are called ``AU06+AU12``, which is what is measured. Whether such an episode is felt or posed does not
    follow from it.

    Parameters
    ----------
    ds
        Detections with ``AU06`` and ``AU12``, dims (video, frame, face, feature).
    high, low, min_duration, merge, max_gap
        As for `events`, for the smaller of the two intensities.

    Returns
    -------
    DataFrame
        As from `events`.

    Raises
    ------
    InputError
        If ``ds`` lacks one of the two, a threshold or duration cannot be used, or a frame's time is unknown.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    References
    ----------
    Girard, J. M. et al. (2021). Reconsidering the Duchenne smile: Formalizing and testing hypotheses about eye
    constriction and positive emotion. Affective Science 2, 32-47.

    Examples
    --------
    >>> dims, both = ("video", "frame"), np.array([[0.9, 0.1], [0.9, 0.6], [0.9, 0.7], [0.1, 0.7]], "f4")
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), both[None, :, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["AU06", "AU12"],
    ...         "frame_number": (dims, np.arange(4)[None]),
    ...         "timestamp": (dims, np.arange(4)[None] / 2),
    ...     },
    ... )
    >>> smiles(ds)[["feature", "onset", "offset"]]
         feature  onset  offset
    0  AU06+AU12    0.5     1.5
    """
    together = {"AU06+AU12": ["AU06", "AU12"]}
    return events(ds, together, high=high, low=low, min_duration=min_duration, merge=merge, max_gap=max_gap)


def thresholds(**values: float) -> Thresholds:
    """Check thresholds and durations.

    Raises
    ------
    InputError
        About all that cannot be used.
    """
    problems = Problems()
    problems.not_negative(**{name: values[name] for name in ("min_duration", "merge", "max_gap")})
    high, low = values["high"], values["low"]
    if not (np.isfinite(high) and np.isfinite(low) and low <= high):
        problems.add(f"found high={high!r} and low={low!r}; expected finite numbers, low not above high")
    problems.raise_if_any()
    return Thresholds(**values)


def face_labels(ds: xr.Dataset) -> NDArray[Any]:
    """Labels of the slots of persons."""
    return np.asarray(ds["face"].to_numpy() if "face" in ds.coords else np.arange(ds.sizes["face"]))


def frame_rates(ds: xr.Dataset) -> NDArray[np.float64]:
    """Rates (n_video,) that a Dataset says its videos have; NaN where it does not."""
    unknown = np.full(ds.sizes["video"], np.nan)
    return ds["fps"].to_numpy().astype(np.float64) if "fps" in ds.coords else unknown


_KINDS = (np.intp, *[np.float64] * 5, np.bool_, np.bool_)


def _requested(
    ds: xr.Dataset, features: str | Iterable[str] | Mapping[str, Iterable[str]]
) -> tuple[dict[str, list[int]], list[str]]:
    """Positions of the features of each row of the result, among those that are read."""
    if isinstance(features, Mapping):
        groups = {str(name): selectors.feature_names(ds, together) for name, together in features.items()}
    else:
        groups = {name: [name] for name in selectors.feature_names(ds, features)}
    columns = list(dict.fromkeys(name for group in groups.values() for name in group))
    return {name: [columns.index(member) for member in group] for name, group in groups.items()}, columns


def _table(video: str, face: NDArray[Any], feature: NDArray[Any], found: Found) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "video": np.full(len(face), video, dtype=object),
            "face": face,
            "feature": feature,
            "onset": found.onset,
            "peak": found.peak,
            "offset": found.offset,
            "duration": found.offset - found.onset,
            "amplitude": found.amplitude,
            "mean": found.mean,
            "complete": found.sees_onset & found.sees_offset,
        },
        columns=list(COLUMNS),
    )
    return table.astype({"video": "str", "feature": "str"})
