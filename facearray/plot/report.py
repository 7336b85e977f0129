"""A self-contained page on a store: a table of the videos and their time courses, without pictures of faces."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from facearray import schema
from facearray.plot import _style
from facearray.plot.timeseries import timeseries

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["video_table", "write_report"]

#: Most videos with time courses, rows of the table, and points of all time courses together (16 bytes each).
MAX_COURSES = 50
MAX_ROWS = 2000
MAX_POINTS = 600_000

#: Features with time courses; of the pose, the rotation.
SHOWN = (*schema.feature_names("aus", "emotions"), "Pitch", "Roll", "Yaw")

NEEDED_BY_TABLE = ("video", "status", "fps", "duration", "error", "frame_number", "n_faces_found")


def video_table(ds: xr.Dataset) -> pd.DataFrame:
    """Say for each video what was found in it.

    Parameters
    ----------
    ds
        Detections.

    Returns
    -------
    object
        One row a video, with the columns ``status``, ``frames`` (those stored), ``faces found`` (over all frames,
        those beyond the slots included), ``detection rate`` (share of frames with a face; NaN without frames),
        ``fps`` (1/s), ``duration`` (s) and ``error``.

    Raises
    ------
    SchemaError
        If ``ds`` lacks a coordinate that the table needs.
    """
    schema.validate(ds, variables=NEEDED_BY_TABLE)
    rows = []
    for i in range(ds.sizes["video"]):
        video = ds.isel(video=i)
        found = video["n_faces_found"].to_numpy()[video["frame_number"].to_numpy() >= 0]
        rows.append(
            {
                "status": str(video["status"].item()),
                "frames": len(found),
                "faces found": int(found.sum()),
                "detection rate": float((found > 0).mean()) if len(found) else np.nan,
                "fps": float(video["fps"]),
                "duration": float(video["duration"]),
                "error": str(video["error"].item()),
            }
        )
    labels = pd.Index([str(label) for label in ds["video"].to_numpy()], name="video")
    return pd.DataFrame(rows, index=labels)


def write_report(ds: xr.Dataset, path: str | os.PathLike[str]) -> Path:
    """Write a page on detections: what was found in each video, and time courses of AUs, expressions and head pose.

    The page is one file that asks for nothing over a network, and shows no pictures of faces. Its size is bounded:
    it has the time courses of the first 50 videos with frames and a table of at most 2000 videos, failed ones
    first, and says so where that leaves something out.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    path
        The file to write, usually ``….html``. One that exists is replaced.

    Returns
    -------
    object
        The path.

    Raises
    ------
    SchemaError
        If ``ds`` is not what `facearray.open_store` gives.
    """
    schema.validate(ds, variables=[*NEEDED_BY_TABLE, "features", "feature", "group", "unit", "timestamp"])
    # Coordinates that every row is asked for are read once.
    ds = ds.assign_coords({name: c.load() for name, c in ds.coords.items() if c.dims in {("video",), ("feature",)}})
    table = video_table(ds)
    shown = np.flatnonzero(table["frames"].to_numpy() > 0)[:MAX_COURSES]
    page = Template(Path(__file__).with_name("report_template.html").read_text(encoding="utf-8")).substitute(
        bokeh=_bokeh_script(),
        summary=html.escape(_summary(ds, table)),
        table=_html_table(table),
        table_note=html.escape(_table_note(table)),
        courses_note=html.escape(_courses_note(table, len(shown))),
        options=_options(table.iloc[shown]),
        items="\n".join(_json_script(i, item) for i, item in enumerate(_items(ds, shown.tolist()))),
    )
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)
    return path


def _summary(ds: xr.Dataset, table: pd.DataFrame) -> str:
    states = ", ".join(f"{n} {state}" for state, n in table["status"].value_counts().sort_index().items())
    parts = [f"{_count(len(table), 'video')} ({states})", _count(int(table["frames"].sum()), "frame")]
    if "detector" in ds.attrs:
        parts.append(f"detector {ds.attrs['detector']} {ds.attrs.get('detector_version', '')}".strip())
    return " · ".join(parts)


def _options(table: pd.DataFrame) -> str:
    """Make the menu of the videos, the longest one chosen."""
    chosen = int(np.argmax(table["frames"])) if len(table) else -1
    return "".join(
        f'<option value="{i}"{" selected" * (i == chosen)}>{html.escape(label)}</option>'
        for i, label in enumerate(table.index)
    )


def _html_table(table: pd.DataFrame) -> str:
    failed_first = table.sort_values("status", key=lambda status: status != "failed", kind="stable")
    text = {
        "detection rate": lambda rate: f"{100 * rate:.1f} %",
        "fps": lambda fps: f"{fps:.2f}",
        "duration": lambda seconds: f"{seconds:.2f} s",
    }
    shown = failed_first.head(MAX_ROWS).reset_index()
    html_table: str = shown.to_html(index=False, escape=True, na_rep="-", formatters=text, border=0, classes="videos")
    return html_table


def _table_note(table: pd.DataFrame) -> str:
    note = (
        "Frames are those stored; faces found counts every face in them; the detection rate is the share of frames "
        "with at least one."
    )
    if len(table) > MAX_ROWS:
        note += f" The table shows {MAX_ROWS:,} of {len(table):,} videos, failed ones first."
    return note


def _courses_note(table: pd.DataFrame, n_shown: int) -> str:
    n_videos = int((table["frames"] > 0).sum())
    if n_shown == 0:
        return "No video has frames, so there is nothing to draw."
    note = "A gap in a line is a frame without a face. Click a name in a legend to hide its line."
    if n_shown < n_videos:
        note += f" Time courses are those of the first {n_shown} of {n_videos:,} videos with frames."
    return note


def _items(ds: xr.Dataset, rows: list[int]) -> list[dict[str, Any]]:
    """Make what the page shows of each video: a line of text, and the plots of every face in Bokeh's JSON."""
    names = set(ds["feature"].to_numpy().tolist())
    features = [name for name in SHOWN if name in names]
    n_courses = max(1, len(rows) * ds.sizes["face"] * len(features))
    max_points = int(np.clip(MAX_POINTS // n_courses, 150, 2000))
    return [_item(ds.isel(video=row), features, max_points) for row in rows]


def _item(video: xr.Dataset, features: list[str], max_points: int) -> dict[str, Any]:
    from bokeh.embed import json_item

    real = np.flatnonzero(video["frame_number"].to_numpy() >= 0)
    found = video[["features"]].isel(frame=real).sel(feature=features).load()
    has_face = found["features"].notnull().any("feature")
    n_with = int(has_face.any("face").sum())
    plots = [
        {"heading": f"Face slot {face}" if found.sizes["face"] > 1 else "", "item": json_item(_figure(one, max_points))}
        for face, one in ((face, found.isel(face=face)) for face in np.flatnonzero(has_face.any("frame")).tolist())
    ]
    return {"text": f"A face in {n_with:,} of {_count(len(real), 'frame')}.", "plots": plots}


def _figure(face: xr.Dataset, max_points: int) -> Any:
    """Draw time courses, or bars where there is one frame only."""
    import holoviews as hv

    features = face["feature"].to_numpy().tolist()
    drawn = _bars(face["features"]) if face.sizes["frame"] == 1 else timeseries(face, features, max_points=max_points)
    return hv.render(drawn, backend="bokeh")


def _bars(features: xr.DataArray) -> hv.Layout:
    import holoviews as hv

    def bars(group: str, unit: str, names: list[str]) -> hv.Bars:
        values = features.isel(frame=0).sel(feature=names).to_numpy()
        drawn = hv.Bars((names, values), "feature", group or "value")
        return _style.look(
            drawn,
            size=(800, 300),
            color=_style.COLOURS[0],
            xrotation=45,
            xlabel="",
            ylabel=_style.with_unit(group or "value", unit),
            title=group or "value",
            bokeh={"line_color": None, "tools": ["hover"], "axiswise": True},
        )

    return _style.column([bars(*one) for one in _style.measures(features["feature"].to_numpy().tolist(), features)])


def _json_script(i: int, item: dict[str, Any]) -> str:
    """Put an item where the page finds it; nothing inside can end the element."""
    text = json.dumps(item, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="item-{i}">{text}</script>'


def _bokeh_script() -> str:
    # Not from bokeh.resources: once Panel is imported, that names scripts of Panel's outside of the page.
    from bokeh.util.paths import bokehjs_path

    script = (bokehjs_path() / "js" / "bokeh.min.js").read_text(encoding="utf-8")
    return "<script>" + script.replace("</script", "<\\/script") + "</script>"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + "s" * (n != 1)
