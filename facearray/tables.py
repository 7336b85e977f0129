"""What is known about videos and persons, joined to a Dataset as coordinates."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray._columns import check_new_names, column_values, missing_form, shown, video_labels
from facearray._matching import find_column, nearest
from facearray.errors import InputError, SchemaError, unknown_names

__all__ = ["join"]

_log = logging.getLogger(__name__)

_ALLOWED = (("video",), ("video", "face"))

#: Missing labels for which near ones are looked for.
_SUGGESTED = 5


def join(
    ds: xr.Dataset | xr.DataArray,
    table: pd.DataFrame | pd.Series | Mapping[Any, Any],
    *,
    on: str | Sequence[str] = "video",
    key: str | Sequence[str] | None = None,
    name: str | None = None,
) -> xr.Dataset | xr.DataArray:
    """Add attributes of videos, or of the persons in them, as coordinates.

    Parameters
    ----------
    ds
        Detections, or a result that has a labelled ``video`` dim. It is not changed.
    table
        A DataFrame: every column but the key becomes a coordinate of its name. A Series or a dict from label to
        value: becomes one coordinate. Persons are keyed by pairs (video, face).
    on
        What a row is about: ``"video"``, or ``("video", "face")`` for persons, where the face is the number of the
        slot, from 0.
    key
        Column of the DataFrame with the labels of the videos, or the two columns with videos and faces. By default
        the columns that are named like ``on`` where there are some, else the index.
    name
        Name of the coordinate that a Series or dict becomes; by default the Series' own.

    Returns
    -------
    object
        ``ds`` with coordinates of dims ``on``. Labels are compared as texts. Texts are stored as variable-length
        strings and categories as what they are made of; times with a zone become UTC. A missing text is empty; a
        missing number is NaN, for which integers and truth values become float64.

    Raises
    ------
    InputError
        If a video has no row or several, with the nearest names; if a coordinate of that name exists; if a column
        mixes kinds of values; if an argument does not fit the others. A person's row may be absent only where no face
        was ever found in the slot.
    SchemaError
        If ``ds`` has no labelled ``video`` dim.

    Notes
    -----
    Rows of the table about other videos are ignored; their number is logged at level INFO by the logger
    ``facearray.tables``.

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset({"smile": ("video", [0.1, 0.8])}, coords={"video": ["001.mp4", "002.mp4"]})
    >>> joined = join(ds, {"002.mp4": "good", "001.mp4": "bad", "003.mp4": "good"}, name="news")
    >>> joined.news.values.tolist()
    ['bad', 'good']
    """
    dims = (on,) if isinstance(on, str) else tuple(on)
    if dims not in _ALLOWED:
        raise InputError(f"found on={on!r}; expected 'video' or ('video', 'face')")
    videos = video_labels(ds)
    keyed = _keyed(table, dims, key, name)
    columns = keyed.columns
    if columns.columns.empty:
        raise InputError("found no column beside the key; expected one for every coordinate")
    rows = _rows_of_labels(ds, keyed, videos, dims)
    check_new_names(ds, list(columns.columns))
    shape = tuple(ds.sizes[dim] for dim in dims)
    return ds.assign_coords(
        {label: (dims, _taken(label, column_values(column), rows).reshape(shape)) for label, column in columns.items()}
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Keyed:
    """A table and its rows' labels.

    Attributes
    ----------
    table
        As it was given.
    keys
        Normalized labels of the rows: of videos, or of videos and faces.
    columns
        What becomes coordinates.
    column
        Name of the column with the videos' labels; None for the index or the keys of a dict.
    """

    table: Any
    keys: pd.Index
    columns: pd.DataFrame
    column: Any = None

    @property
    def place(self) -> str:
        """Where the labels are."""
        if self.column is not None:
            return f"the texts of the column {self.column!r}"
        return f"the {'keys of the dict' if isinstance(self.table, Mapping) else 'labels of the index'}"

    @property
    def is_numbered(self) -> bool:
        """Whether the rows have no labels but their numbers from 0."""
        if self.column is not None or not isinstance(self.table, pd.DataFrame):
            return False
        index = self.table.index
        return isinstance(index, pd.RangeIndex) and index.name is None and index.start == 0

    @property
    def videos(self) -> pd.Index:
        """Labels of the rows' videos."""
        return self.keys if self.keys.nlevels == 1 else self.keys.get_level_values(0)


def _keyed(table: Any, dims: tuple[str, ...], key: str | Sequence[str] | None, name: str | None) -> _Keyed:
    """Find the labels of the rows, and the columns that become coordinates."""
    if isinstance(table, pd.DataFrame):
        if name is not None:
            raise InputError(f"found name={name!r} with a DataFrame; its columns give the names; leave it out")
        return _of_frame(table, dims, key)
    if not isinstance(table, pd.Series | Mapping):
        raise InputError(
            f"found a {type(table).__name__}; expected a DataFrame, a Series or a dict from label to value"
        )
    if key is not None:
        raise InputError(f"found key={key!r} without a DataFrame; the labels are the index or the dict's keys")
    series = table if isinstance(table, pd.Series) else pd.Series(dict(table), dtype=None if table else object)
    label = name if name is not None else series.name
    if label is None:
        raise InputError("found no name for the coordinate; expected one; pass name=")
    return _Keyed(table, _keys([*_levels(series.index, dims)], dims), pd.DataFrame({label: series.array}))


def _of_frame(table: pd.DataFrame, dims: tuple[str, ...], key: str | Sequence[str] | None) -> _Keyed:
    chosen = dims if key is None else (key,) if isinstance(key, str) else tuple(key)
    if len(chosen) != len(dims):
        raise InputError(f"found key={key!r}; expected one column for each of {', '.join(dims)}")
    absent = [column for column in chosen if column not in table.columns]
    if not absent:
        keys = _keys([table[column] for column in chosen], dims)
        return _Keyed(table, keys, table.drop(columns=list(chosen)), chosen[0])
    if key is not None:
        raise unknown_names("column of the table", absent, [str(column) for column in table.columns])
    return _Keyed(table, _keys(_levels(table.index, dims), dims), table)


def _levels(index: pd.Index, dims: tuple[str, ...]) -> list[pd.Index]:
    if index.nlevels != len(dims):
        raise InputError(
            f"found an index of {index.nlevels} level(s); expected {len(dims)}: {', '.join(dims)}; "
            "set the index, or name the columns with key="
        )
    return [index.get_level_values(level) for level in range(index.nlevels)]


def _keys(levels: Sequence[Any], dims: tuple[str, ...]) -> pd.Index:
    videos = pd.Index([str(label) for label in levels[0]], dtype=object)
    if len(dims) == 1:
        return videos
    faces = pd.to_numeric(pd.Series(np.asarray(levels[1])), errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    if (wrong := np.isnan(faces) | (faces % 1 != 0)).any():
        raise InputError(
            f"found faces {shown(dict.fromkeys(np.asarray(levels[1], dtype=object)[wrong]))}; expected the numbers of "
            "slots, from 0"
        )
    return pd.MultiIndex.from_arrays([videos, faces.astype("int64")])


def _rows_of_labels(
    ds: xr.Dataset | xr.DataArray, keyed: _Keyed, videos: pd.Index, dims: tuple[str, ...]
) -> NDArray[np.intp]:
    """Row of the table for every label of the Dataset in storage order; -1 for slots that nobody is in."""
    labels, keys = videos, keyed.keys
    if len(dims) == 2:
        if "face" not in ds.dims:
            raise SchemaError("found no dim 'face'; expected one; join persons before faces are selected or averaged")
        faces = ds.indexes["face"] if "face" in ds.indexes else range(ds.sizes["face"])
        labels = pd.MultiIndex.from_product([videos, faces])
    known = keys.isin(labels)
    used = np.flatnonzero(known)
    twice = keys[known][keys[known].duplicated()].unique()
    rows: NDArray[np.intp] = np.full(len(labels), -1, dtype=np.intp)
    if twice.empty:
        positions = keys[known].get_indexer(labels)
        rows[positions >= 0] = used[positions[positions >= 0]]
    missing = labels[~labels.isin(keys)]
    if len(dims) == 2 and len(missing):
        missing = missing[_occupied(ds, missing, videos)]
    if len(missing) or len(twice):
        raise _does_not_fit(keyed, missing, twice, keys[~known], videos)
    if n_ignored := int((~known).sum()):
        _log.info("ignored %d of %d rows of the table: they are not about videos of the Dataset", n_ignored, len(keys))
    return rows


def _occupied(ds: xr.Dataset | xr.DataArray, slots: pd.MultiIndex, videos: pd.Index) -> NDArray[np.bool_]:
    """Whether a face was ever found in the slots; without tracks nobody knows, so every slot counts."""
    if "track_id" not in ds.coords or "frame" not in ds["track_id"].dims:
        return np.ones(len(slots), dtype=bool)
    rows, inverse = np.unique(videos.get_indexer(slots.get_level_values(0)), return_inverse=True)
    seen = (ds["track_id"].isel(video=rows) >= 0).any("frame").transpose("video", "face").to_numpy()
    faces = list(ds.indexes["face"]) if "face" in ds.indexes else list(range(ds.sizes["face"]))
    found: NDArray[np.bool_] = seen[inverse, [faces.index(face) for face in slots.get_level_values(1)]]
    return found


def _does_not_fit(keyed: _Keyed, missing: pd.Index, twice: pd.Index, others: pd.Index, videos: pd.Index) -> InputError:
    """Say which labels lack a row or have several, and how the table's keys could become these labels."""
    nothing = len(keyed.keys) > 0 and not keyed.videos.isin(videos).any()
    remedy = _remedy(keyed, list(videos), nothing=nothing)
    candidates = [str(label[0] if isinstance(label, tuple) else label) for label in others]
    if nothing:
        other = "name the column with key=" if isinstance(keyed.table, pd.DataFrame) else "correct them"
        return InputError(
            f"found no video's label among {keyed.place} ({_few(candidates)}); expected labels such as {_few(videos)}; "
            + (remedy or other)
        )
    problems = []
    if len(missing):
        problems.append(f"no row for {_with_nearest(list(missing), candidates)}")
    if len(missing) and candidates:
        problems.append(f"rows about no video of the Dataset: {_few(candidates)}")
    if len(twice):
        problems.append(f"several rows for {shown(sorted(twice))}")
    return InputError(
        "the table does not fit the Dataset; expected one row for each:\n"
        + "".join(f"  - {problem}\n" for problem in problems)
        + (remedy or "complete or correct the table, or select the videos first: ds.sel(video=...)")
    )


def _remedy(keyed: _Keyed, videos: list[str], *, nothing: bool) -> str:
    """Say which column has all videos, or how the keys have to be changed to have them; empty if there is no way."""
    once, table = keyed.keys.nlevels == 1, keyed.table
    places = {} if keyed.is_numbered else {keyed.column: list(keyed.videos)}
    if nothing and once and isinstance(table, pd.DataFrame):
        named = [name for name, dtype in table.dtypes.items() if name not in places and dtype.kind not in "fbmMc"]
        places |= {name: [str(label) for label in table[name]] for name in named}
    found = find_column(places, videos, once=once)
    if found is None:
        return ""
    column, conversion = found
    other = column is not None and column != keyed.column
    if not conversion.n_steps:
        return f"pass key={column!r}" if other else ""
    changes = []
    if conversion.keys:
        changes.append(
            _change_of_keys(table, column, conversion.of_keys)
            if once or column is not None
            else f"change the videos' labels in it by lambda name: {conversion.of_keys}"
        )
    if conversion.labels:
        changes.append(f"ds = ds.fex.rename_videos(lambda name: {conversion.of_labels})")
    place = f"the texts of the column {column!r}" if other else keyed.place
    example = f"{conversion.key_of(videos[0], places[column])!r} for {videos[0]!r}"
    return f"{place} are those of all {len(videos)} videos, written differently ({example}): {'; '.join(changes)}" + (
        f", and pass key={column!r}" if other else ""
    )


def _change_of_keys(table: Any, column: Any, code: str) -> str:
    if column is not None:
        return f"table[{column!r}] = table[{column!r}].astype(str).map(lambda name: {code})"
    if isinstance(table, pd.DataFrame | pd.Series):
        return f"table.index = table.index.astype(str).map(lambda name: {code})"
    code = code if all(isinstance(name, str) for name in table) else code.replace("name", "str(name)", 1)
    return f"table = {{{code}: value for name, value in table.items()}}"


def _few(labels: Iterable[Any]) -> str:
    listed = [repr(label) for label in dict.fromkeys(labels)]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")


def _with_nearest(labels: list[Any], candidates: list[str]) -> str:
    """Enumerate labels; the first few with the nearest of the labels that nothing was found for."""
    ordered = sorted(labels)
    names = [str(label[0] if isinstance(label, tuple) else label) for label in ordered]
    near = nearest(names[:_SUGGESTED], candidates)
    parts = [
        f"{label!r} (the table has {near[name]!r})" if name in near else repr(label)
        for label, name in zip(ordered, names, strict=True)
    ]
    return ", ".join(parts[:20]) + (f" and {len(parts) - 20} more" if len(parts) > 20 else "")


def _taken(name: Any, values: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    if (rows >= 0).all():
        return values[rows]
    dtype, fill = missing_form(name, values.dtype)
    result = np.full(len(rows), fill, dtype=dtype)
    result[rows >= 0] = values[rows[rows >= 0]]
    return result
