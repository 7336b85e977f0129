"""Effects as bars: values, intervals and significance are those of the result."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from facearray.errors import InputError
from facearray.plot import coefficients

FEATURES = ["AU01", "AU06", "AU12"]


@pytest.fixture
def result() -> xr.Dataset:
    """Two terms of which the second is tested; AU06 has a p of just the level."""
    rng = np.random.default_rng(0)
    dims = ("term", "face", "feature")
    beta, se = rng.normal(size=(2, 1, 3)), rng.random((2, 1, 3))
    p = np.stack([np.full((1, 3), np.nan), np.array([[0.2, 0.05, 0.001]])])
    values = {"beta": beta, "se": se, "p_adjusted": p, "ci_low": beta - 2.1 * se, "ci_high": beta + 2.1 * se}
    return xr.Dataset(
        {name: (dims, value) for name, value in values.items()},
        {"term": ["Intercept", "condition"], "face": [0], "feature": FEATURES},
        {"method": "regress", "correction": "holm", "confidence": 0.9},
    )


def drawn(picture) -> dict[str, dict[str, float]]:
    """Height of each bar by what it is called in the legend."""
    found: dict[str, dict[str, float]] = {}
    for bar in picture:
        if isinstance(bar, hv.Rectangles):
            names, heights = bar.dimension_values("feature"), bar.dimension_values(bar.vdims[1])
            found[bar.label] = dict(zip(names.tolist(), heights.tolist(), strict=True))
    return found


def test_coefficients__are_marked_by_their_adjusted_p(result):
    beta = dict(zip(FEATURES, result.beta.sel(term="condition").values[0].tolist(), strict=True))
    assert drawn(result.fex.plot.coefficients()) == {
        "p (Holm) ≤ 0.05": {name: beta[name] for name in ("AU06", "AU12")},
        "p (Holm) > 0.05": {"AU01": beta["AU01"]},
    }
    assert set(drawn(coefficients(result, alpha=0.01))["p (Holm) ≤ 0.01"]) == {"AU12"}


@pytest.mark.parametrize("error", ["ci", "se"])
def test_coefficients__error_bars(result, error):
    (bars,) = [element for element in coefficients(result, error=error) if isinstance(element, hv.ErrorBars)]
    half = (2.1 if error == "ci" else 1) * result.se.sel(term="condition").values[0]
    for side in ("below", "above"):
        np.testing.assert_allclose(bars.dimension_values(side), half)
    np.testing.assert_allclose(bars.dimension_values("b"), result.beta.sel(term="condition").values[0])


def test_coefficients__the_intercept_is_drawn_when_it_is_asked_for(result):
    assert list(drawn(coefficients(result, term="Intercept"))) == ["not tested"]
    assert len(coefficients(result, term=["Intercept", "condition"])) == 2
    with pytest.raises(InputError, match=r"did you mean 'condition'"):
        coefficients(result, term="conditions")


def test_coefficients__of_a_regression_and_a_t_test_of_detections(ds):
    result = ds.fex.regress("condition", correction="bonferroni")
    heights = {name: v for bars in drawn(result.fex.plot.coefficients()).values() for name, v in bars.items()}
    np.testing.assert_allclose([heights[f] for f in result.feature.values], result.beta.isel(term=1, face=0))
    result = ds.fex.ttest("condition")
    heights = {name: v for bars in drawn(result.fex.plot.coefficients()).values() for name, v in bars.items()}
    np.testing.assert_allclose([heights[f] for f in result.feature.values], result.difference.isel(face=0))


def test_coefficients__what_is_no_such_result(ds, result):
    with pytest.raises(InputError, match=r"found variables features, landmarks; expected the result of .fex.regress"):
        coefficients(ds)
    with pytest.raises(InputError, match="unknown kind of error bar 'sd'"):
        coefficients(result, error="sd")
    with pytest.raises(InputError, match="a result without terms"):
        coefficients(result.isel(term=1), term="condition")


def test_coefficients__of_windows_are_refused_with_a_way_out(result):
    over_time = result.expand_dims(time=[0.5, 1.5])
    with pytest.raises(InputError, match=r"found windows of time \(2\).* result\.isel\(time=0\).*\.over_time\(\)"):
        coefficients(over_time)
    assert drawn(coefficients(over_time.isel(time=0))) == drawn(coefficients(result))


def test_coefficients__a_level_that_is_no_share(result):
    for alpha in (5, float("nan")):
        with pytest.raises(InputError, match=f"found alpha={alpha}; expected a share between 0 and 1"):
            coefficients(result, alpha=alpha)
