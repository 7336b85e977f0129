"""Tests of all dyads together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.signal.dyads.members import Dyads
from facearray.signal.dyads.outcomes import STRENGTH, Found, family, observed
from facearray.signal.dyads.request import Comparison, Request
from facearray.signal.kernels.pairing import Tested, compare, compare_with
from facearray.stats.kernels.resampling import Orders, Signs

__all__ = ["Group", "group_of_dyads", "group_of_pairings"]

_ONE = np.array([True])


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """p (n_feature,) of all dyads, and how many (n_feature,) these are."""

    p: NDArray[np.float64]
    n: NDArray[np.intp]


def group_of_dyads(labels: NDArray[Any], found: list[Found], request: Request) -> Group:
    """Compare the strength of dyads with the means of their nulls: signs of the differences are changed, one-sided."""
    # in the order of the labels, so that the order of the dyads does not matter to the draws
    order = np.argsort([str(label) for label in labels], kind="stable")
    differences = np.array([_differences(found[i]) for i in order])
    p, n = [], []
    for column in differences.T:
        mine = column[~np.isnan(column)]
        n.append(len(mine))
        if not len(mine):
            p.append(np.nan)
            continue

        def means(signs: NDArray[Any], mine: NDArray[np.float64] = mine) -> NDArray[np.float64]:
            return np.asarray((signs @ mine / len(mine))[:, None])

        observed_mean = mine.mean(keepdims=True)
        tested = compare(
            means, observed_mean, Signs(len(mine)), n_draws=request.draws, seed=request.draw_seed, family=_ONE
        )
        p.append(float(tested.p[0]))
    return Group(np.array(p), np.array(n, dtype=np.intp))


def _differences(found: Found) -> list[float]:
    return [
        np.nan if tested is None else outcomes[STRENGTH] - tested.mean[STRENGTH]
        for outcomes, tested in zip(found.outcomes, found.tested, strict=True)
    ]


def group_of_pairings(
    dyads: Dyads, names: list[str], comparison: Comparison, found: list[Found]
) -> tuple[list[Found], Group]:
    """Compare every dyad with its first person and the second ones of others, and all dyads with other pairings.

    Raises
    ------
    InputError
        If there is one dyad only.
    """
    n = len(dyads.labels)
    if n < 2:
        raise InputError(
            f"found {n} dyad with null='pseudo_dyads'; expected 2 or more; use null='segment_shuffle' for a single one"
        )
    order = np.argsort([str(label) for label in dyads.labels], kind="stable").tolist()
    outcomes = _of_all_pairings(dyads, names, comparison, order)
    tested = [[_among_others(of_feature[row], row, comparison) for row in range(n)] for of_feature in outcomes]
    place = {i: row for row, i in enumerate(order)}
    found = [replace(one, tested=[of_feature[place[i]] for of_feature in tested]) for i, one in enumerate(found)]
    groups = [_among_pairings(of_feature[..., STRENGTH], comparison.request) for of_feature in outcomes]
    return found, Group(np.array([p for p, _ in groups]), np.array([n for _, n in groups], dtype=np.intp))


def _of_all_pairings(dyads: Dyads, names: list[str], comparison: Comparison, order: list[int]) -> NDArray[np.float64]:
    """Outcomes (n_feature, n_dyad, n_dyad, n_outcome) of first persons with second ones."""
    members = [[dyads.series(i, member, names) for member in (0, 1)] for i in order]
    n = len(members)
    outcomes = np.full((len(names), n, n, len(comparison.parts) + 3), np.nan)
    for i, (first, _) in enumerate(members):
        for j, (_, second) in enumerate(members):
            x, y = first.shared_with(second)
            if comparison.windows.count(x.shape[1]):
                for f, (a, b) in enumerate(zip(x, y, strict=True)):
                    outcomes[f, i, j], _ = observed(a, b, comparison)
    return outcomes


def _among_others(outcomes: NDArray[np.float64], own: int, comparison: Comparison) -> Tested | None:
    """Compare the outcomes of a dyad with those (n_dyad, n_outcome) of its first person with all second ones."""
    if np.isnan(outcomes[own]).all():
        return None
    of_all = compare_with(outcomes, outcomes[own], exact=True, family=family(comparison))
    pseudo = compare_with(np.delete(outcomes, own, axis=0), outcomes[own], exact=True, family=family(comparison))
    return replace(of_all, mean=pseudo.mean, sd=pseudo.sd)


def _among_pairings(strength: NDArray[np.float64], request: Request) -> tuple[float, int]:
    """Compare the mean strength of dyads with that of other pairings of the same persons."""
    there = ~np.isnan(np.diagonal(strength))
    n = int(there.sum())
    if n < 2:
        return np.nan, n
    square = strength[np.ix_(there, there)]

    def means(orders: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.asarray(np.nanmean(square[np.arange(n), orders], axis=1, keepdims=True))

    own = means(np.arange(n)[None])[0]
    tested = compare(means, own, Orders(n), n_draws=request.draws, seed=request.draw_seed, family=_ONE)
    return float(tested.p[0]), n
