"""Correlations between the time courses of videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, unknown_names
from facearray.plot import _style
from facearray.plot._matrix import cluster, heatmap

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["isc"]


def isc(
    result: xr.Dataset,
    *,
    feature: str | None = None,
    face: int | None = None,
    variable: Literal["r", "n", "p"] = "r",
    label: str | None = None,
    linkage: str | None = "complete",
    title: str | None = None,
) -> hv.Overlay:
    """Draw inter-video correlations as a clustered heat map with a dendrogram.

    Parameters
    ----------
    result
        Pairwise correlations from ``.fex.isc``: ``r`` with dims (video, video_other), ``n``, and ``p`` if there was a
        null. Hovering shows all of them.
    feature, face
        The one to draw, where there are several.
    variable
        What the colours are: ``"r"``, the correlations; ``"n"``, the numbers of shared times; or ``"p"``.
    label
        Coordinate on ``video``, such as ``"condition"``, that stands along the axes instead of the videos' names.
    linkage
        How clusters are joined, by the distance 1 - r whatever the colours are: any method of
        `scipy.cluster.hierarchy.linkage`. None keeps the order of the videos. Videos that lack a correlation are left
        out of the clustering and come last.
    title
        Heading; by default the feature.

    Returns
    -------
    holoviews.Overlay
        Colours from -1 to 1 for r, from 0 to the largest for n and p; a pair without a correlation is grey.

    Raises
    ------
    InputError
        If ``result`` is no matrix of pairs, there are several features and none is chosen, or a name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> r = xr.Dataset({"r": (("video", "video_other"), np.eye(3))}, {"video": list("abc"), "video_other": list("abc")})
    >>> isc(r, linkage=None).Rectangles.I.dimension_values("r")[:3]
    array([1., 0., 0.])
    """
    _style.load_backends()
    if "r" not in result or not {"video", "video_other"} <= set(result["r"].dims):
        raise InputError(
            "found no 'r' with dims video and video_other; expected the result of .fex.isc() with join='pairwise'"
        )
    result, chosen = _one_feature(_style.one_face(result, face, "one matrix"), feature)
    variables = [
        name for name in ("r", "n", "p") if name in result and set(result[name].dims) == {"video", "video_other"}
    ]
    extra = set(result["r"].dims) - {"video", "video_other"}
    if extra:
        raise InputError(f"found dims {', '.join(sorted(map(str, extra)))} besides the videos; select one of each")
    values: dict[str, Any] = {
        name: result[name].transpose("video", "video_other").compute().to_numpy() for name in variables
    }
    if variable not in values:
        raise unknown_names("variable", [str(variable)], variables)
    drawn = {variable: values[variable]} | values
    names = [str(name) for name in result["video"].to_numpy().tolist()]
    return heatmap(
        drawn,
        names,
        ("video", "video_other"),
        title=title if title is not None else chosen or "inter-video correlation",
        limits=(-1.0, 1.0) if variable == "r" else (0.0, _largest(drawn[variable])),
        labels=_labels(result, label, names),
        tree=cluster(values["r"].astype(np.float64), linkage) if linkage is not None else None,
        colour_label={"r": "r", "n": "shared times n", "p": "p"}[variable],
    )


def _largest(values: NDArray[Any]) -> float:
    """Largest value; 1 where there is none above 0."""
    return float(np.fmax.reduce(values, axis=None, initial=0)) or 1.0


def _one_feature(result: xr.Dataset, feature: str | None) -> tuple[xr.Dataset, str]:
    if "feature" not in result["r"].dims:
        return result, str(result["feature"].item()) if "feature" in result.coords else ""
    known = [str(name) for name in result["feature"].to_numpy().tolist()]
    if feature is None and len(known) > 1:
        raise InputError(f"found {len(known)} features; expected one for one matrix: choose with feature={known[0]!r}")
    position = 0 if feature is None else _style.one_of("feature", feature, known)
    return result.isel(feature=position), known[position]


def _labels(result: xr.Dataset, label: str | None, names: list[str]) -> list[str]:
    if label is None:
        return names
    if label not in result.coords or result[label].dims != ("video",):
        known = [str(name) for name in result.coords if result[name].dims == ("video",)]
        raise unknown_names("coordinate on video", [label], known)
    return [str(value) for value in result[label].to_numpy().tolist()]
