"""Regression of detections against statsmodels and scipy, and what happens to input that cannot be regressed."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facearray.errors import InputError, SchemaError
from facearray.stats.kernels.cluster import cluster_fit, cluster_sums, wild_bootstrap
from facearray.stats.regress import regress
from facearray.stats.units import unit_values

SHARED = Path(__file__).parents[4] / "shared" / "data" / "good_bad_news"
CONTRASTS = {"condition": {"goodNews": 1, "badNews": -1}}
ALL = ["Yaw", "AU12", "happiness"]


@pytest.fixture
def ds(recordings) -> xr.Dataset:
    rng = np.random.default_rng(5)
    lengths = dict(zip([f"v{i:02d}" for i in rng.permutation(18)], rng.integers(8, 30, 18).tolist(), strict=True))
    ds = recordings(lengths, n_faces=2)
    ds = ds.assign(features=ds.features * xr.where(ds.feature == "Yaw", 30, 1).astype("f4"))
    return ds.assign_coords(
        condition=("video", rng.permutation(np.repeat(["goodNews", "badNews"], 9))),
        age=("video", rng.normal(40, 9, 18)),
        subject=("video", np.array([f"s{i}" for i in rng.permutation(np.repeat(range(9), 2))])),
        site=("video", rng.permutation(np.repeat(["Aachen", "Bonn", "Celle"], 6))),
    )


def table(ds: xr.Dataset, **options) -> pd.DataFrame:
    """One row a unit of the first face, sorted by label."""
    units = unit_values(ds, **options)
    frame = pd.DataFrame(units.values[:, 0], columns=[str(f) for f in units.features])
    return frame.assign(**{name: units.coords[name] for name in ("condition", "age", "subject", "site")})


def assert_equal_fit(result: xr.Dataset, feature: str, fit, names: dict[str, str], rtol: float = 1e-8) -> None:
    found = result.sel(feature=feature).isel(face=0)
    for theirs, ours in names.items():
        term = found.sel(term=ours)
        wanted = [fit.params[theirs], fit.bse[theirs], fit.tvalues[theirs], fit.pvalues[theirs]]
        np.testing.assert_allclose([term.beta, term.se, term.t, term.p], wanted, rtol=rtol)
        np.testing.assert_allclose([term.ci_low, term.ci_high], fit.conf_int().loc[theirs], rtol=rtol)


@pytest.mark.skipif(not SHARED.exists(), reason="the study's detections are not here")
def test_regress__good_and_bad_news_is_statsmodels():
    tables = [pd.read_csv(path) for path in sorted(SHARED.glob("0*.csv"))]
    aus = [name for name in tables[0] if name.startswith("AU")]
    n_frame = max(map(len, tables))
    features, number = np.full((20, n_frame, 1, 20), np.nan, "f4"), np.full((20, n_frame), -1, "i4")
    for i, rows in enumerate(tables):
        features[i, : len(rows), 0] = rows[aus]
        number[i, : len(rows)] = np.arange(len(rows))
    clips = pd.read_csv(SHARED / "clip_attrs.csv").set_index("clipN").loc[1:20, "class"]
    condition = clips.map({"gn": "goodNews", "ists": "badNews"}).to_numpy(str)
    ds = xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), features)},
        coords={"video": [f"{i:03d}" for i in range(1, 21)], "feature": aus, "condition": ("video", condition)},
    ).assign_coords(frame_number=(("video", "frame"), number))
    result = regress(ds, "condition", contrasts=CONTRASTS, correction="bonferroni", residuals=True)
    design = sm.add_constant(np.where(condition == "goodNews", 1.0, -1.0))
    for i, au in enumerate(aus):
        fit = sm.OLS(np.nanmean(features[:, :, 0, i], axis=1, dtype="f8"), design).fit()
        found = result.sel(feature=au).isel(face=0)
        np.testing.assert_allclose(found.beta, fit.params, atol=1e-10)
        np.testing.assert_allclose(found.t, fit.tvalues, rtol=1e-8)
        np.testing.assert_allclose(found.p, fit.pvalues, rtol=1e-6)
        np.testing.assert_allclose(found.residual, fit.resid, atol=1e-10)
    assert result.term.values.tolist() == ["Intercept", "condition"]
    assert (result.df == 18).all()
    term = result.sel(term="condition")
    np.testing.assert_allclose(term.p_adjusted, np.minimum(term.p * 20, 1))
    assert int((term.p_adjusted < 0.01).sum()) == 8
    assert int((term.p / 20 < 0.01).sum()) == 18  # the correction the wrong way round


@pytest.mark.parametrize("cov", ["nonrobust", "HC3"])
def test_regress__formula_is_statsmodels(ds, cov):
    result = regress(ds, "condition * age", "happiness", cov=cov)
    names = {
        "Intercept": "Intercept",
        "condition[T.goodNews]": "condition[T.goodNews]",
        "age": "age",
        "condition[T.goodNews]:age": "condition[T.goodNews]:age",
    }
    fit = smf.ols("happiness ~ condition * age", table(ds)).fit(cov_type=cov, use_t=True)
    assert_equal_fit(result, "happiness", fit, names)


def test_regress__a_formula_that_cannot_be_read_is_named_without_colours(ds):
    with pytest.raises(InputError, match="found the formula 'age \\+ '") as caught:
        regress(ds, "age + ", "AU12")
    assert "\x1b" not in str(caught.value)


def test_regress__names_are_treatment_coded_in_alphabetical_order(ds):
    result = regress(ds, ["site", "age"], ALL)
    assert result.term.values.tolist() == ["Intercept", "site[T.Bonn]", "site[T.Celle]", "age"]
    fit = smf.ols("AU12 ~ site + age", table(ds)).fit()
    assert_equal_fit(result, "AU12", fit, {name: name for name in result.term.values.tolist()})
    assert result.attrs["coding"][0] == "site[T.Bonn]: Aachen = 0, Bonn = 1, Celle = 0"


def test_regress__formula_with_contrasts_uses_the_numbers(ds):
    result = regress(ds, "condition + age", "AU12", contrasts=CONTRASTS)
    same = regress(ds, "condition, age", "AU12", contrasts=CONTRASTS)
    assert result.term.values.tolist() == ["Intercept", "condition", "age"]
    np.testing.assert_allclose(result.t, same.t, rtol=1e-9)
    xr.testing.assert_allclose(
        regress(ds, "condition + age - 1", "AU12", contrasts=CONTRASTS).drop_attrs(),
        regress(ds, "condition + age", "AU12", contrasts=CONTRASTS, intercept=False).drop_attrs(),
    )


def test_regress__features_explain_features_of_the_same_face(ds):
    result = regress(ds, "Yaw,happiness", "AU12")
    for face in range(2):
        units = unit_values(ds, features=ALL)
        yaw, au12, happiness = units.values[:, face].T
        fit = sm.OLS(au12, sm.add_constant(np.column_stack([yaw, happiness]))).fit()
        np.testing.assert_allclose(result.beta.isel(face=face).squeeze(), fit.params, rtol=1e-9)


def test_regress__table_is_taken_by_its_index_and_not_changed(ds):
    X = pd.DataFrame({"age": ds.age.values, "site": ds.site.values}, index=ds.video.values.tolist())
    X = X.iloc[::-1]
    before = X.copy()
    result = regress(ds, X, "AU12")
    pd.testing.assert_frame_equal(X, before)
    xr.testing.assert_allclose(result.drop_attrs(), regress(ds, ["age", "site"], "AU12").drop_attrs())


def test_regress__table_without_a_unit_or_with_one_twice(ds):
    X = pd.DataFrame({"age": ds.age.values}, index=ds.video.values.tolist())
    with pytest.raises(InputError, match=r"found no row for v\d\d, v\d\d in the table"):
        regress(ds, X.iloc[2:], "AU12")
    with pytest.raises(InputError, match="more than once"):
        regress(ds, pd.concat([X, X.iloc[:1]]), "AU12")


def test_regress__unit_subject_pools_its_videos(ds):
    result = regress(ds, "Yaw", "AU12", unit="subject", residuals=True)
    units = unit_values(ds, unit="subject", features=ALL)
    fit = sm.OLS(units.values[:, 0, 1], sm.add_constant(units.values[:, 0, 0])).fit()
    np.testing.assert_allclose(result.t.isel(face=0).squeeze(), fit.tvalues, rtol=1e-9)
    assert result.residual.dims == ("subject", "face", "feature")
    assert result.subject.values.tolist() == [f"s{i}" for i in range(9)]
    with pytest.raises(InputError, match="found several values of 'age' within a subject"):
        regress(ds, "age", "AU12", unit="subject")


def test_regress__clusters_of_units(ds):
    data = table(ds)
    for cov in ("CR1", "CR2", "nonrobust"):
        result = regress(ds, "condition", "AU12", contrasts=CONTRASTS, cluster="subject", cov=cov)
        X = np.column_stack([np.ones(18), np.where(data.condition == "goodNews", 1.0, -1.0)])
        codes = np.unique(data.subject, return_inverse=True)[1]
        sums = cluster_sums(X, data[["AU12"]].to_numpy(), codes)
        fit = cluster_fit(sums, "CR1" if cov == "CR1" else "CR2")
        np.testing.assert_allclose(result.se.isel(face=0), fit.se, rtol=1e-9)
        np.testing.assert_allclose(result.df.isel(face=0), fit.df, rtol=1e-9)
        assert result.attrs["n_clusters"] == 9
        assert result.attrs["cov"] == ("CR2" if cov == "nonrobust" else cov)
    wild = regress(ds, "condition", "AU12", contrasts=CONTRASTS, cluster="subject", cov="wild", n_draws=999, seed=3)
    same = wild_bootstrap(sums, n_draws=999, weights="rademacher", seed=3)
    np.testing.assert_allclose(wild.p.isel(face=0), same.p)
    assert wild.attrs["wild_weights"] == "rademacher"


@pytest.mark.parametrize("cov", ["CR1", "CR2", "wild"])
def test_regress__frames_in_clusters_are_the_same_as_rows(ds, cov):
    features = ds.features.values.copy()
    features[2, 3:7, 0, 1] = np.nan  # one feature misses frames that the others have
    ds = ds.assign(features=(ds.features.dims, features))
    result = regress(
        ds,
        ["condition", "Yaw"],
        ["AU12", "happiness"],
        contrasts=CONTRASTS,
        unit="frame",
        cluster="video",
        cov=cov,
        **({"n_draws": 999} if cov == "wild" else {}),
    )
    order = np.argsort(ds.video.values.tolist())
    for face in range(2):
        for i, feature in enumerate(("AU12", "happiness")):
            rows, cluster = [], []
            for c, v in enumerate(order):
                n = int(ds.n_frames[v])
                sign = 1.0 if ds.condition[v] == "goodNews" else -1.0
                f = features[v, :n, face].astype(float)
                rows.append(np.column_stack([np.ones(n), np.full(n, sign), f[:, 0], f[:, i + 1]]))
                cluster.append(np.full(n, c))
            rows, cluster = np.concatenate(rows), np.concatenate(cluster)
            there = ~np.isnan(rows).any(axis=1)
            sums = cluster_sums(rows[there, :3], rows[there, 3:], cluster[there])
            fit = cluster_fit(sums, "CR2" if cov == "CR2" else "CR1")
            found = result.isel(face=face).sel(feature=feature)
            np.testing.assert_allclose(found.beta, fit.beta[:, 0], rtol=1e-8)
            np.testing.assert_allclose(found.se, fit.se[:, 0], rtol=1e-8)
            np.testing.assert_allclose(found.df, fit.df[:, 0], rtol=1e-8)
            assert (found.n == there.sum()).all()
            if cov == "wild":
                wild = wild_bootstrap(sums, n_draws=999, weights="rademacher")
                np.testing.assert_allclose(found.p, wild.p[:, 0])


def test_regress__videos_of_one_label_are_not_one_cluster(ds):
    labels = ds.video.values.tolist()
    twice = ds.assign_coords(video=[*labels[:-1], labels[0]])
    with pytest.raises(InputError, match="found videos with the same label"):
        regress(twice, "condition", ALL, unit="frame", cluster="video")


def test_regress__frames_by_a_coordinate_of_frames(ds):
    texts = np.where(np.arange(ds.sizes["frame"]) % 3 == 0, "word", "pause")
    ds = ds.assign_coords(speech=(("video", "frame"), np.broadcast_to(texts, ds.frame_number.shape).copy()))
    result = regress(ds, "speech", "AU12", unit="frame", cluster="subject")
    assert result.term.values.tolist() == ["Intercept", "speech[T.word]"]
    values = ds.features.sel(feature="AU12", face=0).values
    there = ~np.isnan(values)
    word = np.broadcast_to(texts == "word", there.shape)
    slope = values[there & word].mean(dtype="f8") - values[there & ~word].mean(dtype="f8")
    np.testing.assert_allclose(result.beta.isel(face=0, term=1), slope, rtol=1e-6)


def test_regress__same_for_any_order_chunks_padding_and_dtype(ds, padded):
    def fit(ds, **options):
        return regress(ds, "condition", ALL, contrasts=CONTRASTS, **options).drop_attrs()

    for options in ({}, {"permutations": 500}, {"unit": "frame", "cluster": "video", "cov": "wild", "n_draws": 199}):
        wanted = fit(ds, **options)
        shuffled = ds.isel(video=np.random.default_rng(0).permutation(ds.sizes["video"]))
        for other in (shuffled, padded(ds, 50), ds.chunk(video=5, frame=7), ds.chunk(video=1)):
            xr.testing.assert_allclose(fit(other, **options), wanted, rtol=1e-9)
    wide = ds.assign(features=ds.features.astype("f8"))
    xr.testing.assert_allclose(regress(wide, "age", ALL).drop_attrs(), regress(ds, "age", ALL).drop_attrs())


def test_regress__a_missing_value_stays_in_its_feature(ds):
    gaps = ds.features.copy()
    gaps[{"video": 4, "feature": 1}] = np.nan
    with_gaps = ds.assign(features=gaps)
    for options in ({}, {"permutations": 300}, {"cov": "HC3"}, {"cluster": "subject"}):
        result, whole = (regress(d, "age", ALL, **options) for d in (with_gaps, ds))
        others = {"feature": ["Yaw", "happiness"]}
        xr.testing.assert_allclose(result.sel(others).drop_attrs(), whole.sel(others).drop_attrs())
        assert (result.n.sel(feature="AU12") == 17).all()
        assert (result.n.sel(others) == 18).all()
    fit = smf.ols("AU12 ~ age", table(with_gaps, features=ALL)).fit()
    assert_equal_fit(regress(with_gaps, "age", ALL), "AU12", fit, {"age": "age"})


def test_regress__videos_without_values_are_excluded_and_listed(ds):
    gaps = ds.features.copy()
    gaps[{"video": 4}] = np.nan
    result = regress(ds.assign(features=gaps), "age", ALL, residuals=True)
    label = str(ds.video.values[4])
    assert result.attrs["n"] == 17
    assert [line for line in result.attrs["excluded"] if label in line]
    assert label not in result.video.values.tolist()


def test_regress__units_without_a_regressor_are_excluded_and_listed(ds):
    age = ds.age.values.copy()
    age[[3, 7]] = np.nan
    result = regress(ds.assign_coords(age=("video", age)), "age", ALL, residuals=True)
    whole = regress(ds.isel(video=~np.isnan(age)), "age", ALL, residuals=True)
    xr.testing.assert_allclose(
        result.drop_vars(["residual", "video"]).drop_attrs(), whole.drop_vars(["residual", "video"]).drop_attrs()
    )
    assert sorted(result.attrs["excluded"]) == sorted(f"{v}: no value of a regressor" for v in ds.video.values[[3, 7]])
    assert result.residual.sel(video=ds.video.values[[3, 7]].tolist()).isnull().all()


def test_regress__constant_feature_and_exact_fit_have_no_test(ds):
    constant = ds.features.copy()
    constant[{"feature": 1}] = constant[{"feature": 1}] * 0 + 0.25
    result = regress(ds.assign(features=constant), "Yaw", ALL, correction="bonferroni")
    assert np.isnan(result.p.sel(feature=["Yaw", "AU12"])).all()
    assert np.isnan(result.p_adjusted.sel(feature=["Yaw", "AU12"])).all()
    term = result.sel(term="Yaw", feature="happiness")
    np.testing.assert_allclose(term.p_adjusted, term.p)  # the others are no tests, so the family has one member
    assert any(note.startswith("no residual variance") and "Yaw, AU12" in note for note in result.attrs["notes"])


def test_regress__bad_designs(ds):
    with pytest.raises(
        InputError, match="collinear regressors: 'Intercept', 'age', 'older' follow from one another in 18 videos"
    ):
        regress(ds.assign_coords(older=ds.age + 10), "age,older", ALL)
    with pytest.raises(InputError, match="one and the same value of 'fps' in all 18 videos"):
        regress(ds, "fps", ALL)
    one = ds.isel(video=(ds.condition == "goodNews").values)
    with pytest.raises(InputError, match="found one level, 'goodNews' in 'condition'; expected at least two"):
        regress(one, "condition", ALL)
    with pytest.raises(InputError, match="one level"):
        regress(one, "condition", ALL, contrasts=CONTRASTS)
    with pytest.raises(InputError, match="found no way to tell Intercept, fps apart"):
        regress(ds, "fps", ALL, unit="frame", cluster="video")
    nothing = ds.assign_coords(age=("video", np.full(18, np.nan)))
    with pytest.raises(InputError, match="found no video that has a value of every regressor"):
        regress(nothing, "age", ALL)
    with pytest.raises(SchemaError):
        regress(ds.drop_vars("frame_number"), "age", ALL)


def test_regress__one_video_and_as_many_coefficients_as_videos(ds):
    result = regress(ds.isel(video=[0, 1]), "age", ALL)
    assert np.isnan(result.p).all()
    assert result.attrs["notes"][0].startswith("as many coefficients as observations")
    result = regress(ds.isel(video=[0]), "age", ALL)
    assert np.isnan(result.p).all()
    assert result.attrs["notes"][0].startswith("too few observations")


def test_regress__wrong_names(ds):
    with pytest.raises(InputError, match=r"unknown coordinate or feature 'conditions' .did you mean 'condition'"):
        regress(ds, "conditions", ALL)
    with pytest.raises(InputError, match=r"unknown coordinate or feature 'descriptions' .*known: ") as found:
        regress(ds.assign_coords(description=("feature", ds.feature.values)), "descriptions", ALL)
    assert "'description'" not in str(found.value)
    with pytest.raises(InputError, match=r"unknown coordinate or feature 'agee' .did you mean 'age'"):
        regress(ds, "condition + agee", ALL)
    with pytest.raises(InputError, match="unknown feature or group 'AU1'"):
        regress(ds, "age", "AU1")
    with pytest.raises(InputError, match=r"unknown level of 'condition' 'goodnews' .did you mean 'goodNews'"):
        regress(ds, "condition", ALL, contrasts={"condition": {"goodnews": 1, "badNews": -1}})
    with pytest.raises(InputError, match=r"no number for 'Celle' in contrasts\['site'\]"):
        regress(ds, "site", ALL, contrasts={"site": {"Aachen": 1, "Bonn": -1}})
    with pytest.raises(InputError, match="contrasts for condition; expected names among the regressors: age"):
        regress(ds, "age", ALL, contrasts=CONTRASTS)
    with pytest.raises(InputError, match="'y ~ age' with a left side"):
        regress(ds, "y ~ age", ALL)
    with pytest.raises(InputError, match="expected one that can be computed"):
        regress(ds, "condition + age +* 2", ALL)
    with pytest.raises(InputError, match="'timestamp' not on videos"):
        regress(ds, "timestamp", ALL)
    with pytest.raises(InputError, match="found nothing as X"):
        regress(ds, [], ALL)
    with pytest.raises(InputError, match=r"found 1.0, 2.0 as X; expected names"):
        regress(ds, [1.0, 2.0], ALL)
    with pytest.raises(InputError, match="found 'one' for 'goodNews' in contrasts"):
        regress(ds, "condition", ALL, contrasts={"condition": {"goodNews": "one", "badNews": -1}})
    with pytest.raises(InputError, match="'timestamp' not on videos; expected coordinates on videos"):
        regress(ds, "timestamp", ALL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "frame"}, "found unit='frame' without cluster; the frames of a video are no independent"),
        ({"unit": "frame", "cluster": "video", "residuals": True}, "residuals=True with unit='frame'"),
        (
            {"unit": "frame", "cluster": "video", "statistic": "max"},
            "unit='frame' with a statistic, weights",
        ),
        ({"unit": "frame", "cluster": "video", "statistic": "men"}, "unknown statistic 'men' .did you mean 'mean'"),
        (
            {"unit": "frame", "cluster": "video", "min_valid": 0.9},
            "unit='frame' with a statistic, weights",
        ),
        ({"unit": "frame", "cluster": "video", "threshold": 0.5}, "threshold=0.5; 'prop_above' needs one"),
        ({"n_draws": 999}, "found n_draws or wild_weights with cov='nonrobust'; they belong to cov='wild'"),
        ({"cluster": "subject", "wild_weights": "webb"}, "found n_draws or wild_weights with cov='nonrobust'"),
        ({"cov": "HC2"}, "found cov='HC2'; expected one of nonrobust, HC3, CR1, CR2, CR3, wild"),
        ({"cov": "CR2"}, "found cov='CR2' without cluster"),
        ({"cov": "HC3", "cluster": "subject"}, "found cov='HC3' with cluster"),
        ({"permutations": 10, "cluster": "subject"}, "found permutations with cluster"),
        ({"permutations": 10, "cov": "HC3"}, "found permutations with cluster or a robust cov"),
        ({"permutations": 10, "intercept": False}, "found permutations with intercept=False"),
        ({"permutations": -1}, "found permutations=-1"),
        ({"blocks": "site"}, "found blocks without permutations"),
        ({"correction": "max_t"}, "found correction='max_t' without permutations"),
        ({"correction": "bonferoni"}, "unknown correction 'bonferoni' .did you mean 'bonferroni'"),
        ({"confidence": 95}, "found confidence=95"),
        ({"cluster": "subject", "cov": "wild", "n_draws": 5}, "found n_draws=5"),
        ({"cluster": "subject", "cov": "wild", "wild_weights": "mammen"}, "found wild_weights='mammen'"),
        ({"link": "probit"}, "found link='probit'; expected 'identity' or 'logit'"),
        ({"link": "logit", "permutations": 9}, "found link='logit' with unit='frame', permutations"),
        ({"link": "logit", "unit": "frame", "cluster": "video"}, "found link='logit' with unit='frame'"),
        ({"link": "logit", "random": "subject"}, "found link='logit' with unit='frame', permutations, random"),
        ({"link": "logit", "cov": "wild", "cluster": "subject"}, "found link='logit' with unit='frame'"),
        ({"link": "logit"}, "of Yaw; expected values from 0 to 1 with link='logit'"),
        ({"cluster": ["site", "subject"]}, "expected the name of one coordinate"),
        ({"cluster": "site"}, "found 3 clusters of 'site'; expected at least 6"),
        ({"cluster": "site", "unit": "frame"}, "found 3 clusters of 'site'; expected at least 6"),
    ],
)
def test_regress__options_that_do_not_fit(ds, options, message):
    with pytest.raises(InputError, match=message):
        regress(ds, "age", ALL, **options)


@pytest.mark.parametrize(
    ("cov", "said"),
    [
        ("CR1", "p is too small"),
        ("CR2", "p is on the safe side, so that effects are seldom found"),
        ("CR3", "p is on the safe side, so that effects are seldom found"),
        ("wild", "p can hardly be small, so that effects are seldom found"),
    ],
)
def test_regress__few_treated_clusters_are_flagged(ds, cov, said):
    drug = np.isin(ds.subject.values.astype(str), ["s1", "s2"]).astype(float)
    ds = ds.assign_coords(drug=("video", drug))
    measured = (Path(__file__).parents[3] / "docs" / "statistics.md").read_text(encoding="utf-8")
    draws = {"n_draws": 99} if cov == "wild" else {}
    for options in ({}, {"unit": "frame"}):
        with pytest.warns(UserWarning, match="fewer than 5 clusters differ from the others in drug: " + said) as caught:
            result = regress(ds, "drug", ALL, cluster="subject", cov=cov, **draws, **options)
        note = next(note for note in result.attrs["notes"] if note.startswith("fewer than 5 clusters"))
        assert note == str(caught[0].message)
        assert all(rate in measured for rate in re.findall(r"\.\d{3}", note))
        few_df = any(note.startswith("fewer than 4 degrees of freedom") for note in result.attrs["notes"])
        assert few_df == (cov in ("CR2", "CR3"))


def test_regress__a_condition_within_clusters_is_not_flagged(ds, recwarn):
    within = ds.assign_coords(phase=("video", np.where(ds.subject.to_series().duplicated(), "late", "early")))
    missing = within.isel(video=slice(1, None))  # one cluster has one phase only
    assert regress(missing, "phase", ALL, cluster="subject").attrs["notes"] == []
    assert regress(missing, "phase", ALL, cluster="subject", unit="frame").attrs["notes"] == []
    assert not recwarn


def test_regress__permutations_of_two_groups_are_all_used(recordings):
    ds = recordings(dict.fromkeys("abcdefgh", 9))
    ds = ds.assign_coords(arm=("video", np.repeat(["x", "y"], 4)))
    result = regress(ds, "arm", ALL, permutations=9, correction="max_t")
    assert result.attrs["permutations"] == ["arm[T.y]: all 70 arrangements, smallest possible p 0.014"]
    values = unit_values(ds).values[:, 0]
    t = []
    for chosen in itertools.combinations(range(8), 4):
        x = np.isin(np.arange(8), chosen).astype(float)
        t.append([abs(sm.OLS(y, sm.add_constant(x)).fit().tvalues[1]) for y in values.T])
    t = np.array(t)
    observed = np.abs(result.t.isel(term=1, face=0).values)
    np.testing.assert_allclose(result.p.isel(term=1, face=0), (t >= observed - 1e-9).mean(axis=0))
    np.testing.assert_allclose(
        result.p_adjusted.isel(term=1, face=0), (t.max(axis=1)[:, None] >= observed - 1e-9).mean(axis=0)
    )
    assert np.isnan(result.p_adjusted.sel(term="Intercept")).all()


def test_regress__permutations_within_blocks_beside_other_regressors(ds):
    options = {"permutations": 400, "blocks": "site", "correction": "max_t"}
    result = regress(ds, "age,Yaw", ["AU12", "happiness"], **options)
    shuffled = ds.isel(video=np.random.default_rng(1).permutation(18))
    xr.testing.assert_allclose(
        result.drop_attrs(), regress(shuffled, "age,Yaw", ["AU12", "happiness"], **options).drop_attrs()
    )
    tested = result.sel(term=["age", "Yaw"])
    assert (tested.p_adjusted >= tested.p).all()
    parametric = regress(ds, "age,Yaw", ["AU12", "happiness"]).sel(term=["age", "Yaw"])
    np.testing.assert_allclose(tested.p, parametric.p, atol=0.15)
    assert result.attrs["seed"] == 0


def test_regress__the_result_can_be_saved(ds, tmp_path):
    result = regress(ds, "condition", ALL, cluster="subject", cov="wild", n_draws=99, residuals=True)
    result.to_zarr(tmp_path / "result.zarr")
    xr.testing.assert_allclose(xr.open_zarr(tmp_path / "result.zarr", chunks=None).load(), result)
    for name in ("unit", "n", "test", "cov", "correction", "family", "seed", "excluded", "population", "coding"):
        assert name in result.attrs


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-100, 100))
def test_regress__units_of_measurement_do_not_matter(ds, scale, shift):
    other = ds.assign_coords(age=ds.age * scale + shift)
    result, wanted = regress(other, "age", ALL), regress(ds, "age", ALL)
    np.testing.assert_allclose(result.t.sel(term="age"), wanted.t.sel(term="age"), rtol=1e-6)
    np.testing.assert_allclose(result.beta.sel(term="age") * scale, wanted.beta.sel(term="age"), rtol=1e-6)


def test_regress__features_keep_their_groups_and_cr1_of_few_clusters_is_flagged(ds):
    for options in ({}, {"unit": "frame", "cluster": "subject", "cov": "CR1"}):
        result = regress(ds, "age", ["happiness", "Yaw"], **options)
        assert result.group.values.tolist() == ["emotions", "poses"]
        assert result.fex.select("poses").feature.values.tolist() == ["Yaw"]
    assert result.attrs["notes"] == ["fewer than 20 clusters, for which the p of CR1 is too small: use CR2"]


def test_regress__shares_are_statsmodels(ds):
    result = regress(ds, "condition + age", ["AU12", "happiness"], link="logit", residuals=True)
    data = table(ds)
    for feature in ("AU12", "happiness"):
        glm = smf.glm(f"{feature} ~ condition + age", data, family=sm.families.Binomial()).fit(tol=1e-13)
        found = result.sel(feature=feature).isel(face=0)
        np.testing.assert_allclose(found.beta, glm.params, rtol=1e-7)
        np.testing.assert_allclose(found.residual, glm.resid_response, atol=1e-9)
        assert (found.df == 15).all()
    assert np.isnan(result.effect.sel(term="Intercept")).all()
    assert result.attrs["cov"] == "HC3"
    assert result.attrs["link"] == "logit"


def test_regress__shares_in_clusters_are_statsmodels(ds):
    data = table(ds)
    names = dict.fromkeys(["Intercept", "age"])
    for cluster, of_video in (("subject", np.unique(data.subject, return_inverse=True)[1]), ("video", np.arange(18))):
        result = regress(ds, "age", ["AU12"], link="logit", cluster=cluster, cov="CR1")
        model = smf.glm("AU12 ~ age", data, family=sm.families.Binomial())
        glm = model.fit(tol=1e-13, cov_type="cluster", cov_kwds={"groups": of_video})
        for name in names:
            np.testing.assert_allclose(result.beta.sel(term=name, face=0).item(), glm.params[name], rtol=1e-7)
            np.testing.assert_allclose(result.se.sel(term=name, face=0).item(), glm.bse[name], rtol=1e-6)
    assert regress(ds, "age", ["AU12"], link="logit", cluster="subject").attrs["cov"] == "CR2"


def test_regress__shares_same_for_any_order_chunks_padding_and_missing_values(ds, padded):
    gaps = ds.features.copy()
    gaps[{"video": 4, "feature": 1}] = np.nan
    ds = ds.assign(features=gaps)
    wanted = regress(ds, "condition", ["AU12", "happiness"], link="logit").drop_attrs()
    shuffled = ds.isel(video=np.random.default_rng(0).permutation(18))
    for other in (shuffled, padded(ds, 50), ds.chunk(video=5, frame=7)):
        found = regress(other, "condition", ["AU12", "happiness"], link="logit").drop_attrs()
        xr.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert wanted.n.isel(term=0, face=0).values.tolist() == [17, 18]
    fit = smf.glm("AU12 ~ condition", table(ds, features=ALL).dropna(), family=sm.families.Binomial()).fit(tol=1e-13)
    np.testing.assert_allclose(wanted.beta.sel(feature="AU12").isel(face=0), fit.params, rtol=1e-7)


def test_regress__shares_without_a_finite_estimate_are_flagged(ds):
    features = ds.features.copy()
    features[{"feature": 1}] = features[{"feature": 1}] * 0
    good = (ds.condition == "goodNews").values
    features[good, :, :, 2] = (features[good, :, :, 2] * 0).astype("f4")
    result = regress(ds.assign(features=features), "condition", ["AU12", "happiness"], link="logit", correction="holm")
    assert np.isnan(result.beta).all()
    assert np.isnan(result.p_adjusted).all()
    assert any(n.startswith("no finite estimate") and n.endswith("AU12, happiness") for n in result.attrs["notes"])
    constant = ds.assign(features=ds.features * 0 + 0.25)
    result = regress(constant, "condition", ["AU12"], link="logit")
    assert np.isnan(result.p).all()
    assert any(n.startswith("no residual variance") for n in result.attrs["notes"])


def test_regress__shares_near_the_end_of_the_scale_are_flagged(ds):
    low = ds.assign(features=ds.features * np.float32(0.05))
    notes = regress(low, "age", ["AU12"], link="logit").attrs["notes"]
    assert [note.split(",")[0] for note in notes] == ["shares near 0 or 1 in few units"]
    assert regress(ds, "age", ["AU12"], link="logit").attrs["notes"] == []


def test_regress__unequal_spread_in_unequal_groups_is_flagged(ds):
    few = ds.assign_coords(arm=("video", np.where(np.arange(18) < 4, "x", "y")))
    far = 1 + 9 * (np.arange(18) < 4)
    middle = few.features.mean("frame").isel(video=0)
    spread = few.assign(features=(few.features - middle) * far[:, None, None, None] + middle)
    for options in ({}, {"permutations": 99}):
        (note,) = regress(spread, "arm", ["AU12"], **options).attrs["notes"]
        assert note.startswith("groups of different size in arm[T.y] whose variances differ")
        assert "cov='CR3' with cluster='video'" in note
        assert regress(few, "age", ["AU12"], **options).attrs["notes"] == []
    assert regress(spread, "condition", ["AU12"]).attrs["notes"] == []
    (note,) = regress(few, "arm", ["AU12"], cov="HC3").attrs["notes"]
    assert note.startswith("few units decide the HC3 standard error of arm[T.y]")
    assert regress(few, "condition", ["AU12"], cov="HC3").attrs["notes"] == []


@pytest.mark.filterwarnings("ignore:fewer than 5 clusters")
def test_regress__units_as_clusters_are_hc3_with_other_degrees_of_freedom(ds):
    few = ds.assign_coords(arm=("video", np.where(np.arange(18) < 4, "x", "y")))
    for X in ("condition", "arm", "age"):
        hc3 = regress(few, X, ALL, cov="HC3")
        cr3 = regress(few, X, ALL, cov="CR3", cluster="video")
        np.testing.assert_allclose(cr3.se, hc3.se, rtol=1e-8)
        if X == "condition":
            np.testing.assert_allclose(cr3.p.isel(term=1), hc3.p.isel(term=1), rtol=1e-6)
        else:
            assert (cr3.df.isel(term=1) < hc3.df.isel(term=1)).all()


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    order=st.permutations(range(18)),
    chunks=st.tuples(st.integers(1, 18), st.integers(1, 40)) | st.none(),
    n_padding=st.integers(0, 60),
    dtype=st.sampled_from(["f4", "f8"]),
    options=st.sampled_from([{}, {"cov": "HC3"}, {"cluster": "subject"}, {"permutations": 99}]),
)
def test_regress__nothing_but_the_values_matters(ds, padded, order, chunks, n_padding, dtype, options):
    wanted = regress(ds, "condition,age", ALL, **options).drop_attrs()
    other = padded(ds.isel(video=list(order)), n_padding).assign(features=lambda d: d.features.astype(dtype))
    if chunks:
        other = other.chunk(video=chunks[0], frame=chunks[1])
    found = regress(other, "condition,age", ALL, **options).drop_attrs()
    xr.testing.assert_allclose(found, wanted, rtol=1e-8)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_regress__units_of_the_features_do_not_matter(ds, scale, shift):
    wide = ds.assign(features=ds.features.astype("f8"))
    found, wanted = (regress(d, "age", ALL) for d in (wide.assign(features=wide.features * scale + shift), wide))
    for name in ("t", "p"):
        np.testing.assert_allclose(found[name].sel(term="age"), wanted[name].sel(term="age"), rtol=1e-5)
    np.testing.assert_allclose(found.beta.sel(term="age"), wanted.beta.sel(term="age") * scale, rtol=1e-5)


def test_regress__results_are_selected_and_tabulated_like_detections(ds):
    result = regress(ds, "condition", ALL)
    assert result.fex.aus.feature.values.tolist() == ["AU12"]
    assert result.fex.select("poses,happiness").feature.values.tolist() == ["Yaw", "happiness"]
    rows = result.sel(term="condition[T.goodNews]").fex.to_dataframe()
    assert len(rows)
