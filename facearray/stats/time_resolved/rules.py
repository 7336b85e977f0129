"""How points become clusters: thresholds and neighbours, as they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError, unknown_names
from facearray.stats.kernels.cluster_mass import ClusterTest, grid_neighbours

__all__ = ["CLUSTER", "ClusterRule", "Neighbours", "check_rule", "cluster_variables"]

#: Name of the correction by clusters.
CLUSTER = "cluster"

Neighbours = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ClusterRule:
    """Which points form clusters.

    Attributes
    ----------
    alpha
        Level of the single tests at which points form clusters.
    threshold
        The statistic itself, instead.
    neighbours
        Features whose points at the same time are neighbours, in pairs.
    """

    alpha: float = 0.05
    threshold: float | None = None
    neighbours: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, alpha: float, threshold: float | None, neighbours: Neighbours | None) -> ClusterRule:
        """Make the rule of arguments."""
        return cls(alpha, threshold, tuple((str(a), str(b)) for a, b in neighbours or ()))

    def of_t(self, df: NDArray[np.float64]) -> NDArray[np.float64]:
        """Thresholds (m,) of t statistics with degrees of freedom (m,), two-sided."""
        from scipy.special import stdtrit

        if self.threshold is not None:
            return np.full(df.shape, float(self.threshold))
        with np.errstate(invalid="ignore"):
            usable = df > 0
        return np.where(usable, stdtrit(np.where(usable, df, 1.0), 1 - self.alpha / 2), np.inf)

    def of_z(self) -> float:
        """Threshold of standardised scores, one-sided."""
        from scipy.special import ndtri

        return float(ndtri(1 - self.alpha)) if self.threshold is None else float(self.threshold)

    def pairs(self, n_windows: int, features: Sequence[str]) -> NDArray[np.intp]:
        """Neighbours among the points of windows and features.

        Raises
        ------
        InputError
            If a feature is unknown.
        """
        place = {str(name): i for i, name in enumerate(features)}
        unknown = [name for pair in self.neighbours for name in pair if name not in place]
        if unknown:
            raise unknown_names("feature in neighbours", unknown, list(place))
        linked = [(1, place[a], place[b]) for a, b in self.neighbours]
        return grid_neighbours((n_windows, len(place)), [0], linked)

    @property
    def attrs(self) -> dict[str, Any]:
        """What a result says about its clusters."""
        formed = {"cluster_alpha": self.alpha} if self.threshold is None else {"cluster_threshold": self.threshold}
        return formed | {"neighbours": [f"{a} and {b}" for a, b in self.neighbours]}


def check_rule(rule: ClusterRule, *, used: bool) -> None:
    """Check a rule, and that it was not given for nothing.

    Raises
    ------
    InputError
        With all problems.
    """
    problems = []
    if not 0 < rule.alpha < 1:
        problems.append(f"found cluster_alpha={rule.alpha}; expected a level between 0 and 1")
    if rule.threshold is not None and not rule.threshold > 0:
        problems.append(f"found cluster_threshold={rule.threshold}; expected a positive number")
    if rule.threshold is not None and rule.alpha != ClusterRule().alpha:
        problems.append(
            f"found cluster_alpha={rule.alpha} and cluster_threshold={rule.threshold}; expected one of them: either "
            "says where clusters begin"
        )
    same = [f"{a!r} with itself" for a, b in rule.neighbours if a == b]
    if same:
        problems.append(f"found neighbours {', '.join(same)}; expected pairs of different features")
    if rule != ClusterRule() and not used:
        problems.append(
            f"found cluster_alpha, cluster_threshold or neighbours without correction={CLUSTER!r}; they belong to it"
        )
    if problems:
        raise InputError("; ".join(problems))


def cluster_variables(tests: Sequence[ClusterTest | None], shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    """``p``, ``p_adjusted``, ``cluster`` and ``cluster_mass`` of the points of each test, stacked to (test, *shape)."""

    def stack(of: Any, missing: float, dtype: Any = np.float64) -> NDArray[Any]:
        rows = [np.full(shape, missing) if test is None else np.reshape(of(test), shape) for test in tests]
        return np.stack(rows).astype(dtype)

    def adjusted(test: ClusterTest) -> NDArray[np.float64]:
        return np.where(np.isnan(test.points.p), np.nan, test.of_points(test.p, 1.0))

    return {
        "p": stack(lambda test: test.points.p, np.nan),
        "p_adjusted": stack(adjusted, np.nan),
        "cluster": stack(lambda test: test.clusters.number, 0, np.int64),
        "cluster_mass": stack(lambda test: test.of_points(test.clusters.mass, 0.0), 0.0),
    }
