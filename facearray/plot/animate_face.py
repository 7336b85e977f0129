"""Faces that change from one to another, as pictures that move."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facearray.errors import InputError
from facearray.plot import _style
from facearray.plot._face_values import FaceValues, face_values, ranged
from facearray.plot._moving import SUFFIXES, save_moving
from facearray.plot.face import Muscles, View, colour_limits, draw, make_drawing, movement_factor
from facearray.plot.rig.table import MOVEMENTS

if TYPE_CHECKING:
    import holoviews as hv

    from facearray.plot.face_model import FaceModel

__all__ = ["animate_face"]

#: Most frames of an animation, each of which is a picture in memory.
MAX_FRAMES = 600


def animate_face(
    start: Any = "neutral",
    end: Any = None,
    *,
    AU: str | None = None,
    fps: float = 15,
    duration: float = 1.0,
    padding: float = 0.25,
    include_reverse: bool = True,
    save: str | os.PathLike[str] | None = None,
    muscles: Muscles = "heatmap",
    gaze: tuple[float, float] | Mapping[str, float] | None = None,
    view: View = "2d",
    feature_range: tuple[float, float] | None = None,
    exaggerate: float | None = None,
    model: FaceModel | None = None,
    title: str | None = None,
) -> hv.HoloMap:
    """Draw a face that changes from one to another.

    Parameters
    ----------
    start, end
        Faces, as the first argument of `facearray.plot.face`. With `AU`, its intensities, 0 and 1 if they are not
        given.
    AU
        The only action unit that changes: ``animate_face(AU="AU12", start=0, end=1)``; ``"AU12_left"`` on one side.
    fps
        Frames a second.
    duration
        Seconds from the one face to the other.
    padding
        Seconds for which both stay.
    include_reverse
        Whether the face goes back again.
    save
        A file to write: ``.gif``, ``.mp4``, or ``.html``, a page with a control to move through the frames that asks
        for nothing over a network. One that exists is replaced.
    muscles, gaze, view, feature_range, exaggerate, model, title
        As for `facearray.plot.face`. Colours and the factor of the movement are the same in all frames;
        `feature_range` is applied to the values of both faces together.

    Returns
    -------
    holoviews.HoloMap
        A picture a frame, by seconds.

    Warns
    -----
    UserWarning
        As `facearray.plot.face`.

    Raises
    ------
    InputError
        As for `facearray.plot.face`, if there is no such suffix, or too many frames, or action units are to become
        landmarks.
    VideoError
        If ffmpeg has no encoder for the file.

    Notes
    -----
    Values in between are linear in time.

    Examples
    --------
    >>> faces = animate_face("neutral", {"AU12": 1}, fps=4, duration=0.5, padding=0, include_reverse=False)
    >>> list(faces.keys())
    [0.0, 0.25, 0.5]
    """
    if save is not None and Path(save).suffix.lower() not in SUFFIXES:
        raise InputError(f"found the suffix {Path(save).suffix!r}; expected one of {', '.join(SUFFIXES)}")
    shares = _shares(fps, duration, padding, include_reverse=include_reverse)
    ends = [_end(value, AU, i) for i, value in enumerate((start, end))]
    first, last = _alike(*(face_values(value, gaze=gaze) for value in ends))
    if feature_range is not None:
        first, last = ranged((first, last), feature_range)
    largest = first if _largest(first) > _largest(last) else last
    factor = movement_factor(largest, exaggerate)
    limits = max((colour_limits(values) for values in (first, last)), key=lambda pair: pair[1])
    drawn: dict[float, Any] = {}
    for share in shares:
        if share not in drawn:
            drawing = make_drawing(_between(first, last, share), view, factor, model)
            drawn[share] = draw(drawing, muscles, clim=limits, title=_title(first, last) if title is None else title)
    _style.load_backends()
    import holoviews as hv

    faces = hv.HoloMap(
        {i / fps: drawn[share] for i, share in enumerate(shares)}, kdims=[hv.Dimension("time", unit="s")]
    )
    if save is not None:
        order = list(drawn)
        save_moving(list(drawn.values()), [order.index(share) for share in shares], fps, Path(save))
    return faces


def _end(value: Any, unit: str | None, i: int) -> Any:
    """One of the two faces; with an action unit, that one at a value."""
    if unit is None:
        if value is None:
            raise InputError("found no end; expected a face to change into, or AU='AU12' and the like")
        return value
    if value is None or (i == 0 and isinstance(value, str) and value == "neutral"):
        value = float(i)
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise InputError(
            f"found AU={unit!r} and {type(value).__name__} as {'end' if i else 'start'}; expected a number"
        )
    return {unit: float(value)}


def _alike(first: FaceValues, last: FaceValues) -> tuple[FaceValues, FaceValues]:
    """Give both faces the same action units."""
    if (first.landmarks is None) != (last.landmarks is None):
        raise InputError(
            "found landmarks and values of action units; expected two faces of one kind: they cannot become each other"
        )
    signed = first.signed or last.signed
    known = np.isfinite(first.units) | np.isfinite(last.units)
    first, last = (
        replace(face, units=np.where(known, np.nan_to_num(face.units), np.nan), signed=signed) for face in (first, last)
    )
    return replace(first, name=last.name), last


def _largest(values: FaceValues) -> float:
    return float(np.nanmax(np.abs(values.units), initial=0.0))


def _between(first: FaceValues, last: FaceValues, share: float) -> FaceValues:
    landmarks = rotation = None
    if first.landmarks is not None and last.landmarks is not None:
        landmarks = (1 - share) * first.landmarks + share * last.landmarks
        rotation = _turned(first.rotation, last.rotation, share)
    return replace(
        last,
        units=(1 - share) * first.units + share * last.units,
        gaze=(1 - share) * first.gaze + share * last.gaze,
        landmarks=landmarks,
        rotation=rotation,
    )


def _turned(first: Any, last: Any, share: float) -> np.ndarray:
    """Turn part of the way from one rotation to another."""
    from scipy.spatial.transform import Rotation, Slerp

    found: np.ndarray = Slerp([0.0, 1.0], Rotation.from_matrix([first, last]))(share).as_matrix()
    return found


def _title(first: FaceValues, last: FaceValues) -> str:
    """Name the action units that change, if they are few."""
    pairs = zip(MOVEMENTS, first.units, last.units, strict=True)
    changed = [name for name, a, b in pairs if not np.array_equal(a, b, equal_nan=True)]
    return ", ".join(changed) if len(changed) <= 6 else ""


def _shares(fps: float, duration: float, padding: float, *, include_reverse: bool) -> list[float]:
    """How far each frame is from the first face to the last."""
    given = {"fps": fps, "duration": duration, "padding": padding}
    wrong = [
        f"{name}={value!r}"
        for name, value in given.items()
        if not np.isfinite(value) or value < 0 or (value == 0 and name != "padding")
    ]
    if wrong:
        raise InputError(
            f"found {', '.join(wrong)}; expected a rate and a duration above 0, and a padding of 0 or more"
        )
    steps, still = max(1, round(fps * duration)), round(fps * padding)
    n = (steps + 1 + 2 * still) * (2 if include_reverse else 1)
    if n > MAX_FRAMES:
        raise InputError(f"found {n} frames; expected at most {MAX_FRAMES}: lower fps, duration or padding")
    there = [0.0] * still + [i / steps for i in range(steps + 1)] + [1.0] * still
    # the ends are not repeated, so that a loop has no stop in it but the padding
    return there + there[-2:0:-1] if include_reverse else there
