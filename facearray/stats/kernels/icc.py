"""Intraclass correlations: how much of the variance of measurements is that of what is measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from facearray.stats.kernels.ols import Array

__all__ = ["IntraclassCorrelations", "intraclass_correlations"]


class IntraclassCorrelations(NamedTuple):
    """ICC(2,1) and ICC(3,1) of m features, each (m,), with limits of confidence, and p of the F test of both."""

    icc2_1: Array
    icc2_1_ci_low: Array
    icc2_1_ci_high: Array
    icc3_1: Array
    icc3_1_ci_low: Array
    icc3_1_ci_high: Array
    p: Array


def intraclass_correlations(y: Array, confidence: float = 0.95) -> IntraclassCorrelations:
    """Compute them from complete measurements (n_unit, n_measurement, m).

    Notes
    -----
    With the mean squares R between units, C between measurements and E of the rest of the two-way analysis of variance,
    n units and k measurements: ICC(2,1) = (R - E) / (R + (k - 1) E + k (C - E) / n), where measurements are a sample
    and their means count; ICC(3,1) = (R - E) / (R + (k - 1) E), where they do not. NaN where nothing varies.

    References
    ----------
    Shrout, P. E. & Fleiss, J. L. (1979). Intraclass correlations: uses in assessing rater reliability. Psychological
    Bulletin 86, 420-428.

    McGraw, K. O. & Wong, S. P. (1996). Forming inferences about some intraclass correlation coefficients. Psychological
    Methods 1, 30-46.

    Examples
    --------
    >>> ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
    >>> found = intraclass_correlations(ratings[:, :, None].astype(float))
    >>> found.icc2_1.round(2), found.icc3_1.round(2)
    (array([0.29]), array([0.71]))
    """
    from scipy.special import fdtrc, fdtri

    n, k, _ = y.shape
    grand = y.mean(axis=(0, 1))
    rows, columns = y.mean(axis=1) - grand, y.mean(axis=0) - grand
    rest = y - grand - rows[:, None] - columns
    between, sessions = k * (rows**2).sum(axis=0) / (n - 1), n * (columns**2).sum(axis=0) / (k - 1)
    error = (rest**2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
    # what rounding leaves where nothing varies is no variance
    floor = 1e-24 * (y**2).sum(axis=(0, 1))
    varies = between + sessions + error > floor
    df1, df2, upper = n - 1, (n - 1) * (k - 1), (1 + confidence) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        icc2 = (between - error) / (between + (k - 1) * error + k * (sessions - error) / n)
        icc3 = (between - error) / (between + (k - 1) * error)
        f = between / error
        low, high = f / fdtri(df1, df2, upper), f * fdtri(df2, df1, upper)
        # Satterthwaite's degrees of freedom of the error of a single measurement
        ratio = sessions / error
        part = n * (1 + (k - 1) * icc2) - k * icc2
        df = df2 * (k * icc2 * ratio + part) ** 2 / (df1 * (k * icc2 * ratio) ** 2 + part**2)
        f_up, f_down = fdtri(df1, df, upper), fdtri(df, df1, upper)
        noise = k * sessions + (k * n - k - n) * error
        icc2_low = n * (between - f_up * error) / (f_up * noise + n * between)
        icc2_high = n * (f_down * between - error) / (noise + n * f_down * between)
        found = [
            *(icc2, icc2_low, icc2_high),
            *(icc3, (low - 1) / (low + k - 1), (high - 1) / (high + k - 1)),
            fdtrc(df1, df2, f),
        ]
    # without any error the limits are those of certainty
    exact = varies & (error <= floor)
    found[4], found[5] = np.where(exact, 1.0, found[4]), np.where(exact, 1.0, found[5])
    return IntraclassCorrelations(*(np.where(varies, values, np.nan) for values in found))
