"""Detections as statistics meet them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import xarray as xr


def make_courses(
    n_frames: Sequence[int],
    *,
    fps: float | Sequence[float] = 10.0,
    n_faces: int = 1,
    features: Sequence[str] = ("AU12", "AU06"),
    effect: float = 0.0,
    seed: int = 0,
) -> xr.Dataset:
    """AR(1) time courses; every second video is good news, in which the first feature rises after one second."""
    rng = np.random.default_rng(seed)
    n, longest = len(n_frames), max(n_frames)
    rates = np.broadcast_to(np.asarray(fps, dtype=float), n)
    values = rng.normal(size=(n, longest, n_faces, len(features)))
    for i in range(1, longest):
        values[:, i] += 0.5 * values[:, i - 1]
    number = np.tile(np.arange(longest), (n, 1))
    real = number < np.array(n_frames)[:, None]
    time = number / rates[:, None]
    good = np.arange(n) % 2 == 0
    values[..., 0] += effect * (good[:, None] & (time >= 1))[..., None]
    dims = ("video", "frame")
    return xr.Dataset(
        {"features": ((*dims, "face", "feature"), np.where(real[..., None, None], values, np.nan))},
        coords={
            "video": [f"{i:02}.mp4" for i in range(n)],
            "feature": list(features),
            "frame_number": (dims, np.where(real, number, -1)),
            "timestamp": (dims, np.where(real, time, np.nan)),
            "condition": ("video", np.where(good, "good", "bad")),
            "person": ("video", [f"p{i // 2}" for i in range(n)]),
            "age": ("video", rng.normal(size=n)),
        },
    )


@pytest.fixture(scope="session")
def courses() -> Callable[..., xr.Dataset]:
    return make_courses
