from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import LocalStore, MemoryStore

from facearray.errors import InputError, SchemaError, StructureError
from facearray.io.journal import Journal
from facearray.io.store import Store, open_store
from facearray.schema import COORDS, DATA_VARS

PLAIN = """
import sys
import numpy as np
import xarray as xr

path, copy = sys.argv[1:]
for chunks in ({}, None):
    ds = xr.open_zarr(path, chunks=chunks)
    assert dict(ds.sizes) == {"video": 3, "frame": 6144, "face": 1, "feature": 4, "landmark": 5, "axis": 3}, ds.sizes
    assert set(ds.data_vars) == {"features", "landmarks"}, set(ds.data_vars)
    assert set(ds.coords) == set(
        "video feature axis n_frames fps width height duration source status error frame_number timestamp "
        "n_faces_found track_id group unit description".split()
    ), set(ds.coords)
    assert set(ds.indexes) == {"video", "feature", "axis"}, set(ds.indexes)
    assert ds["timestamp"].dtype == "f8" and ds["frame_number"].dtype == "i4" and ds["features"].dtype == "f4"
    assert ds["duration"].dtype == "f8" and ds["status"].dtype == np.dtypes.StringDType()
    assert set((ds - 1).data_vars) == set(ds.data_vars)
    assert "fps" in (ds - ds.mean("frame")).coords
    real = ds.where(ds["frame_number"] >= 0)
    np.testing.assert_array_equal(real["features"].notnull(), ds["features"].notnull())
    np.testing.assert_allclose(
        ds.std("frame")["features"][1], np.nanstd(ds["features"][1].values, axis=0), rtol=1e-5
    )
    assert ds.isel(frame=slice(10, 20)).load().sizes["frame"] == 10
    assert ds.sel(video="1.mp4", feature="AU12")["features"].shape == (6144, 1)
    assert ds.dropna("frame", how="all", subset=["features"]).sizes["frame"] <= 5000
    ds.load().identical(ds)
assert "facearray" not in sys.modules

import warnings
warnings.filterwarnings("ignore", message="Consolidated metadata is")  # of every to_zarr of this format
forms = {
    "opened": xr.open_zarr(path),
    "lazy": xr.open_zarr(path, chunks=None),
    "loaded": xr.open_zarr(path).load(),
    "start": xr.open_zarr(path).isel(frame=slice(0, 2000)),
    "lazy part": xr.open_zarr(path, chunks=None).isel(frame=slice(100, 5500)),
    "videos": xr.open_zarr(path).isel(video=[0, 2]),
    "mean": xr.open_zarr(path).mean("frame"),
    "minus": xr.open_zarr(path) - 1,
    "one block": xr.open_zarr(path, chunks=None).chunk(),
}
for name, ds in forms.items():
    ds.to_zarr(copy + name)
    xr.testing.assert_identical(xr.open_zarr(copy + name).load(), ds.load())
"""


@pytest.fixture
def path(tmp_path, layout, write, record):
    """A finished store of two videos and a failed one."""
    path = tmp_path / "study.zarr"
    store = Store.create(path, layout, [(f"{i}.mp4", f"/videos/{i}.mp4") for i in range(3)], 6144)
    journal = Journal.beside(path)
    journal.record({row: (label, f"print {row}") for row, label in enumerate(store.labels)})
    for row, n_frames in ((0, 30), (1, 5000)):
        write(store, row, n_frames)
        journal.mark_done(row, record(n_frames))
    journal.mark_failed(2, "no video stream")
    store.finalize(journal)
    return path


def test_plain_xarray__needs_nothing_of_ours_and_never_warns(path, tmp_path):
    subprocess.run([sys.executable, "-W", "error", "-c", PLAIN, str(path), str(tmp_path / "copy ")], check=True)


def test_open_store__follows_the_schema(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = open_store(path)
    for name, variable in ds.variables.items():
        known = {**COORDS, **DATA_VARS}[name]
        assert (variable.dims, variable.dtype) == (known.dims, known.numpy_dtype)
        assert variable.attrs["description"] == known.description
    assert ds.chunks == {}
    assert ds.encoding["source"] == str(path) == xr.open_zarr(path).encoding["source"]


@pytest.mark.parametrize("form", [str, lambda p: p, lambda p: f"file://{p}", LocalStore])
def test_open_store__takes_paths_urls_and_stores(path, form):
    assert open_store(form(path))["n_frames"].values.tolist() == [30, 5000, 0]


@pytest.mark.parametrize("chunks", [{}, {"video": 2}, {"video": 1, "frame": -1}])
def test_open_store__in_blocks(path, chunks):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = open_store(path, chunks=chunks)
    assert ds["features"].chunks is not None
    xr.testing.assert_identical(ds.load(), open_store(path).load())


def test_open_store__lays_the_journal_over_an_unfinished_store(path, write, record):
    finished = open_store(path).load()
    store = Store.open(path)
    store.append([("3.mp4", ""), ("4.mp4", "")], 6144)
    journal = Journal.beside(path)
    journal.record({3: ("3.mp4", "x"), 4: ("4.mp4", "y")})
    write(store, 3, 7)
    journal.mark_done(3, record(7))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ds = open_store(path)
    assert ds["status"].values.tolist() == ["done", "done", "failed", "done", "pending"]
    assert ds["n_frames"].values.tolist() == [30, 5000, 0, 7, 0]
    assert ds["error"].values.tolist() == ["", "", "no video stream", "", ""]
    assert {ds[name].dtype for name in ("width", "n_frames")} == {np.dtype("int32")}
    xr.testing.assert_identical(ds.isel(video=slice(3)).load(), finished)


def test_open_store__of_an_unfinished_store_needs_no_dask_arrays(path):
    Store.open(path).append([("3.mp4", "")], 6144)
    code = """
import sys
import facearray as fa
assert fa.open_store(sys.argv[1])["status"].values.tolist() == ["done", "done", "failed", "pending"]
assert not {"dask.array", "distributed"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)


def test_open_store__unfinished_store_object(layout, tmp_path, record):
    memory = MemoryStore()
    Store.create(memory, layout, [("a", "")], 1024)
    Journal(tmp_path / "a.run").mark_done(0, record(3))
    assert open_store(memory)["status"].item() == "pending"
    assert open_store(memory, journal=tmp_path / "a.run")["status"].item() == "done"


def test_open_store__says_what_is_beside_a_missing_store(path, tmp_path):
    with pytest.raises(InputError, match=r"no store at .*studi\.zarr; did you mean 'study\.zarr'"):
        open_store(tmp_path / "studi.zarr")
    with pytest.raises(InputError, match=r"holds study\.zarr$"):
        open_store(tmp_path / "q")
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        open_store(tmp_path / "nowhere" / "q.zarr")
    with pytest.raises(InputError, match="no store at"):
        open_store(MemoryStore())
    assert not (tmp_path / "q").exists()


def test_open_store__refuses_what_is_no_zarr_group(tmp_path):
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "c.csv").write_text("1")
    zarr.create_array(tmp_path / "array.zarr", shape=(3,), dtype="f4")
    for name in ("b.zarr", "array.zarr"):
        with pytest.raises(StructureError, match=f"{name}: found something that is no Zarr v3 group"):
            open_store(tmp_path / name)


def test_open_store__refuses_a_zarr_of_another_kind(tmp_path):
    weather = xr.Dataset({"rain": ("day", [1.0])}, coords={"fps": ("day", [1])})
    weather.to_zarr(tmp_path / "w.zarr", zarr_format=3, consolidated=False)
    with pytest.raises(SchemaError, match=r"w\.zarr cannot be opened(?s:.*)found 'fps' with dims \('day',\)"):
        open_store(tmp_path / "w.zarr")
