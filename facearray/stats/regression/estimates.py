"""Fits of a design to outcomes, as arrays: coefficients with everything that a result reports about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.cluster import Kind, Sums, cluster_fit, cluster_sums, wild_bootstrap
from facearray.stats.kernels.ols import Fit, complete_rows, ols, two_sided_p
from facearray.stats.kernels.resampling import FreedmanLane, Labels, Orders, Slope, permutation_test

__all__ = [
    "FEWEST_CLUSTERS",
    "Estimates",
    "Options",
    "TermTest",
    "fit_clusters",
    "fit_rows",
    "limits",
    "permute",
    "term_tests",
]

Covariance = Literal["nonrobust", "HC3", "CR1", "CR2", "CR3", "wild"]
Link = Literal["identity", "logit"]

#: Below this number of clusters, no standard error that uses them can be trusted.
FEWEST_CLUSTERS = 6

#: HC3 standard errors with fewer effective degrees of freedom are flagged, if they are less than half of n - rank.
FEW_DF = 10

#: Standard deviations of the residuals of two groups, one over the other, from which on they are called different.
DIFFERENT = 2.0

#: Groups are called unequal if the smaller one has a smaller share than this.
UNEQUAL = 0.4

#: Below this number of clusters on one side of a comparison, the result is flagged.
FEW_TREATED = 5


@dataclass(frozen=True, slots=True)
class Options:
    """How standard errors, confidence limits and p values are found."""

    cov: Covariance
    confidence: float = 0.95
    n_draws: int = 9999
    wild_weights: Literal["rademacher", "webb"] = "rademacher"
    seed: int = 0
    link: Link = "identity"


@dataclass(slots=True)
class Estimates:
    """Coefficients (k, m) of k terms for m outcomes, and what belongs to them.

    ``n`` and ``n_clusters`` are (m,); ``few_treated`` (k, m) says where nearly all clusters have the same value of a
    regressor; ``residual`` is (n, m), or None where nobody asked for residuals; ``arrangements`` says by term how
    many a permutation test used, and whether these were all. ``unequal`` (k, m) says where residuals spread differently
    in groups of different size, ``uncertain`` (k, m) where few units decide what an HC3 standard error is. Of
    fractional models, ``effect`` (k, m) is the average marginal effect, ``separated`` (m,) says where there is no
    finite estimate, and ``edge`` (m,) where shares near 0 or 1 in few units may make p too small.
    """

    beta: NDArray[np.float64]
    se: NDArray[np.float64]
    df: NDArray[np.float64]
    p: NDArray[np.float64]
    ci_low: NDArray[np.float64]
    ci_high: NDArray[np.float64]
    n: NDArray[np.int64]
    n_clusters: NDArray[np.int64] | None = None
    few_treated: NDArray[np.bool_] | None = None
    residual: NDArray[np.float64] | None = None
    p_max: NDArray[np.float64] | None = None
    singular: NDArray[np.bool_] | None = None
    unequal: NDArray[np.bool_] | None = None
    uncertain: NDArray[np.bool_] | None = None
    effect: NDArray[np.float64] | None = None
    separated: NDArray[np.bool_] | None = None
    edge: NDArray[np.bool_] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    arrangements: dict[int, tuple[int, bool]] = field(default_factory=dict)

    @classmethod
    def empty(cls, k: int, m: int) -> Estimates:
        """Make estimates that are all missing."""
        beta, se, df, p, low, high = (np.full((k, m), np.nan) for _ in range(6))
        return cls(beta, se, df, p, low, high, np.zeros(m, dtype=np.int64))

    @property
    def t(self) -> NDArray[np.float64]:
        """Coefficients over their standard errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.beta / self.se


def fit_rows(
    X: NDArray[np.float64],
    Y: NDArray[np.float64],
    cluster: NDArray[np.intp] | None,
    options: Options,
    *,
    residuals: bool = False,
) -> Estimates:
    """Fit outcomes (n, m) on a design (n, k), in clusters (n,) where the covariance asks for them."""
    plain = ols(X, Y, hc3=options.cov == "HC3", residuals=residuals)
    if cluster is not None:
        groups = (
            (cluster_sums(X[rows], Y[np.ix_(rows, columns)], cluster[rows]), columns)
            for rows, columns in complete_rows(Y)
            if rows.any()
        )
        clustered = fit_clusters(groups, X.shape[1], Y.shape[1], options)
        clustered.residual = plain.residual
        return clustered
    estimates = Estimates(plain.beta, plain.se, plain.df, *limits(plain.beta, plain.se, plain.df, options), plain.n)
    estimates.residual = plain.residual
    estimates.unequal = _spreads_differ(X, plain)
    with np.errstate(invalid="ignore"):
        estimates.uncertain = (plain.robust_df < FEW_DF) & (plain.robust_df < plain.df / 2)
    return estimates


def _spreads_differ(X: NDArray[np.float64], fit: Fit) -> NDArray[np.bool_]:
    """Regressors (k, m) of two values, one of them rarer, whose residuals spread more or less by `DIFFERENT`."""
    # only a regressor of two values has groups whose spreads could differ
    two_values = np.atleast_1d((~np.isnan(fit.spread)).any(axis=1))
    share = np.full(len(two_values), 0.5)
    share[two_values] = [min((x == x.min()).mean(), (x == x.max()).mean()) for x in X.T[two_values]]
    with np.errstate(invalid="ignore"):
        different = (fit.spread >= DIFFERENT) | (fit.spread <= 1 / DIFFERENT)
    flags: NDArray[np.bool_] = different & (share < UNEQUAL)[:, None]
    return flags


def fit_clusters(groups: Iterable[tuple[Sums, NDArray[np.intp]]], k: int, m: int, options: Options) -> Estimates:
    """Fit m outcomes on k regressors, known by their sums over clusters, one group of outcomes after the other."""
    result = Estimates.empty(k, m)
    result.n_clusters = np.zeros(m, dtype=np.int64)
    result.few_treated = np.zeros((k, m), dtype=bool)
    for sums, columns in groups:
        result.n[columns], result.n_clusters[columns] = sums.n, len(sums.gram)
        if len(sums.gram) < FEWEST_CLUSTERS:
            continue
        fit = cluster_fit(sums, "CR1" if options.cov == "wild" else cluster_kind(options.cov))
        result.beta[:, columns], result.se[:, columns], result.df[:, columns] = fit.beta, fit.se, fit.df
        result.few_treated[:, columns] = (_clusters_that_differ(sums) < FEW_TREATED)[:, None]
        if options.cov == "wild":
            wild = wild_bootstrap(
                sums, n_draws=options.n_draws, weights=options.wild_weights, level=options.confidence, seed=options.seed
            )
            found = wild.p, wild.ci_low, wild.ci_high
            result.details |= {"wild_weights": options.wild_weights, "n_draws": wild.n_draws}
        else:
            found = limits(fit.beta, fit.se, fit.df, options)
        result.p[:, columns], result.ci_low[:, columns], result.ci_high[:, columns] = found
    return result


def cluster_kind(cov: Covariance) -> Kind:
    """Kind of a cluster-robust covariance."""
    if cov not in ("CR1", "CR2", "CR3"):
        raise ValueError(cov)
    return cov


def few_clusters(X: NDArray[np.float64], cluster: NDArray[np.intp]) -> tuple[int, NDArray[np.bool_]]:
    """Count the clusters (n,) of a design (n, k), and say which regressors (k,) are the same in nearly all of them."""
    sums = cluster_sums(X, X[:, :0], cluster)
    return len(sums.gram), _clusters_that_differ(sums) < FEW_TREATED


def limits(
    beta: NDArray[np.float64], se: NDArray[np.float64], df: NDArray[np.float64], options: Options
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """P value and confidence limits by the t distribution."""
    from scipy.special import stdtrit

    # most coefficients have the same degrees of freedom
    distinct, which = np.unique(df, return_inverse=True)
    usable = np.isfinite(distinct) & (distinct > 0)
    quantile = np.where(usable, stdtrit(np.where(usable, distinct, 1.0), (1 + options.confidence) / 2), np.nan)
    half = quantile[which].reshape(df.shape) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        t = beta / se
    return two_sided_p(t, df), beta - half, beta + half


def _clusters_that_differ(sums: Sums) -> NDArray[np.intp]:
    """Clusters (k,) that tell something about each regressor: it varies in them, or its value is not the usual one.

    A regressor that is the same everywhere is no comparison, and is said to differ in all clusters.
    """
    n_clusters, n_regressors = sums.totals.shape
    means = sums.totals / sums.sizes[:, None]
    squares = np.diagonal(sums.gram, axis1=1, axis2=2)
    varies = squares - sums.sizes[:, None] * means**2 > 1e-9 * squares
    differ = np.empty(n_regressors, dtype=np.intp)
    for j in range(n_regressors):
        values, count = np.unique(means[~varies[:, j], j].round(9), return_counts=True)
        same_everywhere = len(values) == 1 and not varies[:, j].any()
        differ[j] = n_clusters if same_everywhere else n_clusters - count.max(initial=0)
    return differ


def permute(
    estimates: Estimates,
    X: NDArray[np.float64],
    Y: NDArray[np.float64],
    tested: NDArray[np.intp],
    blocks: NDArray[np.intp] | None,
    *,
    n_permutations: int,
    seed: int,
    client: Any,
) -> None:
    """Replace the p values of the tested terms by those of permutations.

    A regressor that has nothing but an intercept beside it is dealt out to the units anew; beside others, the
    residuals of the outcomes are put into another order (Freedman & Lane 1983).
    """
    estimates.p[:] = np.nan
    estimates.p_max = np.full(estimates.p.shape, np.nan)
    for test in term_tests(X, Y, tested, blocks):
        j = test.term
        result = permutation_test(
            test.statistic,
            np.where(np.isnan(estimates.se[j]), np.nan, test.observed),
            test.arrangements,
            n_permutations=n_permutations,
            seed=seed,
            client=client,
        )
        estimates.p[j], estimates.p_max[j] = result.p, result.p_max
        estimates.arrangements[j] = (result.n_arrangements, result.exact)


@dataclass(frozen=True, slots=True)
class TermTest:
    """How a term of a design is tested by permutation: |t|, or t, of each outcome in arrangements of the units."""

    term: int
    statistic: Slope | FreedmanLane
    arrangements: Labels | Orders
    observed: NDArray[np.float64]


def term_tests(
    X: NDArray[np.float64],
    Y: NDArray[np.float64],
    tested: NDArray[np.intp],
    blocks: NDArray[np.intp] | None,
    *,
    signed: bool = False,
) -> Iterator[TermTest]:
    """Make the permutation tests of some terms of a design (n, k) for outcomes (n, m)."""
    # units of a block side by side
    order = np.arange(len(X)) if blocks is None else np.argsort(blocks, kind="stable")
    X, Y = X[order], Y[order]
    blocks = None if blocks is None else blocks[order]
    for j in tested:
        x, others = X[:, j], np.delete(X, j, axis=1)
        simple = others.shape[1] == 1
        statistic = Slope(Y, signed) if simple else FreedmanLane(Y, x, others, signed)
        arrangements = Labels(x, blocks) if simple else Orders(len(x), blocks)
        identity = x[None] if simple else np.arange(len(x))[None]
        yield TermTest(int(j), statistic, arrangements, statistic(identity)[0])
