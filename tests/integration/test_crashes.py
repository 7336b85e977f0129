"""What dies, stops or fills up while a run is going, in real processes: each ends in a named failure or goes on."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path

import distributed
import imageio_ffmpeg
import numpy as np
import psutil
import pytest
import zarr
from zarr.storage import LocalStore

import facearray as fa
from facearray import assets
from facearray.errors import LeaseError, StoreError
from facearray.io.journal import Journal
from facearray.io.status import store_status
from facearray.io.store import Store
from facearray.testing import FakeDetector

#: A run on workers, as a command; its detector notes every batch: width of the video, process, frames. Videos of
#: certain widths take their worker's process down.
RUN = """
    import json, os, signal, sys, time
    from contextlib import nullcontext
    from pathlib import Path
    import facearray as fa
    from facearray.cli import main
    from facearray.detection import options
    from facearray.testing import FakeDetector

    log = sys.argv[1]

    class Deadly(FakeDetector):
        def __call__(self, frames):
            width = frames.shape[2]
            with open(log, "a") as file:
                file.write(f"{width} {os.getpid()} {len(frames)}\\n")
            if width == 90:
                os.kill(os.getpid(), signal.SIGSEGV)
            if width == 92:
                hog = []
                while True:
                    hog.append(bytearray(os.urandom(2**20)) * 64)
                    time.sleep(0.02)
            return super().__call__(frames)

    make = options.RunOptions
    def with_detector(**values):
        return make(**{**values, "detector": Deadly(seconds=0.004), "progress": False})

    import facearray.detection.run
    facearray.detection.run.RunOptions = with_detector
    main(sys.argv[2:])
"""


def command(log, *arguments):
    return [sys.executable, "-c", textwrap.dedent(RUN), str(log), *map(str, arguments)]


@contextmanager
def running(arguments, **options):
    """Start a process in a session of its own, and leave none of it behind."""
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
    )
    family = [psutil.Process(process.pid)]
    try:
        yield process
        family += children(process.pid)
    finally:
        for one in [*family, *children(process.pid)]:
            try:
                one.resume()
                one.kill()
            except psutil.NoSuchProcess:
                continue
        process.communicate()


def children(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def wait_until(condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def batches(log):
    """Lines of a log: (width, process, frames)."""
    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    return [tuple(map(int, line.split())) for line in lines if line.count(" ") == 2]


def workers_by_width(log):
    found = defaultdict(set)
    for width, pid, _ in batches(log):
        found[width].add(pid)
    return found


def markers(store):
    return {int(p.stem) for p in Path(f"{store}.run").glob("done/0/*.json")}


def reference(videos, store):
    return fa.detect(videos, store, detector=FakeDetector(), progress=False)


def logging_worker(log, ended=()):
    """A worker's process that is in the middle of a video, and the width of that video."""
    lines = [(width, pid) for width, pid, _ in batches(log) if pid not in ended]
    return lines[-1] if lines else None


@pytest.mark.parametrize("n_killed", [pytest.param(0, marks=pytest.mark.slow), 2])
def test_workers__make_the_store_of_one_process_and_compute_nothing_twice(make_video, tmp_path, contents, n_killed):
    n, log, store = 10, tmp_path / "log", tmp_path / "s.zarr"
    videos = [make_video(f"{i}.mkv", 150, offset=i, size=f"{32 + 2 * i}x24") for i in range(n)]
    reference(videos, tmp_path / "one.zarr")
    arguments = command(log, "detect", *videos, "-o", store, "--workers", 4, "--batch-size", 5, "--json")
    killed = set()
    with running(arguments) as process:
        for _ in range(n_killed):
            wait_until(lambda: logging_worker(log, killed))
            wait_until(lambda: len(markers(store)) > len(killed))
            width, pid = logging_worker(log, killed)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    assert contents(store) == contents(tmp_path / "one.zarr")
    found = json.loads(out)
    assert [v["status"] for v in found["videos"]] == ["done"] * n
    by_width = workers_by_width(log)
    assert set(by_width) == {32 + 2 * i for i in range(n)}
    # Only what a killed process was computing was computed again.
    again = {width for width, pids in by_width.items() if len(pids) > 1}
    assert all(by_width[width] & killed for width in again)
    assert len(again) <= n_killed
    frames = defaultdict(int)
    for width, _, count in batches(log):
        frames[width] += count
    assert {width for width, count in frames.items() if count != 150} <= again
    assert len({pid for pids in by_width.values() for pid in pids}) >= 3


def test_workers__a_video_that_kills_them_fails_by_name_and_the_rest_is_done(make_video, tmp_path):
    videos = [make_video(f"{i}.mkv", 20, offset=i) for i in range(5)] + [make_video("deadly.mkv", 20, size="90x24")]
    log, store = tmp_path / "log", tmp_path / "s.zarr"
    done = subprocess.run(
        command(log, "detect", *videos, "-o", store, "--workers", 2, "--retries", 1),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 1
    assert "deadly.mkv: found 2 attempts that ended with their worker" in done.stderr
    assert len(workers_by_width(log)[90]) == 2
    status = store_status(store)
    assert (status.n_done, status.n_failed, status.n_pending, status.run) == (5, 1, 0, "ended")
    assert list(status.failures) == ["deadly.mkv"]


@pytest.mark.slow
def test_workers__a_video_over_their_memory_fails_by_name(make_video, tmp_path):
    videos = [make_video(f"{i}.mkv", 20, offset=i) for i in range(3)] + [make_video("hog.mkv", 20, size="92x24")]
    log, store = tmp_path / "log", tmp_path / "s.zarr"
    script = textwrap.dedent(RUN).replace(
        "main(sys.argv[2:])",
        "import distributed\n"
        "from functools import partial\n"
        "distributed.LocalCluster = partial(distributed.LocalCluster, memory_limit='1500MB')\n"
        "main(sys.argv[2:])",
    )
    arguments = [sys.executable, "-c", script, str(log), "detect", *videos, "-o", store, "--workers", "1"]
    done = subprocess.run(
        [*map(str, arguments), "--retries", "0"], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "hog.mkv: found 1 attempts that ended with their worker" in done.stderr
    status = store_status(store)
    assert (status.n_done, status.n_failed, status.n_pending) == (3, 1, 0)


def test_client__killed_takes_its_workers_along_and_the_run_goes_on(make_video, tmp_path, contents):
    log, store = tmp_path / "log", tmp_path / "s.zarr"
    videos = [make_video(f"{i}.mkv", 200, offset=i, size=f"{32 + 2 * i}x24") for i in range(5)]
    reference(videos, tmp_path / "one.zarr")
    with running(command(log, "detect", *videos, "-o", store, "--workers", 2, "--batch-size", 5)) as process:
        wait_until(lambda: markers(store))
        status = store_status(store)
        assert status.run == "running"
        assert f"process {process.pid} on" in status.holder
        family = children(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        died = store_status(store)
        assert died.run == "interrupted"
        assert died.n_done >= 1
        assert died.n_pending >= 1
        wait_until(lambda: not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE])
    kept = markers(store)
    Path(log).write_text("")
    done = subprocess.run(
        command(log, "detect", *videos, "-o", store, "--json"), capture_output=True, text=True, timeout=120, check=True
    )
    assert [v["status"] for v in json.loads(done.stdout)["videos"]] == ["done"] * 5
    assert {(width - 32) // 2 for width in workers_by_width(log)} == set(range(5)) - kept
    assert contents(store) == contents(tmp_path / "one.zarr")


@contextmanager
def dask_cluster(folder, n_workers, worker=None, **config):
    """A scheduler and workers without nannies, each a process of its own; gives them and the scheduler's file."""
    file = folder / "scheduler.json"
    environment = {**os.environ, **{f"DASK_DISTRIBUTED__{key}": value for key, value in config.items()}}
    address = ["--host", "127.0.0.1"]
    start = [sys.executable, "-m", "dask"]
    scheduler = [*start, "scheduler", *address, "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    start_worker = [
        *start,
        "worker",
        "--scheduler-file",
        file,
        "--nthreads",
        "1",
        "--no-nanny",
        "--no-dashboard",
        *address,
    ]
    start_worker += ["--local-directory", folder]
    with running([*scheduler, "--scheduler-file", str(file)], env=environment) as process:
        wait_until(file.exists)
        workers = [
            subprocess.Popen(
                list(map(str, start_worker)), env={**environment, **(worker or {})}, stderr=subprocess.DEVNULL
            )
            for _ in range(n_workers)
        ]
        try:
            yield process, workers, file
        finally:
            for one in workers:
                one.send_signal(signal.SIGCONT)
                one.kill()
                one.wait()


def test_workers__without_model_files_and_network_get_them_from_the_client(make_video, tmp_path, asset):
    video, store, cache = make_video("a.mkv", 5, size="64x48"), tmp_path / "s.zarr", tmp_path / "cache"
    asset("face_landmarker.task")
    cut_off = {
        "FACEARRAY_CACHE": str(cache),
        "FACEARRAY_ASSETS": "",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "npm_config_registry": "http://127.0.0.1:9",
    }
    with (
        dask_cluster(tmp_path, 1, worker=cut_off) as (_, _, file),
        distributed.Client(scheduler_file=str(file), set_as_default=False) as client,
    ):
        ds = fa.detect(video, store, client=client, progress=False)
    assert ds["status"].values.tolist() == ["done"]
    assert int(ds["n_frames"][0]) == 5
    found = {p.name: p.read_bytes() for p in (cache / "assets").iterdir() if not p.name.startswith(".")}
    assert found
    assert set(found) == set(Store.open(store).layout.assets)
    assert {name: hashlib.sha256(content).hexdigest() for name, content in found.items()} == {
        name: assets.sha256(name) for name in found
    }


@pytest.mark.slow
def test_scheduler__killed_ends_the_run_by_name_and_it_goes_on(make_video, tmp_path, contents):
    log, store = tmp_path / "log", tmp_path / "s.zarr"
    videos = [make_video(f"{i}.mkv", 200, offset=i) for i in range(4)]
    reference(videos, tmp_path / "one.zarr")
    with dask_cluster(tmp_path, 1) as (scheduler, _, file):
        arguments = command(log, "detect", *videos, "-o", store, "--scheduler-file", file, "--batch-size", 5)
        with running(arguments) as process:
            wait_until(lambda: markers(store))
            scheduler.kill()
            _, err = process.communicate(timeout=120)
        assert process.returncode == 1
        last = err.splitlines()[-1]
        assert last.startswith("facearray: the ")
        assert "the Dask scheduler" in last
        assert "run the same command again to go on" in last
        assert store_status(store).run == "ended"
        reference(videos, store)
        assert contents(store) == contents(tmp_path / "one.zarr")
        # The worker that lost its scheduler may still be computing: it must not write any more.
        time.sleep(3)
    assert contents(store) == contents(tmp_path / "one.zarr")
    assert store_status(store).n_done == 4


@pytest.mark.slow
def test_worker__paused_longer_than_its_timeout_writes_no_more_when_it_wakes(make_video, tmp_path, contents):
    log, store = tmp_path / "log", tmp_path / "s.zarr"
    videos = [make_video(f"{i}.mkv", 300, offset=i, size=f"{32 + 2 * i}x24") for i in range(4)]
    reference(videos, tmp_path / "one.zarr")
    with dask_cluster(tmp_path, 2, SCHEDULER__WORKER_TTL="12s") as (_, workers, file):
        arguments = command(log, "detect", *videos, "-o", store, "--scheduler-file", file, "--batch-size", 5, "--json")
        with running(arguments) as process:
            wait_until(lambda: logging_worker(log))
            width, pid = logging_worker(log)
            assert pid in {worker.pid for worker in workers}
            os.kill(pid, signal.SIGSTOP)
            row = (width - 32) // 2
            wait_until(lambda: row in markers(store) or process.poll() is not None)
            os.kill(pid, signal.SIGCONT)
            out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert [v["status"] for v in json.loads(out)["videos"]] == ["done"] * 4
        assert json.loads(out)["run"]["n_again"] >= 0
        assert len(workers_by_width(log)[width]) == 2
        time.sleep(3)
    assert contents(store) == contents(tmp_path / "one.zarr")
    assert store_status(store).n_done == 4


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_interrupt__drains_and_a_second_one_ends_at_once(make_video, tmp_path, times):
    log, store = tmp_path / "log", tmp_path / "s.zarr"
    videos = [make_video(f"{i}.mkv", 400, offset=i, size=f"{32 + 2 * i}x24") for i in range(6)]
    with running(command(log, "detect", *videos, "-o", store, "--workers", 2, "--batch-size", 5)) as process:
        wait_until(lambda: markers(store))
        before = {width for width, _, _ in batches(log)}
        # As a terminal does: to every process of the group, the workers included.
        os.killpg(process.pid, signal.SIGINT)
        if times == 2:
            time.sleep(0.1)
            os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "interrupted; run the same command again to go on" in err
    status = store_status(store)
    assert (status.run, status.n_failed) == ("ended", 0)
    assert status.n_pending >= 1
    if times == 1:
        assert markers(store) >= {(width - 32) // 2 for width in before}
        assert status.n_done >= len(before)
    (report,) = Journal.beside(store).reports()
    assert report["end"] == "interrupted"
    ds = fa.open_store(store)
    assert ds["status"].values.tolist().count("done") == status.n_done


class FaultyStore(LocalStore):
    """A store whose disk fails for the keys that begin with what a file says, as long as there is one."""

    def __init__(self, root, *, fault, number, **options):
        super().__init__(root, **options)
        self.fault, self.number = fault, number

    def with_read_only(self, read_only=False):
        return FaultyStore(self.root, fault=self.fault, number=self.number, read_only=read_only)

    def __reduce__(self):
        return _faulty, (str(self.root), self.fault, self.number)

    async def set(self, key, value):
        if Path(self.fault).exists() and key.startswith(Path(self.fault).read_text()):
            raise OSError(self.number, os.strerror(self.number))
        await super().set(key, value)


def _faulty(root, fault, number):
    return FaultyStore(root, fault=fault, number=number)


@pytest.fixture(scope="module")
def threads():
    no_dashboard = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
    with (
        distributed.LocalCluster(processes=False, n_workers=2, threads_per_worker=1, **no_dashboard) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("key", ["features/c/2", "timestamp/c", "features"])
def test_workers__a_full_or_read_only_disk_is_named_and_the_run_goes_on(
    make_video, tmp_path, contents, threads, number, key
):
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(4)]
    reference(videos, tmp_path / "one.zarr")
    store = FaultyStore(tmp_path / "s.zarr", fault=str(tmp_path / "fault"), number=number)
    options = {"detector": FakeDetector(), "progress": False, "journal": tmp_path / "s.zarr.run"}
    if key != "features":
        (tmp_path / "fault").write_text(key)
        with pytest.raises(StoreError, match=os.strerror(number)) as caught:
            fa.detect(videos, store, client=threads, **options)
        assert "the same command goes on" in str(caught.value)
    else:
        # From the very first: nothing can be made.
        (tmp_path / "fault").write_text("")
        with pytest.raises(StoreError, match=os.strerror(number)):
            fa.detect(videos, store, client=threads, **options)
    (tmp_path / "fault").unlink()
    status = store_status(tmp_path / "s.zarr", journal=tmp_path / "s.zarr.run") if key != "features" else None
    assert status is None or (status.run, status.n_failed) == ("ended", 0)
    ds = fa.detect(videos, store, client=threads, **options)
    assert ds["status"].values.tolist() == ["done"] * 4
    assert contents(tmp_path / "s.zarr") == contents(tmp_path / "one.zarr")


def test_workers__a_video_that_crashes_the_decoder_fails_by_name(make_video, tmp_path, threads, monkeypatch):
    videos = [make_video("a.mkv"), make_video("crash.mkv", offset=1), make_video("c.mkv", offset=2)]
    real = imageio_ffmpeg.get_ffmpeg_exe()
    broken = tmp_path / "ffmpeg"
    broken.write_text(
        f'#!/bin/bash\nif [[ "$*" == *crash.mkv* && "$*" == *rawvideo* ]]; then\n'
        f'  {real} "$@" | head -c 5000\n  kill -SEGV $$\nfi\nexec {real} "$@"\n'
    )
    broken.chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(broken))
    ds = fa.detect(videos, tmp_path / "s.zarr", detector=FakeDetector(), progress=False, client=threads)
    assert ds["status"].values.tolist() == ["done", "done", "failed"]
    assert ds["video"].values.tolist() == ["a.mkv", "c.mkv", "crash.mkv"]
    assert "'crash.mkv': " in str(ds["error"].values[2])
    assert np.isnan(ds["features"].values[2]).all()


def _write_naively(store, start, stop, ready):
    array = zarr.open_array(store, mode="r+")
    ready.wait()
    for frame in range(start, stop, 64):
        array[frame : frame + 64] = np.ones((64, 8), np.float32)


def test_several_writers_in_one_shard__lose_values_without_an_error(tmp_path):
    # Why a row has one writer, and why its chunks are no other row's: regions that do not overlap are not enough.
    n_writers, n_frames = 4, 4096
    array = zarr.create_array(
        tmp_path / "shared.zarr", shape=(n_frames, 8), chunks=(64, 8), shards=(n_frames, 8), dtype="f4", fill_value=0
    )
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(n_writers)
    size = n_frames // n_writers
    writers = [
        context.Process(target=_write_naively, args=(str(tmp_path / "shared.zarr"), i * size, (i + 1) * size, ready))
        for i in range(n_writers)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0] * n_writers
    lost = float((array[:] == 0).mean())
    assert lost > 0


def test_lease__a_second_run_is_refused_while_workers_compute(make_video, tmp_path, threads):
    videos = [make_video(f"{i}.mkv", 60, offset=i) for i in range(3)]
    slow = FakeDetector(seconds=0.02)
    thread = threading.Thread(
        target=lambda: fa.detect(
            videos, tmp_path / "s.zarr", detector=slow, progress=False, client=threads, batch_size=5
        )
    )
    thread.start()
    wait_until(lambda: (tmp_path / "s.zarr.run" / "lease.json").exists())
    with pytest.raises(LeaseError, match="another run is writing"):
        reference(videos, tmp_path / "s.zarr")
    thread.join(60)
    assert store_status(tmp_path / "s.zarr").n_done == 3
