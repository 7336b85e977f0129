"""What a detector promises, and whether it keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.detection.detector import Detector, Faces
from facearray.detection.devices import is_out_of_memory
from facearray.errors import DetectorError, FaceArrayError, InputError, unknown_names
from facearray.schema import FEATURES

__all__ = ["check_detector", "load_networks", "run_detector"]

#: Positions that a message lists.
SHOWN = 10

#: How far the norm of an embedding may be from 1.
NORM_TOLERANCE = 1e-3

_BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")


def check_detector(detector: object) -> None:
    """Make sure that an object says of itself what :class:`facearray.detection.detector.Detector` asks for.

    Parameters
    ----------
    detector
        The object. It is not called.

    Raises
    ------
    InputError
        With every attribute that is missing or is not what it should be, and every feature that neither the schema nor
        the detector's own ``other`` describes.

    Examples
    --------
    >>> import facearray
    >>> from facearray.testing import FakeDetector
    >>> facearray.detectors.check(FakeDetector())
    >>> facearray.detectors.check(FakeDetector(version=""))
    Traceback (most recent call last):
    facearray.errors.InputError: 'FakeDetector' is no detector: ...
    """
    problems: list[str] = []

    def expect(name: str, is_right: Callable[[Any], bool], what: str) -> None:
        if not hasattr(detector, name):
            problems.append(f"found no {name}; expected {what}")
        elif not is_right(value := getattr(detector, name)):
            problems.append(f"found {name}={value!r}; expected {what}")

    for name in ("name", "version", "device"):
        expect(name, _is_text, "a text that is not empty")
    expect("features", _are_names, "a tuple of names, each once and at least one")
    for name in ("n_landmarks", "n_components"):
        expect(name, _is_size, "a whole number of at least 1, or None")
    expect("assets", _is_text_by_name, "a mapping of file names to hashes, {} if there are none")
    if not callable(detector):
        problems.append("found nothing to call; expected __call__(frames) → Faces")
    other = getattr(detector, "other", {})
    if not _describes(other):
        problems.append(f"found other={other!r}; expected a mapping of feature names to (unit, description)")
    elif not any("features" in problem for problem in problems):
        unknown = [name for name in getattr(detector, "features", ()) if name not in {*FEATURES, *other}]
        if unknown:
            problems.append(
                f"{unknown_names('feature', unknown, list(FEATURES))}; for measures of your own say what they are: "
                "other = {name: (unit, description)}"
            )
    if problems:
        named = getattr(detector, "name", None) or type(detector).__name__
        raise InputError(f"{named!r} is no detector:\n" + "\n".join(f"  - {problem}" for problem in problems))


def load_networks(detector: Detector) -> None:
    """Let a detector that has a method ``load`` take into memory what it computes with.

    Raises
    ------
    FaceArrayError
        What a detector of ours says is missing.
    DetectorError
        Naming what another one raised.
    """
    load = getattr(detector, "load", None)
    if load is None:
        return
    try:
        load()
    except FaceArrayError:
        raise
    except Exception as error:
        raise DetectorError(
            f"detector {detector.name!r} cannot be loaded: {type(error).__name__}: {error}; expected load() to return"
        ) from error


def run_detector(detector: Detector, frames: NDArray[np.uint8]) -> Faces:
    """Call a detector and hold it to its promises.

    Returns
    -------
    Faces
        Its arrays in the dtypes of the store.

    Raises
    ------
    DetectorError
        With every mismatch between what the detector declares and what it returned, or naming what it raised.
    MemoryError, RuntimeError
        What it raised because it had too little memory, as :func:`facearray.detection.devices.is_out_of_memory` knows
        it: fewer frames may fit.
    """
    try:
        found: object = detector(frames)
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise DetectorError(
            f"detector {detector.name!r} raised {type(error).__name__} on {len(frames)} frames of "
            f"{frames.shape[2]}x{frames.shape[1]}: {error}"
        ) from error
    problems: list[str] = []
    if isinstance(found, Faces):
        faces = _in_dtypes(found, problems)
        problems = problems or _shape_problems(faces, detector, len(frames))
        problems = problems or _value_problems(faces, detector)
    else:
        problems.append(f"found a {type(found).__name__}; expected facearray.detectors.Faces")
    if problems:
        raise DetectorError(f"detector {detector.name!r} broke its contract: " + "; ".join(problems))
    return faces


def _in_dtypes(faces: Faces, problems: list[str]) -> Faces:
    """Return the arrays in the dtypes of the store, whatever library they come from."""

    def cast(name: str, dtype: type[np.generic]) -> Any:
        value = getattr(faces, name)
        if value is None:
            return None
        try:
            array = np.asarray(value)
            if array.dtype.kind not in ("iub" if issubclass(dtype, np.integer) else "iubf") and array.size:
                raise TypeError(f"{array.dtype}")
            return array.astype(dtype, copy=False)
        except (TypeError, ValueError, RuntimeError) as error:
            problems.append(f"found {name} that is no array of {dtype.__name__} ({error}); expected one")
            return None

    return Faces(
        frame=cast("frame", np.intp),
        n_found=cast("n_found", np.int16),
        features=cast("features", np.float32),
        landmarks=cast("landmarks", np.float32),
        embedding=cast("embedding", np.float32),
    )


def _shape_problems(faces: Faces, detector: Detector, n_frame: int) -> list[str]:
    if np.ndim(faces.frame) != 1:
        return [f"found frame of shape {np.shape(faces.frame)}; expected a row for each face"]
    n_face = len(faces.frame)
    shapes: dict[str, tuple[NDArray[Any] | None, tuple[int, ...] | None]] = {
        "n_found": (faces.n_found, (n_frame,)),
        "features": (faces.features, (n_face, len(detector.features))),
        "landmarks": (faces.landmarks, _shape(n_face, detector.n_landmarks, 3)),
        "embedding": (faces.embedding, _shape(n_face, detector.n_components)),
    }
    problems = []
    for name, (array, expected) in shapes.items():
        found: tuple[int, ...] | None = None if array is None else array.shape
        if found != expected:
            problems.append(f"found {name} of shape {found}; expected {expected}")
    order = np.diff(faces.frame)
    if n_face and (faces.frame.min() < 0 or faces.frame.max() >= n_frame or (order < 0).any()):
        problems.append(f"found frame positions {faces.frame.tolist()}; expected ascending ones below {n_frame}")
    return problems


def _shape(n_face: int, *rest: int | None) -> tuple[int, ...] | None:
    known = tuple(size for size in rest if size is not None)
    return (n_face, *known) if len(known) == len(rest) else None


def _value_problems(faces: Faces, detector: Detector) -> list[str]:
    """Say which values cannot be; a measure may be NaN, but a face is somewhere and has some measure."""
    problems = []
    described = np.bincount(faces.frame, minlength=len(faces.n_found))
    if (faces.n_found < described).any():
        at = np.flatnonzero(faces.n_found < described)
        problems.append(f"found n_found below the number of described faces in frames {_listed(at)}; expected as many")
    arrays = {"features": faces.features, "landmarks": faces.landmarks, "embedding": faces.embedding}
    for name, array in arrays.items():
        if array is not None and np.isinf(array).any():
            at = np.flatnonzero(np.isinf(array).reshape(len(array), -1).any(axis=1))
            problems.append(f"found infinite {name} in frames {_listed(faces.frame[at])}; expected NaN for no value")
    checks: list[tuple[str, Any]] = [
        ("faces without any measure (all NaN)", np.isnan(faces.features).all(axis=1)),
    ]
    if set(_BOX) <= set(detector.features):
        box = faces.features[:, [detector.features.index(name) for name in _BOX]]
        checks.append((f"NaN in {', '.join(_BOX)}", np.isnan(box).any(axis=1)))
    if faces.landmarks is not None:
        checks.append(("faces without a landmark (all NaN)", np.isnan(faces.landmarks).all(axis=(1, 2))))
    if faces.embedding is not None:
        norm = np.linalg.norm(faces.embedding.astype(np.float64), axis=1)
        is_missing = np.isnan(faces.embedding).all(axis=1)
        checks.append(("embeddings that are not of unit norm", ~is_missing & ~(np.abs(norm - 1) <= NORM_TOLERANCE)))
    for what, is_wrong in checks:
        if is_wrong.any():
            problems.append(f"found {what} in frames {_listed(faces.frame[is_wrong])}; expected none")
    return problems


def _listed(positions: NDArray[np.integer]) -> str:
    unique = np.unique(positions).tolist()
    more = f" and {len(unique) - SHOWN} more" if len(unique) > SHOWN else ""
    return ", ".join(map(str, unique[:SHOWN])) + more


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_names(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        return False
    return all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_size(value: object) -> bool:
    return value is None or (isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1)


def _is_text_by_name(value: object) -> bool:
    return isinstance(value, Mapping) and _all_texts([*value, *value.values()])


def _describes(other: object) -> bool:
    if not isinstance(other, Mapping):
        return False
    return all(
        isinstance(name, str) and isinstance(pair, tuple | list) and len(pair) == 2 and _all_texts(pair)
        for name, pair in other.items()
    )


def _all_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
