"""Tests of means, of many outcomes at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array, has_no_variance, two_sided_p

__all__ = ["MeanTest", "one_sample", "two_sample"]


@dataclass(frozen=True, slots=True)
class MeanTest:
    """Tests of m means or differences of means, each (m,).

    Attributes
    ----------
    difference, se, df
        Estimate, its standard error and degrees of freedom; ``se`` is NaN where there is no variance, all where there
        are too few values.
    p, ci_low, ci_high
        By the t distribution.
    d
        Difference over the standard deviation: of the values, or pooled over both samples.
    df_d, n_effective
        Degrees of freedom of that standard deviation, and what d times its root is a t statistic.
    n
        Values that were used.
    """

    difference: Array
    se: Array
    df: Array
    p: Array
    ci_low: Array
    ci_high: Array
    d: Array
    df_d: Array
    n_effective: Array
    n: Array

    @property
    def t(self) -> Array:
        """Difference over its standard error."""
        return self.difference / self.se


def one_sample(Y: Array, *, confidence: float = 0.95) -> MeanTest:
    """Test whether the means of outcomes (n, m) are 0; NaN is left out.

    Examples
    --------
    >>> test = one_sample(np.array([[1.0], [2.0], [3.0]]))
    >>> test.t.round(4), test.df
    (array([3.4641]), array([2.]))
    """
    n, mean, variance = _moments(Y)
    sd = np.where(_constant(Y), np.nan, np.sqrt(variance))
    df = np.where(n > 1, n - 1.0, np.nan)
    return _test(mean, sd / np.sqrt(n), df, mean / sd, df, n, n, confidence)


def two_sample(Y1: Array, Y2: Array, *, equal_var: bool = False, confidence: float = 0.95) -> MeanTest:
    """Test whether outcomes (n1, m) and (n2, m) have the same means; NaN is left out.

    Parameters
    ----------
    Y1, Y2
        The two samples.
    equal_var
        Whether to pool the variances (Student), or not, with Satterthwaite's degrees of freedom (Welch 1947).
    confidence
        Of the interval around the difference, first minus second.
    """
    n1, mean1, variance1 = _moments(Y1)
    n2, mean2, variance2 = _moments(Y2)
    constant = _constant(Y1) & _constant(Y2)
    with np.errstate(invalid="ignore", divide="ignore"):
        n_effective = n1 * n2 / (n1 + n2)
        df_pooled = np.where((n1 > 0) & (n2 > 0) & (n1 + n2 > 2), n1 + n2 - 2.0, np.nan)
        squares = np.where(n1 > 1, (n1 - 1) * variance1, 0) + np.where(n2 > 1, (n2 - 1) * variance2, 0)
        pooled = np.where(constant, np.nan, squares / df_pooled)
        if equal_var:
            se2, df = pooled / n_effective, df_pooled
        else:
            part1, part2 = variance1 / n1, variance2 / n2
            se2 = np.where(constant, np.nan, part1 + part2)
            welch = (part1 + part2) ** 2 / (part1**2 / (n1 - 1) + part2**2 / (n2 - 1))
            # without any variance it is 0 / 0
            df = np.where(part1 + part2 == 0, df_pooled, welch)
        difference = mean1 - mean2
        d = difference / np.sqrt(pooled)
    return _test(difference, np.sqrt(se2), df, d, df_pooled, n_effective, n1 + n2, confidence)


def _moments(Y: Array) -> tuple[Array, Array, Array]:
    """Count, mean and variance (n - 1) of each column; NaN where there are too few values."""
    there = ~np.isnan(Y)
    n = there.sum(axis=0).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, Y, 0).sum(axis=0) / n
        square = (np.where(there, Y - mean, 0) ** 2).sum(axis=0)
        return n, mean, np.where(n > 1, square / (n - 1), np.nan)


def _constant(Y: Array) -> NDArray[np.bool_]:
    there = ~np.isnan(Y)
    first = Y[there.argmax(axis=0), np.arange(Y.shape[1])] if len(Y) else np.zeros(Y.shape[1])
    return has_no_variance(np.where(there, Y - first, 0), np.where(there, Y, 0))


def _test(
    difference: Array, se: Array, df: Array, d: Array, df_d: Array, n_effective: Array, n: Array, confidence: float
) -> MeanTest:
    from scipy.special import stdtrit

    half = stdtrit(np.where(df > 0, df, 1.0), (1 + confidence) / 2) * se
    p = two_sided_p(difference / se, df)
    return MeanTest(difference, se, df, p, difference - half, difference + half, d, df_d, n_effective, n)
