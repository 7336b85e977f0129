"""Correlation of different features between videos."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.stats.faces import one_face
from facearray.stats.intersubject.grid import Align, load, make_grid
from facearray.stats.intersubject.request import ONE_FACE, Join, Request, check, chosen_names
from facearray.stats.intersubject.result import FEW_SAMPLES, isc_attrs, other
from facearray.stats.kernels.comparison import Comparison
from facearray.stats.kernels.correlation import Method, average_of_others, correlate
from facearray.stats.units import label_coordinates

__all__ = ["isfc"]


def isfc(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    method: Method = "pearson",
    align: Align = "time",
    join: Join = "leave_one_out",
    min_overlap: int = 3,
    rate: float | None = None,
    symmetric: bool = True,
) -> xr.Dataset:
    """Correlate the time course of each feature with that of every other feature in other videos.

    What two features have in common within a video may come from that video alone (a head that turns moves many
    measures at once); what they have in common between videos comes from what the videos share.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), of one face.
    features
        As for `facearray.selectors.select`.
    method, align, min_overlap, rate
        As for `facearray.stats.isc`.
    join
        ``"leave_one_out"``, each video with the average of the others, or ``"pairwise"``.
    symmetric
        Whether the correlation of a feature here with another one there, and that of the other one here with the first
        one there, are averaged. ``n`` is then the smaller of both.

    Returns
    -------
    Dataset
        ``r`` and ``n``, the number of shared times, with dims (video, feature, feature_other), or (video, video_other,
        feature, feature_other). Features on the diagonal are those of `isc`. Of a pair the first video has ``feature``.

    Raises
    ------
    InputError, SchemaError
        As `facearray.stats.isc`.

    Notes
    -----
    There is no p. To test whether features have anything in common between videos, use `isc`.

    References
    ----------
    Simony, E. et al. (2016). Dynamic reconfiguration of the default mode network during narrative comprehension. Nature
    Communications 7, 12141.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), rng.normal(size=(4, 50, 1, 3)))},
    ...     coords={
    ...         "video": list("abcd"),
    ...         "feature": ["AU06", "AU12", "AU25"],
    ...         "frame_number": (("video", "frame"), np.tile(np.arange(50), (4, 1))),
    ...     },
    ... )
    >>> isfc(ds, align="frame").r.sizes
    Frozen({'video': 4, 'feature': 3, 'feature_other': 3})
    """
    request = Request(method=method, align=align, join=join, min_overlap=min_overlap, rate=rate)
    check(request)
    ds = one_face(ds, ONE_FACE)
    grid = make_grid(ds, align, rate)
    names, _ = chosen_names(ds, features)
    x = np.moveaxis(load(ds, grid, names), 1, 0).astype(np.float64)
    dims: tuple[str, ...] = ("video", "feature", "feature_other")
    if join == "leave_one_out":
        others = np.moveaxis(average_of_others(np.moveaxis(x, 1, 0)), 0, 1)
        found = [correlate(here, there, method=method) for here, there in zip(x, others, strict=True)]
        r, n = (np.stack(parts) for parts in zip(*found, strict=True))
    else:
        dims = ("video", "video_other", *dims[1:])
        r, n = _pairs(x, method)
    r[n < min_overlap] = np.nan
    if symmetric:
        r, n = (r + r.swapaxes(-1, -2)) / 2, np.minimum(n, n.swapaxes(-1, -2))
    coords = label_coordinates(ds, "video") | label_coordinates(ds, "feature", features=names)
    twice = {"video": "video_other", "feature": "feature_other"}
    coords |= {
        other(name): xr.Variable(twice[str(array.dims[0])], array.values)
        for name, array in coords.items()
        if array.dims and twice[str(array.dims[0])] in dims
    }
    result = xr.Dataset({"r": (dims, r), "n": (dims, n), "few": (dims, n < FEW_SAMPLES)}, coords=coords)
    result = result.set_coords("few").rename(few="few_samples")
    attrs = isc_attrs(ds, grid, Comparison(method, min_overlap), request)
    return result.assign_attrs(attrs | {"method": "isfc", "symmetric": int(symmetric)})


def _pairs(x: NDArray[np.float64], method: Method) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Correlate all features (n_video, n_feature, n_time) of all videos: (n_video, n_video, n_feature, n_feature)."""
    n_videos, n_features, n_time = x.shape
    flat = x.reshape(-1, n_time)
    if n_videos < 2:
        raise InputError(f"found {n_videos} videos; expected two or more")
    r, n = correlate(flat, method=method)
    shape = (n_videos, n_features, n_videos, n_features)
    return r.reshape(shape).swapaxes(1, 2).copy(), n.reshape(shape).swapaxes(1, 2).copy()
