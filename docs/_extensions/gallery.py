"""The galleries: what their examples draw as images, and detections where the study's files cannot be fetched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import facearray as fa
from facearray import schema
from facearray.errors import AssetError

#: Files of the study beside the checkout, where there are any.
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

#: Where examples put what they write.
WRITTEN = Path(__file__).resolve().parents[2] / "build" / "examples"

#: Examples that need machines of their own; pages on clusters and detectors show them.
NOT_SHOWN = ("slurm", "several_gpus", "means_of_videos")

#: Examples that say what was found in the clips of good and bad news.
OF_THE_STUDY = ("from_pyfeat", "good_bad_news", "human_coders", "object_store", "own_au_map", "quality_first")


def scraper(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:  # noqa: ARG001
    """Save what a block of code called `picture`, or copy the file that it names."""
    from sphinx_gallery.scrapers import figure_rst

    picture = block_vars["example_globals"].pop("picture", None)
    if picture is None:
        return ""
    path = Path(next(block_vars["image_path_iterator"]))
    if isinstance(picture, Path):
        path = path.with_suffix(picture.suffix)
        shutil.copyfile(picture, path)
    else:
        fa.plot.save(picture, path, dpi=110)
    return str(figure_rst([path], gallery_conf["src_dir"]))


def order(file_name: str) -> tuple[bool, str]:
    """Sort the whole study before everything else."""
    return file_name != "good_bad_news.py", file_name


def prepare(gallery_conf: dict[str, Any], file_name: str) -> None:  # noqa: ARG001
    """Use the study in a process that runs examples, too: it has not read the configuration."""
    use_study()


def use_study() -> bool:
    """Let the examples draw the clips of good and bad news; without them, random walks of the same form.

    Returns whether the clips are here.
    """
    os.environ.setdefault("EXAMPLES_FOLDER", str(WRITTEN))
    if (SHARED / "good_bad_news").is_dir():
        os.environ.setdefault("FACEARRAY_ASSETS", str(SHARED))
    try:
        fa.datasets.good_bad_news()
    except AssetError:
        fa.datasets.good_bad_news = made_up
        return False
    return True


def made_up() -> xr.Dataset:
    """Random walks in 20 videos of two conditions, with a face mesh."""
    rng = np.random.default_rng(0)
    names = ("Pitch", "Roll", "Yaw", *schema.feature_names("facebox", "aus", "emotions"))
    n_frames = rng.integers(14, 40, 20)
    number = np.where(np.arange(40) < n_frames[:, None], np.arange(40), -1).astype("i4")
    walk = np.cumsum(rng.normal(scale=0.05, size=(20, 40, 1, len(names))), axis=1) + 0.4
    values = np.where(number[..., None, None] >= 0, np.clip(walk, 0, 1), np.nan).astype("f4")
    points = rng.normal(300, 60, (478, 3)) + rng.normal(scale=5, size=(20, 40, 1, 1, 3))
    points = np.where(number[..., None, None, None] >= 0, points, np.nan).astype("f4")
    dims, text = ("video", "frame", "face"), np.dtypes.StringDType()
    return xr.Dataset(
        {"features": ((*dims, "feature"), values), "landmarks": ((*dims, "landmark", "axis"), points)},
        {
            "video": np.array([f"{i:03}.mp4" for i in range(1, 21)], dtype=text),
            "feature": np.array(names, dtype=text),
            "axis": np.array(["x", "y", "z"], dtype=text),
            "n_frames": ("video", n_frames.astype("i4")),
            "condition": ("video", np.repeat(["goodNews", "badNews"], 10)),
            "frame_number": (dims[:2], number),
            "timestamp": (dims[:2], np.where(number >= 0, number / 12.5, np.nan)),
            "n_faces_found": (dims[:2], np.where(number >= 0, 1, -1).astype("i2")),
        },
    )
