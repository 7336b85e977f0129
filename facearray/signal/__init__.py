"""Time courses before statistics: cleaned, resampled and described, lazily, per video and face, on true seconds."""

from facearray.signal._steps import steps
from facearray.signal.baseline import baseline
from facearray.signal.bin import bin  # noqa: A004
from facearray.signal.clean import clean
from facearray.signal.interpolate import interpolate
from facearray.signal.mask import mask
from facearray.signal.quality import quality
from facearray.signal.rectify import rectify
from facearray.signal.resample import resample
from facearray.signal.smooth import smooth

__all__ = [
    "baseline",
    "bin",
    "clean",
    "interpolate",
    "mask",
    "quality",
    "rectify",
    "resample",
    "smooth",
    "steps",
]
