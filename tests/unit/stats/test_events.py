"""Averages around events, and tests of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats as st

import facearray as fa
from facearray.errors import InputError
from facearray.stats import cluster_test, clusters, describe, event_average, event_test

AROUND = {"before": 0.4, "after": 0.6, "step": 0.2}


@pytest.fixture
def events(courses):
    """Events of two kinds, whose times are those of frames or between them."""
    rng = np.random.default_rng(0)
    ds = courses([50] * 10, effect=0)
    table = pd.DataFrame(
        {
            "video": rng.permutation(np.repeat(ds.video.values, 6)),
            "onset": np.round(rng.uniform(0.8, 4.2, 60), 2),
        }
    )
    return table.assign(label=np.tile(["smile", "frown", "smile"], 20))


def by_hand(ds, table, baseline=None, share=0.5, face=0):
    """Mean of each unit (unit, window, feature), event by event."""
    units = {}
    for row in table.itertuples():
        one = ds.sel(video=row.video).isel(face=face)
        time, values = one.timestamp.values - row.onset, one.features.values

        def mean(start, stop, time=time, values=values):
            inside = values[(time >= start - 1e-7) & (time < stop - 1e-7)]
            seen = (~np.isnan(inside)).sum(axis=0) * 0.1 / (stop - start)
            return np.where(seen >= share - 1e-9, np.nanmean(inside, axis=0), np.nan)

        found = np.stack([mean(start, start + 0.2) for start in (-0.4, -0.2, 0, 0.2, 0.4)])
        if baseline is not None:
            found = found - mean(*baseline)
        units.setdefault(row.video, []).append(found)
    return np.stack([np.nanmean(units[video], axis=0) for video in sorted(units)])


@pytest.mark.parametrize("baseline", [None, (-0.4, 0), (-0.6, -0.2)])
def test_event_average__by_hand(courses, events, baseline):
    ds = courses([50] * 10)
    result = event_average(ds, events, baseline=baseline, **AROUND)
    wanted = by_hand(ds, events, baseline)
    np.testing.assert_allclose(result.time, [-0.3, -0.1, 0.1, 0.3, 0.5])
    np.testing.assert_allclose(result["mean"].isel(face=0), wanted.mean(axis=0))
    se = wanted.std(axis=0, ddof=1) / np.sqrt(10)
    np.testing.assert_allclose(result.se.isel(face=0), se)
    np.testing.assert_allclose(result.ci_low.isel(face=0), wanted.mean(axis=0) - st.t.ppf(0.975, 9) * se)
    np.testing.assert_allclose(result.ci_high.isel(face=0), wanted.mean(axis=0) + st.t.ppf(0.975, 9) * se)
    assert (result.n == 10).all()
    assert (result.n_events == 60).all()
    assert "60 of 60 events" in describe(result)


def test_event_average__kinds_of_events_and_groups_of_units(courses, events):
    ds = courses([50] * 10)
    result = event_average(ds, events, by="label", **AROUND)
    assert result["mean"].dims == ("label", "time", "face", "feature")
    for label in ("smile", "frown"):
        mine = events[events.label == label]
        one = result.sel(label=label)
        np.testing.assert_allclose(one["mean"].isel(face=0), by_hand(ds, mine).mean(axis=0))
        assert one.n_events.values.max() == len(mine)
    groups = event_average(ds, events, by="condition", **AROUND)
    good = by_hand(ds, events)[ds.condition.values == "good"]
    np.testing.assert_allclose(groups["mean"].sel(condition="good").isel(face=0), good.mean(axis=0))
    assert (groups.n == 5).all()


def test_event_average__units_of_several_videos_and_trials(courses, events):
    ds = courses([50] * 10)
    result = event_average(ds, events, unit="person", **AROUND)
    people = dict(zip(ds.video.values, ds.person.values, strict=True))
    rows = [by_hand(ds, events.iloc[[i]])[0] for i in range(len(events))]
    of_person = [
        np.mean([r for r, v in zip(rows, events.video, strict=True) if people[v] == p], axis=0)
        for p in "p0 p1 p2 p3 p4".split()
    ]
    np.testing.assert_allclose(result["mean"].isel(face=0), np.mean(of_person, axis=0))
    assert result.attrs["n"] == 5
    # the events of a trial are one
    trials = events.assign(trial=np.arange(60) % 4)
    found = event_average(ds, trials, **AROUND)
    of_video = []
    for video in sorted(set(events.video)):
        mine = [(t, r) for t, r, v in zip(trials.trial, rows, events.video, strict=True) if v == video]
        of_video.append(
            np.mean([np.mean([r for t, r in mine if t == trial], axis=0) for trial in {t for t, _ in mine}], axis=0)
        )
    np.testing.assert_allclose(found["mean"].isel(face=0), np.mean(of_video, axis=0))
    assert found.n_events.values.max() == len(trials.drop_duplicates(["video", "trial"]))


def test_event_average__what_is_left_out_is_counted(courses, events):
    ds = courses([50] * 10)
    late = pd.DataFrame({"video": ["00.mp4", "00.mp4", "03.mp4"], "onset": [0.1, 4.9, -3.0], "label": "smile"})
    result = event_average(ds, pd.concat([events, late]), **AROUND)
    np.testing.assert_allclose(result["mean"], event_average(ds, events, **AROUND)["mean"])
    assert result.attrs["excluded"] == [
        "00.mp4: 2 events whose window leaves the recording",
        "03.mp4: 1 event whose window leaves the recording",
    ]
    assert result.attrs["n_events_found"] == 63
    assert result.attrs["n_events"] == 60
    gone = ds.assign(features=ds.features.where((ds.video != "05.mp4") | (ds.timestamp > 4.95)))
    found = event_average(gone, events, **AROUND)
    assert found.attrs["excluded"] == ["05.mp4: 6 events without enough values"]
    assert found.n.max() == 9
    unnamed = events.assign(label=events.label.where(events.index != 7))
    assert "1 event without a value of label" in event_average(ds, unnamed, by="label", **AROUND).attrs["excluded"][0]


def test_event_average__faces(courses):
    ds = courses([50] * 4, n_faces=2)
    table = pd.DataFrame({"video": np.repeat(ds.video.values, 2), "onset": 2.0, "face": [0, 1] * 4})
    table.loc[table.face == 1, "onset"] = 3.0
    result = event_average(ds, table, **AROUND)
    for face in (0, 1):
        wanted = by_hand(ds, table[table.face == face], face=face)
        np.testing.assert_allclose(result["mean"].isel(face=face), wanted.mean(axis=0))
    assert (result.n_events == 4).all()


def test_event_average__the_same_whatever_holds_the_data(courses, padded, events):
    ds = courses([50, 44, 48, 50, 45, 50, 46, 47, 50, 50])
    wanted = event_average(ds, events, by="label", unit="person", **AROUND)
    shuffled = events.sample(frac=1, random_state=0)
    for other in (ds.chunk(video=3, frame=7), padded(ds, 9), ds.isel(video=slice(None, None, -1))):
        xr.testing.assert_identical(event_average(other, events, by="label", unit="person", **AROUND), wanted)
    xr.testing.assert_identical(event_average(ds, shuffled, by="label", unit="person", **AROUND), wanted)
    # what has no events is not looked at
    slow = courses([9], fps=1.0).assign_coords(video=["slow.mp4"], person=("video", ["p9"]))
    more = event_average(fa.concat([ds, slow]), events, by="label", unit="person", **AROUND)
    xr.testing.assert_equal(more, wanted)


def test_event_average__timedeltas(courses, events):
    ds = courses([50] * 10)
    found = event_average(ds, events.assign(onset=pd.to_timedelta(events.onset, unit="s")), **AROUND)
    xr.testing.assert_allclose(found, event_average(ds, events, **AROUND))


def test_event_test__signs_and_pairs_by_hand(courses, events):
    ds = courses([50] * 10)
    one = event_test(ds, events, baseline=(-0.4, 0), **AROUND)
    wanted = st.ttest_1samp(by_hand(ds, events, (-0.4, 0)), 0)
    np.testing.assert_allclose(one.t.isel(face=0), wanted.statistic)
    assert one.attrs["n_permutations"] == 1024
    two = event_test(ds, events, "label", groups=["smile", "frown"], **AROUND)
    # the units that have both
    both = [v for v in sorted(set(events.video)) if len(set(events.label[events.video == v])) == 2]
    mine = events[events.video.isin(both)]
    smile, frown = (by_hand(ds, mine[mine.label == label]) for label in ("smile", "frown"))
    np.testing.assert_allclose(two.t.isel(face=0), st.ttest_rel(smile, frown).statistic)
    assert two.attrs["test"] == "paired t-test"
    assert (two.n == len(both)).all()


def test_event_test__groups_of_units_are_a_cluster_test(courses):
    # events at the same time in all videos: the windows are those of the time axis
    ds = courses([50] * 12, effect=1.5)
    table = pd.DataFrame({"video": ds.video.values, "onset": 1.0})
    found = event_test(ds, table, "condition", before=1.0, after=4.0, step=0.5)
    wanted = cluster_test(ds, "condition", window=0.5, step=0.5)
    for name in ("t", "p", "p_adjusted", "cluster", "cluster_mass", "n", "coverage"):
        np.testing.assert_allclose(found[name], wanted[name], err_msg=name)
    np.testing.assert_allclose(found.time, wanted.time - 1)
    assert clusters(found).start[0] == 0
    assert "around 12 events by Welch's t-test (condition: good - bad)" in describe(found)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"video": "00.mp5"}, {}, r"unknown video '00\.mp5' \(did you mean '00\.mp4'"),
        ({"onset": "soon"}, {}, r"row 0: found onset 'soon'; expected seconds"),
        ({"face": 3}, {}, "row 0: found face 3; expected one of 0"),
        ({}, {"before": -0.2}, r"found before=-0\.2; expected 0 or a multiple of step"),
        ({}, {"after": 0.5}, r"found after=0\.5; expected 0 or a multiple of step=0\.2"),
        ({}, {"before": 0, "after": 0}, "found before=0 and after=0"),
        ({}, {"step": -0.1}, r"found step=-0\.1"),
        ({}, {"step": 0.05, "before": 0.4, "after": 0.6}, r"found step=0\.05; expected at least 0\.1 s"),
        ({}, {"baseline": (0, -0.4)}, r"found baseline=\(0, -0\.4\)"),
        ({}, {"baseline": (-0.4, -0.2, 0)}, "expected where it begins and ends"),
        ({}, {"baseline": 0}, "found baseline=0; expected where it begins and ends"),
        ({}, {"baseline": "ab"}, "found baseline='ab'; expected where it begins and ends"),
        ({}, {"baseline": (-float("inf"), 0)}, r"found baseline=\(-inf, 0\)"),
        ({"mean": "x"}, {"by": "mean"}, "found by='mean', which the result itself has"),
        ({}, {"by": "lable"}, "did you mean 'label'"),
        ({}, {"by": "onset"}, "unknown column of the events or coordinate on video 'onset'"),
        ({"condition": "a"}, {"by": "condition"}, "among the columns of the events and the coordinates on video"),
        ({}, {"y": "AU60"}, "did you mean 'AU06'"),
        ({}, {"unit": "frame"}, "found unit='frame'"),
        ({}, {"min_valid": -1}, "found min_valid=-1"),
        ({"onset": 4.9}, {}, "found no event with enough values around it .* leaves the recording"),
    ],
)
def test_event_average__errors(courses, events, change, options, message):
    ds = courses([50] * 10)
    with pytest.raises(InputError, match=message):
        event_average(ds, events.astype({"onset": object}).assign(**change), **{**AROUND, **options})
    with pytest.raises(InputError, match="unknown column of the events 'onset'"):
        event_average(ds, events.rename(columns={"onset": "onsets"}), **AROUND)


def test_event_test__no_pairs(courses, events):
    ds = courses([50] * 10)
    apart = events.assign(label=np.where(events.video < "05.mp4", "smile", "frown"))
    with pytest.raises(InputError, match="found no video with values in both groups"):
        event_test(ds, apart, "label", **AROUND)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30])
@pytest.mark.parametrize("shift", [0, 0.5])
def test_windows__hold_whole_frames_whatever_a_file_rounds(courses, fps, shift):
    ds = courses([200] * 4, fps=fps)
    number = ds.frame_number.values.astype(float)
    rounded = {"timestamp": (("video", "frame"), np.round(number / fps, 3))}
    ds = ds.assign(features=(ds.features.dims, np.broadcast_to(number[..., None, None], ds.features.shape)))
    ds = ds.assign_coords(rounded)
    onsets = (np.arange(10, 180, 17) + shift) / fps
    table = pd.DataFrame({"video": np.repeat(ds.video.values, len(onsets)), "onset": np.tile(onsets, 4)})
    around = event_average(ds, table, before=5 / fps, after=5 / fps, step=5 / fps)
    # of five frames that begin at the edge of a window, or with the first one behind it
    first = np.arange(10, 180, 17).mean() + (shift > 0)
    np.testing.assert_allclose(around["mean"].values[:, 0, 0], [first - 3, first + 2])
    found = cluster_test(ds, window=5 / fps, step=5 / fps, min_valid=1)
    np.testing.assert_allclose(found["difference"].values[:, 0, 0], 5 * np.arange(40) + 2)
    np.testing.assert_allclose(found.coverage, 1, atol=1e-3)


def test_event_average__onsets_in_milliseconds_and_as_durations(courses, events):
    ds = courses([50] * 10)
    durations = events.assign(onset=pd.to_timedelta(events.onset, unit="s"))
    xr.testing.assert_identical(event_average(ds, durations, **AROUND), event_average(ds, events, **AROUND))
    late = events.assign(onset=events.onset.where(events.index > 1, 1000 * events.onset))
    where = f"{events.video[0]} at {1000 * events.onset[0]:g} s"
    with pytest.raises(InputError, match="found a table without rows; expected an event in each"):
        event_average(ds, events[:0], **AROUND)
    with pytest.raises(InputError, match=f"found 2 of 60 events later than the end of every recording, 5 s .*{where}"):
        event_average(ds, late, **AROUND)
    # of a part that is cut off, as long as that is known
    cut = ds.isel(frame=slice(20)).assign_coords(duration=("video", np.full(10, 5.0)))
    assert "whose window leaves the recording" in event_average(cut, events, **AROUND).attrs["excluded"][0]
