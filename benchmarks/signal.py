"""Cleaning of time courses beside the same arithmetic on one array in memory. The last line is one JSON object.

- `ratio`: seconds of `.fex.clean(high_pass=..., low_pass=..., confounds=...)` and `.fex.resample(fps=...)` from a
  store, as a user calls them and takes the result, over those of the same steps with numpy and scipy on one array
  (series, frames) that is in memory, each step one call for all series; at most 1.5. Both have the cores of the
  machine: Dask's threads on one side, what numpy and scipy make of them on the other. Both run in processes of their
  own.
- `peak_mb`: most memory of the process that cleans, of which `import_mb` were there before; below 2000. Results are
  reduced to a sum as they come, and not kept.
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
from pathlib import Path

import numpy as np

import facearray as fa
from facearray.io.store import Layout, Store

#: Frames a second before and after, and cut-offs in Hz.
FPS, NEW_FPS, HIGH_PASS, LOW_PASS = 30.0, 10.0, 0.1, 4.0

POSE = ("Pitch", "Yaw")

CHILD = """
import json, sys, time
from pathlib import Path
from benchmarks import signal
def peak():
    # getrusage would give the peak of the parent, too
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
before = peak()
seconds, result = signal.{function}(Path({path!r}))
print(json.dumps([seconds, result, before, peak()]))
"""


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


def ours(path: Path) -> tuple[float, list[float]]:
    """Seconds from the open store to the last cleaned value, and the sum and sum of squares of all."""
    import time

    start = time.perf_counter()
    values = cleaned(path).features[..., len(POSE) :]
    found = (values.sum(), (values**2).sum(), (values > 1).sum())
    import dask

    sums = dask.compute(*found)
    return time.perf_counter() - start, [float(value) for value in sums]


def saved(path: Path) -> tuple[float, list[float]]:
    """Seconds until the cleaned values are in a new store."""
    import time

    start = time.perf_counter()
    fa.save(cleaned(path), path.with_name("cleaned.zarr"))
    return time.perf_counter() - start, []


def theirs(path: Path) -> tuple[float, list[float]]:
    """The same with numpy and scipy on one array; reading it is not timed."""
    import time

    from scipy import signal, sparse

    ds = fa.open_store(path)
    n_frames = int((ds.frame_number[0] >= 0).sum())
    values = ds.features[:, :n_frames, 0].transpose("video", "feature", "frame").values.astype("f8")
    start = time.perf_counter()
    values = signal.detrend(values, axis=-1)
    sos = signal.butter(4, (HIGH_PASS, LOW_PASS), "bandpass", fs=FPS, output="sos")
    values = signal.sosfiltfilt(sos, values, axis=-1)
    against, values = values[:, : len(POSE)], values[:, len(POSE) :]
    against = against - against.mean(axis=-1, keepdims=True)
    slopes = np.linalg.solve(against @ against.swapaxes(1, 2), against @ values.swapaxes(1, 2))
    values -= slopes.swapaxes(1, 2) @ against
    values -= values.mean(axis=-1, keepdims=True)
    values /= values.std(axis=-1, ddof=1, keepdims=True)
    weights = sparse.csr_array(averages(n_frames))
    new = (weights @ values.reshape(-1, n_frames).T).T.astype("f4")
    spent = time.perf_counter() - start
    return spent, [float(new.sum(dtype="f8")), float((new.astype("f8") ** 2).sum()), float((new > 1).sum())]


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


def measure(function: str, path: Path) -> list[float]:
    """Run one side in a process of its own."""
    code = CHILD.format(function=function, path=str(path))
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if child.returncode:
        raise SystemExit(child.stderr)
    found: list[float] = json.loads(child.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=3, help="times each side is measured, in turn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "videos.zarr"
        make_store(path, options.videos, options.frames, options.features)
        runs = [(measure("ours", path), measure("theirs", path)) for _ in range(options.repeat)]
        (seconds, sums, before, peak), reference = min(r[0] for r in runs), min(r[1] for r in runs)
        np.testing.assert_allclose(sums, reference[1], rtol=1e-3, atol=1)
        save_seconds, _, _, save_peak = measure("saved", path)
    figures = {
        "ratio": round(seconds / reference[0], 3),
        "seconds": round(seconds, 2),
        "in_memory_seconds": round(reference[0], 2),
        "peak_mb": round(peak),
        "import_mb": round(before),
        "in_memory_peak_mb": round(reference[3]),
        "save_seconds": round(save_seconds, 2),
        "save_peak_mb": round(save_peak),
        "videos": options.videos,
        "frames": options.frames,
        "features": options.features,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
