"""Time courses to draw: which, and one video and face of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from facearray import selectors
from facearray.errors import SchemaError

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["KEYS", "choices", "chosen_in_menus", "courses"]

#: Dims that a menu chooses from, where they have several entries.
KEYS = ("video", "face")


def courses(ds: xr.Dataset | xr.DataArray, features: str | Iterable[str]) -> xr.DataArray:
    """Select features that still have frames and their times.

    Raises
    ------
    InputError
        If a name is unknown.
    SchemaError
        If there is no ``frame`` dim, no ``timestamp``, or a dim that detections do not have.
    """
    selected = selectors.select(ds, features)
    if not isinstance(selected, xr.DataArray):
        raise SchemaError(
            f"found a Dataset of {', '.join(map(str, selected.data_vars))}; expected detections with a variable "
            "'features', or one variable: choose it first"
        )
    extra = sorted({str(dim) for dim in selected.dims} - {"video", "frame", "face", "feature"})
    if extra or "frame" not in selected.dims:
        dims = ", ".join(map(str, selected.dims))
        raise SchemaError(f"found dims {dims}; expected frame and feature, besides these only video and face")
    selectors.time(selected)
    return selected


def choices(array: xr.DataArray, keys: Sequence[str]) -> dict[str, list[Any]]:
    """Entries of the menus: texts for videos, numbers for faces."""
    return {dim: [v if dim == "face" else str(v) for v in array[dim].to_numpy().tolist()] for dim in keys}


def chosen_in_menus(array: xr.DataArray, draw: Callable[[xr.DataArray], hv.Overlay]) -> hv.Overlay | hv.DynamicMap:
    """Draw the only video and face, or a map with menus that draws the chosen ones."""
    import holoviews as hv

    keys = [dim for dim in KEYS if array.sizes.get(dim, 1) > 1]
    array = array.squeeze([dim for dim in KEYS if array.sizes.get(dim) == 1])
    if not keys:
        return draw(array)
    labels = choices(array, keys)

    def chosen(*entries: str | int) -> hv.Overlay:
        return draw(array.isel({dim: labels[dim].index(e) for dim, e in zip(keys, entries, strict=True)}))

    return hv.DynamicMap(chosen, kdims=[hv.Dimension(dim, values=labels[dim]) for dim in keys])
