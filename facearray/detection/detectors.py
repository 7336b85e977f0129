"""Detectors by name: those of the package, and those that other packages bring."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from facearray.detection.contract import check_detector
from facearray.detection.detector import Detector
from facearray.errors import DetectorError, FaceArrayError, InputError, unknown_names

__all__ = ["GROUP", "list_detectors", "load_detector"]

#: Entry points under which other packages name what makes their detectors.
GROUP = "facearray.detectors"

#: The package's own, which need no entry point and cannot be replaced by one.
BUILT_IN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "mediapipe": ("facearray.detection.mediapipe", "MediaPipeDetector"),
        "pyfeat": ("facearray.detection.pyfeat", "make_v2"),
        "pyfeat-v1": ("facearray.detection.pyfeat", "make_v1"),
    }
)


def list_detectors() -> list[str]:
    """Names that ``facearray.detect(detector=...)`` knows: the package's own, and those of installed plug-ins.

    Nothing is loaded, so a name may turn out to need a package that is not installed.

    Returns
    -------
    list
        Names, sorted.

    Examples
    --------
    >>> import facearray
    >>> "mediapipe" in facearray.detectors.list()
    True
    """
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=GROUP))})


def load_detector(
    name: str,
    *,
    device: str = "auto",
    landmarks: bool = True,
    embedding: bool = False,
    max_faces: int | None = 1,
    runtime: str = "auto",
    compile: bool = False,  # noqa: A002 - torch's name
) -> Detector:
    """Make a detector; its model files are fetched if they are not on this machine.

    Of the options, what makes the detector is given those that it has parameters for.

    Parameters
    ----------
    name
        Which detector: one of :func:`list_detectors`.
    device
        Where inference runs, as for :func:`facearray.detection.devices.resolve_device`.
    landmarks
        Whether it returns the points of the face mesh.
    embedding
        Whether it returns identity embeddings.
    max_faces
        How many faces of a frame it describes, the largest first; None for all.
    runtime
        What computes its networks, as for :func:`facearray.detection.devices.resolve_runtime`.
    compile
        Whether torch compiles its networks.

    Returns
    -------
    Detector
        Load it once and pass it as ``detector=`` to look at many pictures one by one.

    Raises
    ------
    InputError
        If there is no such detector or device, the detector has no such option, or it is none.
    AssetError
        If a model file cannot be had.
    DetectorError
        If another package's detector cannot be loaded or made; it says what was raised.

    Examples
    --------
    >>> import facearray
    >>> facearray.detectors.load("mediapip")
    Traceback (most recent call last):
    facearray.errors.InputError: unknown detector 'mediapip' (did you mean 'mediapipe'?); known: mediapipe...
    """
    make = _maker(name)
    options = {
        "device": device,
        "landmarks": landmarks,
        "embedding": embedding,
        "max_faces": max_faces,
        "runtime": runtime,
        "compile": compile,
    }
    taken = _parameters(make, options)
    problems = []
    if compile and "compile" not in taken:
        problems.append(f"found compile=True; detector {name!r} has no such option")
    if runtime not in ("auto", "torch") and "runtime" not in taken:
        problems.append(f"found runtime={runtime!r}; detector {name!r} has no such option")
    if problems:
        raise InputError("; ".join(problems))
    try:
        detector = make(**{key: options[key] for key in taken})
    except FaceArrayError:
        raise
    except Exception as error:
        raise DetectorError(
            f"detector {name!r} cannot be made: {type(error).__name__}: {error}; expected "
            f"{getattr(make, '__name__', make)}({', '.join(sorted(taken))}) to return a detector"
        ) from error
    check_detector(detector)
    if "device" not in taken and device not in ("auto", detector.device):
        raise InputError(f"found device={device!r}; detector {name!r} runs on {detector.device!r} only")
    return detector


def _maker(name: str) -> Callable[..., Detector]:
    """Find what makes a detector."""
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name]
        made: Callable[..., Detector] = getattr(importlib.import_module(module), attribute)
        return made
    entries = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    if not entries:
        raise unknown_names("detector", [name], list_detectors())
    if len({entry.value for entry in entries}) > 1:
        packages = ", ".join(sorted({_package(entry) for entry in entries}))
        raise InputError(f"found detector {name!r} in several packages ({packages}); expected one; remove the others")
    try:
        maker = entries[0].load()
    except Exception as error:
        raise DetectorError(
            f"detector {name!r} of package {_package(entries[0])} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not callable(maker):
        raise DetectorError(
            f"detector {name!r} of package {_package(entries[0])}: found {entries[0].value}, which cannot be called; "
            "expected a class or function that makes the detector"
        )
    plugged: Callable[..., Detector] = maker
    return plugged


def _parameters(make: Callable[..., Any], options: Mapping[str, Any]) -> set[str]:
    """Names of the options that it can be called with."""
    parameters = inspect.signature(make).parameters.values()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters):
        return set(options)
    return {parameter.name for parameter in parameters if parameter.kind in by_name} & options.keys()


def _package(entry: EntryPoint) -> str:
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
