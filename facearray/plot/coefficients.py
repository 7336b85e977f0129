"""Effects of a regression or a t-test, with their uncertainty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import xarray as xr

from facearray import selectors
from facearray.errors import InputError, check_alpha, unknown_names
from facearray.plot import _style
from facearray.plot._bars import bar_row, error_row, frame, level

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["coefficients"]

#: Names that a corrected p value has in a legend.
CORRECTIONS = {"none": "p", "max_t": "p (max-T)", "fdr_bh": "p (FDR)", "fdr_by": "p (FDR)"}


def coefficients(
    result: xr.Dataset,
    *,
    features: str | Iterable[str] | None = None,
    term: str | Iterable[str] | None = None,
    alpha: float = 0.05,
    error: Literal["ci", "se"] = "ci",
    title: str | None = None,
    ylabel: str | None = None,
) -> hv.Overlay | hv.Layout:
    """Draw coefficients or differences as bars, dark where they are significant.

    Parameters
    ----------
    result
        From `facearray.stats.regress` or `facearray.stats.ttest`.
    features
        Names of groups and features, as for `facearray.selectors.select`; all by default.
    term
        Terms of a regression, one panel each; by default all but the intercept.
    alpha
        Level: a feature is significant if its ``p_adjusted`` is not above it. The intercept is not tested.
    error
        What the error bars show: ``"ci"``, the confidence interval, or ``"se"``, one standard error to either side.
    title, ylabel
        Texts; by default the term, and what is drawn.

    Returns
    -------
    holoviews.Overlay or holoviews.Layout
        One panel for each term, unit of features and face. A feature that could not be estimated has no bar.

    Raises
    ------
    InputError
        If ``result`` is no such result or is one over time, a name is unknown, or `alpha` is no share.

    Examples
    --------
    >>> import xarray as xr
    >>> names = ("difference", "se", "p_adjusted", "ci_low", "ci_high")
    >>> values = dict(zip(names, (0.4, 0.1, 0.01, 0.2, 0.6), strict=True))
    >>> result = xr.Dataset({k: ("feature", [v]) for k, v in values.items()}, {"feature": ["AU12"]})
    >>> [bar.label for bar in coefficients(result) if bar.label]
    ['p ≤ 0.05']
    """
    _style.load_backends()
    effect = next((name for name in ("beta", "difference") if name in result), None)
    if effect is None or any(name not in result for name in ("se", "p_adjusted", "ci_low", "ci_high")):
        raise InputError(
            f"found variables {', '.join(map(str, result.data_vars)) or 'none'}; expected the result of .fex.regress() "
            "or .fex.ttest()"
        )
    if "time" in result.dims:
        raise InputError(
            f"found windows of time ({result.sizes['time']}); expected one value a feature: choose one, for instance "
            "result.isel(time=0), or draw them over time with .fex.plot.over_time()"
        )
    check_alpha(alpha)
    if error not in ("ci", "se"):
        raise unknown_names("kind of error bar", [str(error)], ["ci", "se"])
    result = result[[effect, "se", "p_adjusted", "ci_low", "ci_high"]].compute()
    if features is not None:
        result = cast("xr.Dataset", selectors.select(result, features))
    measures = list(_style.measures(result["feature"].to_numpy().tolist(), result))
    panels = [
        _panel(part.sel(feature=names), effect, alpha, error, title, ylabel, unit)
        for part in _parts(result, term)
        for _, unit, names in measures
    ]
    return panels[0] if len(panels) == 1 else _style.column(panels, linked=_style.of_one_unit(measures))


def _parts(result: xr.Dataset, term: str | Iterable[str] | None) -> list[xr.Dataset]:
    """One Dataset over features for each term and face."""
    parts = [result]
    if "term" in result.dims:
        known = [str(name) for name in result["term"].to_numpy().tolist()]
        wanted = [term] if isinstance(term, str) else list(term or [])
        wanted = wanted or [name for name in known if name != "Intercept"] or known
        parts = [result.isel(term=_style.one_of("term", name, known)) for name in wanted]
    elif term is not None:
        raise InputError(f"found term={term!r} and a result without terms; leave it out")
    return [part.isel(face=i) for part in parts for i in range(part.sizes["face"])] if "face" in result.dims else parts


def _panel(
    part: xr.Dataset, effect: str, alpha: float, error: str, title: str | None, ylabel: str | None, unit: str
) -> hv.Overlay:
    features = part["feature"].to_numpy().tolist()
    value, se, p, low, high = (part[name].to_numpy() for name in (effect, "se", "p_adjusted", "ci_low", "ci_high"))
    if error == "se":
        low, high = value - se, value + se
    symbol = "b" if effect == "beta" else "difference"
    measure = _style.dimension(symbol, unit)
    x = np.arange(len(features))
    elements: list[Any] = []
    for label, colour, which in _significance(part, alpha, p):
        names = {"feature": [features[i] for i in which]}
        further = {"low": low[which], "high": high[which], "p adjusted": p[which]}
        elements.append(
            bar_row(x[which], value[which], 0.7, measure, names, label=label, colour=colour, further=further)
        )
    if np.isfinite(low).any():
        elements.append(error_row(x, value, low, high, measure))
    elements.append(level(0))
    bars = f"{100 * float(part.attrs.get('confidence', 0.95)):g}% CI" if error == "ci" else "SE"
    return frame(
        elements,
        features,
        title=title if title is not None else _title(part),
        ylabel=ylabel if ylabel is not None else _style.with_unit(f"{symbol} ± {bars}", unit),
        size=(int(np.clip(300 + 24 * len(features), 420, 1000)), 340),
    )


def _significance(part: xr.Dataset, alpha: float, p: np.ndarray) -> list[tuple[str, str, np.ndarray]]:
    """Name, colour and positions of the features of each kind."""
    correction = str(part.attrs.get("correction", "none"))
    symbol = CORRECTIONS.get(correction, f"p ({correction.capitalize()})")
    kinds = (
        (f"{symbol} ≤ {alpha:g}", _style.COLOURS[0], p <= alpha),
        (f"{symbol} > {alpha:g}", _style.PALE, p > alpha),
        ("not tested", "white", np.isnan(p)),
    )
    return [(name, colour, np.flatnonzero(which)) for name, colour, which in kinds if which.any()]


def _title(part: xr.Dataset) -> str:
    words = [_style.short(part["term"].item(), 60)] if "term" in part.coords else [part.attrs.get("contrast", "")]
    if "face" in part.coords and int(part["face"]) > 0:
        words.append(f"face {part['face'].item()}")
    return " · ".join(word for word in words if word)
