"""Correlations of different features between videos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from facearray.errors import InputError
from facearray.stats import isc, isfc

BRAINIAK = json.loads((Path(__file__).parents[2] / "reference" / "brainiak_isc.json").read_text(encoding="utf-8"))
DIMS = ("video", "frame", "face", "feature")


def courses(values, n_faces=1) -> xr.Dataset:
    values = np.repeat(np.asarray(values)[:, :, None], n_faces, axis=2)
    n, n_frames = values.shape[:2]
    return xr.Dataset(
        {"features": (DIMS, values)},
        coords={
            "video": np.array([f"{i:02}" for i in range(n)], dtype=np.dtypes.StringDType()),
            "feature": np.array([f"f{i}" for i in range(values.shape[-1])], dtype=np.dtypes.StringDType()),
            "frame_number": (DIMS[:2], np.tile(np.arange(n_frames), (n, 1))),
            "timestamp": (DIMS[:2], np.tile(np.arange(n_frames) / 25, (n, 1))),
            "condition": ("video", (list("ab") * n)[:n]),
        },
    )


def test_isfc__as_brainiak():
    data = np.array(BRAINIAK["data"]).transpose(2, 0, 1)
    ds = courses(data)
    alone = isfc(ds, ["f0", "f1"])
    assert alone.r.dims == ("video", "feature", "feature_other")
    np.testing.assert_allclose(alone.r, BRAINIAK["isfc_leave_one_out"], atol=1e-7)
    pairs = isfc(ds, ["f0", "f1"], join="pairwise")
    assert pairs.r.dims == ("video", "video_other", "feature", "feature_other")
    i, j = np.triu_indices(len(data), 1)
    np.testing.assert_allclose(pairs.r.values[i, j], BRAINIAK["isfc_pairwise"], atol=1e-7)
    assert pairs.condition_other.dims == ("video_other",)


@pytest.mark.parametrize("method", ["pearson", "spearman", "kendall"])
def test_isfc__gaps_as_pandas_and_the_diagonal_as_isc(method):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 60, 3)).cumsum(axis=1)
    values[rng.random(values.shape) < 0.2] = np.nan
    ds = courses(values)
    found = isfc(ds, ["f2", "f0", "f1"], join="pairwise", method=method, symmetric=False)
    one = found.sel(video="01", video_other="03", feature="f2", feature_other="f0")
    x, y = pd.Series(values[1, :, 2]), pd.Series(values[3, :, 0])
    assert one.r.item() == pytest.approx(x.corr(y, method=method), abs=1e-10)
    assert one.n.item() == (x.notna() & y.notna()).sum()
    for join in ("pairwise", "leave_one_out"):
        both = isfc(ds, ["f0", "f1"], join=join, method=method)
        single = isc(ds, "f1", join=join, method=method)
        diagonal = both.sel(feature="f1", feature_other="f1")
        off = np.nonzero(single.n.values >= 0) if join == "leave_one_out" else np.triu_indices(5, 1)
        np.testing.assert_allclose(diagonal.r.values[off], single.r.values[off], atol=1e-12)
        np.testing.assert_array_equal(diagonal.n.values[off], single.n.values[off])


def test_isfc__symmetric_is_the_mean_of_both_ways():
    ds = courses(np.random.default_rng(1).normal(size=(4, 40, 3)))
    ways = isfc(ds, ["f0", "f1", "f2"], symmetric=False).r.values
    found = isfc(ds, ["f0", "f1", "f2"]).r.values
    np.testing.assert_allclose(found, (ways + ways.swapaxes(1, 2)) / 2)
    assert not np.allclose(ways, found)


def test_isfc__says_what_is_wrong():
    values = np.random.default_rng(2).normal(size=(3, 20, 2))
    with pytest.raises(InputError, match="found 2 faces"):
        isfc(courses(values, n_faces=2), ["f0", "f1"])
    with pytest.raises(InputError, match="unknown method"):
        isfc(courses(values), ["f0", "f1"], method="cosine")
    with pytest.raises(InputError, match="found 1 videos"):
        isfc(courses(values[:1]), ["f0", "f1"], join="pairwise")
