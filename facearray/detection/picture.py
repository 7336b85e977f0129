"""Pictures, read with Pillow."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from facearray.errors import VideoError

__all__ = ["PictureInfo", "probe_picture", "read_picture", "rgb_of"]

_FORMATS = ("BMP", "JPEG", "PNG", "TIFF", "WEBP")
_ANIMATED = ("PNG", "WEBP")
_PICTURES_IN_A_ROW = (".mjpeg", ".mjpg")
_SIDEWAYS = (5, 6, 7, 8)
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """Size of a picture as it is displayed, and its format in lower case."""

    width: int
    height: int
    format: str


def probe_picture(path: str | os.PathLike[str]) -> PictureInfo | None:
    """Read a picture's header; None if the content is not a still BMP, JPEG, PNG, TIFF or WebP picture.

    Raises
    ------
    VideoError
        If the picture has too many pixels to be opened safely (``PIL.Image.MAX_IMAGE_PIXELS``).
    """
    image = _open(path)
    if image is None:
        return None
    with image:
        width, height = image.size
        if image.getexif().get(ExifTags.Base.Orientation) in _SIDEWAYS:
            width, height = height, width
        return PictureInfo(width, height, str(image.format).lower())


def read_picture(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Decode a picture as (height, width, 3) RGB, as it is displayed.

    The EXIF orientation is applied. Greyscale and palettes become RGB, 16 bits are scaled to 8, and alpha is dropped
    (as it is when a video with alpha is decoded), so that transparent pixels show the colour that they hide.

    Raises
    ------
    VideoError
        If the content is no still picture, is cut or damaged, has several pages, or values without a known range
        (floating point, 32-bit integers).
    """
    image = _open(path)
    if image is None:
        raise VideoError("found no picture; expected a BMP, JPEG, PNG, TIFF or WebP file")
    with image:
        if image.format == "TIFF" and getattr(image, "n_frames", 1) > 1:
            raise VideoError("found a TIFF file with several pages; expected one; save each as a file of its own")
        return rgb_of(image)


def rgb_of(image: Image.Image) -> NDArray[np.uint8]:
    """Return an opened picture as :func:`read_picture` does that in a file.

    Raises
    ------
    VideoError
        If it is cut or damaged, or has values without a known range.
    """
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise VideoError(
            f"found a picture with pixels of mode {image.mode!r}; expected 8 or 16 bits; save it with one of them"
        )
    try:
        return _rgb(ImageOps.exif_transpose(image))
    except _BROKEN as error:
        raise VideoError(f"the picture is damaged or cut ({error}); copy or save it again") from error


def _open(path: str | os.PathLike[str]) -> Image.Image | None:
    try:
        image = Image.open(path, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise VideoError(f"the picture is too large ({error}); expected fewer pixels; make it smaller") from error
    except (UnidentifiedImageError, *_BROKEN):
        return None
    animated = image.format in _ANIMATED and getattr(image, "n_frames", 1) > 1
    if animated or Path(path).suffix.lower() in _PICTURES_IN_A_ROW:
        image.close()
        return None
    return image


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        grey = np.round(np.asarray(image).astype(np.float64) / 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if image.mode == "P":
        # Pillow warns about a palette with transparent entries unless it passes through RGBA.
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))
