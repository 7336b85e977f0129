"""Landmarks: where they are drawn, and the frame below them."""

from __future__ import annotations

import subprocess

import holoviews as hv
import imageio_ffmpeg
import numpy as np
import pytest

from facearray.errors import InputError, SchemaError
from facearray.plot import landmarks


@pytest.fixture
def film(tmp_path):
    """A video of 6 frames of 32 x 24 pixels, the n-th of brightness 40 n."""
    path = tmp_path / "film.mkv"
    frames = np.broadcast_to((40 * np.arange(6, dtype=np.uint8))[:, None, None, None], (6, 24, 32, 3))
    size = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "32x24", "-r", "25", "-i", "-", "-c:v", "png")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *size, "-f", "matroska", f"file:{path}"]
    subprocess.run(command, input=np.ascontiguousarray(frames).tobytes(), check=True)
    return path


def test_landmarks__are_drawn_where_they_are(ds):
    picture = ds.fex.plot.landmarks(video="b.mp4", frame=3)
    points = picture.Points.I
    wanted = ds.landmarks.sel(video="b.mp4").isel(frame=3, face=0).values
    np.testing.assert_array_equal(points.dimension_values("x"), wanted[:, 0])
    np.testing.assert_array_equal(points.dimension_values("y"), wanted[:, 1])
    assert points.dimension_values("landmark").tolist() == list(range(5))
    options = hv.Store.lookup_options("bokeh", picture, "plot").kwargs
    assert (options["xlim"], options["ylim"], options["invert_yaxis"]) == ((0, 640), (0, 480), True)
    assert options["title"] == "b.mp4 · 0.12 s · its file is not here"


def test_landmarks__first_frame_with_a_face_by_default(ds):
    picture = landmarks(ds.isel(video=[0]))
    wanted = ds.landmarks.isel(video=0, frame=1, face=0).values
    np.testing.assert_array_equal(picture.Points.I.dimension_values("x"), wanted[:, 0])


@pytest.mark.parametrize("number", [0, 1, 4])
def test_landmarks__over_the_frame_of_their_number(recordings, film, number):
    ds = recordings({"film.mkv": 6}, n_landmarks=3)
    ds = ds.assign_coords(source=("video", np.array([str(film)], dtype=np.dtypes.StringDType())))
    picture = landmarks(ds, frame=number)
    image = picture.RGB.I
    assert image.bounds.lbrt() == (0, 0, 32, 24)
    np.testing.assert_array_equal(image.dimension_values(2), 40 * number)
    assert "RGB" not in landmarks(ds, frame=number, image=False).children


def test_landmarks__the_top_row_of_the_frame_is_at_zero(recordings, tmp_path):
    from PIL import Image

    pixels = np.zeros((24, 32, 3), dtype=np.uint8)
    pixels[:4] = 255
    Image.fromarray(pixels).save(tmp_path / "p.png")
    ds = recordings({"p.png": 2}, n_landmarks=3).isel(frame=[0])
    ds = ds.assign_coords(source=("video", np.array([str(tmp_path / "p.png")], dtype=np.dtypes.StringDType())))
    image = landmarks(ds, frame=0).RGB.I
    red = image.dimension_values(2, flat=False)  # rows by ascending y
    np.testing.assert_array_equal(red, pixels[..., 0])


def test_landmarks__file_that_is_no_video_any_more(recordings, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    ds = recordings({"a.mp4": 6}, n_landmarks=3)
    ds = ds.assign_coords(source=("video", np.array([str(tmp_path / "a.mp4")], dtype=np.dtypes.StringDType())))
    picture = landmarks(ds)
    assert "its file is not here" in hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"]


def test_landmarks__boxes(recordings):
    names = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
    ds = recordings({"a": 6}, features=names, n_landmarks=3)
    x, y, w, h = ds.features.isel(video=0, frame=1, face=0).values.tolist()
    (corners,) = landmarks(ds).Path.I.split()
    np.testing.assert_allclose(corners.array(), [(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)], rtol=1e-6)


def test_landmarks__mistakes(ds):
    with pytest.raises(InputError, match="found 4 videos; expected one for one picture"):
        landmarks(ds)
    with pytest.raises(InputError, match=r"did you mean 'a.mp4'"):
        landmarks(ds, video="a.mp")
    with pytest.raises(InputError, match="found frame=25; expected the position of a real frame; there are 22 of them"):
        landmarks(ds, video="b.mp4", frame=25)
    with pytest.raises(SchemaError, match="landmarks=True"):
        landmarks(ds.drop_vars("landmarks"))
