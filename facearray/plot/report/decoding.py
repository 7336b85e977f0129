"""Whether the groups of a study can be told apart by a model."""

from __future__ import annotations

import numpy as np
import xarray as xr

from facearray import stats
from facearray.plot.decoding import confusion, decoding
from facearray.plot.report.section import paragraph, picture, section, unless_impossible
from facearray.plot.report.statistics import Study
from facearray.stats.units import levels

__all__ = ["DECODING", "MODEL", "PERMUTATIONS", "decoded"]

#: Draws for the p values, groups that are still classes, and folds.
PERMUTATIONS, MOST_GROUPS, FOLDS = 500, 10, 10

#: What the page calls it where data do not allow it.
DECODING = "A decoding"

MODEL = "linear discriminant analysis of standardised features"

SETS = {"aus": "AUs", "emotions": "Expressions", "poses": "Pose"}


def decoded(study: Study) -> str:
    """Predict the group of videos that the model has not seen; nothing if there are no groups."""
    if study.by is None or not 2 <= study.n_groups <= MOST_GROUPS or not study.groups:
        return ""
    return section(f"Decoding of {study.by}", unless_impossible(DECODING, lambda: _decoded(study)))


def _decoded(study: Study) -> str:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    by = str(study.by)
    there = {str(group) for group in study.ds["group"].to_numpy().tolist()}
    sets = {name: group for group, name in SETS.items() if group in there}
    result = stats.decode(
        study.ds,
        by,
        X=sets,
        model=make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
        cv=max(2, min(FOLDS, _smallest_group(study.ds, by, list(sets.values())))),
        permutations=PERMUTATIONS,
    )
    best = str(result.scores["feature_set"].to_numpy()[int(result.scores.mean("fold").to_numpy().argmax())])
    return (
        picture("decoding", decoding(result))
        + picture("confusion", confusion(result, feature_set=best))
        + paragraph(stats.describe(result))
    )


def _smallest_group(ds: xr.Dataset, by: str, features: list[str]) -> int:
    """Count the videos of the smallest group, those that have all features."""
    units = stats.unit_values(ds, features=features)
    complete = ~np.isnan(units.values).any(axis=(1, 2))
    codes = levels(units.coordinate(by)[complete])[1]
    return int(np.bincount(codes[codes >= 0], minlength=1).min())
