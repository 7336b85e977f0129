"""Cleaned time courses: the same arithmetic with scipy and numpy, and what missing values may not do."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import signal

import facearray as fa
from facearray.errors import InputError
from facearray.signal import clean

RAW = {"detrend": False, "standardize": False}


def series(ds: xr.Dataset, feature: str = "AU12") -> np.ndarray:
    return ds.features.sel(feature=feature).values[0, :, 0].astype("f8")


@pytest.fixture(scope="module")
def long(course) -> xr.Dataset:
    """Ten seconds at 25 frames a second of three features and a pose that they follow."""
    rng = np.random.default_rng(0)
    t = np.arange(250) / 25
    yaw = np.cumsum(rng.normal(size=250))
    values = [yaw, np.sin(2 * np.pi * t) + 0.3 * yaw + 0.1 * t, rng.normal(size=250) + 0.2 * yaw, np.cos(5 * t) - t]
    return course(np.stack(values, axis=1), features=["Yaw", "AU06", "AU12", "happiness"])


@pytest.mark.parametrize(("trend", "degree"), [("constant", 0), (True, 1), ("linear", 1), ("quadratic", 2)])
def test_clean__trend_is_a_least_squares_polynomial(long, trend, degree):
    holed = long.copy(deep=True)
    holed.features[0, 40:70, 0, 2] = np.nan
    found = clean(holed, detrend=trend, standardize=False)
    t, there = np.arange(250) / 25, ~np.isnan(series(holed))
    for feature, used in (("AU12", there), ("AU06", np.ones(250, bool))):
        y = series(holed, feature)
        wanted = y - np.polyval(np.polyfit(t[used], y[used], degree), t)
        np.testing.assert_allclose(series(found, feature), wanted, atol=1e-5)
    if trend == "linear":
        np.testing.assert_allclose(series(found, "AU06"), signal.detrend(series(holed, "AU06")), atol=1e-5)


@pytest.mark.parametrize(
    ("cut_offs", "kind", "wn"),
    [
        ({"low_pass": 4}, "lowpass", 4),
        ({"high_pass": 0.5}, "highpass", 0.5),
        ({"high_pass": 0.5, "low_pass": 4}, "bandpass", (0.5, 4)),
    ],
)
@pytest.mark.parametrize("order", [2, 4])
def test_clean__filter_is_scipys_both_ways(long, cut_offs, kind, wn, order):
    found = clean(long, **RAW, **cut_offs, order=order)
    sos = signal.butter(order, wn, kind, fs=25, output="sos")
    for feature in ("AU06", "AU12"):
        np.testing.assert_allclose(series(found, feature), signal.sosfiltfilt(sos, series(long, feature)), atol=1e-4)


def test_clean__filter_delays_nothing(course):
    t = np.arange(500) / 25
    slow, fast = np.sin(2 * np.pi * 0.5 * t), np.sin(2 * np.pi * 8 * t)
    found = series(clean(course(slow + fast), **RAW, low_pass=3))
    np.testing.assert_allclose(found[50:-50], slow[50:-50], atol=0.01)


def test_clean__filter_bridges_gaps_and_left_out_frames(long):
    lost = slice(100, 110)
    holed = long.copy(deep=True)
    holed.features[0, lost] = np.nan
    found = series(clean(holed, **RAW, low_pass=4))
    y = series(long)
    y[lost] = np.interp(np.arange(100, 110), [99, 110], y[[99, 110]])
    wanted = signal.sosfiltfilt(signal.butter(4, 4, "lowpass", fs=25, output="sos"), y)
    assert np.isnan(found[lost]).all()
    np.testing.assert_allclose(np.delete(found, lost), np.delete(wanted, lost), atol=1e-4)
    cut = clean(long.isel(frame=np.delete(np.arange(250), lost)), **RAW, low_pass=4)
    np.testing.assert_allclose(series(cut), np.delete(wanted, lost), atol=1e-4)


def test_clean__confounds_are_regressed_out(long):
    found = clean(long, **RAW, confounds="Yaw")
    np.testing.assert_array_equal(series(found, "Yaw"), series(long, "Yaw"))
    x = np.column_stack([np.ones(250), series(long, "Yaw")])
    for feature in ("AU06", "AU12", "happiness"):
        y = series(long, feature)
        residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        np.testing.assert_allclose(series(found, feature), residual + y.mean(), atol=1e-5)
        assert abs(np.corrcoef(series(found, feature), series(long, "Yaw"))[0, 1]) < 1e-4


def test_clean__any_series_is_a_confound(long):
    rng = np.random.default_rng(4)
    one = xr.DataArray(rng.normal(size=(1, 250)), dims=("video", "frame"))
    two = xr.DataArray(rng.normal(size=(2, 250, 1)), dims=("regressor", "frame", "video"))
    with_coordinate = long.assign_coords(light=one)
    a = clean(with_coordinate, **RAW, confounds=["Yaw", "light"], features="AU12", series=two)
    x = np.column_stack([np.ones(250), series(long, "Yaw"), one[0], two[:, :, 0].T])
    y = series(long)
    np.testing.assert_allclose(series(a), y - x @ np.linalg.lstsq(x, y, rcond=None)[0] + y.mean(), atol=1e-5)
    both = xr.concat([one.expand_dims("regressor"), two.transpose("regressor", "video", "frame")], "regressor")
    b = clean(long, **RAW, confounds="Yaw", features="AU12", series=both)
    np.testing.assert_allclose(series(a), series(b), atol=1e-6)
    by_face = clean(long, **RAW, confounds="Yaw", features="AU12", series=both.expand_dims(face=1).chunk())
    np.testing.assert_allclose(series(b), series(by_face), atol=1e-6)


def test_clean__order_is_trend_filter_confounds_scale(long):
    found = clean(long, high_pass=0.3, low_pass=5, confounds="Yaw")
    sos = signal.butter(4, (0.3, 5), "bandpass", fs=25, output="sos")
    yaw = signal.sosfiltfilt(sos, signal.detrend(series(long, "Yaw")))
    x = np.column_stack([np.ones(250), yaw])
    for feature in ("AU06", "AU12", "happiness"):
        y = signal.sosfiltfilt(sos, signal.detrend(series(long, feature)))
        y = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        np.testing.assert_allclose(series(found, feature), (y - y.mean()) / y.std(ddof=1), atol=1e-3)


def test_clean__missing_confound_is_missing_in_the_result(long):
    holed = long.copy(deep=True)
    holed.features[0, 10:15, 0, 0] = np.nan
    found = clean(holed, **RAW, confounds="Yaw")
    assert np.flatnonzero(np.isnan(series(found))).tolist() == [10, 11, 12, 13, 14]


def test_clean__collinear_and_constant_confounds(long):
    twice = xr.concat([long.features.sel(feature="Yaw", face=0)] * 2, "again").drop_vars("feature") * xr.DataArray(
        [1, -3.0], dims="again"
    )
    still = xr.full_like(twice.isel(again=[0]), 7)
    a = clean(long, **RAW, confounds="Yaw", features="aus")
    b = clean(long, **RAW, confounds="Yaw", features="aus", series=xr.concat([twice, still], "again"))
    np.testing.assert_allclose(a.features, b.features, atol=1e-5)


def test_clean__constant_feature_has_no_scale(course):
    ds = course(np.full(50, 0.3))
    assert np.isnan(series(clean(ds, detrend=False))).all()
    np.testing.assert_allclose(series(clean(ds, **RAW)), 0.3, rtol=1e-6)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 99),
    lost=st.lists(st.integers(0, 79), max_size=30),
    trend=st.sampled_from(["constant", "linear"]),
)
def test_clean__standardized_whatever_is_missing(course, seed, lost, trend):
    values = np.random.default_rng(seed).normal(3, 2, size=80)
    values[lost] = np.nan
    found = series(clean(course(values), detrend=trend))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(values))
    assert np.nanmean(found) == pytest.approx(0, abs=1e-5)
    assert np.nanstd(found, ddof=1) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low_pass": 12.5}, r"'b': found low_pass=12.5 Hz at 25 frames a second; expected less than 12.5 Hz"),
        ({"high_pass": 0.1}, r"'b': found high_pass=0.1 Hz, a period of 10 s, and a video of 2.4 s"),
        ({"high_pass": 4, "low_pass": 2}, "found high_pass=4 Hz and low_pass=2 Hz; expected the first to be lower"),
        ({"low_pass": -1, "order": 0}, "found 2 problems:\n  - found low_pass=-1; expected"),
        ({"order": 4}, "found order=4 without a filter; give high_pass or low_pass, or leave it out"),
        ({"detrend": "cubic"}, "found detrend='cubic'; expected True, False, 'constant'"),
        ({"standardize": "z"}, "found standardize='z'; expected True or False"),
        ({"confounds": "Yew"}, "unknown feature or group 'Yew' .did you mean 'Yaw'"),
        ({"confounds": "phase"}, "unknown confound of numbers 'phase'; known: .*timestamp"),
        ({"confounds": "Yaw", "features": "poses"}, "found Yaw among the features and the confounds"),
        (
            {"series": xr.DataArray(np.zeros(60), dims="frame")},
            "found series with the dims frame; expected video, frame",
        ),
        ({"series": xr.DataArray(np.zeros((3, 60)), dims=("video", "frame"))}, "other sizes .video 3 instead of 4."),
    ],
)
def test_clean__bad_options(faces, options, message):
    with pytest.raises(InputError, match=message):
        clean(faces, **options)


def test_clean__all_problems_of_all_videos_at_once(recordings):
    ds = fa.concat([recordings({"slow": 90}, fps=10), recordings({"fast": 90}, fps=50), recordings({"one": 1})])
    with pytest.raises(InputError, match="found 2 problems") as raised:
        clean(ds, low_pass=6)
    assert "'one': found 1 frame; expected several to filter; leave the video out" in str(raised.value)
    assert "'slow': found low_pass=6 Hz at 10 frames a second; expected less than 5 Hz" in str(raised.value)
    fast = clean(ds.isel(video=[1]), low_pass=6)
    assert fast.features.notnull().any()


def test_clean__uneven_frames_are_refused_by_filters_only(course):
    times = np.cumsum(np.tile([0.03, 0.05, 0.09], 20))
    ds = course(np.random.default_rng(0).normal(size=60), times=times)
    message = r"the time between frames varies, from 0.03 to 0.09 s; expected equal steps; make them equal first"
    with pytest.raises(InputError, match=message):
        clean(ds, low_pass=3)
    clean(ds)
    clean(ds.fex.resample(fps=20), low_pass=3)
