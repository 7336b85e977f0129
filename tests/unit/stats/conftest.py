"""Detections as statistics meet them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import xarray as xr

FILL = {"frame_number": -1, "n_faces_found": -1, "track_id": -1}


def pad(ds: xr.Dataset, n_padding: int) -> xr.Dataset:
    """Add frames that are not real."""
    wider = ds.pad(frame=(0, n_padding))
    filled = {name: wider[name].fillna(value).astype(ds[name].dtype) for name, value in FILL.items()}
    return wider.assign_coords(filled)


@pytest.fixture
def padded() -> Callable[[xr.Dataset, int], xr.Dataset]:
    return pad
