"""Implausible frames: as worked out with pandas, and never by comparison with other people."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from facearray.errors import InputError
from facearray.signal import mask, rectify

BOX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]


def robust(x: pd.Series, least: float) -> pd.Series:
    distance = (x - x.median()).abs()
    return distance / max(1.4826022185056018 * distance.median(), least)


def test_rectify__is_what_pandas_gives(faces):
    found = rectify(faces, threshold=2.0)
    for video in range(4):
        for face in range(2):
            n = int(faces.n_frames[video])
            table = pd.DataFrame(faces.features.values[video, :n, face].astype("f8"), columns=faces.feature.values)
            size = np.sqrt(table.FaceRectWidth * table.FaceRectHeight)
            x, y = table.FaceRectX + table.FaceRectWidth / 2, table.FaceRectY + table.FaceRectHeight / 2
            pose = table[["Pitch", "Roll", "Yaw"]].dropna()
            time = pd.Series(faces.timestamp.values[video, :n])[pose.index]
            speed = pose.diff().abs().max(axis=1, skipna=False).div(time.diff()).reindex(table.index)
            bad = (robust(x, 0.02 * size.median()) > 2) | (robust(y, 0.02 * size.median()) > 2)
            bad |= robust(np.log(size), 0.02) > 2
            bad |= (robust(speed, 5) > 2) & (speed > speed.median())
            np.testing.assert_array_equal(found.rectified.values[video, :n, face], bad)
    assert 0.02 < found.rectified.values.mean() < 0.5
    gone = found.rectified.values
    assert np.isnan(found.features.values[gone]).all()
    assert np.isnan(found.landmarks.values[gone]).all()
    np.testing.assert_array_equal(found.features.values[~gone], faces.features.values[~gone])


def test_rectify__compares_nobody_with_others(faces):
    alone = [rectify(faces.isel(video=[i])) for i in range(4)]
    moved = faces.copy(deep=True)
    # the second person sits at the other side of the picture, near the camera, and moves ten times as much
    moved.features[:, :, 1, :8] = moved.features[:, :, 1, :8] * 10 + 500
    found = rectify(moved, measures=["centre"])
    np.testing.assert_array_equal(found.rectified[:, :, 0], rectify(faces, measures=["centre"]).rectified[:, :, 0])
    together = rectify(faces)
    for i, one in enumerate(alone):
        np.testing.assert_array_equal(together.rectified[i], one.rectified[0])


def test_rectify__finds_a_jump_and_leaves_a_still_face_alone(course):
    values = np.tile([100.0, 100, 50, 50], (40, 1))
    values[5:] += 0.5  # half a pixel is no jump
    values[20, 0] = 300
    values[30, 2:] = 20
    found = rectify(course(values, features=BOX))
    assert np.flatnonzero(found.rectified.values[0, :, 0]).tolist() == [20, 30]


def test_rectify__velocity_is_per_second_and_goes_the_short_way_round(course):
    yaw = np.zeros(40)
    yaw[::2] = 0.5
    yaw[10], yaw[11:] = 179.9, yaw[11:] - 179.9
    times = np.arange(40) / 25
    pose = np.stack([np.zeros(40), np.zeros(40), yaw], axis=1)
    found = rectify(course(pose, features=["Pitch", "Roll", "Yaw"], times=times))
    # 179.9 to -179.9 degrees is a small step
    assert np.flatnonzero(found.rectified.values[0, :, 0]).tolist() == [10]
    times[11:] += 60  # and a minute is time enough to turn
    slow = np.where(np.arange(40) < 11, yaw, yaw + 90)
    pose[:, 2] = np.where(np.arange(40) == 10, 0.5, slow)
    found = rectify(course(pose, features=["Pitch", "Roll", "Yaw"], times=times))
    assert not found.rectified.any()


def test_rectify__again_keeps_marks(faces):
    once = rectify(faces, threshold=3)
    twice = rectify(once, threshold=3)
    assert (twice.rectified | ~once.rectified).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "found threshold=0; expected a finite number above 0"),
        ({"threshold": np.nan}, "found threshold=nan"),
        ({"measures": ["center"]}, "found measure='center'; expected one of 'centre', 'size', 'velocity'"),
        ({"measures": []}, "found no measure; expected some of 'centre'"),
    ],
)
def test_rectify__bad_options(faces, options, message):
    with pytest.raises(InputError, match=message):
        rectify(faces, **options)


def test_rectify__without_the_features(faces):
    with pytest.raises(InputError, match=r"found neither FaceRectX.* nor Pitch.*use .fex.mask"):
        rectify(faces.sel(feature=["AU12"]))
    with pytest.raises(InputError, match=r"found no FaceRectX, FaceRectY.*for the measure 'size'"):
        rectify(faces.sel(feature=["AU12"]), measures=["size"])


# mask


def test_mask__limits(faces):
    found = mask(faces, min_score=0.9, max_angle={"Yaw": 4, "Roll": 6}, min_size=95)
    values = {name: faces.features.sel(feature=name).values.astype("f8") for name in faces.feature.values}
    with np.errstate(invalid="ignore"):
        bad = (values["FaceScore"] < 0.9) | (np.abs(values["Yaw"]) > 4) | (np.abs(values["Roll"]) > 6)
        bad |= np.sqrt(values["FaceRectWidth"] * values["FaceRectHeight"]) < 95
    np.testing.assert_array_equal(found.masked, bad)
    assert np.isnan(found.features.values[bad]).all()
    assert np.isnan(found.landmarks.values[bad]).all()
    np.testing.assert_array_equal(found.features.values[~bad], faces.features.values[~bad])
    both = mask(faces, max_angle=5).masked
    np.testing.assert_array_equal(both, (np.abs(values["Yaw"]) > 5) | (np.abs(values["Pitch"]) > 5))


@pytest.mark.parametrize("form", ["video", "frame", "face", "array", "dask"])
def test_mask__conditions_of_any_form(faces, form):
    rng = np.random.default_rng(0)
    sizes = {"video": 4, "frame": 60, "face": 2}
    dims = {"video": ("video",), "frame": ("frame", "video"), "face": ("face",)}.get(form, tuple(sizes))
    condition = xr.DataArray(rng.random([sizes[d] for d in dims]) < 0.5, dims=dims)
    given = {"array": condition.values, "dask": condition.chunk()}.get(form, condition)
    found = mask(faces, given).compute()
    wanted = condition.broadcast_like(xr.DataArray(np.ones((4, 60, 2)), dims=tuple(sizes))).transpose(*sizes)
    wanted = wanted & (faces.frame_number >= 0)
    np.testing.assert_array_equal(found.masked, wanted)
    np.testing.assert_array_equal(found.features, faces.features.where(~wanted))


def test_mask__again_keeps_marks(faces):
    one, other = (np.arange(60) % 7 == i for i in (2, 3))
    found = mask(mask(faces, xr.DataArray(one, dims="frame")), xr.DataArray(other, dims="frame"))
    assert (found.masked.any(("video", "face")).values == (one | other)).all()


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((), {}, "found nothing to mask by; expected a condition"),
        ((), {"max_angle": {}}, "found nothing to mask by; expected a condition"),
        ((), {"min_score": 90}, "found min_score=90; expected a score, 0 to 1"),
        ((), {"min_score": -1}, "found min_score=-1; expected a finite number, 0 or more"),
        ((), {"max_angle": {"Yew": 3}}, "found no Yew for max_angle"),
        ((np.ones((4, 60)),), {}, "found a condition of float64; expected truth values"),
        ((np.ones(60, bool),), {}, "found a condition with 1 dims"),
        ((np.ones((4, 59), bool),), {}, "other sizes .frame 59 instead of 60."),
        ((xr.DataArray(np.ones(11, bool), dims="feature"),), {}, "with the dims feature; expected some of video"),
        ((xr.DataArray(np.ones(4, bool), {"video": list("abcd")}),), {}, "a condition of other videos"),
    ],
)
def test_mask__bad_options(faces, args, options, message):
    with pytest.raises(InputError, match=message):
        mask(faces, *args, **options)
