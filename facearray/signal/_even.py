"""Videos whose frames are evenly spaced, as every method needs that takes series apart into frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.sampling import Sampling, sampling
from facearray.signal._apply import Frames
from facearray.signal._checks import Problems
from facearray.signal._times import count_frames, iter_times, regular
from facearray.signal._videos import check_detections

__all__ = ["Even", "even_rates", "on_places"]

#: Rates that differ by less than this share are one rate.
_SAME_RATE = 0.01

_REMEDY = "resample them to one with ds.fex.resample(fps=...), or leave them out"


@dataclass(frozen=True, slots=True, eq=False)
class Even:
    """Seconds (n_video,) from frame to frame, and of each video; NaN and 0 for videos without frames."""

    step: NDArray[np.float64]
    duration: NDArray[np.float64]
    labels: NDArray[np.object_]

    def common_step(self) -> float:
        """Give the one step that all videos have.

        Raises
        ------
        InputError
            If they have different rates.
        """
        slow, fast = int(np.nanargmax(self.step)), int(np.nanargmin(self.step))
        if self.step[slow] > self.step[fast] * (1 + _SAME_RATE):
            raise InputError(
                f"found videos with different frame rates, from {1 / self.step[slow]:.6g} ({self.labels[slow]!r}) to "
                f"{1 / self.step[fast]:.6g} ({self.labels[fast]!r}) frames a second; expected one; {_REMEDY}"
            )
        return float(self.step[fast])

    def check_frequencies(self, *frequencies: float) -> None:
        """Refuse frequencies that a video cannot show.

        Raises
        ------
        InputError
            About all of them.
        """
        slow = int(np.nanargmax(self.step))
        nyquist = 0.5 / self.step[slow]
        problems = Problems()
        for frequency in frequencies:
            if frequency > nyquist * (1 + 1e-6):
                problems.add(
                    f"found a frequency of {frequency:g} Hz; expected at most {nyquist:g} Hz, half of the "
                    f"{1 / self.step[slow]:.6g} frames a second of {self.labels[slow]!r}; use a lower one, or leave "
                    "out slow videos"
                )
        problems.raise_if_any()

    def check_length(self, what: str, seconds: float, remedy: str) -> None:
        """Refuse what is longer than every video.

        Raises
        ------
        InputError
            That says how long the longest one is.
        """
        longest = float(self.duration.max())
        if seconds > longest * (1 + 1e-6):
            raise InputError(
                f"found a {what} of {seconds:.4g} s; expected at most {longest:.4g} s, the longest video; {remedy}"
            )


def even_rates(ds: xr.Dataset) -> Even:
    """Find the frame rates of all videos; of the Dataset only times are read.

    Raises
    ------
    InputError
        If frames of a video are not evenly spaced, their times are unknown, or no video has two frames.
    SchemaError
        If ``ds`` does not follow the schema.
    """
    check_detections(ds)
    labels = ds["video"].to_numpy().astype(object)
    step, duration = np.full(len(labels), np.nan), np.zeros(len(labels))
    count_frames(ds, regular, len)
    for video, times in iter_times(ds):
        found = sampling(times)
        step[video] = found.step
        duration[video] = found.n_places * found.step if len(times) > 1 else 0
    if np.isnan(step).all():
        raise InputError(
            "found no video with two frames or more, so that the frame rate is unknown; expected one; leave out "
            "pictures"
        )
    return Even(step, duration, labels)


def on_places(frames: Frames, x: NDArray[np.floating]) -> tuple[NDArray[np.float64], Sampling]:
    """Put values (..., n_frame) of a video on equal steps, NaN where frames were left out."""
    found = sampling(frames.times)
    values = np.asarray(x, dtype=np.float64)
    if not found.has_gaps:
        return values, found
    whole = np.full((*x.shape[:-1], found.n_places), np.nan)
    whole[..., found.places] = values
    return whole, found
