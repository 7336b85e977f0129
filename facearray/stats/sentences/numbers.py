"""How numbers, names and lists are written in a paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import xarray as xr

from facearray import _words

__all__ = [
    "CORRECTIONS",
    "COVARIANCES",
    "TESTS",
    "cells",
    "counted",
    "decimal",
    "each_feature",
    "features_text",
    "listed",
    "p_text",
    "r_text",
]

CORRECTIONS = {
    "none": "not corrected for the number of features",
    "bonferroni": "Bonferroni-corrected",
    "holm": "Holm-corrected",
    "fdr_bh": "false discovery rate controlled after Benjamini and Hochberg",
    "fdr_by": "false discovery rate controlled after Benjamini and Yekutieli",
    "max_t": "family-wise error controlled by the permutation distribution of the largest |t|",
    "max_r": "family-wise error controlled by the largest correlation in every draw",
    "max_score": "family-wise error controlled by the permutation distribution of the largest score",
    "cluster": "family-wise error controlled by the permutation distribution of the largest cluster",
}

COVARIANCES = {
    "nonrobust": "ordinary least squares",
    "HC3": "ordinary least squares with HC3 standard errors",
    "CR1": "ordinary least squares with cluster-robust standard errors (CR1, G - 1 degrees of freedom)",
    "CR2": "ordinary least squares with cluster-robust standard errors (CR2, Bell-McCaffrey degrees of freedom)",
    "CR3": "ordinary least squares with cluster-robust standard errors (CR3, Bell-McCaffrey degrees of freedom)",
    "wild": "ordinary least squares with a wild cluster bootstrap-t",
    "mixed": "linear mixed models (restricted maximum likelihood; t-tests with between/within degrees of freedom)",
}

TESTS = {
    "one-sample t-test": "a one-sample t-test",
    "paired t-test": "a paired t-test",
    "Student's t-test": "Student's t-test",
    "Welch's t-test": "Welch's t-test",
}


def p_text(name: str, p: float) -> str:
    """Write a p value.

    Examples
    --------
    >>> p_text("p", 0.0321), p_text("adjusted p", 0.0002)
    ('p = .032', 'adjusted p < .001')
    """
    return f"{name} < .001" if p < 0.001 else f"{name} = {decimal(p, 3)}"


def decimal(value: float, digits: int) -> str:
    """Write a number that cannot exceed 1 without the zero before the point.

    Examples
    --------
    >>> decimal(0.05, 2), decimal(-0.5, 2), decimal(1.0, 2)
    ('.05', '-.50', '1.00')
    """
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def r_text(name: str, r: float) -> str:
    """Write a correlation; one that does not exist is said not to.

    Examples
    --------
    >>> r_text("mean r", 0.1579), r_text("r", float("nan"))
    ('mean r = .158', 'no r')
    """
    return f"{name} = {decimal(r, 3)}" if np.isfinite(r) else f"no {name}"


def counted(n: int, noun: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> counted(1, "pair"), counted(1200, "pair")
    ('1 pair', '1,200 pairs')
    """
    return _words.counted(n, noun, form=",")


def listed(names: Iterable[object]) -> str:
    """Join names; of none there is an empty text.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed([])
    ('a, b and c', '')
    """
    texts = [str(name) for name in names]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def each_feature(n: int) -> str:
    """Begin a sentence about what was done to features.

    Examples
    --------
    >>> each_feature(1), each_feature(20)
    ('One feature was', 'Each of 20 features was')
    """
    return f"Each of {n} features was" if n != 1 else "One feature was"


def features_text(result: xr.Dataset) -> str:
    """Name the feature of a result, or count the features.

    Examples
    --------
    >>> features_text(xr.Dataset(coords={"feature": ["AU06", "AU12"]}))
    'each of 2 features'
    >>> features_text(xr.Dataset(coords={"feature": "AU12"}))
    'AU12'
    """
    if "feature" not in result.coords:
        return "a feature"
    names = result["feature"].to_numpy().reshape(-1)
    return str(names[0]) if len(names) == 1 else f"each of {len(names)} features"


def cells(result: xr.Dataset, dims: Iterable[str]) -> Iterator[tuple[str, xr.Dataset]]:
    """Give the part of a result at every place along some of its dims, with a name for it.

    Dims that the result does not have are left out. The name is that of the feature, if there is one, and what tells
    the part from others.
    """
    there = [dim for dim in dims if dim in result.dims]
    for place in np.ndindex(*(result.sizes[dim] for dim in there)):
        part = result.isel(dict(zip(there, place, strict=True)))
        words = [str(part["feature"].item())] if "feature" in part.coords else []
        if "time" in there:
            words.append(f"at {part['time'].item():.3g} {part['time'].attrs.get('units', '')}".rstrip())
        if "face" in there and result.sizes["face"] > 1:
            words.append(f"(face {part['face'].item() if 'face' in part.coords else place[there.index('face')]})")
        yield " ".join(words), part
