"""How far two persons move together, who leads, and whether it is more than chance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import xarray as xr

from facearray.errors import InputError
from facearray.signal._steps import recorded
from facearray.signal._videos import check_detections
from facearray.signal.dyads.groups import Group, group_of_dyads, group_of_pairings
from facearray.signal.dyads.members import Dyads, Pairs, dyads_of_faces, dyads_of_videos
from facearray.signal.dyads.outcomes import Found, empty, of_dyad
from facearray.signal.dyads.request import Comparison, DyadNull, Request, check, comparison_of
from facearray.signal.dyads.result import described
from facearray.stats.intersubject.request import chosen_names

__all__ = ["synchrony"]

#: Slots that are compared, where none are asked for.
FACES = (0, 1)


@recorded
def synchrony(
    ds: xr.Dataset,
    feature: str | Iterable[str],
    *,
    window: float,
    max_lag: float | None = None,
    step: float | None = None,
    faces: Sequence[Any] | None = None,
    pairs: Pairs | None = None,
    method: Literal["correlation", "coherence"] = "correlation",
    band: tuple[float, float] | None = None,
    alternative: Literal["two-sided", "greater"] = "two-sided",
    null: DyadNull | None = None,
    n_draws: int | None = None,
    seed: int | None = None,
    rate: float | None = None,
    min_valid: float | None = None,
) -> xr.Dataset:
    """Measure the synchrony of two persons: the two faces of each video, or the faces of two videos.

    Time courses are cut into windows. In each, those of both persons are correlated at every lag up to `max_lag`; what
    is large where the second person is later says that the first one leads.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    feature
        A feature, or several, as for `facearray.selectors.select`; each is compared with itself.
    window
        Length of the windows in seconds, long enough for several movements; what is slower than a window is taken away
        with its mean.
    max_lag
        Largest lag in seconds; by default a sixth of the window. For correlations.
    step
        Seconds from window to window; by default the window's length, without which ``null="segment_shuffle"`` is not
        possible.
    faces
        The two slots that are compared in every video, 0 and 1 by default.
    pairs
        Instead of faces: pairs of video labels, or a DataFrame with ``video`` and ``video_other``, of which each has
        one face. Their times have to be of one clock.
    method
        ``"correlation"``: Pearson's r of windows, as Fisher's z. ``"coherence"``: magnitude-squared coherence, the
        share of each frequency's variance that both have in common, whatever its phase; over windows without gaps.
    band
        For coherence: lowest and highest frequency in Hz.
    alternative
        ``"two-sided"``: the sign of a correlation counts for nothing, so that moving in opposite directions is
        synchrony. ``"greater"``: positive correlations only. Coherence has no sign.
    null
        What chance is, None for no p:

        - ``"segment_shuffle"``: the second person's windows in other orders
        - ``"circular_shift"``: the second person's windows moved by whole windows; for windows that overlap
        - ``"pseudo_dyads"``: the first person of a dyad with the second of others, which share the situation but not
          the encounter
    n_draws, seed
        Of the null, 1000 and 0 by default; where there are no more arrangements than draws, all are used.
    rate
        Values a second, where videos have different rates, or to average over fast ones.
    min_valid
        Smallest share of a window in which both have a value, 0.5 by default. For correlations; coherence takes whole
        windows.

    Returns
    -------
    xarray.Dataset
        Dims (dyad, ..., feature), without feature if a single one is asked for by its name:

        - ``z`` (dyad, lag), the mean over windows of Fisher's z, of its absolute value if two-sided; ``lag`` in
          seconds, positive where the second person is later. For coherence ``coherence`` and ``phase`` (dyad,
          frequency)
        - ``strength``, the mean of these over lags, ``strength_max``, the largest, and ``lag_max`` (``frequency_max``)
          where it is
        - ``lead``, the mean of z over positive lags less that over negative ones: positive if the first person leads
        - ``r_peak`` and ``lag_peak`` (dyad, time): the strongest correlation of each window and its lag; ``time`` is
          the middle, from the first time that both have
        - ``n_windows`` with a value
        - with `null`: ``p``, ``p_max`` and ``p_lead`` of ``strength``, ``strength_max`` (every draw chooses its lag,
          too) and the size of ``lead``; ``p_adjusted`` (dyad, lag) of z by the largest over lags; ``null_mean``,
          ``null_sd`` and ``effect``, (strength - mean) / sd; and ``p_group`` of all dyads

        ``dyad`` has the coordinates ``video``, ``face``, ``video_other``, ``face_other`` and those of the first video.

    Raises
    ------
    InputError
        If a name, a face or an option cannot be used or would have no effect, no dyad is as long as a window with its
        lags, videos have different frame rates and no `rate` is given, or a frequency is above half the rate.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    Notes
    -----
    Windows lie so far from the ends that they can be moved by every lag: each lag has as many values, of the same times
    of the first person. Dyads that are too short, or have no window with enough values, are NaN and listed in the
    attribute ``excluded``.

    p is b / m of all m arrangements, the observed one included, or (1 + b) / (1 + m) of m draws. Shuffling takes each
    window as an event of its own, so that they have to be longer than what lasts in the time courses, and their number
    limits p: three windows have six orders, and one has no p. ``p_group`` compares the dyads' strength with their null
    means by changing signs at random, one-sided, or for pseudo-dyads by pairing all persons anew. The unit is the dyad.
    :doc:`/signal_analysis` has measured false-positive rates.

    References
    ----------
    Boker, S. M. et al. (2002). Windowed cross-correlation and peak picking for the analysis of variability in the
    association between behavioral time series. Psychological Methods 7, 338-355.

    Tschacher, W. & Meier, D. (2020). Physiological synchrony in psychotherapy sessions. Psychotherapy Research 30.

    Moulder, R. G. et al. (2018). Determining synchrony between behavioral time series: An application of surrogate data
    generation for establishing falsifiable null-hypotheses. Psychological Methods 23, 757-773.

    Examples
    --------
    >>> import numpy as np
    >>> rng, dims, n = np.random.default_rng(0), ("video", "frame"), 400
    >>> first = rng.normal(size=n)
    >>> both = np.stack([first, np.roll(first, 3)], axis=1)
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), both[None, :, :, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["AU12"],
    ...         "frame_number": (dims, np.arange(n)[None]),
    ...         "timestamp": (dims, np.arange(n)[None] / 10),
    ...     },
    ... )
    >>> found = synchrony(ds, "AU12", window=5, max_lag=1, null="segment_shuffle")
    >>> found.lag_max.item(), found.lead.item() > 0, found.p_max.item() < 0.05
    (0.3, True, True)
    """
    request = Request(
        window=window,
        max_lag=max_lag,
        step=step,
        method=method,
        band=band,
        alternative=alternative,
        null=null,
        n_draws=n_draws,
        seed=seed,
        min_valid=min_valid,
    )
    check(request)
    if faces is not None and pairs is not None:
        raise InputError(
            f"found faces={tuple(faces)!r} and pairs; expected one of them: two faces of every video, or the one face "
            "of each of two videos; leave the other out"
        )
    check_detections(ds)
    if pairs is None:
        dyads = dyads_of_faces(ds, FACES if faces is None else faces, rate)
    else:
        dyads = dyads_of_videos(ds, pairs, rate)
    names, single = chosen_names(dyads.ds, feature)
    comparison = comparison_of(request, dyads.grid)
    found, excluded = _of_dyads(dyads, names, comparison)
    group: Group | None = None
    if null == "pseudo_dyads":
        found, group = group_of_pairings(dyads, names, comparison, found)
    elif null is not None:
        group = group_of_dyads(dyads.labels, found, request)
    return described(dyads, names, comparison, found, group, excluded=excluded, single=single)


def _of_dyads(dyads: Dyads, names: list[str], comparison: Comparison) -> tuple[list[Found], dict[str, str]]:
    """Compare the two of every dyad; those that cannot be compared, and why."""
    windows, step = comparison.windows, dyads.grid.step
    found, excluded = [], {}
    for i, label in enumerate(dyads.labels.tolist()):
        x, y = dyads.series(i, 0, names).shared_with(dyads.series(i, 1, names))
        if not windows.count(x.shape[1]):
            excluded[str(label)] = f"{x.shape[1] * step:.4g} s in common, too short for a window"
            found.append(empty(comparison, len(names)))
            continue
        found.append(of_dyad(x, y, comparison))
        if not found[-1].n_windows.any():
            excluded[str(label)] = "no window with enough values of both"
    if len(excluded) == len(found):
        label, reason = next(iter(excluded.items()), ("no dyad", "none is there"))
        raise InputError(
            f"found no dyad that can be compared ({label}: {reason}); expected "
            f"{(windows.length + 2 * windows.max_lag) * step:.4g} s or more that both share, a window and twice the "
            "largest lag, with values that vary; give a shorter window, or another feature"
        )
    return found, excluded
