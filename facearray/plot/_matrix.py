"""Square matrices with names along both axes, in the order of a clustering if there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import unknown_names
from facearray.plot import _style
from facearray.plot._style import look

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["LINKAGES", "Tree", "cluster", "heatmap"]

LINKAGES = ("average", "centroid", "complete", "median", "single", "ward", "weighted")

#: Names up to which every cell is a rectangle of its own that knows its names; beyond, cells are pixels.
MOST_RECTANGLES = 100

#: Height of a dendrogram, as a share of the matrix.
TREE_SHARE = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """A clustering: order of the rows, branches (n - 1, 4) along the axis and their heights (n - 1, 4)."""

    order: NDArray[np.intp]
    along: NDArray[np.float64]
    height: NDArray[np.float64]


def cluster(similarity: NDArray[np.float64], linkage: str) -> Tree:
    """Cluster rows by 1 - similarity (n, n); rows without all values are left out of it and come last.

    Rows that miss a value are left out one by one, the one with most missing values first.

    Raises
    ------
    InputError
        If there is no such linkage.
    """
    from scipy.cluster.hierarchy import dendrogram
    from scipy.cluster.hierarchy import linkage as link
    from scipy.spatial.distance import squareform

    if linkage not in LINKAGES:
        raise unknown_names("linkage", [str(linkage)], LINKAGES)
    kept = list(range(len(similarity)))
    off = ~np.eye(len(similarity), dtype=bool)
    while (missing := (np.isnan(similarity) & off)[np.ix_(kept, kept)].sum(axis=1)).any():
        kept.pop(int(len(missing) - 1 - np.argmax(missing[::-1])))
    rest = sorted(set(range(len(similarity))) - set(kept))
    if len(kept) < 3:
        return Tree(np.array([*kept, *rest], dtype=np.intp), np.empty((0, 4)), np.empty((0, 4)))
    distance = 1 - similarity[np.ix_(kept, kept)]
    np.fill_diagonal(distance, 0)
    tree = dendrogram(link(squareform((distance + distance.T) / 2, checks=False), method=linkage), no_plot=True)
    order = np.array([*(kept[i] for i in tree["leaves"]), *rest], dtype=np.intp)
    # scipy puts leaves at 5, 15, 25, …
    return Tree(order, np.array(tree["icoord"]) / 10 - 0.5, np.array(tree["dcoord"]))


def heatmap(
    values: dict[str, NDArray[Any]],
    names: Sequence[str],
    axes: tuple[str, str],
    *,
    title: str,
    limits: tuple[float, float],
    labels: Sequence[str] | None = None,
    tree: Tree | None = None,
    colour_label: str = "",
    axis_labels: tuple[str, str] = ("", ""),
    above: Sequence[Any] = (),
) -> hv.Overlay:
    """Draw the first of several (n, n) values as colours; hovering shows all.

    Parameters
    ----------
    values
        By name; the first is drawn. A cell without a value is grey.
    names
        What hovering calls the rows and columns.
    axes
        What rows and columns are.
    title
        Heading.
    limits
        Values of the darkest and the lightest colour.
    labels
        What stands along the axes; by default the names.
    tree
        Order of rows and columns, and a dendrogram.
    colour_label
        What the colours mean; by default the name of the value.
    axis_labels
        What stands below and beside the axes.
    above
        Elements that are drawn over the cells.
    """
    import holoviews as hv

    labels = names if labels is None else labels
    order = np.arange(len(names)) if tree is None else tree.order
    ordered = {key: np.asarray(value)[np.ix_(order, order)] for key, value in values.items()}
    shown_names, shown_labels = [names[i] for i in order], [labels[i] for i in order]
    n, first = len(names), next(iter(values))
    colours: dict[str, Any] = {
        "cmap": _style.COLOUR_MAP,
        "clim": limits,
        "colorbar": True,
        "clabel": colour_label or first,
    }
    if not np.isfinite(ordered[first].astype(np.float64)).any():
        colours = {"color": _style.PALE}  # a colour map needs a value to begin with
    cells = _rectangles if n <= MOST_RECTANGLES else _pixels if "cmap" in colours else _area
    elements: list[Any] = [look(cells(ordered, shown_names, axes), **colours)]
    top = n - 0.5
    if tree is not None and len(tree.height):
        top += max(1.0, TREE_SHARE * n)
        scale = (top - n + 0.3) / (tree.height.max() or 1)
        x, y = tree.along, n - 0.4 + tree.height * scale
        # a branch is three lines: up, across, down
        ends = [part.ravel() for part in (x[:, :-1], y[:, :-1], x[:, 1:], y[:, 1:])]
        lines = hv.Segments(tuple(ends), ["column", "row", "right", "top"])
        elements.append(look(lines, color=_style.DARK, line_width=1))
    ticks = _style.ticks(shown_labels)
    longest = max(len(text) for _, text in ticks)
    side = int(np.clip(26 * n, 260, 620))
    height = side + (int(TREE_SHARE * side) if top > n else 0) + 6 * longest + 60
    return look(
        hv.Overlay([*elements, *above]),
        size=(side + 6 * longest + 130, height),
        title=title,
        xlabel=axis_labels[0],
        ylabel=axis_labels[1],
        xticks=ticks,
        yticks=ticks,
        xrotation=90 if longest * len(ticks) > 30 else 0,
        xlim=(-0.5, n - 0.5),
        ylim=(-0.5, top),
        bokeh={"show_grid": False, "tools": []},
        mpl={"show_frame": False},
        show_legend=False,
    )


def _rectangles(values: dict[str, NDArray[Any]], names: Sequence[str], axes: tuple[str, str]) -> hv.Rectangles:
    import holoviews as hv

    n = len(names)
    row, column = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
    texts = [np.array([names[i] for i in part.tolist()], dtype=object) for part in (row, column)]
    cells = hv.Rectangles(
        (column - 0.5, row - 0.5, column + 0.5, row + 0.5, *(v.ravel() for v in values.values()), *texts),
        ["column", "row", "right", "top"],
        [*values, *axes],
    )
    # the name alone may be that of a colour, as "r" is
    first = next(iter(values))
    hover = [*((axis, f"@{{{axis}}}") for axis in axes), *((name, _format(name, v)) for name, v in values.items())]
    return look(
        cells,
        bokeh={
            "color": hv.dim(first),
            "line_color": None,
            "tools": ["hover"],
            "hover_tooltips": hover,
            "clipping_colors": {"NaN": _style.PALE},
        },
        mpl={"color": hv.dim(first), "edgecolor": "none", "clipping_colors": {"NaN": _style.PALE}},
    )


def _pixels(values: dict[str, NDArray[Any]], names: Sequence[str], axes: tuple[str, str]) -> hv.Image:  # noqa: ARG001
    import holoviews as hv

    position = np.arange(len(names))
    image = hv.Image(
        (position, position, *(np.asarray(v, float) for v in values.values())), ["column", "row"], [*values]
    )
    hover = [("column", "$x{0}"), ("row", "$y{0}"), *((name, _format(name, v)) for name, v in values.items())]
    style: dict[str, Any] = {"clipping_colors": {"NaN": _style.PALE}}
    return look(image, bokeh={"tools": ["hover"], "hover_tooltips": hover, **style}, mpl={"aspect": "auto", **style})


def _area(values: dict[str, NDArray[Any]], names: Sequence[str], axes: tuple[str, str]) -> hv.Rectangles:  # noqa: ARG001
    """Draw many cells that are all missing as one."""
    import holoviews as hv

    end = len(names) - 0.5
    area = hv.Rectangles([(-0.5, -0.5, end, end)], ["column", "row", "right", "top"])
    return look(area, bokeh={"line_color": None}, mpl={"edgecolor": "none"})


def _format(name: str, values: NDArray[Any]) -> str:
    return f"@{{{name}}}" + ("{0.000}" if values.dtype.kind == "f" else "")
