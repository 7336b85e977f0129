"""Jitter taken out of time courses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.sampling import sampling
from facearray.signal._apply import Frames
from facearray.signal._checks import Problems
from facearray.signal._measurements import map_series
from facearray.signal._steps import recorded
from facearray.signal._times import check_one, check_videos, regular
from facearray.signal.kernels.filters import gaussian, moving_median, on_grid, savitzky_golay

__all__ = ["smooth"]

Smoother = Literal["savgol", "gaussian", "median"]

#: Of a polynomial, where none is asked for.
DEGREE = 3


@recorded
def smooth(
    ds: xr.Dataset,
    method: Smoother = "savgol",
    *,
    seconds: float = 0.5,
    degree: int | None = None,
    features: str | Iterable[str] | None = None,
) -> xr.Dataset:
    """Smooth the time courses of features, without delaying them.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    method
        ``"savgol"``: a polynomial fitted to each window (Savitzky-Golay), which keeps the height of peaks.
        ``"gaussian"``: averages with the weights of a Gaussian. ``"median"``: medians, which take out single frames and
        keep edges.
    seconds
        Length of the window in seconds; of a Gaussian the full width at half maximum. It is rounded to whole frames of
        each video, an odd number of them but for a Gaussian.
    degree
        Of the polynomial of ``"savgol"``, 3 by default.
    features
        Groups and names, as for `facearray.selectors.select`; all by default.

    Returns
    -------
    xarray.Dataset
        ``ds`` with smoother ``features``; lazy where ``ds`` is. What is missing stays missing, and nothing else becomes
        so: a Gaussian and medians use what there is in the window; a polynomial is fitted to gaps that are bridged by
        straight lines. At the ends, medians and Gaussians have less of a window, the polynomial is that of the last
        whole one. A feature without any value in a video stays without.

    Raises
    ------
    InputError
        If an argument is not what it should be; if in any video the window has fewer than 3 frames (Gaussian: less
        than one), not more than ``degree``, or is longer than the video, or the frames are not equally spaced.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    References
    ----------
    Savitzky, A. & Golay, M. J. E. (1964). Smoothing and differentiation of data by simplified least squares procedures.
    Analytical Chemistry 36, 1627-1639.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1, features=["AU12"])
    >>> ds["timestamp"][:] = np.arange(6) / 25
    >>> ds["features"][0, :, 0, 0] = [0, 0, 9, 1, 1, np.nan]
    >>> smooth(ds, "median", seconds=0.12).features.values.squeeze()
    array([ 0.,  0.,  1.,  1.,  1., nan], dtype=float32)
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    problems = Problems()
    problems.one_of("method", method, get_args(Smoother))
    problems.positive(seconds=seconds)
    if degree is not None and not (isinstance(degree, int) and degree >= 0):
        problems.add(f"found degree={degree!r}; expected a whole number, 0 or more")
    if degree is not None and method != "savgol":
        problems.add(f"found degree={degree!r} with method={method!r}, which fits no polynomial; leave it out")
    problems.raise_if_any()
    power = DEGREE if degree is None else degree
    complaints = partial(_complaints, method=method, seconds=seconds, degree=power)
    check_videos(ds, complaints)

    def smoothed(courses: NDArray[np.float64], frames: Frames) -> NDArray[np.float64]:
        check_one(frames.video, frames.times, complaints)
        places = sampling(frames.times)
        width = seconds / places.step
        if method == "gaussian":
            return on_grid(courses, places, lambda grid: gaussian(grid, width))
        if method == "median":
            return on_grid(courses, places, lambda grid: moving_median(grid, _odd(width)))
        return on_grid(courses, places, lambda grid: savitzky_golay(grid, _odd(width), power))

    return map_series(ds, smoothed, features=features)


def _odd(width: float) -> int:
    """Nearest odd number; of two the larger one."""
    return 2 * int(np.floor(width / 2 + 1e-6)) + 1


def _complaints(times: NDArray[np.float64], *, method: Smoother, seconds: float, degree: int) -> Iterator[str]:
    wrong = list(regular(times))
    if wrong:
        yield from wrong
        return
    places = sampling(times)
    if len(times) < 2:
        yield "found 1 frame; expected several to smooth over; leave the video out"
        return
    width, lasts = seconds / places.step, places.n_places * places.step
    least = 1 if method == "gaussian" else 3
    if (width if method == "gaussian" else _odd(width)) < least - 1e-6:
        yield (
            f"found seconds={seconds:g}, {width:.2g} frames at {1 / places.step:.4g} frames a second; expected at "
            f"least {least}, {least * places.step:.3g} s"
        )
    elif method == "savgol" and _odd(width) <= degree:
        yield f"found seconds={seconds:g}, {_odd(width)} frames, for degree={degree}; expected more frames than that"
    if _odd(width) * places.step > lasts * (1 + 1e-6):
        yield (
            f"found a window of {seconds:g} s and a video of {lasts:.3g} s; expected a shorter window; choose one, or "
            "leave the video out"
        )
