"""Regression of frames in clusters, from sums that are gathered block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._version import package_version
from facearray._words import some
from facearray.blocks import iter_blocks
from facearray.errors import InputError
from facearray.stats.kernels.cluster import Sums
from facearray.stats.regression.design import Design, is_formula, regressor_names
from facearray.stats.regression.estimates import fit_clusters
from facearray.stats.regression.request import Fitted, Request, check_clusters
from facearray.stats.units import label_coordinates, unit_levels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["fit_frames"]


def fit_frames(ds: xr.Dataset, X: str | Iterable[str] | pd.DataFrame, request: Request, cluster: str) -> Fitted:
    """Fit the frames of a Dataset, in the clusters of a coordinate on ``video``, face by face.

    Raises
    ------
    InputError
        If a regressor is unknown, or the clusters or the regressors are too few or cannot be told apart.
    """
    if hasattr(X, "columns") or is_formula(X, ds):
        raise InputError("found a table or a formula with unit='frame'; expected names of coordinates or features")
    named = regressor_names(ds, X)
    features = list(dict.fromkeys([*request.outcomes, *named.features]))
    names, clusters = unit_levels(ds, cluster)
    values: dict[str, NDArray[Any]] = {}
    for name in named.names:
        if name in named.features:
            values[name] = np.zeros(1)
            continue
        if not set(ds[name].dims) <= {"video", "frame", "face"} or ds[name].dims[:1] != ("video",):
            raise InputError(f"found {name!r} with dims {ds[name].dims}; expected a coordinate on videos or frames")
        values[name] = ds[name].to_numpy().ravel()
    design = Design.of(values, contrasts=request.contrasts, intercept=request.intercept, names=named.names)
    k, m = len(design.terms), len(request.outcomes)
    groups = gather(ds, design, features, request.outcomes, clusters)
    most = max((len(sums.gram) for face in groups for sums, _ in face), default=0)
    check_clusters(most, cluster)
    estimates = [fit_clusters(face, k, m, request.options) for face in groups]
    undetermined = [t for i, t in enumerate(design.terms) if all(np.isnan(e.beta[i]).all() for e in estimates)]
    if undetermined:
        raise InputError(
            f"found no way to tell {some(undetermined)} apart from the other regressors; expected regressors that vary "
            "and do not follow from one another; leave one out"
        )
    attrs = {
        "unit": "frame",
        "n": int(max(e.n.max() for e in estimates)),
        "excluded": [f"video {label}: no {cluster}" for label in ds["video"].to_numpy()[clusters < 0].tolist()],
        "population": f"frames of {len(names)} {cluster}s: {cluster}s like these",
        "facearray_version": package_version(),
    }
    labels = label_coordinates(ds, "feature", features=request.outcomes)
    return Fitted(design.terms, ds["face"].to_numpy(), estimates, design.coding, attrs, labels)


@dataclass(slots=True)
class _Part:
    """Sums over some frames of one cluster, for the outcomes that have values in just these frames."""

    cluster: int
    columns: NDArray[np.intp]
    gram: NDArray[np.float64]
    cross: NDArray[np.float64]
    square: NDArray[np.float64]
    total: NDArray[np.float64]
    size: int


def gather(
    ds: xr.Dataset, design: Design, features: list[str], outcomes: list[str], clusters: NDArray[np.intp]
) -> list[list[tuple[Sums, NDArray[np.intp]]]]:
    """Sum the products of design and outcomes over the real frames of each cluster, in one pass.

    Parameters
    ----------
    ds
        Detections.
    design
        Of coordinates on ``video`` and on frames, and of features.
    features
        Features that are needed: outcomes and regressors.
    outcomes
        Those that are outcomes.
    clusters
        Number (n_video,) of each video's cluster; the videos of -1 are left out.

    Returns
    -------
    list
        For each face, groups of outcomes that have values in the same frames: their sums, and their positions among
        the outcomes. Frames without a regressor are left out.
    """
    columns = [features.index(name) for name in outcomes]
    by_video = {
        column.term: column.numbers(ds[column.source].to_numpy())
        for column in design.columns
        if column.source in ds.coords and ds[column.source].dims == ("video",)
    }
    on_frames = list({c.source for c in design.columns if c.source in ds.coords and c.term not in by_video})
    parts: list[list[_Part]] = [[] for _ in range(ds.sizes["face"])]
    for block in iter_blocks(ds, variables=("features", *on_frames), features=features):
        for i, (video, n) in enumerate(zip(block.videos.tolist(), block.n_frames.tolist(), strict=True)):
            if clusters[video] < 0:
                continue
            values = block.data["features"][i, :n].astype(np.float64)
            sources: dict[str, NDArray[Any]] = {name: block.data[name][i, :n] for name in on_frames}
            sources |= {name: values[:, :, features.index(name)] for name in design.sources if name in features}
            known = {term: numbers[video] for term, numbers in by_video.items()}
            for face, found in enumerate(parts):
                X = _matrix(design, sources, known, n, face)
                found += _parts(int(clusters[video]), X, values[:, face, columns])
    return [list(_grouped(found, len(outcomes), len(design.terms))) for found in parts]


def _matrix(
    design: Design, sources: Mapping[str, NDArray[Any]], known: Mapping[str, float], n: int, face: int
) -> NDArray[np.float64]:
    """Make the design (n, k) of one face in n frames of one video; terms of the video itself are known numbers."""
    matrix = np.ones((n, len(design.terms)))
    for place, column in enumerate(design.columns, start=int(design.intercept)):
        if column.term in known:
            matrix[:, place] = known[column.term]
        else:
            values = sources[column.source]
            matrix[:, place] = column.numbers(values[:, face] if values.ndim == 2 else values)
    return matrix


def _parts(cluster: int, X: NDArray[np.float64], Y: NDArray[np.float64]) -> Iterator[_Part]:
    there = ~np.isnan(X).any(axis=1)
    X, Y = X[there], Y[there]
    missing = np.isnan(Y)
    patterns, position = np.unique(missing, axis=1, return_inverse=True) if missing.any() else (missing[:, :1], 0)
    position = np.broadcast_to(position, Y.shape[1])
    for i, pattern in enumerate(patterns.T):
        if pattern.all():
            continue
        columns = np.flatnonzero(position == i)
        x, y = X[~pattern], Y[np.ix_(~pattern, columns)]
        square = np.einsum("ij,ij->j", y, y)
        yield _Part(cluster, columns, x.T @ x, x.T @ y, square, x.sum(axis=0), len(x))


def _grouped(parts: list[_Part], m: int, k: int) -> Iterator[tuple[Sums, NDArray[np.intp]]]:
    """Put together the sums of outcomes that are in the same parts; the clusters in ascending order."""
    member = np.zeros((len(parts), m), dtype=bool)
    for i, part in enumerate(parts):
        member[i, part.columns] = True
    if not len(parts):
        return
    patterns, group = np.unique(member, axis=1, return_inverse=True)
    for i, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(group.ravel() == i)
        mine = [part for part, used in zip(parts, pattern, strict=True) if used]
        if not mine:
            continue
        labels, cluster = np.unique([part.cluster for part in mine], return_inverse=True)
        gram, cross = np.zeros((len(labels), k, k)), np.zeros((len(labels), k, len(columns)))
        totals, sizes = np.zeros((len(labels), k)), np.zeros(len(labels), dtype=np.int64)
        square = np.zeros(len(columns))
        for part, c in zip(mine, cluster.tolist(), strict=True):
            place = np.searchsorted(part.columns, columns)
            gram[c] += part.gram
            cross[c] += part.cross[:, place]
            totals[c] += part.total
            sizes[c] += part.size
            square += part.square[place]
        yield Sums(gram, cross, square, totals, sizes), columns
