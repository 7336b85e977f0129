"""The documented example of a detector of another package: installed, and used without a change in facearray."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

import facearray as fa
from facearray.errors import InputError, StructureError

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_detector"

pytestmark = pytest.mark.skipif(not EXAMPLE.exists(), reason="not a clone of the repository")


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder that the example is installed into, without a network."""
    folder = tmp_path_factory.mktemp("installed")
    source = shutil.copytree(EXAMPLE, folder / "source")  # building writes beside the sources
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    subprocess.run([*command, "--target", str(folder / "site"), str(source)], check=True)
    return folder / "site"


@pytest.fixture
def plugged(installed, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), *sys.path]))  # for workers


@pytest.fixture
def video(tmp_path) -> Path:
    """Ten frames, with a rectangle of the colour of skin in all but the first two."""
    frames = np.full((10, 40, 60, 3), (30, 90, 160), np.uint8)
    for i in range(2, 10):
        frames[i, 8:24, 3 * i : 3 * i + 20] = (220, 160, 120)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "60x40"]
    subprocess.run(
        [*command, "-r", "25", "-i", "-", "-c:v", "png", str(tmp_path / "walk.mkv")], input=frames.tobytes(), check=True
    )
    return tmp_path / "walk.mkv"


def check_walk(ds) -> None:
    face = ds.isel(video=0, face=0, frame=slice(10)).features
    x = face.sel(feature="FaceRectX").values
    np.testing.assert_array_equal(x, [np.nan, np.nan, *range(6, 30, 3)])
    for name, value in {"FaceRectY": 8, "FaceRectWidth": 20, "FaceRectHeight": 16, "FaceScore": 1}.items():
        np.testing.assert_array_equal(face.sel(feature=name).values[2:], value)
    np.testing.assert_allclose(face.sel(feature="redness").values[2:], 60 / 255, rtol=1e-6)
    assert ds.n_faces_found.values[0, :10].tolist() == [0, 0, *[1] * 8]
    assert ds.track_id.values[0, :10, 0].tolist() == [-1, -1, *[0] * 8]
    redness = ds.sel(feature="redness")
    assert (redness.group.item(), redness.description.item()) == (
        "other",
        "mean of red less green in the face, -1 to 1",
    )
    assert (ds.attrs["detector"], ds.attrs["detector_version"], str(ds.status.values[0])) == ("skin", "1", "done")


def test_example__is_known_by_its_name_and_gives_its_values(plugged, video, tmp_path):
    assert "skin" in fa.detectors.list()
    check_walk(fa.detect(video, tmp_path / "s.zarr", detector="skin", progress=False))
    check_walk(fa.detect_frames(video, detector="skin"))
    # the same command again has nothing to do, and another version of the detector is refused
    fa.detect(video, tmp_path / "s.zarr", detector="skin", progress=False)
    other = fa.detectors.load("skin")
    other.version = "2"
    with pytest.raises(StructureError, match="found detector_version '1'; expected '2'"):
        fa.detect(video, tmp_path / "s.zarr", detector=other, progress=False)


def test_example__on_a_worker(plugged, video, tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, scheduler_kwargs={"dashboard_address": "127.0.0.1:0"}) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        ds = fa.detect(video, tmp_path / "s.zarr", detector="skin", client=client, progress=False)
    check_walk(ds)


def test_example__options_that_it_has_not(plugged, video, tmp_path):
    def detect(**options):
        fa.detect(video, tmp_path / "s.zarr", detector="skin", progress=False, **options)

    with pytest.raises(InputError, match="found device='cuda'; detector 'skin' runs on 'cpu' only"):
        detect(device="cuda")
    with pytest.raises(InputError, match="found embedding=True; detector 'skin' computes none"):
        detect(embedding=True)
    assert not (tmp_path / "s.zarr").exists()
    detect(device="cpu", landmarks=False)
