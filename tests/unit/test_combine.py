"""Datasets put together, and their videos renamed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import facearray as fa
from facearray.combine import concat, rename_videos
from facearray.errors import InputError, SchemaError

STRING = np.dtypes.StringDType()
NEWS = Path(__file__).parents[3] / "shared" / "data" / "good_bad_news"


def trimmed(ds: xr.Dataset, videos: list[int]) -> xr.Dataset:
    """Some of the videos, without padding that only the others need."""
    part = ds.isel(video=videos)
    n = int(part["n_frames"].max())
    used = np.flatnonzero((part["track_id"] >= 0).any(("video", "frame")))
    n_faces = int(used.max(initial=0)) + 1
    return part.isel(frame=slice(n), face=slice(n_faces))


@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    cut=st.integers(1, 4),
    n_faces=st.integers(1, 3),
    n_landmarks=st.sampled_from([None, 4]),
    chunked=st.booleans(),
)
def test_concat__of_parts_is_the_whole(recordings, lengths, cut, n_faces, n_landmarks, chunked):
    whole = recordings({f"{i}.mp4": n for i, n in enumerate(lengths)}, n_faces=n_faces, n_landmarks=n_landmarks)
    cut = min(cut, len(lengths) - 1)
    parts = [trimmed(whole, list(range(cut))), trimmed(whole, list(range(cut, len(lengths))))]
    expected = whole.isel(face=slice(max(part.sizes["face"] for part in parts)))
    found = concat([part.chunk(video=1) if chunked else part for part in parts])
    assert (found["features"].chunks is not None) == chunked
    xr.testing.assert_identical(found.compute(), expected)
    assert {n: v.dtype for n, v in found.variables.items()} == {n: v.dtype for n, v in expected.variables.items()}


def test_concat__of_stores_is_the_store_of_all_and_stays_lazy(recordings, tmp_path):
    whole = recordings({"a": 5, "b": 9, "c": 2}, n_faces=2, n_landmarks=3)
    fa.save(whole, tmp_path / "whole.zarr")
    for name, videos in (("one", [0, 2]), ("two", [1])):
        fa.save(trimmed(whole, videos), tmp_path / f"{name}.zarr")
    parts = [fa.open_store(tmp_path / "one.zarr"), fa.open_store(tmp_path / "two.zarr")]
    found = fa.concat(parts)
    assert found["landmarks"].chunks is not None
    assert found["timestamp"].chunks is not None
    assert found.groupby("source").count()["features"].sum() == whole["features"].count()
    xr.testing.assert_equal(found.compute(), fa.open_store(tmp_path / "whole.zarr").isel(video=[0, 2, 1]).compute())
    xr.testing.assert_equal(fa.open_store(fa.save(found, tmp_path / "again.zarr")).load(), found.compute())


@pytest.mark.skipif(not NEWS.is_dir(), reason="the detections are not here")
def test_concat__of_files_is_what_reading_all_gives():
    parts = [fa.read([NEWS / f"{i:03}.csv" for i in numbers], fps=25) for numbers in (range(1, 9), range(9, 21))]
    xr.testing.assert_identical(fa.concat(parts), fa.read(NEWS / "0*.csv", fps=25))


def test_concat__union_of_features_in_the_order_of_the_vocabulary(recordings):
    a = recordings({"a": 2}, features=("AU12", "happiness"))
    b = recordings({"b": 2}, features=("happiness", "Yaw"))
    both = concat([a, b])
    assert both["feature"].values.tolist() == ["Yaw", "AU12", "happiness"]
    assert both["group"].values.tolist() == ["poses", "aus", "emotions"]
    assert both["unit"].values.tolist() == ["degree", "", ""]
    assert np.isnan(both["features"].sel(video="a", feature="Yaw")).all()
    for part, label in ((a, "a"), (b, "b")):
        for feature in part["feature"].values:
            xr.testing.assert_equal(
                both["features"].sel(video=label, feature=feature, drop=True),
                part["features"].sel(video=label, feature=feature, drop=True),
            )
    assert both["features"].dtype == np.float32


def test_concat__features_that_are_not_in_the_vocabulary_come_last(recordings):
    a = recordings({"a": 2})
    own = recordings({"b": 2}, features=("Yaw",)).assign_coords(feature=np.array(["mine"], dtype=STRING))
    assert concat([own, a])["feature"].values.tolist() == ["Yaw", "AU12", "happiness", "mine"]


def test_concat__keeps_an_own_order_where_all_have_it(recordings):
    features = ("happiness", "AU12")
    assert concat([recordings({k: 2}, features=features) for k in "ab"])["feature"].values.tolist() == list(features)


def test_concat__fills_what_some_do_not_have(recordings):
    a = recordings({"a": 3}, n_landmarks=2).assign_coords(
        condition=("video", ["good"]),
        age=("video", [31]),
        flag=("video", [True]),
        born=("video", np.array(["2000-01-01"], dtype="M8[s]")),
        phase=(("video", "frame"), np.array([["x", "y", "z"]], dtype=STRING)),
        trial=(("video", "frame"), [[1, 2, 3]]),
    )
    b = recordings({"b": 5}).drop_vars("track_id")
    both = concat([a, b])
    assert both["condition"].values.tolist() == ["good", ""]
    np.testing.assert_array_equal(both["age"], [31.0, np.nan])
    np.testing.assert_array_equal(both["flag"], [1.0, np.nan])
    assert np.isnat(both["born"].values).tolist() == [False, True]
    assert both["phase"].values.tolist() == [["x", "y", "z", "", ""], [""] * 5]
    np.testing.assert_array_equal(both["trial"], [[1, 2, 3, np.nan, np.nan], [np.nan] * 5])
    assert both["track_id"].dtype == np.int32
    assert (both["track_id"][1] == -1).all()
    assert both["frame_number"].values[0].tolist() == [0, 1, 2, -1, -1]
    assert np.isnan(both["landmarks"][1]).all()
    assert both["axis"].values.tolist() == ["x", "y", "z"]


def test_concat__coordinates_that_all_have_keep_their_dtype(recordings):
    a = recordings({"a": 3}).assign_coords(age=("video", [31]), flag=("video", [True]), lab="X", word=("video", ["u"]))
    b = recordings({"b": 5}).assign_coords(
        age=("video", [20]), flag=("video", [False]), lab="X", word=("video", ["vw"])
    )
    both = concat([a, b])
    assert both["age"].dtype == np.int64
    assert both["flag"].dtype == np.bool_
    assert both["lab"].dims == ()
    assert both["word"].values.tolist() == ["u", "vw"]


def test_concat__values_that_differ_get_a_video_dim(recordings):
    a, b = recordings({"a": 3, "c": 1}).assign_coords(lab="X"), recordings({"b": 5}).assign_coords(lab="Longer")
    assert concat([a, b])["lab"].values.tolist() == ["X", "X", "Longer"]


def test_concat__attributes_that_differ_belong_to_their_videos(recordings):
    a = recordings({"a": 3, "c": 1}).assign_attrs(rate=1)
    b = recordings({"b": 5}).assign_attrs(detector="another", note="b only", rate=2)
    both = concat([a, b])
    assert both.attrs == {"facearray_schema": a.attrs["facearray_schema"]}
    assert both["detector"].values.tolist() == ["made up", "made up", "another"]
    assert both["note"].values.tolist() == ["", "", "b only"]
    assert "rate" not in both.coords
    again = concat([both, recordings({"d": 2})])
    assert again["note"].values.tolist() == ["", "", "b only", ""]
    assert again["detector"].values.tolist() == ["made up", "made up", "another", "made up"]
    assert list(a.coords) == list(recordings({"a": 3}).coords)
    assert concat([a, a.fex.rename_videos({"a": "x", "c": "y"})]).attrs == a.attrs


def test_concat__changes_no_input_and_shares_nothing(recordings):
    a, b = recordings({"a": 3}), recordings({"b": 5})
    before = a.copy(deep=True)
    both = concat([a, b])
    both["features"].values[:] = 0
    both["frame_number"].values[:] = 0
    xr.testing.assert_identical(a, before)


def test_concat__one_and_results(recordings):
    ds = recordings({"a": 3, "b": 2})
    xr.testing.assert_identical(concat([ds]), ds)
    means = [recordings({k: 3}).mean("frame") for k in "ab"]
    assert dict(concat(means).sizes) == {"video": 2, "face": 1, "feature": 3}
    xr.testing.assert_equal(concat(means).isel(video=1), means[1].isel(video=0))


def test_concat__names_labels_that_are_there_twice(recordings):
    with pytest.raises(InputError, match=r"found video 'a', 'b' more than once.*rename_videos"):
        concat([recordings({"a": 1, "b": 2}), recordings({"b": 1, "c": 1}), recordings({"a": 2})])


@pytest.mark.parametrize("parts", [[], [1], [xr.DataArray([1.0], dims="video")]])
def test_concat__needs_datasets(parts):
    with pytest.raises(InputError, match="expected one or more Datasets"):
        concat(parts)


def test_concat__names_everything_that_cannot_be_put_together(recordings):
    a = recordings({"a": 2}, n_landmarks=478)
    b = recordings({"b": 2}, n_landmarks=68)
    b["unit"][0] = "radian"
    with pytest.raises(SchemaError) as raised:
        concat([a, b])
    assert "dim 'landmark' has sizes [68, 478]" in str(raised.value)
    assert "feature 'Yaw' has units 'degree', 'radian'" in str(raised.value)


def test_concat__dims_with_other_labels(recordings):
    a, b = recordings({"a": 2}), recordings({"b": 2})
    with pytest.raises(SchemaError, match="dim 'face' has other labels"):
        concat([a.assign_coords(face=[0]), b.assign_coords(face=[1])])
    with pytest.raises(SchemaError, match="dim 'face' has labels in some and none in others"):
        concat([a.assign_coords(face=[0]), b])
    with pytest.raises(SchemaError, match="dim 'feature' without labels"):
        concat([a, b.drop_vars("feature")])
    with pytest.raises(SchemaError, match="found 'fps' with dims"):
        concat([a, b.assign_coords(fps=(("video", "frame"), np.ones((1, 2))))])
    with pytest.raises(SchemaError, match="labelled dim 'video'"):
        concat([a, b.isel(video=0)])


@pytest.mark.parametrize(
    "names", [{"b.mp4": "B"}, lambda label: "B" if label == "b.mp4" else label, {"b.mp4": "B", "a.mp4": "a.mp4"}]
)
def test_rename_videos__by_mapping_and_function(recordings, names):
    ds = recordings({"a.mp4": 2, "b.mp4": 3})
    renamed = rename_videos(ds, names)
    assert renamed["video"].values.tolist() == ["a.mp4", "B"]
    assert renamed["video"].dtype == STRING
    xr.testing.assert_identical(renamed.sel(video="B", drop=True), ds.sel(video="b.mp4", drop=True))
    assert ds["video"].values.tolist() == ["a.mp4", "b.mp4"]
    xr.testing.assert_identical(ds.fex.rename_videos(names), renamed)


def test_rename_videos__may_swap(recordings):
    swapped = rename_videos(recordings({"a": 2, "b": 3}), {"a": "b", "b": "a"})
    assert swapped["n_frames"].sel(video="b") == 2


def test_rename_videos__array(recordings):
    array = rename_videos(recordings({"a": 2})["features"], str.upper)
    assert isinstance(array, xr.DataArray)
    assert array["video"].values.tolist() == ["A"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"a.mp3": "x"}, r"unknown video 'a.mp3' \(did you mean 'a.mp4'"),
        ({"a.mp4": "b.mp4"}, "the same new label 'b.mp4' for 'a.mp4', 'b.mp4'"),
        (lambda label: label[1:], "the same new label '.mp4' for 'a.mp4', 'b.mp4'"),
        ({"a.mp4": ""}, "'a.mp4' to ''"),
        ({"a.mp4": 3}, "'a.mp4' to 3"),
        (lambda label: None, "'a.mp4' to None, 'b.mp4' to None"),
    ],
)
def test_rename_videos__refuses(recordings, names, message):
    with pytest.raises(InputError, match=message):
        rename_videos(recordings({"a.mp4": 2, "b.mp4": 3}), names)


def test_rename_videos__needs_videos(recordings):
    with pytest.raises(SchemaError, match="labelled dim 'video'"):
        rename_videos(recordings({"a": 2}).isel(video=0), {"a": "b"})
