"""Time courses of one video at a time, chosen from a menu."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from facearray import schema
from facearray.plot import _style
from facearray.plot._bars import bar_row, frame
from facearray.plot._page import bokeh_item, choice, still
from facearray.plot.raster import raster
from facearray.plot.report.section import note, section
from facearray.plot.timeseries import timeseries
from facearray.stats.sentences.numbers import counted

__all__ = ["courses"]

#: Most videos with time courses, and points of all time courses together (16 bytes each).
MAX_COURSES = 20
MAX_POINTS = 400_000

#: Columns of the action units' rows of colours.
MAX_COLUMNS = 200

#: Features with time courses; of the pose, the rotation.
SHOWN = (*schema.feature_names("aus", "emotions"), "Pitch", "Roll", "Yaw")


def courses(ds: xr.Dataset, table: pd.DataFrame) -> str:
    """Draw the first videos with frames, the longest one chosen in the beginning."""
    n_videos = int((table["frames"] > 0).sum())
    rows = np.flatnonzero(table["frames"].to_numpy() > 0)[:MAX_COURSES].tolist()
    if not rows:
        return section("Time courses", note("No video has frames, so there is nothing to draw."))
    about = "A gap in a line, and grey in a row, is a frame without a face. Click a name in a legend to hide its line."
    if len(rows) < n_videos:
        about += f" Time courses are those of the first {len(rows)} of {n_videos:,} videos with frames."
    names = set(ds["feature"].to_numpy().tolist())
    features = [name for name in SHOWN if name in names]
    n_courses = max(1, len(rows) * ds.sizes["face"] * len(features))
    max_points = int(np.clip(MAX_POINTS // n_courses, 150, 2000))
    items = ((str(i), _item(ds.isel(video=row), features, max_points)) for i, row in enumerate(rows))
    labels = [str(table.index[row]) for row in rows]
    longest = int(np.argmax(table["frames"].iloc[rows]))
    return section("Time courses", note(about), choice("course", [("Video", labels)], longest, items))


def _item(video: xr.Dataset, features: list[str], max_points: int) -> dict[str, Any]:
    real = np.flatnonzero(video["frame_number"].to_numpy() >= 0)
    # consecutive in a store; a range is read without the padding behind it
    part = video[["features"]].isel(frame=slice(int(real[0]), int(real[-1]) + 1)).sel(feature=features).load()
    found = part.isel(frame=real - real[0])
    has_face = found["features"].notnull().any("feature")
    n_with = int(has_face.any("face").sum())
    text = f"A face in {n_with:,} of {counted(len(real), 'frame')}."
    if not np.isfinite(found["timestamp"].to_numpy()).any():
        text += " Its frames have no times: read its file with fps= (--fps) to see them here."
        return {"text": text, "plots": []}
    plots = []
    for face in np.flatnonzero(has_face.any("frame")).tolist():
        heading = f"Face slot {face}" if found.sizes["face"] > 1 else ""
        plots.append({"heading": heading, "item": _drawn(found.isel(face=face), features, max_points)})
    return {"text": text, "plots": plots}


def _drawn(face: xr.Dataset, features: list[str], max_points: int) -> dict[str, Any]:
    """Draw time courses, the many of the action units as rows of colours; bars where there is one frame only."""
    if face.sizes["frame"] > 1:
        aus = [name for name in features if _style.field(face, name, "group") == "aus"]
        others = [name for name in features if name not in aus]
        panels: list[Any] = [raster(face, aus, max_columns=MAX_COLUMNS, title="aus")] if aus else []
        panels += list(timeseries(face, others, max_points=max_points)) if others else []
        return bokeh_item(_style.column([still(panel, {}) for panel in panels]))
    one = face["features"].isel(frame=0)
    panels = []
    for group, unit, names in _style.measures(features, one):
        measure = _style.dimension(group, unit)
        bars = bar_row(np.arange(len(names)), one.sel(feature=names).to_numpy(), 0.8, measure, {"feature": names})
        ylabel = _style.with_unit(group, unit)
        panels.append(frame([bars], names, title=group, ylabel=ylabel, size=(800, 280)))
    return bokeh_item(_style.column(panels))
