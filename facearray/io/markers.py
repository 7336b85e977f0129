"""What is in a marker of a row: JSON, of which the coordinates of its video are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from facearray.io.columns import NUMBERS, finite
from facearray.schema import COORDS

__all__ = ["PER_VIDEO", "from_json", "is_record", "to_json"]

#: Coordinates that a row's record determines.
PER_VIDEO = (*NUMBERS, "status", "error")


def to_json(value: Mapping[str, Any]) -> bytes:
    """Write a record; numbers that JSON has no word for are missing."""
    return json.dumps(finite(value), ensure_ascii=False, allow_nan=False, sort_keys=True).encode()


def from_json(content: bytes) -> dict[str, Any] | None:
    """Read a record; None if the file is damaged."""
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def is_record(state: str, record: Mapping[str, Any]) -> bool:
    """Whether a marker holds what it should, so that it can be laid over the coordinates of its row."""
    if state == "failed" and not isinstance(record.get("error"), str):
        return False
    numbers = {name: record.get(name, "absent" if state == "done" else None) for name in NUMBERS}
    if state == "done" and numbers["n_frames"] is None:
        return False
    return all(value is None or _fits(name, value) for name, value in numbers.items())


def _fits(name: str, value: Any) -> bool:
    dtype = COORDS[name].numpy_dtype
    if dtype.kind == "i":
        return isinstance(value, int) and 0 <= value <= np.iinfo(dtype).max
    return isinstance(value, int | float)
