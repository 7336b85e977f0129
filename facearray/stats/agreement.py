"""Agreement of detected action units with human coders, and of coders with each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._version import package_version
from facearray.blocks import iter_blocks
from facearray.errors import InputError, unknown_names
from facearray.intervals import annotate
from facearray.stats.frames import feature_labels
from facearray.stats.units import label_coordinates

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["agreement"]

_PREFIX = "facearray_coded "


def agreement(
    ds: xr.Dataset,
    table: pd.DataFrame,
    *,
    threshold: float = 0.5,
    rater: str | None = None,
    face: int | None = None,
) -> xr.Dataset:
    """Compare features above a threshold with what human coders saw, frame by frame.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature) and times.
    table
        One row for each interval that a coder marked, with columns ``video``, ``start`` and ``end`` in seconds, and
        ``label``, the name of a feature such as ``AU12``; further ``face`` if codes are about persons. Other columns
        are ignored. `facearray.read_annotations` makes such tables.
    threshold
        A feature is there in a frame if it is above.
    rater
        Column of the table with who coded; by default all rows are of one coder. What a coder has no row of, in no
        video, was not coded by this one; nor were the videos, and their faces, of which a coder has no row.
    face
        Which face the codes are about, where there are several and the table has no column ``face``.

    Returns
    -------
    Dataset
        With dims (rater, feature), of the features that were coded: ``f1``, 2 TP / (2 TP + FP + FN); ``kappa``,
        Cohen's; ``prevalence``, the share of frames in which the coder saw it, and ``prevalence_detected``; ``n``, the
        frames that were coded and have a value. With several raters also ``kappa_raters`` and ``n_raters`` (rater,
        rater_other, feature), how they agree with each other: no detector can be expected to agree with them more. A
        number that is not defined, such as F1 of what neither saw, is NaN.

    Raises
    ------
    InputError
        If a label is no feature, a column is missing, several faces are to be told apart, or intervals are wrong in a
        way that `annotate` refuses; if the threshold is no number.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    Notes
    -----
    F1 of a detector that says yes to everything is 2 q / (1 + q) for a prevalence q: compare F1 between features of
    different prevalence with care. Neighbouring frames are not independent, so that no p and no interval is given.

    References
    ----------
    Cohen, J. (1960). A coefficient of agreement for nominal scales. Educational and Psychological Measurement 20.

    Examples
    --------
    >>> import pandas as pd
    >>> time, smile = np.arange(6)[None] / 2, np.array([0.1, 0.8, 0.9, 0.7, 0.2, 0.1])
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), smile[None, :, None, None])},
    ...     coords={
    ...         "video": ["a.mp4"],
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), np.arange(6)[None]),
    ...         "timestamp": (("video", "frame"), time),
    ...     },
    ... )
    >>> codes = pd.DataFrame({"video": ["a.mp4"], "start": [1.0], "end": [2.5], "label": ["AU12"]})
    >>> found = agreement(ds, codes)
    >>> found.f1.item(), round(found.kappa.item(), 3), found.prevalence.item()
    (0.666..., 0.333, 0.5)
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    if not np.isfinite(threshold):
        raise InputError(f"found threshold={threshold}; expected a finite number")
    ds = _of_face(ds, table, face)
    coded = _Codes.of(ds, table, rater)
    counts = np.zeros((len(coded.raters), len(coded.features), 2, 2), dtype=np.int64)
    between = np.zeros((len(coded.raters), len(coded.raters), len(coded.features), 2, 2), dtype=np.int64)
    variables = ("features", *coded.ds.attrs["coded"])
    for block in iter_blocks(coded.ds, variables=variables, features=coded.features, copy=False):
        values = block.data["features"]
        real = np.arange(values.shape[1]) < block.n_frames[:, None]
        # float32 values are compared with the nearest float32: 0.3 is not above 0.3
        detected = values > values.dtype.type(threshold)
        seen = np.stack([_broad(block.data[name], values.shape[:3]) for name in coded.ds.attrs["coded"]])
        seen = seen.reshape(len(coded.raters), len(coded.features), *values.shape[:3])
        asked = coded.asked[:, :, block.videos, None] & real[:, :, None]
        for r in range(len(coded.raters)):
            for f in range(len(coded.features)):
                there = asked[r, f] & ~np.isnan(values[..., f])
                counts[r, f] += _crossed(seen[r, f][there], detected[..., f][there])
                for other in range(r + 1, len(coded.raters)):
                    both = asked[r, f] & asked[other, f]
                    between[r, other, f] += _crossed(seen[r, f][both], seen[other, f][both])
    return _result(coded, counts, between, threshold)


class _Codes(NamedTuple):
    """What was coded: ``ds`` with a boolean coordinate for each rater and feature, and who was asked for what."""

    ds: xr.Dataset
    raters: list[str]
    features: list[str]
    asked: NDArray[np.bool_]

    @classmethod
    def of(cls, ds: xr.Dataset, table: pd.DataFrame, rater: str | None) -> _Codes:
        needed = ["video", "start", "end", "label", *([rater] if rater is not None else [])]
        absent = [column for column in needed if column not in table.columns]
        if absent:
            raise unknown_names("column of the table", absent, [str(column) for column in table.columns])
        if not len(table):
            raise InputError("found a table without rows; expected the intervals that were coded")
        who = table[rater].astype(str) if rater is not None else table["label"].map(lambda _: "coder")
        labels = table["label"].astype(str)
        known = [str(name) for name in feature_labels(ds, None)]
        unknown = sorted(set(labels) - set(known))
        if unknown:
            raise unknown_names("feature in the column 'label'", unknown, known)
        raters, features = sorted(set(who)), [name for name in known if name in set(labels)]
        videos = {str(label): i for i, label in enumerate(ds["video"].to_numpy())}
        named = {(r, f): f"{_PREFIX}{i}" for i, (r, f) in enumerate((r, f) for r in raters for f in features)}
        columns = [c for c in ("video", "face", "start", "end", "label") if c in table.columns]
        tiers = [named[key] for key in zip(who, labels, strict=True)]
        marked = annotate(ds, table[columns].assign(tier=tiers))
        shape = ds["features"].shape[:3] if "face" in columns else ds["features"].shape[:2]
        dims = ("video", "frame", "face")[: len(shape)]
        seen = {
            name: (dims, marked[name].to_numpy() != "" if name in marked.coords else np.zeros(shape, dtype=bool))
            for name in named.values()
        }
        n_faces = ds.sizes["face"]
        asked = np.zeros((len(raters), len(features), len(videos), n_faces), dtype=bool)
        for r, name in enumerate(raters):
            mine = who == name
            for f, feature in enumerate(features):
                if (labels[mine] == feature).any():
                    of_videos = [videos[str(video)] for video in table["video"][mine]]
                    of_faces = table["face"][mine].to_numpy(int) if "face" in columns else slice(None)
                    asked[r, f, of_videos, of_faces] = True
        return cls(ds.assign_coords(seen).assign_attrs(coded=list(named.values())), raters, features, asked)


def _of_face(ds: xr.Dataset, table: pd.DataFrame, face: int | None) -> xr.Dataset:
    n = ds.sizes["face"]
    if face is not None:
        if "face" in table.columns:
            raise InputError("found face= and a table with a column 'face'; expected one of them")
        if not 0 <= face < n:
            raise InputError(f"found face={face}; expected one of the {n} slots, from 0")
        return ds.isel(face=[face])
    if n > 1 and "face" not in table.columns:
        raise InputError(f"found {n} faces and a table without a column 'face'; say which face was coded with face=")
    return ds


def _broad(seen: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Give codes of frames to all faces of the frame."""
    return np.broadcast_to(seen if seen.ndim == len(shape) else seen[..., None], shape)


def _crossed(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count how often (no, yes) of the one goes with (no, yes) of the other."""
    return np.bincount(2 * a.astype(np.int64) + b, minlength=4).reshape(2, 2)


def _kappa(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    n = counts.sum(axis=(-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = counts / n[..., None, None]
        observed = share[..., 0, 0] + share[..., 1, 1]
        expected = (share.sum(axis=-1) * share.sum(axis=-2)).sum(axis=-1)
        return np.where(expected < 1, (observed - expected) / (1 - expected), np.nan)


def _result(coded: _Codes, counts: NDArray[np.int64], between: NDArray[np.int64], threshold: float) -> xr.Dataset:
    n = counts.sum(axis=(2, 3))
    with np.errstate(divide="ignore", invalid="ignore"):
        hits, wrong = 2 * counts[..., 1, 1], counts[..., 0, 1] + counts[..., 1, 0]
        variables = {
            "f1": hits / (hits + wrong),
            "kappa": _kappa(counts),
            "prevalence": counts[..., 1, :].sum(axis=-1) / n,
            "prevalence_detected": counts[..., :, 1].sum(axis=-1) / n,
            "n": n,
        }
    result = xr.Dataset(
        {name: (("rater", "feature"), array) for name, array in variables.items()},
        coords={"rater": coded.raters} | label_coordinates(coded.ds, "feature", features=coded.features),
        attrs={
            "method": "agreement",
            "threshold": threshold,
            "n_videos": int(coded.asked.any(axis=(0, 1, 3)).sum()),
            "facearray_version": package_version(),
        },
    )
    if len(coded.raters) > 1:
        between = between + between.transpose(1, 0, 2, 4, 3)
        dims = ("rater", "rater_other", "feature")
        result = result.assign(kappa_raters=(dims, _kappa(between)), n_raters=(dims, between.sum(axis=(3, 4))))
        result = result.assign_coords(rater_other=coded.raters)
    return result
