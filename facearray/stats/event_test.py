"""Tests of averages around events by clusters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from facearray import schema, selectors
from facearray.stats.time_resolved.events import EventRequest, event_values
from facearray.stats.time_resolved.means import Contrast, check_contrast, compare_means
from facearray.stats.time_resolved.rules import ClusterRule, Neighbours

if TYPE_CHECKING:
    import pandas as pd
    from distributed import Client

__all__ = ["event_test"]


def event_test(
    ds: xr.Dataset,
    events: pd.DataFrame,
    by: str | None = None,
    *,
    before: float,
    after: float,
    step: float,
    y: str | Iterable[str] = "aus",
    groups: Sequence[Any] | None = None,
    popmean: float = 0.0,
    baseline: tuple[float, float] | None = None,
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
    """Test averages around events against a number, or between two kinds of events or of units, by clusters.

    Parameters
    ----------
    ds, events, before, after, step, y, baseline, unit, confidence, min_valid
        As for `facearray.stats.event_average`.
    by
        What is compared. A column of the events, such as ``"label"``: the difference between two kinds of events within
        each unit, whose signs are flipped; units without events of both kinds are left out and listed. A coordinate on
        the units, such as ``"condition"``: two groups of units. None: the mean of all units against `popmean`, which
        needs a `baseline` to be of interest for most features.
    groups
        Two levels of `by`, first minus second; by default the second minus the first in alphabetical order.
    popmean
        What the mean, or the mean difference of kinds of events, is under the null hypothesis.
    equal_var, blocks
        For two groups of units, as for `facearray.stats.ttest`.
    permutations, cluster_alpha, cluster_threshold, neighbours, seed, client
        As for `facearray.stats.cluster_test`.

    Returns
    -------
    Dataset
        As of `facearray.stats.cluster_test`, with ``time`` in seconds from the event.

    Raises
    ------
    InputError
        As of `facearray.stats.event_average` and `facearray.stats.cluster_test`.
    SchemaError
        If ``ds`` does not follow the schema, or a frame's time is unknown.

    Notes
    -----
    Events of a unit are averaged first, so that every unit counts the same: events of one video are not independent
    observations. See `facearray.stats.cluster_test` for the test, and for what its p does not say.

    References
    ----------
    Maris, E., & Oostenveld, R. (2007). Nonparametric statistical testing of EEG- and MEG-data. Journal of Neuroscience
    Methods 164, 177-190.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> number = np.tile(np.arange(100), (8, 1))
    >>> smile = rng.normal(size=(8, 100)) + 2 * ((number >= 50) & (number < 70))
    >>> ds = xr.Dataset(
    ...     {"features": (("video", "frame", "face", "feature"), smile[:, :, None, None])},
    ...     coords={
    ...         "video": list("abcdefgh"),
    ...         "feature": ["AU12"],
    ...         "frame_number": (("video", "frame"), number),
    ...         "timestamp": (("video", "frame"), number / 25),
    ...     },
    ... )
    >>> jokes = pd.DataFrame({"video": list("abcdefgh"), "onset": 2.0})
    >>> found = event_test(ds, jokes, before=0.4, after=0.8, step=0.2, baseline=(-0.4, 0))
    >>> found.p_adjusted.squeeze().round(3).values.tolist()
    [1.0, 1.0, 0.008, 0.008, 0.008, 0.008]
    """
    schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
    request = EventRequest(
        before=before,
        after=after,
        step=step,
        by=by,
        unit=unit,
        features=selectors.feature_names(ds, y),
        baseline=baseline,
        min_valid=min_valid,
    )
    within = by is not None and hasattr(events, "columns") and by in events.columns
    contrast = Contrast(
        by=by,
        groups=groups,
        popmean=popmean,
        paired=unit if within else None,
        blocks=blocks,
        equal_var=equal_var,
        rule=ClusterRule.of(cluster_alpha, cluster_threshold, neighbours),
        confidence=confidence,
        permutations=permutations,
        seed=seed,
        client=client,
    )
    check_contrast(contrast)
    found = event_values(ds, events, request)
    return compare_means(found.values, contrast).assign_attrs(method="event_test", n_events_found=found.n_found)
