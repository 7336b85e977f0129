"""Models fitted in folds, and what they predict for the units that were held out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.stats.decoding.folds import Split
from facearray.stats.decoding.request import Request, Scoring
from facearray.stats.kernels.ols import Array

__all__ = ["FoldFit", "FoldFits", "Outputs", "chance_level", "fit_model", "group_scores", "outputs", "scorer_of"]

Scorer = Callable[[Any, Array, NDArray[Any]], float]


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a model says of units: classes or numbers (n,), and where it has them decision values and probabilities.

    The latter are (n,) decision values for the second of two classes, and (n, n_class) otherwise.
    """

    predicted: NDArray[Any]
    decision: Array | None
    probability: Array | None


@dataclass(frozen=True, slots=True)
class FoldFit:
    """The model of one fold, its score, and its outputs for the test set."""

    model: Any
    score: float
    outputs: Outputs
    by_group: Mapping[int, float]


def scorer_of(model: Any, scoring: Scoring) -> Scorer:
    """Make the scorer; without a name, accuracy or R².

    Raises
    ------
    InputError
        If it does not fit the model.
    """
    from sklearn.metrics import check_scoring

    try:
        scorer: Scorer = check_scoring(model, scoring=scoring)
    except ValueError as error:
        raise InputError(f"found scoring={scoring!r}, which cannot be used: {error}") from error
    return scorer


def fit_model(model: Any, X: Array, y: NDArray[Any], what: str) -> Any:
    """Fit a copy of a model.

    Raises
    ------
    InputError
        If it cannot be fitted, saying to what.
    """
    from sklearn.base import clone

    try:
        return clone(model).fit(X, y)
    except (ValueError, IndexError) as error:  # the latter of scikit-learn's discriminant, for constant features
        raise InputError(f"found a model that cannot be fitted to {what}: {error}") from error


@dataclass(frozen=True, slots=True)
class FoldFits:
    """All that is needed to fit a model to the training set of any feature set and fold."""

    model: Any
    X: Mapping[str, Array]
    y: NDArray[Any]
    splits: Sequence[Split]
    scorer: Scorer
    classes: NDArray[Any] | None
    groups: NDArray[np.intp] | None

    def __call__(self, name: str, fold: int) -> FoldFit:
        """Fit a copy of the model, and let it predict the test set."""
        train, test = self.splits[fold]
        X, y, what = self.X[name], self.y, f"feature set {name!r}, fold {fold}"
        fitted = fit_model(self.model, X[train], y[train], what)
        try:
            score = float(self.scorer(fitted, X[test], y[test]))
        except ValueError as error:
            raise InputError(f"found a model that cannot be scored on {what}: {error}") from error
        by_group = {}
        if self.groups is not None:
            by_group = group_scores(fitted, X[test], y[test], self.groups[test], self.scorer)
        return FoldFit(fitted, score, outputs(fitted, X[test], self.classes), by_group)


def group_scores(fitted: Any, X: Array, y: NDArray[Any], groups: NDArray[np.intp], scorer: Scorer) -> dict[int, float]:
    """Score of the units of each group; NaN where a score of so few units is undefined."""
    import warnings

    from sklearn.base import is_regressor
    from sklearn.exceptions import UndefinedMetricWarning

    scores = {}
    for group in np.unique(groups).tolist():
        here = groups == group
        if is_regressor(fitted) and here.sum() < 2:
            scores[group] = np.nan
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)  # the score is NaN then, which says it
            try:
                scores[group] = float(scorer(fitted, X[here], y[here]))
            except ValueError:  # of one class only
                scores[group] = np.nan
    return scores


def outputs(fitted: Any, X: Array, classes: NDArray[Any] | None) -> Outputs:
    """Take predictions, and decision values and probabilities of all classes, also those that training lacked."""
    predicted = fitted.predict(X)
    if classes is None:
        return Outputs(np.asarray(predicted, dtype=np.float64), None, None)
    known = np.searchsorted(classes, fitted.classes_)
    decision, probability = None, None
    if hasattr(fitted, "decision_function"):
        values = np.asarray(fitted.decision_function(X), dtype=np.float64)
        if values.ndim == 1 and len(classes) == 2:
            decision = values
        elif values.ndim == 2 and values.shape[1] == len(known):
            decision = _of_all(values, known, len(classes))
    if hasattr(fitted, "predict_proba"):
        probability = np.nan_to_num(_of_all(fitted.predict_proba(X), known, len(classes)))
    return Outputs(np.asarray(predicted), decision, probability)


def _of_all(values: NDArray[Any], known: NDArray[np.intp], n_classes: int) -> Array:
    """Put columns of some classes among those of all; NaN for the others."""
    wide = np.full((len(values), n_classes), np.nan)
    wide[:, known] = values
    return wide


def chance_level(X: Array, y: NDArray[Any], request: Request) -> float:
    """Score of a guess that ignores the features: always the most frequent class, or always the mean."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    guess = DummyClassifier(strategy="prior") if request.task == "classification" else DummyRegressor()
    scorer = scorer_of(guess, request.scoring)
    return float(scorer(guess.fit(np.zeros_like(X), y), np.zeros_like(X), y))
