"""CSV of py-feat: versions 0.x and 2.x, with 68 points or the mesh of 478."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from facearray.io.readers.columns import Block, Table, head_names
from facearray.io.readers.placement import Placement, Slots, schema_order
from facearray.io.recording import Recording
from facearray.schema import FEATURES, GROUPS

name = "pyfeat"
title = "py-feat"
suffixes = (".csv",)

conversions = (
    ("`input`", "label of the recording; several recordings may be in one file"),
    ("`frame`", "`frame_number`; gaps, as of `skip_frames`, are kept"),
    ("`Pitch` `Roll` `Yaw` of version 0.x: degrees, signs of img2pose", "degrees, all three with the sign turned"),
    ("`Pitch` `Roll` `Yaw` of version 2: radians", "degrees, `Yaw` with the sign turned"),
    (
        "`X` `Y` `Z`: translations within the pose network, not cm",
        "`other`, as `pose_X` `pose_Y` `pose_Z`",
    ),
    (
        "`gaze_pitch` `gaze_yaw`: radians, positive up and to the image's right",
        "degrees, `gaze_pitch` with the sign turned; they follow the eyes within the head, not yet the head's own turn",
    ),
    ("`gaze_angle`: radians", "`other`, degrees"),
    ("`Neutral` `Happy` `Sad` `Surprise` `Fear` `Disgust` `Anger`", "`neutral` `happiness` `sadness` … in lower case"),
    ("`mesh_x_0` … `mesh_z_477`", "`landmarks`; z times the width of the face box"),
    ("`x_0` … `z_477` of the MediaPipe detector", "`landmarks`; z times the width of the face box over 256"),
    ("`x_0` … `y_67`", "`other` where there is a mesh too, else `landmarks` without z"),
    ("`Identity_1` …", "`embedding`, divided by its L2 norm"),
    ("`Identity`", "`track_id`; where it is empty, the place of the face among the rows of its frame"),
    ("`FrameWidth` `FrameHeight`", "`width` `height`"),
    ("rows without a face", "frames without a face"),
    ("`approx_time`", "left out: whole seconds; give `fps` instead"),
)

_EMOTIONS = {
    "Neutral": "neutral",
    "Happy": "happiness",
    "Sad": "sadness",
    "Surprise": "surprise",
    "Fear": "fear",
    "Disgust": "disgust",
    "Anger": "anger",
}
_TEXTS = ("input", "Identity", "approx_time")
_ANGLES = ("Pitch", "Roll", "Yaw", "gaze_pitch", "gaze_yaw", "gaze_angle")
_VERSION_2 = ("mesh_x_0", "gaze_pitch", "FrameWidth", "valence")
_CROP = 256  # pixels of the MediaPipe detector's crop of the face box, in which its depths are

#: Columns that stand together if any of them is there. Version 0.x has as many action units as its model.
_FAMILIES: tuple[Sequence[str], ...] = (
    GROUPS["facebox"].features,
    ("Pitch", "Roll", "Yaw"),
    GROUPS["emotions"].features,
    tuple(f"{axis}_{i}" for axis in "xy" for i in range(68)),
)
_FAMILIES_2: tuple[Sequence[str], ...] = (
    GROUPS["aus"].features,
    tuple(_EMOTIONS),
    GROUPS["gaze"].features,
    GROUPS["blendshapes"].features,
    tuple(f"mesh_{axis}_{i}" for axis in "xyz" for i in range(478)),
)

_POINT = re.compile(r"(?:mesh_)?[xyz]_\d+|Identity_\d+")


def sniff(head: bytes, path: Path) -> bool:  # noqa: ARG001
    """Say whether a file has py-feat's columns."""
    names = set(head_names(head))
    own = {"FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"}
    return "frame" in names and (own < names or ("input" in names and bool(names & FEATURES.keys())))


def read(path: Path) -> Iterator[Recording]:
    """Read the recordings of a file.

    Raises
    ------
    ReadError
        If there is no column ``frame``, no row, or frames of a recording are not in order.
    """
    table = Table(path)
    table.require(["frame"])
    columns = _columns(table.names)
    table.expect(_FAMILIES + _FAMILIES_2 if columns.is_version_2 else _FAMILIES)
    places: dict[str, _Place] = {}
    for block in table.blocks(texts=_TEXTS, together=["input", "frame"]):
        inputs = block.texts.get("input", np.full(len(block), path.name, dtype=object))
        for label in dict.fromkeys(inputs.tolist()):
            rows = block if (inputs == label).all() else block.rows(inputs == label)
            place = places.setdefault(label, _Place(Slots(path, "frame"), {}))
            yield _recording(table, columns, rows, _file_name(label) or path.name, place)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """What the columns of a file are."""

    is_version_2: bool
    features: Mapping[str, str]
    mesh: Sequence[str]
    embedding: Sequence[str]
    depth_scale: float | None

    @property
    def version(self) -> str:
        return "2 or later" if self.is_version_2 else "0.x"

    def notes(self) -> list[str]:
        notes = [f"Taken for version {self.version} of py-feat by its columns."]
        names = self.features.keys()
        if "Yaw" in names and self.is_version_2:
            notes.append("Pitch, Roll and Yaw: radians to degrees, Yaw with the sign turned.")
        elif "Yaw" in names:
            notes.append("Pitch, Roll and Yaw: degrees, signs turned (img2pose; other pose models were not checked).")
        if "gaze_pitch" in names:
            notes.append("gaze_pitch and gaze_yaw: radians to degrees, gaze_pitch with the sign turned.")
        if "pose_X" in names:
            notes.append("X, Y and Z are translations within the network, not cm: kept as pose_X, pose_Y and pose_Z.")
        if "neutral" in names and "Neutral" in self.features.values():
            notes.append("Emotions renamed: Happy to happiness, Sad to sadness, the others to lower case.")
        if self.depth_scale is not None:
            notes.append("Depth of the mesh times the width of the face box, so that it is in pixels.")
        if self.embedding:
            notes.append("Identity_1 and following: divided by their L2 norm.")
        return notes


@lru_cache(maxsize=64)
def _columns(names: tuple[str, ...]) -> _Columns:
    present = set(names)
    mesh, depth_scale = _mesh(present)
    embedding = [f"Identity_{i}" for i in range(1, 1 + sum(n.startswith("Identity_") for n in names))]
    embedding = embedding if present.issuperset(embedding) else []
    used = {*mesh, *embedding, "frame", "FrameWidth", "FrameHeight", *_TEXTS}
    return _Columns(
        is_version_2=not present.isdisjoint(_VERSION_2),
        features={_feature(name): name for name in names if name not in used},
        mesh=mesh,
        embedding=embedding,
        depth_scale=depth_scale,
    )


@dataclass(slots=True)
class _Place:
    """What is known of a recording from the blocks before."""

    slots: Slots
    people: dict[str, int]


def _mesh(names: set[str]) -> tuple[list[str], float | None]:
    """Return the columns of the landmarks, x before y before z, and what the depth is to be divided by."""
    for form, axes, n_points, scale in (
        ("mesh_{}_{}", "xyz", 478, 1.0),
        ("{}_{}", "xyz", 478, _CROP),
        ("{}_{}", "xy", 68, None),
    ):
        columns = [form.format(axis, i) for axis in axes for i in range(n_points)]
        if names.issuperset(columns):
            return columns, scale
    return [], None


def _feature(column: str) -> str:
    return f"pose_{column}" if column in ("X", "Y", "Z") else _EMOTIONS.get(column, column)


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """Rows of py-feat in the schema's names and units.

    Attributes
    ----------
    features
        Names of the measures.
    values
        (n_row, n_feature)
    is_face
        (n_row,) whether it is a face: py-feat has a row for a frame without any, too.
    points
        (n_row, n_landmark, 3) in pixels, or None.
    embedding
        (n_row, n_component) of unit L2 norm, NaN where there is none; None without such columns.
    other
        (unit, description) of the features that the schema does not have.
    """

    features: tuple[str, ...]
    values: NDArray[np.float64]
    is_face: NDArray[np.bool_]
    points: NDArray[np.float64] | None
    embedding: NDArray[np.float64] | None
    other: Mapping[str, tuple[str, str]]


def translate(block: Block, *, turned: Sequence[str] | None = None) -> Translation:
    """Translate rows, whether they come from a file or from a detector of py-feat.

    Parameters
    ----------
    block
        The rows.
    turned
        Angles whose sign is turned; by default those of files of the version that the columns tell.
    """
    columns = _columns(block.names)
    features = schema_order(columns.features)
    values = block.numbers(columns.features[feature] for feature in features)
    is_face = _has_face(features, values)
    if turned is None:
        turned = ("Yaw", "gaze_pitch") if columns.is_version_2 else ("Pitch", "Roll", "Yaw", "gaze_pitch")
    _convert(values, features, turned, is_version_2=columns.is_version_2)
    return Translation(
        features=features,
        values=values,
        is_face=is_face,
        points=_points(columns, block),
        embedding=_embedding(columns, block),
        other={
            feature: (_unit(feature), f"column {columns.features[feature]} of py-feat")
            for feature in features
            if feature not in FEATURES
        },
    )


def _recording(table: Table, columns: _Columns, block: Block, label: str, place: _Place) -> Recording:
    found = translate(block)
    n_before = len(place.slots.problems)
    repeated = _repeated(block, found.values)
    for line in block.line[repeated]:
        place.slots.problems.append(
            f"{table.path.name}: line {line}, column 'frame': found a row again; it is left out"
        )
    kept = ~repeated
    frame, rank = block.column("frame")[kept], _rank(block.column("frame")[kept])
    placement = place.slots.place(frame=frame, line=block.line[kept], face=rank, has_face=found.is_face[kept])
    problems = place.slots.problems[n_before:]

    def spread(rows: NDArray[np.float64] | None) -> NDArray[np.float32] | None:
        return None if rows is None else placement.spread(rows[kept])

    return Recording(
        label=label,
        source=str(table.path),
        features=found.features,
        values=placement.spread(found.values[kept]),
        frame_number=placement.frames,
        timestamp=np.full(len(placement.frames), np.nan),
        n_faces_found=placement.n_faces_found,
        track_id=_track_id(placement, block, kept, place.people),
        landmarks=spread(found.points),
        # py-feat writes the columns without having computed any
        embedding=spread(found.embedding) if _is_any(found.embedding, kept) else None,
        width=_size(block, "FrameWidth"),
        height=_size(block, "FrameHeight"),
        version=columns.version,
        units=tuple((feature, unit) for feature, (unit, _) in found.other.items() if unit),
        descriptions=tuple((feature, text) for feature, (_, text) in found.other.items()),
        notes=tuple(sorted({*table.notes, *columns.notes()})),
        problems=(*table.problems, *problems),
    )


def _has_face(features: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which rows are faces: py-feat writes a row for a frame without any, with a score of 0 or nothing."""
    measures = [i for i, feature in enumerate(features) if feature != "FaceScore"]
    found = np.asarray(np.isfinite(values[:, measures]).any(axis=1))
    return found & (values[:, features.index("FaceScore")] != 0) if "FaceScore" in features else found


def _repeated(block: Block, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Say which rows are the same as an earlier one of their frame."""
    frame = block.column("frame")
    _, inverse, counts = np.unique(frame, return_inverse=True, return_counts=True)
    repeated = np.zeros(len(block), dtype=bool)
    several = np.flatnonzero(counts[inverse] > 1)
    if len(several):
        rows = np.ascontiguousarray(np.column_stack([frame, values])[several])
        _, first = np.unique(rows.view(f"V{rows.shape[1] * rows.itemsize}"), return_index=True)
        repeated[np.delete(several, first)] = True
    return repeated


def _rank(frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the place of each row among the rows of its frame."""
    order = np.argsort(frame, kind="stable")
    _, start, counts = np.unique(frame[order], return_index=True, return_counts=True)
    rank = np.empty(len(frame))
    rank[order] = np.arange(len(frame)) - np.repeat(start, counts)
    return rank


def _convert(
    values: NDArray[np.float64], features: Sequence[str], turned: Sequence[str], *, is_version_2: bool
) -> None:
    """Turn angles into the schema's, in place."""
    for i, feature in enumerate(features):
        if feature in _ANGLES:
            factor = np.degrees(1.0) if is_version_2 else 1.0
            values[:, i] *= -factor if feature in turned else factor


def _track_id(placement: Placement, block: Block, kept: NDArray[np.bool_], people: dict[str, int]) -> NDArray[np.int32]:
    identities = block.texts.get("Identity")
    track_id = placement.track_id
    if identities is None or not any(identities[kept]):
        return track_id
    numbers = np.array([people.setdefault(who, _number(who, people)) if who else np.nan for who in identities[kept]])
    known = placement.spread(numbers)
    return np.where(np.isfinite(known) & (track_id >= 0), np.nan_to_num(known), track_id).astype(np.int32)


def _number(who: str, people: Mapping[str, int]) -> int:
    match = re.fullmatch(r"\D*(\d{1,9})(?:\.0)?", who)
    return int(match[1]) if match else max(people.values(), default=-1) + 1


def _points(columns: _Columns, block: Block) -> NDArray[np.float64] | None:
    if not columns.mesh:
        return None
    n_axes = 2 if columns.depth_scale is None else 3
    given = block.numbers(columns.mesh).reshape(len(block), n_axes, -1)
    points = np.full((len(given), given.shape[2], 3), np.nan)
    points[:, :, :n_axes] = given.transpose(0, 2, 1)
    if "FaceRectWidth" not in block.names:
        points[:, :, 2] = np.nan
    elif columns.depth_scale is not None:
        points[:, :, 2] *= (block.column("FaceRectWidth") / columns.depth_scale)[:, None]
    return points


def _embedding(columns: _Columns, block: Block) -> NDArray[np.float64] | None:
    if not columns.embedding:
        return None
    values = block.numbers(columns.embedding)
    norm = np.linalg.norm(values, axis=1, keepdims=True)
    unit: NDArray[np.float64] = values / np.where(norm > 0, norm, np.nan)
    return unit


def _is_any(values: NDArray[np.float64] | None, kept: NDArray[np.bool_]) -> bool:
    return values is not None and bool(np.isfinite(values[kept]).any())


def _size(block: Block, column: str) -> int:
    if column not in block.names:
        return 0
    sizes = block.column(column)
    sizes = sizes[np.isfinite(sizes)]
    return int(sizes[0]) if len(sizes) else 0


def _unit(feature: str) -> str:
    if feature == "gaze_angle":
        return "degree"
    return "px" if _POINT.fullmatch(feature) and not feature.startswith("Identity_") else ""


def _file_name(label: str | None) -> str:
    """Return the path of the recording with slashes, whatever system it was written on."""
    text = (label or "").strip()
    return PureWindowsPath(text).as_posix() if "\\" in text else str(PurePosixPath(text)) if text else ""
