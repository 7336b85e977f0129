"""Volumes: means of the frames on the screen, SPM's response written out by hand, and clocks that differ."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from time_courses import one_video, videos

from facearray import schema
from facearray.errors import InputError
from facearray.signal import to_grid
from facearray.signal.kernels.clock import fit_clock
from facearray.signal.kernels.hrf import double_gamma


def test_to_grid__means_of_the_frames_of_each_volume():
    x = np.random.default_rng(0).random(100)
    found = to_grid(one_video(x, fps=10), 1.0, 2.0, 4)
    np.testing.assert_allclose(found.features.squeeze(), x[10:90].reshape(4, 20).mean(axis=1))
    assert found.frame_number.values.tolist() == [[0, 1, 2, 3]]
    assert found.timestamp.values.tolist() == [[0, 2, 4, 6]]
    assert found.scanner_time.values.tolist() == [[1, 3, 5, 7]]
    assert (found.fps.item(), found.n_frames.item(), found.duration.item()) == (0.5, 4, 8)


def test_to_grid__too_little_of_a_volume_is_missing():
    x = np.arange(40.0)
    x[10:16] = np.nan
    found = to_grid(one_video(x, fps=10), 0.0, 1.0, 5).features.squeeze()
    np.testing.assert_array_equal(np.isnan(found), [False, True, False, False, True])
    assert to_grid(one_video(x, fps=10), 0.0, 1.0, 2, min_valid=0.4).features[0, 1].item() == pytest.approx(17.5)


def test_to_grid__a_volume_longer_than_the_recording_is_the_mean_of_what_there_is():
    ds = one_video(np.arange(40.0), fps=10)
    assert to_grid(ds, 0.0, 8.0, 1).features.item() == pytest.approx(19.5)
    assert to_grid(ds, 0.0, 16.0, 1, min_valid=0.25).features.item() == pytest.approx(19.5)
    with pytest.raises(InputError, match=r"tr=16 s, of which recordings fill 25 % at most"):
        to_grid(ds.chunk(), 0.0, 16.0, 1)


def test_double_gamma__is_that_of_spm():
    # spm_hrf(2) of SPM12, for which the response is sampled at 1/16 of 2 s
    from scipy.stats import gamma

    t = np.arange(0, 32 + 1e-9, 2 / 16)
    expected = gamma.pdf(t, 6) - gamma.pdf(t, 16) / 6
    np.testing.assert_allclose(double_gamma(2 / 16), expected / expected.sum(), rtol=1e-10, atol=1e-15)


def test_to_grid__response_is_a_convolution_at_sixteenths_of_a_volume():
    tr, n = 2.0, 20
    step = tr / 16
    x = np.random.default_rng(1).random(16 * 40)
    ds = one_video(x, fps=1 / step)
    found = to_grid(ds, 40.0, tr, n, hrf="spm").features.squeeze().values
    h = [
        t**5 * math.exp(-t) / math.factorial(5) - t**15 * math.exp(-t) / math.factorial(15) / 6
        for t in np.arange(257) * step
    ]
    h = np.array(h) / sum(h)
    for i in range(n):
        j = round(40 / step) + 16 * i + 8
        expected = sum(h[k] * x[j - k] for k in range(257))
        if j < len(x):
            assert found[i] == pytest.approx(expected, rel=1e-9)


def test_to_grid__a_constant_keeps_its_level_and_an_impulse_becomes_the_response():
    flat = to_grid(one_video(np.full(1000, 0.7), fps=10), 40.0, 1.0, 50, hrf="spm", at=0)
    np.testing.assert_allclose(flat.features.squeeze(), 0.7, rtol=1e-9)
    impulse = np.zeros(1600)
    impulse[0:16] = 1  # a second
    found = to_grid(one_video(impulse, fps=16), 0.0, 1.0, 30, hrf="spm", at=0, outside=0.0).features.squeeze()
    assert found.values.argmax() in (5, 6)  # 5 s behind its middle, 0.5
    assert found.values.argmin() == 16


def test_to_grid__the_beginning_of_a_response_is_missing_unless_it_is_known_what_was_before():
    ds = one_video(np.random.default_rng(2).random(1000), fps=10)
    unknown = to_grid(ds, 0.0, 2.0, 30, hrf="spm").features.squeeze()
    assert np.isnan(unknown[:2]).all()
    assert not np.isnan(unknown[6:]).any()
    known = to_grid(ds, 0.0, 2.0, 30, hrf="spm", outside=0.0).features.squeeze()
    assert not np.isnan(known).any()
    np.testing.assert_allclose(known[17:], unknown[17:], rtol=1e-9)


def test_to_grid__runs_follow_each_other():
    x = np.arange(300.0)
    found = to_grid(one_video(x, fps=10), [1.0, 20.0], 1.0, [3, 2])
    np.testing.assert_allclose(found.features.squeeze(), [14.5, 24.5, 34.5, 204.5, 214.5])
    assert found.run.values.tolist() == [0, 0, 0, 1, 1]
    assert found.scanner_time.values.tolist() == [[1, 2, 3, 20, 21]]
    assert found.timestamp.values.tolist() == [[0, 1, 2, 3, 4]]


def test_to_grid__each_video_has_its_own_beginning():
    x = np.arange(80.0).reshape(2, 40, 1, 1)
    ds = videos(x, fps=10).assign_coords(scan=("video", [0.0, 1.0]))
    found = to_grid(ds, "scan", 1.0, 2).features.squeeze()
    np.testing.assert_allclose(found, [[4.5, 14.5], [54.5, 64.5]])


def test_to_grid__clocks_that_are_set_and_run_differently():
    # the scanner's clock is 100 s ahead, and 0.1 % faster
    own = np.array([1.0, 20.0, 38.0])
    sync = pd.DataFrame({"video": "a", "time": own, "scanner_time": 100 + 1.001 * own})
    x = np.random.default_rng(3).random(4000)
    ds = one_video(x, fps=100)
    found = to_grid(ds, 100 + 1.001 * 5, 1.001, 20, sync=sync)
    np.testing.assert_allclose(found.features.squeeze(), x[500:2500].reshape(20, 100).mean(axis=1), rtol=1e-6)
    assert found.clock_offset.item() == pytest.approx(100)
    assert found.clock_drift.item() == pytest.approx(0.001)
    assert found.clock_residual.item() == pytest.approx(0, abs=1e-9)
    once = to_grid(ds, 105.0, 1.0, 20, sync=sync.assign(scanner_time=100 + own).iloc[:1])
    np.testing.assert_allclose(once.features.squeeze(), found.features.squeeze(), rtol=1e-6)
    assert once.clock_drift.item() == 0


def test_to_grid__is_a_dataset_of_the_schema(recordings):
    ds = recordings({"a": 50, "none": 0}, n_faces=2)
    found = to_grid(ds, 0.0, 0.5, 3)
    schema.validate(found)
    assert found.n_frames.values.tolist() == [3, 0]
    assert found.frame_number.values.tolist() == [[0, 1, 2], [-1, -1, -1]]
    assert found.fex.summarize().sizes["feature"] == 3


def test_fit_clock__is_least_squares():
    rng = np.random.default_rng(4)
    own = np.sort(rng.uniform(0, 600, 8))
    other = 1e5 + 1.0002 * own + rng.normal(scale=0.01, size=8)
    found = fit_clock(own, other)
    slope, intercept = np.polyfit(own, other, 1)
    assert found.drift == pytest.approx(slope - 1, rel=1e-4)
    assert found.offset == pytest.approx(intercept, abs=1e-5)
    assert found.residual == pytest.approx(np.abs(other - slope * own - intercept).max(), abs=1e-6)
    np.testing.assert_allclose(found.own(found.offset + (1 + found.drift) * own), own)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tr": 0}, "found tr=0; expected a finite number above 0"),
        ({"n": 0}, "found n=0; expected a whole number of volumes, 1 or more"),
        ({"t0": [0, 1]}, "found 2 beginnings in t0 and 1 numbers in n; expected one of each a run"),
        ({"t0": "scan"}, "unknown coordinate on video 'scan'"),
        ({"t0": 500}, "found volumes from 500 to 502 s and videos from 0 to 3.9 s; expected them to overlap"),
        (
            {"tr": 2000},
            r"found volumes of tr=2000 s, of which recordings fill 0.2 % at most; expected min_valid=0.5, 50 .*seconds",
        ),
        (
            {"tr": 0.5, "hrf": "spm"},
            r"found recordings on which 0.0136 % of the response's weight falls at most; expected min_valid=0.5, .*=0",
        ),
        ({"hrf": "glover"}, "found hrf='glover'; expected 'spm' or None"),
        ({"outside": 0.0}, "found outside= without hrf"),
        ({"outside": np.nan, "hrf": "spm"}, "found outside=nan; expected a finite number"),
        ({"at": 0.25}, "found at=0.25 without hrf"),
        ({"at": 2}, "found at=2; expected a share from 0 to 1"),
        ({"sync": pd.DataFrame({"video": ["a"], "time": [1.0]})}, "unknown column of sync 'scanner_time'"),
        (
            {"sync": pd.DataFrame({"video": ["b"], "time": [1.0], "scanner_time": [1.0]})},
            "found no sync event of 'a'",
        ),
        (
            {"sync": pd.DataFrame({"video": "a", "time": [0.0, 1, 2], "scanner_time": [0.0, 3, 2]})},
            "found sync events of 'a' up to 1.33 s off a line; expected half a volume, 0.5 s, at most",
        ),
        (
            {"sync": pd.DataFrame({"video": "a", "time": [0.0, 3], "scanner_time": [0.0, 3.3]})},
            "found clocks of 'a' that differ by 10 %; expected 1 % at most",
        ),
    ],
)
def test_to_grid__bad_input(options, message):
    arguments = {"t0": 0.0, "tr": 1.0, "n": 2} | options
    with pytest.raises(InputError, match=message):
        to_grid(one_video(np.arange(40.0), fps=10), **arguments)
