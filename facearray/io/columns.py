"""The tables of a journal: columns of one part, as a compressed Arrow file that any Arrow library reads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.schema import COORDS

__all__ = ["NUMBERS", "RowTable", "arrow_bytes", "arrow_columns", "finite", "record_table"]

#: Coordinates that are numbers in a row's record, and columns of their own in its table.
NUMBERS = ("n_frames", "fps", "width", "height", "duration")

_TEXTS = ("label", "fingerprint", "rest")


class RowTable:
    """Records of rows: the numbers of each in columns, the rest as JSON that is parsed when it is asked for.

    Parameters
    ----------
    state
        ``"done"`` or ``"failed"``, of all rows.
    row
        (n,) positions of the videos.
    numbers
        Name of each of :data:`NUMBERS` → (n,) values as float64; NaN where there is none.
    rest
        (n,) JSON objects of everything else; empty if they were not read, so that there are no records.
    """

    def __init__(
        self, state: str, row: NDArray[np.int64], numbers: Mapping[str, NDArray[np.float64]], rest: Sequence[str]
    ) -> None:
        self.state = state
        self.row = row
        self.numbers = numbers
        self.rest = rest

    def record(self, i: int) -> dict[str, Any]:
        """Return the record at a position, with its ``status``; what is missing is left out."""
        found: dict[str, Any] = {"status": self.state, **json.loads(self.rest[i])}
        for name, column in self.numbers.items():
            value = column[i]
            if not np.isnan(value):
                found[name] = int(value) if COORDS[name].numpy_dtype.kind == "i" else float(value)
        return found

    def column(self, name: str) -> Any:
        """Return a per-video coordinate, as an array over the rows or as the one value of all of them."""
        variable = COORDS[name]
        if name == "status":
            return self.state
        if name == "error":
            if self.state == "done":
                return variable.fill_value
            return np.array([json.loads(text)["error"] for text in self.rest], dtype=variable.numpy_dtype)
        column = self.numbers[name]
        return np.where(np.isnan(column), float(variable.fill_value), column).astype(variable.numpy_dtype)

    @property
    def place(self) -> slice | NDArray[np.int64]:
        """Where the rows are in an array over all of them; as a slice, if it is one, texts are set far faster."""
        row = self.row
        in_a_row = len(row) > 0 and (np.diff(row) == 1).all()
        return slice(row[0], row[-1] + 1) if in_a_row else row

    def to_bytes(self) -> bytes:
        """Return the content of the file that holds the table."""
        return arrow_bytes({"row": self.row, **self.numbers, "rest": self.rest})

    def without(self, rows: Iterable[int]) -> RowTable:
        """Return the table without some rows."""
        keep = np.flatnonzero(~np.isin(self.row, list(rows)))
        numbers = {name: column[keep] for name, column in self.numbers.items()}
        return RowTable(self.state, self.row[keep], numbers, [self.rest[i] for i in keep.tolist()])

    def parts(self, n_rows: int) -> list[RowTable]:
        """Cut the table into tables of at most so many rows."""
        return [
            RowTable(
                self.state,
                self.row[start : start + n_rows],
                {name: column[start : start + n_rows] for name, column in self.numbers.items()},
                self.rest[start : start + n_rows],
            )
            for start in range(0, len(self.row), n_rows)
        ]

    @classmethod
    def from_bytes(cls, content: bytes, *, numbers_only: bool = False) -> RowTable | None:
        """Read a table of finished rows, or only its numbers; None if what is read is damaged."""
        columns = arrow_columns(content, ("row", *NUMBERS) if numbers_only else ("row", *NUMBERS, "rest"))
        if columns is None:
            return None
        row, rest = columns.pop("row"), columns.pop("rest", ())
        return cls("done", row, columns, rest)


def record_table(state: str, records: Mapping[int, Mapping[str, Any]]) -> RowTable:
    """Make a table of records by row; numbers that are missing or None become NaN.

    Parameters
    ----------
    state
        ``"done"`` or ``"failed"``.
    records
        Row → record, as JSON values.
    """
    numbers = {
        name: np.array([_number(record.get(name)) for record in records.values()], dtype=np.float64) for name in NUMBERS
    }
    rest = [
        json.dumps(
            {k: v for k, v in record.items() if v is not None and k not in (*NUMBERS, "row", "status")},
            ensure_ascii=False,
            allow_nan=False,
            sort_keys=True,
        )
        for record in records.values()
    ]
    return RowTable(state, np.array(list(records), dtype=np.int64), numbers, rest)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def arrow_bytes(columns: Mapping[str, Any]) -> bytes:
    """Return columns of the same length as a compressed Arrow file (IPC format); None is missing in texts."""
    import pyarrow as pa

    types = {"row": pa.int64()} | dict.fromkeys(NUMBERS, pa.float64()) | dict.fromkeys(_TEXTS, pa.string())
    table = pa.table({name: pa.array(column, type=types[name]) for name, column in columns.items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def arrow_columns(content: bytes, names: Sequence[str]) -> dict[str, Any] | None:
    """Read some columns of an Arrow file: numbers as arrays, texts as :class:`_Texts`.

    Returns
    -------
    dict or None
        Name → column; None if the file is damaged or has other columns.
    """
    import pyarrow as pa

    try:
        with pa.ipc.open_file(pa.BufferReader(content)) as file:
            fields = [file.schema.get_field_index(name) for name in names]
        if -1 in fields:
            return None
        options = pa.ipc.IpcReadOptions(included_fields=sorted(fields))
        with pa.ipc.open_file(pa.BufferReader(content), options=options) as file:
            table = file.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        return None
    wanted = {name: pa.string() if name in _TEXTS else pa.int64() if name == "row" else pa.float64() for name in names}
    if any(table.schema.field(name).type != kind for name, kind in wanted.items()):
        return None
    columns = {name: table.column(name).combine_chunks() for name in names}
    if columns["row"].null_count or any(columns[name].null_count for name in names if name == "rest"):
        return None
    return {
        name: _Texts(column) if name in _TEXTS else column.to_numpy(zero_copy_only=False)
        for name, column in columns.items()
    }


class _Texts(Sequence[Any]):
    """A column of texts that are made into Python's one by one; None where there is none."""

    def __init__(self, column: Any) -> None:
        self._column = column

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return _Texts(self._column[i])
        return self._column[int(i)].as_py()

    def to_list(self) -> list[Any]:
        """Return all of them at once, which is faster than one by one."""
        texts: list[Any] = self._column.to_pylist()
        return texts


def finite(value: Any) -> Any:
    """Turn NumPy scalars into Python's, and numbers that JSON has no word for into None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
