"""Frames as JPEG pictures, for reports and the viewer."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

__all__ = ["jpeg"]


def jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    """Return a frame as the bytes of a JPEG picture.

    Parameters
    ----------
    frame
        (height, width, 3) red, green and blue.
    quality
        From 1 to 95, as in Pillow.

    Examples
    --------
    >>> jpeg(np.zeros((8, 8, 3), np.uint8), 80)[6:10]
    b'JFIF'
    """
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(frame).save(data, "JPEG", quality=quality)
    return data.getvalue()
