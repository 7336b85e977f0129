"""Peak memory of detection, decode to store, for a short and a long video of the same content.

Each length runs in a process of its own: the 472-frame sample, looped by ffmpeg. The last line is one JSON object;
`growth` is the peak of the longest over that of the shortest.

    python -m benchmarks.memory [--frames 4000 40000] [--video FILE] [--embedding] [--max-faces 1]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import imageio_ffmpeg
import psutil

import facearray as fa

QUICK = "--frames 20 40"
FIGURES = {"growth": "<= 1.1", "peak_mb": "<= 1500"}


def loop(video: Path, n_frames: int, folder: Path) -> Path:
    """Repeat a video without encoding it again, up to a number of frames."""
    looped = folder / f"{n_frames}{video.suffix}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", "-1", "-i", str(video), "-map", "0:v"]
    subprocess.run([*command, "-frames:v", str(n_frames), "-c", "copy", str(looped)], check=True)
    return looped


def measure(video: Path, store: Path, *, embedding: bool, max_faces: int) -> dict[str, float]:
    """Detect in this process and say what it took."""
    with watched_children() as peak:
        ds = fa.detect(video, store, embedding=embedding, max_faces=max_faces, progress=False)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"frames": int(ds["n_frames"].sum()), "peak_mb": own, "ffmpeg_peak_mb": max(peak) / 2**20}


@contextmanager
def watched_children() -> Iterator[list[int]]:
    """Note what the processes that this one starts take, in bytes.

    The system's own maximum for children counts what this process had when it started them.
    """
    taken, end = [0], threading.Event()

    def watch() -> None:
        while not end.wait(0.05):
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    taken.append(child.memory_info().rss if "ffmpeg" in child.name() else 0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield taken
    finally:
        end.set()
        watcher.join()


def measure_alone(video: Path, store: Path, *, embedding: bool, max_faces: int = 1) -> dict[str, float]:
    """Measure in a process of its own, in which nothing else has left memory."""
    command = [sys.executable, "-m", "benchmarks.memory", "--measure", video, store, "--max-faces", str(max_faces)]
    command += ["--embedding"] if embedding else []
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure each length and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs="+", default=[4000, 40000])
    parser.add_argument("--video", type=Path, default=None)
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--max-faces", type=int, default=1)
    parser.add_argument("--measure", nargs=2, type=Path, metavar=("VIDEO", "STORE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(*arguments.measure, embedding=arguments.embedding, max_faces=arguments.max_faces)))
        return
    results = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n_frames in sorted(arguments.frames):
            video = loop(arguments.video or fa.datasets.sample_video("wolfgang"), n_frames, folder)
            options = {"embedding": arguments.embedding, "max_faces": arguments.max_faces}
            results.append(measure_alone(video, folder / f"{n_frames}.zarr", **options))
            print(results[-1], flush=True)
    peaks = [result["peak_mb"] for result in results]
    print(json.dumps({"runs": results, "growth": round(peaks[-1] / peaks[0], 4), "peak_mb": round(max(peaks), 1)}))


if __name__ == "__main__":
    main()
