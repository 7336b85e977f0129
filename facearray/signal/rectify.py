"""Frames in which a face is not where it can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.signal._apply import Frames
from facearray.signal._checks import Problems
from facearray.signal._measurements import mask_where
from facearray.signal._steps import recorded
from facearray.signal._times import check_one, check_videos, known, require_times
from facearray.signal.kernels.plausibility import robust_z, speed

__all__ = ["Measure", "rectify"]

Measure = Literal["centre", "size", "velocity"]

BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
POSE = ("Pitch", "Roll", "Yaw")

#: What is looked at, and the features that it is computed from.
MEASURES: dict[str, tuple[str, ...]] = {"centre": BOX, "size": BOX, "velocity": POSE}

#: Least standard deviations: of the centre in sizes of the face, of the logarithm of the size, and in degrees a second.
LEAST_CENTRE, LEAST_SIZE, LEAST_VELOCITY = 0.02, 0.02, 5.0


@recorded
def rectify(ds: xr.Dataset, *, threshold: float = 5.0, measures: Iterable[Measure] | None = None) -> xr.Dataset:
    """Take out frames in which the face box or the head's movement is implausible.

    Detectors now and then find a face in a curtain, or a box of half the size, for some frames. Each face is compared
    with itself in the same video: what is far from the median of its own frames is taken out. Nothing is pooled over
    people, so that somebody who sits elsewhere or moves more than others loses nothing.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    threshold
        Robust standard deviations from the median beyond which a frame is implausible.
    measures
        What is looked at; by default all that `ds` has the features for. ``"centre"``: either coordinate of the centre
        of the face box. ``"size"``: the logarithm of the box's size. ``"velocity"``: how fast ``Pitch``, ``Roll`` or
        ``Yaw`` changed since the last frame with a pose, in degrees a second; only speeds above the median count.

    Returns
    -------
    xarray.Dataset
        ``ds`` with NaN in all measurements (features, landmarks, embeddings) of implausible frames, and the coordinate
        ``rectified`` (video, frame, face), true where they were taken out. Lazy where ``ds`` is.

    Raises
    ------
    InputError
        If the threshold is not positive, a measure is unknown or lacks its features, none can be computed, or times
        that velocities need are unknown.
    SchemaError
        If ``ds`` does not follow the schema or has no times, but ``"velocity"`` is asked for.

    Notes
    -----
    z = abs(x - median(x)) / max(s, least), s = median(abs(x - median(x))) / 0.6745, over the frames of one face of one
    video. The least standard deviation is 0.02 sizes of the face for the centre, 0.02 for the logarithm of the size and
    5 degrees a second for velocities, so that a face that hardly moves does not lose its every movement. A frame after
    an implausible one moves as fast as that one did, and is taken out, too, if velocities are looked at. Missing
    values are not implausible.

    References
    ----------
    Leys, C., Ley, C., Klein, O., Bernard, P. & Licata, L. (2013). Detecting outliers: do not use standard deviation
    around the mean, use absolute deviation around the median. Journal of Experimental Social Psychology 49, 764-766.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> box = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]
    >>> ds = random_dataset(0, n_videos=1, n_faces=1, features=box)
    >>> ds["features"][:] = 100
    >>> ds["features"][0, 2] = 400
    >>> rectify(ds).rectified.values.squeeze().tolist()
    [False, False, True, False, False, False]
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    chosen = _chosen_measures(ds, threshold, measures)
    names = [str(name) for name in ds["feature"].to_numpy()]
    needs_times = "velocity" in chosen
    if needs_times:
        check_videos(ds, known)
    places = {name: names.index(name) for measure in chosen for name in MEASURES[measure]}

    def implausible(frames: Frames) -> NDArray[np.bool_]:
        if needs_times:
            check_one(frames.video, frames.times, known)
        values = frames.data["features"]
        found = np.zeros((values.shape[0], values.shape[2]), dtype=bool)
        for face, of_face in enumerate(values):
            course = {name: of_face[place].astype(np.float64) for name, place in places.items()}
            for z in _distances(course, frames.times, chosen):
                found[face] |= z > threshold
        return found

    return mask_where(ds, "rectified", implausible)


def _chosen_measures(ds: xr.Dataset, threshold: float, measures: Iterable[Measure] | None) -> tuple[str, ...]:
    problems = Problems()
    problems.positive(threshold=threshold)
    names = {str(name) for name in ds["feature"].to_numpy()}
    lacking = {measure: [name for name in needed if name not in names] for measure, needed in MEASURES.items()}
    if measures is None:
        chosen = tuple(measure for measure in MEASURES if not lacking[measure])
        if "timestamp" not in ds.coords:
            chosen = tuple(measure for measure in chosen if measure != "velocity")
        if not chosen:
            problems.add(
                f"found neither {', '.join(BOX)} nor {', '.join(POSE)} with times; expected a face box or a pose to "
                "judge frames by; use .fex.mask with a truth value a frame instead"
            )
    else:
        chosen = tuple([measures] if isinstance(measures, str) else measures)
        if not chosen:
            problems.add(f"found no measure; expected some of {', '.join(map(repr, MEASURES))}")
        for measure in chosen:
            problems.one_of("measure", measure, get_args(Measure))
            if absent := lacking.get(measure):
                problems.add(f"found no {', '.join(absent)}; expected them for the measure {measure!r}; leave it out")
        if "velocity" in chosen:
            require_times(ds)
    problems.raise_if_any()
    return chosen


def _distances(
    course: dict[str, NDArray[np.float64]], times: NDArray[np.float64], measures: tuple[str, ...]
) -> Iterator[NDArray[np.float64]]:
    """Robust z (n_frame,) of what is looked at of one face."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if "centre" in measures or "size" in measures:
            x, y, width, height = (course[name] for name in BOX)
            size = np.sqrt(np.where((width > 0) & (height > 0), width * height, np.nan))
            if "centre" in measures:
                least = LEAST_CENTRE * np.nanmedian(size) if not np.isnan(size).all() else LEAST_CENTRE
                yield from robust_z(np.stack([x + width / 2, y + height / 2]), least)
            if "size" in measures:
                yield from robust_z(np.log(size)[None], LEAST_SIZE)
        if "velocity" in measures:
            speeds = speed(np.stack([course[name] for name in POSE]), times)
            slow = np.nanmedian(speeds) if not np.isnan(speeds).all() else 0.0
            yield np.where(speeds > slow, robust_z(speeds[None], LEAST_VELOCITY)[0], 0)
