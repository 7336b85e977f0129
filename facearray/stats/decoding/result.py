"""What a decoding returns: scores, predictions, models and what can be said of them, labelled."""

from __future__ import annotations

import html
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray.errors import InputError, unknown_names
from facearray.stats.decoding.fit import Outputs, outputs, scorer_of
from facearray.stats.decoding.linear import activation_pattern, weights
from facearray.stats.decoding.request import Request
from facearray.stats.decoding.sample import Sample, UnitRows, make_sample, unit_rows
from facearray.stats.faces import one_face
from facearray.stats.kernels.ols import Array

if TYPE_CHECKING:
    import holoviews as hv
    import pandas as pd

__all__ = ["Decoding", "labelled_outputs"]

_TEXT = np.dtypes.StringDType()


@dataclass(frozen=True, eq=False, repr=False)
class Decoding:
    """Result of `facearray.stats.decode`.

    Attributes
    ----------
    scores
        (feature_set, fold) score of each fold, with the size ``n_test`` of its test set.
    predictions
        What was said of each unit by a model that had not seen it, with dims (feature_set, unit): ``predicted``,
        ``true``, ``fold``; of classifiers that have them ``decision``, positive for the second of two classes (of more
        classes one a ``class``), and ``probability`` (…, class). With a dim ``repeat`` where units were predicted more
        than once; ``fold`` is -1 where they were not.
    chance
        (feature_set) score of a guess that ignores the features: always the most frequent class, or always the mean.
    null
        (feature_set, permutation) mean scores over folds with the targets dealt out anew; None without permutations.
    p_value
        (feature_set) share of such scores that are at least as large as the observed one; None without permutations.
    p_adjusted
        (feature_set) the same by the largest score of all sets, which bounds the chance of any false positive.
    group_scores
        (feature_set, group) scores within each group, if there are groups: means over folds. NaN where so few units
        have no such score.
    model
        By feature set, the model fitted to all units.
    models
        By (feature set, fold), the model fitted to a training set.
    attrs
        What was done: n, unit, folds, scoring, seed, permutations, what was excluded, of which population this is a
        sample, and notes.
    """

    scores: xr.DataArray
    predictions: xr.Dataset
    chance: xr.DataArray
    null: xr.DataArray | None
    p_value: xr.DataArray | None
    p_adjusted: xr.DataArray | None
    group_scores: xr.DataArray | None
    model: Mapping[str, Any]
    models: Mapping[tuple[str, int], Any]
    attrs: Mapping[str, Any]
    _request: Request = field(repr=False)
    _sample: Sample = field(repr=False)
    _feature_coords: Mapping[Any, xr.Variable] = field(repr=False)

    @property
    def feature_sets(self) -> dict[str, list[str]]:
        """Names of the features of each set."""
        return {name: list(features) for name, features in self._request.sets.items()}

    @cached_property
    def coef(self) -> xr.DataArray:
        """(feature_set, feature[, class]) weights of the models fitted to all units, per unit of each feature.

        Steps before the model that are linear in the features are taken into account. Of two classes, positive is
        towards the second.

        Of several sets, ``feature`` is the union of their features, and NaN stands where a feature is not in a set:
        ``coef.sel(feature_set=name).dropna("feature")`` are those of one set.

        Raises
        ------
        InputError
            If a model is not linear in the features.
        """
        coef = {name: self._weights(name) for name in self._request.sets}
        return self._by_feature(coef, "coef", "weight on the feature as it is; positive towards")

    @cached_property
    def pattern(self) -> xr.DataArray:
        """(feature_set, feature[, class]) activation patterns: how each feature changes with the model's output.

        The covariance of a feature with the output over the output's variance (Haufe et al. 2014), in units of the
        feature. Weights cannot be read in this way: a feature without any relation to the target gets weight where it
        cancels the noise of another. Of several sets, NaN stands where a feature is not in a set, as in `coef`.

        Raises
        ------
        InputError
            If a model is not linear in the features.
        """
        patterns = {name: activation_pattern(self._sample.X[name], self._weights(name)) for name in self._request.sets}
        return self._by_feature(patterns, "pattern", "change of the feature with the model's output; positive towards")

    def predict(self, ds: xr.Dataset) -> xr.Dataset:
        """Apply the models fitted to all units to other detections.

        Parameters
        ----------
        ds
            Detections with the same features, by name. Frames become units in the same way.

        Returns
        -------
        Dataset
            With dims (feature_set, unit): ``predicted``, and ``decision`` and ``probability`` as in ``predictions``.
            Units that lack a value of a feature are left out and listed in the attribute ``excluded``, unless missing
            values were kept when the models were fitted.

        Raises
        ------
        InputError
            If a feature is missing or has another unit of measurement, or there are several faces.
        """
        ds = self._checked(ds)
        rows = unit_rows(ds, self._request, self._request.features, ())
        return self._applied(rows).assign_attrs(self._applied_attrs(rows))

    def score(self, ds: xr.Dataset, y: str | None = None) -> xr.DataArray:
        """Score the models fitted to all units on other detections, as in another study.

        Parameters
        ----------
        ds
            Detections with the same features and a coordinate of targets.
        y
            Its name, if it is another one.

        Returns
        -------
        DataArray
            (feature_set) scores. Attributes say how many units there were and which were excluded.

        Raises
        ------
        InputError
            As for `predict`; if a class is none of those that the models know.
        """
        from dataclasses import replace

        ds = self._checked(ds)
        sample = make_sample(ds, replace(self._request, y=y or self._request.y, groups=None))
        known = self._sample.classes
        if known is not None and sample.classes is not None:
            strange = [str(name) for name in sample.classes.tolist() if name not in known.tolist()]
            if strange:
                raise unknown_names(
                    f"class of {y or self._request.y!r}", strange, [str(name) for name in known.tolist()]
                )
        scores = [
            float(scorer_of(model, self._request.scoring)(model, sample.X[name], sample.y))
            for name, model in self.model.items()
        ]
        return self._of_sets(np.array(scores), "score").assign_attrs(self._applied_attrs(sample.rows))

    def to_dataframe(self, what: Literal["sets", "folds", "predictions"] = "sets") -> pd.DataFrame:
        """Make a table.

        Parameters
        ----------
        what
            ``"sets"``: one row a feature set, with its number of features, its mean score, chance level and p values.
            ``"folds"``: one row a set and fold, with the score and the size of the test set. ``"predictions"``: one row
            a set and unit.

        Returns
        -------
        pandas.DataFrame
            The table.

        Raises
        ------
        InputError
            If there is no such table.
        """
        import pandas as pd

        if what == "folds":
            return self.scores.to_dataset(name="score").to_dataframe().reset_index()
        if what == "predictions":
            flat = [name for name, variable in self.predictions.items() if "class" not in variable.dims]
            return self.predictions[flat].to_dataframe().reset_index()
        if what != "sets":
            raise unknown_names("table", [str(what)], ["sets", "folds", "predictions"])
        columns = {
            "feature_set": list(self._request.sets),
            "n_features": [len(features) for features in self._request.sets.values()],
            "n": [self.attrs["n"]] * len(self._request.sets),
            "score": self.scores.mean("fold").to_numpy(),
            "chance": self.chance.to_numpy(),
        }
        if self.p_value is not None and self.p_adjusted is not None:
            columns |= {"p_value": self.p_value.to_numpy(), "p_adjusted": self.p_adjusted.to_numpy()}
        return pd.DataFrame(columns)

    @property
    def plot(self) -> DecodingPlots:
        """Pictures: ``plot()`` draws the scores and the chance level, ``plot.face()`` the pattern as a face."""
        return DecodingPlots(self)

    def __repr__(self) -> str:
        from facearray.stats.describe import describe

        return describe(self)

    def _repr_html_(self) -> str:
        first, *rest = repr(self).splitlines()
        lines = [line for line in rest if not any(line.startswith(f"{name} (") for name in self._request.sets)]
        table = self.to_dataframe().to_html(index=False, float_format="{:.3f}".format, border=0)
        paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
        return f"<div><p>{html.escape(first)}</p>{table}{paragraphs}</div>"

    def _weights(self, name: str) -> Array:
        classes = self._sample.classes
        return weights(self.model[name], self._sample.X[name], 0 if classes is None else len(classes))

    def _of_sets(self, values: Array, name: str) -> xr.DataArray:
        return xr.DataArray(values, coords={"feature_set": _texts(self._request.sets)}, dims="feature_set", name=name)

    def _by_feature(self, by_set: Mapping[str, Array], name: str, meaning: str) -> xr.DataArray:
        """Put arrays (p, k) of the sets' features beside each other, NaN where a feature is not in a set."""
        features, classes = self._request.features, self._sample.classes
        values = np.full((len(by_set), len(features), next(iter(by_set.values())).shape[1]), np.nan)
        for i, (set_name, array) in enumerate(by_set.items()):
            values[i, [features.index(f) for f in self._request.sets[set_name]]] = array
        several = classes is not None and len(classes) > 2
        coords: dict[Any, Any] = {"feature_set": _texts(by_set)} | dict(self._feature_coords)
        coords |= {"class": classes} if several else {}
        towards = str(self._request.y) if classes is None else "each class" if several else str(classes[1])
        return xr.DataArray(
            values if several else values[..., 0],
            coords=coords,
            dims=("feature_set", "feature", "class") if several else ("feature_set", "feature"),
            name=name,
            attrs={"description": f"{meaning} {towards}"},
        )

    def _checked(self, ds: xr.Dataset) -> xr.Dataset:
        ds = one_face(ds, "so that each unit is predicted once")
        schema.validate(ds, variables=["features", "frame_number", "video", "feature"])
        if "unit" in self._feature_coords and "unit" in ds.coords and ds["unit"].dims == ("feature",):
            theirs = dict(zip(map(str, ds["feature"].to_numpy()), map(str, ds["unit"].to_numpy()), strict=True))
            ours = zip(self._request.features, map(str, self._feature_coords["unit"].to_numpy()), strict=True)
            other = [f"{f} in {theirs[f]!r}, not {u!r}" for f, u in ours if f in theirs and theirs[f] != u]
            if other:
                raise InputError(
                    f"found features in other units of measurement: {', '.join(other)}; convert them first, or read "
                    "both sets of detections in the same way"
                )
        return ds

    def _applied(self, rows: UnitRows) -> xr.Dataset:
        classes = self._sample.classes
        by_set = [outputs(model, rows.matrix(self._request.sets[name]), classes) for name, model in self.model.items()]
        return labelled_outputs(by_set, rows, self._request, classes)

    def _applied_attrs(self, rows: UnitRows) -> dict[str, Any]:
        return dict(rows.attrs) | {
            "method": "decode",
            "model": self._request.model_name,
            "fitted_to": self.attrs["population"],
            "scoring": self.attrs["scoring"],
            "n": len(rows.values),
            "excluded": rows.excluded,
        }


class DecodingPlots:
    """Pictures of a decoding; called, that of its scores."""

    def __init__(self, result: Decoding) -> None:
        self._result = result

    def __call__(self, *, title: str | None = None, ylabel: str | None = None) -> hv.Overlay:
        """Draw the scores and the chance level, as `facearray.plot.decoding` does.

        Parameters
        ----------
        title, ylabel
            Texts; by default the target, and the name of the score.

        Returns
        -------
        holoviews.Overlay
            A bar a feature set and a point a fold.
        """
        # pictures are a layer above statistics
        plot = importlib.import_module("facearray.plot")
        return plot.decoding(self._result, title=title, ylabel=ylabel)

    def face(
        self, *, what: Literal["pattern", "weights"] = "pattern", feature_set: str | None = None, **options: Any
    ) -> hv.Overlay:
        """Draw the activation pattern of the action units as a face, as `facearray.plot.face` does.

        Parameters
        ----------
        what
            ``"pattern"``, or ``"weights"``, which are not a face, as the heading says.
        feature_set
            The one to draw, where several have action units.
        options
            Of `facearray.plot.face`.

        Returns
        -------
        holoviews.Overlay
            The face.
        """
        plot = importlib.import_module("facearray.plot")
        return plot.face(self._result, what=what, feature_set=feature_set, **options)


def labelled_outputs(
    by_set: list[Outputs], rows: UnitRows, request: Request, classes: NDArray[Any] | None
) -> xr.Dataset:
    """Label what models say of units (n,), one model a feature set."""
    dims = ("feature_set", rows.dim)
    data: dict[str, Any] = {"predicted": (dims, np.stack([each.predicted for each in by_set]))}
    coords: dict[str, Any] = {"feature_set": _texts(request.sets)} | rows.coordinates
    decisions = [each.decision for each in by_set if each.decision is not None]
    if len(decisions) == len(by_set):
        stacked = np.stack(decisions)
        data["decision"] = ((*dims, "class") if stacked.ndim == 3 else dims, stacked)
    probabilities = [each.probability for each in by_set if each.probability is not None]
    if len(probabilities) == len(by_set):
        data["probability"] = ((*dims, "class"), np.stack(probabilities))
    if any("class" in variable[0] for variable in data.values()):
        coords["class"] = classes
    return xr.Dataset(data, coords=coords)


def _texts(names: Any) -> NDArray[Any]:
    return np.array(list(names), dtype=_TEXT)
