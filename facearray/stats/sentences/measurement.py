"""How far features measure the same again, and what human coders see, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from facearray.stats.sentences.numbers import cells, counted, decimal, features_text, listed, p_text, r_text

__all__ = ["agreement", "reliability", "split_half"]

_SPLITS = {
    "halves": "the first with the second half of the frames",
    "odd_even": "every second frame with the others",
}


def reliability(result: xr.Dataset, alpha: float) -> Iterator[str]:  # noqa: ARG001
    """Intraclass correlations."""
    attrs = result.attrs
    k = attrs["n_measurements"]
    yield (
        f"Intraclass correlations of {features_text(result)} over {k} values of {attrs['over']}, the {attrs['unit']} "
        f"being measured (two-way analysis of variance; single measurements; ICC(2,1): absolute agreement, ICC(3,1): "
        "consistency; p of the F test, not corrected for the number of features)."
    )
    for name, part in cells(result, ("feature", "face")):
        one = {str(key): array.item() for key, array in part.data_vars.items()}
        n = f"n = {one['n']}"
        if not np.isfinite(one["icc3_1"]):
            yield f"{name}: no correlation, as too few were measured {k} times or nothing varies ({n})."
            continue
        both = [_icc(one, "icc2_1", "ICC(2,1)", attrs), _icc(one, "icc3_1", "ICC(3,1)", attrs)]
        with np.errstate(divide="ignore"):
            f = np.divide(1 + (k - 1) * one["icc3_1"], 1 - one["icc3_1"])
        test = f"F({one['n'] - 1}, {(one['n'] - 1) * (k - 1)}) = {f:.2f}"
        yield f"{name}: {', '.join([*both, test, p_text('p', one['p'])])}, {n}."


def _icc(one: dict[str, float], key: str, name: str, attrs: dict[str, Any]) -> str:
    low, high = (decimal(one[f"{key}_{limit}"], 2) for limit in ("ci_low", "ci_high"))
    return f"{name} = {decimal(one[key], 2)}, {100 * attrs['confidence']:g}% CI [{low}, {high}]"


def split_half(result: xr.Dataset, alpha: float) -> Iterator[str]:  # noqa: ARG001
    """Correlations of halves."""
    attrs = result.attrs
    yield (
        f"Split-half reliability of {features_text(result)}: {_SPLITS[attrs['split']]}, over {attrs['unit']}s "
        "(Pearson's r, stepped up to the whole after Spearman and Brown). There is no p."
    )
    for name, part in cells(result, ("feature", "face")):
        whole = part["spearman_brown"].item()
        words = [r_text("r", part["r"].item()), *([r_text("Spearman-Brown", whole)] if np.isfinite(whole) else [])]
        yield f"{name}: {', '.join(words)}, n = {part['n'].item()}."


def agreement(result: xr.Dataset, alpha: float) -> Iterator[str]:  # noqa: ARG001
    """Agreement of detections with coders, and of coders with each other."""
    attrs = result.attrs
    yield (
        f"Features above {attrs['threshold']:g} were compared with human coding, frame by frame, in "
        f"{counted(attrs['n_videos'], 'video')}. There is no p, as neighbouring frames are not independent."
    )
    several = result.sizes.get("rater", 1) > 1
    for name, part in cells(result, ("feature", "rater")):
        who = f" ({part['rater'].item()})" if several else ""
        one = {key: part[key].item() for key in ("f1", "kappa", "prevalence", "prevalence_detected", "n")}
        if one["n"]:
            coded, detected = (decimal(one[key], 2) for key in ("prevalence", "prevalence_detected"))
            words = [_share("F1", one["f1"]), _share("kappa", one["kappa"])]
            words.append(f"prevalence {coded} coded and {detected} detected")
            yield f"{name}{who}: {', '.join(words)}, n = {counted(one['n'], 'frame')}."
    if "kappa_raters" in result and several:
        yield from _between(result)


def _between(result: xr.Dataset) -> Iterator[str]:
    raters = result["rater"].to_numpy()
    for name, part in cells(result[["kappa_raters", "n_raters"]], ("feature",)):
        kappa = part["kappa_raters"].transpose("rater", "rater_other").to_numpy()
        n = part["n_raters"].transpose("rater", "rater_other").to_numpy()
        pairs = [
            f"{listed([raters[i], raters[j]])} {_share('kappa', kappa[i, j])} (n = {counted(int(n[i, j]), 'frame')})"
            for i in range(len(raters))
            for j in range(i + 1, len(raters))
            if n[i, j]
        ]
        if pairs:
            yield f"{name}, coders with each other: {'; '.join(pairs)}."


def _share(name: str, value: float) -> str:
    return f"{name} = {decimal(value, 2)}" if np.isfinite(value) else f"{name} not defined"
