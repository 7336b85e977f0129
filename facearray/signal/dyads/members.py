"""Who is compared with whom, and their time courses on one time axis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray._columns import video_labels
from facearray.errors import InputError, unknown_names
from facearray.signal._videos import common_grid
from facearray.signal.events import face_labels
from facearray.stats.faces import one_face
from facearray.stats.intersubject.grid import Grid, load

__all__ = ["Dyads", "Series", "dyads_of_faces", "dyads_of_videos"]

#: Labels of two videos each.
Pairs: TypeAlias = "pd.DataFrame | Iterable[Sequence[str]]"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Values (n_feature, n_place) of one person, of which the first is at a place of the common time axis."""

    values: NDArray[np.floating]
    start: int

    def shared_with(self, other: Series) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Cut both to the places that both have."""
        first = max(self.start, other.start)
        stop = max(first, min(self.start + self.values.shape[1], other.start + other.values.shape[1]))
        a, b = (s.values[:, first - s.start : stop - s.start] for s in (self, other))
        return a, b


@dataclass(frozen=True, slots=True, eq=False)
class Dyads:
    """Pairs of persons.

    Attributes
    ----------
    ds
        Detections.
    grid
        Of its videos.
    labels
        Labels (n,) of the dyads.
    videos, faces
        Positions (n, 2) of the videos and of the slots of both.
    """

    ds: xr.Dataset
    grid: Grid
    labels: NDArray[Any]
    videos: NDArray[np.intp]
    faces: NDArray[np.intp]

    def series(self, dyad: int, member: int, features: list[str]) -> Series:
        """Read the time courses of one of the two."""
        video, face = (int(part[dyad, member]) for part in (self.videos, self.faces))
        one = self.ds.isel(video=[video], face=[face])
        grid = self.grid.take(np.array([video]))
        start = int(grid.start[0])
        return Series(load(one, grid, features)[:, 0, start:], start)

    @property
    def coords(self) -> dict[str, Any]:
        """Labels of the members of each dyad."""
        labels, slots = self.ds["video"].to_numpy(), face_labels(self.ds)
        found: dict[str, Any] = {"dyad": self.labels}
        for i, end in enumerate(("", "_other")):
            found[f"video{end}"] = ("dyad", labels[self.videos[:, i]])
            found[f"face{end}"] = ("dyad", slots[self.faces[:, i]])
        return found


def dyads_of_faces(ds: xr.Dataset, faces: Sequence[Any], rate: float | None) -> Dyads:
    """Make a dyad of two faces in every video.

    Raises
    ------
    InputError
        If these are not two faces that there are.
    """
    grid = common_grid(ds, rate)
    if "face" not in ds["features"].dims:
        raise InputError(
            "found no dim 'face'; expected detections with two faces a video; give pairs= for the two persons of "
            "different videos"
        )
    slots = face_labels(ds).tolist()
    asked = list(faces)
    if len(asked) != 2 or asked[0] == asked[1] or any(face not in slots for face in asked):
        raise InputError(
            f"found faces={tuple(asked)!r}; expected two different ones of {slots}; detect with max_faces=2 for two "
            "persons in a video, or give pairs= for those of different videos"
        )
    n = ds.sizes["video"]
    places = np.tile([slots.index(face) for face in asked], (n, 1))
    labels = np.asarray(ds["video"].to_numpy())
    return Dyads(ds, grid, labels, np.repeat(np.arange(n)[:, None], 2, axis=1), places)


def dyads_of_videos(ds: xr.Dataset, pairs: Pairs, rate: float | None) -> Dyads:
    """Make a dyad of every two videos of one face that belong together.

    Raises
    ------
    InputError
        If a video is unknown, or is paired with itself or twice in the same way, or has several faces.
    """
    ds = one_face(ds, "because a pair of videos is one of two persons")
    if isinstance(pairs, pd.DataFrame):
        if absent := [name for name in ("video", "video_other") if name not in pairs.columns]:
            raise unknown_names("column of pairs", absent, [str(column) for column in pairs.columns])
        rows = pairs[["video", "video_other"]].to_numpy().tolist()
    else:
        rows = list(pairs)
    if not rows or any(isinstance(row, str) or len(row) != 2 for row in rows):
        raise InputError(f"found pairs={rows[:3]!r}; expected pairs of video labels, one or more")
    named = [(str(first), str(second)) for first, second in rows]
    known = video_labels(ds)
    if unknown := {name for pair in named for name in pair} - set(known):
        raise unknown_names("video", sorted(unknown), list(known))
    wrong = [pair for i, pair in enumerate(named) if pair[0] == pair[1] or pair in named[:i]]
    if wrong:
        raise InputError(f"found pairs {wrong[:3]!r} of a video with itself or more than once; expected each pair once")
    videos = np.stack([known.get_indexer([pair[i] for pair in named]) for i in (0, 1)], axis=1)
    labels = np.array([f"{first} & {second}" for first, second in named], dtype=np.dtypes.StringDType())
    return Dyads(ds, common_grid(ds, rate), labels, videos, np.zeros_like(videos))
