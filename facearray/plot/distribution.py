"""How values of features are distributed over units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from facearray.plot import _style
from facearray.plot._bars import frame, point_row
from facearray.plot._style import look
from facearray.stats.units import UnitValues, levels, unit_values

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["distribution"]

#: Points beyond which only boxes are drawn.
MAX_POINTS = 5000

#: Parts of the values that whiskers and boxes end at.
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def distribution(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    by: str | None = None,
    unit: str = "video",
    statistic: str = "mean",
    min_valid: float = 0.5,
    face: int | None = None,
    title: str | None = None,
    ylabel: str | None = None,
) -> hv.Overlay | hv.Layout:
    """Draw how features are distributed over videos, or over all frames.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    features
        Names of groups and features, as for `facearray.selectors.select`.
    by
        Coordinate of the units whose levels stand side by side.
    unit, statistic, min_valid
        How frames become one value a unit, as for `facearray.stats.unit_values`. ``unit="frame"`` describes frames,
        which are not independent.
    face
        The person's slot, where there are several.
    title, ylabel
        Texts; by default the group of the features, and the statistic.

    Returns
    -------
    holoviews.Overlay or holoviews.Layout
        One panel a group and unit of features. Boxes go from the first to the third quartile with a line at the
        median, whiskers to the 5 and 95 % quantiles; every unit is a point, as long as there are no more than 5,000.
        A unit without a value of a feature is not in its box.

    Raises
    ------
    InputError
        If a name is unknown, or there are several faces and none is chosen.
    SchemaError
        If ``ds`` does not follow the schema.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), np.array([1, 2, 6], "f4").reshape(3, 1, 1, 1))},
    ...     {"video": list("abc"), "feature": ["AU12"], "frame_number": (("video", "frame"), np.zeros((3, 1), int))},
    ... )
    >>> distribution(ds).Scatter.I.dimension_values("mean").tolist()
    [1.0, 2.0, 6.0]
    """
    _style.load_backends()
    units = unit_values(ds, unit=unit, features=features, statistic=statistic, min_valid=min_valid)
    slot = _style.face_position(ds, face, "one picture")
    groups, codes = (
        levels(units.coordinate(by)) if by is not None else (np.array([""]), np.zeros(len(units.labels), int))
    )
    values = units.values[:, slot]
    every = [str(name) for name in units.features.tolist()]
    shape = "value" if unit == "frame" else statistic
    panels = []
    measures = list(_style.measures(every, ds))
    for group, measure_unit, names in measures:
        columns = [every.index(name) for name in names]
        measure = _style.dimension(shape, measure_unit)
        elements = _elements(values[:, columns], names, [str(g) for g in groups.tolist()], codes, units, by, measure)
        panels.append(
            frame(
                list(elements),
                names,
                title=title if title is not None else group,
                ylabel=ylabel if ylabel is not None else _style.with_unit(f"{shape} of a {unit}", measure_unit),
                size=(int(np.clip(240 + 24 * len(names) * len(groups), 420, 1000)), 340),
                show_legend=by is not None,
            )
        )
    return panels[0] if len(panels) == 1 else _style.column(panels, linked=_style.of_one_unit(measures))


def _elements(
    values: np.ndarray,
    features: Sequence[str],
    groups: Sequence[str],
    codes: np.ndarray,
    units: UnitValues,
    by: str | None,
    measure: hv.Dimension,
) -> Iterator[Any]:
    import holoviews as hv

    width = 0.8 / len(groups)
    x = np.arange(len(features))
    height = f"{measure.name}_height"
    for g, name in enumerate(groups):
        offset = (g - (len(groups) - 1) / 2) * width
        chosen = values[codes == g]
        quantiles = np.full((5, len(features)), np.nan)
        there = ~np.isnan(chosen).all(axis=0) if len(chosen) else np.zeros(len(features), bool)
        quantiles[:, there] = np.nanquantile(chosen[:, there], QUANTILES, axis=0)
        low, first, median, third, high = quantiles
        colour = _style.GROUP_COLOURS[g % len(_style.GROUP_COLOURS)]
        middle, half = x + offset, 0.4 * width
        whiskers = hv.Segments((middle, low, middle, high), ["position", measure, "position_end", height])
        yield look(whiskers, color=_style.DARK, line_width=1)
        texts = np.array(features, dtype=object)
        label = _style.short(name) if by is not None else ""
        box = hv.Rectangles(
            (middle - half, first, middle + half, third, texts, low, first, median, third, high),
            ["left", measure, "right", height],
            ["feature", "q05", "q25", "median", "q75", "q95"],
            label=label,
        )
        hover = [("feature", "@feature"), *((q, f"@{q}{{0.000}}") for q in ("q05", "q25", "median", "q75", "q95"))]
        yield look(
            box,
            bokeh={"fill_color": colour, "fill_alpha": 0.55, "line_color": _style.DARK, "tools": ["hover"]}
            | {"hover_tooltips": hover},
            mpl={"facecolor": colour, "alpha": 0.55, "edgecolor": _style.DARK, "linewidth": 0.8},
        )
        middle_line = hv.Segments((middle - half, median, middle + half, median), ["left", measure, "right", height])
        yield look(middle_line, color="black", line_width=2)
        if chosen.size and values.size <= MAX_POINTS:
            labels = [str(label) for label in units.labels[codes == g].tolist()]
            spread = x + offset + _style.jitter(len(chosen), 0.5 * width)[:, None]
            names = {units.unit: np.repeat(labels, len(features)), "feature": list(features) * len(labels)}
            yield point_row(spread.ravel(), chosen.ravel(), measure, names, size=4)
