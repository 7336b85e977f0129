"""Which videos are good enough, and why others are not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._version import package_version
from facearray.blocks import iter_blocks
from facearray.errors import unknown_names
from facearray.signal._checks import Problems
from facearray.signal.kernels.medians import median
from facearray.stats import pose_confound
from facearray.stats.units import label_coordinates

__all__ = ["PRESETS", "Limits", "quality"]

_STRING = np.dtypes.StringDType()

Preset = Literal["lenient", "standard", "strict"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a face of a video has to keep to; None is no limit.

    Attributes
    ----------
    min_detection
        Share of the video's frames in which the face has a value, 0 to 1.
    min_score
        Median of ``FaceScore``, 0 to 1.
    max_angle
        Median of the larger of the absolute ``Pitch`` and ``Yaw``, in degrees.
    min_size
        Median size in pixels: the side of a square as large as the face box.
    max_blur
        Median of the measure of blur, in its unit.
    brightness
        Least and largest median of the measure of brightness, in its unit.
    max_duplicates
        Share of frames that are the same as the one before in every feature, of those that follow one with a face.
    """

    min_detection: float | None = None
    min_score: float | None = None
    max_angle: float | None = None
    min_size: float | None = None
    max_blur: float | None = None
    brightness: tuple[float, float] | None = None
    max_duplicates: float | None = None


#: Limits by name. Blur and brightness have none, because their units differ from source to source.
PRESETS: Mapping[Preset, Limits] = MappingProxyType(
    {
        "lenient": Limits(min_detection=0.5, min_score=0.5, max_angle=45, min_size=40, max_duplicates=0.5),
        "standard": Limits(min_detection=0.7, min_score=0.7, max_angle=35, min_size=60, max_duplicates=0.25),
        "strict": Limits(min_detection=0.9, min_score=0.8, max_angle=20, min_size=80, max_duplicates=0.05),
    }
)

#: What is measured, the limit that it is held against, and what an excluded video is told.
CRITERIA: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "detection_rate": ("min_detection", "a face in {value:.1%} of the frames, less than {limit:.0%}"),
        "score": ("min_score", "a score of {value:.2f}, less than {limit:g}"),
        "angle": ("max_angle", "turned by {value:.1f} degrees, more than {limit:g}"),
        "size": ("min_size", "a face of {value:.1f} pixels, less than {limit:g}"),
        "blur": ("max_blur", "blur of {value:.3g}, more than {limit:g}"),
        "brightness": ("brightness", "brightness of {value:.3g}, not from {limit[0]:g} to {limit[1]:g}"),
        "duplicates": ("max_duplicates", "{value:.1%} of the frames like the one before, more than {limit:.0%}"),
    }
)


def quality(
    ds: xr.Dataset,
    preset: Preset | None = "standard",
    *,
    min_detection: float | None = None,
    min_score: float | None = None,
    max_angle: float | None = None,
    min_size: float | None = None,
    max_blur: float | None = None,
    brightness: tuple[float, float] | None = None,
    max_duplicates: float | None = None,
    blur_from: str = "blur",
    brightness_from: str = "brightness",
    features: str | Iterable[str] | None = "aus",
) -> xr.Dataset:
    """Judge each video by how well faces were found in it, and count what is excluded for what reason.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). They are read, a few videos at a time.
    preset
        Limits that hold where no other is given; None for none.

        ============== ========= ========== ========
        limit          lenient   standard   strict
        ============== ========= ========== ========
        min_detection  0.5       0.7        0.9
        min_score      0.5       0.7        0.8
        max_angle      45        35         20
        min_size       40        60         80
        max_duplicates 0.5       0.25       0.05
        ============== ========= ========== ========

    min_detection, min_score, max_angle, min_size, max_blur, brightness, max_duplicates
        Limits as described at `Limits` (shares, degrees, pixels); they take the place of the preset's.
    blur_from, brightness_from
        Feature, or coordinate with dims (video, frame) or (video, frame, face), that measures it, where there is one.
    features
        What is correlated with the pose, as for `facearray.stats.pose_confound`; None for nothing.

    Returns
    -------
    xarray.Dataset
        Dims (video, face):

        - ``keep``: whether the face keeps to all limits; ``verdict``: ``"keep"``, ``"exclude"``, or ``"empty"`` for a
          slot behind the first in which no face is ever seen, which is no case; ``reasons``: why it is excluded.
        - ``detection_rate``, ``score``, ``angle``, ``size``, ``blur``, ``brightness``, ``duplicates``: what is held
          against the limits; NaN where ``ds`` has no measure of it, and then it excludes nothing.
        - ``n_frames``: real frames (video).

        The flow of exclusions, dim ``step``: ``n_excluded`` by each criterion of those that are left, and ``n_left``
        behind it. ``q[["n_excluded", "n_left"]].to_dataframe()`` is a table of it.

        ``pose_r`` and ``pose_n`` (pose, face, feature): how far features go along with ``Pitch`` and ``Yaw`` within
        videos, over all of them, where there are poses.

        The attributes ``limits`` (JSON) and ``not_measured`` say what was asked for and could not be judged.

    Raises
    ------
    InputError
        If the preset or a feature is unknown, a limit is no number of its kind, or blur or brightness are limited but
        not measured.
    SchemaError
        If ``ds`` does not follow the schema.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_faces=1, features=["AU12"])
    >>> q = quality(ds, min_detection=0.5)
    >>> q.verdict.values.ravel().tolist(), q.reasons.values.ravel().tolist()
    (['keep', 'keep', 'exclude'], ['', '', 'no frames'])
    >>> kept = ds.isel(video=q.keep.any("face").values)
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    given = {
        "min_detection": min_detection,
        "min_score": min_score,
        "max_angle": max_angle,
        "min_size": min_size,
        "max_blur": max_blur,
        "brightness": brightness,
        "max_duplicates": max_duplicates,
    }
    sources = {"blur": blur_from, "brightness": brightness_from}
    limits = _limits(ds, preset, given, sources)
    n_frames, measures = _measure(ds, sources)
    reasons, broken = _judge(n_frames, measures, limits)
    is_case = np.zeros(broken["no_frames"].shape, dtype=bool)
    is_case[:, :1] = True
    is_case |= np.nan_to_num(measures["detection_rate"]) > 0
    keep = is_case & (reasons == "")
    verdict = np.where(is_case, np.where(keep, "keep", "exclude"), "empty").astype(_STRING)
    reasons[~is_case] = ""
    dims = ("video", "face")
    steps, n_excluded, n_left = _flow(broken, is_case)
    not_measured = [name for name, values in measures.items() if np.isnan(values).all()]
    result = xr.Dataset(
        {"keep": (dims, keep), "verdict": (dims, verdict), "reasons": (dims, reasons)}
        | {name: (dims, values) for name, values in measures.items()}
        | {"n_excluded": ("step", n_excluded), "n_left": ("step", n_left)},
        coords={str(n): c.variable for n, c in ds.coords.items() if set(c.dims) <= {"video"} and n != "n_frames"}
        | label_coordinates(ds, "face")
        | {"step": steps, "n_frames": ("video", n_frames)},
    )
    pose = _pose(ds, features)
    if pose is None and features is not None:
        not_measured.append("pose_confound")
    result.attrs = ds.attrs | {
        "preset": str(preset),
        "limits": json.dumps({name: limit for name, limit in asdict(limits).items() if limit is not None}),
        "not_measured": not_measured,
        "facearray_version": package_version(),
    }
    return result if pose is None else result.assign(pose)


def _limits(ds: xr.Dataset, preset: Preset | None, given: Mapping[str, Any], sources: Mapping[str, str]) -> Limits:
    if preset is not None and preset not in PRESETS:
        raise unknown_names("preset", [str(preset)], list(PRESETS))
    problems = Problems()
    numbers = {name: value for name, value in given.items() if name != "brightness"}
    problems.not_negative(**numbers)
    for name in ("min_detection", "min_score", "max_duplicates"):
        value = given[name]
        if isinstance(value, int | float) and value > 1:
            problems.add(f"found {name}={value!r}; expected a share, 0 to 1")
    span = given["brightness"]
    if span is not None and not (isinstance(span, tuple | list) and len(span) == 2 and span[0] <= span[1]):
        problems.add(f"found brightness={span!r}; expected the least and the largest, as in (50, 200)")
    for name, limit in (("blur", given["max_blur"]), ("brightness", span)):
        if limit is not None and _place(ds, sources[name]) is None:
            problems.add(
                f"found a limit of {name}, but neither a feature nor a coordinate of frames {sources[name]!r}; "
                f"expected a measure of it; add one, or name it with {name}_from"
            )
    for name, source in sources.items():
        if source != name and given[f"max_{name}" if name == "blur" else name] is None and _place(ds, source) is None:
            problems.add(
                f"found {name}_from={source!r}; expected a feature or a coordinate of frames; correct it, or leave it "
                "out"
            )
    problems.raise_if_any()
    limits = Limits() if preset is None else PRESETS[preset]
    return replace(limits, **{name: value for name, value in given.items() if value is not None})


def _place(ds: xr.Dataset, name: str) -> int | str | None:
    """Position among the features, or the name of a coordinate of frames, that has a measure."""
    names = [str(feature) for feature in ds["feature"].to_numpy()]
    if name in names:
        return names.index(name)
    return name if name in ds.coords and ds[name].dims in (("video", "frame"), ("video", "frame", "face")) else None


def _measure(ds: xr.Dataset, sources: Mapping[str, str]) -> tuple[NDArray[np.intp], dict[str, NDArray[np.float64]]]:
    """Real frames (n_video,), and what is measured of each video and face (n_video, n_face), in one pass."""
    names = [str(feature) for feature in ds["feature"].to_numpy()]
    shape = (ds.sizes["video"], ds.sizes["face"])
    n_frames = np.zeros(shape[0], dtype=np.intp)
    found = {name: np.full(shape, np.nan) for name in CRITERIA}
    places = {name: _place(ds, source) for name, source in sources.items()}
    variables = ["features", *(place for place in places.values() if isinstance(place, str))]
    for block in iter_blocks(ds, variables=variables, split=False, copy=False):
        values = block.data["features"]
        n_frames[block.videos] = block.n_frames
        there = (~np.isnan(values)).any(axis=-1)
        found["detection_rate"][block.videos] = there.sum(axis=1) / block.n_frames[:, None]
        found["duplicates"][block.videos] = _duplicates(values, there)
        courses = _courses(values, names)
        for name, place in places.items():
            if isinstance(place, int):
                courses[name] = values[..., place]
            elif place is not None:
                course = block.data[place]
                courses[name] = np.where(there, course if course.ndim == 3 else course[..., None], np.nan)
        for name, course in courses.items():
            found[name][block.videos] = median(np.moveaxis(course.astype(np.float64), 1, -1))[..., 0]
    return n_frames, found


def _courses(values: NDArray[np.floating], names: list[str]) -> dict[str, NDArray[np.floating]]:
    """Score, angle and size (n, n_frame, n_face), as far as there are features for them."""
    columns = {name: values[..., i] for i, name in enumerate(names)}
    courses = {}
    if "FaceScore" in columns:
        courses["score"] = columns["FaceScore"]
    if "Pitch" in columns and "Yaw" in columns:
        courses["angle"] = np.maximum(np.abs(columns["Pitch"]), np.abs(columns["Yaw"]))
    if "FaceRectWidth" in columns and "FaceRectHeight" in columns:
        courses["size"] = np.sqrt(np.maximum(columns["FaceRectWidth"] * columns["FaceRectHeight"], 0))
    return courses


def _duplicates(values: NDArray[np.floating], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share (n, n_face) of frames that are like the one before, of those with a face in both; NaN without any."""
    before, after = values[:, :-1], values[:, 1:]
    both = there[:, :-1] & there[:, 1:]
    same = ((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=-1) & both
    n = both.sum(axis=1)
    share: NDArray[np.float64] = np.divide(same.sum(axis=1), n, out=np.full(n.shape, np.nan), where=n > 0)
    return share


def _judge(
    n_frames: NDArray[np.intp], measures: Mapping[str, NDArray[np.float64]], limits: Limits
) -> tuple[NDArray[Any], dict[str, NDArray[np.bool_]]]:
    """Reasons (n_video, n_face) for exclusion, and which criteria are broken."""
    shape = measures["detection_rate"].shape
    broken = {"no_frames": np.broadcast_to(n_frames[:, None] == 0, shape)}
    reasons = np.full(shape, "", dtype=_STRING)
    reasons[broken["no_frames"]] = "no frames"
    for name, (limit_name, text) in CRITERIA.items():
        limit = getattr(limits, limit_name)
        if limit is None:
            continue
        values = measures[name]
        if limit_name == "brightness":
            broken[name] = (values < limit[0]) | (values > limit[1])
        else:
            broken[name] = values < limit if limit_name.startswith("min") else values > limit
        for place in zip(*np.nonzero(broken[name]), strict=True):
            reason = text.format(value=values[place], limit=limit)
            reasons[place] = f"{reasons[place]}; {reason}" if reasons[place] else reason
    return reasons, broken


def _flow(
    broken: Mapping[str, NDArray[np.bool_]], is_case: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.intp], NDArray[np.intp]]:
    """Name the steps, and count the cases that each excludes and leaves."""
    left = is_case.copy()
    excluded, remaining = [0], [int(left.sum())]
    for one in broken.values():
        excluded.append(int((left & one).sum()))
        left &= ~one
        remaining.append(int(left.sum()))
    return np.array(["all", *broken], dtype=_STRING), np.array(excluded), np.array(remaining)


def _pose(ds: xr.Dataset, features: str | Iterable[str] | None) -> dict[str, xr.DataArray] | None:
    names = {str(name) for name in ds["feature"].to_numpy()}
    by_default = features == "aus" and not names & set(schema.feature_names("aus"))
    if features is None or by_default or not {"Pitch", "Yaw"} <= names:
        return None
    found = pose_confound(ds, features, level="within")
    return {"pose_r": found["r"], "pose_n": found["n"]}
