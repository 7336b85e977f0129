"""Regression of many features on the same regressors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal

import xarray as xr

from facearray import schema, selectors
from facearray._warning import warn_caller
from facearray.stats.regression.design import Codes
from facearray.stats.regression.estimates import Covariance, Link, Options
from facearray.stats.regression.frames import fit_frames
from facearray.stats.regression.request import Request, check, covariance
from facearray.stats.regression.result import few_treated_note, result_dataset
from facearray.stats.regression.units import fit_units
from facearray.stats.units import check_options

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client

__all__ = ["regress"]


def regress(
    ds: xr.Dataset,
    X: str | Iterable[str] | pd.DataFrame,
    y: str | Iterable[str] = "aus",
    *,
    contrasts: Codes | None = None,
    intercept: bool = True,
    unit: str = "video",
    cluster: str | None = None,
    random: str | Sequence[str] | None = None,
    cov: Covariance = "nonrobust",
    link: Link = "identity",
    correction: str | None = None,
    residuals: bool = False,
    confidence: float = 0.95,
    permutations: int = 0,
    blocks: str | None = None,
    n_draws: int = 9999,
    wild_weights: Literal["rademacher", "webb"] = "rademacher",
    seed: int = 0,
    client: Client | None = None,
    statistic: str = "mean",
    min_valid: float = 0.5,
    threshold: float | None = None,
) -> xr.Dataset:
    """Regress each of many features on the same regressors by least squares.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). The frames of a unit are reduced to one value first.
    X
        The regressors:

        - names of coordinates and features, as a list or with commas between them
        - a formula such as ``"condition * age"``, without a left side (a formula is code: do not take it from
          strangers)
        - a DataFrame with one row a unit, whose index has the units' labels

        Numbers are taken as they are. Texts are compared with the first level in alphabetical order (treatment codes),
        in terms named ``condition[T.level]``, unless `contrasts` gives them numbers.
    y
        Features to explain, as for `facearray.selectors.select`.
    contrasts
        Numbers for the levels of a coordinate, such as ``{"condition": {"goodNews": 1, "badNews": -1}}``; the term
        is then named after the coordinate. Every level needs one.
    intercept
        Whether to fit one.
    unit
        What an observation is: ``"video"``, another coordinate on ``video`` such as ``"subject"``, or ``"frame"``,
        which needs `cluster`.
    cluster
        Coordinate on ``video`` (or ``"video"`` itself, for frames) within which observations may depend on each other
        in any way.
    random
        Coordinate whose values are a sample, such as ``"subject"``, or several crossed ones, for a linear mixed model
        with random intercepts, and random slopes of all regressors that vary within them. Needs statsmodels
        (``pip install 'facearray[mixed]'``) and seconds a feature where effects are crossed. Not for frames.
    cov
        Standard errors: ``"nonrobust"`` (equal variances), ``"HC3"`` (unequal variances), and with `cluster`
        ``"CR2"``, ``"CR3"``, ``"CR1"`` or ``"wild"`` (see Notes). ``"nonrobust"`` stands for ``"CR2"`` with `cluster`,
        and for ``"HC3"`` with ``link="logit"``.
    link
        ``"identity"`` for a linear model; ``"logit"`` for a fractional logit model of features from 0 to 1, such as
        action units: effects shrink towards the ends of the scale, and no prediction lies outside it.
    correction
        For the features within each term, of each face; the intercept is not tested: ``"bonferroni"``, ``"holm"``,
        ``"fdr_bh"``, ``"fdr_by"``, and with `permutations` ``"max_t"``.
    residuals
        Whether the result has the residuals. Not for frames.
    confidence
        Level of the confidence intervals, 0 to 1.
    permutations
        Draws for a permutation test instead of the t distribution; with no more than 200,000 arrangements all are
        used. Not with `cluster`.
    blocks
        Coordinate on the units; units are exchanged within its levels only.
    n_draws, wild_weights
        Of the wild bootstrap: random weights a test, and their distribution, ±1 (``"rademacher"``) or Webb's six
        points, which are more liberal.
    seed
        Of permutations and bootstrap.
    client
        A Dask client that shares the permutations; the result is the same.
    statistic, min_valid, threshold
        How frames become one value a unit, as for `facearray.stats.unit_values`. Not for frames.

    Returns
    -------
    Dataset
        With dims (term, face, feature): ``beta``, ``se``, ``t``, ``df``, ``p``, ``p_adjusted`` (equal to ``p`` without
        a correction; NaN for the intercept), ``ci_low``, ``ci_high``, ``n`` (observations of the feature), and with
        `residuals` ``residual`` with dims (unit, face, feature). With ``link="logit"`` coefficients are log odds
        ratios, and ``effect`` is the average marginal effect: the mean over units of the derivative of the share by the
        regressor. Terms are named after the regressors, and ``Intercept``. Attributes say what was done;
        `facearray.stats.describe` puts them into words.

    Raises
    ------
    InputError
        If a name is unknown or an option does not fit another; if a regressor is constant or collinear with others;
        if there are fewer than 6 clusters; if the unit is the frame without `cluster`; if a feature has values outside
        0 to 1 with ``link="logit"``.
    FaceArrayError
        If statsmodels is needed and not installed.
    SchemaError
        If ``ds`` does not follow the schema.

    Warns
    -----
    UserWarning
        If fewer than 5 clusters differ from the others in a regressor: then too many results of CR1 are significant,
        and too few of the others.

    Notes
    -----
    A missing value of one feature leaves the other features alone: the design is solved once for all features that
    miss the same units. df = n - rank.

    Clustered standard errors are CR2 or CR3 with degrees of freedom after Bell & McCaffrey, CR1 with G - 1 degrees of
    freedom, or CR1 with p values and confidence limits of the wild cluster bootstrap-t; see `docs/statistics.md` for
    formulas, references and measured false-positive rates. Frames are summed cluster by cluster while they are read, so
    that memory does not grow with their number.

    Every unit may be a cluster of its own: ``cov="CR3", cluster="video"`` is HC3 with degrees of freedom that are right
    for few units in one of two groups, too, where those of HC3, n - rank, are too many.

    Mixed models are fitted by restricted maximum likelihood, feature by feature. Their degrees of freedom are those of
    the groups: less the number of coefficients that do not vary within groups, or less 1 for those that do. A random
    intercept alone, with a condition that varies within persons, is not on offer: it gives false positives.

    Permutation tests deal the values of a single regressor out to the units anew, and put residuals into another order
    where there are several (Freedman & Lane 1983). A statistic is always studentised.

    References
    ----------
    MacKinnon, J. G., & White, H. (1985). Some heteroskedasticity-consistent covariance matrix estimators with improved
    finite sample properties. Journal of Econometrics 29, 305-325.

    Pustejovsky, J. E., & Tipton, E. (2018). Small-sample methods for cluster-robust variance estimation and hypothesis
    testing in fixed effects models. Journal of Business & Economic Statistics 36, 672-683.

    Bell, R. M., & McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with multi-stage
    samples. Survey Methodology 28, 169-181.

    Freedman, D., & Lane, D. (1983). A nonstochastic interpretation of reported significance levels. Journal of Business
    & Economic Statistics 1, 292-298.

    Cameron, A. C., Gelbach, J. B., & Miller, D. L. (2008). Bootstrap-based improvements for inference with clustered
    errors. Review of Economics and Statistics 90, 414-427.

    Papke, L. E., & Wooldridge, J. M. (1996). Econometric methods for fractional response variables. Journal of Applied
    Econometrics 11, 619-632.

    Westfall, P. H., & Young, S. S. (1993). Resampling-based multiple testing. Wiley (``"max_t"``).

    Examples
    --------
    >>> import numpy as np
    >>> dims = ("video", "frame", "face", "feature")
    >>> ds = xr.Dataset(
    ...     {"features": (dims, np.array([1, 2, 2, 6, 5, 8], "f4").reshape(6, 1, 1, 1))},
    ...     coords={
    ...         "video": list("abcdef"),
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), np.zeros((6, 1), int)),
    ...         "condition": ("video", ["bad"] * 3 + ["good"] * 3),
    ...     },
    ... )
    >>> result = regress(ds, "condition", contrasts={"condition": {"good": 1, "bad": -1}})
    >>> result.beta.sel(term="condition").item(), result.df.sel(term="condition").item()
    (2.333..., 4.0)
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    request = Request(
        outcomes=selectors.feature_names(ds, y),
        contrasts=contrasts,
        intercept=intercept,
        unit=unit,
        cluster=cluster,
        options=Options(covariance(cov, cluster, link), confidence, n_draws, wild_weights, seed, link),
        correction=correction,
        residuals=residuals,
        permutations=permutations,
        blocks=blocks,
        random=() if random is None else (random,) if isinstance(random, str) else tuple(random),
    )
    check(request, cov)
    if unit == "frame" and cluster is not None:
        check_options(unit, statistic, min_valid, None, threshold)
        fitted = fit_frames(ds, X, request, cluster)
    else:
        reduce = {"unit": unit, "statistic": statistic, "min_valid": min_valid, "threshold": threshold}
        fitted = fit_units(ds, X, request, reduce, client)
    result = result_dataset(fitted, request)
    if fitted.few_treated:
        warn_caller(few_treated_note(fitted, request.options.cov))
    return result
