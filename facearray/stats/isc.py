"""Correlation of the time courses of different videos."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from facearray.stats.faces import one_face
from facearray.stats.intersubject.grid import Align, Grid, load, make_grid
from facearray.stats.intersubject.matrix import is_lazy, pair_matrix
from facearray.stats.intersubject.nulls import p_values
from facearray.stats.intersubject.request import (
    ONE_FACE,
    Alternative,
    Join,
    Null,
    Request,
    check,
    chosen_names,
    comparison_of,
)
from facearray.stats.intersubject.result import Described, described
from facearray.stats.kernels.comparison import Comparison, Found
from facearray.stats.kernels.correlation import Method, average_of_others

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["isc"]


def isc(
    ds: xr.Dataset,
    feature: str | Iterable[str],
    *,
    method: Method = "pearson",
    align: Align = "time",
    join: Join = "pairwise",
    min_overlap: int = 3,
    rate: float | None = None,
    max_lag: float | None = None,
    window: float | None = None,
    step: float | None = None,
    null: Null | None = None,
    alternative: Alternative = "two-sided",
    n_draws: int | None = None,
    correction: str | None = None,
    seed: int | None = None,
    client: Client | None = None,
) -> xr.Dataset:
    """Correlate the time courses of features between videos (inter-subject correlation).

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), of one face: choose it among several, as in
        ``ds.isel(face=0)``.
    feature
        A feature, or several, as for `facearray.selectors.select`; each is correlated with itself.
    method
        ``"pearson"``, ``"spearman"`` (of ranks among the shared times of a pair) or ``"kendall"`` (tau-b).
    align
        What is compared with what: ``"time"``, the values of the same second, by the frames' own timestamps; or
        ``"frame"``, those of the same frame number.
    join
        ``"pairwise"``, or ``"leave_one_out"``: each video with the average of the others, for which every video's
        course is given mean 0 and variance 1, at the times at which two others or more have a value.
    min_overlap
        Fewest shared times of a correlation; with fewer it is NaN.
    rate
        Values a second, where videos have different frame rates (or fewer are wanted): the frames of a video that lie
        in the same step are averaged. Not more than the slowest video has.
    max_lag
        Largest lag, in seconds (frame numbers with ``align="frame"``), up to which the strongest correlation is looked
        for, in both directions; None for no lag. The null has the same choice in every draw.
    window, step
        Length of sliding windows and the distance of their beginnings (by default half a window), in seconds (frame
        numbers); None for whole time courses.
    null
        What p is measured against: None for no p, ``"circular_shift"``, ``"phase"``, or ``"effective_df"``, which draws
        nothing. See Notes.
    alternative
        ``"two-sided"``, or ``"greater"`` where a negative correlation is no finding.
    n_draws, seed
        Of the null, 1000 and 0 by default.
    correction
        For the pairs (videos, with `join`; and windows) of each feature: ``"bonferroni"``, ``"holm"``, ``"fdr_bh"``,
        ``"fdr_by"``, and with draws ``"max_r"``, by the largest of all correlations in every draw.
    client
        A Dask client that shares the draws; the result is the same.

    Returns
    -------
    Dataset
        With dims (video, video_other), or (video) with ``join="leave_one_out"``; further ``time`` in front with
        windows, their middles, and ``feature`` behind, unless a single one is asked for by its name:

        - ``r`` and ``n``, the number of shared times
        - ``lag``, with `max_lag`: how much later the other video is, in seconds (frame numbers)
        - ``p`` and ``p_adjusted``, with `null` and `correction`
        - ``r_mean`` and ``p_mean``, with draws: the mean of all r by Fisher's z, and its p

        Coordinates on ``video`` are kept; those of the other video have names such as ``condition_other``. The
        coordinate ``few_samples`` marks correlations of fewer than 30 shared times.

        Pairs of a dask-backed Dataset, and those that would need more than 1 GiB, are dask arrays: tiles that are
        computed when they are asked for, or written (``result.to_zarr(...)``). The features' values are in memory
        meanwhile, once.

    Raises
    ------
    InputError
        If a name is unknown or an option does not fit another (draws without a null, …), there are several faces, or
        videos have different frame rates; with ``null="phase"``, if a series has gaps.
    SchemaError
        If ``ds`` does not follow the schema, or a frame's time is unknown.

    Notes
    -----
    r is NaN where a series does not vary over the shared times. Frame rates that differ by less than 1 % count as the
    same; every frame is placed by its own time.

    - ``circular_shift``: every series is shifted within its own span, by not less than its autocorrelation time. Its
      values keep their order, apart from the seam; it has to be stationary.
    - ``phase``: the Fourier phases of every series are drawn anew. It keeps the spectrum, and assumes a stationary,
      roughly normal series without gaps.
    - ``effective_df``: Student's t with as many observations as the autocorrelated series are worth.

    p = (1 + b) / (1 + m) of m draws that count. Draws are in the order of the videos' labels: the result depends on
    `seed` only. A p of many pairs is not one of independent units; see `facearray.stats.isc_mean` and its like for
    inference about videos and conditions, and the documentation for measured false-positive rates.

    References
    ----------
    Hasson, U. et al. (2004). Intersubject synchronization of cortical activity during natural vision. Science 303.

    Kauppi, J.-P. et al. (2010). Inter-subject correlation of brain hemodynamic responses during watching a movie:
    localization in space and frequency. Frontiers in Neuroinformatics 4 (circular shifts).

    Theiler, J. et al. (1992). Testing for nonlinearity in time series: the method of surrogate data. Physica D 58,
    77-94 (phases).

    Pyper, B. J., & Peterman, R. M. (1998). Comparison of methods to account for autocorrelation in correlation analyses
    of fish data. Canadian Journal of Fisheries and Aquatic Sciences 55, 2127-2140 (effective degrees of freedom).

    Nastase, S. A. et al. (2019). Measuring shared responses across subjects using intersubject correlation. Social
    Cognitive and Affective Neuroscience 14.

    Examples
    --------
    >>> dims, number = ("video", "frame"), np.tile(np.arange(5), (3, 1))
    >>> smiles = np.array([[1, 2, 4, 4, 3], [0, 2, 5, 4, 3], [4, 3, 1, 0, 1]], "f4")
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), smiles[:, :, None, None])},
    ...     coords={
    ...         "video": ["a", "b", "c"],
    ...         "feature": ["AU12"],
    ...         "frame_number": (dims, number),
    ...         "timestamp": (dims, number / 25),
    ...     },
    ... )
    >>> isc(ds, "AU12").r.sel(video="a").values.round(2)
    array([ 1.  ,  0.98, -0.96])
    """
    request = Request(
        method=method,
        align=align,
        join=join,
        min_overlap=min_overlap,
        rate=rate,
        max_lag=max_lag,
        window=window,
        step=step,
        null=null,
        alternative=alternative,
        n_draws=n_draws,
        correction=correction,
        seed=seed,
        client=client,
    )
    check(request)
    ds = one_face(ds, ONE_FACE)
    grid = make_grid(ds, align, rate)
    features, single = chosen_names(ds, feature)
    comparison = comparison_of(request, grid)
    if join == "leave_one_out":
        found = _with_others(ds, grid, features, comparison)
    else:
        n_windows = len(list(comparison.windows(grid.n_places)))
        lazy = null is None and is_lazy(ds, grid, len(features), n_windows)
        found = pair_matrix(ds, grid, features, comparison, lazy=lazy)
    tested = None if null is None else p_values(ds, grid, features, comparison, request, np.asarray(found.n))
    return described(Described(ds, grid, features, single, comparison, request), found, tested)


def _with_others(ds: xr.Dataset, grid: Grid, features: list[str], comparison: Comparison) -> Found:
    parts = [comparison.of_rows(x, average_of_others(x)) for x in load(ds, grid, features)]
    return Found(*(np.stack(arrays) for arrays in zip(*parts, strict=True)))
