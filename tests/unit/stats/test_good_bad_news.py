"""Real detections: 20 clips of good and bad news, equal to pandas on the files themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import facearray as fa

SHARED = Path(__file__).parents[4] / "shared" / "data"
AUS = list(fa.schema.feature_names("aus"))

pytestmark = pytest.mark.skipif(
    not (SHARED / "good_bad_news").is_dir(), reason="the detections are not on this machine"
)


@pytest.fixture
def ds(monkeypatch) -> xr.Dataset:
    monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))
    return fa.datasets.good_bad_news()


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """One row a frame, as py-feat wrote it."""
    folder = SHARED / "good_bad_news"
    columns = ["Pitch", *AUS]
    clips = {f"{p.stem}.mp4": pd.read_csv(p, usecols=columns) for p in sorted(folder.glob("0*.csv"))}
    frames = pd.concat(clips, names=["video"]).reset_index("video")
    attributes = pd.read_csv(folder / "clip_attrs.csv", dtype={"clipN": str})
    condition = dict(zip(attributes["clipN"] + ".mp4", attributes["class"], strict=True))
    return frames.assign(condition=frames["video"].map(condition).map({"gn": "goodNews", "ists": "badNews"}))


@pytest.mark.parametrize("statistic", ["mean", "std", "min", "max", "median"])
def test_summarize__by_video(ds, table, statistic):
    found = ds.fex.summarize(statistic, by="video", features="aus")
    wanted = table.groupby("video")[AUS].agg(statistic)
    np.testing.assert_allclose(found[statistic].isel(face=0), wanted, rtol=1e-6, atol=1e-7)
    assert found.condition.values.tolist() == ["goodNews"] * 10 + ["badNews"] * 10


@pytest.mark.parametrize("statistic", ["mean", "std", "sem", "min", "max", "median", "count"])
def test_summarize__by_condition(ds, table, statistic):
    name = "n" if statistic == "count" else statistic
    found = ds.fex.summarize(name, by="condition", features="aus")
    means = table.groupby(["condition", "video"])[AUS].mean()
    np.testing.assert_allclose(
        found[name].isel(face=0), means.groupby("condition").agg(statistic), rtol=1e-6, atol=1e-7
    )


def test_summarize__standard_error_is_that_of_videos_and_not_of_frames(ds, table):
    sem = ds.fex.summarize("sem", by="condition")["sem"].sel(condition="goodNews", feature="AU06").item()
    assert round(sem, 3) == 0.050
    pooled = table[table.condition == "goodNews"]["AU06"].sem()
    assert round(pooled, 3) == 0.017


def test_summarize__base_rate(ds, table):
    found = ds.fex.summarize("prop_above", by="condition", features=["AU12"], threshold=0.5)
    shares = table.assign(above=table["AU12"] > 0.5).groupby(["condition", "video"])["above"].mean()
    np.testing.assert_allclose(found.prop_above.values.ravel(), shares.groupby("condition").mean(), rtol=1e-12)


def test_missingness__no_face_is_lost(ds):
    found = ds.fex.missingness("condition")
    assert (found.detection_rate == 1).all()
    assert found.p.item() == 1
    assert found.attrs["arrangements"] == 184_756


def test_pose_confound__of_videos(ds, table):
    means = table.groupby("video")[["Pitch", *AUS]].mean()
    found = ds.fex.pose_confound(pose="Pitch")
    np.testing.assert_allclose(found.r.squeeze(), means.corr().loc["Pitch", AUS], rtol=1e-5)
