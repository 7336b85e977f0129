"""A study with videos, and a viewer of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from viewer_study import make_study

import facearray as fa
from facearray.plot.viewer.catalog import Catalog, Opened


@pytest.fixture(scope="session")
def study(tmp_path_factory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture
def catalog(study) -> Catalog:
    return Catalog("study", lambda: Opened(fa.open_store(study)))
