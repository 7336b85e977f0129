"""What was found in each video."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from facearray import schema
from facearray.blocks import iter_blocks, real_frame_counts
from facearray.plot.report.section import note, section, table

__all__ = ["NEEDED", "video_table", "videos"]

#: Most rows of the table.
MAX_ROWS = 2000

NEEDED = ("video", "status", "fps", "duration", "error", "frame_number", "n_faces_found")


def video_table(ds: xr.Dataset) -> pd.DataFrame:
    """Say for each video what was found in it.

    Parameters
    ----------
    ds
        Detections.

    Returns
    -------
    pandas.DataFrame
        One row a video, with the columns ``status``, ``frames`` (those stored), ``faces found`` (over all frames,
        those beyond the slots included), ``detection rate`` (share of frames with a face; NaN without frames),
        ``fps`` (1/s), ``duration`` (s) and ``error``.

    Raises
    ------
    SchemaError
        If ``ds`` lacks a coordinate that the table needs.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> video_table(random_dataset(0)).frames.tolist()
    [6, 4, 0]
    """
    schema.validate(ds, variables=NEEDED)
    n = ds.sizes["video"]
    faces, with_face = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
    for block in iter_blocks(ds, variables=("n_faces_found",)):
        found = np.maximum(block.data["n_faces_found"], 0)  # the fill value after a video's frames is -1
        np.add.at(faces, block.videos, found.sum(axis=1))
        np.add.at(with_face, block.videos, (found > 0).sum(axis=1))
    n_frames = real_frame_counts(ds)
    with np.errstate(invalid="ignore"):
        rate = with_face / n_frames
    return pd.DataFrame(
        {
            "status": _texts(ds["status"]),
            "frames": n_frames,
            "faces found": faces,
            "detection rate": rate,
            "fps": ds["fps"].to_numpy().astype(float),
            "duration": ds["duration"].to_numpy().astype(float),
            "error": _texts(ds["error"]),
        },
        index=pd.Index(_texts(ds["video"]), name="video"),
    )


def _texts(array: xr.DataArray) -> list[str]:
    return [str(value) for value in array.to_numpy().tolist()]


def videos(found: pd.DataFrame) -> str:
    """Write the table, failed videos first."""
    failed_first = found.sort_values("status", key=lambda status: status != "failed", kind="stable")
    formatters = {
        "frames": lambda n: f"{n:,}",
        "faces found": lambda n: f"{n:,}",
        "detection rate": lambda rate: f"{100 * rate:.1f} %",
        "fps": lambda fps: f"{fps:.2f}",
        "duration": lambda seconds: f"{seconds:.2f} s",
    }
    about = (
        "Frames are those stored; faces found counts every face in them; the detection rate is the share of frames "
        "with at least one."
    )
    if len(found) > MAX_ROWS:
        about += f" The table shows {MAX_ROWS:,} of {len(found):,} videos, failed ones first."
    shown = failed_first.head(MAX_ROWS).reset_index()
    return section("Videos", table(shown, ("video", "status", "error"), formatters), note(about))
