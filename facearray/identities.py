"""People across videos, by the embeddings of their faces."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._columns import video_labels
from facearray.blocks import iter_blocks
from facearray.errors import InputError
from facearray.models.people import SAME_PERSON, group_people

__all__ = ["identities"]


def identities(ds: xr.Dataset, *, threshold: float = SAME_PERSON) -> xr.Dataset:
    """Say which slots of which videos are the same person.

    The faces in a slot of a video have a mean embedding. The two nearest groups of slots are joined as long as the root
    of the mean squared distance between their members is at most ``threshold`` (average linkage). Slots that are
    filled in one frame of a video are different people and never joined. Neither the order of the videos nor their
    lengths matter.

    Parameters
    ----------
    ds
        Detections with embeddings, each slot with one person: from :func:`facearray.detect` with ``embedding=True`` and
        not ``slots="largest"``.
    threshold
        Distance of embeddings, from 0 (the same) to 2. In the sample media, mean embeddings of one person were up to
        0.32 apart, those of different people 0.38 and more; see :doc:`/detector`. A lower one splits people more
        readily, a higher one takes different people for one.

    Returns
    -------
    xarray.Dataset
        With dims (video, face):

        - ``person``: a text such as ``person 03``, empty for slots without any embedding. Numbers go by the sorted
          labels of the videos. ``ds.assign_coords(person=ds.fex.identities().person)`` makes it a coordinate.
        - ``confidence``: how much nearer the slot is to the others of its person than to the next person, 0 to 1:
          ``1 - own / other``. For a person in one slot only, ``own`` is the threshold, up to which others would have
          been joined; if there is nobody else, ``other`` is 2. Below 0.1 the label is little more than a guess. NaN
          without a person.
        - ``spread``: root of the mean squared distance between two frames of the slot. Where it is more than the
          threshold, there may be several people in the slot. NaN without a person.
        - ``n_embeddings``: frames in which the slot has an embedding.

    Raises
    ------
    InputError
        If ``ds`` has no embeddings, or the threshold is not between 0 and 2.
    SchemaError
        If ``ds`` has no labelled videos or no frame numbers.

    Notes
    -----
    The grouping is average linkage of squared distances (Sokal & Michener 1958); the confidence is a silhouette
    (Rousseeuw 1987) of such distances. Embeddings are read once, in blocks; the grouping takes memory for one embedding
    a slot and time by the square of their number.

    References
    ----------
    Sokal, R. R. & Michener, C. D. (1958). A statistical method for evaluating systematic relationships. University of
    Kansas Science Bulletin 38, 1409-1438.

    Rousseeuw, P. J. (1987). Silhouettes: a graphical aid to the interpretation and validation of cluster analysis.
    Journal of Computational and Applied Mathematics 20, 53-65.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=2, n_faces=1, n_components=4)
    >>> ds["embedding"][0], ds["embedding"][1] = [1, 0, 0, 0], [0.96, 0.28, 0, 0]
    >>> ds["n_frames"][1] = ds.sizes["frame"]
    >>> ds["frame_number"][:] = range(ds.sizes["frame"])
    >>> people = identities(ds)
    >>> people.person.values.tolist(), people.confidence.round(2).values.tolist()
    ([['person 1'], ['person 1']], [[0.86], [0.86]])
    """
    if "embedding" not in ds.variables:
        raise InputError(
            "found no variable 'embedding'; expected identity embeddings; detect again with embedding=True "
            "(--embedding), into another store"
        )
    if not 0 < threshold < 2:
        raise InputError(f"found threshold={threshold!r}; expected a distance of embeddings between 0 and 2")
    schema.validate(ds, variables=["frame_number", "embedding"])
    labels = video_labels(ds)
    slots = _read_slots(ds)
    sizes = tuple(ds.sizes[dim] for dim in ("video", "face"))
    # In the order of the labels, so that neither numbers nor ties depend on the order in which videos are stored.
    order = np.argsort(labels.to_numpy(), kind="stable")
    video, face = (place.ravel() for place in np.meshgrid(order, np.arange(sizes[1]), indexing="ij"))
    is_seen = slots.n[video, face] > 0
    video, face = video[is_seen], face[is_seen]
    means = slots.mean[video, face]
    means = means / np.linalg.norm(means, axis=1, keepdims=True)
    person = group_people(means, apart=_together(video, face, slots.meet), threshold=threshold)

    names = np.full(sizes, "", dtype=np.dtypes.StringDType())
    width = len(str(person.max(initial=0) + 1))
    names[video, face] = [f"person {number + 1:0{width}d}" for number in person]
    confidence, spread = np.full((2, *sizes), np.nan)
    confidence[video, face] = _confidence(means, person, threshold)
    spread[video, face] = np.sqrt((2 - 2 * (slots.mean[video, face] ** 2).sum(axis=1)).clip(min=0))
    dims = ("video", "face")
    return xr.Dataset(
        {
            "person": (dims, names, {"description": "Who is in the slot; empty where nobody is."}),
            "confidence": (dims, confidence, {"description": "1 - distance to the same person / to the next person."}),
            "spread": (dims, spread, {"description": "Distance between two frames of the slot."}),
            "n_embeddings": (dims, slots.n, {"description": "Frames with an embedding."}),
        },
        coords={name: coord.variable for name, coord in ds.coords.items() if set(coord.dims) <= set(dims)},
        attrs={"threshold": threshold},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _SlotMeans:
    """What is known of each slot.

    Attributes
    ----------
    n
        (n_video, n_face) frames with an embedding.
    mean
        (n_video, n_face, n_component) mean of the embeddings, each of unit norm; NaN where there are none.
    meet
        (n_video, n_face, n_face) whether two slots are filled in one frame.
    """

    n: NDArray[np.intp]
    mean: NDArray[np.float64]
    meet: NDArray[np.bool_]


def _read_slots(ds: xr.Dataset) -> _SlotMeans:
    n_video, n_face, n_component = (ds.sizes[dim] for dim in ("video", "face", "component"))
    n = np.zeros((n_video, n_face), np.intp)
    total = np.zeros((n_video, n_face, n_component))
    meet = np.zeros((n_video, n_face, n_face), np.bool_)
    for block in iter_blocks(ds, variables=("embedding",)):
        values = block.data["embedding"].astype(np.float64)
        norm = np.linalg.norm(values, axis=-1, keepdims=True)
        is_there = np.isfinite(norm[..., 0]) & (norm[..., 0] > 0)
        values = np.divide(values, norm, out=np.zeros_like(values), where=is_there[..., None])
        n[block.videos] += is_there.sum(axis=1)
        total[block.videos] += values.sum(axis=1)
        there = is_there.astype(np.float32)
        meet[block.videos] |= np.einsum("vfa,vfb->vab", there, there) > 0
    with np.errstate(invalid="ignore"):
        return _SlotMeans(n, total / n[..., None], meet)


def _together(video: NDArray[np.intp], face: NDArray[np.intp], meet: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Pairs of slots that are of different people, because they are filled in one frame."""
    pairs = []
    starts = [*np.flatnonzero(np.diff(video, prepend=-1)).tolist(), len(video)]
    for start, stop in itertools.pairwise(starts):
        for a in range(start, stop):
            pairs += [(a, b) for b in range(a + 1, stop) if meet[video[a], face[a], face[b]]]
    return pairs


def _confidence(means: NDArray[np.float64], person: NDArray[np.intp], threshold: float) -> NDArray[np.float64]:
    """How much nearer each mean is to the others of its person than to the next person."""
    n_people = person.max(initial=-1) + 1
    counts = np.bincount(person, minlength=n_people)
    sums = np.zeros((n_people, means.shape[1]))
    np.add.at(sums, person, means)
    confidence = np.empty(len(means))
    for row, mean in enumerate(means):
        own = person[row]
        others = counts[own] - 1
        # The mean squared distance to vectors of unit norm follows from their mean.
        squared = 2 - 2 * (sums @ mean) / counts
        squared[own] = np.inf
        next_one = math.sqrt(max(0.0, min(squared.min(initial=np.inf), 4.0)))
        near = math.sqrt(max(0.0, 2 - 2 * float((sums[own] - mean) @ mean) / others)) if others else threshold
        confidence[row] = np.clip(1 - near / next_one, 0, 1) if next_one else 0.0
    return confidence
