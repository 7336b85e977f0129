"""Pictures of faces, which a report has only on request."""

from __future__ import annotations

import base64
import html

import numpy as np
import pandas as pd
import xarray as xr

from facearray.plot._jpeg import jpeg
from facearray.plot.landmarks import read_frame
from facearray.plot.report.section import note, section

__all__ = ["images"]

#: Most pictures, their longest side in pixels, and their quality as JPEG.
MAX_IMAGES, SIDE, QUALITY = 12, 320, 80


def images(ds: xr.Dataset, table: pd.DataFrame) -> str:
    """Show the frame in the middle of those with a face, of the first videos, with the boxes of the faces."""
    rows = np.flatnonzero(table["faces found"].to_numpy() > 0)
    figures, missing = [], []
    for row in rows[:MAX_IMAGES].tolist():
        label = str(table.index[row])
        found = ds["n_faces_found"].isel(video=row).to_numpy() > 0
        middle = int(np.flatnonzero(found)[found.sum() // 2])
        one = ds.drop_vars("landmarks", errors="ignore").isel(video=row, frame=middle).load()
        picture = read_frame(one)
        if picture is None:
            missing.append(label)
            continue
        figures.append(_figure(picture, _boxes(one), label, float(one["timestamp"])))
    about = f"One frame of {len(figures)} of {len(table)} videos. Pictures of faces are personal data."
    if missing:
        about += f" The files of {len(missing)} videos are not here, or cannot be read."
    return section("Faces", note(about), "".join(figures))


def _boxes(one: xr.Dataset) -> list[list[float]]:
    names = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]
    if not set(names) <= set(one["feature"].to_numpy().tolist()):
        return []
    values = one["features"].sel(feature=names).transpose("face", "feature").to_numpy().astype(float)
    return [box for box in values.tolist() if np.isfinite(box).all()]


def _figure(picture: np.ndarray, boxes: list[list[float]], label: str, seconds: float) -> str:
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for x, y, width, height in boxes:
        draw.rectangle((x, y, x + width, y + height), outline="#E69F00", width=max(2, image.width // 200))
    image.thumbnail((SIDE, SIDE))
    data = jpeg(np.asarray(image.convert("RGB")), QUALITY)
    address = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    caption = html.escape(f"{label}, {seconds:.2f} s" if np.isfinite(seconds) else label)
    return f'<figure><img src="{address}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
