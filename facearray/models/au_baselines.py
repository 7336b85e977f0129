"""What counts as no expression: of the canonical face, of a person, or as frames of a neutral face show it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.blocks import iter_blocks, real_frame_counts
from facearray.errors import InputError
from facearray.models.au_table import resting_baseline
from facearray.models.au_terms import Baseline
from facearray.models.inputs import check_inputs, iter_faces, person_codes
from facearray.models.mesh_measures import measure, whole_and_sides

__all__ = [
    "LOW",
    "MIN_FRAMES",
    "QUIET",
    "Baselines",
    "canonical_baselines",
    "neutral_baseline",
    "neutral_baselines",
    "person_baseline",
    "person_baselines",
]

#: Frames with a face below which a person is compared with the canonical face.
MIN_FRAMES = 150

#: Quantile of a person's frames that a movement in one direction counts from.
LOW = 0.1

#: Share of a person's frames, those with the lowest sum of blendshapes, that are taken for quiet.
QUIET = 0.1

#: Bytes of the measures that are in memory at once.
_MAX_BYTES = 256 * 2**20

_BLENDSHAPES = schema.GROUPS["blendshapes"].features
#: Those that say how much a face does; where the eyes look is no expression.
_EXPRESSIVE = [i for i, name in enumerate(_BLENDSHAPES) if "eyeLook" not in name and name != "_neutral"]


@dataclass(frozen=True, slots=True, eq=False)
class Baselines:
    """The baseline of every face.

    Attributes
    ----------
    table
        Baselines with one leading dim.
    codes
        (n_video, n_face) positions in the table.
    kinds
        (n_baseline,) ``"canonical"``, ``"person"`` or ``"neutral"``.
    notes
        Why faces that should have another baseline have the canonical one.
    """

    table: Baseline
    codes: NDArray[np.intp]
    kinds: tuple[str, ...]
    notes: tuple[str, ...]

    def of_faces(self) -> Baseline:
        """Baseline of each face, with two leading dims (n_video, n_face)."""
        return Baseline(*(getattr(self.table, name)[self.codes] for name in Baseline.__slots__))


def canonical_baselines(ds: xr.Dataset) -> Baselines:
    """Baselines of faces that are all compared with the canonical face."""
    codes = np.zeros((ds.sizes["video"], ds.sizes["face"]), np.intp)
    return Baselines(_stacked([resting_baseline()]), codes, ("canonical",), ())


def person_baseline(measures: NDArray[np.floating], blendshapes: NDArray[np.floating]) -> Baseline:
    """Baseline of one person from all of that person's frames.

    Parameters
    ----------
    measures
        (n, n_measure, 3) of the whole face and its sides.
    blendshapes
        (n, 52).

    Returns
    -------
    Baseline
        Without leading dims.

    Notes
    -----
    Rises count from the 10 % quantile of a measure, falls from its 90 % quantile. Movements with an opposite count from
    the median over quiet frames, the tenth of all frames in which the blendshapes, without those of where the eyes
    look, sum up to least. Of a blendshape its 10 % quantile does not count.

    Examples
    --------
    >>> from facearray.models.mesh_measures import MEASURES
    >>> rng = np.random.default_rng(0)
    >>> measures = rng.normal(size=(200, len(MEASURES), 3))
    >>> person_baseline(measures, rng.random((200, 52))).low.shape == measures.shape[1:]
    True
    """
    effort = blendshapes[:, _EXPRESSIVE].sum(axis=1)
    quiet = effort <= np.quantile(effort, QUIET)
    low, high = np.quantile(measures, [LOW, 1.0 - LOW], axis=0)
    # a blendshape that is always 1 says nothing: what is left of it stays 0
    shapes = np.minimum(np.quantile(blendshapes, LOW, axis=0), 1.0 - 1e-6)
    return Baseline(low, np.median(measures[quiet], axis=0), high, shapes)


def neutral_baseline(measures: NDArray[np.floating], blendshapes: NDArray[np.floating]) -> Baseline:
    """Baseline from frames (n, ...) that show a neutral face: their medians."""
    middle = np.median(measures, axis=0)
    return Baseline(middle, middle, middle, np.minimum(np.median(blendshapes, axis=0), 1.0 - 1e-6))


def person_baselines(ds: xr.Dataset, person: str) -> Baselines:
    """Baselines of persons, each from the frames of all of their videos.

    Parameters
    ----------
    ds
        As `facearray.models.inputs.check_inputs` returns it.
    person
        Coordinate on video, or on video and face, that says who is seen.

    Raises
    ------
    InputError
        If there is none, or it is the video itself.
    """
    if person == "video":
        raise InputError(
            "found person='video'; expected a coordinate of people: a baseline of each video would take out what the "
            "videos differ in"
        )
    labels, codes = person_codes(ds, person)
    table, kinds, notes = [resting_baseline()], ["canonical"], []
    place = np.zeros(len(labels) + 1, np.intp)  # the last is for code -1
    for code, measures, blendshapes in _by_person(ds, codes, len(labels)):
        if len(measures) < MIN_FRAMES:
            notes.append(f"{labels[code]}: {len(measures)} frames with a face, fewer than {MIN_FRAMES}")
            continue
        place[code] = len(table)
        table.append(person_baseline(measures, blendshapes))
        kinds.append("person")
    notes += [f"{ds['video'].values[i]}: a face without {person!r}" for i in _with_unknown(ds, codes)]
    return Baselines(_stacked(table), place[codes], tuple(kinds), tuple(notes))


def _with_unknown(ds: xr.Dataset, codes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Videos with a face in a slot of code -1; without tracks nobody knows where faces are, so every slot counts."""
    videos = np.flatnonzero((codes < 0).any(axis=1))
    if "track_id" not in ds.coords:
        return videos
    unknown = np.zeros(codes.shape, dtype=bool)
    for block in iter_blocks(ds, variables=("track_id",), videos=videos, copy=False):
        unknown[block.videos] |= (block.data["track_id"] >= 0).any(axis=1) & (codes[block.videos] < 0)
    return np.flatnonzero(unknown.any(axis=1))


def neutral_baselines(ds: xr.Dataset, neutral: xr.Dataset, person: str) -> Baselines:
    """Baselines from frames of neutral faces: of each person where both Datasets say who is seen, else one for all.

    Parameters
    ----------
    ds
        As `facearray.models.inputs.check_inputs` returns it.
    neutral
        Detections of neutral faces.
    person
        Coordinate that says who is seen.

    Raises
    ------
    InputError
        If there is no neutral frame at all, or of some person.
    SchemaError
        If ``neutral`` lacks blendshapes or landmarks.
    """
    neutral = check_inputs(neutral)
    if person in neutral.coords:
        labels, codes = person_codes(neutral, person)
        wanted, own = person_codes(ds, person)
        missing = [str(label) for label in wanted if label not in labels]
        if missing or (own < 0).any():
            lacking = [*missing, *(["faces without one"] if (own < 0).any() else [])]
            raise InputError(
                f"found {person!r} {', '.join(lacking)} without neutral frames; expected some of everybody: add them, "
                f"or drop {person!r} of the neutral frames to have one baseline for all"
            )
        place = np.array([labels.index(label) for label in wanted], np.intp)[own]
    else:
        labels, codes = ["everybody"], np.zeros((neutral.sizes["video"], neutral.sizes["face"]), np.intp)
        place = np.zeros((ds.sizes["video"], ds.sizes["face"]), np.intp)
    found = {
        code: neutral_baseline(measures, shapes)
        for code, measures, shapes in _by_person(neutral, codes, len(labels))
        if len(measures)
    }
    empty = [str(label) for code, label in enumerate(labels) if code not in found and code in place]
    if empty:
        raise InputError(
            f"found no neutral frame with a face of {', '.join(empty)}; expected at least one of everybody"
        )
    table = [found.get(code, resting_baseline()) for code in range(len(labels))]
    return Baselines(_stacked(table), place, ("neutral",) * len(table), ())


def _by_person(
    ds: xr.Dataset, codes: NDArray[np.intp], n_persons: int
) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
    """Gather the measures (n, n_measure, 3) and blendshapes (n, 52) of each person, as many people at a time as fit."""
    frame_bytes = 4 * (resting_baseline().low.size + len(_BLENDSHAPES))
    n_frames = real_frame_counts(ds)
    sizes = [int((n_frames[:, None] * (codes == code)).sum()) * frame_bytes for code in range(n_persons)]
    for first, last in _batches(sizes):
        chosen = np.where((codes >= first) & (codes < last), codes, -1)
        gathered: dict[int, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = {c: [] for c in range(first, last)}
        for faces in iter_faces(ds, chosen):
            values = whole_and_sides(measure(faces.landmarks)).astype(np.float32)
            for code in np.unique(faces.codes):
                own = faces.codes == code
                gathered[int(code)].append((values[own], faces.blendshapes[own].astype(np.float32)))
        for code, parts in gathered.items():
            measures = [np.empty((0, *resting_baseline().low.shape), np.float32), *(part[0] for part in parts)]
            shapes = [np.empty((0, len(_BLENDSHAPES)), np.float32), *(part[1] for part in parts)]
            yield code, np.concatenate(measures), np.concatenate(shapes)


def _batches(sizes: list[int]) -> Iterator[tuple[int, int]]:
    """Ranges of consecutive items whose sizes together fit memory; at least one at a time."""
    first, total = 0, 0
    for i, size in enumerate(sizes):
        if i > first and total + size > _MAX_BYTES:
            yield first, i
            first, total = i, 0
        total += size
    if sizes:
        yield first, len(sizes)


def _stacked(baselines: Iterable[Baseline]) -> Baseline:
    listed = list(baselines)
    return Baseline(*(np.stack([getattr(b, name) for b in listed]) for name in Baseline.__slots__))
