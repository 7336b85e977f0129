"""Which slot a track gets: that of its person, or one that is free while it lasts."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from facearray.detection.tracking import Track
from facearray.models.people import group_people

__all__ = ["slots_of_people", "slots_of_tracks"]

#: Who is seen in fewer frames than this, and than a share of those of whoever is seen most, comes after all others:
#: it may be half a face that enters the picture, or none.
BRIEF, BRIEF_SHARE = 5, 0.05


def slots_of_people(tracks: Sequence[Track], n_slots: int, *, dominant: bool) -> NDArray[np.intp]:
    """Give each person's tracks a slot of their own; -1 for people beyond the slots.

    Who is who goes by the mean embeddings of the tracks. Two that are there at one time are of different people, and a
    track without embeddings is a person of its own. People come in the order of their first appearance, those who are
    seen only briefly after all others.

    Parameters
    ----------
    tracks
        In the order in which they began, of one frame the larger first.
    n_slots
        Number of slots.
    dominant
        Whether people come in the order of the area of their faces over all frames instead.
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
    is_brief = _are_brief(np.bincount(person, weights=[track.n_frames for track in tracks]))
    rank = np.argsort(np.lexsort((first, -area if dominant else is_brief)))
    return np.where(rank[person] < n_slots, rank[person], -1)


def slots_of_tracks(tracks: Sequence[Track], n_slots: int, *, dominant: bool) -> NDArray[np.intp]:
    """Give each track a slot that is free while it lasts; -1 where none is.

    In the order in which they begin, tracks take, of the slots that are free, the one whose last face was at their
    place (whose box overlaps theirs most); else one that nobody has been in; else the one whose last face is gone
    longest. Tracks that are there only briefly come after all others, and each takes the first slot that is free as
    long as it lasts. With `dominant` all do so, those of the largest area first.

    Parameters
    ----------
    tracks
        In the order in which they began, of one frame the larger first.
    n_slots
        Number of slots.
    dominant
        Whether tracks come in the order of their area.
    """
    slots = _Intervals(n_slots)
    numbers = np.arange(len(tracks))
    if dominant:
        late = sorted(numbers.tolist(), key=lambda number: -tracks[number].area)
    else:
        is_brief = _are_brief(np.array([track.n_frames for track in tracks]))
        late = numbers[is_brief].tolist()
        last: list[Track | None] = [None] * n_slots
        for number in numbers[~is_brief].tolist():
            track = tracks[number]
            ranks = [
                (*_strangeness(track, held), k)
                for k, held in enumerate(last)
                if held is None or held.last < track.first
            ]
            if ranks:
                slot = min(ranks)[-1]
                last[slot] = track
                slots.put(number, track, [slot])
    for number in late:
        slots.put(number, tracks[number], range(n_slots))
    return np.array([slots.of_track.get(number, -1) for number in numbers.tolist()], np.intp)


class _Intervals:
    """Which tracks are in which slots, and when."""

    def __init__(self, n_slots: int) -> None:
        self.of_track: dict[int, int] = {}
        self._taken: list[list[tuple[int, int]]] = [[] for _ in range(n_slots)]

    def put(self, number: int, track: Track, slots: Iterable[int]) -> None:
        """Put a track into the first of some slots that is free as long as it lasts, if there is one."""
        lasts = (track.first, track.last)
        for slot in slots:
            others = self._taken[slot]
            at = bisect(others, lasts)
            if (at == 0 or others[at - 1][1] < lasts[0]) and (at == len(others) or lasts[1] < others[at][0]):
                others.insert(at, lasts)
                self.of_track[number] = slot
                return


def _are_brief(n_frames: NDArray[np.number]) -> NDArray[np.bool_]:
    is_brief: NDArray[np.bool_] = n_frames < min(BRIEF, BRIEF_SHARE * n_frames.max(initial=0))
    return is_brief


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
