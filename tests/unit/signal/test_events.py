"""Events: equal to scipy's labels of connected frames, cut where frames are missing, and the same as intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.ndimage
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from time_courses import one_video

from facearray.errors import InputError, SchemaError
from facearray.intervals import annotate
from facearray.signal import blinks, events, smiles
from facearray.signal.kernels.events import Thresholds, find_events
from facearray.signal.kernels.spans import frame_spans

TIMES = ["onset", "peak", "offset"]


def rows(table: pd.DataFrame) -> list[list[float]]:
    return table[TIMES].round(6).to_numpy().tolist()


@settings(max_examples=25)
@given(st.lists(st.sampled_from([0.1, 0.35, 0.6, 0.9, np.nan]), min_size=2, max_size=40))
def test_find_events__are_connected_frames_that_reach_the_threshold(values):
    x = np.array(values)
    found = find_events(x[None], frame_spans(np.arange(len(x)) * 1.0, np.arange(len(x))), Thresholds(0.5, 0.3))
    labels, n = scipy.ndimage.label(x >= 0.3)
    places = [np.flatnonzero(labels == i + 1) for i in range(n)]
    places = [p for p in places if x[p].max() >= 0.5]
    assert found.onset.tolist() == [p[0] for p in places]
    assert found.offset.tolist() == [p[-1] + 1 for p in places]
    assert found.peak.tolist() == [p[np.argmax(x[p])] for p in places]
    np.testing.assert_allclose(found.mean, [x[p].mean() for p in places])


def test_events__two_thresholds_make_one_event_of_a_trembling_value():
    x = [0.1, 0.55, 0.45, 0.55, 0.45, 0.55, 0.1]
    assert len(events(one_video(x, fps=1))) == 1
    assert len(events(one_video(x, fps=1), low=0.5)) == 3


def test_events__float32_reaches_what_it_was_rounded_from():
    assert len(events(one_video(np.array([0, 0.3, 0], "f4"), fps=1), high=0.3, low=0.3)) == 1


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[1, 1, 2], [3, 3, 4], [6, 6, 7]]),
        ({"max_gap": 1}, [[1, 3, 4], [6, 6, 7]]),
        ({"merge": 1}, [[1, 1, 2], [3, 3, 4], [6, 6, 7]]),
        ({"merge": 2}, [[1, 1, 2], [3, 6, 7]]),
        ({"merge": 2, "max_gap": 1}, [[1, 6, 7]]),
        ({"min_duration": 1.5, "max_gap": 1}, [[1, 3, 4]]),
    ],
)
def test_events__gaps_are_bridged_only_as_asked_for(options, expected):
    x = [0, 0.6, np.nan, 0.7, 0, 0, 0.8, 0]
    assert rows(events(one_video(x, fps=1), **options)) == expected


def test_events__what_is_cut_is_not_complete():
    table = events(one_video([0.9, 0, 0.9, np.nan, 0.9, 0, 0.9, 0, 0.9], fps=1))
    assert table.complete.tolist() == [False, False, False, True, False]


def test_events__frames_that_the_source_left_out_are_missing():
    ds = one_video([0, 0.9, 0.9, 0], fps=1)
    late = ds.assign_coords(
        frame_number=(("video", "frame"), [[0, 1, 5, 6]]), timestamp=(("video", "frame"), [[0.0, 1.0, 5.0, 6.0]])
    )
    assert rows(events(late)) == [[1, 1, 2], [5, 5, 6]]
    assert rows(events(late, max_gap=3)) == [[1, 1, 6]]


def test_events__frames_of_a_variable_rate_last_until_the_next():
    ds = one_video([0, 0.9, 0], fps=1).assign_coords(timestamp=(("video", "frame"), [[0.0, 1.0, 4.0]]))
    assert rows(events(ds)) == [[1, 1, 4]]


def test_events__are_the_intervals_of_their_frames():
    rng = np.random.default_rng(0)
    x = np.where(rng.random(200) < 0.1, np.nan, rng.random(200)).astype("f4")
    ds = one_video(x, fps=29.97)
    table = events(ds, min_duration=0.05, max_gap=0.04)
    renamed = table.rename(columns={"onset": "start", "offset": "end", "feature": "label"})
    labelled = (
        annotate(ds, renamed[["video", "face", "start", "end", "label"]], name="event").event.values[0, :, 0] != ""
    )
    for _, row in table.iterrows():
        inside = (ds.timestamp.values[0] >= row.onset) & (ds.timestamp.values[0] < row.offset)
        assert labelled[inside].all()
        assert np.nanmax(x[inside]) == np.float32(row.amplitude)
    assert (x[labelled & ~np.isnan(x)] >= 0.3).all()
    assert (np.flatnonzero(np.diff(labelled.astype(int)) == 1).size + labelled[0]) == len(table)


def test_events__sorted_by_video_face_feature_and_time(recordings):
    ds = recordings({"b": 30, "a": 50, "none": 0}, n_faces=2, features=["AU12", "AU06"])
    table = events(ds, ["AU06", "AU12"])
    assert list(dict.fromkeys(table.video)) == ["b", "a"]
    order = table.assign(v=table.video.map({"b": 0, "a": 1}), f=table.feature.map({"AU06": 0, "AU12": 1}))
    assert order.sort_values(["v", "face", "f", "onset"]).index.tolist() == table.index.tolist()
    assert table.attrs["high"] == 0.5


def test_events__nothing_happens():
    table = events(one_video([0.1, 0.2]))
    assert len(table) == 0
    assert table.columns.tolist()[:3] == ["video", "face", "feature"]
    assert table.onset.dtype == float


def test_events__one_frame_lasts_as_long_as_the_rate_says():
    ds = one_video([0.9])
    assert np.isnan(events(ds).duration.item())
    assert events(ds.assign_coords(fps=("video", [10.0]))).duration.item() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "AU13"}, "unknown feature or group 'AU13'"),
        ({"high": 0.2}, "found high=0.2 and low=0.3; expected finite numbers, low not above high"),
        ({"merge": -1}, "found merge=-1; expected a finite number, 0 or more"),
    ],
)
def test_events__bad_options(options, message):
    with pytest.raises(InputError, match=message):
        events(one_video([0.1, 0.2]), **options)


@pytest.mark.parametrize("name", ["min_duration", "merge", "max_gap"])
def test_events__refuse_milliseconds(name):
    ds = one_video(np.linspace(0, 1, 50), features=["AU43"])
    message = rf"found {name}=200 s, longer than every recording \(2 s at most\); expected seconds; divide milliseconds"
    with pytest.raises(InputError, match=message):
        events(ds, "AU43", **{name: 200})


def test_blinks__refuse_milliseconds():
    with pytest.raises(InputError, match="found max_duration=500 s and max_gap=100 s, longer than every recording"):
        blinks(one_video(np.linspace(0, 1, 50), features=["AU43"]), max_duration=500, max_gap=100)


def test_events__refuse_a_feature_without_any_value_and_unknown_times():
    ds = one_video(np.array([[0.9, np.nan], [0.1, np.nan]]))
    with pytest.raises(InputError, match="found no value of 'AU02' in any frame; expected some; leave it out"):
        events(ds)
    with pytest.raises(InputError, match="'a': found 1 of 2 frames without a time; expected seconds"):
        events(one_video([0.1, 0.9]).assign_coords(timestamp=(("video", "frame"), [[0.0, np.nan]])))
    with pytest.raises(SchemaError, match="timestamp"):
        events(one_video([0.1, 0.9]).drop_vars("timestamp"))


def test_smiles__need_both_at_the_same_time():
    x = np.array([[0.9, 0.0], [0.9, 0.9], [0.9, 0.9], [0.0, 0.9], [0.9, np.nan]])
    table = smiles(one_video(x, fps=2, features=["AU06", "AU12"]))
    assert table[["feature", "onset", "offset"]].to_numpy().tolist() == [["AU06+AU12", 0.5, 1.5]]
    with pytest.raises(InputError, match="AU12"):
        smiles(one_video(x, features=["AU06", "AU01"]))


def lids(fps: float, seconds: float, *blink: tuple[float, float]) -> np.ndarray:
    t = np.arange(round(seconds * fps)) / fps
    return np.array([any(a <= s < b for a, b in blink) for s in t + 1e-9], dtype="f4")


def test_blinks__counts_and_durations():
    x = lids(50, 60, (1, 1.2), (5, 5.1), (10, 12), (30, 30.3), (59.9, 61))
    found = blinks(one_video(x, fps=50, features=["AU43"])).squeeze()
    assert found.n.item() == 4  # the last one is seen to begin
    assert found.rate.item() == pytest.approx(4)
    assert found.mean_duration.item() == pytest.approx(0.2)
    assert found.n_closures.item() == 1
    assert found.closed.item() == pytest.approx(2.7 / 60)
    assert found.seconds.item() == pytest.approx(60)


def test_blinks__missing_time_does_not_count():
    x = lids(50, 60, (1, 1.2), (40, 40.2))
    x[50 * 20 : 50 * 30] = np.nan
    assert blinks(one_video(x, fps=50, features=["AU43"])).rate.item() == pytest.approx(60 * 2 / 50)


def test_blinks__need_25_frames_a_second():
    slow, fast = (one_video(lids(fps, 20, (1, 1.3)), fps=fps, features=["AU43"]) for fps in (12.5, 25))
    with pytest.raises(InputError, match=r"found a: 12.5 frames/s, fewer than 25; expected 25 or more frames a second"):
        blinks(slow)
    from facearray.combine import concat

    both = concat([slow.assign_coords(video=["slow"]), fast])
    found = blinks(both)
    assert found.attrs["excluded"] == ["slow: 12.5 frames/s, fewer than 25"]
    assert np.isnan(found.rate.sel(video="slow")).all()
    assert found.n.sel(video="a").item() == 1


def test_blinks__bad_input():
    with pytest.raises(InputError, match="found max_duration=0; expected a finite number above 0"):
        blinks(one_video([0.0, 0.1], features=["AU43"]), max_duration=0)
    with pytest.raises(InputError, match="found no value of 'AU43'"):
        blinks(one_video([np.nan, np.nan], features=["AU43"]))
    with pytest.raises(InputError, match="unknown feature or group 'AU45'"):
        blinks(one_video([0.0, 0.1], features=["AU43"]), feature="AU45")


@pytest.mark.parametrize("fps", [23.976, 24, 29.97, 30, 59.94, 60])
@pytest.mark.parametrize("n", [2, 3, 6])
def test_events__times_that_are_rounded_to_milliseconds(fps, n):
    high = np.zeros(600)
    starts = range(5, 590, 17)
    for first in starts:
        high[first : first + n] = 0.9
    ds = one_video(high)
    ds["timestamp"] = ("video", "frame"), np.round(np.arange(600) / fps, 3)[None]
    assert len(events(ds, min_duration=n / fps)) == len(starts)
    assert len(events(ds, min_duration=(n + 0.5) / fps)) == 0
    low = ds.assign(features=0.9 - ds.features)
    assert len(events(low, merge=n / fps)) == 1
    assert len(events(low, merge=(n - 0.5) / fps)) == len(starts) + 1
    gone = ds.assign(features=xr.where(ds.features > 0, np.nan, 0.9))
    assert len(events(gone, max_gap=n / fps)) == 1
    assert len(events(gone, max_gap=(n - 0.5) / fps)) == len(starts) + 1
