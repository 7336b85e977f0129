"""False-positive rates of every p value of synchrony, on dyads of AR(1) series without anything in common.

The test uses few studies; the slow one, and ``make calibrate``, which prints the table of docs/signal_analysis.md, two
thousand dyads.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr
from time_courses import ar1, videos

from facearray.signal import synchrony

RHOS = (0.0, 0.5, 0.9)

#: At 10 values a second: 60 s in windows of 5 s.
N_FRAMES = 600
WINDOW = {"window": 5.0, "max_lag": 0.8}

DESIGNS = {
    "segment_shuffle": {"null": "segment_shuffle", **WINDOW},
    "segment_shuffle, greater": {"null": "segment_shuffle", "alternative": "greater", **WINDOW},
    "circular_shift": {"null": "circular_shift", "window": 2.0, "step": 1.0, "max_lag": 0.5},
    "pseudo_dyads": {"null": "pseudo_dyads", "window": 5.0, "max_lag": 0.3},
    "coherence, segment_shuffle": {"null": "segment_shuffle", "method": "coherence", "window": 5.0},
}

#: In one study.
N_DYADS = {"pseudo_dyads": 20}


def studies(n_studies: int, n_dyads: int, rho: float, shared: float, seed: int) -> Iterator[xr.Dataset]:
    """Make studies of dyads whose second member follows the first after 0.3 s for a part of the variance."""
    rng = np.random.default_rng([seed, round(100 * rho), n_dyads])
    for _ in range(n_studies):
        a, b = (ar1(rng, (n_dyads, N_FRAMES + 3), rho) for _ in range(2))
        b = np.sqrt(1 - shared) * b[:, 3:] + np.sqrt(shared) * a[:, :-3]
        yield videos(np.stack([a[:, 3:], b], axis=2)[..., None], fps=10)


def rates(name: str, n_studies: int, rho: float, shared: float = 0.0, seed: int = 0) -> dict[str, float]:
    """Share of dyads, and of studies, with p of at most .05."""
    n_dyads = N_DYADS.get(name, 10)
    found: dict[str, list[np.ndarray]] = {}
    for ds in studies(n_studies, n_dyads, rho, shared, seed):
        result = synchrony(ds, "AU01", n_draws=199, **DESIGNS[name])
        for p in ("p", "p_max", "p_lead", "p_group"):
            if p in result:
                found.setdefault(p, []).append(np.atleast_1d(result[p].values))
    return {p: float((np.concatenate(values) <= 0.05).mean()) for p, values in found.items()}


def limit(n: int) -> float:
    """Largest rate that is let pass: .07, and for few studies what chance makes of .05."""
    return max(0.07, 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / n))


@pytest.mark.parametrize("name", DESIGNS)
def test_calibration__rate_is_at_most_seven_percent(name):
    n_studies = 2 if name == "pseudo_dyads" else 6
    for p, rate in rates(name, n_studies, 0.9).items():
        # dyads of one study share first or second members
        n = n_studies * (1 if p == "p_group" else N_DYADS.get(name, 10))
        assert rate <= limit(n), p


@pytest.mark.slow
def test_calibration__full_table():
    for name in DESIGNS:
        for rho in RHOS:
            for p, rate in rates(name, 200, rho).items():
                assert rate <= limit(200 if p == "p_group" else 2000), (name, rho, p)


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for rho in reversed(RHOS):
        for name in DESIGNS:
            null, real = rates(name, n, rho), rates(name, max(1, n // 10), rho, 0.15)
            cells = [f"{p} {null[p]:.3f}, {real[p]:.2f}" for p in null]
            print(f"| {name} | {rho:g} | " + " | ".join(cells) + " |", flush=True)
