"""Small videos whose content is known, and stores as bytes."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from object_store import BUCKET, object_store


@pytest.fixture
def make_video(tmp_path):
    """Return a function that writes a video whose n-th frame is grey of brightness 10 n + `offset`, modulo 250."""

    def make(name: str, n_frames: int = 20, *, offset: int = 0, size: str = "32x24", fps: int = 25) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        width, height = map(int, size.split("x"))
        frames = np.broadcast_to(
            brightness(n_frames, offset).astype(np.uint8)[:, None, None, None], (n_frames, height, width, 3)
        )
        subprocess.run(
            [
                *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"),
                *(
                    "-s",
                    size,
                    "-r",
                    str(fps),
                    "-i",
                    "-",
                    "-c:v",
                    "png",
                    "-fflags",
                    "+bitexact",
                    "-f",
                    "matroska",
                    f"file:{path}",
                ),
            ],
            input=np.ascontiguousarray(frames).tobytes(),
            check=True,
        )
        return path

    return make


def brightness(n_frames: int, offset: int = 0) -> np.ndarray:
    return (10 * np.arange(n_frames) + offset) % 250


@pytest.fixture
def expected_au12():
    """Return a function that gives what the fake detector finds in a made video: NaN in frames that are too dark."""

    def expected(n_frames: int, offset: int = 0) -> np.ndarray:
        level = brightness(n_frames, offset) / 255
        return np.where(level >= 0.02, level, np.nan).astype(np.float32)

    return expected


@pytest.fixture
def contents():
    """Return a function that reads all files of a store as {relative path: bytes}."""

    def read(store: Path) -> dict[str, bytes]:
        return {p.relative_to(store).as_posix(): p.read_bytes() for p in sorted(store.rglob("*")) if p.is_file()}

    return read


@pytest.fixture(scope="session")
def s3():
    """Give a proxy in front of an S3 server, the options that reach it, and the server's file system."""
    pytest.importorskip("moto", reason="needs moto, the S3 server of the tests")
    s3fs = pytest.importorskip("s3fs", reason="needs the extra s3")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with object_store() as (proxy, options):
        fs = s3fs.S3FileSystem(**options, skip_instance_cache=True)
        fs.mkdir(BUCKET)
        yield proxy, options, fs
