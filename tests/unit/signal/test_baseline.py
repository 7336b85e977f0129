"""Baselines: plain arithmetic on the frames at rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import facearray as fa
from facearray.errors import InputError
from facearray.signal import baseline

AU = ["AU06", "AU12"]


def table(ds: xr.Dataset) -> pd.DataFrame:
    """One row a frame and face, with the features and who it is."""
    rows = []
    for video, face in np.ndindex(ds.sizes["video"], ds.sizes["face"]):
        n = int((ds.frame_number[video] >= 0).sum())
        one = pd.DataFrame(ds.features.values[video, :n, face].astype("f8"), columns=ds.feature.values)
        rows.append(one.assign(video=video, face=face, person=str(ds.person.values[video, face])))
    return pd.concat(rows, ignore_index=True)


def wide(ds: xr.Dataset, part: pd.DataFrame) -> np.ndarray:
    """Values of a table in the places of the Dataset."""
    out = np.full((ds.sizes["video"], ds.sizes["frame"], ds.sizes["face"], 2), np.nan)
    for (video, face), rows in part.groupby(["video", "face"]):
        out[video, : len(rows), face] = rows[AU]
    return out


@pytest.mark.parametrize("reference", ["mean", "median"])
def test_baseline__of_all_frames(faces, reference):
    frames = table(faces)
    level = frames.groupby(["video", "face"])[AU].transform(reference)
    sd = frames.groupby(["video", "face"])[AU].transform("std")
    x = frames[AU]
    ratio = (x / level).where(lambda r: r > 0)
    for scale, wanted in {
        "difference": x - level,
        "percent": 100 * (x - level) / level.abs(),
        "z": (x - level) / sd,
        "decibel": 10 * np.log10(ratio),
    }.items():
        found = baseline(faces, reference, scale=scale, features="aus")
        np.testing.assert_allclose(
            found.features.sel(feature=AU), wide(faces, frames.assign(**wanted)), rtol=1e-4, atol=1e-5
        )


def test_baseline__decibel_is_ten_times_the_logarithm_of_a_ratio(course):
    found = baseline(course([2, 20, 200, 0.2, -2]), xr.DataArray([2.0], {"feature": ["AU12"]}), scale="decibel")
    np.testing.assert_allclose(found.features.values.ravel(), [0, 10, 20, -10, np.nan], atol=1e-6)


def test_baseline__first_seconds(faces):
    found = baseline(faces, "first", seconds=0.4, features="aus")
    frames = table(faces)
    first = frames[frames.groupby(["video", "face"]).cumcount() < 10]
    level = first.groupby(["video", "face"])[AU].mean()
    wanted = frames[AU] - level.loc[pd.MultiIndex.from_frame(frames[["video", "face"]])].to_numpy()
    np.testing.assert_allclose(found.features.sel(feature=AU), wide(faces, frames.assign(**wanted)), atol=1e-5)


@pytest.mark.parametrize("label", ["rest", ["rest", "break"]])
def test_baseline__labelled_period(faces, label):
    by_period = baseline(faces, "period", period={"phase": label}, scale="z")
    by_time = baseline(faces, "first", seconds=0.48, scale="z")
    xr.testing.assert_allclose(by_period, by_time)
    none = faces.assign_coords(phase=faces.phase.where(faces.video != "a", "task"))
    with pytest.raises(InputError, match=r"^'a': found no frame with phase='rest'; expected some"):
        baseline(none, "period", period={"phase": "rest"})
    with pytest.raises(InputError, match=r"^'a': found no frame with phase='rest'; expected some"):
        baseline(none.chunk(video=1), "period", period={"phase": "rest"}).compute()


def test_baseline__period_of_faces(faces):
    ds = faces.assign_coords(
        turn=(
            ("video", "frame", "face"),
            np.arange(2) == (np.arange(60) // 5 % 2)[None, :, None] | np.zeros((4, 1, 1), int),
        )
    )
    found = baseline(ds, "period", period={"turn": True}, features="AU12").features.sel(feature="AU12")
    au = faces.features.sel(feature="AU12")
    np.testing.assert_allclose(found, au - au.where(ds.turn & (faces.frame_number >= 0)).mean("frame"), atol=1e-5)


def test_baseline__quiet_frames_of_a_person_in_all_videos(faces):
    found = baseline(faces, "quiet", features="aus")
    frames = table(faces)
    effort = frames[AU].mean(axis=1)
    limit = effort.groupby(frames.person).transform(lambda x: x.quantile(0.1))
    quiet = frames[effort <= limit]
    assert 3 <= len(quiet) < len(frames) / 5
    level = quiet.groupby("person")[AU].mean()
    wanted = frames[AU] - level.loc[frames.person].to_numpy()
    np.testing.assert_allclose(found.features.sel(feature=AU), wide(faces, frames.assign(**wanted)), atol=1e-5)
    # people differ at rest, and what the videos of one person differ in stays
    assert abs(level.loc["p"] - level.loc["q"]).min() > 0.01
    means = found.features.sel(feature="AU12").mean("frame")
    assert abs(means[0, 0] - means[1, 0]) > 0.01


def test_baseline__other_detections_lack_a_person(faces):
    with pytest.raises(InputError, match=r"found no person 'r' in the reference; expected all of the Dataset's"):
        baseline(faces, faces.isel(video=[3, 0], frame=slice(0, 20)))


def test_baseline__of_the_same_people_in_other_detections(faces):
    rest = faces.isel(frame=slice(0, 20))
    found = baseline(faces, rest, features="aus", scale="z")
    frames, at_rest = table(faces), table(rest)
    level, sd = (
        getattr(at_rest.groupby("person")[AU], name)().loc[frames.person].to_numpy() for name in ("mean", "std")
    )
    wanted = (frames[AU] - level) / sd
    np.testing.assert_allclose(
        found.features.sel(feature=AU), wide(faces, frames.assign(**wanted)), rtol=1e-3, atol=1e-4
    )


def test_baseline__people_by_a_coordinate_of_another_name(faces):
    rest = faces.isel(frame=slice(0, 20))
    ds, other = (part.rename(person="actor") for part in (faces, rest))
    found = baseline(ds, other, person="actor")
    xr.testing.assert_equal(found.features.variable, baseline(faces, rest).features.variable)
    with pytest.raises(InputError, match="found no coordinate 'actor'"):
        baseline(ds, rest, person="actor")


def test_baseline__of_the_same_video_where_nobody_is_named(faces):
    ds = faces.drop_vars("person")
    found = baseline(ds, ds.isel(video=[3, 2, 1, 0], frame=slice(0, 10)))
    xr.testing.assert_allclose(found, baseline(ds, "first", seconds=0.4))
    with pytest.raises(InputError, match="found no video 'b' in the reference"):
        baseline(ds, ds.isel(video=[1, 2, 3]))


def test_baseline__of_levels_that_are_given(faces):
    means = faces.features.sel(feature=AU).mean("frame")
    found = baseline(faces, means.isel(video=[2, 3, 1, 0], feature=[1, 0]), features=AU)
    xr.testing.assert_allclose(found, baseline(faces, "mean", features=AU), atol=1e-5)
    summary = faces.fex.summarize(by="video", features="aus")["mean"]
    xr.testing.assert_allclose(baseline(faces, summary, features=AU), found, atol=1e-5)


def test_baseline__levels_of_faces_go_by_their_labels(faces):
    means = faces.features.sel(feature=AU).mean("frame").assign_coords(face=[0, 1])
    found = baseline(faces, means.isel(face=[1, 0]), features=AU)
    xr.testing.assert_allclose(found, baseline(faces, "mean", features=AU), atol=1e-5)
    with pytest.raises(InputError, match=r"found levels of the faces 1; expected 0; .*levels.drop_vars"):
        baseline(faces.isel(face=[0]), means.isel(face=[1]), features=AU)
    with pytest.raises(InputError, match="found levels of 1 faces; expected 2"):
        baseline(faces, means.isel(face=[1]), features=AU)


def test_baseline__nothing_where_the_scale_does_not_exist(course):
    zero = course([0, 0, 1, np.nan])
    level = xr.DataArray([0.0], {"feature": ["AU12"]})
    for scale in ("percent", "decibel"):
        assert np.isnan(baseline(zero, level, scale=scale).features).all()
    assert np.isnan(baseline(course([3, 3, 3]), "mean", scale="z").features).all()


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (("mode",), {}, "found reference='mode'; expected one of 'mean', 'median', 'first'"),
        ((np.zeros(2),), {}, r"found reference=array\(\[0., 0.\]\); expected one of 'mean'"),
        (("first",), {}, "found reference='first' without seconds"),
        (("mean",), {"seconds": 1}, "found seconds=1 with reference='mean'; it is for reference='first'"),
        (("period",), {"period": {"phase": "rest", "turn": 1}}, "expected one coordinate and its label"),
        (("period",), {"period": {"fase": "rest"}}, "unknown coordinate of frames 'fase' .did you mean 'phase'"),
        (("quiet",), {"person": "persn"}, "found no coordinate 'persn' .did you mean 'person'"),
        (("quiet",), {"person": "video"}, "found person='video'; expected a coordinate of people"),
        (
            ("median",),
            {"person": "person"},
            "found person='person'; it is for the reference 'quiet' or another",
        ),
        ((), {"scale": "dB"}, "found scale='dB'; expected one of 'difference', 'percent', 'z', 'decibel'"),
        ((xr.DataArray([1.0], {"feature": ["Yaw"]}),), {}, "unknown feature of the reference"),
        ((xr.DataArray([1.0], {"feature": ["AU12"]}),), {"features": "AU12", "scale": "z"}, "scale='z' with levels"),
        ((xr.DataArray([1.0], dims="frame"),), {}, "found levels with the dims frame; expected 'feature'"),
    ],
)
def test_baseline__bad_options(faces, args, options, message):
    with pytest.raises(InputError, match=message):
        baseline(faces, *args, **options)


def test_baseline__quiet_needs_to_know_who_is_seen(faces):
    ds = faces.assign_coords(person=faces.person.where(faces.video != "c", ""))
    with pytest.raises(InputError, match="found faces without 'person' in 'c'; expected everybody's"):
        baseline(ds, "quiet")
    with pytest.raises(InputError, match="found neither action units nor blendshapes"):
        baseline(faces.sel(feature=["Yaw"]), "quiet")


def test_baseline__a_face_that_is_never_seen_at_rest(faces):
    rest = fa.concat([faces.isel(frame=slice(0, 20))])
    rest = rest.assign(features=rest.features.where((rest.video != "b") | (rest.face != 1)))
    with pytest.raises(InputError, match="'b': found no frame at rest for face 1"):
        baseline(faces.drop_vars("person"), rest.drop_vars("person"))
