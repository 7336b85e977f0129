"""What no function of time courses may take for good: each kind of bad input, and every function that it concerns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from time_courses import videos

import facearray as fa
from facearray.errors import InputError

FEATURES = ["AU06", "AU12", "AU43", "eyeBlinkLeft", "eyeBlinkRight", "Pitch", "Roll", "Yaw"]

Call = Callable[[xr.Dataset], Any]


def onsets(ds: xr.Dataset) -> pd.DataFrame:
    return pd.DataFrame({"video": [str(label) for label in ds.video.values], "onset": 0.5})


#: Every function that looks at values over time, in a way that works.
CALLS: dict[str, Call] = {
    "align": lambda ds: ds.fex.align(onsets(ds), before=0.2, after=0.3, features="AU12"),
    "asymmetry": lambda ds: ds.fex.asymmetry(mirrored=False),
    "baseline": lambda ds: ds.fex.baseline(),
    "baseline, first": lambda ds: ds.fex.baseline("first", seconds=1),
    "bin": lambda ds: ds.fex.bin(0.5),
    "blinks": lambda ds: ds.fex.blinks(),
    "boft": lambda ds: ds.fex.boft(frequencies=[2.0]),
    "clean": lambda ds: ds.fex.clean(),
    "clean, filter": lambda ds: ds.fex.clean(low_pass=4),
    "cooccurrence": lambda ds: ds.fex.cooccurrence("aus"),
    "decompose": lambda ds: ds.fex.decompose("aus", n_components=1),
    "distance": lambda ds: ds.fex.distance("aus"),
    "events": lambda ds: ds.fex.events("aus"),
    "interpolate": lambda ds: ds.fex.interpolate(0.2),
    "mask": lambda ds: ds.fex.mask(max_angle=40),
    "multi_wavelet": lambda ds: ds.fex.multi_wavelet([2.0, 3.0]),
    "quality": lambda ds: ds.fex.quality(),
    "rectify": lambda ds: ds.fex.rectify(),
    "resample": lambda ds: ds.fex.resample(10),
    "similarity": lambda ds: ds.fex.similarity("aus", metric="cosine"),
    "smiles": lambda ds: ds.fex.smiles(),
    "smooth": lambda ds: ds.fex.smooth(),
    "spectrum": lambda ds: ds.fex.spectrum("aus", window=1),
    "synchrony": lambda ds: ds.fex.synchrony("AU12", window=1, max_lag=0.2),
    "to_grid": lambda ds: ds.fex.to_grid(0.0, 0.5, 4, features="AU12"),
    "wavelet": lambda ds: ds.fex.wavelet(2.0),
}

#: Those that look at no time, or only whether frames follow each other.
TIMELESS = ("asymmetry", "baseline", "cooccurrence", "decompose", "distance", "mask", "quality", "similarity")


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Two videos of two faces, 4 s at 25 frames a second."""
    return videos(0.2 + np.random.default_rng(0).random((2, 100, 2, len(FEATURES))), features=FEATURES)


def test_calls__are_all_that_there_are(ds):
    described = {name.partition(",")[0] for name in CALLS}
    assert described == set(fa.signal.__all__) - {"Decomposition", "cooccurrence_network", "steps"}
    for call in CALLS.values():
        call(ds)


@pytest.mark.parametrize("name", sorted(set(CALLS) - set(TIMELESS)))
@pytest.mark.parametrize(
    ("times", "message"),
    [
        (
            np.full(100, np.nan),
            "'00[01]': found 100 of 100 frames without a time; expected seconds; give the frame rate",
        ),
        (
            np.arange(100)[::-1] / 25,
            "'00[01]': found times that do not increase, 3.96 s and then 3.92 s; expected each",
        ),
    ],
)
def test_times__unknown_or_backwards(ds, name, times, message):
    """Whether they are in memory, or known only when the result is."""
    wrong = ds.assign_coords(timestamp=(("video", "frame"), np.tile(times, (2, 1))))
    for one in (wrong, wrong.chunk(video=1)):
        with pytest.raises(InputError, match=message):
            computed(CALLS[name](one))


def computed(found: Any) -> Any:
    return found.compute() if isinstance(found, xr.Dataset) else found


@pytest.mark.parametrize("name", TIMELESS)
def test_times__not_needed(ds, name):
    CALLS[name](ds.assign_coords(timestamp=ds.timestamp * np.nan))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda ds: ds.fex.clean(low_pass=12.5),
            "found low_pass=12.5 Hz at 25 frames a second; expected less than 12.5",
        ),
        (
            lambda ds: ds.fex.clean(high_pass=13),
            "found high_pass=13 Hz at 25 frames a second; expected less than 12.5 Hz",
        ),
        (lambda ds: ds.fex.wavelet(13), "found a frequency of 13 Hz; expected at most 12.5 Hz, half of the 25 frames"),
        (lambda ds: ds.fex.multi_wavelet([2, 13]), "found a frequency of 13 Hz; expected at most 12.5 Hz"),
        (lambda ds: ds.fex.boft(frequencies=[2, 13]), "found a frequency of 13 Hz; expected at most 12.5 Hz"),
        (
            lambda ds: ds.fex.synchrony("AU12", window=1, method="coherence", band=(1, 13)),
            r"found band=\(1, 13\); expected at most 12.5 Hz, half of 25 values a second",
        ),
    ],
)
def test_frequencies__above_half_the_rate(ds, call, message):
    with pytest.raises(InputError, match=message):
        call(ds)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ds: ds.fex.smooth(seconds=9), "found a window of 9 s and a video of 4 s; expected a shorter window"),
        (lambda ds: ds.fex.spectrum(window=9), "found a window of 9 s; expected at most 4 s, the longest video; use a"),
        (lambda ds: ds.fex.wavelet(0.1), "found a wavelet of 38.2 s; expected at most 4 s, the longest video; use a"),
        (lambda ds: ds.fex.multi_wavelet([2, 0.1]), "found a wavelet of 38.2 s; expected at most 4 s"),
        (lambda ds: ds.fex.boft(), "found a wavelet of 63.66 s; expected at most 4 s, the longest video; use a higher"),
        (
            lambda ds: ds.fex.clean(high_pass=0.1),
            "found high_pass=0.1 Hz, a period of 10 s, and a video of 4 s; expected",
        ),
        (
            lambda ds: ds.fex.baseline("first", seconds=9),
            "found seconds=9 and a video of 4 s; expected it to last that",
        ),
        (
            lambda ds: ds.fex.synchrony("AU12", window=9, max_lag=1),
            r"000: 4 s in common, too short for a window\); expected 11 s or more that both share, a window and twice",
        ),
    ],
)
def test_windows__longer_than_the_videos(ds, call, message):
    for one in (ds, ds.chunk(video=1)):
        with pytest.raises(InputError, match=message):
            computed(call(one))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ds: ds.fex.interpolate(-0.1), "found max_gap=-0.1; expected a finite number, 0 or more"),
        (lambda ds: ds.fex.events(max_gap=-1, merge=-2), r"found merge=-2; .*\n.* found max_gap=-1; expected a finite"),
        (lambda ds: ds.fex.smiles(max_gap=-1), "found max_gap=-1; expected a finite number, 0 or more"),
        (lambda ds: ds.fex.blinks(max_gap=-1), "found max_gap=-1; expected a finite number, 0 or more"),
    ],
)
def test_gaps__of_negative_length(ds, call, message):
    with pytest.raises(InputError, match=message):
        call(ds)


@pytest.mark.parametrize("name", ["align", "spectrum", "synchrony"])
def test_rates__mixed_where_one_is_needed(ds, name):
    mixed = ds.assign_coords(timestamp=ds.timestamp * [[1.0], [25 / 30]])
    with pytest.raises(
        InputError, match=r"found videos with different frame rates, from 25 \('000'\) to 30 \('001'\).*; expected one"
    ):
        CALLS[name](mixed)


OF_ALL_VIDEOS = {"decompose", "distance", "quality", "similarity"}


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"align", "spectrum", "synchrony"} - OF_ALL_VIDEOS))
def test_rates__mixed_videos_are_as_each_by_itself(ds, name):
    mixed = ds.assign_coords(timestamp=ds.timestamp * [[1.0], [25 / 30]])
    both, alone = CALLS[name](mixed), CALLS[name](mixed.isel(video=[1]))
    if isinstance(both, pd.DataFrame):
        pd.testing.assert_frame_equal(both[both.video == "001"].reset_index(drop=True), alone)
        return
    one = both.isel(video=[1])
    if "frame" in one.dims:
        assert (one.frame_number.isel(frame=slice(alone.sizes["frame"], None)) == -1).all()
        one = one.isel(frame=slice(alone.sizes["frame"]))
    xr.testing.assert_allclose(one, alone)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clean, filter", "'000': found 1 frame; expected several to filter; leave the video out"),
        ("smooth", "'000': found 1 frame; expected several to smooth over; leave the video out"),
        (
            "baseline, first",
            "'000': found seconds=1 and a video of 0 s; expected it to last that long; give fewer, or leave",
        ),
        ("blinks", "found 000: one frame and 1 more; expected 25 or more frames a second in some video"),
        *[
            (
                name,
                "found no video with two frames or more, so that the frame rate is unknown; expected one; leave out",
            )
            for name in ("align", "boft", "multi_wavelet", "spectrum", "synchrony", "wavelet")
        ],
    ],
)
def test_frames__one_has_no_rate(ds, name, message):
    with pytest.raises(InputError, match=message):
        CALLS[name](ds.isel(frame=[0]))


@pytest.mark.parametrize("name", ["bin", "events", "interpolate", "rectify", "resample", "smiles", *TIMELESS])
def test_frames__one_is_enough(ds, name):
    found = CALLS[name](ds.isel(frame=[0]))
    if name in ("bin", "interpolate", "rectify", "resample"):
        np.testing.assert_allclose(found.features, ds.features[:, :1], rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "events",
            "found no value of 'AU12' in any frame; expected some; leave it out, or use a detector that measures it",
        ),
        ("smiles", r"found no value of 'AU06\+AU12' in any frame; expected some; leave it out"),
        ("distance", "found no value of 'AU12' in any frame; expected some"),
        ("similarity", "found no value of 'AU12' in any frame; expected some"),
        (
            "synchrony",
            r"found no dyad that can be compared \(000: no window with enough values of both\); expected 1.4 s",
        ),
        ("decompose", "found 0 samples with a value of all 3 measures; expected more than 1"),
    ],
)
def test_features__without_a_value_where_it_is_all_that_is_looked_at(ds, name, message):
    with pytest.raises(InputError, match=message):
        CALLS[name](ds.where(ds.feature != "AU12"))


@pytest.mark.parametrize(
    "name",
    [
        "baseline",
        "baseline, first",
        "bin",
        "clean",
        "clean, filter",
        "interpolate",
        "multi_wavelet",
        "resample",
        "smooth",
    ],
)
def test_features__without_a_value_stay_so_and_touch_no_other(ds, name):
    found, expected = CALLS[name](ds.where(ds.feature != "AU12")), CALLS[name](ds)
    assert np.isnan(found.features.sel(feature="AU12")).all()
    xr.testing.assert_allclose(found.features, expected.features.where(expected.feature != "AU12"))
