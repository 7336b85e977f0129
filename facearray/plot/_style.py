"""How pictures look, the same on the screen (Bokeh) and in print (matplotlib).

Every element gets the options of both backends, so that one picture can be explored in a notebook and saved as a PDF.
Positions along an axis of names are numbers with the names as ticks: texts that are alike, or hostile, stay apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from facearray import schema
from facearray.errors import InputError, SchemaError, unknown_names

if TYPE_CHECKING:
    import holoviews as hv

#: Okabe and Ito's colours without yellow, which is too pale on white. Their number and that of the dash patterns have
#: no common factor, so that both go round and 28 lines differ; neighbours can be told apart in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES = ("solid", "dashed", "dotted", "dotdash")

#: Colours and markers of groups: neighbours differ in lightness, so that they can be told apart in grey.
GROUP_COLOURS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#F0E442", "#009E73", "#CC79A7")
MARKERS = ("circle", "square", "triangle", "diamond", "inverted_triangle", "cross", "x", "star")

#: What is not significant, has no value, or stays in the background.
GREY, PALE, DARK = "#767676", "#d9d9d9", "#333333"

#: From low to high by lightness, for matrices; the same order in grey and for colour-blind readers.
COLOUR_MAP = "cividis"

#: Pixels that become an inch in print.
PIXELS_PER_INCH = 120

#: Letters of a name on an axis or in a legend; hovering shows all of it.
MAX_LETTERS = 28

#: About as wide is one of them in print, where they are wider than on the screen.
PIXELS_A_LETTER = 9

#: Most names that are written along an axis.
MAX_TICKS = 60

_MPL_NAMES = {"line_width": "linewidth", "line_dash": "linestyle"}
_MPL_DASHES = {"solid": "-", "dashed": "--", "dotted": ":", "dotdash": "-."}
_MPL_MARKERS = dict(zip(MARKERS, ("o", "s", "^", "D", "v", "P", "X", "*"), strict=True))
_FONTS = {
    "title": 11,
    "labels": 10,
    "xticks": 9,
    "yticks": 9,
    "legend": 9,
    "legend_title": 9,
    "clabel": 10,
    "cticks": 9,
}


def load_backends() -> None:
    """Register both backends of HoloViews: Bokeh is the default, and one that was chosen before stays."""
    import holoviews as hv

    chosen = hv.Store.current_backend if hv.Store.renderers else "bokeh"
    import holoviews.plotting.bokeh
    import holoviews.plotting.mpl

    hv.Store.set_current_backend(chosen)


def look(
    element: Any,
    *,
    size: tuple[int, int] | None = None,
    bokeh: dict[str, Any] | None = None,
    mpl: dict[str, Any] | None = None,
    **both: Any,
) -> Any:
    """Set the options of both backends, and return the element.

    Parameters
    ----------
    element
        A HoloViews object.
    size
        Width and height in pixels; only for what stands by itself.
    bokeh, mpl
        Options of one backend.
    both
        Options of both, named as in Bokeh; ``marker_size`` is a diameter in pixels.
    """
    ours, theirs = dict(both), {_MPL_NAMES.get(name, name): value for name, value in both.items()}
    if "title" in both:
        # HoloViews fills in braces.
        ours["title"] = theirs["title"] = both["title"].replace("{", "{{").replace("}", "}}")
    if "linestyle" in theirs:
        theirs["linestyle"] = _MPL_DASHES[theirs["linestyle"]]
    if "marker" in theirs:
        theirs["marker"] = _MPL_MARKERS[theirs["marker"]]
    if "marker_size" in both:
        ours["size"] = ours.pop("marker_size")
        theirs["s"] = (0.75 * theirs.pop("marker_size")) ** 2
    if size is not None:
        ours |= {"width": size[0], "height": size[1], "fontsize": _FONTS}
        theirs |= {"fig_inches": (size[0] / PIXELS_PER_INCH, size[1] / PIXELS_PER_INCH), "aspect": "auto"}
        theirs |= {"fontsize": _FONTS}
    elif "colorbar" in both:
        # a bar is placed beside the element as it is then, not as its overlay makes it
        theirs["aspect"] = "auto"
    element = element.opts(backend="bokeh", **(ours | (bokeh or {})))
    return element.opts(backend="matplotlib", **(theirs | (mpl or {})))


def column(pictures: Sequence[Any], *, cols: int = 1, linked: bool = True) -> hv.Layout:
    """Put pictures below each other, in print with room for their labels; unless `linked`, each has its own scale."""
    import holoviews as hv

    layout = hv.Layout([in_column(picture) for picture in pictures]).cols(cols)
    if not linked:
        for backend in ("bokeh", "matplotlib"):
            layout = layout.opts(backend=backend, shared_axes=False)
    return layout.opts(backend="matplotlib", sublabel_format="", vspace=0.6, hspace=0.5, fig_inches=7)


def in_column(picture: Any) -> Any:
    """Give a picture its proportions, which HoloViews' layouts in matplotlib go by; by itself it fills its figure."""
    import holoviews as hv

    if isinstance(picture, hv.HoloMap):
        return picture
    size = hv.Store.lookup_options("matplotlib", picture, "plot").kwargs.get("fig_inches")
    return picture if size is None else picture.opts(backend="matplotlib", aspect=size[0] / size[1])


def dimension(name: str, unit: str = "") -> hv.Dimension:
    """Make a dimension whose column has a plain name, whatever the measure is called; axes of one name are linked."""
    import holoviews as hv

    return hv.Dimension((re.sub(r"\W", "_", name) or "value", name or "value"), unit=unit or None)


def short(text: object, letters: int = MAX_LETTERS) -> str:
    """Cut a long text in its middle, so that its beginning and its end can be read, and put it on one line."""
    line = " ".join(str(text).split()) or " "
    if len(line) <= letters:
        return line
    head = (letters - 1) // 2
    return f"{line[:head]}…{line[len(line) - (letters - 1 - head) :]}"


def ticks(names: Sequence[object], *, most: int = MAX_TICKS) -> list[tuple[int, str]]:
    """Positions 0, 1, … with names; of many, every so manieth."""
    step = -(-len(names) // most)
    return [(i, short(names[i])) for i in range(0, len(names), max(1, step))]


def tick_rotation(names: Sequence[object], width: int) -> int:
    """Turn names that would run into each other along an axis of so many pixels."""
    longest = max((len(short(name)) for name in names), default=0)
    # a blank between two
    side_by_side = (longest + 1) * len(names) * PIXELS_A_LETTER
    return 0 if side_by_side <= width else 45 if longest * len(names) <= 400 and longest < 20 else 90


def measures(features: Iterable[str], labels: xr.DataArray | xr.Dataset) -> Iterator[tuple[str, str, list[str]]]:
    """Group and unit of features that can share an axis, and their names, in the order of the features."""
    members: dict[tuple[str, str], list[str]] = {}
    for name in features:
        members.setdefault((field(labels, name, "group"), field(labels, name, "unit")), []).append(name)
    for (group, unit), names in members.items():
        yield group, unit, names


def of_one_unit(measures: Iterable[tuple[str, str, list[str]]]) -> bool:
    """Whether panels of what `measures` gives can share a scale; one of pixels would flatten shares."""
    return len({unit for _, unit, _ in measures}) < 2


def field(labels: xr.DataArray | xr.Dataset, feature: str, name: str) -> str:
    """Group, unit or description of a feature: what the data say, else what the schema knows."""
    if name in labels.coords and labels[name].dims == ("feature",):
        return str(labels[name].sel(feature=feature).to_numpy().item())
    known = schema.FEATURES.get(feature)
    return str(getattr(known, name)) if known else ""


def with_unit(name: str, unit: str) -> str:
    """Name an axis with its unit."""
    return f"{name} ({unit})" if unit else name


def refuse_result_of(name: str, ds: xr.Dataset, variable: str) -> None:
    """Refuse what a function returned where its picture is drawn of detections.

    Raises
    ------
    SchemaError
        If there is that variable of the function, and no detections.
    """
    if "features" not in ds.data_vars and variable in ds.data_vars:
        raise SchemaError(
            f"found a result of facearray.signal.{name}; expected the detections that it was made of, of which the "
            f"picture computes what it draws: ds.fex.plot.{name}() instead of ds.fex.{name}().fex.plot.{name}()"
        )


def one_of(kind: str, name: object, known: Iterable[object]) -> int:
    """Position of a name among those that exist.

    Raises
    ------
    InputError
        If it is not among them.
    """
    names = [str(other) for other in known]
    if str(name) not in names:
        raise unknown_names(kind, [str(name)], names)
    return names.index(str(name))


def check_limits(name: str, limits: tuple[float, float] | None) -> None:
    """Check what the ends of a colour scale shall be.

    Raises
    ------
    InputError
        Unless it is None, or two numbers of which the first is smaller.
    """
    if limits is None:
        return
    values = np.asarray(limits, np.float64)
    if values.shape != (2,) or not np.isfinite(values).all() or values[0] >= values[1]:
        raise InputError(f"found {name}={limits!r}; expected two numbers, the smaller one first; exchange them")


def face_position(ds: xr.Dataset | xr.DataArray, face: int | None, what: str) -> int:
    """Position of the chosen face, or of the only one.

    Raises
    ------
    InputError
        If there are several and none is chosen, or the chosen one does not exist.
    """
    if face is None:
        if ds.sizes["face"] > 1:
            raise InputError(f"found {ds.sizes['face']} faces; expected one for {what}: choose with face=0")
        return 0
    return one_of("face", face, ds["face"].to_numpy().tolist())


def one_face(ds: Any, face: int | None, what: str) -> Any:
    """Take the chosen face, or the only one, where there is such a dim.

    Raises
    ------
    InputError
        As for `face_position`.
    """
    return ds.isel(face=face_position(ds, face, what)) if "face" in ds.dims else ds


def group_style(i: int) -> tuple[str, str]:
    """Colour and marker of group i."""
    return GROUP_COLOURS[i % len(GROUP_COLOURS)], MARKERS[i % len(MARKERS)]


def jitter(n: int, width: float) -> np.ndarray:
    """Offsets that spread points over a width, the same at every call."""
    golden = 0.6180339887498949
    return ((np.arange(1, n + 1) * golden) % 1 - 0.5) * width
