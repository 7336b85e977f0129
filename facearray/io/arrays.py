"""The arrays of a store, with the types that this package needs of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store as ZarrStore

__all__ = ["dims", "open_array", "text_values", "values"]

_STRING = np.dtypes.StringDType()


def open_array(store: ZarrStore, name: str) -> zarr.Array[Any]:
    """Open an array for reading and writing, as it is now: others may have resized it."""
    return zarr.open_array(store, path=name, mode="r+", zarr_format=3)


def values(array: zarr.Array[Any], start: int = 0, stop: int | None = None) -> NDArray[Any]:
    """Read an array, or a range of its first dim."""
    return np.asarray(array[start:stop])


def dims(array: zarr.Array[Any]) -> tuple[str, ...]:
    """Names of the dims."""
    return tuple(str(name) for name in getattr(array.metadata, "dimension_names", None) or ())


def text_values(texts: list[str] | tuple[str, ...]) -> NDArray[Any]:
    """Return texts as an array of the dtype that stores have."""
    return np.array(texts, dtype=_STRING)
