"""Designs of regressions: which columns there are, and how coordinates become numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema, selectors
from facearray.errors import InputError, unknown_names
from facearray.stats.units import levels

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["INTERCEPT", "Codes", "Column", "Design", "Regressors", "check_determined", "is_formula", "regressor_names"]

#: Name of the term that is not tested.
INTERCEPT = "Intercept"

#: Numbers that stand for the levels of a coordinate, by its name.
Codes = Mapping[str, Mapping[Any, float]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a design.

    Attributes
    ----------
    term
        Its name.
    source
        The coordinate or feature that it is made from.
    codes
        Number of each level of the source; None where the source has numbers itself.
    """

    term: str
    source: str
    codes: Mapping[Any, float] | None = None

    def numbers(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Make the column of values (n,) of the source; NaN where there is none."""
        if self.codes is None:
            return np.asarray(values, dtype=np.float64)
        names, position = levels(values)
        by_level = np.array([*(self.codes.get(name, np.nan) for name in names.tolist()), np.nan], dtype=np.float64)
        return by_level[position]


@dataclass(frozen=True, slots=True)
class Design:
    """Columns that are made of coordinates and features by name.

    Attributes
    ----------
    columns
        Without the intercept.
    intercept
        Whether a column of ones comes first.
    """

    columns: tuple[Column, ...]
    intercept: bool

    @property
    def terms(self) -> list[str]:
        """Names of all columns."""
        return [*([INTERCEPT] if self.intercept else []), *(column.term for column in self.columns)]

    @property
    def sources(self) -> list[str]:
        """Names of what has to be there to make the columns."""
        return list(dict.fromkeys(column.source for column in self.columns))

    @property
    def coding(self) -> list[str]:
        """How the levels of coordinates were turned into numbers, one line a term."""
        return [
            f"{column.term}: " + ", ".join(f"{level} = {number:g}" for level, number in column.codes.items())
            for column in self.columns
            if column.codes is not None
        ]

    def matrix(self, values: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Make the design (n, k) of the values (n,) of its sources; NaN where a source has none."""
        n = len(next(iter(values.values())))
        columns = [column.numbers(values[column.source]) for column in self.columns]
        return np.column_stack([*([np.ones(n)] if self.intercept else []), *columns])

    @classmethod
    def of(
        cls, values: Mapping[str, NDArray[Any]], *, contrasts: Codes | None, intercept: bool, names: Sequence[str]
    ) -> Design:
        """Make the design of named sources: numbers as they are, levels by their contrast or by treatment codes."""
        columns = [column for name in names for column in _columns(name, values[name], (contrasts or {}).get(name))]
        return cls(tuple(columns), intercept)


@dataclass(frozen=True, slots=True)
class Regressors:
    """What a request for regressors names: coordinates and features, each once.

    Attributes
    ----------
    names
        In the order of the request.
    features
        Those among them that are features.
    """

    names: list[str]
    features: list[str] = field(default_factory=list)


def is_formula(X: object, ds: xr.Dataset) -> bool:
    """Whether a request for regressors is a formula, and not the name of something."""
    return isinstance(X, str) and X not in ds.coords and any(sign in X for sign in "~+*:()^/|-")


def regressor_names(ds: xr.Dataset, X: str | Iterable[str]) -> Regressors:
    """Find out which coordinates and features the names stand for; groups stand for their features.

    Raises
    ------
    InputError
        If a name stands for nothing, or there is no name.
    """
    asked = [part.strip() for part in X.split(",")] if isinstance(X, str) else list(X)
    if not asked or not all(isinstance(name, str) and name for name in asked):
        shown = ", ".join(map(repr, asked[:5])) or "nothing"
        raise InputError(
            f"found {shown} as X; expected names of coordinates or features, a formula, or a table with one row a unit"
        )
    coordinates = [str(name) for name in ds.coords if str(name) not in ds.dims]
    features = [str(name) for name in ds["feature"].to_numpy()]
    known_groups = [name for name in schema.GROUPS if name not in coordinates]
    unknown = [name for name in asked if name not in (*coordinates, *features, *known_groups)]
    if unknown:
        # what describes features or points, such as their unit, is no regressor
        of_videos = [name for name in coordinates if "video" in ds.coords[name].dims]
        raise unknown_names("coordinate or feature", unknown, [*of_videos, *features, *known_groups])
    names: list[str] = []
    of_features: list[str] = []
    for name in asked:
        if name in coordinates:
            names.append(name)
        else:
            found = selectors.feature_names(ds, name)
            names += found
            of_features += found
    return Regressors(list(dict.fromkeys(names)), list(dict.fromkeys(of_features)))


def _columns(name: str, values: NDArray[Any], contrast: Mapping[Any, float] | None) -> list[Column]:
    if contrast is not None:
        return [_contrast_column(name, values, contrast)]
    if values.dtype.kind in "biuf":
        return [Column(name, name)]
    if values.dtype.kind in "mM":
        raise InputError(f"found times in {name!r}; expected numbers or levels; turn them into numbers first")
    names, _ = levels(values)
    if all(isinstance(level, int | float) for level in names.tolist()):
        return [Column(name, name)]
    _need_two_levels(name, names)
    return [
        Column(f"{name}[T.{level}]", name, {other: float(other == level) for other in names.tolist()})
        for level in names.tolist()[1:]
    ]


def _contrast_column(name: str, values: NDArray[Any], contrast: Mapping[Any, float]) -> Column:
    names, _ = levels(values)
    found = names.tolist()
    _need_two_levels(name, names)
    unknown = [str(level) for level in contrast if level not in found]
    if unknown:
        raise unknown_names(f"level of {name!r}", unknown, [str(level) for level in found])
    missing = [str(level) for level in found if level not in contrast]
    if missing:
        raise InputError(
            f"found no number for {', '.join(map(repr, missing))} in contrasts[{name!r}]; expected one for each level; "
            "give 0 to a level that is not compared, or select the others first"
        )
    wrong = [level for level in found if not isinstance(contrast[level], int | float)]
    if wrong:
        raise InputError(f"found {contrast[wrong[0]]!r} for {wrong[0]!r} in contrasts[{name!r}]; expected a number")
    return Column(name, name, {level: float(contrast[level]) for level in found})


def _need_two_levels(name: str, names: NDArray[Any]) -> None:
    if len(names) < 2:
        found = f"one level, {str(names[0])!r}" if len(names) else "no value"
        raise InputError(f"found {found} in {name!r}; expected at least two levels to compare")


def formula_matrix(
    formula: str, table: pd.DataFrame, *, intercept: bool
) -> tuple[list[str], NDArray[np.float64], list[str]]:
    """Make the terms, the design (n, k) and a description of the coding of a formula over named columns (n,).

    Raises
    ------
    InputError
        If the formula has a left side, or cannot be read or computed.
    """
    import formulaic
    from formulaic.errors import FormulaicError

    if "~" in formula.strip().removeprefix("~"):
        raise InputError(f"found the formula {formula!r} with a left side; expected the right side only; pass y=")
    right = formula.strip().removeprefix("~")
    try:
        spec = formulaic.Formula(right if intercept else f"{right} - 1")
        needed = [str(name) for name in spec.required_variables]
        unknown = [name for name in needed if name not in table]
        if unknown:
            raise unknown_names("coordinate or feature", unknown, [str(name) for name in table])
        matrix = spec.get_model_matrix(_with_levels(table[needed]), context={}, na_action="ignore", output="pandas")
    except (FormulaicError, SyntaxError, TypeError, NameError) as error:
        # formulaic marks the place by the colours of a terminal
        reason = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
        raise InputError(f"found the formula {formula!r}; expected one that can be computed: {reason}") from error
    text = [name for name in needed if table[name].dtype.kind not in "biuf"]
    coding = [f"{name}: as in the formula, reference {levels(table[name].to_numpy())[0][0]}" for name in text]
    # a level that is missing gives zeros in all of its columns
    numbers = matrix.to_numpy(dtype=np.float64)
    numbers[table[needed].isna().any(axis=1).to_numpy()] = np.nan
    return [str(term) for term in matrix.columns], numbers, coding


def _with_levels(table: pd.DataFrame) -> pd.DataFrame:
    """Texts as categories in alphabetical order, whose first is the reference."""
    import pandas as pd

    return table.assign(
        **{
            name: pd.Categorical(table[name], categories=levels(table[name].to_numpy())[0].tolist())
            for name in table
            if table[name].dtype.kind not in "biuf"
        }
    )


def check_determined(X: NDArray[np.float64], terms: Sequence[str], what: str) -> None:
    """Check that rows (n, k) of a design determine every coefficient, or that there are too few rows to.

    Raises
    ------
    InputError
        If there are enough rows and a regressor follows from the others.
    """
    from facearray.stats.kernels.ols import basis_of_rows

    if len(X) < len(terms):
        return
    _, basis = basis_of_rows(X)
    wrong = [term for term, fine in zip(terms, basis.estimable, strict=True) if not fine]
    if not wrong:
        return
    constant = [t for t, column in zip(terms, X.T, strict=True) if t != INTERCEPT and np.ptp(column) == 0]
    if constant and INTERCEPT in terms:
        raise InputError(
            f"found one and the same value of {', '.join(map(repr, constant))} in all {len(X)} {what}; expected "
            "different values; leave it out, or use more data"
        )
    raise InputError(
        f"found collinear regressors: {', '.join(map(repr, wrong))} follow from one another in {len(X)} {what} (rank "
        f"{basis.rank} of {len(terms)} columns); expected independent ones; leave one of them out"
    )
