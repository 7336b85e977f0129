"""Maps on which faces that are alike lie close together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema, selectors
from facearray.blocks import iter_blocks
from facearray.errors import InputError, unknown_names
from facearray.plot import _style
from facearray.plot._style import look
from facearray.stats.units import levels, unit_values, video_coordinate

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["embedding"]


def embedding(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    source: Literal["features", "embedding"] = "features",
    method: Literal["pca", "mds"] = "pca",
    colour: str | None = None,
    min_valid: float = 0.5,
    title: str | None = None,
) -> hv.Overlay:
    """Draw a map on which videos, or faces, that are alike lie close together.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    features
        What likeness is measured by, as for `facearray.selectors.select`: each feature's mean over a video's frames,
        standardised over the videos. A face that lacks one is left out; the heading says how many.
    source
        ``"features"``, or ``"embedding"`` for the stored identity embeddings, of which the mean over a video is taken,
        of unit length. Then `features` are not used.
    method
        ``"pca"``: the two directions in which the faces differ most; axes tell their share of the variance.
        ``"mds"``: classical scaling of the distances between faces (Euclidean; for embeddings 1 - cosine).
    colour
        Coordinate on ``video`` that colours and marks the points.
    min_valid
        Smallest share of a video's real frames with a value.
    title
        Heading.

    Returns
    -------
    holoviews.Overlay
        One point a video and face. Hovering shows which.

    Raises
    ------
    InputError
        If a name is unknown, or fewer than two faces have all values.
    SchemaError
        If ``ds`` does not follow the schema, or has no embeddings.

    References
    ----------
    Torgerson, W. S. (1952). Multidimensional scaling: I. Theory and method. Psychometrika 17, 401-419.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> values = np.array([[0, 0], [1, 1], [2, 2]], "f4").reshape(3, 1, 1, 2)
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), values)},
    ...     {"video": list("abc"), "feature": ["AU06", "AU12"],
    ...      "frame_number": (("video", "frame"), np.zeros((3, 1), int))},
    ... )
    >>> abs(embedding(ds).Scatter.I.dimension_values("first")).round(2).tolist()
    [1.73, 0.0, 1.73]
    """
    for kind, value, known in (("method", method, ("pca", "mds")), ("source", source, ("features", "embedding"))):
        if value not in known:
            raise unknown_names(kind, [str(value)], known)
    _style.load_backends()
    values = _mean_features(ds, features, min_valid) if source == "features" else _mean_embeddings(ds, min_valid)
    there = ~np.isnan(values).any(axis=-1)
    video, face = np.nonzero(there)
    if len(video) < 2:
        raise InputError(
            f"found {len(video)} faces with all values; expected at least two: lower min_valid, or leave out features "
            "without values"
        )
    points, shares = _plane(values[there], method, source)
    labels = [str(label) for label in ds["video"].to_numpy().tolist()]
    slots = ds["face"].to_numpy().tolist() if "face" in ds.dims else [0]
    groups, codes = levels(video_coordinate(ds, colour)) if colour else (np.array([""]), np.zeros(len(labels), int))
    n_left_out = len(labels) - len(np.unique(video))
    elements = []
    for g in [*range(len(groups)), *([-1] if (codes < 0).any() else [])]:
        which = np.flatnonzero(codes[video] == g)
        name = "" if not colour else str(groups[g]) if g >= 0 else f"no {colour}"
        texts = [[labels[video[i]] for i in which], [str(slots[face[i]]) for i in which], [name] * len(which)]
        tint, marker = _style.group_style(g) if g >= 0 else (_style.GREY, "x")
        elements.append(_points(points[which], texts, name, colour, tint, marker))
    axes = [
        f"{part} component" + (f" ({100 * s:.0f} % of the variance)" if shares else "")
        for part, s in zip(("first", "second"), shares or (0, 0), strict=True)
    ]
    heading = (
        title
        if title is not None
        else "faces by their "
        + ("identity embeddings" if source == "embedding" else features if isinstance(features, str) else "features")
    )
    return look(
        hv_overlay(elements),
        size=(560, 440),
        title=heading + (f" · {n_left_out} videos without all values" if n_left_out and title is None else ""),
        xlabel=axes[0],
        ylabel=axes[1],
        show_legend=bool(colour),
        legend_position="right",
        bokeh={"data_aspect": 1, "click_policy": "hide"},
    )


def hv_overlay(elements: Sequence[Any]) -> hv.Overlay:
    """Put elements over each other."""
    import holoviews as hv

    return hv.Overlay(list(elements))


def _points(
    xy: NDArray[np.float64], texts: list[list[str]], name: str, colour: str | None, tint: str, marker: str
) -> hv.Scatter:
    import holoviews as hv

    columns = [np.array(part, dtype=object) for part in texts]
    points = hv.Scatter(
        (xy[:, 0], xy[:, 1], *columns),
        "first",
        ["second", "video", "face", "group"],
        label=_style.short(name) if name else "",
    )
    hover = [("video", "@video"), ("face", "@face"), *([(colour, "@group")] if colour else [])]
    return look(
        points,
        color=tint,
        marker=marker,
        marker_size=8,
        bokeh={"line_color": _style.DARK, "fill_alpha": 0.8, "tools": ["hover"], "hover_tooltips": hover},
        mpl={"edgecolors": _style.DARK, "linewidth": 0.6, "alpha": 0.8},
    )


def _mean_features(ds: xr.Dataset, features: str | Iterable[str], min_valid: float) -> NDArray[np.float64]:
    """Means (video, face, feature), standardised over faces; a feature that does not vary counts nothing."""
    units = unit_values(ds, features=features, min_valid=min_valid)
    values = np.full((ds.sizes["video"], *units.values.shape[1:]), np.nan)
    place = {label: i for i, label in enumerate(units.labels.tolist())}
    for i, label in enumerate(ds["video"].to_numpy().tolist()):
        if label in place:
            values[i] = units.values[place[label]]
    with np.errstate(invalid="ignore"):
        full = values[~np.isnan(values).any(axis=-1)]
        spread = full.std(axis=0) if len(full) else np.ones(values.shape[-1])
        return (values - (full.mean(axis=0) if len(full) else 0)) / np.where(spread > 0, spread, 1)


def _mean_embeddings(ds: xr.Dataset, min_valid: float) -> NDArray[np.float64]:
    """Means (video, face, component) of unit length."""
    schema.validate(ds, variables=["embedding", "frame_number", "video"])
    array = selectors.embedding(ds)
    total = np.zeros((ds.sizes["video"], ds.sizes["face"], array.sizes["component"]))
    n, n_frames = np.zeros(total.shape[:2]), np.zeros(ds.sizes["video"])
    for block in iter_blocks(ds, variables=("embedding",)):
        values = block.data["embedding"]
        there = ~np.isnan(values).any(axis=-1)
        total[block.videos] += np.where(there[..., None], values, 0).sum(axis=1)
        n[block.videos] += there.sum(axis=1)
        n_frames[block.videos] += block.n_frames
    length = np.linalg.norm(total, axis=-1, keepdims=True)
    enough = (n > 0) & (n >= min_valid * n_frames[:, None]) & (length[..., 0] > 0)
    with np.errstate(invalid="ignore"):
        return np.where(enough[..., None], total / length, np.nan)


def _plane(
    values: NDArray[np.float64], method: str, source: str
) -> tuple[NDArray[np.float64], tuple[float, float] | None]:
    """Positions (n, 2), and the shares of the variance for principal components; signs are fixed."""
    if method == "pca":
        centred = values - values.mean(axis=0)
        u, s, _ = np.linalg.svd(centred, full_matrices=False)
        points = np.zeros((len(values), 2))
        k = min(2, len(s))
        points[:, :k] = u[:, :k] * s[:k]
        total = (s**2).sum() or 1.0
        shares: tuple[float, float] | None = (float(s[0] ** 2 / total), float(s[1] ** 2 / total) if len(s) > 1 else 0.0)
    else:
        squared = ((values[:, None] - values) ** 2).sum(axis=-1)
        # of unit vectors, half of that is 1 - cosine
        distance = squared / 2 if source == "embedding" else np.sqrt(squared)
        centre = np.eye(len(values)) - 1 / len(values)
        size, vectors = np.linalg.eigh(-0.5 * centre @ distance**2 @ centre)
        points = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(size[::-1][:2], 0))
        shares = None
    largest = points[np.abs(points).argmax(axis=0), [0, 1]]
    return points * np.where(largest < 0, -1, 1), shares
