"""Levels of rest that are pooled over videos, or given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._columns import shown
from facearray.blocks import iter_blocks
from facearray.errors import InputError, unknown_names
from facearray.models.au_baselines import QUIET
from facearray.models.inputs import person_codes
from facearray.selectors import feature_names
from facearray.stats.frames import FrameSums, block_sums, pool
from facearray.stats.units import face_labels

__all__ = ["PERSON", "Rest", "of_dataset", "of_quiet_frames", "of_values"]

#: Groups of features that say how much a face does, the first that there is.
ACTIVITY = ("aus", "blendshapes")

#: Coordinate that says who is seen, where no other is named.
PERSON = "person"


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """Level and standard deviation (n_video, n_face, n_feature) of faces at rest; NaN where they are unknown."""

    level: NDArray[np.float64]
    sd: NDArray[np.float64]


def of_quiet_frames(ds: xr.Dataset, features: list[str], person: str) -> Rest:
    """Pool the quiet frames of each person, the share `QUIET` of all frames in which the face does least.

    Raises
    ------
    InputError
        If ``person`` is no coordinate of people, a face with measurements has no person, or nothing says how much a
        face does.
    """
    people, codes = _people(ds, person)
    present = [str(name) for name in ds["group"].values] if "group" in ds.coords else None
    group = next((name for name in ACTIVITY if _has_group(ds, name, present)), None)
    if group is None:
        raise InputError(
            "found neither action units nor blendshapes; expected features that say how much a face does; use another "
            "reference than 'quiet'"
        )
    active = feature_names(ds, group)
    together = list(dict.fromkeys([*active, *features]))
    activity: list[list[NDArray[np.float32]]] = [[] for _ in people]
    nobody: set[int] = set()
    for block in iter_blocks(ds, features=active, copy=False):
        effort = _effort(block.data["features"])
        for i, video in enumerate(block.videos.tolist()):
            for face, code in enumerate(codes[video].tolist()):
                found = effort[i, :, face]
                found = found[~np.isnan(found)]
                if code >= 0:
                    activity[code].append(found)
                elif len(found):
                    nobody.add(video)
    if nobody:
        raise InputError(
            f"found faces without {person!r} in {shown(str(ds['video'].values[v]) for v in sorted(nobody))}; expected "
            "everybody's; add it, or leave these videos out"
        )
    pooled = [np.concatenate(parts) if parts else np.empty(0, np.float32) for parts in activity]
    limits = np.array([np.quantile(values, QUIET) if len(values) else np.nan for values in pooled] + [np.nan])
    n_active = len(active)
    places = [together.index(name) for name in features]

    def quiet(values: NDArray[np.floating], videos: NDArray[np.intp]) -> NDArray[np.floating]:
        is_quiet = _effort(values[..., :n_active]) <= limits[codes[videos]][:, None]
        return np.where(is_quiet[..., None], values[..., places], np.nan)

    return _pooled(ds, together, len(features), codes, len(people), quiet).take(codes)


def of_dataset(ds: xr.Dataset, other: xr.Dataset, features: list[str], person: str | None) -> Rest:
    """Average the frames of other detections, of the same person or else the same video.

    Without a name for the coordinate of people, it is `PERSON` if both have it.

    Raises
    ------
    InputError
        If the other Dataset lacks features, people or videos.
    """
    schema.validate(other, variables=["features", "frame_number", "video", "feature"])
    known = [str(name) for name in other["feature"].values]
    if missing := [name for name in features if name not in known]:
        raise unknown_names("feature of the reference", missing, known)
    if person is None and PERSON in ds.coords and PERSON in other.coords:
        person = PERSON
    if person is not None:
        wanted, own = _people(ds, person)
        people, codes = _people(other, person)
        what = person
    else:
        if other.sizes["face"] != ds.sizes["face"]:
            raise InputError(
                f"found {other.sizes['face']} faces in the reference and {ds.sizes['face']} in the Dataset; expected "
                f"the same, or a coordinate {PERSON!r} on (video, face) in both"
            )
        shape = (ds.sizes["video"], ds.sizes["face"])
        wanted, own = _slots(ds), np.arange(shape[0] * shape[1]).reshape(shape)
        people = _slots(other)
        codes = np.arange(len(people)).reshape(other.sizes["video"], other.sizes["face"])
        what = "video"
    place = {label: i for i, label in enumerate(people)}
    if lacking := [label for label in wanted if label not in place]:
        names = shown(sorted({str(label[0] if isinstance(label, tuple) else label) for label in lacking}))
        raise InputError(
            f"found no {what} {names} in the reference; expected all of the Dataset's; add them, or leave these out"
        )

    def all_frames(values: NDArray[np.floating], videos: NDArray[np.intp]) -> NDArray[np.floating]:  # noqa: ARG001
        return values

    found = _pooled(other, features, len(features), codes, len(people), all_frames)
    to_other = np.array([*(place[label] for label in wanted), -1], dtype=np.intp)
    return found.take(to_other[own])


def of_values(ds: xr.Dataset, levels: xr.DataArray, features: list[str], scale: str) -> Rest:
    """Take levels as they are given.

    Raises
    ------
    InputError
        If they have other dims, lack labels that the Dataset has, or the scale needs a standard deviation.
    """
    dims = ("video", "face", "feature")
    if scale == "z":
        raise InputError("found scale='z' with levels; expected frames at rest, whose standard deviation it needs")
    if "feature" not in levels.dims or set(levels.dims) - set(dims):
        raise InputError(
            f"found levels with the dims {', '.join(map(str, levels.dims))}; expected 'feature', and 'video' and "
            "'face' if they differ between these"
        )
    known = [str(name) for name in levels["feature"].values]
    if missing := [name for name in features if name not in known]:
        raise unknown_names("feature of the reference", missing, known)
    levels = levels.isel(feature=[known.index(name) for name in features])
    if "video" in levels.dims:
        labels = [str(label) for label in levels["video"].values]
        wanted = [str(label) for label in ds["video"].values]
        if missing := [label for label in wanted if label not in set(labels)]:
            raise unknown_names("video of the reference", missing, labels)
        place = {label: i for i, label in enumerate(labels)}
        levels = levels.isel(video=[place[label] for label in wanted])
    if "face" in levels.dims:
        levels = _faces_of(ds, levels)
    sizes = {"video": ds.sizes["video"], "face": ds.sizes["face"], "feature": len(features)}
    wide = levels.variable.set_dims(sizes).transpose(*dims)  # type: ignore[no-untyped-call]
    values = np.asarray(wide.values, dtype=np.float64)
    return Rest(values, np.full_like(values, np.nan))


def _faces_of(ds: xr.Dataset, levels: xr.DataArray) -> xr.DataArray:
    """Put levels into the order of the Dataset's faces, by their labels where they have any."""
    if levels.sizes["face"] != ds.sizes["face"]:
        raise InputError(f"found levels of {levels.sizes['face']} faces; expected {ds.sizes['face']}")
    if "face" not in levels.coords:
        return levels
    labels, wanted = levels["face"].values.tolist(), face_labels(ds).tolist()
    if set(labels) != set(wanted):
        raise InputError(
            f"found levels of the faces {shown(labels)}; expected {shown(wanted)}; name them alike, or drop the labels "
            "with levels.drop_vars('face') to go by position"
        )
    return levels.isel(face=[labels.index(label) for label in wanted])


@dataclass(frozen=True, slots=True, eq=False)
class _OfPeople:
    """Level and standard deviation (n_person + 1, n_feature); the last row is that of nobody."""

    level: NDArray[np.float64]
    sd: NDArray[np.float64]

    def take(self, codes: NDArray[np.intp]) -> Rest:
        return Rest(self.level[codes], self.sd[codes])


def _pooled(
    ds: xr.Dataset, names: list[str], n_features: int, codes: NDArray[np.intp], n_people: int, choose: Any
) -> _OfPeople:
    """Mean and standard deviation of chosen frames of each person, in one pass over the frames."""
    sums = FrameSums.empty((ds.sizes["video"], ds.sizes["face"], n_features), {"std"})
    for block in iter_blocks(ds, features=names, copy=False):
        values = choose(block.data["features"], block.videos)
        sums.add(block.videos, block_sums(values, {"std"}, None))
    rows = (codes.size, 1, n_features)
    n = np.broadcast_to(sums.n, sums.mean.shape).reshape(rows)
    by_face = FrameSums(n, sums.mean.reshape(rows), None if sums.m2 is None else sums.m2.reshape(rows))
    total = pool(by_face, codes.ravel(), n_people)
    nobody = np.full((1, n_features), np.nan)
    return _OfPeople(*(np.concatenate([total.statistic(name)[:, 0], nobody]) for name in ("mean", "std")))


def _people(ds: xr.Dataset, person: str) -> tuple[list[Any], NDArray[np.intp]]:
    """People, and which of them (n_video, n_face) is seen; -1 where nobody is named."""
    if person == "video":
        raise InputError(
            "found person='video'; expected a coordinate of people; use the reference 'mean' or 'median' for each video"
        )
    return person_codes(ds, person)


def _slots(ds: xr.Dataset) -> list[tuple[str, int]]:
    return [(str(video), face) for video in ds["video"].values for face in range(ds.sizes["face"])]


def _has_group(ds: xr.Dataset, group: str, present: list[str] | None) -> bool:
    if present is not None:
        return group in present
    return bool(set(schema.GROUPS[group].features) & {str(name) for name in ds["feature"].values})


def _effort(values: NDArray[np.floating]) -> NDArray[np.floating]:
    """How much faces do: the mean of the features (..., n_feature) that have a value; NaN where none has."""
    there = ~np.isnan(values)
    n = there.sum(axis=-1)
    total = np.where(there, values, 0).sum(axis=-1)
    mean: NDArray[np.floating] = np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)
    return mean
