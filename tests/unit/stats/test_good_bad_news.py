"""Real detections: 20 clips of good and bad news, equal to pandas on the files themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import xarray as xr
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.multitest import multipletests

import facearray as fa
from facearray.stats.kernels.resampling import Labels, draw_chunk

SHARED = Path(__file__).parents[4] / "shared" / "data"
AUS = list(fa.schema.feature_names("aus"))
POSES = ["Pitch", "Roll", "Yaw"]
EMOTIONS = {
    "Anger": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happy": "happiness",
    "Sad": "sadness",
    "Surprise": "surprise",
    "Neutral": "neutral",
}

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
    columns = [*POSES, *EMOTIONS, *AUS]
    clips = {f"{p.stem}.mp4": pd.read_csv(p, usecols=columns) for p in sorted(folder.glob("0*.csv"))}
    frames = pd.concat(clips, names=["video"]).reset_index("video").rename(columns=EMOTIONS)
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


SETS = {
    "Emotions": [*EMOTIONS.values()],
    "Pose": POSES,
    "AUs": AUS,
    "Emotions + Pose": [*EMOTIONS.values(), *POSES],
    "AUs + Pose": AUS + POSES,
}


@pytest.fixture
def decoded(ds):
    names = ["emotions", "poses", "aus", "emotions,poses", "aus,poses"]
    sets = dict(zip(SETS, names, strict=True))
    return ds.fex.decode("condition", sets, model=model(), cv=10, permutations=100)


def model():
    return make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())


def units(table, features):
    """Values of the videos, from what the files hold in the precision that a Dataset has."""
    # radians in the files, and a yaw that is positive to the other side
    degrees = {name: np.rad2deg(1) * (-1 if name == "Yaw" else 1) for name in POSES}
    values = table.set_index("video")[features]
    values = (values * [degrees.get(name, 1) for name in features]).astype("f4").astype("f8")
    means = values.groupby("video").mean()
    return means.to_numpy(), table.groupby("video")["condition"].first().to_numpy(str)


@pytest.mark.parametrize("name", SETS)
def test_decode__is_scikit_learn_on_the_files(decoded, table, name):
    X, condition = units(table, SETS[name])
    folds = StratifiedKFold(10)
    np.testing.assert_array_equal(
        decoded.scores.sel(feature_set=name), cross_val_score(model(), X, condition, cv=folds)
    )
    decision = cross_val_predict(model(), X, condition, cv=folds, method="decision_function")
    np.testing.assert_allclose(decoded.predictions.decision.sel(feature_set=name), decision, rtol=1e-6)
    fitted = model().fit(X, condition)
    np.testing.assert_array_equal(decoded.model[name].predict(X), fitted.predict(X))
    w = fitted[-1].coef_[0] / fitted[0].scale_
    np.testing.assert_allclose(decoded.coef.sel(feature_set=name, feature=SETS[name]), w, rtol=1e-6)
    pattern = np.cov(X.T) @ w / np.var(X @ w, ddof=1)
    np.testing.assert_allclose(decoded.pattern.sel(feature_set=name, feature=SETS[name]), pattern, rtol=1e-6)
    assert decoded.chance.sel(feature_set=name) == 0.5


def test_decode__patterns_show_the_difference_and_weights_do_not(decoded, table):
    means = table.groupby(["condition", "video"])[AUS].mean().groupby("condition").mean()
    difference = np.sign(means.loc["goodNews"] - means.loc["badNews"])
    agree = [
        (np.sign(a.sel(feature_set="AUs", feature=AUS)) == difference).sum() for a in (decoded.pattern, decoded.coef)
    ]
    assert agree == [20, 9]


def test_decode__every_permutation_is_scikit_learn_on_the_files(decoded, table):
    _, condition = units(table, AUS)
    arrangements = Labels(np.searchsorted(["badNews", "goodNews"], condition).astype(float))
    rows = np.array(["badNews", "goodNews"])[draw_chunk(arrangements, 0, 0, 100).astype(int)][:6]
    for name, features in SETS.items():
        X, _ = units(table, features)
        null = [cross_val_score(model(), X, row, cv=StratifiedKFold(10)).mean() for row in rows]
        np.testing.assert_allclose(decoded.null.sel(feature_set=name)[:6], null, rtol=1e-12)
