"""Tests of whether two things go together better than things that are put together anew."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facearray.stats.kernels.resampling import Arrangements, chunks_of_draws, draw_chunk

__all__ = ["CyclicShifts", "Outcomes", "Tested", "compare", "compare_with"]

Array = NDArray[np.float64]

#: A value that is smaller than the observed one by no more than this share is as large: rounding differs.
_TIE = 1e-9

_CHUNK = 64


@dataclass(frozen=True)
class CyclicShifts:
    """Orders of n windows moved by multiples of some, what leaves at the end coming in at the beginning.

    ``n`` is a multiple of ``every``, so that the shifts are a group, and each of them is as likely as none.
    """

    n: int
    every: int

    def count(self) -> int:
        """Count them, the one by nothing included."""
        return self.n // self.every

    def all(self) -> Iterator[NDArray[np.intp]]:
        """Give all of them."""
        shifts = np.arange(self.count()) * self.every
        for start in range(0, len(shifts), _CHUNK):
            yield (np.arange(self.n) + shifts[start : start + _CHUNK, None]) % self.n

    def draw(self, rng: np.random.Generator, size: int) -> NDArray[np.intp]:
        """Draw some of them."""
        shifts = rng.integers(self.count(), size=size) * self.every
        return (np.arange(self.n) + shifts[:, None]) % self.n


class Outcomes(Protocol):
    """From orders (d, n) to outcomes (d, m)."""

    def __call__(self, orders: NDArray[Any], /) -> Array:
        """Compute them."""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """Outcomes (m,) compared with those of other orders.

    Attributes
    ----------
    p
        Share of the orders in which an outcome is at least as large.
    p_max
        The same for the largest outcome of the family in every order; NaN outside of it.
    mean, sd
        Of the outcomes in the orders.
    n
        Orders.
    exact
        Whether these are all that there are.
    """

    p: Array
    p_max: Array
    mean: Array
    sd: Array
    n: int
    exact: bool


def compare(
    outcomes: Outcomes, observed: Array, orders: Arrangements, *, n_draws: int, seed: int, family: NDArray[np.bool_]
) -> Tested:
    """Compare outcomes with those of other orders: of all of them, if they are no more than draws are asked for.

    p = b / m of all m orders, the observed one among them, or (1 + b) / (1 + m) of m draws. Outcomes that are NaN in an
    order do not count in it.

    Parameters
    ----------
    outcomes
        From orders to outcomes; large ones are of interest.
    observed
        Outcomes (m,) as they are.
    orders
        Those that are as likely as the observed one.
    n_draws, seed
        Of the draws.
    family
        Outcomes (m,) whose largest one counts for ``p_max``.
    """
    exact = orders.count() <= n_draws
    if exact:
        parts = [outcomes(part) for part in orders.all()]
    else:
        chunks = chunks_of_draws(n_draws, _CHUNK)
        parts = [outcomes(draw_chunk(orders, seed, chunk, n_draws, _CHUNK)) for chunk in chunks]
    return compare_with(np.concatenate(parts), observed, exact=exact, family=family)


def compare_with(drawn: Array, observed: Array, *, exact: bool, family: NDArray[np.bool_]) -> Tested:
    """Compare outcomes (m,) with others (n, m) that are as likely.

    If exact, these are all that there are, the observed ones among them.
    """
    least = observed - _TIE * np.abs(observed)
    one = 0 if exact else 1
    counted = (~np.isnan(drawn)).sum(axis=0)
    largest = np.fmax.reduce(np.where(family, drawn, np.nan), axis=1, initial=-np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = (one + (drawn >= least).sum(axis=0)) / (one + counted)
        p_max = (one + (largest[:, None] >= least).sum(axis=0)) / (one + len(drawn))
        mean = np.where(np.isnan(drawn), 0, drawn).sum(axis=0) / counted
        square = np.where(np.isnan(drawn), 0, (drawn - mean) ** 2).sum(axis=0) / (counted - 1)
    usable = ~np.isnan(observed) & (counted > 0)
    p, p_max = np.where(usable, p, np.nan), np.where(usable & family, p_max, np.nan)
    return Tested(p, p_max, mean, np.sqrt(square), len(drawn), exact)
