"""The page as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import xarray as xr

from facearray import schema
from facearray.io.location import check_folder
from facearray.plot import _style
from facearray.plot._page import page
from facearray.plot.report.courses import courses
from facearray.plot.report.decoding import decoded
from facearray.plot.report.images import images as face_images
from facearray.plot.report.isc import correlations
from facearray.plot.report.methods import methods
from facearray.plot.report.section import paragraph
from facearray.plot.report.statistics import Study, effects, quality_and_exclusions, summary
from facearray.plot.report.videos import NEEDED, video_table, videos
from facearray.stats.sentences.numbers import counted

__all__ = ["write_report"]


def write_report(ds: xr.Dataset, path: str | os.PathLike[str], *, by: str | None = None, images: bool = False) -> Path:
    """Write a page on detections: quality, exclusions, summaries, effects, correlations, time courses and methods.

    The page is one file that asks for nothing over a network, and shows no pictures of faces unless it is asked to.
    Its size is bounded: it has the time courses of the first 20 videos with frames, the correlations of at most 200
    videos, and a table of at most 2,000 videos, failed ones first, and says so where that leaves something out. What
    these data do not allow, such as a regression of two videos, is named with the reason.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    path
        The file to write, usually ``….html``. One that exists is replaced.
    by
        Coordinate on ``video``, such as ``"condition"``: videos are summarized by it, action units are regressed on it,
        it is predicted from features of videos that the model has not seen, correlations of time courses are compared
        within and between its groups, and faces are tested for being lost more often in some groups.
    images
        Whether to show a frame of each of the first videos whose file is at hand. Pictures of faces are personal data.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    InputError
        If there is no coordinate `by`, or no folder for the file.
    SchemaError
        If ``ds`` is not what `facearray.open_store` gives.

    Examples
    --------
    >>> import tempfile
    >>> from facearray.testing import random_dataset
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(random_dataset(0), f"{folder}/report.html").name
    'report.html'
    """
    schema.validate(ds, variables=[*NEEDED, "features", "feature", "group", "unit", "timestamp"])
    path = Path(path)
    check_folder(path)
    _style.load_backends()
    # coordinates that every row is asked for are read once
    small = {("video",), ("feature",), ("face",)}
    ds = ds.assign_coords({name: c.load() for name, c in ds.coords.items() if c.dims in small})
    study = Study.of(ds, by)
    table = video_table(ds)
    tested, predicted, correlated = effects(study), decoded(study), correlations(study)
    parts = [
        "<h1>facearray report</h1>",
        paragraph(_in_short(ds, table)),
        videos(table),
        quality_and_exclusions(study, table),
        summary(study),
        tested,
        predicted,
        correlated,
        courses(ds, table),
        face_images(ds, table) if images else "",
        methods(study, tested, predicted, correlated),
    ]
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(page("facearray report", "\n".join(parts)), encoding="utf-8")
    partial.replace(path)
    return path


def _in_short(ds: xr.Dataset, table: pd.DataFrame) -> str:
    states = ", ".join(f"{n} {state}" for state, n in table["status"].value_counts().sort_index().items())
    parts = [f"{counted(len(table), 'video')} ({states})", counted(int(table["frames"].sum()), "frame")]
    if "detector" in ds.attrs:
        parts.append(f"detector {ds.attrs['detector']} {ds.attrs.get('detector_version', '')}".strip())
    return " · ".join(parts)
