"""What takes the place of measurements, and what is then known of them: marks of frames, units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.signal._apply import Frames, Output, Result, feature_positions, is_lazy, map_videos

__all__ = ["map_series", "mask_where", "with_marks", "with_unit"]


def map_series(
    ds: xr.Dataset,
    function: Callable[[NDArray[np.float64], Frames], NDArray[np.floating]],
    *,
    features: str | Iterable[str] | None = None,
) -> xr.Dataset:
    """Replace the time courses of features by others of the same frames.

    Parameters
    ----------
    ds
        Detections. They are not changed.
    function
        From the courses (n_series, n_frame) of the features of all faces in float64, NaN where there is no value, and
        the frames of the video, to courses of the same shape. It may change what it is given.
    features
        Groups and names, as for `facearray.selectors.select`; all by default. Others stay as they are.

    Returns
    -------
    xarray.Dataset
        ``ds`` with other ``features``, of the same dtype.
    """
    chosen = feature_positions(ds, features)

    def replaced(frames: Frames) -> Result:
        out = frames.data["features"].copy()
        part = out if chosen is None else out[:, chosen]
        courses = part.reshape(-1, part.shape[-1]).astype(np.float64)
        out[:, slice(None) if chosen is None else chosen] = function(courses, frames).reshape(part.shape)
        return (out,)

    variable = ds.variables["features"]
    (found,) = map_videos(ds, replaced, [Output.like(variable)])
    found.attrs = variable.attrs
    return ds.assign(features=found)


def mask_where(
    ds: xr.Dataset,
    name: str,
    function: Callable[[Frames], NDArray[np.bool_]],
    *,
    others: Mapping[str, xr.Variable] | None = None,
) -> xr.Dataset:
    """Take the measurements of faces out of some frames.

    Parameters
    ----------
    ds
        Detections. They are not changed.
    name
        Of the coordinate (video, frame, face) that says where they were taken out; marks of an earlier call stay.
    function
        From the frames of a video, with ``features`` among the data, to truth values (n_face, n_frame).
    others
        As for `map_videos`.

    Returns
    -------
    xarray.Dataset
        ``ds`` with NaN in all measurements with dims (video, frame, face, ...) where the function is true.
    """
    features = ds.variables["features"]

    def judged(frames: Frames) -> Result:
        gone = function(frames)
        return _without(frames.data["features"], gone), gone

    outputs = [Output.like(features), Output(("frame", "face"), bool, False)]
    masked, marks = map_videos(ds, judged, outputs, others=others)
    changed = {"features": masked}
    for other in sorted(set(schema.DATA_VARS) & set(map(str, ds.data_vars)) - {"features"}):

        def without(frames: Frames, name: str = other) -> Result:
            return (_without(frames.data[name], frames.data["marks"]),)

        output = Output.like(ds.variables[other])
        (changed[other],) = map_videos(ds, without, [output], inputs=[other], others={"marks": marks})
    for key, variable in changed.items():
        variable.attrs = ds.variables[key].attrs
    return with_marks(ds.assign(changed), name, marks)


def _without(values: NDArray[Any], gone: NDArray[np.bool_]) -> NDArray[Any]:
    """Values (n_face, ..., n_frame) without those of some frames of faces (n_face, n_frame)."""
    where = gone.reshape(len(gone), *[1] * (values.ndim - 2), gone.shape[-1])
    return np.where(where, values.dtype.type(np.nan), values)


def with_marks(ds: xr.Dataset, name: str, marks: xr.Variable) -> xr.Dataset:
    """Keep which frames of which faces something was done to, as a coordinate (video, frame, face) of truth values.

    Marks of an earlier call stay.
    """
    if name in ds.coords:
        earlier = ds.variables[name]
        if marks.chunks is not None and is_lazy(earlier):
            earlier = earlier.chunk(dict(zip(marks.dims, marks.chunks, strict=True)))
        marks = marks | earlier.astype(bool)
    return ds.assign_coords({name: marks})


def with_unit(ds: xr.Dataset, chosen: slice | NDArray[np.intp] | None, unit: str | Callable[[str], str]) -> xr.Dataset:
    """Say that features at some positions, or all, have another unit now; where units are kept at all.

    ``unit`` is the new one, or makes it of the old one.
    """
    if "unit" not in ds.coords:
        return ds
    is_changed = np.zeros(ds.sizes["feature"], dtype=bool)
    is_changed[slice(None) if chosen is None else chosen] = True

    def renamed(units: NDArray[Any], changed: NDArray[np.bool_]) -> NDArray[Any]:
        units = units.astype(np.dtypes.StringDType())
        units[changed] = unit if isinstance(unit, str) else [unit(str(old)) for old in units[changed]]
        return units

    variable = ds.variables["unit"]
    found = xr.apply_ufunc(
        renamed,
        variable,
        xr.Variable("feature", is_changed),
        dask="parallelized",
        output_dtypes=[np.dtypes.StringDType()],
        keep_attrs=True,
    )
    return ds.assign_coords(unit=found)
