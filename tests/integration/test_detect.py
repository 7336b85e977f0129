"""`fa.detect` from files to the store, with a detector that needs no model."""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

import facearray as fa
from facearray.detection import plan as plan_module
from facearray.detection import run as run_module
from facearray.detection import task as task_module
from facearray.detection.detector import Faces
from facearray.errors import DetectorError, InputError, LeaseError, StructureError
from facearray.io.journal import Journal
from facearray.io.status import finalize_store, store_status
from facearray.io.store import Store
from facearray.testing import FakeDetector

FAKE = FakeDetector()


def detect(videos, store, **options):
    return fa.detect(videos, store, **{"detector": FAKE, "progress": False, **options})


def test_detect__values_stand_at_their_frames(make_video, expected_au12, tmp_path):
    ds = detect([make_video("b.mkv", 40, offset=7), make_video("a.mkv", 30)], tmp_path / "s.zarr")

    assert ds["video"].values.tolist() == ["a.mkv", "b.mkv"]
    assert ds.sizes == {"video": 2, "frame": 1024, "face": 1, "feature": 7, "landmark": 478, "axis": 3}
    for label, n, offset in (("a.mkv", 30, 0), ("b.mkv", 40, 7)):
        one = ds.sel(video=label)
        np.testing.assert_allclose(
            one["features"].sel(feature="AU12").values[:n, 0], expected_au12(n, offset), atol=1e-6
        )
        np.testing.assert_array_equal(one["frame_number"].values[: n + 1], [*range(n), -1])
        np.testing.assert_allclose(one["timestamp"].values[:n], np.arange(n) / 25, atol=1e-3)
        assert np.isnan(one["timestamp"].values[n:]).all()
        face = ~np.isnan(expected_au12(n, offset))
        np.testing.assert_array_equal(one["n_faces_found"].values[:n], face)
        np.testing.assert_array_equal(one["track_id"].values[:n, 0], np.where(face, 0, -1))
        np.testing.assert_array_equal(np.isnan(one["landmarks"].values[:n, 0]).all(axis=(1, 2)), ~face)
        assert (one["n_frames"], one["width"], one["height"]) == (n, 32, 24)
        assert float(one["fps"]) == pytest.approx(25, abs=0.1)
        assert str(one["status"].values) == "done"
    assert ds.attrs["detector"] == "fake"


@pytest.mark.parametrize("batch_size", [1, 7, 32, None])
@pytest.mark.parametrize("every", [1, 3])
def test_detect__batch_size_and_every_change_no_value(make_video, expected_au12, tmp_path, batch_size, every):
    video = make_video("a.mkv", 50, offset=20)
    ds = detect(video, tmp_path / "s.zarr", batch_size=batch_size, every=every)
    n = len(range(0, 50, every))
    np.testing.assert_array_equal(ds["frame_number"].values[0, :n], range(0, 50, every))
    np.testing.assert_allclose(
        ds["features"].sel(feature="AU12").values[0, :n, 0], expected_au12(50, 20)[::every], atol=1e-6
    )
    assert int(ds["n_frames"][0]) == n


def test_detect__landmarks_can_be_left_out(make_video, tmp_path):
    ds = detect(make_video("a.mkv"), tmp_path / "s.zarr", landmarks=False)
    assert "landmarks" not in ds
    assert "axis" not in ds.dims


def test_detect__done_rows_are_not_computed_again(make_video, tmp_path, contents):
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(3)]
    detect(videos, tmp_path / "s.zarr")
    before = contents(tmp_path / "s.zarr")

    class Refuses(FakeDetector):
        def __call__(self, frames):
            raise AssertionError("a finished video was decoded again")

    ds = detect(videos, tmp_path / "s.zarr", detector=Refuses())
    assert ds["status"].values.tolist() == ["done"] * 3
    assert contents(tmp_path / "s.zarr") == before


def test_detect__append_equals_one_run_with_all(make_video, tmp_path, contents):
    short = make_video("a.mkv", 20)
    others = {
        "b " + "long" * 30: make_video("b.mkv", 30, offset=5),
        "c_видео_影片 ü.mkv": make_video("c.mkv", 1500, offset=3, size="8x8"),
    }
    videos = {"a": short, **others}
    detect({"a": short}, tmp_path / "grown.zarr")
    detect(others, tmp_path / "grown.zarr")
    ds = detect(videos, tmp_path / "once.zarr")
    assert contents(tmp_path / "grown.zarr") == contents(tmp_path / "once.zarr")
    assert ds["video"].values.tolist() == list(videos)
    assert ds.sizes["frame"] == 2048


def test_detect__longer_than_its_header_says(make_video, expected_au12, tmp_path, monkeypatch):
    monkeypatch.setattr(plan_module, "expected_frames", lambda sources, every: [0] * len(sources))
    video = make_video("a.mkv", 1500, size="8x8")
    ds = detect(video, tmp_path / "s.zarr")
    assert ds.sizes["frame"] == 2048
    np.testing.assert_allclose(ds["features"].sel(feature="AU12").values[0, :1500, 0], expected_au12(1500), atol=1e-6)


@pytest.fixture
def bad_input(make_video, tmp_path):
    """Good videos among bad ones: (what to give, labels of the good, label → part of the reason of the bad)."""
    good = [make_video("good.mkv"), make_video("with space ü 影.mkv", offset=1)]
    same = [make_video("one/same.mkv", offset=2), make_video("two/same.mkv", offset=3)]
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    whole = make_video("whole.mkv", 200, size="64x64").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder").mkdir()
    audio = tmp_path / "audio.mp4"
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", "sine=duration=1", str(audio)], check=True)
    videos = [*good, *same, audio, *(tmp_path / n for n in ("empty.mp4", "text.mp4", "cut.mkv", "gone.mp4", "folder"))]
    labels = {"good.mkv", "with space ü 影.mkv", "one/same.mkv", "two/same.mkv"}
    reasons = {
        "audio.mp4": "video",
        "empty.mp4": "empty",
        "text.mp4": "text.mp4",
        "cut.mkv": "cut.mkv",
        "gone.mp4": "no",
        "folder": "folder",
    }
    return videos, labels, reasons


def test_detect__bad_input_fails_alone(bad_input, tmp_path, caplog):
    videos, good, reasons = bad_input
    with caplog.at_level(logging.WARNING, logger="facearray"):
        ds = detect(videos, tmp_path / "s.zarr")
    assert set(ds["video"].values.tolist()) == good | set(reasons)
    status = dict(zip(ds["video"].values.tolist(), ds["status"].values.tolist(), strict=True))
    assert {label for label, state in status.items() if state == "done"} == good
    assert set(status.values()) == {"done", "failed"}
    for label, part in reasons.items():
        row = ds.sel(video=label)
        assert part in str(row["error"].values)
        assert int(row["n_frames"]) == 0
        assert (row["frame_number"] == -1).all()
        assert np.isnan(row["features"]).all()
        assert label in caplog.text
    for label in good:
        assert int(ds["n_frames"].sel(video=label)) == 20
        assert str(ds["error"].sel(video=label).values) == ""
    found = store_status(tmp_path / "s.zarr")
    assert set(found.failures) == set(reasons)
    assert (found.n_done, found.n_failed, found.n_pending, found.run) == (4, 6, 0, "ended")


def test_detect__failed_rows_are_tried_again_only_on_request(make_video, tmp_path):
    broken = tmp_path / "a.mkv"
    broken.write_bytes(b"")
    good = make_video("b.mkv")
    detect([broken, good], tmp_path / "s.zarr")
    make_video("a.mkv", 25)
    assert detect([broken, good], tmp_path / "s.zarr")["status"].values.tolist() == ["failed", "done"]
    ds = detect([broken, good], tmp_path / "s.zarr", retry_failed=True)
    assert ds["status"].values.tolist() == ["done", "done"]
    assert ds["n_frames"].values.tolist() == [25, 20]
    assert ds["error"].values.tolist() == ["", ""]


def test_detect__other_structure_detector_or_options_are_refused(make_video, tmp_path, contents):
    video, store = make_video("a.mkv"), tmp_path / "s.zarr"
    detect(video, store)
    before = contents(store)
    with pytest.raises(StructureError, match="detector_version '1'; expected '2'"):
        detect(video, store, detector=replace(FAKE, version="2"))
    with pytest.raises(StructureError, match="detector 'fake'; expected 'other'"):
        detect(video, store, detector=replace(FAKE, name="other"))
    with pytest.raises(StructureError, match="every=1; expected 2"):
        detect(video, store, every=2)
    with pytest.raises(StructureError, match="n_landmarks 478; expected None"):
        detect(video, store, landmarks=False)
    with pytest.raises(StructureError, match="7 features; expected 6"):
        detect(video, store, detector=replace(FAKE, features=FAKE.features[:-1]))
    make_video("a.mkv", offset=9)
    with pytest.raises(StructureError, match=r"'a\.mkv': found .*a\.mkv \(fingerprint"):
        detect(video, store)
    assert contents(store) == before


def test_detect__none_of_the_videos_exists(make_video, tmp_path, contents):
    store = tmp_path / "s.zarr"
    for videos in (tmp_path / "b.mkv", [tmp_path / "b.mkv", tmp_path / "*.mp4"], {"b": tmp_path / "b.mkv"}):
        with pytest.raises(InputError, match=r"found no .*b\.mkv"):
            detect(videos, store)
    assert list(tmp_path.iterdir()) == []
    video = make_video("a.mkv")
    detect(video, store)
    before = contents(store)
    for options in ({}, {"overwrite": True}):
        with pytest.raises(InputError, match="nothing was written"):
            detect(tmp_path / "b.mkv", store, **options)
    assert contents(store) == before
    # What the store has it keeps, and among several a missing one fails alone.
    video.rename(tmp_path / "c.mkv")
    assert detect([video, tmp_path / "b.mkv"], store)["status"].values.tolist() == ["done", "failed"]


def test_detect__refused_runs_leave_nothing_behind(make_video, tmp_path):
    video, store = make_video("a.mkv"), tmp_path / "s.zarr"
    fa.save(detect(video, store), tmp_path / "saved.zarr")
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.iterdir())
    for place, error in ((tmp_path / "file", InputError), (tmp_path / "saved.zarr", StructureError)):
        with pytest.raises(error):
            detect(video, place)
    for place in ("", tmp_path / "file", video):
        with pytest.raises(InputError):
            detect(video, place, overwrite=True)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_run__names_a_missing_file_under_the_label_of_a_finished_video(make_video, tmp_path):
    video = make_video("a.mkv")
    options = run_module.RunOptions(detector=FAKE, progress=False)
    assert run_module.run(video, tmp_path / "s.zarr", options).failures == {}
    report = run_module.run(tmp_path / "nowhere" / "a.mkv", tmp_path / "s.zarr", options)
    assert "found no file" in report.failures["a.mkv"]
    assert str(video) in report.failures["a.mkv"]
    assert fa.open_store(tmp_path / "s.zarr")["status"].values.tolist() == ["done"]


def test_detect__overwrite_starts_again(make_video, tmp_path, expected_au12):
    video, store = make_video("a.mkv"), tmp_path / "s.zarr"
    detect(video, store)
    make_video("a.mkv", offset=9)
    ds = detect(video, store, overwrite=True, every=2)
    np.testing.assert_allclose(
        ds["features"].sel(feature="AU12").values[0, :10, 0], expected_au12(20, 9)[::2], atol=1e-6
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every=0; expected a whole number"),
        ({"every": 1.5}, "every=1.5"),
        ({"every": 2**31}, "every=2147483648; expected .* at most 2147483647"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"max_faces": 257}, "max_faces=257; expected .* at most 256"),
        ({"max_faces": True}, "max_faces=True"),
        ({"slots": "biggest"}, "slots=.biggest.; expected one of .auto., .largest., .first., .dominant."),
        ({"client": object()}, "client=<object .*expected a distributed.Client, or None"),
        ({"embedding": True}, "detector 'fake' computes none"),
        ({"detector": "mediapip"}, "did you mean 'mediapipe'"),
    ],
)
def test_detect__raise_on_options(make_video, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        detect(make_video("a.mkv"), tmp_path / "s.zarr", **options)
    assert not (tmp_path / "s.zarr").exists()


@pytest.mark.parametrize(
    ("described", "options", "message"),
    [
        (1, {"max_faces": 2, "slots": "largest"}, "describes 1 faces a frame; expected 2 .*make it with max_faces=2"),
        (3, {"max_faces": 2}, "expected all of them for max_faces=2 and slots='first'; make it with max_faces=None"),
    ],
)
def test_detect__detector_that_describes_too_few_faces(make_video, tmp_path, described, options, message):
    class Few(FakeDetector):
        max_faces = described

    with pytest.raises(InputError, match=message):
        detect(make_video("a.mkv"), tmp_path / "s.zarr", detector=Few(), **options)
    assert not (tmp_path / "s.zarr").exists()
    detect(make_video("a.mkv"), tmp_path / "s.zarr", detector=Few(), max_faces=1)


def test_detect__all_bad_options_at_once(tmp_path):
    with pytest.raises(InputError, match=r"(?s)max_faces=0.*every='2'.*batch_size=-1"):
        detect("a.mkv", tmp_path / "s.zarr", max_faces=0, every="2", batch_size=-1)


class Broken(FakeDetector):
    """A detector that fails on frames brighter than some limit."""

    def __call__(self, frames):
        if frames.max() > 200:
            raise RuntimeError("too bright")
        return super().__call__(frames)


def test_detect__detector_that_raises_fails_its_video_alone(make_video, tmp_path):
    ds = detect([make_video("dark.mkv", 10), make_video("bright.mkv", 25)], tmp_path / "s.zarr", detector=Broken())
    status = dict(zip(ds["video"].values.tolist(), ds["status"].values.tolist(), strict=True))
    assert status == {"dark.mkv": "done", "bright.mkv": "failed"}
    error = str(ds["error"].sel(video="bright.mkv").values)
    assert "detector 'fake' raised RuntimeError on 25 frames of 32x24: too bright" in error


class Wrong(FakeDetector):
    """A detector that returns other shapes than it promises."""

    def __call__(self, frames):
        faces = super().__call__(frames)
        return Faces(faces.frame[::-1], faces.n_found[1:], faces.features[:, 1:], None)


def test_detect__detector_that_breaks_its_contract(make_video, tmp_path):
    ds = detect(make_video("a.mkv"), tmp_path / "s.zarr", detector=Wrong())
    error = str(ds["error"].values[0])
    for part in ("n_found of shape (19,); expected (20,)", "features of shape", "landmarks of shape None", "ascending"):
        assert part in error


def test_detect__lost_lease_stops_the_run(make_video, tmp_path):
    store = tmp_path / "s.zarr"

    class Steals(FakeDetector):
        def __call__(self, frames):
            lease = tmp_path / "s.zarr.run" / "lease.json"
            lease.write_text(json.dumps({**json.loads(lease.read_text()), "token": "somebody else's"}))
            return super().__call__(frames)

    with pytest.raises(LeaseError, match="lost its lease"):
        detect(make_video("a.mkv"), store, detector=Steals())
    assert store_status(store).n_done == 0


@pytest.mark.parametrize("error", [None, KeyboardInterrupt(), RuntimeError("too bright")])
@pytest.mark.parametrize("n_frames", [20, 1500])
def test_detect__a_run_that_lost_its_lease_changes_nothing(
    make_video, tmp_path, contents, error, n_frames, monkeypatch
):
    monkeypatch.setattr("facearray.detection.inference.available_cpus", lambda: 1)
    videos, store = [make_video("a.mkv", n_frames, size="8x8"), make_video("b.mkv")], tmp_path / "s.zarr"
    detect(videos, tmp_path / "whole.zarr")

    class TakenOver(FakeDetector):
        calls = itertools.count()

        def __call__(self, frames):
            if next(self.calls) == 1:
                detect(videos, store, take_over=True)
                if error is not None:
                    raise error
            return super().__call__(frames)

    with pytest.raises(LeaseError, match="lost its lease"):
        detect(videos, store, detector=TakenOver(), batch_size=10)
    assert contents(store) == contents(tmp_path / "whole.zarr")
    assert store_status(store).n_done == 2


def test_plan__a_run_that_lost_its_lease_appends_nothing(make_video, tmp_path, contents, monkeypatch):
    videos, store = [make_video("a.mkv"), make_video("b.mkv")], tmp_path / "s.zarr"
    detect(videos, tmp_path / "whole.zarr")
    probe = plan_module.expected_frames

    def take_over(*arguments, **options):
        monkeypatch.setattr(plan_module, "expected_frames", probe)
        detect(videos, store, take_over=True)
        return probe(*arguments, **options)

    monkeypatch.setattr(plan_module, "expected_frames", take_over)
    with pytest.raises(LeaseError, match="lost its lease"):
        detect(videos, store)
    assert contents(store) == contents(tmp_path / "whole.zarr")


@pytest.mark.parametrize("damage", [b"", b'{"n_frames":', b"[]", b"{}", b"\xff\xfe", b'{"n_frames": "many"}'])
@pytest.mark.parametrize("finished", [True, False])
def test_detect__a_damaged_marker_is_named_and_its_row_computed_again(
    make_video, tmp_path, contents, caplog, damage, finished
):
    videos, store = [make_video("a.mkv"), make_video("b.mkv", offset=5)], tmp_path / "s.zarr"
    detect(videos, store)
    before = contents(store)
    marker = tmp_path / "s.zarr.run" / "done" / "0" / "1.json"
    marker.write_bytes(damage)
    if not finished:
        Store.open(store).reopen()
    status = store_status(store)
    assert any("done/0/1.json" in problem for problem in status.problems)
    finalize_store(store)
    assert contents(store) == before
    with caplog.at_level(logging.WARNING, logger="facearray"):
        report = run_module.run(videos, store, run_module.RunOptions(detector=FAKE, progress=False))
    assert report.computed == {"b.mkv"}
    assert report.failures == {}
    assert "done/0/1.json" in caplog.text
    assert contents(store) == before
    assert store_status(store).problems == ()


def test_detect__a_damaged_table_downgrades_nothing_and_its_rows_are_computed_again(make_video, tmp_path, contents):
    videos, store = [make_video("a.mkv"), make_video("b.mkv", offset=5)], tmp_path / "s.zarr"
    detect(videos, store)
    before = contents(store)
    Journal.beside(store).compact()
    (tmp_path / "s.zarr.run" / "table" / "00000000.arrow").write_text('{"row":')
    finalize_store(store)
    assert contents(store) == before
    assert detect(videos, store)["status"].values.tolist() == ["done", "done"]
    assert contents(store) == before
    assert store_status(store).problems == ()


@pytest.mark.parametrize("move", [Path.rename, shutil.copytree])
def test_detect__a_store_without_its_journal_keeps_what_is_done(make_video, tmp_path, contents, caplog, move):
    videos, store = [make_video("a.mkv"), make_video("b.mkv", offset=5), tmp_path / "gone.mkv"], tmp_path / "new.zarr"
    detect([make_video("0.mkv"), *videos], tmp_path / "s.zarr")
    before = contents(tmp_path / "s.zarr")
    move(tmp_path / "s.zarr", store)
    make_video("a.mkv", offset=9)
    with caplog.at_level(logging.INFO, logger="facearray"):
        report = run_module.run(videos, store, run_module.RunOptions(detector=FAKE, progress=False))
    assert report.computed == frozenset()
    assert [(r["video"], r["status"], r["n_frames"]) for r in report.rows()] == [
        ("a.mkv", "done", 20),
        ("b.mkv", "done", 20),
        ("gone.mkv", "failed", 0),
    ]
    assert "no such file" in report.failures["gone.mkv"]
    assert "'a.mkv'" in next(r.message for r in caplog.records if r.levelno == logging.INFO)
    assert contents(store) == before
    ds = detect([*videos, make_video("c.mkv", 7)], store)
    assert ds["status"].values.tolist() == ["done"] * 3 + ["failed", "done"]
    assert ds["n_frames"].values.tolist() == [20, 20, 20, 0, 7]
    status = store_status(store)
    assert (status.n_done, status.n_failed, status.n_pending) == (4, 1, 0)


def test_detect__source_is_the_file_that_was_tried_last(make_video, tmp_path, contents):
    store = tmp_path / "s.zarr"
    detect({"a": tmp_path / "wrong.mkv", "b": make_video("b.mkv")}, store)
    right = make_video("right.mkv")
    ds = detect({"a": right}, store, retry_failed=True)
    assert ds["source"].values.tolist() == [str(right), str(tmp_path / "b.mkv")]
    detect({"a": right, "b": tmp_path / "b.mkv"}, tmp_path / "once.zarr")
    assert contents(store) == contents(tmp_path / "once.zarr")


def test_detect__a_file_given_later_under_a_longer_label_is_its_row(make_video, tmp_path, contents):
    first, second, store = make_video("p/x.mkv"), make_video("q/x.mkv", offset=5), tmp_path / "s.zarr"
    detect(first, store)
    report = run_module.run([first, second], store, run_module.RunOptions(detector=FAKE, progress=False))
    assert report.computed == {"q/x.mkv"}
    assert sorted(report.records) == ["q/x.mkv", "x.mkv"]
    ds = fa.open_store(store)
    assert ds["video"].values.tolist() == ["x.mkv", "q/x.mkv"]
    before = contents(store)
    report = run_module.run(second, store, run_module.RunOptions(detector=FAKE, progress=False))
    assert (list(report.records), report.computed) == (["q/x.mkv"], frozenset())
    assert contents(store) == before


def test_detect__a_failed_file_given_later_under_a_longer_label_is_its_row(make_video, tmp_path):
    gone, store = tmp_path / "p" / "x.mkv", tmp_path / "s.zarr"
    detect([gone, make_video("b.mkv")], store)
    make_video("p/x.mkv")
    ds = detect([gone, make_video("q/x.mkv", offset=5)], store, retry_failed=True)
    assert dict(zip(ds["video"].values.tolist(), ds["status"].values.tolist(), strict=True)) == {
        "b.mkv": "done",
        "x.mkv": "done",
        "q/x.mkv": "done",
    }


def test_detect__the_same_content_at_another_place_is_stored_and_named(make_video, tmp_path, caplog):
    video, store = make_video("a.mkv"), tmp_path / "s.zarr"
    detect(video, store)
    copy = Path(shutil.copy(video, tmp_path / "copy.mkv"))
    with caplog.at_level(logging.WARNING, logger="facearray"):
        ds = detect([video, copy], store)
    assert ds["video"].values.tolist() == ["a.mkv", "copy.mkv"]
    (message,) = [record.message for record in caplog.records]
    for part in ("'a.mkv'", "'copy.mkv'", str(video), str(copy)):
        assert part in message


def test_detect__a_header_that_promises_a_century_reserves_little(make_video, tmp_path):
    video = make_video("a.mkv", 12)
    content = video.read_bytes()
    # Matroska's Duration: element 0x4489, 8 bytes, a double of milliseconds
    at = content.index(b"\x44\x89\x88") + 3
    video.write_bytes(content[:at] + struct.pack(">d", 3e9 * 1000) + content[at + 8 :])
    assert plan_module.probe(video).n_frames > 10**9
    detect([video, make_video("b.mkv")], tmp_path / "s.zarr")
    assert fa.open_store(tmp_path / "s.zarr").sizes["frame"] == 1024


def test_detect__batches_that_do_not_fit_memory(make_video, tmp_path):
    with pytest.raises(InputError, match=r"batch_size=1000000000: .* of 32x24 take 2,304\.0 GB; expected at most"):
        detect(make_video("a.mkv"), tmp_path / "s.zarr", batch_size=10**9)
    assert store_status(tmp_path / "s.zarr").n_pending == 1
    assert detect(tmp_path / "a.mkv", tmp_path / "s.zarr")["status"].values.tolist() == ["done"]


def test_detect__labels_that_are_no_text(make_video, tmp_path):
    with pytest.raises(InputError, match=r"the label 'a\\ud800'; expected text"):
        detect({"a\ud800": make_video("a.mkv")}, tmp_path / "s.zarr")
    with pytest.raises(InputError, match=r"the path 'a\\ud800\.mkv'; expected"):
        detect(["a\ud800.mkv"], tmp_path / "s.zarr")


FULL_DISK = """
    import resource, sys
    import facearray as fa
    from facearray.testing import FakeDetector

    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
    try:
        fa.detect(sys.argv[1], sys.argv[2], detector=FakeDetector(), progress=False)
    except fa.errors.StoreError as error:
        print(error)
"""


@pytest.mark.parametrize("limit", [100, 600, 3000])
def test_detect__a_full_disk_is_named_and_the_same_command_goes_on(make_video, tmp_path, contents, limit):
    video, store = make_video("a.mkv", 600, size="8x8"), tmp_path / "s.zarr"
    detect(video, tmp_path / "whole.zarr")
    command = [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(video), str(store), str(limit)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "s.zarr" in found
    assert "File too large" in found
    assert "the same command goes on" in found
    detect(video, store)
    assert contents(store) == contents(tmp_path / "whole.zarr")


SCRIPT = """
    import sys, time
    import facearray as fa
    from facearray.testing import FakeDetector

    folder, log = sys.argv[1:3]

    class Logged(FakeDetector):
        def __call__(self, frames):
            with open(log, "a") as file:
                file.write(f"{frames.shape[2]} {len(frames)}\\n")
            return super().__call__(frames)

    fa.detect(folder + "/*.mkv", folder + "/s.zarr", detector=Logged(seconds=0.01), batch_size=5, progress=False)
"""


def test_detect__killed_and_run_again_equals_an_uninterrupted_run(make_video, tmp_path, contents):
    # the width tells the videos apart in the log
    for i in range(4):
        make_video(f"{i}.mkv", 60, offset=i, size=f"{32 + 2 * i}x24")
    log, store = tmp_path / "log", tmp_path / "s.zarr"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path), str(log)]
    detect(str(tmp_path / "*.mkv"), tmp_path / "whole.zarr", batch_size=5)

    process = subprocess.Popen(command)
    try:
        wait_until(lambda: (tmp_path / "s.zarr.run" / "done" / "0" / "1.json").exists())
        running = store_status(store)
        assert running.run == "running"
        assert running.n_done >= 2
        with pytest.raises(LeaseError, match=f"process {process.pid} on"):
            detect(str(tmp_path / "*.mkv"), store)
        wait_until(lambda: log.read_text().count("36 ") >= 3)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    died = store_status(store)
    assert died.run == "interrupted"
    assert 2 <= died.n_done < 4
    assert died.n_pending == 4 - died.n_done
    opened = fa.open_store(store)
    assert opened["status"].values.tolist().count("done") == died.n_done
    assert opened["n_frames"].values.tolist() == [60] * died.n_done + [0] * died.n_pending

    log.write_text("")
    subprocess.run(command, check=True)
    again = {int(line.split()[0]) for line in log.read_text().splitlines()}
    assert again == {32 + 2 * i for i in range(died.n_done, 4)}
    assert contents(store) == contents(tmp_path / "whole.zarr")
    ended = store_status(store)
    assert (ended.run, ended.n_done) == ("ended", 4)


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_detect__interrupt_leaves_a_readable_store(make_video, tmp_path):
    class Interrupts(FakeDetector):
        def __call__(self, frames):
            if frames.shape[2] == 36:
                raise KeyboardInterrupt
            return super().__call__(frames)

    videos = [make_video(f"{i}.mkv", size=f"{32 + 2 * i}x24") for i in range(4)]
    with pytest.raises(KeyboardInterrupt):
        detect(videos, tmp_path / "s.zarr", detector=Interrupts())
    ds = fa.open_store(tmp_path / "s.zarr")
    assert ds["status"].values.tolist() == ["done", "done", "pending", "pending"]
    status = store_status(tmp_path / "s.zarr")
    assert (status.run, status.pending) == ("ended", ("2.mkv", "3.mkv"))
    assert status.sentence().endswith("to go on, run detect again with the same arguments")
    assert (ds["frame_number"].isel(video=2) == -1).all()
    assert detect(videos, tmp_path / "s.zarr")["status"].values.tolist() == ["done"] * 4


def test_detect__says_how_many_frames_were_lost_to_damage(make_video, tmp_path, monkeypatch, caplog):
    compute = task_module.detect_row
    monkeypatch.setattr(task_module, "detect_row", lambda *args, **kw: {**compute(*args, **kw), "n_missing": 3})
    with caplog.at_level(logging.WARNING, logger="facearray"):
        detect(make_video("a.mkv"), tmp_path / "s.zarr")
    assert "a.mkv: 3 frames lost to damage" in caplog.text


def test_run_detector__names_what_the_detector_raised():
    from facearray.detection.contract import run_detector

    with pytest.raises(DetectorError, match="raised RuntimeError on 1 frames of 4x2: too bright"):
        run_detector(Broken(), np.full((1, 2, 4, 3), 255, np.uint8))
