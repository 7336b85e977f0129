"""Which faces of successive frames are the same one: tracks, by place, motion and, where there are any, embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

__all__ = ["Track", "Tracker"]

#: Seconds after which a face that is gone is not waited for any more.
MAX_GAP = 1.0

#: Frames that it is waited for in any case: with a large `every` the next frame may be seconds away.
MAX_FRAMES = 2

#: How far from where it is expected a face may be, in its own size: at once, more for each second, and at most.
REACH, REACH_PER_SECOND, MAX_REACH = 0.5, 4.0, 1.2

#: Factor by which a face may grow or shrink from one frame of its track to the next.
MAX_GROWTH = 2.0

#: Distance of embeddings from which on a face is another person, wherever it is. In the sample videos, those of one
#: face in successive frames were at most 0.26 apart, but for a face that was half out of the frame; those of different
#: people at least 0.38.
OTHER_PERSON = 0.45

#: What a distance of OTHER_PERSON counts as against one of place, in sizes of the face.
EMBEDDING_WEIGHT = 2.0

#: What it counts against a track that its face was not in the frame before: where two pass each other, the one that is
#: seen is the one that was seen.
MISSED = 0.5

#: Share of the newest frame in the estimate of a face's velocity.
NEWEST = 0.4


@dataclass(slots=True, eq=False)
class Track:
    """One face through successive frames.

    Attributes
    ----------
    first, last
        Frames in which it began and was seen last.
    first_box, box
        (4,) where it was in these frames: left and upper edge, width and height in pixels.
    n_frames
        Frames in which it was seen.
    area
        Sum of the areas of its boxes.
    embedding
        (n_component,) sum of its embeddings; None where there are none.
    """

    first: int
    last: int
    first_box: NDArray[np.float64]
    box: NDArray[np.float64]
    time: float
    n_frames: int = 1
    area: float = 0.0
    embedding: NDArray[np.float64] | None = None
    last_embedding: NDArray[np.float64] | None = None
    velocity: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def mean_embedding(self) -> NDArray[np.float64] | None:
        """Mean of its embeddings, of unit norm; None where there are none."""
        if self.embedding is None:
            return None
        mean: NDArray[np.float64] = self.embedding / np.linalg.norm(self.embedding)
        return mean


class Tracker:
    """Follows faces from frame to frame; every frame is dealt with by what came before it only.

    The faces of a frame go to the tracks that expect them, all at once so that the sum of the distances is smallest.
    A track moves on with its velocity while its face is not seen. A face that no track expects begins another one; in
    a frame in which several begin, the faces' order decides their numbers.

    Attributes
    ----------
    tracks
        All tracks, by number.
    """

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self._alive: list[int] = []
        self._n_frames = 0

    def update(
        self, boxes: NDArray[np.floating], time: float, embeddings: NDArray[np.floating] | None = None
    ) -> list[int]:
        """Take in the next frame.

        Parameters
        ----------
        boxes
            (n_face, 4) left and upper edge, width and height in pixels.
        time
            Of the frame, in seconds.
        embeddings
            (n_face, n_component) of unit norm, or None.

        Returns
        -------
        list
            The number of each face's track.
        """
        frame = self._n_frames
        self._n_frames += 1
        places: NDArray[np.float64] = boxes.astype(np.float64)
        self._alive = [
            number
            for number in self._alive
            if frame - self.tracks[number].last <= MAX_FRAMES or 0 <= time - self.tracks[number].time <= MAX_GAP
        ]
        numbers = [-1] * len(places)
        if len(places) and self._alive:
            for row, face in self._matches(places, time, embeddings):
                numbers[face] = self._alive[row]
        for face, box in enumerate(places):
            embedding = None if embeddings is None else embeddings[face].astype(np.float64)
            if numbers[face] < 0:
                numbers[face] = len(self.tracks)
                self._alive.append(numbers[face])
                self.tracks.append(Track(frame, frame, box, box, time, 0, 0.0))
            _extend(self.tracks[numbers[face]], frame, box, time, embedding)
        return numbers

    def _matches(
        self, boxes: NDArray[np.float64], time: float, embeddings: NDArray[np.floating] | None
    ) -> list[tuple[int, int]]:
        """Pairs of a living track's position and a face's."""
        alive = [self.tracks[number] for number in self._alive]
        cost, is_possible = _distances(alive, boxes, time)
        cost += np.array([[MISSED * (track.last < self._n_frames - 2)] for track in alive])
        if embeddings is not None:
            apart = _apart(alive, embeddings)
            cost += EMBEDDING_WEIGHT * (apart / OTHER_PERSON) ** 2
            is_possible &= apart < OTHER_PERSON
        if cost.size == 1:
            return [(0, 0)] * int(is_possible[0, 0])
        from scipy.optimize import linear_sum_assignment

        # Each pair that is not possible costs more than all others together.
        worst = 1 + cost[is_possible].sum(initial=0.0)
        rows, faces = linear_sum_assignment(np.where(is_possible, cost, worst))
        pairs = list(zip(rows.tolist(), faces.tolist(), strict=True))
        return list(compress(pairs, is_possible[rows, faces].tolist()))


def _apart(tracks: list[Track], embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
    """Distances (n_track, n_face) of the faces from what they are most like in a track: its mean or its last."""
    unknown = np.full(embeddings.shape[1], np.nan)
    known = [
        [unknown, unknown] if track.embedding is None else [track.mean_embedding(), track.last_embedding]
        for track in tracks
    ]
    distances = np.linalg.norm(np.array(known, np.float64)[:, :, None] - embeddings, axis=3).min(axis=1)
    # Where there is none, it speaks neither for nor against.
    apart: NDArray[np.float64] = np.nan_to_num(distances, nan=0.0)
    return apart


def _distances(
    tracks: list[Track], boxes: NDArray[np.float64], time: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Say how far each face (columns) is from where each track expects its own, and whether that is near.

    Distances are in sizes of the face. Faces that have grown or shrunk count as further away.
    """
    last = np.stack([track.box for track in tracks])
    waited = np.array([time - track.time for track in tracks])
    # Times that go back, where recordings were joined, say nothing about the motion.
    waited = np.where(waited > 0, waited, 0)
    expected = _centre(last) + np.stack([track.velocity for track in tracks]) * waited[:, None]
    size, sizes = _size(last)[:, None], _size(boxes)
    away = np.linalg.norm(expected[:, None] - _centre(boxes), axis=2) / np.sqrt(size * sizes)
    growth = np.abs(np.log(sizes / size))
    reach = np.minimum(REACH + REACH_PER_SECOND * waited, MAX_REACH)
    return away + growth, (away <= reach[:, None]) & (growth <= np.log(MAX_GROWTH))


def _extend(
    track: Track, frame: int, box: NDArray[np.float64], time: float, embedding: NDArray[np.float64] | None
) -> None:
    waited = time - track.time
    if track.n_frames and waited > 0:
        velocity = (_centre(box) - _centre(track.box)) / waited
        track.velocity += (NEWEST if track.n_frames > 1 else 1.0) * (velocity - track.velocity)
    track.last, track.box, track.time = frame, box, time
    track.n_frames += 1
    track.area += float(np.nan_to_num(box[2] * box[3]))
    if embedding is not None and np.isfinite(embedding).all():
        track.embedding = embedding if track.embedding is None else track.embedding + embedding
        track.last_embedding = embedding


def _centre(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    centre: NDArray[np.float64] = boxes[..., :2] + boxes[..., 2:] / 2
    return centre


def _size(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    # A box without an extent would be infinitely far from everything.
    size: NDArray[np.float64] = np.sqrt(boxes[..., 2:].prod(axis=-1)).clip(min=1.0)
    return size
