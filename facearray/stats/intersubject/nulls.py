"""p values of correlations between time courses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._words import some
from facearray.errors import InputError
from facearray.stats.corrections import adjust
from facearray.stats.intersubject.grid import Grid, load
from facearray.stats.intersubject.pairs import label_order
from facearray.stats.intersubject.request import Request
from facearray.stats.kernels.autocorrelation import effective_pairs, effective_size
from facearray.stats.kernels.comparison import Comparison
from facearray.stats.kernels.correlation import average_of_others, correlate
from facearray.stats.kernels.ols import Array
from facearray.stats.kernels.products import standardize
from facearray.stats.kernels.resampling import PermutationResult, permutation_test
from facearray.stats.kernels.surrogate_statistic import SurrogateStatistic
from facearray.stats.kernels.surrogates import CircularShift, PhaseRandomization, Spans, Surrogates

__all__ = ["Tested", "p_values"]

#: Values that one chunk of draws may hold.
_CELLS = 2**22

_MOST_DRAWS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Arrays (n_feature, [n_window,] ...) by variable, and what is said about them."""

    arrays: dict[str, Array]
    attrs: dict[str, Any]
    notes: list[str]


def p_values(
    ds: xr.Dataset, grid: Grid, features: list[str], comparison: Comparison, request: Request, n: NDArray[np.integer]
) -> Tested:
    """Test correlations (n_feature, [n_window,] n_video[, n_video]) with ``n`` shared times against a null.

    Raises
    ------
    InputError
        If phases are to be randomised and series have gaps.
    """
    # in the order of the labels, so that the order of the videos does not matter to the draws
    order = label_order(ds["video"].to_numpy())
    values = load(ds, grid, features).astype(np.float64)[:, order]
    if request.null == "effective_df":
        shared = n[:, order[:, None], order]
        parts = [_effective(x, shared[f], request) for f, x in enumerate(values)]
        attrs: dict[str, Any] = {}
        notes: list[str] = []
    else:
        labels = ds["video"].to_numpy()[order]
        if request.null == "phase":
            _refuse_gaps(values, features, labels)
        found = [_drawn(x, comparison, request) for x in values]
        parts = [part for part, _, _ in found]
        attrs = {"seed": request.draw_seed, "n_draws": request.draws}
        notes = _notes_on_draws(found, labels, request)
    arrays = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    back = np.argsort(order)
    for name, array in arrays.items():
        if not name.endswith("mean"):
            arrays[name] = array[..., back] if request.join == "leave_one_out" else array[..., back[:, None], back]
    return Tested(arrays, attrs, notes)


def _effective(x: Array, n: NDArray[np.integer], request: Request) -> dict[str, Array]:
    from scipy.special import stdtr

    r, _ = correlate(x)
    r[n < request.min_overlap] = np.nan
    df = effective_pairs(x, n) - 2
    with np.errstate(invalid="ignore", divide="ignore"):
        t = r * np.sqrt(df / (1 - r**2))
        above = stdtr(df, -np.abs(t)) * 2 if request.alternative == "two-sided" else stdtr(df, -t)
    p = np.where(df > 0, above, np.nan)
    np.fill_diagonal(p, np.nan)
    found = {"p": p}
    if request.correction:
        i, j = np.triu_indices(len(x), 1)
        found["p_adjusted"] = _square(adjust(p[i, j], request.correction), len(x))
    return found


def _refuse_gaps(values: Array, features: list[str], labels: NDArray[Any]) -> None:
    gaps = np.zeros(len(labels), dtype=bool)
    of_features = []
    for name, x in zip(features, values, strict=True):
        spans = Spans.of(x)
        here = (~np.isnan(x)).sum(axis=1) < spans.length
        gaps |= here
        of_features += [name] if here.any() else []
    if gaps.any():
        raise InputError(
            f"found gaps in the time courses of {some(labels[gaps])} ({some(np.array(of_features))}); expected a value "
            "at every time from the first to the last, which phase randomisation needs: interpolate them first, or use "
            "null='circular_shift'"
        )


def _drawn(x: Array, comparison: Comparison, request: Request) -> tuple[dict[str, Array], PermutationResult, Any]:
    """Draw surrogates of one feature's series: p values, how they were found, and which series cannot be shifted."""
    n_videos = len(x)
    used = np.flatnonzero(~np.isnan(standardize(x).values).all(axis=1))
    n_windows = len(list(comparison.windows(x.shape[1])))
    n_pairs = len(used) * (len(used) - 1) // 2 if request.join == "pairwise" else len(used)
    m = n_windows * n_pairs
    surrogates, still = _surrogates(x[used], request)
    test = SurrogateStatistic(x[used], surrogates, comparison, request.join, request.alternative == "two-sided")
    r, mean = test.observed()
    observed = test.size(np.concatenate([r, mean]))
    cells = max(x[used].size, len(observed), 1)
    result = permutation_test(
        test,
        observed,
        surrogates,
        n_permutations=request.draws,
        seed=request.draw_seed,
        client=request.client,
        family=np.arange(len(observed)) < m,
        chunk=int(np.clip(_CELLS // cells, 1, _MOST_DRAWS)),
    )

    def placed(values: Array) -> Array:
        values = values.reshape(n_windows, n_pairs)
        if request.join == "pairwise":
            whole = np.full((n_windows, n_videos, n_videos), np.nan)
            whole[:, used[:, None], used] = np.stack([_square(v, len(used)) for v in values])
        else:
            whole = np.full((n_windows, n_videos), np.nan)
            whole[:, used] = values
        return whole if comparison.window is not None else whole[0]

    found = {"p": placed(result.p[:m])}
    if request.correction == "max_r":
        # draws without a correlation do not count for a pair, but for the largest of the others
        found["p_adjusted"] = placed(np.maximum(result.p_max, result.p)[:m])
    elif request.correction:
        found["p_adjusted"] = placed(adjust(result.p[:m], request.correction))
    p_mean = result.p[m:]
    found |= {"r_mean": mean, "p_mean": p_mean}
    if comparison.window is None:
        found |= {"r_mean": mean[0], "p_mean": p_mean[0]}
    return found, result, used[still]


def _surrogates(x: Array, request: Request) -> tuple[Surrogates, NDArray[np.intp]]:
    """How series are changed, and which of them cannot be."""
    if request.null == "phase":
        return PhaseRandomization(Spans.of(x)), np.array([], dtype=np.intp)
    n = len(x)
    if request.join == "leave_one_out":
        x = np.concatenate([x, average_of_others(x)])
    with np.errstate(invalid="ignore"):
        times = np.ceil((~np.isnan(x)).sum(axis=1) / effective_size(x))
    surrogates = CircularShift(Spans.of(x), np.fmax(times, 1).astype(np.intp))
    return surrogates, np.flatnonzero(~surrogates.can_shift[:n])


def _square(pairs: Array, n: int) -> Array:
    """Put the values of pairs on both sides of the diagonal, which has none."""
    whole = np.full((n, n), np.nan)
    i, j = np.triu_indices(n, 1)
    whole[i, j] = whole[j, i] = pairs
    return whole


def _notes_on_draws(found: list[Any], labels: NDArray[Any], request: Request) -> list[str]:
    notes = []
    still = sorted({int(row) for _, _, rows in found for row in rows})
    if still:
        notes.append(
            f"too short to be shifted by as long as they are autocorrelated, both ways: {some(labels[still])}; they "
            "stay as they are, and p of two of them is 1"
        )
    fewest = min(
        (int(result.n_counted[result.n_counted > 0].min(initial=request.draws)) for _, result, _ in found),
        default=request.draws,
    )
    if fewest < request.draws / 2:
        notes.append(
            f"some p values rest on {fewest} of {request.draws} draws, as other draws left too little to compare"
        )
    return notes
