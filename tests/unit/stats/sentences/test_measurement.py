"""Reliability and agreement in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from facearray.stats import agreement, describe, reliability, split_half


@pytest.fixture(scope="module")
def ds(recordings) -> xr.Dataset:
    """Six people, each in two sessions."""
    made = recordings({f"{i:02}.mp4": 20 for i in range(12)}, features=("AU06", "AU12"))
    person = np.repeat(np.random.default_rng(0).normal(size=6), 2)[:, None, None]
    values = made.features.copy()
    values[..., 1] += person.astype("f4")
    return made.assign(features=values).assign_coords(
        subject=("video", np.repeat(list("uvwxyz"), 2)), session=("video", [1, 2] * 6)
    )


def number(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)


def test_reliability__both_coefficients_with_f_of_the_analysis_of_variance(ds):
    found = reliability(ds, "session")
    text = describe(found)
    assert "Intraclass correlations of each of 2 features over 2 values of session, the subject being measured" in text
    y = ds.features.sel(feature="AU12").mean(("frame", "face")).values.astype(float).reshape(6, 2)
    rows, columns, grand = y.mean(axis=1), y.mean(axis=0), y.mean()
    error = ((y - rows[:, None] - columns + grand) ** 2).sum() / 5
    f = 2 * ((rows - grand) ** 2).sum() / 5 / error
    one = found.sel(feature="AU12").squeeze()
    assert (
        f"AU12: ICC(2,1) = {number(one.icc2_1.item())}, 95% CI [{number(one.icc2_1_ci_low.item())}, "
        f"{number(one.icc2_1_ci_high.item())}], ICC(3,1) = {number(one.icc3_1.item())}" in text
    )
    assert f"F(5, 5) = {f:.2f}, p " in text
    assert text.splitlines()[2].endswith("n = 6.")
    assert "Units: 6 values of subject, each measured 2 times." in text


def test_reliability__what_cannot_be_computed(ds):
    constant = ds.features.copy()
    constant[..., 0] = np.where(np.isnan(constant[..., 0]), np.nan, 0.5)
    text = describe(reliability(ds.assign(features=constant), "session"))
    assert "AU06: no correlation, as too few were measured 2 times or nothing varies (n = 6)." in text


def test_split_half__both_steps(ds):
    found = split_half(ds, features="AU12")
    frames = ds.features.sel(feature="AU12").isel(face=0).values
    a, b = (np.nanmean(part, axis=1) for part in (frames[:, :10], frames[:, 10:]))
    r = np.corrcoef(a, b)[0, 1]
    first, second, *_ = describe(found).splitlines()
    assert first.startswith("Split-half reliability of AU12: the first with the second half of the frames, over videos")
    assert second == f"AU12: r = {f'{r:.3f}'[1:]}, Spearman-Brown = {f'{2 * r / (1 + r):.3f}'[1:]}, n = 12."
    assert "every second frame with the others" in describe(split_half(ds, split="odd_even"))


def test_agreement__coders_and_detector(ds):
    codes = pd.DataFrame(
        {
            "video": ["00.mp4", "00.mp4", "01.mp4"],
            "start": [0.1, 0.2, 0.0],
            "end": [0.5, 0.6, 0.3],
            "label": ["AU06", "AU06", "AU12"],
            "coder": ["ann", "ben", "ann"],
        }
    )
    found = agreement(ds, codes, rater="coder", threshold=0.4)
    text = describe(found)
    assert "Features above 0.4 were compared with human coding, frame by frame, in 2 videos. There is no p" in text
    # what ann did not mark in a video that she coded, she did not see
    values = ds.features.sel(video=["00.mp4", "01.mp4"], feature="AU06").isel(face=0).values
    time = np.arange(20) / 25
    marked = np.stack([(time >= 0.1) & (time < 0.5), np.zeros(20, dtype=bool)])
    there = ~np.isnan(values)
    seen, detected = marked[there], (values > np.float32(0.4))[there]
    f1 = 2 * (seen & detected).sum() / (seen.sum() + detected.sum())
    assert (
        f"AU06 (ann): F1 = {number(f1)}, kappa = {number(found.kappa.sel(rater='ann', feature='AU06').item())}, "
        f"prevalence {number(seen.mean())} coded and {number(detected.mean())} detected, n = 32 frames." in text
    )
    between = found.kappa_raters.sel(rater="ann", rater_other="ben", feature="AU06").item()
    assert f"AU06, coders with each other: ann and ben kappa = {number(between)} (n = 20 frames)." in text
    assert "AU12 (ben)" not in text
    alone = describe(agreement(ds, codes[codes.coder == "ann"]))
    assert "AU06: F1" in alone
    assert "each other" not in alone
