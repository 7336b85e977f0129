"""Correlation of a matrix of pairs of videos with another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, SchemaError, unknown_names
from facearray.stats.intersubject.pairs import attrs_of, labelled, matrices_in_order
from facearray.stats.kernels.matrices import MatrixCorrelation
from facearray.stats.kernels.ranks import rank_series
from facearray.stats.kernels.resampling import Orders, permutation_test

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["mantel"]

#: Values that one chunk of draws may hold, and its most draws.
_CELLS, _MOST_DRAWS = 2**22, 256


def mantel(
    ds: xr.Dataset,
    other: xr.DataArray | pd.DataFrame,
    *,
    method: Literal["pearson", "spearman"] = "spearman",
    alternative: Literal["two-sided", "greater"] = "two-sided",
    n_permutations: int = 10_000,
    seed: int = 0,
    client: Client | None = None,
) -> xr.Dataset:
    """Correlate a matrix of pairs of videos with another one (Mantel test).

    Parameters
    ----------
    ds
        Result of `facearray.stats.isc` for pairs.
    other
        Another symmetric matrix of the same videos, such as how alike they were rated: a DataArray with dims (video,
        video_other), or a DataFrame whose index and columns are their labels. Other videos in it are ignored.
    method
        ``"spearman"`` or ``"pearson"``, over the pairs that both have.
    alternative
        ``"two-sided"`` or ``"greater"``.
    n_permutations
        Draws, where there are more than 200,000 orders; with fewer, all are used.
    seed
        Of the draws.
    client
        A Dask client that shares the draws; the result is the same.

    Returns
    -------
    Dataset
        ``r``, ``p`` and ``n_pairs``, the pairs that have both, the others being left out; r and p are NaN where these
        are too few or do not vary. Dims as of ``ds`` without (video, video_other).

    Raises
    ------
    InputError
        If a video is missing in ``other``, it is not symmetric, or an option is unknown.
    SchemaError
        If ``ds`` has no correlations of pairs.

    Notes
    -----
    The videos of the other matrix are put into other orders, rows and columns together, as pairs that share a video
    depend on each other.

    References
    ----------
    Mantel, N. (1967). The detection of disease clustering and a generalized regression approach. Cancer Research 27,
    209-220.

    Examples
    --------
    >>> place = np.array([0.0, 1, 2, 4, 8, 16])
    >>> distance = np.abs(place[:, None] - place)
    >>> pairs = xr.Dataset({"r": (("video", "video_other"), 1 - distance / 16)}, coords={"video": list("abcdef")})
    >>> found = mantel(pairs, pd.DataFrame(distance, list("abcdef"), list("abcdef")))
    >>> found.r.item(), round(found.p.item(), 4)
    (-1.0, 0.0014)
    """
    if method not in ("pearson", "spearman"):
        raise unknown_names("method", [str(method)], ["pearson", "spearman"])
    if alternative not in ("two-sided", "greater"):
        raise unknown_names("alternative", [str(alternative)], ["two-sided", "greater"])
    if n_permutations < 1:
        raise InputError(f"found n_permutations={n_permutations}; expected a positive number")
    order, matrices, others = matrices_in_order(ds)
    matrix = _other_matrix(other, ds["video"].to_numpy()[order])
    if method == "spearman":
        matrices, matrix = _ranked(matrices), _ranked(matrix[None])[0]
    statistic = MatrixCorrelation(matrices, matrix, alternative == "two-sided")
    same = np.arange(len(order))[None]
    r = statistic.r(same)[0]
    test = permutation_test(
        statistic,
        statistic(same)[0],
        Orders(len(order)),
        n_permutations=n_permutations,
        seed=seed,
        client=client,
        chunk=int(np.clip(_CELLS // max(1, len(order) ** 2), 1, _MOST_DRAWS)),
    )
    i, j = np.triu_indices(len(order), 1)
    n_pairs = (~np.isnan(matrices[:, i, j]) & ~np.isnan(matrix[i, j])).sum(axis=1)
    return xr.Dataset(
        {name: labelled(array, others, (), {}) for name, array in (("r", r), ("p", test.p), ("n_pairs", n_pairs))},
        attrs=attrs_of(ds, "mantel")
        | {"test": f"Mantel test, {method}", "alternative": alternative}
        | test.attrs(seed),
    )


def _ranked(matrices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of the pairs of each matrix (m, n, n), on both sides of the diagonal."""
    i, j = np.triu_indices(matrices.shape[-1], 1)
    ranked = np.full(matrices.shape, np.nan)
    ranked[:, i, j] = ranked[:, j, i] = rank_series(matrices[:, i, j])
    return ranked


def _other_matrix(other: xr.DataArray | pd.DataFrame, labels: NDArray[Any]) -> NDArray[np.float64]:
    if isinstance(other, xr.DataArray):
        if set(other.dims) != {"video", "video_other"}:
            raise SchemaError(f"found a matrix with dims {other.dims}; expected (video, video_other)")
        other = other.transpose("video", "video_other").to_pandas()
    if not isinstance(other, pd.DataFrame):
        raise InputError(
            f"found a {type(other).__name__}; expected a DataArray or a DataFrame with labels on both sides"
        )
    wanted = [str(label) for label in labels]
    table = other.rename(index=str, columns=str)
    missing = sorted(set(wanted) - set(table.index) | set(wanted) - set(table.columns))
    if missing:
        raise unknown_names("video of the other matrix", missing, [str(label) for label in table.index])
    values = table.loc[wanted, wanted].to_numpy(dtype=np.float64)
    if not np.allclose(values, values.T, equal_nan=True):
        raise InputError(
            "found a matrix that differs across its diagonal; expected a symmetric one: average both sides"
        )
    return np.asarray(values)
