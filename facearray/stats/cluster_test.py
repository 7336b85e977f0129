"""Tests of means over time by clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from facearray import schema, selectors
from facearray.stats.time_resolved.means import Contrast, check_contrast, compare_means
from facearray.stats.time_resolved.rules import ClusterRule, Neighbours
from facearray.stats.time_resolved.windows import make_windows, window_values

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["cluster_test"]


def cluster_test(
    ds: xr.Dataset,
    by: str | None = None,
    *,
    y: str | Iterable[str] = "aus",
    window: float,
    step: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    groups: Sequence[Any] | None = None,
    popmean: float = 0.0,
    paired: str | None = None,
    equal_var: bool = False,
    unit: str = "video",
    blocks: str | None = None,
    confidence: float = 0.95,
    permutations: int = 9999,
    cluster_alpha: float = 0.05,
    cluster_threshold: float | None = None,
    neighbours: Neighbours | None = None,
    seed: int = 0,
    client: Client | None = None,
    min_valid: float = 0.5,
) -> xr.Dataset:
    """Test at which times means of features differ from a number, in pairs, or between two groups, by clusters.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature) and times.
    by
        Coordinate that tells two groups apart. Without it, the mean of all units is tested against `popmean`.
    y
        Features to test, as for `facearray.selectors.select`.
    window, step
        Length of the windows and the distance of their beginnings (by default half a window), in seconds of the frames'
        own timestamps. The frames of a unit in a window become one value a feature.
    start, stop
        Where the first window begins (by default with the first frame of any video), and what no window goes beyond
        (by default the end of the longest video), in seconds.
    groups, popmean, paired, equal_var, unit, blocks, confidence
        As for `facearray.stats.ttest`.
    permutations
        Draws, at least 1; with no more than 200,000 arrangements all are used, however few draws are asked for. Groups
        are dealt out to the units anew, within `blocks` where given; the signs of one sample and of pairs are flipped.
        A unit keeps its whole time course.
    cluster_alpha
        Level of the single two-sided t-tests at which neighbouring windows form clusters. It decides which clusters are
        found, long and weak or short and strong ones, and not how often there are false ones.
    cluster_threshold
        The t itself, instead, without its sign.
    neighbours
        Pairs of features whose windows of the same time are neighbours, too, as in ``[("AU06", "AU12")]``. By default
        clusters are of one feature.
    seed
        Of the draws.
    client
        A Dask client that shares the permutations; the result is the same.
    min_valid
        Smallest share, 0 to 1, of a window's seconds in which a unit has to have a value of a feature; with less, it
        is NaN there and left out.

    Returns
    -------
    Dataset
        With dims (time, face, feature), where ``time`` are the middles of the windows: ``difference`` (of the mean from
        `popmean`, or of the groups), ``se``, ``t``, ``df``, ``ci_low``, ``ci_high``, ``n`` (units or pairs with a
        value) and ``coverage`` (mean share of the window's seconds with a value); ``p``, of each window alone;
        ``cluster``, the number of its cluster (0 for none), ``cluster_mass``, the sum of its t, and ``p_adjusted``, its
        p (1 outside of clusters). `facearray.stats.clusters` makes a table of them, `facearray.stats.describe`
        sentences.

    Raises
    ------
    InputError
        If a name is unknown or an option does not fit another; if there are not two groups or no pairs; if a window is
        longer than the longest video or shorter than the distance of frames.
    SchemaError
        If ``ds`` does not follow the schema, or a frame's time is unknown.

    Notes
    -----
    A cluster is a run of neighbouring windows whose t is beyond the threshold on the same side; its mass is the sum of
    t. Its p is the share of arrangements in which any cluster of the face has an absolute mass at least as large: the
    chance of any false cluster is at most alpha, over all windows and features. *Assumes* that units are exchangeable
    under the null hypothesis (signs: that differences are symmetric around 0), also in when they end: videos that have
    ended drop out of a window, and ``n`` counts the others. A window whose t does not exist in an arrangement is in no
    cluster of it.

    What is tested is that the time courses do not differ at all. A small p says that they do, and not from when to
    when: the windows of a cluster depend on the threshold, and its edges have no error rate (Sassenhagen & Draschkow
    2019).

    References
    ----------
    Maris, E. & Oostenveld, R. (2007). Nonparametric statistical testing of EEG- and MEG-data. Journal of Neuroscience
    Methods 164.

    Sassenhagen, J. & Draschkow, D. (2019). Cluster-based permutation tests of MEG/EEG data do not establish
    significance of effect latency or location. Psychophysiology 56.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> good, number = np.arange(12) % 2 == 0, np.tile(np.arange(50), (12, 1))
    >>> smile = rng.normal(size=(12, 50)) + good[:, None] * (number >= 25)
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), smile[:, :, None, None])},
    ...     coords={
    ...         "video": [f"{i:02}" for i in range(12)],
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), number),
    ...         "timestamp": (("video", "frame"), number / 25),
    ...         "condition": ("video", np.where(good, "good", "bad")),
    ...     },
    ... )
    >>> result = cluster_test(ds, "condition", window=0.5, step=0.5)
    >>> result.cluster.squeeze().values.tolist(), result.p_adjusted.squeeze().round(4).values.tolist()
    ([0, 0, 1, 1], [1.0, 1.0, 0.0022, 0.0022])
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    contrast = Contrast(
        by=by,
        groups=groups,
        popmean=popmean,
        paired=paired,
        blocks=blocks,
        equal_var=equal_var,
        rule=ClusterRule.of(cluster_alpha, cluster_threshold, neighbours),
        confidence=confidence,
        permutations=permutations,
        seed=seed,
        client=client,
    )
    check_contrast(contrast)
    features = selectors.feature_names(ds, y)
    axis = make_windows(ds, window, step, start, stop)
    values = window_values(ds, axis, unit=unit, features=features, min_valid=min_valid)
    return compare_means(values, contrast).assign_attrs(method="cluster_test")
