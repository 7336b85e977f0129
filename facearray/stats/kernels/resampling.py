"""Permutation tests: all arrangements where they are few, seeded draws where they are many.

Draws come in chunks of a fixed size, each with a random generator of its own, and only counts leave a chunk. So a
result depends on the seed and on the order of the units, and not on how many workers share the chunks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.ols import Array

__all__ = [
    "MAX_ARRANGEMENTS",
    "Arrangements",
    "Draws",
    "FreedmanLane",
    "Labels",
    "Orders",
    "PermutationResult",
    "SignFlip",
    "Signs",
    "Slope",
    "TwoSample",
    "chunks_of_draws",
    "draw_chunk",
    "permutation_test",
]

#: Up to this number of arrangements, all are used.
MAX_ARRANGEMENTS = 200_000

_CHUNK = 256

#: Of so many units, signs, orders and choices are too many to be listed; their true number can be astronomical.
_LISTABLE = 20

#: A statistic that is smaller than the observed one by no more than this share is as large: rounding differs.
_TIE = 1e-9

Index = NDArray[np.intp]


class Draws(Protocol):
    """Changes of the data that are as likely as the data under the null hypothesis, too many to be listed."""

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[Any]:
        """Draw some of them, one a row."""


@runtime_checkable
class Arrangements(Draws, Protocol):
    """The arrangements of a design that are as likely as the observed one under the null hypothesis."""

    def count(self) -> int:
        """Count the different arrangements, the observed one included; at least right up to `MAX_ARRANGEMENTS`."""

    def all(self) -> Iterator[NDArray[Any]]:
        """Give all of them, in chunks of rows."""


class Statistic(Protocol):
    """How extreme every outcome is, such as |t|, under each of some arrangements: (d, m) from d rows.

    Infinite where an undefined value counts as the most extreme one; NaN where the arrangement does not count.
    """

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        """Compute it."""


def _chunked(rows: Iterator[Any], dtype: type = float) -> Iterator[NDArray[Any]]:
    while chunk := list(itertools.islice(rows, _CHUNK)):
        yield np.array(chunk, dtype=dtype)


def _blocks(n: int, blocks: NDArray[np.integer] | None) -> list[Index]:
    if blocks is None:
        return [np.arange(n)]
    return [np.flatnonzero(blocks == block) for block in np.unique(blocks)]


@dataclass(frozen=True)
class Signs:
    """Signs of n differences, each +1 or -1."""

    n: int

    def count(self) -> int:
        """Count them."""
        return int(2 ** min(self.n, _LISTABLE))

    def all(self) -> Iterator[Array]:
        """Give all of them."""
        return _chunked(itertools.product((1.0, -1.0), repeat=self.n))

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Draw some of them."""
        return rng.choice([1.0, -1.0], size=(size, self.n))


@dataclass(frozen=True)
class Orders:
    """Orders of n units, within blocks where there are any: rows of positions."""

    n: int
    blocks: NDArray[np.integer] | None = None

    def count(self) -> int:
        """Count them."""
        return math.prod(math.factorial(min(len(block), _LISTABLE)) for block in _blocks(self.n, self.blocks))

    def all(self) -> Iterator[Index]:
        """Give all of them."""
        blocks = _blocks(self.n, self.blocks)
        parts = itertools.product(*(itertools.permutations(block) for block in blocks))
        place = np.argsort(np.concatenate(blocks))
        for chunk in _chunked((list(itertools.chain(*part)) for part in parts), int):
            yield chunk[:, place]

    def draw(self, rng: np.random.Generator, size: int) -> Index:
        """Draw some of them."""
        keys = rng.random((size, self.n))
        orders = np.empty((size, self.n), dtype=np.intp)
        for block in _blocks(self.n, self.blocks):
            orders[:, block] = block[np.argsort(keys[:, block], axis=1)]
        return orders


@dataclass(frozen=True)
class Labels:
    """A regressor (n,) dealt out to the units anew, within blocks where there are any.

    Where it has two values, arrangements that deal the same value to each unit count once.
    """

    x: Array
    blocks: NDArray[np.integer] | None = None

    def count(self) -> int:
        """Count them."""
        if not self._two_valued:
            return Orders(len(self.x), self.blocks).count()
        parts = (self.x[block] == self.x.max() for block in _blocks(len(self.x), self.blocks))
        return math.prod(math.comb(len(part), min(int(part.sum()), int((~part).sum()), _LISTABLE)) for part in parts)

    @property
    def _two_valued(self) -> bool:
        return len(np.unique(self.x)) == 2

    def all(self) -> Iterator[Array]:
        """Give all of them."""
        if not self._two_valued:
            for orders in Orders(len(self.x), self.blocks).all():
                yield self.x[orders]
            return
        low, high = np.unique(self.x)
        # The rarer value is placed, so that few positions have to be listed.
        rare, common = (high, low) if (self.x == high).sum() <= (self.x == low).sum() else (low, high)
        blocks = _blocks(len(self.x), self.blocks)
        places = (itertools.combinations(block, int((self.x[block] == rare).sum())) for block in blocks)
        for chunk in _chunked((list(itertools.chain(*part)) for part in itertools.product(*places)), int):
            dealt = np.full((len(chunk), len(self.x)), common)
            np.put_along_axis(dealt, chunk, rare, axis=1)
            yield dealt

    def draw(self, rng: np.random.Generator, size: int) -> Array:
        """Draw some of them."""
        dealt: Array = self.x[Orders(len(self.x), self.blocks).draw(rng, size)]
        return dealt


def chunks_of_draws(n_permutations: int, size: int = _CHUNK) -> Sequence[int]:
    """Numbers of the chunks that draws come in."""
    return range(math.ceil(n_permutations / size))


def draw_chunk(arrangements: Draws, seed: int, chunk: int, n_permutations: int, size: int = _CHUNK) -> NDArray[Any]:
    """Draw the arrangements of one chunk, the same whoever draws it."""
    drawn = arrangements.draw(np.random.default_rng([seed, chunk]), size)
    return drawn[: n_permutations - chunk * size]


def _ratio(numerator: Array, variance: Array, *, signed: bool) -> Array:
    """Ratio of an estimate and its standard error, or its absolute value; infinite where there is no variance."""
    with np.errstate(divide="ignore", invalid="ignore"):
        numerator = numerator if signed else np.abs(numerator)
        return np.where(variance > 0, numerator / np.sqrt(variance), np.copysign(np.inf, numerator))


def _centred(y: Array) -> Array:
    """Outcomes (n, m) less their means; 0 where there is none."""
    there = ~np.isnan(y)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(there, y - np.where(there, y, 0).sum(axis=0) / there.sum(axis=0), 0)


@dataclass(frozen=True)
class SignFlip:
    """|t|, or t if `signed`, of the mean of outcomes (n, m) whose signs are flipped; a NaN is left out."""

    y: Array
    signed: bool = False
    _there: Array = field(init=False)
    _filled: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_there", ~np.isnan(self.y))
        object.__setattr__(self, "_filled", np.nan_to_num(self.y))

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        """Compute it."""
        n = self._there.sum(axis=0)
        total = arrangements @ self._filled
        square = (self._filled**2).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            rest = square - total**2 / n
            variance = np.where(rest > 1e-13 * square, rest, 0) / (n - 1) / n
            return _ratio(total / n, variance, signed=self.signed)


@dataclass(frozen=True)
class TwoSample:
    """|t| of the difference of two groups, for outcomes (n, m); labels above 0 are one group, others the other.

    t, first minus other, if `signed`. A NaN stays with its unit, so that the group sizes of that outcome differ between
    arrangements.
    """

    y: Array
    equal_var: bool = False
    signed: bool = False
    _there: Array = field(init=False)
    _centred: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_there", (~np.isnan(self.y)).astype(float))
        object.__setattr__(self, "_centred", _centred(self.y))

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        """Compute it."""
        group = (arrangements > 0).astype(float)
        n1, sum1, square1 = group @ self._there, group @ self._centred, group @ self._centred**2
        n2 = self._there.sum(axis=0) - n1
        sum2, square2 = self._centred.sum(axis=0) - sum1, (self._centred**2).sum(axis=0) - square1
        with np.errstate(divide="ignore", invalid="ignore"):
            rest1, rest2 = square1 - sum1**2 / n1, square2 - sum2**2 / n2
            if self.equal_var:
                variance = (rest1 + rest2) / (n1 + n2 - 2) * (1 / n1 + 1 / n2)
            else:
                variance = rest1 / (n1 - 1) / n1 + rest2 / (n2 - 1) / n2
            floor = 1e-13 * (square1 + square2) / (n1 + n2) ** 2
            return _ratio(sum1 / n1 - sum2 / n2, np.where(variance > floor, variance, 0), signed=self.signed)


@dataclass(frozen=True)
class Slope:
    """|t|, or t if `signed`, of the slope of outcomes (n, m) on one regressor and an intercept.

    A NaN stays with its unit.
    """

    y: Array
    signed: bool = False
    _there: Array = field(init=False)
    _centred: Array = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_there", (~np.isnan(self.y)).astype(float))
        object.__setattr__(self, "_centred", _centred(self.y))

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        """Compute it."""
        x = arrangements - arrangements.mean(axis=1, keepdims=True)
        n = self._there.sum(axis=0)
        sum_x = x @ self._there
        spread = x**2 @ self._there - sum_x**2 / n
        product = x @ self._centred  # the outcomes are centred, so that the sum of x does not enter
        with np.errstate(divide="ignore", invalid="ignore"):
            square = (self._centred**2).sum(axis=0)
            rest = square - product**2 / spread
            variance = np.where(rest > 1e-13 * square, rest, 0) / (n - 2) / spread
            return _ratio(product / spread, variance, signed=self.signed)


@dataclass(frozen=True)
class FreedmanLane:
    """|t| of one regressor beside others, for outcomes whose residuals on the others are put into another order.

    Parameters
    ----------
    y
        (n, m) outcomes.
    x
        (n,) the regressor.
    others
        (n, k) the other regressors, the intercept among them.
    signed
        Whether it is t instead.

    Notes
    -----
    After Freedman & Lane (1983), "A nonstochastic interpretation of reported significance levels", Journal of Business
    & Economic Statistics 1, 292-298. Units that an outcome misses are left out of each order.
    """

    y: Array
    x: Array
    others: Array
    signed: bool = False
    _parts: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        from facearray.stats.kernels.ols import basis_of_rows, complete_rows

        parts = []
        for rows, columns in complete_rows(self.y):
            if not rows.any():
                continue
            U, basis = basis_of_rows(self.others[rows])
            rest = self.y[np.ix_(rows, columns)]
            rest = rest - U @ (U.T @ rest)
            regressor = self.x[rows] - U @ (U.T @ self.x[rows])
            spread = float(regressor @ regressor)
            determined = spread > 1e-16 * float(self.x[rows] @ self.x[rows])
            df = len(U) - basis.rank - 1
            parts.append((rows, columns, rest, regressor / spread if determined else regressor * np.nan, spread, U, df))
        object.__setattr__(self, "_parts", tuple(parts))

    def __call__(self, arrangements: NDArray[Any]) -> Array:
        """Compute it."""
        result = np.full((len(arrangements), self.y.shape[1]), np.inf)
        for rows, columns, rest, weights, spread, U, df in self._parts:
            place = np.cumsum(rows) - 1
            orders = place[arrangements[rows[arrangements]].reshape(len(arrangements), -1)]
            back = np.argsort(orders, axis=1)
            slope = weights[back] @ rest
            square = (rest**2).sum(axis=0)
            explained = sum((direction[back] @ rest) ** 2 for direction in U.T)
            left = square - explained - slope**2 * spread
            with np.errstate(divide="ignore", invalid="ignore"):
                variance = np.where(left > 1e-13 * square, left, 0) / df / spread
            result[:, columns] = _ratio(slope, variance, signed=self.signed)
        return result


@dataclass(frozen=True)
class PermutationResult:
    """p values (m,) of each outcome and, by the largest statistic of all, of the family; how they were found.

    ``n_counted`` (m,) are the arrangements in which the outcome's statistic is not NaN.
    """

    p: Array
    p_max: Array
    n_arrangements: int
    exact: bool
    n_counted: NDArray[np.integer]

    @property
    def p_min(self) -> float:
        """The smallest p value that could have been found."""
        return 1 / self.n_arrangements if self.exact else 1 / (1 + self.n_arrangements)

    def attrs(self, seed: int) -> dict[str, Any]:
        """Say how many arrangements there were, as the attributes of a result."""
        return {
            "n_permutations": self.n_arrangements,
            "permutations_exact": int(self.exact),
            "p_min": self.p_min,
            "seed": seed,
        }


def permutation_test(
    statistic: Statistic,
    observed: Array,
    arrangements: Draws,
    *,
    n_permutations: int,
    seed: int = 0,
    client: Any = None,
    family: NDArray[np.bool_] | None = None,
    chunk: int = _CHUNK,
) -> PermutationResult:
    """Compare observed statistics with those of other arrangements of the units.

    Parameters
    ----------
    statistic
        Gives |t| or the like of each of m outcomes for a chunk of arrangements.
    observed
        (m,) its values for the data as they are. NaN where there is none: such an outcome gets no p value and
        stays out of the family.
    arrangements
        Which arrangements there are.
    n_permutations
        Draws, where there are more than `MAX_ARRANGEMENTS` arrangements.
    seed
        Of the draws.
    client
        A Dask client to spread the draws over.
    family
        Outcomes (m,) whose largest statistic counts for ``p_max``; all by default.
    chunk
        Draws at a time. The draws depend on it, so that it may depend on the sizes of the data only.

    Returns
    -------
    PermutationResult
        p = b / m where all m arrangements were used, the observed one among them; else (1 + b) / (1 + m). b counts
        statistics at least as large as the observed one, in ``p_max`` the largest statistic of all outcomes
        (Westfall & Young 1993). An arrangement in which a statistic is NaN does not count in m.
    """
    usable = ~np.isnan(observed)
    together = usable if family is None else usable & family
    counter = _Counter(statistic, arrangements, observed, together, seed, n_permutations, chunk)
    exact = isinstance(arrangements, Arrangements) and arrangements.count() <= MAX_ARRANGEMENTS
    if isinstance(arrangements, Arrangements) and exact:
        counts = [counter.count(part) for part in arrangements.all()]
    else:
        chunks = chunks_of_draws(n_permutations, chunk)
        counts = [counter.draw(i) for i in chunks] if client is None else _spread(counter, chunks, client)
    larger, larger_max, counted, n = (sum(parts) for parts in zip(*counts, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        p, p_max = (
            count / of if exact else (1 + count) / (1 + of) for count, of in ((larger, counted), (larger_max, n))
        )
    # an outcome that no arrangement says anything about has not been tested
    tested = usable & (counted > 0)
    return PermutationResult(np.where(tested, p, np.nan), np.where(tested & together, p_max, np.nan), n, exact, counted)


@dataclass(frozen=True)
class _Counter:
    statistic: Statistic
    arrangements: Draws
    observed: Array
    family: NDArray[np.bool_]
    seed: int
    n_permutations: int
    size: int

    def draw(self, chunk: int) -> tuple[Any, Any, Any, int]:
        """Draw a chunk and count in it."""
        return self.count(draw_chunk(self.arrangements, self.seed, chunk, self.n_permutations, self.size))

    def count(self, arrangements: NDArray[Any]) -> tuple[Any, Any, Any, int]:
        """Count the statistics that are at least as large as the observed ones, each and the largest; and all."""
        t = self.statistic(arrangements)
        # of an infinite one there is no share to take away
        least = self.observed - _TIE * np.where(np.isfinite(self.observed), np.abs(self.observed), 0.0)
        largest = np.fmax.reduce(t[:, self.family], axis=1, initial=-np.inf)
        counted = len(t) - np.isnan(t).sum(axis=0)
        return (t >= least).sum(axis=0), (largest[:, None] >= least).sum(axis=0), counted, len(t)


def _spread(counter: _Counter, chunks: Sequence[int], client: Any) -> list[tuple[Any, Any, Any, int]]:
    shared = client.scatter(counter, broadcast=True)
    futures = [client.submit(_draw, shared, chunk, pure=False) for chunk in chunks]
    return list(client.gather(futures))


def _draw(counter: _Counter, chunk: int) -> tuple[Any, Any, Any, int]:
    return counter.draw(chunk)
