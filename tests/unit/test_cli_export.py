from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import facearray as fa
from facearray.cli import main
from facearray.testing import random_dataset


@pytest.fixture
def store(tmp_path):
    ds = random_dataset(0, features=["AU12", "Yaw"], n_landmarks=2)
    ds = ds.assign_coords(video=["a.mp4", "b.mp4", "c.mp4"], status=("video", ["done", "done", "failed"]))
    return str(fa.save(ds, tmp_path / "study.zarr"))


def run(*args: object):
    return CliRunner().invoke(main, ["export", *map(str, args)])


def test_export__done(store, tmp_path):
    result = run(store, "-o", tmp_path / "x.csv", "--select", "aus", "--videos", "a.mp4", "--videos", "b*")
    assert (result.exit_code, result.output) == (0, f"wrote {tmp_path / 'x.csv'}\n")
    found = fa.read_export(tmp_path / "x.csv")
    assert found["feature"].values.tolist() == ["AU12"]
    assert found["video"].values.tolist() == ["a.mp4", "b.mp4"]


def test_export__names_what_is_not_done(store, tmp_path):
    result = run(store, "-o", tmp_path / "x.parquet")
    assert result.exit_code == 1
    assert result.stderr == "c.mp4: failed\n"
    assert fa.read_export(tmp_path / "x.parquet").sizes["video"] == 3


def test_export__json(store, tmp_path):
    result = run(
        store, "-o", tmp_path / "x", "--format", "bids", "--deidentify", "--key", tmp_path / "key.csv", "--json"
    )
    assert json.loads(result.stdout) == {
        "path": str(tmp_path / "x"),
        "format": "bids",
        "n_videos": 3,
        "not_done": {"video-000003": "failed"},
        "removed": ["variable landmarks", "texts of source", "texts of error", "labels of the videos"],
    }
    assert (tmp_path / "key.csv").is_file()


def test_export__says_what_was_removed(store, tmp_path):
    result = run(store, "-o", tmp_path / "x.csv", "--deidentify", "--videos", "a.mp4")
    assert "removed variable landmarks\nremoved texts of source\n" in result.stdout


def test_export__names_the_first_of_many_features_that_were_removed(tmp_path):
    features = ["AU12", *(f"x_{i}" for i in range(12))]
    store = str(fa.save(random_dataset(0, features=features, n_landmarks=2), tmp_path / "many.zarr"))
    lines = run(store, "-o", tmp_path / "x.csv", "--deidentify").stdout.splitlines()
    removed = ", ".join(f"x_{i}" for i in range(10))
    assert f"removed 12 features: {removed} and 2 more" in lines
    assert sum(line.startswith("removed") for line in lines) < 5


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-o", "x.txt"], "expected one of the suffixes"),
        (["-o", "x.csv", "--videos", "z.mp4"], "unknown video 'z.mp4'"),
        (["-o", "x.csv", "--key", "k.csv"], "found a key without deidentify"),
        (["-o", "x", "--format", "xlsx"], "'xlsx' is not one of"),
        ([], "Missing option"),
    ],
)
def test_export__wrong_usage(store, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    result = run(store, *args)
    assert result.exit_code == 2
    assert message in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["study.zarr"]


def test_export__overwrite(store, tmp_path):
    run(store, "-o", tmp_path / "x.csv", "--videos", "a.mp4")
    assert run(store, "-o", tmp_path / "x.csv", "--videos", "b.mp4").exit_code == 2
    assert run(store, "-o", tmp_path / "x.csv", "--videos", "b.mp4", "--overwrite").exit_code == 0
    assert fa.read_export(tmp_path / "x.csv")["video"].values.tolist() == ["b.mp4"]
