"""How often several values are high at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MEASURES", "Counts", "count_pairs"]

#: What is computed from counts, and what it says.
MEASURES = {
    "joint": "frames with both / frames with a value of both",
    "jaccard": "frames with both / frames with either",
    "conditional": "share of the row's frames that have the column",
    "lift": "frames with both / those expected if the two had nothing to do with each other",
    "phi": "correlation of being active, -1 to 1",
}


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Numbers of frames (..., n_feature, n_feature) of every pair of features.

    Attributes
    ----------
    n
        With a value of both.
    both
        Of these, with both active.
    one
        Of these, with the row's feature active.
    """

    n: NDArray[np.float64]
    both: NDArray[np.float64]
    one: NDArray[np.float64]

    def add(self, rows: NDArray[np.intp], other: Counts) -> None:
        """Add the counts of other frames of some rows, each row once."""
        for mine, more in ((self.n, other.n), (self.both, other.both), (self.one, other.one)):
            mine[rows] += more

    def measure(self, name: str) -> NDArray[np.float64]:
        """One of `MEASURES`; NaN where it is not defined."""
        n, both, one = self.n, self.both, self.one
        other = one.swapaxes(-1, -2)
        with np.errstate(invalid="ignore", divide="ignore"):
            if name == "joint":
                return both / n
            if name == "jaccard":
                return both / (one + other - both)
            if name == "conditional":
                return both / one
            if name == "lift":
                return both * n / (one * other)
            return (n * both - one * other) / np.sqrt(one * (n - one) * other * (n - other))


def count_pairs(values: NDArray[np.floating], threshold: float) -> Counts:
    """Count the frames in which features are above a threshold.

    Parameters
    ----------
    values
        (n_video, n_frame, n_face, n_feature); NaN where there is none.
    threshold
        In the precision of the values: a float32 of 0.3 is not above 0.3.

    Examples
    --------
    >>> counts = count_pairs(np.array([[0.9, 0.1], [0.9, 0.9], [np.nan, 0.9]])[None, :, None], 0.5)
    >>> counts.both[0, 0].tolist(), counts.one[0, 0].tolist()
    ([[2.0, 1.0], [1.0, 2.0]], [[2.0, 2.0], [1.0, 2.0]])
    """
    there = ~np.isnan(values)
    active = np.where(there, values > values.dtype.type(threshold), False)
    # products of matrices (n_video, n_face, n_feature, n_frame): exact, as long as counts are below 2**24
    a, k = (np.moveaxis(part.astype(np.float32), 1, -1) for part in (active, there))
    at, kt = a.swapaxes(-1, -2), k.swapaxes(-1, -2)
    return Counts(*(np.asarray(part, dtype=np.float64) for part in (k @ kt, a @ at, a @ kt)))
