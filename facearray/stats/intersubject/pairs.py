"""Matrices of the correlations of all pairs of videos, and the labels of what is computed from them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._version import package_version
from facearray.errors import SchemaError

__all__ = ["attrs_of", "label_order", "labelled", "matrices_in_order", "matrices_of"]


def label_order(labels: NDArray[Any]) -> NDArray[np.intp]:
    """Positions of labels in ascending order, as texts.

    Examples
    --------
    >>> label_order(np.array(["b", "c", "a"], dtype=np.dtypes.StringDType()))
    array([2, 0, 1])
    """
    return np.argsort([str(label) for label in labels], kind="stable")


def matrices_of(ds: xr.Dataset, rows: NDArray[np.intp] | None = None) -> tuple[NDArray[np.float64], xr.DataArray]:
    """Matrices (m, n, n) of some videos, and an array of the m that has their dims and labels."""
    if "r" not in ds or not {"video", "video_other"} <= set(ds["r"].dims):
        raise SchemaError(
            "found no correlations of pairs; expected a variable 'r' with dims (video, video_other), as "
            "facearray.stats.isc makes them"
        )
    r = ds["r"].transpose(..., "video", "video_other")
    others = r.isel(video=0, video_other=0, drop=True)
    others = others.drop_vars([name for name in others.coords if name not in ("feature", "time", "group", "unit")])
    values = r.to_numpy().astype(np.float64)
    values = values.reshape(-1, *values.shape[-2:])
    if rows is not None:
        values = values[:, rows[:, None], rows]
    return values, others


def matrices_in_order(
    ds: xr.Dataset, kept: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.intp], NDArray[np.float64], xr.DataArray]:
    """Positions (n,) of some videos in the order of their labels, and what `matrices_of` gives of them.

    In this order, what is drawn does not depend on the order that the videos came in. ``kept`` (n_video,) says which
    videos; all by default.
    """
    if "video" not in ds.coords:
        raise SchemaError("found no labels of videos; expected a result of facearray.stats.isc")
    rows = label_order(ds["video"].to_numpy())
    if kept is not None:
        rows = rows[kept[rows]]
    return rows, *matrices_of(ds, rows)


def labelled(values: NDArray[Any], others: xr.DataArray, dims: tuple[str, ...], coords: dict[str, Any]) -> xr.DataArray:
    """Give values (..., m) the labels of the m matrices."""
    shaped = values.reshape((*values.shape[:-1], *others.shape))
    return xr.DataArray(shaped, dims=(*dims, *others.dims), coords={**others.coords, **coords})


def attrs_of(ds: xr.Dataset, method: str) -> dict[str, Any]:
    """Say how a result was computed, and of which correlations."""
    kept = {name: ds.attrs[name] for name in ("n", "unit", "excluded", "population", "notes") if name in ds.attrs}
    return kept | {"method": method, "of": str(ds.attrs.get("test", "")), "facearray_version": package_version()}
