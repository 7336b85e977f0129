"""How often people blink."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.signal._checks import Problems
from facearray.signal._steps import recorded
from facearray.signal._times import refuse_milliseconds
from facearray.signal._videos import check_detections, each_video, refuse_features_without_values, spans_of
from facearray.signal.events import frame_rates, thresholds
from facearray.signal.kernels.events import Thresholds, find_events
from facearray.signal.kernels.spans import Spans
from facearray.stats.units import label_coordinates

__all__ = ["LEAST_RATE", "blinks"]

#: Frames a second that are needed: eyes are shut for 0.1 to 0.4 s, and a lid goes down in less than 0.1 s.
LEAST_RATE = 25.0

#: 24.9 frames a second are 25.
_SAME_RATE = 0.01

_VARIABLES = {
    "rate": ("Blinks a minute of the time in which there is a value.", "1/min"),
    "mean_duration": ("Mean duration of the blinks of which beginning and end are seen.", "s"),
    "closed": ("Share of that time in which the eyes are shut, longer closures included.", "1"),
    "seconds": ("Time in which there is a value.", "s"),
}


@recorded
def blinks(
    ds: xr.Dataset,
    *,
    feature: str = "AU43",
    high: float = 0.5,
    low: float = 0.3,
    max_duration: float = 0.5,
    max_gap: float = 0.0,
) -> xr.Dataset:
    """Count the blinks of every face: short events of closed eyes.

    Videos need 25 frames a second or more: at a lower rate blinks fall between frames, and a count would be too low by
    an unknown amount. Slower ones have NaN and are listed.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). They are read once, a few videos at a time.
    feature
        What is high while eyes are shut: ``AU43``, a blendshape such as ``eyeBlinkLeft``, or OpenFace's ``AU45``.
    high, low, max_gap
        As for `facearray.signal.events`.
    max_duration
        Longest blink, in seconds; eyes that are shut for longer are closures and counted as such.

    Returns
    -------
    xarray.Dataset
        Dims (video, face): ``n`` blinks, ``rate`` a minute of the time in which there is a value, ``mean_duration`` in
        seconds of the blinks that are seen as a whole, ``n_closures`` longer than `max_duration`, ``closed``, the share
        of the time in which eyes are shut, and ``seconds``, that time. A blink counts if its beginning is seen. NaN (0
        for counts) for faces without a value and videos with fewer than 25 frames a second, which are in the attribute
        ``excluded``. Coordinates on ``video`` are kept.

    Raises
    ------
    InputError
        If the feature is unknown or has no value in any frame, a threshold or duration cannot be used, no video has
        25 frames a second, or a frame's time is unknown.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    References
    ----------
    Stern, J. A., Walrath, L. C. & Goldstein, R. (1984). The endogenous eyeblink. Psychophysiology 21, 22-33.

    Examples
    --------
    >>> dims, n = ("video", "frame"), 750
    >>> lids = np.zeros(n, "f4")
    >>> lids[[100, 101, 102, 103, 400, 401, 402]] = 0.9
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), lids[None, :, None, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["AU43"],
    ...         "frame_number": (dims, np.arange(n)[None]),
    ...         "timestamp": (dims, np.arange(n)[None] / 25),
    ...     },
    ... )
    >>> found = blinks(ds)
    >>> found.n.item(), found.rate.item(), round(found.mean_duration.item(), 3)
    (2, 4.0, 0.14)
    """
    limits = thresholds(high=high, low=low, min_duration=0.0, merge=0.0, max_gap=max_gap)
    problems = Problems()
    problems.positive(max_duration=max_duration)
    problems.raise_if_any()
    check_detections(ds)
    refuse_milliseconds(ds, max_duration=max_duration, max_gap=max_gap)
    shape = (ds.sizes["video"], ds.sizes["face"])
    found = {name: np.zeros(shape, dtype=np.intp) for name in ("n", "n_closures")}
    found |= {name: np.full(shape, np.nan) for name in _VARIABLES}
    labels, declared = ds["video"].to_numpy(), frame_rates(ds)
    slow: dict[int, float] = {}
    seen = np.zeros(1, dtype=bool)
    n_videos = 0
    for video, frames in each_video(ds, [feature]):
        n_videos += 1
        spans, x = spans_of(frames, declared[video]), frames.data["features"][:, 0]
        seen |= bool((~np.isnan(x)).any())
        if 1 / spans.step >= LEAST_RATE * (1 - _SAME_RATE):
            for name, values in _of_video(x, spans, limits, max_duration).items():
                found[name][video] = values
        else:
            slow[video] = 1 / spans.step
    refuse_features_without_values([feature], seen)
    excluded = [
        f"{labels[video]}: {rate:.4g} frames/s, fewer than {LEAST_RATE:g}"
        if rate == rate
        else f"{labels[video]}: one frame"
        for video, rate in sorted(slow.items())
    ]
    if len(slow) == n_videos:
        raise InputError(
            f"found {excluded[0]}{f' and {len(slow) - 1} more' if len(slow) > 1 else ''}; expected {LEAST_RATE:g} or "
            "more frames a second in some video, because blinks fall between slower frames: detect every frame "
            "(every=1) of videos with a higher rate"
        )
    dims = ("video", "face")
    data: dict[str, Any] = {name: (dims, array) for name, array in found.items()}
    data |= {name: (dims, found[name], {"long_name": text, "units": unit}) for name, (text, unit) in _VARIABLES.items()}
    attrs = ds.attrs | {"excluded": excluded, "least_rate": LEAST_RATE, "facearray_version": version("facearray")}
    return xr.Dataset(data, coords=label_coordinates(ds, "video", "face"), attrs=attrs)


def _of_video(
    x: NDArray[np.floating], spans: Spans, limits: Thresholds, max_duration: float
) -> dict[str, NDArray[Any]]:
    """Count and measure the blinks of faces (n_face, n_frame)."""
    found = find_events(x, spans, limits)
    duration = found.offset - found.onset
    short = duration <= max_duration + spans.rounding
    started = short & found.sees_onset
    whole = started & found.sees_offset
    n = _sums(found.series[started], len(x))
    seconds = np.where(np.isnan(x), 0, spans.end - spans.start).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = _sums(found.series[whole], len(x), duration[whole])
        return {
            "n": n,
            "n_closures": _sums(found.series[~short], len(x)),
            "rate": 60 * n / seconds,
            "mean_duration": total / _sums(found.series[whole], len(x)),
            "closed": np.minimum(_sums(found.series, len(x), duration) / seconds, 1),
            "seconds": seconds,
        }


def _sums(series: NDArray[np.intp], n: int, weights: NDArray[np.float64] | None = None) -> NDArray[Any]:
    return np.bincount(series, weights, minlength=n)
