"""Time-resolved results in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from facearray.stats.clusters import clusters
from facearray.stats.regression.design import INTERCEPT
from facearray.stats.sentences.numbers import CORRECTIONS, COVARIANCES, TESTS, decimal, each_feature, p_text
from facearray.stats.time_resolved.rules import CLUSTER

__all__ = ["averages", "decoding", "means", "regression"]

_CAUTION = (
    "The p of a cluster is about the whole time course: it does not say when a difference begins or ends (Sassenhagen "
    "& Draschkow 2019)."
)


def decoding(result: xr.Dataset, alpha: float) -> Iterator[str]:
    """Put the result of `facearray.stats.decode_over_time` into words."""
    attrs = result.attrs
    classes = f" ({', '.join(attrs['classes'])})" if "classes" in attrs else ""
    groups = f" in {attrs['n_groups']} groups of {attrs['groups']}" if "groups" in attrs else ""
    across = ", each applied to all others" if "time_test" in result.dims else ""
    yield (
        f"{attrs['y']}{classes} predicted by {attrs['model']} in {_windows(result)}{across} (n = {attrs['n']} "
        f"{attrs['unit']}s{groups}; cross-validation: {attrs['cv']}; score: {attrs['scoring']})."
    )
    if "p" in result:
        yield (
            f"p: share of {_draws(attrs)} permutations of {attrs['y']} {attrs['permuted']} with a score at least as "
            f"large, smallest possible {attrs['p_min']:.2g}; {CORRECTIONS[attrs['correction']]}{_formed(attrs)}; "
            f"family: the {attrs['family']}."
        )
    for name in result["feature_set"].to_numpy().ravel():
        yield _best(result.sel(feature_set=name) if "feature_set" in result.dims else result, str(name), alpha)
    if "cluster" in result:
        yield from _clusters(result, alpha)


def _best(part: xr.Dataset, name: str, alpha: float) -> str:
    score = part["score"]
    if score.isnull().all():
        return f"{name}: no score in any window."
    at = {dim: int(i) for dim, i in score.argmax(...).items()}
    best = part.isel(at)
    when = " and ".join(f"{float(part[dim].to_numpy()[i]):g} s" for dim, i in at.items())
    words = [f"largest mean score = {best['score'].item():.3f} at {when}", f"chance = {best['chance'].item():.3f}"]
    if "p" in part:
        words += [p_text("p", best["p"].item()), p_text("adjusted p", best["p_adjusted"].item())]
        n = int((part["p_adjusted"] <= alpha).sum())
        words.append(f"{n} of {int(score.notnull().sum())} scores significant at alpha = {decimal(alpha, 2)}")
    return f"{name}: {', '.join(words)}."


def regression(result: xr.Dataset, alpha: float) -> Iterator[str]:
    """Put the result of `facearray.stats.regress_over_time` into words."""
    attrs = result.attrs
    coding = f" ({'; '.join(attrs['coding'])})" if attrs["coding"] else ""
    terms = [str(term) for term in result["term"].to_numpy().ravel() if term != INTERCEPT]
    p_from = "permutations" if attrs["test"] == "permutation test" else "two-sided tests"
    clustered = f", {attrs['n_clusters']} clusters of {attrs['cluster']}" if "cluster" in attrs else ""
    yield (
        f"{each_feature(result['feature'].size)} regressed on {' and '.join(terms)}{coding} in {_windows(result)} by "
        f"{COVARIANCES[attrs['cov']]} (n = {attrs['n']} {attrs['unit']}s{clustered}; {p_from}, "
        f"{CORRECTIONS[attrs['correction']]}{_formed(attrs)}; family: {attrs['family']})."
    )
    for line in attrs.get("permutations", []):
        yield f"Permutations of {line}."
    if attrs["correction"] == CLUSTER:
        yield from _clusters(result, alpha)
        return
    for term in terms:
        part = result.sel(term=term) if "term" in result.dims else result
        yield _significant(part, term, alpha)


def _significant(part: xr.Dataset, term: str, alpha: float) -> str:
    found = []
    what = "p" if part.attrs["correction"] == "none" else "adjusted p"
    part = part.expand_dims([dim for dim in ("face", "feature") if dim not in part["p_adjusted"].dims])
    for face in range(part.sizes["face"]):
        for i in range(part.sizes["feature"]):
            one = part.isel(face=face, feature=i)
            small = (one["p_adjusted"] <= alpha).to_numpy()
            if not small.any():
                continue
            where = f" (face {one['face'].item()})" if part.sizes["face"] > 1 else ""
            best = int(np.nanargmin(one["p_adjusted"].to_numpy()))
            t, time = one["t"].to_numpy()[best], one["time"].to_numpy()[best]
            found.append(
                f"{one['feature'].item()}{where} in {int(small.sum())} of {len(small)} windows (strongest at {time:g} "
                f"s: b = {one['beta'].to_numpy()[best]:.3g}, t = {t:.2f}, "
                f"{p_text(what, float(one['p_adjusted'].to_numpy()[best]))})"
            )
    return f"Related to {term} at alpha = {decimal(alpha, 2)}: {'; '.join(found) or 'none'}."


def means(result: xr.Dataset, alpha: float) -> Iterator[str]:
    """Put the result of `facearray.stats.cluster_test` or `facearray.stats.event_test` into words."""
    attrs = result.attrs
    by = f" ({attrs['by']}: {attrs['contrast']})" if "by" in attrs else f" ({attrs['contrast']})"
    unit = f"{attrs['paired']} pairs" if "paired" in attrs else f"{attrs['unit']}s"
    around = f" around {attrs['n_events_found']} events" if "n_events_found" in attrs else ""
    yield (
        f"{each_feature(result['feature'].size)} tested in {_windows(result)}{around} by {TESTS[attrs['test']]}{by} "
        f"(n = {attrs['n']} {unit}; two-sided, {CORRECTIONS[CLUSTER]}{_formed(attrs)}; family: {attrs['family']}; "
        f"{_draws(attrs)} permutations)."
    )
    yield from _clusters(result, alpha)


def averages(result: xr.Dataset, alpha: float) -> Iterator[str]:  # noqa: ARG001 - there is no test
    """Put the result of `facearray.stats.event_average` into words."""
    attrs = result.attrs
    by = f" for each {attrs['by']}" if "by" in attrs else ""
    base = "" if attrs["baseline"] == "none" else f", less the mean from {attrs['baseline']}"
    yield (
        f"{each_feature(result['feature'].size)} averaged{by} in {_windows(result)} around {attrs['n_events']} of "
        f"{attrs['n_events_found']} events{base}: over the events of each {attrs['unit']} first, then over "
        f"{attrs['n']} {attrs['unit']}s, with {100 * attrs['confidence']:g}% t intervals."
    )


def _windows(result: xr.Dataset) -> str:
    attrs, n = result.attrs, result["time"].size
    apart = f"{attrs['window_step']:g} s apart, " if n > 1 else ""
    starts, stops = result["window_start"].to_numpy(), result["window_stop"].to_numpy()
    between = f"from {starts.min():g} to {stops.max():g} s"
    return f"{n} window{'s' * (n != 1)} of {attrs['window']:g} s ({apart}{between})"


def _draws(attrs: dict[str, Any]) -> str:
    return f"all {attrs['n_permutations']}" if attrs["permutations_exact"] else f"{attrs['n_permutations']} random"


def _formed(attrs: dict[str, Any]) -> str:
    if attrs["correction"] != CLUSTER:
        return ""
    if "cluster_threshold" in attrs:
        passed = f"statistics beyond {attrs['cluster_threshold']:g}"
    else:
        passed = f"p below {attrs['cluster_alpha']:g} alone"
    neighbours = f", neighbours also {', '.join(attrs['neighbours'])}" if len(attrs["neighbours"]) else ""
    return f" (of windows with {passed}{neighbours})"


def _clusters(result: xr.Dataset, alpha: float) -> Iterator[str]:
    table = clusters(result)
    found = []
    several_faces = result.sizes.get("face", 1) > 1
    for row in table[table["p"] <= alpha].to_dict("records"):
        name = row.get("feature", row.get("feature_set", ""))
        words = [str(name)] if name else []
        words += [str(row["term"])] if "term" in row else []
        words += [f"face {row['face']}"] if several_faces and "face" in row else []
        words.append(f"{row['start']:g} to {row['stop']:g} s")
        if "start_test" in row:
            words.append(f"applied at {row['start_test']:g} to {row['stop_test']:g} s")
        found.append(f"{', '.join(words)} (mass = {row['mass']:.3g}, {p_text('p', row['p'])})")
    listed = f": {'; '.join(found)}" if found else ""
    n = len(table)
    yield f"{len(found)} of {n} cluster{'s' * (n != 1)} significant at alpha = {decimal(alpha, 2)}{listed}."
    if found:
        yield _CAUTION
