"""Decoding window by window: the same units and permutations in all of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.stats.decoding.fit import chance_level, fit_model, scorer_of
from facearray.stats.decoding.folds import Folds, make_folds
from facearray.stats.decoding.permutations import (
    Null,
    Scores,
    arrangements_of,
    discriminant_tolerance,
    null_scores,
    p_values,
)
from facearray.stats.decoding.request import Request
from facearray.stats.decoding.sample import Sample, check_targets, rows_of_units, sample_of_rows
from facearray.stats.kernels.ols import Array
from facearray.stats.kernels.resampling import Arrangements
from facearray.stats.time_resolved.rules import ClusterRule
from facearray.stats.time_resolved.windows import TimeValues

__all__ = ["Decoded", "Window", "decode_windows"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """The units (n_here,) that have all features in one window, in folds, and the scores (n_set,) of each feature set.

    Or the reason why there are none.
    """

    sample: Sample
    units: NDArray[np.intp]
    folds: Folds | None
    reason: str = ""
    scores: Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Scores (n_set, n_window[, n_window]) and their null distributions.

    Attributes
    ----------
    score, chance
        Means over folds, and what a guess that ignores the features reaches; NaN where nothing could be decoded.
    n
        Units: those of the window, or those that both windows have.
    null
        Scores above chance (m, n_set * n_window[* n_window]) with the targets dealt out anew.
    windows, sample
        What was decoded in each window, and all units.
    """

    score: Array
    chance: Array
    n: NDArray[np.intp]
    null: Null | None
    windows: list[Window]
    sample: Sample


def decode_windows(values: TimeValues, request: Request, *, generalize: bool, client: Any) -> Decoded:
    """Decode the targets from the values of every window.

    Raises
    ------
    InputError
        If targets do not fit the model, or no window can be decoded.
    """
    sample, present = _all_units(values, request)
    check_targets(sample, request)
    permuted = arrangements_of(sample, request) if request.permutations else None
    windows = [_window(sample, present[:, w], w, request) for w in range(values.axis.n)]
    windows = [_scored(window, request) for window in windows]
    usable = np.array([window.folds is not None for window in windows])
    if not usable.any():
        reasons = sorted({window.reason for window in windows})
        raise InputError(f"found no window that can be decoded: {'; '.join(reasons[:3])}")
    chance = _Chance(sample, request)
    ways: list[_Transfer] = [
        _Transfer(sample, request, windows, present, w, chance, across=generalize)
        for w in np.flatnonzero(usable).tolist()
    ]
    targets = (sample.y if sample.codes is None else sample.codes).astype(np.float64)
    shape = (len(request.sets), len(windows), *([len(windows)] if generalize else []))
    score, level = np.full(shape, np.nan), np.full(shape, np.nan)
    for way in ways:
        found = windows[way.window].scores
        if generalize or found is None:
            found = way.scores(targets[None])[0].reshape(score[:, way.window].shape)
        score[:, way.window] = found
        level[:, way.window] = way.chances(targets[None])[0].reshape(score[:, way.window].shape)
    level[np.isnan(score)] = np.nan
    n = present.sum(axis=0) if not generalize else present.T.astype(np.intp) @ present
    null = None
    if permuted is not None:
        null = _null(ways, *permuted, request, shape, client)
    return Decoded(score, level, n, null, windows, sample)


def _all_units(values: TimeValues, request: Request) -> tuple[Sample, Mask]:
    """Units that can be decoded in any window, each set with its values in all windows; and where they can be."""
    flat = values.flat()
    names = np.array(values.flat_names).reshape(values.axis.n, -1)
    place = {str(name): i for i, name in enumerate(values.features)}
    by_time = {
        name: [str(n) for n in names[:, [place[f] for f in features]].ravel()]
        for name, features in request.sets.items()
    }
    there: Mask = np.asarray(~np.isnan(values.values[:, :, 0]).any(axis=2))
    needed = (request.y,) if request.groups is None else (request.y, request.groups)
    flat_request = replace(request, sets=by_time, missing="keep")
    whole = np.asarray(there.any(axis=1))
    if not whole.any():
        raise InputError(
            f"found no {request.unit} with a value of every feature in any window; leave features without values out, "
            "or lower min_valid"
        )
    lacking = [f"{label}: no window with a value of every feature" for label in flat.labels[~whole].tolist()]
    kept = values.take(whole).flat()
    rows = rows_of_units(kept, flat_request, needed)
    rows = replace(rows, excluded=[*rows.excluded, *lacking])
    sample = sample_of_rows(rows, rows.units.coordinate(request.y)[rows.kept], flat_request)
    return _in_random_order(sample, there[whole][rows.kept], request.seed)


def _in_random_order(sample: Sample, present: Mask, seed: int) -> tuple[Sample, Mask]:
    """Put units into an order that has nothing to do with their targets.

    Folds are stretches of the units of each class. If labels of videos told the classes apart, as those of two sites
    do, the observed folds would be made in another way than those of any other arrangement of the targets, and these
    could not be exchanged. In random order, they can.
    """
    order = np.random.default_rng([seed, sample.n]).permutation(sample.n)
    rows = replace(sample.rows, values=sample.rows.values[order], labels=sample.rows.labels[order])
    shuffled = replace(
        sample,
        rows=rows,
        X={name: X[order] for name, X in sample.X.items()},
        y=sample.y[order],
        codes=None if sample.codes is None else sample.codes[order],
        groups=None if sample.groups is None else sample.groups[order],
    )
    return shuffled, present[order]


def _window(sample: Sample, there: Mask, w: int, request: Request) -> Window:
    units = np.flatnonzero(there)
    here = _cut(sample, units, w, request)
    try:
        if not len(units):
            raise InputError(f"found no {request.unit} with a value of every feature")
        if sample.codes is not None and len(np.unique(sample.codes[units])) < 2:
            raise InputError(f"found one class of {request.y!r} only")
        return Window(here, units, make_folds(here, request))
    except InputError as error:
        return Window(here, units, None, str(error))


def _cut(sample: Sample, units: NDArray[np.intp], w: int, request: Request) -> Sample:
    """Units of one window, with its values only."""
    X = {}
    for name, features in request.sets.items():
        p = len(features)
        X[name] = np.ascontiguousarray(sample.X[name][units, w * p : (w + 1) * p])
    groups = None if sample.groups is None else sample.groups[units]
    group_names = None if groups is None or sample.group_names is None else sample.group_names[np.unique(groups)]
    codes = None if sample.codes is None else sample.codes[units]
    return Sample(sample.rows, X, sample.y[units], sample.classes, codes, groups, group_names)


def _scored(window: Window, request: Request) -> Window:
    """Fit and score all folds, so that a model that cannot be fitted or scored in a window says why."""
    if window.folds is None:
        return window
    here = window.sample
    scorer, splits = scorer_of(request.model, request.scoring), window.folds.split(here.y)
    scores = np.empty((len(here.X), len(splits)))
    try:
        for i, (name, X) in enumerate(here.X.items()):
            for fold, (train, test) in enumerate(splits):
                fitted = fit_model(request.model, X[train], here.y[train], f"feature set {name!r}, fold {fold}")
                scores[i, fold] = scorer(fitted, X[test], here.y[test])
    except InputError as error:
        return replace(window, folds=None, reason=str(error))
    except ValueError as error:
        return replace(window, folds=None, reason=f"found a model that cannot be scored: {error}")
    return replace(window, scores=scores.mean(axis=1))


@dataclass(frozen=True)
class _Chance:
    """Score of a guess that ignores the features, for units that are a part of all."""

    sample: Sample
    request: Request
    _known: dict[tuple[int, ...], float] = field(default_factory=dict)

    def __call__(self, targets: Array, units: Mask) -> float:
        """Of targets (n,), of classes their codes, and which units (n,) there are."""
        if not units.any():
            return np.nan
        y: NDArray[Any] = targets[units]
        key = (-1, len(y))
        if self.sample.classes is not None:
            codes = y.astype(np.intp)
            key = tuple(np.bincount(codes, minlength=len(self.sample.classes)).tolist())
            y = self.sample.classes[codes]
        elif self.request.scoring is None:
            return 0.0
        elif not units.all():  # depends on which targets these are
            return self._level(y)
        if key not in self._known:
            self._known[key] = self._level(y)
        return self._known[key]

    def _level(self, y: NDArray[Any]) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an undefined score is NaN, which says it
            try:
                return chance_level(np.zeros((len(y), 1)), y, self.request)
            except ValueError:  # of one class only
                return np.nan


@dataclass(frozen=True)
class _Transfer:
    """Scores of models of one window, in this window or in all, under any targets: all that a worker needs."""

    sample: Sample
    request: Request
    windows: list[Window]
    present: Mask
    window: int
    chance: _Chance
    across: bool

    @property
    def _tested(self) -> NDArray[np.intp]:
        """Windows to which the models are applied."""
        return np.arange(len(self.windows)) if self.across else np.array([self.window])

    @property
    def _units(self) -> NDArray[np.intp]:
        return self.windows[self.window].units

    def __call__(self, arrangements: Array) -> Array:
        """Scores above chance (d, n_set * n_tested) for d rows of targets of all units."""
        return self.scores(arrangements) - self.chances(arrangements)

    def chances(self, arrangements: Array) -> Array:
        """Chance levels of the same shape."""
        here = self.present[:, self.window, None] & self.present[:, self._tested]
        distinct, which = np.unique(here, axis=1, return_inverse=True)
        levels = np.array([[self.chance(y, units) for units in distinct.T] for y in arrangements])
        return np.tile(levels[:, which.ravel()], (1, len(self.request.sets)))

    def scores(self, arrangements: Array) -> Array:
        """Mean scores over folds, of the same shape."""
        here = self.windows[self.window]
        if here.folds is None:
            raise ValueError(here.reason)
        model, scoring = self.request.model, self.request.scoring
        tolerance = discriminant_tolerance(model, self.request)
        scores = Scores(
            dict(here.sample.X), self.sample.classes, model, here.folds, scorer_of(model, scoring), tolerance
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The least populated class in y")  # of the units that are here
            targets = arrangements[:, self._units]
            return np.array([self._of_one(scores, y) for y in targets]) if self.across else scores(targets)

    def _of_one(self, scores: Scores, targets: Array) -> Array:
        """Scores (n_set * n_window,) under targets of the units that are here."""
        y = targets if self.sample.classes is None else self.sample.classes[targets.astype(np.intp)]
        try:
            splits = scores.folds.split(y)
        except InputError:  # of those that are here, too few have some class
            return np.full(len(scores.X) * len(self.windows), np.nan)
        there = self.present[self._units]
        by_set = []
        for name, X in scores.X.items():
            values = self.sample.X[name][self._units].reshape(len(X), -1, X.shape[1])
            by_fold = [
                self._of_fold(scores, scores.fitted(X, y, train), values[test], y[test], there[test])
                for train, test in splits
            ]
            by_set.append(_mean_over_folds(np.array(by_fold)))
        found = np.concatenate(by_set)
        found[np.tile([window.folds is None for window in self.windows], len(by_set))] = np.nan
        return found

    def _of_fold(self, scores: Scores, fitted: Any, values: Array, y: NDArray[Any], there: Mask) -> Array:
        """Scores (n_window,) of held-out units (n_test, n_window, p) in all windows; infinite where none is there."""
        n = there.sum(axis=0)
        if fitted is None:
            return np.full(len(n), np.nan)
        if self.sample.classes is not None and self.request.scoring in (None, "accuracy"):
            unit, _ = np.nonzero(there)
            right = np.zeros(there.shape)
            right[there] = fitted.predict(values[there]) == y[unit]
            with np.errstate(invalid="ignore"):
                return np.where(n > 0, right.sum(axis=0) / n, np.inf)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an undefined score is NaN, which says it
            found = [
                _score(scores.scorer, fitted, values[here, w], y[here]) if n[w] else np.inf
                for w, here in enumerate(there.T)
            ]
        return np.array(found)


def _score(scorer: Any, fitted: Any, X: Array, y: NDArray[Any]) -> float:
    try:
        return float(scorer(fitted, X, y))
    except ValueError:  # undefined for these units; what can never be scored was found out before
        return np.nan


def _mean_over_folds(scores: Array) -> Array:
    """Mean (n,) over the folds (f, n) that have units to score."""
    used = ~np.isinf(scores)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(used, scores, 0).sum(axis=0) / used.sum(axis=0))


@dataclass(frozen=True)
class _AllWindows:
    """Scores above chance of all windows side by side; NaN where nothing can be decoded."""

    ways: list[_Transfer]
    shape: tuple[int, ...]

    def __call__(self, arrangements: Array) -> Array:
        d = len(arrangements)
        found = np.full((d, *self.shape), np.nan)
        for way in self.ways:
            found[:, :, way.window] = way(arrangements).reshape(d, self.shape[0], *self.shape[2:])
        return found.reshape(d, -1)


def _null(
    ways: list[_Transfer],
    arrangements: Arrangements,
    scheme: str,
    request: Request,
    shape: tuple[int, ...],
    client: Any,
) -> Null:
    return null_scores(_AllWindows(ways, shape), arrangements, scheme, request, client)


@dataclass(frozen=True, slots=True)
class Tested:
    """p values of scores, each (n_point,): alone, and for all together."""

    p: Array
    p_adjusted: Array
    cluster: NDArray[np.intp] | None = None
    cluster_mass: Array | None = None


def standardised(null: Null, observed: Array) -> tuple[Array, Array]:
    """Scores as numbers of standard deviations from the mean of all arrangements, the observed one included.

    Windows with few units have scores that vary much; in this way none of them decides alone what is large.
    """
    every = null.scores if null.exact else np.vstack([observed[None], null.scores])
    there = ~np.isnan(every)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = there.sum(axis=0)
        mean = np.where(there, every, 0).sum(axis=0) / n
        spread = np.sqrt((np.where(there, every - mean, 0) ** 2).sum(axis=0) / n)
        flat = spread <= 1e-12 * np.where(there, np.abs(every), 0).max(axis=0)
        scale = np.where(flat, 1.0, spread)
        z, others = ((np.where(flat, scores * 0, scores - mean) / scale) for scores in (observed, null.scores))
    return z, others


def single_p(null: Null, observed: Array) -> Array:
    """P values (n_point,) of each score alone."""
    # of 0, a score that is as good as chance, rounding is no share
    return p_values(null, observed, np.where(np.isnan(null.scores), 0, np.abs(null.scores)).max(axis=0))[0]


def largest_p(null: Null, observed: Array) -> Array:
    """P values by the largest standardised score of all points."""
    z, others = standardised(null, observed)
    # an arrangement without a score somewhere has its largest one elsewhere
    return p_values(replace(null, scores=np.where(np.isnan(others), -np.inf, others)), z, 1 + np.abs(z))[1]


def cluster_p(null: Null, observed: Array, neighbours: NDArray[np.intp], rule: ClusterRule) -> Tested:
    """P values by the largest cluster of standardised scores above the threshold."""
    from facearray.stats.kernels.cluster_mass import find_clusters, largest_masses

    z, others = standardised(null, observed)
    threshold = np.array(rule.of_z())
    clusters = find_clusters(z, neighbours, threshold, two_sided=False)
    by_chance = largest_masses(others, neighbours, threshold, two_sided=False)
    p = p_values(replace(null, scores=np.repeat(by_chance[:, None], len(clusters.mass), axis=1)), clusters.mass)[0]
    alone = single_p(null, observed)
    return Tested(
        p=alone,
        p_adjusted=np.where(np.isnan(alone), np.nan, np.append(1.0, p)[clusters.number]),
        cluster=clusters.number,
        cluster_mass=np.append(0.0, clusters.mass)[clusters.number],
    )
