"""The default detector on videos as phones, cameras and editing programs make them: the same face in all of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import xarray as xr

import facearray as fa
from facearray.detection.detectors import load_detector


@pytest.fixture(scope="module")
def detector():
    return load_detector("mediapipe", device="cpu")


@pytest.fixture(scope="module")
def plain(detector, tmp_path_factory) -> xr.Dataset:
    folder = tmp_path_factory.mktemp("plain")
    return found(make(folder / "plain.mkv", ["-c:v", "ffv1"]), detector, folder)


def make(path: Path, options: list[str], *, picture: str = "null") -> Path:
    """Write two frames of a video with a face."""
    source = fa.datasets.sample_video("single_face")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(source), "-frames:v", "2", "-an"]
    subprocess.run([*command, "-vf", picture, *options, str(path)], check=True)
    return path


def found(path: Path, detector, folder: Path) -> xr.Dataset:
    ds = fa.detect(path, folder / "s.zarr", detector=detector, progress=False)
    assert ds["status"].values.tolist() == ["done"]
    return ds.isel(video=0, frame=slice(int(ds["n_frames"][0]))).load()


@pytest.mark.parametrize(
    ("picture", "options"),
    [
        ("null", ["-c:v", "ffv1", "-pix_fmt", "yuv420p10le"]),
        ("null", ["-c:v", "png", "-pix_fmt", "rgba"]),
        ("format=gray", ["-c:v", "ffv1", "-pix_fmt", "gray"]),
    ],
)
def test_face__in_any_pixel_format(plain, detector, tmp_path, picture, options):
    ds = found(make(tmp_path / "a.mkv", options, picture=picture), detector, tmp_path)
    np.testing.assert_array_equal(ds["n_faces_found"], [1, 1])
    # colour has little to do with where a face is
    apart = np.linalg.norm((ds["landmarks"] - plain["landmarks"]).values[..., :2], axis=-1)
    assert apart.mean() < 1


def test_face__in_a_portrait_video_of_a_phone(plain, detector, tmp_path):
    lying = make(tmp_path / "lying.mp4", ["-c:v", "libx264", "-qp", "10"], picture="transpose=clock")
    phone = tmp_path / "phone.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-display_rotation", "90", "-i", str(lying)]
    subprocess.run([*command, "-c", "copy", str(phone)], check=True)
    ds = found(phone, detector, tmp_path)
    assert (int(ds["width"]), int(ds["height"])) == (640, 360)
    apart = np.linalg.norm((ds["landmarks"] - plain["landmarks"]).values[..., :2], axis=-1)
    assert apart.mean() < 1


@pytest.mark.parametrize("max_faces", [1, 3])
@pytest.mark.parametrize("size", ["1x1", "16x16", "640x360"])
def test_no_face__in_frames_of_one_colour(detector, tmp_path, size, max_faces):
    path = tmp_path / "a.mkv"
    color = f"color=c=orange:size={size}:rate=25:duration=0.08"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", color, "-c:v", "png", str(path)]
    subprocess.run(command, check=True)
    ds = fa.detect(path, tmp_path / "s.zarr", max_faces=max_faces, progress=False)
    assert ds["n_faces_found"].values[0, :2].tolist() == [0, 0]
    assert ds.sizes["face"] == max_faces
    assert (ds["track_id"] == -1).all()
    assert ds["features"].isnull().all()
