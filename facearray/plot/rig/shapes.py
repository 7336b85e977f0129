"""How the 52 blendshapes are drawn: as action units, and the directions of the eyes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from facearray import schema

__all__ = ["EYE_DEGREES", "SHAPES", "UNITS_OF_SHAPES", "gaze_of_shapes"]

#: Degrees that an eye is turned by at a value of 1.
EYE_DEGREES = 30.0

#: Action unit that a blendshape, or the two of both sides, stands for, and the factor.
UNITS_OF_SHAPES: Mapping[str, tuple[str, float]] = MappingProxyType(
    {
        "browInnerUp": ("AU01", 1.0),
        "browOuterUp": ("AU02", 1.0),
        "browDown": ("AU04", 1.0),
        "eyeWide": ("AU05", 1.0),
        "cheekSquint": ("AU06", 1.0),
        "eyeSquint": ("AU07", 1.0),
        "noseSneer": ("AU09", 1.0),
        "mouthUpperUp": ("AU10", 1.0),
        "mouthSmile": ("AU12", 1.0),
        "mouthDimple": ("AU14", 1.0),
        "mouthFrown": ("AU15", 1.0),
        "mouthShrugLower": ("AU17", 1.0),
        "mouthStretch": ("AU20", 1.0),
        "mouthPress": ("AU24", 1.0),
        "mouthLowerDown": ("AU25", 1.0),
        "jawOpen": ("AU26", 1.0),
        "mouthRollLower": ("AU28", 0.5),
        "mouthRollUpper": ("AU28", 0.5),
        "eyeBlink": ("AU43", 1.0),
    }
)


def _sides(shape: str) -> tuple[tuple[str, int, float], ...]:
    """Find the action unit, sides and factor that a blendshape moves."""
    for end, sides in (("Right", (0,)), ("Left", (1,)), ("", (0, 1))):
        stem = shape.removesuffix(end)
        if shape.endswith(end) and stem in UNITS_OF_SHAPES:
            unit, factor = UNITS_OF_SHAPES[stem]
            return tuple((unit, side, factor) for side in sides)
    return ()


#: By blendshape: the action unit, the side (0 is the subject's right), and the factor. Empty where nothing is drawn.
SHAPES: Mapping[str, tuple[tuple[str, int, float], ...]] = MappingProxyType(
    {shape: _sides(shape) for shape in schema.GROUPS["blendshapes"].features}
)


def gaze_of_shapes(shapes: Mapping[str, float]) -> NDArray[np.float64]:
    """Pitch and yaw (2,) in degrees of the mean of both eyes."""

    def of(*names: str) -> float:
        return float(np.mean([np.nan_to_num(shapes.get(f"eyeLook{name}", 0.0)) for name in names]))

    down = of("DownLeft", "DownRight") - of("UpLeft", "UpRight")
    # to the image's right is to the subject's left
    right = of("OutLeft", "InRight") - of("InLeft", "OutRight")
    return EYE_DEGREES * np.array([down, right])
