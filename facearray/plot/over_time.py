"""Results of statistics at every time: estimates, their intervals, and what is significant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import selectors
from facearray.errors import InputError, check_alpha
from facearray.plot import _style
from facearray.plot._bars import level
from facearray.plot._courses import band_and_line
from facearray.plot._style import look
from facearray.plot._thin import runs

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["over_time"]

SIZE = (800, 300)

#: What is drawn, of the results that have it, and what it is called.
ESTIMATES = {"difference": "difference", "beta": "b", "mean": "mean", "score": "score"}

#: Height of the strip for each line with significant windows, as a share of the panel.
_STRIP = 0.06

_DIMS = {"term", "face", "feature", "feature_set", "time"}


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """One course (n_time,) of a panel: estimate and limits, NaN where there is none, and what hovering shows.

    ``level`` is what the estimate is compared with, ``p`` that of each window, ``cluster`` the number of its cluster.
    """

    label: str
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: NDArray[Any]
    level: NDArray[np.float64] | None
    p: NDArray[np.float64] | None
    cluster: NDArray[np.intp] | None


def over_time(
    result: xr.Dataset,
    features: str | Iterable[str] | None = None,
    *,
    term: str | None = None,
    face: int | None = None,
    alpha: float = 0.05,
    title: str | None = None,
) -> hv.Overlay | hv.Layout:
    """Draw a result over time: a line, the band of its confidence interval, and bars where it is significant.

    Parameters
    ----------
    result
        From ``.fex.cluster_test``, ``event_test`` (the difference), ``event_average`` (a mean, and a line for each kind
        of events or units), ``regress_over_time`` (b) or ``decode_over_time`` (scores, a line a feature set). Of
        ``.fex.align`` the mean over videos of their means over trials, with t intervals over videos.
    features
        Groups and names, as for `facearray.selectors.select`; all by default, a panel each.
    term
        The regressor, where there are several besides the intercept.
    face
        The one to draw, where there are several.
    alpha
        Level: where ``p_adjusted`` is at most that, a bar stands at the bottom of the panel: one a cluster, from the
        beginning of its first window to the end of its last, or one a stretch of windows.
    title
        Heading, of one panel.

    Returns
    -------
    holoviews.Overlay or holoviews.Layout
        One panel, or several one below the other. The dashed line is what a null hypothesis says: 0, or chance. Lines
        have gaps where nothing could be computed. A dotted line at 0 s is the event.

    Raises
    ------
    InputError
        If ``result`` is none of these, a name is unknown, several faces or terms leave it open which to draw, or an
        option does not go with the result.

    Examples
    --------
    >>> points = {"difference": [0.0, 1.0], "ci_low": [-1, 0.5], "ci_high": [1, 1.5], "p_adjusted": [1, 0.01]}
    >>> times = {"time": [0.25, 0.75], "window_start": ("time", [0.0, 0.5]), "window_stop": ("time", [0.5, 1.0])}
    >>> result = xr.Dataset(
    ...     {name: (("time", "feature"), np.array(values)[:, None]) for name, values in points.items()},
    ...     {"feature": ["AU12"], **times},
    ... )
    >>> picture = over_time(result)
    >>> picture.Curve.I.dimension_values(1).tolist(), picture.Segments.I.dimension_values("time").tolist()
    ([0.0, 1.0], [0.5])
    """
    _style.load_backends()
    check_alpha(alpha)
    result = _means_of_trials(result) if "trial" in result.dims else result
    name = _estimate(result)
    if name == "score" and features is not None:
        raise InputError(f"found features={features!r} with scores of feature sets; leave it out, or select the sets")
    result = _style.one_face(_one_term(result, term), face, "a picture")
    result = cast("xr.Dataset", selectors.select(result, features)) if features is not None else result
    panels = list(_panels(result.compute(), name, alpha, title))
    return panels[0] if len(panels) == 1 else _style.column(panels)


def _estimate(result: xr.Dataset) -> str:
    name = next((name for name in ESTIMATES if name in result), None)
    if name is None or "time" not in result[name].dims:
        raise InputError(
            f"found {', '.join(map(str, result.data_vars)) or 'no variables'} with dims "
            f"{', '.join(map(str, result.dims)) or 'none'}; expected the result of .fex.cluster_test(), "
            "event_average(), event_test(), regress_over_time(), decode_over_time() or align(); .fex.plot.timeseries() "
            "draws detections"
        )
    if "time_test" in result[name].dims:
        raise InputError(
            "found scores of every window in all others; expected one a window: draw them with "
            ".fex.plot.generalization()"
        )
    return name


def _one_term(result: xr.Dataset, term: str | None) -> xr.Dataset:
    if "term" not in result.dims:
        if term is not None:
            raise InputError(f"found term={term!r} and a result without terms; leave it out")
        return result
    known = [str(name) for name in result["term"].to_numpy().tolist()]
    others = [name for name in known if name != "Intercept"] or known
    if term is None and len(others) > 1:
        raise InputError(f"found {len(others)} terms; expected one for a picture: choose with term={others[0]!r}")
    return result.isel(term=_style.one_of("term", others[0] if term is None else term, known))


def _means_of_trials(aligned: xr.Dataset) -> xr.Dataset:
    """Average over the trials of every video, and then over videos."""
    from facearray.stats.kernels.means import one_sample

    dims = ("video", "trial", "time", "face", "feature")
    if "features" not in aligned or set(aligned["features"].dims) != set(dims):
        raise InputError(
            f"found trials without 'features' of dims {', '.join(dims)}; expected the result of .fex.align()"
        )
    values = aligned["features"].transpose(*dims).mean("trial").to_numpy().astype(np.float64)
    test = one_sample(values.reshape(len(values), -1), confidence=0.95)
    found = {"mean": test.difference, "ci_low": test.ci_low, "ci_high": test.ci_high, "n": test.n}
    shape = values.shape[1:]
    coords = {name: c for name, c in aligned.coords.items() if not {"video", "trial"} & set(c.dims)}
    return xr.Dataset({k: (dims[2:], np.reshape(v, shape)) for k, v in found.items()}, coords)


def _panels(result: xr.Dataset, name: str, alpha: float, title: str | None) -> Iterator[hv.Overlay]:
    if name == "score":
        sets = [str(label) for label in result["feature_set"].to_numpy().ravel().tolist()]
        parts = [result] if "feature_set" not in result.dims else [result.isel(feature_set=i) for i in range(len(sets))]
        target = str(result.attrs.get("y", "decoding"))
        lines = [_line(part, name, label) for part, label in zip(parts, sets, strict=True)]
        yield _panel(result, lines, alpha, title or target, str(result.attrs.get("scoring", "score")))
        return
    labels = [str(label) for label in result["feature"].to_numpy().ravel().tolist()]
    for i, feature in enumerate(labels):
        part = result.isel(feature=i) if "feature" in result.dims else result
        kinds = [str(dim) for dim in part[name].dims if dim not in _DIMS]
        if len(kinds) > 1:
            raise InputError(f"found dims {', '.join(kinds)}; expected one at most besides time; select one of each")
        if kinds:
            levels = part[kinds[0]].to_numpy().tolist()
            lines = [_line(part.isel({kinds[0]: k}), name, str(level)) for k, level in enumerate(levels)]
        else:
            lines = [_line(part, name, "")]
        unit = _style.field(result, feature, "unit")
        yield _panel(result, lines, alpha, title or feature, _ylabel(result, name, unit))


def _ylabel(result: xr.Dataset, name: str, unit: str) -> str:
    what = str(result.attrs.get("contrast", ESTIMATES[name])) if name == "difference" else ESTIMATES[name]
    return _style.with_unit(_style.short(what), unit)


def _line(part: xr.Dataset, name: str, label: str) -> _Line:
    def values(key: str) -> NDArray[Any]:
        return part[key].to_numpy() if key in part else np.full(part.sizes["time"], np.nan)

    expected = values("chance") if name == "score" else None if name == "mean" else np.zeros(part.sizes["time"])
    return _Line(
        label,
        values(name).astype(np.float64),
        values("ci_low").astype(np.float64),
        values("ci_high").astype(np.float64),
        values("n"),
        expected,
        values("p_adjusted") if "p_adjusted" in part else None,
        values("cluster") if "cluster" in part else None,
    )


def _panel(result: xr.Dataset, lines: list[_Line], alpha: float, title: str, ylabel: str) -> hv.Overlay:
    import holoviews as hv

    seconds = result["time"].to_numpy().astype(np.float64)
    left, right = (
        float(_edge(result, "window_start").min(initial=0)),
        float(_edge(result, "window_stop").max(initial=0)),
    )
    measure = _style.dimension(f"{ylabel.split(' (')[0]} {title}")
    elements: list[Any] = []
    marked = [list(_significant(result, line, alpha)) for line in lines]
    strips = [i for i, stretches in enumerate(marked) if stretches]
    bottom, top, height = _range(lines, len(strips))
    for i, line in enumerate(lines):
        further = {"n": line.n} | ({"p": line.p} if line.p is not None else {})
        further |= {"of": np.full(len(seconds), line.label, dtype=object)} if line.label else {}
        elements += band_and_line(
            title,
            ylabel.split(" (")[0],
            seconds,
            line.value,
            (line.low, line.high),
            i,
            label=line.label,
            further=further,
        )
    elements += _levels(lines, seconds, measure)
    if left < 0 < right:
        event = hv.Curve([(0.0, bottom), (0.0, top)], "time", measure)
        elements.append(look(event, color=_style.DARK, line_width=1, line_dash="dotted"))
    for place, i in enumerate(strips):
        y = bottom + (len(strips) - place - 0.5) * height
        bars = hv.Segments(
            [(start, y, stop, y, p) for start, stop, p in marked[i]], ["time", measure, "stop", "level"], "p"
        )
        hover = [("from", "@time{0.000} s"), ("to", "@stop{0.000} s"), ("p", "@p{0.0000}")]
        shown = {"tools": ["hover"], "hover_tooltips": hover}
        elements.append(look(bars, color=_style.group_style(i)[0], line_width=6, bokeh=shown))
    tested = any(line.p is not None for line in lines)
    said = "" if not tested else f"; bars: p ≤ {alpha:g}" if strips else f"; no p ≤ {alpha:g}"
    return look(
        hv.Overlay(elements),
        size=SIZE,
        title=f"{_style.short(title, 60)}{said}",
        xlabel="time from the event (s)" if left < 0 else "time (s)",
        ylabel=ylabel,
        xlim=(left, right),
        ylim=(bottom, top),
        legend_position="right",
        show_legend=len(lines) > 1,
    )


def _range(lines: list[_Line], n_strips: int) -> tuple[float, float, float]:
    """Bottom and top of a panel with room for strips below the lines, and the height of a strip."""
    parts = [part for line in lines for part in (line.value, line.low, line.high, line.level) if part is not None]
    there = np.concatenate(parts)
    there = there[np.isfinite(there)]
    low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 1.0)
    span = (high - low) or 1.0
    height = _STRIP * span
    return low - 0.05 * span - n_strips * height, high + 0.05 * span, height


def _levels(lines: list[_Line], seconds: NDArray[np.float64], measure: hv.Dimension) -> Iterator[Any]:
    """Draw what a null hypothesis says, once where lines share it."""
    import holoviews as hv

    drawn: list[NDArray[np.float64]] = []
    for line in lines:
        if line.level is None or any(np.array_equal(line.level, other, equal_nan=True) for other in drawn):
            continue
        drawn.append(line.level)
        same = np.isfinite(line.level).all() and np.ptp(line.level) == 0
        if same:
            yield level(float(line.level[0]))
        else:
            curve = hv.Curve((seconds, line.level), "time", measure)
            yield look(curve, color=_style.DARK, line_width=1, line_dash="dashed")


def _significant(result: xr.Dataset, line: _Line, alpha: float) -> Iterator[tuple[float, float, float]]:
    """Beginning, end and smallest p of each cluster, or each stretch of windows, with a p of at most alpha."""
    if line.p is None:
        return
    inside = line.p <= alpha
    codes = np.where(inside, 1 if line.cluster is None else line.cluster, 0)
    starts, stops = (_edge(result, name) for name in ("window_start", "window_stop"))
    for first, end in runs(codes):
        if codes[first]:
            yield float(starts[first]), float(stops[end - 1]), float(line.p[first:end].min())


def _edge(result: xr.Dataset, name: str) -> NDArray[np.float64]:
    return (result[name] if name in result.coords else result["time"]).to_numpy().astype(np.float64)
