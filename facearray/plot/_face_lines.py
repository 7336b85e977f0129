"""Lines and patches of a face on the plane of its picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from facearray.models.mesh_measures import SIDES
from facearray.plot.rig.mesh import BROW, LIPS, RIGHT_EYE, mirrored
from facearray.plot.rig.muscles import MUSCLES
from facearray.plot.rig.table import MOVEMENTS

__all__ = ["LINES", "Patch", "Stroke", "muscle_patches", "smooth", "strokes"]

_Array = NDArray[np.float64]

#: Lines of the face, of the right side or across, and how wide they are, in cm.
LINES: Mapping[str, tuple[tuple[int, ...], float]] = MappingProxyType(
    {
        "lid fold": ((130, *RIGHT_EYE.upper_fold, 243), 0.06),
        "lower lid": ((33, *RIGHT_EYE.lower, 133), 0.07),
        "upper lid": ((33, *RIGHT_EYE.upper, 133), 0.12),
        "wing of the nose": ((209, 129, 98, 97, 2), 0.07),
        "upper lip": (LIPS.inner_upper, 0.06),
        "lower lip": (LIPS.inner_lower, 0.06),
    }
)

_BROW_COLOUR, _LINE_COLOUR, _CREASE_COLOUR = (74, 59, 51), (59, 47, 43), (92, 56, 44)

#: Points of a smooth line between two vertices.
_STEPS = 4

#: What is so far behind what is seen, in cm, is hidden.
_BEHIND = 0.7

#: A muscle or brow whose skin looks less at the camera is not drawn.
_TURNED_AWAY = 0.1

#: Of a line in the skin in its middle, in cm.
_CREASE_WIDTH = 0.11


@dataclass(frozen=True, slots=True, eq=False)
class Stroke:
    """A line or a brow.

    Attributes
    ----------
    name
        What it is: a name of ``LINES``, ``brow``, or the action unit of a line in the skin.
    points
        (n, 2) on the picture, in cm.
    widths
        (n,) of a line, in cm; None if the points are around what is filled.
    colour
        Red, green and blue, 0 to 255.
    opacity
        0 to 1.
    """

    name: str
    points: _Array
    widths: _Array | None
    colour: tuple[int, int, int]
    opacity: float


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A muscle of one side.

    Attributes
    ----------
    outline
        (n, 2) on the picture, in cm.
    muscle, unit, side
        What it is.
    value
        Of the action unit, as it was given.
    """

    outline: _Array
    muscle: str
    unit: str
    side: str
    value: float


def smooth(points: _Array, *, closed: bool = False, steps: int = _STEPS) -> _Array:
    """Go through points (n, d) on a Catmull-Rom spline."""
    if len(points) < 3:
        return points
    ends = (points[-1:], points[:2]) if closed else (2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1])
    around = np.concatenate([ends[0], points, ends[1]])
    before, start, end, after = (around[i : len(around) - 3 + i, None] for i in range(4))
    t = (np.arange(steps) / steps)[:, None]
    curve = 0.5 * (
        2 * start
        + (end - before) * t
        + (2 * before - 5 * start + 4 * end - after) * t**2
        + (3 * start - before - 3 * end + after) * t**3
    )
    found = curve.reshape(-1, points.shape[1])
    return found if closed else np.concatenate([found, points[-1:]])


def strokes(
    seen: _Array, facing: _Array, intensities: _Array, depth_at: Callable[[_Array], _Array] | None = None
) -> Iterator[Stroke]:
    """Draw brows, lines in the skin and lines of the face, in this order.

    Parameters
    ----------
    seen
        (478, 3) points on the picture, with their depth.
    facing
        (478,) how far the skin looks at the camera, 1 to -1.
    intensities
        (20, 2) of the movements that make lines in the skin.
    depth_at
        Depth (n,) of what is seen at places (n, 2); what lies behind is left out. If not given, nothing does.
    """
    for brow in (BROW, mirrored(BROW)):
        if facing[list(brow)].mean() > _TURNED_AWAY:
            yield Stroke("brow", smooth(seen[list(brow)], closed=True)[:, :2], None, _BROW_COLOUR, 0.8)
    for movement, strength in zip(MOVEMENTS.values(), intensities, strict=True):
        for row in movement.creases if strength.any() else ():
            other = mirrored(row)
            # one across the midline is its own mirror image
            sides = ((row, strength.max()),) if set(row) == set(other) else zip((row, other), strength, strict=True)
            for vertices, value in sides:
                for part in _visible(smooth(seen[list(vertices)]), depth_at) if value > 0 else ():
                    # widest in its middle
                    widths = _CREASE_WIDTH * np.sin(np.linspace(0.0, np.pi, len(part)))
                    yield Stroke(movement.name, part, widths, _CREASE_COLOUR, 0.7 * min(float(value), 1.0))
    for name, (vertices, width) in LINES.items():
        for row in (vertices,) if set(vertices) == set(mirrored(vertices)) else (vertices, mirrored(vertices)):
            for part in _visible(smooth(seen[list(row)]), depth_at):
                yield Stroke(name, part, np.full(len(part), width), _LINE_COLOUR, 0.85)


def muscle_patches(seen: _Array, facing: _Array, units: _Array) -> Iterator[Patch]:
    """Muscles that are seen of the action units (20, 2) that have a value, the largest one where several share one.

    ``facing`` (478,) says how far the skin looks at the camera, 1 to -1.
    """
    names = list(MOVEMENTS)
    for muscle in MUSCLES.values():
        for s, side in enumerate(SIDES):
            values = {unit: float(units[names.index(unit), s]) for unit in muscle.units}
            values = {unit: value for unit, value in values.items() if np.isfinite(value)}
            if not values:
                continue
            unit = max(values, key=lambda name: abs(values[name]))
            vertices = list(muscle.outline if s == 0 else mirrored(muscle.outline))
            if facing[vertices].mean() < _TURNED_AWAY:
                continue
            yield Patch(smooth(seen[vertices], closed=True, steps=3)[:, :2], muscle.name, unit, side, values[unit])


def _visible(curve: _Array, depth_at: Callable[[_Array], _Array] | None) -> Iterator[_Array]:
    """Cut a curve (n, 3) into the parts (n, 2) that nothing hides."""
    if depth_at is None:
        yield curve[:, :2]
        return
    shown = curve[:, 2] > depth_at(curve[:, :2]) - _BEHIND
    for part in np.split(np.arange(len(curve)), np.flatnonzero(np.diff(shown)) + 1):
        if shown[part[0]] and len(part) > 1:
            yield curve[part, :2]
