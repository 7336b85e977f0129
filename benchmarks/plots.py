"""Speed of zooming into long time courses and of the report of a large study.

Zooming: `timeseries` of 10,000,000 points in memory (20 features of 500,000 frames, and one of 10,000,000), drawn by
Bokeh as a notebook shows it; a zoom is the event that a notebook sends, until the new points are in Bokeh's document.
Report: 1,000 videos of 300 frames in two conditions, read from a store, all sections. On a busy machine the seconds of
the processor say more than those of the clock. The last line is one JSON object.

    python -m benchmarks.plots [--points 10000000] [--videos 1000] [--frames 300]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import facearray as fa
from facearray import schema

QUICK = "--points 100000 --videos 20 --frames 60"
FIGURES = {
    "zoom_one_course.slowest": "<= 0.5",
    "zoom_20_courses.slowest": "<= 0.5",
    "report.seconds": "<= 60",
    "report.megabytes": "<= 20",
}


def detections(n_videos: int, n_frames: int, names: tuple[str, ...]) -> xr.Dataset:
    """Random walks of features from 0 to 1, with a gap."""
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(n_videos, n_frames, len(names))).astype("f4"), axis=1)
    values = (walk - walk.min(axis=1, keepdims=True)) / np.ptp(walk, axis=1, keepdims=True)
    values[:, n_frames // 2 : n_frames // 2 + 5] = np.nan
    number = np.broadcast_to(np.arange(n_frames, dtype="i4"), (n_videos, n_frames))
    text = np.dtypes.StringDType()
    return xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values[:, :, None])},
        {
            "video": np.array([f"{i:04}.mp4" for i in range(n_videos)], dtype=text),
            "feature": np.array(names, dtype=text),
            "n_frames": ("video", np.full(n_videos, n_frames, "i4")),
            "fps": ("video", np.full(n_videos, 25.0)),
            "duration": ("video", np.full(n_videos, n_frames / 25)),
            "width": ("video", np.full(n_videos, 640, "i4")),
            "height": ("video", np.full(n_videos, 480, "i4")),
            "frame_number": (("video", "frame"), number),
            "timestamp": (("video", "frame"), number / 25),
            "n_faces_found": (("video", "frame"), np.ones(number.shape, "i2")),
            "track_id": (("video", "frame", "face"), np.zeros((*number.shape, 1), "i4")),
        }
        | {
            name: ("video", np.array([value] * n_videos, dtype=text))
            for name, value in (("source", ""), ("status", "done"), ("error", ""))
        }
        | {
            field: ("feature", np.array([getattr(schema.FEATURES[n], field) for n in names], dtype=text))
            for field in ("group", "unit", "description")
        },
        {"facearray_schema": schema.SCHEMA_VERSION, "detector": "random"},
    )


def zoom_seconds(ds: xr.Dataset, features: str) -> dict[str, float]:
    """Seconds until the first picture, and the slowest and the median of zooms to a half, a tenth, a part in a
    thousand, and back."""
    import holoviews as hv

    hv.extension("bokeh")
    start = time.perf_counter()
    (panel,) = fa.plot.timeseries(ds, features)
    hv.renderer("bokeh").get_plot(panel)
    first = time.perf_counter() - start
    (stream,) = panel.streams
    end = float(ds.timestamp.max())
    taken: list[float] = []
    worked: list[float] = []
    for view in ((0, end / 2), (0.3 * end, 0.4 * end), (0.5 * end, 0.501 * end), (0, end)) * 3:
        start, begun = time.perf_counter(), time.process_time()
        stream.event(x_range=view)
        taken.append(time.perf_counter() - start)
        worked.append(time.process_time() - begun)
    drawn = len(panel[()].get(0))
    assert 0 < drawn <= 2000, drawn
    return {
        "first": round(first, 2),
        "slowest": round(max(taken), 3),
        "median": round(statistics.median(taken), 3),
        "slowest_processor": round(max(worked), 3),
    }


def report(n_videos: int, n_frames: int, folder: Path) -> dict[str, float]:
    """Seconds and megabytes of a report on a store."""
    names = (*schema.feature_names("aus", "emotions"), "FaceScore", "Pitch", "Roll", "Yaw")
    fa.save(detections(n_videos, n_frames, names), folder / "s.zarr")
    ds = fa.open_store(folder / "s.zarr")
    ds = ds.assign_coords(condition=("video", np.array(["good", "bad"])[np.arange(n_videos) % 2]))
    start, begun = time.perf_counter(), time.process_time()
    path = fa.plot.write_report(ds, folder / "r.html", by="condition")
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "processor_seconds": round(time.process_time() - begun, 1),
        "megabytes": round(path.stat().st_size / 1e6, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--frames", type=int, default=300)
    arguments = parser.parse_args()
    aus = schema.feature_names("aus")
    figures: dict[str, Any] = {"points": arguments.points}
    figures["zoom_one_course"] = zoom_seconds(detections(1, arguments.points, ("AU12",)), "AU12")
    figures["zoom_20_courses"] = zoom_seconds(detections(1, arguments.points // len(aus), aus), "aus")
    with tempfile.TemporaryDirectory() as folder:
        figures["report"] = {"videos": arguments.videos} | report(arguments.videos, arguments.frames, Path(folder))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
