from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facearray.detection.picture import probe_picture, read_picture
from facearray.errors import VideoError

RGB = np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG"])
def test_read_picture__lossless_formats(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(RGB).save(path)
    np.testing.assert_array_equal(read_picture(path), RGB)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_read_picture__lossy_formats(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.full((12, 20, 3), (200, 100, 50), np.uint8)).save(path, quality=95)
    np.testing.assert_allclose(read_picture(path), np.full((12, 20, 3), (200, 100, 50)), atol=6)


def test_probe_picture__goes_by_content(tmp_path):
    path = tmp_path / "a.mp4"
    Image.fromarray(RGB).save(path, format="PNG")
    info = probe_picture(path)
    assert (info.width, info.height, info.format) == (20, 12, "png")
    path.write_bytes(b"not a picture")
    assert probe_picture(path) is None
    with pytest.raises(VideoError, match="found no picture"):
        read_picture(path)


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_read_picture__exif_orientation(tmp_path, orientation, turns):
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(path, exif=exif)
    expected = np.rot90(RGB, turns)
    np.testing.assert_array_equal(read_picture(path), expected)
    info = probe_picture(path)
    assert (info.height, info.width) == expected.shape[:2]


def test_read_picture__modes(tmp_path):
    path = tmp_path / "a.png"
    grey = RGB[..., 0]
    grey_rgb = np.repeat(grey[..., None], 3, axis=2)

    Image.fromarray(grey).save(path)
    np.testing.assert_array_equal(read_picture(path), grey_rgb)
    Image.fromarray(grey.astype(np.uint16) * 257).save(path)
    np.testing.assert_array_equal(read_picture(path), grey_rgb)
    Image.fromarray(grey > 127).save(path)
    np.testing.assert_array_equal(read_picture(path), np.where(grey_rgb > 127, 255, 0))
    Image.fromarray(np.dstack([grey, grey])).save(path)
    np.testing.assert_array_equal(read_picture(path), grey_rgb)

    palette = Image.fromarray(RGB).quantize(16)
    palette.save(path, transparency=bytes(range(16)))
    np.testing.assert_array_equal(read_picture(path), np.asarray(palette.convert("RGB")))


def test_read_picture__alpha_is_dropped(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.dstack([RGB, np.zeros((12, 20), np.uint8)])).save(path)
    np.testing.assert_array_equal(read_picture(path), RGB)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_read_picture__values_without_range(tmp_path, dtype):
    path = tmp_path / "a.tif"
    Image.fromarray(RGB[..., 0].astype(dtype)).save(path)
    with pytest.raises(VideoError, match="expected 8 or 16 bits"):
        read_picture(path)


def test_read_picture__several_pages(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(RGB).save(path, save_all=True, append_images=[Image.fromarray(255 - RGB)])
    with pytest.raises(VideoError, match="several pages"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_read_picture__cut(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(VideoError, match="damaged or cut"):
        read_picture(path)


def test_read_picture__too_large(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    Image.fromarray(RGB).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for read in (probe_picture, read_picture):
        with pytest.raises(VideoError, match="too large"):
            read(path)


def test_probe_picture__animated_is_none(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(RGB).save(path, save_all=True, append_images=[Image.fromarray(255 - RGB)])
    assert probe_picture(path) is None
