"""A small store with contents that are known in advance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facearray.io.store import Layout, Store

FEATURES = ("FaceRectX", "AU12", "happiness", "my_own_measure")


def row_values(row: int, n_frames: int, layout: Layout) -> dict[str, np.ndarray]:
    """What the test's rows hold: every second frame of a source, a face in four of five of them."""
    rng = np.random.default_rng(row)
    face = rng.random(n_frames) < 0.8
    values: dict[str, np.ndarray] = {
        "frame_number": 2 * np.arange(n_frames, dtype=np.int32),
        "timestamp": np.arange(n_frames) / 12.5,
        "n_faces_found": face.astype(np.int16),
        "track_id": np.where(face, 0, -1).astype(np.int32)[:, None],
        "features": rng.random((n_frames, 1, len(layout.features)), dtype=np.float32),
    }
    if layout.n_landmarks is not None:
        values["landmarks"] = rng.random((n_frames, 1, layout.n_landmarks, 3), dtype=np.float32)
    if layout.n_components is not None:
        values["embedding"] = rng.random((n_frames, 1, layout.n_components), dtype=np.float32)
    for name in {"features", "landmarks", "embedding"} & set(values):
        values[name][~face] = np.nan
    return values


def row_record(n_frames: int) -> dict[str, Any]:
    return {"n_frames": n_frames, "fps": 25.0, "width": 64, "height": 48, "duration": n_frames / 12.5}


def write_row(store: Store, row: int, n_frames: int, *, block: int = 300) -> None:
    values = row_values(row, n_frames, store.layout)
    with store.row(row) as writer:
        for start in range(0, n_frames, block):
            writer.write(**{name: array[start : start + block] for name, array in values.items()})


def folder_contents(path: Path) -> dict[str, bytes]:
    """Every file below a folder, whatever it is called."""
    return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*")) if p.is_file()}


@pytest.fixture
def layout() -> Layout:
    return Layout(
        detector="fake",
        detector_version="1.2",
        features=FEATURES,
        n_landmarks=5,
        options={"every": 2, "slots": "largest"},
        assets={"fake.task": "ab" * 32},
    )


@pytest.fixture
def values() -> Callable[[int, int, Layout], dict[str, np.ndarray]]:
    return row_values


@pytest.fixture
def record() -> Callable[[int], dict[str, Any]]:
    return row_record


@pytest.fixture
def write() -> Callable[..., None]:
    return write_row


@pytest.fixture
def contents() -> Callable[[Path], Mapping[str, bytes]]:
    return folder_contents
