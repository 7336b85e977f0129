"""Parts of a run, as array jobs of a batch system start them: in any order, or at once."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from dataclasses import asdict, replace

import pytest

import facearray as fa
from facearray.detection import plan as plan_module
from facearray.detection import run as run_module
from facearray.errors import InputError, LeaseError
from facearray.io.journal import Journal
from facearray.io.lease import Holder, Lease, Part, read_holders
from facearray.io.status import finalize_store, store_status
from facearray.testing import FakeDetector

FAKE = FakeDetector()


def run(videos, store, part=None, **options):
    options = {"detector": FAKE, "progress": False, **options}
    return run_module.run(videos, store, run_module.RunOptions(part=part, **options))


@pytest.fixture
def videos(make_video, tmp_path):
    """Seven videos, one longer than a chunk and one that cannot be read."""
    found = [make_video(f"{i}.mkv", 20 + i, offset=i) for i in range(5)]
    (tmp_path / "5.mkv").write_bytes(b"")
    return [*found, tmp_path / "5.mkv", make_video("6.mkv", 1500, offset=6, size="8x8")]


@pytest.fixture
def whole(videos, tmp_path, contents):
    run(videos, tmp_path / "whole.zarr")
    return contents(tmp_path / "whole.zarr")


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_parts__in_any_order_make_the_store_of_one_run(videos, tmp_path, contents, whole, order):
    store, computed = tmp_path / "s.zarr", []
    for number in order:
        report = run(videos, store, Part(number, 3))
        computed += report.computed
        assert {int(label[0]) % 3 for label in report.records} == {number - 1}
        assert set(report.failures) == ({"5.mkv"} if number == 3 else set())
    assert sorted(computed) == [f"{i}.mkv" for i in range(7)]
    assert contents(store) == whole
    assert store_status(store).run == "ended"


def test_parts__at_once_make_the_store_of_one_run(videos, tmp_path, contents, whole):
    store = tmp_path / "s.zarr"
    script = """
        import sys
        from facearray.detection.run import RunOptions, run
        from facearray.io.lease import Part
        from facearray.testing import FakeDetector

        options = RunOptions(detector=FakeDetector(seconds=0.002), progress=False, part=Part.parse(sys.argv[1]))
        print(*sorted(run(sys.argv[3:], sys.argv[2], options).computed))
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    parts = [
        subprocess.Popen(
            [*command, f"{i}/4", str(store), *map(str, videos)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in (1, 2, 3, 4)
    ]
    outputs = [part.communicate(timeout=240) for part in parts]
    assert [part.returncode for part in parts] == [0] * 4, [err for _, err in outputs]
    computed = [out.split() for out, _ in outputs]
    assert computed == [["0.mkv", "4.mkv"], ["1.mkv", "5.mkv"], ["2.mkv", "6.mkv"], ["3.mkv"]]
    assert contents(store) == whole
    assert store_status(store).run == "ended"


def test_parts__a_part_that_died_is_seen_and_the_rest_can_be_finished(videos, tmp_path, contents, whole):
    store = tmp_path / "s.zarr"
    run(videos, store, Part(1, 2))
    journal = Journal.beside(store)
    dead = replace(Holder.this_process("part 2 of 2"), started="long ago")
    journal.folder.write("lease/part-2-of-2.json", json.dumps(asdict(dead)).encode())
    status = store_status(store)
    assert status.run == "interrupted"
    assert "part 2 of 2: process" in status.holder
    assert (status.n_done, status.n_pending) == (4, 3)
    finalize_store(store)
    assert fa.open_store(store, chunks={})["status"].values.tolist().count("pending") == 3
    assert store_status(store).run == "ended"
    run(videos, store, Part(2, 2))
    assert contents(store) == whole


def test_parts__other_runs_are_refused_while_one_is_alive(videos, tmp_path, contents, whole):
    store = tmp_path / "s.zarr"
    run(videos, store, Part(1, 2))
    journal = Journal.beside(store)
    with Lease(journal, part=Part(2, 2)):
        assert store_status(store).run == "running"
        with pytest.raises(LeaseError, match="part 2 of 2: process"):
            run(videos, store)
        with pytest.raises(LeaseError, match="part 2 of 2: process"):
            run(videos, store, Part(2, 2))
        with pytest.raises(LeaseError, match="part 2 of 2: process"):
            run(videos, store, Part(1, 3))
        with pytest.raises(LeaseError, match="part 2 of 2: process"):
            finalize_store(store)
        assert run(videos, store, Part(1, 2)).computed == frozenset()
    run(videos, store, Part(2, 2))
    assert contents(store) == whole


def test_parts__a_whole_run_excludes_them_and_can_take_over(videos, tmp_path):
    store = tmp_path / "s.zarr"
    run(videos, store, Part(1, 2))
    journal = Journal.beside(store)
    with Lease(journal), pytest.raises(LeaseError, match="another run is writing"):
        run(videos, store, Part(2, 2))
    with Lease(journal, part=Part(2, 2)) as part:
        part.check()
        with Lease(journal, take_over=True) as lease:
            lease.check()
            with pytest.raises(LeaseError, match="lost its lease"):
                part.check()
            assert list(read_holders(journal)) == ["lease.json"]


def test_parts__wait_for_one_another_while_they_plan(tmp_path):
    journal, order = Journal(tmp_path / "run"), []

    def plan(number):
        with Lease(journal, part=Part(number, 2), planning=True) as lease:
            order.append(number)
            lease.check()

    with Lease(journal, part=Part(1, 2), planning=True):
        thread = threading.Thread(target=plan, args=(2,))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        order.append(1)
    thread.join(30)
    assert order == [1, 2]


def test_parts__make_room_one_after_the_other(make_video, tmp_path, contents, monkeypatch):
    videos = [make_video("a.mkv", 1500, size="8x8"), make_video("b.mkv", 2500, size="8x8"), make_video("c.mkv", 5)]
    monkeypatch.setattr(plan_module, "expected_frames", lambda sources, every: [0] * len(sources))
    for number in (2, 1):
        run(videos, tmp_path / "s.zarr", Part(number, 2))
    run(videos, tmp_path / "whole.zarr")
    assert contents(tmp_path / "s.zarr") == contents(tmp_path / "whole.zarr")


def test_parts__try_their_own_failed_videos_again(videos, tmp_path, make_video):
    store = tmp_path / "s.zarr"
    for number in (1, 2):
        run(videos, store, Part(number, 2))
    make_video("5.mkv", 9)
    assert run(videos, store, Part(1, 2), retry_failed=True).computed == frozenset()
    assert store_status(store).n_failed == 1
    assert run(videos, store, Part(2, 2), retry_failed=True).computed == {"5.mkv"}
    assert fa.open_store(store)["status"].values.tolist() == ["done"] * 7


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_part__that_is_none(text):
    with pytest.raises(InputError, match="expected i/N with i from 1 to N"):
        Part.parse(text)


def test_part__every_row_is_one_parts():
    for count in (1, 2, 7):
        owners = [[n for n in range(1, count + 1) if Part(n, count).owns(row)] for row in range(20)]
        assert all(len(found) == 1 for found in owners)


def test_part__does_not_delete_the_store(tmp_path):
    with pytest.raises(InputError, match="found overwrite and a part"):
        run_module.RunOptions(part=Part(1, 2), overwrite=True)
