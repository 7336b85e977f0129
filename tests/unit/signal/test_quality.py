"""The gate: figures that pandas gives, verdicts with their reasons, and a flow that adds up."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from facearray.errors import InputError
from facearray.signal import quality
from facearray.signal.quality import PRESETS
from facearray.stats import pose_confound


def test_quality__figures(faces):
    q = quality(faces)
    assert q.n_frames.values.tolist() == faces.n_frames.values.tolist()
    for video, face in np.ndindex(4, 2):
        n = int(faces.n_frames[video])
        here = q.isel(video=video, face=face)
        if not n:
            assert all(np.isnan(here[name]) for name in ("detection_rate", "score", "angle", "size", "duplicates"))
            continue
        values = dict(
            zip(faces.feature.values.tolist(), faces.features.values[video, :n, face].T.astype("f8"), strict=True)
        )
        assert here.detection_rate == pytest.approx((~np.isnan(values["Yaw"])).mean())
        assert here.score == pytest.approx(np.nanmedian(values["FaceScore"]))
        assert here.angle == pytest.approx(np.nanmedian(np.maximum(abs(values["Pitch"]), abs(values["Yaw"]))))
        size = np.sqrt(values["FaceRectWidth"] * values["FaceRectHeight"])
        assert here["size"] == pytest.approx(np.nanmedian(size), rel=1e-6)
        assert here.duplicates == 0
    assert np.isnan(q.blur).all()
    assert q.attrs["not_measured"] == ["blur", "brightness"]


def test_quality__says_what_is_excluded_and_why(faces):
    q = quality(faces, None, min_score=0.88, max_angle=9, min_detection=0.5)
    limits = json.loads(q.attrs["limits"])
    assert limits == {"min_score": 0.88, "max_angle": 9, "min_detection": 0.5}
    bad_score, bad_angle = q.score < 0.88, q.angle > 9
    keep = ~bad_score & ~bad_angle & (q.n_frames > 0)
    assert 0 < int(keep.sum()) < 6
    np.testing.assert_array_equal(q.keep, keep)
    for video, face in np.argwhere(~keep.values):
        reasons = q.reasons.values[video, face]
        assert ("a score of 0." in reasons) == bool(bad_score[video, face])
        assert ("turned by" in reasons) == bool(bad_angle[video, face])
    assert q.reasons.sel(video="empty").values.tolist() == ["no frames", ""]
    assert q.verdict.sel(video="empty").values.tolist() == ["exclude", "empty"]
    assert (q.reasons.values[keep.values] == "").all()


def test_quality__flow_adds_up(faces):
    q = quality(faces, "strict", min_score=0.9)
    flow = q[["n_excluded", "n_left"]].to_dataframe()
    assert flow.index.tolist() == ["all", "no_frames", "detection_rate", "score", "angle", "size", "duplicates"]
    assert flow.n_left.iloc[0] == 7  # all slots but the second one of the video without frames
    np.testing.assert_array_equal(-flow.n_left.diff().dropna(), flow.n_excluded[1:])
    assert flow.n_left.iloc[-1] == int(q.keep.sum())
    assert flow.n_excluded["no_frames"] == 1


def test_quality__finds_frames_that_are_there_twice(faces):
    ds = faces.isel(video=[0], frame=np.repeat(np.arange(30), 2))
    ds = ds.assign_coords(frame_number=(("video", "frame"), np.arange(60, dtype="i4")[None]))
    q = quality(ds, None, max_duplicates=0.4)
    # of two faces in five frames one is missing in each second frame or so
    there = ds.features.notnull().any("feature").values[0]
    both = there[1:] & there[:-1]
    twice = both & (np.arange(59) % 2 == 0)[:, None]
    np.testing.assert_allclose(q.duplicates[0], twice.sum(axis=0) / both.sum(axis=0))
    assert "of the frames like the one before, more than 40%" in q.reasons.values[0, 0]


def test_quality__blur_and_brightness_where_there_are_any(faces):
    light = xr.DataArray(np.tile([40.0, 120, 120, 250], (60, 1)), dims=("frame", "video")).transpose("video", "frame")
    blurred = faces.features.sel(feature=["AU12"]).assign_coords(feature=["sharpness"])
    ds = faces.drop_dims("feature").assign(features=xr.concat([faces.features, blurred], "feature"))
    q = quality(
        ds.assign_coords(light=light),
        None,
        brightness=(50, 200),
        brightness_from="light",
        max_blur=0.5,
        blur_from="sharpness",
    )
    assert q.brightness.values[:, 0].tolist()[:2] == [40, 120]
    assert "brightness of 40, not from 50 to 200" in q.reasons.sel(video="b", face=0).item()
    assert "brightness" not in q.reasons.sel(video="a", face=0).item()
    np.testing.assert_allclose(q.blur, faces.features.sel(feature="AU12").median("frame"), rtol=1e-6)
    np.testing.assert_array_equal(["blur of" in r for r in q.reasons.values.ravel()], (q.blur > 0.5).values.ravel())


def test_quality__pose_confound(faces):
    q = quality(faces)
    wanted = pose_confound(faces, "aus", level="within")
    np.testing.assert_array_equal(q.pose_r, wanted.r)
    np.testing.assert_array_equal(q.pose_n, wanted.n)
    assert "pose_r" not in quality(faces.sel(feature=["AU12"]))
    assert "pose_confound" in quality(faces.sel(feature=["AU12"])).attrs["not_measured"]


@pytest.mark.parametrize("preset", PRESETS)
def test_quality__presets_are_as_documented(preset):
    rows = [line.split() for line in quality.__doc__.splitlines() if line.strip().startswith(("m", "limit "))]
    head = next(row for row in rows if row[0] == "limit")
    for row in rows:
        if row[0].startswith(("min_", "max_")) and len(row) == 4:
            assert getattr(PRESETS[preset], row[0]) == float(row[head.index(preset)])


def test_quality__presets_get_stricter(faces):
    kept = [int(quality(faces, preset).keep.sum()) for preset in PRESETS]
    assert kept == sorted(kept, reverse=True)


def test_quality__same_in_any_chunks_padding_and_order(faces, padded):
    changed = padded(faces, 40).isel(video=[3, 1, 0, 2]).chunk(video=3, frame=13)
    wanted = quality(faces).isel(video=[3, 1, 0, 2])
    xr.testing.assert_allclose(quality(changed).compute(), wanted)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "strickt"}, "unknown preset 'strickt' .did you mean 'strict'"),
        (
            {"min_score": -1, "max_duplicates": 2},
            "found 2 problems:\n  - found min_score=-1;.*\n  - found max_duplicates=2; expected a share",
        ),
        (
            {"max_blur": 3},
            "found a limit of blur, but neither a feature nor a coordinate of frames 'blur'; expected a measure",
        ),
        ({"brightness_from": "lihgt"}, "found brightness_from='lihgt'; expected a feature or a coordinate of frames"),
        ({"brightness": 3}, "found brightness=3; expected the least and the largest"),
        ({"features": "AU1"}, "unknown feature or group 'AU1'"),
    ],
)
def test_quality__bad_options(faces, options, message):
    with pytest.raises(InputError, match=message):
        quality(faces, **options)
