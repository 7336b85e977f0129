"""How well models predict: scores by feature set, and what was taken for what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from facearray.errors import InputError
from facearray.plot import _style
from facearray.plot._bars import bar_row, frame, point_row
from facearray.plot._matrix import heatmap
from facearray.plot._style import look

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["confusion", "decoding"]


def decoding(result: Any, *, title: str | None = None, ylabel: str | None = None) -> hv.Overlay:
    """Draw the scores of a decoding: a bar a feature set, a point a fold, and the chance level.

    Parameters
    ----------
    result
        From ``.fex.decode``: anything with ``scores`` (feature_set, fold), ``chance`` (feature_set, or one number), and
        ``p_value`` (feature_set, or None).
    title, ylabel
        Texts; by default the target, and the name of the score.

    Returns
    -------
    holoviews.Overlay
        Bars are means over folds; the dashed line is chance. With permutations the p value stands below the name of
        the set. Folds are not independent, so there are no error bars.

    Raises
    ------
    InputError
        If ``result`` has no such scores.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import xarray as xr
    >>> scores = xr.DataArray([[0.5, 1.0]], dims=("feature_set", "fold"), coords={"feature_set": ["AUs"]})
    >>> picture = decoding(SimpleNamespace(scores=scores, chance=0.5, p_value=None))
    >>> picture.Rectangles.I.dimension_values("score").tolist()
    [0.75]
    """
    _style.load_backends()
    scores = getattr(result, "scores", None)
    if not isinstance(scores, xr.DataArray) or set(scores.dims) != {"feature_set", "fold"}:
        if isinstance(result, xr.Dataset) and {"feature_set", "time"} <= set(result.dims):
            raise InputError(
                "found scores of windows of time; expected the result of .fex.decode(); draw them with "
                f".fex.plot.{'generalization' if 'time_test' in result.dims else 'over_time'}()"
            )
        raise InputError("found no scores with dims feature_set and fold; expected the result of .fex.decode()")
    scores = scores.transpose("feature_set", "fold").compute()
    sets = [str(name) for name in scores["feature_set"].to_numpy().tolist()]
    attrs = dict(getattr(result, "attrs", {}))
    x, n_folds = np.arange(len(sets)), scores.sizes["fold"]
    measure = _style.dimension("score")
    means = scores.mean("fold").to_numpy()
    p = _by_set(getattr(result, "p_value", None), len(sets))
    chance = _by_set(getattr(result, "chance", None), len(sets))
    further: dict[str, Any] = {"chance": chance} | ({"p": p} if np.isfinite(p).any() else {})
    folds = scores["fold"].to_numpy().tolist() if "fold" in scores.coords else list(range(n_folds))
    spread = x[:, None] + _style.jitter(n_folds, 0.4)
    elements = [
        bar_row(x, means, 0.7, measure, {"feature set": sets}, colour="#9ecae1", further=further),
        point_row(
            spread.ravel(),
            scores.to_numpy().ravel(),
            measure,
            {"feature set": np.repeat(sets, n_folds), "fold": folds * len(sets)},
            size=5,
            label="fold",
        ),
        *_chance_lines(x, chance),
    ]
    names = [
        f"{_style.short(name)}\n{_p_text(value)}" if np.isfinite(value) else name
        for name, value in zip(sets, p, strict=True)
    ]
    longest = max((len(_style.short(name)) for name in sets), default=0)
    score = str(attrs.get("scoring", "score"))
    return frame(
        elements,
        names,
        title=title if title is not None else str(attrs.get("y", "decoding")),
        ylabel=ylabel if ylabel is not None else score,
        size=(int(np.clip(180 + (60 + 5 * longest) * len(sets), 420, 1000)), 340),
        xticks=[(i, name if "\n" in name else _style.short(name)) for i, name in enumerate(names)],
        xrotation=0 if (60 + 5 * longest) * len(sets) <= 820 else 45,
        ylim=(0, 1.05) if (scores.fillna(0) >= 0).all() and (scores.fillna(0) <= 1).all() else (None, None),
    )


def confusion(result: Any, *, feature_set: str | None = None, title: str | None = None) -> hv.Overlay:
    """Draw what units were taken for: a row a true class, a column a predicted one.

    Parameters
    ----------
    result
        From ``.fex.decode`` with a classifier: anything whose ``predictions`` have ``predicted`` and ``true``.
    feature_set
        The one to draw, where there are several.
    title
        Heading; by default the feature set.

    Returns
    -------
    holoviews.Overlay
        Colours are shares of the row, which sum to 1; numbers, and hovering, count predictions of units that the model
        had not seen.

    Raises
    ------
    InputError
        If there are no such predictions, or several feature sets and none is chosen.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> import xarray as xr
    >>> said = {"predicted": ("video", ["a", "b", "b"]), "true": ("video", ["a", "a", "b"])}
    >>> picture = confusion(SimpleNamespace(predictions=xr.Dataset(said)))
    >>> picture.Rectangles.I.dimension_values("n").tolist()
    [1, 1, 0, 1]
    """
    _style.load_backends()
    predictions = getattr(result, "predictions", None)
    if not isinstance(predictions, xr.Dataset) or not {"predicted", "true"} <= set(predictions.variables):
        raise InputError("found no predictions with 'predicted' and 'true'; expected the result of .fex.decode()")
    if dict(getattr(result, "attrs", {})).get("task") == "regression":
        raise InputError("found predictions of numbers; expected those of classes")
    name = ""
    if "feature_set" in predictions.dims:
        sets = [str(s) for s in predictions["feature_set"].to_numpy().tolist()]
        if feature_set is None and len(sets) > 1:
            raise InputError(f"found {len(sets)} feature sets; expected one: choose with feature_set={sets[0]!r}")
        i = 0 if feature_set is None else _style.one_of("feature set", feature_set, sets)
        predictions, name = predictions.isel(feature_set=i), sets[i]
    true, predicted = xr.broadcast(predictions["true"], predictions["predicted"])
    made = np.ones(true.shape, dtype=bool)
    if "fold" in predictions.variables:
        made = (predictions["fold"].broadcast_like(true).transpose(*true.dims) >= 0).to_numpy()
    pairs = [
        (str(a), str(b))
        for a, b in zip(true.to_numpy()[made].tolist(), predicted.to_numpy()[made].tolist(), strict=True)
    ]
    classes = sorted({label for pair in pairs for label in pair})
    n = np.zeros((len(classes), len(classes)), dtype=np.intp)
    for a, b in pairs:
        n[classes.index(a), classes.index(b)] += 1
    with np.errstate(invalid="ignore"):
        share = n / n.sum(axis=1, keepdims=True)
    return heatmap(
        {"share": share, "n": n},
        classes,
        ("true", "predicted"),
        title=title if title is not None else name or "confusion",
        limits=(0.0, 1.0),
        colour_label="share of the true class",
        axis_labels=("predicted", "true"),
        above=list(_numbers(n, share)),
    )


def _numbers(n: np.ndarray, share: np.ndarray) -> Iterator[Any]:
    """Write counts into the cells, dark on light and light on dark."""
    import holoviews as hv

    row, column = (part.ravel() for part in np.indices(n.shape))
    texts = np.array([str(value) for value in n.ravel().tolist()], dtype=object)
    for colour, which in (("black", share.ravel() > 0.5), ("white", ~(share.ravel() > 0.5))):
        labels = hv.Labels((column[which], row[which], texts[which]), ["column", "row"], "count")
        yield look(labels, bokeh={"text_color": colour}, mpl={"color": colour})


def _by_set(value: Any, n: int) -> np.ndarray:
    if value is None:
        return np.full(n, np.nan)
    return np.array(np.broadcast_to(np.asarray(value, dtype=float), (n,)))


def _chance_lines(x: np.ndarray, chance: np.ndarray) -> Iterator[Any]:
    """Draw one line over all sets that share a chance level, beside each other or not."""
    import holoviews as hv

    there = np.isfinite(chance)
    if there.any():
        lines = hv.Segments(
            (x[there] - 0.5, chance[there], x[there] + 0.5, chance[there]), ["a", "chance", "b", "end"], label="chance"
        )
        yield look(lines, color="black", line_width=1.5, line_dash="dashed")


def _p_text(p: float) -> str:
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".", 1)
