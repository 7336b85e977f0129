"""What a face is drawn from: action units, blendshapes, landmarks or results, checked and in one form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._warning import warn_caller
from facearray._words import counted, some
from facearray.errors import InputError, unknown_names
from facearray.models.geometry import N_LANDMARKS
from facearray.models.mesh_measures import SIDES, lay_on_canonical
from facearray.plot.rig.shapes import SHAPES, gaze_of_shapes
from facearray.plot.rig.table import MOVEMENTS

__all__ = ["FaceValues", "face_values", "ranged"]

_Array = NDArray[np.float64]

_UNITS = tuple(MOVEMENTS)
_SHAPES = schema.GROUPS["blendshapes"].features
_GAZE = ("gaze_pitch", "gaze_yaw")

#: Features that say how an action unit is on one side.
_SIDED = {f"{unit}_{side}": (unit, side) for unit in _UNITS for side in SIDES}

#: Variables of results, in the order in which they are looked for; differences can have either sign.
_VARIABLES = ("features", "beta", "difference", "pattern", "coef", "mean", "median")
_DIFFERENCES = ("beta", "difference", "pattern", "coef")

#: What has to be known of a model's weights.
_WEIGHTS = ("weights of a model, which are not a face: they also cancel noise; draw the pattern to see what changes",)

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


def face_values(
    given: Any,
    *,
    variable: str | None = None,
    term: str | None = None,
    what: str = "pattern",
    feature_set: str | None = None,
    gaze: Any = None,
) -> FaceValues:
    """Bring what a user gave into one form; the arguments are those of `facearray.plot.face`.

    Raises
    ------
    InputError
        If names are unknown, a number of values fits nothing, all are missing, or intensities are out of range.
    """
    notes: tuple[str, ...] = ()
    if hasattr(given, "pattern") and hasattr(given, "feature_sets"):
        given = _of_decoding(given, what, feature_set)
    else:
        _refuse("no result of a decoding", what=None if what == "pattern" else what, feature_set=feature_set)
    if isinstance(given, xr.Dataset):
        given = _variable(given, variable)
    else:
        _refuse("no Dataset", variable=variable)
    if isinstance(given, xr.DataArray):
        notes = _WEIGHTS if given.name == "coef" else ()
        given = _term(given, term)
    else:
        _refuse("no result with terms", term=term)
    if isinstance(given, str):
        if given != "neutral":
            raise unknown_names("face", [given], ["neutral"])
        given = {}
    found = _landmarks(given) or _of_named(*_named(given))
    if gaze is not None:
        if found.landmarks is not None:
            raise InputError("found gaze with landmarks, which are drawn as they are; leave it out")
        found = replace(found, gaze=_gaze(gaze))
    return replace(found, notes=notes)


def _refuse(lacking: str, **given: str | None) -> None:
    """Refuse arguments that mean nothing here."""
    needless = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if needless:
        raise InputError(f"found {' and '.join(needless)} and {lacking}; leave it out")


def ranged(faces: tuple[FaceValues, ...], feature_range: tuple[float, float]) -> tuple[FaceValues, ...]:
    """Map the least and largest value of all faces to two numbers, and those in between linearly.

    Raises
    ------
    InputError
        If the numbers are no range of intensities, or there are no values.
    """
    low, high = feature_range
    if not 0 <= low < high <= 1:
        raise InputError(
            f"found feature_range={feature_range!r}; expected two numbers from 0 to 1, the smaller one first"
        )
    values = np.stack([face.units for face in faces])
    if not np.isfinite(values).any():
        raise InputError("found feature_range and no values of action units; leave it out")
    if (values < 0).any():
        warn_caller(
            "feature_range turns negative values into minima: what decreased most is drawn as if it were at rest, and "
            "no change as an increase; leave feature_range out to see signs",
        )
    least, spread = np.nanmin(values), np.nanmax(values) - np.nanmin(values)
    shares = (values - least) / spread if spread > 0 else np.where(np.isfinite(values), 0.0, np.nan)
    note = f"feature_range {low:g} to {high:g}"
    return tuple(
        replace(
            face,
            units=low + (high - low) * share,
            signed=False,
            name="value in feature_range",
            notes=(*face.notes, note),
        )
        for face, share in zip(faces, shares, strict=True)
    )


def _of_decoding(result: Any, what: str, feature_set: str | None) -> xr.DataArray:
    """Pattern or weights of the set of features that has action units."""
    if what not in ("pattern", "weights"):
        raise unknown_names("kind of a decoding's values", [str(what)], ["pattern", "weights"])
    sets = result.feature_sets
    if feature_set is None:
        having = [name for name, features in sets.items() if any(f in _UNITS or f in _SHAPES for f in features)]
        if len(having) != 1:
            raise InputError(
                f"found {counted(len(having), 'feature set')} with action units ({some(having) or 'none'}); expected "
                f"one: choose with feature_set={(having or list(sets))[0]!r}"
            )
        (feature_set,) = having
    elif feature_set not in sets:
        raise unknown_names("feature set", [feature_set], list(sets))
    array: xr.DataArray = result.pattern if what == "pattern" else result.coef
    array = array.sel(feature_set=feature_set)
    if "class" in array.dims:
        classes = array["class"].to_numpy().tolist()
        raise InputError(
            f"found a {what} for each of {len(classes)} classes; expected one: draw "
            f"result.{array.name}.sel({{'feature_set': {feature_set!r}, 'class': {classes[0]!r}}})"
        )
    return array


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
        points = _in_order(_squeezed(given, ("landmark", "axis"))).transpose("landmark", "axis").to_numpy()
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


def _in_order(given: xr.DataArray) -> xr.DataArray:
    """Put labelled axes in the order x, y, z."""
    if "axis" not in given.coords:
        return given
    axes = [str(axis) for axis in given["axis"].to_numpy().tolist()]
    if sorted(axes) != ["x", "y", "z"]:
        raise InputError(f"found the axes {', '.join(axes)}; expected x, y and z")
    return given.isel(axis=[axes.index(axis) for axis in "xyz"])


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
        name = "intensity" if given.name in (None, "features") else str(given.name)
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
    numbers = np.asarray(given)
    for names in (_UNITS, _SHAPES):
        if numbers.shape == (len(names),):
            return _numbers(dict(zip(names, numbers.tolist(), strict=True))), False, "intensity"
    raise InputError(
        f"found values of shape {numbers.shape}; expected {len(_UNITS)} action units, {len(_SHAPES)} blendshapes, "
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
        units = _units_of_shapes(shapes, signed=signed)
        gaze = np.where(np.isfinite(gaze), gaze, gaze_of_shapes(shapes))
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


def _units_of_shapes(shapes: Mapping[str, float], *, signed: bool) -> _Array:
    """Sum what stands for an action unit; NaN where nothing that has a value does."""
    units = np.full((len(_UNITS), len(SIDES)), np.nan)
    for shape, value in shapes.items():
        for unit, side, weight in SHAPES.get(shape, ()) if np.isfinite(value) else ():
            place = _UNITS.index(unit), side
            units[place] = np.nan_to_num(units[place]) + weight * value
    left_out = {f: value for f, value in shapes.items() if not SHAPES.get(f) and "eyeLook" not in f and f != "_neutral"}
    noticed = {f: value for f, value in left_out.items() if abs(value) > _NOTICED}
    if noticed:
        warn_caller(
            f"found {some(f'{f} {value:.2f}' for f, value in noticed.items())}, which stand for no action unit of "
            "the face; the rest is drawn",
        )
    return units if signed else np.minimum(units, 1.0)


def _gaze(gaze: Any) -> _Array:
    angles = np.asarray([gaze.get(name, 0.0) for name in _GAZE] if isinstance(gaze, Mapping) else gaze, np.float64)
    if angles.shape != (2,) or not np.isfinite(angles).all() or np.abs(angles).max() > 90:
        raise InputError(
            f"found gaze={gaze!r}; expected pitch and yaw in degrees, positive down and to the image's right"
        )
    return angles
