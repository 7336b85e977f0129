"""JPEG pictures, read back."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from facearray.plot._jpeg import jpeg


@pytest.mark.parametrize("quality", [80, 85])
def test_jpeg__is_the_frame_and_smaller_where_it_is_worse(quality):
    frame = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8).repeat(16, axis=0).repeat(16, axis=1)
    data = jpeg(frame, quality)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (128, 96), "RGB")
        assert np.abs(np.asarray(image).astype(int) - frame).mean() < 20
    assert len(jpeg(frame, 30)) < len(data)
