"""Synchrony: equal to numpy and scipy window by window, tests that are exact, and who leads."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import scipy.signal
import xarray as xr
from time_courses import ar1, videos

from facearray.errors import InputError
from facearray.signal import synchrony
from facearray.signal.kernels.pairing import CyclicShifts, compare
from facearray.stats.kernels.resampling import Orders

FPS = 10.0


def dyads(n: int = 3, n_frames: int = 160, shared: float = 0.0, lag: int = 0, seed: int = 0) -> xr.Dataset:
    """Make videos of two faces; the second face follows the first one after some frames."""
    rng = np.random.default_rng(seed)
    a, b = ar1(rng, (n, n_frames), 0.5), ar1(rng, (n, n_frames), 0.5)
    b = np.sqrt(1 - shared) * b + np.sqrt(shared) * np.roll(a, lag, axis=1)
    return videos(np.stack([a, b], axis=2)[..., None], fps=FPS)


@pytest.mark.parametrize("step", [2.0, 0.7])
def test_synchrony__is_numpy_window_by_window(step):
    ds = dyads()
    found = synchrony(ds, "AU01", window=2.0, step=step, max_lag=0.5)
    length, ahead, most = 20, round(10 * step), 5
    for i in range(3):
        a, b = ds.features.values[i, :, :, 0].T
        starts = range(most, 160 - length - most + 1, ahead)
        r = np.array(
            [
                [np.corrcoef(a[s : s + length], b[s + k : s + k + length])[0, 1] for k in range(-most, most + 1)]
                for s in starts
            ]
        )
        one = found.isel(dyad=i)
        assert one.n_windows.item() == len(r)
        z = np.abs(np.arctanh(r)).mean(axis=0)
        np.testing.assert_allclose(one.z, z, rtol=1e-9)
        assert one.strength.item() == pytest.approx(z.mean())
        assert one.strength_max.item() == pytest.approx(z.max())
        assert one.lag_max.item() == pytest.approx((z.argmax() - most) / 10)
        assert one["lead"].item() == pytest.approx(z[most + 1 :].mean() - z[:most].mean())
        place = np.abs(r).argmax(axis=1)
        np.testing.assert_allclose(one.r_peak, r[np.arange(len(r)), place], rtol=1e-9)
        np.testing.assert_allclose(one.lag_peak, (place - most) / 10, atol=1e-9)
    np.testing.assert_allclose(found.time, [(s + (length - 1) / 2) / 10 for s in starts])


def test_synchrony__the_sign_counts_if_asked():
    ds = dyads(1)
    found = synchrony(ds, "AU01", window=2.0, max_lag=0, alternative="greater")
    a, b = ds.features.values[0, :, :, 0].T
    r = [np.corrcoef(a[s : s + 20], b[s : s + 20])[0, 1] for s in range(0, 160, 20)]
    assert found.z.item() == pytest.approx(np.arctanh(r).mean())
    assert np.isnan(found["lead"]).all()


def test_synchrony__who_leads():
    for lag, sign in ((4, 1), (-4, -1)):
        found = synchrony(dyads(4, 400, 0.6, lag), "AU01", window=5, max_lag=1, null="segment_shuffle", n_draws=199)
        np.testing.assert_allclose(found.lag_max, lag / 10)
        assert (np.sign(found["lead"]) == sign).all()
        assert (found.p_max < 0.1).all()
        assert (found.p_lead < 0.1).all()
        assert (found.p_adjusted.sel(lag=lag / 10) == found.p_max).all()
        assert (found.effect > 1).all()
        assert found.p_group.item() == pytest.approx(1 / 16)  # all signs of four dyads


def test_synchrony__coherence_is_that_of_scipy():
    ds = dyads(2, 400, 0.5, 3)
    found = synchrony(ds, "AU01", window=4, step=2, method="coherence")
    for i in range(2):
        a, b = ds.features.values[i, :, :, 0].T
        frequency, expected = scipy.signal.coherence(a, b, FPS, nperseg=40, noverlap=20)
        np.testing.assert_allclose(found.coherence[i], expected[1:], rtol=1e-9)
        _, cross = scipy.signal.csd(a, b, FPS, nperseg=40, noverlap=20)
        np.testing.assert_allclose(np.exp(1j * found.phase[i]), np.exp(-1j * np.angle(cross[1:])), atol=1e-9)
    np.testing.assert_allclose(found.frequency, frequency[1:])
    band = synchrony(ds, "AU01", window=4, step=2, method="coherence", band=(1, 2))
    np.testing.assert_allclose(band.coherence, found.coherence.sel(frequency=slice(1, 2)))
    assert band.strength[0].item() == pytest.approx(band.coherence[0].mean().item())


def test_synchrony__shuffled_windows_are_all_their_orders():
    ds = dyads(1, 75, 0.3)
    found = synchrony(ds, "AU01", window=1.5, max_lag=0.2, null="segment_shuffle")
    a, b = ds.features.values[0, :, :, 0].T
    starts = range(2, 75 - 15 - 2 + 1, 15)
    strength = []
    for order in itertools.permutations(starts):
        z = [
            np.arctanh(np.corrcoef(a[s : s + 15], b[t + k : t + k + 15])[0, 1])
            for s, t in zip(starts, order, strict=True)
            for k in range(-2, 3)
        ]
        strength.append(np.abs(z).mean())
    assert len(strength) == 24
    assert found.p.item() == pytest.approx(np.mean(np.array(strength) >= strength[0] - 1e-6))
    assert found.null_mean.item() == pytest.approx(np.mean(strength), rel=1e-5)
    assert found.null_sd.item() == pytest.approx(np.std(strength, ddof=1), rel=1e-4)


def test_synchrony__shifted_windows_are_whole_windows_apart():
    found = synchrony(dyads(1, 90), "AU01", window=2, step=1, max_lag=0, null="circular_shift")
    # 8 windows of 2 s, every one by 1 s: 4 shifts
    assert (found.p.item() * 4) % 1 == pytest.approx(0)
    shifts = np.concatenate(list(CyclicShifts(8, 2).all()))
    assert shifts[1].tolist() == [2, 3, 4, 5, 6, 7, 0, 1]
    assert len(shifts) == 4


def test_synchrony__pseudo_dyads_are_the_other_second_persons():
    ds = dyads(5, 120, 0.3)
    found = synchrony(ds, "AU01", window=2, max_lag=0.3, null="pseudo_dyads", n_draws=5000)
    x = ds.features.values[..., 0]

    def strength(i: int, j: int) -> float:
        swapped = videos(np.stack([x[i, :, 0], x[j, :, 1]], axis=1)[None, :, :, None], fps=FPS)
        return synchrony(swapped, "AU01", window=2, max_lag=0.3).strength.item()

    s = np.array([[strength(i, j) for j in range(5)] for i in range(5)])
    np.testing.assert_allclose(found.strength, np.diag(s))
    np.testing.assert_allclose(found.p, (s >= np.diag(s)[:, None] - 1e-12).mean(axis=1))
    others = [np.delete(s[i], i) for i in range(5)]
    np.testing.assert_allclose(found.null_mean, [o.mean() for o in others])
    np.testing.assert_allclose(found.effect, [(s[i, i] - o.mean()) / o.std(ddof=1) for i, o in enumerate(others)])
    orders = np.array(list(itertools.permutations(range(5))))
    means = s[np.arange(5), orders].mean(axis=1)
    assert found.p_group.item() == pytest.approx((means >= np.trace(s) / 5 - 1e-12).mean())


def test_synchrony__videos_of_one_person_each():
    ds = dyads(2, 200, 0.5)
    x = ds.features.values[..., 0]
    apart = videos(np.concatenate([x[..., 0], x[..., 1]])[..., None, None], fps=FPS, labels=["a1", "a2", "b1", "b2"])
    apart = apart.assign_coords(who=("video", list("pqrs")))
    pairs = pd.DataFrame({"video": ["a1", "a2"], "video_other": ["b1", "b2"]})
    found = synchrony(apart, "AU01", window=2, pairs=pairs)
    np.testing.assert_allclose(found.z, synchrony(ds, "AU01", window=2).z)
    assert found.dyad.values.tolist() == ["a1 & b1", "a2 & b2"]
    assert found.video_other.values.tolist() == ["b1", "b2"]
    assert found.who.values.tolist() == ["p", "q"]


def test_synchrony__only_shared_values_of_long_enough_windows_count():
    ds = dyads(1)
    x = ds.features.values.copy()
    x[0, 25:29, 0] = np.nan
    x[0, 60:72, 1] = np.nan
    found = synchrony(ds.assign(features=(ds.features.dims, x)), "AU01", window=2, max_lag=0, min_valid=0.5)
    a, b = x[0, :, :, 0].T
    r = []
    for s in range(0, 160, 20):
        both = ~np.isnan(a[s : s + 20]) & ~np.isnan(b[s : s + 20])
        r.append(np.corrcoef(a[s : s + 20][both], b[s : s + 20][both])[0, 1] if both.sum() >= 10 else np.nan)
    np.testing.assert_allclose(found.r_peak.squeeze(), r, rtol=1e-6)
    assert found.n_windows.item() == 7


def test_synchrony__several_features_and_short_dyads():
    ds = dyads(3, 160).isel(feature=[0, 0]).assign_coords(feature=["AU01", "AU02"])
    number = ds.frame_number.values.copy()
    number[1, 30:] = -1
    ds = ds.assign_coords(
        frame_number=(("video", "frame"), number), timestamp=ds.timestamp.where(number >= 0), place=("video", [1, 2, 3])
    )
    ds["features"] = ds.features.where(ds.frame_number >= 0)
    found = synchrony(ds, ["AU01", "AU02"], window=4, null="segment_shuffle", n_draws=99)
    assert found.strength.dims == ("dyad", "feature")
    assert found.p_group.dims == ("feature",)
    assert found.attrs["excluded"] == ["001: 3 s in common, too short for a window"]
    assert np.isnan(found.sel(dyad="001").p).all()
    assert found.n_group.values.tolist() == [2, 2]
    assert found.place.dims == ("dyad",)
    np.testing.assert_array_equal(found.p[:, 0], found.p[:, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "found window=0; expected a finite number above 0"),
        ({"window": 0.1}, "found window=0.1; expected at least 0.3 s"),
        ({"window": 100}, r"found no dyad that can be compared \(000: 16 s in common.*expected 133.4 s or more"),
        ({"faces": (0, 2)}, r"found faces=\(0, 2\); expected two different ones of \[0, 1\]"),
        ({"method": "plv"}, "found method='plv'; expected one of 'correlation', 'coherence'"),
        ({"null": "shuffle"}, "found null='shuffle'; expected one of 'segment_shuffle'"),
        ({"step": 1, "null": "segment_shuffle"}, "expected windows that do not overlap"),
        ({"step": 1.5, "null": "circular_shift"}, "expected a whole part of the window, such as 1 s"),
        ({"band": (0, 1)}, "found band with method='correlation'"),
        ({"method": "coherence", "max_lag": 1}, "has a phase instead of lags"),
        ({"method": "coherence", "band": (1, 9)}, r"found band=\(1, 9\); expected at most 5 Hz, half of 10 values"),
        ({"method": "coherence", "band": (1.1, 1.2)}, "expected one with a multiple of 0.5 Hz"),
        ({"pairs": [("000", "001")]}, "found 2 faces; expected one, because a pair of videos is one of two persons"),
        ({"min_valid": 0}, "found min_valid=0; expected a share above 0, up to 1"),
        (
            {"method": "coherence", "min_valid": 0.5},
            "found min_valid with method='coherence', which takes whole",
        ),
        ({"faces": (0, 1), "pairs": [("000", "001")]}, r"found faces=\(0, 1\) and pairs; expected one of them"),
        ({"n_draws": 0}, "found n_draws=0"),
        ({"n_draws": 99, "seed": 0}, "found n_draws=99 and seed=0 without null, so that nothing is drawn; give null"),
        ({"rate": 20}, "found rate=20; expected at most 10"),
    ],
)
def test_synchrony__bad_input(options, message):
    with pytest.raises(InputError, match=message):
        synchrony(dyads(), "AU01", **({"window": 2} | options))


def test_synchrony__bad_pairs_and_constant_faces():
    one = dyads().isel(face=[0])
    with pytest.raises(InputError, match="unknown video '009'"):
        synchrony(one, "AU01", window=2, pairs=[("000", "009")])
    with pytest.raises(InputError, match="unknown column of pairs 'video_other'"):
        synchrony(one, "AU01", window=2, pairs=pd.DataFrame({"video": ["000"]}))
    with pytest.raises(InputError, match=r"found pairs=.'000'.; expected pairs of video labels, one or more"):
        synchrony(one, "AU01", window=2, pairs=["000"])
    with pytest.raises(InputError, match="of a video with itself or more than once"):
        synchrony(one, "AU01", window=2, pairs=[("000", "000")])
    with pytest.raises(InputError, match="found 1 dyad with null='pseudo_dyads'; expected 2 or more"):
        synchrony(dyads(1), "AU01", window=2, null="pseudo_dyads")
    with pytest.raises(InputError, match="no window with enough values of both"):
        synchrony(one.assign(features=one.features * 0), "AU01", window=2, pairs=[("000", "001")])


def test_compare__all_orders_or_draws():
    square = np.random.default_rng(0).random((6, 6))

    def outcomes(orders: np.ndarray) -> np.ndarray:
        return square[np.arange(6), orders].mean(axis=1)[:, None]

    own = outcomes(np.arange(6)[None])[0]
    one = np.array([True])
    exact = compare(outcomes, own, Orders(6), n_draws=720, seed=0, family=one)
    assert (exact.exact, exact.n) == (True, 720)
    drawn = compare(outcomes, own, Orders(6), n_draws=719, seed=0, family=one)
    assert (drawn.exact, drawn.n) == (False, 719)
    assert drawn.p[0] == pytest.approx(exact.p[0], abs=0.06)
    assert drawn.p_max[0] == drawn.p[0]
    assert exact.mean[0] == pytest.approx(square.mean())
