"""Mixed models: equal to statsmodels, and to a paired test where there is nothing to add to it."""

from __future__ import annotations

import builtins
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import xarray as xr
from scipy import optimize, stats

from facearray.errors import FaceArrayError, InputError
from facearray.stats import describe, regress
from facearray.stats.regression.estimates import Options
from facearray.stats.regression.mixed import fit_mixed

N_SUBJECTS, N_REPEATS = 10, 6


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Ten subjects in two conditions, three videos each, of three stimuli; a slope and an intercept of their own."""
    rng = np.random.default_rng(3)
    subject = np.repeat(np.arange(N_SUBJECTS), N_REPEATS)
    condition = np.tile([1.0, -1.0], len(subject) // 2)
    own = rng.normal(size=(2, N_SUBJECTS, 2))
    values = own[0][subject] + (0.4 + 0.5 * own[1][subject]) * condition[:, None] + rng.normal(size=(len(subject), 2))
    return xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values[:, None, None])},
        coords={
            "video": [f"{i:02d}" for i in range(len(subject))],
            "feature": ["AU06", "AU12"],
            "frame_number": (("video", "frame"), np.zeros((len(subject), 1), int)),
            "subject": ("video", np.array([f"s{s}" for s in subject])),
            "condition": ("video", condition),
            "age": ("video", rng.normal(size=N_SUBJECTS)[subject]),
            "stimulus": ("video", np.tile(list("aabbcc"), N_SUBJECTS)),
        },
    )


def test_mixed__balanced_within_condition_is_the_paired_test(ds):
    result = regress(ds, "condition", "AU06,AU12", random="subject")
    y = ds.features.values[:, 0, 0].reshape(N_SUBJECTS, N_REPEATS, 2)
    difference = y[:, ::2].mean(axis=1) - y[:, 1::2].mean(axis=1)
    theirs = stats.ttest_1samp(difference, 0)
    term = result.sel(term="condition").isel(face=0)
    np.testing.assert_allclose(term.t, theirs.statistic, rtol=1e-4)
    np.testing.assert_allclose(term.p, theirs.pvalue, rtol=1e-3)
    np.testing.assert_allclose(term.beta * 2, difference.mean(axis=0), rtol=1e-6)
    assert (term.df == N_SUBJECTS - 1).all()


def test_mixed__is_statsmodels_with_a_regressor_between_subjects(ds):
    result = regress(ds, "condition,age", "AU12", random="subject").isel(face=0, feature=0)
    frame = pd.DataFrame({name: ds[name].values for name in ("condition", "age", "subject")})
    frame["y"] = ds.features.values[:, 0, 0, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = smf.mixedlm("y ~ condition + age", frame, groups="subject", re_formula="~condition").fit(
            method="powell"
        )
    np.testing.assert_allclose(result.beta, theirs.fe_params, rtol=1e-3)
    np.testing.assert_allclose(result.se, theirs.bse_fe, rtol=1e-2)
    assert result.df.values.tolist() == [N_SUBJECTS - 2, N_SUBJECTS - 1, N_SUBJECTS - 2]
    np.testing.assert_allclose(result.p, 2 * stats.t.sf(np.abs(result.t), result.df), rtol=1e-9)


def largest_likelihood(X, y, groups):
    """Coefficients and standard errors by restricted maximum likelihood: the best of several searches of our own."""
    n, k = X.shape
    lower = np.tril_indices(k)

    def fit(root):
        L = np.zeros((k, k))
        L[lower] = root
        V = np.eye(n) + (groups[:, None] == groups) * (X @ L @ L.T @ X.T)
        information = X.T @ np.linalg.solve(V, X)
        beta = np.linalg.solve(information, X.T @ np.linalg.solve(V, y))
        scale = (y - X @ beta) @ np.linalg.solve(V, y - X @ beta) / (n - k)
        size = (n - k) * np.log(scale) + np.linalg.slogdet(V)[1] + np.linalg.slogdet(information)[1]
        return size, beta, np.sqrt(scale * np.diag(np.linalg.inv(information)))

    found = [optimize.minimize(lambda root: fit(root)[0], start * np.eye(k)[lower]) for start in (1, 10)]
    return fit(min(found, key=lambda one: one.fun).x)[1:]


@pytest.mark.parametrize(("seed", "singular"), [(0, False), (2, True)])
def test_mixed__people_differ_far_more_than_their_videos(seed, singular):
    """Where statsmodels' first optimiser says that it converged, far from the largest likelihood."""
    rng = np.random.default_rng(seed)
    person, condition, age = np.repeat(np.arange(10), 6), np.tile([1.0, -1.0], 30), rng.normal(size=60)
    own = rng.normal(size=(3, 10))
    y = 15 * (own[0][person] + (0.4 + 0.5 * own[1][person]) * condition) + rng.normal(size=60)
    X = np.column_stack([np.ones(60), condition, age])
    found = fit_mixed(X, y[:, None], [person], Options("nonrobust"))
    beta, se = largest_likelihood(X, y, person)
    np.testing.assert_allclose(found.beta[:, 0], beta, rtol=2e-3)
    np.testing.assert_allclose(found.se[:, 0], se, rtol=2e-3)
    assert found.singular.tolist() == [singular]


def test_mixed__crossed_standard_errors_are_those_of_the_estimated_variances():
    """Where persons and stimuli have the same means they are those of least squares."""
    person, stimulus = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
    y = np.random.default_rng(5).normal(size=(6, 4))
    y = (y - y.mean(axis=0) - y.mean(axis=1, keepdims=True) + y.mean() + 3).ravel()
    found = fit_mixed(np.ones((24, 1)), y[:, None], [person, stimulus], Options("nonrobust"))
    np.testing.assert_allclose(found.se.item(), stats.sem(y), rtol=1e-3)
    assert found.singular.tolist() == [True]


def test_mixed__crossed_subjects_and_stimuli(ds):
    few = ds.isel(video=slice(0, 36))
    result = regress(few, "condition", "AU12", random=["subject", "stimulus"])
    assert np.isfinite(result.p).all()
    assert result.df.sel(term="condition").item() == 2  # three stimuli
    assert "random intercepts, and slopes of what varies within, of subject and stimulus" in describe(result)


def test_mixed__says_what_was_fitted_and_flags_singular_fits(ds):
    y = np.random.default_rng(0).normal(size=(N_SUBJECTS, N_REPEATS, 2))
    y -= y.mean(axis=1, keepdims=True)  # nothing is left for a random intercept
    flat = ds.assign(features=ds.features.copy(data=y.reshape(ds.features.shape)))
    result = regress(flat, "condition", "AU06,AU12", random="subject")
    assert any(note.startswith("singular or not converged") for note in result.attrs["notes"])
    assert result.attrs["random"] == ["subject"]
    assert result.attrs["cov"] == "mixed"
    assert "linear mixed models" in describe(result)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"random": "subject", "cluster": "subject"}, "found random with cluster"),
        ({"random": "subject", "residuals": True}, "found random with cluster, cov, permutations or residuals"),
        ({"random": "subject", "unit": "frame", "cluster": None}, "found random with unit='frame'"),
        ({"random": "video"}, "found the unit 'video' as a random effect"),
        ({"random": "clip"}, r"unknown coordinate of videos 'clip'"),
        ({"random": "each"}, "found 60 values of 'each' in 60 videos; expected several, each shared"),
    ],
)
def test_mixed__options_that_do_not_fit(ds, options, message):
    ds = ds.assign_coords(each=("video", np.arange(60)))
    with pytest.raises(InputError, match=message):
        regress(ds, "condition", "AU12", **options)


def test_mixed__one_video_a_condition_is_a_paired_test(ds):
    with pytest.raises(InputError, match="found 20 observations for 20 random intercepts and slopes"):
        regress(ds.isel(video=np.arange(60) % 6 < 2), "condition", "AU12", random="subject")
    blank = ds.subject.values.astype(object)
    blank[3] = None
    with pytest.raises(InputError, match="found units without subject: 03"):
        regress(ds.assign_coords(subject=("video", blank)), "condition", "AU12", random="subject")


def test_mixed__without_statsmodels(ds, monkeypatch):
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("statsmodels"):
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(FaceArrayError, match=r"pip install 'facearray\[mixed\]'"):
        regress(ds, "condition", "AU12", random="subject")


@pytest.mark.slow
def test_mixed__rate_is_at_most_seven_percent():
    """20 subjects, 4 videos each, condition within subjects with a slope of standard deviation .5, no effect."""
    rng = np.random.default_rng(0)
    subject, x = np.repeat(np.arange(20), 4), np.tile([1.0, -1.0], 40)
    own = rng.normal(size=(2, 20, 400))
    Y = own[0][subject] + 0.5 * own[1][subject] * x[:, None] + rng.normal(size=(80, 400))
    found = fit_mixed(np.column_stack([np.ones(80), x]), Y, [subject], Options("nonrobust"))
    assert (found.p[1] <= 0.05).mean() <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 400)
