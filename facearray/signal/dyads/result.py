"""The synchrony of dyads with labels."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._words import counted
from facearray.signal.dyads.groups import Group
from facearray.signal.dyads.members import Dyads
from facearray.signal.dyads.outcomes import LEAD, STRENGTH, STRENGTH_MAX, Found
from facearray.signal.dyads.request import Comparison
from facearray.stats.units import label_coordinates

__all__ = ["described"]

Array = NDArray[np.float64]


def described(
    dyads: Dyads,
    names: list[str],
    comparison: Comparison,
    found: list[Found],
    group: Group | None,
    *,
    excluded: dict[str, str],
    single: bool,
) -> xr.Dataset:
    """Put labels to what was found of every dyad."""
    request = comparison.request
    part = "frequency" if request.is_coherence else "lag"
    arrays = _measures(found, comparison, part)
    if request.null is not None:
        arrays |= _tests(found, part)
    if group is not None:
        arrays |= {"p_group": ((), group.p), "n_group": ((), group.n)}

    def variable(dims: tuple[str, ...], array: NDArray[Any]) -> xr.Variable:
        feature_last = np.moveaxis(array, 1 if dims else 0, -1)
        return xr.Variable(dims, feature_last[..., 0]) if single else xr.Variable((*dims, "feature"), feature_last)

    labels = label_coordinates(dyads.ds, "feature", features=names)
    if single:
        labels = {
            name: xr.Variable((), array.values[0] if array.ndim else array.values) for name, array in labels.items()
        }
    data = {name: variable(*one) for name, one in arrays.items()}
    return xr.Dataset(data, {**labels, **_coords(dyads, comparison, part, data)}, _attrs(dyads, comparison, excluded))


def _measures(found: list[Found], comparison: Comparison, part: str) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
    """Arrays (n_dyad, n_feature, ...) and their dims but feature."""
    outcomes = np.stack([one.outcomes for one in found])
    parts = outcomes[..., :-3]
    there = ~np.isnan(parts).all(axis=-1)
    largest = np.where(np.isnan(parts), -np.inf, parts).argmax(axis=-1)
    arrays: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = {
        ("z" if part == "lag" else "coherence"): (("dyad", part), parts),
        "strength": (("dyad",), outcomes[..., STRENGTH]),
        "strength_max": (("dyad",), outcomes[..., STRENGTH_MAX]),
        f"{part}_max": (("dyad",), np.where(there, comparison.parts[largest], np.nan)),
        "n_windows": (("dyad",), np.stack([one.n_windows for one in found])),
    }
    if part == "frequency":
        return arrays | {"phase": (("dyad", part), np.stack([one.phase for one in found]))}
    n_windows = max(one.r.shape[1] for one in found)
    r_peak, lag_peak = (np.full((*outcomes.shape[:2], n_windows), np.nan) for _ in range(2))
    for i, one in enumerate(found):
        if one.r.shape[1]:
            here = (i, slice(None), slice(one.r.shape[1]))
            r_peak[here], lag_peak[here] = _peaks(one.r, comparison)
    return arrays | {
        "lead": (("dyad",), np.stack([one.lead for one in found])),
        "r_peak": (("dyad", "time"), r_peak),
        "lag_peak": (("dyad", "time"), lag_peak),
    }


def _peaks(r: Array, comparison: Comparison) -> tuple[Array, Array]:
    """Strongest correlations (...) at any lag (..., n_lag), and these lags; of equal ones that nearest to 0."""
    nearest = np.argsort(np.abs(comparison.parts), kind="stable")
    ordered = r[..., nearest]
    size = np.abs(ordered) if comparison.request.is_two_sided else ordered
    place = np.where(np.isnan(size), -np.inf, size).argmax(axis=-1)
    strongest = np.take_along_axis(ordered, place[..., None], axis=-1)[..., 0]
    return strongest, np.where(np.isnan(strongest), np.nan, comparison.parts[nearest][place])


def _tests(found: list[Found], part: str) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
    n_outcomes = found[0].outcomes.shape[-1]
    nothing = np.full(n_outcomes, np.nan)

    def each(name: str) -> Array:
        return np.array([[nothing if t is None else getattr(t, name) for t in one.tested] for one in found])

    p, p_max, mean, sd = (each(name) for name in ("p", "p_max", "mean", "sd"))
    strength = np.stack([one.outcomes[:, STRENGTH] for one in found])
    with np.errstate(invalid="ignore", divide="ignore"):
        effect = np.where(sd[..., STRENGTH] > 0, (strength - mean[..., STRENGTH]) / sd[..., STRENGTH], np.nan)
    arrays: dict[str, tuple[tuple[str, ...], NDArray[Any]]] = {
        "p": (("dyad",), p[..., STRENGTH]),
        "p_max": (("dyad",), p[..., STRENGTH_MAX]),
        "p_adjusted": (("dyad", part), p_max[..., :-3]),
        "null_mean": (("dyad",), mean[..., STRENGTH]),
        "null_sd": (("dyad",), sd[..., STRENGTH]),
        "effect": (("dyad",), effect),
    }
    return arrays | ({"p_lead": (("dyad",), p[..., LEAD])} if part == "lag" else {})


def _coords(dyads: Dyads, comparison: Comparison, part: str, data: dict[str, xr.Variable]) -> dict[str, Any]:
    step, windows = dyads.grid.step, comparison.windows
    coords = dyads.coords | {part: (part, comparison.parts, {"units": "s" if part == "lag" else "Hz"})}
    if part == "lag":
        first = np.arange(data["r_peak"].sizes["time"]) * windows.step + windows.max_lag
        coords["time"] = ("time", (first + (windows.length - 1) / 2) * step, {"units": "s"})
    of_video = label_coordinates(dyads.ds, "video")
    return coords | {
        str(name): ("dyad", array.values[dyads.videos[:, 0]])
        for name, array in of_video.items()
        if name != "video" and array.dims == ("video",)
    }


def _attrs(dyads: Dyads, comparison: Comparison, excluded: dict[str, str]) -> dict[str, Any]:
    request, windows, step = comparison.request, comparison.windows, dyads.grid.step
    attrs = dyads.ds.attrs | {
        "method": "synchrony",
        "test": request.method,
        "window": windows.length * step,
        "window_step": windows.step * step,
        "max_lag": windows.max_lag * step,
        "grid_step": step,
        "alternative": request.alternative,
        "null": request.null or "none",
        "unit": "dyad",
        "n": len(dyads.labels) - len(excluded),
        "population": _population(dyads, len(dyads.labels) - len(excluded)),
        "excluded": [f"{label}: {reason}" for label, reason in excluded.items()],
        "facearray_version": version("facearray"),
    }
    return attrs if request.null is None else attrs | {"n_draws": request.draws, "seed": request.draw_seed}


def _population(dyads: Dyads, n: int) -> str:
    """Say what the dyads stand for, and whether some share a person, which tests of all dyads do not know."""
    members = np.concatenate([np.column_stack([dyads.videos[:, i], dyads.faces[:, i]]) for i in (0, 1)])
    shared = len(np.unique(members, axis=0)) < len(members)
    return f"{counted(n, 'dyad')} like these" + (
        ", some of which have a recording in common, so that they are fewer than they seem" if shared else ""
    )
