"""Videos made by ffmpeg for the tests."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest


@pytest.fixture
def ffmpeg(tmp_path) -> Callable[..., Path]:
    """Run ffmpeg with arguments; the last one is the name of the file to make in the test's folder."""

    def run(*arguments: object, stdin: bytes | None = None) -> Path:
        *rest, name = arguments
        path = tmp_path / str(name)
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *map(str, rest)]
        if stdin is not None:
            command.remove("-nostdin")
        subprocess.run([*command, f"file:{path}"], input=stdin, check=True)
        return path

    return run


@pytest.fixture
def make_video(ffmpeg) -> Callable[..., Path]:
    """Make a test picture in motion, of 25 frames a second unless the options of the encoder say otherwise."""

    def make(name: str, *options: object, size: str = "96x64", seconds: float = 2, audio: bool = False) -> Path:
        inputs = ["-f", "lavfi", "-i", f"testsrc=size={size}:rate=25:duration={seconds}"]
        if audio:
            inputs += ["-f", "lavfi", "-i", f"sine=duration={seconds}"]
        return ffmpeg(*inputs, *options, name)

    return make


@pytest.fixture
def numbered_video(ffmpeg) -> Callable[..., Path]:
    """Make a lossless video in which every pixel of frame i is (i, 255 - i, 7)."""

    def make(name: str, n_frames: int, *options: object, width: int = 34, height: int = 18) -> Path:
        pixels = np.zeros((n_frames, height, width, 3), np.uint8)
        pixels[..., 0] = np.arange(n_frames)[:, None, None]
        pixels[..., 1] = 255 - pixels[..., 0]
        pixels[..., 2] = 7
        return ffmpeg(
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", 25, "-i", "pipe:"),
            *("-c:v", "png", *options, name),
            stdin=pixels.tobytes(),
        )

    return make
