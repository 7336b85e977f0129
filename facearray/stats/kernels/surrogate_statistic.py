"""Correlations of changed time courses: the statistic of a test against surrogates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.comparison import Comparison, fisher_mean
from facearray.stats.kernels.correlation import average_of_others
from facearray.stats.kernels.ols import Array
from facearray.stats.kernels.products import standardize
from facearray.stats.kernels.ranks import rank_series
from facearray.stats.kernels.surrogates import CircularShift, Surrogates

__all__ = ["Join", "SurrogateStatistic"]

Join = Literal["pairwise", "leave_one_out"]

#: Bytes of the table of all circular shifts of all pairs, up to which it is made.
_TABLE_BYTES = 2**28


@dataclass(frozen=True, eq=False)
class SurrogateStatistic:
    """How large correlations are in changed series: the statistic of a permutation test.

    Of pairs, both series are changed. Where each series is compared with the others, it is changed and their average
    is not.

    Parameters
    ----------
    x
        Series (n, n_time), none of them constant.
    surrogates
        How they are changed.
    comparison, join
        What is computed.
    two_sided
        Whether the size is that of the absolute value.
    """

    x: Array
    surrogates: Surrogates
    comparison: Comparison
    join: Join
    two_sided: bool
    _others: Array = field(init=False)
    _fast: Callable[[NDArray[Any]], Array] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_others", average_of_others(self.x))
        object.__setattr__(self, "_fast", self._find_fast())

    def observed(self) -> tuple[Array, Array]:
        """Correlations (m,) of the series as they are, window after window, and their means (n_window,)."""
        return self._of_series(self.x)

    def size(self, r: Array) -> Array:
        """Give what is compared of correlations."""
        return np.abs(r) if self.two_sided else r

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        """Compute the sizes (size, m + n_window) for changed series; NaN where a change leaves them nearly the same."""
        r, mean = self._of_changes(arrangements)
        if isinstance(self.surrogates, CircularShift):
            if self.join == "pairwise":
                near = self.surrogates.near(arrangements, *np.triu_indices(len(self.x), 1))
            else:
                near = np.broadcast_to(~self.surrogates.can_shift, arrangements.shape)
            r = np.where(np.tile(near, r.shape[1] // max(1, near.shape[1])), np.nan, r)
        return np.concatenate([self.size(r), self.size(mean)], axis=1)

    def _of_changes(self, changes: NDArray[Any]) -> tuple[Array, Array]:
        if self._fast is not None:
            r = self._fast(changes)
            return r, fisher_mean(r)[:, None]
        changed = self.surrogates.apply(self.x, changes)
        if self.comparison.method == "pearson":
            return self._of_series(changed)
        parts = [self._of_series(one) for one in changed]
        return np.stack([r for r, _ in parts]), np.stack([mean for _, mean in parts])

    def _of_series(self, x: Array) -> tuple[Array, Array]:
        """Correlations (..., m) and means (..., n_window) of series (..., n, n_time)."""
        if self.join == "leave_one_out":
            r = self.comparison.of_rows(x, np.broadcast_to(self._others, x.shape)).r
        else:
            i, j = np.triu_indices(x.shape[-2], 1)
            r = self.comparison.of_pairs(self.comparison.prepare(x)).r[..., i, j]
        mean = fisher_mean(r)
        if self.comparison.window is None:
            return r, mean[..., None]
        return r.reshape(*r.shape[:-2], -1), mean

    def _find_fast(self) -> Callable[[NDArray[Any]], Array] | None:
        """Find a way to correlate changed series without changing them; None if there is none.

        There is one for Pearson's r, and Spearman's of pairs after a shift, of series that are complete and begin and
        end together.
        """
        shifts, spans = isinstance(self.surrogates, CircularShift), self.surrogates.spans
        ranked = self.comparison.method == "spearman" and self.join == "pairwise" and shifts
        if not self.comparison.is_plain or not (ranked or self.comparison.method == "pearson"):
            return None
        if not spans.are_one or spans.length[0] < self.comparison.min_overlap:
            return None
        span = slice(spans.first[0], spans.first[0] + spans.length[0])
        x, others = self.x[:, span], self._others[:, span]
        if np.isnan(x).any() or (self.join == "leave_one_out" and np.isnan(others).any()):
            return None
        z = standardize(rank_series(x) if ranked else x).values
        if self.join == "leave_one_out":
            others = standardize(others).values
            return _Shifted.of(z, others) if shifts else _PhasesOfRows.of(z, others)
        if not shifts:
            return _PhasesOfPairs.of(z)
        table_bytes = len(z) * (len(z) - 1) // 2 * z.shape[1] * 8
        return _Shifted.of(z, None) if table_bytes <= _TABLE_BYTES else None


@dataclass(frozen=True, eq=False)
class _Shifted:
    """Correlations (m, length) at every circular shift: of all pairs of series, or of each with another one."""

    table: Array
    of_pairs: bool

    @classmethod
    def of(cls, z: Array, others: Array | None) -> _Shifted:
        spectrum = np.fft.rfft(z)
        i, j = np.triu_indices(len(z), 1)
        if others is None:
            products = np.conj(spectrum[i]) * spectrum[j]
        else:
            products = np.conj(spectrum) * np.fft.rfft(others)
        return cls(np.fft.irfft(products, n=z.shape[1]), others is None)

    def __call__(self, shifts: NDArray[np.intp]) -> Array:
        m, length = self.table.shape
        if self.of_pairs:
            i, j = np.triu_indices(shifts.shape[1], 1)
            shifts = shifts[:, i] - shifts[:, j]
        return np.asarray(self.table.take(shifts % length + np.arange(m) * length))


def _components(z: Array) -> tuple[NDArray[np.complex64], bool]:
    """Fourier components (n, n_frequency) whose products add up to those of the series; whether the last is real.

    Float32 is enough for what is only compared with a correlation.
    """
    length = z.shape[1]
    is_even = length % 2 == 0
    components = np.fft.rfft(z)[:, 1:] * np.sqrt(2 / length)
    if is_even:
        components[:, -1] /= np.sqrt(2)
    return components.astype(np.complex64), is_even


def _turned(amplitude: NDArray[np.float32], phases: NDArray[np.float32], is_even: bool) -> NDArray[np.float32]:
    """Real and imaginary parts (size, n, 2 n_frequency) of components with given phases."""
    n_frequencies = phases.shape[2]
    parts = np.empty((*phases.shape[:2], 2 * n_frequencies), dtype=np.float32)
    cosine, sine = parts[..., :n_frequencies], parts[..., n_frequencies:]
    np.cos(phases, out=cosine)
    np.sin(phases, out=sine)
    if is_even:
        cosine[..., -1] = np.where(cosine[..., -1] < 0, -1, 1)
        sine[..., -1] = 0
    cosine *= amplitude
    sine *= amplitude
    return parts


@dataclass(frozen=True, eq=False)
class _PhasesOfPairs:
    """Correlations of all pairs of series that are given other phases, from their amplitudes (n, n_frequency)."""

    amplitude: NDArray[np.float32]
    is_even: bool

    @classmethod
    def of(cls, z: Array) -> _PhasesOfPairs:
        components, is_even = _components(z)
        return cls(np.abs(components), is_even)

    def __call__(self, phases: NDArray[np.float32]) -> Array:
        parts = _turned(self.amplitude, phases, self.is_even)
        i, j = np.triu_indices(phases.shape[1], 1)
        r = (parts @ parts.swapaxes(1, 2))[:, i, j]
        return np.asarray(np.clip(r, -1, 1), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _PhasesOfRows:
    """Correlations of series that are given other phases, each with another one that keeps its own."""

    amplitude: NDArray[np.float32]
    other: NDArray[np.float32]
    is_even: bool

    @classmethod
    def of(cls, z: Array, others: Array) -> _PhasesOfRows:
        components, is_even = _components(z)
        other, _ = _components(others)
        return cls(np.abs(components), np.concatenate([other.real, other.imag], axis=1), is_even)

    def __call__(self, phases: NDArray[np.float32]) -> Array:
        r = np.einsum("snk,nk->sn", _turned(self.amplitude, phases, self.is_even), self.other)
        return np.asarray(np.clip(r, -1, 1), dtype=np.float64)
