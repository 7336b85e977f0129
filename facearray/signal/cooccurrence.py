"""Which features are active in the same frames."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

import numpy as np
import pandas as pd
import xarray as xr

from facearray import schema
from facearray.blocks import iter_blocks
from facearray.errors import SchemaError, unknown_names
from facearray.signal._checks import Problems
from facearray.signal._steps import recorded
from facearray.signal.kernels.cooccurrence import MEASURES, Counts, count_pairs
from facearray.stats.frames import chosen_features, feature_labels
from facearray.stats.units import label_coordinates

__all__ = ["cooccurrence", "cooccurrence_network"]

#: Of one block; counting takes some twice as much beside it.
_BLOCK_BYTES = 16 * 2**20


@recorded
def cooccurrence(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    threshold: float = 0.5,
    measures: str | Iterable[str] = ("joint", "jaccard"),
) -> xr.Dataset:
    """Compute how often features are active in the same frames of every video.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). They are read once, a few videos at a time.
    features
        Names of groups and features, as for `facearray.selectors.select`.
    threshold
        A feature is active in a frame if its value is above it.
    measures
        One or several of

        - ``"joint"``: frames with both, of all frames
        - ``"jaccard"``: frames with both, of the frames with at least one
        - ``"conditional"``: frames with both, of the frames with the row's, ``feature``
        - ``"lift"``: frames with both, by the number expected of features that have nothing to do with each other
        - ``"phi"``: the correlation of being active, -1 to 1

    Returns
    -------
    xarray.Dataset
        Dims (video, face, feature, feature_other): a variable a measure, NaN where it is not defined, and ``n``, the
        frames in which both have a value. Means over videos, ``.mean("video")``, give every video the same weight.

    Raises
    ------
    InputError
        If a name is unknown, or the threshold is no number.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    Neighbouring frames resemble each other; compare videos or people, not frames, where a difference is to be tested.

    References
    ----------
    Jaccard, P. (1912). The distribution of the flora in the alpine zone. New Phytologist 11, 37-50.

    Yule, G. U. (1912). On the methods of measuring association between two attributes. Journal of the Royal Statistical
    Society 75, 579-652 (``"phi"``).

    Brin, S., Motwani, R., Ullman, J. D. & Tsur, S. (1997). Dynamic itemset counting and implication rules for market
    basket data. Proceedings of SIGMOD, 255-264 (``"lift"``, there called interest).

    Examples
    --------
    >>> dims, values = ("video", "frame"), np.array([[0.9, 0.1], [0.9, 0.9], [0.1, 0.2]], "f4")
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), values[None, :, None])},
    ...     coords={"video": ["a"], "feature": ["AU06", "AU12"], "frame_number": (dims, np.arange(3)[None])},
    ... )
    >>> cooccurrence(ds).jaccard.squeeze().values
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    problems = Problems()
    problems.finite(threshold=threshold)
    problems.raise_if_any()
    asked = [measures] if isinstance(measures, str) else list(measures)
    if unknown := [str(name) for name in asked if name not in MEASURES]:
        raise unknown_names("measure", unknown, list(MEASURES))
    names = [str(name) for name in feature_labels(ds, chosen_features(ds, features))]
    shape = (ds.sizes["video"], ds.sizes["face"], len(names), len(names))
    total = Counts(*(np.zeros(shape) for _ in range(3)))
    for block in iter_blocks(ds, features=names, max_bytes=_BLOCK_BYTES, copy=False):
        total.add(block.videos, count_pairs(block.data["features"], threshold))
    dims = ("video", "face", "feature", "feature_other")
    coords = label_coordinates(ds, "video", "face", "feature", features=names)
    coords["feature_other"] = xr.Variable("feature_other", coords["feature"].values)
    data = {name: (dims, total.measure(name), {"long_name": MEASURES[name]}) for name in asked}
    attrs = ds.attrs | {"threshold": threshold, "facearray_version": version("facearray")}
    return xr.Dataset(data | {"n": (dims, total.n.astype(np.int32))}, coords=coords, attrs=attrs)


def cooccurrence_network(found: xr.Dataset, measure: str = "jaccard", *, least: float = 0.1) -> pd.DataFrame:
    """List the pairs of features that are active together often enough, as the edges of a network.

    Parameters
    ----------
    found
        Result of `cooccurrence`; of several videos the mean over those in which the measure is defined counts.
    measure
        One that it has; a pair that has it in no video, since it is NaN there, is no edge.
    least
        Smallest mean of an edge.

    Returns
    -------
    DataFrame
        ``face``, ``feature``, ``feature_other``, ``weight`` and ``n_videos``, in how many videos it is defined, the
        strongest first; each pair once, but both ways for ``"conditional"``. Programs for networks read such a list:
        ``networkx.from_pandas_edgelist(edges, "feature", "feature_other", "weight")``.

    Raises
    ------
    InputError
        If there is no such measure, or `least` is no number.
    SchemaError
        If it is no result of `cooccurrence`.

    Examples
    --------
    >>> dims = ("video", "face", "feature", "feature_other")
    >>> share = np.array([[1.0, 0.5], [0.5, 1.0]])[None, None]
    >>> names = ["AU06", "AU12"]
    >>> found = xr.Dataset({"jaccard": (dims, share)}, coords={"feature": names, "feature_other": names})
    >>> cooccurrence_network(found)
       face feature feature_other  weight  n_videos
    0     0    AU06          AU12     0.5         1
    """
    if absent := {"feature", "feature_other"} - set(found.dims):
        raise SchemaError(f"found no dims {sorted(absent)}; expected a result of facearray.signal.cooccurrence")
    if measure not in found.data_vars or measure == "n":
        raise unknown_names("measure", [str(measure)], sorted(set(map(str, found.data_vars)) - {"n"}))
    problems = Problems()
    problems.finite(least=least)
    problems.raise_if_any()
    array = found[measure]
    others = [dim for dim in ("video", "face") if dim not in array.dims]
    values = array.expand_dims(others).transpose("video", "face", "feature", "feature_other").to_numpy()
    there = ~np.isnan(values)
    n = there.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, values, 0).sum(axis=0) / n
    size = mean.shape[-1]
    wanted = ~np.eye(size, dtype=bool) if measure == "conditional" else np.triu(np.ones((size, size), dtype=bool), 1)
    face, row, column = np.nonzero(wanted & (mean >= least))
    labels = found["feature"].to_numpy().astype(object)
    slots = found["face"].to_numpy() if "face" in found.coords and "face" in array.dims else np.arange(len(mean))
    table = pd.DataFrame(
        {
            "face": slots[face],
            "feature": labels[row],
            "feature_other": labels[column],
            "weight": mean[face, row, column],
            "n_videos": n[face, row, column],
        }
    ).astype({"feature": "str", "feature_other": "str"})
    return table.sort_values("weight", ascending=False, kind="stable", ignore_index=True)
