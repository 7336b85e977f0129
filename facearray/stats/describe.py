"""Results in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import xarray as xr

from facearray._words import some
from facearray.errors import InputError, check_alpha
from facearray.stats.regression.design import INTERCEPT
from facearray.stats.sentences import courses, dyads, measurement, over_time
from facearray.stats.sentences.numbers import CORRECTIONS, COVARIANCES, TESTS, counted, each_feature, listed, p_text

if TYPE_CHECKING:
    from facearray.stats.decoding.result import Decoding

__all__ = ["describe"]


def describe(result: xr.Dataset | xr.DataArray | Decoding, *, alpha: float = 0.05) -> str:
    """Put the result of a test into words, as for the results section of a paper.

    Parameters
    ----------
    result
        From `facearray.stats.regress`, `facearray.stats.ttest`, `facearray.stats.missingness`, `facearray.stats.isc` or
        what is computed from it, `facearray.stats.isfc`, `facearray.stats.reliability`, `facearray.stats.split_half` or
        `facearray.stats.agreement`, or a selection of its terms, faces and features; from `facearray.stats.decode`; or
        from `regress_over_time`, `decode_over_time`, `cluster_test`, `event_test` or `event_average`; or from
        `facearray.signal.synchrony`.
    alpha
        Level below which an adjusted p value is significant.

    Returns
    -------
    str
        What was tested and how; every significant feature with its statistic, degrees of freedom, p, adjusted p,
        effect and confidence interval, every feature set with its score, chance level and p, or every correlation with
        what it rests on; of which population the units are a sample; what was excluded, the first ten of many, and
        what has to be known before the numbers are trusted.

    Raises
    ------
    InputError
        If `alpha` is no share, or ``result`` is not such a result. What describes without a test, as
        `facearray.stats.summarize` does, has no words but its numbers.

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
    >>> from facearray.stats.ttest import ttest
    >>> print(describe(ttest(ds, "condition")).splitlines()[1])
    1 of 1 feature differed at alpha = .05: AU12: difference = 4, 95% CI [1.73, 6.27], t(4.00) = 4.90, ...
    """
    check_alpha(alpha)
    method = result.attrs.get("method")
    if method not in _WRITERS:
        raise InputError(_not_a_test(method))
    return "\n".join([*_WRITERS[method](result, alpha), *_context(result)])


def _not_a_test(method: object) -> str:
    expected = f"expected the result of one of {', '.join(_WRITERS)}"
    if method is None:
        return (
            f"found no attribute 'method'; {expected}; what is computed from such a result keeps its attributes with "
            "xarray.set_options(keep_attrs=True)"
        )
    return (
        f"found a result of {method}, which is no test to put into words; {expected}; its numbers are in "
        "result.fex.to_dataframe(), and how they came about is in result.attrs"
    )


def _regression(result: xr.Dataset, alpha: float) -> Iterator[str]:
    attrs = result.attrs
    coding = f" ({'; '.join(attrs['coding'])})" if attrs["coding"] else ""
    terms = [str(term) for term in result["term"].to_numpy().ravel() if term != INTERCEPT]
    if "random" in attrs:
        coding += f" with random intercepts, and slopes of what varies within, of {listed(attrs['random'])}"
    clusters = f", {counted(attrs['n_clusters'], 'cluster')} of {attrs['cluster']}" if "cluster" in attrs else ""
    p_from = "permutations" if attrs["test"] == "permutation test" else "two-sided tests"
    yield (
        f"{each_feature(result['feature'].size)} regressed on {listed(terms) or 'an intercept'}{coding} by "
        f"{_model(attrs)} (n = {counted(attrs['n'], attrs['unit'])}{clusters}; {p_from}, {_correction(attrs)})."
    )
    for line in attrs.get("permutations", []):
        yield f"Permutations of {line}."
    for part in _rows(result, "term"):
        if part["term"].item() != INTERCEPT:
            name = part["term"].item() + _face(part, result)
            verbs = f"was related to {name}", f"were related to {name}"
            yield _findings(part, alpha, verbs, f"a relation to {name}", "b", "beta", attrs)


def _ttest(result: xr.Dataset, alpha: float) -> Iterator[str]:
    attrs = result.attrs
    by = f" ({attrs['by']}: {attrs['contrast']})" if "by" in attrs else f" ({attrs['contrast']})"
    unit = f"{attrs['paired']} pair" if "paired" in attrs else str(attrs["unit"])
    permuted = ""
    if attrs["p_from"] == "permutations":
        kind = f"all {attrs['n_permutations']}" if attrs["permutations_exact"] else f"{attrs['n_permutations']} random"
        permuted = f" p values are from {kind} permutations, smallest possible p {attrs['p_min']:.2g}."
    yield (
        f"{each_feature(result['feature'].size)} tested by {TESTS[attrs['test']]}{by} (n = "
        f"{counted(attrs['n'], unit)}; two-sided, {_correction(attrs)}).{permuted}"
    )
    for part in _rows(result, None):
        face = _face(part, result)
        yield _findings(part, alpha, (f"differed{face}",) * 2, f"a difference{face}", "difference", "difference", attrs)


def _model(attrs: dict[str, Any]) -> str:
    model = COVARIANCES[attrs["cov"]]
    if attrs.get("link") == "logit":
        return model.replace("ordinary least squares", "fractional logit models (quasi-likelihood)")
    return model


def _decoding(result: Decoding, alpha: float) -> Iterator[str]:
    attrs = result.attrs
    classes = f" ({', '.join(attrs['classes'])})" if "classes" in attrs else ""
    groups = f" in {counted(attrs['n_groups'], 'group')} of {attrs['groups']}" if "groups" in attrs else ""
    yield (
        f"{attrs['y']}{classes} predicted by {attrs['model']} (n = {counted(attrs['n'], attrs['unit'])}{groups}; "
        f"cross-validation: {attrs['cv']}; score: {attrs['scoring']})."
    )
    if "permuted" in attrs:
        kind = f"all {attrs['n_permutations']}" if attrs["permutations_exact"] else f"{attrs['n_permutations']} random"
        several = f"; adjusted p: largest score of {attrs['family']}" if len(result.feature_sets) > 1 else ""
        yield (
            f"p: share of {kind} permutations of {attrs['y']} {attrs['permuted']} with a score at least as large, "
            f"smallest possible {attrs['p_min']:.2g}{several}. Significant at alpha = {_alpha(alpha)}: "
            f"{', '.join(_significant(result, alpha)) or 'none'}."
        )
    for row in result.to_dataframe().to_dict("records"):
        words = [f"mean score = {row['score']:.3f}", f"chance = {row['chance']:.3f}"]
        if "p_value" in row:
            words.append(p_text("p", row["p_value"]))
            if len(result.feature_sets) > 1:
                words.append(p_text("adjusted p", row["p_adjusted"]))
        yield f"{row['feature_set']} ({counted(row['n_features'], 'feature')}): {', '.join(words)}."


def _significant(result: Decoding, alpha: float) -> list[str]:
    if result.p_adjusted is None:
        return []
    return [str(name) for name in result.p_adjusted["feature_set"][(result.p_adjusted <= alpha).to_numpy()].to_numpy()]


def _missingness(result: xr.Dataset, alpha: float) -> Iterator[str]:
    attrs = result.attrs
    by = str(result["n_units"].dims[0])
    kind = f"all {attrs['arrangements']}" if attrs["exact"] == "true" else f"{attrs['arrangements']} random"
    yield (
        f"Shares of frames with a face compared between the {counted(result.sizes[by], 'value')} of {by} by the sum of "
        f"squares between groups (n = {counted(attrs['n_units'], attrs['unit'])}; p from {kind} permutations, smallest "
        f"possible p {attrs['smallest_p']:.2g})."
    )
    result = result.expand_dims([] if "face" in result["p"].dims else ["face"])
    for i in range(result.sizes["face"]):
        part = result.isel(face=i)
        shares = [
            f"{group} = {rate:.3f} ({counted(n, attrs['unit'])})"
            for group, rate, n in zip(
                part[by].to_numpy().tolist(),
                part["detection_rate"].to_numpy().tolist(),
                part["n_units"].to_numpy().tolist(),
                strict=True,
            )
        ]
        face = f" (face {i})" if result.sizes["face"] > 1 else ""
        differed = "differed" if part["p"].item() <= alpha else "did not differ"
        p = p_text("p", part["p"].item())
        yield f"The shares{face} {differed} at alpha = {_alpha(alpha)}: {', '.join(shares)}; {p}."


def _rows(result: xr.Dataset, dim: str | None) -> Iterator[xr.Dataset]:
    """One Dataset over features for each term and face."""
    dims = [name for name in ("term", "face", "feature") if name in result.coords and name not in result["p"].dims]
    result = result.expand_dims(dims)
    for i in range(result.sizes[dim] if dim else 1):
        part = result.isel({dim: i}) if dim else result
        for face in range(result.sizes["face"]):
            yield part.isel(face=face)


def _face(part: xr.Dataset, result: xr.Dataset) -> str:
    return f" (face {part['face'].item()})" if result.sizes.get("face", 1) > 1 else ""


def _findings(
    part: xr.Dataset, alpha: float, verbs: tuple[str, str], what: str, symbol: str, name: str, attrs: dict[str, Any]
) -> str:
    significant = part.isel(feature=(part["p_adjusted"] <= alpha).to_numpy())
    tested = int(part["p"].notnull().sum())
    if not tested:
        return f"No feature could be tested for {what}."
    sentences = [
        _finding(significant.isel(feature=i), symbol, name, attrs) for i in range(significant.sizes["feature"])
    ]
    found = f": {'; '.join(sentences)}" if sentences else ""
    verb = verbs[tested > 1 and len(sentences) != 1]
    return f"{len(sentences)} of {counted(tested, 'feature')} {verb} at alpha = {_alpha(alpha)}{found}."


def _finding(one: xr.Dataset, symbol: str, name: str, attrs: dict[str, Any]) -> str:
    value = {str(key): array.item() for key, array in one.data_vars.items() if array.ndim == 0}
    whole = "Welch" not in attrs["test"] and attrs.get("cov") not in ("CR2", "CR3")
    df = f"{value['df']:.0f}" if whole else f"{value['df']:.2f}"
    words = [
        f"{one['feature'].item()}: {symbol} = {value[name]:.3g}",
        f"{100 * attrs['confidence']:g}% CI [{value['ci_low']:.3g}, {value['ci_high']:.3g}]",
        f"t({df}) = {value['t']:.2f}",
        p_text("p", value["p"]),
    ]
    if attrs["correction"] != "none":
        words.append(p_text("adjusted p", value["p_adjusted"]))
    if "d" in value:
        words.append(f"d = {value['d']:.2f}")
    if "effect" in value:
        words.append(f"average marginal effect = {value['effect']:.3g}")
    return ", ".join(words)


def _alpha(alpha: float) -> str:
    return f"{alpha:g}".removeprefix("0")


def _correction(attrs: dict[str, Any]) -> str:
    """Write how p was adjusted, and over which family, which a test alone has none of."""
    family = "" if attrs["correction"] == "none" else f"; family: {attrs['family']}"
    return CORRECTIONS[attrs["correction"]] + family


def _context(result: Any) -> Iterator[str]:
    attrs = result.attrs
    if "population" in attrs:
        yield f"Units: {attrs['population']}."
    if "seed" in attrs:
        yield f"Seed: {attrs['seed']}."
    if len(attrs.get("excluded", [])):
        yield f"Excluded: {some(attrs['excluded'], separator='; ')}."
    for note in attrs.get("notes", ()):
        yield f"Note: {note}."
    if "facearray_version" in attrs:
        yield f"facearray {attrs['facearray_version']}."


_WRITERS: dict[str, Callable[[Any, float], Iterator[str]]] = {
    "agreement": measurement.agreement,
    "cluster_test": over_time.means,
    "decode": _decoding,
    "decode_over_time": over_time.decoding,
    "event_average": over_time.averages,
    "event_test": over_time.means,
    "isc": courses.isc,
    "isc_bootstrap": courses.isc_bootstrap,
    "isc_difference": courses.isc_difference,
    "isc_mean": courses.isc_mean,
    "isc_order": courses.isc_order,
    "isfc": courses.isfc,
    "mantel": courses.mantel,
    "missingness": _missingness,
    "regress": _regression,
    "regress_over_time": over_time.regression,
    "reliability": measurement.reliability,
    "split_half": measurement.split_half,
    "synchrony": dyads.synchrony,
    "ttest": _ttest,
}
