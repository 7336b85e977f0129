"""Time courses at the volumes of a scanner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray._columns import shown, video_labels
from facearray.errors import InputError, unknown_names
from facearray.schema import COORDS
from facearray.signal._apply import Frames, Output, Result, map_videos
from facearray.signal._checks import Problems
from facearray.signal._steps import recorded
from facearray.signal._times import iter_times
from facearray.signal._videos import check_detections, chosen_positions, recorded_spans, spans_of
from facearray.signal.kernels.clock import Clock, fit_clock
from facearray.signal.kernels.hrf import double_gamma
from facearray.signal.kernels.spans import Spans, frame_spans, stretch_means
from facearray.stats.units import label_coordinates

__all__ = ["to_grid"]

#: Parts of a volume's time in which a response is computed, as SPM has them.
PARTS = 16

#: Clocks differ by less; more is a wrong rate or a wrong event.
MAX_DRIFT = 0.01

#: Share of a volume's time at which SPM takes the response.
_MIDDLE = 0.5

#: Shares that differ by less are the same.
_ROUNDING = 1e-6


@recorded
def to_grid(
    ds: xr.Dataset,
    t0: float | str | Sequence[float | str],
    tr: float,
    n: int | Sequence[int],
    *,
    features: str | Iterable[str] | None = None,
    hrf: Literal["spm"] | None = None,
    at: float = _MIDDLE,
    outside: float | None = None,
    sync: pd.DataFrame | None = None,
    min_valid: float = 0.5,
) -> xr.Dataset:
    """Bring time courses to the volumes of a scanner, or to any other common grid of equal steps.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    t0
        When the first volume begins, in seconds of ``timestamp`` (of the scanner's clock with `sync`), or the name of
        a coordinate on ``video`` that says so for each. For several runs, one for each.
    tr
        Seconds from volume to volume.
    n
        Volumes; for several runs, of each.
    features
        Groups and names, as for `facearray.selectors.select`; all by default.
    hrf
        ``"spm"`` convolves with SPM's canonical double-gamma response, computed at 16 steps a volume; None averages
        over each volume's time.
    at
        With `hrf`: at which share of a volume's time the response is taken, 0 for its beginning; 0.5 is SPM's own.
    outside
        With `hrf`: what the features are before the recording begins and behind its end, such as 0 for a film; None
        if that is unknown.
    sync
        Events that both clocks have recorded: ``video``, ``time`` in seconds of ``timestamp``, and ``scanner_time``.
        One event corrects the offset of a video, two or more also its drift, by least squares.
    min_valid
        Smallest share of a volume's time in which there has to be a face; with `hrf`, of the response's weight.

    Returns
    -------
    xarray.Dataset
        ``features`` as before, but a frame is a volume: ``frame_number`` from 0, ``timestamp`` in seconds from the
        first one (runs follow each other without a pause), ``fps`` 1 / `tr`. The coordinates ``run`` on frame,
        ``scanner_time`` on (video, frame), and with `sync` ``clock_offset``, ``clock_drift`` and ``clock_residual`` on
        video say where it was. NaN where too little is recorded. Landmarks and embeddings are left out, and so is
        what was known about single frames.

    Raises
    ------
    InputError
        If an option cannot be used, no volume is within a recording or filled to `min_valid` by one, or sync events are
        missing, have another form, or do not fit a line to half a volume. Also if a frame's time is unknown.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    Notes
    -----
    A frame is on the screen until the next one; the value of a volume is the mean over [t, t + `tr`), of what there is
    if that is `min_valid` of it or more, also where the volume is longer than the recording. With `hrf`, time without a
    value counts as the mean of what is seen of that face in the run and before it, and a volume for which more than
    1 - `min_valid` of the response's weight falls on such time is NaN.

    References
    ----------
    Friston, K. J. et al. (1998). Event-related fMRI: characterizing differential responses. NeuroImage 7, 30-40.

    Examples
    --------
    >>> dims, smile = ("video", "frame"), np.arange(8, dtype="f4")
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), smile[None, :, None, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["AU12"],
    ...         "frame_number": (dims, np.arange(8)[None]),
    ...         "timestamp": (dims, np.arange(8)[None] / 2),
    ...     },
    ... )
    >>> to_grid(ds, 0.5, 1.0, 3).features.squeeze().values
    array([1.5, 3.5, 5.5], dtype=float32)
    """
    check_detections(ds)
    starts, counts = _runs(ds, t0, n)
    problems = Problems()
    problems.positive(tr=tr)
    for name, share in {"at": at, "min_valid": min_valid}.items():
        if not (0 <= share <= 1 and (share > 0 or name == "at")):
            problems.add(f"found {name}={share!r}; expected a share {'from 0' if name == 'at' else 'above 0'} to 1")
    if hrf not in (None, "spm"):
        problems.add(f"found hrf={hrf!r}; expected 'spm' or None")
    if hrf is None and outside is not None:
        problems.add("found outside= without hrf; the mean over a volume's time needs nothing from outside")
    if hrf is None and at != _MIDDLE:
        problems.add(f"found at={at!r} without hrf; the mean is that of all of a volume's time; leave it out")
    problems.finite(outside=outside)
    problems.raise_if_any()
    chosen = chosen_positions(ds, features)
    clocks = _clocks(ds, sync, tr)
    run = np.repeat(np.arange(len(counts)), counts)
    place = np.concatenate([np.arange(count) for count in counts])
    scanner = starts[:, run] + place * tr
    own = scanner if clocks is None else np.stack([c.own(row) for c, row in zip(clocks, scanner, strict=True)])
    speed = np.array([1.0 if clocks is None else 1 / (1 + clocks[i].drift) for i in range(len(own))])
    first, last = recorded_spans(ds)
    _refuse_grid_beside_recordings(own, tr, first, last)
    volumes = _Volumes(chosen, counts, tr, at, outside, min_valid, convolve=hrf is not None)
    _refuse_recordings_too_short(ds, volumes, own, speed)
    found = map_videos(
        ds,
        volumes,
        [
            Output(("frame", "face", "feature"), ds["features"].dtype),
            Output(("frame",), np.int32, -1),
            Output(("frame",), np.float64),
            Output(("frame",), np.int16, -1),
        ],
        others={"own": xr.Variable(("video", "volume"), own), "speed": xr.Variable("video", speed)},
        sizes={"frame": len(run), "feature": len(chosen)},
    )
    names = [str(name) for name in ds["feature"].to_numpy()[chosen]]
    coords: dict[Any, Any] = {**label_coordinates(ds, "video", "face", "feature", features=names)}
    n_volumes = np.where(np.isnan(first), 0, len(run))
    shape = tuple(ds.sizes[dim] if dim != "frame" else len(run) for dim in COORDS["track_id"].dims)
    coords |= {
        "frame_number": found[1],
        "timestamp": found[2],
        "n_faces_found": found[3],
        "run": ("frame", run),
        "scanner_time": (("video", "frame"), scanner, {"units": "s"}),
        "track_id": (COORDS["track_id"].dims, np.full(shape, COORDS["track_id"].fill_value, dtype=np.int32)),
        "n_frames": ("video", n_volumes.astype(np.int32)),
        "fps": ("video", np.full(len(own), 1 / tr)),
        "duration": ("video", n_volumes * tr),
    }
    if clocks is not None:
        for name, unit in (("offset", "s"), ("drift", "1"), ("residual", "s")):
            coords[f"clock_{name}"] = ("video", np.array([getattr(clock, name) for clock in clocks]), {"units": unit})
    return xr.Dataset({"features": found[0]}, coords, ds.attrs)


@dataclass(frozen=True, slots=True, eq=False)
class _Volumes:
    """Computes the volumes of one video."""

    chosen: NDArray[np.intp]
    counts: list[int]
    tr: float
    at: float
    outside: float | None
    min_valid: float
    convolve: bool

    def __call__(self, frames: Frames) -> Result:
        x, begin = frames.data["features"][:, self.chosen], frames.data["own"]
        means, share = self.means(x, spans_of(frames), begin, float(frames.data["speed"]))
        means = np.where(share >= self.least, means, np.nan)
        number = np.arange(len(begin))
        n_faces = (~np.isnan(means)).any(axis=1).sum(axis=0)
        return means, number, number * self.tr, n_faces

    @property
    def least(self) -> float:
        """The smallest share of a volume, or of its response's weight, that makes a value."""
        return self.min_valid * (1 - _ROUNDING)

    def means(
        self, x: NDArray[np.floating], spans: Spans, begin: NDArray[np.float64], speed: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Values of volumes that begin at these times of a video, and the share of each that is known."""
        length = self.tr * speed
        if self.convolve:
            edges = np.concatenate([[0], np.cumsum(self.counts)])
            runs = [
                self._responses(x, spans, begin[first], n, length)
                for first, n in zip(edges[:-1], self.counts, strict=True)
            ]
            means, share = (np.concatenate(parts, axis=-1) for parts in zip(*runs, strict=True))
            return means, share
        return stretch_means(x, spans, begin, begin + length)

    def _responses(
        self, x: NDArray[np.floating], spans: Spans, begin: float, n: int, length: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Convolve the time courses of a run, and tell how much of the response's weight is on values."""
        from scipy.signal import oaconvolve

        response = double_gamma(self.tr / PARTS)
        # the seconds before the run that it still answers to
        lead = len(response) - 1
        step = length / PARTS
        times = begin + step * np.arange(-lead, n * PARTS)
        values, share = stretch_means(x, spans, times, times + step)
        if self.outside is not None:
            beyond = (times + step <= spans.start[0]) | (times >= spans.end[-1])
            values[..., beyond], share[..., beyond] = self.outside, 1
        there = ~np.isnan(values)
        with np.errstate(invalid="ignore", divide="ignore"):
            level = np.where(there, values, 0).sum(axis=-1) / there.sum(axis=-1)
        # of what is nearly constant, the convolution is to be as constant
        rest = np.where(there, values - level[..., None], 0)
        shape = (1,) * (rest.ndim - 1) + (-1,)
        convolved = oaconvolve(rest, response.reshape(shape), mode="full", axes=-1) + level[..., None]
        weight = np.abs(response) / np.abs(response).sum()
        known = oaconvolve(share, weight.reshape(shape), mode="full", axes=-1)
        taken = lead + PARTS * np.arange(n) + min(round(PARTS * self.at), PARTS - 1)
        return convolved[..., taken], known[..., taken]


def _runs(
    ds: xr.Dataset, t0: float | str | Sequence[float | str], n: int | Sequence[int]
) -> tuple[NDArray[np.float64], list[int]]:
    """Beginnings (n_video, n_run) and numbers of volumes of the runs."""
    starts, counts = _as_list(t0), _as_list(n)
    problems = Problems()
    if len(starts) != len(counts) or not starts:
        problems.add(f"found {len(starts)} beginnings in t0 and {len(counts)} numbers in n; expected one of each a run")
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            problems.add(f"found n={count!r}; expected a whole number of volumes, 1 or more")
    columns = []
    for start in starts:
        if isinstance(start, str):
            if start not in ds.coords or ds[start].dims != ("video",):
                known = [str(name) for name, c in ds.coords.items() if c.dims == ("video",)]
                raise unknown_names("coordinate on video", [start], known)
            column = ds[start].to_numpy().astype(np.float64)
        else:
            column = np.full(ds.sizes["video"], float(start))
        if not np.isfinite(column).all():
            labels = ds["video"].to_numpy()[~np.isfinite(column)].tolist()
            problems.add(f"found no finite t0={start!r} for {shown(labels)}; expected seconds for every video")
        columns.append(column)
    problems.raise_if_any()
    return np.stack(columns, axis=1), [int(count) for count in counts]


def _as_list(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) or np.ndim(value) == 0 else list(value)


def _clocks(ds: xr.Dataset, sync: pd.DataFrame | None, tr: float) -> list[Clock] | None:
    if sync is None:
        return None
    if not isinstance(sync, pd.DataFrame):
        raise InputError(f"found sync of type {type(sync).__name__}; expected a DataFrame")
    if absent := [name for name in ("video", "time", "scanner_time") if name not in sync.columns]:
        raise unknown_names("column of sync", absent, [str(column) for column in sync.columns])
    of = np.array([str(label) for label in sync["video"]], dtype=object)
    own, other = (sync[name].to_numpy(dtype=np.float64) for name in ("time", "scanner_time"))
    problems = Problems()
    if not (np.isfinite(own) & np.isfinite(other)).all():
        problems.add("found sync events without a time; expected seconds on both clocks; leave these rows out")
    clocks = []
    for label in video_labels(ds):
        mine = of == label
        if not mine.any():
            problems.add(f"found no sync event of {label!r}; expected one or more for every video")
            continue
        clock = fit_clock(own[mine], other[mine])
        clocks.append(clock)
        if clock.residual > tr / 2:
            problems.add(
                f"found sync events of {label!r} up to {clock.residual:.3g} s off a line; expected half a volume, "
                f"{tr / 2:g} s, at most; correct or leave out the wrong event"
            )
        if abs(clock.drift) > MAX_DRIFT:
            problems.add(
                f"found clocks of {label!r} that differ by {100 * clock.drift:.3g} %; expected {100 * MAX_DRIFT:g} % "
                "at most; check the frame rate of the video and the events"
            )
    problems.raise_if_any()
    return clocks


def _refuse_grid_beside_recordings(
    own: NDArray[np.float64], tr: float, first: NDArray[np.float64], last: NDArray[np.float64]
) -> None:
    """Refuse a grid of which no volume is within any video: its times are of another clock."""
    within = (own.min(axis=1) <= last) & (own.max(axis=1) + tr > first)
    if not within.any() and not np.isnan(first).all():
        raise InputError(
            f"found volumes from {own.min():g} to {own.max() + tr:g} s and videos from {np.nanmin(first):g} to "
            f"{np.nanmax(last):g} s; expected them to overlap; give t0 in seconds of timestamp, or the events that "
            "both clocks have recorded as sync="
        )


def _refuse_recordings_too_short(
    ds: xr.Dataset, volumes: _Volumes, own: NDArray[np.float64], speed: NDArray[np.float64]
) -> None:
    """Refuse a grid on which no volume could have a value even if a face were seen in every frame."""
    most = []
    for video, times in iter_times(ds):
        seen = np.ones((1, 1, len(times)))
        with np.errstate(invalid="ignore"):
            _, share = volumes.means(seen, frame_spans(times, np.arange(len(times))), own[video], float(speed[video]))
        most.append(float(np.nanmax(share, initial=0.0)))
        # the longest comes first, so that hardly any is looked at
        if most[-1] >= volumes.least:
            return
    if not most:
        return
    expected = f"expected min_valid={volumes.min_valid:g}, {100 * volumes.min_valid:g} % or more, of one"
    if volumes.convolve:
        raise InputError(
            f"found recordings on which {100 * max(most):.3g} % of the response's weight falls at most; {expected} "
            "volume; say what features are before and behind a recording, as outside=0, or lower min_valid"
        )
    raise InputError(
        f"found volumes of tr={volumes.tr:g} s, of which recordings fill {100 * max(most):.3g} % at most; {expected}; "
        "give seconds, dividing milliseconds by 1000, or lower min_valid to take the mean of what there is"
    )
