"""`facearray convert`: what it prints, and its exit codes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from facearray.cli import main
from facearray.io.store import open_store


def convert(*arguments):
    return CliRunner().invoke(main, ["convert", *map(str, arguments)], catch_exceptions=False)


def test_convert__makes_a_store(asset, tmp_path):
    result = convert(asset("001.csv"), asset("002.csv"), "-o", tmp_path / "s.zarr", "--source", "pyfeat", "--fps", 25)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{tmp_path / 's.zarr'}: 68 frames of 2 videos; 0 files failed\n"
    ds = open_store(tmp_path / "s.zarr")
    assert list(ds.video.values) == ["001.mp4", "002.mp4"]
    assert (ds.fps == 25).all()


def test_convert__failures_are_named_and_exit_is_1(asset, tmp_path):
    (tmp_path / "bad.csv").write_text("a,b\n")
    result = convert(asset("001.csv"), tmp_path / "bad.csv", "-o", tmp_path / "s.zarr", "--json")
    assert result.exit_code == 1
    assert "bad.csv: line 1: found a file that no known tool writes" in result.stderr
    found = json.loads(result.stdout)
    assert found["videos"] == [
        {"video": "001.mp4", "status": "done", "n_frames": 40},
        {"video": "bad.csv", "status": "failed", "n_frames": 0},
    ]
    assert list(found["failed"]) == ["bad.csv"]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--source", "pyfit"], 2, "unknown source 'pyfit'"),
        (["--fps", "0"], 2, "found fps=0.0"),
        (["--source", "openface"], 1, "no file can be read"),
    ],
)
def test_convert__what_cannot_be_done(asset, tmp_path, options, code, message):
    result = convert(asset("001.csv"), "-o", tmp_path / "s.zarr", *options)
    assert result.exit_code == code
    assert message in result.stderr


def test_convert__replaces_a_store_only_if_asked(asset, tmp_path):
    assert convert(asset("001.csv"), "-o", tmp_path / "s.zarr").exit_code == 0
    assert convert(asset("002.csv"), "-o", tmp_path / "s.zarr").exit_code == 2
    assert convert(asset("002.csv"), "-o", tmp_path / "s.zarr", "--overwrite").exit_code == 0
    assert list(open_store(tmp_path / "s.zarr").video.values) == ["002.mp4"]
