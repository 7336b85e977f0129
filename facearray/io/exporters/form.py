"""What a Dataset is but for its frames, as JSON: the sidecar that makes an export readable again without loss."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import SchemaError
from facearray.schema import COORDS, DATA_VARS, SCHEMA_VERSION

__all__ = [
    "FORM_VERSION",
    "FRAME_DIMS",
    "Form",
    "VariableForm",
    "check_columns",
    "is_text",
    "json_value",
    "missing_text",
    "text_array",
]

#: Version of the sidecar's structure.
FORM_VERSION = 1

#: Dims that rows of a table stand for; every other dim of a variable is spread over columns.
FRAME_DIMS = ("video", "frame", "face")

_STRING = np.dtypes.StringDType()


@dataclass(frozen=True, slots=True)
class VariableForm:
    """Dims, dtype (``"str"`` for texts) and attributes of a variable, and whether it is a coordinate."""

    dims: tuple[str, ...]
    dtype: str
    coord: bool
    attrs: dict[str, Any]

    @property
    def has_frames(self) -> bool:
        """Whether there is a value for every frame."""
        return "frame" in self.dims

    @property
    def columns(self) -> tuple[str, ...]:
        """Dims whose elements are beside each other in one row of a table."""
        return tuple(dim for dim in self.dims if dim not in FRAME_DIMS)

    @property
    def numpy_dtype(self) -> np.dtype:
        """The dtype in memory."""
        return _STRING if self.dtype == "str" else np.dtype(self.dtype)


@dataclass(frozen=True, slots=True)
class Form:
    """Everything about a Dataset but the values that it has for every frame.

    Attributes
    ----------
    sizes
        Size of every dim but ``frame``.
    variables
        What each is, by name.
    attrs
        Attributes of the Dataset.
    values
        Values of the variables without a ``frame`` dim.
    frames
        Real frames of every video.
    """

    sizes: dict[str, int]
    variables: dict[str, VariableForm]
    attrs: dict[str, Any]
    values: dict[str, NDArray[Any]]
    frames: list[int]

    @classmethod
    def of(cls, ds: xr.Dataset) -> Form:
        """Describe a Dataset that follows the schema; its frames are counted when they are written.

        Raises
        ------
        SchemaError
            With every variable that has no place in a table: of a dtype that is neither number, text, time nor truth
            value, or one along ``frame`` but not along ``video``.
        """
        problems = [p for name, variable in ds.variables.items() for p in _problems(str(name), variable)]
        if problems:
            raise SchemaError(
                "the Dataset cannot become a table:\n"
                + "".join(f"  - {p}\n" for p in sorted(problems))
                + "convert these variables, or leave them out with Dataset.drop_vars"
            )
        variables = {str(name): _form(ds, name) for name in ds.variables}
        return cls(
            sizes={str(dim): size for dim, size in ds.sizes.items() if dim != "frame"},
            variables=variables,
            attrs={str(key): json_value(value) for key, value in ds.attrs.items()},
            values={name: ds[name].to_numpy() for name, form in variables.items() if not form.has_frames},
            frames=[],
        )

    @property
    def frame_variables(self) -> dict[str, VariableForm]:
        """The variables that have a value for every frame."""
        return {name: form for name, form in self.variables.items() if form.has_frames}

    @property
    def labels(self) -> list[str]:
        """Labels of the videos."""
        return [str(label) for label in self.values["video"]]

    @property
    def joined(self) -> dict[str, NDArray[Any]]:
        """What users know of every video, such as a condition: coordinates that the schema does not have."""
        return {
            name: values
            for name, values in self.values.items()
            if self.variables[name].dims == ("video",) and name not in COORDS
        }

    def shape(self, part: VariableForm) -> tuple[int, ...]:
        """Sizes of a variable's dims that are beside each other in one row of a table."""
        return tuple(self.sizes[dim] for dim in part.columns)

    def width(self, part: VariableForm) -> int:
        """Values of a variable in one row of a table."""
        return math.prod(self.shape(part))

    def to_json(self) -> str:
        """Return the form as a JSON document."""
        document = {
            "facearray_export": FORM_VERSION,
            "facearray_schema": SCHEMA_VERSION,
            "attrs": self.attrs,
            "sizes": self.sizes,
            "frames": self.frames,
            "variables": {name: asdict(form) for name, form in self.variables.items()},
            "values": {name: _encoded(values) for name, values in self.values.items()},
        }
        return json.dumps(document, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, where: str) -> Form:
        """Read the JSON document.

        Raises
        ------
        SchemaError
            If it is not one that `to_json` wrote, or one of a version that is not known here.
        """
        try:
            document = json.loads(text)
            version = document["facearray_export"]
        except (ValueError, TypeError, KeyError) as error:
            raise SchemaError(f"{where}: expected a sidecar that facearray wrote; export the data again") from error
        if version != FORM_VERSION:
            raise SchemaError(
                f"{where}: found version {version} of the sidecar; expected {FORM_VERSION}; read it with the "
                "version of facearray that wrote it"
            )
        variables = {
            name: VariableForm(tuple(form["dims"]), form["dtype"], form["coord"], form["attrs"])
            for name, form in document["variables"].items()
        }
        sizes = document["sizes"]
        values = {
            name: _decoded(found, variables[name].dtype).reshape([sizes[dim] for dim in variables[name].dims])
            for name, found in document["values"].items()
        }
        return cls(sizes, variables, document["attrs"], values, document["frames"])

    def empty(self) -> dict[str, NDArray[Any]]:
        """Return arrays of the frame variables, with dims (video, frame, …), that hold nothing yet."""
        sizes = {**self.sizes, "frame": max(self.frames, default=0)}
        return {
            name: np.full([sizes[dim] for dim in form.dims], _nothing(name, form), dtype=form.numpy_dtype)
            for name, form in self.frame_variables.items()
        }

    def dataset(self, frame_values: Mapping[str, NDArray[Any]]) -> xr.Dataset:
        """Put a Dataset together again from its form and the values of its frames."""
        found = {**self.values, **frame_values}
        parts = {name: (form.dims, found[name], form.attrs) for name, form in self.variables.items()}
        coords = {name: part for name, part in parts.items() if self.variables[name].coord}
        data = {name: part for name, part in parts.items() if name not in coords}
        return xr.Dataset(data, coords=coords, attrs=self.attrs)


def check_columns(names: Sequence[str]) -> None:
    """Make sure that the columns of a table have names of their own.

    Raises
    ------
    SchemaError
        With every name that is there twice.
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SchemaError(
            f"found {', '.join(map(repr, twice))} several times among features, coordinates and columns of the table; "
            "expected each name once; rename the feature or the coordinate"
        )


def is_text(dtype: np.dtype) -> bool:
    """Whether values of a dtype are texts; objects count as texts, since nothing else is exported."""
    return dtype.kind in "OTU"


def missing_text(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of some texts are missing (None or NaN), as a joined table may leave them."""
    flat = [not isinstance(text, str) for text in values.ravel().tolist()]
    return np.array(flat, dtype=bool).reshape(values.shape)


def text_array(texts: Sequence[str | None]) -> NDArray[Any]:
    """Return texts as an array of the dtype that stores have, or of objects with NaN where one is missing."""
    if any(text is None for text in texts):
        return np.array([float("nan") if text is None else text for text in texts], dtype=object)
    return np.array(texts, dtype=_STRING)


def json_value(value: Any) -> Any:
    """Return an attribute as JSON can hold it: arrays become lists, numbers that are not finite their names."""
    if isinstance(value, Mapping):
        return {str(key): json_value(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return json_value(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [json_value(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _problems(name: str, variable: xr.Variable) -> list[str]:
    problems = []
    if variable.dtype.kind not in "biufmMOTU":
        problems.append(f"found {name!r} of {variable.dtype}; expected numbers, texts, times or truth values")
    if variable.dtype.kind == "O" and "frame" not in variable.dims:
        other = {type(v).__name__ for v in variable.to_numpy().ravel() if not _is_text_or_missing(v)}
        if other:
            problems.append(f"found {name!r} with objects of {', '.join(sorted(other))}; expected texts or numbers")
    if "frame" in variable.dims and "video" not in variable.dims:
        problems.append(f"found {name!r} with dims {variable.dims}; expected 'video' wherever there is 'frame'")
    return problems


def _is_text_or_missing(value: object) -> bool:
    return value is None or isinstance(value, str) or (isinstance(value, float) and math.isnan(value))


def _form(ds: xr.Dataset, name: Hashable) -> VariableForm:
    variable = ds.variables[name]
    dtype = "str" if is_text(variable.dtype) else variable.dtype.str.lstrip("<>=|")
    attrs = {str(key): json_value(value) for key, value in variable.attrs.items()}
    return VariableForm(tuple(map(str, variable.dims)), dtype, name in ds.coords, attrs)


def _nothing(name: str, form: VariableForm) -> Any:
    """Return what an element holds that stands for no frame or no face."""
    known = {**DATA_VARS, **COORDS}.get(name)
    if known is not None:
        return known.fill_value
    if form.dtype == "str":
        return ""
    fills = {"f": np.nan, "i": -1, "u": 0, "b": False, "M": np.datetime64("NaT"), "m": np.timedelta64("NaT")}
    return fills[form.numpy_dtype.kind]


def _encoded(values: NDArray[Any]) -> list[Any]:
    """Values in C order as JSON can hold them: NaN and missing texts as null, infinities and times as texts."""
    flat = values.ravel()
    if is_text(flat.dtype):
        missing = missing_text(flat)
        return [None if gone else str(text) for text, gone in zip(flat.tolist(), missing, strict=True)]
    if flat.dtype.kind in "mM":
        return [None if tick == _NAT else tick for tick in flat.view("int64").tolist()]
    if flat.dtype.kind == "f":
        return [x if math.isfinite(x) else (None if math.isnan(x) else str(x)) for x in flat.tolist()]
    found: list[Any] = flat.tolist()
    return found


_NAT = int(np.datetime64("NaT").view("int64"))


def _decoded(found: list[Any], dtype: str) -> NDArray[Any]:
    if dtype == "str":
        return text_array(found)
    kind = np.dtype(dtype).kind
    if kind in "mM":
        ticks = np.array([_NAT if tick is None else tick for tick in found], dtype="int64")
        return ticks.view(dtype)
    if kind == "f":
        return np.array([math.nan if x is None else float(x) for x in found], dtype=dtype)
    return np.array(found, dtype=dtype)
