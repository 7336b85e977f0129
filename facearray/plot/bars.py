"""Summaries as bars, with the units that they summarize."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import xarray as xr

from facearray import selectors
from facearray.errors import InputError, SchemaError, unknown_names
from facearray.plot import _style
from facearray.plot._bars import bar_row, error_row, frame, level, point_row

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["bars"]

#: Groups that have a colour of their own and a legend.
MOST_GROUPS = 12

#: Statistics that say how far values scatter, and those that count; neither is drawn as a bar unless asked for.
SPREADS, COUNTS = ("sem", "std"), ("n", "n_eff")


def bars(
    ds: xr.Dataset | xr.DataArray,
    *,
    features: str | Iterable[str] | None = None,
    video: str | None = None,
    group: str | None = None,
    error: str | Literal[False] | None = None,
    points: xr.Dataset | xr.DataArray | None = None,
    statistic: str | None = None,
    hline: float | None = None,
    title: str | None = None,
    ylabel: str | None = None,
) -> hv.Overlay | hv.Layout:
    """Draw a summary as bars.

    Parameters
    ----------
    ds
        From `facearray.stats.summarize`, or one variable of it. Detections are summarized first: mean and standard
        error over the videos of each `group`, which are drawn as points.
    features
        Names of groups and features, as for `facearray.selectors.select`; all by default.
    video
        The one video of a summary by video that is drawn.
    group
        The dim of the summary whose entries stand side by side; by default the one that it was made by.
    error
        Variable with the half length of the error bars, ``"sem"`` or ``"std"``; by default ``sem`` if the summary has
        it. False for none.
    points
        A summary by video (or by another unit), whose values are drawn over the bars. It needs the coordinate `group`.
    statistic
        Variable with the heights of the bars; by default the first that is neither a spread nor a count.
    hline
        Height of a dashed line.
    title, ylabel
        Texts; by default the group of the features, and the statistic with its unit.

    Returns
    -------
    holoviews.Overlay or holoviews.Layout
        One panel for each group and unit of features, and for each face where there are several. A feature without a
        value has no bar.

    Raises
    ------
    InputError
        If a feature, a variable, the group or the video is unknown, or `points` have no such group.
    SchemaError
        If ``ds`` has other dims than a summary.

    Examples
    --------
    >>> import xarray as xr
    >>> labels = {"condition": ["bad", "good"], "feature": ["AU06", "AU12"]}
    >>> means = xr.DataArray([[0.2, 0.1], [0.5, 0.7]], coords=labels, dims=list(labels), name="mean")
    >>> [bar.dimension_values("mean").tolist() for bar in bars(means, group="condition")]
    [[0.2, 0.1], [0.5, 0.7]]
    """
    _style.load_backends()
    summary = _summary(ds, features, video, group, error, points, statistic)
    measures = list(_style.measures(summary.values["feature"].to_numpy().tolist(), summary.values))
    panels = [
        _panel(summary.of_face(face), names, hline, title, ylabel, (name, unit), face)
        for face in summary.faces
        for name, unit, names in measures
    ]
    return panels[0] if len(panels) == 1 else _style.column(panels, linked=_style.of_one_unit(measures))


@dataclass(frozen=True, slots=True, eq=False)
class _Summary:
    """Heights, half lengths of error bars, and single values, with dims (row, face, feature)."""

    values: xr.DataArray
    half: xr.DataArray | None
    points: xr.DataArray | None
    row: str
    error: str

    @property
    def faces(self) -> list[Any]:
        return self.values["face"].to_numpy().tolist() if "face" in self.values.dims else [None]

    def of_face(self, face: Any) -> _Summary:
        if face is None:
            return self
        parts = [
            part.isel(face=self.faces.index(face)) if part is not None and "face" in part.dims else part
            for part in (self.values, self.half, self.points)
        ]
        return _Summary(cast("xr.DataArray", parts[0]), parts[1], parts[2], self.row, self.error)


def _summary(
    ds: xr.Dataset | xr.DataArray,
    features: str | Iterable[str] | None,
    video: str | None,
    group: str | None,
    error: str | Literal[False] | None,
    points: xr.Dataset | xr.DataArray | None,
    statistic: str | None,
) -> _Summary:
    if isinstance(ds, xr.Dataset) and "frame" in ds.dims:
        from facearray.stats import summarize

        if points is None and video is None:
            points = summarize(ds, by="video", features=features)
        by = "video" if video is not None else group
        asked = ("mean",) if by == "video" else ("mean", error if error in SPREADS else "sem")
        ds = summarize(ds, cast("Iterable[str]", asked), by=by, features=features)
    if features is not None:
        ds = selectors.select(ds, features)
    values, half, error_name = _variables(ds, statistic, error)
    if video is not None:
        if "video" not in values.dims:
            raise InputError(f"found video={video!r} and a summary without videos; summarize with by='video'")
        chosen = _style.one_of("video", video, values["video"].to_numpy().tolist())
        values, half = values.isel(video=chosen), None if half is None else half.isel(video=chosen)
    if values.sizes.get("face") == 1:
        values, half = values.isel(face=0), None if half is None else half.isel(face=0)
    row = _row(values, group)
    if points is not None:
        points = points[values.name] if isinstance(points, xr.Dataset) and values.name in points else points
        points = _points(cast("xr.DataArray", points), values, row)
    return _Summary(values, half, points, row, error_name)


def _variables(
    ds: xr.Dataset | xr.DataArray, statistic: str | None, error: str | Literal[False] | None
) -> tuple[xr.DataArray, xr.DataArray | None, str]:
    if isinstance(ds, xr.DataArray):
        if statistic is not None or error:
            raise InputError(
                f"found one variable with statistic={statistic!r}, error={error!r}; give the whole summary"
            )
        return ds.rename(ds.name or "value").compute(), None, ""
    names = [str(name) for name in ds.data_vars if "feature" in ds[name].dims]
    if not names:
        raise SchemaError("found no variable with a dim 'feature'; expected a summary: use .fex.summarize() first")
    heights = [name for name in names if name not in (*SPREADS, *COUNTS)] or names
    chosen = statistic or heights[0]
    wanted = "sem" if error is None and "sem" in names and chosen != "sem" else error
    if unknown := [name for name in (chosen, wanted) if name and name not in names]:
        raise unknown_names("variable of the summary", unknown, names)
    half = ds[wanted].compute() if wanted else None
    return ds[chosen].compute(), half, str(wanted or "")


def _row(values: xr.DataArray, group: str | None) -> str:
    """Find the dim whose entries stand side by side; empty if there is none."""
    rows = [str(dim) for dim in values.dims if dim not in ("face", "feature")]
    if "feature" not in values.dims or len(rows) > 1:
        raise SchemaError(
            f"found dims {', '.join(map(str, values.dims))}; expected feature, and besides it face and one to group by"
        )
    if group is not None and group not in rows:
        raise unknown_names("dim of the summary", [group], rows)
    return rows[0] if rows else ""


def _points(points: xr.DataArray, values: xr.DataArray, row: str) -> xr.DataArray:
    """Cut single values to the features that are drawn, and check that their groups are known."""
    if "feature" not in points.dims or len(units := [d for d in points.dims if d not in ("face", "feature")]) != 1:
        raise SchemaError(
            f"found points with dims {', '.join(map(str, points.dims))}; expected one unit, face and feature, as from "
            ".fex.summarize(by='video')"
        )
    if row and row not in points.coords:
        known = [str(name) for name in points.coords if points[name].dims == (units[0],)]
        raise unknown_names("coordinate of the points", [row], known)
    if "face" in points.dims and "face" not in values.dims:
        points = _style.one_face(points, None, "points")
    return cast("xr.DataArray", selectors.select(points, values["feature"].to_numpy().tolist())).compute()


def _panel(
    summary: _Summary,
    features: list[str],
    hline: float | None,
    title: str | None,
    ylabel: str | None,
    measured: tuple[str, str],
    face: Any,
) -> hv.Overlay:
    values = summary.values.sel(feature=features)
    statistic = str(values.name)
    measure = _style.dimension(statistic, measured[1])
    groups = [str(g) for g in values[summary.row].to_numpy().tolist()] if summary.row else [""]
    width = 0.8 / len(groups)
    offsets = (np.arange(len(groups)) - (len(groups) - 1) / 2) * width
    elements = list(_bar_elements(summary, values, groups, offsets, width, measure))
    if hline is not None:
        elements.append(level(hline))
    heading = title if title is not None else (measured[0] or statistic)
    spread = f" ± {summary.error}" if summary.half is not None else ""
    shown = ylabel if ylabel is not None else _style.with_unit(f"{statistic}{spread}", measured[1])
    return frame(
        elements,
        features,
        title=heading if face is None else f"{heading} · face {face}",
        ylabel=shown,
        size=(int(np.clip(260 + 20 * len(features) * len(groups), 420, 1000)), 340),
        show_legend=bool(summary.row) and len(groups) <= MOST_GROUPS,
    )


def _bar_elements(
    summary: _Summary,
    values: xr.DataArray,
    groups: Sequence[str],
    offsets: np.ndarray,
    width: float,
    measure: hv.Dimension,
) -> Iterator[Any]:
    """Bars of each group first, then error bars, then points, so that nothing is hidden."""
    features = values["feature"].to_numpy().tolist()
    x = np.arange(len(features))

    def of(array: xr.DataArray, g: int) -> np.ndarray:
        array = array.isel({summary.row: g}) if summary.row else array
        return np.asarray(array.sel(feature=features).transpose("feature"), dtype=float)

    for g, name in enumerate(groups):
        colour = (
            _style.GROUP_COLOURS[g % len(_style.GROUP_COLOURS)] if len(groups) <= MOST_GROUPS else _style.COLOURS[0]
        )
        names = {"feature": features}
        if summary.row:
            names[summary.row] = [name] * len(features)
        further = {} if summary.half is None else {summary.error: of(summary.half, g)}
        yield bar_row(x + offsets[g], of(values, g), width, measure, names, label=name, colour=colour, further=further)
    if summary.half is not None and summary.half.notnull().any():
        for g in range(len(groups)):
            height, half = of(values, g), of(summary.half, g)
            yield error_row(x + offsets[g], height, height - half, height + half, measure)
    if summary.points is not None:
        yield from _point_elements(summary, features, groups, offsets, width, measure)


def _point_elements(
    summary: _Summary,
    features: list[str],
    groups: Sequence[str],
    offsets: np.ndarray,
    width: float,
    measure: hv.Dimension,
) -> Iterator[Any]:
    points = cast("xr.DataArray", summary.points).sel(feature=features)
    (unit,) = (str(dim) for dim in points.dims if dim not in ("face", "feature"))
    of_group = [str(g) for g in points[summary.row].to_numpy().tolist()] if summary.row else [""] * points.sizes[unit]
    for g, name in enumerate(groups):
        chosen = points.isel({unit: [i for i, other in enumerate(of_group) if other == name]})
        array = chosen.transpose(unit, "feature").to_numpy()
        x = np.arange(len(features)) + offsets[g] + _style.jitter(len(array), 0.5 * width)[:, None]
        labels = [str(label) for label in chosen[unit].to_numpy().tolist()]
        names = {unit: np.repeat(labels, len(features)), "feature": features * len(labels)}
        yield point_row(x.ravel(), array.ravel(), measure, names, size=4)
