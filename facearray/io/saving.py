"""Saving a Dataset as a new store."""

from __future__ import annotations

import math
import uuid
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from fsspec.implementations.local import LocalFileSystem
from zarr.abc.store import Store as ZarrStore

from facearray.io.existing import consolidate, find_group, make_room
from facearray.io.journal import Journal
from facearray.io.layout import INCOMPLETE, SCHEMA_ATTR
from facearray.io.location import StoreLike, check_options, file_system, open_zarr_store, resolve, store_errors
from facearray.schema import COORDS, DATA_VARS, SCHEMA_VERSION, Variable, chunk_shape, validate

__all__ = ["chunk_sizes", "in_blocks", "save"]

#: Bytes that are read, computed and written at a time.
BLOCK_BYTES = 64 * 2**20

_STRING = np.dtypes.StringDType()


def save(
    ds: xr.Dataset,
    store: StoreLike,
    *,
    storage_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> StoreLike:
    """Save a Dataset as a new store: a selection, cleaned data, what a reader returned.

    Variables and coordinates that the schema does not know are kept, and missing values stay missing. Lazy and
    dask-backed values are computed and written block by block, so that memory is bounded. The new store is a finished
    one; no run can append to it, because its values may no longer be what the detector gave.

    Parameters
    ----------
    ds
        A Dataset that follows the schema.
    store
        Path or URL, or a Zarr store object.
    storage_options
        Options of the file system that a URL names.
    overwrite
        Whether a store that is here already is replaced, which happens when the new one is complete; so a store may
        be replaced by what was computed from it. A store object cannot be overwritten.

    Returns
    -------
    str, os.PathLike or zarr.abc.store.Store
        ``store``, so that it can be opened at once.

    Raises
    ------
    SchemaError
        If the Dataset does not follow the schema.
    InputError
        If there is a store already and it is not to be overwritten, or a file, or there are options but no URL.
    StructureError
        If there is a folder or group that is not a store, which is never deleted.
    OSError
        If the disk or network fails.

    Examples
    --------
    >>> import tempfile
    >>> from facearray import open_store
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     part = open_store(save(ds.isel(frame=slice(0, 4)), f"{folder}/part.zarr")).load()
    >>> part.features.equals(ds.features.isel(frame=slice(0, 4)))
    True
    """
    check_options(storage_options, store)
    validate(ds)
    place = open_zarr_store(store, storage_options)
    if find_group(place) is None:
        _write(ds, place)
    elif overwrite and not isinstance(store, ZarrStore):
        _replace(ds, resolve(store, storage_options), storage_options)
    else:
        make_room(place, overwrite=False)
        _write(ds, place)
    return store


def _replace(ds: xr.Dataset, store: str, storage_options: Mapping[str, Any] | None) -> None:
    """Write beside the old store first: it may be what the Dataset still has to be read from."""
    old, beside = store, store + ".new"
    staging, place = open_zarr_store(beside, storage_options), open_zarr_store(old, storage_options)
    make_room(staging, overwrite=True)
    _write(ds, staging)
    make_room(place, overwrite=True)
    Journal.beside(old, storage_options=storage_options).erase()
    fs, source = file_system(beside, storage_options)
    target = file_system(old, storage_options)[1]
    if isinstance(fs, LocalFileSystem):
        Path(source).rename(target)
    else:
        with store_errors(old, storage_options=storage_options):
            _move(fs, source, target)


def _move(fs: Any, source: str, target: str) -> None:
    """Move a store within an object store, which has no folders; its root comes last, so that it is whole or none."""
    fs.invalidate_cache()
    keys = [path.removeprefix(source) for path in fs.find(source)]
    for part in ([key for key in keys if key != "/zarr.json"], ["/zarr.json"]):
        fs.copy([source + key for key in part], [target + key for key in part])
    fs.rm(source, recursive=True)


def _write(ds: xr.Dataset, place: ZarrStore) -> None:
    sizes = {str(dim): size for dim, size in ds.sizes.items()}
    ds = _with_texts(ds).drop_encoding()
    chunks = {name: chunk_sizes(str(name), variable, sizes) for name, variable in ds.variables.items()}
    ds = ds.assign({n: in_blocks(v, chunks[n]) for n, v in ds.data_vars.items()}).assign_coords(
        {n: in_blocks(v, chunks[n]) for n, v in ds.coords.items() if n not in ds.indexes}
    )
    encoding: dict[Hashable, dict[str, Any]] = {name: {"chunks": shape} for name, shape in chunks.items() if shape}
    for variable in (*COORDS.values(), *DATA_VARS.values()):
        if variable.name in encoding:
            encoding[variable.name]["fill_value"] = variable.fill_value
    # Without the hash of the options no run takes the values for what the detector gave.
    attrs = {key: value for key, value in ds.attrs.items() if key != "options_hash"} | {SCHEMA_ATTR: SCHEMA_VERSION}
    ds.attrs = {**attrs, INCOMPLETE: True}
    ds.to_zarr(place, zarr_format=3, consolidated=False, encoding=encoding)
    group = zarr.open_group(place, mode="r+", zarr_format=3, use_consolidated=False)
    del group.attrs[INCOMPLETE]
    consolidate(place)


def _with_texts(ds: xr.Dataset) -> xr.Dataset:
    """Give texts the dtype of the schema; Zarr has no lasting form for texts of fixed width."""
    texts = {v.name for v in COORDS.values() if v.dtype == "str"}
    changed = {
        name: (variable.dims, np.asarray(variable.values, dtype=_STRING), variable.attrs)
        for name, variable in ds.variables.items()
        if variable.dtype.kind == "U" or (variable.dtype.kind == "O" and name in texts)
    }
    return ds.assign_coords({n: v for n, v in changed.items() if n in ds.coords}).assign(
        {n: v for n, v in changed.items() if n not in ds.coords}
    )


def chunk_sizes(name: str, variable: xr.Variable, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Shape of the chunks of any variable, known to the schema or not."""
    dims = tuple(map(str, variable.dims))
    dtype = "str" if variable.dtype.kind in "OTU" else variable.dtype.name
    form = Variable(name, dims, dtype, 0, "", "")
    return tuple(max(1, n) for n in chunk_shape(form, sizes))


def in_blocks(array: xr.DataArray, chunks: tuple[int, ...]) -> xr.DataArray:
    """Cut an array into dask blocks of whole chunks, as many as fit the memory set aside; small ones are loaded."""
    if "frame" not in array.dims:
        return array.compute()
    room = max(1, BLOCK_BYTES // (math.prod(chunks) * array.dtype.itemsize))
    blocks = {}
    for dim in ("frame", "video"):
        if dim in array.dims:
            chunk, size = chunks[array.dims.index(dim)], array.sizes[dim]
            n = min(room, max(1, -(-size // chunk)))
            blocks[dim] = n * chunk
            room = max(1, room // n)
    whole = dict.fromkeys((dim for dim in array.dims if dim not in blocks), -1)
    # A name of its own spares dask from hashing all values.
    return array.copy(data=array.variable.chunk({**blocks, **whole}, name=f"save-{uuid.uuid4().hex}-").data)
