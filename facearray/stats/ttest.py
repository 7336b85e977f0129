"""Tests of means: one sample, pairs, two samples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._words import counted, some
from facearray.errors import InputError, unknown_names
from facearray.stats.corrections import METHODS, adjust
from facearray.stats.kernels.effects import effect_size
from facearray.stats.kernels.means import MeanTest, one_sample, two_sample
from facearray.stats.kernels.resampling import (
    Labels,
    PermutationResult,
    SignFlip,
    Signs,
    TwoSample,
    permutation_test,
)
from facearray.stats.regression.estimates import DIFFERENT, UNEQUAL
from facearray.stats.samples import Sample, sample_of
from facearray.stats.units import UnitValues, label_coordinates, unit_values

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["ttest"]


def ttest(
    ds: xr.Dataset,
    by: str | None = None,
    *,
    y: str | Iterable[str] = "aus",
    groups: Sequence[Any] | None = None,
    popmean: float = 0.0,
    paired: str | None = None,
    equal_var: bool = False,
    unit: str = "video",
    correction: str | None = None,
    confidence: float = 0.95,
    permutations: int = 0,
    blocks: str | None = None,
    seed: int = 0,
    client: Client | None = None,
    statistic: str = "mean",
    min_valid: float = 0.5,
    threshold: float | None = None,
) -> xr.Dataset:
    """Test means of features against a number, in pairs, or between two groups.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature). The frames of a unit are reduced to one value first.
    by
        Coordinate that tells two groups apart. Without it, the mean of all units is tested against `popmean`.
    y
        Features to test, as for `facearray.selectors.select`.
    groups
        Two levels of `by`, first minus second; units of other levels are left out. By default `by` has to have two
        levels, and the difference is the second minus the first in alphabetical order.
    popmean
        What the mean is under the null hypothesis, or the mean difference of pairs.
    paired
        Coordinate that says which units belong together, such as ``"subject"``. Several units of one pair and group
        are averaged; pairs that lack a group are excluded.
    equal_var
        For two groups without pairs: Student's test, which pools the variances, instead of Welch's.
    unit
        What an observation is: ``"video"`` or another coordinate on ``video``. Frames are no independent observations;
        see `facearray.stats.regress` for frames in clusters.
    correction
        For the features of each face: ``"bonferroni"``, ``"holm"``, ``"fdr_bh"``, ``"fdr_by"``, and with `permutations`
        ``"max_t"``.
    confidence
        Level of the confidence intervals, 0 to 1.
    permutations
        Draws for a permutation test instead of the t distribution; with no more than 200,000 arrangements all are
        used. Groups are dealt out anew; the signs of one sample and of pairs are flipped.
    blocks
        Coordinate on the units; units are exchanged between groups within its levels only.
    seed
        Of the permutations.
    client
        A Dask client that shares the permutations; the result is the same.
    statistic, min_valid, threshold
        How frames become one value a unit, as for `facearray.stats.unit_values`.

    Returns
    -------
    Dataset
        With dims (face, feature): ``difference`` (of the mean from `popmean`, or of the groups), ``se``, ``t``, ``p``,
        ``p_adjusted`` (equal to ``p`` without a correction), ``df``, ``ci_low``, ``ci_high`` (of the difference), ``n``
        (units or pairs with a value), Cohen's ``d`` with ``d_ci_low`` and ``d_ci_high``, and Hedges' ``g``. With `by`
        also ``mean``, ``std`` and ``n_group`` of each group, with a dim named like `by`.

    Raises
    ------
    InputError
        If a name is unknown, there are not two groups, or an option does not fit another.
    SchemaError
        If ``ds`` does not follow the schema.

    Notes
    -----
    d is the difference over the standard deviation: of the values for one sample, of the differences for pairs (often
    called d_z), pooled over both groups otherwise, also for Welch's test. Its interval is by the noncentral t
    distribution.

    A missing value leaves a unit out for that feature only, and a pair with it. In a permutation of groups a missing
    value stays with its unit. Sign flips assume a distribution that is symmetric around `popmean`.

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences (2nd ed.). Erlbaum.

    Welch, B. L. (1947). The generalization of 'Student's' problem when several different population variances are
    involved. Biometrika 34, 28-35.

    Hedges, L. V. (1981). Distribution theory for Glass's estimator of effect size and related estimators. Journal of
    Educational Statistics 6, 107-128.

    Westfall, P. H., & Young, S. S. (1993). Resampling-based multiple testing. Wiley (``"max_t"``).

    Examples
    --------
    >>> import numpy as np
    >>> dims = ("video", "frame", "face", "feature")
    >>> ds = xr.Dataset(
    ...     {"features": (dims, np.array([1, 2, 3, 6, 5, 7], "f4").reshape(6, 1, 1, 1))},
    ...     coords={
    ...         "video": list("abcdef"),
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), np.zeros((6, 1), int)),
    ...         "condition": ("video", ["bad"] * 3 + ["good"] * 3),
    ...     },
    ... )
    >>> ttest(ds, "condition").t.item(), ttest(ds, "condition", permutations=1).p.item()
    (4.898..., 0.1)
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    _check(by, groups, popmean, paired, equal_var, unit, correction, confidence, permutations, blocks)
    units = unit_values(ds, unit=unit, features=y, statistic=statistic, min_valid=min_valid, threshold=threshold)
    sample = sample_of(units, by, groups, paired, blocks)
    tests = [_test_face(sample, face, popmean, equal_var, confidence) for face in range(len(units.faces))]
    permuted = None
    if permutations:
        permuted = [
            _permute_face(sample, face, test, popmean, equal_var, permutations, seed, client)
            for face, test in enumerate(tests)
        ]
    labels = label_coordinates(ds, "feature", features=[str(name) for name in units.features])
    result = _result(units, sample, tests, permuted, by, popmean, paired, equal_var, correction, confidence, seed)
    return result.assign_coords(labels)


def _check(
    by: str | None,
    groups: Sequence[Any] | None,
    popmean: float,
    paired: str | None,
    equal_var: bool,
    unit: str,
    correction: str | None,
    confidence: float,
    permutations: int,
    blocks: str | None,
) -> None:
    two_samples = by is not None and paired is None
    wrong = {
        "unit='frame'; the frames of a video are no independent observations, and as such give up to ten times too "
        "many significant results: use unit='video', or facearray.stats.regress with cluster='video'": unit == "frame",
        "groups or paired without by; name the coordinate that tells the groups apart": by is None
        and (groups is not None or paired is not None),
        "popmean with two groups; it belongs to one sample or pairs": two_samples and popmean != 0,
        f"popmean={popmean}; expected a finite number": not np.isfinite(popmean),
        "equal_var with one sample or pairs; it belongs to two groups": equal_var and not two_samples,
        "blocks with one sample or pairs, whose signs are flipped one by one": blocks is not None and not two_samples,
        "blocks or correction='max_t' without permutations; expected permutations > 0": not permutations
        and (blocks is not None or correction == "max_t"),
        f"permutations={permutations}; expected 0 or more": permutations < 0,
        f"confidence={confidence}; expected a share between 0 and 1": not 0 < confidence < 1,
        f"groups={groups!r}; expected two different levels": groups is not None
        and (len(groups) != 2 or groups[0] == groups[1]),
    }
    problems = [text for text, is_wrong in wrong.items() if is_wrong]
    if problems:
        raise InputError("; ".join(f"found {text}" for text in problems))
    if correction not in (None, "max_t", *METHODS):
        raise unknown_names("correction", [str(correction)], [*METHODS, "max_t"])


def _test_face(sample: Sample, face: int, popmean: float, equal_var: bool, confidence: float) -> MeanTest:
    values = sample.values[:, face]
    if sample.first is None:
        return one_sample(values - popmean, confidence=confidence)
    return two_sample(values[sample.first], values[~sample.first], equal_var=equal_var, confidence=confidence)


def _permute_face(
    sample: Sample,
    face: int,
    test: MeanTest,
    popmean: float,
    equal_var: bool,
    n_permutations: int,
    seed: int,
    client: Client | None,
) -> PermutationResult:
    values = sample.values[:, face]
    if sample.first is None:
        return permutation_test(
            statistic := SignFlip(values - popmean),
            np.where(np.isnan(test.se), np.nan, statistic(np.ones((1, len(values))))[0]),
            Signs(len(values)),
            n_permutations=n_permutations,
            seed=seed,
            client=client,
        )
    labels = sample.first.astype(float)
    return permutation_test(
        two := TwoSample(values, equal_var),
        np.where(np.isnan(test.se), np.nan, two(labels[None])[0]),
        Labels(labels, sample.blocks),
        n_permutations=n_permutations,
        seed=seed,
        client=client,
    )


def _result(
    units: UnitValues,
    sample: Sample,
    tests: list[MeanTest],
    permuted: list[PermutationResult] | None,
    by: str | None,
    popmean: float,
    paired: str | None,
    equal_var: bool,
    correction: str | None,
    confidence: float,
    seed: int,
) -> xr.Dataset:
    names = ("difference", "se", "t", "p", "df", "ci_low", "ci_high", "d", "df_d", "n_effective", "n")
    values = {name: np.stack([getattr(test, name) for test in tests]) for name in names}
    if permuted is not None:
        values["p"] = np.stack([found.p for found in permuted])
    if correction == "max_t" and permuted is not None:
        values["p_adjusted"] = np.stack([found.p_max for found in permuted])
    else:
        values["p_adjusted"] = adjust(values["p"], correction, axis=-1)
    effect = effect_size(values.pop("d"), values.pop("df_d"), values.pop("n_effective"), level=confidence)
    values |= {"d": effect.d, "d_ci_low": effect.ci_low, "d_ci_high": effect.ci_high, "g": effect.g}
    values["n"] = values["n"].astype(np.int64)
    order = "difference se t p p_adjusted df ci_low ci_high n d d_ci_low d_ci_high g".split()
    result = xr.Dataset(
        {name: (("face", "feature"), values[name]) for name in order},
        coords={"face": units.faces, "feature": units.features},
    )
    if by is not None and sample.names is not None and sample.by_group is not None:
        result = result.merge(_of_groups(by, sample.names, sample.by_group))
    attrs = units.attrs
    attrs |= {
        "method": "ttest",
        "test": _name(sample.kind, equal_var),
        "p_from": "the t distribution" if permuted is None else "permutations",
        "contrast": f"mean - {popmean:g}" if sample.names is None else f"{sample.names[0]} - {sample.names[1]}",
        "n": len(sample.values),
        "excluded": [*attrs["excluded"], *sample.excluded],
        "confidence": confidence,
        "correction": correction or "none",
        "family": f"the {counted(len(units.features), 'feature')} of each face",
        "notes": [*_notes(result), *_unequal(result, sample, equal_var=equal_var, permuted=permuted is not None)],
    }
    if by is not None:
        attrs["by"] = by
    if paired is not None:
        attrs["paired"] = paired
    if permuted is not None:
        attrs |= permuted[0].attrs(seed)
    return result.assign_attrs(attrs)


def _name(kind: str, equal_var: bool) -> str:
    if kind == "two-sample t-test":
        return "Student's t-test" if equal_var else "Welch's t-test"
    return kind


def _of_groups(by: str, names: tuple[Any, Any], parts: tuple[NDArray[np.float64], NDArray[np.float64]]) -> xr.Dataset:
    """Mean, standard deviation and count of both groups, or of both sides of the pairs that are used."""
    tests = [[one_sample(part[:, face]) for face in range(part.shape[1])] for part in parts]

    def stack(of: Any) -> NDArray[np.float64]:
        return np.array([[of(test) for test in faces] for faces in tests])

    dims = (by, "face", "feature")
    return xr.Dataset(
        {
            "mean": (dims, stack(lambda test: test.difference)),
            "std": (dims, stack(lambda test: test.se * np.sqrt(test.n))),
            "n_group": (dims, stack(lambda test: test.n).astype(np.int64)),
        },
        coords={by: list(names)},
    )


def _notes(result: xr.Dataset) -> list[str]:
    def name(where: xr.DataArray) -> str:
        return some(result["feature"].to_numpy()[where.any("face").to_numpy()])

    few = result["df"].isnull()
    no_variance = result["se"].isnull() & ~few & result["difference"].notnull()
    notes = []
    if few.any():
        notes.append(f"too few units with a value for a test: {name(few)}")
    if no_variance.any():
        notes.append(f"no variance: {name(no_variance)}")
    return notes


def _unequal(result: xr.Dataset, sample: Sample, *, equal_var: bool, permuted: bool) -> list[str]:
    """Say where two groups are too different for a test that takes their distributions as equal."""
    if sample.first is None or not (equal_var or permuted):
        return []
    n, sd = result["n_group"].to_numpy(), result["std"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = sd.max(axis=0) / sd.min(axis=0)
    different = (n.min(axis=0) < UNEQUAL * n.sum(axis=0)) & (spread >= DIFFERENT)
    names = result["feature"].to_numpy()[different.any(axis=0)]
    text = (
        f"groups of different size whose variances differ at least {DIFFERENT**2:g}-fold, so p is not to be trusted "
        f"(use Welch's test without permutations): {some(names)}"
    )
    return [text] if different.any() else []
