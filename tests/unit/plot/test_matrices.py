"""Heat maps: cells, their order, and what they are computed from."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest
import xarray as xr
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from facearray.errors import InputError, SchemaError
from facearray.plot import cooccurrence, isc
from facearray.plot._matrix import MOST_RECTANGLES, cluster


def correlations(n: int, seed: int = 0) -> np.ndarray:
    return np.corrcoef(np.random.default_rng(seed).normal(size=(n, 20)))


@pytest.fixture(params=["eager", "lazy"])
def result(request) -> xr.Dataset:
    r = correlations(6)
    dims = ("video", "video_other")
    names = [f"{i}.mp4" for i in range(6)]
    made = xr.Dataset(
        {"r": (dims, r), "n": (dims, np.arange(36).reshape(6, 6)), "p": (dims, np.abs(r) / 2)},
        {"video": names, "video_other": names, "condition": ("video", list("xyxyxy"))},
    )
    return made.chunk() if request.param == "lazy" else made


def test_isc__every_cell_has_r_n_p_and_both_videos(result):
    cells = result.fex.plot.isc().Rectangles.I
    result = result.compute()
    for i in range(36):
        row = {dim.name: cells.dimension_values(dim)[i] for dim in cells.vdims}
        one = result.sel(video=row["video"], video_other=row["video_other"])
        assert (row["r"], row["n"], row["p"]) == (one.r.item(), one.n.item(), one.p.item())


def test_isc__is_ordered_as_scipy_clusters(result):
    picture = isc(result, label="condition", linkage="complete")
    distance = 1 - result.r.values
    np.fill_diagonal(distance, 0)
    order = leaves_list(linkage(squareform(distance, checks=False), "complete"))
    cells = picture.Rectangles.I
    assert cells.dimension_values("video")[::6].tolist() == [f"{i}.mp4" for i in order]
    options = hv.Store.lookup_options("bokeh", picture, "plot").kwargs
    assert options["xticks"] == options["yticks"] == [(k, "xy"[i % 2]) for k, i in enumerate(order)]
    assert len(picture.Segments.I) == 3 * 5
    assert hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"] == "inter-video correlation"
    assert hv.Store.lookup_options("bokeh", cells, "plot").kwargs["clim"] == (-1, 1)


def test_isc__keeps_the_order_without_a_linkage(result):
    picture = isc(result, linkage=None)
    np.testing.assert_array_equal(picture.Rectangles.I.dimension_values("r"), result.r.values.ravel())
    assert "Segments" not in picture.children


def test_isc__colours_may_be_shared_times(result):
    picture = isc(result, variable="n", linkage=None)
    cells = picture.Rectangles.I
    np.testing.assert_array_equal(cells.dimension_values("n"), result.n.values.ravel())
    assert cells.vdims[0].name == "n"
    assert hv.Store.lookup_options("bokeh", cells, "plot").kwargs["clim"] == (0, 35)
    ordered = isc(result, variable="n").Rectangles.I
    assert ordered.dimension_values("video").tolist() == isc(result).Rectangles.I.dimension_values("video").tolist()
    with pytest.raises(InputError, match="unknown variable 'p'"):
        isc(result.drop_vars("p"), variable="p")


def test_isc__many_videos_become_pixels():
    n = MOST_RECTANGLES + 50
    r = correlations(n)
    result = xr.Dataset({"r": (("video", "video_other"), r)}, {"video": np.arange(n), "video_other": np.arange(n)})
    picture = isc(result, linkage=None)
    np.testing.assert_allclose(picture.Image.I.dimension_values("r", flat=False), r)
    assert len(hv.Store.lookup_options("bokeh", picture, "plot").kwargs["xticks"]) <= 60


def test_cluster__leaves_out_what_has_no_distance():
    r = correlations(5)
    r[1] = r[:, 1] = np.nan
    r[3, 4] = r[4, 3] = np.nan
    tree = cluster(r, "average")
    assert sorted(tree.order.tolist()) == [0, 1, 2, 3, 4]
    assert tree.order[-2:].tolist() == [1, 4]
    assert len(tree.height) == 2
    assert cluster(np.full((3, 3), np.nan), "complete").order.tolist() == [0, 1, 2]


def test_isc__mistakes(result):
    two = xr.concat([result, result], "feature").assign_coords(feature=["AU06", "AU12"])
    with pytest.raises(InputError, match="found 2 features; expected one for one matrix: choose with feature='AU06'"):
        isc(two)
    assert "AU12" in hv.Store.lookup_options("bokeh", isc(two, feature="AU12"), "plot").kwargs["title"]
    with pytest.raises(InputError, match="did you mean 'condition'"):
        isc(result, label="conditions")
    with pytest.raises(InputError, match="did you mean 'complete'"):
        isc(result, linkage="complet")
    with pytest.raises(InputError, match="join='pairwise'"):
        isc(result.isel(video_other=0))


@pytest.mark.parametrize("measure", ["jaccard", "conditional"])
def test_cooccurrence__is_what_counting_gives(ds, measure):
    names = ["AU06", "AU12", "happiness"]
    cells = ds.fex.plot.cooccurrence(names, threshold=0.4, measure=measure).Rectangles.I
    shares = []
    for i in range(ds.sizes["video"]):
        frames = ds.features.isel(video=i, face=0).sel(feature=names).dropna("frame").values > 0.4
        both = np.array([[(a & b).sum() for b in frames.T] for a in frames.T])
        either = np.array([[(a | b).sum() if measure == "jaccard" else a.sum() for b in frames.T] for a in frames.T])
        shares.append(both / either)
    np.testing.assert_allclose(cells.dimension_values(measure).reshape(3, 3), np.mean(shares, axis=0))
    assert set(cells.dimension_values("videos").tolist()) == {4}


def test_cooccurrence__never_active_is_no_value(ds):
    cells = cooccurrence(ds, "aus", threshold=2).Rectangles.I
    assert np.isnan(cells.dimension_values("jaccard")).all()
    assert cells.dimension_values("videos").tolist() == [0] * 4


def test_cooccurrence__mistakes(ds, recordings):
    with pytest.raises(InputError, match="did you mean 'jaccard'"):
        cooccurrence(ds, measure="jacard")
    with pytest.raises(InputError, match="is not symmetric"):
        cooccurrence(ds, measure="conditional", linkage="average")
    with pytest.raises(InputError, match="found 2 faces; expected one for one matrix: choose with face=0"):
        cooccurrence(recordings({"a": 5}, n_faces=2))
    with pytest.raises(SchemaError, match=r"found a result of .*cooccurrence; expected the detections"):
        ds.fex.cooccurrence("aus").fex.plot.cooccurrence()
