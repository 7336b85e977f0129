"""Results of MediaPipe's FaceLandmarker: JSON files, and the result objects themselves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError, ReadError
from facearray.io.readers.documents import read_documents
from facearray.io.readers.landmarker import (
    PARTS,
    Face,
    faces_of_mapping,
    faces_of_result,
    first_of,
    is_result,
    more_of_points,
)
from facearray.io.readers.notes import note
from facearray.io.readers.rotations import head_angles
from facearray.io.recording import Recording
from facearray.schema import GROUPS, feature_names

name = "mediapipe"
title = "MediaPipe FaceLandmarker"
suffixes = (".json", ".jsonl")
conversions = (
    ("`face_landmarks`", "`landmarks`: x and z times the frame's width, y times its height"),
    (
        "`face_landmarks` of a file without `width` and `height`",
        "`other`: `face_landmarks_0_x` …, in parts of the frame's size",
    ),
    ("`face_blendshapes`", "the blendshapes by their `category_name`; unknown ones in `other`"),
    ("`facial_transformation_matrixes`", "`Pitch`, `Roll`, `Yaw` in degrees and `X`, `Y`, `Z` in cm, same axes"),
    ("`timestamp_ms`", "`timestamp`, divided by 1000; `timestamp` and `time` are taken as seconds"),
)

_NUMBER = ("frame", "frame_index", "frame_number", "frameIndex", "frameNumber")
_SECONDS = ("timestamp", "time")
_MILLISECONDS = ("timestamp_ms", "timestampMs", "time_ms", "timeMs")
_KNOWN_OF_FRAME = (*PARTS, *_NUMBER, *_SECONDS, *_MILLISECONDS)

_FRAMES = ("frames", "results")
_LABEL = ("video", "source")
_KNOWN_OF_FILE = (*_FRAMES, *_LABEL, "width", "height", "fps")


def sniff(head: bytes, path: Path) -> bool:  # noqa: ARG001
    """Say whether a file holds results of FaceLandmarker."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") and any(f'"{key}"'.encode() in head for key in PARTS)


def read(path: Path) -> Iterator[Recording]:
    """Read a file of results: a list of frames, or an object with ``frames``, ``width``, ``height`` and ``fps``.

    Raises
    ------
    ReadError
        If the file is no JSON, or a part of a frame is not what it should be; the message names the frame.
    """
    frames, about = _frames_and_about(read_documents(path), path)
    if not frames:
        raise ReadError(f"{path}: found an empty list; expected a FaceLandmarker result for every frame")
    faces, notes = [], []
    for position, frame in enumerate(frames):
        if not isinstance(frame, Mapping):
            raise ReadError(f"{path}, frame {position}: found {type(frame).__name__}; expected an object")
        faces.append(faces_of_mapping(frame, f"{path}, frame {position}"))
    unused = sorted({key for frame in frames for key in frame} - set(_KNOWN_OF_FRAME))
    if unused:
        notes.append(note(title, f"{', '.join(unused)} of the frames", "left out"))
    if of_points := sorted({key for frame in frames for key in more_of_points(frame)}):
        notes.append(note(title, f"{', '.join(of_points)} of the points", "left out"))
    notes += [f"said of all frames: {key} {about[key]}" for key in about if key not in _KNOWN_OF_FILE]
    timestamp, how = _timestamps(frames, path)
    yield _recording(
        faces,
        label=str(first_of(about, _LABEL, path.name)),
        source=str(path),
        width=int(_positive(about, "width", 0, path)),
        height=int(_positive(about, "height", 0, path)),
        fps=_positive(about, "fps", math.nan, path),
        timestamp=timestamp,
        frame_number=_frame_numbers(frames, path),
        notes=[*how, *notes],
    )


def from_results(
    results: Sequence[Any],
    *,
    label: str,
    width: int,
    height: int,
    fps: float | None = None,
    timestamps: Sequence[float] | None = None,
) -> Recording:
    """Take over a list of ``FaceLandmarkerResult`` objects, one for each frame of a video.

    Parameters
    ----------
    results
        What ``FaceLandmarker.detect`` or ``detect_for_video`` returned, frame by frame.
    label
        Label of the video.
    width, height
        Size of the frames in pixels: MediaPipe gives the points in parts of it.
    fps
        Frame rate of the video, in frames a second; unknown by default.
    timestamps
        Times of the frames in seconds; by default the frame's number divided by ``fps``, NaN where that is unknown.

    Returns
    -------
    Recording
        The detections, in pixels, degrees and cm, NaN in frames without a face; slots are in the order that MediaPipe
        has its faces in, which it does not keep over time. :func:`facearray.io.read.from_recordings` makes a Dataset of
        one or more.

    Raises
    ------
    InputError
        If the frames have no extent, the frame rate is not positive, the number of timestamps differs from that of
        the results, or an object is no such result.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> points = [SimpleNamespace(x=0.5, y=0.25, z=0.0)] * 478
    >>> found = SimpleNamespace(face_landmarks=[points], face_blendshapes=[], facial_transformation_matrixes=[])
    >>> recording = from_results([found], label="clip.mp4", width=640, height=480, fps=25)
    >>> recording.landmarks[0, 0, 0].tolist()
    [320.0, 120.0, 0.0]
    """
    problems = []
    if not (width > 0 and height > 0):
        problems.append(f"found frames of {width} x {height} pixels; expected positive sizes")
    if fps is not None and not 0 < fps < math.inf:
        problems.append(f"found {fps} frames a second; expected a positive number, or None if it is unknown")
    if timestamps is not None and len(timestamps) != len(results):
        problems.append(f"found {len(timestamps)} timestamps; expected {len(results)}, one for each result")
    wrong = [i for i, result in enumerate(results) if not is_result(result)]
    if wrong:
        kind = type(results[wrong[0]]).__name__
        problems.append(f"found {kind} as result {wrong[0]}; expected FaceLandmarkerResult objects")
    if problems:
        raise InputError("; ".join(problems))
    return _recording(
        [faces_of_result(result) for result in results],
        label=label,
        source="",
        width=width,
        height=height,
        fps=math.nan if fps is None else fps,
        timestamp=np.full(len(results), np.nan) if timestamps is None else np.asarray(timestamps, np.float64),
        frame_number=np.arange(len(results), dtype=np.int32),
        notes=[],
    )


def _recording(
    frames: Sequence[Sequence[Face]],
    *,
    label: str,
    source: str,
    width: int,
    height: int,
    fps: float,
    timestamp: NDArray[np.float64],
    frame_number: NDArray[np.int32],
    notes: Sequence[str],
) -> Recording:
    """Gather the faces of all frames, converted to the schema's units."""
    n_faces_found = np.array([len(faces) for faces in frames], np.int16)
    rows = np.array([row for row, faces in enumerate(frames) for _ in faces], np.intp)
    slots = np.array([slot for faces in frames for slot in range(len(faces))], np.intp)
    flat = [face for faces in frames for face in faces]
    columns, made = _columns(flat)
    points = _points(flat, label)
    landmarks = None
    n_slots = max(1, int(n_faces_found.max(initial=0)))
    if points is not None and width and height:
        landmarks = np.full((len(frames), n_slots, *points.shape[1:]), np.nan, np.float32)
        landmarks[rows, slots] = points * (width, height, width)
        made.append(note(title, *conversions[0]))
    elif points is not None:
        where = [(i, k) for i in range(points.shape[1]) for k in range(3)]
        columns |= {f"face_landmarks_{i}_{'xyz'[k]}": points[:, i, k] for i, k in where}
        made.append(note(title, *conversions[1]))
    features = _in_order(columns)
    values = np.full((len(frames), n_slots, len(features)), np.nan, np.float32)
    if features:
        values[rows, slots] = np.column_stack([columns[feature] for feature in features])
    track_id = np.full((len(frames), n_slots), -1, np.int32)
    track_id[rows, slots] = slots
    if n_slots > 1:
        made.append(note(title, "faces", "slots in MediaPipe's order of each frame, which it does not keep over time"))
    return Recording(
        label=label,
        source=source,
        features=features,
        values=values,
        frame_number=frame_number,
        timestamp=np.where(np.isnan(timestamp), frame_number / fps, timestamp),
        n_faces_found=n_faces_found,
        track_id=track_id,
        landmarks=landmarks,
        fps=fps,
        width=width,
        height=height,
        notes=(*made, *notes),
    )


def _columns(faces: Sequence[Face]) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Values of all faces by feature, but their points, and notes on them."""
    columns: dict[str, NDArray[np.float64]] = {}
    notes = []
    if any(face.matrix is not None for face in faces):
        nothing = np.full((4, 4), np.nan)
        matrices = np.stack([nothing if face.matrix is None else face.matrix for face in faces])
        poses = np.column_stack([head_angles(matrices[:, :3, :3]), matrices[:, :3, 3]])
        columns |= dict(zip(GROUPS["poses"].features, poses.T, strict=True))
        notes.append(note(title, *conversions[3]))
    for shape in dict.fromkeys(name for face in faces for name in face.blendshapes):
        columns[shape] = np.array([face.blendshapes.get(shape, np.nan) for face in faces])
    return columns, notes


def _points(faces: Sequence[Face], label: str) -> NDArray[np.float64] | None:
    """(n_face, n_landmark, 3) points, NaN for faces without, or None where there are none at all."""
    sizes = sorted({len(face.landmarks) for face in faces if face.landmarks is not None})
    if not sizes:
        return None
    if len(sizes) > 1:
        raise ReadError(f"{label}: found faces of {sizes[0]} and of {sizes[-1]} points; expected one number of points")
    nothing = np.full((sizes[0], 3), np.nan)
    return np.stack([nothing if face.landmarks is None else face.landmarks for face in faces])


def _in_order(columns: Mapping[str, object]) -> tuple[str, ...]:
    known = [name for name in feature_names("poses", "blendshapes") if name in columns]
    return (*known, *(name for name in columns if name not in known))


def _frames_and_about(documents: list[Any], path: Path) -> tuple[list[Any], dict[str, Any]]:
    """Frames of a file, and what it says about all of them."""
    if len(documents) > 1:
        return documents, {}
    (document,) = documents
    if isinstance(document, list):
        return document, {}
    if isinstance(document, dict):
        frames = first_of(document, _FRAMES, None)
        if isinstance(frames, list):
            return frames, document
        if frames is None and any(key in document for key in PARTS):
            return [document], {}
    raise ReadError(
        f"{path}: found no list of frames; expected a list of FaceLandmarker results, or an object with it under "
        f"{' or '.join(map(repr, _FRAMES))}"
    )


def _frame_numbers(frames: list[Any], path: Path) -> NDArray[np.int32]:
    numbers = [first_of(frame, _NUMBER, position) for position, frame in enumerate(frames)]
    array = np.array([_number(n, f"{path}, frame {i}: number") for i, n in enumerate(numbers)])
    wrong = np.flatnonzero((np.diff(array, prepend=-1) <= 0) | (array % 1 != 0) | (array >= 2**31))
    if wrong.size:
        raise ReadError(
            f"{path}, frame {wrong[0]}: found frame number {numbers[wrong[0]]}; expected whole numbers from 0 on, each "
            "larger than the one before"
        )
    return array.astype(np.int32)


def _timestamps(frames: list[Any], path: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Return times in seconds, NaN where a frame has none, and notes on their unit."""
    times = np.full(len(frames), np.nan)
    units = set()
    for position, frame in enumerate(frames):
        for keys, divisor, unit in ((_MILLISECONDS, 1000.0, "ms"), (_SECONDS, 1.0, "s")):
            key = next((key for key in keys if frame.get(key) is not None), None)
            if key is not None:
                times[position] = _number(frame[key], f"{path}, frame {position}: {key}") / divisor
                units.add(note(title, key, f"`timestamp`, taken as {unit}"))
                break
    return times, sorted(units)


def _positive(about: Mapping[str, Any], key: str, default: float, path: Path) -> float:
    if about.get(key) is None:
        return default
    number = _number(about[key], f"{path}: {key}")
    if not 0 < number < 2**31:
        raise ReadError(f"{path}: {key}: found {number:g}; expected a positive number below 2**31")
    return number


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReadError(f"{where}: found {value!r}; expected a number")
    return float(value)
