"""The registry of dims, variables, coordinates and features, and validation against it.

Everything that has to know the data model reads it here: the store template, validation, documentation tables and
the defaults of functions. It imports nothing else of the package but its errors.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from facearray.errors import SchemaError, unknown_names

if TYPE_CHECKING:
    import xarray as xr

_T = TypeVar("_T", "Dim", "Variable", "Feature", "Group")

__all__ = [
    "COORDS",
    "DATA_VARS",
    "DIMS",
    "FEATURES",
    "FRAMES_PER_CHUNK",
    "GROUPS",
    "MAX_CHUNK_BYTES",
    "SCHEMA_VERSION",
    "Dim",
    "Feature",
    "Group",
    "Variable",
    "chunk_shape",
    "feature_names",
    "validate",
]

#: Version of the data model, stored in the root attributes of every store.
SCHEMA_VERSION = "1"

#: Frames in one chunk of every array that has a ``frame`` dim; frame capacity is a multiple of it. Chunks are not
#: gathered into shards: xarray opens a store with one dask block a chunk and then refuses to write such a Dataset to
#: shards of several chunks, so that copying a store with plain ``open_zarr`` and ``to_zarr`` would fail.
FRAMES_PER_CHUNK = 1024

#: Upper limit of a chunk's uncompressed size; the chunks of very wide arrays have fewer frames.
MAX_CHUNK_BYTES = 128 * 2**20

#: Rows in one chunk of the arrays that have no ``frame`` dim (only the client writes those).
VIDEOS_PER_CHUNK = 16384


@dataclass(frozen=True, slots=True)
class Dim:
    """A named dimension."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A data variable or a coordinate.

    Attributes
    ----------
    name, dims, unit, description
        As stored; ``unit`` is empty where there is none or where it differs by feature.
    dtype
        NumPy dtype name, or ``"str"`` for variable-length strings.
    fill_value
        What an element holds that was never written.
    role
        ``"data"`` for measurements, ``"coord"`` for everything else (a non-index coordinate unless it is named
        like its dim).
    required
        Whether every Dataset of the schema has it.
    """

    name: str
    dims: tuple[str, ...]
    dtype: str
    fill_value: float | int | str
    unit: str
    description: str
    role: Literal["data", "coord"] = "coord"
    required: bool = True

    @property
    def numpy_dtype(self) -> np.dtype:
        """The NumPy dtype in memory and in the store."""
        if self.dtype == "str":
            return np.dtypes.StringDType()
        return np.dtype(self.dtype)


@dataclass(frozen=True, slots=True)
class Feature:
    """A named scalar measure of a face in a frame."""

    name: str
    group: str
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class Group:
    """A set of features that a selector returns together."""

    name: str
    description: str
    features: tuple[str, ...]


def _by_name(items: Iterable[_T]) -> Mapping[str, _T]:
    return MappingProxyType({item.name: item for item in items})


#: Every dim, in the order in which variables have them.
DIMS: Mapping[str, Dim] = _by_name(
    [
        Dim("video", "One recording; a string label, and the only index besides the label sets below."),
        Dim("frame", "Stored frames, padded to the longest video, or beyond it to a multiple of 1024; no coordinate."),
        Dim("face", "A person's slot within the video."),
        Dim("feature", "Named scalar measures, e.g. ``AU12``, ``happiness``, ``Yaw``."),
        Dim("landmark", "Points of the face mesh, 0 to 477 (0 to 67 for data of 68-point tools)."),
        Dim("axis", "``x`` (right in the image), ``y`` (down) and ``z`` (away from the camera)."),
        Dim("component", "Components of the identity embedding."),
    ]
)

#: The measurements.
DATA_VARS: Mapping[str, Variable] = _by_name(
    [
        Variable(
            "features",
            ("video", "frame", "face", "feature"),
            "float32",
            float("nan"),
            "",
            "Scalar measures of a face; the unit of each is in the coordinate ``unit``.",
            role="data",
        ),
        Variable(
            "landmarks",
            ("video", "frame", "face", "landmark", "axis"),
            "float32",
            float("nan"),
            "px",
            "Mesh points in pixels of the source frame; z in the same scale, relative to the head's centre.",
            role="data",
            required=False,
        ),
        Variable(
            "embedding",
            ("video", "frame", "face", "component"),
            "float32",
            float("nan"),
            "",
            "Identity embedding of unit L2 norm.",
            role="data",
            required=False,
        ),
    ]
)

#: The coordinates. A frame is real if and only if its ``frame_number`` is not negative.
COORDS: Mapping[str, Variable] = _by_name(
    [
        Variable("video", ("video",), "str", "", "", "Label of the recording."),
        Variable("feature", ("feature",), "str", "", "", "Name of the measure."),
        Variable("axis", ("axis",), "str", "", "", "Name of the spatial axis.", required=False),
        Variable("n_frames", ("video",), "int32", 0, "", "Stored frames of the video."),
        Variable("fps", ("video",), "float64", float("nan"), "1/s", "Mean frame rate of the source."),
        Variable("width", ("video",), "int32", 0, "px", "Width of the source's frames, as displayed."),
        Variable("height", ("video",), "int32", 0, "px", "Height of the source's frames, as displayed."),
        Variable(
            "duration",
            ("video",),
            "float64",
            float("nan"),
            "s",
            "From the presentation of the first frame to the end of the last.",
        ),
        Variable("source", ("video",), "str", "", "", "Where the recording was read from."),
        Variable("status", ("video",), "str", "pending", "", "``pending``, ``done`` or ``failed``."),
        Variable("error", ("video",), "str", "", "", "Why the video failed; empty otherwise."),
        Variable(
            "frame_number",
            ("video", "frame"),
            "int32",
            -1,
            "",
            "Position in the source's decoded stream, from 0; -1 in padding.",
        ),
        Variable(
            "timestamp",
            ("video", "frame"),
            "float64",
            float("nan"),
            "s",
            "Presentation time in the source; NaN in padding.",
        ),
        Variable(
            "n_faces_found",
            ("video", "frame"),
            "int16",
            -1,
            "",
            "Faces found in the frame, those beyond the slots included; -1 in padding.",
        ),
        Variable(
            "track_id",
            ("video", "frame", "face"),
            "int32",
            -1,
            "",
            "Track that the face belongs to within its video; -1 where there is no face.",
        ),
        Variable("group", ("feature",), "str", "", "", "Group of the feature."),
        Variable("unit", ("feature",), "str", "", "", "Unit of the feature."),
        Variable("description", ("feature",), "str", "", "", "What the feature measures."),
    ]
)

_ACTION_UNITS = {
    "AU01": "inner brow raiser: inner brow up, oblique (frontalis, medial part); trust: good",
    "AU02": "outer brow raiser: outer brow arched up (frontalis, lateral part); trust: good",
    "AU04": (
        "brow lowerer: brows down or together; with AU01 raised but knit (corrugator, depressor supercilii, procerus); "
        "trust: poor"
    ),
    "AU05": "upper lid raiser: upper lid up, more of the white shows (levator palpebrae); trust: fair",
    "AU06": (
        "cheek raiser: cheeks and infraorbital triangle up, crow's feet (orbicularis oculi, orbital part); trust: fair"
    ),
    "AU07": "lid tightener: lower lid up and tense, aperture narrow (orbicularis oculi, palpebral part); trust: good",
    "AU09": (
        "nose wrinkler: wings of the nose up, its root wrinkled, brow down (levator labii superioris alaeque nasi); "
        "trust: poor"
    ),
    "AU10": "upper lip raiser: upper lip up, nasolabial fold pouched (levator labii superioris); trust: fair",
    "AU11": "nasolabial deepener: upper and middle nasolabial fold deepened (zygomaticus minor); trust: poor",
    "AU12": "lip corner puller: lip corners up and out (zygomaticus major); trust: good",
    "AU14": "dimpler: lip corners tightened, in and back (buccinator); trust: fair",
    "AU15": "lip corner depressor: lip corners down (depressor anguli oris); trust: poor",
    "AU17": "chin raiser: chin boss and lower lip up, arched (mentalis); trust: poor",
    "AU20": "lip stretcher: lip corners back, lips flat (risorius, platysma); trust: poor",
    "AU23": "lip tightener: lips tight, narrow, thinner (orbicularis oris); trust: fair",
    "AU24": "lip pressor: lips pressed together (orbicularis oris); trust: fair",
    "AU25": "lips part: lips apart (depressor labii, relaxed mentalis); trust: good",
    "AU26": "jaw drop: mandible down (masseter, relaxed); trust: fair",
    "AU28": "lip suck: lips rolled in (orbicularis oris); trust: poor",
    "AU43": "eyes closed: lids shut (levator palpebrae, relaxed); trust: good",
}

_BLENDSHAPES = (
    "_neutral browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft "
    "cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight "
    "eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft "
    "eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft "
    "mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight "
    "mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft "
    "mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft "
    "noseSneerRight"
).split()

#: Every feature of the vocabulary, in storage order.
FEATURES: Mapping[str, Feature] = _by_name(
    [
        Feature("FaceRectX", "facebox", "px", "left edge of the face box"),
        Feature("FaceRectY", "facebox", "px", "upper edge of the face box"),
        Feature("FaceRectWidth", "facebox", "px", "width of the face box"),
        Feature("FaceRectHeight", "facebox", "px", "height of the face box"),
        Feature("FaceScore", "facebox", "", "confidence of the face detector, 0 to 1"),
        Feature("Pitch", "poses", "degree", "rotation about the x axis; positive: nose down"),
        Feature(
            "Roll",
            "poses",
            "degree",
            "rotation about the z axis; positive: counter-clockwise in the image",
        ),
        Feature("Yaw", "poses", "degree", "rotation about the y axis; positive: nose to the image's right"),
        Feature("X", "poses", "cm", "position of the head; positive: to the image's right"),
        Feature("Y", "poses", "cm", "position of the head; positive: up"),
        Feature("Z", "poses", "cm", "position of the head; positive: towards the camera, which is at 0"),
        *(Feature(name, "aus", "", f"intensity, 0 to 1: {text}") for name, text in _ACTION_UNITS.items()),
        *(
            Feature(name, "emotions", "", f"probability of {name}; the seven sum to 1")
            for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
        ),
        Feature("valence", "affect", "", "pleasantness, -1 to 1"),
        Feature("arousal", "affect", "", "activation, -1 to 1"),
        Feature("gaze_pitch", "gaze", "degree", "direction of gaze seen from the side; positive: down"),
        Feature("gaze_yaw", "gaze", "degree", "direction of gaze seen from above; positive: to the image's right"),
        *(Feature(name, "blendshapes", "", f"ARKit blendshape {name}, 0 to 1") for name in _BLENDSHAPES),
    ]
)

_GROUP_TEXT = {
    "facebox": "Box of the face detector in pixels of the source frame, and its score.",
    "poses": (
        "Head pose in the camera's frame (x to the image's right, y up, z towards the camera), right-handed angles of "
        "R = Rz(Roll) Ry(Yaw) Rx(Pitch)."
    ),
    "aus": "Facial action units.",
    "emotions": "Probabilities of seven expressions.",
    "affect": "Valence and arousal.",
    "gaze": "Direction of gaze in the camera's frame (0 is against the camera's axis); NaN while the eyes are closed.",
    "blendshapes": "The 52 ARKit blendshapes as MediaPipe names them.",
    "other": "What a source has that fits nowhere else.",
}

#: Groups of features; ``other`` has no fixed members.
GROUPS: Mapping[str, Group] = _by_name(
    Group(name, text, tuple(f.name for f in FEATURES.values() if f.group == name)) for name, text in _GROUP_TEXT.items()
)


def feature_names(*groups: str) -> tuple[str, ...]:
    """Names of the features of some groups, in storage order.

    Parameters
    ----------
    *groups
        Names of groups, keys of ``GROUPS``.

    Returns
    -------
    tuple
        Names, those of the first group first; none of ``other``, whose names are those that files have.

    Raises
    ------
    InputError
        If there is no such group.

    Examples
    --------
    >>> feature_names("emotions")
    ('anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', 'neutral')
    """
    if unknown := [group for group in groups if group not in GROUPS]:
        raise unknown_names("group of features", unknown, list(GROUPS))
    return tuple(name for group in groups for name in GROUPS[group].features)


def chunk_shape(variable: Variable, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Shape of one chunk of a variable, given the sizes of the dims.

    A chunk of an array with a ``frame`` dim belongs to one video and is one object of the store.

    Examples
    --------
    >>> chunk_shape(DATA_VARS["features"], {"video": 9, "frame": 4096, "face": 2, "feature": 90})
    (1, 1024, 2, 90)
    """
    if "frame" not in variable.dims:
        return tuple(VIDEOS_PER_CHUNK if d == "video" else sizes[d] for d in variable.dims)
    per_frame = math.prod(sizes[d] for d in variable.dims if d not in ("video", "frame"))
    frame_bytes = per_frame * variable.numpy_dtype.itemsize
    n_frames = FRAMES_PER_CHUNK
    while n_frames > 1 and n_frames * frame_bytes > MAX_CHUNK_BYTES:
        n_frames //= 2
    fixed = {"video": 1, "frame": n_frames}
    return tuple(fixed.get(d, sizes[d]) for d in variable.dims)


def validate(ds: xr.Dataset, *, variables: Iterable[str] | None = None) -> None:
    """Check a Dataset against the schema.

    Dims, dtypes and the kind (measurement or coordinate) of everything the schema knows are checked, and that
    nothing required is absent; what the schema does not know is left alone. No values are read.

    Parameters
    ----------
    ds
        The Dataset.
    variables
        Names that have to be there; by default all required data variables and coordinates.

    Raises
    ------
    SchemaError
        With one line for every problem.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> validate(xr.Dataset({"features": ("video", np.zeros(2, "f4"))}), variables=["features"])
    Traceback (most recent call last):
    facearray.errors.SchemaError: the Dataset does not follow the schema: ...
    """
    known = {**DATA_VARS, **COORDS}
    if variables is None:
        needed = [v.name for v in known.values() if v.required]
    else:
        needed = list(variables)
    problems = [f"found no {name!r}; expected {_form(known[name])}" for name in needed if name not in ds.variables]
    for name, variable in known.items():
        if name in ds.variables:
            problems += _mismatches(ds, variable)
    if problems:
        raise SchemaError(
            "the Dataset does not follow the schema:\n"
            + "".join(f"  - {p}\n" for p in sorted(problems))
            + "open it with facearray.open_store, or make it with facearray.detect or facearray.read"
        )


def _mismatches(ds: xr.Dataset, variable: Variable) -> list[str]:
    name, found = variable.name, ds.variables[variable.name]
    problems = []
    dims: tuple[Hashable, ...] = found.dims
    if dims != variable.dims:
        hint = (
            "; keep a dim when selecting one element, as in sel(video=[label])"
            if len(dims) < len(variable.dims)
            else ""
        )
        problems.append(f"found {name!r} with dims {dims}; expected {_form(variable)}{hint}")
    is_string = found.dtype.kind in "OTU"
    if is_string if variable.dtype != "str" else not is_string:
        problems.append(f"found {name!r} with dtype {found.dtype}; expected {variable.dtype}")
    if variable.role == "data" and name in ds.coords:
        problems.append(f"found {name!r} as a coordinate; expected a data variable")
    if variable.role == "coord" and name not in ds.coords:
        problems.append(f"found {name!r} as a data variable; expected a coordinate (use Dataset.set_coords)")
    return problems


def _form(variable: Variable) -> str:
    kind = "a data variable" if variable.role == "data" else "a coordinate"
    return f"{kind} ({', '.join(variable.dims)}) of {variable.dtype}"
