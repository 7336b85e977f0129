"""Speed of reading other tools' files and of writing a store, side by side with pandas and CSV.

Reading: the 20 py-feat files of the good-news data by `facearray.read`, which also converts, labels and checks them,
against `pandas.read_csv` in a loop and `pandas.concat`. Writing: a recording of 20,000 frames by 2,000 features to a
store by `facearray.save`, against `pandas.DataFrame.to_csv`. Both sides alternate in this process, after a first
pass that is not counted. The last line is one JSON object; seconds are medians.

    python -m benchmarks.read [--rounds 9] [--write-rounds 3] [--frames 20000] [--features 2000]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

import facearray as fa
from facearray import assets

QUICK = "--rounds 1 --write-rounds 1 --frames 200 --features 100"
FIGURES = {"read_ratio": ">= 5", "write_ratio": ">= 30"}

#: Data beside the checkout, where there are any; else the files come from where all samples come from.
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def detections() -> list[Path]:
    names = [f"good_bad_news/{number:03}.csv" for number in range(1, 21)]
    shared = [SHARED_DATA / name for name in names]
    return shared if all(path.exists() for path in shared) else [assets.path(name) for name in names]


def recording(n_frames: int, n_features: int, folder: Path) -> tuple[xr.Dataset, pd.DataFrame]:
    """Random measures, as a table of py-feat's form and as the Dataset that it is read as."""
    rng = np.random.default_rng(0)
    values = rng.random((n_frames, n_features), dtype=np.float32)
    table = pd.DataFrame(values, columns=[f"measure_{i}" for i in range(n_features)])
    head = folder / "head.csv"
    table[:1].assign(frame=0).to_csv(head, index=False)
    ds = fa.read(head, source="pyfeat").isel(frame=np.zeros(n_frames, dtype=int))
    ds["features"] = ds["features"].copy(data=values[None, :, None, :])
    ds = ds.assign_coords(frame_number=ds["frame_number"].copy(data=np.arange(n_frames, dtype=np.int32)[None]))
    return ds.assign_coords(n_frames=ds["n_frames"] * n_frames), table


def seconds(functions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of functions that take turns."""
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            taken[name].append(time.perf_counter() - start)
    return {name: round(statistics.median(values), 3) for name, values in taken.items()}


def main() -> None:
    """Measure reading, then writing, and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write-rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=2_000)
    arguments = parser.parse_args()

    paths = detections()
    readers = {
        "facearray": lambda: fa.read(paths),
        "pandas": lambda: pd.concat([pd.read_csv(path) for path in paths]),
    }
    seconds(readers, 1)
    reading = seconds(readers, arguments.rounds)
    print({"read_seconds": reading}, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ds, table = recording(arguments.frames, arguments.features, folder)
        csv, stores = folder / "s.csv", [str(folder / f"{i}.zarr") for i in range(arguments.write_rounds)]
        fa.save(ds.isel(frame=slice(2000)), folder / "first.zarr")
        left = iter(stores)
        writers = {"store": lambda: fa.save(ds, next(left)), "csv": lambda: table.to_csv(csv, index=False)}
        writing = seconds(writers, arguments.write_rounds)
        store = stores[-1]
        np.testing.assert_array_equal(fa.open_store(store)["features"].values[0, :, 0], table.to_numpy())
        size = sum(path.stat().st_size for path in Path(store).rglob("*") if path.is_file())
        bytes_on_disk = {"store": size, "csv": csv.stat().st_size}
    result = {
        "files": len(paths),
        "read_seconds": reading,
        "read_ratio": round(reading["pandas"] / reading["facearray"], 1),
        "rounds": arguments.rounds,
        "frames": arguments.frames,
        "features": arguments.features,
        "write_seconds": writing,
        "write_ratio": round(writing["csv"] / writing["store"], 1),
        "write_rounds": arguments.write_rounds,
        "bytes": bytes_on_disk,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
