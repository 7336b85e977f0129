"""False-positive rates of every p value of correlations between time courses, on AR(1) series without a shared part.

Every simulated study is one feature of a Dataset, or one matrix of a result. The tests use a few hundred studies; the
slow one, and ``make calibrate``, which prints the table of docs/isc.md, thousands.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.signal import lfilter

from facearray.stats import isc, isc_bootstrap, isc_difference, mantel

DIMS = ("video", "frame", "face", "feature")
RHOS = (0.0, 0.5, 0.9)


def studies(n_studies: int, n_videos: int, n_frames: int, rho: float, shared: float = 0.0, seed: int = 0) -> xr.Dataset:
    """AR(1) time courses of variance 1, one study a feature; videos of one condition share a part of the variance."""
    rng = np.random.default_rng([seed, n_videos, n_frames, round(100 * rho)])
    second = np.arange(n_videos) >= (n_videos + 1) // 2
    scale = np.sqrt(1 - rho**2)

    def series(n: int) -> np.ndarray:
        noise = rng.normal(size=(n, n_frames, n_studies)) * scale
        noise[:, 0] /= scale
        return lfilter([1], [1, -rho], noise, axis=1)

    values = np.sqrt(1 - shared) * series(n_videos)
    if shared:
        # pairs have one video in each condition, and share what all share
        common = series(1) if n_videos < 4 else series(2)[second.astype(int)]
        values = values + np.sqrt(shared) * common
    return xr.Dataset(
        {"features": (DIMS, values[:, :, None])},
        coords={
            "video": [f"{i:03d}" for i in range(n_videos)],
            "feature": [f"study {i}" for i in range(n_studies)],
            "frame_number": (DIMS[:2], np.tile(np.arange(n_frames), (n_videos, 1))),
            "timestamp": (DIMS[:2], np.tile(np.arange(n_frames) / 25, (n_videos, 1))),
            "condition": ("video", np.where(second, "b", "a")),
        },
    )


def all_of(ds: xr.Dataset) -> list[str]:
    return ds.feature.values.tolist()


def of_pair(**options: object) -> Callable[[xr.Dataset], xr.DataArray]:
    return lambda ds: isc(ds, all_of(ds), **options)["p"].isel(video=0, video_other=1)


def of_mean(**options: object) -> Callable[[xr.Dataset], xr.DataArray]:
    return lambda ds: isc(ds, all_of(ds), **options)["p_mean"]


def of_row(**options: object) -> Callable[[xr.Dataset], xr.DataArray]:
    return lambda ds: isc(ds, all_of(ds), join="leave_one_out", **options)["p"].isel(video=0)


def of_window(**options: object) -> Callable[[xr.Dataset], xr.DataArray]:
    return lambda ds: isc(ds, all_of(ds), **options)["p"].isel(time=0, video=0, video_other=1)


def of_family(**options: object) -> Callable[[xr.Dataset], xr.DataArray]:
    return lambda ds: isc(ds, all_of(ds), correction="max_r", **options)["p_adjusted"].min(["video", "video_other"])


def of_contrast(contrast: str) -> Callable[[xr.Dataset], xr.DataArray]:
    return lambda ds: isc_difference(isc(ds, all_of(ds)), "condition")["p"].sel(contrast=contrast)


def of_bootstrap(ds: xr.Dataset) -> xr.DataArray:
    return isc_bootstrap(isc(ds, all_of(ds)), n_draws=999)["p"]


def of_mantel(ds: xr.Dataset) -> xr.DataArray:
    same = (ds.condition.values[:, None] == ds.condition.values).astype(float)
    table = pd.DataFrame(same, ds.video.values, ds.video.values)
    return mantel(isc(ds, all_of(ds)), table, n_permutations=999)["p"]


@dataclass(frozen=True)
class Design:
    """A p value, the sizes it is tried on, and the shared variance for its power; what may be conservative."""

    p: Callable[[xr.Dataset], xr.DataArray]
    n_videos: int
    n_frames: int
    shared: float


DRAWS = {"n_draws": 199}

DESIGNS: dict[str, Design] = {
    "pair, circular_shift": Design(of_pair(null="circular_shift", **DRAWS), 2, 300, 0.5),
    "pair, phase": Design(of_pair(null="phase", **DRAWS), 2, 300, 0.5),
    "pair, effective_df": Design(of_pair(null="effective_df"), 2, 300, 0.5),
    "pair, circular_shift, Spearman": Design(of_pair(null="circular_shift", method="spearman", **DRAWS), 2, 300, 0.5),
    "pair, circular_shift, lags": Design(of_pair(null="circular_shift", max_lag=0.2, **DRAWS), 2, 300, 0.5),
    "pair, circular_shift, window of 100": Design(
        of_window(null="circular_shift", window=4, step=4, **DRAWS), 2, 300, 0.5
    ),
    "family of pairs, circular_shift, max_r": Design(of_family(null="circular_shift", **DRAWS), 8, 300, 0.3),
    "mean of pairs, circular_shift": Design(of_mean(null="circular_shift", **DRAWS), 10, 300, 0.1),
    "mean of pairs, phase": Design(of_mean(null="phase", **DRAWS), 10, 300, 0.1),
    "one with the others, circular_shift": Design(of_row(null="circular_shift", **DRAWS), 10, 300, 0.2),
    "one with the others, phase": Design(of_row(null="phase", **DRAWS), 10, 300, 0.2),
    "mean with the others, circular_shift": Design(
        of_mean(null="circular_shift", join="leave_one_out", **DRAWS), 10, 300, 0.1
    ),
    "mean with the others, phase": Design(of_mean(null="phase", join="leave_one_out", **DRAWS), 10, 300, 0.1),
    "isc_difference, within - between": Design(of_contrast("within - between"), 10, 300, 0.2),
    "isc_difference, a - b": Design(of_contrast("a - b"), 10, 300, 0.0),
    "mantel": Design(of_mantel, 10, 300, 0.2),
    "isc_bootstrap": Design(of_bootstrap, 10, 300, 0.2),
}

#: Short or strongly autocorrelated series, for p values of pairs.
SIZES = ((0.9, 60), (0.5, 60), (0.95, 300), (0.95, 1800))


def rate(p: xr.DataArray) -> float:
    """Share of studies with p of at most .05; a study without a p finds nothing."""
    return float((p <= 0.05).mean())


def limit(n_studies: int) -> float:
    """Largest rate that is let pass: .07, and for few studies what chance makes of .05."""
    return max(0.07, 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / n_studies))


#: Those that take long are tried on fewer studies, where false positives are most likely.
SLOW = ("pair, circular_shift, lags", "pair, circular_shift, window of 100")


@pytest.mark.parametrize(
    ("name", "rho"), [(name, rho) for name in DESIGNS for rho in (RHOS[2:] if name in SLOW else RHOS[::2])]
)
def test_calibration__rate_is_at_most_seven_percent(name, rho):
    design = DESIGNS[name]
    n_studies = 150 if name in SLOW else 250
    assert rate(design.p(studies(n_studies, design.n_videos, 150, rho))) <= limit(n_studies)


def table(n_studies: int, part: str = "") -> Iterator[tuple[str, str, float, float]]:
    """What is tested, the design, false-positive rate, and power (of a fifth as many studies)."""
    for name, design in DESIGNS.items():
        sizes = [(rho, design.n_frames) for rho in RHOS]
        sizes += SIZES if name in ("pair, circular_shift", "pair, phase", "pair, effective_df") else ()
        for rho, n_frames in sizes if part in name else ():
            null, real = (
                rate(design.p(studies(n, design.n_videos, n_frames, rho, shared)))
                for n, shared in ((n_studies, 0.0), (n_studies // 5, design.shared))
            )
            yield name, f"{design.n_videos} videos, {n_frames} frames, rho = {rho:g}", null, real


@pytest.mark.slow
def test_calibration__full_table():
    assert [line for line in table(2000) if line[2] > limit(2000)] == []


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("| p of | design | rate | power |\n| --- | --- | --- | --- |")
    for line in table(n, sys.argv[2] if len(sys.argv) > 2 else ""):
        print("| {} | {} | {:.3f} | {:.2f} |".format(*line), flush=True)
