"""What a report computes: quality, exclusions, summaries, effects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from facearray import stats
from facearray.plot.bars import bars
from facearray.plot.coefficients import coefficients
from facearray.plot.quality import quality
from facearray.plot.report.section import (
    details,
    listing,
    note,
    paragraph,
    picture,
    section,
    table,
    unless_impossible,
)
from facearray.stats.units import levels, video_coordinate

__all__ = ["REGRESSION", "Study", "effects", "quality_and_exclusions", "summary"]

#: Videos up to which each one is a point over the bars.
MAX_POINTS = 150

#: Features that are summarized, where there are any.
GROUPS = ("aus", "emotions")

CORRECTION = "fdr_bh"

#: What the page calls it where data do not allow it.
REGRESSION = "A regression"


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """What a report is about.

    Attributes
    ----------
    ds
        Detections.
    by
        Coordinate on ``video`` that groups the videos, or None.
    groups
        Groups of features that there are, of those that are summarized.
    """

    ds: xr.Dataset
    by: str | None
    groups: tuple[str, ...]

    @classmethod
    def of(cls, ds: xr.Dataset, by: str | None) -> Study:
        """Check the coordinate, and look which features there are.

        Raises
        ------
        InputError
            If there is no such coordinate.
        """
        if by is not None:
            video_coordinate(ds, by)
        there = {str(group) for group in ds["group"].to_numpy().tolist()}
        return cls(ds, by, tuple(group for group in GROUPS if group in there))

    @property
    def n_groups(self) -> int:
        """Groups of videos; 0 without a coordinate."""
        return len(levels(video_coordinate(self.ds, self.by))[0]) if self.by is not None else 0


def quality_and_exclusions(study: Study, found: pd.DataFrame) -> str:
    """Draw how well faces were found, and list what statistics leave out."""
    if not (found["frames"] > 0).any():
        return ""
    lost = [
        f"{label}: {row.status}{f', {row.error}' if row.error else ''}"
        for label, row in found.iterrows()
        if row.status != "done"
    ]
    return section(
        "Quality and exclusions",
        picture("quality", quality(study.ds)),
        note("Lines go from the 5 to the 95 % quantile over frames. Hover over a point for the name of the video."),
        unless_impossible("The exclusion of videos", lambda: _excluded(study.ds)),
        details(f"{len(lost)} videos are not done", listing(lost)) if lost else "",
        unless_impossible("A test of missing faces", lambda: _missingness(study)) if study.by is not None else "",
    )


def _excluded(ds: xr.Dataset) -> str:
    excluded = list(stats.summarize(ds, ("mean",), features=_any_feature(ds)).attrs["excluded"])
    if not excluded:
        return paragraph("No video is excluded: each has a face in at least half of its frames.")
    about = (
        f"{len(excluded)} of {ds.sizes['video']} videos are excluded from statistics, which need a face in at least "
    )
    return paragraph(about + "half of a video's frames:") + listing(excluded)


def _any_feature(ds: xr.Dataset) -> list[str]:
    return [str(ds["feature"].to_numpy()[0])]


def _missingness(study: Study) -> str:
    result = stats.missingness(study.ds, str(study.by))
    rates = [
        f"{label} {100 * rate:.1f} % of frames (n = {n})"
        for label, rate, n in zip(
            result[study.by].to_numpy().tolist(),
            result["detection_rate"].isel(face=0).to_numpy().tolist(),
            result["n_units"].to_numpy().tolist(),
            strict=True,
        )
    ]
    p = float(result["p"].isel(face=0))
    words = f"A face was found in {', '.join(rates)}; permutation test of the difference: p = {p:.3g}."
    return paragraph(words + (" Faces are lost more often in some groups than in others." if p <= 0.05 else ""))


def summary(study: Study) -> str:
    """Draw means and standard errors over videos, and write them out."""
    heading = f"Summary by {study.by}" if study.by else "Summary"
    parts = [
        unless_impossible(f"A summary of {group}", lambda group=group: _summary_of(study, group))  # type: ignore[misc]
        for group in study.groups
    ]
    return section(heading, *parts)


def _summary_of(study: Study, group: str) -> str:
    result = stats.summarize(study.ds, ("mean", "sem", "n"), by=study.by, features=group)
    few = study.ds.sizes["video"] <= MAX_POINTS
    points = stats.summarize(study.ds, by="video", features=group) if few else None
    name = {"aus": "Action units", "emotions": "Expressions"}[group]
    drawn = bars(result, error="sem", points=points, title=f"{name}: mean ± SEM over videos")
    return picture(f"summary-{group}", drawn) + details(f"{name} as a table", _as_table(result, study.by))


def _as_table(result: xr.Dataset, by: str | None) -> str:
    rows = []
    for face, part in _rows(result, by):
        for name in part["feature"].to_numpy().tolist():
            one = part.sel(feature=name)
            row: dict[str, Any] = {by: str(part[by].item())} if by else {}
            if result.sizes["face"] > 1:
                row["face"] = face
            rows.append(row | {"feature": name} | {s: one[s].item() for s in ("mean", "sem", "n")})
    number = lambda value: f"{value:.3f}"  # noqa: E731
    texts = ["feature", *([by] if by else [])]
    return table(pd.DataFrame(rows), texts, {"mean": number, "sem": number})


def _rows(result: xr.Dataset, by: str | None) -> Iterator[tuple[int, xr.Dataset]]:
    for i in range(result.sizes[by] if by else 1):
        for face in range(result.sizes["face"]):
            part = result.isel(face=face)
            yield face, part.isel({by: i}) if by else part


def effects(study: Study) -> str:
    """Regress action units, or else expressions, on the coordinate."""
    if study.by is None or study.n_groups < 2 or not study.groups:
        return ""
    return section(
        f"Regression on {study.by}",
        unless_impossible(REGRESSION, lambda: _regression(study)),
    )


def _regression(study: Study) -> str:
    result = stats.regress(study.ds, str(study.by), y=study.groups[0], correction=CORRECTION)
    # bars of features that could not be estimated would be empty
    if not np.isfinite(result["beta"]).any():
        return note("No feature could be estimated.")
    drawn = coefficients(result, error="ci")
    return picture("coefficients", drawn) + paragraph(stats.describe(result))
