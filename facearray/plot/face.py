"""Faces drawn from numbers: action units, blendshapes, landmarks, or the results of statistics."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from facearray._words import plain, some
from facearray.errors import InputError, unknown_names
from facearray.plot import _style
from facearray.plot._face_lines import Patch, muscle_patches
from facearray.plot._face_surface import BOUNDS, normals, project, render, view_rotation
from facearray.plot._face_values import FaceValues, face_values, ranged
from facearray.plot._style import look
from facearray.plot.rig.deform import points as rig_points
from facearray.plot.rig.muscles import MUSCLES
from facearray.plot.rig.table import MOVEMENTS

if TYPE_CHECKING:
    import holoviews as hv

    from facearray.plot.face_model import FaceModel

__all__ = ["face"]

_Array = NDArray[np.float64]

#: Pixels of the picture of one face.
HEIGHT = 460

#: Angles of ``view="3d"`` in degrees.
AZIMUTH, ELEVATION = 32.0, 6.0

#: Degrees to a side, up or down, that a view can be turned by.
MOST_TURNED = 80.0

#: Shorter arrows are not drawn, in cm.
LEAST_ARROW = 0.08

#: How muscles can show their values.
WAYS = ("heatmap", "outline")

Muscles = Literal["heatmap", "outline"] | Mapping[str, str] | None
View = Literal["2d", "3d"] | tuple[float, float]

#: From the colour of the skin, at 0, to that of the largest value: of increases and of decreases.
_RISING = ((219, 201, 189), (240, 140, 80), (200, 30, 40), (120, 0, 30))
_FALLING = ((219, 201, 189), (130, 170, 205), (50, 105, 175), (8, 48, 107))

#: Colours from 0 to the largest value.
_LEVELS = 64

_LINE, _ARROW = "#3b2f2b", "#0072B2"


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """A face in the form in which it is drawn.

    Attributes
    ----------
    values
        What it is drawn from.
    movement
        (20, 2) intensities that the points are moved by, 0 to 1.
    factor
        What values were multiplied with for that.
    points
        (478, 3) in cm of the canonical face.
    rotation
        (3, 3) of the head and the view.
    perspective
        Whether what is nearer is larger.
    creases
        (20, 2) intensities that make lines in the skin.
    """

    values: FaceValues
    movement: _Array
    factor: float
    points: _Array
    rotation: _Array
    perspective: bool
    creases: _Array


def face(
    values: Any,
    *,
    muscles: Muscles = "heatmap",
    gaze: tuple[float, float] | Mapping[str, float] | None = None,
    view: View = "2d",
    vectorfield: Any = None,
    feature_range: tuple[float, float] | None = None,
    exaggerate: float | None = None,
    variable: str | None = None,
    term: str | None = None,
    what: Literal["pattern", "weights"] = "pattern",
    feature_set: str | None = None,
    model: FaceModel | None = None,
    clim: tuple[float, float] | None = None,
    title: str | None = None,
) -> hv.Overlay:
    """Draw a face from action units, blendshapes or landmarks.

    Parameters
    ----------
    values
        One of:

        - action units by name, in a mapping, a Series, or a DataArray with the dim ``feature``: ``{"AU12": 1}`` both
          sides, ``{"AU12_left": 1}`` the subject's left one only. Intensities are 0 to 1; what is not named, or NaN,
          does not move. Or 20 numbers in the order of the feature group ``aus``.
        - blendshapes, by name or 52 numbers in the order of the feature group: each moves the action unit that it
          stands for, and those of the eyes turn them.
        - landmarks, (478, 3) in pixels, or a DataArray with the dims ``landmark`` and ``axis``: drawn as they are, in
          the pose that the head has.
        - a result: of `facearray.stats.regress`, `ttest`, `summarize` or `decode`, or one of its variables. Values
          that have either sign are differences: see Notes.
        - ``"neutral"``: the face at rest.

        Dims of size 1 do not matter. ``gaze_pitch`` and ``gaze_yaw`` turn the eyes if they are there; further features
        of a Dataset or DataArray are left out.
    muscles
        How the muscles of the action units show their values: ``"heatmap"`` fills them, ``"outline"`` draws their
        outlines, None leaves them out. A mapping chooses some, by action unit, muscle or ``"all"``, and a way or one
        colour for each: ``{"AU12": "heatmap", "AU04": "outline", "masseter": "#009E73"}``.
    gaze
        Pitch and yaw of the eyes in degrees, positive down and to the image's right.
    view
        ``"2d"``: from the front. ``"3d"``: from the subject's left and above, in perspective. Or azimuth and elevation
        in degrees.
    vectorfield
        A face, as for `values`, from whose points arrows are drawn to this one; ``"neutral"`` for the face at rest.
    feature_range
        Least and largest of the values are mapped to these, linearly, before drawing. That turns negative values into
        the minimum and changes what zero is; it is offered because tools before had it.
    exaggerate
        What movements, not colours, are multiplied with; they end at 1. By default 1 for intensities; of differences,
        so that the largest positive one is a full movement. The heading says so.
    variable, term
        Of a result in a Dataset: the variable, by default the estimate; and of a regression the regressor, where there
        are several.
    what, feature_set
        Of a decoding: the activation ``"pattern"``, or the ``"weights"`` of the model, which are not a face, as the
        heading says; and the set of features, where several have action units.
    model
        A `facearray.plot.FaceModel` that moves the points, in place of the table of movements.
    clim
        Values at the ends of the colours. By default 0 and 1 for intensities, and for differences the largest one to
        either side of 0.
    title
        Heading.

    Returns
    -------
    holoviews.Overlay
        The surface in pixels, lines and brows, a muscle a polygon with its ``value``, and arrows.

    Warns
    -----
    UserWarning
        With ``feature_range`` and negative values, and for blendshapes that no action unit stands for.

    Raises
    ------
    InputError
        If names are unknown, the number of values fits nothing, all are missing, intensities are out of range, or
        `clim` is no range.

    Notes
    -----
    Of differences, positive ones move the face and negative ones are only coloured: no muscle contracts less than not
    at all. The heading names them.

    Examples
    --------
    >>> picture = face({"AU06": 0.7, "AU12": 1})
    >>> sorted({str(unit) for unit in picture.Muscles.I.dimension_values("unit", expanded=False)})
    ['AU06', 'AU12']
    """
    found = face_values(values, variable=variable, term=term, what=what, feature_set=feature_set, gaze=gaze)
    if feature_range is not None:
        (found,) = ranged((found,), feature_range)
    drawing = make_drawing(found, view, movement_factor(found, exaggerate), model)
    start = None
    if vectorfield is not None:
        start = make_drawing(face_values(vectorfield), view, None, model)
    return draw(drawing, muscles, start=start, clim=clim, title=title)


def movement_factor(values: FaceValues, exaggerate: float | None) -> float | None:
    """Find what movements are multiplied with; None for landmarks.

    Raises
    ------
    InputError
        If it is no positive number, or landmarks are to be exaggerated.
    """
    if exaggerate is not None and not (np.isfinite(exaggerate) and exaggerate > 0):
        raise InputError(f"found exaggerate={exaggerate}; expected a number above 0")
    if values.landmarks is not None:
        if exaggerate is not None:
            raise InputError(f"found exaggerate={exaggerate} with landmarks, which are drawn as they are; leave it out")
        return None
    if exaggerate is not None:
        return float(exaggerate)
    largest = float(np.nanmax(values.units, initial=0.0))
    return 1.0 / largest if values.signed and largest > 0 else 1.0


def make_drawing(values: FaceValues, view: View, factor: float | None, model: FaceModel | None = None) -> Drawing:
    """Move the points of a face, by intensities times a factor.

    Raises
    ------
    InputError
        If there is no such view, or a model cannot move what is drawn.
    """
    rotation, perspective = _view(view)
    if values.landmarks is not None:
        if model is not None:
            raise InputError("found model with landmarks, which are drawn as they are; leave it out")
        turned = rotation if values.rotation is None else rotation @ values.rotation
        none = np.zeros_like(values.units)
        return Drawing(values, none, 1.0, values.landmarks, turned, perspective, none)
    factor = 1.0 if factor is None else factor
    movement = np.clip(np.nan_to_num(values.units) * factor, 0.0, 1.0)
    moved = rig_points(movement, values.gaze, None if model is None else model.fields)
    # a model knows nothing of lines
    creases = movement if model is None else np.zeros_like(movement)
    return Drawing(values, movement, factor, moved, rotation, perspective, creases)


def draw(
    drawing: Drawing,
    muscles: Muscles = "heatmap",
    *,
    start: Drawing | None = None,
    clim: tuple[float, float] | None = None,
    title: str | None = None,
    colorbar: bool = True,
    height: int | None = None,
) -> hv.Overlay:
    """Draw the picture of a face."""
    import holoviews as hv

    _style.load_backends()
    ways, height = _ways(muscles), height or HEIGHT
    left, bottom, right, top = BOUNDS
    seen = project(drawing.points, drawing.rotation, perspective=drawing.perspective)
    facing = normals(drawing.points) @ drawing.rotation[2]
    pixels = render(drawing.points, drawing.rotation, drawing.creases, perspective=drawing.perspective, height=height)
    surface = hv.RGB(pixels, bounds=BOUNDS, kdims=["x", "y"], vdims=list("RGBA"), group="Surface")
    elements = [look(surface, mpl={"interpolation": "hanning"})]
    elements += _muscles(list(muscle_patches(seen, facing, drawing.values.units)), ways, drawing.values, clim, colorbar)
    if start is not None:
        elements += _arrows(project(start.points, drawing.rotation, perspective=drawing.perspective), seen, facing)
    return look(
        hv.Overlay(elements),
        size=(int(height * (right - left) / (top - bottom)) + (110 if colorbar else 0), height + 50),
        title=_heading(drawing, title),
        xlim=(left, right),
        ylim=(bottom, top),
        xaxis=None,
        yaxis=None,
        show_legend=False,
        bokeh={"data_aspect": 1},
        mpl={"aspect": "equal", "show_frame": False},
    )


def _view(view: View) -> tuple[_Array, bool]:
    if view == "2d":
        return np.eye(3), False
    if view == "3d":
        return view_rotation(AZIMUTH, ELEVATION), True
    if isinstance(view, str):
        raise unknown_names("view", [view], ["2d", "3d"])
    angles = np.asarray(view, np.float64)
    if angles.shape != (2,) or not (np.abs(angles) <= MOST_TURNED).all():
        raise InputError(
            f"found view={view!r}; expected '2d', '3d', or azimuth and elevation within {MOST_TURNED:g} degrees"
        )
    return view_rotation(*angles.tolist()), True


def _ways(muscles: Muscles) -> dict[str, str]:
    """Way or colour by muscle and action unit."""
    if muscles is None:
        return {}
    given: dict[str, str] = {"all": muscles} if isinstance(muscles, str) else dict(muscles)
    unknown = [name for name in given if name not in ("all", *MOVEMENTS, *MUSCLES)]
    if unknown:
        raise unknown_names("muscle or action unit", unknown, ["all", *MOVEMENTS, *MUSCLES])
    wrong = [way for way in given.values() if way not in WAYS and not is_colour(way)]
    if wrong:
        raise InputError(
            f"found {', '.join(map(repr, wrong))} for muscles; expected {' or '.join(map(repr, WAYS))}, or a colour "
            "such as '#009E73'"
        )
    return given


def is_colour(name: object) -> bool:
    """Whether matplotlib and Bokeh know a colour, or it is written as #rrggbb."""
    from bokeh.colors import named

    return isinstance(name, str) and (bool(re.fullmatch(r"#[0-9a-fA-F]{6}", name)) or name.lower() in named.__all__)


def colour_limits(values: FaceValues) -> tuple[float, float]:
    """Values at the ends of the colours, if none are given."""
    if not values.signed:
        return 0.0, max(1.0, float(np.nanmax(values.units, initial=0.0)))
    largest = float(np.nanmax(np.abs(values.units), initial=0.0)) or 1.0
    return -largest, largest


def _muscles(
    patches: list[Patch],
    ways: Mapping[str, str],
    values: FaceValues,
    clim: tuple[float, float] | None,
    colorbar: bool,
) -> list[Any]:
    """Fill or outline the muscles."""
    import holoviews as hv

    _style.check_limits("clim", clim)
    limits = clim if clim is not None else colour_limits(values)
    by_way: dict[str, list[Patch]] = {}
    for patch in patches:
        way = ways.get(patch.muscle, ways.get(patch.unit, ways.get("all")))
        if way is not None:
            by_way.setdefault(way, []).append(patch)
    elements: list[Any] = []
    for way, chosen in by_way.items():
        data = [
            {
                "x": patch.outline[:, 0],
                "y": patch.outline[:, 1],
                "value": patch.value,
                "unit": patch.unit,
                "muscle": patch.muscle,
                "side": patch.side,
            }
            for patch in chosen
        ]
        kind = hv.Contours if way == "outline" else hv.Polygons
        shapes = kind(data, ["x", "y"], ["value", "unit", "muscle", "side"], group="Muscles")
        cmap = muscle_colours(signed=values.signed) if way in WAYS else [way, way]
        fill = {"line_color": _LINE, "line_alpha": 0.4, "fill_alpha": 0.72}, {"edgecolor": _LINE, "alpha": 0.72}
        elements.append(
            look(
                shapes,
                color="value",
                clim=limits,
                # one bar for all that are coloured by their value
                colorbar=colorbar and way == next((name for name in by_way if name in WAYS), None),
                clabel=values.name,
                cmap=cmap,
                line_width=2.5 if way == "outline" else 0.4,
                bokeh={
                    **(fill[0] if way != "outline" else {}),
                    "tools": ["hover"],
                    "hover_tooltips": [("", "@muscle, @side"), ("@unit", "@value{0.000}")],
                },
                mpl=fill[1] if way != "outline" else {},
            )
        )
    return elements


def muscle_colours(*, signed: bool) -> list[str]:
    """Colours from the lowest value to the highest; 0 is not told from the skin."""

    def ramp(colours: tuple[tuple[int, int, int], ...]) -> list[str]:
        share = np.linspace(0.0, 1.0, _LEVELS)
        ends = np.linspace(0.0, 1.0, len(colours))
        channels = [np.interp(share, ends, column) for column in zip(*colours, strict=True)]
        return ["#" + "".join(f"{round(value):02x}" for value in row) for row in zip(*channels, strict=True)]

    return [*ramp(_FALLING)[::-1], *ramp(_RISING)] if signed else ramp(_RISING)


def _arrows(start: _Array, end: _Array, facing: _Array) -> list[Any]:
    """Arrows from points to points, where they are apart and seen."""
    import holoviews as hv

    way = (end - start)[:, :2]
    length = np.linalg.norm(way, axis=1)
    drawn = np.flatnonzero((length > LEAST_ARROW) & (facing[: len(length)] > 0))
    if not len(drawn):
        return []
    start, end, way = start[drawn, :2], end[drawn, :2], way[drawn] / length[drawn, None]
    side = np.column_stack([-way[:, 1], way[:, 0]])
    head = np.minimum(0.22, 0.5 * length[drawn])[:, None]
    shafts = np.column_stack([start, end])
    barbs = [np.column_stack([end - head * (way + sign * 0.5 * side), end]) for sign in (1, -1)]
    names = ["x", "y", "x_end", "y_end"]
    arrows = hv.Segments(np.column_stack([shafts, drawn, length[drawn]]), names, ["point", "cm"], group="Arrows")
    heads = hv.Segments(np.concatenate(barbs), names, group="Heads")
    return [look(part, color=_ARROW, line_width=1.2) for part in (arrows, heads)]


def _heading(drawing: Drawing, title: str | None) -> str:
    """Write the title, and below it what has to be known to read the picture."""
    values = drawing.values
    notes = list(values.notes)
    if values.signed:
        per_unit = {name: row[np.nanargmax(np.abs(row))] for name, row in _given(values).items()}
        negative = [name for name, value in per_unit.items() if value < 0]
        if negative:
            notes.append(f"below 0, coloured only: {some(negative)}")
    if drawing.factor != 1:
        notes.append(f"movement times {plain(drawing.factor)}")
    if title is None:
        title = _named(values) if values.landmarks is None else ""
    return "\n".join(part for part in (title, *textwrap.wrap("; ".join(notes), 64)) if part)


def _named(values: FaceValues) -> str:
    """Name the action units that there are, if they are few."""
    given = [name for name, row in _given(values).items() if np.nanmax(np.abs(row)) > 0]
    return ", ".join(given) if len(given) <= 6 else ""


def _given(values: FaceValues) -> dict[str, _Array]:
    return {name: row for name, row in zip(MOVEMENTS, values.units, strict=True) if np.isfinite(row).any()}
