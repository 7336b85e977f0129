"""Intraclass correlations and split halves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from facearray.errors import InputError
from facearray.stats import reliability, split_half
from facearray.stats.kernels.icc import intraclass_correlations

PINGOUIN = json.loads((Path(__file__).parents[2] / "reference" / "pingouin_icc.json").read_text(encoding="utf-8"))
TABLES = [name for name in PINGOUIN if name != "version"]
DIMS = ("video", "frame", "face", "feature")


def recordings(values, n_frames=1, seed=0) -> xr.Dataset:
    """One video for each value (unit, measurement), whose frames have it as their mean."""
    values = np.asarray(values, dtype=float)
    n, k = values.shape
    noise = np.random.default_rng(seed).normal(size=(n * k, n_frames))
    frames = values.reshape(-1, 1) + noise - noise.mean(axis=1, keepdims=True)
    return xr.Dataset(
        {"features": (DIMS, frames[:, :, None, None])},
        coords={
            "video": [f"{i:03}" for i in range(n * k)],
            "feature": ["AU12"],
            "frame_number": (DIMS[:2], np.tile(np.arange(n_frames), (n * k, 1))),
            "subject": ("video", np.repeat([f"p{i}" for i in range(n)], k)),
            "session": ("video", np.tile(np.arange(k), n)),
        },
    )


@pytest.mark.parametrize("name", TABLES)
def test_reliability__as_pingouin(name):
    wanted = PINGOUIN[name]
    ds = recordings(wanted["values"], n_frames=4)
    order = np.random.default_rng(0).permutation(ds.sizes["video"])
    found = reliability(ds.isel(video=order).chunk(video=3), "session").squeeze()
    for ours, theirs in (("icc2_1", "ICCA1"), ("icc3_1", "ICCC1")):
        icc, low, high, p = wanted[theirs]
        assert found[ours].item() == pytest.approx(icc, abs=1e-9)
        assert found.p.item() == pytest.approx(p, rel=1e-6)
        # pingouin rounds limits to two digits
        assert found[f"{ours}_ci_low"].item() == pytest.approx(low, abs=0.0051)
        assert found[f"{ours}_ci_high"].item() == pytest.approx(high, abs=0.0051)
    assert found.n.item() == len(wanted["values"])


def test_reliability__units_without_all_measurements_are_left_out():
    values = np.array(PINGOUIN["shifted"]["values"])
    ds = recordings(values)
    ds.features[4] = np.nan
    found = reliability(ds, "session")
    wanted = reliability(recordings(np.delete(values, 1, axis=0)), "session")
    assert found.n.item() == len(values) - 1
    assert found.icc2_1.item() == pytest.approx(wanted.icc2_1.item())
    assert any("4" in line for line in found.attrs["excluded"])


def test_icc__perfect_and_constant_measurements():
    exact = np.repeat(np.arange(5.0)[:, None], 3, axis=1)
    found = intraclass_correlations(np.stack([exact, exact * 0 + 0.1], axis=2))
    assert found.icc3_1[0] == 1
    assert (found.icc3_1_ci_low[0], found.icc3_1_ci_high[0], found.p[0]) == (1, 1, 0)
    assert np.isnan([part[1] for part in found]).all()


def test_icc__intervals_cover():
    rng = np.random.default_rng(1)
    y = rng.normal(size=(15, 1, 2000)) + rng.normal(size=(15, 3, 2000))
    found = intraclass_correlations(y)
    for low, high in ((found.icc2_1_ci_low, found.icc2_1_ci_high), (found.icc3_1_ci_low, found.icc3_1_ci_high)):
        assert 0.93 <= np.mean((low <= 0.5) & (high >= 0.5)) <= 0.97
    null = intraclass_correlations(rng.normal(size=(15, 3, 2000)))
    assert 0.035 <= np.mean(null.p <= 0.05) <= 0.065


def test_reliability__says_what_is_wrong():
    ds = recordings(PINGOUIN["noise"]["values"])
    with pytest.raises(InputError, match=r"unknown coordinate on video 'sesion' .did you mean 'session'"):
        reliability(ds, "sesion")
    with pytest.raises(InputError, match="found 1 measurements in 'session'"):
        reliability(ds.isel(video=ds.session == 0), "session")
    with pytest.raises(InputError, match="found 2 values of 'subject' with all 2"):
        reliability(ds.isel(video=slice(5)), "session")
    with pytest.raises(InputError, match="found confidence=95"):
        reliability(ds, "session", confidence=95)


@pytest.mark.parametrize("split", ["halves", "odd_even"])
def test_split_half__by_hand(split):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(8, 1)) + rng.normal(size=(8, 21))
    real = np.arange(21) < np.array([21, 20, 9, 4, 21, 15, 11, 8])[:, None]
    ds = xr.Dataset(
        {"features": (DIMS, np.where(real, values, np.nan)[:, :, None, None])},
        coords={
            "video": list("hgfedcba"),
            "feature": ["AU12"],
            "frame_number": (DIMS[:2], np.where(real, np.arange(21), -1)),
            "n_frames": ("video", real.sum(axis=1)),
        },
    )
    halves = []
    for row, n in zip(values, real.sum(axis=1), strict=True):
        middle = (n + 1) // 2
        parts = (slice(middle), slice(middle, n)) if split == "halves" else (slice(0, n, 2), slice(1, n, 2))
        halves.append([row[part].mean() for part in parts])
    r = np.corrcoef(np.array(halves).T)[0, 1]
    found = split_half(ds, split=split)
    assert found.r.item() == pytest.approx(r)
    assert found.spearman_brown.item() == pytest.approx(2 * r / (1 + r))
    assert found.n.item() == 8
    xr.testing.assert_allclose(split_half(ds.chunk(video=3, frame=5), split=split), found)


def test_split_half__needs_three_units():
    with pytest.raises(InputError, match="found 2 videos with values in both halves"):
        split_half(recordings(np.ones((2, 1)), n_frames=4))
    with pytest.raises(InputError, match="unknown split"):
        split_half(recordings(np.ones((4, 1)), n_frames=4), split="thirds")
