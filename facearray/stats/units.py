"""From frames to units of analysis: what every test and every model of the package is computed from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._version import package_version
from facearray.blocks import iter_blocks
from facearray.errors import InputError, unknown_names
from facearray.stats.frames import FRAME_STATISTICS, chosen_features, feature_labels, reduce_frames, without_values

__all__ = ["UnitValues", "check_options", "levels", "unit_values"]

Weights = Literal["n_frames"] | None

#: Coordinates on ``video`` that say who is seen, if a Dataset has one.
PERSON_COORDINATES = ("subject", "participant", "person", "speaker", "actor", "identity")

#: The usual share of a unit's frames that need a value; a frame has no such share.
MIN_VALID = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class UnitValues:
    """One value a unit, face and feature.

    Attributes
    ----------
    values
        Values (n_unit, n_face, n_feature) in float64; NaN where too few frames of the unit are valid.
    labels
        Labels (n_unit,) of the units in ascending order; for frames the label of their video.
    features, faces
        Labels of the other two axes.
    coords
        Coordinates (n_unit,) on the units: those of ``video`` that have one value within each unit; for frames also
        the ones on (video, frame).
    varying
        Names of the coordinates on ``video`` that have several values within a unit, and so are not in ``coords``.
    n_frames
        Real frames (n_unit,) of each unit.
    n_valid_frames
        Real frames (n_unit, n_face, n_feature) with a value.
    weights
        Weights (n_unit,); ones unless others were asked for.
    excluded
        Units that are not in ``labels`` because they have no value at all, and why; units that lack a value for some
        faces or features are not listed, but have NaN there.
    unit, statistic, min_valid
        As asked for.
    """

    values: NDArray[np.float64]
    labels: NDArray[Any]
    features: NDArray[Any]
    faces: NDArray[Any]
    coords: Mapping[str, NDArray[Any]]
    varying: tuple[str, ...]
    n_frames: NDArray[np.intp]
    n_valid_frames: NDArray[np.intp]
    weights: NDArray[np.float64]
    excluded: Mapping[str, str]
    unit: str
    statistic: str
    min_valid: float

    @property
    def attrs(self) -> dict[str, Any]:
        """What a result computed from these units says about them, as values that any file format can hold."""
        return {
            "unit": self.unit,
            "n_units": len(self.labels),
            "unit_statistic": self.statistic,
            "min_valid": self.min_valid,
            "excluded": [f"{label}: {reason}" for label, reason in self.excluded.items()],
            "population": population(self.unit, len(self.labels), self.coords),
            "facearray_version": package_version(),
        }

    def coordinate(self, name: str) -> NDArray[Any]:
        """Return the values (n_unit,) of a coordinate, or the labels where it is the unit itself.

        Parameters
        ----------
        name
            Of the coordinate.

        Returns
        -------
        ndarray
            One value a unit.

        Raises
        ------
        InputError
            If there is no such coordinate, or it has several values within a unit.
        """
        _check_is_one_name(name)
        if name == self.unit:
            return self.labels
        if name in self.coords:
            return self.coords[name]
        if name in self.varying:
            raise InputError(
                f"found several values of {name!r} within a {self.unit}; expected one: use a smaller unit (in a t-test "
                f"with paired= for what belongs together), or a coordinate of the {self.unit}s"
            )
        raise unknown_names(f"coordinate of {self.unit}s", [name], [*self.coords, *self.varying])


def unit_values(
    ds: xr.Dataset,
    *,
    unit: str = "video",
    features: str | Iterable[str] | None = None,
    statistic: str = "mean",
    min_valid: float = 0.5,
    weights: Weights = None,
    threshold: float | None = None,
) -> UnitValues:
    """Reduce the frames of a Dataset to one value a unit, face and feature.

    The frames of a video are no independent observations. Tests and models therefore work on units: all valid real
    frames of a unit become one value, and then every unit counts the same.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), in memory, dask-backed or lazy.
    unit
        ``"video"``, ``"frame"``, or the name of a coordinate on ``video`` such as ``"subject"``, whose videos' frames
        are pooled. Videos without a value of that coordinate are excluded.
    features
        Groups and names, as for `facearray.selectors.select`; all by default.
    statistic
        What becomes of the frames: ``mean``, ``std`` (with n - 1), ``min``, ``max``, ``median``, or ``prop_above``, the
        share of valid frames above `threshold`. Has to be ``mean`` if the unit is the frame.
    min_valid
        Smallest share, 0 to 1, of a unit's real frames in which a face has to have a value of a feature. It is
        applied to every unit, face and feature by itself: below it the value is NaN. Units without any value left are
        excluded and listed. Not for frames.
    weights
        None for equal weights; ``"n_frames"`` for the number of real frames.
    threshold
        For ``prop_above``.

    Returns
    -------
    UnitValues
        The units in ascending order of their labels, whatever the order of the videos.

    Raises
    ------
    InputError
        If the unit, a feature or an option is unknown, labels of videos are not unique, or no unit is left.
    SchemaError
        If ``ds`` does not follow the schema.

    Examples
    --------
    >>> dims = ("video", "frame", "face", "feature")
    >>> ds = xr.Dataset(
    ...     {"features": (dims, np.array([1, 3, 5, np.nan], "f4").reshape(2, 2, 1, 1))},
    ...     coords={
    ...         "frame_number": (("video", "frame"), [[0, 1], [0, -1]]),
    ...         "video": ["b.mp4", "a.mp4"],
    ...         "feature": ["AU12"],
    ...     },
    ... )
    >>> units = unit_values(ds)
    >>> units.labels.tolist(), units.values[:, 0, 0].tolist()
    (['a.mp4', 'b.mp4'], [5.0, 2.0])
    """
    check_options(unit, statistic, min_valid, weights, threshold)
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    features = chosen_features(ds, features)
    if unit == "frame":
        return _frame_values(ds, features, min_valid)
    names, codes = unit_levels(ds, unit)
    reduced = reduce_frames(ds, codes, len(names), features, [statistic], threshold, min_valid)
    values, n_frames, n_valid = reduced.values[statistic], reduced.n_frames, reduced.n_valid_frames
    coords, varying = reduced_coordinates(ds, codes)
    there = ~without_values(values)
    excluded = reduced.empty_rows(names, statistic) | without_value(ds, unit, codes)
    if not there.any():
        raise InputError(nothing_left(unit, excluded))
    kept = slice(None) if there.all() else there
    return UnitValues(
        values=values[kept],
        labels=names[kept],
        features=feature_labels(ds, features),
        faces=face_labels(ds),
        coords={name: array[kept] for name, array in coords.items()},
        varying=varying,
        n_frames=n_frames[kept],
        n_valid_frames=n_valid[kept],
        weights=np.ones(there.sum()) if weights is None else n_frames[kept].astype(np.float64),
        excluded=excluded,
        unit=unit,
        statistic=statistic,
        min_valid=min_valid,
    )


def levels(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Distinct values in ascending order, and the position among them of each value; -1 where there is none.

    Missing are None, NaN, NaT and `pandas.NA`; an empty text is a value.

    Examples
    --------
    >>> levels(np.array(["good", None, "bad"], dtype=object))
    (array(['bad', 'good'], dtype=object), array([ 1, -1,  0]))
    """
    import pandas as pd

    items = np.asarray(values)
    if items.dtype.kind in "biuSU" or (items.dtype.kind == "T" and not hasattr(items.dtype, "na_object")):
        return _levels_of_sortable(items)
    there = np.flatnonzero(~np.asarray(pd.isna(items.astype(object) if items.dtype.kind == "T" else items)))
    place = {item: int(i) for i, item in reversed(list(zip(there, items[there].tolist(), strict=True)))}
    try:
        ordered = sorted(place)
    except TypeError:
        ordered = sorted(place, key=lambda item: (type(item).__name__, str(item)))
    code = {item: i for i, item in enumerate(ordered)}
    codes = np.full(len(items), -1, dtype=np.intp)
    codes[there] = [code[item] for item in items[there].tolist()]
    return items[[place[item] for item in ordered]], codes


def _levels_of_sortable(items: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Do the same for arrays that are never missing a value."""
    if (items[1:] > items[:-1]).all():
        return items, np.arange(len(items))
    names, codes = np.unique(items, return_inverse=True)
    return names, codes


def _check_is_one_name(name: object) -> None:
    if not isinstance(name, str):
        raise InputError(
            f"found {name!r}; expected the name of one coordinate: for combinations of several, make a coordinate of "
            "their values first, with .fex.join"
        )


def video_coordinate(ds: xr.Dataset, name: str) -> NDArray[Any]:
    """Values (n_video,) of a coordinate on ``video``.

    Raises
    ------
    InputError
        If there is none of this name.
    """
    _check_is_one_name(name)
    coords = ds.coords.variables
    if name not in coords or coords[name].dims != ("video",):
        known = [str(other) for other, array in coords.items() if array.dims == ("video",)]
        raise unknown_names("coordinate on video", [name], known)
    return coords[name].to_numpy()


def unit_levels(ds: xr.Dataset, unit: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Labels of the units, and the unit of each video.

    Raises
    ------
    InputError
        If there is no such coordinate, or labels of videos are not unique.
    """
    names, codes = levels(video_coordinate(ds, unit))
    if unit == "video" and len(names) < len(codes):
        twice = sorted({str(names[i]) for i in np.flatnonzero(np.bincount(codes) > 1)})
        raise InputError(f"found videos with the same label: {', '.join(twice)}; expected unique labels: rename them")
    return names, codes


def face_labels(ds: xr.Dataset) -> NDArray[Any]:
    """Labels of the faces: their positions, where the Dataset has no others."""
    return ds["face"].to_numpy()


def label_coordinates(ds: xr.Dataset, *dims: str, features: list[str] | None = None) -> dict[Hashable, xr.Variable]:
    """Take the coordinates of the variable ``features`` that have no other than some dims, cut to chosen features."""
    own = set(ds.variables["features"].dims) & set(dims)
    found = {name: ds.variables[name] for name in ds.coords if set(ds.variables[name].dims) <= own}
    if features is None:
        return found
    place = {str(label): i for i, label in enumerate(ds.variables["feature"].to_numpy())}
    chosen = [place[name] for name in features]
    return {n: array.isel(feature=chosen) if "feature" in array.dims else array for n, array in found.items()}


def population(unit: str, n: int, coords: Mapping[str, NDArray[Any]]) -> str:
    """Say of which population n units with coordinates (n,) are a sample, as far as the coordinates tell."""
    plural = f"{n} {unit}{'s' if n != 1 else ''}"
    if unit in PERSON_COORDINATES:
        return f"{plural}: people like these, with the stimuli that they had"
    known = [name for name in PERSON_COORDINATES if name in coords]
    if not known:
        return f"{plural}: {unit}s like these; no coordinate says who is seen, so nothing is said about people"
    people = len(levels(coords[known[0]])[0])
    who = f"{people} {known[0]}{'s' if people != 1 else ''}"
    if people < n:
        return f"{plural} of {who}: other {unit}s of the same people, not other people"
    return f"{plural} of {who}: people like these, with the stimuli that they had"


def check_options(unit: str, statistic: str, min_valid: float, weights: Weights, threshold: float | None) -> None:
    """Check the options of `unit_values`.

    Raises
    ------
    InputError
        With all problems.
    """
    problems = []
    if statistic not in FRAME_STATISTICS:
        raise unknown_names("statistic", [statistic], FRAME_STATISTICS)
    if not 0 <= min_valid <= 1:
        problems.append(f"found min_valid={min_valid}; expected a share from 0 to 1")
    if weights not in (None, "n_frames"):
        problems.append(f"found weights={weights!r}; expected None or 'n_frames'")
    if (statistic == "prop_above") != (threshold is not None):
        problems.append(
            f"found statistic={statistic!r} with threshold={threshold}; 'prop_above' needs one, others none"
        )
    if unit == "frame" and (statistic != "mean" or weights is not None or min_valid != MIN_VALID):
        problems.append("found unit='frame' with a statistic, weights or min_valid; a frame has one value and weighs 1")
    if problems:
        raise InputError("; ".join(problems))


def without_value(ds: xr.Dataset, name: str, codes: NDArray[np.intp]) -> dict[str, str]:
    """Videos without a value of a coordinate, as reasons to exclude them."""
    without = np.flatnonzero(codes < 0)
    return (
        {f"video {label}": f"no {name}" for label in ds["video"][without].to_numpy().tolist()} if len(without) else {}
    )


def nothing_left(unit: str, excluded: Mapping[str, str]) -> str:
    """Say that no unit is left, and what to do."""
    examples = "; ".join(f"{label}: {reason}" for label, reason in list(excluded.items())[:5]) or "the Dataset is empty"
    return (
        f"found no {unit} with enough valid frames ({examples}); lower min_valid, or leave out features without values"
    )


def reduced_coordinates(ds: xr.Dataset, codes: NDArray[np.intp]) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Find the coordinates on ``video`` that are the same for all videos of each unit, and the names of the others."""
    used = np.flatnonzero(codes >= 0)
    _, first, unit = np.unique(codes[used], return_index=True, return_inverse=True)
    first = used[first]
    coords, varying = {}, []
    for name, array in ds.coords.variables.items():
        if array.dims != ("video",):
            continue
        values = array.to_numpy()
        same = len(first) == len(codes)
        if not same:
            _, level = levels(values)
            same = bool((level[first][unit] == level[used]).all())
        if same:
            coords[str(name)] = values[first]
        else:
            varying.append(str(name))
    return coords, tuple(varying)


def _frame_values(ds: xr.Dataset, features: list[str] | None, min_valid: float) -> UnitValues:
    """Take every real frame with any value as a unit, videos in the order of their labels."""
    names, codes = unit_levels(ds, "video")
    extra = [str(c) for c in ds.coords if ds.variables[c].dims == ("video", "frame")]
    parts: dict[tuple[int, int], tuple[int, dict[str, NDArray[Any]]]] = {}
    for block in iter_blocks(ds, variables=("features", *extra), features=features):
        for i, (video, n) in enumerate(zip(block.videos.tolist(), block.n_frames.tolist(), strict=True)):
            part = {name: array[i, :n] for name, array in block.data.items()}
            parts[int(codes[video]), block.start] = (video, part)
    ordered = [parts[key] for key in sorted(parts)]
    if not ordered:
        raise InputError(nothing_left("frame", {}))
    arrays = {name: np.concatenate([part[name] for _, part in ordered]) for name in ("features", *extra)}
    video = np.concatenate([np.full(len(part["features"]), v) for v, part in ordered])
    values = arrays.pop("features").astype(np.float64)
    kept = ~np.isnan(values).all(axis=(1, 2))
    empty = np.bincount(video[~kept], minlength=len(names))
    labels = ds["video"].to_numpy()
    excluded = {
        str(labels[v]): f"{empty[v]} frames without any value" for v in np.argsort(codes, kind="stable") if empty[v]
    }
    if not kept.any():
        raise InputError(nothing_left("frame", excluded))
    values, video = values[kept], video[kept]
    on_video = {str(c): v.to_numpy()[video] for c, v in ds.coords.variables.items() if v.dims == ("video",)}
    return UnitValues(
        values=values,
        labels=labels[video],
        features=feature_labels(ds, features),
        faces=face_labels(ds),
        coords=on_video | {name: array[kept] for name, array in arrays.items()},
        varying=(),
        n_frames=np.ones(len(values), dtype=np.intp),
        n_valid_frames=(~np.isnan(values)).astype(np.intp),
        weights=np.ones(len(values)),
        excluded=excluded,
        unit="frame",
        statistic="mean",
        min_valid=min_valid,
    )
