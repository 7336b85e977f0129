"""Decoding: how well models predict a target from features of units that they have not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xarray as xr

from facearray import schema
from facearray.stats.decoding.request import Missing, Request, Scoring, Sets, check, feature_sets, task_of, with_seed
from facearray.stats.decoding.result import Decoding
from facearray.stats.decoding.run import run
from facearray.stats.decoding.sample import make_sample
from facearray.stats.faces import one_face

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["decode"]


def decode(
    ds: xr.Dataset,
    y: str,
    X: Sets = "aus",
    *,
    model: Any,
    cv: Any = 10,
    groups: str | None = None,
    unit: str = "video",
    scoring: Scoring = None,
    permutations: int = 0,
    repeats: int = 1,
    seed: int = 0,
    client: Client | None = None,
    missing: Missing = "exclude",
    statistic: str = "mean",
    min_valid: float = 0.5,
    threshold: float | None = None,
) -> Decoding:
    """Predict a condition, or a number, from features of units that the model has not seen.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), of one face: choose it among several, as in
        ``ds.isel(face=0)``. The frames of a unit are reduced to one value first.
    y
        The target: a coordinate on the units, or a feature that is not in `X`. Texts, truth values and whole numbers
        are classes for a classifier.
    X
        Features, as for `facearray.selectors.select`: one set; or a dict with several sets by name, which are
        decoded one by one from the same units in the same folds.
    model
        A scikit-learn estimator or pipeline, an instance. It is copied for every fold, and whatever it learns, scaling
        and imputation too, it learns from the training set.
    cv
        A number of folds; ``"leave_one_group_out"``, with `groups`; or a scikit-learn splitter. A number is k-fold
        without shuffling over the units sorted by label, with the share of the classes kept for a classifier, and with
        `groups` kept together.
    groups
        Coordinate on the units that names what belongs together, such as ``"subject"``: training and test set never
        share a group.
    unit
        What an observation is: ``"video"``, another coordinate on ``video`` such as ``"subject"``, or ``"frame"``,
        which needs `groups`.
    scoring
        Name of a scikit-learn scorer or a scorer; by default accuracy for classifiers and R² for regressors.
    permutations
        Draws for a permutation test: the targets are dealt out to the units anew. Where there are no more
        arrangements than that, and at most 200,000, all are used.
    repeats
        Of k-fold, each time with other folds, drawn by `seed`.
    seed
        Of repeats and permutations, and the ``random_state`` of every step of `model` that has none.
    client
        A Dask client that shares folds and permutations; the result is the same.
    missing
        ``"exclude"``: units that lack a value of any feature of any set are left out of all sets, and listed.
        ``"keep"``: they go into the model, which has to know what to do with NaN, as a pipeline with an imputer does.
    statistic, min_valid, threshold
        How frames become one value a unit, as for `facearray.stats.unit_values`.

    Returns
    -------
    Decoding
        Labelled ``scores``, ``predictions``, ``chance``, ``p_value``, ``coef``, ``pattern``; ``model[set]`` fitted to
        all units, ``models[set, fold]``; ``predict(other)`` and ``score(other)`` for other detections. It prints as a
        results section.

    Raises
    ------
    InputError
        If a name is unknown or an option does not fit another; if there are several faces; if there are fewer units,
        groups or members of a class than folds; if the model is a class or cannot be fitted; with `permutations`, if
        units are frames and the target varies within videos.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    Permutations deal the targets out between all units; between the units of each group where the target varies
    within a group; and between whole groups where it does not. Frames change their targets with their whole video.
    Folds that depend on the target (stratified ones) are made anew for every permutation, so that the observed
    score and those it is compared with are the same function of the targets. p = (1 + b) / (1 + m), or b / m of all
    arrangements. ``p_adjusted`` compares with the largest score of all sets.

    Fits of scikit-learn's LinearDiscriminantAnalysis, with or without a StandardScaler before it, share their work
    between permutations when the score is accuracy; their predictions are those of scikit-learn.

    References
    ----------
    Haufe, S. et al. (2014). On the interpretation of weight vectors of linear models in multivariate neuroimaging.
    NeuroImage 87, 96-110.

    Ojala, M., & Garriga, G. C. (2010). Permutation tests for studying classifier performance. Journal of Machine
    Learning Research 11, 1833-1863.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> dims = ("video", "frame", "face", "feature")
    >>> ds = xr.Dataset(
    ...     {"features": (dims, np.array([1, 2, 3, 4, 6, 7, 8, 9], "f4").reshape(8, 1, 1, 1))},
    ...     coords={
    ...         "video": list("abcdefgh"),
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), np.zeros((8, 1), int)),
    ...         "condition": ("video", ["bad"] * 4 + ["good"] * 4),
    ...     },
    ... )
    >>> result = decode(ds, "condition", model=LinearDiscriminantAnalysis(), cv=4, permutations=1000)
    >>> result.scores.mean().item(), result.chance.item(), result.p_value.round(3).item()
    (1.0, 0.5, 0.029)
    >>> result.pattern.sel(feature_set="aus", feature="AU12").item() > 0
    True
    """
    task = task_of(model)
    ds = one_face(ds, "so that each unit is predicted once")
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    request = Request(
        y=y,
        sets=feature_sets(ds, X),
        model=with_seed(model, seed),
        task=task,
        cv=cv,
        groups=groups,
        repeats=repeats,
        scoring=scoring,
        permutations=permutations,
        seed=seed,
        missing=missing,
        unit=unit,
        statistic=statistic,
        min_valid=min_valid,
        threshold=threshold,
    )
    check(request)
    return run(make_sample(ds, request), request, ds, client)
