"""Short gaps filled from what is on both sides of them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr

from facearray.sampling import frame_step
from facearray.signal._apply import Frames, Output, Result, feature_positions, map_videos
from facearray.signal._checks import Problems
from facearray.signal._measurements import with_marks
from facearray.signal._steps import recorded
from facearray.signal._times import check_one, check_videos, known, refuse_milliseconds
from facearray.signal.kernels.gaps import METHODS, Interpolation, fill

__all__ = ["interpolate"]


@recorded
def interpolate(
    ds: xr.Dataset, max_gap: float, *, method: Interpolation = "linear", features: str | Iterable[str] | None = None
) -> xr.Dataset:
    """Fill short gaps in the time courses of features.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    max_gap
        Longest gap that is filled, in seconds without a value: at 25 frames a second, a gap of 5 frames lasts 0.2 s.
        Longer gaps are not filled at all. Where frames are evenly spaced, gaps are counted in frames, whatever times
        were rounded to.
    method
        ``"linear"``; ``"nearest"`` and ``"previous"`` known value; ``"pchip"`` and ``"akima"``, piecewise cubic curves
        that hardly leave the range of neighbouring values; ``"spline"``, a cubic spline, which may. All use true times.
    features
        Groups and names, as for `facearray.selectors.select`; all by default.

    Returns
    -------
    xarray.Dataset
        ``ds`` with fewer gaps in ``features``, and the coordinate ``interpolated`` (video, frame, face), true where any
        feature of a frame was filled. Lazy where ``ds`` is. Nothing is filled across videos, before the first value of
        a feature in a video or behind the last one. A feature without any value in a video stays without.

    Raises
    ------
    InputError
        If ``max_gap`` is negative, or 10 or more and longer than every recording, as milliseconds are; if the method or
        a feature is unknown, or times are unknown or do not increase.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    References
    ----------
    Fritsch, F. N. & Carlson, R. E. (1980). Monotone piecewise cubic interpolation. SIAM Journal on Numerical Analysis
    17, 238-246 (``"pchip"``).

    Akima, H. (1970). A new method of interpolation and smooth curve fitting based on local procedures. Journal of the
    ACM 17, 589-602.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1, features=["AU12"])
    >>> ds["timestamp"][:] = np.arange(6) / 25
    >>> ds["features"][0, :, 0, 0] = [0, np.nan, 2, np.nan, np.nan, 5]
    >>> interpolate(ds, 0.04).features.values.squeeze()
    array([ 0.,  1.,  2., nan, nan,  5.], dtype=float32)
    """
    chosen = feature_positions(ds, features)
    problems = Problems()
    problems.not_negative(max_gap=max_gap)
    problems.one_of("method", method, METHODS)
    problems.raise_if_any()
    check_videos(ds, known)
    refuse_milliseconds(ds, max_gap=max_gap)

    def filled(frames: Frames) -> Result:
        check_one(frames.video, frames.times, known)
        out = frames.data["features"].copy()
        part = out if chosen is None else out[:, chosen]
        courses = part.reshape(-1, part.shape[-1]).astype(np.float64)
        marks = fill(courses, frames.times, frame_step(frames.times), max_gap, method)
        out[:, slice(None) if chosen is None else chosen] = courses.reshape(part.shape)
        return out, np.asarray(marks.reshape(part.shape).any(axis=1))

    variable = ds.variables["features"]
    outputs = [Output.like(variable), Output(("frame", "face"), bool, False)]
    found, marks = map_videos(ds, filled, outputs)
    found.attrs = variable.attrs
    return with_marks(ds.assign(features=found), "interpolated", marks)
