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
    "isc": {"feature": "AU12"},
    "isfc": {"features": "AU12,Yaw"},
    "split_half": {"features": "AU12"},
    "cluster_test": {"by": "condition", "window": 0.12},
    "regress_over_time": {"X": "condition", "window": 0.12},
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_members__are_the_functions(recordings, name):
    ds = recordings({f"{i}": 9 for i in range(5)}).assign_coords(condition=("video", list("abbab")))
    function, method = getattr(fa.stats, name), getattr(ds.fex, name)
    assert inspect.unwrap(method) is function
    xr.testing.assert_identical(method(**ARGUMENTS[name]), function(ds, **ARGUMENTS[name]))


def test_members__decode_is_the_function(recordings):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    ds = recordings({f"{i}": 9 for i in range(8)}).assign_coords(condition=("video", list("abbabaab")))
    options = {"model": LinearDiscriminantAnalysis(), "cv": 2, "permutations": 9}
    assert inspect.unwrap(ds.fex.decode) is fa.stats.decode
    method, function = ds.fex.decode("condition", **options), fa.stats.decode(ds, "condition", **options)
    xr.testing.assert_identical(method.predictions, function.predictions)
    xr.testing.assert_identical(method.null, function.null)
