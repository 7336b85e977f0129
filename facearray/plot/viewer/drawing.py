"""Time courses and matrices that can be clicked: what `facearray.plot` draws, with a cursor and events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.plot import _style
from facearray.plot._intervals import bands, spans
from facearray.plot._matrix import cluster
from facearray.plot.isc import isc as draw_isc
from facearray.plot.raster import raster
from facearray.plot.timeseries import timeseries

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["Cursor", "clickable_courses", "clickable_matrix", "fit", "matrix_order"]

#: Narrower, a picture is scrolled.
_MIN_WIDTH = 280

_LINKAGE = "complete"

#: Legends below a panel.
_LEGEND: dict[str, Any] = {
    "ncols": 4,
    "label_text_font_size": "8pt",
    "label_width": 34,
    "glyph_width": 14,
    "glyph_height": 14,
    "spacing": 0,
    "padding": 3,
    "margin": 0,
}

#: Pixels of a line of a legend, and of a bar of colours.
_LINE, _BAR = 17, 45

#: Features of one unit up to which each is a line, and columns of those that are rows of colours.
MOST_LINES, _COLUMNS = 8, 300


class Cursor:
    """The line in every panel of time courses that says where the player is; the player finds it by its name."""

    def __init__(self) -> None:
        self._time = 0.0
        self._n = 0

    def reset(self, time: float) -> None:
        """Begin anew with panels that are drawn next, at a time in seconds."""
        self._time, self._n = time, 0

    def draw(self, figure: Any) -> None:
        """Add the line to a figure, and let a click on it ask the player for a time."""
        from bokeh.models import CustomJS
        from bokeh.models.annotations import Span

        name = f"facearray-cursor-{self._n}"
        self._n += 1
        figure.add_layout(Span(location=self._time, dimension="height", line_color="#D55E00", line_width=2, name=name))
        code = "window.dispatchEvent(new CustomEvent('facearray-seek', {detail: cb_obj.x}))"
        figure.js_on_event("tap", CustomJS(code=code))


def fit(drawn: Any) -> Any:
    """Let a picture be as wide as there is room."""
    return _with_hook(drawn, _fit)


def _fit(plot: Any, _: Any) -> None:
    """Make a figure as wide as there is room, with what stands beside it below it: a telephone has no room beside."""
    from bokeh.models.annotations import ColorBar, Legend

    figure = plot.state
    figure.update(sizing_mode="stretch_width", min_width=_MIN_WIDTH, width=None, max_width=None)
    figure.toolbar_location = "above"
    for part in list(figure.right):
        if isinstance(part, Legend):
            part.update(**_LEGEND)
            figure.height += _LINE * -(-len(part.items) // _LEGEND["ncols"])
        elif isinstance(part, ColorBar):
            part.update(orientation="horizontal", width="auto", height=10)
            figure.height += _BAR
        else:
            continue
        figure.right = [other for other in figure.right if other is not part]
        figure.add_layout(part, "below")


def clickable_courses(
    ds: xr.Dataset,
    features: Sequence[str],
    *,
    cursor: Cursor | None = None,
    intervals: str | None = None,
    **options: Any,
) -> list[hv.Overlay | hv.DynamicMap]:
    """Draw the time courses of one video and face; a click on a time asks the player for it.

    Many features that share a unit are rows of colours, with annotated intervals in a panel of their own; few are
    lines, with intervals behind them.

    Parameters
    ----------
    ds
        Detections of the videos that are shown, in memory.
    features
        What to draw.
    cursor
        The line that shows where the player is, or None for courses without a player.
    intervals
        Name of the coordinate with annotated intervals, if they are to be drawn.
    options
        Of `timeseries`.
    """

    def hook(plot: Any, element: Any) -> None:
        _fit(plot, element)
        figure = plot.state
        if not figure.tags:
            figure.update(tags=["courses"], title=None)
            if cursor is not None:
                cursor.draw(figure)

    drawn: list[Any]
    if len(features) > MOST_LINES and len({_style.field(ds, name, "unit") for name in features}) == 1:
        rows = raster(ds.isel(video=0, face=0), features, max_columns=_COLUMNS, title="")
        drawn = [*([_strip(ds, intervals)] if intervals else []), rows]
    else:
        drawn = list(timeseries(ds, features, intervals=intervals, **options))
    return [_with_hook(panel, hook) for panel in drawn]


def _strip(ds: xr.Dataset, intervals: str) -> hv.Overlay:
    """Draw the annotated intervals by themselves."""
    import holoviews as hv

    one = ds["features"].isel(video=0, face=0)
    end = float(one["timestamp"].max())
    measure = hv.Dimension("interval")
    parts = bands(spans(one, intervals), measure, 0.0, 1.0) or [hv.Curve(([0.0], [0.5]), "time", measure)]
    return _style.look(
        hv.Overlay(parts),
        size=(800, 90),
        xlabel="",
        ylabel="",
        yticks=[(0.5, _style.short(intervals, 12))],
        xlim=(float(one["timestamp"].min()), end),
        ylim=(0.0, 1.0),
        show_legend=True,
        legend_position="right",
    )


def matrix_order(result: xr.Dataset) -> NDArray[np.intp]:
    """Positions of the videos along the axes of `clickable_matrix`."""
    values = result["r"].transpose("video", "video_other").to_numpy().astype(np.float64)
    return cluster(values, _LINKAGE).order


def clickable_matrix(result: xr.Dataset, chosen: Callable[[int, int], None]) -> hv.Overlay:
    """Draw the correlations of one feature; `chosen` is called with the positions of the videos of a clicked cell."""
    order = matrix_order(result)

    def clicked(event: Any) -> None:
        column, row = (round(float(value)) for value in (event.x, event.y))
        if 0 <= row < len(order) and 0 <= column < len(order):
            chosen(int(order[row]), int(order[column]))

    def hook(plot: Any, element: Any) -> None:
        _fit(plot, element)
        if not plot.state.tags:
            plot.state.tags = ["matrix"]
            plot.state.on_event("tap", clicked)

    return _with_hook(draw_isc(result, linkage=_LINKAGE), hook)


def _with_hook(drawn: Any, hook: Callable[[Any, Any], None]) -> Any:
    import holoviews as hv

    return drawn.opts(hv.opts.Overlay(hooks=[hook], backend="bokeh"))
