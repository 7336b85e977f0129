"""Detections to draw, in memory and lazy."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import xarray as xr

LENGTHS = {"a.mp4": 30, "b.mp4": 22, "c.mp4": 26, "d.mp4": 18}


@pytest.fixture(params=["eager", "lazy"])
def ds(request, recordings: Callable[..., xr.Dataset]) -> xr.Dataset:
    """Four videos in two conditions; the face is in four of five frames."""
    made = recordings(LENGTHS, features=("Pitch", "Yaw", "AU06", "AU12", "happiness"), n_landmarks=5)
    made = made.assign_coords(condition=("video", ["good", "bad", "good", "bad"]))
    return made if request.param == "eager" else made.chunk({"video": 2, "frame": 7})
