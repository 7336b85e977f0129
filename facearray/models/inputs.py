"""Blendshapes and landmarks of the frames of a Dataset: what action units are computed from."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.blocks import iter_blocks
from facearray.errors import InputError, SchemaError
from facearray.models.geometry import N_LANDMARKS

__all__ = ["Faces", "check_inputs", "iter_faces", "person_codes"]

_BLENDSHAPES = schema.GROUPS["blendshapes"].features
_AXES = ["x", "y", "z"]

#: Dims that a coordinate of people may have.
_DIMS = (("video",), ("video", "face"))

#: Of one block; what is computed from a mesh takes some ten times as much beside it.
_BLOCK_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Faces of some frames that have all that is needed.

    Attributes
    ----------
    blendshapes, landmarks
        (n, 52) and (n, 478, 3).
    codes
        (n,) codes of what each belongs to.
    extra
        (n, ...) values of further variables.
    """

    blendshapes: NDArray[np.floating]
    landmarks: NDArray[np.floating]
    codes: NDArray[np.intp]
    extra: dict[str, NDArray[Any]]


def check_inputs(ds: xr.Dataset) -> xr.Dataset:
    """Check that a Dataset has what action units are computed from, and put its axes in order.

    Raises
    ------
    SchemaError
        If it has no blendshapes, no mesh of 478 points in three dimensions, or does not follow the schema.
    """
    schema.validate(ds, variables=["features", "landmarks", "frame_number", "video", "feature"])
    problems = []
    missing = sorted(set(_BLENDSHAPES) - {str(name) for name in ds["feature"].values})
    if missing:
        problems.append(f"found no blendshapes {', '.join(missing)}; expected all {len(_BLENDSHAPES)}")
    if ds.sizes["landmark"] != N_LANDMARKS:
        problems.append(f"found {ds.sizes['landmark']} landmarks; expected MediaPipe's mesh of {N_LANDMARKS}")
    axes = [str(axis) for axis in ds["axis"].values] if "axis" in ds.coords else _AXES[: ds.sizes["axis"]]
    if sorted(axes) != _AXES:
        problems.append(f"found the axes {', '.join(axes)}; expected x, y and z")
    if problems:
        raise SchemaError(
            "action units cannot be computed:\n"
            + "".join(f"  - {problem}\n" for problem in problems)
            + "detect with detector='mediapipe' and landmarks=True, or read files of a tool that has both"
        )
    order = [axes.index(axis) for axis in _AXES]
    return ds if order == [0, 1, 2] else ds.isel(axis=order)


def person_codes(ds: xr.Dataset, name: str, *, what: str = "person") -> tuple[list[Any], NDArray[np.intp]]:
    """Distinct values of a coordinate on (video) or (video, face), and the position among them of each video and face.

    Parameters
    ----------
    ds
        Detections.
    name
        Name of the coordinate.
    what
        What the coordinate says, for errors: ``"person"``, or ``"group"``, which all faces of a video may share.

    Returns
    -------
    labels
        In ascending order, as text where they cannot be compared.
    codes
        (n_video, n_face); -1 where the value is missing (None, NaN or an empty text).

    Raises
    ------
    InputError
        If there is no such coordinate, or it does not tell the faces of a video apart.
    """
    import pandas as pd

    if name not in ds.coords or ds[name].dims not in _DIMS:
        raise _unknown_coordinate(ds, name, what)
    dims = ds[name].dims
    n_faces = ds.sizes["face"]
    if dims == ("video",) and n_faces > 1 and what == "person":
        raise InputError(
            f"found {name!r} on video, and {n_faces} faces a video; expected one person a video, or a coordinate on "
            "(video, face): choose a face with isel(face=[0]), or join persons with on=('video', 'face')"
        )
    values = ds[name].to_numpy().astype(object)
    values[values == ""] = None
    codes, labels = pd.factorize(values.ravel())
    order = sorted(range(len(labels)), key=lambda i: (type(labels[i]).__name__, labels[i]))
    rank = np.empty(len(labels) + 1, np.intp)
    rank[order], rank[-1] = np.arange(len(labels)), -1
    found = rank[codes].reshape(values.shape)
    if dims == ("video",):
        found = np.repeat(found[:, None], n_faces, axis=1)
    return [labels[i] for i in order], found


def _unknown_coordinate(ds: xr.Dataset, name: str, what: str) -> InputError:
    expected = f"expected a coordinate on video, or on video and face, that says which {what} is seen"
    known = sorted({str(other) for other in ds.coords if ds[other].dims in _DIMS} - set(schema.COORDS))
    if name in ds.coords:
        found = f"found {name!r} on ({', '.join(map(str, ds[name].dims))})"
    else:
        # a name that is merely alike would be taken for who is seen
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        others = f" (there are {', '.join(known)})" if known else ""
        found = f"found no coordinate {name!r}{f' (did you mean {near[0]!r}?)' if near else others}"
    remedy = f"join one: ds.fex.join({{'001.mp4': '{what} 1', ...}}, name={name!r})"
    if what == "person":
        remedy += "; or, with embeddings, have people told apart: ds.assign_coords(person=ds.fex.identities().person)"
    return InputError(f"{found}; {expected}; {remedy}")


def iter_faces(ds: xr.Dataset, codes: NDArray[np.intp], *, variables: tuple[str, ...] = ()) -> Iterator[Faces]:
    """Iterate over the faces of real frames that have all blendshapes and points, a few videos at a time.

    Parameters
    ----------
    ds
        As `check_inputs` returns it.
    codes
        (n_video, n_face) codes; faces of code -1 are left out, and videos with no other are not read.
    variables
        Further variables with dims (video, frame, face, ...) to hand on.
    """
    wanted = np.flatnonzero((codes >= 0).any(axis=1))
    names = ("features", "landmarks", *variables)
    for block in iter_blocks(ds, variables=names, features=list(_BLENDSHAPES), videos=wanted, max_bytes=_BLOCK_BYTES):
        shapes, points = block.data["features"], block.data["landmarks"]
        there = np.broadcast_to(codes[block.videos][:, None], shapes.shape[:3]) >= 0
        there = there & np.isfinite(shapes).all(axis=-1) & np.isfinite(points).all(axis=(-2, -1))
        video, _, face = np.nonzero(there)
        yield Faces(
            shapes[there],
            points[there],
            codes[block.videos[video], face],
            {name: block.data[name][there] for name in variables},
        )
