"""Which slot a track gets: that of its person, or one that is free while it lasts."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from facearray.detection.tracking import Track
from facearray.models.people import group_people

__all__ = ["slots_of_people", "slots_of_tracks"]


def slots_of_people(tracks: Sequence[Track], n_slots: int, *, dominant: bool) -> NDArray[np.intp]:
    """Give each person's tracks a slot of their own; -1 for people beyond the slots.

    Who is who goes by the mean embeddings of the tracks. Two that are there at one time are of different people, and a
    track without embeddings is a person of its own.

    Parameters
    ----------
    tracks
        In the order in which they began, of one frame the larger first.
    n_slots
        Number of slots.
    dominant
        Whether people come in the order of the area of their faces over all frames, not of their first appearance.
    """
    if not tracks:
        return np.empty(0, np.intp)
    means = [track.mean_embedding() for track in tracks]
    known = [number for number, mean in enumerate(means) if mean is not None]
    person = len(tracks) + np.arange(len(tracks))
    if known:
        of_known = [tracks[number] for number in known]
        person[known] = group_people(
            np.stack([mean for mean in means if mean is not None]),
            weights=[track.n_frames for track in of_known],
            apart=_at_one_time(of_known),
        )
    first, person = np.unique(person, return_index=True, return_inverse=True)[1:]
    area = np.bincount(person, weights=[track.area for track in tracks])
    rank = np.argsort(np.lexsort((first, -area)) if dominant else np.argsort(first))
    return np.where(rank[person] < n_slots, rank[person], -1)


def slots_of_tracks(tracks: Sequence[Track], n_slots: int, *, dominant: bool) -> NDArray[np.intp]:
    """Give each track a slot that is free while it lasts; -1 where none is.

    In the order in which they begin, tracks take, of the slots that are free, the one whose last face was at their
    place (whose box overlaps theirs most); else one that nobody has been in; else the one whose last face
    is gone longest. With `dominant` those of the largest area come first, and each takes the first slot that is free
    as long as it lasts.

    Parameters
    ----------
    tracks
        In the order in which they began, of one frame the larger first.
    n_slots
        Number of slots.
    dominant
        Whether tracks come in the order of their area.
    """
    if dominant:
        return _slots_by_area(tracks, n_slots)
    slot = np.full(len(tracks), -1, np.intp)
    last: list[Track | None] = [None] * n_slots
    for number, track in enumerate(tracks):
        ranks = [
            (*_strangeness(track, held), k) for k, held in enumerate(last) if held is None or held.last < track.first
        ]
        if ranks:
            slot[number] = min(ranks)[-1]
            last[slot[number]] = track
    return slot


def _slots_by_area(tracks: Sequence[Track], n_slots: int) -> NDArray[np.intp]:
    slot = np.full(len(tracks), -1, np.intp)
    taken: list[list[tuple[int, int]]] = [[] for _ in range(n_slots)]
    for number in sorted(range(len(tracks)), key=lambda number: -tracks[number].area):
        lasts = (tracks[number].first, tracks[number].last)
        for k, others in enumerate(taken):
            at = bisect(others, lasts)
            if (at == 0 or others[at - 1][1] < lasts[0]) and (at == len(others) or lasts[1] < others[at][0]):
                others.insert(at, lasts)
                slot[number] = k
                break
    return slot


def _strangeness(track: Track, held: Track | None) -> tuple[int, float]:
    """Put the slot where the track goes first on: at its last face's place, unused, gone longest."""
    if held is None:
        return 1, 0.0
    low = np.maximum(track.first_box[:2], held.box[:2])
    high = np.minimum(track.first_box[:2] + track.first_box[2:], held.box[:2] + held.box[2:])
    common = float((high - low).clip(min=0).prod())
    return (0, -common) if common > 0 else (2, float(held.last))


def _at_one_time(tracks: Sequence[Track]) -> Iterator[tuple[int, int]]:
    """Pairs of tracks that are there at one time."""
    there: list[int] = []
    for number, track in enumerate(tracks):
        there = [other for other in there if tracks[other].last >= track.first]
        yield from ((other, number) for other in there)
        there.append(number)
