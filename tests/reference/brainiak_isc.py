"""Inter-subject correlations of BrainIAK 0.12, as what those of facearray are compared with.

Run in an environment of its own, and keep what it writes beside it:

    python -m venv /tmp/brainiak && /tmp/brainiak/bin/pip install brainiak==0.12
    /tmp/brainiak/bin/python tests/reference/brainiak_isc.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from brainiak.isc import isc, isfc, phaseshift_isc, timeshift_isc

N_TIMES, N_FEATURES, N_SUBJECTS, N_DRAWS = 120, 2, 8, 4000
QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95]


def courses() -> np.ndarray:
    """Autoregressive courses (time, feature, subject) with a part that all subjects share, z-scored."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(N_TIMES, N_FEATURES, N_SUBJECTS)) + 0.5 * rng.normal(size=(N_TIMES, N_FEATURES, 1))
    values = np.zeros_like(noise)
    for t in range(N_TIMES):
        values[t] = 0.7 * values[t - 1] * (t > 0) + noise[t]
    values = np.round(values, 3)
    return (values - values.mean(axis=0)) / values.std(axis=0)


def main() -> None:
    """Compute and write."""
    data = courses()
    found = {
        "data": data.tolist(),
        "pairwise": isc(data, pairwise=True).tolist(),
        "leave_one_out": isc(data, pairwise=False).tolist(),
        "isfc_leave_one_out": isfc(data, pairwise=False, vectorize_isfcs=False).tolist(),
        "isfc_pairwise": isfc(data, pairwise=True, vectorize_isfcs=False).tolist(),
        "quantiles": QUANTILES,
    }
    for name, draw in (("phase", phaseshift_isc), ("circular_shift", timeshift_isc)):
        for pairwise in (True, False):
            _, _, draws = draw(data, pairwise=pairwise, summary_statistic="mean", n_shifts=N_DRAWS, random_state=1)
            join = "pairwise" if pairwise else "leave_one_out"
            found[f"{name}_{join}"] = np.quantile(draws[:, 0], QUANTILES).tolist()
    Path(__file__).with_suffix(".json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
