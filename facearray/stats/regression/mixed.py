"""Linear mixed models: units that share a person or a stimulus."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import FaceArrayError, InputError
from facearray.stats.kernels.ols import Array, basis_of_rows
from facearray.stats.regression.estimates import Estimates, Options, limits

__all__ = ["fit_mixed", "need_statsmodels"]

#: A standard deviation of a random effect below this share of the residual one is none: the fit is singular.
_SINGULAR = 1e-3

#: A logarithm of the likelihood that grows by less has its largest value, and how often another is looked for.
_NO_GAIN = 1e-4
_MOST_RESTARTS = 10


def need_statsmodels() -> None:
    """Check that statsmodels is installed.

    Raises
    ------
    FaceArrayError
        If it is not.
    """
    try:
        import statsmodels  # noqa: F401
    except ImportError as error:
        raise FaceArrayError(
            "found no statsmodels; expected it for mixed models (random=); run: pip install 'facearray[mixed]'"
        ) from error


@dataclass(frozen=True, slots=True)
class _Factor:
    """A grouping factor: codes (n,) of its groups, and the columns of the design that get a random slope in them."""

    codes: NDArray[np.intp]
    slopes: NDArray[np.intp]

    @property
    def n_groups(self) -> int:
        """Count the groups."""
        return int(self.codes.max()) + 1


def fit_mixed(X: Array, Y: Array, groups: list[NDArray[np.intp]], options: Options) -> Estimates:
    """Fit each outcome (n, m) on a design (n, k) with random effects of groups, by restricted maximum likelihood.

    Every grouping factor gets a random intercept, and a random slope for each regressor that varies within its groups.
    With one factor these may correlate; those of crossed factors are independent.

    Raises
    ------
    FaceArrayError
        If statsmodels is not installed.
    InputError
        If there are not more observations than random effects.
    """
    need_statsmodels()
    if len(groups) == 1:
        _check_enough(_factor(X, groups[0]), len(X))
    k, m = X.shape[1], Y.shape[1]
    result = Estimates.empty(k, m)
    result.singular = np.zeros(m, dtype=bool)
    for i in range(m):
        rows = ~np.isnan(Y[:, i])
        x, y = X[rows], Y[rows, i]
        result.n[i] = len(y)
        if len(y) <= k or basis_of_rows(x)[1].rank < k or np.ptp(y) == 0:
            continue
        factors = [_factor(x, np.unique(codes[rows], return_inverse=True)[1]) for codes in groups]
        scale = float(y.std())
        fitted = _fit(x, y / scale, factors)
        if fitted is None:
            result.singular[i] = True
            continue
        beta, se, result.singular[i] = fitted
        result.beta[:, i], result.se[:, i] = beta * scale, se * scale
        result.df[:, i] = _degrees_of_freedom(x, factors)
    result.p, result.ci_low, result.ci_high = limits(result.beta, result.se, result.df, options)
    return result


def _check_enough(factor: _Factor, n: int) -> None:
    n_random = factor.n_groups * (1 + len(factor.slopes))
    if n_random >= n:
        raise InputError(
            f"found {n} observations for {n_random} random intercepts and slopes; expected more observations: average "
            "them and compare pairs (facearray.stats.ttest with paired=), which is the same test"
        )


def _factor(X: Array, codes: NDArray[np.intp]) -> _Factor:
    size = np.bincount(codes)
    varies = []
    for j, column in enumerate(X.T):
        means = np.bincount(codes, column) / size
        if np.abs(column - means[codes]).max() > 1e-9 * np.abs(column).max():
            varies.append(j)
    return _Factor(codes, np.array(varies, dtype=np.intp))


def _degrees_of_freedom(X: Array, factors: list[_Factor]) -> Array:
    """Degrees of freedom (k,): groups less coefficients between them; for random slopes groups less 1.

    The smallest over the factors. A regressor that varies within groups has a random slope in them, so that groups, and
    not units, are what its coefficient is an average over.
    """
    k = X.shape[1]
    df = np.full(k, np.inf)
    for factor in factors:
        between = np.setdiff1d(np.arange(k), factor.slopes)
        df[between] = np.minimum(df[between], factor.n_groups - len(between))
        df[factor.slopes] = np.minimum(df[factor.slopes], factor.n_groups - 1)
    return df


def _fit(X: Array, y: Array, factors: list[_Factor]) -> tuple[Array, Array, bool] | None:
    """Coefficients, standard errors, and whether the fit is singular; None if there is no fit."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    model = _one_factor(MixedLM, X, y, factors[0]) if len(factors) == 1 else _crossed(MixedLM, X, y, factors)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found, settled = _maximum(model)
            se = _standard_errors(X, factors, found)
        except (np.linalg.LinAlgError, ValueError):
            return None
    if not np.isfinite(se).all():
        return None
    variances = np.linalg.eigvalsh(found.cov_re) if len(factors) == 1 else np.asarray(found.vcomp)
    singular = bool(variances.min() < _SINGULAR**2 * found.scale) or not settled
    return np.asarray(found.fe_params)[: X.shape[1]], se, singular


def _maximum(model: Any) -> tuple[Any, bool]:
    """Fit a model of statsmodels, and say whether the likelihood has its largest value.

    Its optimisers may report convergence far from there where groups differ much more than what is within them, so that
    another one goes on from what they found until there is nothing to gain.
    """
    found = model.fit(reml=True, method=["lbfgs", "bfgs", "powell"])
    for _ in range(_MOST_RESTARTS):
        start = found.params_object
        # a singular matrix has no root to start from
        start.cov_re = start.cov_re + 1e-12 * np.eye(len(start.cov_re))
        further = model.fit(reml=True, method="powell", start_params=start)
        gain = further.llf - found.llf
        if gain > 0:
            found = further
        if gain < _NO_GAIN:
            return found, True
    return found, False


def _standard_errors(X: Array, factors: list[_Factor], found: Any) -> Array:
    """Compute standard errors (k,) of coefficients from the covariance (X' V^-1 X)^-1 at the estimated variances.

    Those of statsmodels come from second derivatives by coefficients and variances together, which say little about
    coefficients where a variance is near 0.
    """
    effects = [_random(X, factor) for factor in factors]
    if len(factors) == 1:
        covariances = [np.asarray(found.cov_re)]
        parts = [np.flatnonzero(factors[0].codes == g) for g in range(factors[0].n_groups)]
    else:
        ends = np.cumsum([effect.shape[1] for effect in effects])[:-1]
        covariances = [np.diag(part) for part in np.split(np.asarray(found.vcomp), ends)]
        parts = [np.arange(len(X))]
    information = np.zeros((X.shape[1], X.shape[1]))
    for rows in parts:
        V = found.scale * np.eye(len(rows))
        for factor, effect, covariance in zip(factors, effects, covariances, strict=True):
            codes, Z = factor.codes[rows], effect[rows]
            V += (codes[:, None] == codes) * (Z @ covariance @ Z.T)
        information += X[rows].T @ np.linalg.solve(V, X[rows])
    se: Array = np.sqrt(np.diag(np.linalg.inv(information)))
    return se


def _one_factor(model: Any, X: Array, y: Array, factor: _Factor) -> Any:
    return model(y, X, groups=factor.codes, exog_re=_random(X, factor))


def _crossed(model: Any, X: Array, y: Array, factors: list[_Factor]) -> Any:
    from scipy.sparse import csr_matrix
    from statsmodels.regression.mixed_linear_model import VCSpec

    names, columns, matrices = [], [], []
    for i, factor in enumerate(factors):
        indicator = np.eye(factor.n_groups)[factor.codes]
        for j, column in enumerate(_random(X, factor).T):
            names.append(f"{i}-{j}")
            columns.append([[f"{i}-{j}-{g}" for g in range(factor.n_groups)]])
            matrices.append([csr_matrix(indicator * column[:, None])])
    return model(y, X, groups=np.zeros(len(X)), exog_re=None, exog_vc=VCSpec(names, columns, matrices))


def _random(X: Array, factor: _Factor) -> Array:
    """Columns (n, 1 + n_slope) that have random coefficients in the groups of a factor.

    They are of about the size of the intercept, which the optimiser needs and the fit does not depend on.
    """
    slopes = X[:, factor.slopes]
    return np.column_stack([np.ones(len(X)), slopes / np.sqrt((slopes**2).mean(axis=0))])
