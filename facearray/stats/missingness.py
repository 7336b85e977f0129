"""Whether faces are found equally often in all conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._version import package_version
from facearray.blocks import iter_blocks
from facearray.errors import InputError
from facearray.stats.kernels.resampling import Labels, permutation_test
from facearray.stats.units import (
    label_coordinates,
    levels,
    population,
    reduced_coordinates,
    unit_levels,
    video_coordinate,
    without_value,
)

__all__ = ["missingness"]


#: Rates are from 0 to 1, so that a smaller sum of squares is rounding.
SMALLEST_SQUARE = 1e-20


@dataclass(frozen=True)
class _Spread:
    """Root of the sum of squares (d, m) between groups of outcomes (n, m), the groups dealt out in d ways."""

    y: NDArray[np.float64]

    def __call__(self, arrangements: NDArray[Any]) -> NDArray[np.float64]:
        """Compute it."""
        centred = self.y - self.y.mean(axis=0)
        total = np.zeros((len(arrangements), self.y.shape[1]))
        for group in np.unique(arrangements[0]):
            member = (arrangements == group).astype(np.float64)
            total += (member @ centred) ** 2 / member[:1].sum()
        # what rounding leaves where all rates are the same is no difference
        spread: NDArray[np.float64] = np.sqrt(np.where(total > SMALLEST_SQUARE, total, 0))
        return spread


def missingness(
    ds: xr.Dataset, by: str, *, unit: str = "video", n_permutations: int = 10_000, seed: int = 0
) -> xr.Dataset:
    """Test whether the share of frames with a face differs between groups.

    Where faces are lost more often in one condition than in another, a difference of features between the conditions
    may be one of the frames that are left.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). A face is found in a real frame if any of its features has a
        value.
    by
        Coordinate on ``video`` with the group of each; it may not vary within a unit.
    unit
        What is exchangeable: ``"video"``, or a coordinate on ``video`` such as ``"subject"``.
    n_permutations
        Draws, where there are more than 200,000 arrangements; with fewer, all are used.
    seed
        Of the draws.

    Returns
    -------
    xarray.Dataset
        ``detection_rate`` (`by`, face), the mean over units of the share of frames with a face; ``n_units`` (`by`);
        ``p`` (face), of the hypothesis that the units' rates have nothing to do with their groups. Units without a
        frame are left out and listed.

    Raises
    ------
    InputError
        If a name is unknown, a unit is in several groups, there are fewer than two groups, or every group has one unit.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    A permutation test of the sum of squares between the groups, for two groups the same as of their difference. The
    groups are dealt out anew to the units, in ascending order of the units' labels. With all arrangements, p is the
    share of them that have at least the observed sum of squares; else p = (1 + b) / (1 + n_permutations).

    References
    ----------
    Phipson, B., & Smyth, G. K. (2010). Permutation p-values should never be zero. Statistical Applications in Genetics
    and Molecular Biology 9, 39.

    Examples
    --------
    >>> values = np.ones((8, 10, 1, 1), "f4")
    >>> values[:4, 5:] = np.nan
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), values)},
    ...     coords={
    ...         "frame_number": (("video", "frame"), np.tile(np.arange(10), (8, 1))),
    ...         "condition": ("video", ["dark"] * 4 + ["light"] * 4),
    ...         "video": [f"{i}.mp4" for i in range(8)],
    ...         "feature": ["AU12"],
    ...     },
    ... )
    >>> result = missingness(ds, "condition")
    >>> result.detection_rate.sel(face=0).values, round(result.p.item(), 4)
    (array([0.5, 1. ]), 0.0286)
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    if n_permutations < 1:
        raise InputError(f"found n_permutations={n_permutations}; expected a positive number")
    names, codes = unit_levels(ds, unit)
    groups, group_of_video = levels(video_coordinate(ds, by))
    used = (codes >= 0) & (group_of_video >= 0)
    group = _group_of_units(codes[used], group_of_video[used], names, by, unit)
    found, n_frames = (_sum_over(counts, np.where(used, codes, -1), len(names)) for counts in _counts(ds))
    there = np.flatnonzero((group >= 0) & (n_frames > 0))
    empty = {str(names[i]): "no frames" for i in np.flatnonzero((group >= 0) & (n_frames == 0))}
    rate, group = found[there] / n_frames[there, None], group[there]
    n_units = np.bincount(group, minlength=len(groups))
    _check_groups(n_units, by, unit)
    statistic = _Spread(rate)
    observed = statistic(group[None].astype(np.float64))[0]
    test = permutation_test(
        statistic, observed, Labels(group.astype(np.float64)), n_permutations=n_permutations, seed=seed
    )
    excluded = empty | without_value(ds, by, group_of_video) | without_value(ds, unit, codes)
    coords = reduced_coordinates(ds, np.where(np.isin(codes, there), codes, -1))[0]
    with np.errstate(invalid="ignore"):
        means = np.stack([rate[group == g].sum(axis=0) / n_units[g] for g in range(len(groups))])
    return xr.Dataset(
        {"detection_rate": ((by, "face"), means), "n_units": (by, n_units), "p": ("face", test.p)},
        coords={by: (by, groups)} | label_coordinates(ds, "face"),
        attrs=ds.attrs
        | {
            "method": "missingness",
            "test": "permutation of the sum of squares between groups",
            "arrangements": test.n_arrangements,
            "exact": str(test.exact).lower(),
            "smallest_p": test.p_min,
            "seed": seed,
            "unit": unit,
            "n_units": len(there),
            "excluded": [f"{label}: {reason}" for label, reason in excluded.items()],
            "population": population(unit, len(there), coords),
            "facearray_version": package_version(),
            "arguments": f"by={by!r}, unit={unit!r}, n_permutations={n_permutations}, seed={seed}",
        },
    )


def _counts(ds: xr.Dataset) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Count the real frames with a face (n_video, n_face), and all real frames (n_video,)."""
    found = np.zeros((ds.sizes["video"], ds.sizes["face"]), dtype=np.intp)
    n_frames = np.zeros(ds.sizes["video"], dtype=np.intp)
    for block in iter_blocks(ds):
        found[block.videos] += (~np.isnan(block.data["features"])).any(axis=-1).sum(axis=1)
        n_frames[block.videos] += block.n_frames
    return found, n_frames


def _sum_over(counts: NDArray[np.intp], codes: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    total = np.zeros((n, *counts.shape[1:]), dtype=np.intp)
    np.add.at(total, codes[codes >= 0], counts[codes >= 0])
    return total


def _group_of_units(
    codes: NDArray[np.intp], groups: NDArray[np.intp], names: NDArray[np.generic], by: str, unit: str
) -> NDArray[np.intp]:
    """Group (n_unit,) of each unit; -1 where no video of it has one."""
    group = np.full(len(names), -1, dtype=np.intp)
    group[codes] = groups
    mixed = sorted({str(names[code]) for code in codes[group[codes] != groups]})
    if mixed:
        raise InputError(
            f"found several values of {by!r} within the {unit} {', '.join(mixed[:5])}; expected one for each {unit}; "
            "use unit='video', or keep one condition of each"
        )
    return group


def _check_groups(n_units: NDArray[np.intp], by: str, unit: str) -> None:
    if (n_units > 0).sum() < 2:
        raise InputError(
            f"found {int((n_units > 0).sum())} group of {by!r} with frames; expected at least two to compare"
        )
    if n_units.max() < 2:
        raise InputError(
            f"found one {unit} in every group of {by!r}; expected several: use a coordinate with fewer values"
        )
