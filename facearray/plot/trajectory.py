"""Ways through the plane of two features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from facearray.errors import SchemaError
from facearray.plot import _style
from facearray.plot._courses import chosen_in_menus, courses
from facearray.plot._style import look

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["trajectory"]

#: Segments of a trajectory; of longer ones every so manieth frame is drawn.
MAX_SEGMENTS = 4000


def trajectory(
    ds: xr.Dataset | xr.DataArray, x: str, y: str, *, title: str | None = None
) -> hv.Overlay | hv.DynamicMap:
    """Draw the way of a face through the plane of two features, coloured by time.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), or a part of them that still has ``frame``.
    x, y
        Names of features, such as ``"valence"`` and ``"arousal"``, or ``"Yaw"`` and ``"Pitch"``.
    title
        Heading; by default the video.

    Returns
    -------
    holoviews.Overlay or holoviews.DynamicMap
        Lines between successive frames in which both have a value, dark at first and light at the end; a circle where
        it begins and a square where it ends. A menu chooses the video and the face where there are several.

    Raises
    ------
    InputError
        If a feature is unknown.
    SchemaError
        If ``ds`` has no ``frame`` dim, no ``timestamp``, or dims that are not those of detections.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1)
    >>> [element.name for element in trajectory(ds, "Yaw", "AU12")][0].startswith("Segments")
    True
    """
    _style.load_backends()
    array = courses(ds, [x, y])
    if array["feature"].to_numpy().tolist() != [x, y]:
        raise SchemaError(f"found x={x!r}, y={y!r}; expected two different features, not groups of them")
    return chosen_in_menus(array, lambda one: _way(one, title))


def _way(array: xr.DataArray, title: str | None) -> hv.Overlay:
    import holoviews as hv

    array = array.transpose("feature", "frame").load()
    names = [str(name) for name in array["feature"].to_numpy().tolist()]
    labels = [_style.with_unit(name, _style.field(array, name, "unit")) for name in names]
    seconds = array["timestamp"].to_numpy()
    real = np.isfinite(seconds)
    step = max(1, -(-int(real.sum()) // MAX_SEGMENTS))
    (a, b), seconds = array.to_numpy()[:, real][:, ::step].astype(np.float64), seconds[real][::step]
    there = np.isfinite(a) & np.isfinite(b)
    pairs = np.flatnonzero(there[:-1] & there[1:])
    ways = hv.Segments(
        (a[pairs], b[pairs], a[pairs + 1], b[pairs + 1], seconds[pairs]),
        ["x", "y", "x_end", "y_end"],
        hv.Dimension("time", unit="s"),
    )
    style = {"color": hv.dim("time"), "cmap": _style.COLOUR_MAP, "colorbar": True, "clabel": "time (s)"}
    hover = [("time", "@time{0.000} s"), (names[0], "@x{0.000}"), (names[1], "@y{0.000}")]
    elements = [look(ways, line_width=1.5, **style, bokeh={"tools": ["hover"], "hover_tooltips": hover})]
    ends = np.flatnonzero(there)
    for place, marker, label in ((ends[:1], "circle", "begin"), (ends[-1:], "square", "end")):
        point = hv.Scatter((a[place], b[place]), "x", "y", label=label)
        elements.append(
            look(
                point,
                marker=marker,
                marker_size=9,
                color="white",
                bokeh={"line_color": "black", "line_width": 2},
                mpl={"edgecolors": "black", "linewidth": 1.5},
            )
        )
    heading = title if title is not None else str(array["video"].item()) if "video" in array.coords else ""
    return look(
        hv.Overlay(elements),
        size=(560, 440),
        title=_style.short(heading, 60) + (f" · every {step}th frame" if step > 1 else ""),
        xlabel=labels[0],
        ylabel=labels[1],
        legend_position="top_left",
    )
