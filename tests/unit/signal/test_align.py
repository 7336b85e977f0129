"""Stretches around events: the frames themselves, linear interpolation between them, and means of many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from time_courses import one_video, videos

from facearray.combine import concat
from facearray.errors import InputError
from facearray.signal import align, events
from facearray.signal.kernels.spans import frame_spans, stretch_means


def table(*rows: tuple, columns: tuple[str, ...] = ("video", "onset")) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


@settings(max_examples=20)
@given(
    st.lists(st.floats(0.05, 1), min_size=1, max_size=12),
    st.floats(-1, 8),
    st.floats(0.1, 4),
    st.integers(0, 2**12 - 1),
)
def test_stretch_means__are_integrals_of_steps(steps, begin, length, gone):
    times = np.concatenate([[0], np.cumsum(steps)])
    x = np.sin(7 * times)
    x[[i for i in range(len(x)) if gone >> i & 1]] = np.nan
    spans = frame_spans(times, np.arange(len(times)))
    mean, share = stretch_means(x, spans, np.array([begin]), np.array([begin + length]))
    fine = begin + (np.arange(20000) + 0.5) * length / 20000
    on = np.searchsorted(spans.start, fine, side="right") - 1
    value = np.where((on >= 0) & (fine < spans.end[-1]), x[np.maximum(on, 0)], np.nan)
    assert share.item() == pytest.approx(np.mean(~np.isnan(value)), abs=2e-3)
    if share > 0.01:
        assert mean.item() == pytest.approx(np.nanmean(value), abs=2e-2)


def test_align__at_frames_these_frames():
    x = np.random.default_rng(0).random(50).astype("f4")
    found = align(one_video(x), table(("a", 0.4), ("a", 1.2)), before=0.2, after=0.28)
    assert found.features.dims == ("video", "trial", "time", "face", "feature")
    np.testing.assert_allclose(found.time, np.arange(-5, 8) / 25)
    for trial, frame in enumerate((10, 30)):
        np.testing.assert_array_equal(found.features[0, trial, :, 0, 0], x[frame - 5 : frame + 8])
    assert found.onset.values.tolist() == [[0.4, 1.2]]


def test_align__between_frames_is_linear_interpolation():
    rng = np.random.default_rng(1)
    x = rng.random(50)
    onsets = rng.uniform(0.5, 1.2, 6)
    found = align(one_video(x), table(*(("a", t) for t in onsets)), before=0.3, after=0.3)
    t = np.sort(onsets)[:, None] + found.time.values
    np.testing.assert_allclose(found.features.squeeze(), np.interp(t, np.arange(50) / 25, x), rtol=1e-9)


def test_align__a_lower_rate_averages_frames():
    x = np.random.default_rng(2).random(100)
    found = align(one_video(x), table(("a", 1.0)), before=0.4, after=0.6, rate=5)
    np.testing.assert_allclose(found.features.squeeze(), x[15:45].reshape(-1, 5).mean(axis=1))


def test_align__nothing_is_made_up():
    x = np.arange(20.0)
    x[5] = np.nan
    found = align(one_video(x, fps=1), table(("a", 1.0), ("a", 18.0)), before=2, after=4).features.squeeze()
    np.testing.assert_array_equal(found[0], [np.nan, 0, 1, 2, 3, 4, np.nan])
    np.testing.assert_array_equal(found[1], [16, 17, 18, 19, np.nan, np.nan, np.nan])


def test_align__trials_have_the_names_of_the_table_across_videos():
    ds = videos(np.arange(40.0).reshape(2, 20, 1, 1), fps=1, labels=["a", "b"])
    given = table(
        ("b", 5, "joke", 3), ("a", 2, "news", 1), ("b", 9, "news", 2), columns=("video", "onset", "trial", "rating")
    )
    found = align(ds, given, before=0, after=1)
    assert found.trial.values.tolist() == ["joke", "news"]
    assert np.isnan(found.features.sel(video="a", trial="joke")).all()
    assert found.features.sel(video="b", trial="news").squeeze().values.tolist() == [29, 30]
    np.testing.assert_array_equal(found.rating, [[np.nan, 1], [3, 2]])
    assert found.features.mean(["video", "trial"]).sizes == {"time": 2, "face": 1, "feature": 1}


def test_align__events_are_onsets():
    x = np.zeros(40)
    x[[10, 11, 25]] = 0.9
    ds = one_video(x, fps=10)
    found = align(ds, events(ds), before=0.1, after=0)
    np.testing.assert_allclose(found.features.squeeze(), [[0, 0.9], [0, 0.9]])


def test_align__rates_have_to_be_one_or_chosen():
    ds = concat([one_video(np.arange(30.0), fps=f).assign_coords(video=[f"{f}"]) for f in (10, 15)])
    given = table(("10", 1.0), ("15", 1.0))
    with pytest.raises(InputError, match="found videos with different frame rates"):
        align(ds, given, before=0.5, after=0.5)
    assert align(ds, given, before=0.5, after=0.5, rate=10).sizes["time"] == 11
    with pytest.raises(InputError, match=r"found no video with two frames or more.*pass rate="):
        align(one_video([1.0]), table(("a", 0.0)), before=0, after=0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (table(("c", 1.0)), "unknown video 'c'.*leave its rows out"),
        (table(("a", 1.0), columns=("video", "start")), "unknown column of the table 'onset'"),
        (table(("a", np.nan)), "found no onset in rows 0"),
        (
            table(("a", 9.0)),
            r"row 0 \('a', onset 9 s\): found nothing recorded around it; the video has 0.000 to 1.960 s",
        ),
        (
            table(("a", 1.0, "x"), ("a", 1.5, "x"), columns=("video", "onset", "trial")),
            "more than once in a video, 'a: x'",
        ),
        (table(), "found a table without rows"),
        ([("a", 1.0)], "found a list; expected a DataFrame"),
    ],
)
def test_align__bad_tables(rows, message):
    with pytest.raises(InputError, match=message):
        align(one_video(np.arange(50.0)), rows, before=0.5, after=0.5)


def test_align__all_bad_options_at_once():
    with pytest.raises(InputError, match=r"found before=-1;(.|\n)*found rate=0;(.|\n)*found min_valid=2;"):
        align(one_video(np.arange(50.0)), table(("a", 1.0)), before=-1, after=1, rate=0, min_valid=2)


def test_align__refuses_milliseconds():
    with pytest.raises(
        InputError,
        match=r"found before=200 s and after=1000 s, longer than every recording \(2 s at most\); expected seconds",
    ):
        align(one_video(np.arange(50.0)), table(("a", 1.0)), before=200, after=1000)


def test_align__without_times_says_where_they_come_from():
    ds = one_video(np.arange(9.0))
    ds = ds.assign_coords(timestamp=ds.timestamp * np.nan)
    with pytest.raises(
        InputError, match=r"'a': found 9 of 9 frames without a time; expected seconds; give the frame rate"
    ):
        align(ds, table(("a", 0.1)), before=0.1, after=0.1)


def test_align__onsets_may_be_durations():
    ds = one_video(np.arange(50.0))
    events = table(("a", 0.4), ("a", 1.2))
    durations = events.assign(onset=pd.to_timedelta(events.onset, unit="s"))
    xr.testing.assert_identical(
        align(ds, durations, before=0.2, after=0.2).drop_attrs(deep=False),
        align(ds, events, before=0.2, after=0.2).drop_attrs(deep=False),
    )
