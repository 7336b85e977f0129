"""Tables of the command line: a row a video, or a row an annotated interval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from facearray.errors import InputError, unknown_names

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["intervals", "joined"]

_COLUMNS = ("video", "start", "end", "label")


def intervals(path: Path) -> pd.DataFrame:
    """Read annotated intervals: a CSV or TSV file with the columns of `annotate`, or that of an annotation program.

    Raises
    ------
    FaceArrayError
        If it is none of these.
    """
    import pandas as pd

    if path.suffix.lower() in (".csv", ".tsv"):
        separator = "\t" if path.suffix.lower() == ".tsv" else ","
        try:
            table = pd.read_csv(path, sep=separator, dtype={"video": str, "label": str})
        except ValueError:
            table = pd.DataFrame()
        if set(_COLUMNS) <= set(table.columns):
            return table
    from facearray.io.annotation_files import read_annotations

    return read_annotations(path)


def joined(ds: xr.Dataset, table: Path, key: str | None) -> xr.Dataset:
    """Add the columns of a CSV file with a row a video as coordinates.

    Parameters
    ----------
    ds
        Detections.
    table
        The file.
    key
        Its column with the labels of the videos; by default ``video``.

    Raises
    ------
    InputError
        If there is no such column, or its rows do not fit the videos.
    """
    import pandas as pd

    from facearray.tables import join

    column = key or "video"
    rows = pd.read_csv(table, dtype={column: str})
    if column not in rows.columns and key is not None:
        raise unknown_names(f"column of {table.name}", [column], [str(name) for name in rows.columns])
    if column not in rows.columns:
        raise _no_key(ds, table, pd.read_csv(table, dtype=str))
    return cast("xr.Dataset", join(ds, rows, key=column))


def _no_key(ds: xr.Dataset, table: Path, rows: pd.DataFrame) -> InputError:
    from facearray._matching import find_column

    labels = [str(label) for label in ds["video"].values]
    found = find_column({name: [str(text) for text in rows[name]] for name in rows.columns}, labels)
    remedy = "name the column that holds them with --key, or call it video"
    if found is not None:
        name, conversion = found
        text = conversion.key_of(labels[0], map(str, rows[name]))
        change = f"write them so in the column {name!r}, where {text!r} stands for {labels[0]!r}, and "
        remedy = f"{change if conversion.n_steps else ''}pass --key {name}"
    return InputError(
        f"found no column 'video' in {table.name}, whose columns are {', '.join(rows.columns)}; expected one with the "
        f"labels of the videos{f', such as {labels[0]!r}' if labels else ''}; {remedy}"
    )
