"""Datasets along ``video``: put together, and their videos renamed."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from facearray._columns import missing_form, shown, video_labels
from facearray.errors import InputError, SchemaError, unknown_names
from facearray.schema import FEATURES

__all__ = ["concat", "rename_videos"]

_STRING = np.dtypes.StringDType()

#: Dims that may be longer in one Dataset than in another.
_PADDED = ("frame", "face")

#: Bytes of a dask block that is made of values that were still in a store.
_BLOCK_BYTES = 64 * 2**20


def concat(datasets: Iterable[xr.Dataset]) -> xr.Dataset:
    """Put Datasets together along ``video``.

    Parameters
    ----------
    datasets
        Datasets with a labelled ``video`` dim: detections, or results by video.

    Returns
    -------
    xarray.Dataset
        All videos in the order in which they were given. ``frame`` and ``face`` are as long as the longest, the rest
        is padding. Features are the union: those of the vocabulary in storage order, then the others. A variable or
        coordinate that not all Datasets have is kept and filled for the rest. Filled and padded elements have the
        schema's fill value (-1, NaN, an empty text); where the schema does not know the variable, NaN, NaT or an empty
        text, for which integers and truth values become float64. Values without a ``video`` dim that differ get one;
        so do texts in the attributes of the whole, such as ``detector``: where they differ or are not in all, they
        become a coordinate. Other attributes are kept only where all have the same. Values in dask arrays or still in
        a store stay lazy, but for coordinates without a ``frame`` dim.

    Raises
    ------
    InputError
        If there is no Dataset, or a label is in several places.
    SchemaError
        If ``video`` is not labelled, or the Datasets cannot be put together: other units of a feature, numbers of
        landmarks or components, labels or sizes of a further dim, or order of the dims of a variable.

    Examples
    --------
    >>> import xarray as xr
    >>> a = xr.Dataset({"n": (("video", "frame"), [[1.0, 2.0]])}, coords={"video": ["a"], "age": ("video", [31])})
    >>> b = xr.Dataset({"n": (("video", "frame"), [[3.0]])}, coords={"video": ["b"]})
    >>> both = concat([a, b])
    >>> both.n.values.tolist(), both.age.values.tolist()
    ([[1.0, 2.0], [3.0, nan]], [31.0, nan])
    """
    parts = list(datasets)
    _check_parts(parts)
    attrs = _common_attrs(parts)
    parts = [_with_attrs_of_videos(_with_small_coords_read(part), parts, attrs) for part in parts]
    features = _union_of_features(parts)
    sizes = {dim: max(part.sizes.get(dim, 0) for part in parts) for dim in _all_dims(parts)}
    if features is not None:
        sizes["feature"] = len(features)
    names = dict.fromkeys(name for part in parts for name in part.variables)
    coords = {name for part in parts for name in part.coords}
    combined = {name: _combined(name, parts, features, sizes) for name in names if name not in ("video", "feature")}
    labels = np.array([label for part in parts for label in video_labels(part)], dtype=_STRING)
    combined["video"] = xr.Variable("video", labels, attrs=parts[0]["video"].attrs)
    if features is not None:
        first = next(part for part in parts if "feature" in part.dims)
        combined["feature"] = xr.Variable("feature", np.array(features, dtype=_STRING), attrs=first["feature"].attrs)
    return xr.Dataset(
        {name: variable for name, variable in combined.items() if name not in coords},
        coords={name: variable for name, variable in combined.items() if name in coords},
        attrs=attrs,
    )


def rename_videos(
    ds: xr.Dataset | xr.DataArray, names: Mapping[str, str] | Callable[[str], str]
) -> xr.Dataset | xr.DataArray:
    """Give videos other labels.

    Parameters
    ----------
    ds
        A Dataset or DataArray with a labelled ``video`` dim. It is not changed.
    names
        From old to new label, for some or all videos; or a function of the old label.

    Returns
    -------
    object
        ``ds`` with the new labels; everything else is as it was. A store has to be saved anew to have them.

    Raises
    ------
    InputError
        If a label does not exist, if a new one is not a text or is empty, or if two videos would have the same.
    SchemaError
        If ``ds`` has no labelled ``video`` dim.

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset(coords={"video": ["001.mp4", "002.mp4"]})
    >>> rename_videos(ds, {"002.mp4": "ann"}).video.values.tolist()
    ['001.mp4', 'ann']
    >>> rename_videos(ds, lambda label: label.removesuffix(".mp4")).video.values.tolist()
    ['001', '002']
    """
    old = list(video_labels(ds))
    if isinstance(names, Mapping):
        if unknown := [str(label) for label in names if label not in old]:
            raise unknown_names("video", unknown, old)
        new = [names.get(label, label) for label in old]
    else:
        new = [names(label) for label in old]
    problems = [f"{label!r} to {name!r}" for label, name in zip(old, new, strict=True) if not _is_label(name)]
    if problems:
        raise InputError(f"found new labels {', '.join(problems)}; expected texts that are not empty")
    if clashes := _several(new):
        lines = [f"{name!r} for {shown(o for o, n in zip(old, new, strict=True) if n == name)}" for name in clashes]
        raise InputError(f"found the same new label {'; '.join(lines)}; expected one for each video")
    return ds.assign_coords(video=("video", np.array(new, dtype=_STRING), ds["video"].attrs))


def _is_label(name: object) -> bool:
    return isinstance(name, str) and bool(name)


def _several(labels: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({label for label in labels if label in seen or seen.add(label)})  # type: ignore[func-returns-value]


def _all_dims(parts: Sequence[xr.Dataset]) -> list[str]:
    return [str(dim) for dim in dict.fromkeys(dim for part in parts for dim in part.dims)]


def _check_parts(parts: Sequence[xr.Dataset]) -> None:
    if not parts or not all(isinstance(part, xr.Dataset) for part in parts):
        found = ", ".join(type(part).__name__ for part in parts) or "nothing"
        raise InputError(f"found {found}; expected one or more Datasets: concat([a, b])")
    labels = [label for part in parts for label in video_labels(part)]
    if clashes := _several(labels):
        raise InputError(
            f"found video {shown(clashes)} more than once; expected every label once; give some of them other labels "
            "with rename_videos, or leave them out"
        )
    problems = [problem for dim in _all_dims(parts) for problem in _dim_problems(dim, parts)]
    problems += [problem for problem in _unit_problems(parts) if problem]
    if problems:
        raise SchemaError(
            "the Datasets cannot be put together:\n"
            + "".join(f"  - {problem}\n" for problem in problems)
            + "select or drop what differs first"
        )


def _dim_problems(dim: str, parts: Sequence[xr.Dataset]) -> list[str]:
    """Say how parts disagree about a dim that cannot be padded."""
    having = [part for part in parts if dim in part.dims]
    labelled = ["index" if dim in part.indexes else "none" for part in having]
    if dim == "video":
        return []
    if dim == "feature":
        return ["a dim 'feature' without labels"] if "none" in labelled else []
    if len(set(labelled)) > 1:
        return [f"dim {dim!r} has labels in some and none in others"]
    if labelled[0] == "index":
        same = all(having[0].indexes[dim].equals(part.indexes[dim]) for part in having)
        return [] if same else [f"dim {dim!r} has other labels"]
    found = {part.sizes[dim] for part in having}
    return [] if dim in _PADDED or len(found) == 1 else [f"dim {dim!r} has sizes {sorted(found)}; expected one"]


def _unit_problems(parts: Sequence[xr.Dataset]) -> list[str]:
    units: dict[str, set[str]] = {}
    for part in parts:
        if "unit" in part.coords and part["unit"].dims == ("feature",):
            for name, unit in zip(part["feature"].to_numpy(), part["unit"].to_numpy(), strict=True):
                units.setdefault(str(name), set()).add(str(unit))
    return [f"feature {name!r} has units {shown(sorted(found))}" for name, found in units.items() if len(found) > 1]


def _union_of_features(parts: Sequence[xr.Dataset]) -> list[str] | None:
    having = [part for part in parts if "feature" in part.dims]
    if not having:
        return None
    lists = [[str(name) for name in part["feature"].to_numpy()] for part in having]
    if all(names == lists[0] for names in lists):
        return lists[0]
    found = dict.fromkeys(name for names in lists for name in names)
    return [*(name for name in FEATURES if name in found), *(name for name in found if name not in FEATURES)]


def _combined(
    name: Hashable, parts: Sequence[xr.Dataset], features: list[str] | None, sizes: Mapping[str, int]
) -> xr.Variable:
    """One variable of the result."""
    having = [part.variables[name].to_base_variable() for part in parts if name in part.variables]
    forms = dict.fromkeys(tuple(d for d in variable.dims if d != "video") for variable in having)
    if len(forms) > 1:
        raise SchemaError(
            f"found {name!r} with dims {' and '.join(map(str, forms))}; expected one form; transpose or rename it"
        )
    (dims,) = forms
    if not any("video" in variable.dims for variable in having):
        if dims == ("feature",):
            return _along_features(name, parts, features or [])
        if all(_same_values(variable, having[0]) for variable in having):
            return having[0]
    is_lazy = any(not _in_memory(variable) for variable in having)
    rows = [_rows(name, part, having[0], dims, features, sizes, is_lazy=is_lazy) for part in parts]
    return _joined(rows, "video", having[0].attrs)


def _along_features(name: Hashable, parts: Sequence[xr.Dataset], features: Sequence[str]) -> xr.Variable:
    """Merge a coordinate of the features; the first Dataset that has a feature tells."""
    having = [part for part in parts if name in part.variables]
    values = {
        str(feature): value
        for part in reversed(having)
        for feature, value in zip(part["feature"].to_numpy(), part[name].to_numpy(), strict=True)
    }
    first = having[0].variables[name]
    dtype, fill = first.dtype, None
    if missing := [feature for feature in features if feature not in values]:
        dtype, fill = missing_form(name, first.dtype)
        values |= dict.fromkeys(missing, fill)
    merged = np.array([values[feature] for feature in features], dtype=_STRING if dtype.kind in "TU" else dtype)
    return xr.Variable("feature", merged, first.attrs)


def _rows(
    name: Hashable,
    part: xr.Dataset,
    form: xr.Variable,
    dims: tuple[Hashable, ...],
    features: list[str] | None,
    sizes: Mapping[str, int],
    *,
    is_lazy: bool,
) -> xr.Variable:
    """Give the rows of one Dataset, padded to the sizes of the result."""
    own = form.dims if "video" in form.dims else ("video", *dims)
    if name not in part.variables:
        own_sizes = {dim: part.sizes["video"] if dim == "video" else sizes[str(dim)] for dim in own}
        return _filled(own_sizes, *missing_form(name, form.dtype), is_lazy=is_lazy)
    variable = part.variables[name].to_base_variable()
    if "video" not in variable.dims:
        variable = xr.DataArray(variable).expand_dims(video=part.sizes["video"]).variable
    variable = variable.transpose(*own)
    if is_lazy and _in_memory(variable) is False and variable.chunks is None:
        variable = variable.chunk(_blocks(variable.sizes, variable.dtype))
    if features is not None and "feature" in own:
        variable = _with_features(name, variable, [str(label) for label in part["feature"].to_numpy()], features)
    for dim in own:
        if dim != "video" and variable.sizes[dim] < sizes[str(dim)]:
            variable = _padded(name, variable, dim, sizes[str(dim)] - variable.sizes[dim])
    return variable


def _with_features(name: Hashable, variable: xr.Variable, found: list[str], wanted: list[str]) -> xr.Variable:
    if found == wanted:
        return variable
    at = {feature: i for i, feature in enumerate(found)}
    if not at.keys() >= set(wanted):
        variable = _padded(name, variable, "feature", 1)
    return variable.isel(feature=[at.get(feature, len(found)) for feature in wanted])


def _padded(name: Hashable, variable: xr.Variable, dim: Hashable, n: int) -> xr.Variable:
    dtype, fill = missing_form(name, variable.dtype)
    sizes = {**variable.sizes, dim: n}
    filler = _filled(sizes, dtype, fill, is_lazy=variable.chunks is not None)
    return _joined([variable, filler], dim, variable.attrs)


def _joined(variables: Sequence[xr.Variable], dim: Hashable, attrs: Mapping[Any, Any]) -> xr.Variable:
    dtypes = {variable.dtype for variable in variables}
    # texts of different dtypes have none in common as far as NumPy knows
    common = _STRING if {dtype.kind for dtype in dtypes} <= set("TUO") else np.result_type(*dtypes)
    arrays = [variable.data if len(dtypes) == 1 else variable.data.astype(common) for variable in variables]
    axis = variables[0].dims.index(dim)
    if any(variable.chunks is not None for variable in variables):
        import dask.array

        joined: Any = dask.array.concatenate(arrays, axis)  # type: ignore[no-untyped-call]
    else:
        joined = np.concatenate(arrays, axis)
    return xr.Variable(variables[0].dims, joined, dict(attrs))


def _same_values(a: xr.Variable, b: xr.Variable) -> bool:
    return a is b or (a.dims == b.dims and xr.DataArray(a).equals(xr.DataArray(b)))


def _filled(sizes: Mapping[Hashable, int], dtype: np.dtype[Any], fill: Any, *, is_lazy: bool) -> xr.Variable:
    shape = tuple(sizes.values())
    if not is_lazy:
        return xr.Variable(tuple(sizes), np.full(shape, fill, dtype=dtype))
    import dask.array

    chunks = tuple(_blocks(sizes, dtype).values())
    return xr.Variable(tuple(sizes), dask.array.full(shape, fill, dtype=dtype, chunks=chunks))  # type: ignore[no-untyped-call]


def _in_memory(variable: xr.Variable) -> bool:
    return variable._in_memory and variable.chunks is None


def _blocks(sizes: Mapping[Hashable, int], dtype: np.dtype[Any]) -> dict[Hashable, int]:
    """Whole rows, as many as fit the size of a block."""
    per_row = math.prod(size for dim, size in sizes.items() if dim != "video") * dtype.itemsize
    return {**sizes, "video": max(1, _BLOCK_BYTES // max(1, per_row))}


def _common_attrs(parts: Sequence[xr.Dataset]) -> dict[Hashable, Any]:
    """Attributes that all have with one value."""
    first, *others = parts
    return {
        key: value
        for key, value in first.attrs.items()
        if all(key in part.attrs and _same(part.attrs[key], value) for part in others)
    }


def _with_small_coords_read(part: xr.Dataset) -> xr.Dataset:
    """Read coordinates that have no frames: they are small, and xarray groups by nothing that is lazy."""
    small = (name for name, coord in part.coords.items() if "frame" not in coord.dims and name not in part.indexes)
    return part.assign_coords({name: part[name].variable.compute() for name in small})


def _with_attrs_of_videos(part: xr.Dataset, parts: Sequence[xr.Dataset], common: Mapping[Hashable, Any]) -> xr.Dataset:
    """Make coordinates of the texts in the attributes that are not common, or that are coordinates elsewhere."""
    texts = {key: value for p in parts for key, value in p.attrs.items() if isinstance(value, str)}
    n = part.sizes["video"]
    return part.assign_coords(
        {
            key: ("video", np.full(n, part.attrs.get(key, ""), dtype=_STRING))
            for key in texts
            if key not in (*part.variables, *part.dims) and (key not in common or any(key in p.coords for p in parts))
        }
    )


def _same(a: Any, b: Any) -> bool:
    return bool(np.array_equal(np.asarray(a, dtype=object), np.asarray(b, dtype=object)))
