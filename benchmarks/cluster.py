"""What workers gain: a set of short videos with one and with two of them, as the command line runs them.

The videos are parts of the 472-frame sample, cut without encoding them again, and of equal length. `facearray detect
--workers N` detects them with the default detector, each worker with one thread of torch and one of ffmpeg; runs with
one and with two workers alternate. The clock covers the whole command: start of the processes, networks loaded, store
finished. The last line is one JSON object:

- `speedup`: seconds with one worker over seconds with two, of the fastest run each, because other programs only ever
  add time;
- `overhead`: the part of the workers' time that is not spent on rows, from the first submission to the last answer, of
  the fastest run with two workers: 1 - (seconds in row tasks, over all workers) / (workers * seconds). A worker's first
  task includes loading the networks.

`cpu_seconds` are those of all processes of the fastest runs; that with two workers they are more shows what the cores
share.

    python -m benchmarks.cluster [--videos 40] [--frames 118] [--rounds 2]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

import facearray as fa
from facearray.detection.parallel import available_cpus


def cut(video: Path, n_videos: int, n_frames: int, folder: Path) -> list[Path]:
    """Make videos of the first frames of a video; a comment makes each a file of its own."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", "-1", "-i", str(video), "-map", "0:v"]
    made = [folder / f"{number:03}{video.suffix}" for number in range(n_videos)]
    for path in made:
        named = ["-frames:v", str(n_frames), "-c", "copy", "-metadata", f"comment={path.stem}", str(path)]
        subprocess.run([*command, *named], check=True)
    return made


def measure(videos: list[Path], store: Path, workers: int) -> dict[str, float]:
    """Run the command, and say what it took."""
    command = [sys.executable, "-m", "facearray", "detect", *map(str, videos), "-o", str(store)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--workers", str(workers), "--json", "--no-progress"], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = json.loads(done.stdout)["run"]
    if run["n_done"] != len(videos) or len(run["workers"]) != workers:
        raise RuntimeError(f"found {run['n_done']} videos done by {len(run['workers'])} workers")
    return {
        "workers": workers,
        "seconds": round(seconds, 2),
        "computing_seconds": run["seconds"],
        "overhead": run["overhead"],
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
    arguments = parser.parse_args()

    best: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = cut(fa.datasets.sample_video("wolfgang"), arguments.videos, arguments.frames, folder)
        for number in range(arguments.rounds):
            for workers in (1, 2):
                run = measure(videos, folder / f"{number}-{workers}.zarr", workers)
                print(json.dumps(run), flush=True)
                if workers not in best or run["seconds"] < best[workers]["seconds"]:
                    best[workers] = run
    result = {
        "speedup": round(best[1]["seconds"] / best[2]["seconds"], 3),
        "overhead": best[2]["overhead"],
        "computing_speedup": round(best[1]["computing_seconds"] / best[2]["computing_seconds"], 3),
        "seconds": {str(workers): run["seconds"] for workers, run in best.items()},
        "cpu_seconds": {str(workers): run["cpu_seconds"] for workers, run in best.items()},
        "videos": arguments.videos,
        "frames": arguments.frames * arguments.videos,
        "cpus": available_cpus(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
