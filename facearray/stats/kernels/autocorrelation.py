"""How many independent observations a time course is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["autocorrelation", "effective_pairs", "effective_size"]

#: Autocorrelations at lags beyond this part of a series are mostly noise.
_SHARE_OF_LAGS = 5


def autocorrelation(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sum of products of deviations from the mean that are k apart, over the sum of squares: (n, n_time) from k = 0 on.

    NaN in the series is a missing value, whose products are left out; NaN in the result is a constant series.

    Examples
    --------
    >>> autocorrelation(np.array([[1.0, -1.0, 1.0, -1.0]]))
    array([[ 1.  , -0.75,  0.5 , -0.25]])
    """
    there = ~np.isnan(x)
    n = there.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, x, 0).sum(axis=-1, dtype=np.float64) / n
        deviations = np.where(there, x - mean[..., None], 0)
        spectrum = np.fft.rfft(deviations, n=_fast_length(2 * x.shape[-1]), axis=-1)
        products = np.fft.irfft(np.abs(spectrum) ** 2, axis=-1)[..., : x.shape[-1]]
        square = (deviations**2).sum(axis=-1)
        # what rounding leaves of a constant series is no variation
        varies = square > 1e-20 * n * mean**2
        r: NDArray[np.float64] = products / np.where(varies, square, np.nan)[..., None]
    return r


def effective_pairs(x: NDArray[np.floating], n: NDArray[np.integer]) -> NDArray[np.float64]:
    """Estimate how many independent observations the correlation of two autocorrelated series is worth.

    Parameters
    ----------
    x
        Series (n_series, n_time) of equally spaced values; NaN is a missing value.
    n
        Times (n_series, n_series) that each pair shares.

    Returns
    -------
    ndarray
        n / (1 + 2 sum (1 - k / n) r_i(k) r_j(k)) for each pair, not more than n; NaN with a constant series. The sum
        ends at a fifth of the shorter series.

    References
    ----------
    Pyper, B. J. & Peterman, R. M. (1998). Comparison of methods to account for autocorrelation in correlation analyses
    of fish data. Canadian Journal of Fisheries and Aquatic Sciences 55, 2127-2140.
    """
    there = (~np.isnan(x)).astype(np.float64)
    total = there.sum(axis=-1, keepdims=True)
    lag = np.arange(1, x.shape[-1])
    # how many products there are at each lag
    spectrum = np.fft.rfft(there, n=_fast_length(2 * x.shape[-1]), axis=-1)
    counts = np.rint(np.fft.irfft(np.abs(spectrum) ** 2, axis=-1)[..., 1 : x.shape[-1]])
    # a sum of products over the sum of squares has the factor counts / total in it already, and the pair needs it once
    used = (lag <= total / _SHARE_OF_LAGS) & (counts > 0)
    weights = np.where(used, np.sqrt(total / np.maximum(counts, 1)), 0)
    weighted = autocorrelation(x)[:, 1:] * weights
    inflation = 1 + 2 * weighted @ weighted.T
    effective: NDArray[np.float64] = n / np.maximum(inflation, 1)
    return effective


def effective_size(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate the effective sample sizes (n,) of the means of autocorrelated series (n, n_time).

    Parameters
    ----------
    x
        Series of equally spaced values along the last axis. NaN is a missing value and keeps its place in time.

    Returns
    -------
    ndarray
        n_eff = n / (1 + 2 (r(1) + r(2) + ...)) for n values that are there, not more than n; NaN for constant series
        and for fewer than 2 values.

    Notes
    -----
    r(k) is the sum of the products of deviations from the mean that are k apart, divided by the sum of squared
    deviations; pairs with a missing value are left out of the sum. As every r(k) is estimated from the pairs that
    there are, and the variance of the mean adds r(k) once for each of these pairs, their numbers cancel. The sum ends
    where r(2 j) + r(2 j + 1) is no longer positive (Geyer's initial positive sequence): for a reversible process
    these sums are positive, so that what follows is noise.

    References
    ----------
    Geyer, C. J. (1992). Practical Markov chain Monte Carlo. Statistical Science 7, 473-483.

    Zieba, A. & Ramza, P. (2011). Standard deviation of the mean of autocorrelated observations estimated with the use
    of the autocorrelation function estimated from the data. Metrology and Measurement Systems 18, 529-542.

    Examples
    --------
    >>> effective_size(np.array([[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]]))
    array([4. , 2.66666667])
    """
    there = ~np.isnan(x)
    n = there.sum(axis=-1)
    r = autocorrelation(x)
    varies = ~np.isnan(r[..., 0])
    if r.shape[-1] % 2:
        r = np.concatenate([r, np.zeros_like(r[..., :1])], axis=-1)
    pairs = r[..., 0::2] + r[..., 1::2]
    positive = np.logical_and.accumulate(pairs > 0, axis=-1)
    inflation = 2 * np.where(positive, pairs, 0).sum(axis=-1) - 1
    # a sum of no more than 1 would make the values worth more than they are
    effective: NDArray[np.float64] = np.where(varies & (n > 1), n / np.maximum(inflation, 1), np.nan)
    return effective


def _fast_length(n: int) -> int:
    """Power of two of at least n, which has a fast Fourier transform."""
    return 1 << (n - 1).bit_length()
