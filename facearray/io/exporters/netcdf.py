"""NetCDF 4: one file that xarray, MATLAB, R and Panoply open."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from facearray.errors import FaceArrayError, SchemaError
from facearray.io.exporters.flat import check_texts
from facearray.io.exporters.form import is_text, json_value, missing_text, text_array
from facearray.io.exporters.staging import staged_files
from facearray.io.saving import chunk_sizes, in_blocks

__all__ = ["is_export", "read", "write"]

#: Attribute that lists the attributes whose texts are JSON, since NetCDF has no form for them.
_JSON = "facearray_json"

#: Attribute of texts: the positions of those that are missing, since NetCDF has empty texts only.
_MISSING = "facearray_missing"


def write(ds: xr.Dataset, path: Path, *, overwrite: bool) -> None:
    """Write a Dataset as one NetCDF file, padding included.

    Parameters
    ----------
    ds
        A Dataset that follows the schema.
    path
        The file.
    overwrite
        Whether a file that is there is replaced.

    Raises
    ------
    FaceArrayError
        If h5netcdf is not installed.
    """
    import dask

    _check_engine()
    sizes = {str(dim): size for dim, size in ds.sizes.items()}
    ds = ds.drop_encoding()
    parts = {name: _plain(str(name), variable) for name, variable in ds.variables.items()}
    plain = xr.Dataset(
        {name: parts[name] for name in ds.data_vars},
        coords={name: parts[name] for name in ds.coords},
        attrs=_attrs(ds.attrs),
    )
    encoding: dict[Hashable, dict[str, Any]] = {name: {"_FillValue": None} for name in parts}
    for name, variable in parts.items():
        if "frame" in variable.dims and variable.size:
            chunks = chunk_sizes(str(name), variable, sizes)
            if not is_text(variable.dtype):
                plain[name] = in_blocks(plain[name], chunks)
            fitting = tuple(min(n, size) for n, size in zip(chunks, variable.shape, strict=True))
            encoding[name] |= {"chunksizes": fitting, "compression": "gzip", "compression_opts": 1, "shuffle": True}
    with staged_files(path, overwrite=overwrite) as (staging,), dask.config.set(scheduler="synchronous"):
        plain.to_netcdf(staging, engine="h5netcdf", encoding=encoding)


def is_export(path: Path) -> bool:
    """Whether a file may be an export of this format: it is one of NetCDF 4, or of what that is made of."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"\x89HDF"


def read(path: Path) -> xr.Dataset:
    """Read what `write` wrote, into memory."""
    _check_engine()
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        ds = opened.load().drop_encoding()
    parts = {name: _restored(variable) for name, variable in ds.variables.items()}
    return xr.Dataset(
        {name: parts[name] for name in ds.data_vars},
        coords={name: parts[name] for name in ds.coords},
        attrs=_restored_attrs(ds.attrs),
    )


def _check_engine() -> None:
    try:
        import h5netcdf  # noqa: F401
    except ImportError as error:
        raise FaceArrayError(
            "found no h5netcdf, which writes and reads NetCDF; install it: pip install 'facearray[netcdf]'"
        ) from error


def _plain(name: str, variable: xr.Variable) -> xr.Variable:
    """Return a variable as NetCDF can hold it: texts as objects, attributes as texts."""
    attrs = _attrs(variable.attrs)
    if variable.dtype.kind not in "biufmMOTU":
        raise SchemaError(f"found {name!r} of {variable.dtype}; expected numbers, texts, times or truth values")
    if not is_text(variable.dtype):
        return xr.Variable(variable.dims, variable._data, attrs)  # as lazy as it came
    values = variable.to_numpy()
    missing = missing_text(values)
    if missing.any():
        check_texts(name, values if "frame" in variable.dims else values[~missing])
    attrs[_MISSING] = json.dumps(np.flatnonzero(missing).tolist())
    texts = np.where(missing, "", values.astype(object)).astype(object)
    return xr.Variable(variable.dims, texts, attrs)


def _restored(variable: xr.Variable) -> xr.Variable:
    attrs = dict(variable.attrs)
    missing = attrs.pop(_MISSING, None)
    if missing is None:
        return xr.Variable(variable.dims, variable.values, _restored_attrs(attrs))
    texts: list[str | None] = [str(text) for text in variable.values.ravel()]
    for position in json.loads(missing):
        texts[position] = None
    return xr.Variable(variable.dims, text_array(texts).reshape(variable.shape), _restored_attrs(attrs))


def _attrs(attrs: dict[Any, Any]) -> dict[str, Any]:
    found = {str(key): json_value(value) for key, value in attrs.items()}
    coded = [key for key, value in found.items() if not isinstance(value, str)]
    found |= {key: json.dumps(found[key]) for key in coded}
    return found | ({_JSON: json.dumps(coded)} if coded else {})


def _restored_attrs(attrs: dict[Any, Any]) -> dict[str, Any]:
    coded = json.loads(attrs.get(_JSON, "[]"))
    return {key: json.loads(value) if key in coded else value for key, value in attrs.items() if key != _JSON}
