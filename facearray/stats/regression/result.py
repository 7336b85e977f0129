"""The Dataset that a regression returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray._words import counted, some
from facearray.stats.corrections import adjust
from facearray.stats.regression.design import INTERCEPT
from facearray.stats.regression.estimates import DIFFERENT, FEW_TREATED
from facearray.stats.regression.request import Fitted, Request

__all__ = ["few_treated_note", "result_dataset"]

#: From this number of clusters on, the p values of CR1 were right in simulations of equal groups.
_MANY_CLUSTERS = 20

#: What few treated clusters do to the p of each estimator, with the measured rates of false positives.
_FEW_TREATED = {
    "CR1": "p is too small (false positives .160 instead of .05 with 3 of 20, .268 with 2): use CR2",
    "CR2": "p is on the safe side, so that effects are seldom found (false positives .033 instead of .05 with 3 of 20, "
    ".002 with 2), but for clusters that vary more than the others (.065 with three times the standard deviation)",
    "CR3": "p is on the safe side, so that effects are seldom found (false positives .017 instead of .05 with 3 of 20)",
    "wild": "p can hardly be small, so that effects are seldom found (false positives .032 instead of .05 with 3 of "
    "20, .001 with 2)",
}

_TEXT = np.dtypes.StringDType()


def result_dataset(fitted: Fitted, request: Request) -> xr.Dataset:
    """Label the estimates, correct the p values, and say what was done."""
    dims = ("term", "face", "feature")
    values = {
        name: np.stack([getattr(e, name) for e in fitted.by_face], axis=1)
        for name in ("beta", "se", "t", "df", "p", "ci_low", "ci_high")
    }
    tested = np.array([term != INTERCEPT for term in fitted.terms])
    values["p_adjusted"] = np.full_like(values["p"], np.nan)
    if request.correction == "max_t":
        largest = [e.p_max for e in fitted.by_face if e.p_max is not None]
        values["p_adjusted"][tested] = np.stack(largest, axis=1)[tested]
    else:
        values["p_adjusted"][tested] = adjust(values["p"][tested], request.correction, axis=-1)
    n = np.stack([e.n for e in fitted.by_face])
    values["n"] = np.broadcast_to(n, (len(fitted.terms), *n.shape)).copy()
    order = ["beta", "se", "t", "p", "p_adjusted", "df", "ci_low", "ci_high", "n"]
    effects = [e.effect for e in fitted.by_face if e.effect is not None]
    if effects:
        order.append("effect")
        values["effect"] = np.where(tested[:, None, None], np.stack(effects, axis=1), np.nan)
    result = xr.Dataset(
        {name: (dims, values[name]) for name in order},
        coords={
            "term": np.array(fitted.terms, dtype=_TEXT),
            "face": fitted.faces,
        }
        | fitted.features,
    )
    if request.residuals and fitted.labels is not None:
        result = result.assign_coords({request.unit: fitted.labels})
        stacked = np.stack([e.residual for e in fitted.by_face if e.residual is not None], axis=1)
        result["residual"] = ((request.unit, "face", "feature"), stacked)
    return result.assign_attrs(_attrs(fitted, request, result))


def _attrs(fitted: Fitted, request: Request, result: xr.Dataset) -> dict[str, Any]:
    options = request.options
    attrs: dict[str, Any] = fitted.attrs | {
        "method": "regress",
        "test": "permutation test" if request.permutations else "t-test",
        "cov": options.cov,
        "confidence": options.confidence,
        "correction": request.correction or "none",
        "family": f"the {counted(len(request.outcomes), 'feature')} within each term, of each face",
        "coding": fitted.coding,
        "notes": _notes(fitted, request, result),
    }
    if options.link != "identity":
        attrs["link"] = options.link
    if request.random:
        attrs |= {"random": list(request.random), "cov": "mixed"}
    if request.cluster is not None:
        attrs |= {"cluster": request.cluster, "n_clusters": int(max(_counts(fitted)))}
    if options.cov == "wild":
        attrs["seed"] = options.seed
        for estimates in fitted.by_face:
            attrs |= estimates.details
    if request.permutations:
        used = {j: found for e in fitted.by_face for j, found in e.arrangements.items()}
        attrs |= {
            "seed": options.seed,
            "permutations": [
                f"{fitted.terms[j]}: {'all ' if exact else ''}{n} arrangements, smallest possible p "
                f"{1 / (n if exact else n + 1):.2g}"
                for j, (n, exact) in sorted(used.items())
            ],
        }
    return attrs


def _counts(fitted: Fitted) -> list[int]:
    return [int(e.n_clusters.max(initial=0)) for e in fitted.by_face if e.n_clusters is not None]


def _notes(fitted: Fitted, request: Request, result: xr.Dataset) -> list[str]:
    """Say what a reader has to know before trusting the numbers."""
    notes = []
    names = np.array(request.outcomes)
    beta, se, df, n = (result[name].to_numpy() for name in ("beta", "se", "df", "n"))
    no_values, no_df = n == 0, df <= 0
    undetermined = np.isnan(beta) & ~no_values & ~_any_face(fitted, "separated", len(names))
    no_variance = np.isnan(se) & ~np.isnan(beta) & ~no_df
    for where, text in (
        (no_values, "no observation with a value"),
        (undetermined, "too few observations or clusters with a value to tell the regressors apart"),
        (no_df, "as many coefficients as observations, so no standard errors"),
        (no_variance, "no residual variance (a constant feature, or one that the regressors give exactly)"),
    ):
        if where.any():
            notes.append(f"{text}: {some(names[where.any(axis=(0, 1))])}")
    few_clusters = request.options.cov == "CR1" and min(_counts(fitted)) < _MANY_CLUSTERS
    if few_clusters:
        notes.append(f"fewer than {_MANY_CLUSTERS} clusters, for which the p of CR1 is too small: use CR2")
    if request.options.cov in ("CR2", "CR3") and (df < 4).any():
        terms = some(result["term"].to_numpy()[(df < 4).any(axis=(1, 2))])
        notes.append(f"fewer than 4 degrees of freedom, so p is approximate at best: {terms}")
    notes += _warnings_of_fits(fitted, request)
    if fitted.few_treated:
        notes.append(few_treated_note(fitted, request.options.cov))
    return notes


def few_treated_note(fitted: Fitted, cov: str) -> str:
    """Say what it does to p that nearly all clusters are the same in a regressor; see docs/statistics.md."""
    terms = some(fitted.few_treated)
    return f"fewer than {FEW_TREATED} clusters differ from the others in {terms}: {_FEW_TREATED[cov]}"


def _any_face(fitted: Fitted, flags: str, m: int) -> NDArray[np.bool_]:
    """Outcomes (m,) that are flagged for any term or face."""
    found = np.zeros(m, dtype=bool)
    for estimates in fitted.by_face:
        of_face = getattr(estimates, flags)
        if of_face is not None:
            found |= of_face.reshape(-1, m).any(axis=0)
    return found


def _terms(fitted: Fitted, flags: str) -> list[str]:
    """Find the tested terms that are flagged for any outcome or face."""
    found = np.zeros(len(fitted.terms), dtype=bool)
    for estimates in fitted.by_face:
        of_face = getattr(estimates, flags)
        if of_face is not None:
            found |= of_face.any(axis=1)
    return [term for term, flagged in zip(fitted.terms, found, strict=True) if flagged and term != INTERCEPT]


def _warnings_of_fits(fitted: Fitted, request: Request) -> list[str]:
    """Say of which fits the p values are not to be trusted."""
    names = np.array(request.outcomes)
    notes = []
    for flags, text in (
        ("singular", "singular or not converged, a random effect has no variance or the others give it"),
        ("separated", "no finite estimate, because all values of some group are 0 or all are 1"),
        (
            "edge",
            "shares near 0 or 1 in few units, for which p may be too small: compare with permutations (without link)",
        ),
    ):
        where = _any_face(fitted, flags, len(names))
        if where.any():
            notes.append(f"{text}: {some(names[where])}")
    safer = f"cov='CR3' with cluster={request.unit!r}"
    if request.options.cov == "HC3" and (terms := _terms(fitted, "uncertain")):
        notes.append(f"few units decide the HC3 standard error of {some(terms)}, so p is too small: use {safer}")
    if request.options.cov == "nonrobust" and (terms := _terms(fitted, "unequal")):
        where = _any_face(fitted, "unequal", len(names))
        notes.append(
            f"groups of different size in {some(terms)} whose variances differ at least {DIFFERENT**2:g}-fold, so p is "
            f"not to be trusted (use {safer}, or Welch's t-test): {some(names[where])}"
        )
    return notes
