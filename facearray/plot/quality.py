"""How well faces were found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.blocks import iter_blocks
from facearray.plot import _style
from facearray.plot._style import look

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["quality", "quality_table"]

#: Rotations of the head, and the parts of their values that are drawn as a line.
POSE, RANGE = ("Pitch", "Yaw"), (0.05, 0.95)

SIZE = (800, 220)


def quality_table(ds: xr.Dataset) -> pd.DataFrame:
    """Describe for each video and face how well it was found.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). They are read once, a few videos at a time.

    Returns
    -------
    pandas.DataFrame
        One row a video and face, in their order, with the columns ``video``, ``face``, ``frames`` (real ones),
        ``detection rate`` (share of them in which any feature has a value; NaN without frames), ``score`` (mean of
        ``FaceScore``), and for ``Pitch`` and ``Yaw``, in degrees, ``… median``, ``… 5 %`` and ``… 95 %``. Columns of
        features that ``ds`` does not have are left out.

    Raises
    ------
    SchemaError
        If ``ds`` does not follow the schema.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> quality_table(random_dataset(0)).columns.tolist()
    ['video', 'face', 'frames', 'detection rate', 'Yaw median', 'Yaw 5 %', 'Yaw 95 %']
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    known = [str(name) for name in ds["feature"].to_numpy().tolist()]
    n_video, n_face = ds.sizes["video"], ds.sizes["face"]
    n_frames, found = np.zeros(n_video, dtype=np.intp), np.zeros((n_video, n_face), dtype=np.intp)
    measured = [name for name in ("FaceScore", *POSE) if name in known]
    columns = {name: np.full((n_video, n_face), np.nan) for name in _columns(measured)}
    for block in iter_blocks(ds, split=False):
        values = block.data["features"]
        n_frames[block.videos] = block.n_frames
        found[block.videos] = (~np.isnan(values)).any(axis=-1).sum(axis=1)
        for name in measured:
            one = values[..., known.index(name)].astype(np.float64)
            there = np.logical_not(np.isnan(one).all(axis=1))
            for column, result in zip(_columns([name]), _described(name, one, there), strict=True):
                columns[column][block.videos] = result
    with np.errstate(invalid="ignore"):
        rate = found / n_frames[:, None]
    videos = [str(label) for label in ds["video"].to_numpy().tolist()]
    return pd.DataFrame(
        {
            "video": np.repeat(np.array(videos, dtype=object), n_face),
            "face": np.tile(ds["face"].to_numpy(), n_video),
            "frames": np.repeat(n_frames, n_face),
            "detection rate": rate.ravel(),
        }
        | {name: values.ravel() for name, values in columns.items()}
    )


def _columns(features: Sequence[str]) -> list[str]:
    names = []
    for name in features:
        names += ["score"] if name == "FaceScore" else [f"{name} median", f"{name} 5 %", f"{name} 95 %"]
    return names


def _described(name: str, values: NDArray[np.float64], there: Any) -> list[np.ndarray]:
    """Describe (n, n_frame, n_face) values over frames, where there are any."""
    if not there.any():
        return [np.full(there.shape, np.nan) for _ in _columns([name])]
    by_course = values.transpose(0, 2, 1)[there]
    parts = [np.nanmean(by_course, axis=1)] if name == "FaceScore" else np.nanquantile(by_course, (0.5, *RANGE), axis=1)
    found = []
    for part in parts:
        full = np.full(there.shape, np.nan)
        full[there] = part
        found.append(full)
    return found


def quality(ds: xr.Dataset, *, title: str | None = None) -> hv.Layout:
    """Draw how well faces were found in each video.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    title
        Heading of the first panel.

    Returns
    -------
    holoviews.Layout
        Linked panels with a point a video and face: the share of frames with a face, the mean score of the detector,
        and where the head points: the median of pitch and yaw, with a line from the 5 to the 95 % quantile. Panels of
        features that ``ds`` does not have are left out. Hovering shows the names of the videos; they stand along the
        axis where there are no more than 60.

    Raises
    ------
    SchemaError
        If ``ds`` does not follow the schema.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_faces=1)
    >>> len(quality(ds))
    2
    """
    _style.refuse_result_of("quality", ds, "verdict")
    _style.load_backends()
    table = quality_table(ds)
    videos = list(dict.fromkeys(table["video"])) if table["video"].is_unique else table["video"].tolist()
    faces = list(dict.fromkeys(table["face"].tolist()))
    videos = videos if len(faces) == 1 else table["video"].tolist()[:: len(faces)]
    x = np.repeat(np.arange(len(videos)), len(faces)) + np.tile(_offsets(len(faces)), len(videos))
    shown: list[tuple[str, str, tuple[float, float] | None]] = [
        ("detection rate", "share of frames with a face", (-0.03, 1.05))
    ]
    if "score" in table:
        shown.append(("score", "mean score of the face", (-0.03, 1.05)))
    shown += [(name, f"{name} (degree)", None) for name in POSE if f"{name} median" in table]
    return _style.column(
        [
            _panel(table, x, videos, *one, title if i == 0 else None, last=i == len(shown) - 1)
            for i, one in enumerate(shown)
        ]
    )


def _offsets(n: int) -> np.ndarray:
    return (np.arange(n) - (n - 1) / 2) * 0.6 / n


def _panel(
    table: pd.DataFrame,
    x: np.ndarray,
    videos: list[str],
    name: str,
    ylabel: str,
    limits: tuple[float, float] | None,
    title: str | None,
    *,
    last: bool,
) -> hv.Overlay:
    import holoviews as hv

    column = name if name in table else f"{name} median"
    measure = _style.dimension(column)
    elements: list[Any] = []
    if name in POSE:
        low, high = table[f"{name} 5 %"].to_numpy(), table[f"{name} 95 %"].to_numpy()
        lines = hv.Segments((x, low, x, high), ["position", measure, "position_end", f"{measure.name}_end"])
        elements.append(look(lines, color=_style.GREY, line_width=1.5))
    faces = list(dict.fromkeys(table["face"].tolist()))
    for i, face in enumerate(faces):
        which = (table["face"] == face).to_numpy()
        rows = table[which]
        points = hv.Scatter(
            (x[which], rows[column].to_numpy(), rows["video"].to_numpy(dtype=object), rows["frames"].to_numpy()),
            "position",
            [measure, "video", "frames"],
            label=f"face {face}" if len(faces) > 1 else "",
        )
        colour, marker = _style.group_style(i)
        hover = [("video", "@video"), (column, f"@{{{measure.name}}}{{0.000}}"), ("frames", "@frames")]
        elements.append(
            look(
                points,
                color=colour,
                marker=marker,
                marker_size=6,
                bokeh={"tools": ["hover"], "hover_tooltips": hover, "line_color": _style.DARK},
                mpl={"edgecolors": _style.DARK, "linewidth": 0.4},
            )
        )
    # of panels below each other the last one has the names
    named = len(videos) <= _style.MAX_TICKS
    ticks: Any = [(i, name if last else " ") for i, name in _style.ticks(videos)] if named else 8
    below = "" if named or not last else "video (in the order of the Dataset)"
    return look(
        hv.Overlay(elements),
        size=(SIZE[0], SIZE[1] + (70 if named and last else 0)),
        title=title or "",
        xlabel=below,
        ylabel=ylabel,
        xticks=ticks,
        xrotation=90 if named and last and len(videos) > 8 else 0,
        xlim=(-0.6, max(1, len(videos)) - 0.4),
        ylim=limits or (None, None),
        show_legend=len(faces) > 1,
        legend_position="right",
        # in print all panels are as wide as each other only if they are as high, too
        mpl={"fig_inches": (SIZE[0] / _style.PIXELS_PER_INCH, SIZE[1] / _style.PIXELS_PER_INCH)},
    )
