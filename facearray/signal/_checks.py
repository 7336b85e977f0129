"""What is wrong with arguments and data, collected for one error."""

from __future__ import annotations

import math
from datetime import timedelta
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from facearray.errors import InputError

__all__ = ["Problems"]

#: Problems that an error lists.
MOST_SHOWN = 20


class Problems:
    """Collects problems, so that one error is about all of them.

    Examples
    --------
    >>> problems = Problems()
    >>> problems.positive(fps=-1)
    >>> problems.raise_if_any()
    Traceback (most recent call last):
    facearray.errors.InputError: found fps=-1; expected a finite number above 0
    """

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    def add(self, problem: str) -> None:
        """Add one that says what was found, what was expected and what to do."""
        self._lines.setdefault(problem)

    def positive(self, **values: Any) -> None:
        """Add those that are not finite numbers above 0; None is left out."""
        for name, value in values.items():
            if value is not None and not (_is_number(value) and value > 0):
                self.add(f"found {name}={value!r}; expected a finite number above 0{_remedy(value)}")

    def not_negative(self, **values: Any) -> None:
        """Add those that are not finite numbers from 0 on; None is left out."""
        for name, value in values.items():
            if value is not None and not (_is_number(value) and value >= 0):
                self.add(f"found {name}={value!r}; expected a finite number, 0 or more{_remedy(value)}")

    def finite(self, **values: Any) -> None:
        """Add those that are not finite numbers; None is left out."""
        for name, value in values.items():
            if value is not None and not _is_number(value):
                self.add(f"found {name}={value!r}; expected a finite number{_remedy(value)}")

    def one_of(self, name: str, value: Any, known: tuple[str, ...]) -> None:
        """Add a value that is not one of some names."""
        if value not in known:
            self.add(f"found {name}={value!r}; expected one of {', '.join(map(repr, known))}")

    def raise_if_any(self) -> None:
        """Raise about all of them.

        Raises
        ------
        InputError
            With one line for every problem.
        """
        lines = list(self._lines)
        if len(lines) == 1:
            raise InputError(lines[0])
        if lines:
            more = [f"and {len(lines) - MOST_SHOWN} more"] if len(lines) > MOST_SHOWN else []
            raise InputError(
                f"found {len(lines)} problems:\n" + "\n".join(f"  - {line}" for line in lines[:MOST_SHOWN] + more)
            )


def _is_number(value: Any) -> bool:
    # NumPy's durations count as integers
    return not isinstance(value, bool | np.timedelta64) and isinstance(value, Real) and math.isfinite(value)


def _remedy(value: Any) -> str:
    if not isinstance(value, timedelta | np.timedelta64):
        return ""
    return f"; give it as seconds, {pd.Timedelta(value).total_seconds():g}"
