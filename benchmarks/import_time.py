"""Seconds that ``import facearray`` costs over ``import xarray``, in fresh interpreters."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

REPEATS = 11


def main() -> None:
    """Alternate the two imports and print the medians."""
    seconds: dict[str, list[float]] = {"xarray": [], "facearray": []}
    for _ in range(REPEATS):
        for name, taken in seconds.items():
            taken.append(_import_seconds(name))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    result = {
        "xarray_seconds": round(medians["xarray"], 3),
        "facearray_seconds": round(medians["facearray"], 3),
        "difference_seconds": round(medians["facearray"] - medians["xarray"], 3),
        "repeats": REPEATS,
    }
    print(json.dumps(result))


def _import_seconds(name: str) -> float:
    code = f"import time; start = time.perf_counter(); import {name}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
