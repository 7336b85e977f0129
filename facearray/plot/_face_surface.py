"""The skin, eyes and mouth of a face as a picture of pixels: a small renderer in numpy."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facearray.models.geometry import canonical_mesh
from facearray.models.mesh_measures import SIDES
from facearray.plot._face_lines import Stroke, strokes
from facearray.plot.rig.deform import EYEBALL, IRIS
from facearray.plot.rig.mesh import LIPS, RIGHT_EYE, mirrored, skin
from facearray.plot.rig.table import MOVEMENTS

__all__ = ["BOUNDS", "normals", "project", "render", "view_rotation"]

_Array = NDArray[np.float64]

#: Left, bottom, right and top of the picture, in cm of the canonical face.
BOUNDS = (-8.6, -12.0, 8.6, 9.2)

#: Distance of the eye that looks at the face, in cm.
CAMERA = 70.0

# colours: light clay, so that colours of muscles can be told from it
_SKIN, _LIPS, _MOUTH, _TEETH = (0.86, 0.79, 0.74), (0.74, 0.52, 0.50), (0.24, 0.10, 0.10), (0.93, 0.91, 0.86)
_WHITE, _IRIS, _LIMBUS, _PUPIL = (0.96, 0.95, 0.93), (0.36, 0.45, 0.50), (0.16, 0.20, 0.24), (0.04, 0.04, 0.05)

_LIGHT = np.array([-0.35, 0.55, 0.85]) / math.sqrt(0.35**2 + 0.55**2 + 0.85**2)

# kinds of triangles
_OF_SKIN, _OF_LIPS, _OF_MOUTH, _OF_RIGHT_EYE, _OF_LEFT_EYE = range(5)


def view_rotation(azimuth: float, elevation: float) -> _Array:
    """Rotation (3, 3) that shows a face from its left (azimuth above 0) or above (elevation above 0), in degrees."""
    a, e = math.radians(-azimuth), math.radians(elevation)
    turn = np.array([[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]])
    tilt = np.array([[1, 0, 0], [0, math.cos(e), -math.sin(e)], [0, math.sin(e), math.cos(e)]])
    rotation: _Array = tilt @ turn
    return rotation


def project(points: ArrayLike, rotation: ArrayLike, *, perspective: bool = True) -> _Array:
    """Turn points (..., 3) about the middle of the head and bring them to the plane of the picture.

    Returns
    -------
    ndarray
        (..., 3): x and y in cm on the picture, and the depth towards the camera.
    """
    middle = np.array([0.0, -0.5, 0.0])
    turned: _Array = (np.asarray(points, np.float64) - middle) @ np.asarray(rotation, np.float64).T
    if perspective:
        turned[..., :2] *= (CAMERA / (CAMERA - turned[..., 2]))[..., None]
        # a face keeps its size
        turned[..., :2] *= (CAMERA - 4.0) / CAMERA
    turned += middle
    return turned


def render(
    points: ArrayLike,
    rotation: ArrayLike,
    creases: ArrayLike | None = None,
    *,
    perspective: bool,
    height: int,
    fine: int = 2,
) -> NDArray[np.uint8]:
    """Draw a face.

    Parameters
    ----------
    points
        (478, 3) in cm of the canonical face.
    rotation
        (3, 3) of the view.
    creases
        (20, 2) intensities that make lines in the skin.
    perspective
        Whether what is nearer is larger.
    height
        Of the picture, in pixels; the width follows from ``BOUNDS``.
    fine
        Each pixel is the mean of so many squared.

    Returns
    -------
    ndarray
        (height, width, 4) RGB and opacity, the top row first.
    """
    points, rotation = np.asarray(points, np.float64), np.asarray(rotation, np.float64)
    left, bottom, right, top = BOUNDS
    width = round(height * (right - left) / (top - bottom))
    scale = fine * height / (top - bottom)
    seen = project(points, rotation, perspective=perspective)
    screen = np.column_stack([(seen[:, 0] - left) * scale, (top - seen[:, 1]) * scale, seen[:, 2]])
    which, weights, depth = _rasterized(screen, width * fine, height * fine)
    outward = normals(points)
    colour = _shaded(points, outward, rotation, which, weights)

    def depth_at(places: _Array) -> _Array:
        column = np.clip(((places[:, 0] - left) * scale).astype(int), 0, width * fine - 1)
        row = np.clip(((top - places[:, 1]) * scale).astype(int), 0, height * fine - 1)
        found: _Array = depth[row, column]
        return found

    wrinkled = np.zeros((len(MOVEMENTS), len(SIDES))) if creases is None else np.asarray(creases, np.float64)
    turned = not np.array_equal(rotation, np.eye(3))
    drawn = strokes(seen, outward @ rotation[2], wrinkled, depth_at if turned else None)
    painted = _painted(colour, drawn, scale) / 255.0
    opacity = (which >= 0).astype(np.float64)
    shape = (height, fine, width, fine)
    cover = opacity.reshape(shape).mean(axis=(1, 3))
    mean = (painted * opacity[..., None]).reshape(*shape, 3).mean(axis=(1, 3)) / np.maximum(cover, 1e-9)[..., None]
    return np.round(255 * np.concatenate([mean, cover[..., None]], axis=-1)).astype(np.uint8)


def _painted(colour: _Array, drawn: Iterable[Stroke], scale: float) -> NDArray[np.uint8]:
    """Draw strokes on colours (height, width, 3), 0 to 1."""
    from PIL import Image, ImageDraw

    picture = Image.fromarray(np.round(255 * np.clip(colour, 0.0, 1.0)).astype(np.uint8))
    left, _, _, top = BOUNDS
    # those of one colour do not add up where they meet
    for paint, together in itertools.groupby(drawn, lambda stroke: stroke.colour):
        mask = Image.new("L", picture.size)
        brush = ImageDraw.Draw(mask)
        for stroke in together:
            places = [tuple(place) for place in ((stroke.points - (left, top)) * (scale, -scale)).tolist()]
            opacity = round(255 * stroke.opacity)
            if stroke.widths is None:
                brush.polygon(places, fill=opacity)
                continue
            widths = np.maximum(np.round(stroke.widths * scale), 1.0).astype(int).tolist()
            for (start, end), width in zip(itertools.pairwise(places), widths, strict=False):
                brush.line([start, end], fill=opacity, width=width)
                if width > 2:
                    brush.circle(end, width / 2, fill=opacity)
        picture.paste(paint, mask=mask)
    return np.asarray(picture)


@functools.cache
def _triangles() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """All triangles of the canonical mesh, also those that close eyes and mouth, and their kinds."""
    triangles = canonical_mesh().triangles
    kind = np.full(len(triangles), _OF_SKIN)
    kind[np.isin(triangles, LIPS.red).all(axis=1)] = _OF_LIPS
    kind[np.isin(triangles, LIPS.opening).all(axis=1)] = _OF_MOUTH
    kind[np.isin(triangles, RIGHT_EYE.opening).all(axis=1)] = _OF_RIGHT_EYE
    kind[np.isin(triangles, mirrored(RIGHT_EYE.opening)).all(axis=1)] = _OF_LEFT_EYE
    return triangles, kind


def _rasterized(screen: _Array, width: int, height: int) -> tuple[NDArray[np.intp], _Array, _Array]:
    """Which triangle is seen in each pixel (height, width), the weights (..., 3) of its corners, and the depth."""
    triangles, kind = _triangles()
    which = np.full((height, width), -1, np.intp)
    weights, depth = np.zeros((height, width, 3)), np.full((height, width), -np.inf)
    corners = screen[triangles]
    (x0, y0), (x1, y1), (x2, y2) = (corners[:, i, :2].T for i in range(3))
    # y goes down
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    low = np.clip(np.floor(corners[..., :2].min(axis=1) - 0.5).astype(int), 0, None)
    high = np.minimum(np.ceil(corners[..., :2].max(axis=1) + 0.5).astype(int), (width, height))
    behind = np.isin(kind, (_OF_MOUTH, _OF_RIGHT_EYE, _OF_LEFT_EYE)) * 0.02
    for i in np.flatnonzero((area < -1e-9) & (low < high).all(axis=1)).tolist():
        (left, top), (right, bottom) = low[i], high[i]
        x, y = np.arange(left, right) + 0.5, np.arange(top, bottom)[:, None] + 0.5
        w0 = ((x1[i] - x) * (y2[i] - y) - (x2[i] - x) * (y1[i] - y)) / area[i]
        w1 = ((x2[i] - x) * (y0[i] - y) - (x0[i] - x) * (y2[i] - y)) / area[i]
        w2 = 1.0 - w0 - w1
        z = w0 * corners[i, 0, 2] + w1 * corners[i, 1, 2] + w2 * corners[i, 2, 2] - behind[i]
        part = depth[top:bottom, left:right]
        inside = (w0 >= -1e-6) & (w1 >= -1e-6) & (w2 >= -1e-6) & (z > part)
        part[inside] = z[inside]
        which[top:bottom, left:right][inside] = i
        weights[top:bottom, left:right][inside] = np.stack([w0, w1, w2], axis=-1)[inside]
    return which, weights, depth


def _shaded(points: _Array, outward: _Array, rotation: _Array, which: NDArray[np.intp], weights: _Array) -> _Array:
    """Colours (height, width, 3), 0 to 1."""
    triangles, kind = _triangles()
    colour = np.ones((*which.shape, 3))
    seen = which >= 0
    index, weight = which[seen], weights[seen]
    place = np.einsum("nk,nkd->nd", weight, points[triangles[index]])
    normal = np.einsum("nk,nkd->nd", weight, outward[triangles[index]])
    normal = normal / np.linalg.norm(normal, axis=1, keepdims=True) @ rotation.T
    light = np.clip(normal @ _LIGHT, 0.0, 1.0)
    shade = 0.5 + 0.5 * light + 0.06 * normal[:, 2] - 0.12 * (1.0 - np.clip(normal[:, 2], 0, 1)) ** 2
    found = np.array(_SKIN) * shade[:, None]
    of = kind[index]
    lips = of == _OF_LIPS
    gloss = 0.12 * np.clip(normal[lips] @ _LIGHT, 0, 1) ** 12
    found[lips] = np.array(_LIPS) * shade[lips, None] + gloss[:, None]
    mouth = of == _OF_MOUTH
    found[mouth] = _mouth(place[mouth], points)
    for side, eye in enumerate((_OF_RIGHT_EYE, _OF_LEFT_EYE)):
        mine = of == eye
        found[mine] = _eye(place[mine], points[468 + 5 * side : 473 + 5 * side])
    colour[seen] = found
    return colour


def normals(points: _Array) -> _Array:
    """Directions (478, 3) that the skin faces at each vertex."""
    triangles = skin().triangles
    corners = points[triangles]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for i in range(3):
        np.add.at(normals, triangles[:, i], across)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.where(length > 0, length, 1.0), (0.0, 0.0, 1.0))


def _mouth(place: _Array, points: _Array) -> _Array:
    """Dark, with teeth that stay with the nose and with the chin."""
    upper = points[2, 1] - 2.42 + 0.05 * place[:, 0] ** 2
    lower = points[[148, 377], 1].mean() + 4.82 - 0.05 * place[:, 0] ** 2
    edge = np.clip(1.0 - (np.abs(place[:, 0]) / 2.0) ** 4, 0.0, 1.0)
    teeth = np.maximum(_step(place[:, 1] - upper), 0.85 * _step(lower - place[:, 1])) * edge
    colour: _Array = np.array(_MOUTH) + teeth[:, None] * (np.array(_TEETH) - np.array(_MOUTH)) * 0.92
    return colour


def _step(x: _Array) -> _Array:
    return np.clip(x / 0.06 + 0.5, 0.0, 1.0)


def _eye(place: _Array, iris: _Array) -> _Array:
    """White, iris, pupil and a light, on the ball whose iris has the given centre and edge (5, 3)."""
    forward = np.cross(iris[1] - iris[3], iris[2] - iris[4])
    length = float(np.linalg.norm(forward))
    if length == 0:
        forward, length = np.array([0.0, 0.0, 1.0]), 1.0
    forward = forward / length
    centre = iris[0] - EYEBALL * forward
    out = place[:, :2] - centre[:2]
    depth = np.sqrt(np.clip(EYEBALL**2 - (out**2).sum(axis=1), 0.05, None))
    normal = np.column_stack([out, depth]) / EYEBALL
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    distance = EYEBALL * np.sin(np.arccos(np.clip(normal @ forward, -1, 1)))
    shade = 0.72 + 0.28 * np.clip(normal[:, 2], 0, 1)
    colour = np.array(_WHITE) * shade[:, None]

    def paint(colour: _Array, with_: tuple[float, ...], part: _Array) -> _Array:
        return colour + part[:, None] * (np.array(with_) - colour)

    colour = paint(colour, _LIMBUS, _step(IRIS - distance))
    colour = paint(colour, _IRIS, np.clip((0.9 * IRIS - distance) / 0.12, 0, 1))
    colour = paint(colour, _PUPIL, _step(0.42 * IRIS - distance))
    bright = np.linalg.norm(place[:, :2] - (iris[0, :2] + (-0.17, 0.2)), axis=1)
    return paint(colour, (1, 1, 1), 0.9 * _step(0.11 - bright))
