"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# several tests, and other people's, share the cores; the libraries read these when they are first imported
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """Path of a model or sample file, by its name."""
    from facearray import assets

    return assets.path
