"""Stores on an S3 server that fails in the ways of real ones, and stores in memory."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from click.testing import CliRunner
from object_store import BUCKET, Fault, at_first_attempt
from zarr.storage import LoggingStore, MemoryStore, WrapperStore

import facearray as fa
from facearray.cli import main
from facearray.errors import InputError, StoreError
from facearray.io.journal import Journal
from facearray.io.location import check_shared, open_zarr_store
from facearray.io.status import finalize_store, store_status
from facearray.io.store import Store
from facearray.testing import FakeDetector

FAKE = FakeDetector(n_landmarks=5)
_numbers = itertools.count()


def detect(videos, store, **options):
    return fa.detect(videos, store, **{"detector": FAKE, "progress": False, **options})


@pytest.fixture
def place():
    return f"s3://{BUCKET}/{next(_numbers)}/s.zarr"


@pytest.fixture
def videos(make_video):
    return [make_video(f"{i}.mkv", 20 + i, offset=30 * i) for i in range(3)]


def objects(fs, url, folder):
    """Everything below a URL, by its name and content, as a local folder has it."""
    root = url.removeprefix("s3://")
    target = folder / "copy"
    fs.get(root, str(target), recursive=True)
    return {p.relative_to(target).as_posix(): p.read_bytes() for p in sorted(target.rglob("*")) if p.is_file()}


def test_detect__a_store_on_s3_is_that_on_a_disk(s3, place, videos, tmp_path, contents):
    _, options, fs = s3
    ds = detect(videos, place, storage_options=options)
    local = detect(videos, tmp_path / "s.zarr")
    assert ds.load().identical(local.load())
    assert objects(fs, place, tmp_path) == contents(tmp_path / "s.zarr")

    status = store_status(place, storage_options=options)
    assert (status.run, status.n_done, status.complete) == ("ended", 3, True)
    again = detect(videos, place, storage_options=options, detector=FakeDetector(n_landmarks=5, seconds=60))
    assert again["status"].values.tolist() == ["done"] * 3


def test_save__to_and_from_s3(s3, place, videos, tmp_path):
    _, options, _ = s3
    ds = detect(videos, tmp_path / "s.zarr")
    fa.save(ds, place, storage_options=options)
    assert fa.open_store(place, storage_options=options).load().equals(ds.load())
    part = fa.open_store(place, storage_options=options).isel(video=[0])
    fa.save(part, place, storage_options=options, overwrite=True)
    assert fa.open_store(place, storage_options=options)["video"].values.tolist() == ["0.mkv"]


def test_command_line__reads_a_store_on_s3(s3, place, videos, tmp_path):
    _, options, _ = s3
    detect(videos, place, storage_options=options)
    given = [x for key, value in options.items() for x in ("--storage-option", f"{key}={json.dumps(value)}")]
    result = CliRunner().invoke(main, ["status", place, "--json", *given])
    assert result.exit_code == 0
    assert json.loads(result.output)["n_done"] == 3
    assert CliRunner().invoke(main, ["finalize", place, *given]).exit_code == 0
    assert "3 videos" in CliRunner().invoke(main, ["info", place, *given]).output
    exported = CliRunner().invoke(main, ["export", place, "-o", str(tmp_path / "x.parquet"), *given])
    assert exported.exit_code == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault("500", times=2, skip=20),
        Fault("503", times=3, skip=10),
        Fault("500", method="PUT", times=2),
        Fault("503", method="PUT", path="features/c", times=2),
        Fault("timeout", method="PUT", path="features/c"),
        Fault("timeout", method="GET", path="zarr.json", skip=2),
        Fault("truncated", method="GET", path=r"zarr\.json", times=2),
        Fault("truncated", method="GET", path=r"/c/", times=2),
        Fault("cut", method="GET", path=r"zarr\.json"),
    ],
    ids=lambda fault: f"{fault.times} {fault.kind} of {fault.method} {fault.path}",
)
def test_detect__faults_that_pass_are_retried(s3, place, videos, tmp_path, fault):
    proxy, options, _ = s3
    before = proxy.injected[fault.kind]
    with proxy.failing(fault):
        ds = detect(videos, place, storage_options=options).load()
        assert proxy.injected[fault.kind] == before + fault.times
    assert ds.identical(detect(videos, tmp_path / "s.zarr").load())


@pytest.mark.parametrize(
    "fault",
    [
        Fault("500", method="PUT", path="features/c/1", times=10**6),
        Fault("503", method="PUT", path="done/", times=10**6),
        Fault("403", method="PUT", path="features/c/1", times=10**6),
        Fault("truncated", method="GET", path=r"features/zarr\.json", times=10**6, skip=4),
    ],
    ids=lambda fault: f"{fault.kind} of {fault.method} {fault.path}",
)
def test_detect__faults_that_stay_are_named_and_the_run_goes_on_later(s3, place, videos, tmp_path, fault):
    proxy, options, _ = s3
    with proxy.failing(fault), pytest.raises((StoreError, OSError)) as caught:
        detect(videos, place, storage_options=options)
    assert isinstance(caught.value, StoreError), repr(caught.value)
    assert "s.zarr" in str(caught.value)
    assert options["secret"] not in str(caught.value)
    status = store_status(place, storage_options=options)
    assert status.n_done < 3
    ds = detect(videos, place, storage_options=options).load()
    assert ds.identical(detect(videos, tmp_path / "s.zarr").load())


def test_open_store__faults_that_stay_are_named(s3, place, videos):
    proxy, options, _ = s3
    detect(videos, place, storage_options=options)
    options = at_first_attempt(options)
    for kind in ("500", "403", "truncated"):
        with (
            proxy.failing(Fault(kind, method="GET|HEAD", times=10**6)),
            pytest.raises(StoreError, match="reading failed"),
        ):
            fa.open_store(place, storage_options=options)
        with proxy.failing(Fault(kind, method="GET", times=10**6)), pytest.raises(StoreError, match="reading failed"):
            store_status(place, storage_options=options)


def test_read_chunks__a_fault_never_looks_like_missing_frames(s3, place, videos):
    """A chunk that is not there is read as missing values; one that cannot be read must not be."""
    proxy, options, _ = s3
    detect(videos, place, storage_options=options)
    ds = fa.open_store(place, storage_options=at_first_attempt(options))
    for kind in ("500", "503", "403", "truncated"):
        with (
            proxy.failing(Fault(kind, method="GET|HEAD", path="/c/", times=10**6)),
            pytest.raises(Exception, match=r".") as caught,
        ):
            _ = ds["features"].values
        assert not isinstance(caught.value, AssertionError)
    assert np.isfinite(ds["features"].values).any()


def test_detect__killed_on_s3_and_gone_on_with(s3, place, videos, tmp_path):
    _, options, _ = s3
    script = textwrap.dedent(
        f"""
        import os, signal
        import facearray as fa
        from facearray.testing import FakeDetector

        class Dies(FakeDetector):
            calls = 0
            def __call__(self, frames):
                Dies.calls += 1
                if Dies.calls == 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                return super().__call__(frames)

        fa.detect({[str(v) for v in videos]!r}, {place!r}, detector=Dies(n_landmarks=5), progress=False,
                  storage_options={options!r})
        """
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, env=os.environ)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    status = store_status(place, storage_options=options)
    assert (status.run, status.n_done, status.n_pending) == ("interrupted", 1, 2)
    assert fa.open_store(place, storage_options=options)["status"].values.tolist() == ["done", "pending", "pending"]
    finalize_store(place, storage_options=options)
    assert store_status(place, storage_options=options).n_done == 1

    computed = []

    class Notes(FakeDetector):
        def __call__(self, frames):
            computed.append(len(frames))
            return super().__call__(frames)

    ds = detect(videos, place, storage_options=options, detector=Notes(n_landmarks=5)).load()
    assert computed == [21, 22]
    assert ds.identical(detect(videos, tmp_path / "s.zarr").load())


def test_row__requests_do_not_become_more(s3, place, make_video, monkeypatch):
    """What a short video costs in requests; docs/scaling.md has the prices."""
    monkeypatch.setattr("facearray.io.lease.HEARTBEAT", 600)
    proxy, options, _ = s3
    videos = [make_video(f"{i}.mkv", 20, offset=i) for i in range(6)]

    def cost(given):
        with proxy.counting() as requests:
            detect(given, place, storage_options=options)
        return requests

    cost(videos[:1])
    one, three = cost(videos[1:2]), cost(videos[3:6])
    per_row = {kind: (three[kind] - one[kind]) / 2 for kind in ("PUT", "LIST", "GET", "HEAD")}
    # six arrays and a marker; what the row held before
    assert per_row["PUT"] == 7
    assert per_row["LIST"] <= 3
    assert per_row["HEAD"] <= 2
    assert per_row["GET"] <= 26


def test_detect__a_store_in_memory(videos, tmp_path):
    url = f"memory://{next(_numbers)}/s.zarr"
    ds = detect(videos, url).load()
    assert ds.identical(detect(videos, tmp_path / "s.zarr").load())
    assert store_status(url).complete
    assert Store.exists(url)


@pytest.mark.parametrize("wrap", [lambda store: store, LoggingStore], ids=["MemoryStore", "LoggingStore"])
def test_detect__any_zarr_store_with_a_journal(videos, tmp_path, wrap):
    store, journal = wrap(MemoryStore()), tmp_path / "s.run"
    logging.getLogger("LoggingStore").setLevel(logging.ERROR)
    ds = detect(videos, store, journal=journal).load()
    assert ds.identical(detect(videos, tmp_path / "s.zarr").load())
    assert store_status(store, journal=journal).complete
    assert dict(Journal(journal).states()) == dict.fromkeys(range(3), "done")


def test_detect__a_zarr_store_needs_a_journal(videos):
    with pytest.raises(InputError, match="expected journal=URL"):
        detect(videos, MemoryStore())


def in_wrappers(store):
    return LoggingStore(WrapperStore(LoggingStore(store)))


@pytest.mark.parametrize("wrap", [lambda store: store, LoggingStore, in_wrappers])
def test_check_shared__refuses_what_other_processes_cannot_see(tmp_path, wrap):
    file_system = wrap(open_zarr_store("memory://a/s.zarr"))
    for store in ("memory://a/s.zarr", "simplecache::memory://a/s.zarr", wrap(MemoryStore()), file_system):
        with pytest.raises(InputError, match=r"in the memory of one process; expected a place that workers can reach"):
            check_shared(store, what="workers")
    for store in (tmp_path / "s.zarr", str(tmp_path), "s3://bucket/s.zarr", wrap(open_zarr_store(tmp_path / "s.zarr"))):
        check_shared(store)


@pytest.mark.parametrize("wrap", [lambda store: store, LoggingStore, in_wrappers])
def test_check_shared__threads_share_a_file_system_in_memory_but_no_object(wrap):
    for store in ("memory://a/s.zarr", wrap(open_zarr_store("memory://a/s.zarr"))):
        check_shared(store, in_process=True)
    with pytest.raises(InputError, match="in the memory of one process"):
        check_shared(wrap(MemoryStore()), in_process=True)
