"""Cluster permutation tests of MNE-Python, as what those of facearray are compared with.

Run in an environment of its own, and keep what it writes beside it:

    python -m venv /tmp/mne && /tmp/mne/bin/pip install mne
    /tmp/mne/bin/python tests/reference/mne_clusters.py

Of two groups, MNE compares clusters of a two-sided test with the largest positive mass of each permutation (its usual
statistic, F, has no sign), so that p is taken from one-sided tests.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mne
import numpy as np
from mne.stats import (
    combine_adjacency,
    permutation_cluster_1samp_test,
    permutation_cluster_test,
    ttest_ind_no_p,
)
from scipy.sparse import coo_array
from scipy.stats import t as student

N_TIMES, N_FEATURES, N_PERMUTATIONS = 20, 3, 5000

#: Features that are neighbours, besides times.
NEIGHBOURS = {"none": [], "first two": [[0, 1]]}


def courses(n: int, seed: int) -> np.ndarray:
    """Autoregressive courses (unit, time, feature) with an effect in the middle of the first two features."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, N_TIMES, N_FEATURES))
    for i in range(1, N_TIMES):
        noise[:, i] += 0.5 * noise[:, i - 1]
    noise[:, 6:12, 0] += 0.9
    noise[:, 9:14, 1] -= 0.8
    return np.round(noise, 3)


def adjacency(pairs: list[list[int]]) -> Any:
    """Neighbours in time, and among features."""
    features = np.zeros((N_FEATURES, N_FEATURES))
    for a, b in pairs:
        features[a, b] = features[b, a] = 1
    return combine_adjacency(N_TIMES, coo_array(features))


def clusters(found: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Points, mass and p of each cluster."""
    t, masks, p, _ = found
    return [
        {"points": np.argwhere(mask).tolist(), "mass": float(t[mask].sum()), "p": float(value)}
        for mask, value in zip(masks, p, strict=True)
    ]


def main() -> None:
    """Compute and write."""
    one, first, second = courses(10, 0), courses(8, 1), np.round(courses(7, 2) * 0.3 + courses(7, 3) * 0.7, 3)
    first[:, 3:9, 2] += 1.5
    saved: dict[str, Any] = {"version": mne.__version__, "one": one.tolist(), "n_permutations": N_PERMUTATIONS}
    saved |= {"first": first.tolist(), "second": second.tolist(), "neighbours": NEIGHBOURS}
    options = {"tail": 0, "out_type": "mask", "verbose": "error", "rng": 1}
    for name, pairs in NEIGHBOURS.items():
        options["adjacency"] = adjacency(pairs)
        found = permutation_cluster_1samp_test(
            one, threshold=float(student.ppf(0.975, 9)), n_permutations="all", **options
        )
        saved[f"one sample, {name}"] = clusters(found)
        for equal_var in (True, False):

            def statistic(*groups: np.ndarray, equal_var: bool = equal_var) -> np.ndarray:
                return ttest_ind_no_p(*groups, equal_var=equal_var)

            for tail, draws in ((0, 1), (1, N_PERMUTATIONS)):
                found = permutation_cluster_test(
                    [first, second],
                    threshold=float(student.ppf(0.975, 13)),
                    n_permutations=draws,
                    stat_fun=statistic,
                    **(options | {"tail": tail}),
                )
                side = "greater" if tail else "both sides"
                saved[f"two samples, {'Student' if equal_var else 'Welch'}, {name}, {side}"] = clusters(found)
    Path(__file__).with_suffix(".json").write_text(json.dumps(saved), encoding="utf-8")


if __name__ == "__main__":
    main()
