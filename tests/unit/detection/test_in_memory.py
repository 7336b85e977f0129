"""`fa.detect_frames`: whatever holds the frames, the numbers of `fa.detect`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from PIL import Image

import facearray as fa
from facearray.errors import DetectorError, InputError, VideoError
from facearray.schema import validate
from facearray.testing import FakeDetector

FAKE = FakeDetector()


@pytest.fixture
def frames() -> np.ndarray:
    """20 frames in lossless colours, of which the first are too dark to have a face."""
    values = np.zeros((20, 18, 34, 3), np.uint8)
    values[..., 0] = np.arange(20)[:, None, None]
    values[..., 1] = 4 * values[..., 0]
    return values


@pytest.fixture
def stored(ffmpeg, frames, tmp_path) -> tuple:
    """The same frames as a video, and what `fa.detect` finds in it."""
    video = ffmpeg(
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "34x18", "-r", 25, "-i", "pipe:"),
        *("-c:v", "png", "a.mkv"),
        stdin=frames.tobytes(),
    )
    ds = fa.detect(video, tmp_path / "s.zarr", detector=FAKE, progress=False)
    return video, ds.isel(frame=slice(20)).load()


def same_values(found: xr.Dataset, expected: xr.Dataset) -> None:
    validate(found)
    for name in ("features", "landmarks", "track_id", "n_faces_found", "frame_number"):
        np.testing.assert_array_equal(found[name].values, expected[name].values)


def test_detect_frames__array(frames, stored):
    ds = fa.detect_frames(frames, fps=25, detector=FAKE, batch_size=7)
    same_values(ds, stored[1])
    np.testing.assert_allclose(ds.timestamp.values[0], np.arange(20) / 25)
    assert (ds.fps.item(), ds.duration.item(), ds.width.item(), ds.height.item()) == (25, 0.8, 34, 18)
    assert (ds.video.item(), ds.source.item(), ds.status.item(), ds.n_frames.item()) == ("frames", "", "done", 20)
    assert ds.attrs == {key: stored[1].attrs[key] for key in ds.attrs}


def test_detect_frames__path(stored):
    video, expected = stored
    ds = fa.detect_frames(video, detector=FAKE)
    xr.testing.assert_equal(ds, expected)


@pytest.mark.parametrize(
    "form", ["torch", "channels first", "torch channels first", "torch of all strides", "read-only"]
)
def test_detect_frames__forms(frames, stored, form):
    given = {
        "torch": lambda: torch.from_numpy(frames),
        "channels first": lambda: np.moveaxis(frames, 3, 1),
        "torch channels first": lambda: torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous(),
        "torch of all strides": lambda: torch.from_numpy(frames[:, ::-1].copy()).flip(1).requires_grad_(False),
        "read-only": lambda: np.frombuffer(frames.tobytes(), np.uint8).reshape(frames.shape),
    }[form]()
    same_values(fa.detect_frames(given, detector=FAKE), stored[1])


@pytest.mark.parametrize("form", ["array", "batch", "channels first", "tensor", "picture"])
def test_detect_frames__single(frames, stored, form):
    frame = frames[9]
    given = {
        "array": frame,
        "batch": frame[None],
        "channels first": np.moveaxis(frame, 2, 0),
        "tensor": torch.from_numpy(frame),
        "picture": Image.fromarray(frame),
    }[form]
    ds = fa.detect_frames(given, detector=FAKE, label="ninth")
    assert (ds.video.item(), ds.sizes["frame"], ds.timestamp.item()) == ("ninth", 1, 0.0)
    np.testing.assert_array_equal(ds.features.values[0, 0], stored[1].features.values[0, 9])


def test_detect_frames__picture_as_its_file(tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 12, 3), dtype=np.uint8))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        of_picture = fa.detect_frames(opened, detector=FAKE, label="a.png")
    of_path = fa.detect_frames(tmp_path / "a.png", detector=FAKE)
    assert (of_picture.width.item(), of_picture.height.item()) == (8, 12)
    xr.testing.assert_equal(of_picture.drop_vars("source"), of_path.drop_vars("source"))


def test_detect_frames__without_a_rate_there_are_no_times(frames):
    ds = fa.detect_frames(frames, detector=FAKE, slots="first", max_faces=2)
    assert ds.timestamp.isnull().all()
    assert np.isnan(ds.fps.item())
    timed = fa.detect_frames(frames, detector=FAKE, slots="first", max_faces=2, fps=25)
    same_values(ds, timed)


def test_detect_frames__options(frames):
    ds = fa.detect_frames(frames, detector=FAKE, every=3, landmarks=False)
    assert ds.frame_number.values.tolist() == [list(range(0, 20, 3))]
    assert "landmarks" not in ds
    whole = fa.detect_frames(frames, detector=FAKE)
    np.testing.assert_array_equal(ds.features.values, whole.features.values[:, ::3])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.zeros((2, 8, 8, 3)), r"found float64 of shape \(2, 8, 8, 3\).*scale those from 0 to 1 by 255"),
        (torch.zeros((2, 3, 8, 8)), "found float32 of shape"),
        (np.zeros((8, 8), np.uint8), r"found uint8 of shape \(8, 8\); expected RGB in uint8"),
        (np.zeros((2, 8, 8, 4), np.uint8), "leave out the alpha channel"),
        (np.zeros((8, 8, 1), np.uint8), "repeat the grey channel three times"),
        (np.zeros((3, 8, 3), np.uint8), "channels may be on either of two axes"),
        (np.zeros((5, 3, 8, 3), np.uint8), "channels may be on either of two axes"),
        (np.zeros((0, 8, 8, 3), np.uint8), "which is no frame; expected at least one"),
        (np.zeros((8, 0, 3), np.uint8), "which is no frame"),
        ([np.zeros((8, 8, 3), np.uint8)], "found a list; expected .*numpy.stack"),
        (None, "found a NoneType"),
    ],
)
def test_detect_frames__no_frames(given, message):
    with pytest.raises(InputError, match=message):
        fa.detect_frames(given, detector=FAKE)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), "25"])
def test_detect_frames__rate_that_is_none(frames, fps):
    with pytest.raises(InputError, match=r"found fps=.*; expected frames a second, a positive number, or None"):
        fa.detect_frames(frames, fps=fps, detector=FAKE)


def test_detect_frames__a_file_has_its_own_times(stored):
    with pytest.raises(InputError, match="found fps=25 for a file; expected None"):
        fa.detect_frames(stored[0], fps=25, detector=FAKE)


def test_detect_frames__options_that_cannot_be_used(frames):
    with pytest.raises(InputError, match=r"(?s)max_faces=0.*every=0.*batch_size=-1"):
        fa.detect_frames(frames, max_faces=0, every=0, batch_size=-1, detector=FAKE)


def test_detect_frames__errors_are_raised(frames, tmp_path):
    class Broken(FakeDetector):
        def __call__(self, frames):
            raise RuntimeError("too bright")

    with pytest.raises(DetectorError, match="too bright"):
        fa.detect_frames(frames, detector=Broken())
    with pytest.raises(VideoError, match="there is no such file"):
        fa.detect_frames(tmp_path / "gone.mp4", detector=FAKE)
