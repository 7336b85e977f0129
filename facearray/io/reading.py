"""Opening a store as a Dataset."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from zarr.abc.store import Store as ZarrStore

from facearray.errors import SchemaError
from facearray.io.existing import find_group, incomplete, is_finished
from facearray.io.journal import Journal
from facearray.io.lease import no_store, not_made
from facearray.io.location import StoreLike, address, check_options, open_zarr_store
from facearray.io.markers import PER_VIDEO
from facearray.schema import COORDS, validate

__all__ = ["open_store", "per_video_coordinates"]


def open_store(
    store: StoreLike,
    *,
    chunks: Mapping[str, int] | int | str | None = None,
    journal: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Open a store, finished or not.

    Values are read when they are needed. The per-video coordinates of an unfinished store are taken from its
    journal, so that ``status`` is true at the moment of opening.

    Parameters
    ----------
    store
        Path or URL of the store, or a Zarr store object.
    chunks
        None for lazy arrays without dask; anything else as in :func:`xarray.open_zarr`. A block a chunk, as ``{}``
        makes it, is millions of blocks for large stores: select first, then chunk.
    journal
        Path or URL of the store's journal; by default ``<store>.run``. Needed only for an unfinished store that is
        given as a store object: without it, all its rows are ``pending``.
    storage_options
        Options of the file system that a URL names.

    Returns
    -------
    xarray.Dataset
        Dims (video, frame, face, feature[, landmark, axis][, component]); units are those of the coordinate ``unit``,
        pixels of ``landmarks``, seconds of ``timestamp``. Frames without a face and padding are NaN, and so are videos
        that are not computed yet, which ``status`` tells.

    Raises
    ------
    InputError
        If there is nothing at this place, or a file, or there are options but no URL.
    StructureError
        If there is something else than a Zarr group, or a store that is being made, or whose making was interrupted.
    SchemaError
        If the Zarr group does not follow the schema.

    Examples
    --------
    >>> import tempfile
    >>> from facearray import save
    >>> from facearray.testing import random_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(random_dataset(0), f"{folder}/study.zarr")
    ...     open_store(f"{folder}/study.zarr").features.isel(video=0).load().sizes
    '...study.zarr'
    Frozen({'frame': 6, 'face': 2, 'feature': 5})
    """
    check_options(storage_options, store, journal)
    place = open_zarr_store(store, storage_options, read_only=True).with_read_only(True)
    group = find_group(place)
    if group is None:
        raise no_store(store, journal=journal, storage_options=storage_options)
    if incomplete(group):
        raise not_made(store, journal=journal, storage_options=storage_options)
    finished = is_finished(group)
    try:
        ds = _open(place, chunks, consolidated=finished)
        validate(ds)
    except (SchemaError, ValueError) as error:
        raise SchemaError(f"{address(store)} cannot be opened as a facearray store: {error}") from error
    if not finished and (journal is not None or not isinstance(store, ZarrStore)):
        ds = _overlay(ds, Journal.beside(store, journal=journal, storage_options=storage_options))
    ds.encoding["source"] = address(store)
    return ds


def per_video_coordinates(
    n_rows: int, stored: Callable[[str], NDArray[Any]], journal: Journal
) -> dict[str, NDArray[Any]]:
    """Return the per-video coordinates of a store as its journal has them.

    Rows that the journal knows have what it says, or are pending; rows from before the journal keep what is stored,
    and so do those whose marker cannot be read.

    Parameters
    ----------
    n_rows
        Number of videos.
    stored
        Reads the stored (n_rows,) values of one of :data:`facearray.io.markers.PER_VIDEO`.
    journal
        The store's journal.
    """
    records = journal.records(numbers_only=True)
    noted = records.noted_rows(n_rows)
    current = {}
    for name in PER_VIDEO:
        if len(noted) == n_rows:
            values = np.empty(n_rows, dtype=COORDS[name].numpy_dtype)
            values[:] = COORDS[name].fill_value  # for texts far faster than np.full
        else:
            values = stored(name).copy()
            values[noted] = COORDS[name].fill_value
        records.overlay(name, values)
        current[name] = values
    return current


def _open(place: ZarrStore, chunks: Any, *, consolidated: bool) -> xr.Dataset:
    with warnings.catch_warnings():
        # Blocks of a few videos always cut the per-video coordinates, which have thousands of videos a chunk.
        warnings.filterwarnings("ignore", message='The specified chunks separate .* dimension "video"')
        ds: xr.Dataset = xr.open_zarr(place, chunks=chunks, consolidated=consolidated, zarr_format=3)
        return ds


def _overlay(ds: xr.Dataset, journal: Journal) -> xr.Dataset:
    current = per_video_coordinates(ds.sizes["video"], lambda name: ds[name].values, journal)
    # Of anything but a Variable made this way, xarray asks whether it is Dask's, and imports dask.array to know.
    return ds.assign_coords(
        {name: xr.Variable("video", values, ds[name].attrs, fastpath=True) for name, values in current.items()}
    )
