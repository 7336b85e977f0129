"""Frames in time: what a file rounds does not change which of them a window holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facearray.epochs import window_sums
from facearray.sampling import frame_step, sampling, unrounded

RATES = (23.976, 24, 25, 29.97, 30000 / 1001, 30, 50, 59.94, 60)


@st.composite
def recordings(draw):
    """Rate, true positions of frames, some left out, and times that a file rounds to milliseconds."""
    fps = draw(st.sampled_from(RATES))
    n, first = draw(st.integers(8, 400)), draw(st.integers(0, 100_000))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    there = rng.random(n) >= draw(st.sampled_from([0, 0.1, 0.3]))
    # frames that follow each other tell the rate
    there[:4] = there[-1] = True
    places = first + np.flatnonzero(there)
    return fps, places, np.round(places / fps, 3)


@settings(max_examples=30)
@given(recordings(), st.integers(1, 20), st.sampled_from([0.0, 0.5]))
def test_window_sums__hold_whole_frames_whatever_a_file_rounds(recording, width, shift):
    fps, places, times = recording
    starts = np.arange(places[0], places[-1] + 1, width) + shift
    found = window_sums(times, np.ones((len(times), 1)), starts / fps, width / fps)
    wanted = [((places >= start) & (places < start + width)).sum() for start in starts]
    np.testing.assert_array_equal(found.n[:, 0], wanted)


@settings(max_examples=30)
@given(recordings())
def test_unrounded__is_nearer_to_the_truth_and_says_how_near(recording):
    fps, places, times = recording
    found = unrounded(times)
    assert np.abs(found.seconds - places / fps).max() <= np.abs(times - places / fps).max() + 1e-9
    assert np.abs(found.seconds - times).max() <= found.rounding + 1e-12 <= 1e-3
    assert frame_step(times) == pytest.approx(1 / fps, abs=1e-3 / (places[-1] - places[0]))


@pytest.mark.parametrize("fps", RATES)
def test_sampling__long_pauses_of_times_in_milliseconds(fps):
    places = np.concatenate([np.arange(100), np.arange(2000, 2100)])
    found = sampling(np.round(places / fps, 3))
    assert found.problem == ""
    np.testing.assert_array_equal(found.places, places)


@pytest.mark.parametrize("fps", RATES)
def test_unrounded__changes_no_exact_times(fps):
    times = np.delete(np.arange(5, 305) / fps, [7, 8, 100])
    found = unrounded(times)
    np.testing.assert_array_equal(found.seconds, times)
    assert found.rounding == 0


def test_unrounded__leaves_variable_rates_alone():
    rng = np.random.default_rng(0)
    uneven = np.cumsum(rng.exponential(0.04, 200))
    # evenly spaced from frame to frame, but the clock runs faster and faster
    drifting = np.cumsum(np.linspace(0.03, 0.036, 200))
    half_a_step_off = np.append(np.arange(100) / 30, 99.5 / 30 + np.arange(1, 100) / 30)
    for times in (uneven, drifting, half_a_step_off, [0.0, 0, 1, 1], [0.0, np.nan, 1], [3.0], []):
        found = unrounded(np.array(times))
        np.testing.assert_array_equal(found.seconds, times)
        assert found.rounding == 0


def test_frame_step__by_hand():
    assert frame_step(np.array([])) == frame_step(np.array([2.0])) == frame_step(np.array([2.0, 2.0])) == 0
    assert frame_step(np.round(np.arange(300) / 30, 3)) == pytest.approx(1 / 30, abs=1e-6)
    assert frame_step(np.array([0, 0.04, 0.08, 5.0, 5.04])) == pytest.approx(0.04)
    # frames that a file has twice; the usual steps of a variable rate, without its pauses
    assert frame_step(np.array([0.0, 0, 1, 1, 2, 2])) == 1
    assert frame_step(np.array([0.0, 0.03, 0.07, 0.12, 2.0])) == pytest.approx(0.04)
