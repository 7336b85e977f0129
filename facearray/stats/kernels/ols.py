"""Ordinary least squares for many outcomes at once.

A design is turned into an orthonormal basis once; every outcome is then two matrix products. A design that is not of
full rank is allowed: its degrees of freedom count the rank, and coefficients that the data do not determine are NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Of residuals that are computed at once.
_CACHE_BYTES = 2**18

#: Share of the largest outcome that residuals may have through rounding.
_ROUNDING = 1e3 * np.finfo(float).eps

#: Rows that are looked at first, because most columns with more than two values have them there.
_FIRST_ROWS = 64

__all__ = ["Basis", "Fit", "basis_of_gram", "basis_of_rows", "complete_rows", "ols", "two_sided_p"]


@dataclass(frozen=True, slots=True)
class Basis:
    """An orthonormal basis of the columns of a design.

    Attributes
    ----------
    to_coefficients
        (k, r): a fit's coefficients from the coordinates of the outcome in the basis. The basis itself is the design
        times this.
    estimable
        (k,): whether the design determines each coefficient.
    """

    to_coefficients: Array
    estimable: NDArray[np.bool_]

    @property
    def rank(self) -> int:
        """Number of columns of the basis."""
        return int(self.to_coefficients.shape[1])


@dataclass(frozen=True, slots=True)
class Fit:
    """Coefficients of a linear model for m outcomes.

    Attributes
    ----------
    beta, se, df
        (k, m): coefficients, their standard errors and the degrees of freedom of beta / se. ``se`` is NaN where an
        outcome has no residual variance, and all three where the data do not determine the coefficient.
    n
        (m,): rows that were used.
    residual
        (n, m): outcome minus prediction; NaN where the outcome is NaN. None where they were not asked for.
    spread
        (k, m): of regressors with two values, the standard deviation of the residuals with the rarer value over that
        with the other; NaN for other regressors.
    robust_df
        (k, m): degrees of freedom that HC3 standard errors have where variances are equal (Satterthwaite's
        approximation); NaN without `hc3`.
    """

    beta: Array
    se: Array
    df: Array
    n: NDArray[np.int64]
    residual: Array | None
    spread: Array
    robust_df: Array


def basis_of_rows(X: Array) -> tuple[Array, Basis]:
    """Orthonormal basis (n, r) of the columns of a design (n, k), and what leads back to its coefficients."""
    scale = _column_scale(np.sqrt(np.einsum("ij,ij->j", X, X)))
    U, s, Vt = np.linalg.svd(X / scale, full_matrices=False)
    kept = s > s.max(initial=0) * max(X.shape) * np.finfo(float).eps
    return U[:, kept], _basis(Vt[kept].T, s[kept], scale)


def basis_of_gram(gram: Array, n: int) -> Basis:
    """Make the basis of a design of n rows that is known by its cross products (k, k) only."""
    scale = _column_scale(np.sqrt(np.diagonal(gram)))
    squares, V = np.linalg.eigh(gram / np.outer(scale, scale))
    # Rounding of the products is of the order of eps, so singular values below its root cannot be told from zero.
    kept = squares > squares.max(initial=0) * max(n, len(gram)) ** 0.5 * len(gram) * np.finfo(float).eps
    return _basis(V[:, kept], np.sqrt(squares[kept]), scale)


def _column_scale(norms: Array) -> Array:
    return np.where(norms > 0, norms, 1.0)


def _basis(V: Array, s: Array, scale: Array) -> Basis:
    # A coefficient is determined if its unit vector lies in the row space of the design.
    return Basis(V / s / scale[:, None], np.einsum("ij,ij->i", V, V) > 1 - 1e-8)


def complete_rows(Y: Array) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    """Group the outcomes (n, m) that miss the same rows: for each group its rows that are there, and its columns."""
    with np.errstate(invalid="ignore", over="ignore"):
        complete = not np.isnan(Y.sum(axis=0)).any()
    # infinite values may cancel, so a sum that is no number says nothing yet
    if complete or (there := ~np.isnan(Y)).all():
        yield np.ones(len(Y), dtype=bool), np.arange(Y.shape[1])
        return
    packed = np.packbits(there, axis=0)
    _, first, group = np.unique(packed, axis=1, return_index=True, return_inverse=True)
    for i, column in enumerate(first):
        yield there[:, column], np.flatnonzero(group.ravel() == i)


def ols(X: Array, Y: Array, *, hc3: bool = False, residuals: bool = True) -> Fit:
    """Regress every outcome on the same design.

    Parameters
    ----------
    X
        (n, k) design, without missing values.
    Y
        (n, m) outcomes. A row is left out for those outcomes only that are NaN in it.
    hc3
        Standard errors that do not assume equal variances (MacKinnon & White 1985) [1]_ instead of the usual ones.
    residuals
        Whether to keep them, which takes as much memory as the outcomes.

    Returns
    -------
    Fit
        With df = n - rank, where n counts the rows of each outcome.

    References
    ----------
    .. [1] J. G. MacKinnon and H. White, "Some heteroskedasticity-consistent covariance matrix estimators with
       improved finite sample properties", Journal of Econometrics 29 (1985), 305-325.

    Examples
    --------
    >>> X = np.array([[1.0, -1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> fit = ols(X, np.array([[1.0], [3.0], [8.0]]))
    >>> fit.beta.round(3).tolist(), fit.df.tolist()
    ([[4.0], [3.5]], [[1.0], [1.0]])
    """
    k, m = X.shape[1], Y.shape[1]
    beta, se, df, spread, robust_df = (np.full((k, m), np.nan) for _ in range(5))
    residual = np.full(Y.shape, np.nan) if residuals else None
    n = np.zeros(m, dtype=np.int64)
    for rows, columns in complete_rows(Y):
        everything = bool(rows.all()) and len(columns) == m
        x, y = (X, Y) if everything else (X[rows], Y[np.ix_(rows, columns)])
        n[columns] = len(x)
        U, basis = basis_of_rows(x)
        coordinates = U.T @ y
        two_values = _has_two_values(x)
        rare = _rare_values(x[:, two_values])
        weights = np.concatenate([_hc3_weights(U, basis) if hc3 else x[:, :0], rare], axis=1)
        rest = _Rest.of(y, U, coordinates, weights, keep=residuals)
        undetermined = ~basis.estimable[:, None]
        beta[:, columns] = np.where(undetermined, np.nan, basis.to_coefficients @ coordinates)
        df[:, columns] = np.where(undetermined, np.nan, len(x) - basis.rank)
        variance = rest.weighted[:k] if hc3 else _variance(basis, rest.square, len(x))
        in_rare = rest.weighted[-rare.shape[1] :] if rare.shape[1] else rest.weighted[:0]
        spread[np.ix_(two_values, columns)] = _spread(in_rare, rest.square, rare)
        if hc3:
            robust_df[:, columns] = _hc3_df(U, basis)[:, None]
        se[:, columns] = np.where(undetermined | rest.is_rounding, np.nan, np.sqrt(variance))
        if residual is not None:
            residual[np.ix_(rows, columns)] = rest.values
    return Fit(beta, se, df, n, residual, spread, robust_df)


def _has_two_values(X: Array) -> NDArray[np.bool_]:
    """Which columns (k,) have exactly two values."""
    low, high = X.min(axis=0, initial=np.inf), X.max(axis=0, initial=-np.inf)
    first = X[:_FIRST_ROWS]
    found: NDArray[np.bool_] = (low < high) & ((first == low) | (first == high)).all(axis=0)
    for j in np.flatnonzero(found):
        found[j] = ((X[:, j] == low[j]) | (X[:, j] == high[j])).all()
    return found


def _rare_values(two: Array) -> Array:
    """Rows with the rarer value of columns (n, g) that have two values, as 0 and 1."""
    low = two == two.min(axis=0, initial=np.inf)
    rare: Array = np.where(low.sum(axis=0) <= len(two) / 2, low, ~low).astype(np.float64)
    return rare


def _spread(square_rare: Array, square: Array, rare: Array) -> Array:
    """Ratio (g, m) of the standard deviations of residuals, from their sums of squares and the rows (n, g)."""
    n = rare.sum(axis=0)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Array = np.sqrt(square_rare / np.maximum(n - 1, 0) / ((square - square_rare) / (len(rare) - n - 1)))
    return ratio


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is said about residuals (n, m): sums of squares (m,), with weights (w, m), and whether they are rounding.

    ``values`` are the residuals themselves, or None where they are not kept.
    """

    square: Array
    weighted: Array
    is_rounding: NDArray[np.bool_]
    values: Array | None

    @classmethod
    def of(cls, y: Array, U: Array, coordinates: Array, weights: Array, *, keep: bool) -> _Rest:
        """Take the part of outcomes (n, m) that lies in a basis (n, r) away, some rows at a time; weights (n, w)."""
        m = y.shape[1]
        square = np.zeros(m)
        weighted = np.zeros((weights.shape[1], m))
        parts = []
        step = max(1, _CACHE_BYTES // max(1, 8 * m))
        for start in range(0, len(y), step):
            here = slice(start, start + step)
            rest = y[here] - U[here] @ coordinates
            square += np.einsum("ij,ij->j", rest, rest)
            if weights.shape[1]:
                weighted += weights[here].T @ rest**2
            if keep:
                parts.append(rest)
        values = np.concatenate([np.empty((0, m)), *parts]) if keep else None
        # Some residual is at least their root mean square, and no outcome above the root of its sum of squares:
        # where these differ enough, the largest ones need no search.
        bound = _ROUNDING**2 * (square + np.einsum("ij,ij->j", coordinates, coordinates))
        is_rounding: NDArray[np.bool_] = square / max(1, len(y)) <= bound
        if is_rounding.any():
            doubtful = np.flatnonzero(is_rounding)
            part = y[:, doubtful]
            is_rounding[doubtful] = has_no_variance(part - U @ coordinates[:, doubtful], part)
        return cls(square, weighted, is_rounding, values)


def has_no_variance(rest: Array, y: Array) -> NDArray[np.bool_]:
    """Whether residuals (n, m) are nothing but rounding errors of the outcomes (n, m)."""
    largest, largest_outcome = (np.abs(array).max(axis=0, initial=0) for array in (rest, y))
    rounding: NDArray[np.bool_] = largest <= _ROUNDING * largest_outcome
    return rounding


def _variance(basis: Basis, square: Array, n: int) -> Array:
    df = n - basis.rank
    sigma2 = square / df if df > 0 else np.full(len(square), np.nan)
    return np.outer(np.einsum("ij,ij->i", basis.to_coefficients, basis.to_coefficients), sigma2)


def _hc3_weights(U: Array, basis: Basis) -> Array:
    """Weights (n, k) of the squared residuals in the variances of the coefficients."""
    free = 1 - np.einsum("ij,ij->i", U, U)
    # A row with leverage 1 has residual 0 whatever its outcome is: its variance cannot be estimated.
    free = np.where(free > 1e-10, free, np.nan)
    weights: Array = (U @ basis.to_coefficients.T / free[:, None]) ** 2
    return weights


def _hc3_df(U: Array, basis: Basis) -> Array:
    """Degrees of freedom (k,) of the HC3 variances, (tr M)^2 / tr M^2 for M = (I - H) diag(weights) (I - H)."""
    leverage = np.einsum("ij,ij->i", U, U)
    weights = np.nan_to_num(_hc3_weights(U, basis))
    first = weights.T @ (1 - leverage)
    crossed = np.einsum("ik,ir,is->krs", weights, U, U, optimize=True)
    second = (weights**2).T @ (1 - 2 * leverage) + (crossed**2).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        df: Array = first**2 / second
    return df


def two_sided_p(t: Array, df: Array) -> Array:
    """Two-sided p values of t statistics; NaN where t or df is NaN or df is not positive."""
    from scipy.special import stdtr

    usable = np.isfinite(df) & (df > 0)
    return np.where(usable, 2 * stdtr(np.where(usable, df, 1.0), -np.abs(t)), np.nan)
