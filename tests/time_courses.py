"""Made-up time courses."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy.signal import lfilter

DIMS = ("video", "frame", "face", "feature")


def videos(
    values: Any, *, fps: float = 25.0, labels: list[str] | None = None, features: list[str] | None = None
) -> xr.Dataset:
    """Make detections of values (n_video, n_frame, n_face, n_feature); frames are evenly spaced."""
    values = np.asarray(values)
    n, n_frames, _, n_features = values.shape
    number = np.tile(np.arange(n_frames, dtype="i4"), (n, 1))
    return xr.Dataset(
        {"features": (DIMS, values)},
        coords={
            "video": np.array(labels or [f"{i:03}" for i in range(n)], dtype=np.dtypes.StringDType()),
            "feature": np.array(
                features or [f"AU{i + 1:02}" for i in range(n_features)], dtype=np.dtypes.StringDType()
            ),
            "frame_number": (DIMS[:2], number),
            "timestamp": (DIMS[:2], number / fps),
        },
    )


def one_video(values: Any, *, fps: float = 25.0, features: list[str] | None = None) -> xr.Dataset:
    """Make one video of one face of values (n_frame[, n_feature])."""
    values = np.asarray(values)
    values = values[:, None] if values.ndim == 1 else values
    return videos(values[None, :, None], fps=fps, labels=["a"], features=features)


def ar1(rng: np.random.Generator, shape: tuple[int, ...], rho: float) -> np.ndarray:
    """Draw stationary AR(1) series of variance 1 along the last axis."""
    noise = rng.normal(size=shape) * np.sqrt(1 - rho**2)
    noise[..., 0] /= np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise, axis=-1)
