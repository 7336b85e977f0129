from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from facearray.errors import LeaseError, StoreError
from facearray.io import lease as lease_module
from facearray.io.journal import Journal
from facearray.io.lease import Holder, Lease, read_holder

HOLD = """
import sys, time
from facearray.errors import LeaseError, StoreError
from facearray.io.journal import Journal
from facearray.io.lease import Lease
go = sys.stdin.readline()
try:
    with Lease(Journal(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.readline()
except LeaseError as error:
    print("refused", error, flush=True)
"""


def holder(**changes) -> Holder:
    return replace(Holder.this_process(), token="another", **changes)


def put(journal: Journal, other: Holder) -> None:
    journal.folder.write("lease.json", json.dumps(asdict(other)).encode())


def start(url: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(url)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(params=["local", "memory"])
def journal(request, tmp_path):
    made = Journal(tmp_path / "s.run" if request.param == "local" else "memory://test_lease/s.run")
    yield made
    made.folder.remove(["lease.json"])


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(lease_module, "HEARTBEAT", 0.05)


def test_lease__is_held_inside_and_free_afterwards(journal):
    with Lease(journal) as lease:
        lease.check()
        assert read_holder(journal).is_alive
    assert read_holder(journal) is None


def test_lease__is_given_back_after_an_error(journal):
    with pytest.raises(RuntimeError, match="decoder"), Lease(journal):
        raise RuntimeError("decoder")
    assert read_holder(journal) is None


def test_lease__of_a_living_run_is_refused(journal):
    with Lease(journal):
        with pytest.raises(LeaseError) as caught, Lease(journal):
            pytest.fail("two runs at once")
        me = Holder.this_process()
        for part in (f"process {me.pid} on {me.host}", "since 20", "--take-over", "wait until it has ended"):
            assert part in str(caught.value)
        assert read_holder(journal).is_alive


def test_lease__signs_of_life(journal, quick):
    with Lease(journal):
        first = read_holder(journal)
        deadline = time.monotonic() + 60
        while read_holder(journal).heartbeat == first.heartbeat:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert read_holder(journal).since == first.since


@pytest.mark.parametrize("change", [{"pid": 2**22 + 7}, {"started": "long ago"}])
def test_lease__of_a_dead_process_here_is_taken_at_once(journal, change):
    put(journal, holder(**change))
    assert not read_holder(journal).is_alive
    with Lease(journal) as lease:
        lease.check()


def test_lease__of_another_machine_is_respected_for_a_minute(journal):
    put(journal, holder(machine="elsewhere", heartbeat=time.time() - 50))
    with pytest.raises(LeaseError, match="last sign of life 50 s ago"), Lease(journal):
        pytest.fail("two runs at once")


def test_lease__of_another_machine_is_taken_after_a_minute(journal, quick):
    put(journal, holder(machine="elsewhere", heartbeat=time.time() - 61))
    with Lease(journal) as lease:
        lease.check()


def test_lease__of_a_machine_whose_clock_is_wrong_is_respected(journal, quick, monkeypatch):
    other = holder(machine="elsewhere", heartbeat=time.time() - 7200)
    put(journal, other)
    monkeypatch.setattr(time, "sleep", lambda _: put(journal, replace(other, heartbeat=other.heartbeat + 1)))
    with pytest.raises(LeaseError, match="another run"), Lease(journal):
        pytest.fail("two runs at once")


def test_lease__taken_over_the_other_run_stops_at_its_next_check(journal):
    with Lease(journal) as first:
        with Lease(journal, take_over=True) as second:
            second.check()
            with pytest.raises(LeaseError, match=r"lost its lease: found the lease of process \d+"):
                first.check()
        with pytest.raises(LeaseError, match="found no lease"):
            first.check()


def test_lease__that_was_lost_is_not_taken_from_its_new_holder(journal, quick):
    with Lease(journal):
        put(journal, holder())
        time.sleep(0.3)  # several heartbeats
    assert read_holder(journal).token == "another"


def test_lease__what_was_granted_can_be_sent_and_revoked(journal, quick):
    with Lease(journal) as lease:
        granted = pickle.loads(pickle.dumps(lease.grant))
        granted.check()
        lease.revoke()
        with pytest.raises(LeaseError, match="lost its lease: found the lease of process"):
            granted.check()
        time.sleep(0.2)
        lease.check()
        lease.grant.check()
        put(journal, holder())
        with pytest.raises(LeaseError, match="lost its lease"):
            lease.revoke()
        assert read_holder(journal).token == "another"


def test_lease__grants_nothing_before_it_is_held(journal):
    with pytest.raises(LeaseError, match="expected to be within its context"):
        Lease(journal).grant  # noqa: B018


def test_lease__survives_a_heartbeat_that_fails(journal, quick, monkeypatch):
    with Lease(journal) as lease:
        failed = []

        def fail(*_):
            failed.append(1)
            raise OSError("network is down")

        with monkeypatch.context() as patch:
            patch.setattr(lease, "_write", fail)
            deadline = time.monotonic() + 60
            while not failed:
                assert time.monotonic() < deadline
                time.sleep(0.01)
        first = read_holder(journal).heartbeat
        deadline = time.monotonic() + 60
        while read_holder(journal).heartbeat == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        lease.check()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 1}'])
def test_lease__a_damaged_file_does_not_lock_the_store(journal, content):
    journal.folder.write("lease.json", content)
    with Lease(journal) as lease:
        lease.check()


def test_lease__two_processes_at_once_one_gets_it(tmp_path):
    processes = [start(tmp_path / "s.run") for _ in range(2)]
    try:
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = sorted(process.stdout.readline() for process in processes)
        assert answers[0] == "held\n"
        assert answers[1].startswith("refused another run is writing into the store: process ")
    finally:
        for process in processes:
            process.communicate("end\n", timeout=60)
    assert read_holder(Journal(tmp_path / "s.run")) is None


def test_lease__nobody_gets_between_its_reading_and_its_writing(tmp_path, monkeypatch):
    journal, answers = Journal(tmp_path / "s.run"), []
    first = Lease(journal)

    def compete() -> None:
        try:
            with Lease(journal):
                answers.append("held")
        except LeaseError:
            answers.append("refused")

    competitor = threading.Thread(target=compete)
    write = first._write

    def write_late(holder: Holder) -> None:
        if not competitor.ident:
            competitor.start()
            competitor.join(timeout=0.5)  # has to wait; without a lock it would be through by now
        write(holder)

    monkeypatch.setattr(first, "_write", write_late)
    with first:
        competitor.join(timeout=60)
        first.check()
    assert answers == ["refused"]


def test_lease__of_a_killed_process_is_taken_at_once(tmp_path):
    journal = Journal(tmp_path / "s.run")
    process = start(tmp_path / "s.run")
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "held\n"
    with pytest.raises(LeaseError, match=f"process {process.pid} on"), Lease(journal):
        pytest.fail("two runs at once")
    process.kill()
    while read_holder(journal).is_alive:  # the remains of a killed process count as dead before they are collected
        time.sleep(0.01)
    with Lease(journal) as lease:
        lease.check()
    process.communicate()


def test_lease__place_that_cannot_be_made():
    with pytest.raises(StoreError, match=r"/proc/s\.zarr\.run: writing failed"), Lease(Journal("/proc/s.zarr.run")):
        pass
