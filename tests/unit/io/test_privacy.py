from __future__ import annotations

import csv
import json
import logging

import numpy as np
import pytest
import xarray as xr

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.io.exporting import FORMATS, export, read_export
from facearray.io.privacy import REMOVED, deidentify
from facearray.testing import random_dataset

SECRETS = ("alice", "Bob", "hospital", "4711", "ward9")


@pytest.fixture
def ds() -> xr.Dataset:
    ds = random_dataset(
        0, features=["AU12", "eye_lmk_x_0", "Identity_4711", "my_own_measure"], n_landmarks=2, n_components=3
    )
    ds = ds.assign_coords(
        video=["alice.mp4", "Bob.mp4", "c.mp4"],
        source=("video", [f"/hospital/ward9/{name}" for name in ("alice.mp4", "Bob.mp4", "c.mp4")]),
        error=("video", ["", "", "/hospital/ward9/c.mp4: moov atom not found"]),
        status=("video", ["done", "done", "failed"]),
        condition=("video", ["x", "y", "x"]),
    )
    ds.attrs |= {"notes": ["read from /hospital/ward9/alice.csv"], "detector_version": "1", "options": '{"every": 1}'}
    ds["features"].attrs = {"description": "measures", "source_file": "alice.csv"}
    ds.encoding["source"] = "/hospital/ward9/study.zarr"
    return ds


def test_deidentify__removes_and_says_so(ds, caplog):
    with caplog.at_level(logging.INFO, logger="facearray"):
        found = deidentify(ds)
    assert list(found.data_vars) == ["features"]
    assert "axis" not in found.coords
    assert found["feature"].values.tolist() == ["AU12"]
    assert set(found["source"].values) == {""}
    assert set(found["error"].values) == {""}
    assert found["status"].values.tolist() == ["done", "done", "failed"]
    assert set(found.attrs) == {"facearray_schema", "detector", "detector_version", "options", "deidentified"}
    assert found["features"].attrs == {"description": "measures"}
    assert found.encoding == {}
    assert found.attrs["deidentified"] == [
        "variable embedding",
        "variable landmarks",
        "feature eye_lmk_x_0",
        "feature Identity_4711",
        "feature my_own_measure",
        "texts of source",
        "texts of error",
        "attribute notes",
        "attribute source_file of features",
    ]
    assert [record.getMessage() for record in caplog.records] == [f"removed {w}" for w in found.attrs["deidentified"]]


def test_deidentify__leaves_measurements_and_the_original_alone(ds):
    before = ds.copy(deep=True)
    found = deidentify(ds)
    xr.testing.assert_equal(
        found["features"].drop_vars(["source", "error"]),
        before["features"].sel(feature=["AU12"]).drop_vars(["source", "error"]),
    )
    xr.testing.assert_identical(ds, before)
    assert ds.encoding["source"] == "/hospital/ward9/study.zarr"
    assert found["condition"].values.tolist() == ["x", "y", "x"]


def test_deidentify__variables_of_points_under_any_name(ds):
    ds = ds.assign(smoothed=ds["landmarks"] * 2).assign_coords(weight=("landmark", [1, 2]))
    assert set(deidentify(ds).variables) & {"smoothed", "weight"} == set()


def test_deidentify__keep(ds):
    assert deidentify(ds, keep=["my_own_measure"])["feature"].values.tolist() == ["AU12", "my_own_measure"]
    with pytest.raises(InputError, match="unknown feature of the group 'other' 'my_own'"):
        deidentify(ds, keep=["my_own"])


def test_deidentify__key(ds, tmp_path):
    found = deidentify(ds, key=tmp_path / "key.csv")
    assert found["video"].values.tolist() == ["video-000001", "video-000002", "video-000003"]
    with (tmp_path / "key.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["video", "label"],
        ["video-000001", "alice.mp4"],
        ["video-000002", "Bob.mp4"],
        ["video-000003", "c.mp4"],
    ]
    with pytest.raises(InputError, match="the key cannot be written"):
        deidentify(ds, key=tmp_path / "key.csv")


def test_deidentify__not_of_the_schema(ds):
    with pytest.raises(SchemaError):
        deidentify(ds.drop_vars("frame_number"))


def test_deidentify__notes_of_readers(ds):
    options = {"every": 1, "fps": 25.0, "conversions": ["in all rows of Alice.txt: age 47"], "other": ["Alice_x"]}
    ds.attrs |= {"options": json.dumps(options), "options_hash": "0123"}
    found = deidentify(ds)
    assert json.loads(found.attrs["options"]) == {"every": 1, "fps": 25.0}
    assert "options_hash" not in found.attrs
    assert {"option conversions", "option other"} <= set(found.attrs[REMOVED])
    assert "conversions" in ds.attrs["options"]


def test_deidentify__can_be_saved(ds, tmp_path):
    stored = fa.open_store(fa.save(deidentify(ds), tmp_path / "x.zarr"))
    assert stored.attrs["deidentified"][0] == "variable embedding"


def everything_in(path) -> str:
    """All that a folder says: the bytes of its files, their names, and what is compressed within them."""
    import pyarrow.parquet as pq

    found = []
    for file in [path, *path.rglob("*")]:
        found.append(file.name)
        if file.is_file():
            found.append(file.read_bytes().decode("latin-1"))
        if file.suffix == ".parquet" and file.is_file():
            table = pq.read_table(file, partitioning=None)
            found += [str(table.schema.metadata), str(table.to_pylist())]
    return "\n".join(found)


@pytest.mark.parametrize("kind", FORMATS)
def test_export__deidentified_files_hold_none_of_it(ds, tmp_path, kind):
    pytest.importorskip("h5netcdf")
    folder = tmp_path / "out"
    folder.mkdir()
    export(ds.drop_vars("condition"), folder / f"whole.{kind}", format=kind)
    written = everything_in(folder)
    assert [secret for secret in SECRETS if secret not in written] == []
    (folder / "shared").mkdir()
    path = export(ds, folder / "shared" / f"x.{kind}", format=kind, deidentify=True, key=tmp_path / "key.csv")
    written = everything_in(folder / "shared")
    assert [secret for secret in SECRETS if secret in written.replace("feature Identity_4711", "")] == []
    back = read_export(path)
    np.testing.assert_array_equal(back["features"].values[0], ds["features"].sel(feature=["AU12"]).values[0])
