"""False-positive rates of every p value of time-resolved tests, on AR(1) time courses without an effect.

Every simulated study is one face of a Dataset, since tests are families of their own for each face; for decoding it is
one call. The tests use a few hundred studies; the slow one, and ``make calibrate``, which prints the table of
docs/time_resolved.md, thousands.
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

from facearray.stats import cluster_test, decode_over_time, event_test, regress_over_time

DIMS = ("video", "frame", "face", "feature")
FPS, FRAMES = 10, 60
RHOS = (0.0, 0.5, 0.9)

#: In standard deviations of the windows' values, from the middle of the videos on, for the power.
EFFECT = 1.2

#: Studies that are tested with the same draws.
SAME_DRAWS = 20

WINDOWS = {"window": 0.5, "step": 0.5}
DRAWS = {"permutations": 199}


def studies(n_studies: int, n_videos: int, rho: float, *, effect: float = 0.0, ends: str = "", seed: int = 0):
    """AR(1) time courses around a mean of each video; the second half of the videos is treated.

    Videos end together; at random (``ends="random"``); or half of the treated ones in the middle (``ends="treated"``).
    """
    rng = np.random.default_rng([seed, n_videos, round(100 * rho)])
    noise = rng.normal(size=(n_videos, FRAMES, n_studies)) * np.sqrt(1 - rho**2)
    noise[:, 0] /= np.sqrt(1 - rho**2)
    values = lfilter([1], [1, -rho], noise, axis=1) + 0.5 * rng.normal(size=(n_videos, 1, n_studies))
    treated = np.arange(n_videos) >= n_videos // 2
    spread = values[:, :5].mean(axis=1).std()
    values[treated, FRAMES // 2 :] += effect * spread
    last = np.full(n_videos, FRAMES)
    if ends == "random":
        last = rng.integers(FRAMES // 3, FRAMES + 1, n_videos)
    elif ends == "treated":
        last[n_videos - n_videos // 4 :] = FRAMES // 2
    number = np.tile(np.arange(FRAMES), (n_videos, 1))
    real = number < last[:, None]
    return xr.Dataset(
        {"features": (DIMS, np.where(real[..., None], values, np.nan)[..., None])},
        coords={
            "video": [f"{i:03}" for i in range(n_videos)],
            "feature": ["AU12"],
            "frame_number": (DIMS[:2], np.where(real, number, -1)),
            "timestamp": (DIMS[:2], np.where(real, number / FPS, np.nan)),
            "condition": ("video", np.where(treated, "b", "a")),
            "pair": ("video", np.arange(n_videos) % (n_videos // 2)),
            "age": ("video", rng.normal(size=n_videos) + treated),
        },
    )


P = Callable[[xr.Dataset], np.ndarray]


def smallest(result: xr.Dataset) -> np.ndarray:
    """Smallest adjusted p (n_study,) of all windows: the chance of any finding."""
    return result["p_adjusted"].min(["time", "feature"]).values


def in_batches(test: Callable[[xr.Dataset, int], np.ndarray]) -> P:
    """Test a few studies with the same draws: how often a test finds something differs between sets of draws."""

    def of_all(ds: xr.Dataset) -> np.ndarray:
        starts = range(0, ds.sizes["face"], SAME_DRAWS)
        return np.concatenate([test(ds.isel(face=slice(i, i + SAME_DRAWS)), i) for i in starts])

    return of_all


def means(**options: object) -> P:
    return in_batches(lambda ds, seed: smallest(cluster_test(ds, seed=seed, **options, **WINDOWS, **DRAWS)))


def regression(X: str, **options: object) -> P:
    found = {**WINDOWS, **DRAWS, **options}
    return in_batches(
        lambda ds, seed: smallest(regress_over_time(ds, X, seed=seed, **found).sel(term="condition[T.b]"))
    )


def decoding(**options: object) -> P:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    def one(ds: xr.Dataset, seed: int) -> float:
        found = {
            "model": LinearDiscriminantAnalysis(),
            "cv": 3,
            "window": 1.0,
            "step": 1.0,
            "permutations": 99,
        } | options
        return float(decode_over_time(ds, "condition", seed=seed, **found)["p_adjusted"].min())

    return lambda ds: np.array([one(ds.isel(face=[i]), i) for i in range(ds.sizes["face"])])


def around(by: str | None, **options: object) -> P:
    """Three events a video, of which those labelled b are followed by what treated videos have."""

    def test(ds: xr.Dataset, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        n = ds.sizes["video"]
        table = pd.DataFrame({"video": np.repeat(ds.video.values, 3), "onset": rng.uniform(1.0, 2.0, 3 * n)})
        if by == "label":
            table = pd.concat([table.assign(label="a"), table.assign(label="b", onset=table.onset + 2)])
        return smallest(event_test(ds, table, by, before=1.0, after=2.0, step=0.5, seed=seed, **options, **DRAWS))

    return in_batches(test)


@dataclass(frozen=True)
class Design:
    """What is tested, in how many videos, and when these end."""

    p: P
    n_videos: int
    ends: str = ""
    #: Share of the studies of the full run, where they take long.
    share: float = 1.0
    #: Whether the effect is one that the test is about.
    power: bool = True


#: So many videos that arrangements are drawn: all of fewer would take longer.
DESIGNS: dict[str, Design] = {
    "cluster_test, one sample": Design(means(), 18),
    "cluster_test, pairs": Design(means(by="condition", paired="pair"), 36),
    "cluster_test, two groups": Design(means(by="condition"), 22),
    "cluster_test, two groups, videos end at random": Design(means(by="condition"), 22, "random"),
    "cluster_test, two groups, half of the treated end early": Design(means(by="condition"), 24, "treated"),
    "regress_over_time, max_t": Design(regression("condition", correction="max_t"), 22),
    "regress_over_time, cluster": Design(regression("condition", correction="cluster"), 22),
    "regress_over_time, cluster, beside a covariate": Design(regression("condition,age", correction="cluster"), 20),
    "event_test, against zero": Design(around(None, baseline=(-1.0, 0.0)), 18, power=False),
    "event_test, two kinds of events": Design(around("label"), 18, power=False),
    "event_test, two groups": Design(around("condition"), 22),
    "decode_over_time, max_score": Design(decoding(), 16, share=0.5),
    "decode_over_time, cluster": Design(decoding(correction="cluster"), 16, share=0.5),
    "decode_over_time, max_score, half of the treated end early": Design(decoding(), 24, "treated", share=0.5),
}


def rate(p: np.ndarray) -> float:
    """Share of studies with p of at most .05."""
    return float((p <= 0.05).mean())


def limit(n_studies: int) -> float:
    """Largest rate that is let pass: .07, and for few studies what chance makes of .05."""
    return max(0.07, 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / n_studies))


@pytest.mark.parametrize(
    ("name", "rho"),
    [(name, 0.9 if i % 2 else 0.0) for i, name in enumerate(DESIGNS)],
)
def test_calibration__rate_is_at_most_seven_percent(name, rho):
    design = DESIGNS[name]
    n_studies = 10 if "decode" in name else 100
    found = rate(design.p(studies(n_studies, design.n_videos, rho, ends=design.ends)))
    assert found <= limit(n_studies)


def table(n_studies: int, part: str = "") -> Iterator[tuple[str, str, float, float]]:
    """What is tested, the design, false-positive rate, and power (of a fifth as many studies)."""
    for name, design in DESIGNS.items():
        for rho in RHOS if part in name else ():
            n = int(n_studies * design.share)
            null = rate(design.p(studies(n, design.n_videos, rho, ends=design.ends)))
            real = np.nan
            if design.power:
                one_sample = "one sample" in name
                ds = studies(n // 5, design.n_videos, rho, effect=EFFECT, ends=design.ends, seed=1)
                if one_sample:  # of which all are treated
                    full = studies(n // 5, 2 * design.n_videos, rho, effect=EFFECT, seed=1)
                    ds = full.isel(video=slice(design.n_videos, None))
                real = rate(design.p(ds))
            yield name, f"{design.n_videos} videos, rho = {rho:g}", null, real


@pytest.mark.slow
def test_calibration__full_table():
    assert [line for line in table(2000) if line[2] > limit(2000)] == []


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    print("| p of | design | rate | power |\n| --- | --- | --- | --- |")
    for line in table(n, sys.argv[2] if len(sys.argv) > 2 else ""):
        print("| {} | {} | {:.3f} | {:.2f} |".format(*line), flush=True)
