"""Attributes of videos and persons as coordinates."""

from __future__ import annotations

import copy
import logging
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.tables import join

STRING = np.dtypes.StringDType()
LABELS = ["001.mp4", "002.mp4", "003.mp4"]


@pytest.fixture
def ds(recordings):
    return recordings({"001.mp4": 4, "002.mp4": 2, "003.mp4": 7}, n_faces=2)


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "input": ["003.mp4", "001.mp4", "002.mp4"],
            "condition": ["bad", "good", "good"],
            "age": [31, 20, 44],
        }
    )


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        (lambda t: t, {"key": "input"}),
        (lambda t: t.rename(columns={"input": "video"}), {}),
        (lambda t: t.set_index("input"), {}),
        (lambda t: t.rename(columns={"input": "video"}), {"on": ("video",)}),
        (lambda t: t.set_index("input").sort_index(), {"on": "video"}),
    ],
)
def test_join__takes_the_labels_from_column_or_index(ds, table, given, arguments):
    joined = join(ds, given(table), **arguments)
    assert joined["condition"].dims == ("video",)
    assert joined["condition"].values.tolist() == ["good", "good", "bad"]
    assert joined["age"].values.tolist() == [20, 44, 31]
    assert "input" not in joined.coords
    xr.testing.assert_identical(joined.drop_vars(["condition", "age"]), ds)


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        (pd.Series([1, 2, 3], index=LABELS, name="rank"), {}),
        (pd.Series([1, 2, 3], index=LABELS, name="other"), {"name": "rank"}),
        (pd.Series([1, 2, 3], index=LABELS), {"name": "rank"}),
        (dict(zip(LABELS, [1, 2, 3], strict=True)), {"name": "rank"}),
    ],
)
def test_join__series_and_dict(ds, given, arguments):
    joined = join(ds, given, **arguments)
    assert joined["rank"].dtype == np.int64
    assert joined["rank"].values.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["a", "bb", "Größe"], STRING, ["a", "bb", "Größe"]),
        (["a", None, np.nan], STRING, ["a", "", ""]),
        (pd.array(["a", pd.NA, "c"], dtype="string"), STRING, ["a", "", "c"]),
        (pd.array([None, None, None], dtype="string"), STRING, ["", "", ""]),
        (pd.Categorical(["x", None, "x"]), STRING, ["x", "", "x"]),
        (pd.Categorical([3, 1, 3]), "int64", [3, 1, 3]),
        ([True, False, True], "bool", [True, False, True]),
        ([True, None, False], "float64", [1, np.nan, 0]),
        (pd.array([True, None, False], dtype="boolean"), "float64", [1, np.nan, 0]),
        (pd.array([1, None, 3], dtype="Int8"), "float64", [1, np.nan, 3]),
        (pd.array([1, 2, 3], dtype="Int8"), "int64", [1, 2, 3]),
        (np.array([1, 2, 3], dtype="i2"), "int16", [1, 2, 3]),
        (np.array([1.5, np.nan, 3], dtype="f4"), "float32", [1.5, np.nan, 3]),
        ([None, None, None], "float64", [np.nan] * 3),
        ([1, 2.5, None], "float64", [1, 2.5, np.nan]),
    ],
)
def test_join__dtypes(ds, values, dtype, expected):
    joined = join(ds, pd.DataFrame({"new": values}, index=LABELS))["new"]
    assert joined.dtype == dtype
    np.testing.assert_array_equal(joined.values, np.array(expected, dtype=dtype))


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2020-01-01 10:00", None, "2021-05-05 00:00"]),
        pd.to_datetime(["2020-01-01 12:00", None, "2021-05-05 02:00"]).tz_localize("Europe/Helsinki"),
    ],
)
def test_join__dates_have_no_zone_and_may_be_missing(ds, values):
    joined = join(ds, pd.DataFrame({"born": values}, index=LABELS))["born"]
    assert joined.dtype.kind == "M"
    assert np.isnat(joined.values).tolist() == [False, True, False]
    assert joined.values[0] == np.datetime64("2020-01-01T10:00")


def test_join__survives_every_way_of_storing(ds, tmp_path):
    table = pd.DataFrame(
        {
            "text": ["a", None, "Größe"],
            "category": pd.Categorical(["x", "y", None]),
            "flag": [True, False, True],
            "count": [1, 2, 3],
            "score": [0.5, np.nan, 2],
            "born": pd.to_datetime(["2020-01-01", None, "2021-05-05"]),
            "delay": pd.to_timedelta([1.5, None, 3], unit="s"),
        },
        index=LABELS,
    )
    persons = {("001.mp4", 0): "doctor", ("001.mp4", 1): "patient"} | {(v, f): "x" for v in LABELS[1:] for f in (0, 1)}
    joined = join(join(ds, table), persons, on=("video", "face"), name="role")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        saved = fa.open_store(fa.save(joined, tmp_path / "saved.zarr"))
        joined.to_zarr(tmp_path / "plain.zarr", zarr_format=3, consolidated=False)
    xr.testing.assert_equal(saved.load(), joined)
    xr.testing.assert_equal(xr.open_zarr(tmp_path / "plain.zarr", consolidated=False).load(), joined)
    assert saved["role"].values.tolist() == [["doctor", "patient"], ["x", "x"], ["x", "x"]]


def test_join__person_level_frame_and_series(ds):
    table = pd.DataFrame({"clip": np.repeat(LABELS, 2), "slot": [0, 1] * 3, "role": list("abcdef")})
    by_key = join(ds, table, on=("video", "face"), key=("clip", "slot"))
    by_name = join(ds, table.rename(columns={"clip": "video", "slot": "face"}), on=["video", "face"])
    by_index = join(ds, table.set_index(["clip", "slot"])["role"], on=("video", "face"))
    assert by_key["role"].dims == ("video", "face")
    assert by_key["role"].values.tolist() == [["a", "b"], ["c", "d"], ["e", "f"]]
    xr.testing.assert_identical(by_name, by_key)
    xr.testing.assert_identical(by_index, by_key)


def test_join__slot_that_nobody_was_in_needs_no_row(ds):
    ds["track_id"][1, :, 1] = -1
    roles = {(label, face): 10 * face for label in LABELS for face in (0, 1) if (label, face) != ("002.mp4", 1)}
    joined = join(ds, roles, on=("video", "face"), name="number")
    np.testing.assert_array_equal(joined["number"].values, [[0, 10], [0, np.nan], [0, 10]])
    with pytest.raises(InputError, match=r"no row for \('003.mp4', 1\)"):
        join(ds, {k: v for k, v in roles.items() if k != ("003.mp4", 1)}, on=("video", "face"), name="number")
    with pytest.raises(InputError, match=r"no row for \('002.mp4', 1\)"):
        join(ds.drop_vars("track_id"), roles, on=("video", "face"), name="number")


def test_join__faces_go_by_their_labels_where_there_are_some(ds):
    one = ds.assign_coords(face=[0, 1]).isel(face=[1])
    roles = {(label, face): f"{label}-{face}" for label in LABELS for face in (0, 1)}
    joined = join(one, roles, on=("video", "face"), name="role")
    assert joined["role"].values.tolist() == [["001.mp4-1"], ["002.mp4-1"], ["003.mp4-1"]]


def test_join__names_all_missing_and_duplicate_videos_with_the_nearest(ds):
    labels = ["001.mp4", "001.mp4", "02.mp4", "900.avi"]
    with pytest.raises(InputError) as raised:
        join(ds, pd.DataFrame({"video": labels, "x": 1}))
    text = str(raised.value)
    assert "no row for '002.mp4' (the table has '02.mp4'), '003.mp4'" in text
    assert "several rows for '001.mp4'" in text


def test_join__ignores_and_counts_rows_of_other_videos(ds, caplog):
    table = pd.DataFrame({"video": [*LABELS, "900.mp4", "900.mp4", None], "x": range(6)})
    with caplog.at_level(logging.INFO, logger="facearray.tables"):
        joined = join(ds, table)
    assert joined["x"].values.tolist() == [0, 1, 2]
    assert joined.attrs == ds.attrs
    assert joined["x"].attrs == {}
    assert "ignored 3 of 6 rows" in caplog.text


def test_join__says_which_column_is_the_key(ds, table):
    with pytest.raises(InputError, match="pass key='input'"):
        join(ds, table)
    with pytest.raises(InputError, match="name the column with key="):
        join(ds, table.drop(columns="input"))


@pytest.mark.parametrize(
    ("labels", "keys"),
    [
        (LABELS, ["001.csv", "002.csv", "003.csv"]),
        (LABELS, ["003", "001", "002"]),
        (LABELS, [1, 2, 3]),
        (LABELS, ["1.mp4", "02.mp4", "3.mp4"]),
        (LABELS, ["clips/a/001.csv", "clips/002.csv", "003.mp4"]),
        (LABELS, ["C:\\clips\\001.MP4", "C:\\clips\\002.MP4", "C:\\clips\\003.mp4"]),
        (["Anna.mp4", "Ben.avi", "cleo.mp4"], ["anna.csv", "ben.csv", "Cleo.csv"]),
        (["Anna.mp4", "Ben.mp4", "cleo.mp4"], ["anna.mp4", "ben.mp4", "cleo.mp4"]),
        (["day1/a.mp4", "day1/b.mp4", "day2/c.mp4"], ["a", "b", "c"]),
        (["1.mp4", "2.mp4", "10.mp4"], ["01", "02", "10"]),
        (["1.{}", "2.{}", "3.{}"], ["1", "2", "3"]),
        (["a.take2.mp4", "b.take1.mp4", "c.mp4"], ["a.take2", "b.take1", "c"]),
    ],
)
def test_join__says_how_the_keys_become_the_labels(recordings, labels, keys):
    ds = recordings(dict.fromkeys(labels, 2))
    frame = pd.DataFrame({"file": keys, "x": [1.5, 2.5, 3.5]})
    given = (
        (frame, {"key": "file"}),
        (frame.assign(other=[3, 3, 4]), {}),
        (frame.set_index("file"), {}),
        (frame.set_index("file")["x"], {}),
        (dict(zip(keys, frame["x"], strict=True)), {"name": "x"}),
    )
    for table, arguments in given:
        with pytest.raises(InputError, match="are those of all 3 videos, written differently") as error:
            join(ds, table, **arguments)
        changes = str(error.value).partition("written differently")[2].partition("): ")[2]
        code, _, key = changes.partition(", and pass key=")
        scope = {"ds": ds, "table": table.copy()}
        for line in code.split("; "):
            exec(line, scope)
        joined = join(scope["ds"], scope["table"], **arguments, **({"key": "file"} if key else {}))
        assert sorted(joined["x"].values.tolist()) == [1.5, 2.5, 3.5]
        assert key == ("'file'" if arguments == {} and isinstance(table, pd.DataFrame) and "file" in table else "")


def test_join__shows_the_keys_and_those_that_are_alike(ds):
    with pytest.raises(InputError) as error:
        join(ds, {f"{i:03}.csv": i for i in (1, 3, *range(10, 30))}, name="x")
    assert "found no video's label among the keys of the dict ('001.csv', '003.csv', '010.csv' and 19 more)" in str(
        error.value
    )
    assert "expected labels such as '001.mp4', '002.mp4', '003.mp4'; correct them" in str(error.value)
    with pytest.raises(InputError) as error:
        join(ds, {"001.mp4": 1, "a/002.MOV": 2, "33.mp4": 3}, name="x")
    assert "no row for '002.mp4' (the table has 'a/002.MOV'), '003.mp4'" in str(error.value)
    assert "rows about no video of the Dataset: 'a/002.MOV', '33.mp4'" in str(error.value)


def test_join__says_how_the_keys_of_persons_become_the_labels(ds):
    roles = {(label.removesuffix(".mp4"), face): face for label in LABELS for face in (0, 1)}
    with pytest.raises(InputError, match=r"change the videos' labels in it by lambda name: name \+ '.mp4'"):
        join(ds, roles, on=("video", "face"), name="role")
    named = {(f"{label}.mp4", face): face for label, face in roles if (label, face) != ("003", 1)}
    with pytest.raises(InputError, match=r"no row for \('003.mp4', 1\)\ncomplete or correct the table"):
        join(ds, named, on=("video", "face"), name="role")
    table = pd.DataFrame([(*key, value) for key, value in roles.items()], columns=["video", "face", "role"])
    with pytest.raises(
        InputError, match=r"table\['video'\] = table\['video'\].astype\(str\).map\(lambda name: name \+"
    ):
        join(ds, table, on=("video", "face"))


@pytest.mark.parametrize("name", ["fps", "features", "frame", "landmarks", "component"])
def test_join__overwrites_nothing(ds, name):
    with pytest.raises(InputError, match=f"{name}.*(already|data model)"):
        join(ds, dict.fromkeys(LABELS, 1), name=name)


@pytest.mark.parametrize(
    ("table", "arguments", "message"),
    [
        ({"001.mp4": 1}, {}, "found no name"),
        ({"001.mp4": 1}, {"name": "x", "key": "video"}, "without a DataFrame"),
        ({"001.mp4": 1}, {"name": "x", "on": "frame"}, "expected 'video' or"),
        ({"001.mp4": 1}, {"name": "x", "on": ("face", "video")}, "expected 'video' or"),
        ({}, {"name": "x"}, "no row for '001.mp4', '002.mp4', '003.mp4'"),
        ({"001.mp4": 1}, {"name": "x", "on": ("video", "face")}, "index of 1 level"),
        ({("001.mp4", 0.5): 1}, {"name": "x", "on": ("video", "face")}, "found faces 0.5"),
        ({("001.mp4", "left"): 1}, {"name": "x", "on": ("video", "face")}, "found faces 'left'"),
        ([("001.mp4", 1)], {"name": "x"}, "found a list"),
        (dict(zip(LABELS, ["a", 1, 2.5], strict=True)), {"name": "x"}, "of kind 'mixed"),
        (dict(zip(LABELS, [[1], [2], [3]], strict=True)), {"name": "x"}, "of kind 'mixed"),
        (dict(zip(LABELS, [1j, 2j, 3j], strict=True)), {"name": "x"}, "of kind 'complex'"),
        (pd.DataFrame({"video": LABELS, "x": 1}), {"name": "y"}, "leave it out"),
        (pd.DataFrame({"video": LABELS, "x": 1}), {"key": "vdieo"}, r"'vdieo' \(did you mean 'video'"),
        (pd.DataFrame({"video": LABELS, "x": 1}), {"key": ("video", "x")}, "one column for each of video"),
        (pd.DataFrame({"video": LABELS}), {}, "no column beside the key"),
        (pd.DataFrame({"video": LABELS, 3: 1}), {}, "expected texts"),
        (pd.DataFrame({"video": LABELS, "a/b": 1}), {}, "without '/'"),
        (pd.DataFrame([[v, 1, 2] for v in LABELS], columns=["video", "x", "x"]), {}, "'x' more than once"),
    ],
)
def test_join__refuses(ds, table, arguments, message):
    with pytest.raises(InputError, match=message):
        join(ds, table, **arguments)


def test_join__needs_labelled_videos_and_faces(ds):
    with pytest.raises(SchemaError, match="labelled dim 'video'"):
        join(ds.isel(video=0), {"001.mp4": 1}, name="x")
    with pytest.raises(SchemaError, match="no dim 'face'"):
        join(ds.isel(face=0), {("001.mp4", 0): 1}, name="x", on=("video", "face"))


def test_join__changes_no_input_and_computes_nothing(ds, table):
    def fail(block):
        raise AssertionError("computed")

    lazy = ds.chunk(video=1)
    lazy["features"] = lazy["features"].copy(data=lazy["features"].data.map_blocks(fail, meta=np.empty((0,) * 4, "f4")))
    before, table_before = lazy.copy(), copy.deepcopy(table)
    joined = join(lazy, table, key="input")
    assert joined["features"].chunks == lazy["features"].chunks
    assert list(lazy.coords) == list(before.coords)
    pd.testing.assert_frame_equal(table, table_before)
    joined["age"].values[:] = 0
    pd.testing.assert_frame_equal(table, table_before)


def test_join__works_on_results(ds, table):
    means = ds["features"].mean("frame")
    joined = means.fex.join(table, key="input")
    assert isinstance(joined, xr.DataArray)
    assert joined.groupby("condition").mean().sizes["condition"] == 2
    xr.testing.assert_identical(joined, join(means, table, key="input"))
    xr.testing.assert_identical(ds.fex.join(table, key="input"), join(ds, table, key="input"))


@given(
    st.dictionaries(st.text(min_size=1, max_size=5), st.integers(-5, 5), min_size=1, max_size=8),
    st.dictionaries(st.text(min_size=1, max_size=5), st.integers(-5, 5), max_size=8),
    st.randoms(use_true_random=False),
)
def test_join__is_a_lookup_whatever_the_order(values, others, random):
    rows = list((others | values).items())
    random.shuffle(rows)
    ds = xr.Dataset(coords={"video": np.array(list(values), dtype=STRING)})
    table = pd.DataFrame(rows, columns=["video", "x"])
    assert join(ds, table)["x"].values.tolist() == list(values.values())
