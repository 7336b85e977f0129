"""The points of a face over the frame that they were found in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import selectors
from facearray.errors import InputError, VideoError
from facearray.plot import _style
from facearray.plot._style import look

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["landmarks", "read_frame"]

#: Longest side of the picture, in pixels.
SIDE = 560


def landmarks(
    ds: xr.Dataset,
    *,
    video: str | None = None,
    frame: int | None = None,
    image: bool = True,
    title: str | None = None,
) -> hv.Overlay:
    """Draw the landmarks of every face in one frame, over the video's own frame where it is at hand.

    Parameters
    ----------
    ds
        Detections with landmarks.
    video
        Label of the video, where there are several.
    frame
        Position along ``frame``; by default the first frame with a face, or the first one.
    image
        Whether to draw the frame itself: it is decoded from ``source``. Where that file is not there, or is no longer
        as long, points are drawn on a blank ground, and the heading says so. Pictures of faces are personal data.
    title
        Heading; by default the video and the time.

    Returns
    -------
    holoviews.Overlay
        Points in pixels of the source frame, with y downwards, and boxes where ``ds`` has them.

    Raises
    ------
    InputError
        If there are several videos and none is chosen, or the video or frame does not exist.
    SchemaError
        If ``ds`` has no landmarks.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_landmarks=4)
    >>> picture = landmarks(ds, frame=0)
    >>> sum(len(points) for points in picture.traverse(lambda element: element, ["Points"]))
    8
    """
    _style.load_backends()
    points = selectors.landmarks(ds)
    place = _place(ds, video)
    one = ds.isel(video=place) if place is not None else ds
    points = selectors.landmarks(one)
    at = _frame_position(one, points, frame)
    one = one.isel(frame=at).compute()
    points = selectors.landmarks(one).transpose("face", "landmark", "axis")
    picture = read_frame(one) if image else None
    width, height = _size(one, picture, points)
    elements = [_image(picture, width, height)] if picture is not None else []
    names = one["face"].to_numpy().tolist()
    for i, face in enumerate(names):
        elements += _face(one.isel(face=i), points.isel(face=i), face, i, several=len(names) > 1)
    scale = SIDE / max(width, height, 1)
    return look(
        _overlay(elements),
        size=(int(max(300, width * scale) + 90), int(max(240, height * scale) + 90)),
        title=title if title is not None else _title(one, at, blank=image and picture is None),
        xlabel="x (px)",
        ylabel="y (px)",
        xlim=(0, width),
        ylim=(0, height),
        invert_yaxis=True,
        legend_position="right",
        show_legend=len(names) > 1,
        bokeh={"data_aspect": 1},
        mpl={"aspect": "equal"},
    )


def _place(ds: xr.Dataset, video: str | None) -> int | None:
    if "video" not in ds.dims:
        return None
    labels = [str(label) for label in ds["video"].to_numpy().tolist()]
    if video is None:
        if len(labels) != 1:
            raise InputError(f"found {len(labels)} videos; expected one for one picture: choose with video='…'")
        return 0
    return _style.one_of("video", video, labels)


def _frame_position(one: xr.Dataset, points: xr.DataArray, frame: int | None) -> int:
    n = one.sizes["frame"]
    if frame is not None:
        if not 0 <= frame < n or int(one["frame_number"].isel(frame=frame)) < 0:
            n_real = int((one["frame_number"] >= 0).sum())
            raise InputError(f"found frame={frame}; expected the position of a real frame; there are {n_real} of them")
        return frame
    # a few frames at a time, because the first one with a face is usually near
    for start in range(0, n, 256):
        part = points.isel(frame=slice(start, start + 256))
        there = part.notnull().any([dim for dim in part.dims if dim != "frame"]).to_numpy()
        if there.any():
            return start + int(there.argmax())
    return 0


def read_frame(one: xr.Dataset) -> NDArray[np.uint8] | None:
    """Decode the frame (height, width, 3) of one video at one frame from its source, if the file is there.

    Parameters
    ----------
    one
        Detections without dims video and frame, with the coordinates ``source`` and ``frame_number``.
    """
    from facearray.detection.video import open_video

    source = str(one["source"].item()) if "source" in one.coords else ""
    number = int(one["frame_number"])
    if not source or number < 0 or not Path(source).is_file():
        return None
    try:
        with open_video(source, every=max(1, number)) as video:
            for frames, numbers, _ in video.batches(1):
                if int(numbers[0]) == number:
                    return np.asarray(frames[0])
    except VideoError:
        # a file that has been cut since has no such frame to show
        return None
    return None


def _size(one: xr.Dataset, picture: NDArray[np.uint8] | None, points: xr.DataArray) -> tuple[int, int]:
    """Width and height of the source frame; where unknown, what the points need."""
    if picture is not None:
        return picture.shape[1], picture.shape[0]
    if "width" in one.coords and int(one["width"]) > 0 and int(one["height"]) > 0:
        return int(one["width"]), int(one["height"])
    xy = points.isel(axis=slice(0, 2)).to_numpy().reshape(-1, 2)
    xy = xy[np.isfinite(xy).all(axis=1)]
    return (int(np.ceil(xy[:, 0].max())) + 1, int(np.ceil(xy[:, 1].max())) + 1) if len(xy) else (1, 1)


def _image(picture: NDArray[np.uint8], width: int, height: int) -> hv.RGB:
    import holoviews as hv

    # bounds are left, bottom, right, top; y goes down
    image = hv.RGB(picture[::-1], bounds=(0, 0, width, height), kdims=["x", "y"])
    return look(image, alpha=0.85)


def _face(one: xr.Dataset, points: xr.DataArray, face: Any, i: int, *, several: bool) -> list[Any]:
    import holoviews as hv

    xyz = points.to_numpy().astype(np.float64)
    there = np.isfinite(xyz[:, :2]).all(axis=1)
    number = np.flatnonzero(there)
    colour, marker = _style.group_style(i)
    label = f"face {face}" if several else ""
    dots = hv.Points((xyz[there, 0], xyz[there, 1], number), ["x", "y"], "landmark", label=label)
    elements = [
        look(
            dots,
            color=colour,
            marker=marker,
            marker_size=3,
            bokeh={
                "tools": ["hover"],
                "hover_tooltips": [("landmark", "@landmark"), ("x", "@x{0.0}"), ("y", "@y{0.0}")],
            },
            mpl={"linewidth": 0},
        )
    ]
    box = _box(one)
    if box is not None:
        left, top, width, height = box
        outline = hv.Path(
            [[(left, top), (left + width, top), (left + width, top + height), (left, top + height), (left, top)]],
            ["x", "y"],
        )
        elements.append(look(outline, color=colour, line_width=1.5))
    return elements


def _box(one: xr.Dataset) -> NDArray[np.float64] | None:
    names = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"]
    if "features" not in one or not set(names) <= set(one["feature"].to_numpy().tolist()):
        return None
    values = one["features"].sel(feature=names).to_numpy().astype(np.float64)
    return values if np.isfinite(values).all() else None


def _title(one: xr.Dataset, at: int, *, blank: bool) -> str:
    words = [_style.short(one["video"].item(), 40)] if "video" in one.coords else []
    seconds = float(one["timestamp"]) if "timestamp" in one.coords else float("nan")
    words.append(f"{seconds:.2f} s" if np.isfinite(seconds) else f"frame {at}")
    return " · ".join([*words, *(["its file is not here"] if blank else [])])


def _overlay(elements: list[Any]) -> hv.Overlay:
    import holoviews as hv

    return hv.Overlay(elements)
