"""From the faces of each frame, as many as there are, to the fixed slots of the store.

Faces are assigned after inference, so that nothing of it changes their values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facearray.detection.detector import Detector, Faces
from facearray.detection.people import slots_of_people, slots_of_tracks
from facearray.detection.spool import Spool
from facearray.detection.tracking import Tracker
from facearray.errors import InputError

__all__ = ["SlotFiller", "Slots", "check_place", "slot_filler"]

_BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")


@dataclass(frozen=True, slots=True)
class Slots:
    """Some frames in the store's shape.

    Attributes
    ----------
    frame_number, timestamp
        (n_frame,) as of the video.
    n_faces_found
        (n_frame,) faces seen in each frame.
    track_id
        (n_frame, n_slot), -1 where the slot is empty.
    features
        (n_frame, n_slot, n_feature), NaN where the slot is empty.
    landmarks
        (n_frame, n_slot, n_landmark, 3) or None.
    embedding
        (n_frame, n_slot, n_component) or None.
    """

    frame_number: NDArray[np.int32]
    timestamp: NDArray[np.float64]
    n_faces_found: NDArray[np.int16]
    track_id: NDArray[np.int32]
    features: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None
    embedding: NDArray[np.float32] | None

    def arrays(self, *, landmarks: bool, embedding: bool) -> dict[str, NDArray[Any]]:
        """Return those that are stored, by name; landmarks and embeddings only where they are wanted."""
        wanted = {"landmarks": landmarks, "embedding": embedding}
        found = {field.name: getattr(self, field.name) for field in fields(self) if wanted.get(field.name, True)}
        return {name: array for name, array in found.items() if array is not None}


class SlotFiller(ABC):
    """Puts the faces of one video into slots, frame by frame; a context manager. Made by :func:`slot_filler`."""

    @abstractmethod
    def add(self, frame_number: NDArray[np.int32], timestamp: NDArray[np.float64], faces: Faces) -> Iterator[Slots]:
        """Take the next frames in, and give those whose slots are known by now."""

    @abstractmethod
    def finish(self) -> Iterator[Slots]:
        """Give the frames that are left when the video is at its end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: B027 - most have nothing to close
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def slot_filler(detector: Detector, *, rule: str, max_faces: int, embedding: bool) -> SlotFiller:
    """Make the filler for one video.

    Parameters
    ----------
    detector
        Whose faces they are.
    rule
        ``"largest"``: the faces of each frame by size; nobody is followed. ``"first"``: people in the order in which
        they appear. ``"dominant"``: people by the area of their faces over all frames.
    max_faces
        Number of slots.
    embedding
        Whether people are told apart by their embeddings, so that a slot is a person's for the whole video; if not,
        a slot is a track's as long as it lasts.

    Raises
    ------
    InputError
        If faces are to be followed and the detector does not say where they are.
    """
    if rule == "largest":
        return _BySize(detector.features, max_faces, has_place=_has_place(detector))
    check_place(detector)
    return _ByPerson(detector.features, max_faces, rule=rule, embedding=embedding)


def check_place(detector: Detector) -> None:
    """Make sure that a detector says where faces are.

    Raises
    ------
    InputError
        If it has neither boxes nor landmarks.
    """
    if not _has_place(detector):
        raise InputError(
            f"found a detector {detector.name!r} with neither landmarks nor {', '.join(_BOX)}; expected one of them, "
            "to follow faces by; use slots='largest'"
        )


def _has_place(detector: Detector) -> bool:
    return detector.n_landmarks is not None or set(_BOX) <= set(detector.features)


class _BySize(SlotFiller):
    """The largest face of each frame goes to slot 0, the next to slot 1, and so on."""

    def __init__(self, features: Sequence[str], n_slots: int, *, has_place: bool) -> None:
        self._features = features
        self._n_slots = n_slots
        self._tracker = Tracker() if has_place else None

    def add(self, frame_number: NDArray[np.int32], timestamp: NDArray[np.float64], faces: Faces) -> Iterator[Slots]:
        slot = np.arange(len(faces.frame)) - np.searchsorted(faces.frame, faces.frame)
        slot[slot >= self._n_slots] = -1
        if self._tracker is None:
            track = np.where(slot >= 0, slot, 0)
        else:
            track = _tracks(self._tracker, self._features, timestamp, faces, np.flatnonzero(slot >= 0), None)
        yield _spread(frame_number, timestamp, faces, slot, track, self._n_slots)

    def finish(self) -> Iterator[Slots]:
        yield from ()


class _ByPerson(SlotFiller):
    """Follows all faces through the video, and gives slots to them when all are known."""

    def __init__(self, features: Sequence[str], n_slots: int, *, rule: str, embedding: bool) -> None:
        self._features = features
        self._n_slots = n_slots
        self._is_dominant = rule == "dominant"
        self._embedding = embedding
        self._tracker = Tracker()
        self._spool = Spool()

    def add(self, frame_number: NDArray[np.int32], timestamp: NDArray[np.float64], faces: Faces) -> Iterator[Slots]:
        embedding = faces.embedding if self._embedding else None
        everyone = np.arange(len(faces.frame))
        track = _tracks(self._tracker, self._features, timestamp, faces, everyone, embedding)
        self._spool.add(
            frame_number, timestamp, track, faces.frame, faces.n_found, faces.features, faces.landmarks, faces.embedding
        )
        yield from ()

    def finish(self) -> Iterator[Slots]:
        tracks = self._tracker.tracks
        if self._embedding:
            slot_of_track = slots_of_people(tracks, self._n_slots, dominant=self._is_dominant)
        else:
            slot_of_track = slots_of_tracks(tracks, self._n_slots, dominant=self._is_dominant)
        for frame_number, timestamp, track, *faces in self._spool:
            yield _spread(frame_number, timestamp, Faces(*faces), slot_of_track[track], track, self._n_slots)

    def __exit__(self, *error: Any) -> None:
        self._spool.__exit__(*error)


def _boxes(features: Sequence[str], faces: Faces) -> NDArray[np.float64]:
    """Boxes (n_face, 4) of faces: those of the detector, or around the landmarks."""
    if set(_BOX) <= set(features):
        return faces.features[:, [features.index(name) for name in _BOX]].astype(np.float64)
    if faces.landmarks is None:
        raise TypeError("faces without a place are not followed")
    low, high = (end(faces.landmarks[:, :, :2], axis=1) for end in (np.nanmin, np.nanmax))
    return np.concatenate([low, high - low], axis=1).astype(np.float64)


def _tracks(
    tracker: Tracker,
    features: Sequence[str],
    timestamp: NDArray[np.float64],
    faces: Faces,
    followed: NDArray[np.intp],
    embedding: NDArray[np.float32] | None,
) -> NDArray[np.intp]:
    """Return the number of each face's track; 0 for faces that are not followed."""
    boxes = _boxes(features, faces)
    track = np.zeros(len(faces.frame), np.intp)
    edges = np.searchsorted(faces.frame[followed], np.arange(len(timestamp) + 1))
    for frame, time in enumerate(timestamp.tolist()):
        rows = followed[edges[frame] : edges[frame + 1]]
        track[rows] = tracker.update(boxes[rows], time, None if embedding is None else embedding[rows])
    return track


def _spread(
    frame_number: NDArray[np.int32],
    timestamp: NDArray[np.float64],
    faces: Faces,
    slot: NDArray[np.intp],
    track: NDArray[np.intp],
    n_slots: int,
) -> Slots:
    """Put faces where they belong; those with slot -1 are left out."""
    rows = np.flatnonzero(slot >= 0)
    place = (faces.frame[rows], slot[rows])
    shape = (len(frame_number), n_slots)
    track_id = np.full(shape, -1, dtype=np.int32)
    track_id[place] = track[rows]

    def spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.full((*shape, *values.shape[1:]), np.nan, dtype=np.float32)
        out[place] = values[rows]
        return out

    return Slots(
        frame_number=frame_number,
        timestamp=timestamp,
        n_faces_found=faces.n_found,
        track_id=track_id,
        features=spread(faces.features),
        landmarks=None if faces.landmarks is None else spread(faces.landmarks),
        embedding=None if faces.embedding is None else spread(faces.embedding),
    )
