"""Results in words say the numbers of the result."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from facearray.errors import InputError
from facearray.stats import (
    decode,
    describe,
    missingness,
    pose_confound,
    regress,
    summarize,
    ttest,
)


@pytest.fixture
def ds(recordings) -> xr.Dataset:
    ds = recordings(dict.fromkeys([f"v{i:02d}" for i in range(20)], 12), n_faces=2)
    arm = np.repeat(["x", "y"], 10)
    features = ds.features.copy()
    features[:, :, :, 1] += np.where(arm == "y", 0.3, 0)[:, None, None].astype("f4")
    features[{"video": 3}] = np.nan
    return ds.assign(features=features).assign_coords(arm=("video", arm), subject=("video", np.tile(range(10), 2)))


def test_describe__regression_has_statistic_df_p_correction_and_interval(ds):
    result = regress(ds, "arm", "AU12,Yaw", contrasts={"arm": {"x": -1, "y": 1}}, correction="holm").isel(face=[0])
    au12 = result.sel(term="arm", feature="AU12").squeeze()
    text = describe(result)
    assert f"AU12: b = {au12.beta:.3g}, 95% CI [{au12.ci_low:.3g}, {au12.ci_high:.3g}], t(17) = {au12.t:.2f}" in text
    assert "p < .001, adjusted p < .001" in text
    assert "1 of 2 features was related to arm at alpha = .05" in text
    assert "(arm: x = -1, y = 1) by ordinary least squares (n = 19 videos; two-sided tests, Holm-corrected" in text
    assert "Excluded: v03" in text
    assert "Units: 19 videos" in text


def test_describe__every_face_and_term_has_a_line(ds):
    result = regress(ds, "arm,Yaw", "AU12")
    lines = describe(result).splitlines()
    for term in ("arm[T.y]", "Yaw"):
        for face in range(2):
            assert sum(f"related to {term} (face {face}) at" in line for line in lines) == 1
    assert "Intercept" not in describe(result)
    assert "One feature was regressed on arm[T.y] and Yaw" in lines[0]


def test_describe__selections_of_a_result(ds):
    result = regress(ds, "arm", "AU12,Yaw")
    one = describe(result.sel(term="arm[T.y]", feature="AU12", face=1))
    assert "1 of 1 feature was related to arm[T.y] at alpha = .05: AU12: b = " in one
    assert "Yaw" not in one


def test_describe__clusters_permutations_and_notes(ds):
    clustered = describe(regress(ds, "arm", "AU12", cluster="subject"))
    assert "CR2, Bell-McCaffrey degrees of freedom" in clustered
    assert "10 clusters of subject" in clustered
    permuted = describe(regress(ds, "arm", "AU12", permutations=199, seed=7))
    assert "Permutations of arm[T.y]: all 92378 arrangements, smallest possible p 1.1e-05." in permuted
    assert "Seed: 7." in permuted
    constant = describe(regress(ds, "AU12", "AU12"))
    assert "Note: no residual variance" in constant
    assert "No feature could be tested for a relation to AU12 (face 0)." in constant


def test_describe__shares(ds):
    result = regress(ds, "arm", "AU12", link="logit").isel(face=[0])
    text = describe(result)
    assert "by fractional logit models (quasi-likelihood) with HC3 standard errors" in text
    assert f"average marginal effect = {result.effect.sel(term='arm[T.y]').item():.3g}" in text
    assert "Bell-McCaffrey" in describe(regress(ds, "arm", "AU12", link="logit", cluster="subject"))


def test_describe__ttest(ds):
    result = ttest(ds, "arm", y="AU12,Yaw", correction="bonferroni").isel(face=[0])
    au12 = result.sel(feature="AU12").squeeze()
    text = describe(result)
    assert "Each of 2 features was tested by Welch's t-test (arm: y - x) (n = 19 videos; two-sided, Bonferroni" in text
    assert f"t({au12.df:.2f}) = {au12.t:.2f}, p < .001, adjusted p < .001, d = {au12.d:.2f}" in text
    paired = describe(ttest(ds, "arm", y="AU12", paired="subject", permutations=3))
    assert "a paired t-test (arm: y - x) (n = 9 subject pairs" in paired
    assert "p values are from all 512 permutations, smallest possible p 0.002." in paired
    assert "Excluded: v03" in paired
    assert "subject 3: not in both groups" in paired
    assert "a one-sample t-test (mean - 0.5)" in describe(ttest(ds, y="AU12", popmean=0.5))


def test_describe__missingness(ds):
    result = missingness(ds.assign_coords(arm=("video", np.repeat(["x", "y"], [4, 16]))), "arm")
    first, *faces = describe(result).splitlines()
    assert first == (
        "Shares of frames with a face compared between the 2 values of arm by the sum of squares between groups (n = "
        "20 videos; p from all 4845 permutations, smallest possible p 0.00021)."
    )
    rate = result.detection_rate.sel(arm="x").values
    p = f"{result.p.values[0]:.3f}".removeprefix("0")
    assert faces[0].startswith(f"The shares (face 0) did not differ at alpha = .05: x = {rate[0]:.3f} (4 videos), y = ")
    assert faces[0].endswith(f" (16 videos); p = {p}.")
    assert faces[1].startswith(f"The shares (face 1) did not differ at alpha = .05: x = {rate[1]:.3f} (4 videos), y = ")
    assert faces[2].startswith("Units: 20 videos of 10 subjects")
    assert "\nThe shares did not differ" in describe(result.isel(face=1))
    assert "The shares differed at alpha = 1: " in describe(result.isel(face=[1]), alpha=1)


def test_describe__of_many_that_are_excluded_the_first_ten(ds):
    result = ttest(ds.assign(features=ds.features.where(ds.video < "v06")), y="AU12")
    (line,) = (line for line in describe(result).splitlines() if line.startswith("Excluded: "))
    assert result.attrs["excluded"][0] in line
    assert line.endswith(f"; {result.attrs['excluded'][9]} and 5 more.")


def test_describe__alpha_is_written_as_it_is(ds):
    assert "at alpha = .001" in describe(ttest(ds, "arm", y="AU12"), alpha=0.001)


def _kinds(ds: xr.Dataset) -> Iterator[xr.Dataset]:
    for cov in ("CR1", "CR3", "wild"):
        yield regress(ds, "arm", "AU12", cluster="subject", cov=cov, **({"n_draws": 99} if cov == "wild" else {}))
    for y in ("AU12", "AU12,Yaw"):
        yield regress(ds, "arm", y, correction="holm")
        yield ttest(ds, "arm", y=y, correction="holm")
        yield regress(ds, "arm,age,height", y, cluster="subject")
        yield regress(ds, "arm", y, unit="frame", cluster="subject")
        yield regress(ds, "arm", y, permutations=9)
        yield regress(ds, "age", y, random="team")
        yield ttest(ds, y=y)
        yield ttest(ds, "arm", y=y, paired="subject", permutations=9)
        yield missingness(ds, "arm")
        model = LinearDiscriminantAnalysis()
        yield decode(ds.drop_isel(video=3).isel(face=0), "arm", y, model=model, cv=3, permutations=9)
        sets = {"one": y, "other": "happiness"}
        yield decode(ds.drop_isel(video=3).isel(face=0), "arm", sets, model=model, cv=3, groups="subject")


WRONG = (
    r"\b1 (\w+ )?(features|videos|subjects|pairs|groups|sets|values|clusters)\b",
    r"\b(1 of \d+ features? were|([02-9]|\d\d+) of \d+ features was)\b",
    r"\b(nan|None)\b",
    r"  |\.\.|\( |\band \w+ and\b",
)


@pytest.mark.filterwarnings("ignore:fewer than")
def test_describe__numbers_agree_with_their_nouns_and_verbs(ds):
    ds = ds.assign_coords(age=("video", np.arange(20.0) ** 2), height=("video", np.arange(20) % 7))
    ds = ds.assign_coords(team=("video", np.arange(20) % 4))
    for result in _kinds(ds):
        for alpha in (1e-12, 0.05, 1):
            text = describe(result, alpha=alpha)
            for wrong in WRONG:
                assert not re.search(wrong, text), text
            assert ("family" in text) == (result.attrs.get("correction", "none") != "none") or "score" in text, text


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("summarize", lambda ds: summarize(ds, by="arm")),
        ("pose_confound", lambda ds: pose_confound(ds, "AU12", pose="Yaw")),
    ],
)
def test_describe__what_is_no_test_has_a_table(ds, name, make):
    result = make(ds)
    with pytest.raises(InputError, match=f"a result of {name}, which is no test.*result.fex.to_dataframe") as caught:
        describe(result)
    assert "keep_attrs" not in str(caught.value)
    assert len(result.fex.to_dataframe())


def test_describe__something_else(ds):
    with pytest.raises(
        InputError,
        match=r"found no attribute 'method'; expected the result of one of agreement, .*, decode, .*, isc, .*, ttest;",
    ):
        describe(ds)


def test_describe__a_level_that_is_no_share(ds):
    result = regress(ds, "arm")
    for alpha in (5, -0.05, np.nan):
        with pytest.raises(InputError, match=f"found alpha={alpha}; expected a share between 0 and 1"):
            describe(result, alpha=alpha)
