"""What was done to a Dataset, kept in its attributes."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import xarray as xr

from facearray._version import package_version

__all__ = ["STEPS", "recorded", "steps"]

#: Attribute with the steps, a JSON list of objects with ``function``, ``arguments`` and ``version``.
STEPS = "steps"

_F = TypeVar("_F", bound=Callable[..., xr.Dataset])


def recorded(function: _F) -> _F:
    """Note in the attributes of the Dataset that a function returns what the function was called with.

    The steps of the Dataset that it was given come before it. Numbers and texts are kept as they are, arrays and tables
    by their form only, so that neither data nor names of people get into the attributes.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> xr.Dataset:
        result = function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        (_, ds), *given = bound.arguments.items()
        step = {
            "function": function.__name__,
            "arguments": {name: _plain(value) for name, value in given},
            "version": package_version(),
        }
        return result.assign_attrs({STEPS: json.dumps([*steps(ds), step])})

    return cast("_F", wrapper)


def steps(ds: xr.Dataset) -> list[dict[str, Any]]:
    """List what was done to a Dataset, in the order in which it was done.

    Parameters
    ----------
    ds
        A Dataset, or what functions of `facearray.signal` made of one.

    Returns
    -------
    list
        One dict a step, with ``function``, ``arguments`` and the versions; empty where nothing was done, or nothing is
        noted.

    Examples
    --------
    >>> steps(xr.Dataset())
    []
    """
    found: list[dict[str, Any]] = json.loads(ds.attrs.get(STEPS, "[]"))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, xr.Dataset | xr.DataArray):
        form = ", ".join(f"{dim}: {size}" for dim, size in value.sizes.items())
        return f"{type(value).__name__} ({form})"
    if isinstance(value, pd.DataFrame | pd.Series | np.ndarray):
        return f"{type(value).__name__} {value.shape}"
    return f"<{type(value).__name__}>"
