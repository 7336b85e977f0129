"""Which features occur together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.errors import InputError, unknown_names
from facearray.plot import _style
from facearray.plot._matrix import cluster, heatmap
from facearray.signal.cooccurrence import cooccurrence as together
from facearray.signal.kernels.cooccurrence import MEASURES
from facearray.stats.frames import chosen_features, feature_labels

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["cooccurrence"]

#: Of those that there are, the ones from 0 to 1 that a picture shows.
DRAWN = ("jaccard", "conditional")


def cooccurrence(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    threshold: float = 0.5,
    measure: Literal["jaccard", "conditional"] = "jaccard",
    face: int | None = None,
    linkage: str | None = None,
    title: str | None = None,
) -> hv.Overlay:
    """Draw how often features are active in the same frames.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). They are read once, a few videos at a time.
    features
        Names of groups and features, as for `facearray.selectors.select`.
    threshold
        A feature is active in a frame if its value is above it.
    measure
        ``"jaccard"``: frames with both, of the frames with at least one. ``"conditional"``: of the frames in which the
        row's feature is active, the share in which the column's is, too. Computed in each video, then averaged over
        the videos in which it is defined, so that long videos do not count more.
    face
        The person's slot, where there are several.
    linkage
        How to cluster and order the features, as for `facearray.plot.isc`; None keeps their order. For ``"jaccard"``.
    title
        Heading.

    Returns
    -------
    holoviews.Overlay
        Colours from 0 to 1; grey where a feature is never active. Hovering shows the value and in how many videos it
        is defined.

    Raises
    ------
    InputError
        If a name is unknown, or there are several faces and none is chosen.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    A frame counts for a pair if both features have a value in it.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_faces=1)
    >>> cooccurrence(ds, ["AU12", "happiness"]).Rectangles.I.dimension_values("jaccard").shape
    (4,)
    """
    for name in MEASURES:
        _style.refuse_result_of("cooccurrence", ds, name)
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    if measure not in DRAWN:
        raise unknown_names("measure", [str(measure)], list(DRAWN))
    if linkage is not None and measure != "jaccard":
        raise InputError(f"found linkage={linkage!r} with measure={measure!r}, which is not symmetric; leave it out")
    _style.load_backends()
    one = ds.isel(face=[_style.face_position(ds, face, "one matrix")])
    names = chosen_features(ds, features)
    shown = [str(name) for name in feature_labels(ds, names)]
    share, n = _shares(one, names, threshold, measure)
    values: dict[str, Any] = {measure: share, "videos": n}
    heading = f"active together (above {threshold:g})"
    return heatmap(
        values,
        shown,
        ("row", "column") if measure == "conditional" else ("feature", "other"),
        title=title if title is not None else heading,
        limits=(0.0, 1.0),
        tree=cluster(share, linkage) if linkage is not None else None,
        colour_label=MEASURES[measure],
    )


def _shares(
    ds: xr.Dataset, features: list[str] | None, threshold: float, measure: str
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Mean over videos (n, n), and in how many videos it is defined."""
    names = [str(name) for name in feature_labels(ds, features)]
    share = together(ds, names, threshold=threshold, measures=measure)[measure].to_numpy()[:, 0]
    n = (~np.isnan(share)).sum(axis=0)
    total = np.nansum(share, axis=0)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan), n
