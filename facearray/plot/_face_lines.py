"""Lines and patches of a face on the plane of its picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from facearray.models.mesh_measures import SIDES
from facearray.plot._face_surface import Surface
from facearray.plot.rig.mesh import LIPS, RIGHT_EYE, mirrored
from facearray.plot.rig.muscles import MUSCLES
from facearray.plot.rig.table import MOVEMENTS

__all__ = ["BROWS", "LINES", "Patch", "brows", "creases", "lines", "muscle_patches", "smooth"]

_Array = NDArray[np.float64]

#: Lines of the face, of the right side or across, and how wide they are in pixels.
LINES: Mapping[str, tuple[tuple[int, ...], float]] = MappingProxyType(
    {
        "upper lid": ((33, *RIGHT_EYE.upper, 133), 2.4),
        "lower lid": ((33, *RIGHT_EYE.lower, 133), 1.0),
        "lid fold": ((130, *RIGHT_EYE.upper_fold, 243), 0.8),
        "wing of the nose": ((209, 129, 98, 97, 2), 1.0),
        "upper lip": (LIPS.inner_upper, 1.2),
        "lower lip": (LIPS.inner_lower, 1.2),
    }
)

#: Outline of the right brow.
BROWS = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)

_ACROSS = ("upper lip", "lower lip")

#: Points of a smooth line between two vertices.
_STEPS = 4

#: What is so far behind what is seen, in cm, is hidden.
_BEHIND = 0.35

#: A muscle whose skin looks less at the camera is not drawn.
_TURNED_AWAY = 0.1

#: Of a line in the skin in its middle, in cm.
_CREASE_WIDTH = 0.11


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


def lines(seen: _Array, surface: Surface | None) -> Iterator[tuple[str, float, _Array]]:
    """Name, width and points (n, 2) of the lines that are seen, of projected points (478, 3)."""
    for name, (vertices, width) in LINES.items():
        for row in (vertices,) if name in _ACROSS else (vertices, mirrored(vertices)):
            for part in _visible(smooth(seen[list(row)]), surface):
                yield name, width, part


def brows(seen: _Array, facing: _Array) -> list[_Array]:
    """Outlines (n, 2) of the brows that are seen."""
    rows = [list(row) for row in (BROWS, mirrored(BROWS)) if facing[list(row)].mean() > _TURNED_AWAY]
    return [smooth(seen[row], closed=True)[:, :2] for row in rows]


def creases(seen: _Array, intensities: _Array, surface: Surface | None) -> Iterator[tuple[str, float, _Array]]:
    """Give action unit, strength and outline (n, 2) of the lines that intensities (20, 2) make in the skin."""
    for movement, strength in zip(MOVEMENTS.values(), intensities, strict=True):
        for row in movement.creases:
            other = mirrored(row)
            # one across the midline is its own mirror image
            sides = ((row, strength.max()),) if set(row) == set(other) else zip((row, other), strength, strict=True)
            for vertices, value in sides:
                if value > 0:
                    for part in _visible(smooth(seen[list(vertices)]), surface):
                        yield movement.name, float(min(value, 1.0)), _tapered(part)


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


def _visible(curve: _Array, surface: Surface | None) -> Iterator[_Array]:
    """Cut a curve (n, 3) into the parts (n, 2) that nothing hides."""
    if surface is None:
        yield curve[:, :2]
        return
    shown = curve[:, 2] > surface.depth_at(curve[:, :2]) - _BEHIND
    for part in np.split(np.arange(len(curve)), np.flatnonzero(np.diff(shown)) + 1):
        if shown[part[0]] and len(part) > 1:
            yield curve[part, :2]


def _tapered(line: _Array) -> _Array:
    """Outline (2n, 2) of a line (n, 2) that is widest in its middle."""
    way = np.gradient(line, axis=0)
    across = np.column_stack([-way[:, 1], way[:, 0]]) / np.maximum(np.linalg.norm(way, axis=1), 1e-9)[:, None]
    half = _CREASE_WIDTH / 2 * np.sin(np.linspace(0.0, np.pi, len(line)))[:, None]
    return np.concatenate([line + half * across, (line - half * across)[::-1]])
