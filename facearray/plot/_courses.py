"""Time courses to draw: which, and one video and face of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import selectors
from facearray.errors import SchemaError
from facearray.plot import _style
from facearray.plot._style import look

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["KEYS", "band_and_line", "choices", "chosen_in_menus", "courses"]

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


def band_and_line(
    panel: str,
    measure: str,
    seconds: NDArray[np.float64],
    mean: NDArray[np.float64],
    limits: tuple[NDArray[np.float64], NDArray[np.float64]],
    i: int,
    *,
    label: str = "",
    further: Mapping[str, NDArray[Any]],
) -> list[Any]:
    """Draw line i of a panel and the band between its limits, with gaps where either has no value.

    Parameters
    ----------
    panel, measure
        Names of the panel and of what is drawn. They name the axis, so that panels do not share a vertical one.
    seconds, mean, limits
        Times (n,), values and what the band lies between; NaN where there is none.
    i
        Chooses colour and dashes.
    label
        Name in the legend.
    further
        What hovering shows besides value and time, (n,) by name.
    """
    import holoviews as hv

    colour, _ = _style.group_style(i)
    value_dim, low_dim, high_dim = (_style.dimension(f"{part} {panel}") for part in (measure, "low", "high"))
    low, high = limits
    elements = []
    # an area over a gap would be closed by a straight line, so every stretch without a gap is one of its own
    edges = np.flatnonzero(np.diff(np.isfinite(low).astype(int))) + 1
    for part in np.split(np.arange(len(low)), edges):
        if np.isfinite(low[part]).all() and len(part):
            band = hv.Area((seconds[part], low[part], high[part]), "time", [low_dim, high_dim])
            fill = {"facecolor": colour, "linewidth": 0}
            elements.append(look(band, color=colour, alpha=0.2, bokeh={"line_alpha": 0}, mpl=fill))
    columns = {name: _style.dimension(name) for name in further}
    name = _style.short(label) if label else ""
    curve = hv.Curve((seconds, mean, *further.values()), "time", [value_dim, *columns.values()], label=name)
    hover = [
        (measure, f"@{{{value_dim.name}}}{{0.000}}"),
        ("time", "@time{0.000} s"),
        *(
            (_style.short(name), f"@{{{columns[name].name}}}" + ("{0.000}" if values.dtype.kind == "f" else ""))
            for name, values in further.items()
        ),
    ]
    dash = _style.DASHES[i % len(_style.DASHES)]
    shown = {"tools": ["hover"], "hover_tooltips": hover}
    return [*elements, look(curve, color=colour, line_width=2, line_dash=dash, bokeh=shown)]
