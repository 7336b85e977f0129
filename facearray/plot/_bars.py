"""Bars, error bars and points at numbered positions, shared by the pictures of summaries, coefficients and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from facearray.plot import _style
from facearray.plot._style import look

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["bar_row", "error_row", "frame", "level", "point_row"]


#: Pixels beside the bars: of the axis, and of a legend without its letters.
_AXIS, _KEY = 70, 60


def bar_row(
    x: ArrayLike,
    values: ArrayLike,
    width: float,
    measure: hv.Dimension,
    names: Mapping[str, Any],
    *,
    label: str = "",
    colour: str = _style.COLOURS[0],
    further: Mapping[str, Any] | None = None,
) -> hv.Rectangles:
    """Draw bars from zero at x (n,); hovering shows the names, the value, and what is further known."""
    import holoviews as hv

    x, values = np.asarray(x, float), np.asarray(values, float)
    columns: dict[str, Any] = {**names, measure.name: values, **(further or {})}
    rectangles = hv.Rectangles(
        (x - width / 2, np.zeros_like(x), x + width / 2, values, *(_column(c) for c in columns.values())),
        kdims=["left", "zero", "right", _height(measure)],
        vdims=[*names, measure, *(further or {})],
        label=_style.short(label) if label else "",
    )
    return look(
        rectangles,
        bokeh={
            "fill_color": colour,
            "line_color": _style.DARK,
            "tools": ["hover"],
            "hover_tooltips": hover(columns, measure),
        },
        mpl={"facecolor": colour, "edgecolor": _style.DARK, "linewidth": 0.6},
    )


def error_row(x: ArrayLike, values: ArrayLike, low: ArrayLike, high: ArrayLike, measure: hv.Dimension) -> hv.ErrorBars:
    """Draw error bars from low to high."""
    import holoviews as hv

    x, values, low, high = (np.asarray(part, float) for part in (x, values, low, high))
    bars = hv.ErrorBars((x, values, values - low, high - values), "position", [measure, "below", "above"])
    return look(bars, bokeh={"line_width": 1.5}, mpl={"linewidth": 1.2, "capsize": 2})


def point_row(
    x: ArrayLike,
    values: ArrayLike,
    measure: hv.Dimension,
    names: Mapping[str, Any],
    *,
    colour: str = "white",
    marker: str = "circle",
    size: float = 5,
    label: str = "",
) -> hv.Scatter:
    """Draw single values; hovering shows their names."""
    import holoviews as hv

    columns: dict[str, Any] = {measure.name: np.asarray(values, float), **names}
    points = hv.Scatter(
        (np.asarray(x, float), *(_column(c) for c in columns.values())),
        "position",
        [measure, *names],
        label=_style.short(label) if label else "",
    )
    return look(
        points,
        marker=marker,
        marker_size=size,
        color=colour,
        bokeh={
            "line_color": _style.DARK,
            "fill_alpha": 0.85,
            "tools": ["hover"],
            "hover_tooltips": hover({**names, measure.name: ()}, measure),
        },
        mpl={"edgecolors": _style.DARK, "linewidth": 0.6, "alpha": 0.85},
    )


def level(value: float) -> hv.HLine:
    """Draw a dashed horizontal line."""
    import holoviews as hv

    return look(hv.HLine(value), color=_style.DARK, line_width=1, line_dash="dashed")


def frame(
    elements: Sequence[Any], names: Sequence[object], *, title: str, ylabel: str, size: tuple[int, int], **both: Any
) -> hv.Overlay:
    """Put elements over the numbered names of an axis."""
    import holoviews as hv

    labels = [str(element.label) for element in elements if element.label]
    has_legend = both.get("show_legend", bool(labels))
    beside = _AXIS + (_KEY + _style.PIXELS_A_LETTER * max(map(len, labels), default=0) if has_legend else 0)
    chosen: dict[str, Any] = {
        "show_legend": has_legend,
        "legend_position": "right",
        "xlabel": "",
        "xticks": _style.ticks(names),
        "xrotation": _style.tick_rotation(names, size[0] - beside),
        "xlim": (-0.6, max(len(names), 1) - 0.4),
    } | both
    legend = {"legend_limit": 100, "click_policy": "hide"} if chosen["show_legend"] else None
    return look(hv.Overlay(list(elements)), size=size, title=title, ylabel=ylabel, **chosen, bokeh=legend)


def hover(columns: Mapping[str, Any], measure: hv.Dimension) -> list[tuple[str, str]]:
    """Say what is shown of a bar or point: texts as they are, numbers with three digits."""
    rows = []
    for name, values in columns.items():
        number = name == measure.name or (len(values) > 0 and isinstance(values[0], float))
        rows.append((measure.label if name == measure.name else name, f"@{{{name}}}" + "{0.000}" * number))
    return rows


def _height(measure: hv.Dimension) -> hv.Dimension:
    import holoviews as hv

    return hv.Dimension((f"{measure.name}_height", measure.label), unit=measure.unit)


def _column(values: Any) -> Any:
    array = np.asarray(values)
    return array if array.dtype.kind in "fiub" else np.array([str(value) for value in array.tolist()], dtype=object)
