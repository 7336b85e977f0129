"""Columns of tables as coordinates: labels to match by, values that a store can hold, names that are still free."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, SchemaError
from facearray.schema import COORDS, DATA_VARS, DIMS

__all__ = ["check_new_names", "column_values", "missing_form", "seconds", "shown", "text_values", "video_labels"]

_STRING = np.dtypes.StringDType()
_MAX_SHOWN = 20


def video_labels(ds: xr.Dataset | xr.DataArray) -> pd.Index:
    """Labels of the videos, in storage order.

    Raises
    ------
    SchemaError
        If there is no labelled ``video`` dim.
    """
    if "video" not in ds.dims or "video" not in ds.coords:
        dims = ", ".join(str(dim) for dim in ds.dims) or "none"
        raise SchemaError(f"found dims {dims}; expected a labelled dim 'video'; do this before videos are averaged")
    return pd.Index([str(label) for label in ds["video"].to_numpy()], dtype=object)


def column_values(column: pd.Series) -> NDArray[Any]:
    """Values of a column in a dtype that every store can hold.

    Texts become `StringDType` (missing: empty), categories what they are made of, times with a zone UTC without one;
    truth values and integers become float64 where one is missing (NaN), dates and durations have NaT.

    Raises
    ------
    InputError
        If the column holds something else, or a mixture.
    """
    if isinstance(column.dtype, pd.StringDtype):
        return text_values(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = pd.Series(np.asarray(column), name=column.name)
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "string":
        return text_values(column)
    if kind in ("boolean", "integer", "floating", "mixed-integer-float", "empty"):
        return _numbers(column, kind)
    if kind in ("datetime64", "datetime", "date"):
        return _times(column)
    if kind in ("timedelta64", "timedelta"):
        return np.array(pd.to_timedelta(column))
    raise InputError(
        f"found column {column.name!r} with values of kind {kind!r}; expected texts, numbers, truth values, dates or "
        "durations, of one kind; convert the column first"
    )


def text_values(column: Iterable[Any]) -> NDArray[Any]:
    """Values as texts; missing ones are empty."""
    return np.array(["" if pd.isna(value) else str(value) for value in column], dtype=_STRING)


def seconds(column: pd.Series) -> NDArray[np.float64]:
    """Values as seconds, of durations too; NaN for what is no number."""
    if pd.api.types.is_timedelta64_dtype(column.dtype):
        column = column.dt.total_seconds()
    return np.asarray(pd.to_numeric(column, errors="coerce").to_numpy(dtype="float64", na_value=np.nan))


def missing_form(name: Hashable, dtype: np.dtype[Any]) -> tuple[np.dtype[Any], Any]:
    """Give a dtype that can say that there is no value, and the value that says so.

    What the schema knows keeps its dtype and has the schema's fill value. Of the rest, integers and truth values
    become float64 with NaN; texts are empty, dates and durations NaT.
    """
    known = {**COORDS, **DATA_VARS}.get(str(name))
    if known is not None:
        return dtype, known.fill_value
    if dtype.kind in "TUO":
        return dtype, ""
    if dtype.kind in "mM":
        return dtype, np.array("NaT", dtype=dtype)[()]
    return (dtype if dtype.kind in "fc" else np.dtype("float64")), np.nan


def check_new_names(ds: xr.Dataset | xr.DataArray, names: Sequence[Any]) -> None:
    """Make sure that coordinates of these names can be added.

    Raises
    ------
    InputError
        If a name is not a text, is there twice, or is taken by the Dataset or by the data model.
    """
    wrong = [name for name in names if not isinstance(name, str) or not name or "/" in name]
    if wrong:
        raise InputError(f"found names {shown(wrong)}; expected texts without '/'; rename them")
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"found {shown(sorted(twice))} more than once; expected every name once; rename or drop them")
    here = {str(name) for name in (*ds.coords, *ds.dims, *(ds.data_vars if isinstance(ds, xr.Dataset) else ()))}
    if taken := sorted(set(names) & here):
        raise InputError(
            f"found {shown(taken)} in the Dataset already; nothing is overwritten: choose another name, or drop the "
            f"old one first with ds.drop_vars({taken!r})"
        )
    if reserved := sorted(set(names) & {*COORDS, *DATA_VARS, *DIMS}):
        raise InputError(f"found {shown(reserved)}; that is a name of the data model; choose another name")


def shown(names: Iterable[Any]) -> str:
    """Enumerate names in a message, without filling the screen."""
    listed = list(names)
    more = f" and {len(listed) - _MAX_SHOWN} more" if len(listed) > _MAX_SHOWN else ""
    return ", ".join(repr(name) for name in listed[:_MAX_SHOWN]) + more


def _numbers(column: pd.Series, kind: str) -> NDArray[Any]:
    if column.isna().any():
        keep = column.dtype if isinstance(column.dtype, np.dtype) and column.dtype.kind == "f" else np.dtype("float64")
        return np.array(column.to_numpy(dtype=keep, na_value=np.nan))
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return np.array(column)
    return np.array(column.to_numpy(dtype={"boolean": "bool", "integer": "int64"}.get(kind, "float64")))


def _times(column: pd.Series) -> NDArray[Any]:
    try:
        times = pd.to_datetime(column)
    except (ValueError, TypeError) as error:
        raise InputError(f"found column {column.name!r} with dates that cannot be told: {error}") from error
    return np.array(times if times.dt.tz is None else times.dt.tz_convert("UTC").dt.tz_localize(None))
