"""Time courses of features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, unknown_names
from facearray.plot import _style
from facearray.plot._courses import KEYS, choices, courses
from facearray.plot._intervals import bands, spans
from facearray.plot._style import COLOURS, DASHES, look
from facearray.plot._thin import POINTS_PER_BIN, frames_per_bin, thin

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["timeseries"]

SIZE = (800, 300)

#: Names in several columns stand apart, and a long legend fits beside its panel.
LEGEND = {"label_text_font_size": "8pt", "label_width": 46, "glyph_width": 24, "spacing": 0, "padding": 4}


def timeseries(
    ds: xr.Dataset | xr.DataArray,
    features: str | Iterable[str] = "aus",
    *,
    lines: Literal["feature", "video"] = "feature",
    by: str | None = None,
    intervals: str | None = None,
    confidence: float = 0.95,
    max_points: int = 2000,
) -> hv.Layout:
    """Draw the time courses of features, seconds from left to right.

    A line has a gap wherever a frame has no value, and a value between two gaps is a dot. Click a name in the legend
    to hide its line. Panels are linked: zoom one, and the others follow.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), or a part of them that still has ``frame``.
    features
        Names of groups and features, as for `facearray.selectors.select`.
    lines
        ``"feature"``: one panel a group and unit, with a line a feature; a menu chooses the video. ``"video"``: one
        panel a feature, with a line a video.
    by
        Coordinate on ``video``: one panel a feature, with the mean over the videos of each group and its confidence
        band. ``"video"`` is not a group.
    intervals
        Name of a coordinate with dims (video, frame) or (video, frame, face) that `annotate` made: stretches of one
        label are drawn as bands. Needs one video at a time, so not with ``lines="video"`` or ``by``.
    confidence
        Level, 0 to 1, of the bands around means: t intervals over the videos that there are at a time, where there are
        three or more.
    max_points
        Most points drawn of one time course. A longer one is cut into runs of frames, and of each run the lowest and
        the highest value are drawn and its first gap; the label of the time axis says so. In a notebook this is done
        anew for what is in view after every zoom.

    Returns
    -------
    holoviews.Layout
        Panels one above the other. Where there are several videos or faces, or a time course is thinned, a panel is a
        `holoviews.DynamicMap`, which reads only what it shows.

    Raises
    ------
    InputError
        If a name is unknown, ``max_points`` is less than 3, or options contradict each other.
    SchemaError
        If ``ds`` has no ``frame`` dim, no ``timestamp``, or dims that are not those of detections.

    Notes
    -----
    For means, the time axis is cut into bins of one frame of the slowest video. In each bin the values of a video are
    averaged first, and then the videos.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1)
    >>> panels = ds.fex.plot.timeseries("Yaw,AU12")
    >>> [str(panel.vdims[0]) for panel in panels.traverse(lambda curve: curve, ["Curve"])]
    ['poses', 'aus']
    """
    _check(lines, by, intervals, max_points, confidence)
    _style.load_backends()
    array = courses(ds, features)
    if by is not None:
        from facearray.plot._group_courses import group_panels

        return group_panels(array, by, confidence)
    if intervals is not None:
        _check_intervals(array, intervals)
    keys = [dim for dim in KEYS if array.sizes.get(dim, 1) > 1 and (dim, lines) != ("video", "video")]
    array = array.squeeze([dim for dim in KEYS if array.sizes.get(dim) == 1 and (dim, lines) != ("video", "video")])
    if lines == "video":
        array = array if "video" in array.dims else array.expand_dims("video")
        names = array["feature"].to_numpy().tolist()
        panels = [
            _Panel(name, _style.field(array, name, "unit"), array.sel(feature=[name]), max_points, "video")
            for name in names
        ]
    else:
        panels = [
            _Panel(group, unit, array.sel(feature=names), max_points, "feature", intervals)
            for group, unit, names in _style.measures(array["feature"].to_numpy().tolist(), array)
        ]
    return _style.column([_shown(panel, keys) for panel in panels])


def _check(lines: str, by: str | None, intervals: str | None, max_points: int, confidence: float) -> None:
    problems = []
    if lines not in ("feature", "video"):
        raise unknown_names("kind of lines", [str(lines)], ["feature", "video"])
    if max_points < POINTS_PER_BIN:
        problems.append(f"found max_points={max_points}; expected at least {POINTS_PER_BIN}")
    if not 0 < confidence < 1:
        problems.append(f"found confidence={confidence}; expected a number between 0 and 1")
    if intervals is not None and (by is not None or lines == "video"):
        problems.append(f"found intervals={intervals!r} in panels of several videos; leave out by= and lines='video'")
    if by is not None and lines == "video":
        problems.append(f"found by={by!r} with lines='video'; expected one of them")
    if problems:
        raise InputError("; ".join(problems))


def _check_intervals(array: xr.DataArray, name: str) -> None:
    fits = [str(c) for c in array.coords if "frame" in array[c].dims and array[c].dtype.kind in "TUO"]
    if name not in fits:
        raise unknown_names("coordinate with annotated intervals", [name], fits)


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """One line: seconds and values (n,) of its real frames."""

    name: str
    seconds: NDArray[np.float64]
    values: NDArray[np.floating]

    def part(self, view: tuple[float, float] | None) -> Course:
        """Cut to what is in view, and one frame more on either side."""
        if view is None or None in view or not len(self.seconds):
            return self
        start = max(0, int(np.searchsorted(self.seconds, view[0])) - 1)
        stop = int(np.searchsorted(self.seconds, view[1], side="right")) + 1
        return Course(self.name, self.seconds[start:stop], self.values[start:stop])

    def thinned(self, max_points: int) -> Course:
        """Keep the extremes and the gaps."""
        kept = thin(self.values, max_points)
        return Course(self.name, self.seconds[kept], self.values[kept])


@dataclass(slots=True, eq=False)
class _Panel:
    """The lines of one axis, read when they are shown and kept until others are."""

    name: str
    unit: str
    array: xr.DataArray
    max_points: int
    lines: str
    intervals: str | None = None
    _kept: tuple[Any, list[Course], dict[str, list[tuple[float, float]]]] | None = None
    _drawn: dict[int, tuple[str, hv.Curve]] = field(default_factory=dict)

    @property
    def is_thinned(self) -> bool:
        return self.array.sizes["frame"] > self.max_points

    def draw(self, positions: dict[str, int], view: tuple[float, float] | None = None) -> hv.Overlay:
        """Draw what was chosen, as far as it is in view."""
        import holoviews as hv

        key = tuple(positions.items())
        if self._kept is None or self._kept[0] != key:
            chosen = self.array.isel(positions)
            self._kept = (key, list(_load(chosen, self.lines)), spans(chosen, self.intervals) if self.intervals else {})
        measure = _style.dimension(self.name, self.unit)
        parts = [course.part(view) for course in self._kept[1]]
        width = frames_per_bin(max((len(part.seconds) for part in parts), default=0), self.max_points)
        parts = [part.thinned(self.max_points) for part in parts]
        elements = [self._line(part, measure, i) for i, part in enumerate(parts)]
        if self.is_thinned:
            elements.append(_all_dots(parts, measure))
        else:
            elements += [dots for i, part in enumerate(parts) for dots in _dots(part, measure, i)]
        behind = bands(self._kept[2], measure, *_height(parts)) if self._kept[2] else []
        n = len(parts)
        return look(
            hv.Overlay([*behind, *elements]),
            size=SIZE,
            title=self._title(positions),
            xlabel="time (s)" if width == 1 else f"time (s); of every {width} frames the lowest and the highest value",
            ylabel=_style.with_unit(self._shown_name, self.unit),
            legend_position="right",
            show_legend=n <= _style.MAX_TICKS // 2,
            legend_cols=1 + (n + len(behind) - 1) // 11,
            bokeh={
                "legend_limit": 2 * n + len(behind) + 1,
                "legend_opts": LEGEND,
                "click_policy": "hide",
            },
        )

    def _line(self, part: Course, measure: hv.Dimension, i: int) -> hv.Curve:
        """Draw a line; with the options of the last one of its place, because setting them takes longer than a zoom."""
        if i in self._drawn and self._drawn[i][0] == part.name:
            return self._drawn[i][1].clone((part.seconds, part.values))
        curve = _line(part, measure, i)
        self._drawn[i] = (part.name, curve)
        return curve

    @property
    def _shown_name(self) -> str:
        """Name of the only feature, or of the group."""
        only = self.lines == "feature" and self.array.sizes["feature"] == 1
        return str(self.array["feature"].item()) if only else self.name or "value"

    def _title(self, positions: dict[str, int]) -> str:
        chosen = self.array.isel(positions)
        where = [_style.short(chosen[d].item(), 60) for d in ("video",) if d in chosen.coords and not chosen[d].ndim]
        if "face" in positions:
            where.append(f"face {positions['face']}")
        return " · ".join([self._shown_name, *where])


def _height(courses: list[Course]) -> tuple[float, float]:
    """Lowest and highest value, and a little more."""
    values = np.concatenate([course.values[np.isfinite(course.values)] for course in courses])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


def _load(array: xr.DataArray, lines: str) -> Iterator[Course]:
    """Read the (frame, line) time courses of one face."""
    array = array.load()
    if lines == "video":
        for i in range(array.sizes["video"]):
            one = array.isel(video=i)
            yield from (Course(str(one["video"].item()), c.seconds, c.values) for c in _load(one, "feature"))
        return
    array = array.transpose("feature", "frame")
    seconds = array["timestamp"].to_numpy()
    real = array["frame_number"].to_numpy() >= 0 if "frame_number" in array.coords else np.isfinite(seconds)
    for name, values in zip(array["feature"].to_numpy().tolist(), array.to_numpy(), strict=True):
        yield Course(name, seconds, values) if real.all() else Course(name, seconds[real], values[real])


def _shown(panel: _Panel, keys: list[str]) -> hv.Overlay | hv.DynamicMap:
    """Draw a panel, or make the map that draws it: one with menus for the keys, which thins anew at every zoom."""
    import holoviews as hv

    if not keys and not panel.is_thinned:
        return panel.draw({})
    labels = choices(panel.array, keys)

    def draw(*chosen: str | int, **streamed: tuple[float, float] | None) -> hv.Overlay:
        positions = {dim: labels[dim].index(label) for dim, label in zip(keys, chosen, strict=True)}
        return panel.draw(positions, streamed.get("x_range"))

    streams = [hv.streams.RangeX()] if panel.is_thinned else []
    return hv.DynamicMap(draw, kdims=[hv.Dimension(dim, values=labels[dim]) for dim in keys], streams=streams)


def _line(course: Course, measure: hv.Dimension, i: int) -> hv.Curve:
    """Draw one line."""
    import holoviews as hv

    label = _style.short(course.name)
    curve = hv.Curve((course.seconds, course.values), "time", measure, label=label)
    colour, dash = _look_of(i)
    return look(curve, color=colour, line_dash=dash, line_width=1.5, bokeh=_hover(label, measure))


def _dots(course: Course, measure: hv.Dimension, i: int) -> Iterator[hv.Scatter]:
    """Draw dots where a value has no neighbour, if there are such values."""
    import holoviews as hv

    alone = _alone(course.values)
    if alone.any():
        label = _style.short(course.name)
        dots = hv.Scatter((course.seconds[alone], course.values[alone]), "time", measure, label=label)
        yield look(dots, color=_look_of(i)[0], marker_size=5, bokeh=_hover(label, measure))


def _all_dots(courses: list[Course], measure: hv.Dimension) -> hv.Scatter:
    """Draw the dots of all lines as one element, which is always there, because zooms may bring some into view."""
    import holoviews as hv

    alone = [_alone(course.values) for course in courses]
    colours = [np.full(int(a.sum()), _look_of(i)[0], dtype=object) for i, a in enumerate(alone)]
    columns = (
        np.concatenate([course.seconds[a] for course, a in zip(courses, alone, strict=True)]),
        np.concatenate([course.values[a] for course, a in zip(courses, alone, strict=True)]),
        np.concatenate(colours),
    )
    dots = hv.Scatter(columns, "time", [measure, "colour"])
    return look(dots, color=hv.dim("colour"), marker_size=5, show_legend=False, bokeh=_hover("value", measure))


def _look_of(i: int) -> tuple[str, str]:
    return COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)]


def _hover(label: str, measure: hv.Dimension) -> dict[str, Any]:
    tooltips = [(label, f"@{{{measure.name}}}{{0.000}}"), ("time", "@time{0.000} s")]
    return {"tools": ["hover"], "hover_tooltips": tooltips}


def _alone(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    there = np.concatenate([[False], np.isfinite(values), [False]])
    return np.asarray(there[1:-1] & ~there[:-2] & ~there[2:])
