"""Taking out what identifies people."""

from __future__ import annotations

import csv
import json
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from facearray.errors import InputError, unknown_names
from facearray.io.arrays import text_values
from facearray.io.layout import SCHEMA_ATTR
from facearray.schema import validate

__all__ = ["REMOVED", "deidentify"]

#: Attribute that lists what was removed.
REMOVED = "deidentified"

_log = logging.getLogger(__name__)

_KEPT_ATTRS = (SCHEMA_ATTR, "detector", "detector_version", "options", "options_hash", "assets")
_KEPT_VARIABLE_ATTRS = ("description", "units", "long_name", "standard_name")
_BIOMETRIC_DIMS = {"landmark", "component"}


def deidentify(ds: xr.Dataset, *, keep: Iterable[str] = (), key: str | os.PathLike[str] | None = None) -> xr.Dataset:
    """Take out of detections what identifies people: landmarks, embeddings, and where the videos came from.

    Parameters
    ----------
    ds
        A Dataset that follows the schema.
    keep
        Features of the group ``other`` to keep. By default all of that group go: other tools' landmarks and identities
        are among them.
    key
        Path of a new CSV file. If given, the labels of the videos, which are file names, are replaced by
        ``video-000001`` and so on, and this file says which was which. Keep it apart from the data.

    Returns
    -------
    xarray.Dataset
        Without variables along ``landmark`` or ``component``, ``source`` and ``error`` emptied, without attributes
        that facearray does not know, and without the notes of readers, which can quote their files. The attribute
        ``deidentified`` lists what was removed. All other values, missing ones too, stay as they are.

    Raises
    ------
    InputError
        If `keep` names a feature that is not in the group ``other``, or the key exists already.
    SchemaError
        If the Dataset does not follow the schema.

    Notes
    -----
    What remains can still tell people apart: how a face moves is personal, and labels and joined coordinates are kept
    as they are unless there is a key. The Dataset is no longer personal data only if nobody can link it to a person by
    any means; that is for you to judge.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> shared = deidentify(random_dataset(0, n_landmarks=4))
    >>> list(shared.data_vars), shared.attrs["deidentified"]
    (['features'], ['variable landmarks', 'feature my_own_measure', 'texts of source', 'texts of error'])
    """
    validate(ds)
    removed: list[str] = []
    ds = _without_biometrics(ds, removed)
    ds = _without_other_features(ds, list(keep), removed)
    ds = _without_origins(ds, removed)
    ds = _without_unknown_attrs(ds, removed)
    ds = _without_texts_of_options(ds, removed)
    if key is not None:
        ds = _relabelled(ds, Path(key))
        removed.append("labels of the videos")
    for what in removed:
        _log.info("removed %s", what)
    return ds.assign_attrs({REMOVED: removed})


def _without_biometrics(ds: xr.Dataset, removed: list[str]) -> xr.Dataset:
    names = sorted(str(name) for name, variable in ds.variables.items() if _BIOMETRIC_DIMS & set(variable.dims))
    removed += [f"variable {name}" for name in names]
    ds = ds.drop_vars(names)
    return ds.drop_vars("axis") if "axis" in ds.coords and "axis" not in _used_dims(ds) else ds


def _used_dims(ds: xr.Dataset) -> set[str]:
    return {str(dim) for name, variable in ds.variables.items() if name != "axis" for dim in variable.dims}


def _without_other_features(ds: xr.Dataset, keep: list[str], removed: list[str]) -> xr.Dataset:
    names = [str(name) for name in ds["feature"].to_numpy()]
    other = [name for name, group in zip(names, ds["group"].to_numpy(), strict=True) if group == "other"]
    unknown = [name for name in keep if name not in other]
    if unknown:
        raise unknown_names("feature of the group 'other'", unknown, other)
    gone = [name for name in other if name not in keep]
    removed += [f"feature {name}" for name in gone]
    return ds.isel(feature=[i for i, name in enumerate(names) if name not in gone]) if gone else ds


def _without_origins(ds: xr.Dataset, removed: list[str]) -> xr.Dataset:
    removed += [f"texts of {name}" for name in ("source", "error") if np.any(ds[name].to_numpy() != "")]
    empty = text_values([""] * ds.sizes["video"])
    return ds.assign_coords({name: ("video", empty, ds[name].attrs) for name in ("source", "error")})


def _without_unknown_attrs(ds: xr.Dataset, removed: list[str]) -> xr.Dataset:
    # Encodings hold the paths of the files that a Dataset was opened from.
    ds = ds.drop_encoding()
    removed += [f"attribute {name}" for name in ds.attrs if name not in (*_KEPT_ATTRS, REMOVED)]
    ds.attrs = {name: value for name, value in ds.attrs.items() if name in _KEPT_ATTRS}
    for name in ds.variables:
        attrs = ds[name].attrs
        removed += [f"attribute {attr} of {name}" for attr in attrs if attr not in _KEPT_VARIABLE_ATTRS]
        ds[name].attrs = {attr: value for attr, value in attrs.items() if attr in _KEPT_VARIABLE_ATTRS}
    return ds


def _without_texts_of_options(ds: xr.Dataset, removed: list[str]) -> xr.Dataset:
    # What a reader notes of a file can quote it: names, ages, paths.
    options = json.loads(ds.attrs.get("options", "{}"))
    texts = sorted(name for name, value in options.items() if not isinstance(value, bool | int | float | None))
    if not texts:
        return ds
    removed += [f"option {name}" for name in texts]
    kept = {name: value for name, value in options.items() if name not in texts}
    attrs = {name: value for name, value in ds.attrs.items() if name != "options_hash"}
    return ds.drop_attrs(deep=False).assign_attrs({**attrs, "options": json.dumps(kept, sort_keys=True)})


def _relabelled(ds: xr.Dataset, key: Path) -> xr.Dataset:
    labels = [str(label) for label in ds["video"].to_numpy()]
    new = [f"video-{i + 1:06d}" for i in range(len(labels))]
    try:
        with key.open("x", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("video", "label"), *zip(new, labels, strict=True)])
    except OSError as error:
        raise InputError(
            f"{key}: the key cannot be written ({error.strerror}); expected a new file in a folder that exists; choose "
            "another path"
        ) from error
    return ds.assign_coords(video=("video", text_values(new), ds["video"].attrs))
