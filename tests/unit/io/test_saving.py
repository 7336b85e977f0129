from __future__ import annotations

import tracemalloc
import warnings

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

from facearray.errors import InputError, SchemaError, StructureError
from facearray.io import saving
from facearray.io.journal import Journal
from facearray.io.store import Layout, Store, open_store, save


@pytest.fixture
def ds(tmp_path, layout, write, record):
    path = tmp_path / "study.zarr"
    store = Store.create(path, layout, [(f"{i} 表.mp4", f"/videos/{i}.mp4") for i in range(5)], 3072)
    journal = Journal.beside(path)
    for row, n_frames in enumerate((30, 3000, 1, 1024, 2048)):
        write(store, row, n_frames)
        journal.mark_done(row, record(n_frames))
    store.finalize(journal)
    return open_store(path)


FORMS = {
    "lazy": lambda ds: ds,
    "loaded": lambda ds: ds.load(),
    "blocks of the store": lambda ds: open_store(ds.encoding["source"], chunks={}),
    "odd blocks": lambda ds: ds.chunk(video=2, frame=700),
    "one block": lambda ds: ds.chunk(),
    "videos": lambda ds: ds.isel(video=[3, 1]),
    "frames": lambda ds: ds.isel(frame=slice(100, 1500)),
    "frames of blocks": lambda ds: ds.chunk(frame=1000).isel(frame=slice(100, 2500)),
    "every third frame": lambda ds: ds.isel(frame=slice(None, None, 3)),
    "features": lambda ds: ds.sel(feature=["AU12", "happiness"]),
    "no landmarks": lambda ds: ds.drop_vars(["landmarks", "axis"]),
    "cleaned": lambda ds: ds.chunk(video=1) - ds.chunk(video=1).mean("frame"),
    "double": lambda ds: ds.assign(features=ds["features"].astype("f8") * 3),
    "no videos": lambda ds: ds.isel(video=[]),
}


@pytest.mark.parametrize("form", FORMS)
def test_save__opened_again_is_what_was_saved(ds, tmp_path, form):
    given = FORMS[form](ds)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved = open_store(save(given, tmp_path / "saved.zarr"))
        xr.open_zarr(tmp_path / "saved.zarr")
    xr.testing.assert_equal(saved.load(), given.load())
    assert {name: v.dtype for name, v in saved.variables.items()} == {n: v.dtype for n, v in given.variables.items()}


def test_save__keeps_what_the_schema_does_not_know(ds, tmp_path):
    given = ds.assign_coords(
        condition=("video", ["good", "bad", "good", "bad", "Größe"]),
        age=("video", [31.5, np.nan, 20, 44, 60]),
        born=("video", np.array(["2000-01-01"] * 5, dtype="M8[ns]")),
        answered=("video", [True, False, True, True, False]),
        episode=(("video", "frame"), np.full((5, 3072), "talk")),
        laboratory="Bochum",
    ).assign(power=(("video", "frame", "face", "band"), np.ones((5, 3072, 1, 2), dtype="f4")))
    saved = open_store(save(given, tmp_path / "saved.zarr")).load()
    xr.testing.assert_equal(saved, given.load())
    assert saved["condition"].dtype == np.dtypes.StringDType()


def test_save__has_the_chunks_of_the_schema(ds, tmp_path):
    save(ds.chunk(video=2, frame=700), tmp_path / "saved.zarr")
    group = zarr.open_group(tmp_path / "saved.zarr", mode="r")
    assert group["features"].chunks == (1, 1024, 1, 4)
    assert group["timestamp"].chunks == (1, 1024)
    assert group["status"].chunks == (16384,)
    assert group["frame_number"].fill_value == -1
    assert not list((tmp_path / "saved.zarr/features/c/0").glob("1"))  # padding is not stored


def test_save__leaves_the_dataset_as_it_was(ds, tmp_path):
    given = ds.copy()
    attrs, encoding = dict(given.attrs), dict(given["features"].encoding)
    save(given, tmp_path / "saved.zarr")
    assert (given.attrs, given["features"].encoding) == (attrs, encoding)
    assert given["features"].chunks is None


def test_save__no_run_goes_on_with_changed_values(ds, tmp_path):
    save(ds - 1, tmp_path / "saved.zarr")
    with pytest.raises(StructureError, match=r"options_hash; expected a store that facearray\.detect made"):
        _ = Store.open(tmp_path / "saved.zarr").layout


def test_save__needs_the_schema(ds, tmp_path):
    with pytest.raises(SchemaError, match="found no 'status'"):
        save(ds.drop_vars("status"), tmp_path / "saved.zarr")
    assert not (tmp_path / "saved.zarr").exists()


def test_save__refuses_what_is_there(ds, tmp_path, contents):
    save(ds, tmp_path / "saved.zarr")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.docx").write_text("years of work")
    before = contents(tmp_path)
    with pytest.raises(InputError, match="overwrite=True"):
        save(ds - 1, tmp_path / "saved.zarr")
    for overwrite in (True, False):
        with pytest.raises(StructureError, match="no Zarr v3 group"):
            save(ds, tmp_path / "other", overwrite=overwrite)
    assert contents(tmp_path) == before


def test_save__a_store_may_be_replaced_by_what_is_computed_from_it(ds):
    path = ds.encoding["source"]
    expected = (ds.isel(video=[0, 2]) - 1).load()
    lazy = open_store(path, chunks={}).isel(video=[0, 2]) - 1
    assert save(lazy, path, overwrite=True) == path
    xr.testing.assert_equal(open_store(path).load(), expected)
    assert dict(Journal.beside(path).states()) == {}


def test_save__a_failure_leaves_the_old_store(ds, tmp_path, contents):
    save(ds, tmp_path / "saved.zarr")
    before = contents(tmp_path / "saved.zarr")

    def fail(block):
        if block.size:
            raise RuntimeError("worker died")
        return block

    broken = ds.assign(features=(ds["features"].dims, da.map_blocks(fail, ds.chunk()["features"].data, dtype="f4")))
    with pytest.raises(RuntimeError, match="worker died"):
        save(broken, tmp_path / "saved.zarr", overwrite=True)
    assert contents(tmp_path / "saved.zarr") == before
    with pytest.raises(RuntimeError, match="worker died"):
        save(broken, tmp_path / "new.zarr")
    with pytest.raises(StructureError, match="was interrupted"):
        open_store(tmp_path / "new.zarr")
    xr.testing.assert_equal(open_store(save(ds, tmp_path / "new.zarr")).load(), ds.load())
    save(ds, tmp_path / "saved.zarr", overwrite=True)
    assert contents(tmp_path / "saved.zarr") == before


def test_save__to_urls_and_store_objects(ds):
    url = "memory://test_save/saved.zarr"
    save(ds, url)
    save(ds - 1, url, overwrite=True)
    xr.testing.assert_equal(open_store(url).load(), (ds - 1).load())
    memory = MemoryStore()
    xr.testing.assert_equal(open_store(save(ds, memory)).load(), ds.load())
    with pytest.raises(InputError, match="found a store; expected nothing"):
        save(ds, memory)


@pytest.mark.parametrize("chunks", [None, {"video": 4}])
def test_save__memory_does_not_grow_with_the_number_of_videos(tmp_path, write, monkeypatch, chunks):
    monkeypatch.setattr(saving, "BLOCK_BYTES", 2**20)
    layout = Layout(detector="fake", detector_version="1", features=("AU12",), n_components=128)

    def peak(n_videos: int) -> int:
        path = tmp_path / f"{n_videos}.zarr"
        store = Store.create(path, layout, [(str(i), "") for i in range(n_videos)], 2048)
        for row in range(n_videos):
            write(store, row, 2048, block=2048)
        lazy = open_store(path, chunks=chunks)
        tracemalloc.start()
        save(lazy, tmp_path / f"{n_videos} saved.zarr")
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak_bytes

    peak(2)  # what is imported and cached on first use
    assert peak(64) < 64 * 2048 * 128 * 4 / 3
