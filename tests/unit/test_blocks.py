"""Reading of real frames: the same from any kind of array, all of them, once, and nothing else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from facearray.blocks import iter_blocks, real_frame_counts
from facearray.errors import InputError, SchemaError
from facearray.io.store import open_store, save

LENGTHS = {"b": 7, "a": 40, "empty": 0, "d": 38, "c": 1, "e": 20}


def expected(ds: xr.Dataset, name: str = "features") -> dict[str, np.ndarray]:
    """Real frames of each video, picked one by one."""
    ds = ds.compute()
    found = {}
    for video in range(ds.sizes["video"]):
        one = ds.isel(video=video)
        frames = [f for f in range(ds.sizes["frame"]) if one.frame_number[f] >= 0]
        if frames:
            found[str(one.video.item())] = one[name].values[frames]
    return found


def gathered(ds: xr.Dataset, name: str = "features", **options) -> dict[str, np.ndarray]:
    """Real frames of each video, put together from the blocks."""
    parts: dict[str, list[np.ndarray]] = {}
    for block in iter_blocks(ds, variables=(name,), **options):
        assert block.data[name].shape[:2] == (len(block.videos), block.n_frames.max())
        for video, n, values in zip(block.videos, block.n_frames, block.data[name], strict=True):
            label = str(ds.video.values[video])
            assert block.start == sum(map(len, parts.get(label, [])))
            parts.setdefault(label, []).append(values[:n])
            assert np.isnan(values[n:]).all()
    return {label: np.concatenate(arrays) for label, arrays in parts.items()}


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    assert sorted(found) == sorted(wanted)
    for label, values in wanted.items():
        np.testing.assert_array_equal(found[label], values, err_msg=label)


class CountingStore(MemoryStore):
    """Counts how often each key is asked for."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked: Counter[str] = Counter()

    def with_read_only(self, read_only=False):
        return self

    async def get(self, key, prototype, byte_range=None):
        self.asked[key] += 1
        return await super().get(key, prototype, byte_range)

    def chunks(self, name: str) -> Counter[str]:
        return Counter({k: n for k, n in self.asked.items() if k.startswith(f"{name}/c/")})


@pytest.fixture
def stored(recordings):
    """Opens recordings as a store that counts what is read."""

    def make(lengths, *, n_frame=None, **options):
        ds = recordings(lengths, **options)
        store = CountingStore()
        save(padded(ds, n_frame), store)
        opened = open_store(store)
        store.asked.clear()
        return ds, opened, store

    return make


def padded(ds: xr.Dataset, n_frame: int | None) -> xr.Dataset:
    if n_frame is None:
        return ds
    wider = ds.pad(frame=(0, n_frame - ds.sizes["frame"]))
    missing = {"frame_number": -1, "n_faces_found": -1, "track_id": -1}
    return wider.assign_coords({n: wider[n].fillna(fill).astype(ds[n].dtype) for n, fill in missing.items()})


SELECTIONS = {
    "all": {},
    "first frames": {"frame": slice(0, 12)},
    "last frames": {"frame": slice(10, None)},
    "every third": {"frame": slice(None, None, 3)},
    "backwards": {"frame": slice(None, None, -1)},
    "some": {"frame": [3, 2, 39, 11]},
    "some videos": {"video": [4, 0, 5]},
    "no videos": {"video": []},
    "no frames": {"frame": slice(0, 0)},
}


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("kind", ["numpy", "dask", "lazy", "dask from store"])
def test_iter_blocks__gives_the_real_frames_of_any_selection(recordings, stored, kind, selection):
    ds = recordings(LENGTHS, n_faces=2)
    if kind == "dask":
        ds = ds.chunk(video=4, frame=9)
    elif "lazy" in kind or "store" in kind:
        ds = stored(LENGTHS, n_faces=2, n_frame=100)[1]
        ds = ds if kind == "lazy" else ds.chunk()
    ds = ds.isel(SELECTIONS[selection])
    assert_same(gathered(ds), expected(ds))
    counts = {label: n for label, n in zip(ds.video.values, real_frame_counts(ds), strict=True) if n}
    assert counts == {label: len(values) for label, values in expected(ds).items()}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lengths=st.lists(st.integers(0, 30), min_size=1, max_size=8),
    chunks=st.none() | st.tuples(st.integers(1, 8), st.integers(1, 30)),
    max_bytes=st.integers(1, 2000),
    seed=st.integers(0, 9),
)
def test_iter_blocks__does_not_depend_on_chunks_memory_or_where_the_padding_is(
    recordings, lengths, chunks, max_bytes, seed
):
    ds = recordings({f"v{i}": n for i, n in enumerate(lengths)})
    ds = ds.isel(frame=np.random.default_rng(seed).permutation(ds.sizes["frame"]))
    wanted = expected(ds)
    if chunks is not None:
        ds = ds.chunk(video=chunks[0], frame=chunks[1])
    assert_same(gathered(ds, max_bytes=max_bytes), wanted)
    whole = list(iter_blocks(ds, max_bytes=max_bytes, split=False))
    assert sorted(v for block in whole for v in block.videos.tolist()) == np.flatnonzero(lengths).tolist()


def test_iter_blocks__reads_each_chunk_with_real_frames_once_and_no_other(stored):
    lengths = {f"{i:02d}": n for i, n in enumerate([900, 15_000, 3_000, 1, 2_048, 950, 0, 1_023])}
    _, ds, store = stored(lengths, n_frame=15 * 1024)
    for _ in iter_blocks(ds):
        pass
    wanted = {f"features/c/{i}/{c}/0/0" for i, n in enumerate(lengths.values()) for c in range(-(-n // 1024))}
    assert store.chunks("features") == Counter(dict.fromkeys(wanted, 1))
    assert store.chunks("frame_number").total() <= sum(-(-(n + 1) // 1024) for n in lengths.values()) + 2
    assert store.chunks("timestamp").total() == 0


def test_iter_blocks__reads_as_much_of_a_store_padded_15_times_as_of_one_that_is_not(stored):
    lengths = {f"{i:02d}": n for i, n in enumerate(np.random.default_rng(0).integers(500, 1000, 20).tolist())}
    asked = {}
    for n_frame in (1024, 15 * 1024):
        _, ds, store = stored(lengths, n_frame=n_frame)
        list(iter_blocks(ds))
        asked[n_frame] = store.chunks("features") + store.chunks("frame_number")
    assert asked[1024].total() == 40
    assert asked[15 * 1024] == asked[1024]


def test_iter_blocks__splits_a_long_video_at_the_edges_of_chunks(stored):
    original, ds, store = stored({"long": 10_000, "short": 10})
    assert_same(gathered(ds, max_bytes=2048 * 12), expected(original))
    assert set(store.chunks("features").values()) == {1}


@pytest.mark.parametrize("kind", ["numpy", "dask", "lazy"])
def test_iter_blocks__some_videos(recordings, stored, kind):
    ds, lazy, store = stored(LENGTHS, n_frame=2048)
    ds = {"numpy": ds, "dask": ds.chunk(video=4, frame=9), "lazy": lazy}[kind]
    assert_same(gathered(ds, videos=np.array([5, 0, 2])), expected(ds.isel(video=[0, 5])))
    assert gathered(ds, videos=np.array([], dtype=int)) == {}
    store.asked.clear()
    list(iter_blocks(lazy, videos=np.array([1])))
    assert set(store.chunks("features") + store.chunks("frame_number")) == {"features/c/1/0/0/0", "frame_number/c/1/0"}


def test_iter_blocks__bounds_memory(recordings):
    ds = recordings({f"{i}": 10 + i for i in range(50)})
    sizes = [block.data["features"].nbytes for block in iter_blocks(ds, max_bytes=3000)]
    assert max(sizes) <= 3000
    assert len(sizes) < 50


def test_iter_blocks__computes_each_dask_block_once(recordings):
    import dask.array

    ds = recordings({f"{i}": 5 + i for i in range(12)})
    calls = Counter()

    def look(block, block_info=None):
        calls[tuple(block_info[0]["chunk-location"])] += 1
        return block

    lazy = dask.array.from_array(ds.features.values, chunks=(4, 8, 1, 3)).map_blocks(look, dtype="f4", meta=np.empty(0))
    ds = ds.assign(features=(ds.features.dims, lazy))
    assert_same(gathered(ds), expected(ds.assign(features=(ds.features.dims, ds.features.values))))
    calls.clear()
    list(iter_blocks(ds))
    assert set(calls.values()) == {1}


def test_iter_blocks__believes_frame_number_and_not_n_frames(stored):
    original, ds, _ = stored({"a": 1500, "b": 10}, n_frame=4096)
    for wrong in ([3, 3], [4000, 0], [1499, 11]):
        changed = ds.assign_coords(n_frames=("video", np.array(wrong, "i4")))
        assert_same(gathered(changed), expected(original))
    assert_same(gathered(ds.drop_vars("n_frames")), expected(original))


def test_iter_blocks__keeps_padding_out_that_was_filled(recordings):
    ds = recordings(LENGTHS)
    filled = ds.assign(features=ds.features.fillna(0.5))
    assert_same(gathered(filled), expected(filled))


def test_iter_blocks__several_variables_and_features(recordings):
    ds = recordings(LENGTHS)
    (block, *_) = iter_blocks(ds, variables=("features", "timestamp", "frame_number"), features=["happiness", "Yaw"])
    video, n = block.videos[0], block.n_frames[0]
    wanted = ds.features.isel(video=video, frame=slice(n)).sel(feature=["happiness", "Yaw"])
    np.testing.assert_array_equal(block.data["features"][0, :n], wanted)
    np.testing.assert_array_equal(block.data["timestamp"][0, :n], ds.timestamp.values[video, :n])
    assert (block.data["frame_number"][0, :n] == np.arange(n)).all()


def test_iter_blocks__never_hands_out_the_input(recordings):
    ds = recordings(LENGTHS)
    before = ds.copy(deep=True)
    for block in iter_blocks(ds, variables=("features", "timestamp")):
        for values in block.data.values():
            values[:] = 0
    xr.testing.assert_identical(ds, before)


@pytest.mark.parametrize("kind", ["memory", "dask", "store"])
@pytest.mark.parametrize("lengths", [LENGTHS, dict.fromkeys("abcd", 9)], ids=["padded", "whole"])
def test_iter_blocks__read_only(recordings, stored, kind, lengths):
    ds, opened, _ = stored(lengths)
    used = {"memory": ds, "dask": ds.chunk(video=2), "store": opened}[kind]
    assert_same(gathered(used, copy=False), gathered(ds))
    for block in iter_blocks(used, copy=False):
        assert not block.data["features"].flags.writeable
    assert ds.features.values.flags.writeable


def test_iter_blocks__of_whole_arrays_in_memory_copies_nothing(recordings):
    ds = recordings(dict.fromkeys("abcd", 9))
    names = ds.feature.values.tolist()
    for options in ({}, {"features": names}, {"features": names[1:]}, {"videos": np.array([1, 2])}):
        (block,) = iter_blocks(ds, copy=False, **options)
        assert np.shares_memory(block.data["features"], ds.features.values)
        (block,) = iter_blocks(ds, **options)
        assert not np.shares_memory(block.data["features"], ds.features.values)


def test_iter_blocks__unknown_names(recordings):
    ds = recordings(LENGTHS)
    with pytest.raises(InputError, match=r"unknown variable 'feature_s'.*did you mean 'features'"):
        list(iter_blocks(ds, variables=["feature_s"]))
    with pytest.raises(InputError, match=r"unknown feature or group 'AU13'.*did you mean 'AU12'"):
        list(iter_blocks(ds, features=["AU13"]))
    with pytest.raises(InputError, match="max_bytes=0; expected a positive"):
        list(iter_blocks(ds, max_bytes=0))


def test_iter_blocks__wrong_dims(recordings):
    ds = recordings(LENGTHS)
    with pytest.raises(SchemaError, match="found no 'frame_number'"):
        list(iter_blocks(ds.drop_vars("frame_number")))
    with pytest.raises(SchemaError, match="frame_number"):
        list(iter_blocks(ds.isel(video=0)))
    with pytest.raises(SchemaError, match=r"'fps' with dims \('video',\); expected dims"):
        list(iter_blocks(ds, variables=["fps"]))
    with pytest.raises(SchemaError, match="found no 'frame_number'"):
        real_frame_counts(ds.drop_vars("frame_number"))
