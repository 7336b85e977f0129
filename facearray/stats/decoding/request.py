"""What is asked of a decoding, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import xarray as xr

from facearray import selectors
from facearray.errors import InputError, unknown_names

__all__ = [
    "LEAVE_ONE_GROUP_OUT",
    "Missing",
    "Request",
    "Scoring",
    "Sets",
    "check",
    "feature_sets",
    "task_of",
    "with_seed",
]

LEAVE_ONE_GROUP_OUT = "leave_one_group_out"

Missing = Literal["exclude", "keep"]
Sets = str | Iterable[str] | Mapping[str, str | Iterable[str]]
Scoring = str | Callable[..., float] | None
Task = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of `facearray.stats.decode`; ``sets`` are names of features by the name of their set."""

    y: str
    sets: Mapping[str, list[str]]
    model: Any
    task: Task
    cv: Any
    groups: str | None
    repeats: int
    scoring: Any
    permutations: int
    seed: int
    missing: Missing
    unit: str
    statistic: str
    min_valid: float
    threshold: float | None

    @property
    def features(self) -> list[str]:
        """Names of the features of all sets, each once."""
        return list(dict.fromkeys(name for names in self.sets.values() for name in names))

    @property
    def seeded(self) -> bool:
        """Whether the model draws random numbers, of which `seed` is the seed."""
        return any(name.endswith("random_state") for name in self.model.get_params())

    @property
    def model_name(self) -> str:
        """Class of the model; of a pipeline, of its steps."""
        steps = getattr(self.model, "steps", None) or [("", self.model)]
        return " + ".join(type(step).__name__ for _, step in steps if step not in (None, "passthrough"))


def feature_sets(ds: xr.Dataset, X: Sets) -> dict[str, list[str]]:
    """Names of the features of each set.

    Raises
    ------
    InputError
        If a name is unknown, or there is no set.
    """
    named: Mapping[str, str | Iterable[str]]
    if isinstance(X, Mapping):
        named = X
    else:
        given = X if isinstance(X, str) else list(X)
        named = {given if isinstance(given, str) else ",".join(map(str, given)): given}
    if not named or not all(isinstance(name, str) and name for name in named):
        raise InputError(f"found X={X!r}; expected features and groups by name, or several such sets as a dict")
    return {
        name: [str(f) for f in selectors.select(ds["features"], what)["feature"].to_numpy()]
        for name, what in named.items()
    }


def task_of(model: Any) -> Task:
    """Whether a model predicts classes or numbers.

    Raises
    ------
    InputError
        If it is no instance of a scikit-learn estimator that predicts.
    """
    from sklearn.base import BaseEstimator, is_classifier, is_regressor

    if isinstance(model, type):
        raise InputError(
            f"found the class {model.__name__} as model; expected an instance, with its options: "
            f"model={model.__name__}()"
        )
    if not isinstance(model, BaseEstimator):
        raise InputError(
            f"found a {type(model).__name__} as model; expected a scikit-learn estimator or pipeline, such as "
            "make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())"
        )
    if is_classifier(model):
        return "classification"
    if is_regressor(model):
        return "regression"
    raise InputError(
        f"found {type(model).__name__} as model, which predicts neither classes nor numbers; expected a classifier or "
        "a regressor, in a pipeline as the last step"
    )


def with_seed(model: Any, seed: int) -> Any:
    """Copy a model, with a seed wherever it has none, so that the same call gives the same result."""
    from sklearn.base import clone

    options = model.get_params()
    unseeded = [name for name, value in options.items() if name.endswith("random_state") and value is None]
    return clone(model).set_params(**dict.fromkeys(unseeded, seed))


def check(request: Request) -> None:
    """Check that the options of a request fit together.

    Raises
    ------
    InputError
        With all problems.
    """
    problems = [*_fold_problems(request), *_other_problems(request)]
    if problems:
        raise InputError("; ".join(problems))
    if isinstance(request.scoring, str):
        from sklearn.metrics import get_scorer_names

        if request.scoring not in get_scorer_names():
            raise unknown_names("scoring", [request.scoring], get_scorer_names())


def _fold_problems(request: Request) -> Iterator[str]:
    cv, is_splitter = request.cv, hasattr(request.cv, "split") and hasattr(request.cv, "get_n_splits")
    is_number = isinstance(cv, int) and not isinstance(cv, bool)
    if isinstance(cv, type) or not (is_number or is_splitter or cv == LEAVE_ONE_GROUP_OUT):
        yield (
            f"found cv={cv!r}; expected a number of folds, {LEAVE_ONE_GROUP_OUT!r}, or an instance of a scikit-learn "
            "splitter such as StratifiedKFold(10)"
        )
    if is_number and cv < 2:
        yield f"found cv={cv}; expected at least 2 folds"
    if cv == LEAVE_ONE_GROUP_OUT and request.groups is None:
        yield f"found cv={cv!r} without groups; name the coordinate whose groups are left out"
    if request.unit == "frame" and request.groups is None:
        yield (
            "found unit='frame' without groups; the frames of a video resemble one another, so that a model that saw "
            "some knows the others: use unit='video', or groups='video' (groups='subject' for people it never saw)"
        )
    if request.repeats < 1:
        yield f"found repeats={request.repeats}; expected 1 or more"
    elif request.repeats > 1 and (not is_number or request.groups is not None):
        yield (
            f"found repeats={request.repeats} with groups or a splitter; expected a number of folds: pass a splitter "
            "that repeats"
        )
    # A generator, or none, gives other folds whenever it is asked, and so other folds for every permutation.
    state = getattr(cv, "random_state", 0)
    if is_splitter and getattr(cv, "shuffle", True) and not isinstance(state, int):
        yield f"found cv={cv!r}; expected folds that can be made again: give it a number as random_state"


def _other_problems(request: Request) -> Iterator[str]:
    if request.permutations < 0:
        yield f"found permutations={request.permutations}; expected 0 or more"
    if request.missing not in ("exclude", "keep"):
        yield f"found missing={request.missing!r}; expected 'exclude' or 'keep'"
    if request.scoring is not None and not isinstance(request.scoring, str) and not callable(request.scoring):
        yield f"found scoring={request.scoring!r}; expected the name of a scikit-learn scorer, or a scorer"
    both = [name for name, features in request.sets.items() if request.y in features]
    if both:
        yield f"found {request.y!r} as y and in X ({', '.join(both)}); expected it in one of them"
