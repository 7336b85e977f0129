"""CSV as py-feat 2 writes it, which `feat.utils.io.read_feat` reads, with a sidecar that makes it exact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import InputError
from facearray.io.exporters.flat import N_MESH, check_texts, column_names
from facearray.io.exporters.form import Form, VariableForm, check_columns, is_text, text_array
from facearray.io.exporters.frames import BLOCK_BYTES, Assembler, blocks, face_rows
from facearray.io.exporters.staging import staged_files
from facearray.schema import feature_names

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["is_export", "read", "sidecar", "write"]

_NAMES = {
    "anger": "Anger",
    "disgust": "Disgust",
    "fear": "Fear",
    "happiness": "Happy",
    "sadness": "Sad",
    "surprise": "Surprise",
    "neutral": "Neutral",
}

#: Names that py-feat's own positions of the head have when they were read, since their unit is not the schema's.
_POSITIONS = {"pose_X": "X", "pose_Y": "Y", "pose_Z": "Z"}
_COORDINATES = {"video": "input", "frame_number": "frame"}

#: Factors from the schema's angles, degrees, to those of py-feat 2: radians, a yaw to the image's left and an upward
#: gaze being positive.
_ANGLES = {
    "Pitch": np.pi / 180,
    "Roll": np.pi / 180,
    "Yaw": -np.pi / 180,
    "gaze_pitch": -np.pi / 180,
    "gaze_yaw": np.pi / 180,
    "gaze_angle": np.pi / 180,
}

#: What py-feat's readers and selectors look for; empty where it was not measured. By ``valence`` and ``arousal``
#: `read_feat` knows version 2.
_EXPECTED = feature_names("facebox", "poses", "emotions", "affect")


def write(ds: xr.Dataset, path: Path, *, overwrite: bool) -> None:
    """Write a Dataset as one CSV file in py-feat's form, one row a frame and face.

    Beside it, with ``.json`` added to its name, goes what CSV has no place for.

    Parameters
    ----------
    ds
        A Dataset that follows the schema.
    path
        The CSV file.
    overwrite
        Whether a file that is there is replaced.
    """
    import pyarrow as pa
    from pyarrow import csv

    form = Form.of(ds)
    layout = _Layout(form)
    with staged_files(sidecar(path), path, overwrite=overwrite) as (beside, table):
        with csv.CSVWriter(str(table), pa.schema(layout.fields())) as writer:
            for video in range(len(form.labels)):
                n_frames = 0
                for block in blocks(ds, form, video):
                    writer.write_table(layout.table(video, face_rows(block)))
                    n_frames += block.n_frames
                form.frames.append(n_frames)
        beside.write_text(form.to_json(), encoding="utf-8")


def sidecar(path: Path) -> Path:
    """Where the sidecar of a CSV file is."""
    return path.with_name(f"{path.name}.json")


def is_export(path: Path) -> bool:
    """Whether a file is an export of this format."""
    return path.is_file() and sidecar(path).is_file()


def read(path: Path) -> xr.Dataset:
    """Read what `write` wrote, into memory.

    Raises
    ------
    InputError
        If the rows of the table are not those that the sidecar tells of.
    """
    from pyarrow import csv

    form = Form.from_json(sidecar(path).read_text(encoding="utf-8"), str(sidecar(path)))
    layout = _Layout(form)
    types = layout.types()
    table = csv.read_csv(
        path,
        read_options=csv.ReadOptions(block_size=BLOCK_BYTES),  # a row has to fit
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=types, include_columns=list(types), strings_can_be_null=False),
    )
    rows = layout.rows(table)
    labels = table["input"].to_numpy(zero_copy_only=False)
    ends = np.append(np.flatnonzero(labels[1:] != labels[:-1]) + 1, len(labels))
    found = {str(labels[end - 1]): int(end) for end in ends if end}
    assembler, start = Assembler(form), 0
    for video, (label, n_frames) in enumerate(zip(form.labels, form.frames, strict=True)):
        stop = found.pop(label, start) if n_frames else start
        piece = {name: values[start:stop] for name, values in rows.items()}
        if len(np.unique(piece["frame_number"])) != n_frames:
            raise InputError(
                f"{path}: found {len(np.unique(piece['frame_number']))} frames of {label!r}; expected {n_frames}, as "
                f"{sidecar(path).name} has it; read an edited table with source='pyfeat'"
            )
        assembler.put_rows(video, piece)
        start = stop
    return assembler.dataset()


class _Layout:
    """How the variables of a Dataset become the columns of py-feat's table, and columns variables again."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._features = [str(name) for name in form.values["feature"]]
        names = _NAMES if {"X", "Y", "Z"} & set(self._features) else {**_NAMES, **_POSITIONS}
        self._names = {name: names.get(name, name) for name in self._features}
        expected = [_NAMES.get(name, name) for name in _EXPECTED]
        self._missing = [name for name in expected if name not in self._names.values()]
        self._parts = {n: v for n, v in form.frame_variables.items() if n != "features"}
        self._columns = {
            name: [_COORDINATES.get(column, column) for column in column_names(name, form)] for name in self._parts
        }
        self._joined = form.joined
        check_columns([field.name for field in self.fields()])

    def fields(self) -> list[pa.Field]:
        """Columns of the table and their types."""
        import pyarrow as pa

        fields = [pa.field(self._names[n], pa.float64() if n in _ANGLES else pa.float32()) for n in self._features]
        fields += [pa.field(name, pa.float32()) for name in self._missing]
        for name, part in self._parts.items():
            fields += [pa.field(column, self._type(name, part)) for column in self._columns[name]]
        fields += [pa.field(name, pa.int32()) for name in ("FrameHeight", "FrameWidth", "face")]
        fields.append(pa.field("input", pa.string()))
        fields += [pa.field(n, _type(self._form.variables[n])) for n in self._joined]
        return fields

    def types(self) -> dict[str, pa.DataType]:
        """Type of every column that a Dataset is put together from."""
        wanted = {"face", "input", *self._names.values()}
        wanted.update(column for columns in self._columns.values() for column in columns)
        return {field.name: field.type for field in self.fields() if field.name in wanted}

    def table(self, video: int, rows: Mapping[str, NDArray[Any]]) -> pa.Table:
        """Return rows of one video as a table."""
        import pyarrow as pa

        n = len(rows["face"])
        columns: list[Any] = []
        for i, name in enumerate(self._features):
            values = rows["features"][:, i]
            columns.append(values.astype(np.float64) * _ANGLES[name] if name in _ANGLES else values)
        columns += [np.full(n, np.nan, dtype=np.float32)] * len(self._missing)
        for name in self._parts:
            values = rows[name]
            check_texts(name, values)
            if self._is_mesh(name):
                values = values.astype(np.float64)
                values[..., 2] /= self._box_width(rows)[:, None]
            columns += list(values.reshape(n, self._form.width(self._parts[name])).T)
        height, width = (int(self._form.values[name][video]) for name in ("height", "width"))
        columns += [np.full(n, height, np.int32), np.full(n, width, np.int32), rows["face"]]
        columns.append([self._form.labels[video]] * n)
        columns += [np.repeat(values[video : video + 1], n) for values in self._joined.values()]
        schema = pa.schema(self.fields())
        return pa.Table.from_arrays([_array(v, f.type) for v, f in zip(columns, schema, strict=True)], schema=schema)

    def rows(self, table: pa.Table) -> dict[str, NDArray[Any]]:
        """Return the rows of a table as variables with dims (row, …)."""
        rows: dict[str, NDArray[Any]] = {"face": table["face"].to_numpy()}
        rows["features"] = np.empty((table.num_rows, len(self._features)), dtype=np.float32)
        for i, name in enumerate(self._features):
            values = table[self._names[name]].to_numpy()
            rows["features"][:, i] = values / _ANGLES[name] if name in _ANGLES else values
        for name, part in self._parts.items():
            dtype = np.dtype(np.float64) if self._is_mesh(name) else part.numpy_dtype
            values = np.empty((table.num_rows, self._form.width(part)), dtype=dtype)
            for i, column in enumerate(self._columns[name]):
                found = table[column]
                values[:, i] = text_array(found.to_pylist()) if is_text(dtype) else found.to_numpy()
            rows[name] = values.reshape(table.num_rows, *self._form.shape(part))
        if "landmarks" in rows and self._is_mesh("landmarks"):
            rows["landmarks"][..., 2] *= self._box_width(rows)[:, None]
        return rows

    def _is_mesh(self, name: str) -> bool:
        form = self._form
        axes = [str(axis) for axis in form.values.get("axis", ())]
        return name == "landmarks" and form.sizes["landmark"] == N_MESH and axes == list("xyz")

    def _type(self, name: str, part: VariableForm) -> pa.DataType:
        import pyarrow as pa

        return pa.float64() if self._is_mesh(name) else _type(part)

    def _box_width(self, rows: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """Return the unit of py-feat's depths; 1 pixel where there is no box."""
        width = np.ones(len(rows["features"]))
        if "FaceRectWidth" in self._features:
            found = rows["features"][:, self._features.index("FaceRectWidth")].astype(np.float64)
            known = np.isfinite(found) & (found > 0)
            width[known] = found[known]
        return width


def _type(part: VariableForm) -> pa.DataType:
    import pyarrow as pa

    return pa.string() if part.dtype == "str" else pa.from_numpy_dtype(part.numpy_dtype)


def _array(values: Any, dtype: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if isinstance(values, np.ndarray) and is_text(values.dtype):
        values = [text if isinstance(text, str) else None for text in values.tolist()]
    return pa.array(values, dtype, from_pandas=True)
