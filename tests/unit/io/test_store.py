from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore, WrapperStore

from facearray.errors import InputError, StructureError
from facearray.io import existing
from facearray.io.journal import Journal
from facearray.io.store import Layout, Store, open_store
from facearray.schema import COORDS, DATA_VARS

LONG = "Größe и длина 表情 🙂 " * 20


def memory_contents(memory: MemoryStore) -> dict[str, bytes]:
    return {key: value.to_bytes() for key, value in memory._store_dict.items()}


class Failing(WrapperStore):
    """Fails for good after a number of writes, as a process that is killed does."""

    def __init__(self, store, n_writes: int) -> None:
        super().__init__(store)
        self.left = n_writes

    def with_read_only(self, read_only=False):
        return self._store.with_read_only(read_only)

    async def set(self, key, value):
        self.left -= 1
        if self.left < 0:
            raise OSError("killed")
        await self._store.set(key, value)


def study(path, layout, write, record, lengths, *, at_once=None, capacity=4096):
    """Make a store of videos of some lengths; the first `at_once` of them first, the others appended."""
    rows = [(f"{i}.mp4" if i < 2 else f"{i} {LONG}.mp4", f"/videos/{i}") for i in range(len(lengths))]
    first = at_once or len(rows)
    journal = Journal.beside(path)
    store = Store.create(path, layout, rows[:first], capacity if first == len(rows) else 1024)
    for row in range(first):
        write(store, row, lengths[row])
        journal.mark_done(row, record(lengths[row]))
    if first < len(rows):
        store.finalize(journal)
        store = Store.open(path)
        store.append(rows[first:], capacity)
        for row in range(first, len(rows)):
            write(store, row, lengths[row])
            journal.mark_done(row, record(lengths[row]))
    store.finalize(journal)
    return store


def test_create__has_every_variable_of_the_schema_and_nothing_else(tmp_path, layout):
    Store.create(tmp_path / "s.zarr", layout, [("a", "/a"), ("b", "/b")], 2048)
    group = zarr.open_group(tmp_path / "s.zarr", mode="r")
    known = {**COORDS, **DATA_VARS}
    assert set(group.array_keys()) == set(known) - {"embedding"}
    for name, array in group.arrays():
        variable = known[name]
        assert array.metadata.dimension_names == variable.dims
        assert array.dtype == variable.numpy_dtype
        np.testing.assert_equal(array.fill_value, variable.fill_value)
        assert array.shards is None
        if "frame" in variable.dims:
            assert array.shape[:2] == (2, 2048)
            assert array.chunks == (1, 1024, *array.shape[2:])


def test_create__features_have_the_texts_of_the_schema(tmp_path, layout):
    Store.create(tmp_path / "s.zarr", layout, [("a", "/a")], 1024)
    ds = open_store(tmp_path / "s.zarr")
    assert ds["group"].values.tolist() == ["facebox", "aus", "emotions", "other"]
    assert ds["unit"].values.tolist() == ["px", "", "", ""]
    assert ds["description"].sel(feature="FaceRectX").item() == "left edge of the face box"
    assert ds["axis"].values.tolist() == ["x", "y", "z"]


def test_create__is_metadata_only(tmp_path, layout, contents):
    n = 100_000
    store = Store.create(tmp_path / "s.zarr", layout, [(f"{i:06d}.mp4", "") for i in range(n)], 65536)
    keys = contents(tmp_path / "s.zarr")
    n_label_chunks = -(-n // 16384)
    assert len([k for k in keys if k.startswith("video/c/")]) == n_label_chunks
    assert len([k for k in keys if not k.startswith("video/c/")]) < 40
    assert (store.n_rows, store.capacity) == (n, 65536)


def test_create__says_what_is_wrong_with_labels_and_capacity(tmp_path, layout):
    with pytest.raises(InputError, match=r"empty label for 'x\.mp4'; found label 'a' twice"):
        Store.create(tmp_path / "s.zarr", layout, [("a", ""), ("a", ""), ("", "/p/x.mp4")], 1024)
    with pytest.raises(InputError, match="capacity 1000; expected a multiple of 1024"):
        Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1000)
    assert not list(tmp_path.iterdir())


def test_create__refuses_a_store_that_is_there(tmp_path, layout, contents):
    Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    before = contents(tmp_path)
    with pytest.raises(InputError, match="overwrite=True"):
        Store.create(tmp_path / "s.zarr", layout, [("b", "")], 1024)
    assert contents(tmp_path) == before


def test_create__overwrite_leaves_nothing_of_the_old_store_and_journal(tmp_path, layout, write, record, contents):
    study(tmp_path / "s.zarr", layout, write, record, [10, 20])
    Store.create(tmp_path / "s.zarr", layout, [("b", "")], 1024, overwrite=True)
    Store.create(tmp_path / "fresh.zarr", layout, [("b", "")], 1024)
    assert contents(tmp_path / "s.zarr") == contents(tmp_path / "fresh.zarr")
    assert dict(Journal.beside(tmp_path / "s.zarr").states()) == {}


def test_create__forgets_the_journal_of_a_store_that_was_deleted(tmp_path, layout):
    Journal(tmp_path / "s.zarr.run").mark_failed(0, "an older study")
    Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    assert dict(Journal(tmp_path / "s.zarr.run").states()) == {}


def foreign_folder(path):
    path.mkdir()
    (path / "thesis.docx").write_text("years of work")


def foreign_file(path):
    path.write_text("years of work")


def foreign_zarr(path):
    xr.Dataset({"years": ("of", [1.0])}).to_zarr(path, zarr_format=3, consolidated=False)


def foreign_array(path):
    zarr.create_array(path, shape=(3,), dtype="f4")


def store_with_notes(path):
    Store.create(path, Layout(detector="fake", detector_version="1", features=("AU12",)), [("a", "")], 1024)
    (path / "notes.txt").write_text("years of work")


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (foreign_folder, StructureError),
        (foreign_file, InputError),
        (foreign_zarr, StructureError),
        (foreign_array, StructureError),
        (store_with_notes, StructureError),
    ],
)
def test_create__overwrite_never_deletes_what_is_not_a_store(tmp_path, layout, contents, make, error):
    make(tmp_path / "s.zarr")
    before = contents(tmp_path)
    with pytest.raises(error, match=r"s\.zarr: found"):
        Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024, overwrite=True)
    assert contents(tmp_path) == before


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def killed_after(monkeypatch):
    """Return a function after which a number of files and folders can be deleted, and then the process ends."""

    def limit(n_deletions: int | None) -> None:
        monkeypatch.undo()
        if n_deletions is None:
            return
        left = iter(range(n_deletions))

        def counted(delete):
            def deletes(*arguments, **options):
                if next(left, None) is None:
                    raise Killed
                return delete(*arguments, **options)

            return deletes

        for name in ("unlink", "rmdir"):
            monkeypatch.setattr(os, name, counted(getattr(os, name)))

    return limit


def test_create__killed_while_the_old_store_is_deleted_then_again(
    tmp_path, layout, write, record, contents, killed_after
):
    path = tmp_path / "s.zarr"
    Store.create(tmp_path / "fresh.zarr", layout, [("b", "")], 1024)
    n_deletions, ended = 0, False
    while not ended:
        killed_after(None)
        study(path, layout, write, record, [10], capacity=1024)
        old = contents(path)
        killed_after(n_deletions)
        try:
            Store.create(path, layout, [("b", "")], 1024, overwrite=True)
            ended = True
        except Killed:
            killed_after(None)
            # Either nothing has been deleted, or there is nothing that anybody could take for a store.
            assert not Store.exists(path) or contents(path) == old
            Store.create(path, layout, [("b", "")], 1024, overwrite=Store.exists(path))
        killed_after(None)
        assert contents(path) == contents(tmp_path / "fresh.zarr")
        shutil.rmtree(path)
        n_deletions += 7 if n_deletions > 10 else 1
    assert n_deletions > 40


def test_exists__of_a_store_that_another_process_makes_meanwhile(tmp_path, layout, monkeypatch):
    look = existing._is_nothing

    def make_first(reader):
        monkeypatch.setattr(existing, "_is_nothing", look)
        Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
        return look(reader)

    monkeypatch.setattr(existing, "_is_nothing", make_first)
    assert Store.exists(tmp_path / "s.zarr")


def test_open__knows_rows_and_layout(tmp_path, layout):
    Store.create(tmp_path / "s.zarr", layout, [("a", "/a"), ("ж", "/b")], 2048)
    store = Store.open(tmp_path / "s.zarr")
    assert (store.labels, store.sources) == (["a", "ж"], ["/a", "/b"])
    assert (store.n_rows, store.capacity, store.layout) == (2, 2048, layout)
    store.check(layout)


def test_open__says_what_is_wrong(tmp_path, layout):
    Store.create(tmp_path / "study.zarr", layout, [("a", "")], 1024)
    with pytest.raises(InputError, match=r"did you mean 'study\.zarr'"):
        Store.open(tmp_path / "stduy.zarr")
    foreign_zarr(tmp_path / "other.zarr")
    with pytest.raises(StructureError, match="facearray did not make"):
        Store.open(tmp_path / "other.zarr")
    with pytest.raises(StructureError, match="facearray did not make"):
        Store.exists(tmp_path / "other.zarr")
    assert Store.exists(tmp_path / "study.zarr")
    assert not Store.exists(tmp_path / "nothing.zarr")
    assert not (tmp_path / "nothing.zarr").exists()


def test_check__refuses_another_layout(tmp_path, layout):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    with pytest.raises(StructureError) as caught:
        store.check(replace(layout, detector="other", options={"every": 1}))
    for part in ("found detector 'fake'; expected 'other'", "found option every=2; expected 1", "overwrite=True"):
        assert part in str(caught.value)


def test_check__refuses_arrays_that_are_not_the_template(tmp_path, layout):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    group = zarr.open_group(tmp_path / "s.zarr", mode="r+")
    del group["timestamp"], group["track_id"]
    group.create_array("track_id", shape=(1, 1024, 1), chunks=(1, 64, 1), dtype="i8", dimension_names=["a", "b", "c"])
    with pytest.raises(StructureError) as caught:
        store.check(layout)
    for part in (
        "found no array 'timestamp'",
        "'track_id' with dims ('a', 'b', 'c'); expected ('video', 'frame', 'face')",
        "'track_id' with dtype int64; expected int32",
        "'track_id' with chunks (1, 64, 1); expected (1, 1024, 1)",
        "'track_id' with fill value 0; expected -1",
    ):
        assert part in str(caught.value)


def test_append__gives_the_store_made_at_once(tmp_path, layout, write, record, contents):
    lengths = [900, 12, 3500, 1]
    study(tmp_path / "once.zarr", layout, write, record, lengths)
    study(tmp_path / "twice.zarr", layout, write, record, lengths, at_once=2)
    assert contents(tmp_path / "twice.zarr") == contents(tmp_path / "once.zarr")
    ds = open_store(tmp_path / "twice.zarr")
    assert ds.sizes["frame"] == 4096
    assert ds["video"].values.tolist()[2] == f"2 {LONG}.mp4"
    assert ds["n_frames"].values.tolist() == lengths


def test_append__over_several_chunks_of_labels(tmp_path, layout, contents):
    rows = [(f"{i} 表.mp4", f"/{i}") for i in range(40_000)]
    Store.create(tmp_path / "once.zarr", layout, rows, 1024)
    grown = Store.create(tmp_path / "grown.zarr", layout, rows[:10], 1024)
    for start, stop in ((10, 20_000), (20_000, 32_768), (32_768, 40_000)):
        grown.append(rows[start:stop], 1024)
    assert grown.labels == [label for label, _ in rows]
    assert contents(tmp_path / "grown.zarr") == contents(tmp_path / "once.zarr")


def test_append__to_a_store_without_rows_gives_the_store_made_at_once(tmp_path, layout, contents):
    rows = [("a", "/a"), ("b", "/b")]
    Store.create(tmp_path / "once.zarr", layout, rows, 2048)
    Store.create(tmp_path / "grown.zarr", layout, [], 1024).append(rows, 2048)
    assert contents(tmp_path / "grown.zarr") == contents(tmp_path / "once.zarr")


def test_append__refuses_known_labels(tmp_path, layout, contents):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    before = contents(tmp_path)
    with pytest.raises(InputError, match="label 'a' twice"):
        store.append([("b", ""), ("a", "")], 1024)
    with pytest.raises(InputError, match="multiple of 1024"):
        store.append([("b", "")], 1)
    assert contents(tmp_path) == before


def test_append_and_resize__readers_see_the_new_length_at_once(tmp_path, layout, write, record):
    store = study(tmp_path / "s.zarr", layout, write, record, [10], capacity=1024)
    assert "consolidated_metadata" in (tmp_path / "s.zarr/zarr.json").read_text()
    store.append([("b", "")], 1024)
    assert "consolidated_metadata" not in (tmp_path / "s.zarr/zarr.json").read_text()
    assert open_store(tmp_path / "s.zarr").sizes["video"] == 2
    store.finalize(Journal.beside(tmp_path / "s.zarr"))
    store.resize(3072)
    assert open_store(tmp_path / "s.zarr").sizes["frame"] == 3072
    store.finalize(Journal.beside(tmp_path / "s.zarr"))
    assert xr.open_zarr(tmp_path / "s.zarr").sizes["frame"] == 3072


def test_resize__never_shrinks_and_keeps_the_rows(tmp_path, layout, write, values):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 2048)
    write(store, 0, 1500)
    store.resize(4096)
    store.resize(1024)
    assert store.capacity == 4096
    with pytest.raises(InputError, match="multiple of 1024"):
        store.resize(5000)
    ds = open_store(tmp_path / "s.zarr")
    np.testing.assert_array_equal(ds["features"][0, :1500], values(0, 1500, layout)["features"])


def test_finalize__rows_are_done_failed_or_pending(tmp_path, layout, write, record):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", ""), ("b", ""), ("c", "")], 1024)
    journal = Journal.beside(tmp_path / "s.zarr")
    write(store, 0, 10)
    journal.mark_done(0, record(10))
    journal.mark_failed(1, "no video stream")
    store.finalize(journal)
    ds = xr.open_zarr(tmp_path / "s.zarr").load()
    assert ds["status"].values.tolist() == ["done", "failed", "pending"]
    assert ds["error"].values.tolist() == ["", "no video stream", ""]
    assert ds["n_frames"].values.tolist() == [10, 0, 0]
    np.testing.assert_array_equal(ds["fps"], [25.0, np.nan, np.nan])
    np.testing.assert_array_equal(ds["duration"], [10 / 12.5, np.nan, np.nan])
    assert (ds["frame_number"] >= 0).sum("frame").values.tolist() == [10, 0, 0]


def test_finalize__a_row_tried_again_loses_its_error(tmp_path, layout, write, record):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    journal = Journal.beside(tmp_path / "s.zarr")
    journal.record({0: ("a", "1")})
    journal.mark_failed(0, "disk was full")
    store.finalize(journal)
    journal.forget(0)
    store.reopen()
    assert open_store(tmp_path / "s.zarr")["status"].values.tolist() == ["pending"]
    write(store, 0, 5)
    journal.mark_done(0, record(5))
    store.finalize(journal)
    ds = open_store(tmp_path / "s.zarr")
    assert (ds["status"].item(), ds["error"].item(), ds["n_frames"].item()) == ("done", "", 5)


def test_finalize__rows_from_before_a_lost_journal_keep_their_state(tmp_path, layout, write, record):
    study(tmp_path / "s.zarr", layout, write, record, [10, 20], capacity=1024)
    (tmp_path / "s.zarr.run").rename(tmp_path / "lost")
    store = Store.open(tmp_path / "s.zarr")
    store.append([("new", "")], 1024)
    journal = Journal.beside(tmp_path / "s.zarr")
    journal.record({2: ("new", "1")})
    assert store.coordinates(journal)["status"].tolist() == ["done", "done", "pending"]
    store.finalize(journal)
    assert open_store(tmp_path / "s.zarr")["n_frames"].values.tolist() == [10, 20, 0]


def test_finalize__refuses_a_journal_of_another_store(tmp_path, layout, record):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    journal = Journal.beside(tmp_path / "s.zarr")
    journal.mark_done(7, record(10))
    with pytest.raises(StructureError, match="1 rows in the journal from 7 on"):
        store.finalize(journal)
    journal.forget(7)
    journal.record({0: ("b", "1")})
    with pytest.raises(StructureError, match="row 0: found 'b'; expected 'a'"):
        store.finalize(journal)


def test_finalize__refuses_more_frames_than_room(tmp_path, layout, record):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    journal = Journal.beside(tmp_path / "s.zarr")
    journal.mark_done(0, record(5000))
    with pytest.raises(StructureError, match="n_frames of row 0 at 5000; expected at most the capacity, 1024"):
        store.finalize(journal)


def test_finalize__removes_what_killed_writes_left(tmp_path, layout, write, record, contents):
    store = study(tmp_path / "s.zarr", layout, write, record, [10])
    before = contents(tmp_path / "s.zarr")
    for name in ("zarr.00ff.partial", "status/zarr.00ff.partial", "status/c/0.00ff.partial"):
        (tmp_path / "s.zarr" / name).write_bytes(b"{")
    store.finalize(Journal.beside(tmp_path / "s.zarr"))
    assert contents(tmp_path / "s.zarr") == before


def until_done(action):
    """Call `action` with 0, 1, 2, ... writes allowed until it is not interrupted any more."""
    n_writes = 0
    while True:
        try:
            action(n_writes)
        except OSError:
            n_writes += 1
        else:
            return n_writes


def test_create__interrupted_anywhere_is_no_store_and_is_made_again(tmp_path, layout):
    rows = [("a", "/a"), ("b", "/b")]
    expected = MemoryStore()
    Store.create(expected, layout, rows, 1024)

    def create(n_writes):
        memory = MemoryStore()
        try:
            Store.create(Failing(memory, n_writes), layout, rows, 1024)
        except OSError:
            assert not Store.exists(memory)
            with pytest.raises((InputError, StructureError), match=r"no store|was interrupted"):
                Store.open(memory)
            with pytest.raises((InputError, StructureError), match=r"no store|was interrupted"):
                open_store(memory)
            Store.create(memory, layout, rows, 1024)
            assert memory_contents(memory) == memory_contents(expected)
            raise

    assert until_done(create) > 20


@pytest.mark.parametrize("again", [["c", "d"], ["c"], ["c", "d", "e"]])
def test_append__interrupted_anywhere_then_appended_again(tmp_path, layout, again):
    old, new = [("a", "/a"), ("b", "/b")], [("c", "/c"), ("d", "/d")]
    redone = [(label, f"/{label}") for label in again]
    expected = MemoryStore()
    Store.create(expected, layout, [*old, *redone], 2048)

    def append(n_writes):
        memory = MemoryStore()
        Store.create(memory, layout, old, 1024)
        try:
            Store(zarr.open_group(Failing(memory, n_writes), mode="r+")).append(new, 2048)
        except OSError:
            store = Store.open(memory)
            assert store.labels == ["a", "b"]
            store.append(redone, 2048)
            assert memory_contents(memory) == memory_contents(expected)
            raise

    assert until_done(append) > 10


def test_append__interrupted_then_finished_without(tmp_path, layout):
    def append(n_writes):
        memory = MemoryStore()
        Store.create(memory, layout, [("a", "/a")], 1024)
        try:
            Store(zarr.open_group(Failing(memory, n_writes), mode="r+")).append([("b", "/b")], 1024)
        except OSError:
            Store.open(memory).finalize(Journal(tmp_path / "empty.run"))
            ds = open_store(memory)
            assert ds["video"].values.tolist() == ["a"]
            raise

    assert until_done(append) > 10


def test_finalize__interrupted_anywhere_then_again(tmp_path, layout, record, values):
    journal = Journal(tmp_path / "s.run")
    journal.mark_done(0, record(5))

    def make():
        memory = MemoryStore()
        store = Store.create(memory, layout, [("a", "/a")], 1024)
        with store.row(0) as writer:
            writer.write(**values(0, 5, layout))
        return memory

    expected = make()
    Store.open(expected).finalize(journal)

    def finalize(n_writes):
        memory = make()
        try:
            Store(zarr.open_group(Failing(memory, n_writes), mode="r+")).finalize(journal)
        except OSError:
            assert open_store(memory, journal=tmp_path / "s.run")["status"].item() == "done"
            Store.open(memory).finalize(journal)
            assert memory_contents(memory) == memory_contents(expected)
            raise

    assert until_done(finalize) > 5


WRITE_AND_WAIT = """
import sys, time
import numpy as np
from facearray.io.store import Store
with Store.open(sys.argv[1]).row(1) as writer:
    for start in range(0, 2500, 100):
        n = np.arange(start, start + 100)
        writer.write(n, n / 25, np.ones(100, "i2"), np.ones((100, 1, 4), "f4"), np.zeros((100, 1), "i4"),
                     np.ones((100, 1, 5, 3), "f4"))
    print("ready", flush=True)
    time.sleep(600)
"""


def test_kill__in_the_middle_of_a_row_then_written_again(tmp_path, layout, write, record, contents):
    path = tmp_path / "s.zarr"
    lengths = [700, 2300]
    study(tmp_path / "expected.zarr", layout, write, record, lengths)
    store = Store.create(path, layout, [("0.mp4", "/videos/0"), ("1.mp4", "/videos/1")], 4096)
    write(store, 0, 700)
    journal = Journal.beside(path)
    journal.mark_done(0, record(700))
    with subprocess.Popen([sys.executable, "-c", WRITE_AND_WAIT, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        process.kill()
    half = path / "features/c/1"
    assert sorted(p.name for p in half.iterdir()) == ["0", "1"]
    (half / "2.00ff.partial").write_bytes(b"torn")
    assert dict(journal.states()) == {0: "done"}
    write(Store.open(path), 1, 2300)
    journal.mark_done(1, record(2300))
    Store.open(path).finalize(journal)
    assert contents(path) == contents(tmp_path / "expected.zarr")


def test_memory_url__from_create_to_open(layout, write, record):
    url = "memory://test_memory_url/s.zarr"
    store = Store.create(url, layout, [("a", ""), ("b", "")], 1024, overwrite=True)
    journal = Journal.beside(url)
    journal.record({0: ("a", "1"), 1: ("b", "2")})
    for row in range(2):
        write(Store.open(url), row, 100 + row)
        journal.mark_done(row, record(100 + row))
    assert open_store(url)["n_frames"].values.tolist() == [100, 101]
    store.append([("c", "")], 2048)
    write(store, 2, 1500)
    journal.mark_done(2, record(1500))
    journal.compact()
    store.finalize(journal)
    ds = open_store(url)
    assert ds["status"].values.tolist() == ["done"] * 3
    assert (ds["frame_number"] >= 0).sum("frame").values.tolist() == [100, 101, 1500]
    with pytest.raises(InputError, match="overwrite=True"):
        Store.create(url, layout, [("a", "")], 1024)
    Store.create(url, layout, [("a", "")], 1024, overwrite=True)
    assert open_store(url)["status"].values.tolist() == ["pending"]
