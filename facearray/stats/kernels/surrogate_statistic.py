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


_Fast = Callable[[NDArray[Any]], Array]


@dataclass(frozen=True, eq=False)
class SurrogateStatistic:
    """How large correlations are in changed series: the statistic of a permutation test.

    Of pairs, both series are changed. Where each series is compared with the average of the others, its own correlation
    is that of the changed series with this average (shifted, where series are shifted), and the mean over series that
    of all changed series with the averages of the other changed ones: the correlations of different series depend on
    each other, which the null of their mean has to keep.

    Parameters
    ----------
    x
        Series (n, n_time), none of them constant.
    surrogates
        How they are changed; of 2 n series if averages of others are shifted, too.
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
    _fast_pairs: _Fast | None = field(init=False, default=None)
    _fast_rows: _Fast | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_others", average_of_others(self.x))
        pairs, rows = self._find_fast()
        object.__setattr__(self, "_fast_pairs", pairs)
        object.__setattr__(self, "_fast_rows", rows)

    def observed(self) -> tuple[Array, Array]:
        """Correlations (m,) of the series as they are, window after window, and their means (n_window,)."""
        r = self._flat(self._of_pairs(self.x) if self.join == "pairwise" else self._of_rows(self.x, self._others))
        return r, self._mean(r)

    def size(self, r: Array) -> Array:
        """Give what is compared of correlations."""
        return np.abs(r) if self.two_sided else r

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        """Compute the sizes (size, m + n_window) for changed series; NaN where there is no correlation."""
        n = len(self.x)
        if self.join == "pairwise":
            r = self._pairs(arrangements)
            return np.concatenate([self.size(r), self.size(self._mean(r))], axis=1)
        if self._fast_pairs is not None and self._fast_rows is not None:
            r, of_changed = self._fast_rows(arrangements), _others_of_pairs(self._fast_pairs(arrangements[:, :n]), n)
        else:
            r, of_changed = self._slow_rows(arrangements)
        return np.concatenate([self.size(r), self.size(self._mean(of_changed))], axis=1)

    def _pairs(self, changes: NDArray[Any]) -> Array:
        if self._fast_pairs is not None:
            return self._fast_pairs(changes)
        changed = self.surrogates.apply(self.x, changes)
        if self.comparison.method == "pearson":
            return self._flat(self._of_pairs(changed))
        return np.stack([self._flat(self._of_pairs(one)) for one in changed])

    def _slow_rows(self, changes: NDArray[Any]) -> tuple[Array, Array]:
        n = len(self.x)
        changed = self.surrogates.take(slice(n)).apply(self.x, changes[:, :n])
        others = np.broadcast_to(self._others, changed.shape)
        if changes.shape[1] > n:
            others = self.surrogates.take(slice(n, None)).apply(self._others, changes[:, n:])
        averages = average_of_others(changed)
        if self.comparison.method == "pearson":
            return self._flat(self._of_rows(changed, others)), self._flat(self._of_rows(changed, averages))
        both = [
            (self._flat(self._of_rows(one, other)), self._flat(self._of_rows(one, average)))
            for one, other, average in zip(changed, others, averages, strict=True)
        ]
        return np.stack([r for r, _ in both]), np.stack([r for _, r in both])

    def _of_pairs(self, x: Array) -> Array:
        i, j = np.triu_indices(x.shape[-2], 1)
        return self.comparison.of_pairs(self.comparison.prepare(x)).r[..., i, j]

    def _of_rows(self, x: Array, others: Array) -> Array:
        return self.comparison.of_rows(x, others).r

    def _flat(self, r: Array) -> Array:
        """Put windows (..., n_window, m) one after the other."""
        return r if self.comparison.window is None else r.reshape(*r.shape[:-2], -1)

    def _mean(self, r: Array) -> Array:
        """Means (..., n_window) of (..., m) correlations."""
        n_windows = len(list(self.comparison.windows(self.x.shape[1])))
        return fisher_mean(r.reshape(*r.shape[:-1], n_windows, -1))

    def _find_fast(self) -> tuple[_Fast | None, _Fast | None]:
        """Find ways to correlate changed pairs, and changed series with others, without changing them.

        There are some for Pearson's r, and Spearman's of pairs after a shift, of series that are complete and begin and
        end together.
        """
        shifts, spans = isinstance(self.surrogates, CircularShift), self.surrogates.spans
        ranked = self.comparison.method == "spearman" and self.join == "pairwise" and shifts
        if not self.comparison.is_plain or not (ranked or self.comparison.method == "pearson") or len(self.x) < 2:
            return None, None
        if not spans.are_one or spans.length[0] < self.comparison.min_overlap:
            return None, None
        span = slice(spans.first[0], spans.first[0] + spans.length[0])
        x, others = self.x[:, span], self._others[:, span]
        if np.isnan(x).any() or (self.join == "leave_one_out" and np.isnan(others).any()):
            return None, None
        z = standardize(rank_series(x) if ranked else x).values
        if len(z) * (len(z) - 1) // 2 * z.shape[1] * 8 > _TABLE_BYTES and shifts:
            return None, None
        rows: _Fast | None = None
        if self.join == "leave_one_out":
            others = standardize(others).values
            rows = _ShiftedRows.of(z, others) if shifts else _PhasesOfRows.of(z, others)
        return (_ShiftedPairs.of(z) if shifts else _PhasesOfPairs.of(z)), rows


def _others_of_pairs(pairs: Array, n: int) -> Array:
    """Correlations (size, n) of each of n complete series with the sum of the others, from those of pairs."""
    matrix = np.zeros((len(pairs), n, n))
    i, j = np.triu_indices(n, 1)
    matrix[:, i, j] = pairs
    with_others = matrix.sum(axis=1) + matrix.sum(axis=2)
    total = pairs.sum(axis=1, keepdims=True)
    return np.asarray(with_others / np.sqrt(n - 1 + 2 * (total - with_others)))


def _shift_table(a: Array, b: Array) -> Array:
    """Products (m, length) of m series with others, at every circular shift of the first against the second."""
    return np.fft.irfft(np.conj(np.fft.rfft(a)) * np.fft.rfft(b), n=a.shape[1])


@dataclass(frozen=True, eq=False)
class _ShiftedPairs:
    """Correlations (n_pairs, length) of all pairs of series at every circular shift of one against the other."""

    table: Array

    @classmethod
    def of(cls, z: Array) -> _ShiftedPairs:
        i, j = np.triu_indices(len(z), 1)
        return cls(_shift_table(z[i], z[j]))

    def __call__(self, shifts: NDArray[np.intp]) -> Array:
        i, j = np.triu_indices(shifts.shape[1], 1)
        return _look_up(self.table, shifts[:, i] - shifts[:, j])


@dataclass(frozen=True, eq=False)
class _ShiftedRows:
    """Correlations (n, length) of series with others at every circular shift of one against the other."""

    table: Array

    @classmethod
    def of(cls, z: Array, others: Array) -> _ShiftedRows:
        return cls(_shift_table(z, others))

    def __call__(self, shifts: NDArray[np.intp]) -> Array:
        n = len(self.table)
        return _look_up(self.table, shifts[:, :n] - shifts[:, n:])


def _look_up(table: Array, shifts: NDArray[np.intp]) -> Array:
    m, length = table.shape
    return np.asarray(table.take(shifts % length + np.arange(m) * length))


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
