from __future__ import annotations

import asyncio
import itertools
import pickle
import threading
import tracemalloc

import numpy as np
import pytest
import zarr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore, WrapperStore

from facearray.errors import CapacityError, InputError, LeaseError, StructureError
from facearray.io.store import Layout, Store

NARROW = Layout(detector="fake", detector_version="1", features=("AU12", "AU25"), n_components=3)


def arrays(memory: MemoryStore) -> dict[str, np.ndarray]:
    group = zarr.open_group(memory, mode="r")
    return {name: array[:] for name, array in group.arrays() if array.ndim > 1}


@settings(max_examples=30, deadline=None)
@given(
    blocks=st.lists(st.integers(0, 1500) | st.sampled_from([1, 1023, 1024, 1025, 2047]), max_size=6).filter(
        lambda sizes: sum(sizes) <= 3072
    )
)
@example(blocks=[1023, 1, 1024, 1023, 1])
def test_row__any_blocks_give_what_was_given(blocks):
    rng = np.random.default_rng(0)
    n = sum(blocks)
    given_values = {
        "frame_number": np.sort(rng.choice(10_000, n, replace=False)).astype(np.int32),
        "timestamp": rng.random(n),
        "n_faces_found": rng.integers(0, 9, n).astype(np.int16),
        "track_id": rng.integers(-1, 9, (n, 1)).astype(np.int32),
        "features": rng.random((n, 1, 2), dtype=np.float32),
        "embedding": rng.random((n, 1, 3), dtype=np.float32),
    }
    memory = MemoryStore()
    store = Store.create(memory, NARROW, [("a", ""), ("b", ""), ("c", "")], 3072)
    edges = np.cumsum([0, *blocks])
    with store.row(1) as writer:
        for start, stop in itertools.pairwise(edges):
            writer.write(**{name: values[start:stop] for name, values in given_values.items()})
    found = arrays(memory)
    for name, values in given_values.items():
        np.testing.assert_array_equal(found[name][1, :n], values)
        fill = -1 if values.dtype.kind == "i" else np.nan
        padding = [found[name][1, n:], found[name][[0, 2]]]
        assert all(np.array_equal(p, np.full_like(p, fill), equal_nan=True) for p in padding)


def test_row__touches_no_key_of_another_row(tmp_path, layout, write, contents):
    store = Store.create(tmp_path / "s.zarr", layout, [(str(i), "") for i in range(12)], 2048)
    before = contents(tmp_path)
    write(store, 1, 1500)
    after = contents(tmp_path)
    assert before.items() <= after.items()
    new = set(after) - set(before)
    assert new
    assert all(key.split("/")[3] == "1" and key.split("/")[2] == "c" for key in new)


def test_row__chunks_of_padding_are_not_stored(tmp_path, layout, write):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 8192)
    write(store, 0, 1025)
    assert sorted(p.name for p in (tmp_path / "s.zarr/features/c/0").iterdir()) == ["0", "1"]


def test_row__written_again_has_the_same_keys_and_bytes(tmp_path, layout, write, contents):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 3072)
    write(store, 0, 2000)
    first = contents(tmp_path)
    write(store, 0, 3000)
    assert contents(tmp_path) != first
    write(store, 0, 2000, block=77)
    assert contents(tmp_path) == first


def test_row__an_exception_leaves_nothing_of_the_row(tmp_path, layout, write, values, contents):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", ""), ("b", "")], 3072)
    write(store, 1, 10)
    before = contents(tmp_path)

    def fail_halfway() -> None:
        with store.row(0) as writer:
            writer.write(**values(0, 2000, layout))
            assert contents(tmp_path) != before
            raise RuntimeError("decoder")

    with pytest.raises(RuntimeError, match="decoder"):
        fail_halfway()
    assert contents(tmp_path) == before


class Ownership:
    """A check that passes a number of times, and fails from then on."""

    def __init__(self, n_passes: int) -> None:
        self.left = n_passes

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise LeaseError("another run writes here now")


@pytest.mark.parametrize("n_passes", [0, 1, 2, 3])
@pytest.mark.parametrize("ends_with", [None, RuntimeError, KeyboardInterrupt])
def test_row__that_belongs_to_another_run_by_now_is_left_alone(
    tmp_path, layout, write, values, contents, n_passes, ends_with
):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 4096)
    write(store, 0, 4000)
    owner, lost = Ownership(n_passes), contents(tmp_path)

    def write_until_it_is_lost() -> None:
        nonlocal lost
        with store.row(0, check=owner) as writer:
            lost = contents(tmp_path)
            for start in range(0, 2500, 500):
                writer.write(**values(start, 500, layout))
                if owner.left >= 0:
                    lost = contents(tmp_path)
            if ends_with is not None:
                raise ends_with

    with pytest.raises(LeaseError, match="another run"):
        write_until_it_is_lost()
    assert contents(tmp_path) == lost


def test_row__opens_from_an_address_alone(tmp_path, layout, values):
    Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    with Store.open(str(tmp_path / "s.zarr")).row(0) as writer:
        writer.write(**values(0, 7, layout))
    found = zarr.open_group(tmp_path / "s.zarr", mode="r")["landmarks"][0, :7]
    np.testing.assert_array_equal(found, values(0, 7, layout)["landmarks"])


def test_row__more_frames_than_room(tmp_path, layout, values, contents):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", ""), ("b", "")], 1024)
    before = contents(tmp_path)
    message = "row 1: found room for 1024 frames; expected at least 1500"
    with pytest.raises(CapacityError, match=message) as caught, store.row(1) as writer:
        writer.write(**values(1, 1500, layout))
    assert (caught.value.row, caught.value.capacity, caught.value.n_frames) == (1, 1024, 1500)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert contents(tmp_path) == before


def test_row__names_everything_that_does_not_fit(tmp_path, layout, values):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    block = values(0, 8, layout)
    del block["landmarks"]
    block |= {"embedding": np.zeros((8, 1, 3)), "features": np.zeros((8, 1, 3)), "track_id": np.zeros((8, 1))}
    with pytest.raises(InputError) as caught, store.row(0) as writer:
        writer.write(**block)
    for part in (
        "found no landmarks",
        "found embedding; the store has none",
        "found features of shape (8, 1, 3); expected (8, 1, 4)",
        "found track_id of float64; expected int32",
    ):
        assert part in str(caught.value)


def test_row__refuses_frames_that_would_be_padding(tmp_path, layout, values):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    block = values(0, 8, layout)
    block["frame_number"][3] = -1
    with pytest.raises(InputError, match="negative frame_number"), store.row(0) as writer:
        writer.write(**block)


def test_row__refuses_to_write_outside_its_context(tmp_path, layout, values):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    with pytest.raises(InputError, match="not open for writing"):
        store.row(0).write(**values(0, 8, layout))


@pytest.mark.parametrize("row", [-1, 2])
def test_row__refuses_a_row_that_does_not_exist(tmp_path, layout, row):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", ""), ("b", "")], 1024)
    with pytest.raises(StructureError, match="found 2 rows"):
        store.row(row)


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"chunks": (2, 1024, 1)}, "chunks of 2 videos"),
        ({"chunks": (1, 1024, 1), "shards": (2, 2048, 1)}, "chunks of 2 videos"),
        ({"chunks": (1, 1024, 1), "shards": (1, 2048, 1)}, "shards .* of several chunks"),
    ],
)
def test_row__refuses_chunks_that_are_shared(tmp_path, layout, form, problem):
    store = Store.create(tmp_path / "s.zarr", layout, [("a", ""), ("b", "")], 2048)
    group = zarr.open_group(tmp_path / "s.zarr", mode="r+")
    del group["track_id"]
    group.create_array("track_id", shape=(2, 2048, 1), dtype="i4", fill_value=-1, **form)
    with pytest.raises(StructureError, match=problem):
        store.row(0)


class ReadTogether(WrapperStore):
    """Lets nobody have a chunk before both writers have read it: the worst case of two that write at once."""

    barrier: asyncio.Barrier | None = None

    async def get(self, key, prototype, byte_range=None):
        found = await self._store.get(key, prototype, byte_range)
        if "/c/" in key or key.startswith("c/"):
            self.barrier = self.barrier or asyncio.Barrier(2)
            await self.barrier.wait()
        return found


def test_naive_region_writes__lose_the_values_of_one_of_two_writers():
    """Why a row is written in whole chunks of its own: disjoint regions of a shared chunk are not safe."""
    memory = MemoryStore()
    zarr.create_array(memory, shape=(2, 64), chunks=(2, 64), dtype="f4", fill_value=np.nan)
    shared = ReadTogether(memory)

    def naive(row: int) -> None:
        zarr.open_array(shared, mode="r+")[row] = row + 1

    threads = [threading.Thread(target=naive, args=(row,)) for row in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    survived = np.isfinite(zarr.open_array(memory, mode="r")[:]).all(axis=1)
    assert survived.sum() == 1  # no writer got an error, yet one of the two rows is gone


def test_row_writers_at_once__lose_nothing(layout, values):
    memory = MemoryStore()
    store = Store.create(memory, layout, [(str(i), "") for i in range(4)], 2048)

    def write(row: int) -> None:
        with store.row(row) as writer:
            writer.write(**values(row, 1500, layout))

    threads = [threading.Thread(target=write, args=(row,)) for row in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    found = arrays(memory)
    for row in range(4):
        for name, expected in values(row, 1500, layout).items():
            np.testing.assert_array_equal(found[name][row, :1500], expected)


def test_row__memory_does_not_grow_with_length(tmp_path):
    wide = Layout(detector="fake", detector_version="1", features=("AU12",), n_components=256)
    block = {
        "timestamp": np.zeros(512),
        "n_faces_found": np.ones(512, dtype=np.int16),
        "track_id": np.zeros((512, 1), dtype=np.int32),
        "features": np.ones((512, 1, 1), dtype=np.float32),
        "embedding": np.ones((512, 1, 256), dtype=np.float32),
    }

    def peak(n_blocks: int) -> int:
        store = Store.create(tmp_path / f"{n_blocks}.zarr", wide, [("a", "")], 512 * n_blocks)
        tracemalloc.start()
        with store.row(0) as writer:
            for i in range(n_blocks):
                writer.write(frame_number=np.arange(512 * i, 512 * (i + 1)), **block)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak_bytes

    peak(2)  # what is imported and cached on first use
    assert peak(64) < 1.5 * peak(4)
