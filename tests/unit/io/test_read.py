"""Files of other tools as one Dataset, in memory and in a store."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from zarr.storage import MemoryStore

from facearray import schema
from facearray.errors import InputError, ReadError
from facearray.io.read import read
from facearray.io.readers import READERS, columns, pyfeat
from facearray.io.status import store_status
from facearray.io.store import open_store

NEWS = Path(__file__).parents[4] / "shared" / "data" / "good_bad_news"
needs_news = pytest.mark.skipif(
    not NEWS.exists(), reason="the detections of the good-news data are not beside the repository"
)


@pytest.fixture
def study(asset, tmp_path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    for name in ("001.csv", "002.csv"):
        shutil.copy(asset(name), folder)
    return folder


def frames(n: int, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {"frame": range(n), "FaceRectX": 1.0, "AU12": np.linspace(0, 1, n), "input": "a.mp4", **columns}
    )


@needs_news
def test_read__twenty_published_files():
    ds = read(NEWS / "0*.csv")
    schema.validate(ds)
    assert list(ds.video.values) == [f"{i:03}.mp4" for i in range(1, 21)]
    assert int(ds.n_frames.sum()) == int((ds.frame_number >= 0).sum()) == 477
    groups = pd.Series(ds.group.values.tolist()).value_counts()
    assert (groups["aus"], groups["emotions"]) == (20, 7)
    assert list(ds.feature.values[ds.group.values == "emotions"]) == list(schema.feature_names("emotions"))
    assert np.isnan(ds.timestamp).all()
    table = pd.concat([pd.read_csv(path) for path in sorted(NEWS.glob("0*.csv"))])
    rows = (
        ds.features.isel(face=0)
        .stack(row=("video", "frame"))
        .where((ds.frame_number >= 0).stack(row=("video", "frame")), drop=True)
    )
    for ours, theirs in {"AU12": "AU12", "happiness": "Happy", "valence": "valence", "FaceScore": "FaceScore"}.items():
        np.testing.assert_array_equal(rows.sel(feature=ours), table[theirs].to_numpy(np.float32))


@needs_news
def test_read__times_come_from_the_frame_rate():
    ds = read(NEWS / "0*.csv", fps=25)
    is_real = ds.frame_number.values >= 0
    np.testing.assert_allclose(ds.timestamp.values[is_real], ds.frame_number.values[is_real] / 25)
    assert np.isnan(ds.timestamp.values[~is_real]).all()
    assert (ds.fps == 25).all()
    np.testing.assert_allclose(ds.duration, (ds.frame_number.max("frame") + 1) / 25)


def test_read__folder_glob_list_and_mapping_are_the_same(study):
    ds = read(study)
    schema.validate(ds)
    assert list(ds.video.values) == ["001.mp4", "002.mp4"]
    xr.testing.assert_identical(read(study / "*.csv"), ds)
    xr.testing.assert_identical(read([study / "002.csv", str(study / "001.csv")]), ds)
    named = read({"second": study / "002.csv", "first": study / "001.csv"})
    assert list(named.video.values) == ["second", "first"]
    xr.testing.assert_equal(named.isel(video=[1, 0]).drop_vars("video"), ds.drop_vars("video"))


def test_read__store_holds_the_same(study, tmp_path):
    ds = read(study, fps=30)
    stored = read(study, fps=30, store=tmp_path / "study.zarr")
    n_frames = ds.sizes["frame"]
    assert (stored.frame_number[:, n_frames:] == -1).all()
    xr.testing.assert_identical(stored.isel(frame=slice(n_frames)).load(), ds)
    assert store_status(tmp_path / "study.zarr").n_done == 2
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "study.zarr", chunks=None).load(), stored.load())


def test_read__into_a_store_object(study):
    store = MemoryStore()
    stored = read(study, store=store)
    xr.testing.assert_equal(stored.isel(frame=slice(40)).load(), read(study))


def test_read__never_deletes_a_store_unasked(study, tmp_path):
    read(study, store=tmp_path / "a.zarr")
    with pytest.raises(InputError, match="overwrite"):
        read(study / "001.csv", store=tmp_path / "a.zarr")
    assert read(study / "001.csv", store=tmp_path / "a.zarr", overwrite=True).sizes["video"] == 1


def test_read__tools_are_united(asset, study):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ds = read([study, asset("OpenFace_Test.csv"), asset("sample_affectiva-api-app_output.json")])
    schema.validate(ds)
    known = [name for name in ds.feature.values if name in schema.FEATURES]
    assert known == [name for name in schema.FEATURES if name in known]
    assert (ds.group.values[: len(known)] != "other").all()
    assert (ds.group.values[len(known) :] == "other").all()
    assert np.isnan(ds.features.sel(video="001.mp4")[..., len(known) :]).all()
    assert np.isfinite(ds.features.sel(video="001.mp4", feature="AU12")).any()
    assert "OpenFace" in ds.attrs["detector"]
    assert "py-feat" in ds.attrs["detector"]
    assert json.loads(ds.attrs["options"])["other"] == list(ds.feature.values[len(known) :])


def test_read__landmarks_of_a_smaller_set_become_features(study, tmp_path):
    mesh = {f"mesh_{axis}_{i}": 1.0 for axis in "xyz" for i in range(478)}
    pd.DataFrame([{"frame": 0, "FaceRectX": 0.0, "FaceRectWidth": 10.0, "AU12": 0.1, "input": "m.mp4", **mesh}]).to_csv(
        study / "m.csv"
    )
    ds = read(study)
    assert ds.sizes["landmark"] == 478
    assert np.isnan(ds.landmarks.sel(video="001.mp4")).all()
    table = pd.read_csv(study / "001.csv")
    np.testing.assert_array_equal(
        ds.features.sel(video="001.mp4", feature="y_30")[:, 0], table.y_30.to_numpy(np.float32)
    )
    assert "z_0" not in ds.feature.values
    assert str(ds.unit.sel(feature="x_0").values) == "px"


def test_read__same_names_are_told_apart(study, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(study / "001.csv", other / "001.csv")
    assert list(read([study, other]).video.values) == ["002.mp4", "other/001.mp4", "study/001.mp4"]
    shutil.copy(study / "001.csv", study / "again.csv")
    assert list(read(study).video.values) == ["001.csv", "002.mp4", "again.csv"]


@pytest.mark.parametrize("in_store", [False, True])
def test_read__mapping_may_name_a_file_twice(study, tmp_path, in_store):
    paths = {"a": study / "001.csv", "b": study / "001.csv"}
    ds = read(paths, store=tmp_path / "s.zarr" if in_store else None)
    assert list(ds.video.values) == ["a", "b"]
    xr.testing.assert_equal(ds.isel(video=0, drop=True), ds.isel(video=1, drop=True))


def test_read__mapping_tells_recordings_of_a_file_apart(tmp_path):
    pd.concat([frames(1), frames(1, input="/x/a.mp4"), frames(1, input="/y/a.mp4")]).to_csv(tmp_path / "all.csv")
    assert list(read({"s": tmp_path / "all.csv"}).video.values) == ["s/a.mp4", "s/x/a.mp4", "s/y/a.mp4"]


def test_read__several_recordings_of_a_file(tmp_path):
    both = pd.concat([frames(3), frames(2, input="/far/b.mp4")])
    both.to_csv(tmp_path / "all.csv", index=False)
    ds = read(tmp_path / "all.csv")
    assert dict(zip(ds.video.values, ds.n_frames.values, strict=True)) == {"a.mp4": 3, "b.mp4": 2}
    assert list(read({"x": tmp_path / "all.csv"}).video.values) == ["x/a.mp4", "x/b.mp4"]
    stored = read(tmp_path / "all.csv", store=tmp_path / "s.zarr")
    xr.testing.assert_identical(stored.isel(frame=slice(3)).load(), ds)


def damaged(name: str, text: str) -> bytes:
    lines = text.splitlines(keepends=True)
    cells = lines[1].split(",")
    return {
        "empty": b"",
        "header only": lines[0].encode(),
        "missing columns": text.replace("frame", "image", 1).encode(),
        "truncated row": "".join(lines)[: -len(lines[-1]) // 2].encode(),
        "mixed encodings": "".join(lines).encode() + ",".join([*cells[:-2], "caf\xe9.mp4", "99\n"]).encode("latin-1"),
        "two headers": "".join([lines[0], *lines]).encode(),
        "duplicated frames": "".join([*lines, lines[-1]]).encode(),
        "unknown": b"timestamp,Smile\n0.1,2\n",
    }[name]


@pytest.mark.parametrize(
    ("name", "place", "status"),
    [
        ("empty", "line 1: found an empty file", "failed"),
        ("header only", "line 2: found the end of the file", "failed"),
        ("missing columns", "line 1: found a file that no known tool writes", "failed"),
        ("truncated row", "line 41, column ", "done"),
        ("mixed encodings", "line 42, column 'input'", "done"),
        ("two headers", "line 2, column 'FaceRectX'", "done"),
        ("duplicated frames", "line 42, column 'frame'", "done"),
        ("unknown", "line 1: found a file that no known tool writes; expected one of affectiva, ", "failed"),
    ],
)
@pytest.mark.parametrize("in_store", [False, True])
def test_read__malformed_file_among_good_ones(study, tmp_path, name, place, status, in_store):
    text = (study / "001.csv").read_text().replace("001.mp4", "bad.mp4")
    (study / "bad.csv").write_bytes(damaged(name, text))
    with pytest.warns(UserWarning, match="bad.csv: line") as caught:
        ds = read(study, store=tmp_path / "s.zarr" if in_store else None)
    assert f"bad.csv: {place}" in str(caught[0].message)
    bad = "bad.csv" if status == "failed" else "bad.mp4"
    assert str(ds.status.sel(video=bad).values) == status
    assert (ds.status.sel(video=["001.mp4", "002.mp4"]) == "done").all()
    assert (str(ds.error.sel(video=bad).values) != "") == (status == "failed")
    schema.validate(ds)


def test_read__decimal_commas(study, tmp_path):
    table = pd.read_csv(study / "001.csv")
    table.to_csv(tmp_path / "comma.csv", sep=";", decimal=",", index=False)
    ds = read(tmp_path / "comma.csv")
    xr.testing.assert_equal(ds.drop_vars("source"), read(study / "001.csv").drop_vars("source"))
    assert "Decimal commas are read as points." in json.loads(ds.attrs["options"])["conversions"]


ATTRIBUTES = {
    "clips.csv": "clipN,class,valence,time_of_day\n001,gn,4,am\n002,bn,1,pm\n",
    "means.csv": ";mean_AU12;AU12 (mean);n_frames\n001.mp4;0,5;0,25;40\n",
    "people.txt": 'name\tquote\nann\t"yes, no"\nben\t\n',
}


@pytest.mark.parametrize("in_store", [False, True])
def test_read__tables_of_attributes_are_no_videos(study, tmp_path, in_store):
    alone = read(study)
    for name, text in ATTRIBUTES.items():
        (study / name).write_text(text)
    with pytest.warns(UserWarning, match=r"found faults in 3 places") as caught:
        ds = read(study, store=tmp_path / "s.zarr" if in_store else None)
    xr.testing.assert_identical(ds.isel(frame=slice(alone.sizes["frame"])).load(), alone)
    message = str(caught[0].message)
    assert "clips.csv: line 1: found a table that no known tool writes, columns 'clipN', 'class', 'valence'" in message
    assert all(f"ds.fex.join(pandas.read_csv({name!r}), key=...); it is left out" in message for name in ATTRIBUTES)


def test_read__tables_of_attributes_that_are_asked_for_are_refused(study):
    (study / "clips.csv").write_text(ATTRIBUTES["clips.csv"])
    with pytest.raises(ReadError, match=r"no file can be read:\n.*clips\.csv: .*ds\.fex\.join"):
        read(study / "clips.csv")
    with pytest.warns(UserWarning, match=r"clips\.csv: .*ds\.fex\.join"):
        assert list(read([study / "001.csv", study / "clips.csv"]).video.values) == ["001.mp4"]
    with pytest.warns(UserWarning, match=r"clips\.csv: .*ds\.fex\.join\(.*\)$"):
        named = read({"a": study / "001.csv", "b": study / "clips.csv"})
    assert named.status.values.tolist() == ["done", "failed"]
    with pytest.raises(ReadError, match="found no column 'frame'"):
        read(study / "clips.csv", source="pyfeat")


@pytest.mark.parametrize(
    "name", ["Video Time", "timestamp_ms", "time (s)", "Frame", "frame_number", "AU12_r", "mesh_x_3"]
)
def test_read__tables_of_frames_that_no_tool_writes_are_failed_videos(study, name):
    (study / "other.csv").write_text(f"{name},Smile\n0,1\n1,1\n")
    with pytest.warns(
        UserWarning, match=r"other\.csv: line 1: found a file that no known tool writes; .*ds\.fex\.join"
    ):
        ds = read(study)
    assert str(ds.status.sel(video="other.csv").values) == "failed"


@needs_news
def test_read__the_folder_of_a_study_with_its_table():
    with pytest.warns(UserWarning, match=r"clip_attrs\.csv: line 1: found a table that no known tool writes"):
        ds = read(NEWS)
    assert list(ds.video.values) == [f"{i:03}.mp4" for i in range(1, 21)]
    with pytest.raises(
        InputError, match=r"texts of the column 'clipN' are those of all 20 videos.*zfill\(3\) \+ '\.mp4'"
    ):
        ds.fex.join(pd.read_csv(NEWS / "clip_attrs.csv"))


def test_read__nothing_readable_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(ReadError, match=r"(?s)a\.csv: line 1.*b\.csv: line 1: found an empty file"):
        read(tmp_path)


def test_read__missing_file_is_a_failed_row(study):
    with pytest.warns(UserWarning, match="gone.csv: found no such file"):
        ds = read([study, study / "gone.csv"])
    assert str(ds.status.sel(video="gone.csv").values) == "failed"


def test_read__file_that_several_tools_claim(study, monkeypatch):
    from facearray.io.readers import openface

    monkeypatch.setattr(openface, "sniff", lambda head, path: True)
    with pytest.raises(ReadError, match="several tools may have written: openface, pyfeat"):
        read(study)
    assert read(study, source="pyfeat").sizes["video"] == 2


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), "25"])
def test_read__impossible_frame_rate(study, fps):
    with pytest.raises(InputError, match="found fps="):
        read(study, fps=fps)


def test_read__unknown_source(study):
    with pytest.raises(InputError, match=r"unknown source 'pyfit' \(did you mean 'pyfeat'"):
        read(study, source="pyfit")


def test_read__nothing_there(tmp_path):
    with pytest.raises(InputError, match="nothing matches"):
        read(tmp_path / "*.csv")


def test_read__long_file_is_never_in_memory_as_a_whole(tmp_path, monkeypatch):
    import weakref

    frames(20_000, **{f"extra_{i}": 0.5 for i in range(20)}).to_csv(tmp_path / "long.csv", index=False)
    monkeypatch.setattr(columns, "BLOCK_BYTES", 2**16)
    alive: list[weakref.ref[np.ndarray]] = []
    most = 0
    read_parts = pyfeat.read

    def counted(path: Path) -> Iterator[Any]:
        nonlocal most
        for part in read_parts(path):
            alive.append(weakref.ref(part.values))
            most = max(most, sum(ref() is not None for ref in alive))
            yield part

    monkeypatch.setattr(pyfeat, "read", counted)
    ds = read(tmp_path / "long.csv", store=tmp_path / "long.zarr")
    assert len(alive) > 40
    assert most <= 3
    np.testing.assert_array_equal(ds.frame_number[0, :20_000], np.arange(20_000))
    np.testing.assert_allclose(ds.features.sel(feature="AU12")[0, :20_000, 0], np.linspace(0, 1, 20_000), rtol=1e-6)
    monkeypatch.undo()
    xr.testing.assert_identical(read(tmp_path / "long.csv"), ds.isel(frame=slice(20_000)).load())


def test_read__file_that_changes_meanwhile_fails_alone(study, tmp_path, monkeypatch):
    read_parts, seen = pyfeat.read, []

    def changing(path: Path) -> Iterator[Any]:
        seen.append(path.name)
        if seen.count(path.name) > 1 and path.name == "002.csv":
            raise ReadError("002.csv: line 3: found something else")
        yield from read_parts(path)

    monkeypatch.setattr(pyfeat, "read", changing)
    with pytest.warns(UserWarning, match="002.csv: line 3"):
        ds = read(study, store=tmp_path / "s.zarr")
    assert list(ds.status.values) == ["done", "failed"]
    assert (ds.frame_number.sel(video="002.mp4") == -1).all()
    xr.testing.assert_identical(open_store(tmp_path / "s.zarr").load(), ds.load())


names = st.permutations(["AU12", "AU01", "Yaw", "happiness", "FaceScore", "my_measure"])


@pytest.mark.filterwarnings("ignore:found faults")  # most of what py-feat writes is missing here
@settings(deadline=None)
@given(names, st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_read__columns_in_any_order_and_number(tmp_path_factory, order: list[str], n_columns: int, seed: int):
    folder = tmp_path_factory.mktemp("t")
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.random((4, n_columns), dtype=np.float32) + 0.01, columns=order[:n_columns])
    table.insert(int(rng.integers(n_columns + 1)), "frame", [3, 5, 6, 9])
    table.assign(FaceRectX=1.0).to_csv(folder / "a.csv", index=False)
    ds = read(folder / "a.csv", source="pyfeat")
    kept = {*order[:n_columns], "FaceRectX"}
    assert list(ds.feature.values) == [
        *(n for n in schema.FEATURES if n in kept),
        *(n for n in order[:n_columns] if n not in schema.FEATURES),
    ]
    assert ds.frame_number.values.tolist() == [[3, 5, 6, 9]]
    for name in order[:n_columns]:
        sign = -1 if name == "Yaw" else 1
        np.testing.assert_array_equal(ds.features.sel(feature=name)[0, :, 0], sign * table[name])


def test_readers__all_serve_read(asset, tmp_path):
    files: dict[str, Callable[[], Path]] = {
        "openface": lambda: asset("OpenFace_Test.csv"),
        "imotions": lambda: asset("iMotions_Test_v6.txt"),
        "affectiva": lambda: asset("sample_affectiva-api-app_output.json"),
        "pyfeat": lambda: asset("Feat_Test.csv"),
    }
    assert set(files) <= set(READERS)
    for name, path in files.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            ds, stored = read(path()), read(path(), source=name, store=tmp_path / f"{name}.zarr")
        schema.validate(ds)
        xr.testing.assert_identical(stored.isel(frame=slice(ds.sizes["frame"])).load(), ds)
