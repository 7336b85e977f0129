"""The row of a store that belongs to a video, read along with its frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.detection.sources import Source
from facearray.errors import InputError, VideoError, unknown_names
from facearray.plot.overlay.hiding import Sightings

__all__ = ["ELEMENTS", "Row", "bar_names", "chosen_elements", "has_boxes", "row_of"]

#: What can be drawn.
ELEMENTS = ("boxes", "mesh", "pose", "gaze", "aus", "emotions")

_BOX = schema.feature_names("facebox")[:4]

#: Features that an element needs, all of them.
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "boxes": _BOX,
    "pose": ("Pitch", "Roll", "Yaw"),
    "gaze": schema.feature_names("gaze"),
}


def row_of(ds: xr.Dataset, source: Source, label: str | None) -> int:
    """Find the row that a video belongs to.

    Parameters
    ----------
    ds
        Detections.
    source
        The video.
    label
        Its label; by default the one whose recording was read from there, or that is the end of its path.

    Raises
    ------
    InputError
        If there is none, or none that it can be told by.
    VideoError
        If nothing was detected in it yet, or detection failed.
    """
    labels = [str(name) for name in ds["video"].to_numpy()]
    rows = _named(labels, label) if label is not None else _matching(ds, labels, source)
    if len(rows) != 1:
        found = "several rows" if rows else f"no row of {source.label!r}"
        raise InputError(
            f"found {found} in the store; expected one for one video; choose with video= or --label: "
            f"{unknown_names('label', [source.label], labels)}"
        )
    (row,) = rows
    status = str(ds["status"].to_numpy()[row])
    if status != "done":
        error = str(ds["error"].to_numpy()[row])
        reason = f" ({error.removeprefix(f'{labels[row]!r}: ')})" if error else ""
        remedy = "try it again with retry_failed" if status == "failed" else "let detection go on, and render then"
        raise VideoError(
            f"{labels[row]!r}: found that its row is {status}{reason}; expected one that is done; {remedy}"
        )
    return row


def _named(labels: Sequence[str], label: str) -> list[int]:
    if label not in labels:
        raise unknown_names("label", [label], labels)
    return [labels.index(label)]


def _matching(ds: xr.Dataset, labels: Sequence[str], source: Source) -> list[int]:
    places = [str(place) for place in ds["source"].to_numpy()]
    same_place = [i for i, place in enumerate(places) if place == source.location]
    if not same_place and not source.is_remote:
        resolved = str(Path(source.path).resolve())
        same_place = [i for i, place in enumerate(places) if place == resolved]
    if same_place:
        return same_place
    parts = PurePath(source.location).parts
    return [i for i, label in enumerate(labels) if (end := PurePath(label).parts) and parts[-len(end) :] == end]


def chosen_elements(ds: xr.Dataset, draw: Sequence[str] | None) -> tuple[str, ...]:
    """Return what is drawn, in the order of ``ELEMENTS``: what was asked for, or all that there are values for.

    Raises
    ------
    InputError
        If there is no such element, or `ds` has no values for it.
    """
    unknown = [name for name in draw or () if name not in ELEMENTS]
    if unknown:
        raise unknown_names("element", unknown, ELEMENTS)
    there = [name for name in ELEMENTS if _has(ds, name)]
    missing = [name for name in draw or () if name not in there]
    if missing:
        raise InputError(
            f"draw: found no values for {', '.join(missing)} in the store; expected some of "
            f"{', '.join(there) or 'none'}; leave the others out"
        )
    return tuple(name for name in there if draw is None or name in draw)


def _has(ds: xr.Dataset, element: str) -> bool:
    if element == "mesh":
        return "landmarks" in ds
    names = set(ds["feature"].to_numpy().tolist())
    if element in _NEEDS:
        has_place = "landmarks" in ds or has_boxes(ds)
        return names.issuperset(_NEEDS[element]) and has_place
    return bool(bar_names(ds, element))


def has_boxes(ds: xr.Dataset) -> bool:
    """Whether there are boxes around faces."""
    return set(_BOX) <= set(ds["feature"].to_numpy().tolist())


def bar_names(ds: xr.Dataset, group: str) -> list[str]:
    """Names of the features of a group, in the order of the store."""
    names = [str(name) for name in ds["feature"].to_numpy()]
    return [name for name, found in zip(names, ds["group"].to_numpy(), strict=True) if found == group]


#: Frames a second of a video of which nothing says it.
_USUAL_FPS = 25.0


@dataclass(frozen=True, slots=True)
class _Block:
    """Values of some frames that follow one another."""

    start: int
    features: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None

    def __contains__(self, position: int) -> bool:
        return 0 <= position - self.start < len(self.features)


class Row:
    """Values of one video, read a chunk of frames at a time.

    Parameters
    ----------
    one
        Detections without a dim ``video``.

    Attributes
    ----------
    number
        (n,) positions of the frames that were looked at, ascending.
    names
        Names along ``feature``.
    faces
        Labels of the face slots.
    step
        Frames of the video that the values of a frame stand for: itself and those up to the next one.
    """

    def __init__(self, one: xr.Dataset) -> None:
        self._one = one
        numbers = one["frame_number"].to_numpy()
        real = np.flatnonzero(numbers >= 0)
        self._position = real[np.argsort(numbers[real], kind="stable")]
        self.number: NDArray[np.int64] = numbers[self._position].astype(np.int64)
        self.names = [str(name) for name in one["feature"].to_numpy()]
        self.faces = one["face"].to_numpy().tolist() if "face" in one.coords else list(range(one.sizes["face"]))
        steps = np.diff(self.number)
        self.step = int(np.median(steps)) if len(steps) else 1
        self._block: _Block | None = None

    def at(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32] | None] | None:
        """Values that stand for a frame of the video.

        Returns
        -------
        tuple or None
            Features (face, feature) and landmarks (face, landmark, axis), or None for the latter where there are none;
            None where the frame was not looked at, and no frame up to ``step`` before it.
        """
        i = int(np.searchsorted(self.number, number, side="right")) - 1
        if i < 0 or number - self.number[i] >= self.step:
            return None
        position = int(self._position[i])
        if self._block is None or position not in self._block:
            self._block = self._read(position // schema.FRAMES_PER_CHUNK * schema.FRAMES_PER_CHUNK)
        at = position - self._block.start
        landmarks = self._block.landmarks
        return self._block.features[at], None if landmarks is None else landmarks[at]

    def centres(self) -> NDArray[np.float64]:
        """Where each face is from the left edge: the median over the first chunk of frames; NaN where unknown."""
        edges, _ = _edges(self._read(0), self.names)
        middle = (edges[..., 0] + edges[..., 2]) / 2
        known = np.isfinite(middle)
        found = (
            np.median(middle[known[:, face], face]) if known[:, face].any() else np.nan
            for face in range(len(self.faces))
        )
        return np.fromiter(found, np.float64)

    def sightings(self) -> Sightings:
        """Where faces were found, by boxes and landmarks together."""
        n = self._one.sizes["frame"]
        edges = np.full((n, self._one.sizes["face"], 4), np.nan)
        there = np.zeros(edges.shape[:2], bool)
        for start in range(0, n, schema.FRAMES_PER_CHUNK):
            block = self._read(start)
            part = slice(start, start + len(block.features))
            edges[part], there[part] = _edges(block, self.names)
        found = self._one["n_faces_found"].to_numpy()
        n_known = np.isfinite(edges).all(axis=2).sum(axis=1)
        lost = np.maximum(found, there.sum(axis=1)) > n_known
        at = self._position
        return Sightings(self.number, self._seconds(), edges[at], lost[at])

    def _seconds(self) -> NDArray[np.float64]:
        """Return the times of the frames; where they start anew, as in joined recordings, they go on."""
        fps = float(self._one["fps"])
        even = self.number / (fps if fps > 0 else _USUAL_FPS)
        seconds = self._one["timestamp"].to_numpy()[self._position].astype(np.float64)
        if not len(seconds) or not np.isfinite(seconds).all():
            return even
        steps = np.diff(seconds)
        steps = np.where(steps > 0, steps, np.diff(even))
        return np.concatenate([seconds[:1], seconds[0] + np.cumsum(steps)])

    def _read(self, start: int) -> _Block:
        part = self._one.isel(frame=slice(start, start + schema.FRAMES_PER_CHUNK))
        features = part["features"].transpose("frame", "face", "feature").to_numpy()
        if "landmarks" not in part:
            return _Block(start, features, None)
        return _Block(start, features, part["landmarks"].transpose("frame", "face", "landmark", "axis").to_numpy())


def _edges(block: _Block, names: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Edges of each face (frame, face, 4), NaN where unknown, and whether anything is known of it (frame, face)."""
    shape = block.features.shape[:2]
    there = np.asarray(np.isfinite(block.features).any(axis=2))
    edges = np.full((*shape, 4), np.nan)
    if set(_BOX) <= set(names):
        left, top, width, height = np.moveaxis(block.features[..., [names.index(name) for name in _BOX]], -1, 0)
        edges = np.stack([left, top, left + width, top + height], axis=-1).astype(np.float64)
        edges[~np.isfinite(edges).all(axis=2)] = np.nan
    if block.landmarks is not None and block.landmarks.shape[2]:
        xy = block.landmarks[..., :2]
        known = np.asarray(np.isfinite(xy).all(axis=3))
        there |= known.any(axis=2)
        low = np.where(known[..., None], xy, np.inf).min(axis=2)
        high = np.where(known[..., None], xy, -np.inf).max(axis=2)
        points = np.concatenate([low, high], axis=2)
        points[~known.any(axis=2)] = np.nan
        edges = np.concatenate(
            [np.fmin(edges[..., :2], points[..., :2]), np.fmax(edges[..., 2:], points[..., 2:])], axis=2
        )
    # what has no extent is no place
    edges[~(edges[..., 2:] > edges[..., :2]).all(axis=2)] = np.nan
    return edges, there
