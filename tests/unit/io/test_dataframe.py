from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.io.dataframe import to_dataframe
from facearray.testing import random_dataset


@pytest.fixture
def ds() -> xr.Dataset:
    """Two videos, of three frames and one: a face, none, two faces; and one face, in the second slot."""
    nan = np.nan
    values = [[[1, nan], [nan, nan], [2, 3]], [[nan, 4], [nan, nan], [nan, nan]]]
    au12 = np.array(values, dtype=np.float32)
    ds = random_dataset(0, n_videos=2, n_frames=3, features=["AU12", "Yaw"], n_landmarks=2, n_components=2)
    ds["features"][:] = np.stack([au12, au12 * 10], axis=-1)
    ds["landmarks"][:] = np.arange(6, dtype=np.float32).reshape(2, 3)
    ds["embedding"][:] = np.array([7, 8], dtype=np.float32)
    return ds.assign_coords(
        video=["a", "b"],
        condition=("video", ["good", "bad"]),
        role=(("video", "face"), [["x", "y"], ["y", "x"]]),
        frame_number=(("video", "frame"), [[0, 2, 4], [0, -1, -1]]),
        track_id=(("video", "frame", "face"), np.where(np.isnan(au12), -1, 5)),
    )


def test_to_dataframe__wide(ds):
    table = to_dataframe(ds, layout="wide")
    keys = table[["video", "frame_number", "face"]].values.tolist()
    assert keys == [["a", 0, 0], ["a", 2, 0], ["a", 4, 0], ["a", 4, 1], ["b", 0, 1]]
    np.testing.assert_array_equal(table["AU12"], np.array([1, np.nan, 2, 3, 4], dtype=np.float32))
    np.testing.assert_array_equal(table["Yaw"], table["AU12"] * 10)
    assert table["AU12"].dtype == np.float32
    assert table["condition"].tolist() == ["good"] * 4 + ["bad"]
    assert table["role"].tolist() == ["x", "x", "x", "y", "x"]
    assert table["track_id"].tolist() == [5, -1, 5, 5, 5]
    np.testing.assert_array_equal(table["timestamp"][:2], ds["timestamp"].values[0, :2])
    assert not {"x_0", "Identity_1", "source", "status", "error", "fps", "unit"} & set(table.columns)


def test_to_dataframe__long_is_the_default_for_frames(ds):
    table = to_dataframe(ds)
    assert table[["video", "frame_number", "face", "feature", "value"]].values.tolist() == [
        ["a", 0, 0, "AU12", 1],
        ["a", 0, 0, "Yaw", 10],
        ["a", 4, 0, "AU12", 2],
        ["a", 4, 0, "Yaw", 20],
        ["a", 4, 1, "AU12", 3],
        ["a", 4, 1, "Yaw", 30],
        ["b", 0, 1, "AU12", 4],
        ["b", 0, 1, "Yaw", 40],
    ]


def test_to_dataframe__include(ds):
    table = to_dataframe(ds, layout="wide", include=["landmarks", "embedding"])
    assert table.loc[0, ["x_0", "y_0", "z_0", "x_1", "y_1", "z_1"]].tolist() == list(range(6))
    assert table.loc[0, ["Identity_1", "Identity_2"]].tolist() == [7, 8]


def test_to_dataframe__agrees_with_xarray(ds):
    table = to_dataframe(ds, layout="wide").set_index(["video", "frame_number", "face"])["AU12"].dropna()
    other = ds["features"].sel(feature="AU12", drop=True).to_dataframe()["features"].dropna()
    assert sorted(table.tolist()) == sorted(other.tolist())


@pytest.mark.parametrize("chunks", [None, {"video": 1}, {"frame": 2, "feature": 1}])
def test_to_dataframe__same_for_every_backing(ds, chunks):
    pd.testing.assert_frame_equal(to_dataframe(ds if chunks is None else ds.chunk(chunks)), to_dataframe(ds))


def test_to_dataframe__loads_nothing_into_the_dataset(ds, tmp_path):
    stored = fa.open_store(fa.save(ds, tmp_path / "x.zarr"))
    to_dataframe(stored)
    assert not stored["features"].variable._in_memory


def test_to_dataframe__one_video_a_time(ds, monkeypatch):
    computed = []
    real = xr.Dataset.compute
    monkeypatch.setattr(
        xr.Dataset, "compute", lambda self, **k: computed.append(self.sizes["video"]) or real(self, **k)
    )
    to_dataframe(ds)
    assert computed == [1, 1]


def test_to_dataframe__parts(ds):
    part = to_dataframe(ds.isel(video=0, face=0).fex.aus, layout="wide")
    assert part["video"].tolist() == ["a", "a", "a"]
    assert part["frame_number"].tolist() == [0, 2, 4]
    np.testing.assert_array_equal(part["AU12"], [1, np.nan, 2])
    one = to_dataframe(ds["features"].sel(feature="Yaw"), layout="wide")
    assert one["Yaw"].dropna().tolist() == [10, 20, 30, 40]
    value = to_dataframe(ds["features"].isel(video=1, frame=0, face=1), layout="wide")
    assert value[["AU12", "Yaw"]].values.tolist() == [[4, 40]]


def test_to_dataframe__no_video_and_no_frame(ds):
    assert len(to_dataframe(ds.isel(video=[]))) == 0
    empty = to_dataframe(ds.isel(frame=[]), layout="wide")
    assert len(empty) == 0
    assert "AU12" in empty.columns


def test_to_dataframe__result_of_a_statistic(ds):
    means = ds["features"].mean("frame")
    result = xr.Dataset({"mean": means, "sem": means / 2, "n": (("video", "face"), [[2, 1], [0, 1]])})
    table = to_dataframe(result)
    assert table[["video", "face"]].values.tolist() == [["a", 0], ["a", 1], ["b", 0], ["b", 1]]
    np.testing.assert_array_equal(table["mean_AU12"], [1.5, 3, np.nan, 4])
    np.testing.assert_array_equal(table["sem_Yaw"], [7.5, 15, np.nan, 20])
    assert table["n"].tolist() == [2, 1, 0, 1]
    assert table["condition"].tolist() == ["good", "good", "bad", "bad"]
    n_units = (("face", "feature"), [[2, 3], [4, 5]])
    long = to_dataframe(result.assign_coords(n_units=n_units, group=("feature", ["aus", "poses"])), layout="long")
    assert long["n_units"].tolist() == [2, 3, 4, 5, 2, 3, 4, 5]
    assert "group" not in long.columns
    assert long[["video", "face", "feature"]].values.tolist()[:3] == [
        ["a", 0, "AU12"],
        ["a", 0, "Yaw"],
        ["a", 1, "AU12"],
    ]
    np.testing.assert_array_equal(long["sem"][:3], [0.75, 7.5, 1.5])
    assert long["n"].tolist() == [2, 2, 1, 1, 0, 0, 1, 1]


def test_to_dataframe__dims_of_any_name():
    coords = {"term": ["Intercept", "x"], "feature": ["AU12"]}
    table = to_dataframe(xr.Dataset({"beta": (("term", "face", "feature"), [[[1.0]], [[2.0]]])}, coords))
    assert table.to_dict("list") == {"term": ["Intercept", "x"], "face": [0, 0], "beta_AU12": [1.0, 2.0]}


def test_to_dataframe__accessor(ds):
    pd.testing.assert_frame_equal(ds.fex.to_dataframe(), to_dataframe(ds))
    pd.testing.assert_frame_equal(ds.fex.aus.fex.to_dataframe(layout="wide"), to_dataframe(ds.fex.aus, layout="wide"))


def test_to_dataframe__unknown_arguments(ds):
    with pytest.raises(InputError, match=r"unknown layout 'tall'"):
        to_dataframe(ds, layout="tall")
    with pytest.raises(InputError, match=r"unknown variable 'landmark' \(did you mean 'landmarks'\?\)"):
        to_dataframe(ds, layout="wide", include=["landmark"])
    with pytest.raises(InputError, match="for a long table; expected layout='wide'"):
        to_dataframe(ds, include="landmarks")


def test_to_dataframe__two_columns_of_one_name(ds):
    with pytest.raises(SchemaError, match="found 'x_0' several times"):
        to_dataframe(ds.assign_coords(feature=["AU12", "x_0"]), layout="wide", include="landmarks")


def test_to_dataframe__points_of_the_mesh_have_names_of_their_own():
    ds = random_dataset(0, features=["AU12", "x_0"], n_landmarks=478)
    columns = to_dataframe(ds, layout="wide", include="landmarks").columns
    assert {"x_0", "mesh_x_0", "mesh_z_477"} <= set(columns)
