"""Synchrony of two persons in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from facearray.stats.sentences.numbers import cells, counted, decimal, features_text, p_text

__all__ = ["synchrony"]

_NULLS = {
    "segment_shuffle": "the second person's windows are in other orders",
    "circular_shift": "the second person's windows are moved by whole windows",
    "pseudo_dyads": "the first person is put together with the second ones of other dyads",
}


def synchrony(result: xr.Dataset, alpha: float) -> Iterator[str]:
    """Synchrony of dyads, each by itself if there is one, and all of them together."""
    attrs = result.attrs
    result = result if "dyad" in result.dims else result.expand_dims("dyad")
    yield (
        f"The synchrony of {features_text(result)} was measured in {counted(result.sizes['dyad'], 'dyad')} by "
        f"{_method(result, attrs)}; windows of {attrs['window']:.4g} s, {attrs['window_step']:.4g} s apart."
    )
    if attrs["null"] != "none":
        yield (
            f"p: share of up to {attrs['n_draws']:,} arrangements with a value at least as large, in which "
            f"{_NULLS[attrs['null']]}; not corrected for the number of dyads and features."
        )
    for name, part in cells(result, ("feature",)):
        there = part.isel(dyad=part["strength"].notnull().to_numpy())
        if not there.sizes["dyad"]:
            words = ["no dyad could be compared"]
        elif there.sizes["dyad"] == 1:
            words = list(_of_one(there.isel(dyad=0)))
        else:
            words = list(_of_many(there, alpha))
        yield f"{name}: {', '.join(words)}." if name else f"{', '.join(words)}."


def _method(result: xr.Dataset, attrs: dict[str, Any]) -> str:
    if attrs["test"] == "coherence":
        low, high = (result["frequency"].to_numpy()[i] for i in (0, -1))
        return f"magnitude-squared coherence ({low:.3g} to {high:.3g} Hz, averaged)"
    sign = "of its absolute value" if attrs["alternative"] == "two-sided" else "with its sign"
    return (
        f"windowed cross-correlation (mean of Fisher's z, {sign}, over lags up to {attrs['max_lag']:.3g} s in either "
        "direction)"
    )


def _of_one(one: xr.Dataset) -> Iterator[str]:
    """Words on a dyad."""
    yield str(one["dyad"].item()) if "dyad" in one.coords else "one dyad"
    chance = f" (by chance {decimal(one['null_mean'].item(), 3)})" if _there(one, "null_mean") else ""
    yield f"strength = {decimal(one['strength'].item(), 3)}{chance}"
    yield from _p(one, "p", "p")
    place = f"at a lag of {one['lag_max'].item():.3g} s" if "lag_max" in one else f"at {one['frequency_max']:.3g} Hz"
    yield f"largest {decimal(one['strength_max'].item(), 3)} {place}"
    yield from _p(one, "p_max", "p")
    if _there(one, "lead"):
        yield f"lead of the first person = {decimal(one['lead'].item(), 3)}"
        yield from _p(one, "p_lead", "p")


def _of_many(part: xr.Dataset, alpha: float) -> Iterator[str]:
    """Words on all dyads, and on how many of them are more than chance."""
    chance = ""
    if "null_mean" in part and part["null_mean"].notnull().any():
        chance = f" (by chance {decimal(part['null_mean'].mean().item(), 3)})"
    yield f"mean strength = {decimal(part['strength'].mean().item(), 3)}{chance}, n = {part.sizes['dyad']}"
    if _there(part, "p_group"):
        yield p_text("p of all dyads", part["p_group"].item())
    if "p" in part:
        p = part["p"].to_numpy()
        tested = int(np.isfinite(p).sum())
        yield f"{int((p <= alpha).sum())} of {counted(tested, 'dyad')} at p <= {decimal(alpha, 2)}"
    if "lead" in part and part["lead"].notnull().any():
        yield f"mean lead of the first person = {decimal(part['lead'].mean().item(), 3)}"


def _p(one: xr.Dataset, variable: str, name: str) -> Iterator[str]:
    if _there(one, variable):
        yield p_text(name, one[variable].item())


def _there(one: xr.Dataset, variable: str) -> bool:
    return variable in one and bool(one[variable].notnull())
