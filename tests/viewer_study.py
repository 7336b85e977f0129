"""A small study to look at: videos whose frames and numbers are known, and some that are not as they should be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import xarray as xr

from facearray import schema

STRING = np.dtypes.StringDType()
FEATURES = (
    "FaceRectX",
    "FaceRectY",
    "FaceRectWidth",
    "FaceRectHeight",
    "FaceScore",
    "Yaw",
    "AU06",
    "AU12",
    "happiness",
)
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>.mp4"
N_FRAMES, RATE, WIDTH, HEIGHT = 40, 25, 160, 96

#: Label → whether there is a video, and the status of the row.
VIDEOS = {
    "a.mkv": (True, "done"),
    "b.mkv": (True, "done"),
    "c.mkv": (True, "done"),
    HOSTILE: (True, "done"),
    "missing.mkv": (False, "done"),
    "broken.mkv": (True, "done"),
    "failed.mkv": (False, "failed"),
    "pending.mkv": (False, "pending"),
}


def level(i: int) -> int:
    """Brightness of every pixel of frame i."""
    return 6 * i


def write_video(path: Path, n_frames: int = N_FRAMES, *options: object) -> None:
    """Write a lossless video in which frame i has the brightness `level(i)`."""
    grey = np.array([level(i) for i in range(n_frames)], np.uint8)[:, None, None, None]
    frames = np.broadcast_to(grey, (n_frames, HEIGHT, WIDTH, 3))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{WIDTH}x{HEIGHT}", "-r", str(RATE), "-i", "-", *(map(str, options or ("-c:v", "png")))]
    subprocess.run([*command, f"file:{path}"], input=np.ascontiguousarray(frames).tobytes(), check=True)


def detections(folder: Path) -> xr.Dataset:
    """Make up what was found in the videos: five points in a row, which move to the right, and smooth features."""
    labels = list(VIDEOS)
    n = len(labels)
    there = np.array([state == "done" for _, state in VIDEOS.values()])
    position = np.arange(N_FRAMES)
    real = np.broadcast_to(there[:, None], (n, N_FRAMES))
    face = real & (position != 7)
    rng = np.random.default_rng(0)
    phase = np.arange(n)[:, None, None] / 3 + np.arange(len(FEATURES)) / 7
    values = 0.5 + 0.4 * np.sin(position[:, None] / 5 + phase) + 0.02 * rng.normal(size=(n, N_FRAMES, len(FEATURES)))
    values[..., :4] = 40, 20, 60, 50
    points = np.zeros((n, N_FRAMES, 5, 3))
    points[..., 0] = 50 + 8 * np.arange(5) + position[:, None] / 2
    points[..., 1] = 45
    dims = ("video", "frame", "face")
    texts = {
        "source": [
            str(folder / label.replace("/", "_")) if not label.startswith("<") else str(folder / "hostile.mkv")
            for label in labels
        ],
        "status": [state for _, state in VIDEOS.values()],
        "error": ["it cannot be opened" if state == "failed" else "" for _, state in VIDEOS.values()],
        "condition": ["good" if i % 2 else "bad" for i in range(n)],
    }
    ds = xr.Dataset(
        {
            "features": ((*dims, "feature"), np.where(face[..., None], values, np.nan)[:, :, None].astype("f4")),
            "landmarks": (
                (*dims, "landmark", "axis"),
                np.where(face[..., None, None], points, np.nan)[:, :, None].astype("f4"),
            ),
        },
        coords={
            "video": np.array(labels, dtype=STRING),
            "feature": np.array(FEATURES, dtype=STRING),
            "axis": np.array(["x", "y", "z"], dtype=STRING),
            "n_frames": ("video", np.where(there, N_FRAMES, 0).astype("i4")),
            "fps": ("video", np.where(there, float(RATE), np.nan)),
            "width": ("video", np.full(n, WIDTH, "i4")),
            "height": ("video", np.full(n, HEIGHT, "i4")),
            "duration": ("video", np.where(there, N_FRAMES / RATE, np.nan)),
            "frame_number": (dims[:2], np.where(real, position, -1).astype("i4")),
            "timestamp": (dims[:2], np.where(real, position / RATE, np.nan)),
            "n_faces_found": (dims[:2], np.where(real, face, -1).astype("i2")),
            "track_id": (dims, np.where(face, 0, -1).astype("i4")[..., None]),
        }
        | {name: ("video", np.array(values, dtype=STRING)) for name, values in texts.items()}
        | {
            name: ("feature", np.array([getattr(schema.FEATURES[f], name) for f in FEATURES], dtype=STRING))
            for name in ("group", "unit", "description")
        },
        attrs={"facearray_schema": schema.SCHEMA_VERSION, "detector": "<script>alert(3)</script>"},
    )
    turns = np.full((n, N_FRAMES), "", dtype=STRING)
    turns[real & (position >= 10) & (position < 20)] = "<b>ann</b>"
    ds = ds.assign_coords(speaker=(dims[:2], turns))
    schema.validate(ds)
    return ds


def make_study(folder: Path) -> Path:
    """Write the videos and the store; return its path."""
    import facearray as fa

    videos = folder / "videos"
    videos.mkdir(parents=True)
    write_video(videos / "a.mkv")
    for name in ("b.mkv", "c.mkv", "hostile.mkv"):
        (videos / name).write_bytes((videos / "a.mkv").read_bytes())
    (videos / "broken.mkv").write_bytes(b"no video")
    return Path(fa.save(detections(videos), folder / "study.zarr"))
