"""Cleaning of time courses beside the same arithmetic on one array in memory. The last line is one JSON object.

- `ratio`: seconds of `.fex.clean(high_pass=..., low_pass=..., confounds=...)` and `.fex.resample(fps=...)` from a
  store, as a user calls them and takes the result, over those of the same steps with numpy and scipy on one array
  (series, frames) that is in memory, each step one call for all series; at most 1.5. Both have the cores of the
  machine: Dask's threads on one side, what numpy and scipy make of them on the other. Both run in processes of their
  own, and have to give the same numbers. The array takes some 18 GB for all videos: it has a part of them, and its time
  is multiplied.
- `cpu_ratio`: the same of the seconds of all threads, which other work on the machine changes less.
- `peak_mb`: most memory of the process that cleans, of which `import_mb` were there before; below 2000. Results are
  reduced to sums as they come, and not kept.
- `save_seconds`, `save_peak_mb`: the same, but written into a new store.

The store takes 4 bytes a value, 0.8 GB with the defaults, in a temporary folder that is removed.

    python -m benchmarks.signal [--videos 1000] [--frames 2000] [--features 100]
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dask
import numpy as np
from scipy import signal, sparse

import facearray as fa
from facearray.io.store import Layout, Store

QUICK = "--videos 4 --frames 300 --features 10 --repeat 1"
FIGURES = {"ratio": "<= 1.5", "peak_mb": "<= 2000"}

#: Frames a second before and after, and cut-offs in Hz.
FPS, NEW_FPS, HIGH_PASS, LOW_PASS = 30.0, 10.0, 0.1, 4.0

POSE = ("Pitch", "Yaw")

CHILD = """
import json, time
from pathlib import Path
from benchmarks import signal
def peak():
    # getrusage would give the peak of the parent, too
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
before = peak()
action = signal.{function}(Path({path!r}), {n_videos})
wall, cpu = time.perf_counter(), time.process_time()
result = action()
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
print(json.dumps(dict(wall=wall, cpu=cpu, before=before, peak=peak(), sums=signal.described(result))))
"""


@dataclass(frozen=True)
class Run:
    """What a process took, and the sums of the cleaned values of each video, and of their squares."""

    wall: float
    cpu: float
    before: float
    peak: float
    sums: list[list[float]]


def make_store(path: Path, n_videos: int, n_frames: int, n_features: int) -> None:
    """Write random walks of faces that turn."""
    names = (*POSE, *(f"feature {i:03}" for i in range(n_features - len(POSE))))
    layout = Layout(detector="made up", detector_version="1", features=names, n_landmarks=None, n_components=None)
    capacity = -(-n_frames // 1024) * 1024
    store = Store.create(path, layout, [(f"{i:05}", "made up") for i in range(n_videos)], capacity)
    rng = np.random.default_rng(0)
    # a walk that videos share parts of, because drawing it takes longer than writing it
    walk = np.cumsum(rng.normal(scale=0.02, size=(3 * n_frames, 1, n_features)), axis=0).astype("f4")
    for row in range(n_videos):
        start = int(rng.integers(2 * n_frames))
        with store.row(row) as writer:
            writer.write(
                frame_number=np.arange(n_frames, dtype="i4"),
                timestamp=np.arange(n_frames) / FPS,
                n_faces_found=np.ones(n_frames, "i2"),
                track_id=np.zeros((n_frames, 1), "i4"),
                features=walk[start : start + n_frames],
            )


def cleaned(path: Path) -> object:
    """Clean and resample lazily."""
    ds = fa.open_store(path)
    clean = ds.fex.clean(high_pass=HIGH_PASS, low_pass=LOW_PASS, confounds=list(POSE))
    return clean.fex.resample(fps=NEW_FPS)


def ours(path: Path, n_videos: int) -> Callable[[], object]:
    """Clean, resample and sum, from the store."""

    def action() -> object:
        values = cleaned(path).features[:n_videos, ..., len(POSE) :]
        dims = ("frame", "face", "feature")
        return dask.compute(values.sum(dims, dtype="f8").data, (values**2).sum(dims, dtype="f8").data)

    return action


def saved(path: Path, n_videos: int) -> Callable[[], object]:
    """Clean, resample and write a new store."""

    def action() -> object:
        fa.save(cleaned(path).isel(video=slice(n_videos)), path.with_name("cleaned.zarr"))
        return [], []

    return action


def theirs(path: Path, n_videos: int) -> Callable[[], object]:
    """Do the same with numpy and scipy on one array; reading it is not timed."""
    ds = fa.open_store(path)
    n_frames = int((ds.frame_number[0] >= 0).sum())
    part = ds.features[:n_videos, :n_frames, 0].transpose("video", "feature", "frame")
    values = np.ascontiguousarray(part.values, dtype="f8")
    weights = sparse.csr_array(averages(n_frames))

    def action() -> object:
        trend = signal.detrend(values, axis=-1)
        sos = signal.butter(4, (HIGH_PASS, LOW_PASS), "bandpass", fs=FPS, output="sos")
        filtered = signal.sosfiltfilt(sos, trend, axis=-1)
        against, others = filtered[:, : len(POSE)], filtered[:, len(POSE) :]
        against = against - against.mean(axis=-1, keepdims=True)
        slopes = np.linalg.solve(against @ against.swapaxes(1, 2), against @ others.swapaxes(1, 2))
        others -= slopes.swapaxes(1, 2) @ against
        others -= others.mean(axis=-1, keepdims=True)
        others /= others.std(axis=-1, ddof=1, keepdims=True)
        new = (weights @ others.reshape(-1, n_frames).T).T.astype("f4").reshape(len(others), -1)
        return new.sum(axis=1, dtype="f8"), (new**2).sum(axis=1, dtype="f8")

    return action


def described(result: tuple[np.ndarray, np.ndarray]) -> list[list[float]]:
    """Numbers as JSON takes them."""
    return [list(map(float, part)) for part in result]


def averages(n_frames: int) -> np.ndarray:
    """Weights (n_new, n_frame) of triangular averages of the lines between frames, by Simpson's rule on fine pieces."""
    times = np.arange(n_frames) / FPS
    at = np.arange(int(np.floor(times[-1] * NEW_FPS + 1e-6)) + 1) / NEW_FPS
    weights = np.zeros((len(at), n_frames))
    for row, t in zip(weights, at, strict=True):
        h = min(1 / NEW_FPS, t, times[-1] - t)
        inner = times[(times > t - h) & (times < t + h)]
        knots = np.unique(np.concatenate([[t - h, t, t + h], inner]).round(12))
        for a, b in itertools.pairwise(knots):
            for s, share in ((a, 1 / 6), ((a + b) / 2, 4 / 6), (b, 1 / 6)):
                position = min(s * FPS, n_frames - 1)
                left = min(int(position + 1e-9), n_frames - 2)
                mass = share * (b - a) * (1 - abs(s - t) / h)
                row[left] += mass * (1 - (position - left))
                row[left + 1] += mass * (position - left)
        if h < 1e-9:
            row[round(t * FPS)] = 1
    return weights / weights.sum(axis=1, keepdims=True)


def measure(function: str, path: Path, n_videos: int) -> Run:
    """Run one side in a process of its own."""
    code = CHILD.format(function=function, path=str(path), n_videos=n_videos)
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if child.returncode:
        raise SystemExit(child.stderr)
    return Run(**json.loads(child.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--in-memory-videos", type=int, default=200, help="videos of the array in memory")
    parser.add_argument("--repeat", type=int, default=2, help="times each side is measured, in turn")
    options = parser.parse_args()
    n_array = min(options.videos, options.in_memory_videos)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "videos.zarr"
        make_store(path, options.videos, options.frames, options.features)
        pairs = [
            (measure("ours", path, options.videos), measure("theirs", path, n_array)) for _ in range(options.repeat)
        ]
        store, array = (min(runs, key=lambda run: run.wall) for runs in zip(*pairs, strict=True))
        for found, wanted in zip(store.sums, array.sums, strict=True):
            np.testing.assert_allclose(found[:n_array], wanted, rtol=1e-3, atol=0.5)
        written = measure("saved", path, options.videos)
    times = options.videos / n_array
    figures = {
        "ratio": round(store.wall / (array.wall * times), 3),
        "cpu_ratio": round(store.cpu / (array.cpu * times), 3),
        "seconds": round(store.wall, 2),
        "cpu_seconds": round(store.cpu, 2),
        "in_memory_seconds": round(array.wall * times, 2),
        "in_memory_cpu_seconds": round(array.cpu * times, 2),
        "peak_mb": round(store.peak),
        "import_mb": round(store.before),
        "in_memory_peak_mb": round(array.peak),
        "in_memory_videos": n_array,
        "save_seconds": round(written.wall, 2),
        "save_peak_mb": round(written.peak),
        "videos": options.videos,
        "frames": options.frames,
        "features": options.features,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
