"""Labelled frames, matched with the faces of a Dataset."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, SchemaError, unknown_names
from facearray.models.inputs import check_inputs, iter_faces, person_codes

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LabelledFaces", "labelled_faces"]

_DIMS = ("video", "frame", "face", "feature")
_ACTION_UNIT = re.compile(r"AU\d\d(_left|_right)?")


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFaces:
    """Faces that have landmarks, blendshapes, labels and a group.

    Attributes
    ----------
    blendshapes, landmarks, values
        (n, 52), (n, 478, 3) and (n, n_au).
    names
        The action units.
    codes, groups
        (n,) positions of the group of each among the groups that have a face.
    n_unmatched
        Rows of a table that are of no stored frame.
    """

    blendshapes: NDArray[np.floating]
    landmarks: NDArray[np.floating]
    values: NDArray[np.float64]
    names: tuple[str, ...]
    codes: NDArray[np.intp]
    groups: tuple[Any, ...]
    n_unmatched: int


def labelled_faces(ds: xr.Dataset, labels: xr.DataArray | pd.DataFrame, groups: str) -> LabelledFaces:
    """Gather the labelled faces of a Dataset.

    Parameters
    ----------
    ds
        Detections.
    labels
        As for `facearray.models.AUMap.fit`.
    groups
        ``"video"``, or a coordinate on video, or video and face.

    Raises
    ------
    InputError
        If labels are not of this Dataset, not within [0, 1], have names of no action units or there are none at all.
    SchemaError
        If ``ds`` lacks landmarks or blendshapes.
    """
    ds = check_inputs(ds)
    n_unmatched = 0
    if isinstance(labels, xr.DataArray):
        values, names = _of_array(ds, labels)
    else:
        values, names, n_unmatched = _of_table(ds, labels)
    group_names, codes = person_codes(ds, groups, what="group")
    # the same name as in no Dataset, so that it can be iterated over beside the detections
    ds = ds.assign({"_labels": (("video", "frame", "face", "_label"), values)})
    has_labels = np.asarray(np.isfinite(values).all(axis=-1)).any(axis=1)
    parts: list[list[NDArray[Any]]] = [[], [], [], []]
    for faces in iter_faces(ds, np.where(has_labels, codes, -1), variables=("_labels",)):
        there = np.isfinite(faces.extra["_labels"]).all(axis=-1)
        arrays = (faces.blendshapes, faces.landmarks, faces.extra["_labels"], faces.codes)
        for part, array in zip(parts, arrays, strict=True):
            part.append(array[there])
    if not sum(map(len, parts[3])):
        raise InputError(
            "found no frame with a face, all its labels and a group; expected some: compare the videos and frame "
            "numbers of the labels with those of the Dataset"
        )
    blendshapes, landmarks, known, of = (np.concatenate(part) for part in parts)
    used, of = np.unique(of, return_inverse=True)
    return LabelledFaces(
        blendshapes,
        landmarks,
        known.astype(np.float64),
        names,
        of,
        tuple(group_names[code] for code in used),
        n_unmatched,
    )


def _of_array(ds: xr.Dataset, labels: xr.DataArray) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    if set(labels.dims) != set(_DIMS):
        raise SchemaError(f"found labels with dims {labels.dims}; expected {_DIMS}")
    labels = labels.transpose(*_DIMS)
    expected = tuple(ds.sizes[dim] for dim in _DIMS[:3])
    if labels.shape[:3] != expected or labels["video"].values.tolist() != ds["video"].values.tolist():
        raise InputError(
            f"found labels of {labels.shape[:3]} videos, frames and faces; expected those of the Dataset, {expected}, "
            "with the same video labels in the same order; give a table to match them by frame_number"
        )
    names = tuple(str(name) for name in labels["feature"].values)
    values = labels.to_numpy().astype(np.float32)
    _check(names, values)
    return values, names


def _of_table(ds: xr.Dataset, table: pd.DataFrame) -> tuple[NDArray[np.float32], tuple[str, ...], int]:
    keys = ["video", "frame_number", *(["face"] if "face" in table or ds.sizes["face"] > 1 else [])]
    missing = [key for key in keys if key not in table]
    if missing:
        raise InputError(
            f"found labels without the columns {', '.join(missing)}; expected {', '.join(keys)} and one an action unit"
        )
    twice = table[table.duplicated(keys)]
    if len(twice):
        raise InputError(
            f"found {len(twice)} rows of a frame that has one already, first {dict(twice.iloc[0][keys])}; expected one"
        )
    names = tuple(str(name) for name in table.columns if name not in keys)
    rows = table[list(names)].to_numpy(np.float32)
    _check(names, rows)
    labels = [str(label) for label in ds["video"].values]
    unknown = sorted(set(table["video"].astype(str)) - set(labels))
    if unknown:
        raise unknown_names("video", unknown, labels)
    video = np.array([labels.index(label) for label in table["video"].astype(str)], np.intp)
    face = table["face"].to_numpy(np.intp) if "face" in table else np.zeros(len(table), np.intp)
    if len(face) and not (face.min() >= 0 and face.max() < ds.sizes["face"]):
        raise InputError(f"found faces {face.min()} to {face.max()}; expected 0 to {ds.sizes['face'] - 1}")
    values = np.full((*(ds.sizes[dim] for dim in _DIMS[:3]), len(names)), np.nan, np.float32)
    stored = ds["frame_number"].to_numpy()
    n_unmatched = 0
    for place in np.unique(video):
        own = np.flatnonzero(video == place)
        numbers = table["frame_number"].to_numpy()[own]
        real = np.flatnonzero(stored[place] >= 0)
        at = np.searchsorted(stored[place, real], numbers).clip(max=len(real) - 1) if len(real) else None
        matched = np.zeros(len(own), bool) if at is None else stored[place, real[at]] == numbers
        n_unmatched += int((~matched).sum())
        if at is not None:
            values[place, real[at[matched]], face[own[matched]]] = rows[own[matched]]
    return values, names, n_unmatched


def _check(names: tuple[str, ...], values: NDArray[np.float32]) -> None:
    problems = []
    others = sorted(name for name in names if not _ACTION_UNIT.fullmatch(name))
    if others or not names:
        problems.append(f"found labels named {', '.join(others) or 'nothing'}; expected action units such as AU12")
    low, high = (np.nanmin(values), np.nanmax(values)) if np.isfinite(values).any() else (0.0, 0.0)
    if low < 0 or high > 1:
        problems.append(f"found labels from {low:g} to {high:g}; expected 0 to 1: divide intensities of 0 to 5 by 5")
    if problems:
        raise InputError("; ".join(problems))
