"""Correlation of time courses beside what it is measured against, in the same run. The last line is one JSON object.

- `isc_ratio`: seconds of `.fex.isc` of one feature of 2,000 videos of 1,000 frames, from the Dataset to r and n of all
  pairs, over those of `numpy.corrcoef` of the same values as float64; at most 2.
- `isc_missing_ratio`: the same with videos of 500 to 1,000 frames of which 20 % miss a value, over the same
  `numpy.corrcoef` of complete values; at most 6.
- `isc_many_ratio`: seconds of 20 features in one call, over twenty times those of one; at most 1.2.
- `null_speedup`: BrainIAK's seconds for a draw of a null of all pairs of 20 videos of 300 frames, over those of a draw
  here (a call of `.fex.isc` with 2,000 draws); the smaller of phases and shifts; at least 10. BrainIAK runs in an
  environment of its own in `build/peers`, which is made once; null where it cannot be installed.
- `peak_mb`: peak memory of a process that sums up r and n of all pairs of 20,000 videos of 500 frames with gaps in a
  store, which are `matrix_mb` in all.

    python -m benchmarks.isc [--only KEY ...] [--rounds 5] [--videos 20000]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

import facearray as fa  # noqa: F401 (registers the accessor)
from benchmarks._peers import BRAINIAK

QUICK = "--only isc_ratio isc_many_ratio null_speedup --rounds 1"
FIGURES = {
    "isc_ratio": "<= 2",
    "isc_missing_ratio": "<= 6",
    "isc_many_ratio": "<= 1.2",
    "null_speedup": ">= 10",
    "peak_mb": "",
}

Figures = dict[str, float | None]

N_DRAWS = 2000

#: What BrainIAK does, for the data in a file: milliseconds a draw of each null.
PEER_SCRIPT = """
import json, sys, time
import numpy as np
from brainiak.isc import phaseshift_isc, timeshift_isc
data = np.load(sys.argv[1])
found = {}
for name, draw in (("phase", phaseshift_isc), ("circular_shift", timeshift_isc)):
    draw(data, pairwise=True, n_shifts=20, random_state=0)
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        draw(data, pairwise=True, n_shifts=200, random_state=0)
        taken.append((time.perf_counter() - start) / 200 * 1000)
    found[name] = min(taken)
print(json.dumps(found))
"""


def seconds(action: Callable[[], object]) -> float:
    """Time an action."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turn(actions: list[Callable[[], object]], rounds: int) -> list[float]:
    """Time actions in turn, so that what else the machine does meets all of them; the median of each."""
    for action in actions:
        action()
    times = [[seconds(action) for action in actions] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def recordings(n_videos: int, n_frames: int, n_features: int = 1, *, complete: bool = True) -> xr.Dataset:
    """Make random time courses; if not complete, of half to all frames, of which a fifth misses a value."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n_videos, n_frames, 1, n_features)).astype("f4")
    number = np.tile(np.arange(n_frames, dtype="i4"), (n_videos, 1))
    if not complete:
        number[np.arange(n_frames) >= rng.integers(n_frames // 2, n_frames + 1, n_videos)[:, None]] = -1
        values[(rng.random(number.shape) < 0.2) | (number < 0)] = np.nan
    return xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values)},
        coords={
            "video": [f"{i:05}" for i in range(n_videos)],
            "feature": [f"f{i}" for i in range(n_features)],
            "frame_number": (("video", "frame"), number),
            "timestamp": (("video", "frame"), np.where(number < 0, np.nan, number / 25)),
            "n_frames": ("video", (number >= 0).sum(axis=1).astype("i4")),
        },
    )


def isc_ratio(rounds: int) -> Figures:
    """Correlate all pairs, with and without missing values."""
    whole, gaps = recordings(2000, 1000), recordings(2000, 1000, complete=False)
    values = whole["features"].values[:, :, 0, 0].astype("f8")
    np.testing.assert_allclose(whole.fex.isc("f0").r, np.corrcoef(values), atol=1e-12)
    reference, complete, missing = in_turn(
        [lambda: np.corrcoef(values), lambda: whole.fex.isc("f0"), lambda: gaps.fex.isc("f0")], rounds
    )
    return {
        "corrcoef_seconds": round(reference, 3),
        "isc_seconds": round(complete, 3),
        "isc_missing_seconds": round(missing, 3),
        "isc_ratio": round(complete / reference, 3),
        "isc_missing_ratio": round(missing / reference, 3),
    }


def isc_many_ratio(rounds: int) -> Figures:
    """Correlate 20 features in one call."""
    ds = recordings(2000, 1000, 20)
    one, all_of_them = in_turn([lambda: ds.fex.isc("f7"), lambda: ds.fex.isc(ds.feature.values)], max(1, rounds // 2))
    return {
        "isc_one_of_many_seconds": round(one, 3),
        "isc_many_seconds": round(all_of_them, 3),
        "isc_many_ratio": round(all_of_them / (20 * one), 3),
    }


def null_speedup(rounds: int) -> Figures:
    """Draw from nulls."""
    ds = recordings(20, 300)
    figures: Figures = {}
    for null in ("phase", "circular_shift"):

        def draw(null: str = null) -> object:
            return ds.fex.isc("f0", null=null, n_draws=N_DRAWS)

        draw()
        figures[f"{null}_ms_a_draw"] = round(min(seconds(draw) for _ in range(rounds)) / N_DRAWS * 1000, 4)
    if not BRAINIAK.ready():
        return figures | {"null_speedup": None}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npy"
        np.save(data, ds["features"].values[:, :, 0, 0].T[:, None].astype("f8"))
        theirs = json.loads(BRAINIAK.run(PEER_SCRIPT, data))
    speedups = {null: theirs[null] / figures[f"{null}_ms_a_draw"] for null in theirs}
    return (
        figures
        | {f"brainiak_{null}_ms_a_draw": round(ms, 4) for null, ms in theirs.items()}
        | {"null_speedup": round(min(speedups.values()), 1)}
    )


def write_store(path: Path, n_videos: int, n_frames: int) -> None:
    """Write recordings with gaps, some hundred videos at a time."""
    step = 500
    for start in range(0, n_videos, step):
        part = recordings(min(step, n_videos - start), n_frames, complete=False)
        labels = np.array([f"{start + i:05}" for i in range(part.sizes["video"])], dtype=np.dtypes.StringDType())
        part = part.assign_coords(video=labels, feature=part["feature"].astype(np.dtypes.StringDType()))
        if start:
            part.drop_vars("feature").to_zarr(path, append_dim="video", consolidated=False)
        else:
            part.to_zarr(path, consolidated=False)


def sum_up(path: Path) -> Figures:
    """Sum up r and n of all pairs in this process, and say what it took."""
    ds = xr.open_zarr(path, chunks=None, consolidated=False)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    found = ds.fex.isc("f0")
    assert found.r.chunks is not None
    total = xr.Dataset({"r": found.r.sum(), "n": found.n.sum(dtype="i8")}).compute()
    assert int(total.n) > 0
    assert np.isfinite(float(total.r))
    return {
        "out_of_core_seconds": round(time.perf_counter() - start, 1),
        "before_mb": round(before),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "matrix_mb": round(found.r.nbytes / 2**20 + found.n.nbytes / 2**20),
    }


def peak_mb(n_videos: int) -> Figures:
    """Measure in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recordings.zarr"
        write_store(path, n_videos, 500)
        command = [sys.executable, "-m", "benchmarks.isc", "--sum-up", path]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print."""
    keys = ["isc_ratio", "isc_many_ratio", "null_speedup", "peak_mb"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=keys, default=keys, help="what to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--videos", type=int, default=20_000)
    parser.add_argument("--sum-up", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.sum_up:
        print(json.dumps(sum_up(arguments.sum_up)))
        return
    measure: dict[str, Callable[[], Figures]] = {
        "isc_ratio": lambda: isc_ratio(arguments.rounds),
        "isc_many_ratio": lambda: isc_many_ratio(arguments.rounds),
        "null_speedup": lambda: null_speedup(arguments.rounds),
        "peak_mb": lambda: peak_mb(arguments.videos),
    }
    figures: Figures = {}
    for key in arguments.only:
        figures |= measure[key]()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
