"""One time axis for the frames of all videos, in seconds or in frame numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._words import some
from facearray.blocks import iter_blocks
from facearray.errors import InputError, SchemaError, unknown_names

__all__ = ["Align", "Grid", "load", "make_grid"]

Align = Literal["time", "frame"]

#: Rates that differ by less than this share are one rate: 29.97 and 30 frames a second. As every frame is placed by its
#: own time, the only cost of a difference are empty places.
_SAME_RATE = 0.01

#: A video is regular if no frame is further from its place than this share of a step.
_JITTER = 0.25

#: Frames that are looked at together.
_CELLS = 2**16

_VARIABLE = {"time": "timestamp", "frame": "frame_number"}


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Equally spaced places, and which of them the frames of each video take.

    Attributes
    ----------
    align
        What a place is: a time or a frame number.
    step
        Distance of places, in seconds or frame numbers.
    origin
        Time or frame number of the first place.
    start
        Place (n_video,) of the first frame of each video.
    stop
        Place (n_video,) behind its last frame; 0 for a video without frames.
    regular
        Whether (n_video,) the frames of a video take one place after the other.
    phase
        Share of a step (n_video,) by which the frames of other videos lie behind places.
    binned
        Whether frames are averaged over the steps in which they lie, because a rate was asked for.
    """

    align: Align
    step: float
    origin: float
    start: NDArray[np.intp]
    stop: NDArray[np.intp]
    regular: NDArray[np.bool_]
    phase: NDArray[np.float64]
    binned: bool

    @property
    def unit(self) -> str:
        """Unit of the step."""
        return "s" if self.align == "time" else "frames"

    @property
    def n_places(self) -> int:
        """Places that there are."""
        return int(self.stop.max(initial=0))

    def take(self, videos: NDArray[np.intp] | slice) -> Grid:
        """Cut to some videos."""
        parts = {name: getattr(self, name)[videos] for name in ("start", "stop", "regular", "phase")}
        return replace(self, **parts)

    def steps_in(self, duration: float, name: str, least: int = 1) -> int:
        """Count the steps of a duration.

        Raises
        ------
        InputError
            If there are fewer than ``least``.
        """
        n = round(duration / self.step)
        if not n >= least:
            raise InputError(
                f"found {name}={duration:g}; expected at least {least * self.step:g} {self.unit}, "
                f"{least} step{'s' if least != 1 else ''} of the common time axis"
            )
        return n

    def places(self, values: NDArray[Any], video: int) -> NDArray[np.intp]:
        """Places of the times or frame numbers of an irregular video."""
        position = (values.astype(np.float64) - self.origin) / self.step
        if self.binned:
            # a frame on an edge belongs to the step that begins there, whatever its time was rounded to
            return np.asarray(np.floor(position + 1e-6), dtype=np.intp)
        return np.asarray(np.rint(position - self.phase[video]), dtype=np.intp)


def make_grid(ds: xr.Dataset, align: Align, rate: float | None) -> Grid:
    """Find the places of the frames of a Dataset.

    Parameters
    ----------
    ds
        Detections; of them only times or frame numbers are read.
    align
        ``"time"`` or ``"frame"``.
    rate
        Places a second, for ``"time"``; frames are averaged over each. By default the rate that all videos have.

    Raises
    ------
    InputError
        If the videos have different rates, or the one that is asked for is higher than a video's.
    SchemaError
        If a time is unknown.
    """
    if align not in get_args(Align):
        raise unknown_names("alignment", [str(align)], get_args(Align))
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    if align == "frame":
        if rate is not None:
            raise InputError(f"found rate={rate!r} with align='frame'; frame numbers have no rate: use align='time'")
        return _frame_grid(ds)
    if rate is not None and not (np.isfinite(rate) and rate > 0):
        raise InputError(f"found rate={rate!r}; expected places a second, more than 0")
    if "timestamp" not in ds.coords:
        raise SchemaError("found no 'timestamp'; expected times in seconds; isc and isfc can do without: align='frame'")
    return _time_grid(ds, rate)


def _rows(ds: xr.Dataset, align: Align) -> Iterator[tuple[NDArray[np.intp], NDArray[Any], NDArray[np.intp]]]:
    """Videos, their times or frame numbers (n, n_frame), and how many of them are real."""
    name = _VARIABLE[align]
    for block in iter_blocks(ds, variables=[name], split=False, copy=False):
        values = block.data[name]
        # some at a time, so that what is computed of them stays in the cache of a processor
        step = max(1, _CELLS // max(1, values.shape[1]))
        for start in range(0, len(values), step):
            here = slice(start, start + step)
            yield block.videos[here], values[here], block.n_frames[here]


def _time_grid(ds: xr.Dataset, rate: float | None) -> Grid:
    n_videos = ds.sizes["video"]
    rates, first, middle = (np.full(n_videos, np.nan) for _ in range(3))
    count = np.zeros(n_videos, dtype=np.intp)
    regular = np.zeros(n_videos, dtype=bool)
    unknown = []
    for videos, times, n in _rows(ds, "time"):
        there = ~np.isnan(times)
        # behind the last frame of a video there is NaN
        unknown += videos[there.sum(axis=1) < n].tolist()
        if unknown:
            continue
        count[videos] = n
        first[videos] = np.where(there, times, np.inf).min(axis=1, initial=np.inf)
        middle[videos] = np.where(there, times, 0).sum(axis=1) / n
        rates[videos], regular[videos] = _rates(times, n)
    if unknown:
        raise SchemaError(
            f"found frames without a time in {some(ds['video'].to_numpy()[sorted(unknown)])}; expected seconds; give "
            "the frame rate with fps= to facearray.read or facearray.detect_frames (isc and isfc can also do without "
            "times: align='frame')"
        )
    step = 1 / _common_rate(ds, rates, rate)
    origin = np.nanmin(first) if count.any() else 0.0
    binned = rate is not None
    if binned:
        origin = math.floor(origin / step + 1e-6) * step
    with np.errstate(invalid="ignore"):
        drift = (count - 1) * np.abs(1 / rates / step - 1)
    regular &= ~(drift > _JITTER) & (not binned)
    # a regular video is placed by the mean of its times, so that no frame decides alone
    position = (middle - origin) / step - (count - 1) / 2
    start = np.rint(np.where(regular, position, 0)).astype(np.intp)
    grid = Grid("time", step, float(origin), start, start + count, regular, np.zeros(n_videos), binned)
    return _with_irregular(grid, ds, count)


def _rates(times: NDArray[np.float64], n: NDArray[np.intp]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Frames a second of each video, NaN for a single frame, and whether its frames are equally spaced."""
    steps = np.diff(times, axis=1)
    rates = np.full(len(n), np.nan)
    span = times[np.arange(len(n)), n - 1] - times[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = span / (n - 1)
        if steps.shape[1]:
            away = np.abs(steps - mean[:, None])
            deviation = np.where(np.isnan(away), 0, away).max(axis=1)
        else:
            deviation = np.zeros(len(n))
        regular = (n == 1) | ((mean > 0) & (deviation <= _JITTER * mean))
        rates[regular] = 1 / mean[regular]
    for i in np.flatnonzero(~regular):
        mine = steps[i, : n[i] - 1]
        mine = mine[mine > 0]
        if mine.size:
            # steps that were left out count as several
            rates[i] = np.rint(mine / np.median(mine)).sum() / mine.sum()
    return np.where(n == 1, np.nan, rates), regular


def _common_rate(ds: xr.Dataset, rates: NDArray[np.float64], asked: float | None) -> float:
    known = np.flatnonzero(~np.isnan(rates))
    if not len(known):
        return asked or 1.0
    slow, fast = known[np.argmin(rates[known])], known[np.argmax(rates[known])]
    labels = ds["video"].to_numpy()
    if asked is not None:
        if asked > rates[slow] * (1 + _SAME_RATE):
            raise InputError(
                f"found rate={asked:g}; expected at most {rates[slow]:.6g}, the frames a second of "
                f"{str(labels[slow])!r}: values between frames are not made up"
            )
        return asked
    if rates[fast] > rates[slow] * (1 + _SAME_RATE):
        raise InputError(
            f"found videos with different frame rates, from {rates[slow]:.6g} ({str(labels[slow])!r}) to "
            f"{rates[fast]:.6g} ({str(labels[fast])!r}) frames a second; expected one: average the frames of all "
            f"videos over the steps of a rate that all of them reach, with rate={rates[slow]:.6g} or less, or leave "
            "out videos of other rates"
        )
    return float(rates[fast])


def _with_irregular(grid: Grid, ds: xr.Dataset, count: NDArray[np.intp]) -> Grid:
    """Find phase, start and stop of the videos whose frames do not follow each other in equal steps."""
    stop = np.where(count > 0, grid.stop, 0)
    start, phase = grid.start.copy(), grid.phase.copy()
    if (~grid.regular & (count > 0)).any():
        for videos, values, n in _rows(ds, grid.align):
            for video, mine, n_mine in zip(videos.tolist(), values, n.tolist(), strict=True):
                if grid.regular[video]:
                    continue
                position = (mine[:n_mine] - grid.origin) / grid.step
                if grid.align == "time":
                    phase[video] = np.angle(np.exp(2j * np.pi * position).mean()) / (2 * np.pi)
                places = replace(grid, phase=phase).places(mine[:n_mine], video)
                start[video], stop[video] = places.min(), places.max() + 1
    # a phase may move the very first frame before the origin
    shift = min(0, int(start[count > 0].min(initial=0)))
    return replace(
        grid,
        origin=grid.origin + shift * grid.step,
        start=start - shift,
        stop=np.where(count > 0, stop - shift, 0),
        phase=phase,
    )


def _frame_grid(ds: xr.Dataset) -> Grid:
    n_videos = ds.sizes["video"]
    first, last, count = (np.zeros(n_videos, dtype=np.intp) for _ in range(3))
    step = np.zeros(n_videos, dtype=np.intp)
    equal = np.ones(n_videos, dtype=bool)
    for videos, numbers, n in _rows(ds, "frame"):
        real = np.arange(numbers.shape[1]) < n[:, None]
        numbers = numbers.astype(np.intp)
        steps = np.where(real[:, 1:], np.diff(numbers, axis=1), 0)
        count[videos] = n
        first[videos] = np.where(real, numbers, np.iinfo(np.intp).max).min(axis=1)
        last[videos] = np.where(real, numbers, -1).max(axis=1)
        step[videos] = np.gcd.reduce(steps, axis=1)
        if steps.shape[1]:
            equal[videos] = ((steps == steps[:, :1]) | ~real[:, 1:]).all(axis=1) & (steps[:, 0] >= 0)
    there = count > 0
    origin = int(first[there].min(initial=np.iinfo(np.intp).max)) if there.any() else 0
    common = int(np.gcd.reduce([*step[there].tolist(), *(first[there] - origin).tolist()])) or 1
    start = np.where(there, (first - origin) // common, 0)
    return Grid(
        align="frame",
        step=float(common),
        origin=float(origin),
        start=start,
        stop=np.where(there, (last - origin) // common + 1, 0),
        regular=equal & ((step == common) | (count <= 1)),
        phase=np.zeros(n_videos),
        binned=False,
    )


def load(ds: xr.Dataset, grid: Grid, features: list[str], n_places: int | None = None) -> NDArray[np.floating]:
    """Read features and put them into their places.

    Parameters
    ----------
    ds
        Detections of one face.
    grid
        Of the videos of ``ds``.
    features
        Names.
    n_places
        Places from the first one; by default as many as these videos need.

    Returns
    -------
    ndarray
        Values (n_feature, n_video, n_places) in the precision of ``ds``; NaN where there is none. Where several frames
        of a video lie in one place, the mean of those that have a value.
    """
    n_places = grid.n_places if n_places is None else n_places
    out = np.full((len(features), ds.sizes["video"], n_places), np.nan, dtype=ds["features"].dtype)
    name = _VARIABLE[grid.align]
    variables = ("features",) if grid.regular[grid.stop > 0].all() else ("features", name)
    for block in iter_blocks(ds, variables=variables, features=features, split=False, copy=False):
        values = np.moveaxis(block.data["features"][:, :, 0], -1, 0)
        start = grid.start[block.videos]
        if grid.regular[block.videos].all() and (start == start[0]).all():
            # behind the end of a video there is NaN in the block as in the places
            stop = min(n_places, start[0] + values.shape[-1])
            out[:, block.videos, start[0] : stop] = values[..., : stop - start[0]]
            continue
        for i, (video, n) in enumerate(zip(block.videos.tolist(), block.n_frames.tolist(), strict=True)):
            if grid.regular[video]:
                stop = min(n_places, start[i] + n)
                out[:, video, start[i] : stop] = values[:, i, : stop - start[i]]
            else:
                out[:, video] = _averaged(values[:, i, :n], grid.places(block.data[name][i, :n], video), n_places)
    return out


def _averaged(values: NDArray[np.floating], places: NDArray[np.intp], n_places: int) -> NDArray[np.float64]:
    """Average values (n_feature, n) that share a place."""
    out = np.full((len(values), n_places), np.nan)
    for row, mine in zip(out, values, strict=True):
        there = ~np.isnan(mine) & (places < n_places)
        n = np.bincount(places[there], minlength=n_places)
        total = np.bincount(places[there], weights=mine[there], minlength=n_places)
        row[n > 0] = total[n > 0] / n[n > 0]
    return out
