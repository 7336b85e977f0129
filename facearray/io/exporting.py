"""Exporting Datasets for other tools, and reading the exports back."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import xarray as xr

from facearray.errors import InputError, unknown_names
from facearray.io.exporters import bids, netcdf, parquet, pyfeat
from facearray.io.location import StoreLike, check_options
from facearray.io.privacy import REMOVED
from facearray.io.privacy import deidentify as _deidentify
from facearray.io.reading import open_store
from facearray.schema import validate
from facearray.selectors import select as _select_features

__all__ = ["FORMATS", "Exported", "Format", "export", "read_export", "run_export"]

Format = Literal["parquet", "csv", "netcdf", "bids"]

#: Module of each format.
FORMATS: Mapping[str, ModuleType] = {"parquet": parquet, "csv": pyfeat, "netcdf": netcdf, "bids": bids}

_SUFFIXES = {".parquet": "parquet", ".csv": "csv", ".nc": "netcdf"}


def export(
    ds: xr.Dataset | StoreLike,
    path: str | os.PathLike[str],
    *,
    format: Format | None = None,  # noqa: A002 - what users call it
    select: str | Iterable[str] | None = None,
    videos: str | Iterable[str] | None = None,
    deidentify: bool = False,
    key: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Path:
    """Export detections for other tools, without loss.

    Frames are read and written block by block, so that memory is bounded. What is at `path` is a complete export or
    none, whenever it is interrupted.

    Parameters
    ----------
    ds
        A Dataset that follows the schema, or the path, URL or object of a store.
    path
        Where to: a file, or for ``"parquet"`` and ``"bids"`` a folder; on this machine.
    format
        ``"parquet"``: a folder with one file a video that readers take as one table. ``"csv"``: one table as py-feat 2
        writes it. ``"netcdf"``: one NetCDF 4 file; needs the extra ``facearray[netcdf]``. ``"bids"``: a BIDS dataset of
        motion recordings. By default by the suffix: ``.parquet``, ``.csv`` or ``.nc``.
    select
        Features and groups of features to export, as in `facearray.selectors.select`, and names of other variables
        such as ``"landmarks"``. By default everything.
    videos
        Labels of the videos to export, or patterns of them with ``*`` and ``?``. By default all.
    deidentify
        Whether to take out what identifies people; see `facearray.deidentify`.
    key
        With `deidentify`: path of a new CSV file that says which of the new labels stands for which old one.
    overwrite
        Whether what is there is replaced: an export, or where the format is one file, any file.
    storage_options
        Options of the file system that the URL of a store names.

    Returns
    -------
    pathlib.Path
        ``path``. `read_export` reads it.

    Raises
    ------
    InputError
        If the format cannot be told, a name or label is unknown, the path is a URL or has no folder, there is
        something already that is not to be overwritten, there is a key without `deidentify`, or there are options but
        no URL.
    SchemaError
        If the Dataset does not follow the schema, or has values that the format has no place for.
    StructureError
        If there is a folder that is not an export of this format, which is never deleted.
    OSError
        If the disk fails.

    Notes
    -----
    NaN are missing values in the format's own way: null in Parquet, empty in CSV, ``n/a`` in BIDS.

    Examples
    --------
    >>> import tempfile
    >>> from facearray.testing import random_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export(random_dataset(0), f"{folder}/study.parquet", select="aus,poses")
    ...     path.name, read_export(path).feature.values.tolist()
    ('study.parquet', ['AU12', 'Yaw'])
    """
    return run_export(
        ds,
        path,
        format=format,
        select=select,
        videos=videos,
        deidentify=deidentify,
        key=key,
        overwrite=overwrite,
        storage_options=storage_options,
    ).path


@dataclass(frozen=True, slots=True)
class Exported:
    """What was exported.

    Attributes
    ----------
    path, format
        Where and how.
    n_videos
        Number of videos.
    not_done
        Status of the videos that are not done, by label.
    removed
        What identified people and was taken out.
    """

    path: Path
    format: str
    n_videos: int
    not_done: dict[str, str]
    removed: list[str]


def run_export(
    ds: xr.Dataset | StoreLike,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,  # noqa: A002
    select: str | Iterable[str] | None = None,
    videos: str | Iterable[str] | None = None,
    deidentify: bool = False,
    key: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Exported:
    """Export as `export` does, and say what was done."""
    target = _local(path)
    kind = _format_of(target, format)
    if key is not None and not deidentify:
        raise InputError("found a key without deidentify; expected both, or no key")
    check_options(storage_options, None if isinstance(ds, xr.Dataset) else ds)
    if not isinstance(ds, xr.Dataset):
        ds = open_store(ds, storage_options=storage_options)
    ds = _choose(ds, select=select, videos=videos)
    with _written_if_all_goes_well(key):
        if deidentify:
            ds = _deidentify(ds, key=key)
        FORMATS[kind].write(ds, target, overwrite=overwrite)
    labels, states = (ds[name].to_numpy().tolist() for name in ("video", "status"))
    not_done = {label: state for label, state in zip(labels, states, strict=True) if state != "done"}
    return Exported(target, kind, len(labels), not_done, list(ds.attrs[REMOVED]) if deidentify else [])


@contextmanager
def _written_if_all_goes_well(key: str | os.PathLike[str] | None) -> Iterator[None]:
    """Delete a key again if there is no export that it belongs to."""
    existed = key is None or Path(key).exists()
    try:
        yield
    except BaseException:
        if key is not None and not existed:
            Path(key).unlink(missing_ok=True)
        raise


def read_export(path: str | os.PathLike[str]) -> xr.Dataset:
    """Read what `export` wrote.

    Parameters
    ----------
    path
        File or folder of the export; a CSV file with its sidecar beside it.

    Returns
    -------
    xarray.Dataset
        Equal to what was exported, in memory, missing values included; dims (video, frame, face, feature[, landmark,
        axis][, component]). Except from NetCDF, frames of padding are gone, and ``frame`` is as long as the longest
        video.

    Raises
    ------
    InputError
        If there is no export at this place.
    SchemaError
        If the sidecar is damaged or of another version.

    Examples
    --------
    >>> import tempfile
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     back = read_export(export(ds, f"{folder}/study.parquet"))
    >>> back.features.equals(ds.features)
    True
    """
    target = _local(path)
    if target.is_dir():
        found = next((module for module in (parquet, bids) if module.is_export(target)), None)
    else:
        found = next((module for module in (pyfeat, netcdf) if module.is_export(target)), None)
    if found is None:
        raise InputError(
            f"{target}: found no export of facearray; expected a folder of Parquet files or a BIDS dataset with its "
            "sidecar, a CSV file with its sidecar (.csv.json) beside it, or a NetCDF file; read files of other tools "
            "with facearray.read"
        )
    ds: xr.Dataset = found.read(target)
    return ds


def _format_of(path: Path, format: str | None) -> str:  # noqa: A002
    """Return the format that is asked for, or that a path's suffix stands for."""
    known = ", ".join(FORMATS)
    if format is None:
        if path.suffix not in _SUFFIXES:
            raise InputError(
                f"found path {str(path)!r} without format; expected one of the suffixes {', '.join(_SUFFIXES)}, or the "
                f"format: {known}"
            )
        return _SUFFIXES[path.suffix]
    if format not in FORMATS:
        raise unknown_names("format", [format], list(FORMATS))
    return format


def _choose(
    ds: xr.Dataset, *, select: str | Iterable[str] | None = None, videos: str | Iterable[str] | None = None
) -> xr.Dataset:
    """Return the part of a Dataset that is to be exported."""
    validate(ds)
    if videos is not None:
        ds = ds.isel(video=_matching(ds, [videos] if isinstance(videos, str) else list(videos)))
    if select is None:
        return ds
    names = [part.strip() for part in select.split(",")] if isinstance(select, str) else list(select)
    others = {str(name) for name in ds.data_vars} - {"features"}
    wanted = [name for name in names if name not in others]
    ds = ds.drop_vars([name for name in others if name not in names])
    if wanted:
        return ds.sel(feature=_select_features(ds, wanted)["feature"].to_numpy())
    return ds.isel(feature=[])


def _matching(ds: xr.Dataset, patterns: list[str]) -> list[int]:
    labels = [str(label) for label in ds["video"].to_numpy()]
    positions: dict[int, None] = {}
    unknown = []
    for pattern in patterns:
        found = [i for i, label in enumerate(labels) if label == pattern]
        found = found or [i for i, label in enumerate(labels) if fnmatch.fnmatchcase(label, pattern)]
        if not found:
            unknown.append(pattern)
        positions |= dict.fromkeys(found)
    if unknown:
        raise unknown_names("video", unknown, labels)
    return sorted(positions)


def _local(path: str | os.PathLike[str]) -> Path:
    if "://" in os.fspath(path):
        raise InputError(f"found {os.fspath(path)!r}; expected a path on this machine; export there and copy")
    return Path(path).expanduser()
