"""Standardised mean differences with confidence intervals by the noncentral t distribution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facearray.stats.kernels.ols import Array

__all__ = ["Effect", "effect_size"]


@dataclass(frozen=True, slots=True)
class Effect:
    """Effect sizes of any shape: Cohen's d, Hedges' g, and limits of the confidence interval of d."""

    d: Array
    g: Array
    ci_low: Array
    ci_high: Array


def effect_size(d: Array, df: Array, n_effective: Array, *, level: float = 0.95) -> Effect:
    """Correct standardised mean differences for bias, and find their confidence limits.

    Parameters
    ----------
    d
        Mean difference over the standard deviation; NaN gives NaN.
    df
        Degrees of freedom of that standard deviation: n - 1 for one sample or pairs, n1 + n2 - 2 for two samples.
    n_effective
        What d times its root is a t statistic: n for one sample or pairs, n1 n2 / (n1 + n2) for two samples.
    level
        Of the confidence interval.

    Returns
    -------
    Effect
        g is d times the exact factor of Hedges (1981) [1]_. The interval holds the values of d whose noncentral t
        distribution has the observed statistic between its outer quantiles (Steiger & Fouladi 1997) [2]_.

    References
    ----------
    .. [1] L. V. Hedges, "Distribution theory for Glass's estimator of effect size and related estimators", Journal of
       Educational Statistics 6 (1981), 107-128.
    .. [2] J. H. Steiger and R. T. Fouladi, "Noncentrality interval estimation and the evaluation of statistical
       models", in: What if there were no significance tests? (1997), 221-257.

    Examples
    --------
    >>> effect = effect_size(np.array([0.5]), np.array([38.0]), np.array([10.0]))
    >>> effect.g.round(4), effect.ci_low.round(3), effect.ci_high.round(3)
    (array([0.4901]), array([-0.133]), array([1.127]))
    """
    from scipy.special import gammaln, nctdtrinc

    d, df, n_effective = np.broadcast_arrays(d, df, n_effective)
    usable = np.isfinite(d) & (df > 0) & (n_effective > 0)
    safe_df = np.where(usable, df, 1.0).astype(float)
    root = np.sqrt(np.where(usable, n_effective, 1.0))
    t = np.where(usable, d, 0.0) * root
    tail = (1 - level) / 2
    low, high = nctdtrinc(safe_df, 1 - tail, t) / root, nctdtrinc(safe_df, tail, t) / root
    # The factor does not exist for one degree of freedom.
    half = np.where(safe_df > 1, safe_df, 2.0) / 2
    factor = np.where(safe_df > 1, np.exp(gammaln(half) - gammaln(half - 0.5)) / np.sqrt(half), np.nan)
    return Effect(
        d=np.where(usable, d, np.nan),
        g=np.where(usable, d * factor, np.nan),
        ci_low=np.where(usable, low, np.nan),
        ci_high=np.where(usable, high, np.nan),
    )
