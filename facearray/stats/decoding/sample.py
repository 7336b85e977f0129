"""From detections to the units that are decoded: values, targets, groups, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._words import some
from facearray.errors import InputError
from facearray.stats.decoding.request import Request
from facearray.stats.kernels.ols import Array
from facearray.stats.units import PERSON_COORDINATES, UnitValues, levels, population, unit_values

__all__ = [
    "Sample",
    "UnitRows",
    "check_targets",
    "make_sample",
    "population_of",
    "rows_of_units",
    "sample_of_rows",
    "unit_rows",
]

#: The dim of frames that are units: their labels are those of their videos.
OBSERVATION = "observation"


@dataclass(frozen=True, slots=True)
class UnitRows:
    """Units that are used: values (n, p) of features, and what labels them on a dim."""

    values: Array
    features: list[str]
    labels: NDArray[Any]
    coords: Mapping[str, NDArray[Any]]
    excluded: list[str]
    attrs: Mapping[str, Any]
    units: UnitValues
    kept: NDArray[np.intp]

    @property
    def dim(self) -> str:
        """Name of the dim of the units."""
        return OBSERVATION if self.units.unit == "frame" else self.units.unit

    @property
    def coordinates(self) -> dict[str, Any]:
        """Coordinates of the dim of the units."""
        if self.units.unit != "frame":
            return {self.dim: self.labels}
        names = [name for name in ("video", "frame_number", "timestamp") if name in self.coords]
        return {name: (OBSERVATION, self.coords[name]) for name in names}

    def matrix(self, features: list[str]) -> Array:
        """Values (n, p) of some of the features."""
        return np.ascontiguousarray(self.values[:, [self.features.index(name) for name in features]])


@dataclass(frozen=True, slots=True)
class Sample:
    """Units with their targets.

    Attributes
    ----------
    rows
        The units.
    X
        Values (n, p) of each feature set.
    y
        Targets (n,): labels of classes, or numbers.
    classes
        Labels of the classes in ascending order; None for numbers.
    codes
        Position (n,) of each unit's class among them.
    groups, group_names
        Group (n,) of each unit, if there are groups.
    """

    rows: UnitRows
    X: Mapping[str, Array]
    y: NDArray[Any]
    classes: NDArray[Any] | None
    codes: NDArray[np.intp] | None
    groups: NDArray[np.intp] | None
    group_names: NDArray[Any] | None

    @property
    def n(self) -> int:
        """Number of units."""
        return len(self.y)


def unit_rows(ds: xr.Dataset, request: Request, features: list[str], needed: tuple[str, ...]) -> UnitRows:
    """Reduce frames to units, and leave out those that lack a feature or a needed coordinate.

    Raises
    ------
    InputError
        If a name is unknown, a feature has no value at all, or no unit is left.
    """
    units = unit_values(
        ds,
        unit=request.unit,
        features=features,
        statistic=request.statistic,
        min_valid=request.min_valid,
        threshold=request.threshold,
    )
    return rows_of_units(units, request, needed)


def rows_of_units(units: UnitValues, request: Request, needed: tuple[str, ...]) -> UnitRows:
    """Leave out the units of one face that lack a feature or a needed coordinate.

    Raises
    ------
    InputError
        If a coordinate is unknown, a feature has no value at all, or no unit is left.
    """
    values = units.values[:, 0]
    names = [str(name) for name in units.features]
    lacks: dict[str, Any] = {
        f"no {name}": levels(units.coordinate(name))[1] < 0 for name in needed if name not in names
    }
    lacks |= {f"no {name}": np.isnan(values[:, names.index(name)]) for name in needed if name in names}
    return _rows(units, values, names, lacks, request)


def _rows(units: UnitValues, values: Array, names: list[str], lacks: dict[str, Any], request: Request) -> UnitRows:
    missing = np.isnan(values)
    if request.missing == "exclude":
        never = missing.all(axis=0)
        if never.any():
            raise InputError(
                f"found no value of {some(np.array(names)[never])} in any {request.unit}; leave these features out, or "
                "keep missing values (missing='keep') for a pipeline that fills them in"
            )
        lacks = lacks | {"": missing.any(axis=1)}
    out = np.zeros(len(values), dtype=bool)
    reasons: dict[int, str] = {}
    for reason, where in lacks.items():
        for i in np.flatnonzero(where & ~out):
            reasons[int(i)] = reason or f"no value of {some(np.array(names)[missing[i]])}"
        out |= where
    excluded = _listed(units, reasons)
    if out.all():
        raise InputError(
            f"found no {request.unit} with all that is needed ({some(excluded)}); see missing= and min_valid="
        )
    kept = np.flatnonzero(~out)
    coords = {name: array[kept] for name, array in units.coords.items()}
    return UnitRows(
        values=values[kept],
        features=names,
        labels=units.labels[kept],
        coords=coords,
        excluded=[*units.attrs["excluded"], *excluded],
        attrs=units.attrs | {"n_units": len(kept), "population": population(units.unit, len(kept), coords)},
        units=units,
        kept=kept,
    )


def _listed(units: UnitValues, reasons: dict[int, str]) -> list[str]:
    """One line a unit; of frames, one a video and reason."""
    if units.unit != "frame":
        return [f"{units.labels[i]}: {reason}" for i, reason in sorted(reasons.items())]
    counts: dict[tuple[str, str], int] = {}
    for i, reason in sorted(reasons.items()):
        key = (str(units.labels[i]), reason)
        counts[key] = counts.get(key, 0) + 1
    return [f"{label}: {n} frames: {reason}" for (label, reason), n in counts.items()]


def make_sample(ds: xr.Dataset, request: Request) -> Sample:
    """Take the units, their targets and groups from detections.

    Raises
    ------
    InputError
        If a name is unknown, the targets do not fit the model, or no unit is left.
    """
    target_is_feature = request.y not in ds.coords and request.y in ds["feature"].to_numpy().tolist()
    features = request.features + [request.y] * target_is_feature
    needed = (request.y,) if request.groups is None else (request.y, request.groups)
    rows = unit_rows(ds, request, features, needed)
    target = rows.matrix([request.y])[:, 0] if target_is_feature else rows.units.coordinate(request.y)[rows.kept]
    return sample_of_rows(rows, target, request)


def sample_of_rows(rows: UnitRows, target: NDArray[Any], request: Request) -> Sample:
    """Put together units and their targets (n,).

    Raises
    ------
    InputError
        If the targets do not fit the model, or frames of one video are in several groups.
    """
    classes, codes = None, None
    if request.task == "classification":
        classes, codes = _classes(target, request)
        y = classes[codes]
    else:
        y = _numbers(target, request)
    groups, group_names = None, None
    if request.groups is not None:
        group_names, groups = levels(rows.units.coordinate(request.groups)[rows.kept])
        _check_groups(rows, groups, request)
    X = {name: rows.matrix(names) for name, names in request.sets.items()}
    return Sample(rows, X, y, classes, codes, groups, group_names)


def _check_groups(rows: UnitRows, groups: NDArray[np.intp], request: Request) -> None:
    if request.unit == "frame":
        _, video = levels(rows.labels)
        first = np.zeros(video.max() + 1, dtype=np.intp)
        first[video] = groups
        split = sorted(set(rows.labels[first[video] != groups].tolist()))
        if split:
            raise InputError(
                f"found frames of one video in several groups of {request.groups!r} ({some(split)}); expected the "
                "frames of a video together: groups='video', or a coordinate on video"
            )


def _classes(target: NDArray[Any], request: Request) -> tuple[NDArray[Any], NDArray[np.intp]]:
    names, codes = levels(target)
    found = names.tolist()
    if all(isinstance(name, float) and name.is_integer() for name in found):
        found = [int(name) for name in found]
    if len({type(name) for name in found}) > 1 or not isinstance(found[0], str | bool | int):
        raise InputError(
            f"found {some(found)} as values of {request.y!r}; expected texts, truth values or whole numbers for a "
            f"classifier ({request.model_name}): use a regressor for numbers"
        )
    return np.array(found), codes


def _numbers(target: NDArray[Any], request: Request) -> Array:
    try:
        numbers: Array = np.array(target.tolist(), dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"found {some(levels(target)[0])} as values of {request.y!r}; expected numbers for a regressor "
            f"({request.model_name}): use a classifier"
        ) from None
    if np.isinf(numbers).any():
        raise InputError(f"found infinite values of {request.y!r}; expected finite numbers")
    return numbers


def check_targets(sample: Sample, request: Request) -> None:
    """Check that there is something to tell apart.

    Raises
    ------
    InputError
        If all units have the same target.
    """
    found = levels(sample.y)[0].tolist()
    if len(found) == 1:
        what = "class" if request.task == "classification" else "value"
        raise InputError(
            f"found one {what} of {request.y!r}, {found[0]!r}, in {sample.n} {request.unit}s; expected at least two"
        )


def population_of(sample: Sample, request: Request) -> str:
    """Say of whom the scores speak: of other groups of a kind, where whole people were held out."""
    if request.groups in PERSON_COORDINATES and sample.group_names is not None:
        return population(str(request.groups), len(sample.group_names), {})
    if request.unit == "frame" and sample.group_names is not None:
        return f"frames of {population(str(request.groups), len(sample.group_names), sample.rows.coords)}"
    return str(sample.rows.attrs["population"])
