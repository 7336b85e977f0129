"""Time courses of features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from facearray import schema, selectors
from facearray.errors import InputError, SchemaError

if TYPE_CHECKING:
    import holoviews as hv
    from numpy.typing import NDArray

__all__ = ["timeseries"]

#: Okabe and Ito's colours without yellow, which is too pale on white; dash patterns tell their repeats apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("solid", "dashed", "dotted", "dotdash")

#: Points that thinning keeps of one bin at most: the lowest, the highest and the first missing.
POINTS_PER_BIN = 3


def timeseries(
    ds: xr.Dataset | xr.DataArray, features: str | Iterable[str] = "aus", *, max_points: int = 2000
) -> hv.Layout:
    """Draw the time courses of features: one panel a group and unit, seconds from left to right.

    A line has a gap wherever a frame has no value, and a value between two gaps is a dot. Click a name in the legend
    to hide its line.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), or a part of them that still has ``frame``.
    features
        Names of groups and features, as for `facearray.selectors.select`.
    max_points
        Most points drawn of one time course. A longer one is cut into runs of frames, and of each run the lowest and
        the highest value are drawn and its first gap; the label of the time axis says so.

    Returns
    -------
    object
        Panels one above the other. Where there are several videos or faces, each panel is a `holoviews.DynamicMap`
        over ``video`` and ``face``, which reads only what it shows.

    Raises
    ------
    InputError
        If a feature is unknown or ``max_points`` is less than 3.
    SchemaError
        If ``ds`` has no ``frame`` dim, no ``timestamp``, or dims that are not those of detections.
    """
    import holoviews as hv
    import holoviews.plotting.bokeh

    if max_points < POINTS_PER_BIN:
        raise InputError(f"found max_points={max_points}; expected at least {POINTS_PER_BIN}")
    array = _courses(ds, features)
    keys = [dim for dim in ("video", "face") if array.sizes.get(dim, 1) > 1]
    array = array.squeeze([dim for dim in ("video", "face") if array.sizes.get(dim) == 1])
    return hv.Layout([_panel(measure, panel, keys, max_points) for measure, panel in panels(array)]).cols(1)


def thin(values: NDArray[np.floating], max_points: int) -> NDArray[np.intp]:
    """Positions (ascending) that keep the extremes and the gaps of a (n,) series, ``max_points`` at most."""
    n = len(values)
    if n <= max_points:
        return np.arange(n)
    width = frames_per_bin(n, max_points)
    n_bins = -(-n // width)
    bins = np.pad(np.asarray(values, float), (0, n_bins * width - n), constant_values=np.nan).reshape(n_bins, width)
    missing = np.isnan(bins)
    lowest = np.where(missing, np.inf, bins).argmin(axis=1)
    highest = np.where(missing, -np.inf, bins).argmax(axis=1)
    # Where nothing is missing, this is the bin's lowest once more.
    first_gap = np.where(missing.any(axis=1), missing.argmax(axis=1), lowest)
    positions = np.unique(np.stack([lowest, highest, first_gap]) + width * np.arange(n_bins))
    return positions[positions < n]


def frames_per_bin(n: int, max_points: int) -> int:
    """Frames that thinning puts into one bin."""
    return 1 if n <= max_points else -(-n // (max_points // POINTS_PER_BIN))


def _courses(ds: xr.Dataset | xr.DataArray, features: str | Iterable[str]) -> xr.DataArray:
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


def panels(array: xr.DataArray) -> Iterator[tuple[hv.Dimension, xr.DataArray]]:
    """Split the features by what can share an axis, their group and unit, in the order of the features."""
    import holoviews as hv

    members: dict[tuple[str, str], list[int]] = {}
    for i, name in enumerate(array["feature"].to_numpy().tolist()):
        members.setdefault((_label(array, name, "group"), _label(array, name, "unit")), []).append(i)
    for (group, unit), positions in members.items():
        yield hv.Dimension(group or "value", unit=unit or None), array.isel(feature=positions)


def _label(array: xr.DataArray, feature: str, field: str) -> str:
    if field in array.coords:
        return str(array[field].sel(feature=feature).item())
    known = schema.FEATURES.get(feature)
    return str(getattr(known, field)) if known else ""


def _panel(measure: hv.Dimension, array: xr.DataArray, keys: list[str], max_points: int) -> hv.Overlay | hv.DynamicMap:
    import holoviews as hv

    if not keys:
        return _overlay(measure, array, max_points)
    labels = {dim: [v if dim == "face" else str(v) for v in array[dim].to_numpy().tolist()] for dim in keys}

    def draw(*chosen: str | int) -> hv.Overlay:
        positions = {dim: labels[dim].index(label) for dim, label in zip(keys, chosen, strict=True)}
        return _overlay(measure, array.isel(positions), max_points)

    return hv.DynamicMap(draw, kdims=[hv.Dimension(dim, values=labels[dim]) for dim in keys])


def _overlay(measure: hv.Dimension, array: xr.DataArray, max_points: int) -> hv.Overlay:
    """Draw the (frame, feature) time courses of one face over each other."""
    import holoviews as hv

    array = array.transpose("feature", "frame").load()
    seconds = array["timestamp"].to_numpy()
    real = array["frame_number"].to_numpy() >= 0 if "frame_number" in array.coords else np.isfinite(seconds)
    seconds, values = seconds[real], array.to_numpy()[:, real]
    names = array["feature"].to_numpy().tolist()
    elements = [
        element
        for i, (name, course) in enumerate(zip(names, values, strict=True))
        for element in _course(hv.Curve((seconds, course), "time", measure, label=name), max_points, i)
    ]
    width = frames_per_bin(len(seconds), max_points)
    return hv.Overlay(elements).opts(
        width=1000,
        height=320,
        title=title(measure, array),
        xlabel="time (s)" if width == 1 else f"time (s); of every {width} frames the lowest and the highest value",
        legend_position="right",
        legend_limit=len(elements),
        legend_cols=1 + (len(names) - 1) // 12,
        legend_opts={"label_text_font_size": "8pt", "label_width": 44, "glyph_width": 24, "spacing": 0, "padding": 4},
        click_policy="hide",
        backend="bokeh",
    )


def title(measure: hv.Dimension, array: xr.DataArray) -> str:
    """Heading of a panel: the group, and the video where there is one."""
    return " · ".join([measure.name, *([str(array["video"].item())] if "video" in array.coords else [])])


def _course(course: hv.Curve, max_points: int, i: int) -> Iterator[hv.Element]:
    """Draw one line, and dots where a value has no neighbour."""
    import holoviews as hv

    measure = course.vdims[0]
    kept = thin(course.dimension_values(1), max_points)
    x, y = course.dimension_values(0)[kept], course.dimension_values(1)[kept]
    style = {
        "color": COLOURS[i % len(COLOURS)],
        "tools": ["hover"],
        "hover_tooltips": [(course.label, f"@{{{measure.name}}}{{0.000}}"), ("time", "@time{0.000} s")],
        "backend": "bokeh",
    }
    dash = DASHES[i // len(COLOURS) % len(DASHES)]
    yield course.clone((x, y)).opts(line_dash=dash, line_width=1.5, **style)
    there = np.concatenate([[False], np.isfinite(y), [False]])
    alone = there[1:-1] & ~there[:-2] & ~there[2:]
    if alone.any():
        yield hv.Scatter((x[alone], y[alone]), "time", measure, label=course.label).opts(size=5, **style)
