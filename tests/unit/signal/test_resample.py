"""Other rates: averages that numeric integration gives, the right rate in the result, nothing that was not there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.signal import bin as bin_frames
from facearray.signal import resample


def values_of(ds: xr.Dataset) -> np.ndarray:
    return ds.features.values[0, :, 0, 0].astype("f8")


def integrated(times: np.ndarray, values: np.ndarray, at: np.ndarray, step: float) -> np.ndarray:
    """Triangular averages of the line through all values, by the trapezoidal rule."""
    out = []
    for t in at:
        h = min(step, t - times[0], times[-1] - t)
        s = np.linspace(t - h, t + h, 20001)
        weights = 1 - np.abs(s - t) / h if h > 0 else np.ones_like(s)
        out.append((np.interp(s, times, values) * weights).sum() / weights.sum())
    return np.array(out)


@pytest.mark.parametrize("fps", [2, 7.3, 10, 12.5, 20])
@pytest.mark.parametrize("jitter", [0, 0.015])
def test_resample__down_is_an_average_with_triangular_weights(course, fps, jitter):
    rng = np.random.default_rng(0)
    times = np.arange(101) / 25 + rng.uniform(-jitter, jitter, 101)
    values = rng.normal(size=101).cumsum()
    found = resample(course(values, times=times), fps)
    at = times[0] + np.arange(found.sizes["frame"]) / fps
    np.testing.assert_allclose(found.timestamp.values[0], at, atol=1e-12)
    assert at[-1] <= times[-1] + 1e-9 < at[-1] + 1 / fps
    np.testing.assert_allclose(values_of(found), integrated(times, values.astype("f4"), at, 1 / fps), atol=2e-4)


@pytest.mark.parametrize("fps", [25, 30, 60, 100.0])
def test_resample__up_is_a_line_between_frames(course, fps):
    rng = np.random.default_rng(0)
    times = np.arange(60) / 25 + rng.uniform(-0.01, 0.01, 60)
    values = rng.normal(size=60).cumsum()
    found = resample(course(values, times=times), fps)
    np.testing.assert_allclose(values_of(found), np.interp(found.timestamp.values[0], times, values), atol=1e-5)


def test_resample__records_the_rate_that_it_makes(faces):
    found = resample(faces, 10)
    assert found.fps.values.tolist() == [10.0] * 4
    np.testing.assert_array_equal(found.n_frames, [24, 14, 0, 21])
    assert found.n_frames.dtype == faces.n_frames.dtype
    real = found.frame_number.values >= 0
    np.testing.assert_array_equal(real.sum(axis=1), found.n_frames)
    np.testing.assert_array_equal(np.isnan(found.timestamp.values), ~real)
    for video in (0, 1, 3):
        np.testing.assert_allclose(np.diff(found.timestamp.values[video][real[video]]), 0.1)
    assert found.sizes["frame"] == 24
    assert (found.track_id.values[~real] == -1).all()
    fa.schema.validate(found)


def test_resample__no_ringing_on_steps_and_ramps(course):
    step = np.repeat([0.0, 1.0], 50)
    for fps in (3, 7, 10, 24, 40):
        found = values_of(resample(course(step), fps))
        assert found.min() >= 0
        assert found.max() <= 1
        assert (np.diff(found) >= -1e-6).all()
        ramp = resample(course(np.arange(100) / 10), fps)
        np.testing.assert_allclose(values_of(ramp), ramp.timestamp.values[0] * 2.5, atol=1e-4)


@pytest.mark.parametrize(
    ("frequency", "least", "most"),
    [(0.2, 0.98, 1), (1, 0.95, 1), (2.5, 0.75, 0.85), (9, 0, 0.05), (10, 0, 0.01), (13, 0, 0.06)],
)
def test_resample__what_is_too_fast_goes_and_what_is_slow_stays(course, frequency, least, most):
    t = np.arange(1500) / 50
    wave = np.sin(2 * np.pi * frequency * t + 0.3)
    found = values_of(resample(course(wave, fps=50), 10))[20:-20]
    assert least <= np.sqrt(2) * found.std() <= most


def test_resample__gaps_stay_gaps_and_short_ones_are_averaged_over(course):
    values = np.arange(100.0)
    values[40:60] = np.nan
    values[81] = np.nan
    found = resample(course(values), 5)
    at = found.timestamp.values[0]
    known = ~np.isnan(values_of(found))
    # within the gap there is nothing; at its borders half of the weight is enough
    assert not known[(at > 1.6 + 0.05) & (at < 2.4 - 0.05)].any()
    assert known[(at < 1.6 - 0.05) | (at > 2.4 + 0.05)].all()
    np.testing.assert_allclose(values_of(found)[known], 25 * at[known], atol=2.6)
    assert known[np.argmin(np.abs(at - 81 / 25))]
    up = resample(course(values), 50)
    lost = np.isnan(values_of(up))
    np.testing.assert_array_equal(
        lost, _far_from_frames(up.timestamp.values[0], np.flatnonzero(~np.isnan(values)) / 25)
    )


def _far_from_frames(at: np.ndarray, known: np.ndarray) -> np.ndarray:
    nearest = np.abs(at[:, None] - known).min(axis=1)
    return nearest > 0.02 + 1e-9


def test_resample__a_frame_that_was_left_out_is_no_gap_but_a_pause_is(course):
    times = np.delete(np.arange(60) / 25, [10, *range(30, 50)])
    found = resample(course(times, times=times), 25)
    at = found.timestamp.values[0]
    lost = np.isnan(values_of(found))
    assert not lost[:30].any()
    assert lost[(at > 29.6 / 25) & (at < 49.4 / 25)].all()
    np.testing.assert_allclose(values_of(found)[~lost], at[~lost], atol=0.021)


def test_resample__mixed_and_uneven_rates_become_one(recordings):
    rng = np.random.default_rng(0)
    ds = fa.concat([recordings({"a": 100}, fps=30), recordings({"b": 50}, fps=12), recordings({"one": 1})])
    uneven = ds.timestamp.values.copy()
    uneven[0, :100] = np.cumsum(rng.uniform(0.02, 0.06, 100))
    found = ds.assign_coords(timestamp=(("video", "frame"), uneven)).fex.resample(fps=10)
    assert set(found.fps.values) == {10.0}
    for times in found.timestamp.values[:2]:
        np.testing.assert_allclose(np.diff(times[~np.isnan(times)]), 0.1)
    assert found.n_frames.values[2] == 1
    np.testing.assert_allclose(found.features.values[2, 0], ds.features.values[2, 0])


def test_resample__labels_are_those_of_the_nearest_frame(faces):
    marked = faces.assign_coords(number=faces.frame_number, flag=faces.frame_number % 2 == 0)
    found = resample(marked, 10)
    real = found.frame_number.values >= 0
    nearest = np.rint(found.timestamp.values[real] * 25 - 1e-6)
    np.testing.assert_array_equal(found.number.values[real], nearest)
    assert (found.number.values[~real] != found.number.values[~real]).all()
    np.testing.assert_array_equal(found.flag.values[real], nearest % 2 == 0)
    assert set(found.phase.values[real].tolist()) == {"rest", "task"}
    assert set(found.phase.values[~real].tolist()) == {""}
    np.testing.assert_array_equal(found.person, faces.person)


def test_resample__embeddings_keep_unit_length(faces):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(4, 60, 2, 8))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    ds = faces.assign(embedding=(("video", "frame", "face", "component"), vectors.astype("f4")))
    ds["embedding"] = ds.embedding.where(ds.features.notnull().any("feature"))
    for found in (resample(ds, 10), bin_frames(ds, 0.3, stat="max")):
        norm = np.linalg.norm(found.embedding.values, axis=-1)
        np.testing.assert_allclose(norm[~np.isnan(norm)], 1, rtol=1e-5)
        assert (~np.isnan(norm)).any()


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 99),
    fps=st.floats(1, 80),
    lost=st.lists(st.integers(0, 59), max_size=40),
    jitter=st.floats(0, 0.019),
)
def test_resample__stays_within_what_there_was(course, seed, fps, lost, jitter):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=60)
    values[lost] = np.nan
    found = values_of(resample(course(values, times=np.arange(60) / 25 + rng.uniform(-jitter, jitter, 60)), fps))
    known = found[~np.isnan(found)]
    if known.size:
        assert known.min() >= np.nanmin(values) - 1e-6
        assert known.max() <= np.nanmax(values) + 1e-6
    if not lost:
        assert known.size == found.size


def test_resample__bad_options(faces):
    with pytest.raises(InputError, match="found fps=0; expected a finite number above 0"):
        resample(faces, 0)
    with pytest.raises(SchemaError, match="found hour with a dim 'frame' but not"):
        resample(faces.assign_coords(hour=("frame", np.arange(60))), 10)


# bin


@pytest.mark.parametrize("stat", ["mean", "median", "std", "min", "max"])
def test_bin__is_what_pandas_gives(faces, stat):
    found = bin_frames(faces, 0.28, stat=stat, min_valid=0)
    for video, face in np.ndindex(4, 2):
        n = int(faces.n_frames[video])
        table = pd.DataFrame(faces.features.values[video, :n, face].astype("f8"))
        wanted = getattr(table.groupby(np.arange(n) // 7), stat)()
        np.testing.assert_allclose(found.features.values[video, : len(wanted), face], wanted, rtol=1e-5)
        assert found.n_frames[video] == len(wanted)
        assert np.isnan(found.features.values[video, len(wanted) :]).all()
    np.testing.assert_allclose(found.timestamp.values[0, :9], 0.28 * (np.arange(9) + 0.5))
    np.testing.assert_allclose(found.fps, 1 / 0.28)


@pytest.mark.parametrize(("min_valid", "n_known"), [(0, 4), (0.4, 3), (0.6, 2), (1, 1)])
def test_bin__needs_enough_frames(course, min_valid, n_known):
    values = np.ones(20)
    values[[5, 6, 10, 11, 12, 15, 16, 17, 18]] = np.nan
    found = bin_frames(course(values), 0.2, min_valid=min_valid)
    assert (~np.isnan(values_of(found))).sum() == n_known


def test_bin__pauses_are_empty_stretches(course):
    times = np.array([0, 0.1, 0.2, 5.05, 5.1])
    found = bin_frames(course([1, 2, 3, 4, 6], times=times), 0.5)
    wanted = np.full(11, np.nan)
    wanted[[0, 10]] = 2, 5
    np.testing.assert_allclose(values_of(found), wanted)
    assert (found.frame_number.values[0] == np.arange(11)).all()


@pytest.mark.parametrize("fps", [23.976, 24, 25, 29.97, 30, 59.94])
@pytest.mark.parametrize("width", [1, 15])
def test_bin__times_that_are_rounded_to_milliseconds(course, fps, width):
    ds = course(np.arange(300), times=np.round(np.arange(300) / fps, 3))
    found = bin_frames(ds, width / fps)
    np.testing.assert_allclose(values_of(found), np.arange(300).reshape(-1, width).mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": -1}, "found seconds=-1; expected a finite number above 0"),
        ({"seconds": 1, "stat": "sum"}, "found stat='sum'; expected one of 'mean', 'median'"),
        ({"seconds": 1, "min_valid": 2}, "found min_valid=2; expected a share, 0 to 1"),
    ],
)
def test_bin__bad_options(faces, options, message):
    with pytest.raises(InputError, match=message):
        bin_frames(faces, **options)
