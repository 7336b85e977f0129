"""Real detections: 20 clips of good and bad news, equal to pandas on the files themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy import stats
from statsmodels.stats.multitest import multipletests

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


CONTRASTS = {"condition": {"goodNews": 1, "badNews": -1}}


@pytest.fixture(scope="module")
def means(table) -> pd.DataFrame:
    return table.groupby(["condition", "video"])[AUS].mean()


def test_regress__is_statsmodels_with_18_degrees_of_freedom(ds, means):
    found = ds.fex.regress("condition", contrasts=CONTRASTS, residuals=True).isel(face=0)
    means = means.sort_index(level="video")
    sign = np.where(means.index.get_level_values("condition") == "goodNews", 1.0, -1.0)
    for au in AUS:
        fit = sm.OLS(means[au].to_numpy(), sm.add_constant(sign)).fit()
        one = found.sel(feature=au)
        for name, wanted in (("beta", fit.params), ("se", fit.bse), ("t", fit.tvalues), ("p", fit.pvalues)):
            np.testing.assert_allclose(one[name], wanted, rtol=1e-6, atol=1e-12, err_msg=name)
        np.testing.assert_allclose([one.ci_low, one.ci_high], fit.conf_int().T, rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(one.residual, fit.resid, atol=1e-6)
    assert (found.df == 18).all()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("bonferroni", "bonferroni"), ("holm", "holm"), ("fdr_bh", "fdr_bh"), ("fdr_by", "fdr_by")],
)
def test_regress__corrections_are_statsmodels(ds, ours, theirs):
    found = ds.fex.regress("condition", contrasts=CONTRASTS, correction=ours).sel(term="condition")
    wanted = multipletests(found.p.to_numpy().ravel(), method=theirs)[1]
    np.testing.assert_allclose(found.p_adjusted.to_numpy().ravel(), wanted, rtol=1e-9)


@pytest.mark.parametrize("equal_var", [True, False])
def test_ttest__is_scipy(ds, means, equal_var):
    found = ds.fex.ttest("condition", equal_var=equal_var).isel(face=0)
    test = stats.ttest_ind(means.loc["goodNews"], means.loc["badNews"], equal_var=equal_var)
    for name, wanted in (("t", test.statistic), ("p", test.pvalue), ("df", test.df)):
        np.testing.assert_allclose(found[name], np.broadcast_to(wanted, 20), rtol=1e-6, err_msg=name)
    one = ds.fex.ttest(popmean=0.3).isel(face=0)
    test = stats.ttest_1samp(means, 0.3)
    np.testing.assert_allclose(one.t, test.statistic, rtol=1e-6)
    np.testing.assert_allclose(one.p, test.pvalue, rtol=1e-6)


def test_ttest__pairs_are_scipy(ds, means):
    clip = ("video", [int(name[:3]) % 10 for name in ds.video.values.tolist()])
    found = ds.assign_coords(phrase=clip).fex.ttest("condition", paired="phrase").isel(face=0)
    sides = []
    for condition in ("goodNews", "badNews"):
        side = means.loc[condition]
        sides.append(side.set_index(side.index.str[:3].astype(int) % 10).sort_index())
    test = stats.ttest_rel(*sides)
    np.testing.assert_allclose(found.t, test.statistic, rtol=1e-6)
    np.testing.assert_allclose(found.p, test.pvalue, rtol=1e-6)


def test_regress__of_shares_is_statsmodels(ds, means):
    found = ds.fex.regress("condition", contrasts=CONTRASTS, link="logit", cluster="video", cov="CR1").isel(face=0)
    means = means.sort_index(level="video")
    sign = np.where(means.index.get_level_values("condition") == "goodNews", 1.0, -1.0)
    for au in AUS:
        model = sm.GLM(means[au].to_numpy(), sm.add_constant(sign), family=sm.families.Binomial())
        fit = model.fit(tol=1e-13, cov_type="cluster", cov_kwds={"groups": np.arange(20)})
        np.testing.assert_allclose(found.beta.sel(feature=au), fit.params, rtol=1e-6)
        np.testing.assert_allclose(found.se.sel(feature=au), fit.bse, rtol=1e-6)
