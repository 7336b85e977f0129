"""JSON of the Affectiva app: one object a frame with a face, or a photo with one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from facearray.errors import ReadError
from facearray.io.readers import affdex
from facearray.io.readers.documents import read_documents
from facearray.io.readers.notes import note
from facearray.io.recording import Recording
from facearray.schema import FEATURES

name = "affectiva"
title = "Affectiva app"
suffixes = (".json",)
conversions = (
    *affdex.CONVERSIONS,
    ("`Timestamp`", "`timestamp` in seconds, as it is"),
    ("`FileName`", "the label: every photo is a video of one frame"),
)

_TIME, _FILE = "Timestamp", "FileName"


def sniff(head: bytes, path: Path) -> bool:  # noqa: ARG001
    """Say whether a file is the app's."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") and b'"innerBrowRaise"' in head


def read(path: Path) -> Iterator[Recording]:
    """Read a file of the app: objects with commas between them, one object, or a list.

    Raises
    ------
    ReadError
        If the file is no JSON, or an object has something else than numbers; the message names object and key.
    """
    documents = read_documents(path)
    records = documents[0] if len(documents) == 1 and isinstance(documents[0], list) else documents
    if not records:
        raise ReadError(f"{path}: found an empty list; expected an object for every frame; export the file again")
    by_label: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for position, record in enumerate(records):
        if not isinstance(record, Mapping) or "innerBrowRaise" not in record:
            raise ReadError(f"{path}, object {position}: found no 'innerBrowRaise'; expected the metrics of a face")
        by_label.setdefault(str(record.get(_FILE, path.name)), []).append((position, record))
    metrics = tuple(dict.fromkeys(key for record in records for key in record if key not in (_TIME, _FILE)))
    for label, positions_and_records in by_label.items():
        yield _recording(path, label, positions_and_records, metrics)


def _recording(
    path: Path, label: str, records: list[tuple[int, Mapping[str, Any]]], metrics: tuple[str, ...]
) -> Recording:
    """Take over the frames of one video, or a photo."""
    features = {affdex.feature(metric): metric for metric in metrics}
    order = [name for name in FEATURES if name in features] + [name for name in features if name not in FEATURES]
    values = np.array(
        [
            [
                _number(record.get(features[name]), path, position, features[name]) / affdex.divisor(features[name])
                for name in order
            ]
            for position, record in records
        ]
    )
    timestamp = np.array([_number(record.get(_TIME), path, position, _TIME) for position, record in records])
    if np.any(np.diff(timestamp) <= 0):
        wrong = records[int(np.flatnonzero(np.diff(timestamp) <= 0)[0]) + 1][0]
        raise ReadError(f"{path}, object {wrong}, {_TIME}: found a time that is not after the one before it")
    n = len(records)
    notes = [note(title, what, how) for what, how in affdex.CONVERSIONS]
    if n > 1:
        notes.append(note(title, "objects", "`frame_number` counts them; the file leaves out frames without a face"))
    return Recording(
        label=label,
        source=str(path),
        features=tuple(order),
        values=values.astype(np.float32)[:, None, :],
        frame_number=np.arange(n, dtype=np.int32),
        timestamp=timestamp,
        n_faces_found=np.ones(n, np.int16),
        track_id=np.zeros((n, 1), np.int32),
        notes=tuple(notes),
    )


def _number(value: Any, path: Path, position: int, key: str) -> float:
    """Return a number, NaN where there is none."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReadError(f"{path}, object {position}, {key}: found {value!r}; expected a number")
    return float(value)
