"""Results of comparisons of time courses, with labels."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from facearray._version import package_version
from facearray.stats.intersubject.grid import Grid
from facearray.stats.intersubject.nulls import Tested
from facearray.stats.intersubject.request import Request, window_centres
from facearray.stats.kernels.comparison import Comparison, Found
from facearray.stats.units import label_coordinates, population

__all__ = ["FEW_SAMPLES", "Described", "described", "isc_attrs", "other"]

#: With fewer shared times a correlation is marked.
FEW_SAMPLES = 30


def other(name: Hashable) -> str:
    """Name of a coordinate of the second video of each pair.

    Examples
    --------
    >>> other("condition")
    'condition_other'
    """
    return f"{name}_other"


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """What a comparison was made of: detections of one face, features, and how they were compared."""

    ds: xr.Dataset
    grid: Grid
    features: list[str]
    single: bool
    comparison: Comparison
    request: Request


def described(made_of: Described, found: Found, tested: Tested | None) -> xr.Dataset:
    """Put labels to arrays (n_feature, [n_window,] n_video[, n_video])."""
    ds, request, comparison = made_of.ds, made_of.request, made_of.comparison
    coords = label_coordinates(ds, "video")
    dims: tuple[str, ...] = ("video",)
    if request.join == "pairwise":
        dims = ("video", "video_other")
        coords |= {other(name): xr.Variable("video_other", array.values) for name, array in coords.items()}
    if comparison.window is not None:
        dims = ("time", *dims)
        centres = window_centres(comparison, made_of.grid)
        coords["time"] = xr.Variable("time", centres, {"units": made_of.grid.unit})
    arrays: dict[str, Any] = {"r": found.r, "n": found.n}
    if comparison.max_lag:
        arrays["lag"] = found.lag * made_of.grid.step
    if tested is not None:
        arrays |= tested.arrays
    labels = label_coordinates(ds, "feature", features=made_of.features)
    if made_of.single:
        labels = {name: xr.Variable((), array.values[0]) for name, array in labels.items()}

    def variable(array: Any) -> xr.Variable:
        # means over videos have no other dims than window and feature
        mine = dims if array.ndim == 1 + len(dims) else dims[: array.ndim - 1]
        if made_of.single:
            return xr.Variable(mine, array[0])
        return xr.Variable((*mine, "feature"), np.moveaxis(array, 0, -1))

    result = xr.Dataset({name: variable(array) for name, array in arrays.items()}, coords=coords | labels)
    result = result.assign_coords(few_samples=(result["n"] < FEW_SAMPLES).variable)
    return result.assign_attrs(_attrs(made_of, result, tested))


def _attrs(made_of: Described, result: xr.Dataset, tested: Tested | None) -> dict[str, Any]:
    request = made_of.request
    attrs = isc_attrs(made_of.ds, made_of.grid, made_of.comparison, request)
    attrs |= {"null": request.null or "none", "notes": _notes(result, request)}
    if tested is not None:
        attrs |= {"alternative": request.alternative, "correction": request.correction or "none", **tested.attrs}
        attrs["notes"] += tested.notes
    return attrs


def isc_attrs(ds: xr.Dataset, grid: Grid, comparison: Comparison, request: Request) -> dict[str, Any]:
    """Say how time courses were put side by side, and which videos were."""
    labels = ds["video"].to_numpy()
    there = grid.stop > 0
    on_video = {str(name): a.values[there] for name, a in label_coordinates(ds, "video").items()}
    return {
        "method": "isc",
        "test": f"{request.method}, {request.join}",
        "align": request.align,
        "grid_step": grid.step,
        "grid_unit": grid.unit,
        "min_overlap": request.min_overlap,
        "max_lag": comparison.max_lag * grid.step,
        "window": 0.0 if comparison.window is None else comparison.window * grid.step,
        "window_step": 0.0 if comparison.window is None else comparison.step * grid.step,
        "n": int(there.sum()),
        "unit": "video",
        "excluded": [f"{label}: no frames" for label in labels[~there]],
        "population": population("video", int(there.sum()), on_video),
        "facearray_version": package_version(),
    }


def _notes(result: xr.Dataset, request: Request) -> list[str]:
    """Say how many correlations rest on few times; of a result that is not computed yet, where to look."""
    if result["n"].chunks is not None:
        return [f"correlations of fewer than {FEW_SAMPLES} shared times are True in few_samples"]
    few, missing = (_count_pairs(array, request.join) for array in (result["few_samples"], result["r"].isnull()))
    size = result["r"].size
    if request.join == "pairwise":
        size = size // result.sizes["video"] * (result.sizes["video"] - 1) // 2
    what = "pairs" if request.join == "pairwise" else "videos"
    notes = []
    if few:
        notes.append(f"{few} of {size} {what} share fewer than {FEW_SAMPLES} times")
    if missing:
        notes.append(
            f"{missing} of {size} {what} have no correlation: fewer than {request.min_overlap} shared times, or a "
            "series that does not vary over them"
        )
    return notes


def _count_pairs(found: xr.DataArray, join: str) -> int:
    """Count what is true, each pair of different videos once."""
    n = int(np.count_nonzero(found.to_numpy()))
    if join != "pairwise":
        return n
    places = [found.dims.index(dim) for dim in ("video", "video_other")]
    return (n - int(np.count_nonzero(np.diagonal(found.to_numpy(), axis1=places[0], axis2=places[1])))) // 2
