"""Detections that have all that functions of time courses look at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

FEATURES = [
    *("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"),
    *("Pitch", "Roll", "Yaw", "AU06", "AU12", "happiness"),
]


@pytest.fixture(scope="session")
def faces(recordings) -> xr.Dataset:
    """Four videos at 25 frames a second, one without frames; two faces, one of which is missing now and then."""
    rng = np.random.default_rng(1)
    ds = recordings({"b": 60, "a": 35, "empty": 0, "c": 52}, n_faces=2, features=FEATURES, n_landmarks=3)
    values = ds.features.values
    there = ~np.isnan(values[..., 0])
    walk = np.cumsum(rng.normal(size=values.shape), axis=1)
    scale = np.array([3, 3, 1, 1, 0.01, 2, 2, 2, 0.02, 0.02, 0.02])
    level = np.array([200, 150, 90, 110, 0.9, 0, 0, 0, 0.5, 0.5, 0.5])
    values = np.where(there[..., None], level + scale * walk, np.nan)
    # one feature has gaps of its own
    values[0, 20:23, 0, -1] = np.nan
    values[3, 10, 1, -2] = np.nan
    phase = np.where(np.arange(60) < 12, "rest", "task")
    return ds.assign(features=(ds.features.dims, values.astype("f4"))).assign_coords(
        person=(("video", "face"), [["p", "q"], ["p", "r"], ["", ""], ["q", "p"]]),
        phase=(("video", "frame"), np.where(ds.frame_number.values >= 0, phase, "").astype(np.dtypes.StringDType())),
    )


@pytest.fixture(scope="session")
def course(recordings) -> Callable[..., xr.Dataset]:
    """Make one video of one face from the values (n_frame[, n_feature]) of features, and times or a rate."""

    def make(values: Any, *, fps: float = 25.0, times: Any = None, features: list[str] | None = None) -> xr.Dataset:
        values = np.asarray(values, dtype="f4")
        values = values[:, None] if values.ndim == 1 else values
        ds = recordings({"a.mp4": len(values)}, features=features or ["AU12"], fps=fps)
        ds = ds.assign(features=(ds.features.dims, values[None, :, None]))
        if times is not None:
            ds = ds.assign_coords(timestamp=(("video", "frame"), np.asarray(times, dtype="f8")[None]))
        return ds

    return make
