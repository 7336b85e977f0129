"""Scores of the same models when the targets are dealt out to the units anew."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.stats.decoding.fit import Scorer, fit_model
from facearray.stats.decoding.folds import Folds, Split
from facearray.stats.decoding.request import Request
from facearray.stats.decoding.sample import Sample
from facearray.stats.kernels.discriminant import Discriminant
from facearray.stats.kernels.ols import Array
from facearray.stats.kernels.resampling import (
    MAX_ARRANGEMENTS,
    Arrangements,
    Labels,
    chunks_of_draws,
    draw_chunk,
)
from facearray.stats.units import levels

__all__ = ["Null", "Scores", "WholeLabels", "arrangements_of", "discriminant_tolerance", "null_scores", "p_values"]

#: Scores (d, n_set) for d rows of targets, of classes their codes.
ScoresOf = Callable[[Array], Array]

#: Permutations that are one task of a Dask client.
_PART = 32

#: Units times folds times permutations that are predicted at once.
_MAX_HELD_OUT = 4 * 2**20

#: A score that is smaller than the observed one by no more than this share is as large: rounding differs.
_TIE = 1e-9


#: The release of scikit-learn since which discriminants weigh the scatter within classes as the shared ones do.
_SHARED_SINCE = (1, 9, 1)


@dataclass(frozen=True)
class WholeLabels:
    """Targets (n,) that are the same within each whole, such as a group or a video, dealt out to wholes anew.

    Attributes
    ----------
    y
        The targets.
    wholes
        Whole (n,) of each unit.
    blocks
        Block (n,) of each unit, if wholes are exchanged within blocks only; the same within each whole.
    """

    y: Array
    wholes: NDArray[np.intp]
    blocks: NDArray[np.intp] | None = None

    @property
    def _of_wholes(self) -> Labels:
        _, first = np.unique(self.wholes, return_index=True)
        return Labels(self.y[first], None if self.blocks is None else self.blocks[first])

    def count(self) -> int:
        """Count them."""
        return self._of_wholes.count()

    def all(self) -> Iterator[Array]:
        """Give all of them."""
        for chunk in self._of_wholes.all():
            yield chunk[:, self.wholes]

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Draw some of them."""
        dealt: Array = self._of_wholes.draw(rng, size)[:, self.wholes]
        return dealt


@dataclass(frozen=True, slots=True)
class Null:
    """Scores (m, n_set) of arrangements, whether these are all there are, and how they were made."""

    scores: Array
    exact: bool
    n_possible: int
    scheme: str

    @property
    def p_min(self) -> float:
        """The smallest p value that could have been found."""
        drawn = len(self.scores) + (not self.exact)
        return max(1 / drawn, 1 / self.n_possible)


def arrangements_of(sample: Sample, request: Request) -> tuple[Arrangements, str]:
    """Find the arrangements of the targets that are as likely as the observed one, and say which they are.

    Raises
    ------
    InputError
        If units are frames and the target varies within a video.
    """
    y: Array = (sample.y if sample.codes is None else sample.codes).astype(np.float64)
    if request.unit == "frame":
        return _arrangements_of_frames(y, sample, request)
    if sample.groups is None:
        return Labels(y), f"between {request.unit}s"
    if _same_within(y, sample.groups):
        return WholeLabels(y, sample.groups), f"between whole groups of {request.groups}"
    return Labels(y, sample.groups), f"between {request.unit}s within {request.groups}"


def _arrangements_of_frames(y: Array, sample: Sample, request: Request) -> tuple[Arrangements, str]:
    """Frames resemble those beside them, so that the videos change their targets, as wholes."""
    _, video = levels(sample.rows.labels)
    if not _same_within(y, video) or sample.groups is None:
        raise InputError(
            f"found permutations with unit='frame' and a target, {request.y!r}, that varies within videos; expected "
            "one that is the same in all frames of a video: frames resemble those beside them, so that no other order "
            "of them is as likely: use unit='video', or permutations=0"
        )
    if _same_within(y, sample.groups):
        return WholeLabels(y, sample.groups), f"between whole groups of {request.groups}"
    return WholeLabels(y, video, sample.groups), f"between whole videos within {request.groups}"


def _same_within(y: Array, wholes: NDArray[np.intp]) -> bool:
    """Whether targets (n,) are the same within each whole (n,)."""
    _, first, place = np.unique(wholes, return_index=True, return_inverse=True)
    return bool((y[first][place] == y).all())


def discriminant_tolerance(model: Any, request: Request) -> float | None:
    """Tolerance of a linear discriminant analysis whose fits can be shared; None for any other model, release or score.

    Scaling each feature by a positive number changes none of its predictions: a StandardScaler may stand before.
    """
    import sklearn
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    release = tuple(int(part) for part in re.findall(r"\d+", sklearn.__version__)[:3])
    if request.scoring not in (None, "accuracy") or release < _SHARED_SINCE:
        return None
    if type(model) is Pipeline:
        *before, (_, model) = model.steps
        if any(step not in (None, "passthrough") and type(step) is not StandardScaler for _, step in before):
            return None
    if type(model) is not LinearDiscriminantAnalysis:
        return None
    options = model.get_params()
    plain = all(options[name] is None for name in ("shrinkage", "priors", "n_components", "covariance_estimator"))
    return float(options["tol"]) if plain and options["solver"] == "svd" and options["tol"] > 0 else None


@dataclass(frozen=True)
class Scores:
    """Scores of models under other targets: all that a worker needs to compute them.

    A score is NaN where a model cannot be fitted to other targets, or where it is undefined.
    """

    X: dict[str, Array]
    classes: NDArray[Any] | None
    model: Any
    folds: Folds
    scorer: Scorer
    tolerance: float | None

    def __call__(self, arrangements: Array) -> Array:
        """Mean scores over folds (d, n_set) for d rows of targets, of classes their codes."""
        if self.classes is None:
            return np.array([self._of_one(y) for y in arrangements])
        codes = arrangements.astype(np.intp)
        one = None if self.tolerance is None else self.folds.held_out(codes[:1])
        step = len(codes) if one is None else max(1, _MAX_HELD_OUT // one.size)
        return np.concatenate([self._of_codes(codes[i : i + step], self.classes) for i in range(0, len(codes), step)])

    def _of_codes(self, codes: NDArray[np.intp], classes: NDArray[Any]) -> Array:
        try:
            held_out = None if self.tolerance is None else self.folds.held_out(codes)
        except InputError:  # for some of them there are no folds
            held_out = None
        if held_out is None:
            return np.array([self._of_one(classes[row]) for row in codes])
        return np.stack([self._of_discriminant(X, codes, held_out) for X in self.X.values()], axis=1)

    def _of_one(self, y: NDArray[Any]) -> list[float]:
        try:
            splits = self.folds.split(y)
        except InputError:  # of units that miss in a window, so that other targets are left
            return [np.nan] * len(self.X)
        return [float(np.mean([self._score(X, y, split) for split in splits])) for X in self.X.values()]

    def _score(self, X: Array, y: NDArray[Any], split: Split) -> float:
        train, test = split
        fitted = self.fitted(X, y, train)
        if fitted is None:
            return np.nan
        try:
            return self.scorer(fitted, X[test], y[test])
        except ValueError:
            if self.classes is None or len(fitted.classes_) > 1:
                raise
            return np.nan  # for a model that knows one class

    def fitted(self, X: Array, y: NDArray[Any], train: NDArray[np.intp]) -> Any:
        """Fit a copy of the model to a training set; None where that cannot be done."""
        model = self.model
        if self.classes is not None and len(np.unique(y[train])) < 2:
            # Other targets can leave a training set with one class, for which most classifiers refuse to be fitted.
            from sklearn.dummy import DummyClassifier

            model = DummyClassifier(strategy="prior")
        try:
            return fit_model(model, X[train], y[train], "permuted targets")
        except InputError:
            return None

    def _of_discriminant(self, X: Array, codes: NDArray[np.intp], held_out: NDArray[np.bool_]) -> Array:
        """Accuracies by fits that share their work; those that rounding could decide are left to scikit-learn."""
        n_classes = 0 if self.classes is None else len(self.classes)
        predicted, sure = Discriminant(X, self.tolerance or 0).predict(codes, held_out, n_classes)
        for i, fold in np.argwhere(~sure):
            test = held_out[i, fold]
            with np.errstate(invalid="ignore"):  # a share of the variance between equal means, which predicts nothing
                fitted = self.fitted(X, codes[i], np.flatnonzero(~test))
            if fitted is not None:
                predicted[i, fold, test] = fitted.predict(X[test])
                sure[i, fold] = True
        right = ((predicted == codes[:, None]) & held_out).sum(axis=2) / held_out.sum(axis=2)
        accuracies: Array = np.where(sure, right, np.nan).mean(axis=1)
        return accuracies


def null_scores(scores: ScoresOf, arrangements: Arrangements, scheme: str, request: Request, client: Any) -> Null:
    """Scores of all arrangements where no more are asked for than there are, else of draws."""
    possible = arrangements.count()
    exact = possible <= min(request.permutations, MAX_ARRANGEMENTS)
    draws = Draws(scores, arrangements, request.seed, request.permutations)
    if client is None:
        chunks = chunks_of_draws(request.permutations)
        found = [scores(part) for part in arrangements.all()] if exact else [draws(chunk) for chunk in chunks]
    else:
        found = _spread(draws, exact, client)
    return Null(np.concatenate(found), exact, possible, scheme)


@dataclass(frozen=True)
class Draws:
    """Scores of draws, chunk by chunk, or of a part of a chunk."""

    scores: ScoresOf
    arrangements: Arrangements
    seed: int
    n: int

    def __call__(self, chunk: int, part: slice = slice(None)) -> Array:
        """Draw a chunk and compute the scores of a part of it."""
        return self.scores(draw_chunk(self.arrangements, self.seed, chunk, self.n)[part])


def _spread(draws: Draws, exact: bool, client: Any) -> list[Array]:
    shared = client.scatter(draws, broadcast=True)
    if exact:
        parts = [part[i : i + _PART] for part in draws.arrangements.all() for i in range(0, len(part), _PART)]
        futures = [client.submit(_of_all, shared, part, pure=False) for part in parts]
    else:
        size = len(draw_chunk(draws.arrangements, draws.seed, 0, draws.n))
        slices = [slice(i, i + _PART) for i in range(0, size, _PART)]
        tasks = [
            (chunk, part)
            for chunk in chunks_of_draws(draws.n)
            for part in slices
            if chunk * size + part.start < draws.n
        ]
        futures = [client.submit(_of_draws, shared, *task, pure=False) for task in tasks]
    return list(client.gather(futures))


def _of_all(draws: Draws, part: Array) -> Array:
    return draws.scores(part)


def _of_draws(draws: Draws, chunk: int, part: slice) -> Array:
    return draws(chunk, part)


def p_values(null: Null, observed: Array, size: Array | None = None) -> tuple[Array, Array]:
    """Find p of each set, and of the family of all sets by the largest score.

    Scores at least as large as the observed one count, undefined ones too. p is their share where ``null`` has all
    arrangements, the observed one among them; else (1 + b) / (1 + m). Rounding is a small share of `size`, which is the
    observed score itself where nothing else is said.
    """
    least = observed - _TIE * np.abs(observed if size is None else size)
    scores = np.where(np.isnan(null.scores), np.inf, null.scores)
    largest = np.where(np.isnan(observed), -np.inf, scores).max(axis=1, initial=-np.inf)
    counts = (scores >= least).sum(axis=0), (largest[:, None] >= least).sum(axis=0)
    more = int(not null.exact)
    p, p_max = (np.where(np.isnan(observed), np.nan, (b + more) / (len(scores) + more)) for b in counts)
    return p, p_max
