"""What comes out for one dyad, and what would if the windows were put into other orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.signal.dyads.request import Comparison
from facearray.signal.kernels.pairing import CyclicShifts, Tested, compare
from facearray.signal.kernels.synchrony import (
    LaggedCorrelation,
    Measure,
    coherence_of,
    lagged_correlation,
    lagged_correlation_of_all,
    lead,
)
from facearray.stats.kernels.comparison import fisher_z
from facearray.stats.kernels.resampling import Orders

__all__ = ["LEAD", "STRENGTH", "STRENGTH_MAX", "Found", "empty", "family", "observed", "of_dyad"]

Array = NDArray[np.float64]

#: Where the mean over lags or frequencies, the largest value and the size of the lead are, behind the parts.
STRENGTH, STRENGTH_MAX, LEAD = -3, -2, -1


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Of one dyad.

    Attributes
    ----------
    outcomes
        (n_feature, n_part + 3): z or coherence of every lag or frequency, strength, strength_max and size of the lead.
    lead
        How far (n_feature,) the first one leads, with its sign.
    phase
        (n_feature, n_part); NaN for correlations.
    r
        Correlations (n_feature, n_window, n_lag); no windows for coherence.
    n_windows
        Windows (n_feature,) with a value.
    tested
        Of each feature, where there is a null.
    """

    outcomes: Array
    lead: Array
    phase: Array
    r: Array
    n_windows: NDArray[np.intp]
    tested: list[Tested | None]


def empty(comparison: Comparison, n_features: int) -> Found:
    """Make what there is of a dyad that cannot be compared."""
    n = len(comparison.parts)
    return Found(
        outcomes=np.full((n_features, n + 3), np.nan),
        lead=np.full(n_features, np.nan),
        phase=np.full((n_features, n), np.nan),
        r=np.full((n_features, 0, n), np.nan),
        n_windows=np.zeros(n_features, dtype=np.intp),
        tested=[None] * n_features,
    )


def family(comparison: Comparison) -> NDArray[np.bool_]:
    """Which outcomes are those of single lags or frequencies."""
    n = len(comparison.parts)
    return np.arange(n + 3) < n


def of_dyad(x: NDArray[np.floating], y: NDArray[np.floating], comparison: Comparison) -> Found:
    """Compare two persons (n_feature, n_place) that have a window in common."""
    request, windows = comparison.request, comparison.windows
    found = empty(comparison, len(x))
    r = []
    for f, (a, b) in enumerate(zip(x, y, strict=True)):
        found.outcomes[f], found.lead[f] = observed(a, b, comparison)
        if request.is_coherence:
            spectra = coherence_of(a, b, windows)
            n_windows = len(spectra.x)
            found.n_windows[f], found.phase[f] = n_windows, spectra.phase[comparison.used]
        else:
            r.append(lagged_correlation(a, b, windows))
            n_windows = len(r[-1])
            found.n_windows[f] = (~np.isnan(r[-1])).any(axis=1).sum()
        if request.null in ("segment_shuffle", "circular_shift") and found.n_windows[f] > 1:
            measure: Measure = (
                spectra
                if request.is_coherence
                else LaggedCorrelation.of(lagged_correlation_of_all(a, b, windows), absolute=request.is_two_sided)
            )
            found.tested[f] = _tested(_Outcomes(measure, comparison), n_windows, comparison)
    if not r:
        return found
    return Found(found.outcomes, found.lead, found.phase, np.stack(r), found.n_windows, found.tested)


def observed(a: NDArray[np.floating], b: NDArray[np.floating], comparison: Comparison) -> tuple[Array, float]:
    """Outcomes (n_part + 3,) of two series as they are, and how far the first one leads."""
    if comparison.request.is_coherence:
        spectra = coherence_of(a, b, comparison.windows)
        parts = spectra(np.arange(len(spectra.x))[None])[:, comparison.used]
        return _with_summaries(parts, np.full(1, np.nan))[0], np.nan
    z = fisher_z(lagged_correlation(a, b, comparison.windows))
    there = ~np.isnan(z)
    z = np.where(there, np.abs(z) if comparison.request.is_two_sided else z, 0)
    with np.errstate(invalid="ignore"):
        parts = (z.sum(axis=0) / there.sum(axis=0))[None]
    ahead = lead(parts)
    return _with_summaries(parts, ahead)[0], float(ahead[0])


@dataclass(frozen=True, slots=True, eq=False)
class _Outcomes:
    """Outcomes (d, n_part + 3) of orders of windows."""

    measure: Measure
    comparison: Comparison

    def __call__(self, orders: NDArray[np.intp]) -> Array:
        parts = self.measure(orders)[:, self.comparison.used]
        coherent = self.comparison.request.is_coherence
        return _with_summaries(parts, np.full(len(parts), np.nan) if coherent else lead(parts))


def _with_summaries(parts: Array, ahead: Array) -> Array:
    there = ~np.isnan(parts)
    with np.errstate(invalid="ignore"):
        strength = np.where(there, parts, 0).sum(axis=1) / there.sum(axis=1)
    largest = np.where(there, parts, -np.inf).max(axis=1, initial=-np.inf)
    return np.column_stack([parts, strength, np.where(np.isfinite(largest), largest, np.nan), np.abs(ahead)])


def _tested(outcomes: _Outcomes, n: int, comparison: Comparison) -> Tested:
    request, windows = comparison.request, comparison.windows
    orders: Orders | CyclicShifts = Orders(n)
    if request.null == "circular_shift":
        every = max(1, windows.length // windows.step)
        # windows at the end that make no whole one are left out, as the shifts would not be a group with them
        n = n // every * every if n >= every else n
        orders = CyclicShifts(n, min(every, n))
    return compare(
        outcomes,
        outcomes(np.arange(n)[None])[0],
        orders,
        n_draws=request.draws,
        seed=request.draw_seed,
        family=family(comparison),
    )
