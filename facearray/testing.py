"""For tests: a detector that needs no model files, and Datasets that hold anything the schema allows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.detection.detector import Faces
from facearray.schema import COORDS, DATA_VARS, FEATURES, SCHEMA_VERSION, Variable

__all__ = ["FakeDetector", "random_dataset"]


@dataclass(frozen=True, kw_only=True)
class FakeDetector:
    """A detector whose numbers can be worked out by hand: it measures how bright a frame is.

    A frame whose mean brightness is at least `threshold` has one face, which fills it. ``AU12`` and ``happiness``
    are the mean brightness, 0 to 1, ``FaceScore`` is 1, and every landmark lies at the centre of the frame.

    Parameters
    ----------
    version
        As of another method, to see what a store makes of it.
    n_landmarks
        Points a face, or None for none.
    threshold
        Brightness below which there is no face.
    seconds
        Time that a frame takes.

    Examples
    --------
    >>> import numpy as np
    >>> frames = np.stack([np.zeros((4, 4, 3)), np.full((4, 4, 3), 51)]).astype("uint8")
    >>> faces = FakeDetector()(frames)
    >>> faces.frame, faces.features[:, -1]
    (array([1]), array([0.2], dtype=float32))
    """

    version: str = "1"
    n_landmarks: int | None = 478
    threshold: float = 0.02
    seconds: float = 0.0
    name: str = "fake"
    device: str = "cpu"
    features: tuple[str, ...] = (
        "FaceRectX",
        "FaceRectY",
        "FaceRectWidth",
        "FaceRectHeight",
        "FaceScore",
        "AU12",
        "happiness",
    )
    n_components: None = None
    assets: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, frames: NDArray[np.uint8]) -> Faces:
        """Find the bright frames."""
        time.sleep(self.seconds * len(frames))
        brightness = frames.mean(axis=(1, 2, 3)) / 255
        (frame,) = np.nonzero(brightness >= self.threshold)
        height, width = frames.shape[1:3]
        features = np.zeros((len(frame), len(self.features)), dtype=np.float32)
        features[:, 2:5] = width, height, 1
        features[:, 5:] = brightness[frame, None]
        landmarks = None
        if self.n_landmarks is not None:
            landmarks = np.zeros((len(frame), self.n_landmarks, 3), dtype=np.float32)
            landmarks[..., :2] = width / 2, height / 2
        n_found = (brightness >= self.threshold).astype(np.int16)
        return Faces(frame=frame, n_found=n_found, features=features, landmarks=landmarks)


def random_dataset(
    seed: int,
    *,
    n_videos: int = 3,
    n_frames: int = 6,
    n_faces: int = 2,
    features: Sequence[str] = ("FaceRectWidth", "Yaw", "AU12", "happiness", "my_own_measure"),
    n_landmarks: int | None = None,
    n_components: int | None = None,
) -> xr.Dataset:
    """Make a Dataset of the schema from random bits: infinities, tiny numbers and missing values included.

    The first video fills all frames and the last has none; between them lengths are random, with padding at the end.
    Some frames have no face and some faces no value; texts hold whatever texts may hold.

    Parameters
    ----------
    seed
        Of the random numbers.
    n_videos, n_frames, n_faces
        Sizes of the dims.
    features
        Names along ``feature``.
    n_landmarks, n_components
        Sizes of ``landmark`` and ``component``; None for no such variable.

    Examples
    --------
    >>> ds = random_dataset(0)
    >>> dict(ds.features.sizes), ds.n_frames.values.tolist()
    ({'video': 3, 'frame': 6, 'face': 2, 'feature': 5}, [6, 4, 0])
    """
    rng = np.random.default_rng(seed)
    sizes = {"video": n_videos, "frame": n_frames, "face": n_faces, "feature": len(features), "axis": 3}
    sizes |= {"landmark": n_landmarks or 0, "component": n_components or 0}
    lengths = rng.integers(0, n_frames + 1, n_videos)
    lengths[-1:] = 0
    lengths[:1] = n_frames
    real = np.arange(n_frames) < lengths[:, None]
    face = real[..., None] & (rng.random((n_videos, n_frames, n_faces)) < 0.7)

    def measured(variable: Variable) -> xr.Variable:
        shape = tuple(sizes[dim] for dim in variable.dims)
        values = rng.integers(0, 2**32, shape, dtype=np.uint32).view(np.float32)
        ordinary = rng.random(shape) < 0.7
        values[ordinary] = rng.normal(scale=100, size=shape).astype(np.float32)[ordinary]
        values[~face] = np.nan
        values[np.isnan(values)] = np.nan  # one NaN like the other
        return xr.Variable(variable.dims, values)

    def texts(name: str, n: int) -> NDArray[Any]:
        alphabet = [
            "a",
            "B",
            "7",
            " ",
            ",",
            ";",
            '"',
            "'",
            "\n",
            "\t",
            "/",
            "\\",
            "ä",
            "表",
            "😀",
            "%",
            "=",
            "NaN",
            "n/a",
        ]
        found = [f"{name}{i}" + "".join(rng.choice(alphabet, rng.integers(0, 6))) for i in range(n)]
        return np.array(found, dtype=np.dtypes.StringDType())

    def per_frame(values: NDArray[Any], name: str) -> tuple[tuple[str, ...], NDArray[Any]]:
        known = COORDS[name]
        there = face if "face" in known.dims else real
        return known.dims, np.where(there, values, known.fill_value).astype(known.numpy_dtype)

    coords: dict[str, Any] = {
        "video": texts("video", n_videos),
        "feature": np.array(features, dtype=np.dtypes.StringDType()),
        "n_frames": ("video", lengths.astype(np.int32)),
        "fps": ("video", rng.choice([25.0, 30000 / 1001, np.nan], n_videos)),
        "duration": ("video", rng.random(n_videos)),
        "frame_number": per_frame(np.cumsum(rng.integers(1, 4, real.shape), axis=1) - 1, "frame_number"),
        "timestamp": per_frame(np.cumsum(rng.random(real.shape), axis=1), "timestamp"),
        "n_faces_found": per_frame(face.sum(axis=2), "n_faces_found"),
        "track_id": per_frame(rng.integers(0, 9, face.shape), "track_id"),
    }
    coords |= {name: ("video", rng.integers(0, 4096, n_videos).astype(np.int32)) for name in ("width", "height")}
    coords |= {name: ("video", texts(name, n_videos)) for name in ("source", "status", "error")}
    known = [FEATURES.get(name) for name in features]
    for name in ("group", "unit", "description"):
        column = [getattr(feature, name) if feature else "other" for feature in known]
        coords[name] = ("feature", np.array(column, dtype=np.dtypes.StringDType()))
    data = {"features": measured(DATA_VARS["features"])}
    if n_landmarks is not None:
        data["landmarks"] = measured(DATA_VARS["landmarks"])
        coords["axis"] = np.array(["x", "y", "z"], dtype=np.dtypes.StringDType())
    if n_components is not None:
        data["embedding"] = measured(DATA_VARS["embedding"])
    return xr.Dataset(data, coords, attrs={"facearray_schema": SCHEMA_VERSION, "detector": "random"})
