"""Corrections of p values for the number of tests in a family."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, overload

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError, unknown_names

__all__ = ["METHODS", "adjust"]

#: Names of the corrections; ``None`` is ``"none"``.
METHODS = ("none", "bonferroni", "holm", "fdr_bh", "fdr_by")

Axis = int | Hashable | Sequence[int] | Sequence[Hashable] | None


@overload
def adjust(p: xr.DataArray, method: str | None, axis: Axis = None) -> xr.DataArray: ...


@overload
def adjust(p: NDArray[Any], method: str | None, axis: Axis = None) -> NDArray[np.float64]: ...


def adjust(p: NDArray[Any] | xr.DataArray, method: str | None, axis: Axis = None) -> NDArray[np.float64] | xr.DataArray:
    """Adjust p values for the number of tests in their family.

    An adjusted value is compared with the level itself: reject where it is at most 0.05.

    Parameters
    ----------
    p
        p values, an array or a DataArray. A NaN is not a test: it stays NaN and does not count.
    method
        ``bonferroni`` or ``holm`` for the chance of any false rejection in the family, ``fdr_bh`` or ``fdr_by`` for
        the expected share of false rejections among all, ``none`` or None for no correction.
    axis
        Which tests are one family: one or several axes of an array, dims of a DataArray by name; all by default.

    Returns
    -------
    ndarray or DataArray
        Adjusted p values of the same shape: at least ``p``, at most 1, and in the same order within a family. The
        attributes ``correction`` and ``family`` of a DataArray say what was done.

    Raises
    ------
    InputError
        If the method, an axis or a dim is unknown, or a p value is not from 0 to 1.

    Notes
    -----
    For m tests with ordered p values p(1) <= ... <= p(m):

    - ``bonferroni``: m p. Any dependence.
    - ``holm``: max over j <= i of (m - j + 1) p(j) (Holm 1979). Any dependence, and never weaker than Bonferroni.
    - ``fdr_bh``: min over j >= i of m p(j) / j (Benjamini & Hochberg 1995). Independent or positively dependent tests.
    - ``fdr_by``: as ``fdr_bh``, times 1 + 1/2 + ... + 1/m (Benjamini & Yekutieli 2001). Any dependence.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6.

    Benjamini, Y. & Hochberg, Y. (1995). Controlling the false discovery rate. J. R. Statist. Soc. B 57.

    Benjamini, Y. & Yekutieli, D. (2001). The control of the false discovery rate in multiple testing under dependency.
    Annals of Statistics 29.

    Examples
    --------
    >>> adjust(np.array([0.01, 0.04, np.nan, 0.03]), "holm")
    array([0.03, 0.06,  nan, 0.06])
    """
    method = method or "none"
    if method not in METHODS:
        raise unknown_names("correction", [method], METHODS)
    if isinstance(p, xr.DataArray):
        family = _family_dims(p, axis)
        adjusted = _adjust(p.to_numpy(), method, tuple(p.get_axis_num(dim) for dim in family))
        return p.copy(data=adjusted).assign_attrs(correction=method, family=", ".join(map(str, family)))
    values = np.asarray(p, dtype=np.float64)
    return _adjust(values, method, _family_axes(values.ndim, axis))


def _family_dims(p: xr.DataArray, axis: Axis) -> tuple[Hashable, ...]:
    if axis is None:
        return p.dims
    dims: tuple[Hashable, ...] = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    unknown = [str(dim) for dim in dims if dim not in p.dims]
    if unknown:
        raise unknown_names("dim", unknown, [str(dim) for dim in p.dims])
    return dims


def _family_axes(ndim: int, axis: Axis) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    if not all(isinstance(a, int | np.integer) and -ndim <= a < ndim for a in axes):
        raise InputError(f"found axis={axis!r}; expected axes of an array of {ndim} dims, as integers")
    return tuple(int(a) % ndim for a in axes)


def _adjust(p: NDArray[np.float64], method: str, axes: tuple[int, ...]) -> NDArray[np.float64]:
    if not ((p >= 0) & (p <= 1) | np.isnan(p)).all():
        raise InputError(f"found p values from {np.nanmin(p)} to {np.nanmax(p)}; expected values from 0 to 1")
    last = tuple(range(p.ndim - len(axes), p.ndim))
    moved = np.moveaxis(p, axes, last)
    families = moved.reshape(*moved.shape[: p.ndim - len(axes)], -1)
    adjusted: NDArray[np.float64] = np.moveaxis(_adjust_last(families, method).reshape(moved.shape), last, axes)
    return adjusted


def _adjust_last(p: NDArray[np.float64], method: str) -> NDArray[np.float64]:
    """Adjust p values (..., m), one family along the last axis."""
    m = (~np.isnan(p)).sum(axis=-1, keepdims=True)
    if method == "none":
        return p.copy()
    if method == "bonferroni":
        return np.asarray(np.minimum(p * m, 1))
    # NaN is sorted behind all tests, where it has no part in a running extreme
    order = np.argsort(p, axis=-1)
    ordered = np.take_along_axis(p, order, axis=-1)
    rank = np.arange(1, p.shape[-1] + 1)
    if method == "holm":
        steps = np.maximum.accumulate(ordered * (m - rank + 1), axis=-1)
    else:
        factor = m / rank
        if method == "fdr_by":
            factor = factor * np.array([sum(1 / i for i in range(1, n + 1)) for n in m.ravel()]).reshape(m.shape)
        steps = np.fmin.accumulate((ordered * factor)[..., ::-1], axis=-1)[..., ::-1]
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.where(np.isnan(ordered), np.nan, np.minimum(steps, 1)), axis=-1)
    return adjusted
