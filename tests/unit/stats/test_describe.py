"""Results in words say the numbers of the result."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from facearray.errors import InputError
from facearray.stats.describe import describe
from facearray.stats.regress import regress
from facearray.stats.ttest import ttest


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
    assert "1 of 2 features were related to arm at alpha = .05" in text
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
    assert "1 of 1 feature were related" in one or "1 of 1 feature" in one
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
    assert "0 of 0 features" in constant


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
    assert "p values are from all 512 permutations." in paired
    assert "Excluded: v03" in paired
    assert "subject 3: not in both groups" in paired
    assert "a one-sample t-test (mean - 0.5)" in describe(ttest(ds, y="AU12", popmean=0.5))


def test_describe__something_else(ds):
    with pytest.raises(
        InputError, match="found a result of method None; expected what one of regress, ttest, decode returned"
    ):
        describe(ds)
