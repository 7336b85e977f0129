"""Results on the videos of a search: means of groups, and correlations of time courses. Their numbers are bounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import stats
from facearray._words import counted
from facearray.errors import InputError
from facearray.plot.viewer.catalog import Catalog

__all__ = ["EVERYTHING", "Sample", "group_means", "grouping_names", "pair_correlations", "sample"]

#: Most values that a summary reads, and most videos and values of correlations, which are in memory at once.
_SUMMARY_VALUES, _ISC_VIDEOS, _ISC_VALUES = 200_000_000, 60, 4_000_000

#: Most groups that are drawn side by side.
_MOST_GROUPS = 12

#: What the menu of groups calls none.
EVERYTHING = "all videos together"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Videos of a search that a result is about.

    Attributes
    ----------
    rows
        Their rows.
    n_found
        Videos of the search that have frames.
    """

    rows: NDArray[np.intp]
    n_found: int

    def sentence(self) -> str:
        """Say which they are."""
        if len(self.rows) == self.n_found:
            return f"{counted(len(self.rows), 'video')} of the search."
        return f"{len(self.rows):,} of the {self.n_found:,} videos of the search, evenly spread over it."


def grouping_names(ds: xr.Dataset) -> list[str]:
    """Coordinates on ``video`` that have few values."""
    names = []
    for name, values in ds.coords.items():
        known = ("video", "source", "error", "status", "n_frames", "fps", "width", "height", "duration")
        if values.dims != ("video",) or name in known:
            continue
        texts = {str(value) for value in values.to_numpy().tolist()}
        if 1 < len(texts) <= _MOST_GROUPS:
            names.append(str(name))
    return names


def sample(catalog: Catalog, rows: NDArray[np.intp], *, most: int) -> Sample:
    """Choose at most so many videos with frames, evenly over their order."""
    there = rows[(catalog.n_frames[rows] > 0) & (catalog.states[rows] == "done")]
    if len(there) <= most:
        return Sample(there, len(there))
    return Sample(there[np.linspace(0, len(there) - 1, most).round().astype(np.intp)], len(there))


def group_means(catalog: Catalog, rows: NDArray[np.intp], by: str, features: str) -> tuple[xr.Dataset, Sample]:
    """Mean, standard error and number of videos of features, in each group.

    Raises
    ------
    FaceArrayError
        If the videos do not allow it.
    """
    n_features = int((catalog.ds["group"] == features).sum())
    longest = int(catalog.n_frames[rows].max(initial=1))
    chosen = sample(catalog, rows, most=max(2, _SUMMARY_VALUES // max(1, longest * n_features)))
    if not len(chosen.rows):
        raise InputError("found no video with frames; expected one: search for others, or wait until some are done")
    ds = catalog.ds.isel(video=chosen.rows)
    return stats.summarize(ds, ("mean", "sem", "n"), by=None if by == EVERYTHING else by, features=features), chosen


def pair_correlations(
    catalog: Catalog, rows: NDArray[np.intp], feature: str, face: int = 0
) -> tuple[xr.Dataset, Sample]:
    """Correlations of the time courses of a feature between all pairs of videos.

    Raises
    ------
    FaceArrayError
        If the videos do not allow it.
    """
    longest = int(catalog.n_frames[rows].max(initial=1))
    most = int(np.clip(_ISC_VALUES // max(1, longest), 2, _ISC_VIDEOS))
    chosen = sample(catalog, rows, most=most)
    if len(chosen.rows) < 2:
        raise InputError(
            f"found {counted(len(chosen.rows), 'video')} with frames; expected two or more to correlate: search for "
            "others, or wait until some are done"
        )
    options: dict[str, Any] = {}
    rates = catalog.ds["fps"].to_numpy()[chosen.rows]
    if np.isfinite(rates).all() and rates.min() > 0 and rates.max() / rates.min() > 1.01:
        options["rate"] = float(rates.min())
    ds = catalog.ds.isel(video=chosen.rows, face=[face])
    result: xr.Dataset = stats.isc(ds, feature, **options).compute()
    if not np.isfinite(_off_diagonal(result["r"])).any():
        raise InputError(
            f"found no two videos in which {feature} varies over three shared times; expected some: choose another "
            "feature"
        )
    return result, chosen


def _off_diagonal(values: xr.DataArray) -> NDArray[Any]:
    matrix = values.transpose("video", "video_other").to_numpy()
    return np.asarray(matrix[~np.eye(len(matrix), dtype=bool)])
