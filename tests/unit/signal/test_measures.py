"""What holds for all functions that describe time courses: chunks, padding and order do not matter; lazy stays lazy."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import partial

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import facearray as fa

FEATURES = ["AU06", "AU12", "AU43", "eyeBlinkLeft", "eyeBlinkRight", "Yaw"]

TABLE = pd.DataFrame({"video": ["a", "b", "b"], "onset": [0.4, 0.5, 1.01]})

#: Functions that return Datasets, with arguments; lazy ones first.
LAZY: dict[str, dict] = {
    "align": {"table": TABLE, "before": 0.2, "after": 0.3},
    "asymmetry": {"mirrored": False},
    "boft": {"features": "AU12", "frequencies": [4.0]},
    "distance": {"between": "frame"},
    "multi_wavelet": {"frequencies": [4.0, 6.0], "features": "AU12,Yaw"},
    "similarity": {"between": "frame", "features": FEATURES},
    "spectrum": {"window": 0.4},
    "to_grid": {"t0": 0.2, "tr": 0.3, "n": 4},
    "wavelet": {"frequency": 4.0, "part": "amplitude"},
}
SMALL: dict[str, dict] = {
    "blinks": {"high": 0.6},
    "cooccurrence": {"measures": ["joint", "phi"]},
    "synchrony": {"feature": ["AU12", "AU06"], "window": 0.4, "null": "segment_shuffle", "n_draws": 39},
}
CALLS: dict[str, Callable[[xr.Dataset], xr.Dataset]] = {
    name: partial(getattr(fa.signal, name), **options) for name, options in (LAZY | SMALL).items()
}
CALLS["to_grid, response"] = partial(fa.signal.to_grid, t0=0.2, tr=0.3, n=4, hrf="spm", outside=0.0)
CALLS["distance, video"] = fa.signal.distance
CALLS["synchrony, pseudo-dyads"] = partial(
    fa.signal.synchrony, feature="AU12", window=0.4, null="pseudo_dyads", n_draws=39
)


@pytest.fixture(scope="module")
def ds(recordings) -> xr.Dataset:
    return recordings({"b": 60, "a": 45, "none": 0, "c": 52}, n_faces=2, features=FEATURES)


@pytest.fixture(scope="module")
def expected(ds) -> Callable[[str], xr.Dataset]:
    kept: dict[str, xr.Dataset] = {}
    return lambda name: kept.setdefault(name, CALLS[name](ds))


def same(found: xr.Dataset, expected: xr.Dataset) -> None:
    """Compare, whatever the order of the videos; behind the frames that there were before is nothing."""
    for dim in ("video", "video_other", "dyad"):
        if dim in found.dims:
            found, expected = found.sortby(dim), expected.sortby(dim)
    if "frame" in found.dims:
        for dim in {"frame", "frame_other"} & set(found.dims):
            beyond = found.isel({dim: slice(expected.sizes[dim], None)})
            assert all(np.isnan(v).all() for v in beyond.data_vars.values() if v.dtype.kind == "f")
            found = found.isel({dim: slice(expected.sizes[dim])})
    xr.testing.assert_allclose(found.compute(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CALLS)
def test_measures__the_same_of_padded_chunked_and_reordered_videos(ds, padded, expected, name):
    changed = padded(ds.isel(video=[3, 1, 2, 0]), 70).chunk(video=3, frame=50, feature=4)
    same(CALLS[name](changed), expected(name))


@settings(max_examples=5)
@given(
    chunks=st.fixed_dictionaries({d: st.integers(1, n) for d, n in {"video": 4, "frame": 60, "face": 2}.items()}),
    padding=st.integers(0, 40),
    name=st.sampled_from(sorted(CALLS)),
)
def test_measures__the_same_whatever_the_chunks(ds, padded, expected, chunks, padding, name):
    same(CALLS[name](padded(ds, padding).chunk(chunks)), expected(name))


def test_measures__events_are_the_same(ds, padded):
    changed = padded(ds, 70).chunk(video=3, frame=50, feature=4)
    pd.testing.assert_frame_equal(fa.signal.events(changed, "aus,Yaw"), fa.signal.events(ds, "aus,Yaw"))
    pd.testing.assert_frame_equal(fa.signal.smiles(changed), fa.signal.smiles(ds))


@pytest.mark.parametrize("name", LAZY)
def test_measures__lazy_stays_lazy(ds, name):
    """Nothing but times is computed before it is asked for."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("computed")

    lazy = ds.assign(features=ds.features.chunk(video=1))
    with dask.config.set(scheduler=refuse):
        found = CALLS[name](lazy)
    assert any(v.chunks is not None for v in found.data_vars.values())


@pytest.mark.parametrize("name", ["wavelet", "spectrum", "align", "to_grid"])
def test_measures__a_store_is_read_when_results_are(ds, expected, name, tmp_path):
    path = str(tmp_path / "s.zarr")
    fa.save(ds, path)
    opened = fa.open_store(path)
    found = CALLS[name](opened)
    assert any(v.chunks is not None for v in found.data_vars.values())
    for variable, values in expected(name).data_vars.items():
        read = found[variable].compute()
        if name == "wavelet":
            read = read.isel(frame=slice(values.sizes["frame"]))
        np.testing.assert_allclose(read, values, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", [*LAZY, *SMALL])
def test_measures__members_are_the_functions_and_note_what_was_done(ds, expected, name):
    function, options = getattr(fa.signal, name), (LAZY | SMALL)[name]
    method = getattr(ds.fex, name)
    assert inspect.unwrap(method) is inspect.unwrap(function)
    before = ds.copy(deep=True)
    xr.testing.assert_identical(method(**options), expected(name))
    xr.testing.assert_identical(ds, before)
    (step,) = json.loads(expected(name).attrs["steps"])
    assert step["function"] == name
    assert set(options) <= set(step["arguments"])
    assert expected(name).attrs["detector"] == "made up"


def test_measures__a_video_of_one_frame_says_nothing(ds, recordings):
    one = recordings({"one": 1, "b": 60}, n_faces=2, features=FEATURES)
    for name in ("spectrum", "wavelet", "multi_wavelet"):
        found = CALLS[name](one)
        assert np.isnan(next(iter(found.data_vars.values())).sel(video="one")).all()
    assert CALLS["boft"](one)["count"].sel(video="one").sum() == 0
    assert CALLS["synchrony"](one).attrs["excluded"] == ["one: 0.04 s in common, too short for a window"]
