"""Scores and confusions: what is drawn are the numbers of the result."""

from __future__ import annotations

from types import SimpleNamespace

import holoviews as hv
import numpy as np
import pytest
import xarray as xr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix

from facearray.errors import InputError
from facearray.plot import confusion, decoding

SETS = ["AUs", "Pose"]


@pytest.fixture(params=["eager", "lazy"])
def result(request) -> SimpleNamespace:
    rng = np.random.default_rng(0)
    scores = xr.DataArray(rng.random((2, 5)), dims=("feature_set", "fold"), coords={"feature_set": SETS})
    true = np.array(["good", "bad"] * 5, dtype=object)
    predicted = np.stack([true, np.where(rng.random(10) < 0.5, true, "bad")])
    said = {"predicted": (("feature_set", "video"), predicted), "true": ("video", true)}
    return SimpleNamespace(
        scores=scores.chunk() if request.param == "lazy" else scores,
        chance=xr.DataArray([0.5, 0.4], dims="feature_set"),
        p_value=xr.DataArray([0.0004, 0.21], dims="feature_set"),
        predictions=xr.Dataset(said, {"feature_set": SETS}),
        attrs={"y": "condition", "scoring": "accuracy", "task": "classification"},
    )


def test_decoding__bars_are_means_and_points_are_folds(result):
    picture = decoding(result)
    bars, points = picture.Rectangles.I, picture.Scatter.Fold
    np.testing.assert_allclose(bars.dimension_values("score"), result.scores.mean("fold"))
    np.testing.assert_allclose(bars.dimension_values("chance"), [0.5, 0.4])
    np.testing.assert_allclose(bars.dimension_values("p"), [0.0004, 0.21])
    np.testing.assert_allclose(points.dimension_values("score"), result.scores.values.ravel())
    assert points.dimension_values("feature set").tolist() == np.repeat(SETS, 5).tolist()
    assert points.dimension_values("fold").tolist() == [0, 1, 2, 3, 4] * 2
    np.testing.assert_array_equal(np.round(points.dimension_values("position")), np.repeat([0, 1], 5))
    np.testing.assert_allclose(picture.Segments.Chance.dimension_values("chance"), [0.5, 0.4])


def test_decoding__p_values_stand_below_the_names(result):
    options = hv.Store.lookup_options("bokeh", decoding(result), "plot").kwargs
    assert options["xticks"] == [(0, "AUs\np < .001"), (1, "Pose\np = .210")]
    assert options["ylabel"] == "accuracy"
    result.p_value = None
    assert hv.Store.lookup_options("bokeh", decoding(result), "plot").kwargs["xticks"] == [(0, "AUs"), (1, "Pose")]


def test_confusion__counts_as_scikit_learn_does(result):
    for i, name in enumerate(SETS):
        cells = confusion(result, feature_set=name).Rectangles.I
        wanted = confusion_matrix(result.predictions.true.values, result.predictions.predicted.values[i])
        assert cells.dimension_values("n").reshape(2, 2).tolist() == wanted.tolist()
        np.testing.assert_allclose(
            cells.dimension_values("share").reshape(2, 2), wanted / wanted.sum(axis=1, keepdims=True)
        )
        assert cells.dimension_values("true").tolist() == ["bad", "bad", "good", "good"]
        assert cells.dimension_values("predicted").tolist() == ["bad", "good", "bad", "good"]


def test_confusion__leaves_out_units_that_nothing_was_said_of(result):
    result.predictions = result.predictions.assign(fold=("video", [-1, -1, *range(8)]))
    assert confusion(result, feature_set="AUs").Rectangles.I.dimension_values("n").sum() == 8


def test_decoding__mistakes(result):
    with pytest.raises(InputError, match="expected one: choose with feature_set='AUs'"):
        confusion(result)
    with pytest.raises(InputError, match=r"did you mean 'Pose'"):
        confusion(result, feature_set="Poses")
    result.attrs["task"] = "regression"
    with pytest.raises(InputError, match="expected those of classes"):
        confusion(result, feature_set="AUs")
    for draw in (decoding, confusion):
        with pytest.raises(InputError, match=r"expected the result of .fex.decode"):
            draw(xr.Dataset())


def test_decoding__result_draws_itself(ds):
    model = LogisticRegression()
    result = ds.fex.decode("condition", X={"AUs": "aus", "Pose": "poses"}, model=model, cv=2, permutations=5)
    picture = result.plot(title="clips")
    np.testing.assert_allclose(picture.Rectangles.I.dimension_values("score"), result.scores.mean("fold"))
    np.testing.assert_allclose(picture.Scatter.Fold.dimension_values("score"), result.scores.values.ravel())
    options = hv.Store.lookup_options("bokeh", picture, "plot").kwargs
    assert (options["title"], options["ylabel"]) == ("clips", "accuracy")
    cells = confusion(result, feature_set="AUs").Rectangles.I
    one = result.predictions.sel(feature_set="AUs")
    wanted = confusion_matrix(one.true.values.astype(object), one.predicted.values.astype(object))
    assert cells.dimension_values("n").reshape(2, 2).tolist() == wanted.tolist()


def test_decoding__of_windows_is_refused_with_a_way_out():
    over_time = xr.Dataset(
        {"score": (("feature_set", "time"), [[0.5, 1.0]])}, {"feature_set": ["AUs"], "time": [0.5, 1]}
    )
    with pytest.raises(InputError, match=r"found scores of windows of time; .*with .fex.plot.over_time"):
        decoding(over_time)
