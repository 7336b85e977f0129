"""Seconds that `import facearray` costs over `import xarray`, in fresh interpreters. The last line is one JSON object.

python -m benchmarks.import_time [--repeats 11]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

QUICK = "--repeats 1"
FIGURES = {"difference_seconds": "<= 0.5"}


def main() -> None:
    """Alternate the two imports and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=11)
    repeats = parser.parse_args().repeats
    seconds: dict[str, list[float]] = {"xarray": [], "facearray": []}
    for _ in range(repeats):
        for name, taken in seconds.items():
            taken.append(_import_seconds(name))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    result = {
        "xarray_seconds": round(medians["xarray"], 3),
        "facearray_seconds": round(medians["facearray"], 3),
        "difference_seconds": round(medians["facearray"] - medians["xarray"], 3),
        "repeats": repeats,
    }
    print(json.dumps(result))


def _import_seconds(name: str) -> float:
    code = f"import time; start = time.perf_counter(); import {name}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
