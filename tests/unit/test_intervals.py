"""Annotated intervals as labels of frames."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.intervals import annotate

STRING = np.dtypes.StringDType()


@pytest.fixture
def ds(recordings):
    # at 10 frames a second: 0.0 to 0.7 s, and 0.0 to 0.3 s followed by padding
    return recordings({"a.mp4": 8, "b.mp4": 4}, n_faces=2, fps=10.0)


def table(*rows, columns=("video", "start", "end", "label")):
    return pd.DataFrame(list(rows), columns=list(columns))


def test_annotate__half_open_intervals(ds):
    result = annotate(ds, table(("a.mp4", 0.2, 0.4, "x"), ("a.mp4", 0.4, 0.6, "y"), ("b.mp4", 0, 0.1, "z")))
    assert result["annotation"].dims == ("video", "frame")
    assert result["annotation"].dtype == STRING
    assert result["annotation"].values.tolist() == [["", "", "x", "x", "y", "y", "", ""], ["z", *[""] * 7]]
    xr.testing.assert_identical(result.drop_vars("annotation"), ds)


def test_annotate__whole_recording_leaves_padding_empty(ds):
    result = annotate(ds, table(("b.mp4", 0, 0.4, "talk")), name="phase")["phase"]
    assert (result == "talk").values.tolist() == [[False] * 8, [True] * 4 + [False] * 4]


def test_annotate__order_of_rows_and_of_frames_is_free(ds):
    rows = table(("a.mp4", 0.4, 0.6, "y"), ("a.mp4", 0.0, 0.4, "x"))
    forwards = annotate(ds, rows)
    backwards = annotate(ds.isel(frame=slice(None, None, -1)), rows.iloc[::-1])
    xr.testing.assert_equal(backwards.isel(frame=slice(None, None, -1)), forwards)


def test_annotate__goes_by_time_not_by_position(ds):
    uneven = ds.assign_coords(timestamp=ds["timestamp"] ** 2)
    result = annotate(uneven, table(("a.mp4", 0.09, 0.25, "x")))["annotation"]
    assert np.flatnonzero(result[0] == "x").tolist() == [3, 4]


def test_annotate__faces(ds):
    columns = ("video", "face", "start", "end", "label")
    turns = table(("a.mp4", 0, 0, 0.5, "doctor"), ("a.mp4", 1, 0.3, 0.8, "patient"), columns=columns)
    result = annotate(ds, turns, name="speaker")["speaker"]
    assert result.dims == ("video", "frame", "face")
    assert (result[0, :, 0] == "doctor").values.tolist() == [True] * 5 + [False] * 3
    assert (result[0, :, 1] == "patient").values.tolist() == [False] * 3 + [True] * 5
    assert (result[1] == "").all()


def test_annotate__faces_go_by_their_labels_where_there_are_some(ds):
    turns = table(("a.mp4", 1, 0, 0.1, "x"), columns=("video", "face", "start", "end", "label"))
    second = ds.assign_coords(face=[0, 1]).isel(face=[1])
    assert annotate(second, turns)["annotation"].values[0, 0].tolist() == ["x"]
    with pytest.raises(InputError, match=r"no such face; expected one of 0\n"):
        annotate(ds.isel(face=[0]), turns)


def test_annotate__each_tier_is_a_coordinate(ds):
    columns = ("video", "start", "end", "label", "tier")
    rows = table(("a.mp4", 0, 0.5, "talk", "speech"), ("a.mp4", 0.2, 0.3, "nod", "head"), columns=columns)
    result = annotate(ds, rows)
    assert (result["speech"][0] == "talk").sum() == 5
    assert (result["head"][0] == "nod").sum() == 1
    renamed = annotate(ds, rows[rows.tier == "head"], name="gesture")
    np.testing.assert_array_equal(renamed["gesture"], result["head"])
    with pytest.raises(InputError, match="found tiers 'head', 'speech' with name='x'"):
        annotate(ds, rows, name="x")


def test_annotate__point_event_labels_the_frame_on_the_screen(ds):
    result = annotate(
        ds, table(("a.mp4", 0.25, 0.25, "blink"), ("a.mp4", 0.75, 0.75, "end"), ("a.mp4", 0.3, 0.3, "at"))
    )
    assert result["annotation"][0].values.tolist() == ["", "", "blink", "at", "", "", "", "end"]


def test_annotate__point_event_in_a_labelled_frame_is_named(ds):
    with pytest.raises(InputError, match=r"row 1 .*its frame has the label 'x' already"):
        annotate(ds, table(("a.mp4", 0.3, 0.3, "x"), ("a.mp4", 0.35, 0.35, "y")))


def test_annotate__knows_parts_of_a_recording(ds):
    rows = table(("a.mp4", 0, 0.3, "x"), ("a.mp4", 0.5, 0.8, "y"), ("a.mp4", 0.31, 0.31, "p"))
    part = ds.isel(frame=slice(4, 8))
    assert annotate(part, rows)["annotation"][0].values.tolist() == ["", "y", "y", "y"]


def test_annotate__names_all_bad_rows_at_once(ds):
    rows = table(
        ("a.mp4", 0.3, 0.1, "reversed"),
        ("a.mp4", np.nan, 0.1, "no start"),
        ("a.mp4", 0.1, "soon", "no end"),
        ("a.mp4", 0.1, 0.2, ""),
        ("a.mp4", 0.1, 0.2, None),
    )
    with pytest.raises(InputError) as raised:
        annotate(ds, rows)
    text = str(raised.value)
    assert "row 0 ('a.mp4', 0.3 to 0.1 s, 'reversed'): it ends before it starts" in text
    assert "row 1 ('a.mp4', nan to 0.1 s, 'no start'): found no start" in text
    assert "row 2 ('a.mp4', 0.1 to soon s, 'no end'): found no end" in text
    assert "row 3 ('a.mp4', 0.1 to 0.2 s, ''): found no label" in text
    assert "row 4" in text


def test_annotate__names_overlaps_and_duplicates(ds):
    rows = table(
        ("a.mp4", 0, 0.7, "long"),
        ("a.mp4", 0.1, 0.2, "inside"),
        ("a.mp4", 0.5, 0.8, "late"),
        ("b.mp4", 0.1, 0.2, "twice"),
        ("b.mp4", 0.1, 0.2, "twice"),
        ("b.mp4", 0.2, 0.3, "next"),
    )
    with pytest.raises(InputError) as raised:
        annotate(ds, rows)
    text = str(raised.value)
    assert "row 1 ('a.mp4', 0.1 to 0.2 s, 'inside'): it overlaps row 0" in text
    assert "row 2 ('a.mp4', 0.5 to 0.8 s, 'late'): it overlaps row 0" in text
    assert "row 4 ('b.mp4', 0.1 to 0.2 s, 'twice'): it is a duplicate of row 3" in text
    assert "row 5" not in text
    assert "column 'tier'" in text


def test_annotate__names_what_is_out_of_range(ds):
    rows = table(("a.mp4", -0.5, 0.1, "early"), ("b.mp4", 0.1, 0.51, "late"), ("a.mp4", 0.4, 0.85, "within a frame"))
    with pytest.raises(InputError) as raised:
        annotate(ds, rows)
    text = str(raised.value)
    assert "'early'): it is out of range; the recording lasts from 0 to 0.800 s" in text
    assert "'late'): it is out of range; the recording lasts from 0 to 0.400 s" in text
    assert "within a frame" not in text
    with pytest.raises(InputError, match=r"from 0 to 0\.400 s"):
        annotate(ds.drop_vars("duration"), rows)
    longer = ds.assign_coords(duration=("video", [np.nan, 0.6]))
    assert annotate(longer, rows[1:2])["annotation"][1].values.tolist() == ["", *["late"] * 3, *[""] * 4]


def test_annotate__names_unknown_videos_with_the_nearest(ds):
    with pytest.raises(InputError, match=r"unknown video 'a.mov' \(did you mean 'a.mp4'\?\), 'c'.*leave its rows out"):
        annotate(ds, table(("a.mov", 0, 0.1, "x"), ("c", 0, 0.1, "x")))


def test_annotate__needs_times(ds):
    rows = table(("b.mp4", 0, 0.1, "x"))
    unknown = ds.assign_coords(timestamp=ds["timestamp"].where(ds["video"] == "a.mp4"))
    with pytest.raises(SchemaError, match=r"frames without a time in 'b.mp4'; expected seconds; .*fps="):
        annotate(unknown, rows)
    annotate(unknown, table(("a.mp4", 0, 0.1, "x")))
    with pytest.raises(SchemaError, match="found no 'timestamp'"):
        annotate(ds.drop_vars("timestamp"), rows)
    with pytest.raises(SchemaError, match="labelled dim 'video'"):
        annotate(ds.isel(video=0), rows)
    with pytest.raises(SchemaError, match="no dim 'face'"):
        annotate(ds.isel(face=0), rows.assign(face=0))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a.mp4": 1}, "found a dict"),
        (
            table(("a.mp4", 0, 1, "x"), columns=("video", "onset", "end", "label")),
            "unknown column of the table 'start'",
        ),
        (table(("a.mp4", 0, 0.1, "x")).assign(face=7), "no such face; expected one of 0, 1"),
        (table(("a.mp4", 0, 0.1, "x")).assign(face=None), "no such face"),
        (table(("a.mp4", 0, 0.1, "x")).assign(tier="fps"), "'fps' in the Dataset already"),
    ],
)
def test_annotate__refuses(ds, rows, message):
    with pytest.raises(InputError, match=message):
        annotate(ds, rows)


def test_annotate__empty_table_annotates_nothing(ds):
    result = annotate(ds, table())
    assert (result["annotation"] == "").all()


def test_annotate__durations_may_be_timedeltas(ds):
    rows = table(("a.mp4", pd.Timedelta("200ms"), pd.Timedelta("400ms"), "x"))
    assert np.flatnonzero(annotate(ds, rows)["annotation"][0] == "x").tolist() == [2, 3]


def test_annotate__lazy_values_stay_lazy_and_inputs_unchanged(ds):
    rows = table(("a.mp4", 0.2, 0.4, "x"))
    before, given_ds = rows.copy(), ds.chunk(video=1, frame=3)
    result = annotate(given_ds, rows)
    assert result["features"].chunks == given_ds["features"].chunks
    assert "annotation" not in given_ds.coords
    pd.testing.assert_frame_equal(rows, before)
    xr.testing.assert_equal(result.compute(), annotate(ds, rows))


def test_annotate__survives_storing_and_selects(ds, tmp_path):
    result = ds.fex.annotate(table(("a.mp4", 0.2, 0.4, "x")), name="phase")
    xr.testing.assert_identical(result, annotate(ds, table(("a.mp4", 0.2, 0.4, "x")), name="phase"))
    saved = fa.open_store(fa.save(result, tmp_path / "saved.zarr"))
    xr.testing.assert_equal(saved.load(), result)
    result.to_zarr(tmp_path / "plain.zarr", zarr_format=3, consolidated=False)
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "plain.zarr", consolidated=False).load(), result)
    chosen = saved.where(saved["phase"] == "x")["features"]
    assert chosen.notnull().any(("face", "feature")).values[0].tolist() == [False, False, True, True] + [False] * 4


@st.composite
def intervals(draw):
    """Intervals in tenths of a frame that do not overlap, shuffled."""
    edges = sorted(draw(st.lists(st.integers(0, 80), min_size=2, max_size=12, unique=True)))
    pairs = [(a, b) for a, b in pairwise(edges) if draw(st.booleans())]
    return draw(st.permutations(pairs))


@given(intervals())
def test_annotate__is_what_a_loop_over_frames_gives(pairs):
    time = np.arange(8) / 8.0
    dims = ("video", "frame")
    ds = xr.Dataset(
        coords={"video": ["a"], "timestamp": (dims, time[None]), "frame_number": (dims, np.arange(8)[None])}
    )
    rows = table(*(("a", a / 80, b / 80, f"{a}-{b}") for a, b in pairs))
    expected = [next((f"{a}-{b}" for a, b in pairs if a / 80 <= t < b / 80), "") for t in time]
    assert annotate(ds, rows)["annotation"].values[0].tolist() == expected
