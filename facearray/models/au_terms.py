"""What the estimates of action units are made of: blendshapes, changes of the mesh, and how they are combined."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facearray.models.mesh_measures import MEASURES
from facearray.schema import GROUPS

__all__ = [
    "PARTS",
    "ActionUnit",
    "Baseline",
    "Blendshape",
    "Change",
    "Combined",
    "Readings",
    "Remainder",
    "Term",
    "blendshapes_of",
]

_Array = NDArray[np.float64]
_BLENDSHAPES = GROUPS["blendshapes"].features
_MEASURE_INDEX = {name: index for index, name in enumerate(MEASURES)}

#: What an estimate can be of: the whole face, or one of the subject's sides.
PARTS = ("face", "right", "left")

_COMBINE = {
    "mean": lambda values: np.mean(values, axis=0),
    "largest": lambda values: np.max(values, axis=0),
    "smallest": lambda values: np.min(values, axis=0),
    "product": lambda values: np.prod(values, axis=0),
    "geometric mean": lambda values: np.prod(values, axis=0) ** (1 / len(values)),
    "sum up to 1": lambda values: np.minimum(np.sum(values, axis=0), 1.0),
}


@dataclass(frozen=True, slots=True)
class Baseline:
    """What counts as no expression.

    Attributes
    ----------
    low, neutral, high
        (..., n_measure, n_part) values in the order of ``MEASURES`` and ``PARTS``, in cm of the canonical face: what a
        rise counts from, what either of two opposite movements counts from, and what a fall counts from. Leading dims,
        if any, are those of the faces.
    blendshapes
        (..., 52): the part of each blendshape that does not count.
    """

    low: _Array
    neutral: _Array
    high: _Array
    blendshapes: _Array


@dataclass(frozen=True, slots=True)
class Readings:
    """What the terms of the estimates are computed from, of one part of each face.

    Attributes
    ----------
    blendshapes
        (n,) values by the names of terms, the part of the baseline taken out.
    measures
        (n, n_measure) in the order of ``MEASURES``.
    low, neutral, high
        (..., n_measure) of the baseline.
    """

    blendshapes: Mapping[str, _Array]
    measures: _Array
    low: _Array
    neutral: _Array
    high: _Array


@dataclass(frozen=True, slots=True)
class Blendshape:
    """A blendshape, or the mean of its left and right."""

    name: str

    def value(self, readings: Readings) -> _Array:
        """Value of each face, 0 to 1."""
        return readings.blendshapes[self.name]

    def __str__(self) -> str:
        return self.name

    def columns(self, part: str) -> list[int]:
        """Columns of the blendshapes that it is made of in a part of the face."""
        sides = ("Left", "Right") if part == "face" else (part.capitalize(),)
        names = (self.name, *(f"{self.name}{side}" for side in sides))
        return [_BLENDSHAPES.index(name) for name in names if name in _BLENDSHAPES]


@dataclass(frozen=True, slots=True)
class Change:
    """How far a measure is above (``up``) or below (``down``) its baseline, as a part of ``full`` cm, 0 to 1.

    A movement that has no opposite counts from the low or high end of what a face at rest shows, one that has an
    opposite (brow up and down) from the ``neutral`` value.
    """

    direction: Literal["up", "down"]
    measure: str
    full: float
    neutral: bool = False

    def value(self, readings: Readings) -> _Array:
        """Value of each face, 0 to 1."""
        index, rises = _MEASURE_INDEX[self.measure], self.direction == "up"
        base = readings.neutral if self.neutral else readings.low if rises else readings.high
        change = readings.measures[:, index] - base[..., index]
        return np.clip((change if rises else -change) / self.full, 0.0, 1.0)

    def __str__(self) -> str:
        return f"{self.direction}({self.measure}, {self.full:g}{', neutral' if self.neutral else ''})"


@dataclass(frozen=True, slots=True)
class Remainder:
    """What a share of a term leaves of 1: lets it hold back others."""

    term: Term
    share: float = 1.0

    def value(self, readings: Readings) -> _Array:
        """Value of each face, 0 to 1."""
        return 1.0 - self.share * self.term.value(readings)

    def __str__(self) -> str:
        return f"(1 - {'' if self.share == 1 else f'{self.share:g} '}{self.term})"


@dataclass(frozen=True, slots=True)
class Combined:
    """Several terms as one."""

    how: Literal["mean", "largest", "smallest", "product", "geometric mean", "sum up to 1"]
    terms: tuple[Term, ...]

    def value(self, readings: Readings) -> _Array:
        """Value of each face, 0 to 1."""
        values: _Array = _COMBINE[self.how]([term.value(readings) for term in self.terms])
        return values

    def __str__(self) -> str:
        return f"{self.how} of [{', '.join(map(str, self.terms))}]"


Term = Blendshape | Change | Remainder | Combined


def _leaves(term: Term) -> Iterator[Blendshape | Change]:
    match term:
        case Remainder():
            yield from _leaves(term.term)
        case Combined():
            for part in term.terms:
                yield from _leaves(part)
        case _:
            yield term


def blendshapes_of(term: Term) -> set[Blendshape]:
    """Blendshapes that a term is computed from."""
    return {leaf for leaf in _leaves(term) if isinstance(leaf, Blendshape)}


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """An action unit and how it is estimated.

    Attributes
    ----------
    name, title, definition, muscle
        From the Facial Action Coding System.
    trust
        How far the estimate can be relied on: ``"good"``, ``"fair"`` or ``"poor"``.
    terms
        Weights, which sum to 1, and what they multiply.
    """

    name: str
    title: str
    definition: str
    muscle: str
    trust: Literal["good", "fair", "poor"]
    terms: tuple[tuple[float, Term], ...]

    @property
    def formula(self) -> str:
        """The estimate in one line.

        Examples
        --------
        >>> from facearray.models import AUS
        >>> AUS["AU01"].formula
        '0.5 browInnerUp + 0.5 up(brow_in, 1.2)'
        """
        return " + ".join(f"{weight:g} {term}" for weight, term in self.terms)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Blendshapes, and then measures of the mesh, that the estimate is computed from.

        Examples
        --------
        >>> from facearray.models import AUS
        >>> AUS["AU12"].inputs
        ('mouthSmileLeft', 'mouthSmileRight', 'corner_y', 'width')
        """
        leaves = [leaf for _, term in self.terms for leaf in _leaves(term)]
        shapes = {column for leaf in leaves if isinstance(leaf, Blendshape) for column in leaf.columns("face")}
        measures = {_MEASURE_INDEX[leaf.measure] for leaf in leaves if isinstance(leaf, Change)}
        return (*(_BLENDSHAPES[i] for i in sorted(shapes)), *(list(MEASURES)[i] for i in sorted(measures)))

    @property
    def description(self) -> str:
        """What it is and how far to trust the estimate, as the schema has it.

        Examples
        --------
        >>> from facearray.models import AUS
        >>> AUS["AU12"].description
        'intensity, 0 to 1: lip corner puller: lip corners up and out (zygomaticus major); trust: good'
        """
        return f"intensity, 0 to 1: {self.title}: {self.definition} ({self.muscle}); trust: {self.trust}"

    def value(self, readings: Readings) -> _Array:
        """Intensity of each face, 0 to 1.

        Parameters
        ----------
        readings
            What is measured of n faces.

        Returns
        -------
        ndarray
            (n,) intensities, NaN where a reading is.
        """
        values: _Array = np.sum([weight * term.value(readings) for weight, term in self.terms], axis=0)
        return values
