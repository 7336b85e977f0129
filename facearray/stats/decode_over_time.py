"""Decoding at every time: when, and how stably, a target can be predicted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from facearray import schema
from facearray.errors import InputError, unknown_names
from facearray.stats.corrections import METHODS, adjust
from facearray.stats.decoding.request import Request, Scoring, Sets, check, feature_sets, task_of, with_seed
from facearray.stats.decoding.run import attrs_of, cv_words, scoring_name
from facearray.stats.decoding.sample import population_of
from facearray.stats.faces import one_face
from facearray.stats.kernels.cluster_mass import grid_neighbours
from facearray.stats.time_resolved.decoding import Decoded, cluster_p, decode_windows, largest_p, single_p
from facearray.stats.time_resolved.rules import CLUSTER, ClusterRule, check_rule
from facearray.stats.time_resolved.windows import TimeValues, make_windows, window_values

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["decode_over_time"]

MAX_SCORE = "max_score"

_TEXT = np.dtypes.StringDType()


def decode_over_time(
    ds: xr.Dataset,
    y: str,
    X: Sets = "aus",
    *,
    window: float,
    step: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    model: Any,
    generalize: bool = False,
    cv: Any = 10,
    groups: str | None = None,
    unit: str = "video",
    scoring: Scoring = None,
    permutations: int = 0,
    correction: str | None = None,
    cluster_alpha: float = 0.05,
    cluster_threshold: float | None = None,
    repeats: int = 1,
    seed: int = 0,
    client: Client | None = None,
    min_valid: float = 0.5,
) -> xr.Dataset:
    """Predict a condition, or a number, from the features in every window of time.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature) and times, of one face: choose it among several, as in
        ``ds.isel(face=0)``.
    y
        The target: a coordinate on the units. Texts, truth values and whole numbers are classes for a classifier.
    X
        Features, as for `facearray.selectors.select`: one set; or a dict with several sets by name.
    window, step
        Length of the windows and the distance of their beginnings (by default half a window), in seconds of the frames'
        own timestamps. The frames of a unit in a window become one value a feature.
    start, stop
        Where the first window begins (by default with the first frame of any video), and what no window goes beyond
        (by default the end of the longest video), in seconds.
    model
        A scikit-learn estimator or pipeline, an instance. It is copied for every window and fold, and whatever it
        learns, scaling too, it learns from the training set of that window.
    generalize
        Whether models that were fitted in one window are also applied to the held-out units in all others (King &
        Dehaene 2014); the result has a second dim of windows then.
    cv, groups, unit, scoring, repeats
        As for `facearray.stats.decode`.
    permutations
        Draws for a permutation test: the targets are dealt out to the units anew, in the same way in all windows.
        Where there are no more arrangements than that, and at most 200,000, all are used.
    correction
        For all windows and feature sets: ``"max_score"``, by the largest of all scores (the default with
        `permutations`); ``"cluster"``, by clusters of neighbouring windows; ``"bonferroni"``, ``"holm"``, ``"fdr_bh"``
        or ``"fdr_by"``.
    cluster_alpha, cluster_threshold
        With ``correction="cluster"``: level at which windows form clusters, or the standardised score itself.
    seed
        Of the order of the units in folds, of permutations and repeats, and the ``random_state`` of every step of
        `model` that has none.
    client
        A Dask client that shares the permutations; the result is the same.
    min_valid
        Smallest share, 0 to 1, of a window's seconds in which a unit has to have a value of a feature; with less, it
        is NaN there and left out.

    Returns
    -------
    Dataset
        With dims (feature_set, time), or (feature_set, time, time_test) with `generalize`, where ``time`` are the
        middles of the windows: ``score`` (mean over folds), ``chance``, ``n`` (units: those that have all features, and
        are in both windows) and ``coverage`` (mean share of the window's seconds with values). With `permutations`
        ``p`` and ``p_adjusted``, with clusters also ``cluster`` (0 for none) and ``cluster_mass``; see
        `facearray.stats.clusters`. Attributes say what was done; `facearray.stats.describe` puts them into words.

    Raises
    ------
    InputError
        If a name is unknown or an option does not fit another; if there are several faces; if a window is longer than
        the longest video or shorter than the distance of frames; if no window can be decoded.
    SchemaError
        If ``ds`` does not follow the schema, or a frame's time is unknown.

    Notes
    -----
    Each window is a decoding of its own, of the units that have a value of every feature in it, in folds that are made
    of these: videos that have ended drop out, and ``n`` counts the others. Units are put into a random order first,
    which `seed` draws and all windows share. A window with fewer units (groups, or units
    of a class) than folds has no score, and is noted. With `generalize` a unit is never in the training set of one
    window and in the test set of another.

    Permutations: the target stays the same in all windows of a unit, so that scores of neighbouring windows depend on
    each other as the observed ones do. p compares the score above chance, since in windows from which units are missing
    chance is another one in every arrangement; ``"max_score"`` and ``"cluster"`` compare it in standard deviations from
    its mean over all arrangements, so that windows of few units, whose scores vary most, do not decide. p = (1 + b) /
    (1 + m), or b / m of all arrangements.

    References
    ----------
    King, J.-R. & Dehaene, S. (2014). Characterizing the dynamics of mental representations: the temporal generalization
    method. Trends in Cognitive Sciences 18.

    Maris, E. & Oostenveld, R. (2007). Nonparametric statistical testing of EEG- and MEG-data. Journal of Neuroscience
    Methods 164.

    Examples
    --------
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> rng = np.random.default_rng(0)
    >>> good, number = np.arange(12) % 2 == 0, np.tile(np.arange(50), (12, 1))
    >>> smile = rng.normal(size=(12, 50)) + 3 * good[:, None] * (number >= 25)
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), smile[:, :, None, None])},
    ...     coords={
    ...         "video": [f"{i:02}" for i in range(12)],
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), number),
    ...         "timestamp": (("video", "frame"), number / 25),
    ...         "condition": ("video", np.where(good, "good", "bad")),
    ...     },
    ... )
    >>> lda = LinearDiscriminantAnalysis()
    >>> result = decode_over_time(ds, "condition", window=0.5, step=0.5, model=lda, cv=3, permutations=199)
    >>> result.time.values.tolist(), (result.p_adjusted <= 0.05).values.tolist()
    ([0.25, 0.75, 1.25, 1.75], [[False, False, True, True]])
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
        missing="exclude",
        unit=unit,
        statistic="mean",
        min_valid=min_valid,
        threshold=None,
    )
    rule = ClusterRule.of(cluster_alpha, cluster_threshold, None)
    _check(request, correction, rule)
    correction = MAX_SCORE if permutations and correction is None else correction
    axis = make_windows(ds, window, step, start, stop)
    values = window_values(ds, axis, unit=unit, features=request.features, min_valid=min_valid)
    decoded = decode_windows(values, request, generalize=generalize, client=client)
    return _result(values, decoded, request, correction, rule, generalize=generalize)


def _check(request: Request, correction: str | None, rule: ClusterRule) -> None:
    check(request)
    known = [*METHODS, MAX_SCORE, CLUSTER]
    if correction is not None and correction not in known:
        raise unknown_names("correction", [str(correction)], known)
    if correction is not None and not request.permutations:
        raise InputError(f"found correction={correction!r} without permutations; expected permutations > 0")
    check_rule(rule, used=correction == CLUSTER)


def _result(
    values: TimeValues,
    decoded: Decoded,
    request: Request,
    correction: str | None,
    rule: ClusterRule,
    *,
    generalize: bool,
) -> xr.Dataset:
    dims = ("feature_set", "time", "time_test") if generalize else ("feature_set", "time")
    shape = decoded.score.shape
    axis = values.axis
    used = values.take(np.isin(values.labels, decoded.sample.rows.labels)).mean_coverage()
    of_sets = np.stack(
        [
            used[:, 0, [values.features.tolist().index(f) for f in features]].mean(axis=-1)
            for features in request.sets.values()
        ]
    )
    data: dict[str, Any] = {
        "score": (dims, decoded.score),
        "chance": (dims, decoded.chance),
        "n": (dims[1:], decoded.n.astype(np.int64)),
        "coverage": (dims[:2], of_sets),
    }
    if decoded.null is not None and correction is not None:
        arrays = _p_values(decoded, shape, correction, rule, generalize=generalize)
        data |= {name: (dims, array) for name, array in arrays.items()}
    coords: dict[str, Any] = {"feature_set": np.array(list(request.sets), dtype=_TEXT), **axis.coordinates()}
    if generalize:
        coords |= axis.coordinates("time_test")
    result = xr.Dataset(data, coords=coords)
    return result.assign_attrs(_attrs(values, decoded, request, correction, rule))


def _p_values(
    decoded: Decoded, shape: tuple[int, ...], correction: str, rule: ClusterRule, *, generalize: bool
) -> dict[str, Any]:
    null = decoded.null
    if null is None:
        return {}
    observed = (decoded.score - decoded.chance).ravel()
    if correction == CLUSTER:
        neighbours = grid_neighbours(shape, [1, 2] if generalize else [1])
        found = cluster_p(null, observed, neighbours, rule)
        names = ("p", "p_adjusted", "cluster", "cluster_mass")
        return {name: np.reshape(getattr(found, name), shape) for name in names}
    p = single_p(null, observed)
    adjusted = largest_p(null, observed) if correction == MAX_SCORE else adjust(p, correction, axis=-1)
    return {"p": p.reshape(shape), "p_adjusted": adjusted.reshape(shape)}


def _attrs(
    values: TimeValues, decoded: Decoded, request: Request, correction: str | None, rule: ClusterRule
) -> dict[str, Any]:
    sample, null = decoded.sample, decoded.null
    folds = next(window.folds for window in decoded.windows if window.folds is not None)
    attrs: dict[str, Any] = values.attrs | {
        "method": "decode_over_time",
        "y": request.y,
        "task": request.task,
        "model": request.model_name,
        "n": sample.n,
        "n_units": sample.n,
        "seed": request.seed,
        "cv": cv_words(folds, request).replace(", not shuffled", ", units in random order"),
        "scoring": scoring_name(request),
        "population": population_of(sample, request),
        "excluded": sample.rows.excluded,
        "notes": list(_notes(values, decoded, request)),
    }
    attrs |= attrs_of(sample, request, null)
    if null is not None and correction is not None:
        attrs |= {
            "correction": correction,
            "family": f"{decoded.score.size} scores of {_sets(request)}",
        }
        attrs |= rule.attrs if correction == CLUSTER else {}
    return attrs


def _sets(request: Request) -> str:
    return f"{len(request.sets)} feature set{'s' * (len(request.sets) != 1)}"


def _notes(values: TimeValues, decoded: Decoded, request: Request) -> Iterator[str]:
    without = [
        f"{time:g} s ({window.reason})"
        for time, window in zip(values.axis.centres, decoded.windows, strict=True)
        if window.folds is None
    ]
    if without:
        more = f"; and {len(without) - 3} more" if len(without) > 3 else ""
        yield f"{len(without)} of {values.axis.n} windows have no score: {'; '.join(without[:3])}{more}"
    yield from values.notes()
    null = decoded.null
    if null is None:
        return
    if null.p_min > 0.05:
        yield (
            f"p cannot be below {null.p_min:.2g}, whatever the scores are: {len(null.scores)} permutations, of "
            f"{null.n_possible} arrangements {null.scheme}"
        )
    undefined = int((np.isnan(null.scores) & ~np.isnan(decoded.score.ravel())).any(axis=1).sum())
    if undefined:
        yield f"{undefined} permutations have no score in some window of {request.y}, and count as at least as large"
