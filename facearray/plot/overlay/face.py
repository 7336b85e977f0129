"""What is drawn where a face is: its box, its mesh, the axes of its head, where its eyes look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.plot.overlay.canvas import Canvas, Colour, text_width
from facearray.plot.overlay.mesh import EYES, IRISES, joints

__all__ = [
    "AXES",
    "COLOURS",
    "GAZE",
    "Face",
    "draw_box",
    "draw_gaze",
    "draw_mesh",
    "draw_pose",
    "gaze_on_screen",
    "head_axes",
]

#: Colours of faces: those of Okabe and Ito that can be seen on dark and on light frames.
COLOURS: tuple[Colour, ...] = (
    (86, 180, 233),
    (230, 159, 0),
    (0, 190, 140),
    (240, 228, 66),
    (224, 130, 180),
    (235, 110, 30),
)

#: Colours of the head's axes: to the image's right, up, and out of the face, of a head that looks at the camera.
AXES: tuple[Colour, ...] = ((230, 60, 60), (70, 200, 70), (70, 110, 255))

_OUT_OF_THE_FACE = 2

#: Colour of the direction of gaze.
GAZE: Colour = (255, 235, 60)

_DARK: Colour = (16, 16, 16)

#: Points of a face that has irises, and the sides that circles are drawn with.
_WITH_IRISES, _SIDES = 478, 16

#: Pixels of a face whose mesh is drawn as strongly as it gets.
_WELL_SEEN = 200


@dataclass(frozen=True, slots=True)
class Face:
    """What is known of one face in one frame.

    Attributes
    ----------
    values
        Feature → value; NaN where there is none.
    points
        (landmark, 2 or 3) in pixels; None where there are no landmarks.
    colour
        Of its box and mesh.
    name
        What it is called on its box; empty for nothing.
    """

    values: Mapping[str, float]
    points: NDArray[np.floating] | None
    colour: Colour
    name: str

    @property
    def box(self) -> NDArray[np.float64] | None:
        """Left, top, right and bottom edge of the box; None where there is none."""
        names = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
        left, top, width, height = (self.values.get(name, np.nan) for name in names)
        if not np.isfinite([left, top, width, height]).all():
            return None
        return np.array([left, top, left + width, top + height])

    @property
    def place(self) -> NDArray[np.float64] | None:
        """Edges of the box or, where there is none, of the points; None where neither is."""
        if (box := self.box) is not None:
            return box
        if self.points is None or not np.isfinite(self.points[:, :2]).all(axis=1).any():
            return None
        xy = self.points[:, :2]
        return np.concatenate([np.nanmin(xy, axis=0), np.nanmax(xy, axis=0)])

    @property
    def extent(self) -> float:
        """Mean of its width and height; 0 where it is not known."""
        place = self.place
        return 0.0 if place is None else float(place[2] - place[0] + place[3] - place[1]) / 2

    def angles(self, *names: str) -> NDArray[np.float64]:
        """Features in radians."""
        return np.radians([self.values.get(name, np.nan) for name in names])


def draw_box(canvas: Canvas, face: Face) -> None:
    """Draw the box, and the name above it or, where there is no room, inside."""
    box = face.box
    if box is None:
        return
    height = canvas.size[1]
    thick = _thickness(canvas)
    # what lies far outside cannot be drawn, and need not be
    left, top, right, bottom = np.clip(
        box, -2 * thick, np.repeat([canvas.size], 2, axis=0).ravel() + 2 * thick
    ).tolist()
    canvas.rectangle(left, top, right, bottom, face.colour, width=thick)
    if face.name:
        size = max(9.0, height / 45)
        tall = round(1.35 * size)
        place = top - tall if top >= tall else top
        canvas.rectangle(left, place, left + text_width(face.name, size) + round(0.7 * size), place + tall, face.colour)
        canvas.text(left + 0.35 * size, place + 0.08 * size, face.name, _DARK, size=size)


def draw_mesh(canvas: Canvas, face: Face) -> None:
    """Draw the points of the face and what joins them; without lines for their number, the points alone."""
    if face.points is None:
        return
    xy = face.points[:, :2]
    thick = _thickness(canvas)
    lines = joints(len(xy))
    if lines is None:
        canvas.dots(xy, face.colour, radius=max(1.0, 0.6 * thick))
        return
    # the smaller a face, the less of it may be covered
    fine = min(1.0, face.extent / _WELL_SEEN)
    if len(lines.net):
        canvas.lines(xy[lines.net], face.colour, width=max(1.0, thick / 2), opacity=0.4 * fine)
    circles = [_circle(xy[centre], xy[list(around)]) for centre, around in IRISES] if len(xy) == _WITH_IRISES else []
    canvas.lines(np.concatenate([xy[lines.contours], *circles]), face.colour, width=max(0.75, 0.7 * thick * fine))


def head_axes(angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """Directions of a head's axes in the picture.

    Parameters
    ----------
    angles
        Pitch, Roll and Yaw in radians.

    Returns
    -------
    ndarray
        (3, 3) the axis to the image's right, up, and out of the face of a head that looks at the camera, each as x (to
        the right), y (down) and z (towards the camera) now: the columns of Rz(Roll) Ry(Yaw) Rx(Pitch) with y turned
        over. NaN for angles that are no numbers.

    Examples
    --------
    >>> head_axes(np.radians([0.0, 0.0, 90.0])).round(3) + 0.0
    array([[ 0.,  0., -1.],
           [ 0., -1.,  0.],
           [ 1.,  0.,  0.]])
    """
    with np.errstate(invalid="ignore"):
        (cp, cr, cy), (sp, sr, sy) = np.cos(angles), np.sin(angles)
    one, zero = cp * 0 + 1, cp * 0
    pitch = np.array([[one, zero, zero], [zero, cp, -sp], [zero, sp, cp]])
    yaw = np.array([[cy, zero, sy], [zero, one, zero], [-sy, zero, cy]])
    roll = np.array([[cr, -sr, zero], [sr, cr, zero], [zero, zero, one]])
    axes: NDArray[np.float64] = (roll @ yaw @ pitch).T * (1.0, -1.0, 1.0)
    return axes


def draw_pose(canvas: Canvas, face: Face) -> None:
    """Draw the axes of the head from the middle of the face, the nearest last."""
    origin = _middle(face)
    axes = head_axes(face.angles("Pitch", "Roll", "Yaw"))
    if origin is None or not np.isfinite(axes).all():
        return
    thick = 1.2 * _thickness(canvas)
    for i in np.argsort(axes[:, 2]).tolist():
        end = origin + 0.55 * face.extent * axes[i, :2]
        canvas.lines(np.array([[origin, end]]), AXES[i], width=thick)
        if i == _OUT_OF_THE_FACE:
            # seen along itself, the axis is not to be seen
            canvas.dots(end[None], AXES[i], radius=1.6 * thick)


def gaze_on_screen(angles: NDArray[np.floating]) -> NDArray[np.float64]:
    """Direction of gaze in the picture.

    Parameters
    ----------
    angles
        gaze_pitch and gaze_yaw in radians.

    Returns
    -------
    ndarray
        (2,) x (to the right) and y (down) of the unit vector of that direction.

    Examples
    --------
    >>> gaze_on_screen(np.radians([0.0, 30.0])).round(3)
    array([0.5, 0. ])
    """
    with np.errstate(invalid="ignore", over="ignore"):
        down, right = np.tan(angles)
        direction: NDArray[np.float64] = np.array([right, down]) / np.sqrt(1 + down**2 + right**2)
    return direction


def draw_gaze(canvas: Canvas, face: Face) -> None:
    """Draw where the eyes look, as one line from each."""
    eyes = _eyes(face)
    direction = gaze_on_screen(face.angles("gaze_pitch", "gaze_yaw"))
    if eyes is None or not np.isfinite(direction).all():
        return
    thick = _thickness(canvas)
    ends = eyes + 0.8 * face.extent * direction
    canvas.lines(np.stack([eyes, ends], axis=1), GAZE, width=thick)
    canvas.dots(eyes, GAZE, radius=1.1 * thick)


def _circle(centre: NDArray[np.floating], around: NDArray[np.floating]) -> NDArray[np.floating]:
    """Lines (n, 2, 2) of the circle that lies as far from its centre as some points do."""
    radius = np.linalg.norm(around - centre, axis=1).mean()
    turns = np.linspace(0, 2 * np.pi, _SIDES + 1)
    corners = centre + radius * np.column_stack([np.cos(turns), np.sin(turns)])
    return np.stack([corners[:-1], corners[1:]], axis=1)


def _thickness(canvas: Canvas) -> int:
    # colours are kept for every other pixel only: thinner lines would lose theirs
    return max(2, round(min(canvas.size) / 300))


def _middle(face: Face) -> NDArray[np.float64] | None:
    if face.points is not None and np.isfinite(face.points[:, :2]).all():
        return np.asarray(face.points[:, :2].mean(axis=0), np.float64)
    place = face.place
    return None if place is None else np.asarray((place[:2] + place[2:]) / 2)


def _eyes(face: Face) -> NDArray[np.float64] | None:
    """Where the eyes are (2, 2); by the proportions of a face where there are no points that say it."""
    groups: Sequence[Sequence[int]] | None = None if face.points is None else EYES.get(len(face.points))
    if face.points is not None and groups is not None:
        return np.array([face.points[list(group), :2].mean(axis=0) for group in groups], np.float64)
    place = face.place
    if place is None:
        return None
    width, height = place[2:] - place[:2]
    return np.asarray(place[:2] + np.array([[0.3 * width, 0.4 * height], [0.7 * width, 0.4 * height]]))
