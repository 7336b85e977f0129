from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from viewer_study import FEATURES, HOSTILE, N_FRAMES, VIDEOS
from zarr.storage import LocalStore

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.io.journal import Journal
from facearray.io.store import Layout, Store
from facearray.plot.viewer.catalog import Catalog, Opened
from facearray.plot.viewer.recording import BLOCK


def labels(catalog, *arguments, **options):
    return [catalog.labels[row] for row in catalog.search(*arguments, **options)]


def test_search__words_states_and_orders(catalog):
    assert labels(catalog) == list(VIDEOS)
    assert labels(catalog, "MKV b") == ["b.mkv", "broken.mkv"]
    assert labels(catalog, "<script>") == [HOSTILE]
    assert labels(catalog, "nothing like it") == []
    assert labels(catalog, state="failed") == ["failed.mkv"]
    assert labels(catalog, order="longest first")[-2:] == ["failed.mkv", "pending.mkv"]
    assert labels(catalog, "a", order="by name") == sorted(v for v in VIDEOS if "a" in v)
    with pytest.raises(InputError, match=r"unknown state 'don' .did you mean 'done'"):
        catalog.search(state="don")


def test_search__numbers_in_names_are_in_their_order(recordings):
    catalog = Catalog("x", lambda: Opened(recordings({"10.mp4": 2, "9.mp4": 2})))
    assert labels(catalog, order="by name") == ["9.mp4", "10.mp4"]


def test_entries_and_rates__are_those_of_the_store(catalog, study):
    ds = fa.open_store(study)
    entries = catalog.entries(range(len(VIDEOS)))
    assert [e["frames"] for e in entries] == ds.n_frames.values.tolist()
    assert (entries[0]["seconds"], entries[-1]["seconds"]) == (1.6, None)
    assert entries[6]["error"] == "it cannot be opened"
    # one of the frames has no face
    assert catalog.detection_rates([0, 6, 7]) == {0: (N_FRAMES - 1) / N_FRAMES}


def test_detection_rates__of_a_selection_whose_first_frames_are_gone(recordings):
    ds = recordings({"a": 30, "b": 20})
    late = ds.isel(frame=slice(15, None))
    catalog = Catalog("x", lambda: Opened(late))
    expected = [((late.n_faces_found[i] > 0).sum() / (late.frame_number[i] >= 0).sum()).item() for i in (0, 1)]
    assert catalog.detection_rates([0, 1]) == dict(enumerate(expected))


class Watched(LocalStore):
    """A store that notes which arrays have chunks read."""

    read: ClassVar[set[str]] = set()

    async def get(self, key, prototype=None, byte_range=None):
        if "/c/" in key:
            self.read.add(key.partition("/")[0])
        return await super().get(key, prototype, byte_range)


def test_catalog__reads_no_row_until_it_is_opened(study):
    Watched.read.clear()
    catalog = Catalog("study", lambda: Opened(fa.open_store(Watched(study))))
    catalog.search("a")
    catalog.entries([0, 1])
    assert "status" in Watched.read
    assert not Watched.read & {"features", "landmarks", "frame_number", "timestamp", "n_faces_found", "speaker"}
    catalog.recording(0)
    assert {"frame_number", "timestamp"} <= Watched.read
    assert not Watched.read & {"features", "landmarks", "speaker"}
    catalog.recording(0).ds  # noqa: B018
    assert "features" in Watched.read
    assert "landmarks" not in Watched.read


def test_recording__numbers_are_those_of_the_store(catalog, study):
    one = fa.open_store(study).isel(video=1).load()
    recording = catalog.recording(1)
    np.testing.assert_array_equal(recording.seconds, one.timestamp.values[:N_FRAMES])
    values = recording.values_at(12, ["AU12", "Yaw"], 0)
    assert values == {name: float(one.features.isel(frame=12, face=0).sel(feature=name)) for name in ("AU12", "Yaw")}
    assert np.isnan(recording.values_at(7, ["AU12"], 0)["AU12"])
    assert list(recording.groups) == ["facebox", "poses", "aus", "emotions"]
    assert recording.groups["facebox"] == [*FEATURES[:5]]
    boxes, points = recording.overlay(0)
    np.testing.assert_array_equal(boxes[:, 0], one.features.values[:N_FRAMES, 0, :4])
    np.testing.assert_array_equal(points[:, 0], one.landmarks.values[:N_FRAMES, 0, :, :2])


def test_recording__blocks_of_points_join(recordings):
    ds = recordings({"a": BLOCK + 9}, n_landmarks=3, n_faces=2)
    recording = Catalog("x", lambda: Opened(ds)).recording(0)
    points = np.concatenate([recording.overlay(block)[1] for block in (0, 1)])
    np.testing.assert_array_equal(points, ds.landmarks.values[0, ..., :2])
    assert np.isnan(recording.overlay(1)[0]).all()


def test_recording__intervals_of_the_store_and_of_a_table(study):
    table = pd.DataFrame({"video": ["a.mkv"], "start": [0.2], "end": [0.4], "label": ["question"]})
    catalog = Catalog("study", lambda: Opened(fa.open_store(study)), annotations=table)
    assert catalog.recording(0).interval_names == ["annotation", "speaker"]
    assert catalog.recording(0).interval_at(7) == {"annotation": "question"}
    assert catalog.recording(0).interval_at(12) == {"speaker": "<b>ann</b>"}
    assert catalog.recording(1).interval_names == ["speaker"]


def test_catalog__annotations_that_do_not_fit(study):
    def opened(**columns):
        return Catalog("x", lambda: Opened(fa.open_store(study)), annotations=pd.DataFrame(columns))

    with pytest.raises(InputError, match="unknown column of the annotations 'end', 'label'"):
        opened(video=["a.mkv"], start=[0.0])
    with pytest.raises(InputError, match=r"unknown video of the annotations 'a.mk' .did you mean 'a.mkv'"):
        opened(video=["a.mk"], start=[0.0], end=[1.0], label=["x"])
    with pytest.raises(InputError, match="out of range"):
        opened(video=["a.mkv"], start=[0.0], end=[99.0], label=["x"]).recording(0)


def test_recording__without_times_frames_are_counted(recordings):
    ds = recordings({"a": 10})
    ds = ds.assign_coords(timestamp=ds.timestamp * np.nan)
    recording = Catalog("x", lambda: Opened(ds)).recording(0)
    assert not recording.has_times
    np.testing.assert_allclose(recording.seconds, np.arange(10) / 25)


def test_recording__no_such_row(catalog):
    with pytest.raises(InputError, match="found row 8; expected one of the 8 videos"):
        catalog.recording(8)


def test_catalog__of_something_else(recordings):
    with pytest.raises(SchemaError, match="n_faces_found"):
        Catalog("x", lambda: Opened(recordings({"a": 3}).drop_vars("n_faces_found")))


def test_catalog__an_empty_store(recordings):
    catalog = Catalog("x", lambda: Opened(recordings({"a": 3}).isel(video=slice(0, 0))))
    assert (catalog.sentence(), catalog.search().tolist(), catalog.detection_rates([])) == ("0 videos", [], {})


def test_refresh__shows_what_a_run_has_finished_since(tmp_path):
    store = str(tmp_path / "s.zarr")
    layout = Layout(detector="fake", detector_version="1", features=("AU12",), max_faces=1)
    Store.create(store, layout, [("a", "a.mp4"), ("b", "b.mp4")], 1024)
    catalog = Catalog("s", lambda: Opened(fa.open_store(store), "running"))
    assert catalog.sentence() == "2 videos: 2 pending; a run is writing"
    assert not catalog.refresh()
    numbers = {"fps": 25.0, "width": 64, "height": 48, "duration": 0.2}
    Journal.beside(store).mark_done(1, {"n_frames": 5, **numbers})
    Journal.beside(store).mark_failed(0, "it is cut off")
    assert catalog.refresh()
    assert (catalog.version, catalog.states.tolist(), catalog.errors[0]) == (1, ["failed", "done"], "it is cut off")
    assert catalog.n_frames.tolist() == [0, 5]
