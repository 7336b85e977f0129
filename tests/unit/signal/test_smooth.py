"""Smoothed time courses: as scipy and pandas smooth them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage, signal

from facearray.errors import InputError
from facearray.signal import smooth


@pytest.fixture(scope="module")
def noisy() -> np.ndarray:
    return np.random.default_rng(0).normal(size=100).cumsum().astype("f4").astype("f8")


def smoothed(ds, *args, **options) -> np.ndarray:
    return smooth(ds, *args, **options).features.values[0, :, 0, 0]


@pytest.mark.parametrize(("seconds", "width", "degree"), [(0.2, 5, 2), (0.5, 13, 3), (0.24, 7, 3), (1, 25, 4)])
def test_smooth__savgol_is_scipys(course, noisy, seconds, width, degree):
    found = smoothed(course(noisy), seconds=seconds, degree=degree)
    wanted = signal.savgol_filter(noisy, width, degree)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1])
def test_smooth__gaussian_is_scipys_but_for_the_ends(course, noisy, seconds):
    found = smoothed(course(noisy), "gaussian", seconds=seconds)
    sigma = seconds * 25 / 2.354820045
    wanted = ndimage.gaussian_filter1d(noisy, sigma)
    inside = slice(int(4 * sigma) + 1, -int(4 * sigma) - 1)
    np.testing.assert_allclose(found[inside], wanted[inside], atol=1e-4)
    assert smoothed(course(np.ones(100)), "gaussian", seconds=seconds) == pytest.approx(1)


@pytest.mark.parametrize(("seconds", "width"), [(0.12, 3), (0.2, 5), (0.6, 15)])
def test_smooth__median_is_pandas(course, noisy, seconds, width):
    holed = noisy.copy()
    holed[[0, 10, 11, 12, 40, 99]] = np.nan
    found = smoothed(course(holed), "median", seconds=seconds)
    wanted = pd.Series(holed).rolling(width, center=True, min_periods=1).median().where(~np.isnan(holed))
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize("method", ["savgol", "gaussian", "median"])
def test_smooth__gaps_stay_and_do_not_spread(course, noisy, method):
    holed = noisy.copy()
    holed[30:34] = np.nan
    found = smoothed(course(holed), method, seconds=0.3)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(holed))
    far = np.r_[0:15, 50:100]
    np.testing.assert_allclose(found[far], smoothed(course(noisy), method, seconds=0.3)[far], atol=1e-3)


@pytest.mark.parametrize("method", ["savgol", "gaussian", "median"])
def test_smooth__a_line_stays_inside(course, method):
    line = np.arange(60.0)
    found = smoothed(course(line), method, seconds=0.2)
    np.testing.assert_allclose(found[10:-10], line[10:-10], atol=1e-4)


def test_smooth__frames_that_were_left_out_keep_their_distance(course, noisy):
    kept = np.delete(np.arange(100), [50, 51, 52])
    holed = noisy.copy()
    holed[50:53] = np.nan
    found = smoothed(course(noisy[kept], times=kept / 25), "gaussian")
    np.testing.assert_allclose(found, smoothed(course(holed), "gaussian")[kept], atol=1e-5)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((), {"seconds": 3}, r"'b': found a window of 3 s and a video of 2.4 s; expected a shorter window"),
        ((), {"seconds": 0.05}, r"found seconds=0.05, 1.2 frames at 25 frames a second; expected at least 3, 0.12 s"),
        ((), {"seconds": 0.12}, "found seconds=0.12, 3 frames, for degree=3; expected more frames"),
        (("gaussian",), {"seconds": 0.01}, r"found seconds=0.01, 0.25 frames"),
        (("mean",), {"seconds": -1}, "found 2 problems:\n  - found method='mean'; expected one of 'savgol'"),
        ((), {"degree": 1.5}, r"found degree=1.5; expected a whole number"),
        (("median",), {"degree": 3}, "found degree=3 with method='median', which fits no polynomial; leave it out"),
    ],
)
def test_smooth__bad_options(faces, args, options, message):
    with pytest.raises(InputError, match=message):
        smooth(faces, *args, **options)


def test_smooth__one_frame(course):
    with pytest.raises(InputError, match=r"'a.mp4': found 1 frame; expected several to smooth over"):
        smooth(course([1.0]))
