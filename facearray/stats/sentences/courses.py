"""Correlations of time courses between videos, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from facearray.stats.kernels.comparison import fisher_z
from facearray.stats.sentences.numbers import (
    CORRECTIONS,
    cells,
    counted,
    decimal,
    features_text,
    listed,
    p_text,
    r_text,
)

__all__ = ["isc", "isc_bootstrap", "isc_difference", "isc_mean", "isc_order", "isfc", "mantel"]

#: Dims of which every value is a result of its own.
_DIMS = ("feature", "time")

_COEFFICIENTS = {"pearson": "Pearson's r", "spearman": "Spearman's rho", "kendall": "Kendall's tau-b"}
_ALIGNED = {"time": "values of the same second", "frame": "values of the same frame number"}
_NULLS = {
    "circular_shift": "{n_draws} draws in which every series was shifted circularly within its own span",
    "phase": "{n_draws} draws in which the Fourier phases of every series were random",
}


def isc(result: xr.Dataset, alpha: float) -> Iterator[str]:
    """Correlations of pairs of videos, or of each video with the others."""
    attrs = result.attrs
    yield f"Time courses of {features_text(result)} were correlated {_how(attrs)}."
    if attrs["max_lag"]:
        yield f"Of all lags up to {attrs['max_lag']:g} {attrs['grid_unit']} in either direction the strongest counts."
    if attrs["window"]:
        yield f"Windows are {attrs['window']:g} {attrs['grid_unit']} long, {attrs['window_step']:g} apart."
    if attrs["null"] != "none":
        yield f"p ({attrs['alternative']}): {_null(attrs)}; {_family(attrs)}."
    for name, part in cells(result, _DIMS):
        words = _of_one(part) if part["r"].ndim == 0 else _of_many(part, alpha)
        yield f"{_start(name)}{', '.join(words)}."


def _how(attrs: dict[str, Any]) -> str:
    method, join = attrs["test"].split(", ")
    what = "between all pairs of" if join == "pairwise" else "with the average of the others, for each of"
    step = f" in steps of {attrs['grid_step']:.3g} {attrs['grid_unit']}" if attrs["align"] == "time" else ""
    return (
        f"{what} {counted(attrs['n'], 'video')} ({_COEFFICIENTS[method]}; {_ALIGNED[attrs['align']]}{step}; "
        f"at least {attrs['min_overlap']} shared)"
    )


def _null(attrs: dict[str, Any]) -> str:
    if attrs["null"] == "effective_df":
        return "Student's t with as many observations as the autocorrelated series are worth"
    return "(1 + b) / (1 + m), with b as large among " + _NULLS[attrs["null"]].format(n_draws=f"m = {attrs['n_draws']}")


def _family(attrs: dict[str, Any]) -> str:
    if attrs["correction"] == "none":
        return "not corrected for the number of correlations"
    return f"{CORRECTIONS[attrs['correction']]}, over the correlations of a feature"


def _of_one(part: xr.Dataset) -> Iterator[str]:
    """Words on the correlation of a pair, or of a video with the others."""
    yield " with ".join(str(part[name].item()) for name in ("video", "video_other") if name in part.coords)
    yield r_text("r", float(part["r"]))
    yield f"n = {counted(int(part['n']), 'shared time')}"
    for name, what in (("p", "p"), ("p_adjusted", "adjusted p")):
        if name in part and part[name].notnull():
            yield p_text(what, float(part[name]))


def _of_many(part: xr.Dataset, alpha: float) -> Iterator[str]:
    """Words on the mean of correlations, and on how many there are, each pair once."""
    what = "pair" if "video_other" in part["r"].dims else "video"
    there = part["r"].notnull()
    if what == "pair":
        there &= _pairs(part)
    size = int(there.sum())
    z = xr.apply_ufunc(fisher_z, part["r"].where(there), dask="parallelized", output_dtypes=[float])
    yield f"{r_text('mean r', float(np.tanh(z.mean())))} (by Fisher's z; n = {counted(size, what)})"
    if "p_mean" in part and part["p_mean"].notnull():
        yield p_text("p of the mean", float(part["p_mean"]))
    if size:
        shared = part["n"].where(there)
        yield f"{int(shared.min())} to {int(shared.max())} shared times"
    if "p" in part:
        p = _final_p(part).where(there)
        yield f"{int((p <= alpha).sum())} of {counted(int(p.notnull().sum()), what)} at p <= {decimal(alpha, 2)}"


def _pairs(part: xr.Dataset) -> xr.DataArray:
    """Mark pairs of different videos; of one that is there both ways round, one."""
    dims = ("video", "video_other")
    labels = [np.array([str(label) for label in part[dim].to_numpy()]) for dim in dims]
    codes = np.split(np.unique(np.concatenate(labels), return_inverse=True)[1], [len(labels[0])])
    # in the chunks of the correlations, as a mask of all pairs may not fit
    chunks = part["r"].variable.chunksizes
    sides = []
    for dim, mine, others in zip(dims, codes, codes[::-1], strict=True):
        side = xr.Dataset({"code": (dim, mine), "on_both": (dim, np.isin(mine, others))})
        sides.append(side.chunk({dim: chunks[dim]}) if chunks else side)
    first, second = sides
    twice = first["on_both"] & second["on_both"]
    return (first["code"] < second["code"]) | ((first["code"] > second["code"]) & ~twice)


def isc_mean(result: xr.Dataset, alpha: float) -> Iterator[str]:  # noqa: ARG001
    """Means of the correlations of pairs, within and between groups."""
    attrs = result.attrs
    by = attrs.get("by")
    yield f"Mean correlations of pairs{_of_videos(attrs)}, by Fisher's z{_of(attrs)}{f', by {by}' if by else ''}."
    for name, part in cells(result, _DIMS):
        yield f"{_start(name)}{'; '.join(_means(part, by))}."


def _means(part: xr.Dataset, by: str | None) -> Iterator[str]:
    def words(one: xr.Dataset) -> str:
        return f"{r_text('r', one['r'].item())} ({counted(int(one['n_pairs']), 'pair')})"

    if by is None:
        yield words(part)
        return
    names = part[by].to_numpy()
    for i, first in enumerate(names):
        for j, second in enumerate(names[i:], i):
            where = f"within {first}" if i == j else f"{first} with {second}"
            yield f"{where} {words(part.isel({by: i, f'{by}_other': j}))}"


def isc_difference(result: xr.Dataset, alpha: float) -> Iterator[str]:
    """Differences of the means of pairs within and between groups."""
    attrs = result.attrs
    blocks = f" within each {attrs['blocks']}" if attrs["blocks"] != "none" else ""
    yield (
        f"Correlations of time courses{_of(attrs)} were compared within and between groups of {attrs['by']}, "
        f"{listed(attrs['groups'])}, by dealing the groups out to the videos anew{blocks} ({_arrangements(attrs)} "
        f"arrangements, smallest possible p {attrs['p_min']:.2g}; two-sided; difference of means of Fisher's z; "
        f"{CORRECTIONS[attrs['correction']]})."
    )
    of_contrasts = result if "contrast" in result.dims else result.expand_dims("contrast")
    for i in range(of_contrasts.sizes["contrast"]):
        yield _contrast(of_contrasts.isel(contrast=i), alpha)


def _contrast(one: xr.Dataset, alpha: float) -> str:
    """Write what is significant of several features, and all of a single one."""
    parts = [(name, part) for name, part in cells(one, _DIMS) if part["p"].notnull()]
    significant = [(name, part) for name, part in parts if _final_p(part).item() <= alpha]
    words = "; ".join(_difference(name, part) for name, part in (significant if len(parts) > 1 else parts))
    return (
        f"{one['contrast'].item()}: {len(significant)} of {len(parts)} differed from 0 at alpha = "
        f"{decimal(alpha, 2)}{': ' if words else ''}{words}."
    )


def _difference(name: str, part: xr.Dataset) -> str:
    words = [f"{_start(name)}difference = {decimal(part['difference'].item(), 3)}", p_text("p", part["p"].item())]
    if "p_adjusted" in part:
        words.append(p_text("adjusted p", part["p_adjusted"].item()))
    return ", ".join(words)


def _final_p(result: xr.Dataset) -> xr.DataArray:
    """Give p after a correction, if there is one."""
    return result["p_adjusted" if "p_adjusted" in result else "p"]


def isc_bootstrap(result: xr.Dataset, alpha: float) -> Iterator[str]:  # noqa: ARG001
    """Means of the correlations of pairs with their intervals."""
    attrs = result.attrs
    yield (
        f"Mean correlations of pairs of {counted(attrs['n_videos'], 'video')}, by Fisher's z{_of(attrs)}; intervals "
        f"and p (two-sided) from {attrs['n_draws']:,} samples of the videos with replacement, without pairs of a video "
        "with another draw of itself (not corrected for the number of features)."
    )
    for name, part in cells(result, _DIMS):
        low, high = (decimal(part[limit].item(), 3) for limit in ("ci_low", "ci_high"))
        interval = f"{100 * attrs['confidence']:g}% CI [{low}, {high}]"
        r = r_text("mean r", part["r"].item())
        yield f"{_start(name)}{', '.join([r, interval, p_text('p', part['p'].item())])}."


def mantel(result: xr.Dataset, alpha: float) -> Iterator[str]:  # noqa: ARG001
    """Correlations with another matrix."""
    attrs = result.attrs
    method = str(attrs["test"]).rsplit(" ", 1)[-1]
    yield (
        f"Correlations of time courses{_of(attrs)} were correlated with another matrix of the same videos (Mantel "
        f"test; {_COEFFICIENTS[method]} over pairs; {_arrangements(attrs)} orders of the videos, smallest possible p "
        f"{attrs['p_min']:.2g}; {attrs['alternative']}; not corrected for the number of features)."
    )
    for name, part in cells(result, _DIMS):
        p = part["p"].item()
        words = [r_text("r", part["r"].item()), *([p_text("p", p)] if np.isfinite(p) else [])]
        yield f"{_start(name)}{', '.join(words)}, n = {counted(int(part['n_pairs']), 'pair')}."


def isfc(result: xr.Dataset, alpha: float) -> Iterator[str]:  # noqa: ARG001
    """Correlations of different features: the strongest."""
    attrs = result.attrs
    yield (
        f"Time courses of {features_text(result)} were correlated with those of every feature in other videos, "
        f"{_how(attrs)}{'; both directions averaged' if attrs['symmetric'] else ''}. There is no p."
    )
    z = xr.apply_ufunc(fisher_z, result["r"])
    if "video_other" in z.dims:
        place = xr.DataArray(np.arange(z.sizes["video"]), dims="video")
        z = z.where(place != place.rename(video="video_other"))
    mean = np.tanh(z.mean([dim for dim in z.dims if dim not in ("feature", "feature_other")]))
    if set(mean.dims) == {"feature", "feature_other"}:
        different = mean.where(mean["feature"] != mean["feature_other"])
        if different.notnull().any():
            i, j = (int(index) for index in np.unravel_index(np.nanargmax(np.abs(different)), different.shape))
            first, second = mean["feature"].to_numpy()[i], mean["feature_other"].to_numpy()[j]
            strongest = r_text("mean r", float(mean[i, j]))
            yield f"Of different features, {first} and {second} have most in common: {strongest} (by Fisher's z)."


def isc_order(result: xr.DataArray, alpha: float) -> Iterator[str]:  # noqa: ARG001
    """Say how an order of videos came about."""
    n = result.sizes["video"] - len(result.attrs["excluded"])
    yield (
        f"{counted(n, 'video')} in the order of the leaves of a hierarchical clustering ({result.attrs['linkage']} "
        f"linkage of the distance {result.attrs['distance']})."
    )


def _arrangements(attrs: dict[str, Any]) -> str:
    n = f"{attrs['n_permutations']:,}"
    return f"all {n}" if attrs["permutations_exact"] else f"{n} random"


def _of_videos(attrs: dict[str, Any]) -> str:
    return f" of {counted(attrs['n'], 'video')}" if "n" in attrs else ""


def _of(attrs: dict[str, Any]) -> str:
    """Say which correlations these are, if it is known."""
    return f" ({attrs['of']})" if attrs.get("of") else ""


def _start(name: str) -> str:
    return f"{name}: " if name else ""
