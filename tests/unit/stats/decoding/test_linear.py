"""Weights per unit of each feature, and activation patterns, against what they are defined by."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA, KernelPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, RobustScaler, StandardScaler
from sklearn.svm import SVC

from facearray.errors import InputError
from facearray.stats.decoding.linear import activation_pattern, weights

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)) * [1, 10, 0.01, 3, 1] + [0, 100, 5, 0, -2]
Y2, Y3 = np.arange(40) % 2, np.arange(40) % 3
NUMBERS = X @ [1, 0.1, 40, 0, 0] + RNG.normal(size=40)

LINEAR = [
    LinearDiscriminantAnalysis(),
    make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
    make_pipeline(RobustScaler(), "passthrough", PCA(3, whiten=True), LogisticRegression()),
    make_pipeline(SimpleImputer(), MinMaxScaler(), SelectKBest(k=2), SVC(kernel="linear")),
    make_pipeline(make_pipeline(StandardScaler(), PCA(4)), make_pipeline(StandardScaler(), LogisticRegression())),
    make_pipeline(StandardScaler(), GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=3)),
]


@pytest.mark.parametrize("model", LINEAR, ids=str)
def test_weights__give_the_changes_of_the_decision(model):
    model.fit(X, Y2)
    w = weights(model, X, 2)
    assert w.shape == (5, 1)
    np.testing.assert_allclose(
        model.decision_function(X) - model.decision_function(X)[0], ((X - X[0]) @ w)[:, 0], rtol=1e-8, atol=1e-8
    )


@pytest.mark.parametrize("model", [LINEAR[1], make_pipeline(StandardScaler(), LogisticRegression())], ids=str)
def test_weights__of_several_classes(model):
    model.fit(X, Y3)
    decision = model.decision_function(X)
    np.testing.assert_allclose(decision - decision[0], (X - X[0]) @ weights(model, X, 3), rtol=1e-8, atol=1e-8)


def test_weights__of_a_regression():
    model = make_pipeline(StandardScaler(), Ridge(0.5)).fit(X, NUMBERS)
    np.testing.assert_allclose(
        model.predict(X) - model.predict(X)[0], ((X - X[0]) @ weights(model, X, 0))[:, 0], rtol=1e-8, atol=1e-8
    )
    plain = LinearRegression().fit(X, NUMBERS)
    np.testing.assert_allclose(weights(plain, X, 0)[:, 0], plain.coef_, rtol=1e-10)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (KNeighborsClassifier(), "found KNeighborsClassifier, which has no weights"),
        (SVC(), "found SVC, which has no weights"),
        (
            make_pipeline(PolynomialFeatures(), LogisticRegression(max_iter=9999)),
            "found PolynomialFeatures before the model",
        ),
        (make_pipeline(KernelPCA(2), LogisticRegression()), "found KernelPCA before"),
        (make_pipeline(MinMaxScaler(clip=True), LogisticRegression()), "found MinMaxScaler before"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_weights__of_what_is_not_linear(model, message):
    with pytest.raises(InputError, match=message):
        weights(model.fit(X, Y2), X, 2)


def test_weights__of_pairs_of_classes():
    y = np.arange(40) % 4
    with pytest.raises(InputError, match="found 6 rows of weights in SVC for 4 classes"):
        weights(SVC(kernel="linear").fit(X, y), X, 4)


def test_pattern__is_covariance_times_weights_over_variance():
    w = RNG.normal(size=(5, 2))
    found = activation_pattern(X, w)
    for k in range(2):
        np.testing.assert_allclose(found[:, k], np.cov(X.T) @ w[:, k] / np.var(X @ w[:, k], ddof=1), rtol=1e-10)


def test_pattern__is_the_slope_of_each_feature_on_the_output():
    w = RNG.normal(size=(5, 1))
    output = (X @ w)[:, 0]
    wanted = [np.polyfit(output, x, 1)[0] for x in X.T]
    np.testing.assert_allclose(activation_pattern(X, w)[:, 0], wanted, rtol=1e-8)


def test_pattern__shows_no_feature_that_only_cancels_noise():
    """The example of Haufe et al. (2014): the second feature is noise that the first one has too."""
    signal, noise = np.resize([1.0, -1.0], 4000), RNG.normal(size=4000)
    both = np.column_stack([signal + noise, noise])
    w = np.array([[1.0], [-1.0]])
    np.testing.assert_allclose(both @ w, signal[:, None], atol=1e-12)
    found = activation_pattern(both, w)[:, 0]
    np.testing.assert_allclose(found, [1, 0], atol=0.06)


def test_pattern__without_variance_or_values():
    assert np.isnan(activation_pattern(X, np.zeros((5, 1)))).all()
    constant = np.column_stack([X[:, 0], np.full(40, 3.0)])
    assert np.isnan(activation_pattern(constant, np.array([[0.0], [1.0]]))).all()
    holes = X.copy()
    holes[3, 1] = np.nan
    w = RNG.normal(size=(5, 1))
    np.testing.assert_array_equal(activation_pattern(holes, w), activation_pattern(np.delete(X, 3, axis=0), w))
