"""`fa.detect` on the workers of a Dask cluster: the same store as in one process, whatever becomes of the workers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import distributed
import numpy as np
import pytest
import zarr

import facearray as fa
from facearray import assets
from facearray.detection import plan as plan_module
from facearray.detection import run as run_module
from facearray.detection.executors import dask as dask_module
from facearray.detection.options import RunOptions
from facearray.errors import ClusterError, InputError, LeaseError
from facearray.io.claims import ClaimLostError, count_attempts, drop_claim, take_claim
from facearray.io.journal import Journal
from facearray.io.status import store_status
from facearray.io.store import Store
from facearray.testing import FakeDetector

FAKE = FakeDetector()


@contextmanager
def threads(n_workers, **options):
    """Workers that are threads of this process: quick to start, and what is patched here is patched for them."""
    no_dashboard = {"dashboard_address": None, "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}}
    options = {"n_workers": n_workers, "threads_per_worker": 1, "processes": False, **no_dashboard, **options}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@asynccontextmanager
async def asynchronous_threads(n_workers):
    options = {"scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"}, "dashboard_address": None}
    async with (
        distributed.LocalCluster(
            processes=False, n_workers=n_workers, threads_per_worker=1, asynchronous=True, **options
        ) as cluster,
        distributed.Client(cluster, asynchronous=True, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client():
    with threads(2) as client:
        yield client


@pytest.fixture
def detecting(monkeypatch):
    """Return a function that has something called with every batch, in threads that the fake detector runs in."""

    def install(function):
        call = FakeDetector.__call__

        def patched(self, frames):
            function(frames)
            return call(self, frames)

        monkeypatch.setattr(FakeDetector, "__call__", patched)

    return install


def detect(videos, store, client=None, **options):
    return fa.detect(videos, store, client=client, **{"detector": FAKE, "progress": False, **options})


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class Logged(FakeDetector):
    """A detector that notes the width of the frames and the thread it is called from; a width tells a video."""

    log: str = ""

    def __call__(self, frames):
        with Path(self.log).open("a") as file:
            file.write(f"{frames.shape[2]} {os.getpid()}\n")
        return super().__call__(frames)


def widths(log):
    return Counter(int(line.split()[0]) for line in Path(log).read_text().splitlines())


def test_detect__workers_make_the_store_that_one_process_makes(make_video, tmp_path, contents, client):
    videos = [make_video(f"{i}.mkv", 20 + 3 * i, offset=i, size="8x8") for i in range(7)]
    videos += [make_video("long.mkv", 1500, offset=4, size="8x8"), tmp_path / "gone.mkv"]
    (tmp_path / "text.mp4").write_text("this is no video\n" * 100)
    videos.append(tmp_path / "text.mp4")
    detect(videos, tmp_path / "one.zarr")
    ds = detect(videos, tmp_path / "many.zarr", client)
    assert contents(tmp_path / "many.zarr") == contents(tmp_path / "one.zarr")
    assert Counter(ds["status"].values.tolist()) == {"done": 8, "failed": 2}
    assert not [p for p in (tmp_path / "many.zarr.run" / "claim").rglob("*") if p.is_file()]
    wait_until(lambda: not client.futures)


def test_detect__workers_resume_what_one_process_began(make_video, tmp_path, contents, client):
    videos, log = [make_video(f"{i}.mkv", offset=i, size=f"{32 + 2 * i}x24") for i in range(5)], tmp_path / "log"
    detect(videos[:2], tmp_path / "s.zarr")
    detect(videos, tmp_path / "s.zarr", client, detector=Logged(log=str(log)))
    assert set(widths(log)) == {36, 38, 40}
    detect(videos[:2], tmp_path / "once.zarr")
    detect(videos, tmp_path / "once.zarr")
    assert contents(tmp_path / "s.zarr") == contents(tmp_path / "once.zarr")


def test_detect__only_the_client_makes_room(make_video, expected_au12, tmp_path, client, monkeypatch):
    monkeypatch.setattr(plan_module, "expected_frames", lambda sources, every: [0] * len(sources))
    threads, resize = [], Store.resize
    monkeypatch.setattr(Store, "resize", lambda *args: (threads.append(threading.current_thread()), resize(*args))[1])
    videos = [make_video("a.mkv", 1500, size="8x8"), make_video("b.mkv", 40), make_video("c.mkv", 3000, size="8x8")]
    ds = detect(videos, tmp_path / "s.zarr", client)
    assert ds.sizes["frame"] == 3072
    assert threads
    assert set(threads) == {threading.main_thread()}
    np.testing.assert_allclose(ds["features"].sel(feature="AU12").values[2, :3000, 0], expected_au12(3000), atol=1e-6)
    assert ds["n_frames"].values.tolist() == [1500, 40, 3000]


def test_detect__the_window_bounds_what_the_cluster_holds(make_video, tmp_path, client, monkeypatch):
    held, submit = [], dask_module.DaskExecutor._submit

    def count(self, task):
        submit(self, task)
        held.append(len(self._running))

    monkeypatch.setattr(dask_module.DaskExecutor, "_submit", count)
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(9)]
    detect(videos, tmp_path / "a.zarr", client)
    assert max(held) == 4
    held.clear()
    detect(videos, tmp_path / "b.zarr", client, window=1)
    assert held == [1] * 9


def test_detect__a_worker_that_joins_later_takes_its_part(make_video, tmp_path):
    videos = [make_video(f"{i}.mkv", 30, offset=i) for i in range(12)]
    with threads(1) as client:
        report = {}
        options = run_module.RunOptions(
            detector=FakeDetector(seconds=0.02), progress=False, client=client, batch_size=10
        )
        thread = threading.Thread(
            target=lambda: report.update(run=run_module.run(videos, tmp_path / "s.zarr", options))
        )
        thread.start()
        wait_until(lambda: any((tmp_path / "s.zarr.run").glob("done/0/*.json")))
        client.cluster.scale(2)
        thread.join(120)
        assert not thread.is_alive()
    summary = report["run"].summary
    assert summary.n_done == 12
    assert len(summary.workers) == 2
    assert all(share.rows for share in summary.workers.values())


def test_detect__rows_go_to_workers_with_gpus_one_each(make_video, tmp_path, detecting):
    running, most = Counter(), []

    def count(frames):
        running["now"] += 1
        most.append(running["now"])
        time.sleep(0.02)
        running["now"] -= 1

    detecting(count)
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(6)]
    with threads(1, threads_per_worker=4, resources={"GPU": 1}) as client:
        detect(videos, tmp_path / "s.zarr", client)
    assert max(most) == 1
    assert len(most) == 6


def test_detect__one_thread_of_inference_a_task(make_video, tmp_path, client, detecting):
    names = set()
    detecting(lambda frames: names.add(threading.current_thread().name.rpartition("_")[2]))
    detect(make_video("a.mkv", 60), tmp_path / "s.zarr", client, batch_size=2)
    assert names == {"0"}


def test_detect__the_detector_is_loaded_once_a_worker(make_video, tmp_path, monkeypatch):
    loads = []

    def load_detector(self):
        loads.append(threading.current_thread())
        time.sleep(0.1)
        return FAKE

    monkeypatch.setattr(run_module.RunOptions, "load_detector", load_detector)
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(8)]
    with threads(1, threads_per_worker=4) as client:
        detect(videos, tmp_path / "s.zarr", client)
    assert len(loads) == 2
    assert threading.main_thread() in loads


def test_detect__an_asynchronous_client_gives_an_awaitable(make_video, tmp_path, contents):
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(4)]
    detect(videos, tmp_path / "one.zarr")

    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.01)

        async with asynchronous_threads(1) as client:
            ticking = asyncio.ensure_future(tick())
            ds = await detect(videos, tmp_path / "s.zarr", client)
            ticking.cancel()
            return ds["status"].values.tolist(), ticks

    states, ticks = asyncio.run(main())
    assert states == ["done"] * 4
    assert ticks > 5
    assert contents(tmp_path / "s.zarr") == contents(tmp_path / "one.zarr")


def test_detect__a_cancelled_awaitable_leaves_the_store_in_order(make_video, tmp_path):
    videos = [make_video(f"{i}.mkv", 40, offset=i) for i in range(6)]

    async def main():
        async with asynchronous_threads(1) as client:
            slow = FakeDetector(seconds=0.02)
            running = asyncio.ensure_future(detect(videos, tmp_path / "s.zarr", client, detector=slow, batch_size=5))
            while not list((tmp_path / "s.zarr.run").glob("done/0/*.json")):
                await asyncio.sleep(0.02)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    asyncio.run(main())
    status = store_status(tmp_path / "s.zarr")
    assert status.run == "ended"
    assert status.n_done >= 1
    assert status.n_pending >= 1
    assert status.n_failed == 0
    assert detect(videos, tmp_path / "s.zarr")["status"].values.tolist() == ["done"] * 6


def test_detect__stores_in_the_memory_of_one_process(make_video, tmp_path, client):
    video = make_video("a.mkv")
    for store in (zarr.storage.MemoryStore(), zarr.storage.LoggingStore(zarr.storage.MemoryStore())):
        with pytest.raises(InputError, match="in the memory of one process; expected a place that workers can reach"):
            detect(video, store, client, journal=tmp_path / "journal")
    assert not (tmp_path / "journal").exists()
    ds = detect(video, "memory://cluster-test/s.zarr", client)
    assert ds["status"].values.tolist() == ["done"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client": object()}, "expected a distributed.Client"),
        ({"window": 0}, "window=0; expected a whole number"),
        ({"window": 3}, "window=3 without a client"),
        ({"retries": -1}, "retries=-1; expected a whole number of at least 0"),
        ({"time_limit": 0}, "time_limit=0; expected a number of seconds above 0"),
        ({"time_limit": float("nan")}, "time_limit=nan"),
        ({"time_limit": float("inf")}, "expected None for no limit"),
    ],
)
def test_detect__options_of_workers(make_video, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        detect(make_video("a.mkv"), tmp_path / "s.zarr", **options)
    assert not (tmp_path / "s.zarr").exists()


def test_detect__device_that_the_workers_lack(make_video, tmp_path, client):
    lacking = r"worker inproc://.*: found device='cuda'; expected 'auto' or what torch finds"
    with pytest.raises(InputError, match=lacking):
        detect(make_video("a.mkv"), tmp_path / "s.zarr", client, detector="mediapipe", device="cuda")
    with pytest.raises(InputError, match=r"^found device='gpu'"):
        detect(make_video("a.mkv"), tmp_path / "t.zarr", client, detector="mediapipe", device="gpu")
    with pytest.raises(InputError, match=r"^found runtime='litert' on cuda"):
        detect(make_video("a.mkv"), tmp_path / "t.zarr", client, detector="mediapipe", device="cuda", runtime="litert")
    assert not (tmp_path / "t.zarr").exists()


def test_detect__device_that_only_the_workers_have(monkeypatch, client):
    options = RunOptions(detector="mediapipe", device="cuda", client=client)
    described = options.layout(options.load_detector())
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    on_worker = replace(options, client=None).load_detector()
    assert on_worker.device == "cuda"
    assert described == options.layout(on_worker)


@pytest.mark.parametrize("on_workers", [True, False])
def test_detect__a_row_over_its_time_limit_fails_alone(make_video, tmp_path, client, on_workers):
    # 4000 frames do not fit the pipe from the decoder, which therefore waits for the slow detector
    videos = [make_video("quick.mkv", 5), make_video("slow.mkv", 4000, size="64x48")]
    ds = detect(
        videos,
        tmp_path / "s.zarr",
        client if on_workers else None,
        detector=FakeDetector(seconds=0.01),
        batch_size=10,
        time_limit=2,
    )
    assert ds["status"].values.tolist() == ["done", "failed"]
    assert "'slow.mkv': found no end after 2 s" in str(ds["error"].values[1])
    assert (ds["frame_number"].values[1] == -1).all()


def test_detect__a_worker_that_does_not_keep_the_time_limit_is_restarted(make_video, tmp_path, detecting, monkeypatch):
    monkeypatch.setattr(dask_module, "GRACE", 1.0)
    release = threading.Event()

    detecting(lambda frames: frames.shape[2] == 64 and release.wait(60))
    videos = [make_video("a.mkv"), make_video("b.mkv", size="64x24"), make_video("c.mkv")]
    restarted = []
    monkeypatch.setattr(dask_module, "restart", lambda _client, worker: restarted.append(worker))
    with threads(2) as client:
        ds = detect(videos, tmp_path / "s.zarr", client, time_limit=1)
        assert ds["status"].values.tolist() == ["done", "failed", "done"]
        assert "found it stuck 1 s after its time limit of 1 s" in str(ds["error"].values[1])
        assert len(restarted) == 1
        # What the worker brings when it comes back counts no more.
        release.set()
        time.sleep(0.5)
    assert fa.open_store(tmp_path / "s.zarr")["status"].values.tolist() == ["done", "failed", "done"]
    assert store_status(tmp_path / "s.zarr").n_failed == 1


def test_detect__a_task_that_raises_is_tried_again_and_then_ends_the_run(make_video, tmp_path, client, monkeypatch):
    calls, write = Counter(), Journal.mark_done

    def fails(self, row, record):
        calls[row] += 1
        if row == 1 and calls[row] <= limit:
            raise fa.errors.StoreError("the disk is full")
        write(self, row, record)

    monkeypatch.setattr(Journal, "mark_done", fails)
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(3)]
    limit = 2
    assert detect(videos, tmp_path / "a.zarr", client)["status"].values.tolist() == ["done"] * 3
    assert calls[1] == 3
    calls.clear()
    limit = 99
    with pytest.raises(fa.errors.StoreError, match="the disk is full"):
        detect(videos, tmp_path / "b.zarr", client)
    assert calls[1] == 3
    limit = 0
    assert detect(videos, tmp_path / "b.zarr")["status"].values.tolist() == ["done"] * 3


def test_detect__a_lost_lease_stops_the_workers(make_video, tmp_path, client, contents, detecting):
    store, videos = tmp_path / "s.zarr", [make_video(f"{i}.mkv", 60, offset=i) for i in range(4)]
    detect(videos, tmp_path / "whole.zarr")

    taken, ended = threading.Event(), threading.Event()

    def take_over(frames):
        if not taken.is_set():
            taken.set()
            detect(videos, store, take_over=True)
            ended.set()

    detecting(take_over)
    with pytest.raises(LeaseError, match="lost its lease"):
        detect(videos, store, client, batch_size=10)
    assert ended.wait(60)
    time.sleep(0.5)
    assert contents(store) == contents(tmp_path / "whole.zarr")
    assert store_status(store).n_done == 4


def test_detect__the_report_is_kept_and_says_who_did_what(make_video, tmp_path, client):
    videos = [make_video(f"{i}.mkv", offset=i) for i in range(5)] + [tmp_path / "gone.mkv"]
    options = run_module.RunOptions(detector=FAKE, progress=False, client=client)
    report = run_module.run(videos, tmp_path / "s.zarr", options)
    (kept,) = Journal.beside(tmp_path / "s.zarr").reports()
    assert kept == json.loads(json.dumps(report.summary.to_dict() | {"seconds": kept["seconds"]}, default=str)) | {
        "frames_per_second": kept["frames_per_second"],
        "overhead": kept["overhead"],
    }
    assert (kept["end"], kept["n_done"], kept["n_failed"], kept["n_frames"]) == ("complete", 5, 1, 100)
    assert set(kept["failures"]) == {"gone.mkv"}
    assert sum(share["rows"] for share in kept["workers"].values()) == 6
    assert set(kept["workers"]) <= set(client.nthreads())
    assert 0 <= kept["overhead"] < 1
    run_module.run(videos, tmp_path / "s.zarr", options)
    assert len(Journal.beside(tmp_path / "s.zarr").reports()) == 1
    assert store_status(tmp_path / "s.zarr").problems == ()


def test_detect__reports_and_plugins_hold_no_credentials(make_video, tmp_path, client, caplog, detecting):
    store, secret = "memory://cluster-secrets/s.zarr", "5ECRET"

    def breaks(frames):
        raise RuntimeError(f"https://x.org/a?token={secret}")

    detecting(breaks)
    with caplog.at_level(logging.DEBUG):
        detect(make_video("a.mkv"), store, client, storage_options={"password": secret})
    (kept,) = Journal.beside(store).reports()
    assert secret not in json.dumps(kept)
    assert "***" in kept["failures"]["a.mkv"]
    assert "password" not in caplog.text


def test_progress__counts_the_frames_of_all_workers(make_video, tmp_path, client, monkeypatch):
    seen = []

    class Watched(dask_module.Progress):
        def frames(self, row, n_written):
            super().frames(row, n_written)
            seen.append((row, n_written))

        def __exit__(self, *args):
            seen.append(self._bars.tasks[0].completed)
            seen.append((self._bars.tasks[1].completed, self._bars.tasks[1].total))
            super().__exit__(*args)

    monkeypatch.setattr(run_module, "Progress", Watched)
    videos = [make_video(f"{i}.mkv", 20 + i, offset=i) for i in range(3)]
    detect(videos, tmp_path / "s.zarr", client)
    assert seen[-2:] == [3, (63, 63)]
    seen.clear()
    detect(videos, tmp_path / "t.zarr")
    assert seen[-2:] == [3, (63, 63)]
    assert (2, 22) in seen


def test_claim__a_later_attempt_ends_an_earlier_one(tmp_path):
    journal = Journal(tmp_path / "run")
    first = take_claim(journal, 3, run="r")
    first.check()
    second = take_claim(journal, 3, run="r")
    with pytest.raises(ClaimLostError, match="row 3"):
        first.check()
    second.check()
    assert (first.attempt, second.attempt, count_attempts(journal, 3, run="r")) == (1, 2, 2)
    assert take_claim(journal, 3, run="another").attempt == 1
    assert take_claim(journal, 4, run="r").attempt == 1
    drop_claim(journal, 3)
    drop_claim(journal, 3)
    assert count_attempts(journal, 3, run="r") == 0
    with pytest.raises(ClaimLostError):
        second.check()


def test_assets__install_takes_only_what_is_registered(tmp_path, monkeypatch, asset):
    content = asset("face_detection_back.tflite").read_bytes()
    monkeypatch.setenv("FACEARRAY_CACHE", str(tmp_path))
    monkeypatch.delenv("FACEARRAY_ASSETS", raising=False)
    name = "face_detection_back.tflite"
    assert assets.missing([name]) == [name]
    with pytest.raises(fa.errors.AssetError, match="expected 315332 bytes"):
        assets.install({name: content[:-1]})
    with pytest.raises(InputError, match="unknown asset"):
        assets.install({"../nothing": content})
    assert assets.missing([name]) == [name]
    assets.install({name: content})
    assert assets.missing([name]) == []
    assert assets.path(name).read_bytes() == content
    assert [p.name for p in assets.path(name).parent.iterdir() if not p.name.startswith(".")] == [name]


def test_connect__asks_for_one_cluster():
    from facearray.detection.executors.clusters import connect

    with (
        pytest.raises(InputError, match="found --workers and --scheduler; expected at most one"),
        connect(workers=2, scheduler="tcp://x:1"),
    ):
        pass
    with pytest.raises(InputError, match="found --workers 0"), connect(workers=0):
        pass
    with pytest.raises(InputError, match="found no file nothing"), connect(scheduler_file="nothing.json"):
        pass
    with connect() as client:
        assert client is None


def test_connect__does_something_while_workers_start(monkeypatch):
    from facearray.detection.executors import clusters

    events = []

    @contextmanager
    def started(n_workers):
        events.append(n_workers)
        yield "client"
        events.append("closed")

    monkeypatch.setattr(clusters, "_local", started)
    with clusters.connect(workers=2, meanwhile=lambda: events.append("done")) as client:
        assert (client, sorted(events, key=str)) == ("client", [2, "done"])

    def refuse():
        raise InputError("no such detector")

    with pytest.raises(InputError, match="no such detector"), clusters.connect(workers=2, meanwhile=refuse):
        pytest.fail("what was refused went on")


def test_connect__workers_have_one_thread_and_the_networks_at_hand():
    from facearray.detection.executors.clusters import connect

    def look():
        names = ("OMP_NUM_THREADS", "MALLOC_ARENA_MAX")
        return [os.environ.get(name) for name in names], "torch" in sys.modules

    with connect(workers=1) as client:
        assert client.submit(look).result(60) == (["1", "1"], sys.platform == "linux")


def test_connect__a_scheduler_that_does_not_answer(monkeypatch):
    from facearray.detection.executors import clusters

    monkeypatch.setattr(clusters, "TIMEOUT", 1)
    with (
        pytest.raises(ClusterError, match="no Dask scheduler answers at tcp://127"),
        clusters.connect(scheduler="tcp://127.0.0.1:9"),
    ):
        pass
