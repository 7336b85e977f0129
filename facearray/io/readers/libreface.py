"""CSV of LibreFace: a row for every frame of a video that has a face, or for a picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facearray.io.readers.columns import Block, Table, head_names
from facearray.io.readers.notes import note
from facearray.io.readers.placement import Slots, schema_order
from facearray.io.recording import Recording

name = "libreface"
title = "LibreFace"
suffixes = (".csv",)
conversions = (
    ("`frame_idx`", "`frame_number`"),
    (
        "`frame_time_in_ms`",
        "`timestamp`: divided by 1000; where it grows by less than 1 a frame it is seconds, as newer versions write",
    ),
    ("`au_1_intensity` …: 0 to 5", "`AU01` …: divided by 5"),
    ("`au_1` …: whether there", "`other`"),
    ("`facial_expression`", "`other`: `facial_expression_Happiness` … are 1 or 0; it is a choice, not a probability"),
    (
        "`pitch` `yaw` `roll`",
        "`other`: they come of a fit of the points to themselves, times 360: neither degrees nor the schema's signs",
    ),
    ("`gaze_yaw` `gaze_pitch`", "`other`, as `LibreFace gaze_yaw` …: which way they are positive is not known"),
    ("`lm_mp_0_x` …", "`other`: points in parts of the frame's size, which the file does not have"),
)

#: What the network chooses between.
_EXPRESSIONS = ("Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt")

_FRAME, _TIME, _EXPRESSION = "frame_idx", "frame_time_in_ms", "facial_expression"
_MAX_INTENSITY = 5.0
_UNITS = {"LibreFace gaze_yaw": "degree", "LibreFace gaze_pitch": "degree"}


def sniff(head: bytes, path: Path) -> bool:  # noqa: ARG001
    """Say whether a file is one of LibreFace."""
    names = head_names(head)
    return _EXPRESSION in names and any(re.fullmatch(r"au_\d+(_intensity)?", name) for name in names)


def read(path: Path) -> Iterator[Recording]:
    """Read a video or picture.

    Raises
    ------
    ReadError
        If the file has no rows, no column ``facial_expression``, or frames out of order.
    """
    table = Table(path)
    table.require([_EXPRESSION, *([_TIME] if _FRAME in table.names else [])])
    slots = Slots(path, _FRAME)
    unit = float("nan")
    unknown: list[str] = []
    for block in table.blocks(texts=[_EXPRESSION]):
        n = len(block)
        frame, time = np.zeros(n), np.full(n, np.nan)
        if _FRAME in table.names:
            frame, time = block.column(_FRAME), block.column(_TIME)
            unit = _ms_or_s(frame, time) if np.isnan(unit) else unit
        features = _features(block)
        unknown += [
            f"{path.name}: line {line}, column {_EXPRESSION!r}: found {text!r}; expected one of {_EXPRESSIONS}"
            for line, text in zip(block.line, block.texts[_EXPRESSION], strict=True)
            if text and text.strip() not in _EXPRESSIONS
        ]
        names = schema_order(features)
        placement = slots.place(frame=frame, line=block.line)
        yield Recording(
            label=path.name,
            source=str(path),
            features=names,
            values=placement.spread(np.stack([features[name] for name in names], axis=1)),
            frame_number=placement.frames,
            timestamp=placement.of_frames(time / unit),
            n_faces_found=placement.n_faces_found,
            track_id=placement.track_id,
            units=tuple((name, unit) for name, unit in _UNITS.items() if name in names),
            notes=(*(note(title, what, how) for what, how in conversions), *sorted(table.notes)),
            problems=(*table.problems, *slots.problems, *unknown),
        )


def _ms_or_s(frame: NDArray[np.float64], time: NDArray[np.float64]) -> float:
    """Return what times are divided by: no camera of this tool takes more than 1000 frames a second."""
    with np.errstate(invalid="ignore", divide="ignore"):
        steps = np.diff(time) / np.diff(frame)
    steps = steps[np.isfinite(steps)]
    return 1.0 if len(steps) and np.median(steps) < 1 else 1000.0


def _features(block: Block) -> dict[str, NDArray[np.float64]]:
    """Measures of all rows, in the schema's names where it has them."""
    found: dict[str, NDArray[np.float64]] = {}
    for column in block.names:
        if column in (_FRAME, _TIME):
            continue
        if column == _EXPRESSION:
            chosen = np.array([text.strip() if text else "" for text in block.texts[column]])
            found |= {f"{column}_{label}": np.where(chosen == "", np.nan, chosen == label) for label in _EXPRESSIONS}
        elif match := re.fullmatch(r"au_(\d+)_intensity", column):
            found[f"AU{int(match[1]):02d}"] = block.column(column) / _MAX_INTENSITY
        else:
            found[f"LibreFace {column}" if column in ("gaze_yaw", "gaze_pitch") else column] = block.column(column)
    return found
