"""The command line: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import zarr
from click.testing import CliRunner

from facearray import assets
from facearray.cli import main
from facearray.detection import options as options_module
from facearray.io.journal import Journal
from facearray.io.layout import INCOMPLETE
from facearray.io.lease import Holder
from facearray.io.store import Layout, Store
from facearray.testing import FakeDetector


@pytest.fixture
def facearray(monkeypatch):
    """Return a function that runs the command line with a detector that needs no model."""
    monkeypatch.setattr(options_module, "load_detector", lambda name, **options: FakeDetector())

    def call(*arguments):
        return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)

    return call


def test_detect__all_done(facearray, make_video, tmp_path):
    result = facearray("detect", make_video("a.mkv"), make_video("b.mkv", 30), "-o", tmp_path / "s.zarr")
    assert result.exit_code == 0
    lines = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if ".mkv" in line}
    assert lines["a.mkv"][:3] == ["done", "20", "19"]
    assert lines["b.mkv"][:3] == ["done", "30", "28"]
    assert result.stderr == ""


def test_detect__failures_are_named_and_exit_is_1(facearray, make_video, tmp_path):
    result = facearray("detect", make_video("a.mkv"), tmp_path / "gone.mp4", "-o", tmp_path / "s.zarr")
    assert result.exit_code == 1
    assert "gone.mp4: " in result.stderr
    again = facearray("detect", make_video("a.mkv"), tmp_path / "gone.mp4", "-o", tmp_path / "s.zarr")
    assert again.exit_code == 1
    assert "gone.mp4: " in again.stderr
    assert again.stderr.count("gone.mp4") == 1


def test_detect__parts_one_after_the_other(facearray, make_video, tmp_path):
    videos, store = [make_video(f"{i}.mkv", offset=i) for i in range(3)], tmp_path / "s.zarr"
    first = facearray("detect", *videos, "-o", store, "--part", "1/2")
    assert first.exit_code == 0
    assert "1.mkv" not in first.stdout
    assert "2 videos done, 0 failed: 40 frames in" in first.stdout
    assert facearray("status", store).exit_code == 1
    assert facearray("detect", *videos, "-o", store, "--part", "2/2").exit_code == 0
    assert facearray("status", store).exit_code == 0


def test_detect__a_part_without_a_video_says_so(facearray, make_video, tmp_path):
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(2)]
    result = facearray("detect", *videos, "-o", tmp_path / "s.zarr", "--part", "3/3")
    assert result.exit_code == 0
    assert result.stdout.startswith("part 3 of 3 has no video of these")
    assert len(result.stdout.splitlines()) == 1
    assert (
        json.loads(facearray("detect", *videos, "-o", tmp_path / "s.zarr", "--part", "3/3", "--json").stdout)["videos"]
        == []
    )


def test_detect__json_says_what_the_run_took(facearray, make_video, tmp_path):
    result = facearray("detect", make_video("a.mkv"), tmp_path / "gone.mp4", "-o", tmp_path / "s.zarr", "--json")
    run = json.loads(result.stdout)["run"]
    assert (run["n_done"], run["n_failed"], run["n_frames"], run["end"]) == (1, 1, 20, "complete")
    assert list(run["failures"]) == ["gone.mp4"]
    assert run["workers"]["this process"]["rows"] == 2
    (kept,) = Journal.beside(tmp_path / "s.zarr").reports()
    assert kept["started"] == run["started"]


def test_detect__json_is_one_object(facearray, make_video, tmp_path):
    result = facearray("detect", make_video("a.mkv"), tmp_path / "gone.mp4", "-o", tmp_path / "s.zarr", "--json")
    found = json.loads(result.stdout)
    assert found["store"] == str(tmp_path / "s.zarr")
    assert [(v["video"], v["status"], v["n_frames"]) for v in found["videos"]] == [
        ("a.mkv", "done", 20),
        ("gone.mp4", "failed", 0),
    ]
    assert list(found["failed"]) == ["gone.mp4"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["detect"], "Missing argument 'VIDEOS...'"),
        (["detect", "a.mp4"], "Missing option '-o'"),
        (["detect", "a.mp4", "-o", "s.zarr", "--every", "0"], "every=0; expected a whole number"),
        (["detect", "a.mp4", "-o", "s.zarr", "--every", "x"], "not a valid integer"),
        (["detect", "nothing/*.mp4", "-o", "s.zarr"], "nothing matches"),
        (["detect", "a.mp4", "-o", "s.zarr", "--storage-option", "x"], "expected KEY=VALUE"),
        (["detect", "a.mp4", "-o", "s.zarr", "--part", "3/2"], "found part '3/2'; expected i/N"),
        (["detect", "a.mp4", "-o", "s.zarr", "--part", "1/2", "--overwrite"], "found overwrite and a part"),
        (["detect", "a.mp4", "-o", "s.zarr", "--workers", "0"], "found --workers 0; expected at least 1"),
        (
            ["detect", "a.mp4", "-o", "s.zarr", "--workers", "2", "--scheduler", "tcp://x:1"],
            "expected at most one of them",
        ),
        (["detect", "a.mp4", "-o", "s.zarr", "--workers", "2", "--max-faces", "0"], "found max_faces=0; expected"),
        (["detect", "a.mp4", "-o", "s.zarr", "--scheduler-file", "none.json"], "found no file none.json"),
        (["detect", "a.mp4", "-o", "s.zarr", "--window", "2"], "window=2 without a client"),
        (["detect", "a.mp4", "-o", "s.zarr", "--time-limit", "0"], "time_limit=0.0; expected a number of seconds"),
        (["status", "nothing.zarr"], "no store at"),
        (["info", "nothing.zarr"], "no store at"),
        (["finalize", "nothing.zarr"], "no store at"),
        (["models", "pull", "nothing"], "unknown"),
        (["nothing"], "No such command"),
        (["detect", "a.mp4", "-o", ""], "found the path ''; expected"),
        (["detect", "a.mp4", "-o", __file__], "found a file"),
        (["detect", "a.mp4", "-o", f"{__file__}/s.zarr"], "found a file"),
        (["status", __file__], "found a file"),
    ],
)
def test_main__wrong_usage_exits_2(facearray, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = facearray(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_detect__of_what_does_not_fit_the_store_is_wrong_usage(facearray, make_video, tmp_path):
    video, store = make_video("a.mkv"), tmp_path / "s.zarr"
    facearray("detect", video, "-o", store)
    result = facearray("detect", video, "-o", store, "--every", "2")
    assert result.exit_code == 2
    assert "every=1; expected 2" in result.stderr
    make_video("a.mkv", offset=9)
    result = facearray("detect", video, "-o", store)
    assert (result.exit_code, "the store holds other recordings" in result.stderr) == (2, True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for arguments in (["detect", video, "-o", tmp_path / "mine"], ["status", tmp_path / "mine"]):
        result = facearray(*arguments)
        assert (result.exit_code, "found something that is no Zarr v3 group" in result.stderr) == (2, True)


def test_detect__nothing_that_exists_makes_no_store(facearray, make_video, tmp_path):
    make_video("interview.mkv")
    result = facearray("detect", tmp_path / "interveiw.mkv", tmp_path / "no" / "b.mkv", "-o", tmp_path / "s.zarr")
    assert result.exit_code == 2
    assert "interveiw.mkv; did you mean 'interview.mkv'?" in result.stderr
    assert f"b.mkv; there is no folder {tmp_path / 'no'}" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["interview.mkv"]


def test_detect__says_what_was_not_computed_again(facearray, make_video, tmp_path):
    video = make_video("a.mkv")
    assert "earlier run" not in facearray("detect", video, "-o", tmp_path / "s.zarr").stdout
    again = facearray("detect", video, make_video("b.mkv"), "-o", tmp_path / "s.zarr")
    assert "1 of 2 videos finished by an earlier run" in again.stdout
    assert "1 video done, 0 failed: 20 frames in" in again.stdout


def test_detect__interrupt_says_how_to_go_on(facearray, make_video, tmp_path, monkeypatch):
    class Interrupts(FakeDetector):
        def __call__(self, frames):
            raise KeyboardInterrupt

    monkeypatch.setattr(options_module, "load_detector", lambda name, **options: Interrupts())
    result = facearray("detect", make_video("a.mkv"), "-o", tmp_path / "s.zarr")
    assert result.exit_code == 1
    assert "run the same command again to go on" in result.stderr
    status = facearray("status", tmp_path / "s.zarr")
    assert status.exit_code == 1
    assert "a.mkv: pending" in status.stderr


def test_status__says_how_far(facearray, make_video, tmp_path):
    facearray("detect", make_video("a.mkv"), "-o", tmp_path / "s.zarr")
    result = facearray("status", tmp_path / "s.zarr")
    assert result.exit_code == 0
    assert "1 video: 1 done, 0 failed, 0 pending" in result.stdout

    facearray("detect", tmp_path / "gone.mp4", make_video("a.mkv"), "-o", tmp_path / "s.zarr")
    result = facearray("status", tmp_path / "s.zarr", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["n_videos"], found["n_done"], found["n_failed"], found["n_pending"]) == (2, 1, 1, 0)
    assert list(found["failures"]) == ["gone.mp4"]
    assert found["run"] == "ended"


@pytest.mark.parametrize("stage", ["nothing", "folder", "incomplete", "no videos"])
def test_status__of_a_run_that_died_before_the_first_video(facearray, make_video, tmp_path, stage):
    store = tmp_path / "s.zarr"
    if stage in ("incomplete", "no videos"):
        layout = Layout.from_detector(
            FakeDetector(), max_faces=1, options={"every": 1, "slots": "largest"}, embedding=False
        )
        Store.create(store, layout, [], 1024)
    if stage == "incomplete":
        zarr.open_group(store, mode="r+").attrs[INCOMPLETE] = "yes"
    if stage == "folder":
        store.mkdir()
    dead = replace(Holder.this_process(), started="long ago")
    Journal.beside(store).folder.write("lease.json", json.dumps(asdict(dead)).encode())
    result = facearray("status", store)
    assert result.exit_code == 1
    assert "0 videos" in result.stdout
    assert "interrupted" in result.stdout
    assert json.loads(facearray("status", store, "--json").stdout)["run"] == "interrupted"
    if stage != "no videos":
        opened = facearray("info", store)
        assert "is not made yet" in opened.stderr
        assert f"process {dead.pid}" in opened.stderr
    assert facearray("detect", make_video("a.mkv"), "-o", store).exit_code == 0
    assert facearray("status", store).exit_code == 0


def test_status__suggests_stores_of_like_names_only(facearray, make_video, tmp_path):
    facearray("detect", make_video("a.mkv"), "-o", tmp_path / "study.zarr")
    for name in ("pilot.zarr", "notes"):
        (tmp_path / name).mkdir()
    assert "did you mean 'study.zarr'?" in facearray("status", tmp_path / "stduy.zarr").stderr
    for name in ("pilot.zarr", "pilto.zarr", "notes", "other.zarr", "a.mk"):
        assert facearray("status", tmp_path / name).stderr.endswith(f"{tmp_path} holds study.zarr\n")
    assert facearray("status", tmp_path / "notes" / "s.zarr").stderr.endswith("notes holds no store\n")


def test_status__suggests_no_journals(facearray, make_video, tmp_path):
    facearray("detect", make_video("a.mkv"), "-o", tmp_path / "study.zarr")
    for name in ("stduy.zarr", "study.zarr.ru", "something else"):
        assert ".run" not in facearray("status", tmp_path / name).stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_main__any_locale(make_video, tmp_path, encoding):
    store = tmp_path / "影 s.zarr"
    Store.create(store, Layout(detector="fake", detector_version="1", features=("AU12",)), [("видео", "")], 1024)
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    for arguments in (["status", str(store)], ["status", str(store), "--json"], ["info", str(store)]):
        command = [sys.executable, "-m", "facearray", *arguments]
        result = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert b"Traceback" not in result.stderr
        # click takes a terminal that says it is ASCII for one that was never told its encoding
        assert (rb"\u5f71" if encoding == "latin-1" else "影".encode()) in result.stdout


def test_info__says_what_is_in_it(facearray, make_video, tmp_path):
    facearray("detect", make_video("a.mkv"), "-o", tmp_path / "s.zarr")
    result = facearray("info", tmp_path / "s.zarr")
    assert result.exit_code == 0
    assert "20 frames of 1 video\n" in result.stdout
    found = json.loads(facearray("info", tmp_path / "s.zarr", "--json").stdout)
    assert found["sizes"]["video"] == 1
    assert found["features"]["aus"] == ["AU12"]
    assert found["attrs"]["detector"] == "fake"


def test_finalize__of_a_finished_store_changes_nothing(facearray, make_video, tmp_path, contents):
    facearray("detect", make_video("a.mkv"), "-o", tmp_path / "s.zarr")
    before = contents(tmp_path / "s.zarr")
    result = facearray("finalize", tmp_path / "s.zarr")
    assert result.exit_code == 0
    assert "1 done" in result.stdout
    assert contents(tmp_path / "s.zarr") == before


def test_finalize__of_an_interrupted_store_says_what_it_did_and_what_is_left(facearray, make_video, tmp_path):
    videos, store = [make_video(f"{i}.mkv", offset=i) for i in range(2)], tmp_path / "s.zarr"
    facearray("detect", *videos, "-o", store, "--part", "1/2")
    result = facearray("finalize", store)
    assert result.exit_code == 0
    assert f"{store}: wrote what became of 2 videos into the store" in result.stdout
    assert "2 videos: 1 done, 0 failed, 1 pending; to go on, run detect again" in result.stdout
    assert result.stderr == "1.mkv: pending\n"


def test_report__writes_a_page(facearray, make_video, tmp_path):
    facearray("detect", make_video("a.mkv"), "-o", tmp_path / "s.zarr")
    result = facearray("report", tmp_path / "s.zarr", "-o", tmp_path / "r.html")
    assert result.exit_code == 0
    assert "a.mkv" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_report__by_a_column_of_a_table(facearray, make_video, tmp_path):
    videos = [make_video(f"{i}.mkv", offset=20 * i) for i in range(4)]
    facearray("detect", *videos, "-o", tmp_path / "s.zarr")
    rows = [f"{i}.mkv,{'ab'[i % 2]}" for i in range(4)]
    (tmp_path / "t.csv").write_text("\n".join(["clip,mood", *rows]))
    arguments = ("report", tmp_path / "s.zarr", "-o", tmp_path / "r.html", "--table", tmp_path / "t.csv")
    result = facearray(*arguments, "--key", "clip", "--by", "mood")
    assert result.exit_code == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Regression on mood" in page
    assert "<img" not in page
    assert facearray(*arguments, "--key", "clip", "--images").exit_code == 0
    assert (tmp_path / "r.html").read_text(encoding="utf-8").count("<img") == 4
    result = facearray(*arguments, "--key", "clips", "--by", "mood")
    assert (result.exit_code, "did you mean 'clip'" in result.stderr) == (2, True)
    result = facearray(*arguments, "--key", "clip", "--by", "modd")
    assert (result.exit_code, "did you mean 'mood'" in result.stderr) == (2, True)
    result = facearray(*arguments, "--by", "mood")
    assert result.exit_code == 2
    assert "found no column 'video' in t.csv, whose columns are clip, mood" in result.stderr
    assert "such as '0.mkv'; pass --key clip" in result.stderr
    (tmp_path / "t.csv").write_text("\n".join(["mood,file", *(f"{'ab'[i % 2]},00{i}.mov" for i in range(4))]))
    result = facearray(*arguments, "--by", "mood")
    assert "in the column 'file', where '000.mov' stands for '0.mkv', and pass --key file" in result.stderr
    (tmp_path / "t.csv").write_text("mood\na\n")
    result = facearray(*arguments, "--by", "mood")
    assert "name the column that holds them with --key, or call it video" in result.stderr


def test_report__names_without_their_table(facearray, make_video, tmp_path):
    facearray("detect", make_video("a.mkv"), "-o", tmp_path / "s.zarr")
    result = facearray("report", tmp_path / "s.zarr", "--key", "clip")
    assert result.exit_code == 2
    assert "without --table" in result.stderr
    result = facearray("report", tmp_path / "s.zarr", "--by", "mood")
    assert result.exit_code == 2
    assert "unknown coordinate on video 'mood'; known: " in result.stderr
    assert "is joined with --table FILE" in result.stderr


@pytest.mark.parametrize("kind", ["model", "sample", "study"])
def test_models_pull__fetches_the_files_of_a_kind(facearray, monkeypatch, kind):
    pulled = []
    monkeypatch.setattr(assets, "pull", lambda names, *, kind: pulled.append((names, kind)))
    result = facearray("models", "pull", "--kind", kind)
    assert result.exit_code == 0
    assert pulled == [(None, kind)]


def test_models_list__names_every_file(facearray):
    result = facearray("models", "list", "--json")
    assert result.exit_code == 0
    names = {row["name"] for row in json.loads(result.stdout)["files"]}
    assert {"face_landmarker.task", "WolfgangLanger_Pexels.mp4"} <= names
    assert "face_landmarker.task" in facearray("models", "list").stdout
