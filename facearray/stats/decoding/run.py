"""A decoding carried out: folds fitted, permutations scored, everything labelled."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._words import counted, some
from facearray.stats.decoding.fit import FoldFit, FoldFits, Outputs, chance_level, fit_model, scorer_of
from facearray.stats.decoding.folds import Folds, Split, make_folds
from facearray.stats.decoding.permutations import (
    Null,
    Scores,
    arrangements_of,
    discriminant_tolerance,
    null_scores,
    p_values,
)
from facearray.stats.decoding.request import LEAVE_ONE_GROUP_OUT, Request
from facearray.stats.decoding.result import Decoding, labelled_outputs
from facearray.stats.decoding.sample import Sample, check_targets, population_of
from facearray.stats.units import label_coordinates

__all__ = ["attrs_of", "cv_words", "run", "scoring_name"]

_TEXT = np.dtypes.StringDType()

#: A test whose smallest possible p is above this level has a note.
LEVEL = 0.05


def run(sample: Sample, request: Request, ds: xr.Dataset, client: Any) -> Decoding:
    """Decode the targets of a sample from each feature set."""
    check_targets(sample, request)
    permuted = arrangements_of(sample, request) if request.permutations else None
    folds = make_folds(sample, request)
    splits = folds.split(sample.y)
    scorer = scorer_of(request.model, request.scoring)
    fits = _fit_all(sample, request, splits, scorer, client)
    names = np.array(list(request.sets), dtype=_TEXT)
    scores = _scores(fits, splits, sample, request, names)

    def of_sets(values: Any, name: str) -> xr.DataArray:
        return xr.DataArray(np.asarray(values), coords={"feature_set": names}, dims="feature_set", name=name)

    null, p, p_adjusted = None, None, None
    if permuted is not None:
        tolerance = None if np.isnan(sample.rows.values).any() else discriminant_tolerance(request.model, request)
        of_others = Scores(dict(sample.X), sample.classes, request.model, folds, scorer, tolerance)
        null = null_scores(of_others, *permuted, request, client)
        p, p_adjusted = (
            of_sets(values, name)
            for values, name in zip(
                p_values(null, scores.mean("fold").to_numpy()), ("p_value", "p_adjusted"), strict=True
            )
        )
    return Decoding(
        scores=scores,
        predictions=_predictions(fits, splits, sample, request),
        chance=of_sets([chance_level(X, sample.y, request) for X in sample.X.values()], "chance"),
        null=None
        if null is None
        else xr.DataArray(
            null.scores.T, coords={"feature_set": names}, dims=("feature_set", "permutation"), name="null"
        ),
        p_value=p,
        p_adjusted=p_adjusted,
        group_scores=_group_scores(fits, sample, request, names),
        model={
            name: fit_model(request.model, X, sample.y, f"all units of feature set {name!r}")
            for name, X in sample.X.items()
        },
        models={(name, i): fit.model for name, of_set in fits.items() for i, fit in enumerate(of_set)},
        attrs=_attrs(sample, request, folds, splits, null),
        _request=request,
        _sample=sample,
        _feature_coords=label_coordinates(ds, "feature", features=request.features),
    )


def _fit_all(
    sample: Sample, request: Request, splits: list[Split], scorer: Any, client: Any
) -> dict[str, list[FoldFit]]:
    """Fit all folds of all sets, on the workers of a client where there is one."""
    fit = FoldFits(request.model, dict(sample.X), sample.y, splits, scorer, sample.classes, sample.groups)
    tasks = [(name, i) for name in sample.X for i in range(len(splits))]
    if client is None:
        found = [fit(*task) for task in tasks]
    else:
        shared = client.scatter(fit, broadcast=True)
        found = client.gather([client.submit(_fit_one, shared, *task, pure=False) for task in tasks])
    return {name: found[i * len(splits) : (i + 1) * len(splits)] for i, name in enumerate(sample.X)}


def _fit_one(fit: FoldFits, name: str, fold: int) -> FoldFit:
    return fit(name, fold)


def _scores(
    fits: dict[str, list[FoldFit]], splits: list[Split], sample: Sample, request: Request, names: NDArray[Any]
) -> xr.DataArray:
    coords: dict[str, Any] = {
        "feature_set": names,
        "fold": np.arange(len(splits)),
        "n_test": ("fold", [len(test) for _, test in splits]),
    }
    if request.cv == LEAVE_ONE_GROUP_OUT and sample.groups is not None and sample.group_names is not None:
        coords[f"left_out_{request.groups}"] = ("fold", sample.group_names[[sample.groups[t[0]] for _, t in splits]])
    if request.repeats > 1:
        coords["repeat"] = ("fold", np.arange(len(splits)) // request.cv)
    values = np.array([[fit.score for fit in of_set] for of_set in fits.values()])
    return xr.DataArray(values, coords=coords, dims=("feature_set", "fold"), name="score")


def _predictions(fits: dict[str, list[FoldFit]], splits: list[Split], sample: Sample, request: Request) -> xr.Dataset:
    """Put the outputs for the test sets in the places of their units, in as many repeats as these were predicted."""
    fold = np.full((1, sample.n), -1)
    places = []
    for i, (_, test) in enumerate(splits):
        free = np.flatnonzero((fold[:, test] < 0).all(axis=1))
        if not len(free):
            fold = np.vstack([fold, np.full((1, sample.n), -1)])
            free = np.array([len(fold) - 1])
        fold[free[0], test] = i
        places.append(int(free[0]))
    repeats = []
    for r in range(len(fold)):
        here = [i for i, place in enumerate(places) if place == r]
        by_set = [
            _merged([of_set[i].outputs for i in here], [splits[i][1] for i in here], sample.n)
            for of_set in fits.values()
        ]
        one = labelled_outputs(by_set, sample.rows, request, sample.classes)
        repeats.append(one.assign(fold=(sample.rows.dim, fold[r])))
    result = repeats[0] if len(repeats) == 1 else xr.concat(repeats, "repeat", join="exact")
    ordered = ["predicted", "true", "fold", *(name for name in ("decision", "probability") if name in result)]
    return result.assign(true=(sample.rows.dim, sample.y))[ordered]


def _merged(parts: list[Outputs], tests: list[NDArray[np.intp]], n: int) -> Outputs:
    def merge(arrays: list[Any]) -> Any:
        if any(array is None for array in arrays):
            return None
        whole = np.concatenate(arrays)
        at = np.concatenate(tests)
        if whole.dtype.kind == "f":
            placed = np.full((n, *whole.shape[1:]), np.nan)
        else:
            placed = np.full(n, None, dtype=object) if len(at) < n else np.empty(n, dtype=whole.dtype)
        placed[at] = whole
        return placed

    return Outputs(*(merge([getattr(part, name) for part in parts]) for name in Outputs.__slots__))


def _group_scores(
    fits: dict[str, list[FoldFit]], sample: Sample, request: Request, names: NDArray[Any]
) -> xr.DataArray | None:
    if sample.group_names is None:
        return None
    values = np.full((len(fits), len(sample.group_names)), np.nan)
    for i, of_set in enumerate(fits.values()):
        for group in range(values.shape[1]):
            found = [fit.by_group[group] for fit in of_set if not np.isnan(fit.by_group.get(group, np.nan))]
            values[i, group] = np.mean(found) if found else np.nan
    name = str(request.groups)
    dim = "group" if name in ("feature_set", "group") else name
    return xr.DataArray(
        values, coords={"feature_set": names, dim: sample.group_names}, dims=("feature_set", dim), name="score"
    )


def _attrs(sample: Sample, request: Request, folds: Folds, splits: list[Split], null: Null | None) -> dict[str, Any]:
    attrs: dict[str, Any] = dict(sample.rows.attrs) | {
        "method": "decode",
        "y": request.y,
        "task": request.task,
        "model": request.model_name,
        "n": sample.n,
        "n_folds": len(splits),
        "cv": cv_words(folds, request),
        "scoring": scoring_name(request),
        "population": population_of(sample, request),
        "excluded": sample.rows.excluded,
        "missing": request.missing,
        "notes": _notes(sample, request, splits, null),
    }
    attrs |= attrs_of(sample, request, null)
    if null is not None:
        attrs["family"] = f"the {counted(len(request.sets), 'feature set')}"
    return attrs


def attrs_of(sample: Sample, request: Request, null: Null | None) -> dict[str, Any]:
    """Say which classes and groups there are, and what was drawn."""
    attrs: dict[str, Any] = {}
    if sample.classes is not None and sample.codes is not None:
        sizes = np.bincount(sample.codes, minlength=len(sample.classes)).tolist()
        attrs["classes"] = [f"{name}: {size}" for name, size in zip(sample.classes.tolist(), sizes, strict=True)]
    if sample.group_names is not None:
        attrs |= {"groups": request.groups, "n_groups": len(sample.group_names)}
    if request.repeats > 1 or null is not None or request.seeded:
        attrs["seed"] = request.seed
    if null is not None:
        attrs |= {
            "n_permutations": len(null.scores),
            "permutations_exact": int(null.exact),
            "permuted": null.scheme,
            "p_min": null.p_min,
        }
    return attrs


def cv_words(folds: Folds, request: Request) -> str:
    """Say how units were put into folds."""
    if request.cv == LEAVE_ONE_GROUP_OUT:
        return f"leave one {request.groups} out"
    if not isinstance(request.cv, int):
        return str(folds.splitter)
    kind = "stratified " if request.task == "classification" else ""
    kind += f"folds of whole {request.groups} groups" if request.groups is not None else "folds"
    repeated = f", repeated {request.repeats} times with other folds" if request.repeats > 1 else ", not shuffled"
    return f"{request.cv} {kind}{repeated}"


def scoring_name(request: Request) -> str:
    """Name of the score."""
    if request.scoring is None:
        return "accuracy" if request.task == "classification" else "R²"
    if isinstance(request.scoring, str):
        return request.scoring
    return getattr(request.scoring, "__name__", str(request.scoring))


def _notes(sample: Sample, request: Request, splits: list[Split], null: Null | None) -> list[str]:
    notes = []
    least = min(len(train) for train, _ in splits)
    wide = [f"{name} ({len(features)})" for name, features in request.sets.items() if len(features) >= least]
    if wide:
        notes.append(f"as many features as units in a training set ({least}) or more: {some(wide)}")
    for name, X in sample.X.items():
        constant = np.ptp(X, axis=0) == 0
        if constant.any():
            notes.append(f"the same value in all units, in {name}: {some(np.array(request.sets[name])[constant])}")
    if sample.codes is not None:
        lacking = [
            i
            for i, (train, _) in enumerate(splits)
            if len(np.unique(sample.codes[train])) < len(np.unique(sample.codes))
        ]
        if lacking:
            notes.append(f"a class is missing from the training set of folds {some(lacking)}")
    if null is not None and null.p_min > LEVEL:
        notes.append(
            f"p cannot be below {null.p_min:.2g}, whatever the scores are: {len(null.scores)} permutations, of "
            f"{null.n_possible} arrangements {null.scheme}"
        )
    if null is not None and sample.groups is not None:
        mixed = [len(np.unique(sample.y[sample.groups == group])) > 1 for group in np.unique(sample.groups)]
        if 0 < sum(mixed) < len(mixed):
            notes.append(
                f"{request.y} varies within {sum(mixed)} of {len(mixed)} groups of {request.groups}, and is permuted "
                "within these only"
            )
    untested = sample.n - len(np.unique(np.concatenate([test for _, test in splits])))
    undefined = 0 if null is None else int(np.isnan(null.scores).any(axis=1).sum())
    if undefined:
        notes.append(f"{undefined} permutations have no score for some feature set, and count as at least as large")
    if untested:
        notes.append(f"{untested} {request.unit}s are in no test set")
    return notes
