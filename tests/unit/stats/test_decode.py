"""Decoding against scikit-learn run beside it, and what happens to input that cannot be decoded."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn import model_selection as ms
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from facearray.errors import InputError, SchemaError
from facearray.stats.decode import decode
from facearray.stats.decoding.permutations import Scores
from facearray.stats.describe import describe
from facearray.stats.units import unit_values

FEATURES = ("Yaw", "Pitch", "AU12", "AU06", "happiness")
SETS = {"pose": "poses", "face": ["aus", "happiness"], "all": "poses,aus,happiness"}
LDA = LinearDiscriminantAnalysis()
SCALED = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())


@pytest.fixture
def ds(recordings) -> xr.Dataset:
    rng = np.random.default_rng(5)
    n = 24
    lengths = dict(zip([f"v{i:02d}" for i in rng.permutation(n)], rng.integers(8, 20, n).tolist(), strict=True))
    ds = recordings(lengths, features=FEATURES)
    condition = rng.permutation(np.repeat(["goodNews", "badNews"], n // 2))
    ds = ds.assign_coords(
        condition=("video", condition),
        site=("video", rng.permutation(np.repeat(["Aachen", "Bonn", "Celle"], n // 3))),
        age=("video", rng.normal(40, 9, n)),
        subject=("video", np.array([f"s{i}" for i in rng.permutation(np.repeat(range(8), 3))])),
        masked=("video", condition == "badNews"),
        arm=("video", (condition == "badNews") + 1),
    )
    return ds.assign(features=ds.features + 0.1 * (ds.condition == "goodNews") * (ds.feature == "AU12"))


def table(ds: xr.Dataset, names=FEATURES, y: str = "condition"):
    units = unit_values(ds, features=list(names))
    return units.values[:, 0], np.array(units.coordinate(y).tolist()), units


# scores, predictions, models


@pytest.mark.parametrize(
    "model",
    [LDA, SCALED, make_pipeline(StandardScaler(), SVC()), LogisticRegression(), GaussianNB()],
    ids=str,
)
@pytest.mark.parametrize("y", ["condition", "site", "masked", "arm"])
def test_decode__scores_are_those_of_scikit_learn(ds, model, y):
    result = decode(ds, y, SETS, model=model, cv=4)
    assert result.scores.dims == ("feature_set", "fold")
    for name, features in result.feature_sets.items():
        X, labels, units = table(ds, features, y)
        folds = ms.StratifiedKFold(4)
        np.testing.assert_array_equal(
            result.scores.sel(feature_set=name), ms.cross_val_score(model, X, labels, cv=folds)
        )
        found = result.predictions.sel(feature_set=name)
        assert found.video.values.tolist() == units.labels.tolist()
        np.testing.assert_array_equal(found.predicted, ms.cross_val_predict(model, X, labels, cv=folds))
        np.testing.assert_array_equal(found.true, labels)
        for fold, (train, test) in enumerate(folds.split(X, labels)):
            assert np.flatnonzero(found.fold == fold).tolist() == test.tolist()
            fitted = clone(model).fit(X[train], labels[train])
            np.testing.assert_array_equal(result.models[name, fold].predict(X), fitted.predict(X))
        np.testing.assert_array_equal(result.model[name].predict(X), clone(model).fit(X, labels).predict(X))
        for method, variable in (("decision_function", "decision"), ("predict_proba", "probability")):
            assert hasattr(model, method) == (variable in found)
            if variable in found:
                wanted = ms.cross_val_predict(model, X, labels, cv=folds, method=method)
                np.testing.assert_allclose(found[variable], wanted, rtol=1e-10)


def test_decode__numbers(ds):
    model = make_pipeline(StandardScaler(), Ridge())
    result = decode(ds, "age", "poses", model=model, cv=4)
    X, age, _ = table(ds, ["Yaw", "Pitch"], "age")
    np.testing.assert_allclose(result.scores[0], ms.cross_val_score(model, X, age, cv=ms.KFold(4)), rtol=1e-12)
    np.testing.assert_allclose(result.predictions.predicted[0], ms.cross_val_predict(model, X, age, cv=ms.KFold(4)))
    assert result.chance.item() == 0
    assert result.attrs["scoring"] == "R²"
    absolute = decode(ds, "age", "poses", model=model, cv=4, scoring="neg_mean_absolute_error")
    np.testing.assert_allclose(absolute.chance, -np.abs(age - age.mean()).mean())


def test_decode__a_feature_as_target(ds):
    result = decode(ds, "happiness", "aus,poses", model=Ridge(), cv=3)
    X, _, _ = table(ds, ["AU12", "AU06", "Yaw", "Pitch"])
    y = unit_values(ds, features="happiness").values[:, 0, 0]
    np.testing.assert_allclose(result.scores[0], ms.cross_val_score(Ridge(), X, y, cv=ms.KFold(3)), rtol=1e-12)
    with pytest.raises(InputError, match=r"found 'AU12' as y and in X \(aus,poses\)"):
        decode(ds, "AU12", "aus,poses", model=Ridge())


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "roc_auc", "neg_log_loss"])
def test_decode__scoring_and_chance(ds, scoring):
    few = ds.isel(
        video=np.r_[np.flatnonzero(ds.condition == "goodNews"), np.flatnonzero(ds.condition == "badNews")[:7]]
    )
    result = decode(few, "condition", "aus", model=LDA, cv=3, scoring=scoring)
    X, y, _ = table(few, ["AU12", "AU06"])
    np.testing.assert_allclose(result.scores[0], ms.cross_val_score(LDA, X, y, cv=3, scoring=scoring), rtol=1e-12)
    share = 12 / 19
    entropy = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    chance = {"balanced_accuracy": 0.5, "roc_auc": 0.5, "neg_log_loss": -entropy}[scoring]
    np.testing.assert_allclose(result.chance, chance)
    np.testing.assert_allclose(decode(few, "condition", "aus", model=LDA, cv=3).chance, share)


def test_decode__a_scorer_of_ones_own(ds):
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    result = decode(ds, "age", "aus", model=Ridge(), cv=3, scoring=scorer)
    named = decode(ds, "age", "aus", model=Ridge(), cv=3, scoring="neg_mean_absolute_error")
    np.testing.assert_array_equal(result.scores, named.scores)
    with pytest.raises(InputError, match=r"found scoring=.*cannot be used"):
        decode(ds, "age", "aus", model=Ridge(), cv=3, scoring=mean_absolute_error)


def test_decode__folds_over_groups(ds):
    X, y, units = table(ds, ["AU12", "AU06"])
    subject = np.array(units.coords["subject"].tolist())
    result = decode(ds, "condition", "aus", model=LDA, cv=4, groups="subject")
    wanted = ms.cross_val_score(LDA, X, y, cv=ms.StratifiedGroupKFold(4), groups=subject)
    np.testing.assert_array_equal(result.scores[0], wanted)
    numbers = decode(ds, "age", "aus", model=Ridge(), cv=4, groups="subject")
    age = units.coords["age"]
    np.testing.assert_allclose(
        numbers.scores[0], ms.cross_val_score(Ridge(), X, age, cv=ms.GroupKFold(4), groups=subject), rtol=1e-12
    )
    assert result.attrs["population"] == "8 subjects: people like these, with the stimuli that they had"


def test_decode__one_group_left_out(ds):
    X, y, units = table(ds, ["AU12", "AU06"])
    subject = np.array(units.coords["subject"].tolist())
    result = decode(ds, "condition", "aus", model=LDA, cv="leave_one_group_out", groups="subject")
    wanted = ms.cross_val_score(LDA, X, y, cv=ms.LeaveOneGroupOut(), groups=subject)
    np.testing.assert_array_equal(result.scores[0], wanted)
    assert result.scores.left_out_subject.values.tolist() == [f"s{i}" for i in range(8)]
    np.testing.assert_array_equal(result.group_scores[0], wanted)
    assert result.group_scores.dims == ("feature_set", "subject")


def test_decode__group_scores_are_those_of_the_predictions(ds):
    result = decode(ds, "condition", "aus", model=LDA, cv=4, groups="subject")
    right = (result.predictions.predicted[0] == result.predictions.true).values
    subject = table(ds)[2].coords["subject"]
    for name in result.group_scores.subject.values.tolist():
        here = subject == name
        np.testing.assert_allclose(result.group_scores.sel(subject=name), right[here].mean())
    assert result.scores.mean("fold").item() != pytest.approx(0)


def test_decode__a_splitter_and_repeats(ds):
    X, y, _ = table(ds, ["AU12", "AU06"])
    shuffled = ms.RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=4)
    wanted = ms.cross_val_score(LDA, X, y, cv=shuffled)
    given = decode(ds, "condition", "aus", model=LDA, cv=shuffled)
    repeated = decode(ds, "condition", "aus", model=LDA, cv=3, repeats=2, seed=4)
    np.testing.assert_array_equal(given.scores[0], wanted)
    np.testing.assert_array_equal(repeated.scores[0], wanted)
    assert repeated.predictions.predicted.sizes == {"repeat": 2, "feature_set": 1, "video": 24}
    assert (repeated.predictions.fold.values >= 0).all()
    assert not np.array_equal(repeated.scores, decode(ds, "condition", "aus", model=LDA, cv=3, repeats=2).scores)
    partly = decode(ds, "condition", "aus", model=LDA, cv=ms.ShuffleSplit(1, random_state=0))
    assert (partly.predictions.fold == -1).sum() == 21
    assert partly.attrs["notes"] == ["21 videos are in no test set"]


def test_decode__frames_in_groups(ds):
    result = decode(ds, "condition", "aus", model=LDA, cv=4, unit="frame", groups="video", permutations=10)
    units = unit_values(ds, features="aus", unit="frame")
    y = np.array(units.coords["condition"].tolist())
    _, groups = np.unique(np.array(units.labels.tolist()), return_inverse=True)
    wanted = ms.cross_val_score(LDA, units.values[:, 0], y, cv=ms.StratifiedGroupKFold(4), groups=groups)
    np.testing.assert_array_equal(result.scores[0], wanted)
    assert result.predictions.predicted.dims == ("feature_set", "observation")
    np.testing.assert_array_equal(result.predictions.video, units.labels)
    assert result.attrs["permuted"] == "between whole groups of video"
    with pytest.raises(InputError, match="found unit='frame' without groups; the frames of a video resemble"):
        decode(ds, "condition", model=LDA, unit="frame")
    halves = ds.assign_coords(half=(("video", "frame"), np.where(ds.frame_number > 4, "late", "early")))
    with pytest.raises(InputError, match="found frames of one video in several groups of 'half'"):
        decode(halves, "condition", model=LDA, cv=2, unit="frame", groups="half")


def test_decode__another_unit(ds):
    by_subject = ds.assign_coords(kind=("video", np.where(np.isin(ds.subject, ["s0", "s1", "s2", "s3"]), "x", "y")))
    result = decode(by_subject, "kind", "aus", model=LDA, cv=2, unit="subject")
    units = unit_values(by_subject, features="aus", unit="subject")
    wanted = ms.cross_val_score(LDA, units.values[:, 0], np.array(units.coords["kind"].tolist()), cv=2)
    np.testing.assert_array_equal(result.scores[0], wanted)
    assert result.predictions.subject.values.tolist() == [f"s{i}" for i in range(8)]


# permutations


def permuted(result, n):
    """Labels of the units under the draws that a result was made with."""
    from facearray.stats.decoding.permutations import arrangements_of
    from facearray.stats.kernels.resampling import draw_chunk

    arrangements, _ = arrangements_of(result._sample, result._request)
    return draw_chunk(arrangements, result._request.seed, 0, n)


def test_decode__frames_are_permuted_with_their_videos(ds):
    result = decode(ds, "condition", "aus", model=LDA, cv=4, unit="frame", groups="subject", permutations=20)
    assert result.attrs["permuted"] == "between whole videos within subject"
    rows, sample = permuted(result, n=20), result._sample
    video = np.array(sample.rows.labels.tolist())
    assert not (rows == sample.codes).all()
    for row in rows:
        of_video = {name: set(row[video == name]) for name in np.unique(video)}
        assert all(len(values) == 1 for values in of_video.values())
        for group in np.unique(sample.groups):
            videos = np.unique(video[sample.groups == group])
            before = sorted(sample.codes[video == name][0] for name in videos)
            assert sorted(of_video[name].pop() for name in videos) == before


def test_decode__targets_of_single_frames_are_not_permuted(ds):
    options = {"model": Ridge(), "unit": "frame", "groups": "video", "cv": 4}
    with pytest.raises(InputError, match=r"'AU06', that varies within videos; expected one .* permutations=0"):
        decode(ds, "AU06", "AU12", **options, permutations=10)
    assert decode(ds, "AU06", "AU12", **options).p_value is None


def test_decode__says_what_p_cannot_be_and_in_what_groups_targets_vary(ds):
    mostly = xr.where(ds.subject.isin(["s0", "s1", "s2", "s3"]), "x", "y")
    mostly = mostly.where(np.arange(24) != np.flatnonzero(ds.subject == "s0")[0], "y")
    mixed = ds.assign_coords(kind=("video", mostly.values.astype(str)))
    result = decode(mixed, "kind", "aus", model=LDA, cv="leave_one_group_out", groups="subject", permutations=99)
    least, mixed = result.attrs["notes"]
    assert least.startswith("p cannot be below 0.33, whatever the scores are: 3 permutations, of 3 arrangements")
    assert mixed == "kind varies within 1 of 8 groups of subject, and is permuted within these only"


@pytest.mark.parametrize(
    ("model", "y", "cv"),
    [
        (LDA, "condition", 4),
        (SCALED, "condition", 12),
        (SCALED, "site", 4),
        (LDA, "site", ms.StratifiedKFold(3, shuffle=True, random_state=1)),
        (SCALED, "condition", ms.LeaveOneOut()),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
def test_permutations__every_score_is_that_of_scikit_learn(ds, model, y, cv):
    result = decode(ds, y, SETS, model=model, cv=cv, permutations=6)
    for name, features in result.feature_sets.items():
        X, labels, _ = table(ds, features, y)
        classes = np.unique(labels)
        rows = classes[permuted(result, n=6).astype(int)]
        # folds are made anew for every permutation, as permutation_test_score does
        null = np.array([ms.cross_val_score(model, X, row, cv=cv).mean() for row in rows])
        np.testing.assert_allclose(result.null.sel(feature_set=name), null, rtol=1e-12)
        observed = ms.cross_val_score(model, X, labels, cv=cv).mean()
        p = (1 + (null >= observed - 1e-9).sum()) / 7
        np.testing.assert_allclose(result.p_value.sel(feature_set=name), p, rtol=1e-12)


def test_permutations__of_any_model_are_those_of_permutation_test_score(ds, monkeypatch):
    X, y, _ = table(ds, ["AU12", "AU06"])
    shuffled = [np.random.RandomState(0)]
    rows = np.array([y[shuffled[0].permutation(len(y))] for _ in range(12)])
    codes = np.searchsorted(np.unique(y), rows).astype(float)
    monkeypatch.setattr("facearray.stats.decoding.permutations.draw_chunk", lambda *args: codes)
    for model in (LDA, SCALED, KNeighborsClassifier(3)):
        result = decode(ds, "condition", "aus", model=model, cv=4, permutations=12)
        score, null, p = ms.permutation_test_score(
            model, X, y, cv=ms.StratifiedKFold(4), n_permutations=12, random_state=0
        )
        np.testing.assert_allclose(result.null[0], null, rtol=1e-12)
        # scikit-learn misses scores that are as large as the observed one but for the order in which folds are added
        missed = np.isclose(null, score, rtol=1e-9) & (null < score)
        np.testing.assert_allclose(result.p_value[0], p + missed.sum() / 13, rtol=1e-12)


def test_permutations__of_numbers(ds):
    result = decode(ds, "age", "aus", model=Ridge(), cv=4, permutations=30, scoring="neg_mean_squared_error")
    X, _, _ = table(ds, ["AU12", "AU06"], "age")
    null = [
        ms.cross_val_score(Ridge(), X, row, cv=ms.KFold(4), scoring="neg_mean_squared_error").mean()
        for row in permuted(result, n=30)
    ]
    np.testing.assert_allclose(result.null[0], null, rtol=1e-12)
    np.testing.assert_allclose(
        result.p_value[0],
        (1 + (np.array(null) >= result.scores.mean().item()).sum()) / 31,
    )


def test_permutations__all_where_they_are_few(recordings):
    ds = recordings(dict.fromkeys("abcdefgh", 9), features=("AU12", "AU06"))
    ds = ds.assign_coords(arm=("video", np.repeat(["x", "y"], 4)))
    result = decode(ds, "arm", {"both": "aus", "one": "AU12"}, model=LDA, cv=4, permutations=100)
    units = unit_values(ds).values[:, 0]
    null = {"both": [], "one": []}
    for chosen in itertools.combinations(range(8), 4):
        y = np.where(np.isin(np.arange(8), chosen), "x", "y")
        for name, X in (("both", units), ("one", units[:, :1])):
            null[name].append(ms.cross_val_score(LDA, X, y, cv=4).mean())
    assert result.attrs["permutations_exact"] == 1
    assert result.attrs["n_permutations"] == 70
    assert result.attrs["p_min"] == 1 / 70
    largest = np.maximum(null["both"], null["one"])
    for name, scores in null.items():
        observed = result.scores.sel(feature_set=name).mean().item()
        np.testing.assert_allclose(np.sort(result.null.sel(feature_set=name)), np.sort(scores))
        np.testing.assert_allclose(
            result.p_value.sel(feature_set=name), np.mean(np.array(scores) >= observed - 1e-9), rtol=1e-12
        )
        np.testing.assert_allclose(
            result.p_adjusted.sel(feature_set=name), np.mean(largest >= observed - 1e-9), rtol=1e-12
        )
    drawn = decode(ds, "arm", "aus", model=LDA, cv=4, permutations=69)
    assert drawn.attrs["permutations_exact"] == 0
    assert drawn.attrs["n_permutations"] == 69
    assert drawn.attrs["p_min"] == 1 / 70


def test_permutations__within_groups_or_of_whole_groups(ds):
    within = decode(ds, "condition", "aus", model=LDA, cv=4, groups="subject", permutations=20)
    subject = np.array(table(ds)[2].coords["subject"].tolist())
    rows, y = permuted(within, n=20), within._sample.codes
    for name in np.unique(subject):
        here = subject == name
        np.testing.assert_array_equal(np.sort(rows[:, here], axis=1), np.tile(np.sort(y[here]), (20, 1)))
    assert within.attrs["permuted"] == "between videos within subject"
    assert not (rows == y).all()
    whole = ds.assign_coords(kind=("video", np.where(np.isin(ds.subject, ["s0", "s1", "s2", "s5"]), "x", "y")))
    result = decode(whole, "kind", "aus", model=LDA, cv=4, groups="subject", permutations=20)
    rows = permuted(result, n=20)
    for name in np.unique(subject):
        assert (np.ptp(rows[:, subject == name], axis=1) == 0).all()
    assert (rows[:, [np.flatnonzero(subject == name)[0] for name in np.unique(subject)]].sum(axis=1) == 4).all()
    assert result.attrs["permuted"] == "between whole groups of subject"
    everything = decode(whole, "kind", "aus", model=LDA, cv=4, groups="subject", permutations=70)
    assert everything.attrs["permutations_exact"] == 1
    assert everything.attrs["p_min"] == 1 / 70


def test_permutations__stacks_do_not_matter(ds, monkeypatch):
    whole = decode(ds, "condition", SETS, model=SCALED, cv=4, permutations=30)
    monkeypatch.setattr("facearray.stats.decoding.permutations._MAX_HELD_OUT", 500)
    np.testing.assert_array_equal(decode(ds, "condition", SETS, model=SCALED, cv=4, permutations=30).null, whole.null)


def test_decode__a_model_that_draws_gets_the_seed(ds):
    model = RandomForestClassifier(n_estimators=3)
    same = [decode(ds, "condition", model=model, cv=4, permutations=3, seed=5) for _ in range(2)]
    np.testing.assert_array_equal(same[0].null, same[1].null)
    np.testing.assert_array_equal(same[0].predictions.probability, same[1].predictions.probability)
    assert same[0].model["aus"].random_state == 5
    assert model.random_state is None
    own = decode(ds, "condition", model=RandomForestClassifier(n_estimators=3, random_state=7), cv=4)
    assert own.model["aus"].random_state == 7


def test_permutations__the_fast_way_is_taken_and_agrees_with_the_other(ds, monkeypatch):
    fast = decode(ds, "condition", SETS, model=SCALED, cv=4, permutations=30)
    monkeypatch.setattr(Scores, "_of_one", lambda self, y: pytest.fail("a fit of its own for each permutation"))
    again = decode(ds, "condition", SETS, model=SCALED, cv=4, permutations=30)
    np.testing.assert_array_equal(fast.null, again.null)
    monkeypatch.undo()
    monkeypatch.setattr("facearray.stats.decoding.run.discriminant_tolerance", lambda *args: None)
    slow = decode(ds, "condition", SETS, model=SCALED, cv=4, permutations=30)
    np.testing.assert_allclose(fast.null, slow.null, rtol=1e-12)


def test_permutations__each_is_a_fit_where_scikit_learn_has_another_discriminant(ds, monkeypatch):
    """Releases before 1.9.1 divide the scatter within classes by another number than what is shared."""
    fits = []
    monkeypatch.setattr(Scores, "_of_one", lambda self, y: fits.append(y) or np.full(len(self.X), 0.5))
    monkeypatch.setattr("sklearn.__version__", "1.9.0")
    decode(ds, "condition", "Pitch,Yaw", model=LDA, cv=4, permutations=20, seed=1)
    assert len(fits) == 20


@pytest.mark.parametrize(
    "model",
    [
        LinearDiscriminantAnalysis(solver="lsqr"),
        LinearDiscriminantAnalysis(priors=[0.3, 0.7]),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        LinearDiscriminantAnalysis(tol=0.3),
        make_pipeline(SimpleImputer(), LinearDiscriminantAnalysis()),
    ],
    ids=str,
)
def test_permutations__options_of_the_discriminant_are_obeyed(ds, model):
    result = decode(ds, "condition", "aus,poses", model=model, cv=4, permutations=15)
    X, y, _ = table(ds, ["AU12", "AU06", "Yaw", "Pitch"])
    rows = np.unique(y)[permuted(result, n=15).astype(int)]
    null = [ms.cross_val_score(model, X, row, cv=ms.StratifiedKFold(4)).mean() for row in rows]
    np.testing.assert_allclose(result.null[0], null, rtol=1e-12)


def test_permutations__a_class_that_training_lacks(ds):
    """Whole groups of two kinds: other arrangements leave a training set with one class."""
    group = np.array(list("abcd")).repeat(6)
    ds = ds.assign_coords(block=("video", group), kind=("video", np.where(np.isin(group, ["a", "b"]), "x", "y")))
    folds = ms.PredefinedSplit(np.isin(table(ds, y="block")[1], ["a", "c"]).astype(int))
    for model in (LDA, LogisticRegression()):
        result = decode(ds, "kind", "aus", model=model, cv=folds, groups="block", permutations=6)
        assert result.attrs["permutations_exact"] == 1
        # a and c of one kind, b and d of the other: a model knows the kind that it is not tested on
        assert (result.null == 0).sum() == 2


def test_permutations__a_client_changes_nothing(ds):
    from distributed import Client

    with Client(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as client:
        for model, m in ((SCALED, 300), (GaussianNB(), 40)):
            alone = decode(ds, "condition", SETS, model=model, cv=4, permutations=m, seed=3)
            shared = decode(ds, "condition", SETS, model=model, cv=4, permutations=m, seed=3, client=client)
            for name in ("scores", "null", "p_value", "p_adjusted"):
                xr.testing.assert_identical(getattr(alone, name), getattr(shared, name))
            xr.testing.assert_identical(alone.predictions, shared.predictions)
        few = ds.isel(video=slice(8))
        few = few.assign_coords(arm=("video", np.repeat(["x", "y"], 4)))
        options = {"model": LDA, "cv": 4, "permutations": 70}
        xr.testing.assert_identical(
            decode(few, "arm", **options).null, decode(few, "arm", client=client, **options).null
        )


def test_permutations__seeds(ds):
    first, same = (decode(ds, "condition", model=LDA, cv=4, permutations=60).null for _ in range(2))
    other = decode(ds, "condition", model=LDA, cv=4, permutations=60, seed=1).null
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    more = decode(ds, "condition", model=LDA, cv=4, permutations=300).null
    np.testing.assert_array_equal(more[:, :60], first)


# the data model


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(24)),
    chunks=st.fixed_dictionaries({"video": st.integers(1, 24), "frame": st.integers(1, 20)}) | st.none(),
    n_padding=st.integers(0, 9),
    double=st.booleans(),
)
def test_decode__order_chunks_padding_and_precision_change_nothing(ds, padded, order, chunks, n_padding, double):
    wanted = decode(ds, "condition", SETS, model=SCALED, cv=4, permutations=20)
    other = padded(ds, n_padding).isel(video=list(order))
    other = other.assign(features=other.features.astype("f8")) if double else other
    other = other if chunks is None else other.chunk(chunks)
    found = decode(other, "condition", SETS, model=SCALED, cv=4, permutations=20)
    for name in ("scores", "null", "p_value"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    np.testing.assert_array_equal(found.predictions.predicted, wanted.predictions.predicted)
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-5)


def test_decode__units_of_measurement_change_nothing(ds):
    factor = xr.DataArray([57.3, 1.0, 100.0, 0.01, 1.0], dims="feature")
    wanted = decode(ds, "condition", SETS, model=LDA, cv=4, permutations=20)
    found = decode(
        ds.assign(features=ds.features.astype("f8") * factor + 3), "condition", SETS, model=LDA, cv=4, permutations=20
    )
    np.testing.assert_array_equal(found.scores, wanted.scores)
    np.testing.assert_array_equal(found.null, wanted.null)
    np.testing.assert_allclose(found.coef * factor, wanted.coef, rtol=1e-6)
    np.testing.assert_allclose(found.pattern / factor, wanted.pattern, rtol=1e-6)


def test_decode__nothing_is_changed(ds):
    before, model = ds.copy(deep=True), SCALED
    parameters = str(model.get_params())
    decode(ds, "condition", model=model, cv=4, permutations=5)
    xr.testing.assert_identical(ds, before)
    assert str(model.get_params()) == parameters
    assert not hasattr(model[-1], "coef_")


def test_decode__one_of_several_faces(recordings):
    two = recordings({f"v{i}": 12 for i in range(8)}, n_faces=2, features=FEATURES)
    two = two.assign_coords(condition=("video", np.tile(["a", "b"], 4)))
    with pytest.raises(InputError, match=r"found 2 faces; expected one.*ds.isel\(face=0\)"):
        decode(two, "condition", model=LDA, cv=2)
    wanted = decode(two.isel(face=[1]), "condition", model=LDA, cv=2)
    for chosen in (two.isel(face=1), two.isel(face=1).chunk({"video": 3})):
        found = decode(chosen, "condition", model=LDA, cv=2)
        np.testing.assert_array_equal(found.predictions.decision, wanted.predictions.decision)
        np.testing.assert_array_equal(found.predict(chosen).decision, wanted.predict(two.isel(face=[1])).decision)


def test_decode__coefficients_and_patterns_by_name(ds):
    result = decode(ds, "condition", SETS, model=SCALED, cv=4)
    X, y, _ = table(ds, ["AU12", "AU06", "happiness"])
    fitted = clone(SCALED).fit(X, y)
    w = fitted[-1].coef_[0] / fitted[0].scale_
    face = result.coef.sel(feature_set="face")
    np.testing.assert_allclose(face.sel(feature=["AU12", "AU06", "happiness"]), w, rtol=1e-10)
    assert face.sel(feature=["Yaw", "Pitch"]).isnull().all()
    pattern = result.pattern.sel(feature_set="face", feature=["AU12", "AU06", "happiness"])
    np.testing.assert_allclose(pattern, np.cov(X.T) @ w / np.var(X @ w, ddof=1), rtol=1e-10)
    assert result.pattern.sel(feature_set="face", feature="AU12") > 0  # towards good news
    assert result.coef.attrs["description"].endswith("goodNews")
    assert result.pattern.fex.aus.feature.values.tolist() == ["AU12", "AU06"]
    three = decode(ds, "site", "aus", model=LDA, cv=4)
    assert three.coef.dims == three.pattern.dims == ("feature_set", "feature", "class")
    X, y, _ = table(ds, ["AU12", "AU06"], "site")
    np.testing.assert_allclose(three.coef[0].T, clone(LDA).fit(X, y).coef_, rtol=1e-10)
    for other in (KNeighborsClassifier(3), GaussianNB()):
        without = decode(ds, "condition", "aus", model=other, cv=4)
        for name in ("coef", "pattern"):
            with pytest.raises(InputError, match="which has no weights"):
                getattr(without, name)


# missing values


def test_decode__units_that_lack_something_are_left_out_and_listed(ds):
    features, condition = ds.features.copy(), ds.condition.values.astype(object)
    features[{"video": 3, "feature": 2}] = np.nan
    condition[7] = None
    holes = ds.assign(features=features).assign_coords(condition=("video", condition))
    result = decode(holes, "condition", SETS, model=LDA, cv=4)
    whole = decode(holes.drop_isel(video=[3, 7]), "condition", SETS, model=LDA, cv=4)
    np.testing.assert_array_equal(result.scores, whole.scores)
    labels = ds.video.values
    assert sorted(result.attrs["excluded"]) == sorted([f"{labels[3]}: no value of AU12", f"{labels[7]}: no condition"])
    assert result.attrs["n"] == 22


def test_decode__missing_values_can_be_left_to_the_model(ds):
    features = ds.features.copy()
    features[{"video": 3, "feature": 2}] = np.nan
    holes = ds.assign(features=features)
    X, y, _ = table(holes, ["AU12", "AU06"])
    for model in (make_pipeline(SimpleImputer(), LDA), HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2)):
        result = decode(holes, "condition", "aus", model=model, cv=4, missing="keep", permutations=3)
        np.testing.assert_array_equal(result.scores[0], ms.cross_val_score(model, X, y, cv=4))
        assert result.attrs["n"] == 24
    with pytest.raises(InputError, match="feature set 'aus', fold 0: Input X contains NaN"):
        decode(holes, "condition", "aus", model=LDA, cv=4, missing="keep")


def test_decode__a_feature_or_video_without_values(ds):
    features = ds.features.copy()
    features[{"feature": 2}] = np.nan
    with pytest.raises(InputError, match="found no value of AU12 in any video; leave these features out"):
        decode(ds.assign(features=features), "condition", model=LDA, cv=4)
    features = ds.features.copy()
    features[{"video": 0}] = np.nan
    result = decode(ds.assign(features=features), "condition", model=LDA, cv=4)
    assert result.attrs["excluded"][0].startswith(f"{ds.video.values[0]}: at most 0 of")
    with pytest.raises(InputError, match="found no video with enough valid frames"):
        decode(ds.assign(features=ds.features * np.nan), "condition", model=LDA, cv=4)


# other data


def test_decode__models_are_applied_to_other_detections(ds, recordings):
    other = recordings({f"w{i}": 11 for i in range(6)}, features=FEATURES[::-1], seed=9)
    other = other.assign_coords(
        condition=("video", np.tile(["goodNews", "badNews"], 3)), valence=("video", np.tile(["badNews", "goodNews"], 3))
    )
    result = decode(ds, "condition", SETS, model=SCALED, cv=4)
    predicted, scores = result.predict(other), result.score(other)
    for name, features in result.feature_sets.items():
        X, y, _ = table(ds, features)
        fitted = clone(SCALED).fit(X, y)
        Z, truth, _ = table(other, features)
        np.testing.assert_array_equal(predicted.predicted.sel(feature_set=name), fitted.predict(Z))
        np.testing.assert_allclose(predicted.decision.sel(feature_set=name), fitted.decision_function(Z))
        np.testing.assert_allclose(scores.sel(feature_set=name), fitted.score(Z, truth))
    np.testing.assert_allclose(result.score(other, y="valence"), 1 - scores)
    assert predicted.video.values.tolist() == [f"w{i}" for i in range(6)]
    assert scores.attrs["n"] == 6
    good = other.isel(video=slice(0, 6, 2))
    right = (result.predict(good).predicted == "goodNews").mean("video")
    np.testing.assert_allclose(result.score(good), right)
    with pytest.raises(InputError, match="unknown class of 'condition' 'neutral'"):
        result.score(other.assign_coords(condition=("video", np.tile(["goodNews", "neutral"], 3))))
    with pytest.raises(InputError, match="unknown feature or group 'AU06'"):
        result.predict(other.isel(feature=[0, 2, 3, 4]))
    unit = other.unit.where(other.feature != "Yaw", "rad")
    with pytest.raises(InputError, match="found features in other units of measurement: Yaw in 'rad', not 'degree'"):
        result.predict(other.assign_coords(unit=unit))


def test_decode__numbers_in_other_detections(ds):
    result = decode(ds, "age", "aus", model=Ridge(), cv=4)
    X, age, _ = table(ds, ["AU12", "AU06"], "age")
    np.testing.assert_allclose(result.score(ds), Ridge().fit(X, age).score(X, age))


# what it says


def test_decode__in_words(ds):
    result = decode(ds, "condition", {"pose": "poses", "face": "aus,happiness"}, model=SCALED, cv=4, permutations=99)
    text = describe(result)
    assert repr(result) == text
    first = text.splitlines()[0]
    assert first == (
        "condition (badNews: 12, goodNews: 12) predicted by StandardScaler + LinearDiscriminantAnalysis (n = 24 "
        "videos; cross-validation: 4 stratified folds, not shuffled; score: accuracy)."
    )
    row = result.to_dataframe().set_index("feature_set").loc["face"]
    assert f"face (3 features): mean score = {row.score:.3f}, chance = 0.500, p" in text
    assert "99 random permutations of condition between videos" in text
    assert "Seed: 0." in text
    page = result._repr_html_()
    assert "<table" in page
    assert "face" in page
    assert result.attrs["p_min"] == 0.01
    plain = decode(ds, "age", "poses", model=Ridge(), cv=4)
    assert "ermut" not in describe(plain)
    assert plain.null is None
    assert plain.p_value is None


def test_decode__tables(ds):
    result = decode(ds, "condition", SETS, model=SCALED, cv=4, permutations=9)
    sets = result.to_dataframe()
    assert sets.columns.tolist() == ["feature_set", "n_features", "n", "score", "chance", "p_value", "p_adjusted"]
    np.testing.assert_allclose(sets.score, result.scores.mean("fold"))
    folds = result.to_dataframe("folds")
    assert isinstance(folds, pd.DataFrame)
    assert len(folds) == 12
    assert set(folds) == {"feature_set", "fold", "score", "n_test"}
    predictions = result.to_dataframe("predictions")
    assert len(predictions) == 3 * 24
    assert {"feature_set", "video", "predicted", "true", "fold", "decision"} <= set(predictions)
    with pytest.raises(InputError, match=r"unknown table 'fold' .did you mean 'folds'"):
        result.to_dataframe("fold")


def test_decode__more_features_than_units_and_constants_are_noted(ds):
    features = ds.features.copy()
    features[{"feature": 1}] = features[{"feature": 1}] * 0
    few = ds.assign(features=features).isel(
        video=np.r_[np.flatnonzero(ds.condition == "goodNews")[:3], np.flatnonzero(ds.condition == "badNews")[:3]]
    )
    result = decode(few, "condition", SETS, model=SCALED, cv=3)
    assert result.attrs["notes"][0] == "as many features as units in a training set (4) or more: all (5)"
    assert result.attrs["notes"][1] == "the same value in all units, in pose: Pitch"


# what cannot be decoded


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": LinearDiscriminantAnalysis}, r"found the class LinearDiscriminantAnalysis.*model=LinearDiscr.*\(\)"),
        ({"model": "lda"}, "found a str as model; expected a scikit-learn estimator"),
        ({"model": KMeans()}, "found KMeans as model, which predicts neither"),
        ({"y": "conditions"}, r"unknown coordinate of videos 'conditions' .did you mean 'condition'"),
        ({"X": "au"}, "unknown feature or group 'au'"),
        ({"X": {}}, "found X={}"),
        ({"groups": "subjects"}, "unknown coordinate of videos 'subjects' .did you mean 'subject'"),
        ({"groups": "subject", "cv": 9}, "found 8 groups of 'subject' for 9 folds.*cv=8 or fewer"),
        ({"cv": 13}, r"found fewer videos of a class than the 13 folds: 'badNews' \(12\), 'goodNews' \(12\).*cv=12"),
        ({"cv": 25}, "found 24 videos for 25 folds"),
        ({"cv": 1}, "found cv=1; expected at least 2"),
        ({"cv": "loso"}, "found cv='loso'; expected a number of folds"),
        ({"cv": ms.KFold}, "found cv=<class"),
        ({"cv": "leave_one_group_out"}, "without groups; name the coordinate"),
        ({"cv": ms.KFold(4, shuffle=True)}, "expected folds that can be made again"),
        ({"cv": ms.KFold(4), "groups": "subject"}, "found groups of 'subject' in both training and test set of fold 0"),
        ({"cv": ms.LeaveOneGroupOut()}, "found folds that cannot be made"),
        ({"scoring": "acuracy"}, "unknown scoring 'acuracy' .did you mean 'accuracy'"),
        ({"scoring": 3}, "found scoring=3"),
        ({"permutations": -1}, "found permutations=-1"),
        ({"repeats": 0}, "found repeats=0"),
        ({"repeats": 2, "groups": "subject"}, "found repeats=2 with groups or a splitter"),
        ({"missing": "drop"}, "found missing='drop'"),
        ({"y": "age"}, r"as values of 'age'; expected texts, truth values or whole numbers for a classifier"),
        ({"model": Ridge()}, "found badNews, goodNews as values of 'condition'; expected numbers for a regressor"),
        ({"y": "fps", "model": Ridge()}, "found one value of 'fps', 25.0, in 24 videos; expected at least two"),
        (
            {"y": "age", "model": Ridge(), "cv": 24},
            "found one video in the test set of fold 0, for which R² is undefined",
        ),
        ({"unit": "person"}, "unknown coordinate on video 'person'"),
        ({"min_valid": 2}, "found min_valid=2"),
    ],
)
def test_decode__options_that_do_not_fit(ds, options, message):
    arguments = {"y": "condition", "X": "aus", "model": LDA, "cv": 4} | options
    with pytest.raises(InputError, match=message):
        decode(ds, **arguments)


def test_decode__too_little_data(ds):
    with pytest.raises(InputError, match="found one class of 'condition', 'goodNews', in 12 videos"):
        decode(ds.isel(video=(ds.condition == "goodNews").values), "condition", model=LDA)
    with pytest.raises(InputError, match="found one class"):
        decode(ds.isel(video=[0]), "condition", model=LDA)
    apart = ds.assign_coords(pair=("video", np.where(ds.condition == "goodNews", "x", "y")))
    with pytest.raises(InputError, match="found a single class of 'condition' in the training set of fold 0"):
        decode(apart, "condition", model=LDA, cv="leave_one_group_out", groups="pair")
    with pytest.raises(SchemaError):
        decode(ds.drop_vars("frame_number"), "condition", model=LDA)
    constant = ds.assign(features=ds.features * 0)
    with pytest.raises(InputError, match="cannot be fitted to feature set 'aus', fold 0"):
        decode(constant, "condition", model=LDA, cv=4)
