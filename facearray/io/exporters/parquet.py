"""Apache Parquet: a folder with one file a video, which readers of Parquet take as one table."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.io.exporters.flat import check_texts
from facearray.io.exporters.form import Form, VariableForm, check_columns, is_text, text_array
from facearray.io.exporters.frames import Assembler, blocks, face_rows
from facearray.io.exporters.staging import staged_folder

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["is_export", "read", "write"]

# Readers of a folder of Parquet files pass over names that begin with an underscore.
SIDECAR = "_facearray.json"
VIDEOS = "_videos.parquet"


def write(ds: xr.Dataset, path: Path, *, overwrite: bool) -> None:
    """Write a Dataset as a folder of Parquet files.

    ``000000.parquet`` and so on hold one video each, one row a frame and face; features are columns, landmarks and
    embeddings lists of fixed size. ``_videos.parquet`` has the coordinates of the videos, one row each. Files are
    not named after videos: in a path ``video=001`` readers would take the label for a number.

    Parameters
    ----------
    ds
        A Dataset that follows the schema.
    path
        The folder.
    overwrite
        Whether an export that is there is replaced.
    """
    import pyarrow.parquet as pq

    form = Form.of(ds)
    columns = _Columns(form)
    with staged_folder(path, overwrite=overwrite, is_ours=is_export) as folder:
        for video in range(len(form.labels)):
            n_frames = 0
            with columns.writer(folder / f"{video:06d}.parquet") as writer:
                for block in blocks(ds, form, video):
                    writer.write_table(columns.table(video, face_rows(block)))
                    n_frames += block.n_frames
            form.frames.append(n_frames)
        pq.write_table(_videos_table(form), folder / VIDEOS)
        (folder / SIDECAR).write_text(form.to_json(), encoding="utf-8")


def is_export(path: Path) -> bool:
    """Whether a folder is an export of this format."""
    return (path / SIDECAR).is_file()


def read(path: Path) -> xr.Dataset:
    """Read what `write` wrote, into memory."""
    import pyarrow.parquet as pq

    form = Form.from_json((path / SIDECAR).read_text(encoding="utf-8"), str(path / SIDECAR))
    columns = _Columns(form)
    assembler = Assembler(form)
    for video in range(len(form.labels)):
        table = pq.read_table(path / f"{video:06d}.parquet", columns=columns.schema.names)
        assembler.put_rows(video, columns.rows(table))
    return assembler.dataset()


class _Columns:
    """How the variables of a Dataset become columns of a table, and columns variables again."""

    def __init__(self, form: Form) -> None:
        import pyarrow as pa

        self._form = form
        self._features = [str(name) for name in form.values["feature"]]
        # A variable of which there is nothing, such as landmarks without points, needs no column.
        self._parts = {n: v for n, v in form.frame_variables.items() if n != "features" and form.width(v)}
        self._joined = form.joined
        fields = [pa.field("video", pa.dictionary(pa.int32(), pa.string())), pa.field("face", pa.int32())]
        fields += [pa.field(n, self._type(v), metadata=_texts(v.attrs)) for n, v in self._parts.items()]
        fields += [
            pa.field(name, pa.float32(), metadata={"units": str(unit), "description": str(text)})
            for name, unit, text in zip(self._features, form.values["unit"], form.values["description"], strict=True)
        ]
        fields += [pa.field(n, _scalar_type(form.variables[n])) for n in self._joined]
        check_columns([field.name for field in fields])
        self.schema = pa.schema(fields, metadata=_texts(form.attrs))

    def writer(self, path: Path) -> pq.ParquetWriter:
        """Open a file; only texts have a dictionary, which measurements would not profit from."""
        import pyarrow.parquet as pq

        texts = [name for name in (*self._parts, *self._joined) if self._form.variables[name].dtype == "str"]
        return pq.ParquetWriter(path, self.schema, compression="zstd", use_dictionary=["video", *texts])

    def table(self, video: int, rows: dict[str, NDArray[Any]]) -> pa.Table:
        """Return rows of one video as a table."""
        import pyarrow as pa

        n = len(rows["face"])
        label = pa.array(self._form.labels[video : video + 1])
        columns = [pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int32), label), pa.array(rows["face"])]
        for name in self._parts:
            check_texts(name, rows[name])
            columns.append(self._column(name, rows[name]))
        columns += [pa.array(rows["features"][:, i], from_pandas=True) for i in range(len(self._features))]
        columns += [_array(np.repeat(values[video : video + 1], n)) for name, values in self._joined.items()]
        return pa.Table.from_arrays(columns, schema=self.schema)

    def rows(self, table: pa.Table) -> dict[str, NDArray[Any]]:
        """Return the rows of a table as variables with dims (row, …)."""
        rows = {"face": _values(table["face"], np.dtype(np.int32))}
        for name, part in self._parts.items():
            found = table[name].combine_chunks()
            shape = self._form.shape(part)
            values = _values(found.flatten() if shape else found, part.numpy_dtype)
            rows[name] = values.reshape(table.num_rows, *shape)
        for name, part in self._form.frame_variables.items():
            if name not in self._parts and name != "features":
                rows[name] = np.empty((table.num_rows, *self._form.shape(part)), dtype=part.numpy_dtype)
        rows["features"] = np.empty((table.num_rows, len(self._features)), dtype=np.float32)
        for i, name in enumerate(self._features):
            rows["features"][:, i] = _values(table[name], np.dtype(np.float32))
        return rows

    def _type(self, part: VariableForm) -> pa.DataType:
        import pyarrow as pa

        scalar = _scalar_type(part)
        return pa.list_(scalar, self._form.width(part)) if part.columns else scalar

    def _column(self, name: str, values: NDArray[Any]) -> pa.Array:
        import pyarrow as pa

        if values.ndim == 1:
            return _array(values)
        return pa.FixedSizeListArray.from_arrays(_array(values.ravel()), self._form.width(self._parts[name]))


def _scalar_type(part: VariableForm) -> pa.DataType:
    import pyarrow as pa

    return pa.string() if part.dtype == "str" else pa.from_numpy_dtype(part.numpy_dtype)


def _array(values: NDArray[Any]) -> pa.Array:
    """Return values as an Arrow array; what is missing is null."""
    import pyarrow as pa

    if is_text(values.dtype):
        return pa.array([text if isinstance(text, str) else None for text in values.tolist()], pa.string())
    return pa.array(values, from_pandas=True)


def _values(column: pa.Array | pa.ChunkedArray, dtype: np.dtype) -> NDArray[Any]:
    if is_text(dtype):
        return text_array(column.to_pylist())
    # A column of a table has no choice to make, and no parameter for it; an array has to be told to copy.
    values: NDArray[Any] = np.asarray(column)
    return values.astype(dtype, copy=False)


def _videos_table(form: Form) -> pa.Table:
    """Return what is known of every video, one row each; several values, as one a face, become lists."""
    import pyarrow as pa

    columns = {
        name: _array(values) if values.ndim == 1 else _lists(values)
        for name, values in form.values.items()
        if form.variables[name].dims[:1] == ("video",)
    }
    return pa.table(columns)


def _lists(values: NDArray[Any]) -> pa.Array:
    """Return one list for every element of the first dim."""
    import pyarrow as pa

    width = math.prod(values.shape[1:])
    offsets = np.arange(len(values) + 1, dtype=np.int32) * width
    return pa.ListArray.from_arrays(offsets, _array(values.ravel()))


def _texts(attrs: dict[str, Any]) -> dict[str, str]:
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in attrs.items()}
