"""Clusters of a result, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from facearray.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["clusters"]

#: What a cluster is in one of.
_WHERE = ("term", "face")


def clusters(result: xr.Dataset) -> pd.DataFrame:
    """Make a table of the clusters of a result.

    Parameters
    ----------
    result
        From `facearray.stats.cluster_test`, `facearray.stats.event_test`, or from `facearray.stats.regress_over_time`
        or `facearray.stats.decode_over_time` with ``correction="cluster"``.

    Returns
    -------
    pandas.DataFrame
        One row a cluster, those of the smallest p first: its number in the result, ``cluster``; the ``term``, ``face``
        and ``feature`` (``feature_set``), as far as the result has these dims; ``start`` and ``stop``, the seconds
        where its first window begins and its last one ends (with a second dim of windows also ``start_test`` and
        ``stop_test``); ``peak``, the middle of its strongest window, in seconds; ``size``, its number of windows;
        ``mass``, the sum of their statistics; ``p``.

    Raises
    ------
    InputError
        If the result has no clusters.

    Examples
    --------
    >>> points = {"cluster": [0, 1, 1], "cluster_mass": [0.0, 5.0, 5.0], "p_adjusted": [1, 0.02, 0.02]}
    >>> points |= {"t": [0, 2, 3.0], "window_start": [0.0, 0.5, 1.0], "window_stop": [0.5, 1.0, 1.5]}
    >>> clusters(xr.Dataset({name: ("time", values) for name, values in points.items()}, {"time": [0.25, 0.75, 1.25]}))
       cluster  start  stop  peak  size  mass     p
    0        1    0.5   1.5  1.25     2   5.0  0.02
    """
    import pandas as pd

    if "cluster" not in result or "p_adjusted" not in result:
        raise InputError(
            "found no clusters; expected a result of cluster_test or event_test, or one with correction='cluster'"
        )
    strength = result["t"] if "t" in result else result["score"] - result["chance"]
    where = [name for name in _WHERE if name in result["cluster"].dims]
    rows = []
    for place in np.ndindex(*(result.sizes[name] for name in where)):
        at = dict(zip(where, place, strict=True))
        part, height = result.isel(at), abs(strength.isel(at))
        for number in np.unique(part["cluster"].to_numpy()):
            if number:
                labels = {name: _label(part, name) for name in where}
                rows.append(labels | _row(part, height, int(number)))
    if not rows:
        names = [*where, *_names(result), "start", "stop", "peak", "size", "mass", "p"]
        return pd.DataFrame({name: [] for name in ["cluster", *names]})
    table = pd.DataFrame(rows).sort_values("p", kind="stable", ignore_index=True)
    return table[["cluster", *(name for name in table if name != "cluster")]]


def _names(result: xr.Dataset) -> list[str]:
    return [name for name in ("feature_set", "feature") if name in result["cluster"].dims]


def _label(part: xr.Dataset, name: str) -> Any:
    return part[name].item() if name in part.coords else 0


def _row(part: xr.Dataset, height: xr.DataArray, number: int) -> dict[str, Any]:
    inside = part["cluster"] == number
    row: dict[str, Any] = {"cluster": number}
    for name in _names(part):
        others = [dim for dim in inside.dims if dim != name]
        row[name] = ",".join(str(label) for label in part[name].to_numpy()[inside.any(others).to_numpy()])
    for dim, prefix, suffix in (("time", "window", ""), ("time_test", "window_test", "_test")):
        if dim in inside.dims:
            windows = inside.any([other for other in inside.dims if other != dim]).to_numpy()
            row[f"start{suffix}"] = float(part[f"{prefix}_start"].to_numpy()[windows].min())
            row[f"stop{suffix}"] = float(part[f"{prefix}_stop"].to_numpy()[windows].max())
    highest = height.where(inside).argmax(...)
    peak = {str(dim): part[dim].to_numpy()[int(i)] for dim, i in highest.items() if dim in ("time", "time_test")}
    row |= {dim.replace("time", "peak", 1): float(value) for dim, value in peak.items()}
    first = inside.argmax(...)
    return row | {
        "size": int(inside.sum()),
        "mass": float(part["cluster_mass"].isel(first)),
        "p": float(part["p_adjusted"].isel(first)),
    }
