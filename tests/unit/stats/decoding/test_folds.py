"""Folds against scikit-learn's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import model_selection as ms

from facearray.stats.decoding.folds import Folds, stratified_folds


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(2, 9), min_size=2, max_size=4),
    n_folds=st.integers(2, 6),
    seed=st.integers(0, 2**16),
)
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_stratified_folds__are_those_of_scikit_learn(sizes, n_folds, seed):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(len(sizes)), sizes)
    if n_folds > max(sizes):
        return
    rows = np.array([rng.permutation(y) for _ in range(5)])
    found = stratified_folds(rows, n_folds)
    for row, folds in zip(rows, found, strict=True):
        for i, (_, test) in enumerate(ms.StratifiedKFold(n_folds).split(row[:, None], row)):
            np.testing.assert_array_equal(np.flatnonzero(folds == i), test)


@pytest.mark.parametrize(
    "splitter",
    [
        ms.KFold(4),
        ms.StratifiedKFold(4),
        ms.StratifiedKFold(4, shuffle=True, random_state=3),
        ms.RepeatedStratifiedKFold(n_splits=3, n_repeats=2, random_state=0),
        ms.GroupKFold(3),
        ms.StratifiedGroupKFold(3),
        ms.LeaveOneGroupOut(),
        ms.LeaveOneOut(),
    ],
)
def test_held_out__is_the_splits_of_every_labelling(splitter):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(6), 4)
    rows = np.array([rng.permutation(np.arange(24) % 2) for _ in range(4)])
    if "Group" not in type(splitter).__name__:
        groups = None
    folds = Folds(splitter, groups, 24)
    masks = folds.held_out(rows)
    for row, mask in zip(rows, masks, strict=True):
        wanted = [test for _, test in splitter.split(np.zeros((24, 1)), row, groups)]
        assert [np.flatnonzero(m).tolist() for m in mask] == [test.tolist() for test in wanted]


def test_held_out__none_where_training_is_not_the_rest():
    folds = Folds(ms.ShuffleSplit(3, train_size=0.5, test_size=0.2, random_state=0), None, 20)
    assert folds.held_out(np.tile(np.arange(20) % 2, (2, 1))) is None
