"""The structure of a store, and its template: what has to agree between a store and a run that writes into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import zarr

from facearray.errors import InputError, StructureError
from facearray.io.arrays import dims, open_array, text_values, values
from facearray.schema import (
    COORDS,
    DATA_VARS,
    FEATURES,
    FRAMES_PER_CHUNK,
    SCHEMA_VERSION,
    Feature,
    Variable,
    chunk_shape,
)

if TYPE_CHECKING:
    from facearray.detection.detector import Detector

__all__ = [
    "INCOMPLETE",
    "SCHEMA_ATTR",
    "Layout",
    "array_attrs",
    "create_arrays",
    "frame_capacity",
    "structural_differences",
]

#: Root attribute that says that a Zarr group is a store of this package, and by which version of the data model.
SCHEMA_ATTR = "facearray_schema"

#: Root attribute of a store whose creation has not come to its end.
INCOMPLETE = "facearray_incomplete"


def frame_capacity(n_frames: int, *, exact: bool = False) -> int:
    """Frames to reserve for videos of a length: 5 % more, because containers often lie, in whole chunks.

    Parameters
    ----------
    n_frames
        Frames of the longest video.
    exact
        Whether they were counted by decoding, so that no reserve is needed. Growing to exact counts makes the
        capacity of a store independent of the order in which its videos came.

    Examples
    --------
    >>> frame_capacity(0), frame_capacity(1000), frame_capacity(1024), frame_capacity(1024, exact=True)
    (1024, 2048, 2048, 1024)
    """
    wanted = n_frames if exact else n_frames + -(-n_frames // 20)
    return max(1, -(-wanted // FRAMES_PER_CHUNK)) * FRAMES_PER_CHUNK


#: Root attributes without which no run can go on with a store.
_REQUIRED_ATTRS = ("detector", "detector_version", "options", "options_hash", "assets")

#: Options by which attributes of a layout are chosen that have other names.
_OPTION_OF = {"n_landmarks": " (option landmarks)", "n_components": " (option embedding)"}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Everything that has to agree between a store and what is written into it.

    Attributes
    ----------
    detector, detector_version
        Which method made the numbers.
    options
        Options of the run that change numbers, by name; values are JSON.
    assets
        SHA-256 of the model files, by name.
    features
        Names along ``feature``.
    other
        Unit and description of features that the schema does not know, where there are; they are prose, which need not
        agree.
    max_faces
        Size of ``face``.
    n_landmarks, n_components
        Sizes of ``landmark`` and ``component``; None where there is no such variable.
    schema_version
        Version of the data model.
    """

    detector: str
    detector_version: str
    features: tuple[str, ...]
    max_faces: int = 1
    n_landmarks: int | None = None
    n_components: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, tuple[str, str]] = field(default_factory=dict, compare=False)
    schema_version: str = SCHEMA_VERSION

    def __post_init__(self) -> None:
        # What comes back from a store has been through JSON, so that both sides of a comparison have.
        object.__setattr__(self, "options", json.loads(_canonical(self.options)))
        object.__setattr__(self, "assets", dict(self.assets))
        object.__setattr__(self, "features", tuple(self.features))

    @classmethod
    def from_detector(
        cls,
        detector: Detector,
        *,
        max_faces: int,
        options: Mapping[str, Any],
        landmarks: bool = True,
        embedding: bool = True,
    ) -> Layout:
        """Describe the store that a detector's results go into.

        Parameters
        ----------
        detector
            The detector.
        max_faces
            Person slots in each video.
        options
            Options of the run that change numbers, by name.
        landmarks, embedding
            Whether to store them where the detector gives them.

        Raises
        ------
        InputError
            If an option is no JSON value.
        """
        return cls(
            detector=detector.name,
            detector_version=detector.version,
            features=detector.features,
            max_faces=max_faces,
            n_landmarks=detector.n_landmarks if landmarks else None,
            n_components=detector.n_components if embedding else None,
            options=options,
            assets=detector.assets,
            other={name: tuple(pair) for name, pair in getattr(detector, "other", {}).items()},
        )

    @classmethod
    def from_group(cls, group: zarr.Group) -> Layout:
        """Read the layout of a store.

        Raises
        ------
        StructureError
            If the values of the store are not what a detector gave, so that no run can go on with it.
        """
        attrs = group.attrs.asdict()
        missing = [key for key in _REQUIRED_ATTRS if key not in attrs]
        if missing:
            raise StructureError(
                f"{group.store_path}: found no root attribute {', '.join(missing)}; expected a store that "
                "facearray.detect made (what facearray.save wrote has been changed since); detect into another store"
            )
        return cls(
            detector=str(attrs["detector"]),
            detector_version=str(attrs["detector_version"]),
            features=tuple(values(open_array(group.store, "feature")).tolist()),
            max_faces=open_array(group.store, "features").shape[2],
            n_landmarks=open_array(group.store, "landmarks").shape[3] if "landmarks" in group else None,
            n_components=open_array(group.store, "embedding").shape[3] if "embedding" in group else None,
            options=json.loads(str(attrs["options"])),
            assets=json.loads(str(attrs["assets"])),
            schema_version=str(attrs[SCHEMA_ATTR]),
        )

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every array of such a store, as the schema has it."""
        absent = set()
        if self.n_landmarks is None:
            absent |= {"landmarks", "axis"}
        if self.n_components is None:
            absent |= {"embedding"}
        return tuple(v for v in (*COORDS.values(), *DATA_VARS.values()) if v.name not in absent)

    def labels(self) -> dict[str, list[str]]:
        """Values of the coordinates along ``feature`` and ``axis``, by name."""
        features = [
            FEATURES.get(name) or Feature(name, "other", *self.other.get(name, ("", ""))) for name in self.features
        ]
        labels = {
            "feature": [feature.name for feature in features],
            "group": [feature.group for feature in features],
            "unit": [feature.unit for feature in features],
            "description": [feature.description for feature in features],
        }
        return labels if self.n_landmarks is None else labels | {"axis": ["x", "y", "z"]}

    def sizes(self, n_rows: int, capacity: int) -> dict[str, int]:
        """Size of every dim."""
        return {
            "video": n_rows,
            "frame": capacity,
            "face": self.max_faces,
            "feature": len(self.features),
            "landmark": self.n_landmarks or 0,
            "axis": 3,
            "component": self.n_components or 0,
        }

    def attrs(self) -> dict[str, str]:
        """Root attributes; mappings are JSON texts, which every format that a Dataset may be exported to can hold."""
        coordinates = [v.name for v in self.variables if v.role == "coord" and v.dims != (v.name,)]
        return {
            SCHEMA_ATTR: self.schema_version,
            "detector": self.detector,
            "detector_version": self.detector_version,
            "options": _canonical(self.options),
            "options_hash": hashlib.sha256(_canonical(self.options).encode()).hexdigest(),
            "assets": _canonical(self.assets),
            # This is how xarray learns which arrays are coordinates; it takes the attribute out when it opens.
            "coordinates": " ".join(sorted(coordinates)),
        }

    def differences(self, other: Layout) -> list[str]:
        """Say what a store of this layout has, and a run of the other layout expects; empty where they agree.

        What whoever starts a run can choose comes first, then what follows from versions, and files last.
        """

        def attributes(*names: str) -> list[str]:
            pairs = [(name, getattr(self, name), getattr(other, name)) for name in names]
            return [
                f"found {name} {found!r}; expected {expected!r}{_option_of(name, found, expected)}"
                for name, found, expected in pairs
                if found != expected
            ]

        chosen = attributes("detector", "max_faces", "n_landmarks", "n_components")
        chosen += _mapping_differences("option", self.options, other.options)
        versions = attributes("schema_version", "detector_version")
        if self.features != other.features:
            versions.append(_feature_difference(self.features, other.features))
        return [
            *sorted(chosen),
            *sorted(versions),
            *sorted(_mapping_differences("model file", self.assets, other.assets)),
        ]


def create_arrays(group: zarr.Group, layout: Layout, n_rows: int, capacity: int) -> None:
    """Create the arrays of a store: metadata, and the values along ``feature`` and ``axis``."""
    sizes = layout.sizes(n_rows, capacity)
    for variable in layout.variables:
        group.create_array(
            variable.name,
            shape=tuple(sizes[dim] for dim in variable.dims),
            dtype=variable.numpy_dtype,
            chunks=tuple(max(1, n) for n in chunk_shape(variable, sizes)),
            fill_value=variable.fill_value,
            dimension_names=variable.dims,
            attributes=dict(array_attrs(variable)),
        )
    for name, texts in layout.labels().items():
        open_array(group.store, name)[:] = text_values(texts)


def structural_differences(group: zarr.Group, layout: Layout) -> list[str]:
    """Say how the arrays of a store differ from the template of a layout, sizes along video and frame left out."""
    sizes = layout.sizes(0, 0)
    problems = []
    for variable in layout.variables:
        name = variable.name
        if name not in group:
            problems.append(f"found no array {name!r}; expected one with dims {variable.dims}")
            continue
        array = open_array(group.store, name)
        expected = {
            "dims": variable.dims,
            "dtype": str(variable.numpy_dtype),
            "chunks": tuple(max(1, n) for n in chunk_shape(variable, sizes)),
            "shards": None,
            "fill value": variable.fill_value,
        }
        found = {
            "dims": dims(array),
            "dtype": str(array.dtype),
            "chunks": array.chunks,
            "shards": array.shards,
            "fill value": array.fill_value,
        }
        problems += [
            f"found array {name!r} with {key} {found[key]}; expected {expected[key]}"
            for key in expected
            if str(found[key]) != str(expected[key])
        ]
    return sorted(problems)


def array_attrs(variable: Variable) -> dict[str, str]:
    """Attributes of the array of a variable."""
    return {"description": variable.description} | ({"units": variable.unit} if variable.unit else {})


def _canonical(mapping: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(mapping), sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"found options {dict(mapping)!r}; expected JSON values only: {error}") from error


def _option_of(name: str, found: object, expected: object) -> str:
    """Name the option that decides on an attribute; a version ends in what computed the networks."""
    if name == "detector_version" and str(found).partition("+")[0] == str(expected).partition("+")[0]:
        return " (options runtime and compile)"
    return _OPTION_OF.get(name, "")


def _mapping_differences(kind: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    absent = "none"
    return [
        f"found {kind} {key}={found.get(key, absent)!r}; expected {expected.get(key, absent)!r}"
        for key in {*found, *expected}
        if found.get(key, absent) != expected.get(key, absent)
    ]


def _feature_difference(found: tuple[str, ...], expected: tuple[str, ...]) -> str:
    missing = sorted(set(expected) - set(found))
    extra = sorted(set(found) - set(expected))
    text = f"found {len(found)} features; expected {len(expected)}"
    if missing:
        text += f"; the store lacks {', '.join(missing)}"
    if extra:
        text += f"; the run does not compute {', '.join(extra)}"
    return text if missing or extra else text + " in another order"
