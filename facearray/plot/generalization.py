"""Scores of models that were trained at one time and tested at another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, check_alpha
from facearray.plot import _style
from facearray.plot._style import look

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["generalization"]

SIDE = 380


def generalization(
    result: xr.Dataset,
    *,
    feature_set: str | None = None,
    alpha: float = 0.05,
    limits: tuple[float, float] | None = None,
    title: str | None = None,
) -> hv.Overlay:
    """Draw the train-by-test matrix of a decoding over time: rows are times of training, columns of testing.

    Parameters
    ----------
    result
        From ``.fex.decode_over_time(..., generalize=True)``: ``score`` with dims (feature_set, time, time_test).
        Hovering also shows ``chance`` and ``n``, and p where there is one.
    feature_set
        The one to draw, where there are several.
    alpha
        Level: cells with a ``p_adjusted`` of at most that are outlined.
    limits
        Scores of the darkest and the lightest colour; by default the lowest and the highest.
    title
        Heading; by default the feature set.

    Returns
    -------
    holoviews.Overlay
        Windows that overlap are drawn as wide as their step, around their middles. The dashed line is where models are
        tested at the time they were trained at; a cell without a score is grey.

    Raises
    ------
    InputError
        If ``result`` has no such scores, or none that is a number, there are several feature sets and none is chosen,
        ``alpha`` is no share, or ``limits`` are no range.

    Examples
    --------
    >>> scores = xr.DataArray(np.eye(2)[None], dims=("feature_set", "time", "time_test"))
    >>> windows = {"feature_set": ["aus"], "time": [0.5, 1.5], "time_test": [0.5, 1.5]}
    >>> result = xr.Dataset({"score": scores}, windows, {"window_step": 1.0})
    >>> generalization(result).Image.I.dimension_values("score", flat=False)
    array([[1., 0.],
           [0., 1.]])
    """
    import holoviews as hv

    _style.load_backends()
    _style.check_limits("limits", limits)
    if "score" not in result or not {"time", "time_test"} <= set(result["score"].dims):
        raise InputError(
            "found no 'score' with dims time and time_test; expected the result of .fex.decode_over_time() with "
            "generalize=True; .fex.plot.over_time() draws scores of every window alone"
        )
    check_alpha(alpha)
    part, name = _one_set(result, feature_set)
    columns = [key for key in ("score", "chance", "n", "p_adjusted") if key in part and part[key].ndim == 2]
    values: dict[str, NDArray[Any]] = {
        key: part[key].transpose("time", "time_test").to_numpy().astype(np.float64) for key in columns
    }
    edges = _edges(part, "time"), _edges(part, "time_test")
    bounds = (edges[1][0], edges[0][0], edges[1][-1], edges[0][-1])
    trained, tested = _style.dimension("trained at", "s"), _style.dimension("tested at", "s")
    score = values["score"]
    finite = score[np.isfinite(score)]
    if not len(finite):
        raise InputError("found no score in any pair of windows; expected some; see result.attrs['notes']")
    low, high = limits if limits is not None else (finite.min(), finite.max())
    hover = [
        ("trained at", "$y{0.000} s"),
        ("tested at", "$x{0.000} s"),
        *((key.replace("_", " "), f"@{{{key}}}" + ("{0}" if key == "n" else "{0.000}")) for key in columns),
    ]
    image = hv.Image(
        # the first row of an image is its top
        np.flipud(np.stack(list(values.values()), axis=-1)),
        kdims=[tested, trained],
        vdims=columns,
        bounds=bounds,
    )
    colours: dict[str, Any] = {
        "cmap": _style.COLOUR_MAP,
        "clim": (float(low), float(high)),
        "colorbar": True,
        "clabel": _colour_label(part),
        "clipping_colors": {"NaN": _style.PALE},
    }
    start, stop = max(bounds[0], bounds[1]), min(bounds[2], bounds[3])
    diagonal = hv.Curve([(start, start), (stop, stop)], tested, trained)
    lines = _outline(values["p_adjusted"] <= alpha, *edges) if "p_adjusted" in values else []
    outline = hv.Segments(lines, [tested, trained, "right", "top"])
    # white on black is seen on every colour
    elements = [
        look(image, **colours, bokeh={"tools": ["hover"], "hover_tooltips": hover}, mpl={"aspect": "auto"}),
        look(diagonal, color="black", line_width=1),
        look(diagonal.clone(), color="white", line_width=1, line_dash="dashed"),
        look(outline, color="black", line_width=4),
        look(outline.clone(), color="white", line_width=2),
    ]
    return look(
        hv.Overlay(elements),
        size=(SIDE + 150, SIDE + 60),
        title=title if title is not None else _heading(part, name, _marked(values, alpha, lines)),
        xlabel="tested at (s)",
        ylabel="trained at (s)",
        xlim=(bounds[0], bounds[2]),
        ylim=(bounds[1], bounds[3]),
        bokeh={"show_grid": False},
        show_legend=False,
    )


def _one_set(result: xr.Dataset, feature_set: str | None) -> tuple[xr.Dataset, str]:
    if "feature_set" not in result["score"].dims:
        return result.compute(), str(result["feature_set"].item()) if "feature_set" in result.coords else ""
    known = [str(name) for name in result["feature_set"].to_numpy().tolist()]
    if feature_set is None and len(known) > 1:
        raise InputError(f"found {len(known)} feature sets; expected one: choose with feature_set={known[0]!r}")
    i = 0 if feature_set is None else _style.one_of("feature set", feature_set, known)
    return result.isel(feature_set=i).compute(), known[i]


def _edges(part: xr.Dataset, dim: str) -> NDArray[np.float64]:
    """Where the cells of windows begin, and where the last one ends."""
    middles = part[dim].to_numpy().astype(np.float64)
    steps = np.diff(middles)
    step = float(steps.mean()) if len(steps) else float(part.attrs.get("window_step", 1.0))
    if (np.abs(steps - step) > 1e-6 * step).any():
        raise InputError(
            f"found windows that are not equally spaced along {dim!r}; expected all of a result, or a slice"
        )
    return np.asarray(middles[0] + step * (np.arange(len(middles) + 1) - 0.5))


def _colour_label(part: xr.Dataset) -> str:
    """Name the score, and say what chance is: one level, or several where videos end."""
    name = str(part.attrs.get("scoring", "score"))
    levels = np.unique(part["chance"].to_numpy().round(9)) if "chance" in part else np.array([])
    levels = levels[np.isfinite(levels)]
    if not len(levels):
        return name
    return f"{name} (chance {' to '.join(f'{level:.3g}' for level in np.unique(levels[[0, -1]]))})"


def _marked(values: dict[str, NDArray[Any]], alpha: float, lines: list[Any]) -> str:
    if "p_adjusted" not in values:
        return ""
    return f"; outlined: p ≤ {alpha:g}" if lines else f"; no p ≤ {alpha:g}"


def _heading(part: xr.Dataset, name: str, marked: str) -> str:
    target = str(part.attrs.get("y", ""))
    heading = f"{target} from {name}" if target and name else target or name or "generalization over time"
    return f"{_style.short(heading, 40)}{marked}"


def _outline(
    inside: NDArray[np.bool_], trained: NDArray[np.float64], tested: NDArray[np.float64]
) -> list[tuple[float, float, float, float]]:
    """Sides of cells (row, column) that are inside and border on others that are not."""
    padded = np.pad(inside, 1)
    rows, columns = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    across = [(tested[c], trained[r], tested[c + 1], trained[r]) for r, c in zip(rows, columns, strict=True)]
    rows, columns = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    return across + [(tested[c], trained[r], tested[c], trained[r + 1]) for r, c in zip(rows, columns, strict=True)]
