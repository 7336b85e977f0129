"""Which units a test of means compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray._words import some
from facearray.errors import InputError, unknown_names
from facearray.stats.units import UnitValues, levels

__all__ = ["Sample", "sample_of"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Values (n, n_face, n_feature) of one sample or of pairs' differences; or of two groups, ``first`` and other.

    ``by_group`` has the values of both groups of pairs. ``excluded`` lists units and pairs that were left out.
    """

    values: NDArray[np.float64]
    first: NDArray[np.bool_] | None
    blocks: NDArray[np.intp] | None
    names: tuple[Any, Any] | None
    by_group: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    excluded: list[str]
    kind: str


def sample_of(
    units: UnitValues, by: str | None, groups: Sequence[Any] | None, paired: str | bool | None, blocks: str | None
) -> Sample:
    """Find what is compared: all units, those of two groups, or the differences of pairs.

    Raises
    ------
    InputError
        If a coordinate or level is unknown, or there are not two groups or no pairs.
    """
    if by is None:
        return Sample(units.values, None, None, None, None, [], "one-sample t-test")
    level_names, codes = levels(units.coordinate(by))
    minuend, subtrahend = _two_levels(by, level_names.tolist(), groups)
    first, second = codes == minuend, codes == subtrahend
    names = (level_names[minuend], level_names[subtrahend])
    left_out = units.labels[~(first | second)].tolist()
    excluded = [f"{label}: not in the groups compared" for label in left_out]
    if paired is not None:
        if isinstance(paired, bool):
            raise InputError(
                f"found paired={paired}; expected the name of a coordinate that tells which units are a pair, such as "
                "'subject'"
            )
        return _pairs(units, paired, first, second, names, excluded)
    used = first | second
    in_blocks = None
    if blocks is not None:
        in_blocks = levels(units.coordinate(blocks))[1]
        if (in_blocks[used] < 0).any():
            raise InputError(
                f"found units without {blocks}: {some(units.labels[used & (in_blocks < 0)])}; give them one"
            )
        in_blocks = in_blocks[used]
    parts = units.values[first], units.values[second]
    return Sample(units.values[used], first[used], in_blocks, names, parts, excluded, "two-sample t-test")


def _two_levels(by: str, found: list[Any], groups: Sequence[Any] | None) -> tuple[int, int]:
    if groups is None:
        if len(found) < 2:
            raise InputError(
                f"found {'one level' if found else 'no level'} of {by!r}{f' ({found[0]})' if found else ''} among the "
                "units that have values; expected two; see whether those of another level were left out for too few "
                "values, or compare by another coordinate"
            )
        if len(found) > 2:
            raise InputError(
                f"found {len(found)} levels of {by!r} ({some(found)}); expected two: name them with groups="
            )
        return 1, 0
    unknown = [str(level) for level in groups if level not in found]
    if unknown:
        raise unknown_names(f"level of {by!r}", unknown, [str(level) for level in found])
    return found.index(groups[0]), found.index(groups[1])


def _pairs(
    units: UnitValues,
    paired: str,
    first: NDArray[np.bool_],
    second: NDArray[np.bool_],
    names: tuple[Any, Any],
    excluded: list[str],
) -> Sample:
    pairs, codes = levels(units.coordinate(paired))
    used = (first | second) & (codes >= 0)
    excluded = excluded + [f"{label}: no {paired}" for label in units.labels[(first | second) & (codes < 0)].tolist()]
    means = []
    for group in (first & used, second & used):
        there = ~np.isnan(units.values)
        total, n = np.zeros((len(pairs), *units.values.shape[1:])), np.zeros((len(pairs), *units.values.shape[1:]))
        np.add.at(total, codes[group], np.where(there, units.values, 0)[group])
        np.add.at(n, codes[group], there[group])
        with np.errstate(invalid="ignore"):
            means.append(total / n)
    difference = means[0] - means[1]
    whole = ~np.isnan(difference).all(axis=(1, 2))
    if not whole.any():
        raise InputError(f"found no {paired} with values in both groups, {str(names[0])!r} and {str(names[1])!r}")
    excluded = excluded + [f"{paired} {label}: not in both groups" for label in pairs[~whole].tolist()]
    parts = means[0][whole], means[1][whole]
    return Sample(difference[whole], None, None, names, parts, excluded, "paired t-test")
