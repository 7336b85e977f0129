"""Correlations of time courses in words: the sentences have the numbers of the results."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from facearray.stats import describe, isc, isc_bootstrap, isc_difference, isc_mean, isc_order, isfc, mantel


@pytest.fixture(scope="module")
def ds(recordings) -> xr.Dataset:
    """Six videos of three people in two conditions, 25 to 50 frames at 25 a second; AU12 is shared."""
    lengths = {f"{i}.mp4": 25 + 5 * i for i in range(6)}
    made = recordings(lengths, features=("Yaw", "AU06", "AU12"))
    common = np.random.default_rng(1).normal(size=made.sizes["frame"])
    values = made.features.copy()
    values[..., 2] += common[:, None].astype("f4")
    return made.assign(features=values).assign_coords(
        condition=("video", list("ababab")), subject=("video", list("xxyyzz"))
    )


@pytest.fixture(scope="module")
def pairs(ds) -> xr.Dataset:
    return isc(ds, "AU12")


def lines(result, **options) -> list[str]:
    return describe(result, **options).splitlines()


def number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}".replace("0.", ".", 1)


def fisher_mean(values) -> float:
    return float(np.tanh(np.mean(np.arctanh(values))))


def test_isc__says_what_was_correlated_and_the_mean(ds, pairs):
    each = list(itertools.combinations(range(6), 2))
    r = [pairs.r.values[i, j] for i, j in each]
    n = [pairs.n.values[i, j] for i, j in each]
    first, second, *rest = lines(pairs)
    assert first == (
        "Time courses of AU12 were correlated between all pairs of 6 videos (Pearson's r; values of the same second in "
        "steps of 0.04 s; at least 3 shared)."
    )
    assert second == (
        f"AU12: mean r = {number(fisher_mean(r))} (by Fisher's z; n = 15 pairs), {min(n)} to {max(n)} shared times."
    )
    assert any(line.startswith("Units: 6 videos") for line in rest)
    assert f"Note: {sum(k < 30 for k in n)} of 15 pairs share fewer than 30 times." in rest
    assert not any("p (" in line for line in lines(pairs))


def test_isc__a_null_comes_with_draws_correction_and_counts(ds):
    found = isc(ds, "AU12", null="circular_shift", n_draws=49, correction="max_r", alternative="greater", seed=3)
    text = describe(found, alpha=0.1)
    assert (
        "p (greater): (1 + b) / (1 + m), with b as large among m = 49 draws in which every series was shifted "
        "circularly within its own span; family-wise error controlled by the largest correlation in every draw" in text
    )
    p = [found.p_adjusted.values[i, j] for i, j in itertools.combinations(range(6), 2)]
    assert f"{sum(value <= 0.1 for value in p)} of 15 pairs at p <= .10" in text
    assert f"p of the mean = {number(found.p_mean.item())}" in text
    assert "Seed: 3." in text.splitlines()
    whole = ds.assign(features=ds.features.fillna(0))
    assert "the Fourier phases of every series were random" in describe(isc(whole, "AU12", null="phase", n_draws=9))
    assert "Student's t with as many observations as" in describe(isc(ds, "AU12", null="effective_df"))


def test_isc__lags_windows_features_and_the_others(ds):
    lagged = describe(isc(ds, "AU06,AU12", max_lag=0.08, method="kendall", align="time"))
    assert "each of 2 features" in lagged
    assert "Kendall's tau-b" in lagged
    assert "Of all lags up to 0.08 s in either direction the strongest counts." in lagged
    assert sum(line.startswith(("AU06: ", "AU12: ")) for line in lagged.splitlines()) == 2
    windows = isc(ds, "AU12", window=12, step=12, align="frame")
    text = describe(windows)
    assert "Windows are 12 frames long, 12 apart." in text
    assert "in steps of" not in text
    assert [line.split(":")[0] for line in text.splitlines() if " at " in line and "mean r" in line] == [
        f"AU12 at {t:.3g} frames" for t in windows.time.values
    ]
    others = isc(ds, "AU12", join="leave_one_out")
    text = describe(others)
    assert "with the average of the others, for each of 6 videos" in text
    assert f"mean r = {number(fisher_mean(others.r.values))} (by Fisher's z; n = 6 videos)" in text


def test_isc__parts_of_a_result(pairs):
    one = lines(pairs.sel(video="0.mp4", video_other="3.mp4"))[1]
    assert one == (
        f"AU12: 0.mp4 with 3.mp4, r = {number(pairs.r.values[0, 3])}, n = {pairs.n.values[0, 3]} shared times."
    )
    some = lines(pairs.isel(video=[0, 2]))[1]
    each = [pairs.r.values[i, j] for i, j in [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (2, 1), (2, 3), (2, 4), (2, 5)]]
    assert f"mean r = {number(fisher_mean(each))} (by Fisher's z; n = 9 pairs)" in some
    missing = pairs.where(False)
    assert "AU12: no mean r (by Fisher's z; n = 0 pairs)." in lines(missing.assign_attrs(pairs.attrs))


def test_isc__what_is_computed_when_it_is_asked_for(ds, pairs):
    assert lines(isc(ds.chunk(video=4), "AU12"))[:2] == lines(pairs)[:2]


def test_isc_mean__within_and_between(pairs):
    r, groups = pairs.r.values, pairs.condition.values

    def mean(a, b):
        each = itertools.combinations(range(6), 2)
        return number(fisher_mean([r[i, j] for i, j in each if {groups[i], groups[j]} == {a, b}]))

    text = describe(isc_mean(pairs, "condition"))
    assert (
        f"AU12: within a r = {mean('a', 'a')} (3 pairs); a with b r = {mean('a', 'b')} (9 pairs); "
        f"within b r = {mean('b', 'b')} (3 pairs)." in text.splitlines()
    )
    assert "Mean correlations of pairs of 6 videos, by Fisher's z (pearson, pairwise), by condition." in text
    assert "(15 pairs)" in describe(isc_mean(pairs))


def test_isc_difference__statistic_arrangements_and_correction(ds, pairs):
    found = isc_difference(pairs, "condition")
    text = describe(found)
    assert "within and between groups of condition, a (n = 3) and b (n = 3)" in text
    assert "all 20 arrangements, smallest possible p 0.05; two-sided" in text
    one = found.sel(contrast="within - between")
    assert (
        f"within - between: 0 of 1 differed from 0 at alpha = .05: AU12: difference = {number(one.difference.item())}, "
        f"p = {number(one.p.item())}." in text.splitlines()
    )
    assert lines(one)[1] in text.splitlines()
    several = isc_difference(isc(ds, "AU06,AU12"), "condition", blocks="subject", n_permutations=5, correction="holm")
    text = describe(several, alpha=1)
    assert "anew within each subject (all 8 arrangements" in text
    assert "Holm-corrected" in text
    row = several.sel(contrast="a - b", feature="AU12")
    assert (
        f"AU12: difference = {number(row.difference.item())}, p = {number(row.p.item())}, "
        f"adjusted p = {number(row.p_adjusted.item())}" in text
    )
    assert "a - b: 2 of 2 differed from 0 at alpha = 1.00: AU06: " in text


def test_isc_bootstrap__interval_and_draws(pairs):
    found = isc_bootstrap(pairs, n_draws=300, confidence=0.9)
    text = describe(found)
    assert "Mean correlations of pairs of 6 videos" in text
    assert "from 300 samples of the videos with replacement" in text
    low, high = (number(found[name].item()) for name in ("ci_low", "ci_high"))
    assert f"AU12: mean r = {number(found.r.item())}, 90% CI [{low}, {high}], p" in text
    assert "Note: " in text


def test_mantel__method_and_pairs(pairs):
    distance = np.abs(np.arange(6)[:, None] - np.arange(6.0))
    other = pd.DataFrame(distance, pairs.video.values, pairs.video.values)
    found = mantel(pairs, other, alternative="greater")
    text = describe(found)
    assert "Mantel test; Spearman's rho over pairs; all 720 orders of the videos, smallest possible p 0.0014" in text
    assert "; greater; not corrected" in text
    assert f"AU12: r = {number(found.r.item())}, p = {number(found.p.item())}, n = 15 pairs." in text.splitlines()
    assert "Pearson's r over pairs" in describe(mantel(pairs, other, method="pearson"))


def test_isfc__names_the_features_with_most_in_common(ds):
    copied = ds.features.copy()
    copied[..., 1] = -copied[..., 2]
    for join in ("leave_one_out", "pairwise"):
        found = isfc(ds.assign(features=copied), ["Yaw", "AU06", "AU12"], join=join)
        text = describe(found)
        assert "There is no p." in text
        r = found.r.sel(feature="AU06", feature_other="AU12").values
        if join == "pairwise":
            r = r[~np.eye(6, dtype=bool)]
        assert (
            f"Of different features, AU06 and AU12 have most in common: mean r = {number(fisher_mean(r))} "
            "(by Fisher's z)." in text.splitlines()
        )


def test_isc_order__names_the_linkage_and_who_is_left_out(pairs):
    assert describe(isc_order(pairs, "average")) == (
        "6 videos in the order of the leaves of a hierarchical clustering (average linkage of the distance 1 - r)."
    )
    r = pairs.r.copy()
    r[1] = r[:, 1] = np.nan
    assert lines(isc_order(pairs.assign(r=r)))[1] == "Excluded: 1.mp4: no correlation with others."
