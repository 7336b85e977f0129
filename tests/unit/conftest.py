"""Detections that are made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import xarray as xr

from facearray import schema

STRING = np.dtypes.StringDType()


def make_recordings(
    lengths: dict[str, int],
    *,
    n_faces: int = 1,
    features: Sequence[str] = ("Yaw", "AU12", "happiness"),
    fps: float = 25.0,
    n_landmarks: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Videos of some numbers of frames; the face of slot k is in the frames whose number is not k modulo 5."""
    rng = np.random.default_rng(seed)
    n, n_frame = len(lengths), max(lengths.values(), default=0)
    count = np.array(list(lengths.values()))
    position = np.arange(n_frame)
    real = position < count[:, None]
    face = real[:, :, None] & (position[:, None] % 5 != np.arange(n_faces))
    values = {
        "features": rng.random((n, n_frame, n_faces, len(features)), dtype="f4"),
        "landmarks": rng.random((n, n_frame, n_faces, n_landmarks or 0, 3), dtype="f4"),
    }
    dims = ("video", "frame", "face")
    ds = xr.Dataset(
        {"features": ((*dims, "feature"), np.where(face[..., None], values["features"], np.float32(np.nan)))},
        coords={
            "video": np.array(list(lengths), dtype=STRING),
            "feature": np.array(features, dtype=STRING),
            "n_frames": ("video", count.astype("i4")),
            "fps": ("video", np.full(n, fps)),
            "width": ("video", np.full(n, 640, "i4")),
            "height": ("video", np.full(n, 480, "i4")),
            "duration": ("video", count / fps),
            "frame_number": (dims[:2], np.where(real, position, -1).astype("i4")),
            "timestamp": (dims[:2], np.where(real, position / fps, np.nan)),
            "n_faces_found": (dims[:2], np.where(real, face.sum(-1), -1).astype("i2")),
            "track_id": (dims, np.where(face, np.arange(n_faces), -1).astype("i4")),
        }
        | {name: ("video", np.array(texts, dtype=STRING)) for name, texts in _texts(lengths).items()}
        | {
            name: ("feature", np.array([getattr(schema.FEATURES[f], name) for f in features], dtype=STRING))
            for name in ("group", "unit", "description")
        },
        attrs={"facearray_schema": schema.SCHEMA_VERSION, "detector": "made up"},
    )
    if n_landmarks is not None:
        points = np.where(face[..., None, None], values["landmarks"], np.float32(np.nan))
        ds = ds.assign(landmarks=((*dims, "landmark", "axis"), points))
        ds = ds.assign_coords(axis=np.array(["x", "y", "z"], dtype=STRING))
    schema.validate(ds)
    return ds


def _texts(labels: dict[str, int]) -> dict[str, list[str]]:
    n = len(labels)
    return {"source": [f"films/{label}" for label in labels], "status": ["done"] * n, "error": [""] * n}


@pytest.fixture(scope="session")
def recordings() -> Callable[..., xr.Dataset]:
    return make_recordings
