"""Synchrony in words: the sentences have the numbers of the results."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from time_courses import videos

from facearray.signal import synchrony
from facearray.stats import describe


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Three dyads of 20 s at 10 values a second, of which the second person follows the first; and a short one."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(4, 203, 2))
    b = 0.5 * rng.normal(size=(4, 200, 2)) + a[:, :-3]
    x = np.stack([a[:, 3:], b], axis=2)
    x[3, 15:] = np.nan
    made = videos(x, fps=10)
    number = made.frame_number.copy()
    number[3, 15:] = -1
    return made.assign_coords(frame_number=number)


def number(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def test_synchrony__says_what_was_compared_and_what_all_dyads_have(ds):
    found = synchrony(ds, "AU01", window=2, max_lag=0.5, null="segment_shuffle", n_draws=99, seed=3)
    first, second, third, *rest = describe(found).splitlines()
    assert first == (
        "The synchrony of AU01 was measured in 4 dyads by windowed cross-correlation (mean of Fisher's z, of its "
        "absolute value, over lags up to 0.5 s in either direction); windows of 2 s, 2 s apart."
    )
    assert second.startswith("p: share of up to 99 arrangements with a value at least as large, in which the second")
    there = found.isel(dyad=slice(3))
    assert third == (
        f"AU01: mean strength = {number(there.strength.mean())} (by chance {number(there.null_mean.mean())}), n = 3, p "
        f"of all dyads = {number(found.p_group)}, {int((there.p <= 0.05).sum())} of 3 dyads at p <= .05, mean lead of "
        f"the first person = {number(there.lead.mean())}."
    )
    assert rest[:3] == ["Units: 3 dyads like these.", "Seed: 3.", f"Excluded: {found.attrs['excluded'][0]}."]


def test_synchrony__one_dyad_and_selections(ds):
    found = synchrony(ds, "AU01,AU02", window=2, max_lag=0.5, null="circular_shift", alternative="greater")
    lines = describe(found.isel(dyad=1)).splitlines()
    one = found.isel(dyad=1).sel(feature="AU02")
    assert lines[0].startswith("The synchrony of each of 2 features was measured in 1 dyad by windowed")
    assert "Fisher's z, with its sign" in lines[0]
    assert lines[3] == (
        f"AU02: 001, strength = {number(one.strength)} (by chance {number(one.null_mean)}), p = {number(one.p)}, "
        f"largest {number(one.strength_max)} at a lag of 0.3 s, p = {number(one.p_max)}, lead of the first person = "
        f"{number(one.lead)}, p = {number(one.p_lead)}."
    )
    assert "AU01: no dyad could be compared." in describe(found.isel(dyad=[3]))


def test_synchrony__coherence_without_a_null(ds):
    found = synchrony(ds, "AU01", window=2, method="coherence", band=(1, 3))
    first, second, *rest = describe(found).splitlines()
    assert "by magnitude-squared coherence (1 to 3 Hz, averaged); windows" in first
    assert second == f"AU01: mean strength = {number(found.strength.mean())}, n = 3."
    assert rest[0] == "Units: 3 dyads like these."
    assert " Hz." in describe(found.isel(dyad=0)).splitlines()[1]


def test_synchrony__recordings_in_several_dyads(ds):
    pairs = [("000", "001"), ("000", "002")]
    found = synchrony(ds.isel(face=[0]), "AU01", window=2, pairs=pairs, null="pseudo_dyads")
    text = describe(found)
    assert "the first person is put together with the second ones of other dyads" in text
    assert "Units: 2 dyads like these, some of which have a recording in common, so that they are fewer" in text
