"""Regression of values of units."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._words import some
from facearray.errors import InputError
from facearray.stats.frames import without_values
from facearray.stats.regression.design import (
    INTERCEPT,
    Design,
    Regressors,
    check_determined,
    formula_matrix,
    is_formula,
    regressor_names,
)
from facearray.stats.regression.estimates import Estimates, fit_rows, permute
from facearray.stats.regression.fractional import check_shares, fit_fractional
from facearray.stats.regression.mixed import fit_mixed
from facearray.stats.regression.request import Fitted, Request, check_clusters
from facearray.stats.units import UnitValues, label_coordinates, levels, unit_values

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client

__all__ = ["Asked", "TestTerms", "fit_units", "fit_values", "regressors_asked"]


def fit_units(
    ds: xr.Dataset,
    X: str | Iterable[str] | pd.DataFrame,
    request: Request,
    reduce: Mapping[str, Any],
    client: Client | None,
) -> Fitted:
    """Reduce a Dataset to units, and fit these face by face.

    Parameters
    ----------
    ds, X, request
        As asked for.
    reduce
        Arguments of `facearray.stats.unit_values`.
    client
        A Dask client to share permutations with.

    Raises
    ------
    InputError
        If a regressor is unknown, constant or collinear, or there are too few clusters.
    """
    asked = regressors_asked(ds, X)
    units = unit_values(ds, features=list(dict.fromkeys([*request.outcomes, *asked.named.features])), **reduce)

    def test(estimates: Estimates, *design: Any) -> None:
        permute(estimates, *design, n_permutations=request.permutations, seed=request.options.seed, client=client)

    labels = label_coordinates(ds, "feature", features=request.outcomes)
    return fit_values(units, asked, request, labels, test)


@dataclass(frozen=True, slots=True)
class Asked:
    """Regressors as they were asked for, and which coordinates and features they are."""

    X: Any
    formula: bool
    named: Regressors


def regressors_asked(ds: xr.Dataset, X: str | Iterable[str] | pd.DataFrame) -> Asked:
    """Find out what regressors of units are.

    Raises
    ------
    InputError
        If a name is unknown, or is none of a coordinate on videos.
    """
    if not isinstance(X, str) and not hasattr(X, "columns"):
        X = list(X)
    formula = is_formula(X, ds)
    named = (
        _formula_names(str(X), ds) if formula else Regressors([]) if hasattr(X, "columns") else regressor_names(ds, X)
    )
    wrong = [n for n in named.names if n not in named.features and ds.variables[n].dims != ("video",)]
    if wrong:
        raise InputError(
            f"found {some(map(repr, wrong))} not on videos; expected coordinates on videos, or unit='frame' with a "
            "cluster"
        )
    return Asked(X, formula, named)


#: Replaces the p values of estimates of a design (n, k), outcomes (n, m), tested terms and blocks (n,).
TestTerms = Callable[
    [Estimates, NDArray[np.float64], NDArray[np.float64], NDArray[np.intp], NDArray[np.intp] | None], None
]


def fit_values(
    units: UnitValues, asked: Asked, request: Request, features: dict[Hashable, xr.Variable], test: TestTerms
) -> Fitted:
    """Fit the values of units face by face; outcomes come first among the features.

    Parameters
    ----------
    units, asked, request
        The values, and what is asked for.
    features
        Coordinates of the outcomes.
    test
        Permutation test of the terms of each face, for a request with permutations.

    Raises
    ------
    InputError
        If a regressor is constant or collinear, or there are too few clusters.
    """
    cluster = None if request.cluster is None else levels(units.coordinate(request.cluster))[1]
    blocks = None if request.blocks is None else levels(units.coordinate(request.blocks))[1]
    for name, codes in ((request.cluster, cluster), (request.blocks, blocks)):
        if codes is not None and (codes < 0).any():
            raise InputError(f"found units without {name}: {some(units.labels[codes < 0])}; give each one a value")
    shared = [_shared(units, name) for name in request.random]
    designs = [_unit_design(asked, units, face, request) for face in range(len(units.faces))]
    complete: list[NDArray[np.bool_]] = [np.atleast_1d(~np.isnan(matrix).any(axis=1)) for _, matrix, _ in designs]
    if not any(rows.any() for rows in complete):
        raise InputError(f"found no {request.unit} that has a value of every regressor; expected some")
    terms, _, coding = designs[0]
    there = np.logical_or.reduce(complete)
    if cluster is not None and request.cluster is not None:
        check_clusters(len(np.unique(cluster[there])), request.cluster)
    estimates = []
    for face, (_, matrix, _) in enumerate(designs):
        Y = units.values[:, face, : len(request.outcomes)]
        rows = complete[face]
        estimates.append(_fit_face(terms, matrix, Y, rows, cluster, shared, request))
        if request.permutations and estimates[face].n.any():
            tested = np.array([i for i, term in enumerate(terms) if term != INTERCEPT])
            test(estimates[face], matrix[rows], Y[rows], tested, None if blocks is None else blocks[rows])
    without = [f"{label}: no value of a regressor" for label in units.labels[~there].tolist()]
    attrs = units.attrs
    attrs |= {"excluded": [*attrs["excluded"], *without], "n": int(there.sum())}
    return Fitted(terms, units.faces, estimates, coding, attrs, features, units.labels)


def _formula_names(formula: str, ds: xr.Dataset) -> Regressors:
    """All coordinates, and the features that the formula names."""
    import re

    words = set(re.findall(r"\w+", formula))
    return Regressors([], [str(name) for name in ds["feature"].to_numpy() if str(name) in words])


def _unit_design(
    asked: Asked, units: UnitValues, face: int, request: Request
) -> tuple[list[str], NDArray[np.float64], list[str]]:
    """Terms, design (n_unit, k) of one face, and coding."""
    import pandas as pd

    X, formula, named = asked.X, asked.formula, asked.named
    contrasts = dict(request.contrasts or {})
    place = {str(name): i for i, name in enumerate(units.features)}
    if hasattr(X, "columns"):
        values = {str(name): column.to_numpy() for name, column in _rows_of_units(X, units).items()}
        names = list(values)
    elif formula:
        values = {name: array for name, array in units.coords.items() if name.isidentifier()}
        values |= {name: units.values[:, face, place[name]] for name in named.features}
        names = list(values)
    else:
        values = {
            name: units.values[:, face, place[name]] if name in named.features else units.coordinate(name)
            for name in named.names
        }
        names = named.names
    unused = [name for name in contrasts if name not in values]
    if unused:
        raise InputError(f"found contrasts for {some(unused)}; expected names among the regressors: {some(names)}")
    if not formula:
        design = Design.of(values, contrasts=contrasts, intercept=request.intercept, names=names)
        return design.terms, design.matrix(values), design.coding
    coded = Design.of(values, contrasts=contrasts, intercept=False, names=list(contrasts))
    table = pd.DataFrame({n: v.astype(object) if v.dtype.kind == "T" else v for n, v in values.items()})
    table = table.assign(**{column.term: column.numbers(values[column.source]) for column in coded.columns})
    terms, matrix, coding = formula_matrix(X, table, intercept=request.intercept)
    return terms, matrix, [*coded.coding, *coding]


def _rows_of_units(X: pd.DataFrame, units: UnitValues) -> pd.DataFrame:
    """Rows of a table for each unit, in the order of the units."""
    labels = [str(label) for label in X.index]
    if labels == [str(label) for label in units.labels]:
        return X
    twice = sorted({label for label in labels if labels.count(label) > 1}) if len(set(labels)) < len(labels) else []
    missing = sorted({str(label) for label in units.labels} - set(labels))
    if twice or missing:
        found = [f"{some(twice)} more than once"] * bool(twice) + [f"no row for {some(missing)}"] * bool(missing)
        raise InputError(
            f"found {' and '.join(found)} in the table of regressors; expected one row a {units.unit}, with the labels "
            "as its index: use set_index"
        )
    position = {label: i for i, label in enumerate(labels)}
    return X.iloc[[position[str(label)] for label in units.labels]]


def _shared(units: UnitValues, name: str) -> NDArray[np.intp]:
    """Group of each unit in a random effect."""
    names, codes = levels(units.coordinate(name))
    if (codes < 0).any():
        raise InputError(f"found units without {name}: {some(units.labels[codes < 0])}; give each one a value")
    if not 1 < len(names) < len(codes):
        raise InputError(
            f"found {len(names)} values of {name!r} in {len(codes)} {units.unit}s; expected several, each shared by "
            f"several {units.unit}s"
        )
    return codes


def _fit_face(
    terms: list[str],
    X: NDArray[np.float64],
    Y: NDArray[np.float64],
    rows: NDArray[np.bool_],
    cluster: NDArray[np.intp] | None,
    shared: list[NDArray[np.intp]],
    request: Request,
) -> Estimates:
    used = slice(None) if rows.all() else rows
    if shared:
        _check_determined(X, Y, rows, terms, request)
        return fit_mixed(X[used], Y[used], [codes[used] for codes in shared], request.options)
    groups = None if cluster is None else cluster[used]
    if request.options.link == "logit":
        check_shares(Y, request.outcomes)
        fitted = fit_fractional(X[used], Y[used], groups, request.options)
    else:
        fitted = fit_rows(X[used], Y[used], groups, request.options, residuals=request.residuals)
    if not np.isfinite(fitted.beta).all(axis=0).any():
        _check_determined(X, Y, rows, terms, request)
    if fitted.residual is None or not request.residuals:
        return replace(fitted, residual=None)
    residual = np.full(Y.shape, np.nan)
    residual[used] = fitted.residual
    return replace(fitted, residual=residual)


def _check_determined(
    X: NDArray[np.float64], Y: NDArray[np.float64], rows: NDArray[np.bool_], terms: list[str], request: Request
) -> None:
    """Check the design of the units that have a regressor and any outcome."""
    with_outcome = rows & ~without_values(Y)
    if with_outcome.any():
        check_determined(X[with_outcome], terms, f"{request.unit}s")
