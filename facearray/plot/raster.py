"""Features over time as rows of colours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.plot import _style
from facearray.plot._courses import chosen_in_menus, courses
from facearray.plot._style import look
from facearray.sampling import frame_step

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["raster"]


def raster(
    ds: xr.Dataset | xr.DataArray,
    features: str | Iterable[str] = "aus",
    *,
    limits: tuple[float, float] | None = None,
    max_columns: int = 600,
    title: str | None = None,
) -> hv.Overlay | hv.DynamicMap:
    """Draw features over time as an image, one row a feature.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), or a part of them that still has ``frame``.
    features
        Names of groups and features that share a unit, as for `facearray.selectors.select`.
    limits
        Values of the darkest and the lightest colour; by default 0 and 1 for what is measured from 0 to 1, else the
        lowest and the highest value of the video.
    max_columns
        Most columns. Where there are more frames, a column is the mean over a run of them, and the label of the time
        axis says so.
    title
        Heading; by default the video.

    Returns
    -------
    holoviews.Overlay or holoviews.DynamicMap
        Grey where there is no value. A menu chooses the video and the face where there are several; what is shown is
        read then.

    Raises
    ------
    InputError
        If a feature is unknown, the features do not share a unit, ``max_columns`` is not positive, ``limits`` are no
        range, or no frame has a time.
    SchemaError
        If ``ds`` has no ``frame`` dim, no ``timestamp``, or dims that are not those of detections.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1)
    >>> raster(ds, ["AU12", "happiness"]).QuadMesh.I.dimension_values("value").shape
    (12,)
    """
    if max_columns < 1:
        raise InputError(f"found max_columns={max_columns}; expected a positive number")
    _style.check_limits("limits", limits)
    _style.load_backends()
    array = courses(ds, features)
    names = [str(name) for name in array["feature"].to_numpy().tolist()]
    units = sorted({_style.field(array, name, "unit") for name in names})
    if len(units) > 1:
        shown = ", ".join(unit or "no unit" for unit in units)
        raise InputError(f"found features in {shown}; expected one unit: draw them one after the other")
    return chosen_in_menus(array, lambda one: _image(one, names, units[0], limits, max_columns, title))


def _image(
    array: xr.DataArray,
    names: list[str],
    unit: str,
    limits: tuple[float, float] | None,
    max_columns: int,
    title: str | None,
) -> hv.Overlay:
    import holoviews as hv

    array = array.transpose("feature", "frame").load()
    seconds = array["timestamp"].to_numpy()
    real = np.isfinite(seconds)
    if not real.any():
        raise InputError(
            "found no frame with a time; expected some: read the files with fps=, or set the coordinate 'timestamp'"
        )
    values, seconds, width = _columns(array.to_numpy()[:, real].astype(np.float64), seconds[real], max_columns)
    if limits is None:
        limits = _limits(array, names, values)
    edges = _edges(seconds)
    if not np.isfinite(values).any():
        # HoloViews looks for the smallest and the largest value: a column without width, which nobody sees, has one
        edges, values = np.append(edges, edges[-1]), np.pad(values, ((0, 0), (0, 1)), constant_values=limits[0])
    rows = np.arange(len(names) + 1) - 0.5
    measure = hv.Dimension("value", unit=unit or None)
    # the first feature is on top
    mesh = hv.QuadMesh((edges, rows, values[::-1]), ["time", "row"], measure)
    style: dict[str, Any] = {"clipping_colors": {"NaN": _style.PALE}}
    mesh = look(
        mesh,
        cmap=_style.COLOUR_MAP,
        clim=limits,
        colorbar=True,
        clabel=_style.with_unit("value", unit),
        bokeh={"tools": ["hover"], "hover_tooltips": [("time", "@time{0.000} s"), ("value", "@value{0.000}")], **style},
        mpl=style,
    )
    heading = title if title is not None else str(array["video"].item()) if "video" in array.coords else ""
    return look(
        hv.Overlay([mesh]),
        size=(800, int(np.clip(110 + 16 * len(names), 180, 900))),
        title=_style.short(heading, 60),
        xlabel="time (s)" if width == 1 else f"time (s); a column is the mean of {width} frames",
        ylabel="",
        yticks=_style.ticks(names[::-1]),
        xlim=(float(edges[0]), float(edges[-1])),
        ylim=(-0.5, len(names) - 0.5),
    )


def _limits(array: xr.DataArray, names: list[str], values: NDArray[np.float64]) -> tuple[float, float]:
    described = [_style.field(array, name, "group") for name in names]
    if set(described) <= {"aus", "emotions", "blendshapes"}:
        return 0.0, 1.0
    found = values[np.isfinite(values)]
    return (float(found.min()), float(found.max())) if len(found) and found.min() < found.max() else (0.0, 1.0)


def _columns(
    values: NDArray[np.float64], seconds: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Average runs of frames of (n_feature, n_frame) values, so that there are no more than ``most``."""
    width = max(1, -(-values.shape[1] // most))
    if width == 1:
        return values, seconds, 1
    n = -(-values.shape[1] // width)
    padded = np.pad(values, ((0, 0), (0, n * width - values.shape[1])), constant_values=np.nan).reshape(-1, n, width)
    there = ~np.isnan(padded)
    with np.errstate(invalid="ignore"):
        means = np.where(there, padded, 0).sum(axis=2) / there.sum(axis=2)
    return cast("NDArray[np.float64]", means), seconds[::width], width


def _edges(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Begin of each column, and the end of the last."""
    if not len(seconds):
        return np.array([0.0, 1.0])
    return np.append(seconds, seconds[-1] + (frame_step(seconds) or 1.0))
