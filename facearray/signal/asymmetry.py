"""How far the two sides of a face differ."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

import numpy as np
import xarray as xr

from facearray import schema
from facearray._warning import warn_caller
from facearray.errors import InputError, unknown_names
from facearray.signal._apply import Frames, Output, Result, map_videos
from facearray.signal._checks import Problems
from facearray.signal._steps import recorded

__all__ = ["asymmetry"]

_SIDES = re.compile(r"(?P<name>.+?)(?P<side>_left|_right|Left|Right)")

_TEXT = np.dtypes.StringDType()

#: Of both sides, for the index: below it a face is at rest.
MIN_SUM = 0.1

#: Blendshapes whose Left and Right are directions of a movement and not sides of the face.
_DIRECTIONS = ("jaw", "mouth")


@recorded
def asymmetry(
    ds: xr.Dataset,
    features: str | Iterable[str] | None = None,
    *,
    kind: Literal["difference", "index"] = "difference",
    mirrored: bool | str | None = None,
    min_sum: float | None = None,
) -> xr.Dataset:
    """Compare the left and the right side of every face, where features are measured on both.

    Left and right are the person's own. In a mirrored recording, as the preview of many front cameras and video calls
    is, every detector takes one for the other; nothing in the picture tells.

    Parameters
    ----------
    ds
        Detections with features of both sides: ``AU12_left`` and ``AU12_right`` as
        `facearray.models.action_units` makes them with ``sides=True``, or blendshapes such as ``mouthSmileLeft``.
    features
        Names without their sides (``"AU12"``, ``"mouthSmile"``); all that have two sides by default.
    kind
        ``"difference"``: left less right, in the unit of the feature. ``"index"``: that divided by the sum of both, -1
        to 1, NaN where the sum is below `min_sum`, because a face at rest has no side.
    mirrored
        Whether the recordings are mirrored, for which the sign is turned; or the name of a coordinate on video that
        says so. None, where nobody knows, warns.
    min_sum
        For ``"index"``, 0.1 by default.

    Returns
    -------
    xarray.Dataset
        ``ds`` with the features ``AU12_asymmetry`` and so on, positive where the person's left is stronger; NaN where
        a side has no value. Landmarks and embeddings are left out.

    Raises
    ------
    InputError
        If no or not such a feature has two sides, or an option cannot be used.
    SchemaError
        If ``ds`` does not follow the schema.

    Warns
    -----
    UserWarning
        If nothing says whether the recordings are mirrored.

    References
    ----------
    Seghier, M. L. (2008). Laterality index in functional MRI: methodological issues. Magnetic Resonance Imaging 26,
    594-601 (the index, and why it needs a least sum).

    Examples
    --------
    >>> dims, values = ("video", "frame", "face", "feature"), np.array([[0.75, 0.25]], "f4")[None, :, None]
    >>> ds = xr.Dataset(
    ...     {"features": (dims, values)},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["AU12_left", "AU12_right"],
    ...         "frame_number": (dims[:2], [[0]]),
    ...     },
    ... )
    >>> found = asymmetry(ds, mirrored=False)
    >>> found.feature.item(), found.features.item()
    ('AU12_asymmetry', 0.5)
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    problems = Problems()
    problems.one_of("kind", kind, ("difference", "index"))
    problems.positive(min_sum=min_sum)
    if kind == "difference" and min_sum is not None:
        problems.add(f"found min_sum={min_sum!r} with kind='difference', which has no sum; it is for kind='index'")
    problems.raise_if_any()
    names = [str(name) for name in ds["feature"].to_numpy()]
    pairs = _pairs(names, features)
    left, right = (np.array([names.index(pair[i]) for pair in pairs.values()]) for i in (0, 1))
    least = MIN_SUM if min_sum is None else min_sum
    sign = xr.Variable("video", np.where(_is_mirrored(ds, mirrored), -1, 1).astype(np.int8))

    def compared(frames: Frames) -> Result:
        values = frames.data["features"].astype(np.float64)
        a, b = values[:, left], values[:, right]
        found = a - b
        if kind == "index":
            total = a + b
            with np.errstate(invalid="ignore", divide="ignore"):
                found = np.where(total >= least, found / total, np.nan)
        return (found * frames.data["sign"],)

    dims = ("frame", "face", "feature")
    (values,) = map_videos(
        ds, compared, [Output(dims, ds["features"].dtype)], others={"sign": sign}, sizes={"feature": len(pairs)}
    )
    gone = {"feature", "landmark", "axis", "component"}
    coords = {name: c.variable for name, c in ds.coords.items() if gone.isdisjoint(c.dims)}
    what = "left less right" + (" by their sum" if kind == "index" else "")
    units = ds["unit"].to_numpy()[left] if "unit" in ds.coords and kind == "difference" else [""] * len(pairs)
    groups = ds["group"].to_numpy()[left] if "group" in ds.coords else ["other"] * len(pairs)
    labels = {
        "feature": np.array([f"{name}_asymmetry" for name in pairs], dtype=_TEXT),
        "group": ("feature", np.array(groups, dtype=_TEXT)),
        "unit": ("feature", np.array(units, dtype=_TEXT)),
        "description": ("feature", np.array([f"{name}: the person's {what}" for name in pairs], dtype=_TEXT)),
    }
    return xr.Dataset({"features": values}, {**coords, **labels}, ds.attrs)


def _pairs(names: list[str], features: str | Iterable[str] | None) -> dict[str, tuple[str, str]]:
    """Names of the two sides of each feature."""
    sides: dict[str, dict[str, str]] = {}
    for name in names:
        if (match := _SIDES.fullmatch(name)) and match["name"] not in _DIRECTIONS:
            sides.setdefault(match["name"], {})[match["side"].strip("_").lower()] = name
    both = {name: (found["left"], found["right"]) for name, found in sides.items() if len(found) == 2}
    if not both:
        raise InputError(
            "found no feature that is measured on both sides; expected pairs such as AU12_left and AU12_right or "
            "mouthSmileLeft and mouthSmileRight; make them with ds.fex.action_units(sides=True)"
        )
    if features is None:
        return both
    asked = [part.strip() for part in features.split(",")] if isinstance(features, str) else list(features)
    if unknown := [name for name in asked if name not in both]:
        raise unknown_names("feature with two sides", unknown, list(both))
    return {name: both[name] for name in asked}


def _is_mirrored(ds: xr.Dataset, mirrored: bool | str | None) -> np.ndarray:
    n = ds.sizes["video"]
    if mirrored is None:
        warn_caller(
            "nothing says whether the recordings are mirrored, in which case left and right are exchanged; pass "
            "mirrored=False, True, or the name of a coordinate on video",
        )
        return np.zeros(n, dtype=bool)
    if isinstance(mirrored, str):
        if mirrored not in ds.coords or ds[mirrored].dims != ("video",):
            known = [str(name) for name, c in ds.coords.items() if c.dims == ("video",)]
            raise unknown_names("coordinate on video", [mirrored], known)
        values = ds[mirrored].to_numpy()
        if values.dtype.kind != "b":
            raise InputError(f"found values of kind {values.dtype} in {mirrored!r}; expected True and False")
        return np.asarray(values)
    return np.full(n, bool(mirrored))
