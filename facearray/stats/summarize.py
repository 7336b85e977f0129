"""Descriptive statistics by groups of videos."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._version import package_version
from facearray.blocks import iter_blocks
from facearray.errors import InputError, unknown_names
from facearray.stats.frames import Reduced, chosen_features, feature_labels, median, reduce_frames
from facearray.stats.kernels.autocorrelation import effective_size
from facearray.stats.units import (
    Weights,
    label_coordinates,
    levels,
    nothing_left,
    population,
    unit_levels,
    video_coordinate,
    without_value,
)

__all__ = ["STATISTICS", "summarize"]

#: What `summarize` can be asked for.
STATISTICS = ("mean", "std", "sem", "min", "max", "median", "n", "prop_above")

#: Below so many effective observations the standard error of a time course's mean comes out too small.
FEW_OBSERVATIONS = 20


@dataclass(frozen=True, slots=True)
class _Request:
    """The arguments of `summarize`, checked."""

    stats: tuple[str, ...]
    by: str | None
    unit: str
    features: list[str] | None
    min_valid: float
    weights: Weights
    n_eff: bool
    threshold: float | None

    @property
    def describes_frames(self) -> bool:
        """Whether rows describe frames; else they describe units."""
        return self.by == "video" or self.unit == "frame"


def summarize(
    ds: xr.Dataset,
    stats: str | Iterable[str] = ("mean",),
    *,
    by: str | None = None,
    unit: str = "video",
    features: str | Iterable[str] | None = None,
    min_valid: float = 0.5,
    weights: Weights = None,
    n_eff: bool = False,
    threshold: float | None = None,
) -> xr.Dataset:
    """Describe features by video, by condition, or by any other coordinate on ``video``.

    The frames of a unit are averaged first, and the statistics are those of the units' means; every unit counts the
    same. ``by="video"`` and ``unit="frame"`` describe frames instead.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), in memory, dask-backed or lazy. They are read once, a few
        videos at a time; padding is not read.
    stats
        Any of ``mean``, ``std`` (with n - 1), ``sem``, ``min``, ``max``, ``median``, ``n`` and ``prop_above``, the
        share of frames above `threshold`; one name, several with commas between them, or a list.
    by
        Coordinate on ``video`` with a group for each; ``"video"`` for a row a video; None for one row over everything.
        Videos without a value are left out and listed.
    unit
        What is independent: ``"video"``, or a coordinate such as ``"subject"``, whose videos' frames are pooled (within
        each group of `by`). ``"frame"`` pools all frames of a group: longer videos count more, and there is no ``sem``.
    features
        Groups and names, as for `facearray.selectors.select`; all by default.
    min_valid
        Smallest share, 0 to 1, of a unit's real frames in which a face needs a value of a feature; with less, the unit
        does not count for that face and feature. The same holds for a row of frames.
    weights
        ``"n_frames"`` weighs each unit by its real frames, for mean, std, sem and prop_above.
    n_eff
        With ``by="video"``, whether ``sem`` is computed from the effective number of independent frames.
    threshold
        For ``prop_above``.

    Returns
    -------
    xarray.Dataset
        One variable a statistic in the order of `stats`, dims (`by`, face, feature), without `by` (face, feature).
        Groups are in ascending order; with ``by="video"`` the videos stay in their order and keep their coordinates.
        NaN where there is nothing to compute a statistic from. The coordinate ``n_valid_frames`` and, where units are
        described, ``n_units`` count what each value was computed from. The attributes tell the unit, their number, what
        was excluded and why, and of which population the result speaks.

    Raises
    ------
    InputError
        If a name is unknown, options contradict each other, ``sem`` is asked for of frames, or no unit is left.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    sem = sd / sqrt(n) over the n units. With weights w: var = sum w (x - m)^2 / (W - V / W) and sem = sqrt(var V) / W,
    where W = sum w and V = sum w^2.

    With ``n_eff``: sem = sqrt(sum (x - m)^2 / n / (n_eff - 1)), which allows for the sample variance of autocorrelated
    data being too small (Zieba 2010), and n_eff from `facearray.stats.kernels.autocorrelation.effective_size`. Frames
    have to be equally spaced. Where n_eff is below 20 it is estimated too high, and the attribute ``warning`` says so.

    References
    ----------
    Zieba, A. (2010). Effective number of observations and unbiased estimators of variance for autocorrelated data: an
    overview. Metrology and Measurement Systems 17, 3-16.

    Examples
    --------
    >>> dims = ("video", "frame", "face", "feature")
    >>> ds = xr.Dataset(
    ...     {"features": (dims, np.array([1, 3, 4, np.nan, 6, 8], "f4").reshape(3, 2, 1, 1))},
    ...     coords={
    ...         "frame_number": (("video", "frame"), [[0, 1], [0, -1], [0, 1]]),
    ...         "condition": ("video", ["good", "good", "bad"]),
    ...         "video": ["a.mp4", "b.mp4", "c.mp4"],
    ...         "feature": ["AU12"],
    ...     },
    ... )
    >>> summarize(ds, by="condition")["mean"].sel(feature="AU12", face=0).to_series().to_dict()
    {'bad': 7.0, 'good': 3.0}
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    request = _Request(
        _names(stats), by, unit, chosen_features(ds, features), min_valid, weights, bool(n_eff), threshold
    )
    _check(request)
    if request.describes_frames:
        variables, coords, facts = _describe_frames(ds, request)
    else:
        variables, coords, facts = _describe_units(ds, request)
    dims = (*(() if by is None else (by,)), "face", "feature")
    rows = slice(None) if by is not None else 0
    result = xr.Dataset(
        {name: (dims, variables[name][rows]) for name in [*request.stats, *(["n_eff"] if request.n_eff else [])]},
        coords={name: (dims, values[rows]) for name, values in coords.items()},
    )
    result = result.assign_coords(_labels(ds, request))
    return result.assign_attrs(
        ds.attrs | facts | {"method": "summarize", "arguments": _arguments(request), "by": by or ""}
    )


def _names(stats: str | Iterable[str]) -> tuple[str, ...]:
    names = [part.strip() for part in stats.split(",")] if isinstance(stats, str) else list(stats)
    if unknown := [str(name) for name in names if name not in STATISTICS]:
        raise unknown_names("statistic", unknown, STATISTICS)
    if not names:
        raise InputError(f"found no statistic; expected some of {', '.join(STATISTICS)}")
    return tuple(dict.fromkeys(names))


def _check(request: _Request) -> None:
    problems = []
    if not 0 <= request.min_valid <= 1:
        problems.append(f"found min_valid={request.min_valid}; expected a share from 0 to 1")
    if request.weights not in (None, "n_frames"):
        problems.append(f"found weights={request.weights!r}; expected None or 'n_frames'")
    if ("prop_above" in request.stats) != (request.threshold is not None):
        problems.append(
            f"found threshold={request.threshold}; 'prop_above' needs one, and nothing else has any use for it"
        )
    if request.by == "video" and request.unit not in ("video", "frame"):
        problems.append(f"found by='video' with unit={request.unit!r}; rows of one video describe its frames")
    if request.weights is not None and request.describes_frames:
        problems.append("found weights for frames, which weigh the same; leave them out, or describe units")
    if request.weights is not None and "median" in request.stats:
        problems.append("found weights with 'median', which has none; leave one of them out")
    if request.n_eff and (request.by != "video" or "sem" not in request.stats):
        problems.append("found n_eff=True; expected by='video' and 'sem' among the statistics, the only use of it")
    if "sem" in request.stats and request.describes_frames and not request.n_eff:
        problems.append(_no_sem(request))
    if problems:
        raise InputError("; ".join(problems))


def _no_sem(request: _Request) -> str:
    remedy = (
        "n_eff=True estimates it from the effective number of frames"
        if request.by == "video"
        else "unit='video' gives the standard error over videos"
    )
    return f"found 'sem' of frames, which are not independent, so that it would be several times too small; {remedy}"


def _describe_frames(ds: xr.Dataset, request: _Request) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    names, codes = _groups(ds, request.by)
    statistics = [name for name in request.stats if name not in ("n", "sem")] or ["mean"]
    reduced = reduce_frames(ds, codes, len(names), request.features, statistics, request.threshold, request.min_valid)
    left_out = without_value(ds, request.by, codes) if request.by else {}
    excluded = _excluded_rows(reduced, names, "frame") | left_out
    variables = {**reduced.values, "n": reduced.n_valid_frames}
    facts = _facts(request, excluded) | {
        "unit": "frame",
        "n_frames": int(reduced.n_frames.sum()),
        "population": "the frames of these videos are described; nothing is said about other videos or people",
    }
    if request.n_eff:
        variables["sem"], variables["n_eff"] = _sem_of_frames(ds, request)
        few = int((variables["n_eff"] < FEW_OBSERVATIONS).sum())
        if few:
            facts["warning"] = (
                f"{few} time courses are worth less than {FEW_OBSERVATIONS} independent observations: their standard "
                "errors are too small"
            )
    return variables, {"n_valid_frames": reduced.n_valid_frames}, facts


def _groups(ds: xr.Dataset, by: str | None) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Labels of the rows, and the row of each video; videos are rows in their own order."""
    if by is None:
        return np.array(["all videos"]), np.zeros(ds.sizes["video"], dtype=np.intp)
    if by == "video":
        return ds["video"].to_numpy(), np.arange(ds.sizes["video"])
    return levels(video_coordinate(ds, by))


def _excluded_rows(reduced: Reduced, names: NDArray[Any], unit: str) -> dict[str, str]:
    statistic = min(reduced.values, key=lambda name: name == "std")
    excluded = reduced.empty_rows(names, statistic)
    if np.isnan(reduced.values[statistic]).all():
        raise InputError(nothing_left(unit, excluded))
    return excluded


def _sem_of_frames(ds: xr.Dataset, request: _Request) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute standard errors and effective sizes (n_video, n_face, n_feature) of the means of time courses."""
    shape = (ds.sizes["video"], ds.sizes["face"], len(feature_labels(ds, request.features)))
    sem, size = np.full(shape, np.nan), np.full(shape, np.nan)
    for block in iter_blocks(ds, features=request.features, split=False):
        for face, feature in np.ndindex(*shape[1:]):
            x = block.data["features"][:, :, face, feature]
            n = (~np.isnan(x)).sum(axis=1)
            with np.errstate(invalid="ignore", divide="ignore"):
                mean = np.nansum(x, axis=1, dtype=np.float64) / n
                square = np.nansum((x - mean[:, None]) ** 2, axis=1)
                size[block.videos, face, feature] = effective = effective_size(x)
                enough = (effective > 1) & (n >= request.min_valid * block.n_frames)
                sem[block.videos, face, feature] = np.where(enough, np.sqrt(square / n / (effective - 1)), np.nan)
    return sem, size


def _describe_units(ds: xr.Dataset, request: _Request) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    unit_names, unit_of_video = unit_levels(ds, request.unit)
    by_names, by_of_video = _groups(ds, request.by)
    # a unit with videos in several groups is a unit of each
    both = np.where((unit_of_video >= 0) & (by_of_video >= 0), unit_of_video * len(by_names) + by_of_video, -1)
    pairs, first, codes = np.unique(both, return_index=True, return_inverse=True)
    if pairs.size and pairs[0] < 0:
        pairs, first, codes = pairs[1:], first[1:], codes - 1
    group = pairs % len(by_names) if len(by_names) else pairs
    unit_labels = unit_names[pairs // max(1, len(by_names))]
    names = _unit_names(unit_labels, by_names[group] if request.by else None)
    statistics = ["mean", *(["prop_above"] if "prop_above" in request.stats else [])]
    reduced = reduce_frames(ds, codes, len(pairs), request.features, statistics, request.threshold, request.min_valid)
    left_out = without_value(ds, request.unit, unit_of_video)
    if request.by:
        left_out |= without_value(ds, request.by, by_of_video)
    excluded = _excluded_rows(reduced, names, request.unit) | left_out
    weights = np.ones(len(pairs)) if request.weights is None else reduced.n_frames.astype(np.float64)
    found = [_statistics(reduced, group == g, weights[group == g]) for g in range(len(by_names))]
    counted = ~np.isnan(reduced.values["mean"])
    n_valid = np.zeros((len(by_names), *counted.shape[1:]), dtype=np.intp)
    np.add.at(n_valid, group, np.where(counted, reduced.n_valid_frames, 0))
    variables = {name: np.stack([row[name] for row in found]) for name in found[0]}
    there = counted.any(axis=(1, 2))
    n_units = len(set(pairs[there] // max(1, len(by_names))))
    kept = {str(c): ds[c].to_numpy()[first[there]] for c in ds.coords if ds[c].dims == ("video",)}
    facts = _facts(request, excluded) | {
        "unit": request.unit,
        "n_units": n_units,
        "population": population(request.unit, n_units, kept),
    }
    return variables, {"n_units": variables["n"], "n_valid_frames": n_valid}, facts


def _unit_names(units: NDArray[Any], groups: NDArray[Any] | None) -> NDArray[Any]:
    """Names of the units; with their group, where they are in several."""
    labels = [str(unit) for unit in units.tolist()]
    if groups is not None and len(set(labels)) < len(labels):
        labels = [f"{label} in {group}" for label, group in zip(labels, groups.tolist(), strict=True)]
    return np.array(labels, dtype=object)


def _statistics(reduced: Reduced, rows: NDArray[np.bool_], weights: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Describe the values of some units: every statistic (n_face, n_feature), NaN where it is undefined."""
    x = reduced.values["mean"][rows]
    there = ~np.isnan(x)
    w = np.where(there, weights[:, None, None], 0)
    n, W, V = there.sum(axis=0), w.sum(axis=0), (w**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (w * np.where(there, x, 0)).sum(axis=0) / W
        square = (w * np.where(there, x - mean, 0) ** 2).sum(axis=0)
        variance = np.where(n > 1, square / (W - V / W), np.nan)
        found = {
            "mean": mean,
            "std": np.sqrt(variance),
            "sem": np.sqrt(variance * V) / W,
            "min": np.where(n > 0, np.where(there, x, np.inf).min(axis=0, initial=np.inf), np.nan),
            "max": np.where(n > 0, np.where(there, x, -np.inf).max(axis=0, initial=-np.inf), np.nan),
            "median": median(x[None])[1][0] if len(x) else mean,
            "n": n,
        }
        if "prop_above" in reduced.values:
            share = reduced.values["prop_above"][rows]
            found["prop_above"] = (w * np.where(there, share, 0)).sum(axis=0) / W
    return found


def _facts(request: _Request, excluded: Mapping[str, str]) -> dict[str, Any]:
    return {
        "min_valid": request.min_valid,
        "weights": request.weights or "equal",
        "excluded": [f"{label}: {reason}" for label, reason in excluded.items()],
        "facearray_version": package_version(),
    }


def _labels(ds: xr.Dataset, request: _Request) -> dict[Hashable, Any]:
    """Coordinates of the rows, the faces and the features."""
    videos = ["video"] if request.by == "video" else []
    labels: dict[Hashable, Any] = dict(label_coordinates(ds, *videos, "face", "feature", features=request.features))
    if request.by not in (None, "video"):
        labels[request.by] = (request.by, _groups(ds, request.by)[0], ds[request.by].attrs)
    return labels


def _arguments(request: _Request) -> str:
    names = ("stats", "by", "unit", "features", "min_valid", "weights", "n_eff", "threshold")
    return ", ".join(f"{name}={getattr(request, name)!r}" for name in names)
