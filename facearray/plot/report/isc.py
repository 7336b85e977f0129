"""Whether the faces of different videos move alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from facearray import stats
from facearray.blocks import real_frame_counts
from facearray.plot._page import bokeh_item, choice
from facearray.plot.isc import isc
from facearray.plot.report.section import details, note, paragraph, section, table, unless_impossible
from facearray.plot.report.statistics import CORRECTION, Study
from facearray.stats.intersubject.pairs import label_order
from facearray.stats.sentences.numbers import counted, decimal
from facearray.stats.units import levels, video_coordinate

__all__ = ["COMPARISON", "CORRELATION", "DRAWS", "LINKAGE", "correlations"]

#: Most videos, of which all pairs are correlated, and most values of a feature, which are in memory at once.
MAX_VIDEOS, MAX_VALUES = 200, 2_000_000

#: Most pictures, and cells of all of them together (about 20 bytes each).
MAX_PICTURES, MAX_CELLS = 10, 150_000

#: Groups up to which the means within and between each of them are written out.
MOST_GROUPS = 4

#: Permutations of the groups, and samples of the videos for intervals.
DRAWS = 2000

LINKAGE = "complete"

#: What the page calls these where data do not allow them.
CORRELATION, COMPARISON = "A correlation of time courses", "A comparison of pairs within and between groups"


def correlations(study: Study) -> str:
    """Correlate time courses of all pairs of videos, and compare pairs within and between groups."""
    if not _has_pairs(study):
        return ""
    heading = "Correlation of time courses" + (f" by {study.by}" if study.by else "")
    return section(heading, unless_impossible(CORRELATION, lambda: "".join(_correlations(study))))


def _has_pairs(study: Study) -> bool:
    """Whether there are features of two videos."""
    return bool(study.groups) and int((real_frame_counts(study.ds) > 0).sum()) > 1


def _correlations(study: Study) -> Iterator[str]:
    rows = np.flatnonzero(real_frame_counts(study.ds) > 0)
    chosen = _spread(study, rows)
    pairs = stats.isc(study.ds.isel(video=chosen, face=[0]), ",".join(study.groups)).compute()
    pairs = pairs.isel(feature=_off_diagonal(pairs["r"].notnull()).any(axis=0))
    yield note(_about(study, len(chosen), len(rows)))
    if not pairs.sizes["feature"]:
        yield note("No two videos share three times over which a feature varies in both.")
        return
    means = stats.isc_mean(pairs)
    shown = pairs["feature"].to_numpy()[np.argsort(-means["r"].to_numpy(), kind="stable")].tolist()
    n_shown = int(np.clip(MAX_CELLS // len(chosen) ** 2, 1, min(MAX_PICTURES, len(shown))))
    if n_shown < len(shown):
        yield note(f"Pictures are those of the {n_shown} of {len(shown)} features with the largest means.")
    items = ((str(i), _item(pairs, name, study.by)) for i, name in enumerate(shown[:n_shown]))
    yield choice("correlation", [("Feature", [str(name) for name in shown[:n_shown]])], 0, items)
    columns = _means(pairs, means)
    if study.by is not None:
        difference, words = _difference(pairs, study)
        yield words
        columns |= difference
    columns |= _overlap(pairs)
    yield details("All features as a table", table(pd.DataFrame(columns), ["feature"]))


def _spread(study: Study, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Choose videos evenly from each group, and in each evenly from the order of their labels."""
    longest = int(real_frame_counts(study.ds)[rows].max())
    most = int(np.clip(MAX_VALUES // longest, 4, MAX_VIDEOS))
    if len(rows) <= most:
        return rows
    labels = label_order(study.ds["video"].to_numpy()[rows])
    groups = levels(video_coordinate(study.ds, study.by))[1][rows] if study.by is not None else np.zeros(len(rows))
    order = labels[np.argsort(groups[labels], kind="stable")]
    return np.sort(rows[order[np.linspace(0, len(rows) - 1, most).round().astype(np.intp)]])


def _about(study: Study, n: int, n_all: int) -> str:
    text = (
        f"Every feature of {counted(n, 'video')} is correlated with the same feature of every other one, over the "
        f"seconds that both share. Neighbours in a picture are alike ({LINKAGE} linkage of the distance 1 - r); hover "
        "over a cell for r and the number n of shared times. Grey is no correlation."
    )
    if n < n_all:
        text += (
            f" {n} of {n_all:,} videos with frames are compared, chosen evenly from the groups and from the order of "
            "names: the number of pairs grows with the square of that of videos, and time courses have to fit into "
            "memory."
        )
    if study.ds.sizes["face"] > 1:
        text += " Of each video it is the face in the first slot."
    return text


def _item(pairs: xr.Dataset, name: object, by: str | None) -> dict[str, Any]:
    one = pairs.sel(feature=name)
    text = stats.describe(one).splitlines()[1]
    few = int(np.count_nonzero(_off_diagonal(one["few_samples"] & one["r"].notnull())))
    return {
        "text": f"{text.removesuffix('.')}, {few:,} of the pairs fewer than 30.",
        "plots": [{"heading": "", "item": bokeh_item(isc(one, label=by, linkage=LINKAGE))}],
    }


def _off_diagonal(values: xr.DataArray) -> NDArray[Any]:
    """Values of each pair of different videos once: (n_pairs, ...)."""
    i, j = np.triu_indices(values.sizes["video"], 1)
    return np.asarray(values.transpose("video", "video_other", ...).to_numpy()[i, j])


def _means(pairs: xr.Dataset, means: xr.Dataset) -> dict[str, Any]:
    columns = {"feature": pairs["feature"].to_numpy(), "mean r": [decimal(r, 3) for r in means["r"].to_numpy()]}
    if pairs.sizes["video"] > 2:
        boot = stats.isc_bootstrap(pairs, n_draws=DRAWS)
        limits = zip(boot["ci_low"].to_numpy(), boot["ci_high"].to_numpy(), strict=True)
        columns["95 % interval"] = [f"{decimal(low, 3)} to {decimal(high, 3)}" for low, high in limits]
    return columns


def _difference(pairs: xr.Dataset, study: Study) -> tuple[dict[str, Any], str]:
    """Columns of the test of pairs within against pairs between groups, and words on it."""
    columns: dict[str, Any] = {}

    def words() -> str:
        found = stats.isc_difference(pairs, str(study.by), n_permutations=DRAWS, correction=CORRECTION)
        found = found.isel(contrast=0)
        for name, title in (("difference", "within - between (z)"), ("p", "p"), ("p_adjusted", "adjusted p")):
            columns[title] = [decimal(value, 3) for value in found[name].to_numpy()]
        few = study.n_groups <= MOST_GROUPS
        means = paragraph(stats.describe(stats.isc_mean(pairs, study.by))) if few else ""
        return paragraph(stats.describe(found)) + details("Means within and between groups", means)

    return columns, unless_impossible(f"{COMPARISON} of {study.by}", words)


def _overlap(pairs: xr.Dataset) -> dict[str, Any]:
    there, n = _off_diagonal(pairs["r"].notnull()), _off_diagonal(pairs["n"])
    few = _off_diagonal(pairs["few_samples"]) & there
    low, high = (
        pick(np.where(there, n, otherwise), axis=0) for pick, otherwise in ((np.min, n.max()), (np.max, n.min()))
    )
    return {
        "pairs": there.sum(axis=0),
        "shared times": [f"{a} to {b}" for a, b in zip(low, high, strict=True)],
        "fewer than 30": few.sum(axis=0),
    }
