"""What is asked of a comparison of time courses, checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import selectors
from facearray.errors import InputError, unknown_names
from facearray.stats.corrections import METHODS as CORRECTIONS
from facearray.stats.intersubject.grid import Align, Grid
from facearray.stats.kernels.comparison import Comparison
from facearray.stats.kernels.correlation import METHODS, Method
from facearray.stats.kernels.surrogate_statistic import Join

__all__ = [
    "ONE_FACE",
    "Alternative",
    "Drawing",
    "Join",
    "Null",
    "Request",
    "check",
    "chosen_names",
    "comparison_of",
    "given_of_null",
    "window_centres",
]

Null = Literal["circular_shift", "phase", "effective_df"]
Alternative = Literal["two-sided", "greater"]


#: Of a null, where none are asked for.
_N_DRAWS, _SEED = 1000, 0

#: Why there may not be several faces.
ONE_FACE = "because a correlation of time courses is about one person in each video"


class Drawing:
    """A request in which the draws of a null, and what they begin with, may be left out."""

    __slots__ = ()
    n_draws: int | None
    seed: int | None

    @property
    def draws(self) -> int:
        """How many draws of the null are asked for."""
        return _N_DRAWS if self.n_draws is None else self.n_draws

    @property
    def draw_seed(self) -> int:
        """What the draws begin with."""
        return _SEED if self.seed is None else self.seed


@dataclass(frozen=True, slots=True)
class Request(Drawing):
    """The arguments of `facearray.stats.isc` and the like."""

    method: Method
    align: Align
    join: Join
    min_overlap: int
    rate: float | None
    max_lag: float | None = None
    window: float | None = None
    step: float | None = None
    null: Null | None = None
    alternative: Alternative = "two-sided"
    n_draws: int | None = None
    correction: str | None = None
    seed: int | None = None
    client: Any = None


def check(request: Request) -> None:
    """Check the arguments that can be checked without data.

    Raises
    ------
    InputError
        About all that do not fit.
    """
    for kind, value, known in (
        ("method", request.method, METHODS),
        ("join", request.join, get_args(Join)),
        ("alternative", request.alternative, get_args(Alternative)),
        ("null", request.null or "none", ["none", *get_args(Null)]),
        ("correction", request.correction or "none", [*CORRECTIONS, "max_r"]),
    ):
        if value not in known:
            raise unknown_names(kind, [str(value)], known)
    analytic = request.null == "effective_df"
    without_draws = request.null is None or analytic
    of_null = given_of_null(request.n_draws, request.seed)
    wrong = {
        f"min_overlap={request.min_overlap}; expected 2 or more": request.min_overlap < 2,
        f"n_draws={request.n_draws}; expected 1 or more": request.draws < 1,
        f"{of_null} without null, so that nothing is drawn; give null, or leave them out": of_null
        and request.null is None,
        f"{of_null} with null='effective_df', which draws nothing; leave them out": of_null and analytic,
        f"alternative={request.alternative!r} without null and max_lag, on which it bears; give one of them, or leave "
        "it out": request.alternative != "two-sided" and request.null is None and not request.max_lag,
        f"max_lag={request.max_lag}; expected 0 or more": request.max_lag is not None and not request.max_lag >= 0,
        "step without window; it is the distance of windows": request.step is not None and request.window is None,
        "correction without null; there are no p values": request.null is None and request.correction is not None,
        f"a client with null={request.null!r}, which draws nothing": without_draws and request.client is not None,
        "correction='max_r' with null='effective_df', which draws nothing": analytic and request.correction == "max_r",
        "null='effective_df' with another method than 'pearson', with max_lag or with leave_one_out; expected "
        "Pearson's r of pairs: use null='circular_shift'": analytic
        and (request.method != "pearson" or bool(request.max_lag) or request.join != "pairwise"),
        "null='effective_df' with window; it needs whole series": analytic and request.window is not None,
    }
    problems = [text for text, is_wrong in wrong.items() if is_wrong]
    if problems:
        raise InputError("; ".join(f"found {text}" for text in problems))


def given_of_null(n_draws: int | None, seed: int | None) -> str:
    """Write those arguments of a null that are given, as in ``n_draws=99 and seed=0``."""
    given = {"n_draws": n_draws, "seed": seed}
    return " and ".join(f"{name}={value}" for name, value in given.items() if value is not None)


def chosen_names(ds: xr.Dataset, feature: str | Iterable[str]) -> tuple[list[str], bool]:
    """Names of the features, and whether it is a single one that was asked for by its name."""
    names = [str(name) for name in selectors.select(ds["features"], feature)["feature"].to_numpy()]
    return names, isinstance(feature, str) and names == [feature]


def comparison_of(request: Request, grid: Grid) -> Comparison:
    """Turn durations into steps of the common time axis.

    Raises
    ------
    InputError
        If a duration is shorter than it can be.
    """
    window = None
    step = 1
    if request.window is not None:
        window = grid.steps_in(request.window, "window", 2)
        step = max(1, window // 2) if request.step is None else grid.steps_in(request.step, "step")
        if window > grid.n_places:
            raise InputError(
                f"found window={request.window:g}; expected at most {grid.n_places * grid.step:g} {grid.unit}, the "
                "length of the longest video"
            )
    max_lag = 0 if not request.max_lag else grid.steps_in(request.max_lag, "max_lag")
    return Comparison(
        method=request.method,
        min_overlap=request.min_overlap,
        max_lag=max_lag,
        window=window,
        step=step,
        one_sided=request.alternative == "greater",
    )


def window_centres(comparison: Comparison, grid: Grid) -> NDArray[np.float64]:
    """Find the times or frame numbers (n_window,) of the middles of the windows."""
    middles = [(w.start + w.stop - 1) / 2 for w in comparison.windows(grid.n_places)]
    return grid.origin + grid.step * np.array(middles)
