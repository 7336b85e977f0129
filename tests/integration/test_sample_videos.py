"""The default detector on real video, decode to store."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import scipy.stats

import facearray as fa
from facearray.detection.detectors import load_detector


@pytest.fixture(scope="module")
def detector():
    return load_detector("mediapipe", device="cpu")


@pytest.fixture(scope="module")
def smile(detector, tmp_path_factory):
    """The store of the sample video in which a neutral face begins to smile (72 frames)."""
    store = tmp_path_factory.mktemp("smile") / "s.zarr"
    fa.detect(fa.datasets.sample_video("single_face"), store, detector=detector, progress=False)
    return store


def values(ds):
    n = int(ds["n_frames"][0])
    return ds["features"].values[0, :n], ds["landmarks"].values[0, :n]


@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_detect__values_do_not_depend_on_the_batch(smile, detector, tmp_path, batch_size):
    video = fa.datasets.sample_video("single_face")
    ds = fa.detect(video, tmp_path / "s.zarr", detector=detector, batch_size=batch_size, progress=False)
    for found, expected in zip(values(ds), values(fa.open_store(smile)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_detect__values_do_not_depend_on_every(smile, detector, tmp_path):
    video = fa.datasets.sample_video("single_face")
    ds = fa.detect(video, tmp_path / "s.zarr", detector=detector, every=3, progress=False)
    for found, expected in zip(values(ds), values(fa.open_store(smile)), strict=True):
        np.testing.assert_allclose(found, expected[::3], rtol=0, atol=1e-4)


def test_detect__two_runs_are_bit_identical(smile, tmp_path, contents):
    fa.detect(fa.datasets.sample_video("single_face"), tmp_path / "s.zarr", progress=False)
    assert contents(tmp_path / "s.zarr") == contents(smile)


def test_detect__smile_is_seen(smile):
    ds = fa.open_store(smile).isel(video=0, face=0, frame=slice(72))
    rise = ds.isel(frame=slice(-12, None)).mean("frame") - ds.isel(frame=slice(12)).mean("frame")
    for feature in ("AU12", "happiness", "mouthSmileLeft", "mouthSmileRight"):
        assert float(rise["features"].sel(feature=feature)) > 0.5, feature
    for feature in ("AU06", "AU25"):  # cheeks and lips follow, by less
        assert float(rise["features"].sel(feature=feature)) > 0.1, feature
    assert float(rise["features"].sel(feature="neutral")) < -0.5


def test_detect__measures_are_in_their_ranges(smile):
    ds = fa.open_store(smile)
    n = int(ds["n_frames"][0])
    emotions = ds.fex.emotions.values[0, :n]
    np.testing.assert_allclose(emotions.sum(axis=-1), 1, atol=1e-5)
    for group in (ds.fex.aus, ds.fex.blendshapes, ds.fex.emotions):
        assert group.values[0, :n].min() >= 0
        assert group.values[0, :n].max() <= 1
    points = ds["landmarks"].values[0, :n, 0]
    box = ds.fex.facebox.values[0, :n, 0]
    centre = box[:, None, :2] + box[:, None, 2:4] / 2
    assert (np.abs(points[:, [4], :2] - centre) < box[:, None, 2:4] / 2).all()  # the nose tip lies in the box
    eyes, mouth = points[:, [468, 473], 1].mean(axis=1), points[:, [13, 14], 1].mean(axis=1)
    assert (eyes < mouth).all()  # y grows downwards


def _frames_of(ds):
    """Values (n_frames,) of each feature of a video with one face."""
    frames = ds.isel(video=0, face=0, frame=slice(int(ds["n_frames"][0])))["features"]
    return {str(name): frames.sel(feature=name).values for name in frames["feature"].values}


@pytest.fixture(scope="module")
def wolfgang(detector, tmp_path_factory):
    """Measures of the sample video of a woman who looks down, cries, looks about, laughs and blinks (472 frames)."""
    store = tmp_path_factory.mktemp("wolfgang") / "w.zarr"
    return _frames_of(fa.detect(fa.datasets.sample_video("wolfgang"), store, detector=detector, progress=False))


def _changes(f, name, frames, than):
    """How much more of a feature there is in some frames, those of [start, stop), than in others."""
    return f[name][slice(*frames)].mean() - f[name][slice(*than)].mean()


def test_detect__smile_begins_and_ends_when_it_does(smile):
    # seen on the frames: lips begin to move at 17 and show teeth from 19 on; at 69 the smile fades, at 71 it is gone
    f = _frames_of(fa.open_store(smile))
    above = np.flatnonzero(f["AU12"] > 0.4)
    assert above[0] in (18, 19)
    assert above[-1] in (68, 69)
    assert len(above) == above[-1] - above[0] + 1
    assert f["AU12"][:17].max() < 0.05
    assert f["AU25"][:18].max() < 0.05
    assert f["AU25"][22:68].min() > 0.4
    assert _changes(f, "AU06", (30, 66), (0, 15)) > 0.2
    # and he blinks once, at 26 and 27
    assert set(np.argsort(f["AU43"])[-2:]) == {26, 27}
    assert f["AU43"][[26, 27]].min() > 5 * np.delete(f["AU43"], [25, 26, 27, 28, 29]).max()
    assert np.flatnonzero(np.isnan(f["gaze_yaw"])).tolist() == [26, 27]


def test_detect__eyes_shut_open_and_blink_when_they_do(wolfgang):
    f = wolfgang
    # seen on the frames: eyes shut until 139, open from 141 on; blinks at 386 and 428 to 430; lowered again from 445
    assert np.argmax(np.diff(f["AU43"]) < -0.2) in range(137, 142)
    for shut in ((20, 135), (445, 465)):
        assert _changes(f, "AU43", shut, (160, 200)) > 0.2
    for start, stop in ((376, 396), (422, 437)):
        blink = f["AU43"][start:stop]
        assert start + blink.argmax() in (*range(385, 389), *range(427, 432))
        assert blink.max() > 0.2
        assert max(blink[0], blink[-1]) < 0.1


def test_detect__brows_go_up_and_down_when_they_do(wolfgang):
    # seen on the frames: wrinkles across the forehead from 150 to 200, none from 255 to 268
    for name in ("AU01", "AU02"):
        assert _changes(wolfgang, name, (150, 200), (255, 268)) > 0.3, name
    assert _changes(wolfgang, "AU05", (150, 200), (20, 135)) > 0.25  # wide eyes
    # she begins to laugh between 225 and 250, and shows her teeth
    for name in ("AU06", "AU10", "AU12", "AU25"):
        assert _changes(wolfgang, name, (300, 380), (160, 220)) > 0.1, name
    assert _changes(wolfgang, "AU12", (300, 380), (160, 220)) > 0.6


def test_action_units__of_a_store_are_those_of_the_detector(smile):
    ds = fa.open_store(smile)
    found = fa.models.action_units(ds)["features"]
    np.testing.assert_allclose(found.values, ds.fex.aus.values, atol=1e-6)
    # a video of 72 frames is no basis for a person's baseline
    with pytest.warns(UserWarning, match="he: 72 frames with a face, fewer than 150"):
        person = fa.models.action_units(ds.assign_coords(person=("video", ["he"])), baseline="person")
    assert person.attrs["au_baseline_fallback"] == ["he: 72 frames with a face, fewer than 150"]
    np.testing.assert_array_equal(person["features"].values, found.values)
    # with his neutral face as the baseline, brows and lids that only he has are gone
    neutral = fa.models.action_units(ds, baseline=ds.isel(frame=slice(12)))["features"]
    assert float(found.sel(feature="AU01")[0, :12].mean()) > 0.4
    assert float(neutral.sel(feature="AU01")[0, :12].mean()) < 0.1
    assert float(neutral.sel(feature="AU12")[0, 30:66].mean()) > 0.7


def test_detect__gaze_goes_along_with_the_blendshapes_of_the_eyes(wolfgang):
    f = wolfgang
    looks = np.isfinite(f["gaze_yaw"])
    np.testing.assert_array_equal(looks, np.isfinite(f["gaze_pitch"]))
    blink = np.minimum(f["eyeBlinkLeft"], f["eyeBlinkRight"])
    assert blink[looks].max() < 0.6
    assert blink[~looks].min() > 0.4
    assert 250 < looks.sum() < 380  # of 472: she keeps her eyes shut for a while
    right = f["eyeLookOutLeft"] + f["eyeLookInRight"] - f["eyeLookInLeft"] - f["eyeLookOutRight"]
    down = f["eyeLookDownLeft"] + f["eyeLookDownRight"] - f["eyeLookUpLeft"] - f["eyeLookUpRight"]
    assert scipy.stats.spearmanr((f["gaze_yaw"] - f["Yaw"])[looks], right[looks])[0] > 0.95
    assert scipy.stats.spearmanr((f["gaze_pitch"] - f["Pitch"])[looks], down[looks])[0] > 0.8
    aside = looks & (np.abs(right) > 0.5)
    assert aside.sum() > 50
    np.testing.assert_array_equal(np.sign(f["gaze_yaw"] - f["Yaw"])[aside], np.sign(right)[aside])


def test_open_zarr__needs_no_facearray(smile, tmp_path):
    code = """
        import sys
        import numpy as np
        import xarray as xr

        store, copy = sys.argv[1:]
        ds = xr.open_zarr(store)
        assert dict(ds.sizes) == {"video": 1, "frame": 1024, "face": 1, "feature": 92, "landmark": 478, "axis": 3}
        assert set(ds.data_vars) == {"features", "landmarks"}
        assert set(ds.indexes) == {"video", "feature", "axis"}
        assert set(ds.coords) == {
            "video", "feature", "axis", "n_frames", "fps", "width", "height", "duration", "source", "status", "error",
            "frame_number", "timestamp", "n_faces_found", "track_id", "group", "unit", "description",
        }
        real = ds["frame_number"] >= 0
        assert int(real.sum()) == int(ds["n_frames"].sum()) == 72
        assert bool((ds - 1)["fps"].equals(ds["fps"]))
        np.testing.assert_allclose((ds - 1)["features"][0, :72], ds["features"][0, :72] - 1)
        assert np.isfinite(ds.std("frame")["features"]).all()
        assert ds.where(real.compute(), drop=True).sizes["frame"] == 72
        assert np.isfinite(ds.mean("frame")["landmarks"]).all()
        assert ds.isel(frame=slice(10, 20)).load().sizes["frame"] == 10
        ds.to_zarr(copy, consolidated=False)
        xr.testing.assert_identical(xr.open_zarr(copy, consolidated=False).load(), ds.load())
        assert "facearray" not in sys.modules
    """
    subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), smile, tmp_path / "copy.zarr"], check=True
    )
