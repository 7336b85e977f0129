"""What finds and describes faces: detectors by name, and what one of your own has to be.

:doc:`/detectors` says how to write one.
"""

from __future__ import annotations

from facearray.detection.contract import check_detector as check
from facearray.detection.detector import Detector, Faces
from facearray.detection.detectors import list_detectors as list  # noqa: A004 - of detectors: fa.detectors.list()
from facearray.detection.detectors import load_detector as load

__all__ = ["Detector", "Faces", "check", "list", "load"]
