"""Members of the accessor: the functions, with the Dataset in front."""

from __future__ import annotations

import inspect

import pytest
import xarray as xr

import facearray as fa

ARGUMENTS = {
    "summarize": {"by": "condition"},
    "regress": {"X": "Yaw"},
    "ttest": {"by": "condition"},
    "missingness": {"by": "condition"},
    "pose_confound": {"pose": "Yaw"},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_members__are_the_functions(recordings, name):
    ds = recordings({f"{i}": 9 for i in range(5)}).assign_coords(condition=("video", list("abbab")))
    function, method = getattr(fa.stats, name), getattr(ds.fex, name)
    assert inspect.unwrap(method) is function
    xr.testing.assert_identical(method(**ARGUMENTS[name]), function(ds, **ARGUMENTS[name]))
