"""What all functions that clean time courses have in common."""

from __future__ import annotations

import json
from importlib.metadata import version

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import facearray as fa
from facearray.signal import steps

CALLS = {
    "rectify": {"threshold": 2.5},
    "mask": {"min_score": 0.89, "max_angle": 8},
    "interpolate": {"max_gap": 0.05},
    "baseline": {"reference": "first", "seconds": 0.5, "scale": "percent"},
    "clean": {"confounds": "Pitch,Yaw", "low_pass": 8, "high_pass": 1},
    "smooth": {"method": "savgol", "seconds": 0.3},
    "resample": {"fps": 10},
    "bin": {"seconds": 0.33},
}
#: Further ways through the same functions.
OTHERS = [
    ("baseline", {"reference": "quiet", "scale": "z"}),
    ("baseline", {"reference": "period", "period": {"phase": "rest"}}),
    ("clean", {"detrend": "quadratic", "standardize": False, "features": "aus"}),
    ("smooth", {"method": "gaussian", "features": ["AU12"]}),
    ("smooth", {"method": "median"}),
    ("resample", {"fps": 40}),
    ("bin", {"seconds": 0.2, "stat": "median", "min_valid": 0}),
]
ALL = [*CALLS.items(), *OTHERS]
IDS = [f"{name}-{i}" for i, (name, _) in enumerate(ALL)]


def call(ds: xr.Dataset, name: str, options: dict) -> xr.Dataset:
    return getattr(fa.signal, name)(ds, **options)


@pytest.fixture(scope="module")
def wanted(faces):
    """What each call gives in memory."""
    return [call(faces, name, options) for name, options in ALL]


def cut(ds: xr.Dataset, like: xr.Dataset) -> xr.Dataset:
    """Leave out padding that another Dataset does not have."""
    assert (ds.frame_number.isel(frame=slice(like.sizes["frame"], None)) == -1).all()
    return ds.isel(frame=slice(like.sizes["frame"]))


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    chunks=st.fixed_dictionaries(
        {"video": st.integers(1, 4), "frame": st.integers(7, 70), "feature": st.integers(2, 11)}
    ),
    n_padding=st.integers(0, 80),
    order=st.permutations(range(4)),
)
@pytest.mark.parametrize("number", range(len(ALL)), ids=IDS)
def test_cleaning__same_in_any_chunks_padding_and_order(faces, padded, wanted, number, chunks, n_padding, order):
    name, options = ALL[number]
    changed = padded(faces, n_padding).isel(video=list(order)).chunk(chunks)
    found = call(changed, name, options).compute()
    xr.testing.assert_allclose(cut(found, wanted[number]), wanted[number].isel(video=list(order)), rtol=1e-5)


@pytest.mark.parametrize("number", range(len(ALL)), ids=IDS)
def test_cleaning__same_from_a_store(faces, wanted, stored, number):
    name, options = ALL[number]
    found = call(stored, name, options)
    assert found.features.chunks is not None
    xr.testing.assert_allclose(cut(found.compute(), wanted[number]), wanted[number], rtol=1e-5)


@pytest.fixture(scope="module")
def stored(faces, padded, tmp_path_factory):
    wider = padded(faces, 30)
    texts = wider.phase.where(wider.frame_number >= 0, "").astype(np.dtypes.StringDType())
    return fa.open_store(fa.save(wider.assign_coords(phase=texts), tmp_path_factory.mktemp("store") / "faces.zarr"))


def refuse(block):
    raise AssertionError("a measurement was computed")


@pytest.mark.parametrize(("name", "options"), [item for item in ALL if item[1].get("reference") != "quiet"])
def test_cleaning__computes_no_measurement(faces, name, options):
    lazy = {
        key: (
            variable.dims,
            dask.array.map_blocks(refuse, dask.array.from_array(variable.values, name=False), dtype="f4"),
        )
        for key, variable in faces.data_vars.items()
    }
    result = call(faces.assign(lazy), name, options)
    assert all(variable.chunks is not None for variable in result.data_vars.values() if "frame" in variable.dims) or (
        name in ("interpolate", "baseline", "clean", "smooth")
    )
    with pytest.raises(AssertionError, match="a measurement was computed"):
        result.features.compute()


@pytest.mark.parametrize(("name", "options"), [item for item in CALLS.items() if item[0] not in ("resample", "bin")])
def test_cleaning__computes_nothing_at_all(faces, name, options):
    def scheduler(*args, **kwargs):
        raise AssertionError("something was computed")

    with dask.config.set(scheduler=scheduler):
        # the groups of features are read to find those that are asked for
        call(faces.chunk(video=2, frame=20).assign_coords(group=faces.group), name, options)


@pytest.mark.parametrize("number", range(len(ALL)), ids=IDS)
def test_cleaning__leaves_its_input_alone(faces, wanted, number):
    name, options = ALL[number]
    before = faces.copy(deep=True)
    call(faces, name, options)
    xr.testing.assert_identical(faces, before)
    assert wanted[number].features.dtype == faces.features.dtype
    assert wanted[number].features.dims == faces.features.dims
    fa.schema.validate(wanted[number])


@pytest.mark.parametrize("name", CALLS)
def test_cleaning__notes_what_it_did(faces, wanted, name):
    noted = wanted[list(CALLS).index(name)]
    (step,) = steps(noted)
    assert step["function"] == name
    assert step["version"] == version("facearray")
    assert step["arguments"].items() >= json.loads(json.dumps(CALLS[name])).items()
    assert noted.attrs["detector"] == "made up"
    assert "steps" not in faces.attrs


def test_cleaning__steps_follow_each_other_and_are_saved(faces, tmp_path):
    ds = faces.fex.mask(faces.features.sel(feature="FaceScore") < 0.88).fex.interpolate(0.1).fex.resample(fps=10)
    ds = fa.open_store(fa.save(ds, tmp_path / "a.zarr"))
    assert [step["function"] for step in ds.fex.steps()] == ["mask", "interpolate", "resample"]
    assert ds.fex.steps()[0]["arguments"]["condition"] == "DataArray (video: 4, frame: 60, face: 2)"


def test_cleaning__features_that_are_not_chosen_stay(faces):
    for name in ("interpolate", "baseline", "clean", "smooth"):
        options = {key: value for key, value in CALLS[name].items() if key != "confounds"}
        found = call(faces, name, {**options, "features": "aus"})
        others = [feature for feature in faces.feature.values if not feature.startswith("AU")]
        np.testing.assert_array_equal(found.features.sel(feature=others), faces.features.sel(feature=others))
        assert not found.features.sel(feature="AU12").equals(faces.features.sel(feature="AU12"))
        np.testing.assert_array_equal(found.landmarks, faces.landmarks)


@pytest.mark.parametrize("name", ["interpolate", "baseline", "clean", "smooth"])
def test_cleaning__a_missing_value_stays_alone(faces, name):
    options = {key: value for key, value in CALLS[name].items() if key != "confounds"}
    holed = faces.copy(deep=True)
    holed.features[0, 32, 0, 9] = np.nan
    found, without = (call(ds, name, options).features for ds in (holed, faces))
    lost = np.isnan(found.values) & ~np.isnan(without.values)
    assert lost.sum() == (0 if name == "interpolate" else 1)


@pytest.mark.parametrize("name", ["interpolate", "baseline", "clean", "smooth", "resample", "bin"])
def test_cleaning__a_feature_without_values_stays_without(faces, name):
    options = {key: value for key, value in CALLS[name].items() if key != "confounds"}
    empty = faces.assign(features=faces.features.where(faces.feature != "AU12"))
    found = call(empty, name, options).features
    assert np.isnan(found.sel(feature="AU12")).all()
    xr.testing.assert_equal(
        found.drop_sel(feature="AU12"), call(faces, name, options).features.drop_sel(feature="AU12")
    )


def test_cleaning__frames_out_of_a_selection_keep_their_places(faces):
    picked = faces.isel(frame=[3, 4, 5, 9, 10, 11, 12, 13, 14])
    scattered = picked.copy(deep=True)
    scattered["frame_number"][:, 3] = -1
    found = scattered.fex.baseline("mean")
    kept = picked.isel(frame=[0, 1, 2, 4, 5, 6, 7, 8]).fex.baseline("mean")
    np.testing.assert_array_equal(np.delete(found.features.values, 3, axis=1), kept.features.values)
    assert np.isnan(found.features[:, 3]).all()


@pytest.mark.parametrize("name", ["interpolate", "clean", "smooth", "resample", "bin", "rectify"])
def test_cleaning__times_are_needed(faces, name):
    with pytest.raises(fa.errors.SchemaError, match="timestamp"):
        call(
            faces.drop_vars("timestamp"), name, CALLS[name] | ({"measures": ["velocity"]} if name == "rectify" else {})
        )


@pytest.mark.parametrize("name", ["interpolate", "clean", "smooth", "resample", "bin", "rectify"])
@pytest.mark.parametrize("chunks", [None, 1])
def test_cleaning__unknown_times(faces, name, chunks):
    bad = faces.copy(deep=True)
    bad["timestamp"][0, 4:7] = np.nan
    bad["timestamp"][3, 5] = 0
    bad = bad if chunks is None else bad.chunk(video=chunks)
    with pytest.raises(fa.FaceArrayError) as raised:
        call(bad, name, CALLS[name]).compute()
    # what is checked at the call is about all videos, what is checked in a task about one
    problems = ["'b': found 3 of 60 frames without a time", "'c': found times that do not increase"]
    there = [problem in str(raised.value) for problem in problems]
    assert all(there) if chunks is None or name in ("resample", "bin") else any(there)


def test_cleaning__times_that_repeat_name_their_video(faces):
    bad = faces.copy(deep=True)
    bad["timestamp"][3, 5] = 0
    with pytest.raises(fa.FaceArrayError, match=r"'c': found times that do not increase, 0\.16 s and then 0 s"):
        bad.fex.resample(fps=10)


@pytest.mark.parametrize(
    ("name", "options", "unit"),
    [
        ("baseline", {}, "degree"),
        ("baseline", {"scale": "percent"}, "%"),
        ("baseline", {"scale": "decibel"}, "dB"),
        ("clean", {"standardize": False}, "degree"),
        ("clean", {}, ""),
    ],
)
@pytest.mark.parametrize("chunks", [None, {"feature": 3}])
def test_cleaning__units_are_those_of_the_result(faces, name, options, unit, chunks):
    ds = faces if chunks is None else faces.chunk(chunks)
    found = call(ds, name, {**options, "features": "Yaw,AU12"})
    assert found.unit.sel(feature=["Yaw", "Pitch", "FaceRectX"]).values.tolist() == [unit, "degree", "px"]
    assert faces.unit.sel(feature="Yaw") == "degree"
