"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# on a busy machine an example takes any time
settings.register_profile("facearray", deadline=None)
settings.load_profile("facearray")

# several tests, and other people's, share the cores; the libraries read these when they are first imported
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """Path of a model or sample file, by its name."""
    from facearray import assets

    return assets.path


@pytest.fixture(scope="session")
def mediapipe_landmarker(asset: Callable[[str], Path]) -> Callable[..., Any]:
    """Return a function that makes MediaPipe's own FaceLandmarker on our model file; its keywords are options.

    MediaPipe and OpenCV load system libraries that a bare machine does not have; without them its tests are skipped.
    """

    def create(**options: Any) -> Any:
        from mediapipe.tasks.python import BaseOptions, vision

        base = BaseOptions(model_asset_path=str(asset("face_landmarker.task")))
        return vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(base_options=base, **options))

    try:
        create().close()
    except (ImportError, OSError) as error:
        pytest.skip(
            f"MediaPipe does not load ({error}); on Debian: apt-get install libgl1 libegl1 libgles2 libglib2.0-0"
        )
    return create
