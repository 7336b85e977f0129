"""Averages around events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from facearray import schema, selectors
from facearray.errors import InputError
from facearray.stats.kernels.means import one_sample
from facearray.stats.time_resolved.events import EventRequest, EventValues, event_values
from facearray.stats.units import levels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["event_average"]

#: What a result has, in this order.
_OUTCOMES = ("mean", "se", "ci_low", "ci_high", "n", "n_events", "coverage")


def event_average(
    ds: xr.Dataset,
    events: pd.DataFrame,
    *,
    before: float,
    after: float,
    step: float,
    y: str | Iterable[str] = "aus",
    by: str | None = None,
    baseline: tuple[float, float] | None = None,
    unit: str = "video",
    confidence: float = 0.95,
    min_valid: float = 0.5,
) -> xr.Dataset:
    """Average features around events: over the events of each unit first, and then over units.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature) and times.
    events
        One row an event, with the columns ``video`` and ``onset``, in seconds of ``timestamp`` or a duration. Further
        ``face``, the number of a person's slot, if events are about persons; ``trial``, where the events of one trial
        of a video are averaged first; and any other, such as ``label``, for `by`.
    before, after
        Seconds around each event, both multiples of `step`.
    step
        Length of the windows around the event, in seconds: the frames of each become one value. Not shorter than
        the distance of frames.
    y
        Features, as for `facearray.selectors.select`.
    by
        Column of the events, such as ``"label"``, or coordinate on the units, such as ``"condition"``: one average a
        level.
    baseline
        Beginning and end of an interval relative to the event, as in ``(-0.5, 0)``, whose mean is taken away from each
        event's values.
    unit
        What an observation is: ``"video"`` or another coordinate on ``video``, such as ``"subject"``.
    confidence
        Level of the intervals, 0 to 1.
    min_valid
        Smallest share, 0 to 1, of a window's seconds (and of the baseline's) in which a face has to have a value; with
        less, it is NaN there and left out.

    Returns
    -------
    Dataset
        With dims (time, face, feature), and one named like `by` in front, where ``time`` are the middles of the windows
        in seconds from the event: ``mean`` over units, ``se``, ``ci_low``, ``ci_high`` (t intervals over units), ``n``
        (units with a value), ``n_events`` (events, or trials, that these are means of) and ``coverage``. Events whose
        window leaves the recording by more than a frame, and those without a value, are left out and counted in
        ``excluded``.

    Raises
    ------
    InputError
        About all events that cannot be used: an unknown video or face, an onset that is no number, or later than the
        end of every recording, as milliseconds are; if a name is unknown, durations do not fit together, or no event
        is left.
    SchemaError
        If ``ds`` does not follow the schema, or a frame's time is unknown.

    Notes
    -----
    Every unit counts the same, however many events it has: events of one video are not independent observations. Values
    are those of the frames' own times; nothing is made up between frames. `facearray.stats.event_test` tests the
    averages.

    References
    ----------
    Student (1908). The probable error of a mean. Biometrika 6, 1-25.

    Examples
    --------
    >>> import pandas as pd
    >>> number = np.tile(np.arange(100), (3, 1))
    >>> smile = np.where((number >= 50) & (number < 60), [[1.0], [2.0], [3.0]], 0.0)
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), smile[:, :, None, None])},
    ...     coords={
    ...         "video": ["a", "b", "c"],
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), number),
    ...         "timestamp": (("video", "frame"), number / 25),
    ...     },
    ... )
    >>> jokes = pd.DataFrame({"video": ["a", "b", "c", "c"], "onset": [2.0, 2.0, 2.0, 3.9]})
    >>> found = event_average(ds, jokes, before=0.2, after=0.6, step=0.2)
    >>> found.time.values.tolist(), found["mean"].squeeze().values.tolist()
    ([-0.1, 0.1, 0.3, 0.5], [0.0, 2.0, 2.0, 0.0])
    >>> found.attrs["excluded"]
    ['c: 1 event whose window leaves the recording']
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    if not 0 < confidence < 1:
        raise InputError(f"found confidence={confidence}; expected a share between 0 and 1")
    if by in (*_OUTCOMES, "window_start", "window_stop"):
        raise InputError(f"found by={by!r}, which the result itself has; expected another name; rename the column")
    request = EventRequest(
        before=before,
        after=after,
        step=step,
        by=by,
        unit=unit,
        features=selectors.feature_names(ds, y),
        baseline=baseline,
        min_valid=min_valid,
    )
    found = event_values(ds, events, request)
    return _averages(found, request, confidence)


def _averages(found: EventValues, request: EventRequest, confidence: float) -> xr.Dataset:
    values = found.values
    names, codes = np.array([""]), np.zeros(len(values.labels), dtype=np.intp)
    excluded = values.attrs["excluded"]
    if request.by is not None:
        names, codes = levels(values.flat().coordinate(request.by))
        excluded = [*excluded, *(f"{label}: no {request.by}" for label in values.labels[codes < 0].tolist())]
    parts: dict[str, list[Any]] = {}
    shape = values.values.shape[1:]
    for level in range(len(names)):
        rows = np.flatnonzero(codes == level)
        here = values.take(rows)
        test = one_sample(here.values.reshape(len(rows), -1), confidence=confidence)
        for name in ("difference", "se", "ci_low", "ci_high", "n"):
            parts.setdefault(name, []).append(getattr(test, name).reshape(shape))
        parts.setdefault("n_events", []).append(found.n_events[rows].sum(axis=0))
        parts.setdefault("coverage", []).append(here.mean_coverage())
    parts["n"] = [n.astype(np.int64) for n in parts["n"]]
    parts["mean"] = parts.pop("difference")
    dims: tuple[str, ...] = ("time", "face", "feature")
    coords: dict[Any, Any] = {**values.axis.coordinates(), "face": values.faces, **values.feature_coords}
    data = {}
    for name in _OUTCOMES:
        array = np.stack(parts[name])
        data[name] = (dims, array[0]) if request.by is None else ((request.by, *dims), array)
    if request.by is not None:
        coords[request.by] = np.array(names.tolist())
    result = xr.Dataset(data, coords=coords)
    attrs = found.attrs | {
        "method": "event_average",
        "n": len(np.unique(values.labels[codes >= 0])),
        "n_events": int(parts_total(found, codes)),
        "confidence": confidence,
        "excluded": excluded,
        "baseline": "none" if request.baseline is None else f"{request.baseline[0]:g} to {request.baseline[1]:g} s",
        "notes": _notes(result, values.notes()),
    }
    attrs |= {"by": request.by} if request.by is not None else {}
    return result.assign_attrs(attrs)


def parts_total(found: EventValues, codes: Any) -> int:
    """Events that are in any average: of each unit the most that a window has."""
    return int(found.n_events[codes >= 0].reshape((codes >= 0).sum(), -1).max(axis=1, initial=0).sum())


def _notes(result: xr.Dataset, notes: list[str]) -> list[str]:
    if (result["n"] == 1).any():
        notes = [*notes, "one unit with a value in some windows, which have no interval"]
    return notes
