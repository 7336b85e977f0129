"""CSV of OpenFace 2: FeatureExtraction, FaceLandmarkVidMulti and FaceLandmarkImg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facearray.io.readers.columns import Table, head_names
from facearray.io.readers.notes import note
from facearray.io.readers.placement import Slots, schema_order
from facearray.io.readers.rotations import head_angles, rotation_xyz
from facearray.io.recording import Recording

name = "openface"
title = "OpenFace 2"
suffixes = (".csv",)

#: What is converted: columns by which a file has it, what it is, and what becomes of it.
_RULES = (
    (r"frame", "`frame`, from 1", "`frame_number`, from 0"),
    (r"success", "rows with `success` 0", "frames without a face: what OpenFace leaves in such rows is not kept"),
    (r"face_id", "`face_id`", "`track_id`; a face keeps its slot"),
    (r"confidence", "`confidence`", "`FaceScore`"),
    (
        r"pose_R.",
        "`pose_Rx` `pose_Ry` `pose_Rz`: radians of Rx Ry Rz; x right, y down, z away from the camera",
        "`Pitch` `Yaw` `Roll`: degrees of Rz(Roll) Ry(Yaw) Rx(Pitch); x right, y up, z towards the camera",
    ),
    (r"pose_T.", "`pose_Tx` `pose_Ty` `pose_Tz`: mm, same axes", "`X` `Y` `Z`: cm; y and z turned round"),
    (
        r"AU\d\d_r",
        "`AU01_r` …: 0 to 5",
        "`AU01` …: divided by 5; `AU45`, blinks, is in `other`, as `AU43` is closed eyes",
    ),
    (r"AU\d\d_c", "`AU01_c` …: whether there", "`other`"),
    (r"gaze_angle_.", "`gaze_angle_x` `gaze_angle_y`: radians", "`gaze_yaw` `gaze_pitch`: degrees, same directions"),
    (
        r"gaze_\d_.",
        "`gaze_0_x` …: the direction of each eye",
        "`other`; in files without `gaze_angle_x`, `gaze_yaw` and `gaze_pitch` are those of the mean of both",
    ),
    (r"x_\d+", "`x_0` … `y_67`", "`landmarks`, x and y"),
    (
        r"X_\d+",
        "`X_0` … `Z_67`: mm",
        "`other`; and `landmarks`, z: depth behind the mean of the points, times the pixels per mm at that depth",
    ),
)
conversions = tuple((what, how) for _, what, how in _RULES)

#: Points of the face, and the highest value of an action unit's intensity.
_N_LANDMARKS, _MAX_INTENSITY = 68, 5.0

#: From OpenFace's axes (x right, y down, z away from the camera) to the schema's, both right-handed.
_AXES = np.array([1.0, -1.0, -1.0])

_CONTROL = ("frame", "face", "face_id", "timestamp", "success")
_POSITION, _ANGLES = ("pose_Tx", "pose_Ty", "pose_Tz"), ("pose_Rx", "pose_Ry", "pose_Rz")
_GAZE = tuple(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz")
_GAZE_ANGLES = ("gaze_angle_x", "gaze_angle_y")
_POINTS_2D, _POINTS_3D = ([f"{axis}_{i}" for axis in axes for i in range(_N_LANDMARKS)] for axes in ("xy", "XYZ"))

_INTENSITIES = tuple(f"AU{i:02}_r" for i in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45))
_PRESENCES = tuple(sorted(f"{name[:4]}_c" for name in (*_INTENSITIES, "AU28_r")))
_EYES = tuple(tuple(f"eye_lmk_{axis}_{i}" for axis in axes for i in range(56)) for axes in ("xy", "XYZ"))

#: Columns that stand together if any of them is there.
_FAMILIES = (_POSITION, _ANGLES, _GAZE, _GAZE_ANGLES, _POINTS_2D, _POINTS_3D, *_EYES, _INTENSITIES, _PRESENCES)

_UNITS = ((r"[XYZ]_\d+|eye_lmk_[XYZ]_\d+", "mm"), (r"eye_lmk_[xy]_\d+", "px"), (r"p_r[xyz]", "rad"))

_Columns = Mapping[str, NDArray[np.float64]]


def sniff(head: bytes, path: Path) -> bool:  # noqa: ARG001
    """Say whether a file is one of OpenFace 2."""
    names = head_names(head)
    return "confidence" in names and ("success" in names or "face" in names)


def read(path: Path) -> Iterator[Recording]:
    """Read a video or picture.

    Raises
    ------
    ReadError
        If the file has no rows, no column ``confidence``, or frames out of order.
    """
    table = Table(path)
    is_video = not {"frame", "timestamp"}.isdisjoint(table.names)
    table.require(["confidence", *(["frame", "timestamp", "success"] if is_video else [])])
    table.expect(_FAMILIES)
    slots = Slots(path, "frame" if "frame" in table.names else "face")
    first_frame = float("nan")
    together = ["frame"] if "face_id" in table.names else []
    for block in table.blocks(together=together):
        columns = {name: block.column(name) for name in table.names}
        if np.isnan(first_frame) and "frame" in columns:
            first_frame = 0.0 if columns["frame"][0] == 0 else 1.0
        frame = columns["frame"] - first_frame if "frame" in columns else np.zeros(len(block))
        placement = slots.place(
            frame=frame,
            line=block.line,
            face=columns.get("face_id", columns.get("face")),
            has_face=columns["success"] != 0 if "success" in columns else None,
        )
        with np.errstate(invalid="ignore", divide="ignore"):  # rows without a face are still in it
            features, points = _features(columns), _landmarks(columns)
        names = schema_order(features)
        yield Recording(
            label=path.name,
            source=str(path),
            features=names,
            values=placement.spread(np.stack([features[name] for name in names], axis=1)),
            frame_number=placement.frames,
            timestamp=placement.of_frames(columns.get("timestamp", np.full(len(block), np.nan))),
            n_faces_found=placement.n_faces_found,
            track_id=placement.track_id,
            landmarks=None if points is None else placement.spread(points),
            units=tuple((name, unit) for name in names for pattern, unit in _UNITS if re.fullmatch(pattern, name)),
            notes=tuple(
                sorted(
                    {note(title, what, how) for pattern, what, how in _RULES if _any(pattern, table.names)}
                    | table.notes
                )
            ),
            problems=(*table.problems, *slots.problems),
        )


def _any(pattern: str, names: tuple[str, ...]) -> bool:
    return any(re.fullmatch(pattern, name) for name in names)


def _features(columns: _Columns) -> dict[str, NDArray[np.float64]]:
    """Measures of all rows in the schema's names, units and signs; what it does not know under its own name."""
    found: dict[str, NDArray[np.float64]] = {}
    used = set(_CONTROL)

    def has(*names: str) -> bool:
        present = all(name in columns for name in names)
        used.update(names if present else ())
        return present

    if has("confidence"):
        found["FaceScore"] = columns["confidence"]
    if has(*_ANGLES):
        found |= _angles(columns)
    if has(*_POSITION):
        found |= {new: columns[old] * sign / 10 for new, old, sign in zip("XYZ", _POSITION, _AXES, strict=True)}
    for intensity in sorted(name for name in columns if re.fullmatch(r"AU\d\d_r", name)):
        used.add(intensity)
        found[intensity.removesuffix("_r")] = columns[intensity] / _MAX_INTENSITY
    if has(*_GAZE_ANGLES):
        found |= {"gaze_pitch": np.degrees(columns["gaze_angle_y"]), "gaze_yaw": np.degrees(columns["gaze_angle_x"])}
    elif all(name in columns for name in _GAZE):
        found |= _gaze(columns)
    has(*_POINTS_2D)
    return found | {name: values for name, values in columns.items() if name not in used}


def _angles(columns: _Columns) -> dict[str, NDArray[np.float64]]:
    """Angles of the head, from Rx Ry Rz of OpenFace's axes."""
    turned = rotation_xyz(*(columns[name] for name in _ANGLES)) * np.outer(_AXES, _AXES)
    return dict(zip(("Pitch", "Roll", "Yaw"), head_angles(turned).T, strict=True))


def _gaze(columns: _Columns) -> dict[str, NDArray[np.float64]]:
    """Angles of the mean direction of both eyes, as newer versions of OpenFace compute them."""
    x, y, z = ((columns[f"gaze_0_{axis}"] + columns[f"gaze_1_{axis}"]) / 2 for axis in "xyz")
    return {"gaze_pitch": np.degrees(np.arctan2(y, -z)), "gaze_yaw": np.degrees(np.arctan2(x, -z))}


def _landmarks(columns: _Columns) -> NDArray[np.float64] | None:
    """(n_row, 68, 3) points in pixels, or None; z is NaN where there are no points in mm."""
    if not all(name in columns for name in _POINTS_2D):
        return None
    points = np.full((len(columns["x_0"]), _N_LANDMARKS, 3), np.nan)
    points[:, :, :2] = _stacked(columns, _POINTS_2D, 2)
    if all(name in columns for name in _POINTS_3D):
        metric = _stacked(columns, _POINTS_3D, 3)
        depth = metric[:, :, 2]
        points[:, :, 2] = (depth - _centre(depth)) * _pixels_per_mm(points[:, :, 0], metric)
    return points


def _pixels_per_mm(x: NDArray[np.float64], metric: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale at the head's centre: the focal length, which x = focal X / Z + constant gives, over the mean depth."""
    slope = metric[:, :, 0] / metric[:, :, 2]
    slope, x = slope - _centre(slope), x - _centre(x)
    focal = (slope * x).sum(axis=1, keepdims=True) / (slope**2).sum(axis=1, keepdims=True)
    scale: NDArray[np.float64] = focal / _centre(metric[:, :, 2])
    return scale


def _centre(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values.mean(axis=1, keepdims=True))


def _stacked(columns: _Columns, names: list[str], n_axes: int) -> NDArray[np.float64]:
    """(n_row, 68, n_axes) points of columns that are sorted by axis."""
    table = np.stack([columns[name] for name in names], axis=1)
    return table.reshape(-1, n_axes, _N_LANDMARKS).swapaxes(1, 2)
