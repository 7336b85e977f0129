"""Time courses relative to a face at rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.errors import unknown_names
from facearray.sampling import frame_step
from facearray.signal._apply import Frames, Output, Result, feature_positions, map_videos
from facearray.signal._checks import Problems
from facearray.signal._measurements import with_unit
from facearray.signal._rest import PERSON, Rest, of_dataset, of_quiet_frames, of_values
from facearray.signal._steps import recorded
from facearray.signal._times import check_one, check_videos, known
from facearray.signal.kernels.baselines import SCALES, Scale, level, relative

__all__ = ["baseline"]

Reference = Literal["mean", "median", "first", "period", "quiet"]

#: Units of what is not in that of the feature.
UNITS: Mapping[str, str] = {"percent": "%", "z": "", "decibel": "dB"}

#: Which frames (n_face or 1, n_frame) of a video are at rest.
AtRest = Callable[[Frames], NDArray[np.bool_]]


@recorded
def baseline(
    ds: xr.Dataset,
    reference: Reference | xr.Dataset | xr.DataArray = "median",
    *,
    scale: Scale = "difference",
    features: str | Iterable[str] | None = None,
    seconds: float | None = None,
    period: Mapping[str, Any] | None = None,
    person: str | None = None,
) -> xr.Dataset:
    """Express features relative to a baseline.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    reference
        What counts as rest:

        - ``"mean"``, ``"median"``: of all frames of the face in the video. What videos differ in is gone then.
        - ``"first"``: the mean of the first `seconds` of the video.
        - ``"period"``: the mean of the frames that are labelled as in `period`.
        - ``"quiet"``: the mean of the person's quiet frames in all videos of that person, the tenth of the frames in
          which the action units sum up to least (blendshapes where there are no action units). What videos of one
          person differ in stays.
        - another Dataset of detections: the mean of its frames, of the same person where both have the coordinate
          `person`, else of the video of the same label.
        - a DataArray with the dim ``feature`` and possibly ``video`` and ``face``: the level itself, by their labels.
    scale
        ``"difference"``: x - b. ``"percent"``: 100 (x - b) / abs(b). ``"z"``: (x - b) / s, with the standard deviation
        s of the frames at rest (denominator n - 1). ``"decibel"``: 10 log10(x / b), of a ratio.
    features
        Groups and names, as for `facearray.selectors.select`; all by default.
    seconds
        For ``"first"``: how many seconds of the video.
    period
        For ``"period"``: a coordinate with dims (video, frame) or (video, frame, face) and its label, or a list of
        labels, such as ``{"phase": "neutral"}``.
    person
        Coordinate on video, or on video and face, that says who is seen; for ``"quiet"`` and other detections, of
        which it has to be a coordinate, too. ``"person"`` by default, where there is one.

    Returns
    -------
    xarray.Dataset
        ``ds`` with other ``features``, and their ``unit``; lazy where ``ds`` is, though what is pooled over videos
        (``"quiet"``, other detections) is read at once. Missing values do not count in a baseline and stay missing.
        Where there is no baseline, or the scale does not exist for it (a baseline or standard deviation of 0, a ratio
        that is not positive), the result is NaN.

    Raises
    ------
    InputError
        If an argument is not what it should be, does not go with the reference, or is lacking; if a video has no frame
        of the period; if a face has no known person, or a person no frames at rest; if the other Dataset or the levels
        lack videos or features; if times that ``"first"`` needs are unknown, or a video ends before `seconds` do.
    SchemaError
        If ``ds`` does not follow the schema or has no times, which ``"first"`` needs.

    Notes
    -----
    ``"quiet"`` needs several videos of a person, or long ones, in which the face is at rest now and then.

    References
    ----------
    Grandchamp, R. & Delorme, A. (2011). Single-trial normalization for event-related spectral decomposition reduces
    sensitivity to noisy trials. Frontiers in Psychology 2, 236 (differences, ratios in decibel and z scores).

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1, n_frames=4, features=["AU12"])
    >>> ds["features"][0, :, 0, 0] = [1, 10, 1, np.nan]
    >>> baseline(ds, scale="decibel").features.values.squeeze()
    array([ 0., 10.,  0., nan], dtype=float32)
    """
    chosen = feature_positions(ds, features)
    names = [str(name) for name in ds["feature"].to_numpy()]
    names = names if chosen is None else [names[i] for i in chosen]
    _check_arguments(reference, scale, seconds, period, person)
    rest: Rest | None = None
    at_rest: AtRest | None = None
    others: dict[str, xr.Variable] = {}
    if isinstance(reference, xr.DataArray):
        rest = of_values(ds, reference, names, scale)
    elif isinstance(reference, xr.Dataset):
        rest = of_dataset(ds, reference, names, person)
    elif reference == "quiet":
        rest = of_quiet_frames(ds, names, PERSON if person is None else person)
    elif reference == "first" and seconds is not None:
        check_videos(ds, partial(_long_enough, seconds=seconds))
        at_rest = _first(seconds)
    elif reference == "period" and period is not None:
        marks = _labelled(ds, period)
        others["at_rest"] = marks
        at_rest = _marked(period)
    if rest is not None:
        dims = ("video", "face", "feature")
        others |= {"level": xr.Variable(dims, rest.level), "sd": xr.Variable(dims, rest.sd)}
    statistic = "median" if isinstance(reference, str) and reference == "median" else "mean"

    def compared(frames: Frames) -> Result:
        out = frames.data["features"].copy()
        values = (out if chosen is None else out[:, chosen]).astype(np.float64)
        if rest is not None:
            b, s = frames.data["level"][..., None], frames.data["sd"][..., None]
            _check_rest(frames.video, values, b)
        elif at_rest is None:
            b, s = level(values, statistic)
        else:
            b, s = level(np.where(at_rest(frames)[:, None], values, np.nan), statistic)
        out[:, slice(None) if chosen is None else chosen] = relative(values, b, s, scale)
        return (out,)

    variable = ds.variables["features"]
    (found,) = map_videos(ds, compared, [Output.like(variable)], others=others)
    found.attrs = variable.attrs
    new = ds.assign(features=found)
    return with_unit(new, chosen, UNITS[scale]) if scale in UNITS else new


def _check_arguments(
    reference: Any, scale: str, seconds: float | None, period: Mapping[str, Any] | None, person: str | None
) -> None:
    problems = Problems()
    of_people = isinstance(reference, xr.Dataset) or (isinstance(reference, str) and reference == "quiet")
    if person is not None and not of_people:
        problems.add(f"found person={person!r}; it is for the reference 'quiet' or another Dataset; leave it out")
    if not isinstance(reference, xr.Dataset | xr.DataArray):
        if not (isinstance(reference, str) and reference in get_args(Reference)):
            problems.add(
                f"found reference={reference!r}; expected one of {', '.join(map(repr, get_args(Reference)))}, a "
                "Dataset of detections or a DataArray of levels"
            )
        else:
            for needed, name, value in (("first", "seconds", seconds), ("period", "period", period)):
                if reference == needed and value is None:
                    problems.add(
                        f"found reference={needed!r} without {name}; expected both; say which frames: {name}=..."
                    )
                elif reference != needed and value is not None:
                    problems.add(f"found {name}={value!r} with reference={reference!r}; it is for reference={needed!r}")
    elif seconds is not None or period is not None:
        problems.add("found seconds or period with a reference of other data; they are for 'first' and 'period'")
    problems.one_of("scale", scale, SCALES)
    problems.positive(seconds=seconds)
    if period is not None and not (isinstance(period, Mapping) and len(period) == 1):
        problems.add(f"found period={period!r}; expected one coordinate and its label, such as {{'phase': 'neutral'}}")
    problems.raise_if_any()


def _check_rest(video: str, values: NDArray[np.float64], rest: NDArray[np.float64]) -> None:
    """Refuse faces (n_face, n_feature, n_frame) that have values but no level at all."""
    lacking = np.isnan(rest).all(axis=(1, 2)) & ~np.isnan(values).all(axis=(1, 2))
    problems = Problems()
    for face in np.flatnonzero(lacking):
        problems.add(
            f"{video!r}: found no frame at rest for face {face}; expected some; name the person in it, add frames, or "
            "leave the face out"
        )
    problems.raise_if_any()


def _long_enough(times: NDArray[np.float64], seconds: float) -> Iterator[str]:
    """Complain about times that are unknown, or end before the first seconds do."""
    wrong = list(known(times))
    yield from wrong
    if wrong:
        return
    step = frame_step(times)
    lasts = float(times[-1] - times[0]) + step
    if seconds > lasts + step / 2:
        yield (
            f"found seconds={seconds:g} and a video of {lasts:.3g} s; expected it to last that long; give fewer, or "
            "leave the video out"
        )


def _first(seconds: float) -> AtRest:
    def at_rest(frames: Frames) -> NDArray[np.bool_]:
        check_one(frames.video, frames.times, partial(_long_enough, seconds=seconds))
        # a frame that begins where the stretch ends is not in it, whatever its time was rounded to
        return np.asarray(frames.times - frames.times[0] < seconds - 1e-6)[None]

    return at_rest


def _marked(period: Mapping[str, Any]) -> AtRest:
    def at_rest(frames: Frames) -> NDArray[np.bool_]:
        marks = np.atleast_2d(frames.data["at_rest"])
        problems = Problems()
        if not marks.any():
            ((name, label),) = period.items()
            problems.add(f"{frames.video!r}: found no frame with {name}={label!r}; expected some; leave the video out")
        problems.raise_if_any()
        return marks

    return at_rest


def _labelled(ds: xr.Dataset, period: Mapping[str, Any]) -> xr.Variable:
    """Whether each frame (video, frame[, face]) has one of the labels."""
    ((name, labels),) = period.items()
    here = [str(n) for n, c in ds.coords.items() if c.dims[:2] == ("video", "frame") and n not in schema.COORDS]
    if name not in here:
        raise unknown_names("coordinate of frames", [str(name)], here)
    wanted = [labels] if isinstance(labels, str) or not isinstance(labels, Iterable) else list(labels)
    variable = ds.variables[name].transpose("video", "frame", ...)
    marks = variable == wanted[0]
    for label in wanted[1:]:
        marks = marks | (variable == label)
    if marks.chunks is None and ds.variables["frame_number"].chunks is None:
        real = (ds.variables["frame_number"] >= 0).values
        flat = marks.values.reshape(*marks.shape[:2], -1).any(axis=2) & real
        problems = Problems()
        for video in np.flatnonzero(real.any(axis=1) & ~flat.any(axis=1)):
            problems.add(
                f"{str(ds['video'].values[video])!r}: found no frame with {name}={labels!r}; expected some; leave the "
                "video out"
            )
        problems.raise_if_any()
    return marks
