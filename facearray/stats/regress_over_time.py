"""Regression at every time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema, selectors
from facearray._warning import warn_caller
from facearray._words import some
from facearray.errors import InputError, unknown_names
from facearray.stats.corrections import METHODS
from facearray.stats.kernels.cluster_mass import ClusterTest, mass_test
from facearray.stats.regression.design import Codes
from facearray.stats.regression.estimates import Covariance, Estimates, Options, permute, term_tests
from facearray.stats.regression.request import Fitted, Request, check, covariance
from facearray.stats.regression.result import result_dataset
from facearray.stats.regression.units import Asked, fit_values, regressors_asked
from facearray.stats.time_resolved.rules import CLUSTER, ClusterRule, Neighbours, check_rule, cluster_variables
from facearray.stats.time_resolved.windows import TimeValues, make_windows, window_values

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client

__all__ = ["regress_over_time"]


def regress_over_time(
    ds: xr.Dataset,
    X: str | Iterable[str] | pd.DataFrame,
    y: str | Iterable[str] = "aus",
    *,
    window: float,
    step: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    contrasts: Codes | None = None,
    unit: str = "video",
    cluster: str | None = None,
    cov: Covariance = "nonrobust",
    correction: str | None = None,
    confidence: float = 0.95,
    permutations: int = 0,
    blocks: str | None = None,
    cluster_alpha: float = 0.05,
    cluster_threshold: float | None = None,
    neighbours: Neighbours | None = None,
    seed: int = 0,
    client: Client | None = None,
    min_valid: float = 0.5,
) -> xr.Dataset:
    """Regress features on the same regressors in every window of time.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature) and times.
    X
        The regressors, as for `facearray.stats.regress`: names of coordinates on the units, a formula of them, or a
        DataFrame with one row a unit. They are the same in all windows, so that features cannot be among them.
    y
        Features to explain, as for `facearray.selectors.select`.
    window, step
        Length of the windows and the distance of their beginnings (by default half a window), in seconds of the frames'
        own timestamps. The frames of a unit in a window become one value a feature.
    start, stop
        Where the first window begins (by default with the first frame of any video), and what no window goes beyond
        (by default the end of the longest video), in seconds.
    contrasts, unit, cluster, cov, confidence, blocks
        As for `facearray.stats.regress`.
    correction
        For all windows and features within each term, of each face: ``"bonferroni"``, ``"holm"``, ``"fdr_bh"``,
        ``"fdr_by"``; with `permutations` also ``"max_t"``, by the largest t of all without its sign, and
        ``"cluster"``, by clusters of neighbouring windows.
    permutations
        Draws for a permutation test, in the same order of the units in all windows; with no more than 200,000
        arrangements all are used. Not with `cluster`.
    cluster_alpha, cluster_threshold
        With ``correction="cluster"``: level of the single tests at which windows form clusters, or ``|t|`` itself.
    neighbours
        With ``correction="cluster"``: pairs of features whose windows of the same time are neighbours, too, as in
        ``[("AU06", "AU12")]``. By default clusters are of one feature.
    seed
        Of the permutations.
    client
        A Dask client that shares the permutations; the result is the same.
    min_valid
        Smallest share, 0 to 1, of a window's seconds in which a unit has to have a value of a feature; with less, it
        is NaN there and left out.

    Returns
    -------
    Dataset
        With dims (term, time, face, feature), where ``time`` are the middles of the windows: ``beta``, ``se``, ``t``,
        ``df``, ``p``, ``p_adjusted`` (equal to ``p`` without a correction; NaN for the intercept), ``ci_low``,
        ``ci_high``, ``n`` (units with a value in the window), and ``coverage`` (time, face, feature), the mean share of
        the window's seconds with a value. With clusters also ``cluster`` (0 for none) and ``cluster_mass``; see
        `facearray.stats.clusters`. Attributes say what was done; `facearray.stats.describe` puts them into words.

    Raises
    ------
    InputError
        If a name is unknown or an option does not fit another; if a regressor is constant or collinear with others; if
        a window is longer than the longest video or shorter than the distance of frames.
    SchemaError
        If ``ds`` does not follow the schema, or a frame's time is unknown.

    Notes
    -----
    Units without a value in a window, such as videos that have ended, leave that window only; the others of a permuted
    order keep theirs. The p of a cluster says that the feature is related to the regressor at some time, not where its
    relation begins or ends (Sassenhagen & Draschkow 2019).

    References
    ----------
    Maris, E. & Oostenveld, R. (2007). Nonparametric statistical testing of EEG- and MEG-data. Journal of Neuroscience
    Methods 164.

    Sassenhagen, J. & Draschkow, D. (2019). Cluster-based permutation tests of MEG/EEG data do not establish
    significance of effect latency or location. Psychophysiology 56.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age, number = np.arange(12.0), np.tile(np.arange(50), (12, 1))
    >>> smile = rng.normal(size=(12, 50)) + 0.5 * age[:, None] * (number >= 25)
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), smile[:, :, None, None])},
    ...     coords={
    ...         "video": [f"{i:02}" for i in range(12)],
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), number),
    ...         "timestamp": (("video", "frame"), number / 25),
    ...         "age": ("video", age),
    ...     },
    ... )
    >>> result = regress_over_time(ds, "age", window=0.5, step=0.5, permutations=499, correction="cluster")
    >>> result.beta.sel(term="age", face=0, feature="AU12").round(1).values.tolist()
    [0.0, -0.0, 0.5, 0.5]
    >>> result.p_adjusted.sel(term="age", face=0, feature="AU12").values.tolist()
    [1.0, 1.0, 0.002, 0.002]
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    features = selectors.feature_names(ds, y)
    request = Request(
        outcomes=features,
        contrasts=contrasts,
        intercept=True,
        unit=unit,
        cluster=cluster,
        options=Options(covariance(cov, cluster), confidence, seed=seed),
        correction=None if correction == CLUSTER else correction,
        residuals=False,
        permutations=permutations,
        blocks=blocks,
    )
    rule = ClusterRule.of(cluster_alpha, cluster_threshold, neighbours)
    _check(request, cov, correction, rule)
    asked = _without_features(regressors_asked(ds, X))
    axis = make_windows(ds, window, step, start, stop)
    values = window_values(ds, axis, unit=unit, features=features, min_valid=min_valid)
    pairs = rule.pairs(axis.n, features)
    flat = replace(request, outcomes=values.flat_names)
    units = values.flat()
    tests = _Tests(flat, rule if correction == CLUSTER else None, pairs, client)
    fitted = fit_values(units, asked, flat, {"feature": xr.Variable("feature", units.features)}, tests)
    result = _unstacked(result_dataset(fitted, flat), values, fitted)
    if correction == CLUSTER:
        result = _with_clusters(result, tests, fitted, values).assign_attrs(correction=CLUSTER, **rule.attrs)
    if fitted.few_treated:
        warn_caller(
            f"fewer than 5 clusters differ from the others in {', '.join(fitted.few_treated)}: p is too small",
        )
    return result


def _check(request: Request, cov: str, correction: str | None, rule: ClusterRule) -> None:
    known = [*METHODS, "max_t", CLUSTER]
    if correction is not None and correction not in known:
        raise unknown_names("correction", [str(correction)], known)
    if request.unit == "frame":
        raise InputError(
            "found unit='frame'; expected units that have one value in every window, 'video' or a coordinate on video"
        )
    if cov == "wild":
        raise InputError("found cov='wild'; expected another: use permutations=, with correction='max_t' or 'cluster'")
    check(request, cov)
    if correction == CLUSTER and not request.permutations:
        raise InputError("found correction='cluster' without permutations; expected permutations > 0")
    check_rule(rule, used=correction == CLUSTER)


def _without_features(asked: Asked) -> Asked:
    if asked.named.features:
        raise InputError(
            f"found features among the regressors: {some(map(repr, asked.named.features))}; expected what is the same "
            "in all windows: join a number a video first, as in ds.fex.join(means, name='mean_yaw')"
        )
    return asked


@dataclass
class _Tests:
    """Tests the terms of one face after the other by permutations, and keeps the clusters."""

    request: Request
    rule: ClusterRule | None
    pairs: NDArray[np.intp]
    client: Any
    by_face: list[dict[int, ClusterTest]] = field(default_factory=list)

    def __call__(
        self,
        estimates: Estimates,
        X: NDArray[np.float64],
        Y: NDArray[np.float64],
        tested: NDArray[np.intp],
        blocks: NDArray[np.intp] | None,
    ) -> None:
        options: dict[str, Any] = {
            "n_permutations": self.request.permutations,
            "seed": self.request.options.seed,
            "client": self.client,
        }
        if self.rule is None:
            permute(estimates, X, Y, tested, blocks, **options)
            return
        found = {}
        for test in term_tests(X, Y, tested, blocks, signed=True):
            j = test.term
            observed = np.where(np.isnan(estimates.se[j]), np.nan, test.observed)
            # of the units with a value: the same in all arrangements
            df = (~np.isnan(Y)).sum(axis=0) - float(X.shape[1])
            threshold = self.rule.of_t(df)
            found[j] = mass_test(test.statistic, observed, test.arrangements, self.pairs, threshold, **options)
            estimates.p[j], estimates.p_max = found[j].points.p, None
            estimates.arrangements[j] = (found[j].points.n_arrangements, found[j].points.exact)
        self.by_face.append(found)


def _unstacked(result: xr.Dataset, values: TimeValues, fitted: Fitted) -> xr.Dataset:
    """Give windows and features dims of their own."""
    dims = ("term", "time", "face", "feature")
    n_windows, n_features = values.axis.n, len(values.features)
    data: dict[str, Any] = {}
    for name, variable in result.data_vars.items():
        array = variable.to_numpy()
        array = array.reshape(*array.shape[:2], n_windows, n_features)
        data[str(name)] = (dims, np.moveaxis(array, 2, 1))
    data["coverage"] = (dims[1:], values.mean_coverage())
    coords: dict[Any, Any] = {
        "term": result["term"],
        **values.axis.coordinates(),
        "face": values.faces,
        **values.feature_coords,
    }
    family = f"the {n_windows} windows of {n_features} features within each term, of each face"
    notes = [*values.notes(), *result.attrs["notes"]]
    attrs = result.attrs | values.attrs | {"method": "regress_over_time", "family": family, "notes": notes}
    attrs["excluded"] = fitted.attrs["excluded"]
    return xr.Dataset(data, coords=coords).assign_attrs(attrs)


def _with_clusters(result: xr.Dataset, tests: _Tests, fitted: Fitted, values: TimeValues) -> xr.Dataset:
    shape = values.axis.n, len(values.features)
    arrays: dict[str, list[NDArray[Any]]] = {}
    # a face without values has no test
    by_face = iter(tests.by_face)
    faces = [next(by_face) if estimates.n.any() else {} for estimates in fitted.by_face]
    for found in faces:
        of_terms = cluster_variables([found.get(j) for j in range(len(fitted.terms))], shape)
        for name, array in of_terms.items():
            arrays.setdefault(name, []).append(array)
    dims = ("term", "time", "face", "feature")
    data = {name: (dims, np.stack(parts, axis=2)) for name, parts in arrays.items()}
    result = result.assign(data)
    order = "beta se t p p_adjusted cluster cluster_mass df ci_low ci_high n coverage".split()
    return result[order]
