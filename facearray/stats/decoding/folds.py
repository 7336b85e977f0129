"""Training and test sets: the same units in the same folds, whatever their order was."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray._words import some
from facearray.errors import InputError
from facearray.stats.decoding.request import LEAVE_ONE_GROUP_OUT, Request
from facearray.stats.decoding.sample import Sample

__all__ = ["Folds", "Split", "make_folds"]

Index = NDArray[np.intp]
Mask = NDArray[np.bool_]
Split = tuple[Index, Index]


@dataclass(frozen=True)
class Folds:
    """Training and test sets as a function of the targets.

    Attributes
    ----------
    splitter
        From scikit-learn.
    groups
        Group (n,) of each unit.
    n
        Number of units.
    """

    splitter: Any
    groups: Index | None
    n: int
    _fixed: bool = field(init=False)
    _stratified: bool = field(init=False)

    def __post_init__(self) -> None:
        from sklearn import model_selection as ms

        fixed = (ms.KFold, ms.GroupKFold, ms.LeaveOneGroupOut, ms.LeaveOneOut, ms.LeavePGroupsOut, ms.RepeatedKFold)
        object.__setattr__(self, "_fixed", isinstance(self.splitter, fixed))
        stratified = type(self.splitter) is ms.StratifiedKFold and not self.splitter.shuffle
        object.__setattr__(self, "_stratified", stratified)

    def split(self, y: NDArray[Any]) -> list[Split]:
        """Training and test set of each fold for targets (n,)."""
        try:
            with warnings.catch_warnings():
                # whether groups are kept whole is checked on the folds themselves
                warnings.filterwarnings("ignore", "The groups parameter is ignored")
                splits = self.splitter.split(np.zeros((self.n, 1)), y, self.groups)
                return [(np.asarray(train), np.asarray(test)) for train, test in splits]
        except ValueError as error:
            raise InputError(f"found folds that cannot be made, {self.splitter!r}: {error}") from error

    def held_out(self, labellings: NDArray[Any]) -> Mask | None:
        """Whether each unit is in the test set (m, n_fold, n) for m rows of targets.

        None where a training set is not the rest of the units.
        """
        if self._stratified:
            fold = stratified_folds(labellings, self.splitter.n_splits)
            masks: Mask = fold[:, None] == np.arange(self.splitter.n_splits)[:, None]
            return masks
        if self._fixed:
            one = self._masks(labellings[0])
            return None if one is None else np.broadcast_to(one, (len(labellings), *one.shape))
        several = [self._masks(y) for y in labellings]
        whole = [one for one in several if one is not None]
        return np.stack(whole) if len(whole) == len(several) and len({len(one) for one in whole}) == 1 else None

    def _masks(self, y: NDArray[Any]) -> Mask | None:
        splits = self.split(y)
        masks = np.zeros((len(splits), self.n), dtype=bool)
        for mask, (train, test) in zip(masks, splits, strict=True):
            mask[test] = True
            if len(train) + len(test) != self.n or mask[train].any():
                return None
        return masks


def stratified_folds(codes: NDArray[Any], n_folds: int) -> Index:
    """Fold (m, n) of each unit by scikit-learn's rule for stratified folds without shuffling, for m rows of classes.

    Classes are put one after another in the order in which they appear, and dealt out to the folds in turn; each class
    then fills its places in the order of the units.
    """
    codes = codes.astype(np.intp)
    m, n = codes.shape
    classes = np.unique(codes)
    members = codes[:, None] == classes[:, None]  # (m, k, n)
    first, size = members.argmax(axis=2), members.sum(axis=2)
    before = np.where(first[:, :, None] > first[:, None], size[:, None], 0).sum(axis=2)
    folds = np.zeros((m, n), dtype=np.intp)
    for k in range(len(classes)):
        for start in np.unique(before[:, k]):
            for count in np.unique(size[before[:, k] == start, k]):
                rows = np.flatnonzero((before[:, k] == start) & (size[:, k] == count))
                places = np.sort((start + np.arange(count)) % n_folds)
                here = members[rows, k]
                folds[rows] = np.where(here, places[np.maximum(here.cumsum(axis=1) - 1, 0)], folds[rows])
    return folds


def make_folds(sample: Sample, request: Request) -> Folds:
    """Make the folds that are asked for, and check that every one can be fitted.

    Raises
    ------
    InputError
        If there are too few units, groups or members of a class, or a training set has one class only.
    """
    folds = Folds(_splitter(sample, request), sample.groups, sample.n)
    for i, (train, test) in enumerate(folds.split(sample.y)):
        if not len(train) or not len(test):
            raise InputError(f"found an empty training or test set in fold {i} of {request.cv!r}")
        if sample.groups is not None and np.isin(sample.groups[test], sample.groups[train]).any():
            raise InputError(
                f"found groups of {request.groups!r} in both training and test set of fold {i}; expected folds that "
                "keep groups whole: pass a splitter such as GroupKFold, or leave groups out"
            )
        if sample.codes is not None and len(np.unique(sample.codes[train])) < 2:
            raise InputError(
                f"found a single class of {request.y!r} in the training set of fold {i}; expected at least two: use "
                "fewer folds, or groups that hold several classes"
            )
        if sample.codes is None and request.scoring is None and len(test) < 2:
            raise InputError(
                f"found one {request.unit} in the test set of fold {i}, for which R² is undefined; use fewer folds, or "
                "another score, such as scoring='neg_mean_absolute_error'"
            )
    return folds


def _splitter(sample: Sample, request: Request) -> Any:
    from sklearn import model_selection as ms

    cv, classify = request.cv, sample.codes is not None
    if cv == LEAVE_ONE_GROUP_OUT:
        _check_enough(_group_count(sample), 2, f"groups of {request.groups!r}", "name another coordinate")
        return ms.LeaveOneGroupOut()
    if not isinstance(cv, int):
        return cv
    problems = [*_too_few(sample, request)]
    if problems:
        raise InputError("; ".join(problems))
    if sample.groups is not None:
        return ms.StratifiedGroupKFold(cv) if classify else ms.GroupKFold(cv)
    if request.repeats > 1:
        repeated = ms.RepeatedStratifiedKFold if classify else ms.RepeatedKFold
        return repeated(n_splits=cv, n_repeats=request.repeats, random_state=request.seed)
    return ms.StratifiedKFold(cv) if classify else ms.KFold(cv)


def _group_count(sample: Sample) -> int:
    return 0 if sample.group_names is None else len(sample.group_names)


def _check_enough(found: int, wanted: int, what: str, remedy: str) -> None:
    if found < wanted:
        raise InputError(f"found {found} {what}; expected at least {wanted}: {remedy}")


def _too_few(sample: Sample, request: Request) -> Iterator[str]:
    cv, unit = request.cv, request.unit
    if sample.groups is not None and _group_count(sample) < cv:
        n = _group_count(sample)
        yield (
            f"found {n} group{'s' * (n != 1)} of {request.groups!r} for {cv} folds; expected at least as many groups "
            f"as folds: use cv={max(n, 2)} or fewer, or cv={LEAVE_ONE_GROUP_OUT!r}"
        )
    if sample.n < cv:
        units = f"{sample.n} {unit}{'s' * (sample.n != 1)}"
        yield f"found {units} for {cv} folds; expected at least as many {unit}s as folds: use fewer folds"
    elif sample.codes is not None and sample.classes is not None and sample.groups is None:
        sizes = np.bincount(sample.codes, minlength=len(sample.classes))
        few = [f"{name!r} ({size})" for name, size in zip(sample.classes.tolist(), sizes, strict=True) if size < cv]
        if few:
            least = int(sizes.min())
            remedy = f"use cv={least} or fewer" if least > 1 else "leave that class out, or gather more of it"
            yield (
                f"found fewer {unit}s of a class than the {cv} folds: {some(few)}; expected every class in every fold: "
                f"{remedy}"
            )
