"""Windows over the frames' own times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facearray.epochs import frame_durations, window_sums


def by_hand(times, values, starts, length):
    """Frame by frame, window by window."""
    order = np.argsort(times, kind="stable")
    lasting = np.empty(len(times))
    lasting[order] = frame_durations(times[order])
    total, n, seconds = (np.zeros((len(starts), *values.shape[1:])) for _ in range(3))
    for w, start in enumerate(starts):
        for t, row, lasts in zip(times, values, lasting, strict=True):
            if start - 1e-6 * length <= t < start + length - 1e-6 * length:
                there = ~np.isnan(row)
                total[w] += np.where(there, row, 0)
                n[w] += there
                seconds[w] += there * lasts
    return total, n, np.minimum(seconds, length)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_window_sums__equal_a_sum_by_hand(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    times = np.cumsum(rng.exponential(0.1, n))
    values = np.where(rng.random((n, 2, 3)) < 0.2, np.nan, rng.normal(size=(n, 2, 3))).astype("f4")
    starts = np.round(rng.uniform(-1, times[-1] + 0.5, 8), 2)
    shuffled = rng.permutation(n)
    found = window_sums(times[shuffled], values[shuffled], starts, 0.4)
    total, count, seconds = by_hand(times, values, starts, 0.4)
    np.testing.assert_allclose(found.total, total, atol=1e-6)
    np.testing.assert_array_equal(found.n, count)
    np.testing.assert_allclose(found.seconds, seconds, atol=1e-12)


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30000 / 1001, 60])
def test_window_sums__every_frame_is_in_one_window_whatever_rounding_does(fps):
    times = np.arange(500) / fps
    step = 10 / fps
    found = window_sums(times, np.ones((500, 1)), step * np.arange(50), step)
    np.testing.assert_array_equal(found.n, 10)
    np.testing.assert_allclose(found.seconds, step, rtol=1e-9)


def test_window_sums__large_values_lose_no_digits():
    times = np.arange(10_000) / 25
    values = (1e6 + np.arange(10_000) % 7)[:, None].astype("f4")
    found = window_sums(times, values, np.arange(0, 398, 0.4), 0.4)
    wanted = [values[i : i + 10].astype(float).mean() for i in range(0, 9950, 10)]
    np.testing.assert_allclose((found.total / found.n)[:, 0], wanted, rtol=1e-15)


def test_frame_durations__gaps_and_lone_frames():
    assert frame_durations(np.array([3.0])).tolist() == [0.0]
    assert frame_durations(np.array([])).tolist() == []
    # frames that a file has twice last no time
    assert frame_durations(np.array([0.0, 0, 1, 1, 2, 2])).tolist() == [0, 1, 0, 1, 0, 1]
    np.testing.assert_allclose(frame_durations(np.array([0, 0.04, 0.08, 5.0, 5.04])), [0.04, 0.04, 0.08, 0.04, 0.04])
