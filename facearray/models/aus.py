"""Action units of a Dataset, computed anew from its landmarks and blendshapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._warning import warn_caller
from facearray.errors import InputError, unknown_names
from facearray.models.au_baselines import (
    LOW,
    MIN_FRAMES,
    Baselines,
    canonical_baselines,
    neutral_baselines,
    person_baselines,
)
from facearray.models.au_map import AUMap
from facearray.models.au_table import AUS, estimate_parts
from facearray.models.au_terms import PARTS, Baseline
from facearray.models.inputs import check_inputs

__all__ = ["action_units"]

#: Faces whose meshes are in memory in double precision at once.
_FACES_AT_ONCE = 2048

#: Frames of a task that reads from a store.
_FRAMES_A_TASK = 4 * schema.FRAMES_PER_CHUNK

_BLENDSHAPES = schema.GROUPS["blendshapes"].features

_BASELINES = ("canonical", "person")

#: People whom the warning about those without a baseline of their own names.
_SHOWN = 20

#: The coordinate that says who is seen, if no other is named.
_PERSON = "person"

# from (n, 52) blendshapes, (n, 478, 3) landmarks and the fields of a baseline, if any, to (n, n_feature)
_Estimate = Callable[..., NDArray[np.float32]]


def action_units(
    ds: xr.Dataset,
    baseline: Literal["canonical", "person"] | xr.Dataset | None = None,
    *,
    person: str = _PERSON,
    sides: bool = False,
    asymmetry: bool = False,
    map: str | PathLike[str] | AUMap | None = None,  # noqa: A002
) -> xr.Dataset:
    """Compute action units from landmarks and blendshapes, whichever tool they are from.

    `facearray.models.AUS` says what each of the 20 is estimated from and how far to trust it.

    Parameters
    ----------
    ds
        Detections with the 52 blendshapes and MediaPipe's mesh of 478 points: of the default detector, of py-feat 2, of
        MediaPipe itself.
    baseline
        What counts as no expression:

        - ``"canonical"``, the default: the canonical face at rest, so that the values of a frame depend on that frame
          only. What the default detector stores.
        - ``"person"``: each person's own face at rest, found in all frames of that person in all videos together.
          People with fewer than 150 frames with a face are compared with the canonical face.
        - A Dataset of frames in which the faces are neutral, one will do. Where it has the coordinate `person`, each
          person is compared with their own; where not, all are with the median of all frames.
    person
        Coordinate on ``video``, or on ``video`` and ``face``, that says who is seen; needed for
        ``baseline="person"``. `facearray.tables.join` adds one; where there are embeddings,
        ``ds.assign_coords(person=ds.fex.identities().person)`` does.
    sides
        Also the subject's sides apart: ``AU12_left``, ``AU12_right``. An estimate of a side has the measures and
        blendshapes of that side and those that have no sides.
    asymmetry
        Also left less right, -1 to 1: ``AU12_asymmetry``.
    map
        A map of your own in place of the table: what `AUMap.fit` returns, a file of `AUMap.save`, or the name that it
        was saved under. It has no baseline and no sides.

    Returns
    -------
    xarray.Dataset
        The variable ``features`` with dims (video, frame, face, feature) in [0, 1] and the coordinates of ``ds``. NaN
        where a face lacks a point or a blendshape. Dask-backed where ``ds`` is, or where it is read from a store.
        The coordinate ``au_baseline`` on (video, face) and the attributes say what was compared with what:
        ``au_baseline``, and ``au_baseline_fallback``, who was compared with the canonical face instead, and why.

    Warns
    -----
    UserWarning
        With ``baseline="person"``, if somebody is compared with the canonical face instead, naming them.

    Raises
    ------
    SchemaError
        If blendshapes or landmarks are missing, or ``ds`` does not follow the schema.
    InputError
        If there is no such baseline or coordinate, or arguments exclude one another.
    ReadError
        If the file of a map cannot be read.

    Notes
    -----
    The baseline of a person is never that of a video: what somebody does all through a video would vanish. A rise of a
    measure counts from the 10 % quantile over the person's frames, a fall from the 90 % quantile; a movement with an
    opposite, such as brows up and down, from the median of the quiet frames, the tenth with the lowest sum of
    blendshapes; of a blendshape the part above its 10 % quantile counts. These have to be known first, so one pass over
    the data is made at once even where the result is lazy.

    References
    ----------
    Ekman, P., Friesen, W. V. & Hager, J. C. (2002). Facial Action Coding System: The manual. Research Nexus.

    Examples
    --------
    >>> ds = facearray.datasets.good_bad_news()  # doctest: +SKIP
    >>> ds = ds.fex.join(dict.fromkeys(ds.video.values, "speaker"), name="person")  # doctest: +SKIP
    >>> found = facearray.models.action_units(ds, baseline="person").fex.summarize(by="condition")  # doctest: +SKIP
    >>> found["mean"].sel(feature="AU12", face=0).round(2).to_series().to_dict()  # doctest: +SKIP
    {'badNews': 0.14, 'goodNews': 0.53}
    """
    ds = check_inputs(ds)
    if map is not None:
        given = {"baseline": baseline is not None, "person": person != _PERSON, "sides": sides, "asymmetry": asymmetry}
        if any(given.values()):
            names = ", ".join(name for name, is_given in given.items() if is_given)
            raise InputError(f"found map= with {names}; expected map= alone: a map has no baseline and no sides")
        chosen = map if isinstance(map, AUMap) else AUMap.load(map)
        texts = dict.fromkeys(chosen.names, f"intensity, 0 to 1: by the map {chosen.sha256[:12]}")
        return _computed(ds, texts, chosen.predict, chosen.attrs, {})
    found = _baselines(ds, baseline, person)
    if found.notes:
        warn_caller(
            "found no baseline of their own for some people, who are compared with the canonical face instead of their "
            f"own face at rest: {_some(found.notes)}; the coordinate au_baseline tells them apart",
        )
    columns = _columns(sides=sides, asymmetry=asymmetry)
    parts = PARTS if sides or asymmetry else PARTS[:1]

    def estimate(
        shapes: NDArray[np.floating], points: NDArray[np.floating], *own: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        values = estimate_parts(shapes, points, Baseline(*own) if own else None, parts=parts)
        kinds = [values[:, :, 0]]
        if sides:
            kinds += [values[:, :, PARTS.index("left")], values[:, :, PARTS.index("right")]]
        if asymmetry:
            kinds.append(values[:, :, PARTS.index("left")] - values[:, :, PARTS.index("right")])
        return np.concatenate(kinds, axis=1)

    kind = "neutral" if isinstance(baseline, xr.Dataset) else baseline or "canonical"
    attrs = {"au_baseline": kind, "au_baseline_meaning": _MEANINGS[kind], "au_baseline_fallback": list(found.notes)}
    kinds = np.array(found.kinds, dtype=np.dtypes.StringDType())[found.codes]
    own = None if set(found.kinds) == {"canonical"} else found.of_faces()
    return _computed(ds, columns, estimate, attrs, {"au_baseline": (("video", "face"), kinds)}, own)


def _some(notes: Sequence[str]) -> str:
    more = f" and {len(notes) - _SHOWN} more, in the attribute au_baseline_fallback" if len(notes) > _SHOWN else ""
    return "; ".join(notes[:_SHOWN]) + more


_MEANINGS = {
    "canonical": "the canonical face at rest",
    "person": (
        f"each person's quantiles {LOW:g} and {1 - LOW:g} and median of quiet frames over all videos; the canonical "
        f"face for people with fewer than {MIN_FRAMES} frames"
    ),
    "neutral": "the median of frames that were given as neutral",
}


def _baselines(ds: xr.Dataset, baseline: str | xr.Dataset | None, person: str) -> Baselines:
    if isinstance(baseline, xr.Dataset):
        return neutral_baselines(ds, baseline, person)
    if baseline is None or baseline == "canonical":
        if person != _PERSON:
            raise InputError(f"found person={person!r} with the canonical face; expected baseline='person' with it")
        return canonical_baselines(ds)
    if baseline == "person":
        return person_baselines(ds, person)
    raise unknown_names("baseline", [str(baseline)], _BASELINES)


def _columns(*, sides: bool, asymmetry: bool) -> dict[str, str]:
    """Names and descriptions of the features."""
    columns = {}
    for unit in AUS.values():
        columns[unit.name] = f"{unit.description}; from {', '.join(unit.inputs)}"
    for side in ("left", "right") if sides else ():
        columns |= {f"{u.name}_{side}": f"of the subject's {side}: {u.description}" for u in AUS.values()}
    if asymmetry:
        columns |= {
            f"{u.name}_asymmetry": f"the subject's left less right, -1 to 1: {u.title}; trust: {u.trust}"
            for u in AUS.values()
        }
    return columns


def _computed(
    ds: xr.Dataset,
    columns: Mapping[str, str],
    estimate: _Estimate,
    attrs: Mapping[str, Any],
    coords: Mapping[str, Any],
    baseline: Baseline | None = None,
) -> xr.Dataset:
    """Make the Dataset of what an estimate gives of each face, with its baseline (n_video, n_face, ...) if any."""
    names = [str(name) for name in ds["feature"].values]
    shapes = ds["features"].isel(feature=[names.index(name) for name in _BLENDSHAPES])
    shapes = _lazy(shapes.drop_vars([c for c in shapes.coords if c != "feature"]).rename(feature="shape"), "shape")
    points = _lazy(ds["landmarks"].drop_vars(list(ds["landmarks"].coords)), "landmark", "axis")
    ends = () if baseline is None else (baseline.low, baseline.neutral, baseline.high, baseline.blendshapes)
    cores = [["measure", "part"]] * 3 + [["shape"]]
    own = [xr.DataArray(end, dims=("video", "face", *core)) for end, core in zip(ends, cores, strict=False)]

    def of_block(
        shapes: NDArray[np.floating], points: NDArray[np.floating], *own: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        values = np.full((*shapes.shape[:-1], len(columns)), np.nan, np.float32)
        there = np.isfinite(shapes).all(axis=-1) & np.isfinite(points).all(axis=(-2, -1))
        where = np.nonzero(there)
        ends = [np.broadcast_to(end, (*there.shape, *end.shape[there.ndim :])) for end in own]
        for start in range(0, len(where[0]), _FACES_AT_ONCE):
            some = tuple(axis[start : start + _FACES_AT_ONCE] for axis in where)
            values[some] = estimate(shapes[some], points[some], *(end[some] for end in ends))
        return values

    features = xr.apply_ufunc(
        of_block,
        shapes.drop_vars("shape"),
        points,
        *own,
        input_core_dims=[["shape"], ["landmark", "axis"], *(list(end.dims[2:]) for end in own)],
        output_core_dims=[["feature"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"feature": len(columns)}},
        output_dtypes=[np.float32],
    ).transpose("video", "frame", "face", "feature")
    gone = {"feature", "landmark", "axis", "component"}
    kept = {name: c.variable for name, c in ds.coords.items() if gone.isdisjoint(c.dims)}
    text = np.dtypes.StringDType()
    labels = {
        "feature": np.array(list(columns), dtype=text),
        "group": ("feature", np.array(["aus"] * len(columns), dtype=text)),
        "unit": ("feature", np.array([""] * len(columns), dtype=text)),
        "description": ("feature", np.array(list(columns.values()), dtype=text)),
    }
    return xr.Dataset({"features": features.variable}, {**kept, **labels, **coords}, {**ds.attrs, **attrs})


def _lazy(array: xr.DataArray, *core: str) -> xr.DataArray:
    """Give what is read from a store dask blocks, and what has some no more than one along the core dims."""
    if array.size == 0 or (array.chunks is None and array.variable._in_memory):
        return array.compute()
    chunks = dict.fromkeys(core, -1)
    return array.chunk(chunks if array.chunks is not None else {"video": 1, "frame": _FRAMES_A_TASK, **chunks})
