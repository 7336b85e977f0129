"""How far features go along with where the head points."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._version import package_version
from facearray.blocks import iter_blocks
from facearray.errors import InputError, unknown_names
from facearray.stats.frames import chosen_features, feature_labels
from facearray.stats.regression.design import INTERCEPT
from facearray.stats.units import label_coordinates, unit_values

__all__ = ["pose_confound"]

#: Of one block; the sums take some ten times as much beside it.
BLOCK_BYTES = 8 * 2**20


def pose_confound(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    pose: str | Iterable[str] = ("Pitch", "Yaw"),
    level: Literal["units", "within"] = "units",
    unit: str = "video",
    min_valid: float = 0.5,
    by: str | None = None,
) -> xr.Dataset:
    """Correlate features with head pose, and compare conditions with and without pose regressed out.

    A face that is turned away looks different to every detector: a correlation with pitch or yaw says how much of a
    difference between videos, or of a change within them, may be pose. It may also be behaviour: people who laugh move
    their heads.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    features
        Groups and names, as for `facearray.selectors.select`.
    pose
        Features that describe the pose.
    level
        ``"units"`` correlates the units' means: does a unit with another pose have another expression? ``"within"``
        correlates the frames' deviations from the mean of their video, pooled over videos: do both change together?
    unit
        For ``level="units"``: ``"video"``, or a coordinate on ``video``.
    min_valid
        For ``level="units"``: smallest share of a unit's frames with a value, as for `facearray.stats.unit_values`.
    by
        For ``level="units"``: a coordinate whose effect on the features is estimated alone and beside the pose.

    Returns
    -------
    xarray.Dataset
        Dims (pose, face, feature), variables ``r``, Pearson's correlation over what has a value of both, NaN where one
        does not vary, and ``n``, the units or frames that it is computed from. There is no p value: frames are not
        independent. With `by` also ``beta``, ``se``, ``t``, ``p``, ``df`` of its terms, dims (model, term, face,
        feature), as of `facearray.stats.regress`: the model ``"alone"`` has `by` only, ``"with pose"`` the pose, too.
        Where an effect goes once pose is in the model, it may be one of pose.

    Raises
    ------
    InputError
        If a name or the level is unknown, no unit is left, or `by` cannot be told apart from the pose.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    Within: r = sum over videos and frames of (x - mean of x in the video) (y - mean of y in the video), divided by the
    root of the product of the two sums of squares. A video's frames with values of both enter, if there are two.

    References
    ----------
    Bland, J. M., & Altman, D. G. (1995). Calculating correlation coefficients with repeated observations: part 1,
    correlation within subjects. BMJ 310, 446.

    Examples
    --------
    >>> values = np.array([[0, 0], [1, 10], [2, 20]], "f4").reshape(3, 1, 1, 2)
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), values)},
    ...     coords={
    ...         "frame_number": (("video", "frame"), np.zeros((3, 1), "i4")),
    ...         "video": ["a", "b", "c"],
    ...         "feature": ["AU12", "Yaw"],
    ...     },
    ... )
    >>> pose_confound(ds, pose="Yaw").r.squeeze().item()
    1.0
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    measures, poses = chosen_features(ds, features), chosen_features(ds, pose)
    if level not in ("units", "within"):
        raise unknown_names("level", [str(level)], ("units", "within"))
    if measures is None or poses is None:
        raise InputError("found None; expected names of features and groups, such as 'aus' and ('Pitch', 'Yaw')")
    if by is not None and level != "units":
        raise InputError(f"found by={by!r} with level='within'; conditions are compared between units: level='units'")
    names = list(dict.fromkeys([*poses, *measures]))
    x, y = ([names.index(name) for name in part] for part in (poses, measures))
    if level == "units":
        units = unit_values(ds, unit=unit, features=names, min_valid=min_valid)
        sums = _pair_sums(units.values[None], x, y)
        facts = units.attrs
    else:
        sums = np.zeros((4, len(x), ds.sizes["face"], len(y)))
        # whole videos, because their means have to be known first
        for block in iter_blocks(ds, features=names, max_bytes=BLOCK_BYTES, split=False):
            sums += _pair_sums(block.data["features"], x, y)
        facts = {"unit": "frame", "facearray_version": package_version()}
        facts["population"] = "the frames of these videos are described; nothing is said about other videos or people"
    n, products, square_x, square_y = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.clip(products / np.sqrt(square_x * square_y), -1, 1)
    dims = ("pose", "face", "feature")
    arguments = (
        f"features={measures!r}, pose={poses!r}, level={level!r}, unit={unit!r}, min_valid={min_valid}, by={by!r}"
    )
    result = xr.Dataset(
        {"r": (dims, r), "n": (dims, n.astype(np.intp))},
        coords=label_coordinates(ds, "face", "feature", features=measures) | {"pose": feature_labels(ds, poses)},
        attrs=ds.attrs | facts | {"method": "pose_confound", "level": level, "arguments": arguments},
    )
    if by is None:
        return result
    return result.assign(_effects(ds, by, poses, measures, unit, min_valid).data_vars)


def _effects(ds: xr.Dataset, by: str, poses: list[str], measures: list[str], unit: str, min_valid: float) -> xr.Dataset:
    """Effect of a coordinate on features, alone and beside the pose."""
    from facearray.stats.regress import regress

    with_pose = regress(ds, [by, *poses], measures, unit=unit, min_valid=min_valid)
    alone = regress(ds, [by], measures, unit=unit, min_valid=min_valid)
    terms = [term for term in alone["term"].to_numpy().tolist() if term != INTERCEPT]
    models = xr.Variable("model", np.array(["alone", "with pose"], dtype=np.dtypes.StringDType()))
    parts = [model[["beta", "se", "t", "p", "df"]].sel(term=terms) for model in (alone, with_pose)]
    return xr.concat(parts, dim=xr.DataArray(models, dims="model", name="model"), coords="minimal", compat="override")


def _pair_sums(values: NDArray[np.floating], x: list[int], y: list[int]) -> NDArray[np.float64]:
    """Sum over series to (4, n_x, n_face, n_y): count, products, and squares of deviations from each series' means.

    The series are values (n_series, n_time, n_face, n_feature); times without a value of both are left out of a pair.
    """
    total = np.zeros((4, len(x), values.shape[2], len(y)))
    measures = values[..., y].astype(np.float64)
    there_y = ~np.isnan(measures)
    for i, column in enumerate(x):
        pose = values[..., column, None].astype(np.float64)
        both = there_y & ~np.isnan(pose)
        n = both.sum(axis=1, keepdims=True)
        both &= n > 1
        n = np.maximum(n, 1)
        dx, dy = (np.where(both, part, 0) for part in (np.broadcast_to(pose, measures.shape), measures))
        dx, dy = (np.where(both, part - part.sum(axis=1, keepdims=True) / n, 0) for part in (dx, dy))
        square_x, square_y = ((part**2).sum(axis=1) for part in (dx, dy))
        total[0, i] += both.sum(axis=(0, 1))
        total[1, i] += (dx * dy).sum(axis=(0, 1))
        # a constant series leaves nothing but rounding
        total[2, i] += _without_rounding(square_x, pose, both).sum(axis=0)
        total[3, i] += _without_rounding(square_y, measures, both).sum(axis=0)
    return total


def _without_rounding(
    square: NDArray[np.float64], values: NDArray[np.float64], there: NDArray[np.bool_]
) -> NDArray[np.float64]:
    size = (np.where(there, values, 0) ** 2).sum(axis=1)
    return np.where(square > 1e-24 * size, square, 0)
