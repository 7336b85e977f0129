"""An order of videos for a picture of their correlations."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import xarray as xr

from facearray.errors import InputError, unknown_names
from facearray.stats.intersubject.pairs import matrices_in_order
from facearray.stats.kernels.matrices import without_missing

__all__ = ["isc_order"]

Linkage = Literal["complete", "average", "single", "ward"]


def isc_order(ds: xr.Dataset, linkage: Linkage = "complete") -> xr.DataArray:
    """Put videos into an order in which neighbours are alike, for a picture of their correlations.

    Parameters
    ----------
    ds
        Result of `facearray.stats.isc` for pairs, of one feature.
    linkage
        How clusters are put together: ``"complete"``, ``"average"``, ``"single"`` or ``"ward"``, on the distance 1 - r.

    Returns
    -------
    DataArray
        Positions of the videos of ``ds``, with dim and labels ``video`` in the new order: use it as
        ``ds.isel(video=order.values, video_other=order.values)``. Videos without a correlation with others that have
        more of them stay out of the clustering; they stand at the end and in the attribute ``excluded``.

    Raises
    ------
    InputError
        If there are several features or windows, or no such linkage.
    SchemaError
        If ``ds`` has no correlations of pairs.

    Notes
    -----
    A matrix of correlations over shared times need not be positive-definite; clustering does not need it to be. Ward's
    linkage assumes Euclidean distances, which 1 - r is not. Leaves are turned so that neighbours are as alike as they
    can be.

    References
    ----------
    Bar-Joseph, Z., Gifford, D. K. & Jaakkola, T. S. (2001). Fast optimal leaf ordering for hierarchical clustering.
    Bioinformatics 17, S22-S29.

    Examples
    --------
    >>> r = np.array([[1, 0.1, 0.8, np.nan], [0.1, 1, 0.2, np.nan], [0.8, 0.2, 1, np.nan], [np.nan] * 4])
    >>> pairs = xr.Dataset({"r": (("video", "video_other"), r)}, coords={"video": list("abcd")})
    >>> isc_order(pairs).video.values
    array(['b', 'c', 'a', 'd'], dtype='<U1')
    """
    if linkage not in get_args(Linkage):
        raise unknown_names("linkage", [str(linkage)], get_args(Linkage))
    order, matrices, others = matrices_in_order(ds)
    if others.dims:
        raise InputError(
            f"found a matrix for each of {', '.join(map(str, others.dims))}; expected one: select it, as in "
            f"ds.isel({others.dims[0]}=0)"
        )
    kept = without_missing(matrices[0])
    left_out = np.setdiff1d(np.arange(len(order)), kept)
    if len(kept) > 2:
        from scipy.cluster.hierarchy import leaves_list
        from scipy.cluster.hierarchy import linkage as link
        from scipy.spatial.distance import squareform

        distance = 1 - matrices[0][np.ix_(kept, kept)]
        np.fill_diagonal(distance, 0)
        tree = link(squareform(distance, checks=False), method=linkage, optimal_ordering=True)
        kept = kept[leaves_list(tree)]
    places = order[np.concatenate([kept, left_out])]
    labels = ds["video"].to_numpy()
    return xr.DataArray(
        places,
        dims="video",
        coords={"video": labels[places]},
        name="order",
        attrs={
            "method": "isc_order",
            "linkage": linkage,
            "distance": "1 - r",
            "excluded": [f"{label}: no correlation with others" for label in labels[order[left_out]]],
        },
    )
