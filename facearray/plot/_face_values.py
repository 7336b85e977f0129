"""What a face is drawn from: action units, blendshapes, landmarks or results, checked and in one form."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._words import counted, some
from facearray.errors import InputError, unknown_names
from facearray.models.geometry import N_LANDMARKS
from facearray.models.mesh_measures import SIDES, lay_on_canonical
from facearray.plot.rig.shapes import SHAPES, gaze_of_shapes
from facearray.plot.rig.table import MOVEMENTS

__all__ = ["FaceValues", "face_values"]

_Array = NDArray[np.float64]

_UNITS = tuple(MOVEMENTS)
_SHAPES = schema.GROUPS["blendshapes"].features
_GAZE = ("gaze_pitch", "gaze_yaw")

#: Features that say how an action unit is on one side.
_SIDED = {f"{unit}_{side}": (unit, side) for unit in _UNITS for side in SIDES}

#: Variables of results, in the order in which they are looked for; differences can have either sign.
_VARIABLES = ("features", "beta", "difference", "pattern", "coef", "mean", "median")
_DIFFERENCES = ("beta", "difference", "pattern", "coef")

#: A blendshape of more than this that cannot be drawn is named in a warning.
_NOTICED = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class FaceValues:
    """One face to draw.

    Attributes
    ----------
    units
        (20, 2) values of action units by side, in the order of ``MOVEMENTS`` and ``SIDES``, as they were given; NaN
        where there is none.
    gaze
        (2,) pitch and yaw in degrees.
    signed
        Whether the values are differences, which can have either sign, and not intensities.
    landmarks
        (478, 3) in cm of the canonical face, of a face that is drawn as it is.
    rotation
        (3, 3) of that face's head.
    name
        Of the values, for the colour bar.
    notes
        What a reader has to know.
    """

    units: _Array
    gaze: _Array
    signed: bool = False
    landmarks: _Array | None = None
    rotation: _Array | None = None
    name: str = "intensity"
    notes: tuple[str, ...] = ()


def face_values(given: Any, *, variable: str | None = None, term: str | None = None, gaze: Any = None) -> FaceValues:
    """Bring what a user gave into one form.

    Raises
    ------
    InputError
        If names are unknown, a number of values fits nothing, all are missing, or intensities are out of range.
    """
    if isinstance(given, xr.Dataset):
        given = _variable(given, variable)
    elif variable is not None:
        raise InputError(f"found variable={variable!r} and no Dataset; leave it out")
    if isinstance(given, xr.DataArray):
        given = _term(given, term)
    elif term is not None:
        raise InputError(f"found term={term!r} and no result with terms; leave it out")
    if isinstance(given, str):
        if given != "neutral":
            raise unknown_names("face", [given], ["neutral"])
        given = {}
    found = _landmarks(given)
    if found is None:
        found = _of_named(*_named(given))
    if gaze is not None:
        if found.landmarks is not None:
            raise InputError("found gaze with landmarks, which are drawn as they are; leave it out")
        found = replace(found, gaze=_gaze(gaze))
    return found


def _variable(ds: xr.Dataset, variable: str | None) -> xr.DataArray:
    known = [str(name) for name in ds.data_vars]
    if variable is not None:
        if variable not in known:
            raise unknown_names("variable", [variable], known)
        return ds[variable]
    found = [name for name in _VARIABLES if name in ds and "feature" in ds[name].dims]
    found = found or [name for name in known if "feature" in ds[name].dims]
    if not found:
        raise InputError(f"found no variable with a dim feature among {some(known) or 'none'}; expected action units")
    return ds[found[0]]


def _term(given: xr.DataArray, term: str | None) -> xr.DataArray:
    if "term" not in given.dims:
        if term is not None:
            raise InputError(f"found term={term!r} and values without terms; leave it out")
        return given
    known = [str(name) for name in given["term"].to_numpy().tolist()]
    if term is None:
        effects = [name for name in known if name != "Intercept"] or known
        if len(effects) > 1:
            raise InputError(
                f"found {len(effects)} terms: {some(effects)}; expected one: choose with term={effects[0]!r}"
            )
        term = effects[0]
    if term not in known:
        raise unknown_names("term", [term], known)
    return given.isel(term=known.index(term))


def _landmarks(given: Any) -> FaceValues | None:
    """Points (478, 3) in pixels as they are, if that is what was given."""
    if isinstance(given, xr.DataArray):
        if "landmark" not in given.dims or "axis" not in given.dims:
            return None
        points = _squeezed(given, ("landmark", "axis")).transpose("landmark", "axis").to_numpy()
    elif isinstance(given, np.ndarray) and given.ndim == 2:
        points = given
    else:
        return None
    points = np.asarray(points, np.float64)
    if points.shape != (N_LANDMARKS, 3):
        raise InputError(f"found landmarks of shape {points.shape}; expected ({N_LANDMARKS}, 3), those of MediaPipe")
    if not np.isfinite(points).all():
        n = int((~np.isfinite(points).all(axis=1)).sum())
        raise InputError(f"found landmarks with {counted(n, 'missing point')}; expected a frame with a face")
    mesh, fit = lay_on_canonical(points[None])
    if not np.isfinite(mesh).all():
        raise InputError("found landmarks that are all in one place; expected a face")
    scale = np.linalg.norm(fit[0, :3, 0])
    rotation = (fit[0, :3, :3] / scale).T
    return FaceValues(np.full((len(_UNITS), 2), np.nan), np.zeros(2), landmarks=mesh[0], rotation=rotation, name="")


def _squeezed(given: xr.DataArray, wanted: tuple[str, ...]) -> xr.DataArray:
    several = {str(dim): size for dim, size in given.sizes.items() if dim not in wanted and size != 1}
    if several:
        first = next(iter(several))
        raise InputError(
            f"found dims {', '.join(f'{dim} ({size})' for dim, size in several.items())}; expected one face: choose, "
            f"for instance .isel({first}=0), or average: .mean({first!r})"
        )
    return given.squeeze([dim for dim in given.dims if dim not in wanted], drop=True).compute()


def _named(given: Any) -> tuple[dict[str, float], bool, str]:
    """Values by feature, whether they are differences, and what they are."""
    if isinstance(given, xr.DataArray):
        if "feature" not in given.dims:
            raise InputError(f"found dims {given.dims}; expected feature, or landmark and axis")
        name = str(given.name or "value")
        values = _squeezed(given, ("feature",))
        pairs = dict(zip(map(str, values["feature"].to_numpy().tolist()), values.to_numpy().tolist(), strict=True))
        drawn = [f for f in pairs if f in _UNITS or f in _SIDED] or [f for f in pairs if f in _SHAPES]
        if not drawn:
            raise InputError(f"found features {some(pairs)}; expected action units or blendshapes among them")
        return {f: pairs[f] for f in (*drawn, *(g for g in _GAZE if g in pairs))}, name in _DIFFERENCES, name
    if isinstance(given, Mapping) or (hasattr(given, "items") and hasattr(given, "index")):
        pairs = {str(name): value for name, value in given.items()}
        unknown = [f for f in pairs if f not in (*_UNITS, *_SIDED, *_SHAPES, *_GAZE)]
        if unknown:
            raise unknown_names("action unit or blendshape", unknown, [*_UNITS, *_SIDED, *_SHAPES, *_GAZE])
        return _numbers(pairs), False, "intensity"
    values = np.asarray(given)
    for names in (_UNITS, _SHAPES):
        if values.shape == (len(names),):
            return _numbers(dict(zip(names, values.tolist(), strict=True))), False, "intensity"
    raise InputError(
        f"found values of shape {values.shape}; expected {len(_UNITS)} action units, {len(_SHAPES)} blendshapes, "
        f"landmarks ({N_LANDMARKS}, 3), or values by name, such as {{'AU12': 1}}"
    )


def _numbers(pairs: Mapping[str, Any]) -> dict[str, float]:
    numbers, wrong = {}, []
    for name, value in pairs.items():
        try:
            numbers[name] = float(value)
        except (TypeError, ValueError):
            wrong.append(f"{name}={value!r}")
    if wrong:
        raise InputError(f"found {', '.join(wrong)}; expected numbers")
    return numbers


def _of_named(pairs: dict[str, float], differences: bool, name: str) -> FaceValues:
    gaze = np.array([pairs.pop(which, np.nan) for which in _GAZE])
    if pairs and not np.isfinite(list(pairs.values())).any():
        raise InputError(f"found no value in {some(pairs)}: all are missing or infinite; expected at least one number")
    infinite = [f for f, value in pairs.items() if np.isinf(value)]
    if infinite:
        raise InputError(f"found infinite {some(infinite)}; expected numbers")
    shapes = {f: value for f, value in pairs.items() if f in _SHAPES}
    if shapes and len(shapes) < len(pairs):
        raise InputError("found action units and blendshapes; expected either: a face is drawn from one of them")
    finite = np.array([value for value in pairs.values() if np.isfinite(value)])
    signed = differences or bool((finite < 0).any())
    large = {f: value for f, value in pairs.items() if value > 1 + 1e-6}
    if large and not signed:
        shown = ", ".join(f"{f}={value:g}" for f, value in list(large.items())[:5])
        raise InputError(
            f"found {shown}; expected intensities from 0 to 1: divide intensities from 0 to 5 by 5, and percentages "
            "by 100"
        )
    if shapes:
        units = _units_of_shapes(shapes)
        gaze = np.where(np.isfinite(gaze), gaze, gaze_of_shapes(shapes))
        name = "intensity" if not signed else name
    else:
        units = _units(pairs)
    return FaceValues(units, np.nan_to_num(gaze), signed, name=name)


def _units(pairs: Mapping[str, float]) -> _Array:
    both = [f for f in pairs if f in _SIDED and _SIDED[f][0] in pairs]
    whole = sorted({_SIDED[f][0] for f in both if _SIDED[f][0] in pairs})
    units = np.full((len(_UNITS), len(SIDES)), np.nan)
    for feature, value in pairs.items():
        if feature in _SIDED:
            continue
        units[_UNITS.index(feature)] = value
    if both:
        # what `action_units(sides=True)` returns has both; sides say more
        units[[_UNITS.index(unit) for unit in whole]] = np.nan
    for feature, value in pairs.items():
        if feature in _SIDED:
            unit, side = _SIDED[feature]
            units[_UNITS.index(unit), SIDES.index(side)] = value
    return units


def _units_of_shapes(shapes: Mapping[str, float]) -> _Array:
    units = np.zeros((len(_UNITS), len(SIDES)))
    for shape, value in shapes.items():
        for unit, side, weight in SHAPES.get(shape, ()):
            units[_UNITS.index(unit), side] += weight * np.nan_to_num(value)
    left_out = {f: value for f, value in shapes.items() if not SHAPES.get(f) and "eyeLook" not in f and f != "_neutral"}
    noticed = {f: value for f, value in left_out.items() if abs(value) > _NOTICED}
    if noticed:
        warnings.warn(
            f"found {some(f'{f} {value:.2f}' for f, value in noticed.items())}, which stand for no action unit of "
            "the face; the rest is drawn",
            stacklevel=4,
        )
    return np.minimum(units, 1.0)


def _gaze(gaze: Any) -> _Array:
    angles = np.asarray([gaze.get(name, 0.0) for name in _GAZE] if isinstance(gaze, Mapping) else gaze, np.float64)
    if angles.shape != (2,) or not np.isfinite(angles).all() or np.abs(angles).max() > 90:
        raise InputError(
            f"found gaze={gaze!r}; expected pitch and yaw in degrees, positive down and to the image's right"
        )
    return angles
