"""Annotated intervals as bands behind time courses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from facearray.plot import _style
from facearray.plot._thin import runs
from facearray.sampling import frame_step

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["bands", "spans"]

#: Pale enough to lie behind lines; neighbours differ in lightness.
BAND_COLOURS = ("#cfcfcf", "#fde0c5", "#c6dbef", "#d9f0d3", "#e7d4e8", "#fff3b0")


def spans(array: xr.DataArray, name: str) -> dict[str, list[tuple[float, float]]]:
    """Stretches of real frames with one label, by label: from the first frame to the end of the last, in seconds.

    Parameters
    ----------
    array
        Something with ``frame`` and, of one video and face, ``timestamp`` and the labels.
    name
        Name of the coordinate with the labels; an empty text is none.
    """
    labels, seconds = array[name].to_numpy(), array["timestamp"].to_numpy()
    real = np.isfinite(seconds)
    labels, seconds = np.array([str(label) for label in labels[real]], dtype=object), seconds[real]
    ends = np.append(seconds[1:], seconds[-1:] + frame_step(seconds))
    found: dict[str, list[tuple[float, float]]] = {}
    for start, stop in runs(labels):
        if labels[start]:
            found.setdefault(labels[start], []).append((float(seconds[start]), float(ends[stop - 1])))
    return dict(sorted(found.items()))


def bands(stretches: dict[str, list[tuple[float, float]]], measure: hv.Dimension, low: float, high: float) -> list[Any]:
    """Draw the stretches behind lines, one colour a label, over the height of the panel."""
    import holoviews as hv

    return [
        _style.look(
            hv.Rectangles(
                [(start, low, end, high, label) for start, end in pairs],
                kdims=["time", measure, "end", f"{measure.name}_top"],
                vdims=["label"],
                label=_style.short(label),
            ),
            bokeh={
                "fill_color": BAND_COLOURS[i % len(BAND_COLOURS)],
                "line_alpha": 0,
                "tools": ["hover"],
                "hover_tooltips": [("label", "@label"), ("time", "@time{0.000} to @end{0.000} s")],
            },
            mpl={"facecolor": BAND_COLOURS[i % len(BAND_COLOURS)], "edgecolor": "none"},
        )
        for i, (label, pairs) in enumerate(stretches.items())
    ]
