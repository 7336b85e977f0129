"""Ratios that stay the same on any machine, with bounds so wide that only a real loss of speed breaks them.

Both sides of a ratio run in turn in this process, in seconds of the processor, of which the fewest count: other
programs add to them and never take away. Where a ratio is out of bounds the measurement is repeated, up to three times.
Bounds are about three times what is found; the bars to reach are those of the benchmarks at their full sizes. Ends
with 1 if a ratio stays out of its bounds.

- `isc_ratio`: `.fex.isc` of 400 videos of 500 frames, over `numpy.corrcoef`;
- `isc_missing_ratio`: the same with missing values, over the same `numpy.corrcoef`;
- `isc_many_ratio`: `.fex.isc` of 10 features in one call, over ten times one;
- `regress_ratio`: `.fex.regress` of 100 features of 4,000 videos on 10 regressors, over `numpy.linalg.lstsq`;
- `permutation_speedup`: a permutation of scikit-learn's `permutation_test_score`, over one of `.fex.decode`;
- `read_ratio`: `pandas.read_csv` of 10 tables of 1,000 columns in a loop, and `pandas.concat`, over `facearray.read`.

    python -m benchmarks.gate
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import facearray as fa
from benchmarks._suite import meets
from benchmarks.isc import recordings
from benchmarks.stats import decoded, study

QUICK = ""
FIGURES = {
    "isc_ratio": "<= 15",
    "isc_missing_ratio": "<= 30",
    "isc_many_ratio": "<= 1.5",
    "regress_ratio": "<= 8",
    "permutation_speedup": ">= 8",
    "read_ratio": ">= 1",
}

TRIES, ROUNDS = 3, 3

Action = Callable[[], object]


def fewest_seconds(*actions: Action) -> list[float]:
    """Processor seconds of actions that take turns, after a first call of each: the fewest of each."""
    taken: list[list[float]] = [[] for _ in actions]
    for number in range(ROUNDS + 1):
        for times, action in zip(taken, actions, strict=True):
            start = time.process_time()
            action()
            if number:
                times.append(time.process_time() - start)
    return [min(times) for times in taken]


def isc() -> Callable[[], dict[str, float]]:
    """Correlate all pairs."""
    whole, gaps = recordings(400, 500, 10), recordings(400, 500, complete=False)
    values = whole["features"].values[:, :, 0, 0].astype("f8")
    actions = [
        lambda: np.corrcoef(values),
        lambda: whole.fex.isc("f0"),
        lambda: gaps.fex.isc("f0"),
        lambda: whole.fex.isc(whole.feature.values),
    ]

    def measure() -> dict[str, float]:
        reference, one, missing, many = fewest_seconds(*actions)
        return {
            "isc_ratio": one / reference,
            "isc_missing_ratio": missing / reference,
            "isc_many_ratio": many / (10 * one),
        }

    return measure


def regress() -> Callable[[], dict[str, float]]:
    """Regress many features at once."""
    ds, names, X, Y = study(1, 4000)
    features = ds.feature.values.tolist()

    def measure() -> dict[str, float]:
        solve, call = fewest_seconds(lambda: np.linalg.lstsq(X, Y, rcond=None), lambda: ds.fex.regress(names, features))
        return {"regress_ratio": call / solve}

    return measure


def permutations() -> Callable[[], dict[str, float]]:
    """Permute the labels of a decoding."""
    n_shared, n_anew = 200, 5
    shared, anew = decoded(20, n_shared, n_anew)

    def measure() -> dict[str, float]:
        ours, theirs = fewest_seconds(shared, anew)
        return {"permutation_speedup": theirs / (n_anew + 1) * (n_shared + 1) / ours}

    return measure


def read(folder: Path) -> Callable[[], dict[str, float]]:
    """Read tables as py-feat writes them."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{number:02}.csv" for number in range(10)]
    for path in paths:
        columns = [f"measure_{number:03}" for number in range(999)]
        table = pd.DataFrame(rng.random((24, 999)), columns=columns)
        table.assign(frame=range(24)).to_csv(path, index=False)

    def measure() -> dict[str, float]:
        ours, theirs = fewest_seconds(
            lambda: fa.read(paths, source="pyfeat"), lambda: pd.concat([pd.read_csv(path) for path in paths])
        )
        return {"read_ratio": theirs / ours}

    return measure


def within(figures: dict[str, float]) -> bool:
    """Whether all figures are in their bounds."""
    return all(meets(value, FIGURES[name]) for name, value in figures.items())


def main() -> int:
    """Measure, and again what is out of bounds, and print."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for measure in (isc(), regress(), permutations(), read(Path(folder))):
            for _ in range(TRIES):
                figures = measure()
                if within(figures):
                    break
            found |= figures
    for name, value in found.items():
        if not meets(value, FIGURES[name]):
            print(f"{name}: found {value:.2f}; expected {FIGURES[name]}", file=sys.stderr)
    print(json.dumps({name: round(value, 2) for name, value in found.items()}))
    return 0 if within(found) else 1


if __name__ == "__main__":
    sys.exit(main())
