from __future__ import annotations

import json

import numpy as np
import pytest
from zarr.storage import MemoryStore

from facearray.errors import InputError, StructureError
from facearray.io.journal import Journal
from facearray.io.location import Folder
from facearray.io.markers import PER_VIDEO


@pytest.fixture(params=["local", "memory"])
def journal(request, tmp_path):
    url = tmp_path / "s.zarr.run" if request.param == "local" else "memory://test_journal/s.zarr.run"
    made = Journal(url)
    yield made
    made.erase()


class Interrupted(Folder):
    """Fails for good after a number of changes."""

    left = 0

    def write(self, name, content):
        self._count()
        super().write(name, content)

    def remove(self, names):
        for name in names:
            self._count()
            super().remove([name])

    def _count(self):
        self.left -= 1
        if self.left < 0:
            raise OSError("killed")


def test_beside__is_next_to_the_store(tmp_path):
    assert Journal.beside(tmp_path / "s.zarr").url == f"{tmp_path}/s.zarr.run"
    assert Journal.beside("s3://bucket/s.zarr/", journal="memory://j").url == "memory://j"
    with pytest.raises(InputError, match="expected journal=URL"):
        Journal.beside(MemoryStore())


def test_states__empty_journal(journal):
    assert dict(journal.states()) == {}
    assert journal.states().problems == ()
    assert dict(journal.records()) == {}
    assert (journal.fingerprints(), journal.labels()) == ({}, {})


def test_states__follow_the_markers(journal, record):
    journal.mark_done(3, record(10))
    journal.mark_done(123_456, record(10))
    journal.mark_failed(4, "no video stream")
    assert dict(journal.states()) == {3: "done", 123_456: "done", 4: "failed"}


def test_states__read_no_marker(journal, record, monkeypatch):
    journal.mark_done(3, record(10))

    def refuse(_, names):
        assert not names, "a marker was read"
        return {}

    monkeypatch.setattr(Folder, "read", refuse)
    monkeypatch.setattr(Folder, "read_many", refuse)
    assert dict(journal.states()) == {3: "done"}


def test_records__are_what_was_marked(journal, record):
    journal.mark_done(3, record(10) | {"versions": {"torch": "2"}, "seconds": np.float64(1.5), "fps": np.nan})
    journal.mark_failed(4, "no 表 stream", {"seconds": 0.25})
    records = journal.records()
    assert records[3] == {
        "status": "done",
        "n_frames": 10,
        "width": 64,
        "height": 48,
        "duration": 0.8,
        "versions": {"torch": "2"},
        "seconds": 1.5,
    }
    assert records[4] == {"status": "failed", "error": "no 表 stream", "seconds": 0.25}
    assert sorted(records) == [3, 4]


def test_records__overlay_fills_what_is_unknown(journal, record):
    journal.mark_done(1, record(10) | {"fps": None})
    journal.mark_failed(2, "why")
    columns = {"n_frames": np.full(4, 99), "fps": np.full(4, 99.0), "status": np.full(4, "old", dtype="T")}
    for name, values in columns.items():
        journal.records().overlay(name, values)
    assert columns["n_frames"].tolist() == [99, 10, 0, 99]
    np.testing.assert_array_equal(columns["fps"], [99, np.nan, np.nan, 99])
    assert columns["status"].tolist() == ["old", "done", "failed", "old"]


def test_mark_done__needs_what_the_coordinates_need(journal):
    with pytest.raises(InputError, match="without fps, height, width; expected all of these"):
        journal.mark_done(3, {"n_frames": 1, "duration": 1})
    assert dict(journal.states()) == {}


def test_done_wins__over_a_failure_before_or_after(journal, record):
    journal.mark_failed(1, "time limit")
    journal.mark_done(1, record(5))
    journal.mark_done(2, record(6))
    journal.compact()
    journal.mark_failed(2, "time limit")
    assert dict(journal.states()) == {1: "done", 2: "done"}
    assert {row: r["status"] for row, r in journal.records().items()} == {1: "done", 2: "done"}


def test_record__the_newest_note_counts(journal):
    journal.record({row: (f"{row}.mp4", f"print {row}") for row in range(25_000)})
    journal.record({1: ("1.mp4", "new"), 25_000: ("late 表.mp4", "p"), 2: ("2.mp4", None)})
    prints = journal.fingerprints()
    assert (prints[0], prints[1], prints[24_999], prints[25_000]) == ("print 0", "new", "print 24999", "p")
    assert 2 not in prints
    assert len(journal.labels()) == 25_001
    assert journal.labels()[25_000] == "late 表.mp4"
    assert len(journal.folder.list("plan")) == 4


def test_check_labels__another_stores_journal(journal):
    journal.record({0: ("a", "1"), 1: ("b", "2"), 2: ("not yet appended", "3")})
    journal.check_labels(["a", "b"])
    with pytest.raises(StructureError, match=r"belongs to another store.*row 1: found 'b'; expected 'c'"):
        journal.check_labels(["a", "c"])


def test_forget__makes_rows_pending(journal, record):
    for row in range(6):
        journal.mark_done(row, record(row))
    journal.compact()
    journal.mark_done(6, record(6))
    journal.mark_failed(7, "why")
    journal.forget([1, 6, 7, 99])
    assert dict(journal.states()) == dict.fromkeys([0, 2, 3, 4, 5], "done")
    assert journal.records()[5]["n_frames"] == 5
    journal.forget(0)
    assert 0 not in journal.states()


def test_compact__keeps_everything_and_few_files(journal, record, monkeypatch):
    monkeypatch.setattr("facearray.io.journal.ROWS_PER_PART", 10)
    for row in range(25):
        journal.mark_done(row, record(row) | ({"extra": row} if row % 2 else {}))
    journal.mark_failed(25, "why")
    before = {row: journal.records()[row] for row in range(26)}
    assert journal.compact() == []
    assert len(journal.folder.list("done")) == 0
    assert len(journal.folder.list("table")) == 3
    assert dict(journal.records()) == before
    journal.mark_done(26, record(26))
    journal.compact()
    assert dict(journal.records()) == before | {26: {"status": "done"} | record(26)}
    assert journal.compact() == []


def test_compact__interrupted_anywhere_counts_every_row_once(tmp_path, record, monkeypatch):
    monkeypatch.setattr("facearray.io.journal.ROWS_PER_PART", 4)
    n_changes, done = 0, False
    while not done:
        journal = Journal(tmp_path / f"{n_changes}.run")
        for row in range(10):
            journal.mark_done(row, record(row))
        before = dict(journal.records())
        broken = Journal(journal.url)
        broken.folder = Interrupted(journal.url)
        broken.folder.left = n_changes
        try:
            broken.compact()
            done = True
        except OSError:
            assert dict(journal.records()) == before
            assert dict(journal.states()) == dict.fromkeys(range(10), "done")
            journal.compact()
        assert dict(journal.records()) == before
        assert len(journal.folder.list("done")) == 0
        n_changes += 1
    assert n_changes > 10


@pytest.mark.parametrize("step", ["list", "read_many"])
def test_compact__while_others_read_hides_no_row(journal, record, monkeypatch, step):
    """Another process compacts right before or after any step of a reader; none of its answers lacks a row."""
    original = getattr(Folder, step)
    for n_steps in range(6):
        for look in (Journal.states, Journal.records):
            for row in range(3):
                journal.forget(row)
                journal.mark_done(row, record(row + 1))
            left = n_steps

            def stepping(self, *args):
                nonlocal left
                found = original(self, *args)
                left -= 1
                if left == -1:
                    Journal(journal.url).compact()
                return found

            with monkeypatch.context() as patch:
                patch.setattr(Folder, step, stepping)
                assert sorted(look(journal)) == [0, 1, 2]


def test_foreign_and_half_written_files__are_named_and_harmless(journal, record):
    journal.mark_done(1, record(5))
    journal.folder.write("done/0/2.json", b"")
    journal.folder.write("done/0/3.json", b'{"n_frames": 1')
    journal.folder.write("done/0/4.json", b"[1]")
    journal.folder.write("done/0/.DS_Store", b"x")
    journal.folder.write("failed/7/12.json", b"{}")
    journal.folder.write("table/00000000.arrow", b"ARROW1\0\0 half")
    journal.folder.write("table/notes.txt", b"x")
    journal.folder.write("plan/00000000.arrow", b"\xff")
    states, records = journal.states(), journal.records()
    assert dict(states) == {1: "done", 3: "done", 4: "done"}
    for name in (
        "done/0/2.json empty",
        "done/0/.DS_Store",
        "failed/7/12.json",
        "table/00000000.arrow damaged",
        "notes",
    ):
        assert any(name in problem for problem in states.problems)
    assert any("plan/00000000.arrow damaged" in problem for problem in records.problems)
    assert list(records) == [1]
    for name in ("done/0/3.json half written or damaged", "done/0/4.json half written or damaged"):
        assert any(name in problem for problem in records.problems)
    assert journal.fingerprints() == {}
    problems = journal.compact()
    assert len(problems) == 2
    assert "3.json" in problems[0]
    assert "computed again" in problems[0]
    assert dict(journal.states()) == {1: "done"}


def test_markers__are_written_whole_or_not_at_all(tmp_path, record, monkeypatch):
    journal = Journal(tmp_path / "s.run")
    journal.mark_done(1, record(5))
    (tmp_path / "s.run/done/0/2.json.00ff.tmp").write_bytes(b'{"n_fra')  # of a process that was killed
    assert (dict(journal.states()), journal.states().problems) == ({1: "done"}, ())

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        journal.mark_done(3, record(5))
    assert [p.name for p in (tmp_path / "s.run/done/0").iterdir() if p.name.startswith("3")] == []


def test_markers__are_plain_json(tmp_path, record):
    journal = Journal(tmp_path / "s.run")
    journal.mark_done(20_001, record(5) | {"fps": float("inf")})
    text = (tmp_path / "s.run/done/2/20001.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == record(5) | {"fps": None}


def test_erase__keeps_the_lease(journal, record):
    journal.mark_done(1, record(5))
    journal.record({1: ("a", "b")})
    journal.folder.write("lease.json", b"{}")
    journal.erase()
    assert dict(journal.states()) == {}
    assert journal.labels() == {}
    assert journal.folder.read("lease.json") == b"{}"
    journal.folder.remove(["lease.json", "not there"])


def test_per_video__are_coordinates_of_the_schema():
    from facearray.schema import COORDS

    assert all(COORDS[name].dims == ("video",) for name in PER_VIDEO)
