"""Tests of means at every time: one sample, pairs, two groups, by clusters of neighbouring windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._words import some
from facearray.errors import InputError
from facearray.stats.kernels.cluster_mass import ClusterTest, mass_test
from facearray.stats.kernels.means import MeanTest, one_sample, two_sample
from facearray.stats.kernels.resampling import Arrangements, Labels, SignFlip, Signs, TwoSample
from facearray.stats.samples import Sample, sample_of
from facearray.stats.time_resolved.rules import CLUSTER, ClusterRule, check_rule, cluster_variables
from facearray.stats.time_resolved.windows import TimeValues

__all__ = ["Contrast", "check_contrast", "compare_means"]


@dataclass(frozen=True, slots=True)
class Contrast:
    """Which means are compared, and how.

    ``paired`` names what belongs together, ``blocks`` within what groups are exchanged.
    """

    by: str | None
    groups: Sequence[Any] | None
    popmean: float
    paired: str | None
    blocks: str | None
    equal_var: bool
    rule: ClusterRule
    confidence: float
    permutations: int
    seed: int
    client: Any


def check_contrast(contrast: Contrast) -> None:
    """Check that arguments fit together.

    Raises
    ------
    InputError
        With all problems.
    """
    two_samples = contrast.by is not None and contrast.paired is None
    wrong = {
        "groups or paired without by; name what tells the groups apart": contrast.by is None
        and (contrast.groups is not None or contrast.paired is not None),
        "popmean with two groups; it belongs to one sample or pairs": two_samples and contrast.popmean != 0,
        f"popmean={contrast.popmean}; expected a finite number": not np.isfinite(contrast.popmean),
        "equal_var with one sample or pairs; it belongs to two groups": contrast.equal_var and not two_samples,
        "blocks with one sample or pairs, whose signs are flipped one by one": contrast.blocks is not None
        and not two_samples,
        f"permutations={contrast.permutations}; expected 1 or more": contrast.permutations < 1,
        f"confidence={contrast.confidence}; expected a share between 0 and 1": not 0 < contrast.confidence < 1,
        f"groups={contrast.groups!r}; expected two different levels": contrast.groups is not None
        and (len(contrast.groups) != 2 or contrast.groups[0] == contrast.groups[1]),
    }
    problems = [text for text, is_wrong in wrong.items() if is_wrong]
    if problems:
        raise InputError("; ".join(f"found {text}" for text in problems))
    check_rule(contrast.rule, used=True)


def compare_means(values: TimeValues, contrast: Contrast) -> xr.Dataset:
    """Test the means of units in all windows, face by face.

    Raises
    ------
    InputError
        If a coordinate or level is unknown, or there are not two groups or no pairs.
    """
    flat = values.flat()
    sample = sample_of(flat, contrast.by, contrast.groups, contrast.paired, contrast.blocks)
    n_windows, n_faces = values.values.shape[1:3]
    pairs = contrast.rule.pairs(n_windows, values.features.tolist())
    means, tests = [], []
    for face in range(n_faces):
        mean, statistic, arrangements = _of_face(sample, face, contrast)
        means.append(mean)
        tests.append(
            mass_test(
                statistic,
                np.where(np.isnan(mean.se), np.nan, statistic(_identity(sample))[0]),
                arrangements,
                pairs,
                contrast.rule.of_t(_df(sample, face)),
                n_permutations=contrast.permutations,
                seed=contrast.seed,
                client=contrast.client,
            )
        )
    if contrast.by is not None and sample.names is not None:
        compared = [level in sample.names for level in flat.coordinate(contrast.by).tolist()]
        values = values.take(np.flatnonzero(compared))
    return _result(values, sample, means, tests, contrast)


def _identity(sample: Sample) -> NDArray[np.float64]:
    return (np.ones(len(sample.values)) if sample.first is None else sample.first.astype(float))[None]


def _of_face(sample: Sample, face: int, contrast: Contrast) -> tuple[MeanTest, SignFlip | TwoSample, Arrangements]:
    values = sample.values[:, face]
    if sample.first is None:
        shifted = values - contrast.popmean
        return (
            one_sample(shifted, confidence=contrast.confidence),
            SignFlip(shifted, signed=True),
            Signs(len(shifted)),
        )
    mean = two_sample(
        values[sample.first], values[~sample.first], equal_var=contrast.equal_var, confidence=contrast.confidence
    )
    labels = Labels(sample.first.astype(float), sample.blocks)
    return mean, TwoSample(values, contrast.equal_var, signed=True), labels


def _df(sample: Sample, face: int) -> NDArray[np.float64]:
    """Degrees of freedom (m,) for thresholds: those of the units with a value, the same in all arrangements."""
    n = (~np.isnan(sample.values[:, face])).sum(axis=0).astype(float)
    return np.asarray(n - (1 if sample.first is None else 2))


def _result(
    values: TimeValues, sample: Sample, means: list[MeanTest], tests: list[ClusterTest], contrast: Contrast
) -> xr.Dataset:
    n_windows, n_faces, n_features = values.values.shape[1:]
    dims = ("time", "face", "feature")

    def by_time(stacked: NDArray[Any]) -> NDArray[Any]:
        return np.moveaxis(stacked.reshape(n_faces, n_windows, n_features), 0, 1)

    arrays = {
        name: by_time(np.stack([getattr(mean, name) for mean in means]))
        for name in ("difference", "se", "t", "df", "ci_low", "ci_high", "n")
    }
    arrays["n"] = arrays["n"].astype(np.int64)
    arrays |= {
        name: np.moveaxis(array, 0, 1) for name, array in cluster_variables(tests, (n_windows, n_features)).items()
    }
    arrays["coverage"] = values.mean_coverage()
    order = "difference se t df p p_adjusted cluster cluster_mass ci_low ci_high n coverage".split()
    result = xr.Dataset(
        {name: (dims, arrays[name]) for name in order},
        coords={**values.axis.coordinates(), "face": values.faces, **values.feature_coords},
    )
    attrs = values.attrs
    attrs |= {
        "test": _name(sample.kind, equal_var=contrast.equal_var),
        "contrast": f"mean - {contrast.popmean:g}"
        if sample.names is None
        else f"{sample.names[0]} - {sample.names[1]}",
        "n": len(sample.values),
        "excluded": [*attrs["excluded"], *sample.excluded],
        "confidence": contrast.confidence,
        "correction": CLUSTER,
        "family": f"the {n_windows} windows of {n_features} features, of each face",
        "seed": contrast.seed,
        "n_permutations": tests[0].points.n_arrangements,
        "permutations_exact": int(tests[0].points.exact),
        "p_min": tests[0].points.p_min,
        **contrast.rule.attrs,
        "notes": [*values.notes(), *_notes(result)],
    }
    attrs |= {"by": contrast.by} if contrast.by is not None else {}
    attrs |= {"paired": contrast.paired} if contrast.paired is not None else {}
    return result.assign_attrs(attrs)


def _name(kind: str, *, equal_var: bool) -> str:
    if kind == "two-sample t-test":
        return "Student's t-test" if equal_var else "Welch's t-test"
    return kind


def _notes(result: xr.Dataset) -> list[str]:
    few = result["df"].isnull()
    no_variance = result["se"].isnull() & ~few & result["difference"].notnull()
    notes = []
    for where, text in (
        (few, "too few units with a value for a test, and so in no cluster"),
        (no_variance, "no variance, and so in no cluster"),
    ):
        if where.any():
            features = some(result["feature"].to_numpy()[where.any(["time", "face"]).to_numpy()])
            times = result["time"].to_numpy()[where.any(["face", "feature"]).to_numpy()]
            notes.append(f"{text}: {features} in {len(times)} of {where.sizes['time']} windows")
    return notes
