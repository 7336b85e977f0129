"""Time courses at an even rate of frames."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.sampling import frame_step
from facearray.signal._apply import Frames
from facearray.signal._checks import Problems
from facearray.signal._frames import replace_frames
from facearray.signal._steps import recorded
from facearray.signal._times import check_one, count_frames, known
from facearray.signal.kernels import resampling

__all__ = ["resample"]


@recorded
def resample(ds: xr.Dataset, fps: float) -> xr.Dataset:
    """Give all videos frames at one even rate.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), of any rates, equally spaced or not.
    fps
        New frames a second.

    Returns
    -------
    xarray.Dataset
        New frames at ``t, t + 1 / fps, ...`` from the first frame of each video on, as long as they are not behind its
        last one. ``timestamp``, ``n_frames`` and ``fps`` are those of the new frames, and ``frame_number`` counts them
        from 0; other coordinates of frames (``track_id``, annotations, marks) are those of the nearest old frame, as
        long as it is no further away than half of the longer of both steps. Measurements are lazy where ``ds`` is;
        times are read at once, because they say how many frames there will be.

        A measurement is NaN where less than half of what it would be computed from is known: gaps that are longer than
        the new steps stay gaps, and nothing is made up in them. That a frame or two were left out of the recording
        altogether is no gap.

    Raises
    ------
    InputError
        If ``fps`` is not positive, or in any video times are unknown or do not increase.
    SchemaError
        If ``ds`` does not follow the schema or has no times, or something has a dim ``frame`` but no ``video``.

    Notes
    -----
    Frames are joined by straight lines. Towards a higher rate, and within 1 % of the old one, the result is read off
    these. Towards a lower rate they are averaged with weights that fall linearly to 0 one new step before and behind
    each new frame, so that what is too fast for the new rate goes instead of turning up as something slow: at the new
    rate itself nothing is left, at half of it 41 % of the amplitude, at a tenth 97 %. Weights are never negative:
    unlike after Fourier or sharp filters there is no ringing, values stay within the range of their neighbours, and a
    ramp stays the same ramp to its ends. Embeddings get back their unit length.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1, features=["AU12"])
    >>> ds["timestamp"][:] = np.array([0, 1, 2, 3, 5, 6]) / 10
    >>> ds["features"][0, :, 0, 0] = [0, 1, 2, 3, 5, 6]
    >>> even = resample(ds, fps=5)
    >>> even.timestamp.values.squeeze(), even.features.values.squeeze()
    (array([0. , 0.2, 0.4, 0.6]), array([0., 2., 4., 6.], dtype=float32))
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    problems = Problems()
    problems.positive(fps=fps)
    problems.raise_if_any()
    new_step = 1 / fps
    n_frames = count_frames(ds, known, lambda times: len(_new_times(times, new_step)))

    def new_times(frames: Frames) -> NDArray[np.float64]:
        check_one(frames.video, frames.times, known)
        return _new_times(frames.times, new_step)

    def change(courses: NDArray[np.float64], frames: Frames, name: str) -> NDArray[np.float64]:  # noqa: ARG001
        times = frames.times
        step = frame_step(times) or new_step
        return resampling.resample(courses, times, step, _new_times(times, new_step), new_step)

    return replace_frames(ds, n_frames, float(fps), new_times, change)


def _new_times(times: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    return resampling.new_times(float(times[0]), float(times[-1]), step)
