"""Filled gaps: as pandas and scipy fill them, and no others."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from scipy import interpolate as scipy_interpolate

from facearray.errors import InputError
from facearray.signal import interpolate

METHODS = {"linear": "index", "nearest": "nearest", "pchip": "pchip", "akima": "akima"}


def gappy(n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A course with gaps of 1, 2, 3 and 6 frames and at both ends, and its uneven times."""
    rng = np.random.default_rng(3)
    values = np.sin(np.arange(n) / 4) + rng.normal(scale=0.1, size=n)
    for first, stop in ((0, 2), (5, 6), (12, 14), (20, 23), (30, 36), (n - 1, n)):
        values[first:stop] = np.nan
    return values, np.cumsum(rng.uniform(0.036, 0.044, n))


@pytest.mark.parametrize("method", METHODS)
def test_interpolate__is_what_pandas_gives(course, method):
    values, times = gappy()
    found = interpolate(course(values, times=times), 0.5, method=method).features.values[0, :, 0, 0]
    wanted = pd.Series(values.astype("f4").astype("f8"), index=times).interpolate(METHODS[method], limit_area="inside")
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_interpolate__spline_and_previous(course):
    values, times = gappy()
    values = values.astype("f4").astype("f8")
    there = ~np.isnan(values)
    found = interpolate(course(values, times=times), 0.5, method="spline").features.values[0, :, 0, 0]
    curve = scipy_interpolate.CubicSpline(times[there], values[there])(times)
    np.testing.assert_allclose(found[2:-1], np.where(there, values, curve)[2:-1], atol=1e-5)
    found = interpolate(course(values, times=times), 0.5, method="previous").features.values[0, :, 0, 0]
    np.testing.assert_allclose(found[2:-1], pd.Series(values).ffill()[2:-1])


@pytest.mark.parametrize(
    ("max_gap", "longest"), [(0, 0), (0.04, 1), (0.079, 1), (0.08, 2), (0.12, 3), (0.2, 3), (0.24, 6)]
)
def test_interpolate__only_gaps_that_are_short_enough(course, max_gap, longest):
    values, _ = gappy()
    ds = course(values)
    found = interpolate(ds, max_gap)
    wanted = {1: (5, 6), 2: (12, 14), 3: (20, 23), 6: (30, 36)}
    filled = [i for n, (first, stop) in wanted.items() if n <= longest for i in range(first, stop)]
    assert np.flatnonzero(found.interpolated.values[0, :, 0]).tolist() == filled
    assert np.flatnonzero(~np.isnan(found.features.values[0, :, 0, 0])).tolist() == sorted(
        {*np.flatnonzero(~np.isnan(values)).tolist(), *filled}
    )


def test_interpolate__frames_that_were_left_out_make_a_gap_longer(course):
    values = np.array([0.0, np.nan, 3.0, 4.0])
    times = np.array([0.0, 0.04, 0.12, 0.16])
    assert not interpolate(course(values, times=times), 0.04).interpolated.any()
    found = interpolate(course(values, times=times), 0.08).features.values[0, :, 0, 0]
    np.testing.assert_allclose(found, [0, 1, 3, 4])


def test_interpolate__nothing_across_videos_or_beyond_the_ends(faces):
    found = interpolate(faces, 9.0)
    for video, face in np.ndindex(4, 2):
        before, after = (ds.features.values[video, :, face, 9] for ds in (faces, found))
        there = np.flatnonzero(~np.isnan(before))
        if len(there):
            assert not np.isnan(after[there[0] : there[-1] + 1]).any()
            assert np.isnan(after[: there[0]]).all()
            assert np.isnan(after[there[-1] + 1 :]).all()
            np.testing.assert_array_equal(after[there], before[there])
    assert not found.interpolated.values[2].any()


@pytest.mark.parametrize("method", ["linear", "nearest", "previous", "pchip", "akima", "spline"])
def test_interpolate__one_and_two_values(course, method):
    one = course([np.nan, 2, np.nan])
    assert not interpolate(one, 1, method=method).interpolated.any()
    two = interpolate(course([0, np.nan, 2]), 1, method=method).features.values.ravel()
    assert two.tolist() == {"nearest": [0, 0, 2], "previous": [0, 0, 2]}.get(method, [0, 1, 2])


def test_interpolate__bad_options(faces):
    with pytest.raises(
        InputError, match=r"found 2 problems:\n  - found max_gap=-1; .*\n  - found method='cubic'; expected"
    ):
        interpolate(faces, -1, method="cubic")
    with pytest.raises(InputError, match=r"unknown feature or group 'AU1' .did you mean"):
        interpolate(faces, 1, features="AU1")


def test_interpolate__refuses_milliseconds(course, faces):
    ds = course(np.arange(50))
    message = r"found max_gap=200 s, longer than every recording \(2 s at most\); expected seconds; divide milliseconds"
    with pytest.raises(InputError, match=message):
        interpolate(ds, 200)
    with pytest.raises(InputError, match=message):
        interpolate(ds.chunk(), 200)
    # seconds of a recording that is as long, and of a clip that is shorter than what would be filled
    interpolate(course(np.arange(50), fps=0.2), 200)
    interpolate(ds, 5)
    interpolate(faces.isel(video=[2]), 200)


@pytest.mark.parametrize("gap", [pd.Timedelta("200ms"), np.timedelta64(200, "ms"), timedelta(seconds=0.2)])
def test_interpolate__refuses_durations_with_a_unit(course, gap):
    with pytest.raises(
        InputError, match=r"found max_gap=.*; expected a finite number, 0 or more; give it as seconds, 0.2"
    ):
        interpolate(course(np.arange(50)), gap)


@pytest.mark.parametrize("fps", [23.976, 24, 25, 29.97, 30, 59.94, 60])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_interpolate__times_that_are_rounded_to_milliseconds(course, fps, n):
    values = np.sin(np.arange(600) / 20)
    for first in range(5, 590, 17):
        values[first : first + n] = np.nan
    ds = course(values, times=np.round(np.arange(600) / fps, 3))
    assert not np.isnan(interpolate(ds, n / fps).features).any()
    np.testing.assert_array_equal(interpolate(ds, (n - 0.5) / fps).features, ds.features)


def test_interpolate__frames_in_fast_succession(course):
    ds = course([0, np.nan, 3, 4, 5], times=np.array([0, 0.01, 0.03, 0.07, 0.11]))
    assert interpolate(ds, 0.01).features.values[0, 1, 0, 0] == pytest.approx(1)
    assert np.isnan(interpolate(ds, 0).features.values[0, 1, 0, 0])
