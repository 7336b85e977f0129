"""What is asked of a comparison of two persons, checked and in steps of their common time axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.signal._checks import Problems
from facearray.signal.kernels.synchrony import Windows
from facearray.stats.intersubject.grid import Grid
from facearray.stats.intersubject.request import Drawing, given_of_null

__all__ = ["Comparison", "DyadNull", "Request", "check", "comparison_of"]

DyadNull = Literal["segment_shuffle", "circular_shift", "pseudo_dyads"]

METHODS = ("correlation", "coherence")

#: Share of a window, where none is asked for.
_MIN_VALID = 0.5

#: Of the correlations of all windows with all others of one dyad.
_MAX_BYTES = 2**30

#: The largest lag, where none is asked for, is this part of a window.
_LAGS_A_WINDOW = 6

#: Of seconds as labels, so that 3 * 0.1 is found as 0.3.
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Request(Drawing):
    """The arguments of `facearray.signal.synchrony`."""

    window: float
    max_lag: float | None
    step: float | None
    method: str
    band: tuple[float, float] | None
    alternative: str
    null: DyadNull | None
    n_draws: int | None
    seed: int | None
    min_valid: float | None

    @property
    def is_coherence(self) -> bool:
        """Whether frequencies are compared, and not lags."""
        return self.method == "coherence"

    @property
    def is_two_sided(self) -> bool:
        """Whether the sign counts for nothing."""
        return self.alternative == "two-sided"


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """A request in steps.

    Attributes
    ----------
    request
        What was asked for.
    windows
        In places of the common time axis.
    parts
        Lags in seconds, or frequencies in Hz (n_part,).
    used
        Which of all frequencies these are.
    """

    request: Request
    windows: Windows
    parts: NDArray[np.float64]
    used: NDArray[np.intp] | slice


def check(request: Request) -> None:
    """Check the arguments that can be checked without data.

    Raises
    ------
    InputError
        About all that do not fit.
    """
    problems = Problems()
    problems.one_of("method", request.method, METHODS)
    problems.one_of("alternative", request.alternative, ("two-sided", "greater"))
    if request.null is not None:
        problems.one_of("null", request.null, get_args(DyadNull))
    problems.positive(window=request.window, step=request.step, n_draws=request.n_draws)
    problems.not_negative(max_lag=request.max_lag)
    if request.null is None and (of_null := given_of_null(request.n_draws, request.seed)):
        problems.add(f"found {of_null} without null, so that nothing is drawn; give null, or leave them out")
    if request.min_valid is not None and not 0 < request.min_valid <= 1:
        problems.add(f"found min_valid={request.min_valid!r}; expected a share above 0, up to 1")
    if request.is_coherence:
        if request.max_lag is not None:
            problems.add("found max_lag with method='coherence', which has a phase instead of lags; leave it out")
        if request.min_valid is not None:
            problems.add("found min_valid with method='coherence', which takes whole windows; leave it out")
        if not request.is_two_sided:
            problems.add("found alternative='greater' with method='coherence', which has no sign; leave it out")
        if request.band is not None and not 0 <= request.band[0] < request.band[1]:
            problems.add(f"found band={request.band!r}; expected a lower and a higher frequency in Hz")
    elif request.band is not None:
        problems.add("found band with method='correlation'; it is for method='coherence'")
    problems.raise_if_any()


def comparison_of(request: Request, grid: Grid) -> Comparison:
    """Turn seconds into places of a time axis.

    Raises
    ------
    InputError
        If a duration is too short, windows overlap that may not, they are too many, or a frequency is too high.
    """
    windows = _windows(request, grid)
    if not request.is_coherence:
        return Comparison(
            request, windows, np.asarray(np.round(windows.lags * grid.step, _DIGITS), dtype=np.float64), slice(None)
        )
    frequencies = np.asarray(np.fft.rfftfreq(windows.length, grid.step)[1:], dtype=np.float64)
    if request.band is None:
        return Comparison(request, windows, frequencies, slice(None))
    low, high = request.band
    nyquist = 0.5 / grid.step
    if high > nyquist * (1 + 1e-9):
        raise InputError(
            f"found band={request.band!r}; expected at most {nyquist:g} Hz, half of {1 / grid.step:g} values a second"
        )
    (used,) = np.nonzero((frequencies >= low * (1 - 1e-9)) & (frequencies <= high * (1 + 1e-9)))
    if not len(used):
        raise InputError(
            f"found band={request.band!r}; expected one with a multiple of {frequencies[0]:g} Hz, one cycle a window: "
            "use a longer window or a wider band"
        )
    return Comparison(request, windows, frequencies[used], used)


def _windows(request: Request, grid: Grid) -> Windows:
    length = grid.steps_in(request.window, "window", 3)
    apart = length if request.step is None else grid.steps_in(request.step, "step")
    longest = request.window / _LAGS_A_WINDOW if request.max_lag is None else request.max_lag
    lag = 0 if request.is_coherence else round(longest / grid.step)
    windows = Windows(length, apart, lag, _MIN_VALID if request.min_valid is None else request.min_valid)
    problems = Problems()
    if request.null == "segment_shuffle" and apart < length:
        problems.add(
            f"found step={request.step!r}, shorter than the window, with null='segment_shuffle'; expected windows that "
            "do not overlap: those that do depend on each other; leave step out, or use null='circular_shift'"
        )
    if request.null == "circular_shift" and apart < length and length % apart:
        problems.add(
            f"found step={request.step!r} with null='circular_shift'; expected a whole part of the window, such as "
            f"{request.window / 2:g} s"
        )
    n_bytes = 4 * windows.count(grid.n_places) ** 2 * len(windows.lags)
    if request.null in ("segment_shuffle", "circular_shift") and n_bytes > _MAX_BYTES and not request.is_coherence:
        problems.add(
            f"found {n_bytes / 2**30:.1f} GiB of correlations between the windows of a dyad; expected 1 GiB or less; "
            "use a longer window or step, a shorter max_lag, or a lower rate"
        )
    problems.raise_if_any()
    return windows
