"""Sufficient statistics of frames: gathered block by block for every video, then pooled over videos."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import selectors
from facearray.blocks import MAX_BYTES, iter_blocks, real_frame_counts

__all__ = [
    "FRAME_STATISTICS",
    "FrameSums",
    "Reduced",
    "chosen_features",
    "feature_labels",
    "frame_medians",
    "frame_sums",
    "median",
    "pool",
    "reduce_frames",
    "without_values",
]

#: What the frames of a unit can be reduced to.
FRAME_STATISTICS = ("mean", "std", "min", "max", "median", "prop_above")

#: What is gathered for some of them only.
OPTIONAL = {"std": "m2", "min": "low", "max": "high", "prop_above": "n_above"}

#: Of values that are reduced at once.
CACHE_BYTES = 2**18


@dataclass(slots=True, eq=False)
class FrameSums:
    """Sufficient statistics (n_row, n_face, n_feature) of the valid frames of videos, or of groups of videos.

    Attributes
    ----------
    n
        Valid frames; (n_row, 1, 1) while each row has the same number for all faces and features.
    mean
        Mean; 0 where there is no valid frame.
    m2
        Sum of squared deviations from the mean. This and what follows is None where nobody needs it.
    low, high
        Extremes; infinite where there is no valid frame.
    n_above
        Valid frames above the threshold.
    """

    n: NDArray[np.intp]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64] | None = None
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    n_above: NDArray[np.intp] | None = None

    @classmethod
    def empty(cls, shape: tuple[int, ...], needed: Collection[str]) -> FrameSums:
        """Make the statistics of no frames that some of `FRAME_STATISTICS` need."""
        return cls(
            np.zeros((shape[0], 1, 1), np.intp),
            np.zeros(shape),
            np.zeros(shape) if "std" in needed else None,
            np.full(shape, np.inf) if "min" in needed else None,
            np.full(shape, -np.inf) if "max" in needed else None,
            np.zeros(shape, np.intp) if "prop_above" in needed else None,
        )

    def add(self, rows: slice | NDArray[np.intp], other: FrameSums) -> None:
        """Add the statistics of other frames of some rows, each row once (Chan, Golub and LeVeque 1983)."""
        if self.n.shape[1:] == (1, 1) != other.n.shape[1:]:
            self.n = np.broadcast_to(self.n, self.mean.shape).copy()
        n = self.n[rows].copy()
        self.n[rows] = total = n + other.n
        if n.any():
            share = other.n / np.maximum(total, 1)
            shift = other.mean - self.mean[rows]
            self.mean[rows] += shift * share
            if self.m2 is not None and other.m2 is not None:
                self.m2[rows] += other.m2 + shift**2 * n * share
        else:
            self.mean[rows] = other.mean
            if self.m2 is not None and other.m2 is not None:
                self.m2[rows] = other.m2
        if self.low is not None and other.low is not None:
            self.low[rows] = np.minimum(self.low[rows], other.low)
        if self.high is not None and other.high is not None:
            self.high[rows] = np.maximum(self.high[rows], other.high)
        if self.n_above is not None and other.n_above is not None:
            self.n_above[rows] += other.n_above

    def take(self, rows: NDArray[np.intp]) -> FrameSums:
        """Copy some rows."""
        optional = {name: getattr(self, name) for name in OPTIONAL.values()}
        found = {name: None if array is None else array[rows] for name, array in optional.items()}
        return FrameSums(self.n[rows], self.mean[rows], **found)

    def statistic(self, name: str) -> NDArray[np.float64]:
        """One of `FRAME_STATISTICS` but the median, that was asked for; NaN where there are too few frames for it."""
        too_few = self.n < (2 if name == "std" else 1)
        value: NDArray[np.float64] = self.mean if name == "mean" else getattr(self, OPTIONAL[name])
        if name == "std":
            value = np.sqrt(value / np.maximum(self.n - 1, 1))
        elif name == "prop_above":
            value = value / np.maximum(self.n, 1)
        return np.where(too_few, np.nan, value) if too_few.any() else value


def chosen_features(ds: xr.Dataset, features: str | Iterable[str] | None) -> list[str] | None:
    """Names of the features that are asked for, or None for all.

    Parameters
    ----------
    ds
        Detections.
    features
        As for `facearray.selectors.select`.
    """
    if features is None:
        return None
    return selectors.feature_names(ds, features)


def feature_labels(ds: xr.Dataset, features: list[str] | None) -> NDArray[Any]:
    """Labels of chosen features, as the Dataset has them."""
    labels: NDArray[Any] = ds.variables["feature"].to_numpy()
    if features is None:
        return labels
    place = {str(label): i for i, label in enumerate(labels)}
    return labels[[place[name] for name in features]]


def block_sums(values: NDArray[np.floating], needed: Collection[str], threshold: float | None) -> FrameSums:
    """Reduce (n_video, n_frame, ...) values, NaN where there is none, to statistics (n_video, ...)."""
    single = values.shape[1] == 1
    mean = values[:, 0].astype(np.float64) if single else np.einsum("vt...->v...", values, dtype=np.float64)
    missing = np.isnan(mean)
    if not missing.any():
        n = np.full((len(values), 1, 1), values.shape[1])
        valid = np.True_
        mean /= values.shape[1]
    else:
        valid = ~np.isnan(values)
        n = valid.sum(axis=1)
        mean = np.where(valid, values, 0).sum(axis=1, dtype=np.float64) / np.maximum(n, 1)
    sums = FrameSums(n, mean)
    if "std" in needed:
        deviations = np.where(valid, values - mean[:, None], 0)
        sums.m2 = (deviations * deviations).sum(axis=1)
    if "min" in needed:
        sums.low = np.where(valid, values, np.inf).min(axis=1)
    if "max" in needed:
        sums.high = np.where(valid, values, -np.inf).max(axis=1)
    if threshold is not None:
        # float32 values are compared with the nearest float32: 0.3 is not above 0.3
        sums.n_above = (values > values.dtype.type(threshold)).sum(axis=1)
    return sums


def frame_sums(
    ds: xr.Dataset,
    features: list[str] | None,
    needed: Collection[str],
    threshold: float | None,
    rows: NDArray[np.intp] | None = None,
) -> tuple[FrameSums, NDArray[np.intp]]:
    """Gather the statistics (n_video, n_face, n_feature) of every video's real frames, and their number, in one pass.

    Parameters
    ----------
    ds
        Detections.
    features
        Names, or None for all.
    needed
        Names among `FRAME_STATISTICS`.
    threshold
        For ``prop_above``.
    rows
        Row (n_video,) of each video in the result; by default the videos stay in their order.
    """
    total = FrameSums.empty((ds.sizes["video"], ds.sizes["face"], len(feature_labels(ds, features))), needed)
    n_frames = np.zeros(ds.sizes["video"], dtype=np.intp)
    for block in iter_blocks(ds, features=features, copy=False):
        places = block.videos if rows is None else rows[block.videos]
        n_frames[places] += block.n_frames
        values = block.data["features"]
        # a few videos at a time, so that what is computed on the way stays in the processor's cache
        step = max(1, CACHE_BYTES // max(1, values[:1].nbytes))
        for i in range(0, len(values), step):
            total.add(_as_slice(places[i : i + step]), block_sums(values[i : i + step], needed, threshold))
    return total, n_frames


def _as_slice(rows: NDArray[np.intp]) -> slice | NDArray[np.intp]:
    """Rows as a slice, where they are neighbours in ascending order."""
    first, n = int(rows[0]), len(rows)
    return slice(first, first + n) if np.array_equal(rows, np.arange(first, first + n)) else rows


def pool(sums: FrameSums, groups: NDArray[np.intp], n_groups: int) -> FrameSums:
    """Pool the frames of the videos of each group; group -1 is left out.

    The result does not depend on the order of the videos in any digit that matters: they are added in ascending order
    of their groups.
    """
    needed = {name for name, array in OPTIONAL.items() if getattr(sums, array) is not None}
    pooled = FrameSums.empty((n_groups, *sums.mean.shape[1:]), needed)
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    rank = np.arange(len(order)) - np.searchsorted(groups[order], groups[order], side="left")
    for r in range(int(rank.max(initial=-1)) + 1):
        videos = order[rank == r]
        pooled.add(groups[videos], sums.take(videos))
    return pooled


def frame_medians(
    ds: xr.Dataset, features: list[str] | None, groups: NDArray[np.intp], n_groups: int
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Exact medians (n_group, n_face, n_feature) of the real frames of each group of videos, and valid frames.

    A video that is a group of its own is read once. The frames of several videos have to be in memory together: they
    are read for as many features at a time as fit.
    """
    labels = feature_labels(ds, features)
    n_valid = np.zeros((n_groups, ds.sizes["face"], len(labels)), dtype=np.intp)
    medians = np.full(n_valid.shape, np.nan)
    size = np.bincount(groups[groups >= 0], minlength=n_groups)
    alone = np.flatnonzero((groups >= 0) & (size[groups] == 1))
    for block in iter_blocks(ds, features=features, videos=alone, split=False):
        rows = groups[block.videos]
        n_valid[rows], medians[rows] = median(block.data["features"])
    n_frames = real_frame_counts(ds) if (size > 1).any() else np.zeros(0)
    for group in np.flatnonzero(size > 1):
        videos = np.flatnonzero(groups == group)
        value_bytes = int(n_frames[videos].sum()) * ds.sizes["face"] * ds["features"].dtype.itemsize
        step = max(1, MAX_BYTES // max(1, value_bytes))
        for start in range(0, len(labels), step):
            here = slice(start, start + step)
            frames = [
                array[:n]
                for block in iter_blocks(ds, features=[str(label) for label in labels[here]], videos=videos)
                for array, n in zip(block.data["features"], block.n_frames, strict=True)
            ]
            if frames:
                n_valid[group, :, here], medians[group, :, here] = (r[0] for r in median(np.concatenate(frames)[None]))
    return n_valid, medians


def median(values: NDArray[np.floating]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Count and median (n, ...) of the values (n, n_frame, ...) that are not NaN; NaN where there is none."""
    n = (~np.isnan(values)).sum(axis=1)
    # NaN is sorted behind everything else
    ordered = np.sort(values, axis=1)
    places = np.stack([np.maximum(n - 1, 0) // 2, np.minimum(n // 2, values.shape[1] - 1)], axis=1)
    middle = np.take_along_axis(ordered, places, axis=1).astype(np.float64)
    return n, np.where(n > 0, middle.mean(axis=1), np.nan)


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """Statistics (n_row, n_face, n_feature) of the frames of groups of videos, NaN where too few frames are valid."""

    values: Mapping[str, NDArray[np.float64]]
    n_frames: NDArray[np.intp]
    n_valid_frames: NDArray[np.intp]
    min_valid: float

    def empty_rows(self, names: NDArray[Any], statistic: str) -> dict[str, str]:
        """Rows without any value of a statistic, and why."""
        empty = np.flatnonzero(without_values(self.values[statistic]))
        return {str(names[i]): self._reason(self.n_frames[i], self.n_valid_frames[i], statistic) for i in empty}

    def _reason(self, n_frames: int, n_valid: NDArray[np.intp], statistic: str) -> str:
        if n_frames == 0:
            return "no frames"
        if statistic == "std" and n_valid.max(initial=0) == 1:
            return "1 valid frame: too few for std"
        most = n_valid.max(initial=0)
        return f"at most {most} of {n_frames} frames have a value, less than the share {self.min_valid}"


def reduce_frames(
    ds: xr.Dataset,
    codes: NDArray[np.intp],
    n_rows: int,
    features: list[str] | None,
    statistics: Iterable[str],
    threshold: float | None,
    min_valid: float,
) -> Reduced:
    """Pool the real frames of the videos of each row, ``codes`` (n_video,), and describe them; -1 is left out."""
    asked = set(statistics)
    values = {}
    if "median" in asked:
        n_valid, values["median"] = frame_medians(ds, features, codes, n_rows)
    if asked == {"median"}:
        n_of_video = real_frame_counts(ds)
    elif n_rows == len(codes) and (np.bincount(codes[codes >= 0], minlength=n_rows) == 1).all():
        sums, n_of_video = frame_sums(ds, features, asked, threshold, rows=codes)
        codes = np.arange(n_rows)
    else:
        of_videos, n_of_video = frame_sums(ds, features, asked, threshold)
        sums = pool(of_videos, codes, n_rows)
    if asked != {"median"}:
        n_valid = sums.n
        values |= {name: sums.statistic(name) for name in asked - {"median"}}
    n_frames = np.zeros(n_rows, dtype=np.intp)
    np.add.at(n_frames, codes[codes >= 0], n_of_video[codes >= 0])
    with np.errstate(invalid="ignore"):
        enough = (n_valid > 0) & (n_valid / n_frames[:, None, None] >= min_valid)
    shape = (n_rows, ds.sizes["face"], len(feature_labels(ds, features)))
    if not enough.all():
        too_few = np.broadcast_to(~enough, shape)
        for array in values.values():
            array[too_few] = np.nan
    return Reduced(values, n_frames, np.broadcast_to(n_valid, shape), min_valid)


def without_values(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each row (n_row, ...) has nothing but NaN."""
    flat = values.reshape(len(values), math.prod(values.shape[1:]))
    empty: NDArray[np.bool_] = np.asarray(np.isnan(flat[:, :1]).all(axis=1))
    # most rows have a value of the first feature, and need no further look
    empty[empty] = np.isnan(flat[empty]).all(axis=1)
    return empty
