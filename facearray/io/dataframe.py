"""Detections and results as pandas DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, unknown_names
from facearray.io.exporters.flat import landmark_name
from facearray.io.exporters.form import check_columns
from facearray.schema import COORDS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["to_dataframe"]

#: Dims whose elements stand beside each other in one row.
_COLUMN_DIMS = ("feature", "landmark", "axis", "component")

#: What is left out unless it is asked for: many columns a face.
_WIDE_DIMS = {"landmark", "axis", "component"}

#: Coordinates of the schema that a table of measurements has; the others describe files and features.
_USEFUL = ("frame_number", "timestamp", "n_faces_found", "track_id")


def to_dataframe(
    ds: xr.Dataset | xr.DataArray, *, layout: Literal["long", "wide"] | None = None, include: Iterable[str] = ()
) -> pd.DataFrame:
    """Make a table of detections, or of any result that has features.

    Detections have rows for real frames only. They are read video by video, so that beside the table there is never
    more than one video in memory.

    Parameters
    ----------
    ds
        Detections, a part of them, or a Dataset or DataArray with other dims, such as the result of a statistic.
    layout
        ``"wide"``: one row for every video, frame and face (of results: for every combination of the dims but
        ``feature``), features side by side. A frame without a face has one row, of slot 0, with NaN; other empty slots
        have none.
        ``"long"``: one row a value, with columns ``feature`` and ``value`` (for several variables: one column each);
        of detections, values that are missing have no row. By default long for what has frames, else wide.
    include
        Variables to add that are left out by default: ``"landmarks"`` and ``"embedding"``. Their columns are
        called as py-feat calls them, ``mesh_x_0`` (``x_0`` if there are not 478 points) and ``Identity_1``. For the
        wide layout.

    Returns
    -------
    pandas.DataFrame
        Columns for the dims, the coordinates that were joined, ``frame_number``, ``timestamp`` in seconds,
        ``n_faces_found`` and ``track_id``, and the values, float32 as they are. Columns of values are named after their
        feature, and in a Dataset of results after variable and feature: ``mean_AU12``. Coordinates of features, such as
        the ``n_units`` of a mean, are columns of the long layout.

    Raises
    ------
    InputError
        If the layout or a variable is unknown, or variables are to be included in a long table.
    SchemaError
        If two columns have the same name.

    Examples
    --------
    >>> coords = {"video": ["a"], "feature": ["AU12", "Yaw"]}
    >>> means = xr.Dataset({"mean": (("video", "feature"), [[0.25, 3.0]])}, coords)
    >>> to_dataframe(means)
      video  mean_AU12  mean_Yaw
    0     a       0.25       3.0
    >>> to_dataframe(means, layout="long")
      video feature  mean
    0     a    AU12  0.25
    1     a     Yaw  3.00
    """
    import pandas as pd

    if layout not in ("long", "wide", None):
        raise unknown_names("layout", [str(layout)], ["long", "wide"])
    wanted = [include] if isinstance(include, str) else list(include)
    ds = ds.to_dataset(name="features") if isinstance(ds, xr.DataArray) else ds
    chosen = _chosen(ds, wanted)
    if layout is None:
        layout = "long" if "frame" in chosen.dims else "wide"
    if layout == "long" and wanted:
        raise InputError(f"found include={wanted} for a long table; expected layout='wide', which has room for them")
    pieces = [pd.DataFrame(_columns(piece, layout)) for piece in _pieces(chosen)]
    # Columns of a video without frames have no values to tell the dtype of texts by.
    pieces = [piece for piece in pieces if len(piece)] or pieces[:1]
    return pd.concat(pieces, ignore_index=True).infer_objects() if len(pieces) > 1 else pieces[0]


def _chosen(ds: xr.Dataset, include: list[str]) -> xr.Dataset:
    """Return the variables and coordinates that become columns, each feature on the ``feature`` dim."""
    unknown = [name for name in include if name not in ds.data_vars]
    if unknown:
        raise unknown_names("variable", unknown, [str(name) for name in ds.data_vars])
    left_out = [n for n, v in ds.data_vars.items() if _WIDE_DIMS & set(v.dims) and n not in include]
    described = [n for n, v in COORDS.items() if n not in (*_USEFUL, "video", "feature", "axis") and n in ds.coords]
    ds = ds.drop_vars([*left_out, *described])
    if "feature" in ds.coords and ds["feature"].ndim == 0:
        ds = ds.expand_dims("feature")
    return ds


def _pieces(ds: xr.Dataset) -> Iterator[xr.Dataset]:
    """Parts that are read one after another."""
    if not {"video", "frame"} <= set(ds.dims) or ds.sizes["video"] < 2:
        yield ds.compute()
        return
    for i in range(ds.sizes["video"]):
        yield ds.isel(video=slice(i, i + 1)).compute()


def _columns(ds: xr.Dataset, layout: str) -> dict[str, Any]:
    columns: dict[str, Any]
    row_dims = list(dict.fromkeys(str(d) for v in ds.data_vars.values() for d in v.dims if d not in _COLUMN_DIMS))
    if not row_dims:
        columns = _columns(ds.expand_dims("row"), layout)
        del columns["row"]
        return columns
    keep = np.nonzero(_kept_rows(ds, row_dims))
    columns = {}
    if "video" in ds.coords and "video" not in row_dims:
        columns["video"] = np.full(len(keep[0]), str(ds["video"].item()), dtype=object)
    for axis, dim in enumerate(row_dims):
        if dim in ds.coords:
            columns[dim] = _plain(ds[dim].to_numpy()[keep[axis]])
        elif dim != "frame" or "frame_number" not in ds.coords:
            columns[dim] = keep[axis]
    for name, coord in ds.coords.items():
        if name not in (*ds.dims, "video") and set(coord.dims) <= set(row_dims):
            columns[str(name)] = _plain(_rows(ds, coord.variable, row_dims, keep))
    values: dict[str, NDArray[Any]] = {
        str(name): _rows(ds, variable.variable, row_dims, keep) for name, variable in ds.data_vars.items()
    }
    if layout == "wide" or "feature" not in ds.dims:
        for name, found in values.items():
            added = _side_by_side(ds, name, found)
            check_columns([*columns, *added])
            columns |= added
        return columns
    values |= {
        str(name): _rows(ds, coord.variable, row_dims, keep)
        for name, coord in ds.coords.items()
        if name != "feature" and "feature" in coord.dims and set(coord.dims) <= {*row_dims, "feature"}
    }
    return _one_below_the_other(ds, columns, values)


def _rows(ds: xr.Dataset, variable: xr.Variable, row_dims: list[str], keep: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    """Return values of a variable with dims (row, …)."""
    spread = [dim for dim in variable.dims if dim not in row_dims]
    sizes = {dim: ds.sizes[dim] for dim in [*row_dims, *spread]}
    found: NDArray[Any] = variable.set_dims(sizes).transpose(*sizes).to_numpy()[keep]  # type: ignore[no-untyped-call]
    return found


def _kept_rows(ds: xr.Dataset, row_dims: list[str]) -> NDArray[np.bool_]:
    """Which combinations of the dims have a row: all but padding and empty slots."""
    kept = np.ones([ds.sizes[dim] for dim in row_dims], dtype=bool)
    number = ds.coords.get("frame_number")
    if number is None or "frame" not in row_dims:
        return kept
    everything: tuple[NDArray[Any], ...] = np.indices(kept.shape, sparse=True)
    if "face" in row_dims:
        slot = row_dims.index("face")
        filled = np.zeros(kept.shape, dtype=bool)
        for variable in ds.data_vars.values():
            values = _rows(ds, variable.variable, row_dims, everything)
            filled |= ~_is_missing(values).all(axis=tuple(range(kept.ndim, values.ndim)))
        if "track_id" in ds.coords:
            filled |= _rows(ds, ds["track_id"].variable, row_dims, everything) != -1
        first = everything[slot] == 0
        kept = filled | (first & ~filled.any(axis=slot, keepdims=True))
    return kept & (_rows(ds, number.variable, row_dims, everything) >= 0)


def _is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    import pandas as pd

    missing: NDArray[np.bool_] = np.asarray(pd.isna(values))
    return missing


def _side_by_side(ds: xr.Dataset, name: str, values: NDArray[Any]) -> dict[str, Any]:
    """Return one column for every element of a variable in a row."""
    spread = [str(dim) for dim in ds[name].dims if dim in _COLUMN_DIMS]
    columns = {}
    for where in np.ndindex(*(ds.sizes[dim] for dim in spread)):
        labels = [_label(ds, dim, i) for dim, i in zip(spread, where, strict=True)]
        columns[_column_name(name, spread, labels, ds.sizes.get("landmark", 0))] = _plain(values[:, *where])
    return columns


def _label(ds: xr.Dataset, dim: str, i: int) -> str:
    return str(ds[dim].to_numpy()[i]) if dim in ds.coords else str(i)


def _column_name(name: str, dims: list[str], labels: list[str], n_landmarks: int) -> str:
    if name == "features" and dims == ["feature"]:
        return labels[0]
    if name == "landmarks" and dims == ["landmark", "axis"]:
        return landmark_name(labels[0], labels[1], n_landmarks)
    if name == "embedding" and dims == ["component"]:
        return f"Identity_{int(labels[0]) + 1}"
    return "_".join([name, *labels])


def _one_below_the_other(ds: xr.Dataset, columns: dict[str, Any], values: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return one row for every feature of a row."""
    n_features = ds.sizes["feature"]
    n_rows = len(next(iter(values.values())))
    features = _plain(ds["feature"].to_numpy()) if "feature" in ds.coords else np.arange(n_features)
    found = {name: column.repeat(n_features) for name, column in columns.items()}
    found["feature"] = np.tile(features, n_rows)
    measured = np.zeros(n_rows * n_features, dtype=bool)
    for name, array in values.items():
        column = array.ravel() if "feature" in ds[name].dims else array.repeat(n_features)
        found["value" if name == "features" else name] = _plain(column)
        if name in ds.data_vars:
            measured |= ~_is_missing(column)
    if "frame_number" in ds.coords:
        found = {name: column[measured] for name, column in found.items()}
    return found


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Texts as objects, which every version of pandas knows."""
    return values.astype(object) if values.dtype.kind in "TU" else values
