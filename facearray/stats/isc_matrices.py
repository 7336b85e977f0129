"""What correlations of all pairs of videos say about videos and conditions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from facearray._words import some
from facearray.errors import InputError, unknown_names
from facearray.stats.corrections import METHODS as CORRECTIONS
from facearray.stats.corrections import adjust
from facearray.stats.intersubject.pairs import attrs_of, labelled, matrices_in_order, matrices_of
from facearray.stats.kernels.comparison import fisher_mean, fisher_z
from facearray.stats.kernels.matrices import GroupMeans, Resamples, resampled_means
from facearray.stats.kernels.resampling import Labels, permutation_test
from facearray.stats.units import levels, video_coordinate

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["isc_bootstrap", "isc_difference", "isc_mean"]

#: Draws at a time.
_CHUNK = 256


def isc_mean(ds: xr.Dataset, by: str | None = None) -> xr.Dataset:
    """Average correlations of pairs of videos by Fisher's z, within and between groups of videos.

    Parameters
    ----------
    ds
        Result of `facearray.stats.isc` for pairs.
    by
        Coordinate on ``video`` with the group of each, such as ``"condition"``; None for the mean of all pairs.

    Returns
    -------
    Dataset
        ``r``, tanh of the mean of atanh(r), and ``n_pairs``, the number of pairs with a correlation; dims as of ``ds``
        without (video, video_other), and with `by` the group of the first and of the other video in front: the
        diagonal is within groups. Pairs of a video with itself, pairs without a correlation and videos without a group
        are left out.

    Raises
    ------
    InputError
        If there is no such coordinate.
    SchemaError
        If ``ds`` has no correlations of pairs.

    References
    ----------
    Silver, N. C., & Dunlap, W. P. (1987). Averaging correlation coefficients: should Fisher's z transformation be used?
    Journal of Applied Psychology 72, 146-148.

    Examples
    --------
    >>> r = np.array([[1, 0.8, 0.1], [0.8, 1, 0.3], [0.1, 0.3, 1]])
    >>> pairs = xr.Dataset(
    ...     {"r": (("video", "video_other"), r)},
    ...     coords={"video": ["a", "b", "c"], "condition": ("video", ["good", "good", "bad"])},
    ... )
    >>> isc_mean(pairs, "condition").r.sel(condition="good").values.round(3)
    array([0.202, 0.8  ])
    """
    matrices, others = matrices_of(ds)
    if by is None:
        i, j = np.triu_indices(matrices.shape[-1], 1)
        pairs = matrices[..., i, j]
        r, n = fisher_mean(pairs), (~np.isnan(pairs)).sum(axis=-1)
        return xr.Dataset(
            {"r": labelled(r, others, (), {}), "n_pairs": labelled(n, others, (), {})}, attrs=attrs_of(ds, "isc_mean")
        )
    names, codes = levels(video_coordinate(ds, by))
    means, counts = GroupMeans(fisher_z(matrices), len(names)).means(codes[None])
    coords = {by: names, f"{by}_other": names}
    dims = (by, f"{by}_other")
    return xr.Dataset(
        {
            "r": labelled(np.moveaxis(np.tanh(means[0]), 0, -1), others, dims, coords),
            "n_pairs": labelled(np.moveaxis(np.rint(counts[0]).astype(np.int64), 0, -1), others, dims, coords),
        },
        attrs=attrs_of(ds, "isc_mean") | {"by": by},
    )


def isc_difference(
    ds: xr.Dataset,
    by: str,
    *,
    blocks: str | None = None,
    n_permutations: int = 10_000,
    correction: str | None = None,
    seed: int = 0,
    client: Client | None = None,
) -> xr.Dataset:
    """Test whether videos of one group have more in common with each other than with those of other groups.

    Parameters
    ----------
    ds
        Result of `facearray.stats.isc` for pairs.
    by
        Coordinate on ``video`` with the group of each, such as ``"condition"``.
    blocks
        Coordinate on ``video``; videos are exchanged between groups within its levels only (such as ``"subject"``, for
        a condition within people).
    n_permutations
        Draws, where there are more than 200,000 arrangements; with fewer, all are used.
    correction
        Of p for the matrices of ``ds``, such as those of several features, within each contrast: ``"bonferroni"``,
        ``"holm"``, ``"fdr_bh"`` or ``"fdr_by"``; None for none.
    seed
        Of the draws.
    client
        A Dask client that shares the draws; the result is the same.

    Returns
    -------
    Dataset
        With the dim ``contrast`` in front: ``within - between``, all pairs within groups against all pairs between, and
        for each two groups the mean of one's pairs less that of the other's: ``difference`` of the means of Fisher's z,
        and ``p``, two-sided; with `correction` also ``p_adjusted``.

    Raises
    ------
    InputError
        If there is no such coordinate or correction, or there are no two groups of two videos.
    SchemaError
        If ``ds`` has no correlations of pairs.

    Notes
    -----
    The groups are dealt out to the videos anew. Pairs that share a video depend on each other: a t-test over pairs
    would take n (n - 1) / 2 of them for as many observations. The hypothesis is that videos are exchangeable between
    groups; it does not matter what the time courses are like.

    References
    ----------
    Chen, G. et al. (2016). Untangling the relatedness among correlations, part I. NeuroImage 142, 248-259.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(8, 50)) + np.repeat(rng.normal(size=(2, 50)), 4, axis=0)
    >>> pairs = xr.Dataset(
    ...     {"r": (("video", "video_other"), np.corrcoef(x))},
    ...     coords={"video": list("abcdefgh"), "condition": ("video", list("gggghhhh"))},
    ... )
    >>> isc_difference(pairs, "condition").p.sel(contrast="within - between").round(3).item()
    0.029
    """
    if n_permutations < 1:
        raise InputError(f"found n_permutations={n_permutations}; expected a positive number")
    if correction not in (None, *CORRECTIONS):
        raise unknown_names("correction", [str(correction)], CORRECTIONS)
    names, codes = levels(video_coordinate(ds, by))
    in_blocks = None if blocks is None else levels(video_coordinate(ds, blocks))[1]
    used, matrices, others = matrices_in_order(ds, codes >= 0)
    if in_blocks is not None:
        if (in_blocks[used] < 0).any():
            lacking = ds["video"].to_numpy()[used[in_blocks[used] < 0]]
            raise InputError(f"found videos without {blocks}: {some(lacking)}; give them one")
        in_blocks = in_blocks[used]
    size = np.bincount(codes[used], minlength=len(names))
    if len(names) < 2 or (size > 1).sum() < 2:
        raise InputError(
            f"found {len(names)} groups in {by!r}, of {some(size) or 'no'} videos; expected two or more, two of them "
            "of at least 2 videos"
        )
    statistic = GroupMeans(fisher_z(matrices), len(names))
    groups = codes[used].astype(np.float64)
    differences = statistic.contrasts(groups[None])[0]
    test = permutation_test(
        statistic,
        np.abs(differences).reshape(-1),
        Labels(groups, in_blocks),
        n_permutations=n_permutations,
        seed=seed,
        client=client,
    )
    first, second = np.triu_indices(len(names), 1)
    contrasts = ["within - between", *(f"{names[a]} - {names[b]}" for a, b in zip(first, second, strict=True))]
    p = test.p.reshape(differences.shape)
    found = {"difference": differences, "p": p}
    if correction is not None:
        found["p_adjusted"] = np.stack([adjust(family, correction) for family in p])
    return xr.Dataset(
        {name: labelled(array, others, ("contrast",), {"contrast": contrasts}) for name, array in found.items()},
        attrs=attrs_of(ds, "isc_difference")
        | {
            "by": by,
            "blocks": blocks or "none",
            "groups": [f"{name} (n = {count})" for name, count in zip(names.tolist(), size.tolist(), strict=True)],
            "test": "permutation of the groups between videos",
            "correction": correction or "none",
            "n_videos": len(used),
        }
        | test.attrs(seed),
    )


def isc_bootstrap(ds: xr.Dataset, *, n_draws: int = 10_000, confidence: float = 0.95, seed: int = 0) -> xr.Dataset:
    """Estimate how far the mean correlation reaches beyond these videos, by resampling videos.

    Parameters
    ----------
    ds
        Result of `facearray.stats.isc` for pairs.
    n_draws, seed
        Of the bootstrap.
    confidence
        Level of the interval, 0 to 1.

    Returns
    -------
    Dataset
        ``r``, the mean by Fisher's z, ``ci_low`` and ``ci_high`` (percentiles), and ``p`` of the hypothesis that the
        mean is 0, two-sided; dims as of ``ds`` without (video, video_other).

    Raises
    ------
    InputError
        If an option is not possible, or there are fewer than 3 videos with a correlation.
    SchemaError
        If ``ds`` has no correlations of pairs.

    Notes
    -----
    Videos are drawn with replacement, and pairs of a video with another draw of itself are left out. p compares the
    mean with draws less the mean. It is conservative: .003 instead of .05 in simulations without an effect.

    References
    ----------
    Chen, G. et al. (2016). Untangling the relatedness among correlations, part I. NeuroImage 142, 248-259.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(8, 50)) + np.random.default_rng(1).normal(size=50)
    >>> pairs = xr.Dataset({"r": (("video", "video_other"), np.corrcoef(x))}, coords={"video": list("abcdefgh")})
    >>> found = isc_bootstrap(pairs, n_draws=1000)
    >>> bool(found.ci_low < found.r < found.ci_high), found.p.item()
    (True, 0.000...)
    """
    if n_draws < 1 or not 0 < confidence < 1:
        raise InputError(
            f"found n_draws={n_draws} and confidence={confidence}; expected 1 or more, and a share between 0 and 1"
        )
    _, matrices, others = matrices_in_order(ds)
    z = fisher_z(matrices)
    n_videos = int((~np.isnan(z)).any(axis=(0, 2)).sum())
    if n_videos < 3:
        raise InputError(f"found {n_videos} videos with a correlation; expected 3 or more")
    observed = resampled_means(z, np.ones((1, z.shape[1])))[0]
    resamples = Resamples(z.shape[1])
    draws = np.concatenate(
        [
            resampled_means(z, resamples.draw(np.random.default_rng([seed, chunk]), _CHUNK))
            for chunk in range(math.ceil(n_draws / _CHUNK))
        ]
    )[:n_draws]
    n_counted = (~np.isnan(draws)).sum(axis=0)
    larger = (np.abs(draws - observed) >= np.abs(observed)).sum(axis=0)
    low, high = np.nanquantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    values = {
        "r": np.tanh(observed),
        "ci_low": np.tanh(low),
        "ci_high": np.tanh(high),
        "p": np.where(np.isnan(observed), np.nan, (1 + larger) / (1 + n_counted)),
    }
    return xr.Dataset(
        {name: labelled(array, others, (), {}) for name, array in values.items()},
        attrs=attrs_of(ds, "isc_bootstrap")
        | {
            "test": "bootstrap of videos",
            "n_videos": n_videos,
            "n_draws": n_draws,
            "confidence": confidence,
            "seed": seed,
        },
    )
