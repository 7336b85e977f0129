"""What several recordings have in common: one layout for all of them, and each one's values in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.io.layout import Layout
from facearray.io.recording import Recording
from facearray.schema import FEATURES

__all__ = ["Outline", "block", "unite"]

#: Sentences about conversions that the attributes keep.
MAX_NOTES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What is known of a recording once it was read, without its values.

    Attributes
    ----------
    tool, version
        What made the file.
    features
        Names of the measures.
    n_frames, n_faces
        Frames, and most slots of a frame.
    n_landmarks, n_components
        Points, and components of the embedding; 0 where there are none.
    has_depth
        Whether the points have a depth.
    first, last
        (frame number, timestamp) of the first and the last frame.
    fps, width, height, other, notes, problems
        As in :class:`Recording`; ``other`` is (unit, description) by feature.
    """

    tool: str
    version: str
    features: tuple[str, ...]
    n_frames: int
    n_faces: int
    n_landmarks: int
    n_components: int
    has_depth: bool
    first: tuple[int, float]
    last: tuple[int, float]
    fps: float
    width: int
    height: int
    other: Mapping[str, tuple[str, str]]
    notes: frozenset[str]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, recording: Recording, tool: str) -> Outline:
        """Describe a recording, or the part of one."""
        landmarks, embedding = recording.landmarks, recording.embedding
        units, descriptions = dict(recording.units), dict(recording.descriptions)
        n_frames, n_faces = recording.values.shape[:2]
        ends = [(0, float("nan"))] * 2
        if n_frames:
            ends = [(int(recording.frame_number[i]), float(recording.timestamp[i])) for i in (0, -1)]
        return cls(
            tool=tool,
            version=recording.version,
            features=recording.features,
            n_frames=n_frames,
            n_faces=n_faces,
            n_landmarks=0 if landmarks is None else landmarks.shape[2],
            n_components=0 if embedding is None else embedding.shape[2],
            has_depth=landmarks is not None and bool(np.isfinite(landmarks[..., 2]).any()),
            first=ends[0],
            last=ends[1],
            fps=recording.fps,
            width=recording.width,
            height=recording.height,
            other={name: (units.get(name, ""), descriptions.get(name, "")) for name in recording.other},
            notes=frozenset(recording.notes),
            problems=recording.problems,
        )

    def followed_by(self, part: Outline) -> Outline:
        """Describe the recording that the next part belongs to."""
        if not part.n_frames:
            return self
        return replace(
            self,
            n_frames=self.n_frames + part.n_frames,
            n_faces=max(self.n_faces, part.n_faces),
            n_landmarks=max(self.n_landmarks, part.n_landmarks),
            n_components=max(self.n_components, part.n_components),
            has_depth=self.has_depth or part.has_depth,
            first=self.first if self.n_frames else part.first,
            last=part.last,
            width=self.width or part.width,
            height=self.height or part.height,
            notes=self.notes | part.notes,
            problems=tuple(dict.fromkeys((*self.problems, *part.problems))),
        )

    def record(self, fps: float | None) -> dict[str, Any]:
        """Return what the coordinates along ``video`` say about it, given the frame rate that was asked for."""
        (first, start), (last, end) = self.first, self.last
        rate = self.fps
        if np.isnan(rate) and end > start:
            rate = (last - first) / (end - start)
        if np.isnan(rate) and fps is not None:
            rate = fps
        if np.isnan(end):
            start, end = first / rate, last / rate
        return {
            "n_frames": self.n_frames,
            "fps": rate,
            "width": self.width,
            "height": self.height,
            "duration": end - start + 1 / rate if self.n_frames else float("nan"),
        }


def unite(outlines: Iterable[Outline], *, fps: float | None) -> Layout:
    """Return the layout that all recordings fit in.

    The features are the union: those of the schema in its order, then the others in order of appearance. Landmarks
    and embeddings are those of the largest size; smaller ones, which mean something else, become features.
    """
    everything = list(outlines)
    n_landmarks = max((o.n_landmarks for o in everything), default=0)
    n_components = max((o.n_components for o in everything), default=0)
    named: dict[str, None] = {}
    other: dict[str, tuple[str, str]] = {}
    for outline in everything:
        named |= dict.fromkeys(outline.features)
        other = {**outline.other, **other}
        folded: dict[str, tuple[str, str]] = {}
        if outline.n_landmarks not in (0, n_landmarks):
            points = _point_names(outline.n_landmarks, n_axes=2 + outline.has_depth)
            folded |= dict.fromkeys(points, ("px", "landmark of a smaller set"))
        if outline.n_components not in (0, n_components):
            folded |= dict.fromkeys(_component_names(outline.n_components), ("", "component of a smaller embedding"))
        named |= dict.fromkeys(folded)
        other = {**folded, **other}
    notes = sorted({note for outline in everything for note in outline.notes})
    dropped = [f"… and {len(notes) - MAX_NOTES} more"] if len(notes) > MAX_NOTES else []
    return Layout(
        detector=", ".join(sorted({outline.tool for outline in everything})),
        detector_version=", ".join(sorted({outline.version for outline in everything} - {""})) or "unknown",
        features=(*(n for n in FEATURES if n in named), *(n for n in named if n not in FEATURES)),
        max_faces=max((o.n_faces for o in everything), default=1) or 1,
        n_landmarks=n_landmarks or None,
        n_components=n_components or None,
        options={
            "fps": fps,
            "conversions": notes[:MAX_NOTES] + dropped,
            "other": [name for name in named if name not in FEATURES],
        },
        other=other,
    )


def block(recording: Recording, layout: Layout, *, fps: float | None) -> dict[str, NDArray[Any]]:
    """Return the arrays of a recording, or of a part of it, as the layout has them."""
    n_frames, n_faces = recording.values.shape[:2]
    values, names = [recording.values], list(recording.features)
    landmarks, embedding = recording.landmarks, recording.embedding
    if landmarks is not None and landmarks.shape[2] != layout.n_landmarks:
        values.append(np.moveaxis(landmarks, 3, 2).reshape(n_frames, n_faces, -1))
        names += _point_names(landmarks.shape[2])
        landmarks = None
    if embedding is not None and embedding.shape[2] != layout.n_components:
        values.append(embedding)
        names += _component_names(embedding.shape[2])
        embedding = None
    rate = fps if fps is not None and np.isnan(recording.fps) else recording.fps
    timestamp = np.where(np.isnan(recording.timestamp), recording.frame_number / rate, recording.timestamp)
    arrays: dict[str, NDArray[Any]] = {
        "frame_number": recording.frame_number,
        "timestamp": timestamp,
        "n_faces_found": recording.n_faces_found,
        "track_id": _in_slots(recording.track_id, layout.max_faces, -1),
        "features": _in_slots(_chosen(values, names, layout.features), layout.max_faces),
    }
    for name, size, given in (
        ("landmarks", (layout.n_landmarks, 3), landmarks),
        ("embedding", (layout.n_components,), embedding),
    ):
        if size[0] is not None:
            absent = np.full((n_frames, n_faces, *size), np.nan, np.float32) if given is None else given
            arrays[name] = _in_slots(absent, layout.max_faces)
    return arrays


def _chosen(values: list[NDArray[np.float32]], names: list[str], wanted: tuple[str, ...]) -> NDArray[np.float32]:
    """Return the features of the layout; NaN for those that the recording does not have."""
    if len(values) == 1 and tuple(names) == wanted:
        return values[0]
    every = np.concatenate(values, axis=2)
    missing = np.full((*every.shape[:2], 1), np.nan, np.float32)
    at = {name: i for i, name in enumerate(names)}
    index = [at.get(name, len(names)) for name in wanted]
    return np.concatenate([every, missing], axis=2)[:, :, index]


def _in_slots(values: NDArray[Any], n_slots: int, fill: float = float("nan")) -> NDArray[Any]:
    if values.shape[1] == n_slots:
        return values
    spread = np.full((len(values), n_slots, *values.shape[2:]), fill, dtype=values.dtype)
    spread[:, : values.shape[1]] = values
    return spread


def _point_names(n_points: int, n_axes: int = 3) -> list[str]:
    return [f"{axis}_{i}" for axis in "xyz"[:n_axes] for i in range(n_points)]


def _component_names(n_components: int) -> list[str]:
    return [f"embedding_{i}" for i in range(n_components)]
