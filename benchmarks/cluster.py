"""What workers gain: a set of short videos with one and with two of them, as the command line runs them.

The videos are parts of the 472-frame sample, cut without encoding them again, and of equal length. `facearray detect
--workers N` detects them with the default detector, each worker with one thread of torch and one of ffmpeg; runs with
one and with two workers alternate. Of each, the fastest run counts, because other programs only ever add time. The last
line is one JSON object:

- `speedup`: seconds with one worker over seconds with two, of the whole command: Python and the cluster started,
  the run planned, networks loaded, the store finished and the cluster stopped;
- `speedup_computing`: the same from the moment at which the run is planned and workers are there to the last answer;
- `overhead`: the part of the workers' time in the latter that is not spent on rows, with two workers: 1 - (seconds in
  row tasks, over all workers) / (workers * seconds). A worker's first task includes loading the networks;
- `overhead_whole`: the same part of the whole command;
- `limit`: the speedup if with two workers no core were ever idle and no work took longer than with one: cores * seconds
  / processor seconds with one worker, all processes counted. What one worker does beside its thread of torch is what
  makes it less than two; `cpu_seconds` says how much more the work takes where cores share caches and clock. Where
  other programs run, seconds are longer than processor seconds, and it says nothing;
- `outside_seconds`: the seconds of the whole command before and after the computing.

    python -m benchmarks.cluster [--videos 40] [--frames 118] [--rounds 2] [--runtime auto]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import imageio_ffmpeg

import facearray as fa
from facearray.detection.parallel import available_cpus

QUICK = "--videos 2 --frames 20 --rounds 1"
FIGURES = {"speedup": ">= 1.667", "overhead": "<= 0.05"}


def cut(video: Path, n_videos: int, n_frames: int, folder: Path) -> list[Path]:
    """Make videos of the first frames of a video; a comment makes each a file of its own."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", "-1", "-i", str(video), "-map", "0:v"]
    made = [folder / f"{number:03}{video.suffix}" for number in range(n_videos)]
    for path in made:
        named = ["-frames:v", str(n_frames), "-c", "copy", "-metadata", f"comment={path.stem}", str(path)]
        subprocess.run([*command, *named], check=True)
    return made


def adopt_orphans() -> None:
    """Become the parent of processes whose own has ended, so that their processor time is counted, too."""
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0):
        raise OSError("processes that outlive their parents cannot be adopted; Linux can do it")


def reap_orphans() -> None:
    """Wait for the processes that the command left, as that which workers are forked from."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


def measure(videos: list[Path], store: Path, workers: int, runtime: str) -> dict[str, float]:
    """Run the command, and say what it took."""
    command = [sys.executable, "-m", "facearray", "detect", *map(str, videos), "-o", str(store), "--runtime", runtime]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Into a file: a pipe is open until the last process that has inherited it ends, after the command has.
    with tempfile.TemporaryFile("w+") as answer:
        started = time.perf_counter()
        subprocess.run([*command, "--workers", str(workers), "--json", "--no-progress"], check=True, stdout=answer)
        seconds = time.perf_counter() - started
        answer.seek(0)
        run = json.load(answer)["run"]
    reap_orphans()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = sum(share["seconds"] for share in run["workers"].values())
    if run["n_done"] != len(videos) or len(run["workers"]) != workers:
        raise RuntimeError(f"found {run['n_done']} videos done by {len(run['workers'])} workers")
    return {
        "workers": workers,
        "seconds": round(seconds, 2),
        "computing_seconds": run["seconds"],
        "outside_seconds": round(seconds - run["seconds"], 2),
        "overhead": run["overhead"],
        "overhead_whole": round(1 - busy / (workers * seconds), 4),
        "frames_per_second": run["frames_per_second"],
        "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Alternate the runs and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--frames", type=int, default=118)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--runtime", default="auto", help="what computes the networks: auto, torch or litert")
    arguments = parser.parse_args()

    adopt_orphans()
    best: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = cut(fa.datasets.sample_video("wolfgang"), arguments.videos, arguments.frames, folder)
        for number in range(arguments.rounds):
            for workers in (1, 2):
                run = measure(videos, folder / f"{number}-{workers}.zarr", workers, arguments.runtime)
                print(json.dumps(run), flush=True)
                if workers not in best or run["seconds"] < best[workers]["seconds"]:
                    best[workers] = run
    one, two = best[1], best[2]
    result = {
        "speedup": round(one["seconds"] / two["seconds"], 3),
        "overhead": two["overhead"],
        "speedup_computing": round(one["computing_seconds"] / two["computing_seconds"], 3),
        "overhead_whole": two["overhead_whole"],
        "limit": round(available_cpus() * one["seconds"] / one["cpu_seconds"], 3),
        **{
            name: {str(workers): run[name] for workers, run in best.items()}
            for name in ("seconds", "computing_seconds", "outside_seconds", "cpu_seconds")
        },
        "runtime": arguments.runtime,
        "videos": arguments.videos,
        "frames": arguments.frames * arguments.videos,
        "cpus": available_cpus(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
