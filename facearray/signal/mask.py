"""Frames that are not to be trusted, taken out by what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from facearray import schema
from facearray.signal._apply import Frames
from facearray.signal._checks import Problems
from facearray.signal._measurements import mask_where
from facearray.signal._steps import recorded

__all__ = ["mask"]

FRAME_DIMS = ("video", "frame", "face")

#: Angles that turn a face away from the camera; Roll does not.
ANGLES = ("Pitch", "Yaw")


@recorded
def mask(
    ds: xr.Dataset,
    condition: xr.DataArray | ArrayLike | None = None,
    *,
    min_score: float | None = None,
    max_angle: float | Mapping[str, float] | None = None,
    min_size: float | None = None,
) -> xr.Dataset:
    """Take out frames by the detector's score, where the head points, the size of the face, or any condition.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    condition
        Truth values, true where frames are taken out: a DataArray with some of the dims (video, frame, face), such as
        ``ds.features.sel(feature="FaceScore") < 0.8``, or an array (video, frame) or (video, frame, face).
    min_score
        Least ``FaceScore``, 0 to 1.
    max_angle
        Largest absolute ``Pitch`` and ``Yaw`` in degrees; or a mapping of angles, such as ``{"Yaw": 30, "Roll": 45}``.
    min_size
        Least size of the face in pixels: the side of a square as large as its box.

    Returns
    -------
    xarray.Dataset
        ``ds`` with NaN in all measurements (features, landmarks, embeddings) of these frames, and the coordinate
        ``masked`` (video, frame, face), true where they were taken out; marks of earlier calls stay. Lazy where ``ds``
        is.

    Raises
    ------
    InputError
        If nothing is asked for, a limit is no number or has no feature to hold it against, or the condition has other
        values or another form.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    A frame is taken out if it breaks any of the limits. One whose score, angle or size is missing does not.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1, n_frames=3, features=["Yaw", "AU12"])
    >>> ds["features"][:] = np.array([[10, 0.5], [-40, 0.5], [20, 0.5]])[None, :, None]
    >>> mask(ds, max_angle={"Yaw": 30}).features.sel(feature="AU12").values.squeeze()
    array([0.5, nan, 0.5], dtype=float32)
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    limits = _limits(ds, min_score, max_angle, min_size)
    given = None if condition is None else _condition(ds, condition)
    if given is None and not limits:
        problems = Problems()
        problems.add("found nothing to mask by; expected a condition, min_score, max_angle or min_size")
        problems.raise_if_any()

    def broken(frames: Frames) -> NDArray[np.bool_]:
        values = frames.data["features"]
        found = np.zeros((values.shape[0], values.shape[2]), dtype=bool)
        if given is not None:
            found |= frames.data["condition"]
        for places, is_broken in limits:
            found |= is_broken(*(values[:, place].astype(np.float64) for place in places))
        return found

    return mask_where(ds, "masked", broken, others=None if given is None else {"condition": given})


def _limits(
    ds: xr.Dataset, min_score: float | None, max_angle: float | Mapping[str, float] | None, min_size: float | None
) -> list[tuple[list[int], Any]]:
    """Positions of features, and a function of their values (n_face, n_frame) that says where a limit is broken."""
    names = [str(name) for name in ds["feature"].to_numpy()]
    angles = dict(max_angle) if isinstance(max_angle, Mapping) else dict.fromkeys(ANGLES, max_angle)
    asked: list[tuple[str, tuple[str, ...], float | None, Any]] = [
        ("min_score", ("FaceScore",), min_score, lambda low, score: score < low),
        ("min_size", ("FaceRectWidth", "FaceRectHeight"), min_size, lambda low, w, h: w * h < low**2),
        *(("max_angle", (angle,), most, lambda high, angle: np.abs(angle) > high) for angle, most in angles.items()),
    ]
    problems = Problems()
    limits = []
    for argument, needed, limit, function in asked:
        if limit is None:
            continue
        problems.not_negative(**{argument: limit})
        if argument == "min_score" and isinstance(limit, int | float) and limit > 1:
            problems.add(f"found min_score={limit!r}; expected a score, 0 to 1")
        if absent := [name for name in needed if name not in names]:
            problems.add(
                f"found no {', '.join(absent)} for {argument}; expected the feature; mask by a condition instead"
            )
        else:
            limits.append(([names.index(name) for name in needed], _bound(function, limit)))
    problems.raise_if_any()
    return limits


def _bound(function: Any, limit: float) -> Any:
    return lambda *values: function(limit, *values)


def _condition(ds: xr.Dataset, condition: xr.DataArray | ArrayLike) -> xr.Variable:
    """Bring a condition into the dims (video, frame, face)."""
    problems = Problems()
    if isinstance(condition, xr.DataArray):
        variable = condition.variable
        if other := sorted(str(dim) for dim in set(variable.dims) - set(FRAME_DIMS)):
            problems.add(
                f"found a condition with the dims {', '.join(other)}; expected some of video, frame, face; select or "
                "reduce the others, as in .any('feature')"
            )
        elif "video" in condition.coords and not _same_videos(ds, condition):
            problems.add("found a condition of other videos, or in another order; expected those of the Dataset")
    else:
        array: NDArray[Any] = np.asarray(condition)
        if array.ndim not in (2, 3):
            problems.add(f"found a condition with {array.ndim} dims; expected (video, frame) or (video, frame, face)")
            problems.raise_if_any()
        variable = xr.Variable(FRAME_DIMS[: array.ndim], array)
    if variable.dtype != bool:
        problems.add(f"found a condition of {variable.dtype}; expected truth values; compare the numbers with a limit")
    wrong = [
        f"{dim} {variable.sizes[dim]} instead of {ds.sizes[dim]}"
        for dim in variable.dims
        if dim in FRAME_DIMS and variable.sizes[dim] != ds.sizes[dim]
    ]
    if wrong:
        problems.add(f"found a condition of other sizes ({', '.join(wrong)}); expected those of the Dataset")
    problems.raise_if_any()
    sizes = {dim: ds.sizes[dim] for dim in FRAME_DIMS}
    wide: xr.Variable = variable.set_dims(sizes).transpose(*FRAME_DIMS)  # type: ignore[no-untyped-call]
    return wide


def _same_videos(ds: xr.Dataset, condition: xr.DataArray) -> bool:
    return [str(v) for v in condition["video"].to_numpy().ravel()] == [str(v) for v in ds["video"].to_numpy()]
