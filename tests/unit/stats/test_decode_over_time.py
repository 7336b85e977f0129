"""Decoding in windows of time, and from one window to another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from sklearn import model_selection as ms
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from facearray.errors import InputError
from facearray.stats import adjust, clusters, decode, decode_over_time, describe
from facearray.stats.decoding.permutations import Null
from facearray.stats.time_resolved.decoding import largest_p, single_p

LDA = LinearDiscriminantAnalysis()
SCALED = make_pipeline(StandardScaler(), GaussianNB())
OPTIONS = {"window": 0.5, "step": 0.5, "cv": 3}
SETS = {"both": "aus", "mouth": ["AU12"]}


def windows(ds, length=5):
    return [ds.isel(frame=slice(i, i + length)) for i in range(0, ds.sizes["frame"] - length + 1, length)]


def in_order(ds, seed=0):
    """The videos in the random order in which they are put into folds, with labels in that order."""
    n = ds.sizes["video"]
    order = np.random.default_rng([seed, n]).permutation(n)
    return ds.isel(video=order).assign_coords(video=ds.video.values)


@pytest.mark.parametrize("model", [LDA, SCALED], ids=str)
@pytest.mark.parametrize("y", ["condition", "person"])
def test_decode_over_time__each_window_is_a_decoding(courses, model, y):
    ds = courses([20] * 18, effect=1)
    if y == "person":  # three classes
        ds = ds.assign_coords(person=("video", np.repeat(["x", "y", "z"], 6)))
    result = decode_over_time(ds, y, SETS, model=model, permutations=5, seed=2, **OPTIONS)
    assert result.score.dims == ("feature_set", "time")
    for w, part in enumerate(windows(in_order(ds, 2))):
        wanted = decode(part, y, SETS, model=model, cv=3, permutations=5, seed=2)
        np.testing.assert_allclose(result.score[:, w], wanted.scores.mean("fold"))
        np.testing.assert_allclose(result.chance[:, w], wanted.chance)
        # the same permutations in all windows, those of a decoding with this seed
        np.testing.assert_allclose(result.p[:, w], wanted.p_value)
    assert result.n.values.tolist() == [18] * 4


def test_decode_over_time__numbers_groups_and_scores(courses):
    ds = courses([20] * 12)
    result = decode_over_time(ds, "age", model=Ridge(), scoring="neg_mean_absolute_error", **OPTIONS)
    people = decode_over_time(
        ds, "condition", model=LDA, groups="person", window=0.5, step=0.5, cv="leave_one_group_out"
    )
    for w, part in enumerate(windows(in_order(ds))):
        wanted = decode(part, "age", model=Ridge(), cv=3, scoring="neg_mean_absolute_error")
        np.testing.assert_allclose(result.score[0, w], wanted.scores.mean())
        np.testing.assert_allclose(result.chance[0, w], wanted.chance)
        left_out = decode(part, "condition", model=LDA, groups="person", cv="leave_one_group_out")
        np.testing.assert_allclose(people.score[0, w], left_out.scores.mean())
    assert people.attrs["population"].startswith("6 persons")
    assert people.attrs["n_groups"] == 6


def by_hand(ds, model, scores, n_folds=3):
    """Scores (n_window, n_window) of models of one window for held-out units of another."""
    X = np.stack([part.features.mean("frame").isel(face=0).values for part in windows(ds)], axis=1)
    y = ds.condition.values
    found = np.full((X.shape[1], X.shape[1]), np.nan)
    there = ~np.isnan(X).any(axis=2)
    for a in range(X.shape[1]):
        here = np.flatnonzero(there[:, a])
        splits = list(ms.StratifiedKFold(n_folds).split(X[here, a], y[here]))
        for b in range(X.shape[1]):
            by_fold = []
            for train, test in splits:
                fitted = clone(model).fit(X[here[train], a], y[here[train]])
                units = here[test][there[here[test], b]]
                if len(units):
                    by_fold.append(scores(fitted, X[units, b], y[units]))
            found[a, b] = np.mean(by_fold)
    return found


def accuracy(fitted, X, y):
    return (fitted.predict(X) == y).mean()


def auc(fitted, X, y):
    return roc_auc_score(y, fitted.predict_proba(X)[:, 1]) if len(set(y)) > 1 else np.nan


@pytest.mark.parametrize("scoring", [None, "roc_auc"])
@pytest.mark.parametrize("lengths", [[20] * 14, [20] * 10 + [10] * 4])
def test_decode_over_time__generalize_by_hand(courses, scoring, lengths):
    ds = courses(lengths, effect=1)
    result = decode_over_time(ds, "condition", model=SCALED, generalize=True, scoring=scoring, **OPTIONS)
    assert result.score.dims == ("feature_set", "time", "time_test")
    np.testing.assert_allclose(result.score[0], by_hand(in_order(ds), SCALED, auc if scoring else accuracy))
    plain = decode_over_time(ds, "condition", model=SCALED, scoring=scoring, **OPTIONS)
    np.testing.assert_allclose(np.diagonal(result.score[0]), plain.score[0])
    np.testing.assert_array_equal(np.diagonal(result.n), plain.n)
    assert result.n[0, 3] == sum(length == 20 for length in lengths)


def test_decode_over_time__a_held_out_unit_is_in_no_training_set_of_another_window(courses):
    # a unit's own pattern is the same in all windows: a model that saw it anywhere would know its class
    rng = np.random.default_rng(0)
    ds = courses([20] * 20, features=[f"AU{i:02}" for i in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12)])
    own = rng.normal(size=(20, 1, 1, 10)) * 10
    ds = ds.assign(features=ds.features * 0.01 + own)
    result = decode_over_time(ds, "condition", model=GaussianNB(), generalize=True, **OPTIONS)
    np.testing.assert_allclose(result.score, result.score[0, 0, 0])
    assert result.score.max() < 0.8


def test_decode_over_time__windows_with_few_units_have_no_score(courses):
    ds = courses([40] * 4 + [25] * 12, effect=1)
    result = decode_over_time(ds, "condition", model=GaussianNB(), permutations=5, generalize=True, **OPTIONS)
    assert np.diagonal(result.n).tolist() == [16] * 5 + [4] * 3
    assert result.score[0, :5, :5].notnull().all()
    for name in ("score", "chance", "p", "p_adjusted"):
        assert result[name][0, 5:].isnull().all(), name
        assert result[name][0, :, 5:].isnull().all(), name
    (note,) = [note for note in result.attrs["notes"] if "windows have no score" in note]
    assert note.startswith("3 of 8 windows have no score: 2.75 s (found fewer videos of a class than the 3 folds")
    plain = decode_over_time(ds, "condition", model=LDA, permutations=9, **OPTIONS)
    assert plain.p_adjusted[0].isnull().values.tolist() == [False] * 5 + [True] * 3
    assert "3 of 8 windows have no score" in describe(plain)
    gone = ds.assign(features=ds.features.where((ds.condition == "good") | (ds.timestamp < 1)))
    one_class = decode_over_time(gone, "condition", model=LDA, **OPTIONS)
    assert one_class.score[0].isnull().values.tolist() == [False] * 2 + [True] * 6
    assert any("found one class of 'condition' only" in note for note in one_class.attrs["notes"])


def test_decode_over_time__permutations_by_hand_where_units_drop_out(courses):
    ds = courses([20] * 10 + [10] * 6, effect=0.7)
    m = 9
    for model in (LDA, GaussianNB()):
        result = decode_over_time(ds, "condition", model=model, permutations=m, seed=1, **OPTIONS)
        from facearray.stats.kernels.resampling import Labels, draw_chunk

        ordered = in_order(ds, 1)
        codes = (ordered.condition.values == "good").astype(float)
        draws = draw_chunk(Labels(codes), 1, 0, m)
        X = np.stack([part.features.mean("frame").isel(face=0).values for part in windows(ordered)], axis=1)
        there = ~np.isnan(X).any(axis=2)
        null = np.empty((m + 1, 4))
        for i, labels in enumerate([codes, *draws]):
            for w in range(4):
                here = there[:, w]
                y = labels[here]
                folds = ms.StratifiedKFold(3)
                null[i, w] = ms.cross_val_score(model, X[here, w], y, cv=folds).mean() - max(y.mean(), 1 - y.mean())
        np.testing.assert_allclose(result.score[0] - result.chance[0], null[0])
        np.testing.assert_allclose(result.p[0], (null >= null[0] - 1e-9).mean(axis=0))
        z = (null - null.mean(axis=0)) / null.std(axis=0)
        np.testing.assert_allclose(result.p_adjusted[0], (z.max(axis=1)[:, None] >= z[0] - 1e-9).mean(axis=0))


def test_decode_over_time__corrections(courses):
    ds = courses([30] * 16, effect=3)
    options = {"model": LDA, "permutations": 199, **OPTIONS}
    largest = decode_over_time(ds, "condition", SETS, **options)
    xr.testing.assert_identical(largest, decode_over_time(ds, "condition", SETS, correction="max_score", **options))
    assert (largest.p_adjusted >= largest.p).all()
    assert largest.p_adjusted.sel(feature_set="mouth", time=2.25) <= 0.05 < largest.p_adjusted.sel(time=0.25).min()
    bonferroni = decode_over_time(ds, "condition", SETS, correction="bonferroni", **options)
    np.testing.assert_allclose(bonferroni.p_adjusted, adjust(largest.p.values.ravel(), "bonferroni").reshape(2, 6))
    found = decode_over_time(ds, "condition", SETS, correction="cluster", **options)
    table = clusters(found)
    assert {"mouth", "both"} == set(table.feature_set[table.p <= 0.05])
    assert (table.start[:2] == 1).all()
    assert (found.p_adjusted.where(found.cluster == 0, 1) == 1).all()
    np.testing.assert_array_equal(found.p, largest.p)
    strict = decode_over_time(ds, "condition", SETS, correction="cluster", cluster_threshold=99.0, **options)
    assert len(clusters(strict)) == 0
    assert "mouth, 1 to 3 s" in describe(found)


def test_p__rounding_makes_no_difference_to_a_score_that_is_as_good_as_chance():
    null = Null(np.array([[1e-17], [-1e-17], [0.2], [-0.2]]), False, 100, "")
    np.testing.assert_allclose(single_p(null, np.zeros(1)), 4 / 5)
    same = Null(np.array([[0.1 + 0.2], [0.3]]), True, 2, "")
    np.testing.assert_allclose(largest_p(same, np.array([0.3])), 1)


def test_decode_over_time__clusters_of_both_times(courses):
    ds = courses([30] * 16, effect=2)
    options = {"model": LDA, "permutations": 39, "generalize": True, **OPTIONS}
    found = decode_over_time(ds, "condition", correction="cluster", **options)
    first = clusters(found).iloc[0]
    assert (first.start, first.stop, first.start_test, first.stop_test) == (1, 3, 1, 3)
    assert first["size"] == int((found.cluster == first.cluster).sum())
    assert first.p <= 0.05
    assert "applied at 1 to 3 s" in describe(found)


def test_decode_over_time__all_arrangements(courses):
    ds = courses([20] * 8, effect=2)
    result = decode_over_time(ds, "condition", model=LDA, permutations=1000, window=0.5, step=0.5, cv=2)
    assert result.attrs["n_permutations"] == 70
    assert result.attrs["permutations_exact"] == 1
    np.testing.assert_allclose(result.p * 70, np.rint(result.p * 70))


def test_decode_over_time__the_same_whatever_holds_the_data(courses, padded):
    ds = courses([30, 23, 28, 30, 26, 21, 30, 27, 30, 30, 22, 25], effect=1)
    options = {"model": GaussianNB(), "permutations": 5, "generalize": True, "correction": "cluster", **OPTIONS}
    wanted = decode_over_time(ds, "condition", **options)
    for other in (ds.chunk(video=3, frame=7), padded(ds, 9), ds.isel(video=slice(None, None, -1))):
        xr.testing.assert_identical(decode_over_time(other, "condition", **options), wanted)


def test_decode_over_time__a_client_changes_nothing(courses):
    from distributed import Client

    ds = courses([10] * 12)
    with Client(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as client:
        for generalize in (False, True):
            options = {"model": GaussianNB(), "permutations": 40, "generalize": generalize, **OPTIONS}
            shared = decode_over_time(ds, "condition", client=client, **options)
            xr.testing.assert_identical(shared, decode_over_time(ds, "condition", **options))


def test_decode_over_time__a_feature_without_a_value_in_some_windows(courses):
    ds = courses([20] * 12)
    features = ds.features.copy()
    features[:, 10:, 0, 1] = np.nan
    result = decode_over_time(ds.assign(features=features), "condition", model=LDA, **OPTIONS)
    assert result.n.values.tolist() == [12, 12, 0, 0]
    assert result.score[0].isnull().values.tolist() == [False, False, True, True]
    never = ds.assign(features=ds.features.where(ds.feature != "AU06"))
    with pytest.raises(InputError, match="found no video with a value of every feature in any window"):
        decode_over_time(never, "condition", model=LDA, **OPTIONS)
    constant = ds.assign(features=xr.zeros_like(ds.features) + 1)
    with pytest.raises(InputError, match="found no window that can be decoded: found a model that cannot be fitted"):
        decode_over_time(constant, "condition", model=LDA, **OPTIONS)
    out = ds.assign(features=ds.features.where(ds.video != "03.mp4"))
    missing = decode_over_time(out, "condition", model=LDA, **OPTIONS)
    assert missing.attrs["excluded"] == ["03.mp4: no window with values in the share 0.5 of its seconds"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": -1.0}, "found window=-1"),
        ({"window": 7.0}, r"found window=7; expected at most 2 s"),
        ({"y": "conditon"}, "did you mean 'condition'"),
        ({"y": "AU12", "X": "AU06"}, "unknown coordinate of videos 'AU12'"),
        ({"X": "AU60"}, "did you mean 'AU06'"),
        ({"correction": "cluster"}, "found correction='cluster' without permutations"),
        ({"correction": "max_t", "permutations": 9}, "unknown correction 'max_t'"),
        ({"cluster_threshold": 2.0, "permutations": 9}, "without correction='cluster'"),
        ({"unit": "frame", "groups": "video"}, "found unit='frame'; expected units"),
        ({"cv": 1}, "found cv=1"),
        ({"cv": 9}, "found no window that can be decoded: found fewer videos of a class than the 9 folds"),
        ({"model": LinearDiscriminantAnalysis}, "found the class LinearDiscriminantAnalysis"),
    ],
)
def test_decode_over_time__errors(courses, options, message):
    arguments = {"y": "condition", "model": LDA, **OPTIONS, **options}
    with pytest.raises(InputError, match=message):
        decode_over_time(courses([20] * 12), **arguments)


def test_decode_over_time__several_faces_are_refused(courses):
    with pytest.raises(InputError, match="found 2 faces; expected one"):
        decode_over_time(courses([20] * 12, n_faces=2), "condition", model=LDA, **OPTIONS)


def test_decode_over_time__becomes_a_table(courses):
    result = decode_over_time(courses([20] * 12), "condition", model=LDA, **OPTIONS)
    table = result.fex.to_dataframe()
    assert len(table) == 4
    assert {"feature_set", "time", "score", "chance", "n", "coverage"} <= set(table)


@pytest.mark.parametrize("correction", ["max_score", "cluster"])
def test_decode_over_time__p_is_exact_whatever_the_classes_are(courses, correction):
    # one video ends early; every arrangement of the classes is the observed one once
    ds = courses([10, 30, 30, 30, 30, 30])
    arrangements = list(itertools.combinations(range(6), 3))
    p = []
    for good in arrangements:
        classes = np.where(np.isin(np.arange(6), good), "good", "bad")
        found = decode_over_time(
            ds.assign_coords(condition=("video", classes)),
            "condition",
            "AU12",
            window=1.0,
            step=1.0,
            model=LinearDiscriminantAnalysis(),
            cv=2,
            permutations=len(arrangements),
            correction=correction,
        )
        assert found.attrs["permutations_exact"]
        p.append(found.p_adjusted.min().item())
    for level in np.arange(1, 21) / 20:
        assert np.mean(np.array(p) <= level + 1e-9) <= level + 1e-9
    assert min(p) <= 0.15
