"""Time courses reduced within stretches of time."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.signal._apply import Frames
from facearray.signal._checks import Problems
from facearray.signal._frames import replace_frames
from facearray.signal._steps import recorded
from facearray.signal._times import check_one, count_frames, known
from facearray.signal.kernels.resampling import Cells, bin_statistic

__all__ = ["bin"]

Statistic = Literal["mean", "median", "std", "min", "max"]


@recorded
def bin(ds: xr.Dataset, seconds: float, *, stat: Statistic = "mean", min_valid: float = 0.5) -> xr.Dataset:  # noqa: A001
    """Reduce the frames of each stretch of time to one.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), of any rates, equally spaced or not.
    seconds
        Length of a stretch, in seconds. The first one begins with the first frame of each video; the last one may have
        fewer frames.
    stat
        What measurements are reduced to. A standard deviation has the denominator n - 1. Embeddings are always averaged
        and get back their unit length.
    min_valid
        Smallest share of a stretch's frames with a value, 0 to 1; with fewer, and without any, the result is NaN.

    Returns
    -------
    xarray.Dataset
        A frame a stretch. ``timestamp`` is the middle of the stretch, ``fps`` is 1 / ``seconds``, ``frame_number``
        counts stretches from 0, ``n_frames`` is their number; other coordinates of frames are those of the frame that
        is nearest to the middle. Measurements are lazy where ``ds`` is; times are read at once, because they say how
        many stretches there will be.

    Raises
    ------
    InputError
        If an argument is not what it should be, or in any video times are unknown or do not increase.
    SchemaError
        If ``ds`` does not follow the schema or has no times, or something has a dim ``frame`` but no ``video``.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1, features=["AU12"])
    >>> ds["timestamp"][:] = np.arange(6) / 10
    >>> ds["features"][0, :, 0, 0] = [0, 1, 2, np.nan, np.nan, 6]
    >>> binned = bin(ds, 0.2)
    >>> binned.timestamp.values.squeeze(), binned.features.values.squeeze()
    (array([0.1, 0.3, 0.5]), array([0.5, 2. , 6. ], dtype=float32))
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    problems = Problems()
    problems.positive(seconds=seconds)
    problems.one_of("stat", stat, get_args(Statistic))
    problems.not_negative(min_valid=min_valid)
    if not min_valid <= 1:
        problems.add(f"found min_valid={min_valid!r}; expected a share, 0 to 1")
    problems.raise_if_any()
    n_frames = count_frames(ds, known, lambda times: Cells(times, seconds).n)

    def new_times(frames: Frames) -> NDArray[np.float64]:
        check_one(frames.video, frames.times, known)
        return Cells(frames.times, seconds).centres

    def change(courses: NDArray[np.float64], frames: Frames, name: str) -> NDArray[np.float64]:
        return bin_statistic(courses, Cells(frames.times, seconds), "mean" if name == "embedding" else stat, min_valid)

    return replace_frames(ds, n_frames, 1 / seconds, new_times, change)
