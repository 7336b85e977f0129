"""How far faces are from each other: of videos, of groups of videos, or of the frames of a video."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.signal._apply import Frames, Output, Result, map_videos
from facearray.signal._checks import Problems
from facearray.signal._steps import recorded
from facearray.signal._videos import chosen_positions, refuse_features_without_values
from facearray.stats.summarize import summarize
from facearray.stats.units import label_coordinates

__all__ = ["distance", "similarity"]

Metric = Literal["euclidean", "sqeuclidean", "cityblock", "chebyshev", "cosine", "correlation"]
Likeness = Literal["correlation", "cosine"]

#: Of the distances between the frames of one video.
_MAX_BYTES = 2**30


@recorded
def distance(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    between: str = "video",
    metric: Metric = "euclidean",
    standardize: bool = False,
) -> xr.Dataset:
    """Compute how far the features of videos, groups or frames are from each other.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    features
        Groups and names, as for `facearray.selectors.select`.
    between
        ``"video"``: of the means of videos. A coordinate on ``video``: of the means of its groups, in which every video
        counts the same. ``"frame"``: of the frames of each video with each other.
    metric
        ``"euclidean"``, ``"sqeuclidean"``, ``"cityblock"``, ``"chebyshev"``, ``"cosine"`` or ``"correlation"``, as
        scipy defines them.
    standardize
        Divide each feature by its standard deviation over what is compared, so that all count the same.

    Returns
    -------
    xarray.Dataset
        ``distance`` with dims (face, video, video_other), or named after the groups; (video, face, frame, frame_other)
        between frames. NaN where a feature has no value. Backed by dask between frames if ``ds`` is, or was not in
        memory.

    Raises
    ------
    InputError
        If a name or the metric is unknown, a feature has no mean in any video, or the distances between the frames of a
        video need more than 1 GiB.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    A mean needs values in half of a video's frames, as for `facearray.stats.summarize`. The distances of many videos
    depend on each other; `facearray.stats.mantel` tests them against others.

    References
    ----------
    Kriegeskorte, N., Mur, M. & Bandettini, P. (2008). Representational similarity analysis: connecting the branches of
    systems neuroscience. Frontiers in Systems Neuroscience 2, 4.

    Examples
    --------
    >>> dims, values = ("video", "frame", "face", "feature"), np.array([[0.0, 0.0], [0.3, 0.4]])
    >>> ds = xr.Dataset(
    ...     {"features": (dims, values[:, None, None])},
    ...     coords={"video": ["a", "b"], "feature": ["AU06", "AU12"], "frame_number": (dims[:2], [[0], [0]])},
    ... )
    >>> distance(ds).distance.sel(video="a", video_other="b").item()
    0.5
    """
    _check(metric, get_args(Metric))
    found = _of_frames(ds, features, metric, standardize) if between == "frame" else None
    if found is None:
        found = _of_means(ds, features, between, metric, standardize)
    return found.assign_attrs(metric=metric)


@recorded
def similarity(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    between: str = "video",
    metric: Likeness = "correlation",
    standardize: bool = False,
) -> xr.Dataset:
    """Compute how alike the patterns of features of videos, groups or frames are, whatever their strength.

    Parameters
    ----------
    ds, features, between, standardize
        As for `distance`.
    metric
        ``"correlation"`` of the features of one and the other, or ``"cosine"`` of the angle between them.

    Returns
    -------
    xarray.Dataset
        ``similarity``, -1 to 1, with the dims of `distance`; NaN where a feature has no value, or all are the same.

    Raises
    ------
    InputError, SchemaError
        As from `distance`.

    Examples
    --------
    >>> dims, values = ("video", "frame", "face", "feature"), np.array([[0.1, 0.2, 0.0], [0.2, 0.4, 0.0]])
    >>> ds = xr.Dataset(
    ...     {"features": (dims, values[:, None, None])},
    ...     coords={"video": ["a", "b"], "feature": ["AU06", "AU12", "AU04"], "frame_number": (dims[:2], [[0], [0]])},
    ... )
    >>> round(similarity(ds).similarity.sel(video="a", video_other="b").item(), 9)
    1.0
    """
    _check(metric, get_args(Likeness))
    found = distance(ds, features, between=between, metric=metric, standardize=standardize)
    return (1 - found).rename(distance="similarity").assign_attrs(found.attrs)


def _check(metric: str, known: tuple[str, ...]) -> None:
    problems = Problems()
    problems.one_of("metric", metric, known)
    problems.raise_if_any()


def _distances(x: NDArray[np.float64], metric: str, standardize: bool) -> NDArray[np.float64]:
    """Between rows (n, n_feature): (n, n)."""
    from scipy.spatial.distance import cdist

    if standardize:
        with np.errstate(invalid="ignore"):
            there = ~np.isnan(x)
            n = np.maximum(there.sum(axis=0), 1)
            centred = np.where(there, x - np.where(there, x, 0).sum(axis=0) / n, 0)
        spread = np.sqrt((centred**2).sum(axis=0) / n)
        x = x / np.where(spread > 0, spread, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = cdist(x, x, metric)
    # what does not vary has no direction
    none = np.isnan(x).any(axis=1)
    found[none], found[:, none] = np.nan, np.nan
    return np.asarray(found)


def _of_means(ds: xr.Dataset, features: str | Iterable[str], by: str, metric: str, standardize: bool) -> xr.Dataset:
    means = summarize(ds, ("mean",), by=by, features=features)["mean"]
    values = means.transpose("face", by, "feature").to_numpy().astype(np.float64)
    refuse_features_without_values(means["feature"].to_numpy(), np.asarray((~np.isnan(values)).any(axis=(0, 1))))
    found = np.stack([_distances(x, metric, standardize) for x in values])
    coords: dict[Any, Any] = {n: c.variable for n, c in means.coords.items() if set(c.dims) <= {by, "face"}}
    coords |= {
        f"{name}_other": (f"{by}_other", variable.values)
        for name, variable in list(coords.items())
        if variable.dims == (by,)
    }
    attrs = ds.attrs | {"unit": by, "facearray_version": version("facearray")}
    return xr.Dataset({"distance": (("face", by, f"{by}_other"), found)}, coords, attrs)


def _of_frames(ds: xr.Dataset, features: str | Iterable[str], metric: str, standardize: bool) -> xr.Dataset:
    chosen = chosen_positions(ds, features)
    n = ds.sizes["frame"]
    n_bytes = 4 * n * n * ds.sizes["face"]
    if n_bytes > _MAX_BYTES:
        raise InputError(
            f"found {n_bytes / 2**30:.1f} GiB of distances between the {n} frames of a video; expected 1 GiB or less; "
            "take some frames, as in ds.isel(frame=slice(None, None, 10)), or bin them first"
        )
    places = xr.Variable(("video", "frame"), np.broadcast_to(np.arange(n), (ds.sizes["video"], n)))

    def of_video(frames: Frames) -> Result:
        x = np.moveaxis(frames.data["features"][:, chosen], 1, 2).astype(np.float64)
        found = np.full((len(x), n, x.shape[1]), np.nan)
        found[:, frames.data["place"]] = [_distances(face, metric, standardize) for face in x]
        return (found,)

    dims = ("face", "frame", "frame_other")
    output = Output(("face", "frame_other", "frame"), np.float32)
    (found,) = map_videos(ds, of_video, [output], others={"place": places}, sizes={"frame_other": n})
    coords = label_coordinates(ds, "video", "frame", "face")
    attrs = ds.attrs | {"unit": "frame", "facearray_version": version("facearray")}
    return xr.Dataset({"distance": found.transpose("video", *dims)}, coords, attrs)
