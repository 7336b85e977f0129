"""Selection by names of features and groups."""

from __future__ import annotations

import dask.array
import numpy as np
import pytest
import xarray as xr

from facearray import schema, selectors
from facearray.errors import InputError, SchemaError

FEATURES = ["FaceScore", "Pitch", "Yaw", "AU01", "AU12", "anger", "AU43", "neutral", "AU12_left"]
GROUPS = ["facebox", "poses", "poses", "aus", "aus", "emotions", "aus", "emotions", "aus"]


@pytest.fixture
def ds() -> xr.Dataset:
    shape = (2, 3, 1, len(FEATURES))
    return xr.Dataset(
        {
            "features": (
                ("video", "frame", "face", "feature"),
                np.arange(np.prod(shape), dtype="f4").reshape(shape),
                {"comment": "kept"},
            ),
            "landmarks": (("video", "frame", "face", "landmark", "axis"), np.zeros((2, 3, 1, 4, 3), "f4")),
        },
        coords={
            "video": ["a", "b"],
            "feature": FEATURES,
            "group": ("feature", GROUPS),
            "timestamp": (("video", "frame"), np.arange(6.0).reshape(2, 3)),
        },
        attrs={"detector": "made by hand"},
    )


def names(selected: xr.Dataset | xr.DataArray) -> list[str]:
    return [str(name) for name in selected.feature.values]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("aus", ["AU01", "AU12", "AU43", "AU12_left"]),
        ("emotions,poses", ["anger", "neutral", "Pitch", "Yaw"]),
        (" AU12 , aus ", ["AU12", "AU01", "AU43", "AU12_left"]),
        (["Yaw", "facebox", "Yaw"], ["Yaw", "FaceScore"]),
        (("AU43",), ["AU43"]),
        ((name for name in ["neutral", "AU01"]), ["neutral", "AU01"]),
    ],
)
def test_select__order_of_the_request_without_duplicates(ds, what, expected):
    selected = selectors.select(ds, what)
    assert names(selected) == expected
    np.testing.assert_array_equal(selected.values, ds.features.values[..., [FEATURES.index(n) for n in expected]])


def test_select__on_detections_gives_the_features_named_after_a_single_group(ds):
    assert selectors.select(ds, "aus").name == "aus"
    assert selectors.select(ds, "aus,poses").name == "features"
    assert selectors.select(ds, "AU12").name == "features"
    assert selectors.select(ds, "aus").attrs == {"comment": "kept"}
    assert {"video", "group", "timestamp"} <= set(selectors.select(ds, "aus").coords)


def test_select__on_an_array_keeps_its_name(ds):
    assert selectors.select(ds.features.rename("beta"), "aus").name == "beta"


def test_select__on_a_result_cuts_every_variable(ds):
    result = xr.Dataset({"mean": ds.features.mean("frame"), "n": ds.features.count("frame"), "all": 3}, attrs=ds.attrs)
    selected = selectors.select(result, "emotions")
    assert isinstance(selected, xr.Dataset)
    assert names(selected) == ["anger", "neutral"]
    assert set(selected.data_vars) == {"mean", "n", "all"}
    assert selected["mean"].dims == result["mean"].dims
    assert selected.attrs == ds.attrs


def test_select__without_a_group_coordinate_uses_the_schema(ds):
    assert names(selectors.aus(ds.drop_vars("group"))) == ["AU01", "AU12", "AU43"]
    assert names(selectors.select(ds.drop_vars("group"), "other")) == ["AU12_left"]


def test_select__leaves_the_input_alone(ds):
    before = ds.copy(deep=True)
    selectors.select(ds, "aus").values[:] = -1
    xr.testing.assert_identical(ds, before)


def test_select__dask_is_not_computed(ds):
    def fail(block):
        raise AssertionError("computed")

    never = dask.array.from_array(ds.features.values, chunks=(1, 2, 1, -1)).map_blocks(fail, meta=ds.features.values)
    lazy = ds.assign(features=(ds.features.dims, never))
    assert names(selectors.aus(lazy)) == ["AU01", "AU12", "AU43", "AU12_left"]
    xr.testing.assert_identical(selectors.aus(ds.chunk(frame=2)).compute(), selectors.aus(ds))


def test_select__zarr_without_dask_is_not_read(ds, tmp_path):
    text = {name: c.astype(np.dtypes.StringDType()) for name, c in ds.coords.items() if c.dtype.kind == "U"}
    ds.assign_coords(text).to_zarr(tmp_path / "s.zarr", consolidated=False)
    lazy = xr.open_zarr(tmp_path / "s.zarr", chunks=None, consolidated=False)
    selected = selectors.aus(lazy)
    assert not selected.variable._in_memory
    np.testing.assert_array_equal(selected.values, selectors.aus(ds).values)


@pytest.mark.parametrize("group", [g for g in schema.GROUPS if g != "other"])
def test_groups__have_a_selector_each(group):
    features = list(schema.FEATURES)
    array = xr.DataArray(np.arange(len(features)), coords={"feature": features})
    assert names(getattr(selectors, group)(array)) == [n for n, f in schema.FEATURES.items() if f.group == group]


def test_select__unknown_names_are_all_named_with_the_nearest(ds):
    with pytest.raises(InputError, match=r"'AU1' \(did you mean 'AU01'.*'hapiness'.*known: AU01"):
        selectors.select(ds, "AU1,hapiness,aus")


def test_select__group_without_features_says_what_there_is(ds):
    with pytest.raises(InputError, match=r"no features of group 'gaze' .*its groups: aus, emotions, facebox, poses"):
        selectors.gaze(ds)


@pytest.mark.parametrize("what", ["", [], "aus,,poses", [1], [""]])
def test_select__without_a_name_is_refused(ds, what):
    with pytest.raises(InputError, match="expected names of features and groups"):
        selectors.select(ds, what)


def test_select__without_a_feature_dim_is_refused(ds):
    with pytest.raises(SchemaError, match=r"found dims video, frame, face; expected a labelled dim 'feature'"):
        selectors.aus(ds.features.sel(feature="AU12"))
    with pytest.raises(SchemaError, match="expected a labelled dim 'feature'"):
        selectors.aus(ds.features.drop_vars(["feature", "group"]))


def test_landmarks_embedding_time__are_the_variables(ds):
    xr.testing.assert_identical(selectors.landmarks(ds), ds.landmarks)
    xr.testing.assert_identical(selectors.time(ds), ds.timestamp)
    xr.testing.assert_identical(selectors.time(ds.features), ds.timestamp)
    with_embedding = ds.assign(embedding=(("video", "frame", "face", "component"), np.zeros((2, 3, 1, 8), "f4")))
    xr.testing.assert_identical(selectors.embedding(with_embedding), with_embedding.embedding)


@pytest.mark.parametrize(
    ("selector", "name", "remedy"),
    [
        (selectors.landmarks, "landmarks", "landmarks=True"),
        (selectors.embedding, "embedding", "embedding=True"),
        (selectors.time, "timestamp", "before the frames are averaged"),
    ],
)
def test_landmarks_embedding_time__absent(ds, selector, name, remedy):
    with pytest.raises(SchemaError, match=f"found no '{name}' among features; expected dims .*{remedy}"):
        selector(ds[["features"]].drop_vars("timestamp"))
