"""Faces in videos as one labelled dataset.

Import it as ``import facearray as fa``. That registers the accessor ``.fex`` on xarray's Datasets and DataArrays and
loads nothing heavy: every name below is looked up in its module when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from facearray import accessor  # registers .fex
from facearray.errors import FaceArrayError

if TYPE_CHECKING:
    from facearray import (
        assets,
        combine,
        datasets,
        detectors,
        errors,
        intervals,
        models,
        plot,
        schema,
        selectors,
        signal,
        stats,
        tables,
    )
    from facearray.combine import concat
    from facearray.detection.detect import detect
    from facearray.detection.in_memory import detect_frames
    from facearray.io.annotation_files import read_annotations
    from facearray.io.exporting import export, read_export
    from facearray.io.privacy import deidentify
    from facearray.io.read import read
    from facearray.io.store import open_store, save

    __version__: str

__all__ = [
    "FaceArrayError",
    "__version__",
    "accessor",
    "assets",
    "combine",
    "concat",
    "datasets",
    "deidentify",
    "detect",
    "detect_frames",
    "detectors",
    "errors",
    "export",
    "intervals",
    "models",
    "open_store",
    "plot",
    "read",
    "read_annotations",
    "read_export",
    "save",
    "schema",
    "selectors",
    "signal",
    "stats",
    "tables",
]

_FUNCTIONS = {
    "concat": "facearray.combine",
    "deidentify": "facearray.io.privacy",
    "detect": "facearray.detection.detect",
    "detect_frames": "facearray.detection.in_memory",
    "export": "facearray.io.exporting",
    "open_store": "facearray.io.store",
    "read": "facearray.io.read",
    "read_annotations": "facearray.io.annotation_files",
    "read_export": "facearray.io.exporting",
    "save": "facearray.io.store",
}
_MODULES = (
    "assets",
    "combine",
    "datasets",
    "detectors",
    "errors",
    "intervals",
    "models",
    "plot",
    "schema",
    "selectors",
    "signal",
    "stats",
    "tables",
)


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        value = getattr(importlib.import_module(_FUNCTIONS[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"facearray.{name}")
    elif name == "__version__":
        from facearray._version import package_version

        value = package_version()
    else:
        raise AttributeError(f"module 'facearray' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
