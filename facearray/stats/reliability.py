"""How far a feature measures the same again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from facearray.errors import InputError, unknown_names
from facearray.stats.kernels.icc import intraclass_correlations
from facearray.stats.kernels.products import paired_products
from facearray.stats.units import UnitValues, label_coordinates, levels, unit_values, video_coordinate

__all__ = ["reliability", "split_half"]

Split = Literal["halves", "odd_even"]

#: Coordinate that numbers the cells of units and measurements.
_CELL = "facearray_cell"


def reliability(
    ds: xr.Dataset,
    over: str,
    *,
    unit: str = "subject",
    features: str | Iterable[str] = "aus",
    statistic: str = "mean",
    min_valid: float = 0.5,
    threshold: float | None = None,
    confidence: float = 0.95,
) -> xr.Dataset:
    """Compute intraclass correlations of features over repeated measurements.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). The frames of a unit and measurement are reduced to one
        value first.
    over
        Coordinate on ``video`` that says which measurement a video is, such as ``"session"``, ``"camera"`` or
        ``"detector"``.
    unit
        Coordinate on ``video`` with what is measured.
    features
        As for `facearray.selectors.select`.
    statistic, min_valid, threshold
        How frames become one value, as for `facearray.stats.unit_values`.
    confidence
        Level of the intervals, 0 to 1.

    Returns
    -------
    Dataset
        With dims (face, feature): ``icc2_1``, the share of variance that is that of the units, where measurements are a
        sample of possible ones and differences of their means count as error (absolute agreement); ``icc3_1``, where
        they do not (consistency); limits of both (``icc2_1_ci_low``, …), ``p`` of the F test that they are 0, and
        ``n``, the units that have all measurements. Units that lack one are left out for that face and feature.

    Raises
    ------
    InputError
        If a name is unknown, or there are fewer than 2 measurements or 3 units with all of them.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    See `facearray.stats.kernels.icc` for formulas. p is one of independent units; it assumes normal values.

    References
    ----------
    Shrout, P. E., & Fleiss, J. L. (1979). Intraclass correlations: uses in assessing rater reliability. Psychological
    Bulletin 86, 420-428.

    McGraw, K. O., & Wong, S. P. (1996). Forming inferences about some intraclass correlation coefficients.
    Psychological Methods 1, 30-46.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> person = np.repeat(rng.normal(size=8), 2) + 0.3 * rng.normal(size=16)
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), person[:, None, None, None])},
    ...     coords={
    ...         "video": [f"{i:02}" for i in range(16)],
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), np.zeros((16, 1), int)),
    ...         "subject": ("video", np.repeat(list("abcdefgh"), 2)),
    ...         "session": ("video", [1, 2] * 8),
    ...     },
    ... )
    >>> reliability(ds, "session").icc3_1.round(2).values
    array([[0.94]])
    """
    if not 0 < confidence < 1:
        raise InputError(f"found confidence={confidence}; expected a share between 0 and 1")
    names, rows = levels(video_coordinate(ds, unit))
    sessions, columns = levels(video_coordinate(ds, over))
    if len(sessions) < 2:
        raise InputError(f"found {len(sessions)} measurements in {over!r}; expected two or more")
    cells = np.where((rows >= 0) & (columns >= 0), rows * len(sessions) + columns, np.nan)
    units = unit_values(
        ds.assign_coords({_CELL: ("video", cells)}),
        unit=_CELL,
        features=features,
        statistic=statistic,
        min_valid=min_valid,
        threshold=threshold,
    )
    values = np.full((len(names) * len(sessions), *units.values.shape[1:]), np.nan)
    values[units.labels.astype(np.intp)] = units.values
    values = values.reshape(len(names), len(sessions), *units.values.shape[1:])
    whole = np.asarray(~np.isnan(values).any(axis=1))
    if whole.sum(axis=0).max(initial=0) < 3:
        raise InputError(
            f"found {whole.sum(axis=0).max(initial=0)} values of {unit!r} with all {len(sessions)} values of {over!r}; "
            "expected 3 or more"
        )
    result: dict[str, Any] = {}
    for place in np.ndindex(whole.shape[1:]):
        y = values[whole[:, *place]][:, :, *place]
        found = intraclass_correlations(y[..., None], confidence) if len(y) > 2 else None
        for i, name in enumerate(type(found)._fields if found else ()):
            result.setdefault(name, np.full(whole.shape[1:], np.nan))[place] = found[i][0]  # type: ignore[index]
    return _labelled(ds, units, result | {"n": whole.sum(axis=0)}).assign_attrs(
        units.attrs
        | {
            "method": "reliability",
            "test": "two-way analysis of variance",
            "unit": unit,
            "over": over,
            "n_units": len(names),
            "n_measurements": len(sessions),
            "confidence": confidence,
            "population": f"{len(names)} values of {unit}, each measured {len(sessions)} times",
        }
    )


def split_half(
    ds: xr.Dataset,
    *,
    split: Split = "halves",
    unit: str = "video",
    features: str | Iterable[str] = "aus",
    statistic: str = "mean",
    min_valid: float = 0.5,
    threshold: float | None = None,
) -> xr.Dataset:
    """Correlate what one half of the frames says about units with what the other half says.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    split
        ``"halves"``: the first against the second half of every video's real frames. ``"odd_even"``: every second frame
        against the others; as neighbouring frames resemble each other, this says how noisy single frames are and little
        about time.
    unit, features, statistic, min_valid, threshold
        As for `facearray.stats.unit_values`.

    Returns
    -------
    Dataset
        With dims (face, feature): ``r`` of the halves over units, ``spearman_brown``, 2 r / (1 + r), the reliability of
        the whole, and ``n``, the units with a value in both halves.

    Raises
    ------
    InputError
        If a name is unknown, or fewer than 3 units have both halves.
    SchemaError
        If ``ds`` does not follow the schema.

    References
    ----------
    Spearman, C. (1910). Correlation calculated from faulty data. British Journal of Psychology 3, 271-295.

    Examples
    --------
    >>> values = np.arange(5.0)[:, None] + [0.1, 0, -0.1, 0]
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), values[:, :, None, None])},
    ...     coords={
    ...         "video": list("abcde"),
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), np.tile(np.arange(4), (5, 1))),
    ...     },
    ... )
    >>> split_half(ds).spearman_brown.values.round(3)
    array([[1.]])
    """
    if split not in get_args(Split):
        raise unknown_names("split", [str(split)], get_args(Split))
    halves = []
    for which in (0, 1):
        part = _half(ds, split, which)
        halves.append(
            unit_values(
                part, unit=unit, features=features, statistic=statistic, min_valid=min_valid, threshold=threshold
            )
        )
    place = {label: i for i, label in enumerate(halves[1].labels.tolist())}
    first = [i for i, label in enumerate(halves[0].labels.tolist()) if label in place]
    second = [place[label] for label in halves[0].labels[first].tolist()]
    a, b = halves[0].values[first], halves[1].values[second]
    there = ~(np.isnan(a) | np.isnan(b))
    if there.sum(axis=0).max(initial=0) < 3:
        raise InputError(
            f"found {there.sum(axis=0).max(initial=0)} {unit}s with values in both halves; expected 3 or more"
        )
    r = paired_products(np.moveaxis(a, 0, -1), np.moveaxis(b, 0, -1), np.moveaxis(there, 0, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.where(r > -1, 2 * r / (1 + r), np.nan)
    return _labelled(ds, halves[0], {"r": r, "spearman_brown": whole, "n": there.sum(axis=0)}).assign_attrs(
        halves[0].attrs | {"method": "split_half", "split": split, "n_units": len(first)}
    )


def _half(ds: xr.Dataset, split: Split, which: int) -> xr.Dataset:
    """Mark the frames of the other half as padding."""
    number = ds["frame_number"]
    real = (number >= 0).to_numpy()
    place = real.cumsum(axis=1) - 1
    if split == "odd_even":
        kept = place % 2 == which
    else:
        first = place < (real.sum(axis=1, keepdims=True) + 1) // 2
        kept = first if which == 0 else ~first
    marked = ds.assign_coords(frame_number=number.copy(data=np.where(real & kept, number.to_numpy(), -1)))
    # the counts of whole videos would say where the frames are looked for
    return marked.drop_vars("n_frames", errors="ignore")


def _labelled(ds: xr.Dataset, units: UnitValues, arrays: dict[str, Any]) -> xr.Dataset:
    labels = label_coordinates(ds, "feature", features=[str(name) for name in units.features])
    return xr.Dataset(
        {name: (("face", "feature"), array) for name, array in arrays.items()}, coords={"face": units.faces} | labels
    )
