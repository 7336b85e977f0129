"""The face that is drawn from the numbers of one frame, as a small picture."""

from __future__ import annotations

import io

import numpy as np

from facearray.plot._face_lines import muscle_patches
from facearray.plot._face_surface import BOUNDS, normals, project, render
from facearray.plot._face_values import face_values
from facearray.plot.face import colour_limits, make_drawing, muscle_colours
from facearray.plot.viewer.recording import Recording

__all__ = ["drawn_face"]

#: Pixels of the picture, and how much of the skin shows through a muscle.
_HEIGHT, _OPACITY = 260, 0.72


def drawn_face(recording: Recording, position: int, face: int) -> bytes:
    """Draw what `facearray.plot.face` draws of a frame's action units, or else blendshapes, as a PNG picture.

    Raises
    ------
    InputError
        If there is no such value in the frame.
    """
    from PIL import Image, ImageDraw

    values = face_values(recording.ds["features"].isel(video=0, frame=position, face=face))
    drawing = make_drawing(values, "2d", 1.0)
    pixels = render(drawing.points, drawing.rotation, drawing.creases, perspective=drawing.perspective, height=_HEIGHT)
    picture = Image.fromarray(pixels, "RGBA")
    left, _, _, top = BOUNDS
    scale = _HEIGHT / (BOUNDS[3] - BOUNDS[1])
    low, high = colour_limits(values)
    colours = muscle_colours(signed=values.signed)
    muscles = Image.new("RGBA", picture.size)
    brush = ImageDraw.Draw(muscles)
    seen = project(drawing.points, drawing.rotation, perspective=drawing.perspective)
    facing = normals(drawing.points) @ drawing.rotation[2]
    for patch in muscle_patches(seen, facing, values.units):
        outline = (patch.outline - (left, top)) * (scale, -scale)
        level = float(np.clip((patch.value - low) / (high - low), 0.0, 1.0))
        colour = colours[round(level * (len(colours) - 1))]
        brush.polygon([tuple(point) for point in outline.tolist()], fill=f"{colour}{round(255 * _OPACITY):02x}")
    picture.alpha_composite(muscles)
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()
