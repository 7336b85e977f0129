from __future__ import annotations

import numpy as np
import pytest

import facearray as fa
from facearray.errors import InputError
from facearray.plot.viewer import comparing
from facearray.plot.viewer.catalog import Catalog, Opened
from facearray.plot.viewer.comparing import EVERYTHING, group_means, grouping_names, pair_correlations, sample


def test_sample__done_videos_evenly_over_the_search(catalog):
    rows = catalog.search()
    assert sample(catalog, rows, most=99).rows.tolist() == [0, 1, 2, 3, 4, 5]
    few = sample(catalog, rows, most=3)
    assert few.rows.tolist() == [0, 2, 5]
    assert few.sentence() == "3 of the 6 videos of the search, evenly spread over it."


def test_group_means__those_of_summarize(catalog, study):
    assert grouping_names(catalog.ds) == ["condition"]
    result, chosen = group_means(catalog, catalog.search(), "condition", "aus")
    done = fa.open_store(study).isel(video=slice(0, 6))
    expected = done.fex.summarize(("mean", "sem", "n"), by="condition", features="aus")
    np.testing.assert_array_equal(result["mean"], expected["mean"])
    assert len(chosen.rows) == 6
    assert "condition" not in group_means(catalog, catalog.search("a"), EVERYTHING, "aus")[0].dims


def test_pair_correlations__those_of_isc(catalog, study):
    result, _ = pair_correlations(catalog, catalog.search(), "AU12")
    expected = fa.open_store(study).isel(video=slice(0, 6)).fex.isc("AU12")
    np.testing.assert_array_equal(result.r, expected.r)


def test_pair_correlations__of_few_of_many_videos(catalog, monkeypatch):
    monkeypatch.setattr(comparing, "_ISC_VIDEOS", 3)
    result, chosen = pair_correlations(catalog, catalog.search(), "AU12")
    assert (result.r.shape, chosen.rows.tolist()) == ((3, 3), [0, 2, 5])


def test_pair_correlations__of_different_rates(recordings):
    slow = recordings({"a": 30, "b": 30}, fps=25.0)
    fast = recordings({"c": 60}, fps=50.0, seed=1)
    ds = fa.concat([slow, fast])
    result, _ = pair_correlations(Catalog("x", lambda: Opened(ds)), np.arange(3), "AU12")
    assert np.isfinite(result.r).all()


@pytest.mark.parametrize("kind", ["one", "constant", "none"])
def test_pair_correlations__none_possible(recordings, kind):
    ds = recordings({"a": 30, "b": 30})
    if kind == "constant":
        ds = ds.assign(features=ds.features * 0)
    rows = {"one": [0], "constant": [0, 1], "none": []}[kind]
    expected = "varies over three shared times" if kind == "constant" else "expected two or more to correlate"
    with pytest.raises(InputError, match=expected):
        pair_correlations(Catalog("x", lambda: Opened(ds)), np.array(rows, int), "AU12")


def test_group_means__none_possible(catalog):
    with pytest.raises(InputError, match="found no video with frames"):
        group_means(catalog, catalog.search("pending"), EVERYTHING, "aus")
