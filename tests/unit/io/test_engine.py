from __future__ import annotations

import pytest
import xarray as xr

from facearray.io.engine import FacearrayBackend
from facearray.io.read import read


def test_open_dataset__is_read(asset):
    ds = xr.open_dataset(asset("001.csv"), engine="facearray", source="pyfeat", fps=30)
    xr.testing.assert_identical(ds.load(), read(asset("001.csv"), source="pyfeat", fps=30))


def test_open_dataset__takes_a_list_and_drops_variables(asset):
    files = [str(asset("001.csv")), str(asset("002.csv"))]
    ds = xr.open_dataset(files, engine="facearray", drop_variables="landmarks")
    xr.testing.assert_identical(ds.load(), read(files).drop_vars("landmarks"))


def test_open_dataset__in_chunks(asset):
    ds = xr.open_dataset(asset("001.csv"), engine="facearray", chunks={"frame": 10})
    assert ds.features.chunks is not None
    xr.testing.assert_equal(ds.load(), read(asset("001.csv")))


def test_guess_can_open__never(asset):
    assert not FacearrayBackend().guess_can_open(str(asset("001.csv")))
    with pytest.raises(ValueError, match="did not find a match"):
        xr.open_dataset(asset("001.csv"))
