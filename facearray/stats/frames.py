"""Sufficient statistics of frames: gathered block by block for every video, then pooled over videos."""

from __future__ import annotations

from collections.abc import Collection, Iterable
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
    "chosen_features",
    "feature_labels",
    "frame_medians",
    "frame_sums",
    "median",
    "pool",
]

#: What the frames of a unit can be reduced to.
FRAME_STATISTICS = ("mean", "std", "min", "max", "median", "prop_above")


@dataclass(frozen=True, slots=True, eq=False)
class FrameSums:
    """Sufficient statistics (n_row, n_face, n_feature) of the valid frames of videos, or of groups of videos.

    Attributes
    ----------
    n
        Valid frames.
    mean, m2
        Mean, and sum of squared deviations from it; 0 where there is no valid frame.
    low, high
        Extremes; infinite where there is no valid frame.
    n_above
        Valid frames above the threshold.
    """

    n: NDArray[np.intp]
    mean: NDArray[np.float64]
    m2: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_above: NDArray[np.intp]

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> FrameSums:
        """Make the statistics of no frames."""
        return cls(
            np.zeros(shape, np.intp),
            np.zeros(shape),
            np.zeros(shape),
            np.full(shape, np.inf),
            np.full(shape, -np.inf),
            np.zeros(shape, np.intp),
        )

    def add(self, rows: NDArray[np.intp], other: FrameSums) -> None:
        """Add the statistics of other frames of some rows, each row once (Chan, Golub and LeVeque 1983)."""
        n = self.n[rows]
        total = n + other.n
        share = other.n / np.maximum(total, 1)
        shift = other.mean - self.mean[rows]
        self.mean[rows] += shift * share
        self.m2[rows] += other.m2 + shift**2 * n * share
        self.n[rows] = total
        self.low[rows] = np.minimum(self.low[rows], other.low)
        self.high[rows] = np.maximum(self.high[rows], other.high)
        self.n_above[rows] += other.n_above

    def statistic(self, name: str) -> NDArray[np.float64]:
        """One of `FRAME_STATISTICS` but the median; NaN where there are too few frames for it."""
        n, missing = self.n, np.nan
        if name == "std":
            return np.where(n > 1, np.sqrt(self.m2 / np.maximum(n - 1, 1)), missing)
        values = {"mean": self.mean, "min": self.low, "max": self.high, "prop_above": self.n_above / np.maximum(n, 1)}
        return np.where(n > 0, values[name], missing)


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
    return [str(name) for name in selectors.select(ds["features"], features)["feature"].to_numpy()]


def feature_labels(ds: xr.Dataset, features: list[str] | None) -> NDArray[Any]:
    """Labels of chosen features, as the Dataset has them."""
    labels: NDArray[Any] = ds["feature"].to_numpy()
    return labels if features is None else labels[[labels.tolist().index(name) for name in features]]


def block_sums(values: NDArray[np.floating], needed: Collection[str], threshold: float | None) -> FrameSums:
    """Reduce (n_video, n_frame, ...) values, NaN where there is none, to statistics (n_video, ...)."""
    valid = ~np.isnan(values)
    sums = FrameSums.empty((values.shape[0], *values.shape[2:]))
    sums.n[:] = valid.sum(axis=1)
    sums.mean[:] = np.where(valid, values, 0).sum(axis=1, dtype=np.float64) / np.maximum(sums.n, 1)
    if "std" in needed:
        deviations = np.where(valid, values - sums.mean[:, None], 0)
        sums.m2[:] = (deviations * deviations).sum(axis=1)
    if "min" in needed:
        sums.low[:] = np.where(valid, values, np.inf).min(axis=1)
    if "max" in needed:
        sums.high[:] = np.where(valid, values, -np.inf).max(axis=1)
    if threshold is not None:
        # float32 values are compared with the nearest float32: 0.3 is not above 0.3
        sums.n_above[:] = (values > values.dtype.type(threshold)).sum(axis=1)
    return sums


def frame_sums(
    ds: xr.Dataset, features: list[str] | None, needed: Collection[str], threshold: float | None
) -> tuple[FrameSums, NDArray[np.intp]]:
    """Gather the statistics (n_video, n_face, n_feature) of every video's real frames, and their number, in one pass.

    Parameters
    ----------
    ds
        Detections.
    features
        Names, or None for all.
    needed
        Names among `FRAME_STATISTICS`; what others need is left empty.
    threshold
        For ``prop_above``.
    """
    total = FrameSums.empty((ds.sizes["video"], ds.sizes["face"], len(feature_labels(ds, features))))
    n_frames = np.zeros(ds.sizes["video"], dtype=np.intp)
    for block in iter_blocks(ds, features=features):
        total.add(block.videos, block_sums(block.data["features"], needed, threshold))
        n_frames[block.videos] += block.n_frames
    return total, n_frames


def pool(sums: FrameSums, groups: NDArray[np.intp], n_groups: int) -> FrameSums:
    """Pool the frames of the videos of each group; group -1 is left out.

    The result does not depend on the order of the videos in any digit that matters: they are added in ascending order
    of their groups.
    """
    pooled = FrameSums.empty((n_groups, *sums.n.shape[1:]))
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    rank = np.arange(len(order)) - np.searchsorted(groups[order], groups[order], side="left")
    for r in range(int(rank.max(initial=-1)) + 1):
        videos = order[rank == r]
        one = FrameSums(*(getattr(sums, name)[videos] for name in FrameSums.__slots__))
        pooled.add(groups[videos], one)
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
