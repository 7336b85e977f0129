"""A Dataset in memory from the arrays of its rows, as the layout of a store has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.io.layout import Layout, array_attrs

__all__ = ["Row", "assemble"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One video.

    Attributes
    ----------
    label, source, error
        As the coordinates of these names have them; a row with an error is a failed one.
    record
        Values of the numeric coordinates along ``video``, by name.
    blocks
        Arrays of consecutive frames by name, with the frame first; taken one after the other.
    """

    label: str
    source: str
    error: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    blocks: Iterable[Mapping[str, NDArray[Any]]] = ()


def assemble(layout: Layout, rows: Sequence[Row], n_frames: int) -> xr.Dataset:
    """Make the Dataset that a store of the layout would be opened as, without its padding and its chunks.

    Parameters
    ----------
    layout
        What the arrays are.
    rows
        The videos.
    n_frames
        Frames of the longest.
    """
    sizes = layout.sizes(len(rows), n_frames)
    text = np.dtypes.StringDType()
    arrays = {
        v.name: np.full([sizes[dim] for dim in v.dims], v.fill_value, text if v.dtype == "str" else v.numpy_dtype)
        for v in layout.variables
    }
    for name, labels in layout.labels().items():
        arrays[name] = np.array(labels, text)
    for i, row in enumerate(rows):
        arrays["video"][i], arrays["source"][i], arrays["error"][i] = row.label, row.source, row.error
        arrays["status"][i] = "failed" if row.error else "done"
        for name, value in row.record.items():
            arrays[name][i] = value
        start = 0
        for block in row.blocks:
            stop = start + len(block["frame_number"])
            for name, values in block.items():
                arrays[name][i, start:stop] = values
            start = stop
    variables = {v.name: (v.dims, arrays[v.name], array_attrs(v)) for v in layout.variables}
    coords = {v.name for v in layout.variables if v.role == "coord"}
    attrs = {key: value for key, value in layout.attrs().items() if key != "coordinates"}
    return xr.Dataset(
        {name: variable for name, variable in variables.items() if name not in coords},
        coords={name: variable for name, variable in variables.items() if name in coords},
        attrs=attrs,
    )
