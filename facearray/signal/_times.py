"""Whether the times of the frames suit what is to be done with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.blocks import iter_blocks
from facearray.errors import InputError, SchemaError
from facearray.sampling import sampling
from facearray.signal._checks import Problems

__all__ = [
    "Complaints",
    "check_one",
    "check_videos",
    "count_frames",
    "iter_times",
    "known",
    "refuse_milliseconds",
    "regular",
]

#: What is wrong with the times (n_frame,) of one video: texts that say what was expected and what to do.
Complaints = Callable[[NDArray[np.float64]], Iterator[str]]

#: Numbers from here on may be milliseconds: fewer last less than a frame.
_LEAST_MILLISECONDS = 10.0

_UNKNOWN = (
    "expected seconds; give the frame rate with fps= to facearray.read or facearray.detect_frames, or leave the video "
    "out"
)


def check_videos(ds: xr.Dataset, complaints: Complaints) -> None:
    """Check the times of all videos at once, unless a computation is needed to have them.

    Dask-backed times are checked by `check_one` when the result is computed.

    Raises
    ------
    SchemaError
        If there are no times.
    InputError
        With a line for every problem of every video.
    """
    require_times(ds)
    if ds.variables["timestamp"].chunks is not None or ds.variables["frame_number"].chunks is not None:
        return
    _raise_about(ds, [(video, complaint) for video, times in iter_times(ds) for complaint in complaints(times)])


def check_one(video: str, times: NDArray[np.float64], complaints: Complaints) -> None:
    """Check the times of one video.

    Raises
    ------
    InputError
        With a line for every problem.
    """
    problems = Problems()
    for complaint in complaints(times):
        problems.add(f"{video!r}: {complaint}")
    problems.raise_if_any()


def count_frames(
    ds: xr.Dataset, complaints: Complaints, count: Callable[[NDArray[np.float64]], int]
) -> NDArray[np.intp]:
    """Count the frames (n_video,) that each video will have, from its times, which are read for it; 0 without frames.

    Raises
    ------
    SchemaError
        If there are no times.
    InputError
        With a line for every problem of every video.
    """
    require_times(ds)
    n, found = np.zeros(ds.sizes["video"], dtype=np.intp), []
    for video, times in iter_times(ds):
        wrong = list(complaints(times))
        found += [(video, complaint) for complaint in wrong]
        n[video] = 0 if wrong else count(times)
    _raise_about(ds, found)
    return n


def refuse_milliseconds(ds: xr.Dataset, **durations: float) -> None:
    """Refuse durations that are longer than every recording, as those in milliseconds are.

    A few seconds are taken of recordings that are still shorter: there they mean all that there is. Times are read only
    where a duration is long.

    Raises
    ------
    InputError
        That names all of them.
    """
    long = {name: value for name, value in durations.items() if value >= _LEAST_MILLISECONDS}
    if not long:
        return
    spans = [(times[-1] - times[0]) * len(times) / (len(times) - 1) for _, times in iter_times(ds) if len(times) > 1]
    known_durations = ds["duration"].to_numpy() if "duration" in ds.coords else np.zeros(0)
    longest = float(np.fmax.reduce([*spans, *known_durations], initial=0.0))
    # rounded times make a recording a little shorter than it is
    if late := [f"{name}={value:g} s" for name, value in long.items() if 0 < 1.01 * longest < value]:
        raise InputError(
            f"found {' and '.join(late)}, longer than every recording ({longest:.4g} s at most); expected seconds; "
            "divide milliseconds by 1000"
        )


def require_times(ds: xr.Dataset) -> None:
    """Make sure that there are times.

    Raises
    ------
    SchemaError
        If there are none.
    """
    if "timestamp" not in ds.coords or "frame_number" not in ds.coords:
        raise SchemaError(
            "found no coordinates 'timestamp' and 'frame_number'; expected the times of the frames in seconds; do this "
            "before frames are averaged"
        )


def iter_times(ds: xr.Dataset) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Position and times (n_frame,) of the real frames of each video that has any, the longest ones first."""
    for block in iter_blocks(ds, variables=["timestamp"], split=False, copy=False):
        for video, n, times in zip(
            block.videos.tolist(), block.n_frames.tolist(), block.data["timestamp"], strict=True
        ):
            yield video, times[:n].astype(np.float64)


def known(times: NDArray[np.float64]) -> Iterator[str]:
    """Complain about times that are unknown or do not increase."""
    if problem := _order_problem(times):
        yield problem


def regular(times: NDArray[np.float64]) -> Iterator[str]:
    """Complain about frames that are not equally spaced, whatever is left out between them."""
    if problem := _order_problem(times):
        yield problem
    elif found := sampling(times).problem:
        yield f"found that {found}; expected equal steps; make them equal first with .fex.resample(fps=...)"


def _raise_about(ds: xr.Dataset, found: list[tuple[int, str]]) -> None:
    problems, labels = Problems(), ds["video"].to_numpy()
    for video, complaint in sorted(found):
        problems.add(f"{str(labels[video])!r}: {complaint}")
    problems.raise_if_any()


def _order_problem(times: NDArray[np.float64]) -> str:
    if not np.isfinite(times).all():
        return f"found {int((~np.isfinite(times)).sum())} of {len(times)} frames without a time; {_UNKNOWN}"
    steps = np.diff(times)
    if (steps <= 0).any():
        i = int(np.argmax(steps <= 0))
        return (
            f"found times that do not increase, {times[i]:g} s and then {times[i + 1]:g} s; expected each frame after "
            "the one before; correct the coordinate 'timestamp', or drop frames that are there twice"
        )
    return ""
