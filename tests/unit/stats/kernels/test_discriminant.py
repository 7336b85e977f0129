"""Stacked linear discriminants against scikit-learn, fit by fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from facearray.stats.kernels.discriminant import Discriminant

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in divide")


def labellings(rng, n, n_classes, n_folds, m):
    """Random classes and folds, which may lack a class."""
    codes = np.array([rng.permutation(np.arange(n) % n_classes) for _ in range(m)])
    folds = np.array([rng.permutation(np.arange(n) % n_folds) for _ in range(m)])
    return codes, folds[:, None] == np.arange(n_folds)[:, None]


def assert_as_scikit_learn(X, codes, test, n_classes, model=None, least_sure=1.0):
    predicted, sure = Discriminant(X).predict(codes, test, n_classes)
    for i, fold in np.argwhere(sure):
        train = ~test[i, fold]
        fitted = (model or LinearDiscriminantAnalysis()).fit(X[train], codes[i, train])
        np.testing.assert_array_equal(predicted[i, fold, ~train], fitted.predict(X[~train]))
    assert sure.mean() >= least_sure


@pytest.mark.parametrize(
    ("n", "p", "n_classes", "n_folds"),
    [
        (20, 1, 2, 10),
        (20, 7, 2, 10),
        (20, 16, 2, 10),  # as many features as dimensions within classes
        (20, 17, 2, 10),
        (20, 26, 2, 10),
        (30, 40, 3, 5),
        (60, 5, 3, 10),
        (60, 2, 4, 5),
        (21, 20, 2, 21),
        (100, 20, 2, 10),
    ],
)
def test_discriminant__any_shape(n, p, n_classes, n_folds):
    rng = np.random.default_rng(n * p)
    codes, test = labellings(rng, n, n_classes, n_folds, 4)
    assert_as_scikit_learn(rng.normal(size=(n, p)), codes, test, n_classes, least_sure=0.97)


def collinear(rng, n):
    X = rng.normal(size=(n, 5))
    return np.column_stack([X, X[:, :2] @ [1.0, -2.0], X[:, 0]])


def on_a_simplex(rng, n):
    return rng.dirichlet(np.ones(7), size=n).astype("f4").astype("f8")


def nearly_on_a_simplex(rng, n):
    return on_a_simplex(rng, n).round(3)


def with_zeros(rng, n):
    X = rng.normal(size=(n, 6))
    X[:, 2] = 0
    X[1:, 4] = 0  # constant in all training sets but those that have the first unit
    return X


def counts(rng, n):
    return rng.integers(0, 3, size=(n, 4)).astype(float)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("make", [collinear, on_a_simplex, nearly_on_a_simplex, with_zeros, counts])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_discriminant__without_full_rank(make, n_classes, scaled):
    rng = np.random.default_rng(1)
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()) if scaled else None
    for n in (18, 60):
        codes, test = labellings(rng, n, n_classes, 6, 4)
        assert_as_scikit_learn(make(rng, n), codes, test, n_classes, model, least_sure=0.8)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(6, 30),
    p=st.integers(1, 35),
    n_classes=st.integers(2, 4),
    n_folds=st.integers(2, 6),
    decimals=st.sampled_from([0, 1, 3, 12]),
    scale=st.sampled_from([1e-6, 1.0, 1e4]),
    shift=st.sampled_from([0.0, 1.0, 1e3]),
    seed=st.integers(0, 2**16),
)
def test_discriminant__where_it_is_sure_it_is_scikit_learn(n, p, n_classes, n_folds, decimals, scale, shift, seed):
    rng = np.random.default_rng(seed)
    X = (rng.normal(size=(n, p)).round(decimals) * 10.0 ** rng.integers(-2, 3, p) + shift) * scale
    codes, test = labellings(rng, n, n_classes, n_folds, 3)
    assert_as_scikit_learn(X, codes, test, n_classes, least_sure=0.0)


def test_discriminant__is_sure_of_ordinary_data():
    rng = np.random.default_rng(3)
    for p in (5, 30):
        codes, test = labellings(rng, 24, 3, 6, 50)
        _, sure = Discriminant(rng.normal(size=(24, p))).predict(codes, test, 3)
        assert sure.mean() > 0.99


def test_discriminant__ties_constants_and_fits_that_cannot_be_are_left_alone():
    test = np.array([[[True, False, False, False, False, False, True]]])
    codes = np.array([[0, 0, 0, 0, 1, 1, 1]])
    tied = np.array([[4.0], [1], [2], [3], [6], [6], [5]])
    codes[0, 3] = 1
    # the middle between the classes' means is 4 where they have the same size; with 2 and 3 units it is elsewhere
    _, sure = Discriminant(np.array([[4.0], [2], [2.5], [5.5], [6], [6.5], [5]])).predict(codes, test, 2)
    assert sure.all()
    even = np.array([[0, 0, 0, 1, 1]])
    _, sure = Discriminant(np.array([[4.0], [2], [3], [5], [6]])).predict(even, even[:, None] * 0 + np.eye(5)[0] > 0, 2)
    assert not sure.any()
    _, sure = Discriminant(np.column_stack([tied, np.full(7, 0.3)])).predict(codes, test, 2)
    assert not sure.any()
    # as many units as classes
    one_each = np.array([[0, 1, 0]])
    _, sure = Discriminant(np.array([[1.0], [2], [4]])).predict(one_each, np.array([[[False, False, True]]]), 2)
    assert not sure.any()


def test_discriminant__a_class_that_training_lacks_is_not_predicted():
    rng = np.random.default_rng(5)
    codes = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 2, 2]])
    test = (codes == 2)[:, None]
    assert_as_scikit_learn(rng.normal(size=(10, 2)), codes, test, 3)
    only = np.array([[0, 0, 0, 0, 0, 1, 1]])
    assert_as_scikit_learn(rng.normal(size=(7, 2)), only, (only == 1)[:, None], 2)


def test_discriminant__stacks_do_not_matter(monkeypatch):
    rng = np.random.default_rng(7)
    X = rng.normal(size=(15, 4))
    codes, test = labellings(rng, 15, 2, 5, 30)
    whole = Discriminant(X).predict(codes, test, 2)
    for values in (1, 2000):
        monkeypatch.setattr("facearray.stats.kernels.discriminant._MAX_VALUES", values)
        for found, wanted in zip(Discriminant(X).predict(codes, test, 2), whole, strict=True):
            np.testing.assert_array_equal(
                np.where(test, found, 0) if found.ndim == 3 else found,
                np.where(test, wanted, 0) if wanted.ndim == 3 else wanted,
            )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), p=st.integers(1, 8))
def test_discriminant__affine_maps_change_nothing(seed, p):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, p))
    A = np.linalg.qr(rng.normal(size=(p, p)))[0] * rng.uniform(0.5, 2, p)
    codes, test = labellings(rng, 30, 2, 5, 4)
    plain, sure = Discriminant(X).predict(codes, test, 2)
    mapped, sure_mapped = Discriminant(X @ A + rng.normal(size=p)).predict(codes, test, 2)
    both = (sure & sure_mapped)[..., None] & test
    np.testing.assert_array_equal(plain[both], mapped[both])
    assert both.sum() > 0.9 * test.sum()
